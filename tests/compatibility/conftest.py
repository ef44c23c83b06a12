"""Old versions of chatctl, unpacked from the wheels in tests/data."""

import compileall
import functools
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
def start_pair(release, start_shared_server):
    """Returns a client and a server of two versions by their names, the server with a store of its own."""

    @functools.cache  # a fixture with a parameter would start a server for each case
    def start_pair(client, server):
        server = release(server)
        return Pair(release(client), server, start_shared_server(command=[*server.command, "serve"]).address)

    return start_pair


@pytest.fixture
def pair_with(release):
    """Returns a client by the name of its version and a running server of today's."""
    return lambda client, served: Pair(release(client), release("today"), served.address)


@pytest.fixture
def pair(request, start_pair):
    """The client and the server that the parameter names."""
    return start_pair(*request.param)


@pytest.fixture(scope="module")
def store_texts(tmp_path_factory):
    """Stores TEXTS with the client of a pair, once, and returns what the arguments of a case may name."""
    return functools.cache(functools.partial(_store_texts, tmp_path_factory))


@pytest.fixture
def stored(pair, store_texts):
    """What the arguments of a case may name, after TEXTS were stored in a room."""
    return store_texts(pair)


def _store_texts(tmp_path_factory, pair):
    done = pair.run("send", "-r", SEED, "--sender", SEED, "--json", piped="".join(f"{text}\n" for text in TEXTS))
    assert done.code == 0, done.err
    receipts = tmp_path_factory.mktemp("stored") / "receipts"
    receipts.write_text(done.out)
    return {"seed": SEED, "receipts": receipts, "cursor": done.objects[0]["cursor"]}
