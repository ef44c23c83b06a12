"""A small disk that can be full: a file system in memory, seen only by the processes that are started in it."""

import contextlib
import os
import subprocess
from contextlib import contextmanager, suppress

from tests.support.servers import ServerFactory


@contextmanager
def mounted_tmpfs(directory, *options):
    """A small file system of its own."""
    directory.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", directory], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", directory], check=True)


def fill_disk(disk):
    """Leave no space on a file system; the file to remove for some comes back."""
    filler = disk / "ballast"
    with open(filler, "wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return filler


BLOCK = bytes(4096)


class SmallDisk:
    """Needs root, or user namespaces (see `can_mount`); a context manager, with which the file system goes.

    `prefix` before a command lets it see the disk at `path`; `outside` is where everybody sees it.
    """

    def __init__(self, path, size="4m"):
        self.path = path
        path.mkdir()
        own = () if os.geteuid() == 0 else ("--map-root-user",)
        mount = f"mount -t tmpfs -o size={size} none '{path}' && echo mounted && exec cat"
        self._mount_process = subprocess.Popen(
            ("unshare", "--mount", *own, "sh", "-c", mount), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._mount_process.stdout.readline() == b"mounted\n"
        kinds = ("--mount",) if os.geteuid() == 0 else ("--user", "--preserve-credentials", "--mount")
        self.prefix = ("nsenter", "--target", str(self._mount_process.pid), *kinds, "--")
        self.outside = f"/proc/{self._mount_process.pid}/root{path}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._mount_process.communicate()

    def fill(self):
        with open(f"{self.outside}/filler", "ab", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(BLOCK) == len(BLOCK):
                pass

    def free(self):
        os.unlink(f"{self.outside}/filler")


def can_mount():
    """Whether this machine lets us."""
    own = () if os.geteuid() == 0 else ("--map-root-user",)
    return (
        subprocess.run(("unshare", "--mount", *own, "mount", "-t", "tmpfs", "none", "/mnt"), capture_output=True).returncode
        == 0
    )


@contextmanager
def server_on_small_disk(start_server, directory):
    """A server whose store is on a tmpfs of 2 MiB that only the server sees, so that it is gone with it.

    With it come a function that fills the disk and one that makes space again.
    """
    directory.mkdir()
    mount = f'mount -t tmpfs -o size=2m none {directory} && shift && exec "$@"'
    unshare_command = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    command = [*unshare_command, "sh", "-c", mount, "sh", "--", *ServerFactory.command()]
    probe = subprocess.run([*command[:-4], "true"], capture_output=True, text=True)
    assert probe.returncode == 0, f"this test needs a mount of its own (root, or user namespaces): {probe.stderr}"
    server = start_server(store=directory / "chat.db", command=command)
    filler = f"/proc/{server.process.pid}/root{directory}/filler"

    def fill():
        with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(4096)):
                pass

    yield server, fill, lambda: os.unlink(filler)
    server.stop()
