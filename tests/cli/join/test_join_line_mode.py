"""`chatctl join` as a process: line by line, and how it starts and ends at a terminal."""

import fcntl
import os
import re
import select
import signal
import struct
import termios

import pytest

from tests.support.cli import OutputReader, Process, Terminal, run
from tests.support.waiting import until


class JoinTerminal(Terminal):
    """A terminal of 80 columns and 24 lines that runs `chatctl join`."""

    def __init__(self, address, *arguments, zone="UTC"):
        super().__init__()
        self.address = address
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.before = termios.tcgetattr(self.descriptor)
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), self.descriptor)
        env = {"TERM": "xterm-256color", "TZ": zone}
        self.process = Process("join", "--user", "ann", *arguments, server=address, env=env, **streams)

    def until_shown(self, *words):
        until(lambda: all(word in self.shown.text for word in words))

    def end(self):
        """Return the exit code, and what was printed after the terminal was restored."""
        code = self.process.wait().code
        assert termios.tcgetattr(self.descriptor) == self.before
        _, left, said = self.close().rpartition("\x1b[?1049l")
        assert left
        return code, re.sub(r"\x1b\[\?\d+[lh]", "", said).replace("\r\n", "\n")


@pytest.fixture
def screen(address, room):
    screens = []

    def screen(*arguments, server=address, **named):
        screens.append(JoinTerminal(server, *(arguments or (room,)), **named))
        return screens[-1]

    yield screen
    for each in screens:
        each.process.popen.kill()
        each.process.popen.wait()


@pytest.fixture
def join(address, room):
    """Start `chatctl join` with pipes. The process ends with the test."""
    started = []

    def join(*arguments, user="ann", server=address, **streams):
        started.append(Process("join", room, "--user", user, *arguments, server=server, **streams))
        return started[-1]

    yield join
    for process in started:
        process.popen.kill()
        process.popen.wait()


def test_lines_are_sent_and_messages_are_printed(join, room, address):
    ann, bob = join("--last", "9"), join("--last", "9", user="bob")
    ann.write("hi bob\n/quit\n")
    until(lambda: "/quit" in bob.out.text)
    bob.write("\x1b[31mhi ann")
    done = bob.close().wait()
    assert (done.code, done.err) == (0, "")
    rows = [line.partition("  ")[2] for line in done.lines]
    assert rows == ["ann: hi bob", "ann: /quit", "bob: \\x1b[31mhi ann"]
    until(lambda: len(ann.out.lines) == 3)
    done = ann.close().wait()
    assert (done.code, [line.partition("  ")[2] for line in done.lines]) == (0, rows)


def test_every_line_of_a_file_is_sent_and_printed(join, room, address):
    lines = [f"line {number}" for number in range(20_000)]
    ann = join("--json")
    ann.write("".join(f"{line}\n" for line in lines))
    done = ann.close().wait()
    assert (done.code, done.err) == (0, "")
    assert [message["text"] for message in done.objects] == lines
    history = run("history", "--room", room, "--json", server=address)
    assert history.out == done.out


def test_last_prints_the_last_messages_of_its_rooms(join, send, say):
    send("one", "two", "three")
    say("a", "b", "c", room="other")
    send("four")
    say("elsewhere", room="elsewhere")
    done = join("other", "--last", "3", "--utc").close().wait()
    assert done.code == 0
    rows = [line.split("  ")[1:] for line in done.lines]
    assert [texts for _, texts in rows] == ["ann: b", "ann: c", "tess: four"]
    assert {room for room, _ in rows} > {"other"}
    assert all("Z  " in line for line in done.lines)


def test_a_line_that_cannot_be_sent_is_named_by_its_number(start_server, join):
    server = start_server("--text-bytes", "10")
    ann = join(server=server.address)
    ann.write(b"good\nmuch too long\nno \xff UTF\nfine\n")
    done = ann.close().wait()
    assert done.code == 1
    assert [line.rpartition(": ")[2] for line in done.lines] == ["good", "fine"]
    assert "line 2 was not stored: the text has 13 bytes, the limit is 10" in done.err
    assert "line 3 was not stored: not UTF-8" in done.err


def test_a_line_that_is_not_utf_8_is_stored_if_that_is_wanted(join):
    bob = join("--invalid", "replace")
    bob.write(b"good\nno \xff UTF\n")
    done = bob.close().wait()
    assert done.code == 0
    assert [line.rpartition(": ")[2] for line in done.lines] == ["good", "no \ufffd UTF"]
    assert done.err == "chatctl: 1 line was not UTF-8: invalid bytes were replaced by U+FFFD\n"


