"""What `chatctl serve` inherits: signals, a stderr that is not read, no home directory; and the modes of its files."""

import contextlib
import os
import signal
import stat
import subprocess
import sys

import pytest

from tests.support.cli import CHATCTL, Process, Terminal, clean_environment, run
from tests.support.servers import READY_PREFIX
from tests.support.waiting import TIMEOUT_SECONDS, until

SERVE = (*CHATCTL, "serve", "--listen", "127.0.0.1:0")


def fill(descriptor):
    """Fill a pipe, so that the next write to it waits."""
    os.set_blocking(descriptor, False)
    with contextlib.suppress(BlockingIOError):
        while os.write(descriptor, b"x" * 4096):
            pass
    os.set_blocking(descriptor, True)


@contextlib.contextmanager
def started(*command, **options):
    """A process that is killed at the end if it has not ended by itself."""
    with subprocess.Popen(command, env=clean_environment(), stdin=subprocess.DEVNULL, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def answers(listen):
    """Wait until a server answers."""
    until(lambda: run("stats", "--timeout", "1s", server=listen).code == 0)


@pytest.mark.parametrize("stdout", ["read", "full"])
def test_a_stderr_that_is_not_read_holds_up_neither_calls_nor_sigterm(tmp_path, stdout):
    listen = f"unix:{tmp_path}/chat.sock"
    reader, writer = os.pipe()
    fill(writer)
    arguments = ("--json", "--listen", listen, "--store", f"sqlite:{tmp_path}/chat.db", "--log-level", "debug")
    with started(
        *(*CHATCTL, "serve", *arguments, "--grace", "1s"),
        stdout=writer if stdout == "full" else subprocess.DEVNULL,
        stderr=writer,
    ) as process:
        answers(listen)
        assert run("send", piped="a\n" * 1000, server=listen).code == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT_SECONDS) == 0
    os.close(reader)
    os.close(writer)


def test_lines_that_stderr_does_not_take_are_dropped_and_counted(tmp_path):
    program = (
        "import logging, sys, os\n"
        "from chatctl.cli.serve.line_writer import LineWriter\n"
        "from chatctl.cli.serve.log_setup import LogFormat, LogLevel, set_up_logging\n"
        "writer = LineWriter(2)\n"
        "set_up_logging(LogLevel.INFO, LogFormat.JSON, writer)\n"
        "for n in range(3000): logging.getLogger('chatctl.x').info('%d %s', n, 'x' * 1000)\n"
        "assert not writer.flush(0)\n"
        "print('full', flush=True)\n"
        "assert writer.flush(60)\n"
        "logging.getLogger('chatctl.x').info('last')\n"
        "assert writer.flush(60)\n"
    )
    with started(sys.executable, "-c", program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "full\n"
        lines = process.stderr.read().splitlines()
    assert process.returncode == 0
    dropped = [line for line in lines if "lines of this log were dropped: stderr was not read" in line]
    assert len(dropped) == 1
    assert sum('"level": "info"' in line for line in lines) + int(dropped[0].split('"message": "')[1].split()[0]) == 3001
    assert '"last"' in lines[-1]


def test_a_stderr_that_is_not_blocking_gets_every_line(tmp_path):
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    program = (
        "from chatctl.cli.serve.line_writer import LineWriter\n"
        "writer = LineWriter(2)\n"
        "for n in range(900): assert writer.write(f'{n} ' + 'x' * 1000)\n"
        "assert writer.flush(60)\n"
    )
    with started(sys.executable, "-c", program, stderr=writer) as process:
        os.close(writer)
        with open(reader, encoding="utf-8") as lines:
            assert [int(line.split()[0]) for line in lines] == list(range(900))
    assert process.returncode == 0


def test_a_terminal_that_is_stalled_does_not_hold_up_sigterm(tmp_path):
    terminal = Terminal(80)
    listen = f"unix:{tmp_path}/chat.sock"
    arguments = ("--listen", listen, "--store", f"sqlite:{tmp_path}/chat.db", "--log-level", "debug", "--grace", "1s")
    with started(*CHATCTL, "serve", *arguments, stderr=terminal.descriptor) as process:
        until(lambda: "Ctrl-C" in terminal.shown.text)
        import termios

        termios.tcflow(terminal.descriptor, termios.TCOOFF)
        assert run("send", piped="a\n" * 1000, server=listen).code == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT_SECONDS) == 0
        termios.tcflow(terminal.descriptor, termios.TCOON)
    terminal.close()


