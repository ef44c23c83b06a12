"""A small disk, which can be filled and freed again."""

import contextlib
import os
import subprocess
from contextlib import contextmanager

from conftest import ServerFactory


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
