"""Fixtures for all tests: servers as real processes, each with its own store, and channels and commands for them."""

import asyncio
import inspect
import os
import signal
import socket

import grpc
import pytest
from hypothesis import settings

from tests.support.cli import FollowProcess, run
from tests.support.servers import ServerFactory

for name in [name for name in os.environ if name.startswith("CHATCTL_")]:
    del os.environ[name]  # the developer's settings must not change the tests
os.environ.update(NO_COLOR="1", GRPC_VERBOSITY="NONE")

# A job in the background, or one under nohup, starts with these ignored, and each process of a test would inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)

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
    """The address of a server that the tests of a module share; each test has its own room."""
    return start_shared_server().address


@pytest.fixture
def silent_address():
    """The address of a listener that accepts connections and never sends a byte."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def room(request):
    return f"room of {request.node.name}"[:100]


@pytest.fixture
def connect():
    """Open channels, which are closed at the end of the test."""
    channels = []

    def connect(served):
        # A global pool would share the connections of one test with the next test.
        channel = grpc.insecure_channel(served.address, options=(("grpc.use_local_subchannel_pool", 1),))
        channels.append(channel)
        return channel

    yield connect
    for channel in channels:
        channel.close()


@pytest.fixture
def follow(address):
    """Start `chatctl history -f` on the shared server; the processes are killed at the end of the test."""
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
    """Store texts on the shared server."""

    def say(*texts, room, user="ann"):
        lines = "".join(f"{text}\n" for text in texts)
        assert run("send", "--room", room, "--user", user, piped=lines, server=address).code == 0

    return say


@pytest.fixture
def send(say, room):
    """Store texts in the test's own room."""
    return lambda *texts: say(*texts, room=room, user="tess")