def test_a_server_in_the_background_of_a_script_is_not_ended_by_ctrl_c(tmp_path):
    """Shells let it ignore SIGINT."""
    store = f"sqlite:{tmp_path}/chat.db"
    process = Process(
        "serve", "--listen", "127.0.0.1:0", "--store", store, command=("sh", "-c", 'trap "" INT; exec "$@"', "sh", *CHATCTL)
    )
    until(lambda: READY_PREFIX in process.err.text)
    listen = process.err.lines[0].removeprefix(READY_PREFIX)
    process.signal(signal.SIGINT)
    assert run("stats", server=listen).code == 0
    assert process.signal(signal.SIGTERM).wait().code == 0


def test_without_a_home_directory_it_asks_for_a_store(tmp_path):
    command = ("unshare", "--user", "--map-user=12345", *SERVE)
    environment = {**clean_environment(), "HOME": None}
    done = subprocess.run(
        command, env={name: value for name, value in environment.items() if value}, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "HOME is not set, and user 12345 has no home directory: name the store with --store sqlite:PATH" in done.stderr


@pytest.mark.parametrize(("option", "mode"), [((), 0o600), (("--socket-mode", "660"), 0o660)])
@pytest.mark.parametrize("umask", [0, 0o077])
def test_the_mode_of_a_socket_does_not_depend_on_the_umask(start_server, tmp_path, option, mode, umask):
    path = tmp_path / "a%41 b?.sock"
    before = os.umask(umask)
    try:
        server = start_server(*option, listen=f"unix:{path}")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert stat.S_IMODE((tmp_path / "chat-0.db-lock").stat().st_mode) == 0o600
    assert run("stats", server=f"unix:{path}").code == 0
    server.stop()
    assert not path.exists()


def test_a_socket_in_a_directory_of_all_users_is_refused(start_server, tmp_path):
    (directory := tmp_path / "shared").mkdir()
    arguments = ("--listen", f"unix:{directory}/chat.sock", "--store", f"sqlite:{tmp_path}/chat.db")
    directory.chmod(0o777)
    said = start_server.start_error(*arguments)
    assert f"all users of this machine can replace files in {directory}" in said
    directory.chmod(0o1777)
    server = start_server(listen=arguments[1])
    assert server.lines[0].startswith(READY_PREFIX)
    server.stop()
    directory.chmod(0o770)
    server = start_server(listen=arguments[1])
    assert any(f"the group can write to {directory}:" in line for line in server.lines)
    (link := directory / "link.sock").symlink_to("chat.sock")
    assert "the file is not a socket" in start_server.start_error("--listen", f"unix:{link}", *arguments[2:])


def test_a_shared_store_is_used_if_that_is_meant(start_server, tmp_path):
    (directory := tmp_path / "shared").mkdir()
    directory.chmod(0o777)
    arguments = ("--listen", "127.0.0.1:0", "--store", f"sqlite:{directory}/chat.db")
    assert "--allow-shared-store" in start_server.start_error(*arguments)
    server = start_server("--allow-shared-store", store=directory / "chat.db")
    assert run("send", "hello", server=server.address).code == 0
    server.stop()


SLOW_STORE = """
import sys, threading
from chatctl.store.sqlite import file
file._find_damage = lambda connection: (print("checking", file=sys.stderr, flush=True), threading.Event().wait())
from chatctl.__main__ import main
sys.argv[1:1] = ["serve"]
main()
"""


def test_a_signal_ends_it_while_it_checks_a_large_store(tmp_path):
    listen = f"unix:{tmp_path}/chat.sock"
    process = Process(
        "--listen", listen, "--store", f"sqlite:{tmp_path}/chat.db", command=(sys.executable, "-c", SLOW_STORE)
    )
    until(lambda: "checking" in process.err.text)
    assert process.signal(signal.SIGTERM).wait().code == 0


HANGING_STORE = """
import sys, threading
from chatctl.store.sqlite.group_commit import GroupCommitter
GroupCommitter.close = lambda committer: threading.Event().wait()
from chatctl.__main__ import main
sys.argv[1:1] = ["serve"]
main()
"""


def test_it_ends_after_the_grace_period_even_if_the_disk_hangs(tmp_path):
    store = f"sqlite:{tmp_path}/chat.db"
    command = (sys.executable, "-c", HANGING_STORE)
    process = Process("--listen", "127.0.0.1:0", "--grace", "0.1s", "--store", store, command=command)
    until(lambda: READY_PREFIX in process.err.text)
    assert process.signal(signal.SIGTERM).wait().code == 0


def test_no_web_proxy_sees_what_is_sent_without_encryption(start_server, silent_address):
    """0.0.0.0 is this machine for a client, but not a loopback address."""
    server = start_server()
    listen = "0.0.0.0:" + server.address.rpartition(":")[2]
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "grpc_proxy", "all_proxy"), f"http://{silent_address}")
    assert run("send", "--timeout", "2s", "secret", server=listen, env=proxies).code == 0
