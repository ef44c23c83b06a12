"""`chatctl serve`: addresses, stores, limits, its log, signals, a full disk."""

import contextlib
import errno
import json
import os
import signal
import subprocess

import pytest

from tests.support.cli import Process, run
from tests.support.servers import READY_PREFIX
from tests.support.small_disk import server_on_small_disk
from tests.support.waiting import until


@contextlib.contextmanager
def serving(*arguments, **more):
    """A server that is ready; it ends with the test."""
    process = Process("serve", *arguments, **more)
    try:
        until(lambda: process.err.text.count(READY_PREFIX) or process.popen.poll() is not None)
        yield process
    finally:
        process.popen.kill()


def listened(process):
    return [line.removeprefix(READY_PREFIX) for line in process.err.lines if line.startswith(READY_PREFIX)]


def test_several_addresses_are_served_and_told(tmp_path):
    unix = f"unix:{tmp_path}/chat.sock"
    for arguments, env in (
        (("--listen", "127.0.0.1:0", "--listen", unix, "-l", "localhost:0"), {}),
        ((), {"CHATCTL_LISTEN": f"127.0.0.1:0,{unix},localhost:0"}),
    ):
        with serving("--json", *arguments, env={**env, "CHATCTL_STORE": f"sqlite:{tmp_path}/chat.db"}) as process:
            until(lambda process=process: len(listened(process)) == 3)
            one, other, third = listened(process)
            (announced,) = until(lambda process=process: process.out.lines)
            assert json.loads(announced)["listening"] == [one, other, third]
            assert json.loads(announced)["pid"] == process.popen.pid
            assert other == unix
            for address in (one, other, third):
                assert not address.endswith(":0")
                assert run("stats", server=address).code == 0
            assert process.signal(signal.SIGTERM).wait().code == 0


def test_the_default_store_is_made_in_the_data_directory(tmp_path):
    env = {"XDG_DATA_HOME": f"{tmp_path}/not yet/here", "HOME": f"{tmp_path}"}
    with serving("--listen", "127.0.0.1:0", env=env) as process:
        assert run("send", "hello", server=listened(process)[0]).code == 0
        done = process.signal(signal.SIGINT).wait()
    assert (done.code, done.out) == (0, "")
    assert (tmp_path / "not yet/here/chatctl/chat.db").is_file()


def refused(*arguments):
    done = run("serve", "--json", *arguments)
    assert (done.code, done.out) == (1, "")
    (said,) = done.stderr_objects
    assert (said["reason"], said["exit_code"]) == ("NOT_STARTED", 1)
    return said["error"]


def test_an_address_that_cannot_be_served_is_refused(start_server, server, tmp_path):
    store = ("--store", f"sqlite:{tmp_path}/other.db")
    said = refused(*store, "--listen", "127.0.0.1:0", "--listen", server.address)
    assert server.address in said
    assert "--listen" in said
    socket_path = f"unix:{tmp_path}/chat.sock"
    start_server(listen=socket_path)
    assert socket_path in refused(*store, "--listen", socket_path)
    assert run("stats", server=socket_path).code == 0
    done = run("serve", *store, "--listen", socket_path)
    assert (done.code, done.out) == (1, "")
    assert socket_path in done.err
    for listen in ("0.0.0.0:0", "[::]:0"):
        assert "--insecure" in refused(*store, "--listen", listen)
    with serving(*store, "--insecure", "--listen", "0.0.0.0:0") as process:
        port = listened(process)[0].rpartition(":")[2]
        assert run("stats", server=f"127.0.0.1:{port}").code == 0


