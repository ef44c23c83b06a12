"""`chatctl join` as a process at a real terminal: what users see, also of hostile texts and broken connections."""

import os
import re
import signal
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.cli import CHATCTL, run
from tests.support.tcp_proxy import proxy_in_thread
from tests.support.tmux import Pane
from tests.support.waiting import until

# What Textual writes with every drawing: cursor positions, colours, and the start and end of an update.
DRAWING = re.compile(r"\x1b\[[0-9;]*[Hm]|\x1b\[\?2026[hl]|\x1b\[\?25[hl]|\r?\n")


@pytest.fixture
def room(request):
    """A name that fits into the sidebar."""
    return request.node.name.removeprefix("test_")[:16]


@pytest.fixture
def join(address, room):
    """Start `chatctl join` for a user, in a terminal of its own."""
    with ExitStack() as stack:

        def join(user, *arguments, server=address, before=lambda pane: None, **named):
            pane = stack.enter_context(Pane("join", "--user", user, *(arguments or (room,)), server=server, **named))
            before(pane)
            pane.shows(" connected")
            return pane

        yield join


def say(pane, text):
    pane.type(text)
    pane.press("Enter")


def stored(room, server):
    return [message["text"] for message in run("history", "--room", room, "--json", server=server).objects]


def is_gone(pid):
    """Return whether a process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def numbers(pane):
    """Return the numbers of the messages on the screen, from the top."""
    return [int(number) for number in re.findall(r"\bnumber (\d+)", pane.screen)]


@pytest.mark.parametrize("no_color", [{"NO_COLOR": "1"}, {"CHATCTL_NO_COLOR": "1"}])
def test_without_colours_only_reverse_remains(join, send, room, no_color):
    send("hello ann")
    ann = join("ann", env=no_color)
    ann.shows("hello ann")
    say(ann, "/search ello")
    ann.shows('search "ello"')
    ann.type("a draft")
    ann.press("S-Left")
    until(lambda: "a draf\x1b[7mt" in ann.coloured)
    escapes = set(re.findall(r"\x1b\[[0-9;]*m", ann.coloured))
    assert escapes <= {"\x1b[7m", "\x1b[0m", "\x1b[39m", "\x1b[49m"}
    until(lambda: re.findall(r"\x1b\[7m(.*?)\x1b\[0m", ann.coloured)[:2] == [room.ljust(18), "ello"])


def test_two_people_talk_and_see_the_same(join, address, room):
    ann, bob = join("ann"), join("bob")
    for pane in (ann, bob):
        pane.shows("2 here")
    ann.type("hello bob")
    bob.type("half a sen")
    bob.shows("half a sen")
    ann.press("Enter")
    bob.shows("ann  hello bob", "half a sen")
    say(bob, "tence")
    ann.shows("bob  half a sentence")
    assert stored(room, address) == ["hello bob", "half a sentence"]
    for pane in (ann, bob):
        shown = pane.hides("…")
        assert (shown.count("hello bob"), shown.count("half a sentence")) == (1, 1)
    bob.press("C-d")
    assert bob.wait() == 0
    ann.shows("1 here")


def test_resizing_loses_and_repeats_no_message(join, send):
    texts = [f"number {number} of a hundred, in some more words than fit a narrow terminal" for number in range(100)]
    send(*texts)
    ann = join("ann")
    ann.shows("number 99 ")  # before the messages are loaded, there is nothing to scroll
    ann.type("a draft")
    ann.press("PageUp")
    ann.shows("a draft", "newer below")
    last = numbers(ann)[-1]

    def is_whole(rows):
        """Return whether the screen shows consecutive texts that end with the same one as before."""
        _, *shown, draft, status = ann.lines
        column = max(line.find("number ") for line in shown)
        part = " ".join(line[column:] for line in shown)
        return (
            (len(shown) + 3, draft.strip(), status[:10]) == (rows, "a draft", " connected")
            and part in " ".join(texts)
            and f"number {last} " in part
            and f"number {last + 1} " not in part
        )

    for columns, rows in ((40, 10), (200, 60), (60, 12), (80, 24)):
        ann.resize(columns, rows)
        assert until(lambda rows=rows: is_whole(rows)), ann.screen
    ann.press("C-End")
    until(lambda: numbers(ann)[-1:] == [99])


def test_texts_sent_without_a_server_are_stored_once_in_one_order(start_server, join):
    server = start_server()
    ann, bob = people = [join(user, "lobby", server=server.address) for user in ("ann", "bob")]
    say(ann, "before")
    bob.shows("before")
    server.kill()
    for pane in people:
        pane.shows("reconnecting: ")
    for number in range(3):
        for pane, user in ((ann, "ann"), (bob, "bob")):
            say(pane, f"{user} says {number}")
            until(lambda pane=pane, number=number: re.search(rf"… .* says {number}$", pane.screen, re.MULTILINE))
    start_server(store=server.store, listen=server.address)
    order = until(lambda: found if len(found := stored("lobby", server.address)) == 7 else None)
    assert sorted(order) == [*(f"ann says {n}" for n in range(3)), "before", *(f"bob says {n}" for n in range(3))]
    for pane in people:
        until(lambda pane=pane: re.findall(r"before|\w+ says \d", pane.screen) == order and "…" not in pane.screen)
        pane.shows(" connected", "2 here")


def test_ctrl_c_restores_the_terminal_and_prints_the_draft(join, room):
    script = 'before=$(stty -g); "$@"; echo "it ended with $?"; [ $(stty -g) = $before ] && exec cat -v'
    ann = join("ann", command=("sh", "-c", script, "sh", *CHATCTL))
    assert [ann.format_value(flag) for flag in ("alternate_on", "mouse_any_flag")] == ["1", "1"]
    ann.type("never sent")
    ann.shows("never sent")
    ann.press("C-c")
    told = ann.shows("it ended with 130")
    assert told.rstrip("\n") == f"chatctl: typed, but not sent (room {room}):\nnever sent\nit ended with 130"
    assert [ann.format_value(flag) for flag in ("alternate_on", "mouse_any_flag", "cursor_flag")] == ["0", "0", "1"]
    ann.paste("without brackets")
    ann.press("Enter")
    ann.shows("with 130\nwithout brackets\nwithout brackets\n")


def test_bytes_that_are_not_utf_8_do_not_end_it(join, address, room):
    ann = join("ann")
    ann.type("abc")
    ann.press_bytes(b"\xff\xc3(")
    say(ann, "def")
    ann.shows("ann  abc\ufffd\ufffd(def")
    until(lambda: stored(room, address) == ["abc\ufffd\ufffd(def"])


def test_enter_typed_while_it_starts_sends(join, address, room, tmp_path):
    script = 'until [ -e "$0" ]; do sleep 0.02; done; "$@"'

    def start(pane):
        pane.type("hello")
        pane.press("Enter")
        pane.type("world")
        pane.shows("hello\nworld")
        (tmp_path / "go").touch()

    ann = join("ann", command=("sh", "-c", script, str(tmp_path / "go"), *CHATCTL), before=start)
    until(lambda: stored(room, address) == ["hello"])
    assert ann.shows("ann  hello", "world").count("hello") == 1


def count_threads(pid):
    """Return the number of threads of a process, without those of gRPC. Python 3.14 names those of Textual."""
    names = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/comm")]
    return sum(name.startswith(("python", "textual")) for name in names)


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGTSTP])
def test_it_continues_after_it_was_stopped(join, address, room, number):
    ann = join("ann")
    before = count_threads(ann.pid)
    os.kill(ann.pid, number)
    until(lambda: Path(f"/proc/{ann.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
    if number == signal.SIGTSTP:
        until(lambda: ann.format_value("alternate_on") == "0")  # what shows " connected" afterwards is drawn again
    os.kill(ann.pid, signal.SIGCONT)
    ann.shows(" connected")
    text = f"typed after {number.name} " * 5  # the room has those of other signals, too
    say(ann, text)
    until(lambda: text in stored(room, address))
    assert count_threads(ann.pid) <= before
    ann.press("C-c")
    assert ann.wait() == 130


def test_a_closed_terminal_ends_it(start_server, join):
    server = start_server()
    ann = join("ann", "lobby", server=server.address)
    server.kill()
    ann.shows("reconnecting: ")
    say(ann, "lost")
    ann.shows("…")
    pid = ann.pid
    ann.close()
    until(lambda: is_gone(pid))
    assert is_gone(pid)


CRASHING = """
import sys
from chatctl.__main__ import main
from chatctl.cli.join.message_view import MessageView
def crash(self):
    secret = "a text of " + "another user"
    raise KeyError(len(secret))
