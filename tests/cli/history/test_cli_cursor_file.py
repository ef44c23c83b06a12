"""`chatctl history --cursor-file`, with real followers and every way to end them."""

import os
import signal

import pytest

from tests.support.cli import CHATCTL, Process, run
from tests.support.kill_at_line import KillAtLine
from tests.support.servers import ServerFactory
from tests.support.small_disk import unshare_command
from tests.support.waiting import until

PAGE = 3


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Return the address of a server with small pages."""
    servers = ServerFactory(tmp_path_factory.mktemp("server"))
    yield servers("--batch-messages", str(PAGE)).address
    servers.close()


@pytest.fixture
def place(tmp_path):
    """Return the path of a cursor file in an empty directory."""
    (tmp_path / "reader").mkdir()
    return tmp_path / "reader" / "cursor"


@pytest.fixture
def history(address, room, place):
    """Run `chatctl history` with the cursor file."""
    return lambda *args, **more: run(
        "history", "--room", room, "--cursor-file", place, "--output", "text", *args, server=address, **more
    )


@pytest.fixture
def follow(address, room, place):
    """Start a follower. Followers that a test leaves running are killed."""
    started = []

    def follow(*args, server=address, **more):
        command = ("history", "-f", "--room", room, "--cursor-file", str(place), "--output", "text", *args)
        started.append(Process(*command, server=server, **more))
        return started[-1]

    yield follow
    for process in started:
        process.popen.kill()


def cursor(address, room, last=1):
    """Return the cursor of the newest message of a room, or of an earlier one."""
    return run("history", "--room", room, "--last", str(last), "--json", server=address).objects[0]["cursor"]


def saved(place):
    """Return the cursor in a cursor file, without the filter in its second line."""
    return place.read_text().splitlines()[0]


# --- start and continuation


def test_each_run_continues_where_the_last_one_stopped(send, history, place, address, room):
    send("a", "b")
    assert history().lines == ["a", "b"]
    assert saved(place) == cursor(address, room)
    assert history() == (0, "", "")
    send("c")
    assert history().lines == ["c"]
    assert os.listdir(place.parent) == ["cursor"]


@pytest.mark.parametrize("ended_by", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_follower_continues_where_it_stopped_and_nothing_repeats(send, follow, place, ended_by):
    seen = []
    for texts in (["a", "b"], ["c"], ["d", "e", "f", "g"]):
        process = follow()
        send(*texts)
        until(lambda: process.out.lines == texts)  # noqa: B023
        done = process.signal(ended_by).wait()
        assert (done.code, done.err) == (128 + ended_by, "")
        seen += done.lines
    assert seen == list("abcdefg")
    assert os.listdir(place.parent) == ["cursor"]


def test_the_cursor_advances_as_pages_are_written(send, follow, place, address, room):
    process = follow()
    for text in "abc":
        send(text)
        now = cursor(address, room)
        until(lambda: place.exists() and saved(place) == now)  # noqa: B023
        assert process.out.lines[-1] == text
    assert process.signal(signal.SIGINT).wait().lines == ["a", "b", "c"]


def test_a_count_ends_between_two_messages_of_a_page(send, history):
    send(*"abcde")
    assert [history("--count", "2").lines for _ in range(3)] == [["a", "b"], ["c", "d"], ["e"]]


def test_messages_that_do_not_match_are_not_scanned_again(send, history, place, address, room):
    send("a", "needle", "b", "c")
    assert history("--grep", "needle").lines == ["needle"]
    assert saved(place) == cursor(address, room)


def test_after_and_last_set_the_start_while_there_is_no_file(send, history, follow, place, address, room):
    send(*"abcd")
    assert history("--last", "2").lines == ["c", "d"]
    place.unlink()
    assert history("--after", cursor(address, room, last=2)).lines == ["d"]
    place.unlink()
    process = follow("--last", "0")
    until(place.exists)
    assert process.signal(signal.SIGINT).wait().lines == []
    send("e")
    assert history().lines == ["e"]


@pytest.mark.parametrize("option", ["--last", "--after"])
def test_one_unchanging_command_line_starts_and_continues(send, history, place, address, room, option):
    send("a", "b", "c")
    start = (option, "1" if option == "--last" else cursor(address, room, last=2))
    assert history(*start).lines == ["c"]
    send("d", "e")
    assert history(*start).lines == ["d", "e"]
    assert history(*start).lines == []
    assert saved(place) == cursor(address, room)


def test_last_0_of_a_service_is_only_for_its_first_start(send, follow, place):
    """Messages that arrive while the follower is stopped are printed by its next run."""
    send("a")
    process = follow("--last", "0")
    until(place.exists)
    assert process.signal(signal.SIGTERM).wait().lines == []
    send("b")
    process = follow("--last", "0")
    until(lambda: process.out.lines == ["b"])


# --- the filter


def test_another_filter_is_refused_since_messages_would_be_missing(send, history, place):
    send("needle 1", "other")
    assert history("--grep", "needle").lines == ["needle 1"]
    content = place.read_text()
    for more in ((), ("--grep", "other"), ("--grep", "needle", "--user", "tess"), ("--grep", "needle", "--room", "b")):
        done = history(*more)
        assert (done.code, done.out) == (2, "")
        assert f"{place} was written with other filters" in done.err
        assert "use the same filters or another file" in done.err
        assert place.read_text() == content
    send("needle 2")
    assert history("--grep", "needle").lines == ["needle 2"]


def test_the_order_of_rooms_and_the_times_are_not_part_of_the_filter(send, history, place, room):
    send("a")
    assert history("--room", "b", "--room", "c").lines == ["a"]
    send("b")
    assert history("--room", "c", "--room", "b", "--room", "b", "--since", "1h").lines == ["b"]


def test_a_file_without_filter_is_continued_with_any(send, history, place, address, room):
    """Versions before 0.2.0 write such a file. A reader without filter skips no message, either."""
    send("a", "b")
    place.write_text(cursor(address, room, last=2) + "\n")
    assert history("--grep", "b").lines == ["b"]
    assert len(place.read_text().splitlines()) == 2


def test_the_first_line_alone_continues_with_another_filter(send, history, place, address, room):
    send("a", "b")
    assert history("--grep", "a").lines == ["a"]
    place.write_text(saved(place) + "\n")
    send("c")
    assert history().lines == ["c"]


def test_following_continues_after_a_restart_of_the_server(start_server, follow, place):
    first = start_server()
    room = ("--room", "lobby")
    process = follow(*room, server=first.address)
    run("send", "--room", "lobby", "a", server=first.address)
    until(lambda: process.out.lines == ["a"])
    first.kill()
    second = start_server(store=first.store, listen=first.address)
    run("send", "--room", "lobby", "b", server=second.address)
    until(lambda: process.out.lines == ["a", "b"])
    now = cursor(second.address, "lobby")
    until(lambda: saved(place) == now)
    assert process.signal(signal.SIGTERM).wait().code == 143


# --- refused files


@pytest.mark.parametrize("follows", [(), ("--follow",)])
def test_a_file_of_another_log_is_refused_by_name(send, history, place, follows):
    send("a")
    place.write_text("0123456789ab:1\n")
    done = history(*follows)
    assert (done.code, done.out) == (73, "")
    assert str(place) in done.err
    assert "another log" in done.err
    assert place.read_text() == "0123456789ab:1\n"
    assert os.listdir(place.parent) == ["cursor"]


def test_a_file_with_a_cursor_past_the_end_is_refused_by_name(send, place, address, room):
    send("a")
    beyond = cursor(address, room).partition(":")[0] + ":999999999"
    place.write_text(beyond)
    done = run("history", "--follow", "--json", "--room", room, "--cursor-file", place, server=address)
    assert (done.code, done.out) == (75, "")
    assert done.stderr_objects[0]["reason"] == "CURSOR_BEYOND_HEAD"
    assert str(place) in done.stderr_objects[0]["error"]
    assert place.read_text() == beyond


@pytest.mark.parametrize(("content", "words"), [("", "is empty"), ("half of someth", "does not hold a cursor")])
def test_a_file_without_a_cursor_is_refused(history, place, content, words):
    place.write_text(content)
    done = history()
    assert (done.code, done.out) == (2, "")
    assert f"{place} " in done.err
    assert words in done.err
    assert "delete it to start over" in done.err
    assert place.read_text() == content


def test_two_followers_do_not_share_one_file(send, follow, history, place):
    process = follow()
    send("a")
    until(lambda: process.out.lines == ["a"])
    done = history("--follow")
    assert (done.code, done.out) == (2, "")
    assert f"another chatctl is using {place}" in done.err
    send("b")
    until(lambda: process.out.lines == ["a", "b"])
    process.signal(signal.SIGKILL).wait()
    send("c")
    assert history().lines[-1] == "c"
    assert os.listdir(place.parent) == ["cursor"]


DISK = 'mount -t tmpfs -o size=64k none "$1" && cd "$1" && '


def on_a_disk(place, script, address, *args):
    """Run a command on a disk of its own. The shell script prepares the disk and prints its content at the end."""
    command = unshare_command(DISK + script, str(place.parent), *CHATCTL)
    return run("history", *args, server=address, command=command)


@pytest.mark.parametrize("there", [False, True])
def test_a_directory_that_cannot_be_written_is_refused(send, place, address, room, there):
    send("a")
    script = f'{"echo log:1 > cursor && " if there else ""} mount -o remount,ro "$PWD" && shift && exec "$@"'
    done = on_a_disk(place, script, address, "--room", room, "--cursor-file", place)
    assert (done.code, done.out) == (2, "")
    assert f"cannot write {place}: Read-only file system" in done.err


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_full_disk_ends_it_after_the_page_is_written_and_keeps_the_old_cursor(send, place, address, room, form):
    send(*"abcdefg")
    first = cursor(address, room, last=7)
    # The cursor file takes the last free page of the disk. A save needs another page, the lock needs none.
    script = (
        f'echo {first} > cursor && cat /dev/zero > filler 2> /dev/null; shift; "$@"; code=$?; cat cursor; ls; exit $code'
    )
    done = on_a_disk(place, script, address, "--follow", "--room", room, "--cursor-file", place, "--output", form)
    assert done.code == 1
    assert len(done.lines) == PAGE + 3
    assert done.lines[PAGE:] == [first, "cursor", "filler"]
    next_page = f"{first.partition(':')[0]}:"
    told = f"cannot write {place}: No space left on device: to continue without repeated messages, write {next_page}"
    if form == "json":
        assert done.stderr_objects[0].pop("error").startswith(told)
        assert [(said["reason"], said["exit_code"]) for said in done.stderr_objects] == [("CURSOR_UNSAVED", 1)]
    else:
        assert told in done.err


# --- killed and ended at every step


def printed(address, room, place, env):
    """Return the lines that a follower printed, and its exit code."""
    command = ("history", "-f", "--room", room, "--cursor-file", str(place), "--output", "text")
    process = Process(*command, server=address, env=env)
    done = process.wait()
    return [int(line) for line in done.lines], done.code


STEPS = [*range(1, 60, 16), *range(60, 150, 9), 250, 400]  # lines: the start takes about 60, each page about 35


@pytest.mark.parametrize(("number", "lines_between"), [(signal.SIGKILL, 0), (signal.SIGTERM, 0), (signal.SIGTERM, 6)])
def test_ended_at_any_step_nothing_is_skipped_and_little_repeats(
    send, history, tmp_path, address, room, place, number, lines_between
):
    """After SIGKILL at most one page repeats, after SIGTERM nothing, also if it comes twice."""
    send(*range(1, 1001))
    stop_at = KillAtLine(tmp_path / "stops")
    seen, ends = 0, set()
    for step in STEPS:
        again = step + lines_between if lines_between else 0
        lines, code = printed(address, room, place, stop_at(number, step, again))
        ends.add(code)
        if not lines:
            continue
        assert lines == list(range(lines[0], lines[-1] + 1)), step
        repeated = seen + 1 - lines[0]
        assert 0 <= repeated <= (PAGE if number == signal.SIGKILL else 0), (step, seen, lines)
        seen = max(seen, lines[-1])
    # Before the handler is set, SIGTERM ends it like any program.
    assert ends <= {-number, 128 + number}
    rest = [int(line) for line in history().lines]
    assert 0 <= seen + 1 - rest[0] <= (PAGE if number == signal.SIGKILL else 0)
    assert rest == list(range(rest[0], 1001))
    assert os.listdir(place.parent) == ["cursor"]


def test_a_reader_that_leaves_early_gets_the_rest_the_next_time(send, history, follow, address, room, place):
    send(*range(1, 301))
    script = '"$@" | head -n 10'
    done = run(
        "history", "-f", "--room", room, "--cursor-file", place, "--output", "text", server=address,
        command=["sh", "-c", script, "sh", *CHATCTL],
    )  # fmt: skip
    assert [int(line) for line in done.lines] == list(range(1, 11))
    rest = [int(line) for line in history().lines]
    assert rest == list(range(rest[0], 301))