def test_a_store_that_cannot_be_opened_is_refused(server, tmp_path):
    (tmp_path / "junk").write_text("dear diary, " * 100)
    (tmp_path / "loop").symlink_to("loop")
    stores = {
        f"sqlite:{tmp_path}": "directory",
        f"sqlite:{tmp_path}/junk": "--store",
        f"sqlite:{tmp_path}/junk/in/a/file": "cannot open",
        f"sqlite:{tmp_path}/loop": "loop",
        f"sqlite:{tmp_path}/{'x' * 300}": "File name too long: name another file",
        "sqlite:~unknown-user/chat.db": "the home directory is unknown: use an absolute path",
        f"sqlite:{server.store}": "another server uses it",
    }
    for store, words in stores.items():
        said = refused("--listen", "127.0.0.1:0", "--store", store)
        assert words in said
        assert store.removeprefix("sqlite:") in said
    assert (tmp_path / "junk").read_text().startswith("dear diary")
    assert run("stats", server=server.address).code == 0


def test_an_address_that_cannot_be_used_leaves_no_store_and_no_socket_behind(server, tmp_path):
    directory = tmp_path / "new"
    directory.mkdir()
    for listen, reason in (
        (server.address, "the port is in use"),
        ("192.0.2.1:1", "the host is not an address of this machine"),
        ("nowhere.invalid:1", "the host nowhere.invalid is unknown"),
        (f"unix:{server.store}", "the file is not a socket"),
        ("unix:/proc/chat.sock", os.strerror(errno.EACCES if os.geteuid() else errno.ENOENT) + ": use another path"),
    ):
        said = refused(
            *("--insecure", "--store", f"sqlite:{directory}/chat.db"),
            *("--listen", f"unix:{directory}/chat.sock", "--listen", listen),
        )
        assert f"cannot listen on {listen}: {reason}" in said
        assert not list(directory.iterdir())
    said = refused("--store", f"sqlite:{server.store}", "--listen", f"unix:{directory}/chat.sock")
    assert "another server uses it" in said
    assert not list(directory.iterdir())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_in_order_with_clients_connected(server, number):
    sender = Process("send", "--json", "--timeout", "1s", server=server.address)
    sender.write("a\n")
    until(lambda: run("stats", "--json", server=server.address).objects[0]["num_messages"] == 1)
    server.process.send_signal(number)
    assert server.wait() == 0
    done = sender.wait()
    assert done.code == 78
    assert [receipt["status"] for receipt in done.objects] in (["stored"], ["duplicate"])  # asked twice, if it was slow


def test_a_second_signal_cuts_it_short(start_server, tmp_path):
    """Over a unix socket: TCP would give up a client that does not read after 20 seconds."""
    server = start_server("--grace", "10h", "--log-level", "info", listen=f"unix:{tmp_path}/chat.sock")
    assert run("send", piped=b"x" * 60_000 + b"\n" + (b"y" * 60_000 + b"\n") * 200, server=server.address).code == 0
    reader = Process("history", "--json", server=server.address, stdout=subprocess.PIPE)  # that is not read
    assert reader.popen.stdout.read(1)
    reader.signal(signal.SIGSTOP)
    server.process.send_signal(signal.SIGTERM)
    until(lambda: any("stopping" in line for line in server.lines))
    server.process.send_signal(signal.SIGTERM)
    assert server.wait() == 0
    reader.popen.kill()
    reader.popen.stdout.close()
    reader.wait()


def test_the_log_can_be_one_json_object_a_line(tmp_path):
    store = f"sqlite:{tmp_path}/chat.db"
    with serving("--log-format", "json", "--log-level", "debug", "-l", "127.0.0.1:0", "--store", store) as process:
        assert run("send", "hello", server=listened(process)[0]).code == 0
        done = process.signal(signal.SIGTERM).wait()
    objects = [json.loads(line) for line in done.err.splitlines() if not line.startswith(READY_PREFIX)]
    assert {"stopping", "stopped"} <= {line["message"] for line in objects}
    assert all(set(line) >= {"time", "level", "logger", "message"} for line in objects)


