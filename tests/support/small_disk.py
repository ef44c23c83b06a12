"""Small file systems in memory that can be full. They need root, or user namespaces."""

import os
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.servers import ServerFactory

OWN_MOUNTS = ("unshare", "--mount", *(() if os.geteuid() == 0 else ("--map-root-user",)))
"""A prefix for a command, whose mounts only it and its children see."""
BLOCK = bytes(4096)


def can_mount():
    """Return whether this machine allows mounts in a namespace."""
    return subprocess.run((*OWN_MOUNTS, "mount", "-t", "tmpfs", "none", "/mnt"), capture_output=True).returncode == 0


def unshare_command(script, *command):
    """Return a command that runs an sh script, which has mounts of its own; `command` is its `$@`."""
    return [*OWN_MOUNTS, "sh", "-c", script, "sh", *command]


@contextmanager
def mounted_tmpfs(directory, *options):
    """Mount a tmpfs that this process sees, too, and that can be remounted; needs root."""
    directory.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", directory], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", directory], check=True)


def fill_disk(directory):
    """Leave no space on a file system. Return the file to delete for some space."""
    filler = directory / "filler"
    with open(filler, "wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(BLOCK)
    return filler


class SmallDisk:
    """A tmpfs in a mount namespace of its own, which ends with this context manager.

    `prefix` before a command lets it see the disk at `path`; other processes see it at `outside`.
    """

    def __init__(self, path, size="4m"):
        self.path = path
        path.mkdir()
        mount = f"mount -t tmpfs -o size={size} none '{path}' && echo mounted && exec cat"
        self._mount_process = subprocess.Popen(unshare_command(mount), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._mount_process.stdout.readline() == b"mounted\n", "mounts need root, or user namespaces"
        kinds = ("--mount",) if os.geteuid() == 0 else ("--user", "--preserve-credentials", "--mount")
        self.prefix = ("nsenter", "--target", str(self._mount_process.pid), *kinds, "--")
        self.outside = Path(f"/proc/{self._mount_process.pid}/root{path}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._mount_process.communicate()

    def fill(self):
        """Leave no space."""
        self._filler = fill_disk(self.outside)

    def free(self):
        """Make space again."""
        self._filler.unlink()


@contextmanager
def server_on_small_disk(start_server, directory):
    """Run a server whose store is on a disk of 48 MiB. Yields it and the functions that fill the disk and free it again.

    The write-ahead log may grow to 16 MiB and a transaction before it is moved into the file, which needs space, too.
    """
    with SmallDisk(directory, "48m") as disk:
        server = start_server(store=directory / "chat.db", command=[*disk.prefix, *ServerFactory.command()])
        yield server, disk.fill, disk.free
        server.stop()