def test_it_continues_after_a_restart_of_the_server(start_server, join):
    server = start_server()
    ann = join(server=server.address)
    ann.write("before\n")
    until(lambda: "before" in ann.out.text)
    server.stop()
    until(lambda: "trying again" in ann.err.text)
    # It does not tell a person to reconnect: it does that by itself.
    assert ann.err.lines == [f"chatctl: {server.address} is stopping; trying again for up to 10 s"]
    ann.write("meanwhile\n")
    start_server(store=server.store, listen=server.address)
    until(lambda: "meanwhile" in ann.out.text)
    done = ann.close().wait()
    assert (done.code, done.err.splitlines()[-1]) == (0, f"chatctl: {server.address} answers again")
    assert [line.rpartition(": ")[2] for line in done.lines] == ["before", "meanwhile"]


@pytest.mark.parametrize("as_json", [False, True])
def test_texts_without_a_receipt_are_printed_when_it_gives_up(start_server, join, room, as_json):
    server = start_server()
    ann = join("--timeout", "1", *["--json"] * as_json, server=server.address)
    ann.write("before\n")
    until(lambda: "before" in ann.out.text)
    server.process.send_signal(signal.SIGSTOP)
    ann.write("lost?\n")
    try:
        done = ann.close().wait()
    finally:
        server.process.send_signal(signal.SIGCONT)
    assert done.code == 78
    if as_json:
        why = "no receipt, so it may or may not be stored"
        assert {"notice": why, "room": room, "text": "lost?"} in done.stderr_objects
        assert done.stderr_objects[-1]["reason"] == "UNAVAILABLE"
    else:
        assert f"may or may not be stored (room {room}):\nlost?\n" in done.err


def test_a_text_that_was_never_sent_is_not_in_doubt(start_server, join, room):
    server = start_server()
    ann = join("--timeout", "3", server=server.address)
    ann.write("before\n")
    until(lambda: "before" in ann.out.text)
    server.kill()
    until(lambda: "trying again" in ann.err.text)
    ann.write("not lost\n")
    done = ann.close().wait()
    assert done.code == 78
    assert f"chatctl: not sent, so it is not stored (room {room}):\nnot lost\n" in done.err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_and_unsent_input_is_reported(join, number, code):
    ann = join()
    ann.write("whole\nhalf")
    until(lambda: "whole" in ann.out.text)
    done = ann.signal(number).wait()
    assert done.code == code
    assert "reading stopped after line 1 of the input, and 4 bytes of the next one were read but not sent" in done.err


def test_a_closed_stdout_ends_it_quietly(address, room):
    reading, writing = os.pipe()
    ann = Process("join", room, server=address, stdout=writing)
    os.close(writing)
    ann.write("hi\n")
    assert b"hi" in os.read(reading, 1000)
    os.close(reading)
    done = ann.wait()
    assert (done.code, done.err) == (0, "")


def test_without_a_server_it_ends_with_78(join):
    done = join("--timeout", "1", server="127.0.0.1:1").close().wait()
    assert done.code == 78
    assert "no chatctl server answers at 127.0.0.1:1" in done.err


@pytest.mark.parametrize(
    ("arguments", "word"),
    [(["--user", ""], "the user is empty"), (["--theme", "pink"], "'pink'")],
)
def test_a_usage_error_is_reported(arguments, word):
    done = run("join", *arguments)
    assert done.code == 2
    assert word in done.err


def test_the_room_may_come_from_the_environment(address):
    done = run("join", "--json", piped="hi\n", server=address, env={"CHATCTL_ROOM": "one, room"})
    assert (done.code, [(message["room"], message["user"]) for message in done.objects]) == (0, [("one, room", "tess")])


def test_at_a_terminal_it_is_full_screen(screen, address, room):
    ann = screen()
    ann.until_shown("\x1b[?1049h", "connected", "F1 help")
    ann.type("hello\r")
    until(lambda: run("stats", "--room", room, "--json", server=address).objects[0]["rooms"])
    ann.type("\x04")
    assert ann.end() == (0, "")
    assert run("history", "--room", room, "-o", "text", server=address).lines == ["hello"]


def test_utc_applies_to_the_full_screen(screen, room, send):
    send("when?")
    ann = screen(room, "--utc", "--no-color", zone="Asia/Kolkata")
    ann.until_shown("when?")
    stored = run("history", "--room", room, "--json", server=ann.address).objects[0]["time"]
    assert stored[11:16] in ann.shown.text
    ann.type("\x04")
    assert ann.end() == (0, "")


