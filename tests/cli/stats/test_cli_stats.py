"""`chatctl stats`, and the errors of every client when no chatctl server answers."""

import signal
import subprocess
import sys
import time

import pytest

from chatctl.version import full_version
from tests.support.cli import Process, run
from tests.support.fake_servers import server_with_handlers
from tests.support.servers import ServerFactory
from tests.support.stores import filled_store
from tests.support.waiting import until

SPOKEN = {("den", "ann"): 3, ("den", "bob"): 2, ("war room", "ann"): 1}


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    servers = ServerFactory(tmp_path_factory.mktemp("server"))
    address = servers().address
    for (room, user), count in SPOKEN.items():
        assert run("send", "--room", room, "--user", user, piped="ä\n" * count, server=address).code == 0
    yield address
    servers.close()


def test_stats_as_json(address):
    done = run("stats", "--json", server=address)
    assert (done.code, done.err) == (0, "")
    (stats,) = done.objects
    last = run("history", "--json", "-n", "1", server=address).objects[0]
    assert (stats["num_messages"], stats["num_rooms"], stats["num_users"], stats["stored_bytes"]) == (6, 2, 2, 12)
    assert [(room["room"], room["num_messages"]) for room in stats["rooms"]] == [("den", 5), ("war room", 1)]
    assert [(user["user"], user["num_messages"]) for user in stats["users"]] == [("ann", 4), ("bob", 2)]
    assert stats["rooms"][1]["last_time"] == stats["users"][0]["last_time"] == last["time"]
    assert stats["uptime_seconds"] > 0
    assert stats["version"] == full_version()
    assert last["cursor"].startswith(stats["log"] + ":")
    assert stats["store"].startswith("sqlite")
    limits = {"text_bytes": 65_536, "name_bytes": 128, "batch_messages": 1000, "batch_bytes": 1 << 20, "streams": 10_000}
    assert stats["limits"] == limits


def test_stats_of_some_rooms_only(address):
    def rooms(*arguments, **env):
        (stats,) = run("stats", "--json", *arguments, server=address, env=env).objects
        assert stats["num_messages"] == 6
        return [room["room"] for room in stats["rooms"]]

    assert rooms("--top", "1") == ["den"]
    assert rooms("--room", "war room") == rooms("--room", "war room", CHATCTL_ROOM="den") == ["war room"]
    assert sorted(rooms("--room", "war room", "--room", "den")) == ["den", "war room"]
    assert rooms("--room", "nowhere") == []
    assert rooms(CHATCTL_ROOM="war room", CHATCTL_USER="bob") == ["den", "war room"]


def test_stats_as_text(address):
    done = run("stats", server=address)
    assert (done.code, done.err) == (0, "")
    for words in ("messages", "war room", "ann", "bob", "64 KiB", full_version()):
        assert words in done.out
    assert "1 of 2 rooms" in run("stats", "--top", "1", server=address).out


@pytest.fixture
def web():
    """Return the address of a web server."""
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        yield "127.0.0.1:" + process.stdout.readline().split(" port ")[1].split()[0]
        process.kill()


COMMANDS = ["send hi", "send", "stats", "stats --watch", "history", "history -f", "history --wait 1m", "join --plain"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_gives_up_on_a_silent_server_with_one_exit_code(silent_address, command):
    done = run(*command.split(), "--timeout", "0.5s", server=silent_address, piped=b"a\n")
    assert (done.code, done.out) == (78, "")
    for words in (silent_address, "0.5 s", "--timeout"):
        assert words in done.err


@pytest.mark.parametrize("command", [("send", "hi"), ("stats",), ("history",)])
def test_a_web_server_is_not_a_chatctl_server(web, command):
    done = run(*command, "--timeout", "5s", server=web)
    assert (done.code, done.out) == (78, "")
    assert web in done.err


@pytest.mark.parametrize("command", [("send", "hi", "--json"), ("stats", "--json"), ("history", "--json")])
def test_another_grpc_service_is_not_a_chatctl_server(command):
    with server_with_handlers({}) as other:
        done = run(*command, server=other)
    assert done.code == 64 + 12
    assert "is not a chatctl server" in done.stderr_objects[-1]["error"]
    assert done.stderr_objects[-1]["exit_code"] == done.code


@pytest.mark.parametrize("command", ["stats", "history"])
def test_without_a_server_the_hint_is_to_start_one(tmp_path, command):
    done = run(command, "--json", server=f"unix:{tmp_path}/no_server")
    assert (done.code, done.out) == (78, "")
    (said,) = done.stderr_objects
    assert (said["reason"], said["exit_code"]) == ("UNAVAILABLE", 78)
    assert "chatctl serve" in said["error"]


def test_a_clock_that_was_ahead_is_reported_by_stats_and_the_log(tmp_path, start_server, monkeypatch):
    ten_days_ahead = time.time_ns() + 10 * 86_400 * 1_000_000_000
    with monkeypatch.context() as patch:
        patch.setattr("time.time_ns", lambda: ten_days_ahead)
        filled_store(tmp_path / "chat.db")
    server = start_server(store=tmp_path / "chat.db")
    assert any("the clock is 9 days, 23:59:" in line for line in server.lines)
    (stats,) = run("stats", "--json", server=server.address).objects
    assert 9.9 * 86_400 < stats["clock_lag_seconds"] < 10 * 86_400
    assert "9d 23h behind the newest message" in run("stats", server=server.address).out
    watch = Process("stats", "--watch", "0.2", server=server.address)
    until(lambda: "clock 9d 23h behind the newest message" in watch.out.text)
    watch.signal(signal.SIGTERM).wait()
    follower = Process(
        "history", "-f", "--last", "0", "--until", "+1h", "--count", "1", "--output", "text", server=server.address
    )
    until(lambda: run("stats", "--json", server=server.address).objects[0]["activity"]["followers"])
    assert run("send", "live", server=server.address).code == 0
    assert follower.wait().code == 0
    assert follower.out.text == "live\n"
