"""What most tests need: servers as real processes, each with a store of its own, and channels to them."""

import asyncio
import inspect
import os

import grpc
import pytest
from hypothesis import settings

from tests.support.servers import ServerFactory

for name in [name for name in os.environ if name.startswith("CHATCTL_")]:
    del os.environ[name]  # what the developer has set must not change what the tests see
os.environ.update(NO_COLOR="1", GRPC_VERBOSITY="NONE")

settings.register_profile("chatctl", deadline=None)  # no test measures time
settings.load_profile("chatctl")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Run an `async def` test in an event loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
    asyncio.run(pyfuncitem.obj(**arguments))
    return True


@pytest.fixture
def start_server(tmp_path):
    servers = ServerFactory(tmp_path)
    yield servers
    servers.close()


@pytest.fixture
def server(start_server):
    return start_server()


@pytest.fixture(scope="module")
def start_shared_server(tmp_path_factory):
    """Start servers that the tests of a module share."""
    servers = ServerFactory(tmp_path_factory.mktemp("server"))
    yield servers
    servers.close()


@pytest.fixture(scope="module")
def address(start_shared_server):
    """That of a server which the tests of a module share; each of them has a room of its own."""
    return start_shared_server().address


@pytest.fixture
def room(request):
    return f"room of {request.node.name}"[:100]


@pytest.fixture
def connect():
    """Channels that are closed with the test."""
    channels = []

    def connect(served):
        # A global pool would share the connections of one test with the next.
        channel = grpc.insecure_channel(served.address, options=(("grpc.use_local_subchannel_pool", 1),))
        channels.append(channel)
        return channel

    yield connect
    for channel in channels:
        channel.close()


@pytest.fixture
def follow(address):
    """Starts `chatctl history -f` on the shared server; what is under way ends with the test."""
    from tests.support.cli import FollowProcess

    started = []

    def follow(*args, **streams):
        started.append(FollowProcess(address, *args, **streams))
        return started[-1]

    yield follow
    for process in started:
        process.popen.kill()
        process.popen.wait()


@pytest.fixture
def say(address):
    """Stores texts on the shared server."""
    from tests.support.cli import run

    def say(*texts, room, user="ann"):
        lines = "".join(f"{text}\n" for text in texts)
        assert run("send", "--room", room, "--user", user, piped=lines, server=address).code == 0

    return say


@pytest.fixture
def send(say, room):
    """Stores texts in the test's own room."""
    return lambda *texts: say(*texts, room=room, user="tess")