def test_plain_is_line_by_line_at_a_terminal(screen, room):
    ann = screen(room, "--plain")
    ann.type("hello\n")
    ann.until_shown("ann: hello")
    ann.type("\x04")
    assert ann.process.wait().code == 0
    assert "\x1b[?1049h" not in ann.close()


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize(("term", "why"), [("xterm", "stdout is not a terminal"), ("dumb", "TERM names no terminal with a")])
def test_without_a_full_screen_it_says_why_it_works_line_by_line(address, room, term, why, plain):
    terminal = Terminal()
    streams = {"stdin": terminal.descriptor, "stderr": terminal.descriptor}
    if term == "dumb":
        streams["stdout"] = terminal.descriptor
    process = Process("join", room, *["--plain"] * plain, server=address, env={"TERM": term}, **streams)
    terminal.type("hello\n")
    until(lambda: run("history", "--room", room, "-o", "text", server=address).lines == ["hello"])
    terminal.type("\x04")
    assert process.wait().code == 0
    told = " ".join(terminal.close().split())
    assert (f"chatctl: {why}" in told) != plain
    assert (f"each line that you type is sent to {room}, as with --plain" in told) != plain


def test_ctrl_c_prints_the_draft(screen, room):
    ann = screen()
    ann.until_shown("connected")
    ann.type("unfin\x1b[201~ished")
    ann.until_shown("ished")
    ann.type("\x03")
    assert ann.end() == (130, f"chatctl: typed, but not sent (room {room}):\nunfinished\n")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_restores_the_terminal_and_prints_texts_without_a_receipt(start_server, screen, number, code):
    server = start_server()
    ann = screen("lobby", server=server.address)
    ann.until_shown("connected")
    server.kill()
    ann.until_shown("reconnecting")
    ann.type("lost?\r")
    ann.until_shown("lost?")
    ann.process.signal(number)
    ann.until_shown("1 message has no receipt yet")
    ann.process.signal(number)  # the second signal ends it at once
    assert ann.end() == (code, "chatctl: not sent, so it is not stored (room lobby):\nlost?\n")


def test_sigquit_ends_it_at_once_and_restores_the_terminal(screen):
    ann = screen()
    ann.until_shown("connected")
    ann.process.signal(signal.SIGQUIT)
    assert ann.process.wait().code == 131
    shown = ann.shown.text
    switched_on = set(re.findall(r"\x1b\[\?(\d+)h", shown)) - {"7", "25"}
    assert {mode for mode in switched_on if shown.rindex(f"?{mode}h") > shown.rfind(f"?{mode}l")} == set()
    assert all(shown.rindex(f"?{mode}h") > shown.rindex(f"?{mode}l") for mode in ("7", "25"))
    assert ann.end() == (131, "")


def test_quit_without_a_receipt_exits_with_1(start_server, screen):
    server = start_server()
    ann = screen("lobby", server=server.address)
    ann.until_shown("connected")
    server.kill()
    ann.until_shown("reconnecting")
    ann.type("lost?\r")
    ann.type("/quit\r")
    code, said = ann.end()
    assert code == 1
    assert "(room lobby):\nlost?\n" in said


def test_an_error_is_printed_after_the_screen_is_restored(start_server, screen):
    server = start_server()
    ann = screen("lobby", server=server.address)
    ann.until_shown("connected")
    server.kill()
    start_server(listen=server.address)
    code, said = ann.end()
    assert code == 73
    assert said.startswith("chatctl: ")
    assert "another log" in said


def test_it_ends_when_its_terminal_is_closed(address, room):
    master, slave = os.openpty()
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), slave)
    process = Process(
        "join", room, server=address, env={"TERM": "xterm-256color"}, **streams
    )  # not the controlling terminal, so without SIGHUP
    os.close(slave)
    shown = b""
    while b"connected" not in shown:
        shown += os.read(master, 1 << 16)
    os.close(master)
    assert process.wait().code == 129


def test_it_leaves_a_terminal_that_takes_no_output(address, room):
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 150, 0, 0))
    before = termios.tcgetattr(slave)
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), slave)
    process = Process("join", room, server=address, env={"TERM": "xterm-256color", "NO_COLOR": None}, **streams)
    shown = b""
    while b"connected" not in shown:
        shown += os.read(master, 1 << 16)

    def is_full():
        os.write(master, b"\x14")  # Ctrl+T draws all in the other theme
        return not select.select((), (slave,), (), 0.05)[1]

    until(is_full)
    os.write(master, b"\x03")
    assert process.wait().code == 130
    assert termios.tcgetattr(slave) == before
    os.close(slave)
    left = OutputReader(master)
    until(lambda: "\x1b[?1049l" in left.text)
    left.close()
