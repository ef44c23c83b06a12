"""A small disk that can be full: a file system in memory, seen only by the processes that are started in it."""

import contextlib
import os
import subprocess

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
