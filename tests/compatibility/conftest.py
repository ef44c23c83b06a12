"""Old versions of chatctl, unpacked from the wheels in tests/data."""

import compileall
import sys
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.cli import run

DATA = Path(__file__).parents[1] / "data"
SEED, TEXTS = "seed", ("one", "two", "three")


class Release(NamedTuple):
    """A version of chatctl, and the Python that imports it."""

    name: str
    python: tuple[str, ...]

    @property
    def command(self):
        return (*self.python, "-m", "chatctl")


class Pair(NamedTuple):
    """A client of one version and the address of a server of another."""

    client: Release
    server: Release
    address: str

    def run(self, *arguments, piped=""):
        """Run the client to its end."""
        return run(*arguments, piped=piped, server=self.address, command=self.client.command)


@pytest.fixture(scope="session")
def release(tmp_path_factory):
    """Returns a version by its commit, or today's."""
    unpacked = {"today": Release("today", (sys.executable,))}

    def release(name):
        if name not in unpacked:
            folder = tmp_path_factory.mktemp(name)
            (wheel,) = DATA.glob(f"*+{name}-*.whl")
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(folder)
            compileall.compile_dir(folder, quiet=2)  # once, and not in each process
            # -P: without it Python would find today's version in the working directory first.
            unpacked[name] = Release(name, ("env", f"PYTHONPATH={folder}", sys.executable, "-P"))
        return unpacked[name]

    return release


@pytest.fixture(scope="module")
def pair(request, release, start_shared_server):
    """The client and the server that the parameter names, the server with a store of its own."""
    client, server = map(release, request.param)
    return Pair(client, server, start_shared_server(command=[*server.command, "serve"]).address)


@pytest.fixture(scope="module")
def stored(pair, tmp_path_factory):
    """Stores TEXTS in a room with the client, and returns what the arguments of a case may name."""
    done = pair.run("send", "-r", SEED, "--sender", SEED, "--json", piped="".join(f"{text}\n" for text in TEXTS))
    assert done.code == 0, done.err
    receipts = tmp_path_factory.mktemp("stored") / "receipts"
    receipts.write_text(done.out)
    return {"seed": SEED, "receipts": receipts, "cursor": done.objects[0]["cursor"]}