MessageView.action_page_up = crash
main()
"""


def test_a_bug_is_reported_in_one_sentence_without_texts_of_others(join, room):
    ann = join("ann", command=(sys.executable, "-c", CRASHING))
    ann.type("a draft")
    ann.shows("a draft")
    ann.press("PageUp")
    assert ann.wait() == 1
    told = " ".join(ann.scrollback.split())
    assert f"typed, but not sent (room {room}): a draft chatctl: join ended because of a bug" in told
    assert re.search(r"KeyError \(22\) at .*: please report this sentence$", told)
    assert [word for word in ("Traceback", "another user", "│") if word in told] == []
    assert ann.format_value("alternate_on") == "0"


def test_a_paste_of_1000_lines_is_one_message(join, address, room):
    ann = join("ann")
    lines = [f"number {number} of the paste" for number in range(1000)]
    ann.paste("\n".join(lines))
    until(lambda: numbers(ann) == list(range(994, 1000)))
    assert stored(room, address) == []
    ann.press("Enter")
    until(lambda: len(numbers(ann)) > 10 and "…" not in ann.screen)
    assert stored(room, address) == ["\n".join(lines)]


def test_older_messages_load_and_are_searched(join, send):
    send(*(f"number {number}." for number in range(1000)))
    ann = join("ann", rows=60)
    ann.shows("number 999.")
    until(lambda: ann.press("C-Home") or numbers(ann)[:1] == [0])
    seen = [-1]

    def is_further():
        """Return whether the screen shows the next messages completely."""
        found = numbers(ann)
        whole = found and found == list(range(found[0], found[-1] + 1)) and seen[-1] < found[-1]
        seen.extend(number for number in found if whole and number not in seen)
        return whole

    while until(is_further) and seen[-1] < 999:
        ann.press("PageDown")
    assert seen == list(range(-1, 1000))
    say(ann, "/search NUMBER 77")
    ann.shows('search "NUMBER 77" (Esc closes)')
    until(lambda: numbers(ann) == [77, *range(770, 780)])
    ann.press("Escape")
    until(lambda: len(numbers(ann)) > 50)
    assert numbers(ann)[-1] == 999


def test_another_room_has_unread_messages_and_a_mention(join, say, room):
    ann = join("ann", room, "other")
    ann.shows("1 here")
    say("ping Ann!", *("and more" for _ in range(11)), room="other", user="bob")
    ann.shows(" @12\n", "12 unread (Alt+A)")
    ann.press("M-a")
    ann.shows("new messages", "bob  ping Ann!")
    assert "and more" in ann.hides("unread")
    ann.press("M-1")
    ann.hides("ping Ann!")
    ann.type("typed")
    assert re.search(r"^ +typed$", ann.shows("typed"), re.MULTILINE), "the keys are not in the text"


def test_a_connection_that_drops_all_data_is_replaced(join, address, room):
    with proxy_in_thread(address) as (proxy, loop):
        ann = join(
            "ann", room, server=proxy.address, env={"CHATCTL_TIMEOUT": "6s"}
        )  # a stream without a response is given up after half of it
        say(ann, "before")
        until(lambda: stored(room, address) == ["before"])
        proxy.blackholed.update(range(1, 100))
        say(ann, "into nothing")
        ann.shows("…", "reconnecting: ", "into nothing")
        proxy.blackholed.clear()
        loop.call_soon_threadsafe(proxy.cut)
        ann.hides("…")
        ann.shows(" connected")
    assert stored(room, address) == ["before", "into nothing"]


ROOM, USER = "[bold]\u202e\u200b[/]x", "[@click=app.quit]\u2066[/]"
LONG = "begin " + "long" * 16_380 + " end"
HOSTILE = {
    LONG: "nglong end",
    "\x1b[2J\x1b[31mred\x1b]0;title\x07": r"\x1b[2J\x1b[31mred\x1b]0;title\x07",
    "\x1bP+q\x1b\\\x9b31m\x1bc": r"\x1bP+q\x1b\\x9b31m\x1bc",
    "[bold red]b[/] [@click=app.quit]x[/] :smile:": "[bold red]b[/] [@click=app.quit]x[/] :smile:",
    "\u202eevil\u2066 a\u200bb": r"\u202eevil\u2066 a",
    "\x08\x7f\x0b\x0c\rover": r"\x08\x7f\x0b\x0c\rover",
    "x" + "\u0301" * 1000: "x\u0301",
    "漢字 \U0001f468\u200d\U0001f469\u200d\U0001f467": "漢字 \U0001f468",
}


def test_hostile_texts_and_names_are_shown_and_not_interpreted(address, join, tmp_path):
    ann = join("ann", "safe", ROOM, columns=100, rows=30)
    title = ann.format_value("pane_title")
    ann.log(tmp_path / "drawn")
    names = ("--room", ROOM, "--user", USER)
    assert run("send", *names, "--split", "null", piped="\0".join(HOSTILE), server=address).code == 0
    ann.press("M-2")
    eve = join(USER, ROOM, columns=100, rows=30)
    for pane in (ann, eve):
        header, *rows, _, status = pane.shows(*HOSTILE.values(), "2 here", "[@cl…6[/]  nglong").split("\n")
        assert header.endswith(r"  [bold]\u202e\u200b[/]x  2 here")
        assert status.startswith(" connected  ·  ")
        assert any(row.startswith(" [@click=app") for row in rows)
        last = rows[-len(HOSTILE) :]
        column = last[0].index("nglong end")
        assert all(row[column:].startswith(shown) for row, shown in zip(last, HOSTILE.values(), strict=True))
    say(ann, "/search [BOLD RED]")
    ann.shows('search "[BOLD RED]" (Esc closes) in ', "[bold red]b[/] [@click")
    assert (ann.format_value("pane_title"), ann.format_value("alternate_on")) == (title, "1")
    drawn = DRAWING.sub("", (tmp_path / "drawn").read_text())
    assert "漢字" in drawn
    assert {character for character in drawn if not character.isprintable()} == {"\u200b", "\u200d"}  # these are harmless