def test_by_default_the_log_says_nothing_while_all_is_well(tmp_path):
    with serving("-l", "127.0.0.1:0", "--store", f"sqlite:{tmp_path}/chat.db") as process:
        assert run("send", "hello", server=listened(process)[0]).code == 0
        done = process.signal(signal.SIGTERM).wait()
    assert done.err.splitlines() == [READY_PREFIX + listened(process)[0]]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--text-bytes", "0"), "--text-bytes"),
        (("--name-bytes", "-1"), "--name-bytes"),
        (("--batch-messages", "99999999"), "--batch-messages"),
        (("--batch-bytes", "99999999"), "--batch-bytes"),
        (("--streams", "many"), "--streams"),
        (("--listen", "50051"), "--listen"),
        (("--listen", "xds:1"), "is not a host for gRPC"),
        (("--listen", "127.0.0.1:65536"), "use a port from 0 to 65535"),
        (("--store", "nats:there"), "use sqlite:PATH"),
        (("--store", "sqlite:"), "use sqlite:PATH"),
        (("--store", "sqlite"), "use sqlite:PATH"),
        (("--store", "other.db"), "write sqlite:other.db"),
        (("--store", "/x.db"), "write sqlite:/x.db"),
        (("--store", "./a:b.db"), "write sqlite:./a:b.db"),
        (("--socket-mode", "600"), "no address is a Unix socket"),
        (("--socket-mode", "rw", "--listen", "unix:x"), "three digits from 0 to 7"),
        (("--socket-mode", "1600", "--listen", "unix:x"), "three digits from 0 to 7"),
        (("--grace", "soon"), "--grace"),
        (("--log-level", "loud"), "--log-level"),
    ],
)
def test_a_bad_setting_is_wrong_usage(arguments, words):
    done = run("serve", "--json", *arguments)
    assert (done.code, done.out) == (2, "")
    (said,) = done.stderr_objects
    assert words in said["error"]
    assert said["reason"] == "USAGE"


def test_limits_hold_and_are_told(start_server):
    server = start_server("--text-bytes", "10", "--name-bytes", "200")
    done = run("send", piped=b"0123456789\n0123456789A\n", server=server.address)
    assert done.code == 1
    assert "limit is 10" in done.err
    assert run("send", "--room", "r" * 200, "hello", server=server.address).code == 0


def test_a_full_disk_ends_a_send_with_72_and_with_space_again_it_goes_on(start_server, tmp_path):
    with server_on_small_disk(start_server, tmp_path / "disk") as (server, fill, free):
        assert run("send", "first", server=server.address).code == 0
        fill()
        lines = [f"{number} " + "x" * 10_000 for number in range(30)]
        job = ("send", "--json", "--input-id", "job", "--timeout", "1s")
        full = run(*job, piped="\n".join(lines), server=server.address)
        assert full.code == 72
        assert [receipt["number"] for receipt in full.objects] == list(range(1, len(full.objects) + 1))
        assert {receipt["status"] for receipt in full.objects} <= {"stored", "duplicate", "unconfirmed"}
        assert full.objects[-1]["status"] == "unconfirmed"
        assert (full.stderr_objects[-1]["reason"], full.stderr_objects[-1]["exit_code"]) == ("STORE_FULL", 72)
        assert "space" in full.stderr_objects[-1]["error"]
        free()
        assert run(*job, piped="\n".join(lines), server=server.address).code == 0
        assert run("history", "-o", "text", server=server.address).lines == ["first", *lines]


def test_a_server_whose_store_is_deleted_says_so_and_ends(tmp_path):
    store = tmp_path / "chat.db"
    with serving("--listen", "127.0.0.1:0", "--store", f"sqlite:{store}") as process:
        address = listened(process)[0]
        assert run("send", "kept", server=address).code == 0
        store.unlink()
        lost = run("send", "lost", server=address)
        assert lost.code == 79
        assert "1 unconfirmed" in lost.err
        done = process.wait()
    assert done.code == 79
    assert "deleted" in done.err
    assert not store.exists()
