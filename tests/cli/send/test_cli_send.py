"""`chatctl send` when all is well or the input is not: what is a record, what is stored, what is told."""

import functools
import os
import subprocess
import sys
from hashlib import sha256

import pytest

from tests.support.cli import CHATCTL, MEASURED, Process, run
from tests.support.waiting import until

LIMIT = 65_536


@pytest.fixture
def send(address, room):
    """`chatctl send` to a room that no other test knows."""
    return functools.partial(run, "send", "--room", room, server=address)


@pytest.fixture
def stored(address, room):
    """All that is in the room."""
    return lambda: [message["text"] for message in run("history", "--json", "--room", room, server=address).objects]


def test_words_are_one_message_and_stdin_is_left_alone(send, stored):
    reading, writing = os.pipe()
    os.write(writing, b"for another reader\n")
    done = send("hello", "wide   world", "!", stdin=reading)
    os.close(writing)
    assert os.read(reading, 100) == b"for another reader\n"
    os.close(reading)
    assert (done.code, done.out) == (0, "")
    assert "1 stored" in done.err
    assert stored() == ["hello wide   world !"]


def test_an_input_that_never_ends_does_not_keep_a_text_waiting(address, room, stored):
    process = Process("send", "--room", room, "now", server=address)
    assert process.popen.wait(30) == 0
    assert process.wait().out == ""
    assert stored() == ["now"]


def test_what_looks_like_an_option_is_a_text_after_two_dashes(send, stored):
    assert send("--", "--json", "-").code == 0
    assert stored() == ["--json -"]


def test_an_empty_text_is_a_message(send, stored):
    done = send("", "--json")
    assert done.code == 0
    assert [receipt["status"] for receipt in done.objects] == ["stored"]
    assert stored() == [""]


@pytest.mark.parametrize(
    ("piped", "texts"),
    [
        (b"one\ntwo\nlast without end", ["one", "two", "last without end"]),
        (b"\n\nthird\n\n", ["", "", "third", ""]),
        (b"dos\r\n  spaces \t\r\r\n", ["dos\r", "  spaces \t\r\r"]),
        ("ä€𝄞\x00\x1b\u2028\x85\x0b\ufeff\n".encode(), ["ä€𝄞\x00\x1b\u2028\x85\x0b\ufeff"]),
    ],
)
def test_every_line_is_a_message_and_only_the_newline_is_cut(send, stored, piped, texts):
    done = send(piped=piped)
    assert (done.code, done.out) == (0, "")
    assert f"{len(texts)} stored" in done.err
    assert stored() == texts


@pytest.mark.parametrize("split", ["line", "none", "null"])
def test_empty_input_is_no_message(send, stored, split):
    done = send("--split", split, piped=b"")
    assert (done.code, done.out) == (0, "")
    assert "0 stored" in done.err
    assert stored() == []


def test_nothing_to_read_is_no_message(address, room, stored):
    for redirection in ("</dev/null", "<&-"):
        command = ["sh", "-c", f'exec "$@" {redirection}', "sh", *CHATCTL]
        done = run("send", "--room", room, server=address, command=command)
        assert (done.code, done.out) == (0, "")
        assert "0 stored" in done.err
    assert stored() == []


def test_a_dash_is_stdin(send, stored):
    assert send("-", piped=b"-\na - b\n").code == 0
    assert stored() == ["-", "a - b"]


def test_a_dash_after_two_dashes_is_a_text(send, stored):
    assert send("--", "-", piped=b"not read\n").code == 0
    assert send("-", "--", piped=b"read\n").code == 0
    assert stored() == ["-", "read"]


def test_input_can_be_one_message_or_end_in_nul(send, stored):
    assert send("--split", "none", piped=b"a\nb\0\n\n").code == 0
    assert send("--split", "null", piped=b"a\nb\0\0last").code == 0
    assert stored() == ["a\nb\0\n\n", "a\nb", "", "last"]


def test_a_line_that_is_not_utf8_is_rejected_by_its_number(send, stored):
    done = send(piped=b"good\n\xff\xfe\nalso good\n\xed\xa0\x80\n")
    assert (done.code, done.out) == (1, "")
    for words in ("record 2", "record 4", "UTF-8", "2 stored", "2 rejected"):
        assert words in done.err
    assert stored() == ["good", "also good"]


def test_an_argument_that_is_not_utf8_is_rejected(send, stored):
    done = send(b"caf\xe9")
    assert done.code == 1
    assert "not UTF-8: byte 0xe9 at position 3" in done.err
    assert stored() == []


def test_a_text_over_the_limit_is_rejected_and_the_rest_is_stored(send, stored):
    longest, long = "€" * (LIMIT // 3), "x" * 5_000_000
    done = send("--json", piped=f"first\n{long}\n{longest}\n{'x' * (LIMIT + 1)}\nlast\n{long}")
    assert done.code == 1
    receipts = done.objects
    assert [receipt["status"] for receipt in receipts] == ["stored", "rejected"] * 3
    assert "5000000 bytes" in receipts[1]["error"]
    assert f"{LIMIT + 1} bytes" in receipts[3]["error"]
    assert all(f"{LIMIT}" in receipt["error"] for receipt in receipts[1::2])
    assert stored() == ["first", longest, "last"]


def test_a_text_given_as_argument_is_not_too_long_until_it_is(send, stored):
    done = send("x" * LIMIT, "y")
    assert done.code == 1
    assert f"{LIMIT + 2} bytes" in done.err
    assert stored() == []


def test_a_line_without_an_end_is_never_held_in_memory(send, stored):
    zeros = "import sys; out = sys.stdout.buffer; out.write(b'first\\n'); [out.write(bytes(1 << 20)) for _ in range(400)]"
    with subprocess.Popen([sys.executable, "-c", zeros], stdout=subprocess.PIPE) as producer:
        done = send(stdin=producer.stdout, command=[sys.executable, "-c", MEASURED])
    assert producer.returncode == 0
    assert done.code == 1
    assert f"{400 << 20} bytes" in done.err
    assert int(done.out) < 150_000  # KiB
    assert stored() == ["first"]


def test_each_line_is_delivered_as_it_comes(address, room, stored):
    process = Process("send", "--room", room, server=address)
    for count in range(1, 4):
        process.write(f"line {count}\nhalf of ")
        until(lambda count=count: len(stored()) == count)
    done = process.close().wait()
    assert done.code == 0
    assert stored() == ["line 1", "half of line 2", "half of line 3", "half of "]


def test_there_is_a_receipt_for_each_record_in_order(send, address, room):
    texts = [f"{number} ä" for number in range(1, 1201)]
    done = send("--json", "--user", "ann", "--input-id", "job 7", piped="\n".join(texts))
    assert done.code == 0
    assert [receipt["number"] for receipt in done.objects] == list(range(1, 1201))
    history = run("history", "--json", "--room", room, server=address).objects
    for receipt, text, message in zip(done.objects, texts, history, strict=True):
        assert receipt == {
            "number": receipt["number"],
            "status": "stored",
            "room": room,
            "user": "ann",
            "input_id": "job 7",
            **{key: message[key] for key in ("sequence", "time", "cursor")},
            "sha256": sha256(text.encode()).hexdigest(),
        }
    (last,) = done.stderr_objects
    assert last["summary"]["stored"] == last["summary"]["records"] == 1200
    assert (last["summary"]["room"], last["summary"]["input_id"]) == (room, "job 7")


def test_the_same_again_stores_nothing_twice_and_gives_the_first_receipts(send, stored):
    again = ("--json", "--input-id", "again")
    first = send(*again, piped=b"a\n\xff\nc\n").objects
    done = send(*again, piped=b"a\n\xff\nc\nd\n")
    assert [receipt["status"] for receipt in first] == ["stored", "rejected", "stored"]
    assert [receipt["status"] for receipt in done.objects] == ["duplicate", "rejected", "duplicate", "stored"]
    for one, other in zip(first, done.objects, strict=False):
        assert {**one, "status": ""} == {**other, "status": ""}
    assert done.code == 1
    assert send(*again[1:], piped=b"a\n").code == 0
    assert stored() == ["a", "c", "d"]


def test_another_text_or_room_under_the_same_number_is_a_conflict(send, address, stored):
    input_id = "conflict"
    assert send("--input-id", input_id, piped=b"a\nb\n").code == 0
    text = send("--input-id", input_id, "--json", piped=b"a\nB\n")
    assert text.code == 1
    assert [receipt["status"] for receipt in text.objects] == ["duplicate", "rejected"]
    assert input_id in text.objects[1]["error"]
    assert "input id" in text.objects[1]["error"].replace(input_id, "")
    other = run("send", "--room", "elsewhere", "--input-id", input_id, "a", server=address)
    assert other.code == 1
    assert input_id in other.err
    assert stored() == ["a", "b"]


def test_a_text_that_is_stored_already_says_that_nothing_new_was_sent(send):
    first = send("--input-id", "greeting", "--json", "hello")
    assert (first.code, [list(said) for said in first.stderr_objects]) == (0, [["summary"]])
    sequence = first.objects[0]["sequence"]
    notice = (
        f"nothing new was sent: record 1 of input id 'greeting' was stored before, as sequence {sequence}: "
        "use another --input-id for a new message"
    )
    again = send("--input-id", "greeting", "hello")
    assert (again.code, again.err.splitlines()[0]) == (0, f"chatctl: {notice}")
    assert send("--input-id", "greeting", "--quiet", "hello").err == f"chatctl: {notice}\n"
    assert send("--input-id", "greeting", "--json", "hello").stderr_objects[0] == {"notice": notice}
    assert "nothing new" not in send("--input-id", "greeting", piped=b"hello\n").err


def test_sender_is_the_deprecated_name_of_input_id(send):
    notice = "--sender is deprecated: use --input-id"
    done = send("--sender", "job", "a")
    assert (done.code, done.err.splitlines()[0]) == (0, f"chatctl: {notice}")
    assert "input id job)" in done.err
    done = send("--sender", "job", "--input-id", "job", "--json", piped=b"a\n")
    assert [receipt["status"] for receipt in done.objects] == ["duplicate"]
    assert done.stderr_objects[0] == {"notice": notice}
    assert send("--sender", "job", "--quiet", piped=b"a\n") == (0, "", "")
    done = send("--sender", "job", "--input-id", "other", "a")
    assert (done.code, done.out) == (2, "")
    for words in ("--sender", "--input-id"):
        assert words in done.err


def test_quiet_says_nothing_but_what_went_wrong(send):
    assert send("--quiet", piped=b"a\nb\n") == (0, "", "")
    assert send("--quiet", "--json", "a").err == ""
    done = send("-q", piped=b"a\n\xff\n")
    assert (done.code, done.out) == (1, "")
    assert "record 2" in done.err
    assert "stored" not in done.err


def test_the_summary_names_counts_sequences_room_and_input_id(send, room):
    done = send("--user", "ann", "--input-id", f"job {room}", "--json", piped=b"a\nb\n")
    first, last = (receipt["sequence"] for receipt in done.objects)
    (line,) = send("--user", "ann", "--input-id", f"job {room}", piped=b"a\nb\nc\n").err.splitlines()
    for words in ("1 stored", "2 duplicate", room, "ann", f"job {room}", f"{first} to {last + 1}"):
        assert words in line


def test_many_rejections_are_counted_and_not_all_shown(send):
    done = send(piped=b"\xff\n" * 500)
    assert done.code == 1
    assert "500 rejected" in done.err
    assert len(done.err.splitlines()) < 40


def test_when_nobody_reads_the_receipts_everything_is_sent(address, room, stored):
    process = Process("send", "--json", "--room", room, server=address, stdout=subprocess.PIPE)
    reader = process.popen.stdout
    process.write("first\n")
    assert b"stored" in reader.readline()
    reader.close()
    for text in ("second\n", "third\n"):
        process.write(text)
        until(lambda text=text: text.strip() in stored())
    done = process.close().wait()
    assert done.code == 0
    assert done.stderr_objects[-1]["summary"]["stored"] == 3


def test_a_full_disk_behind_stdout_is_told_as_such_and_everything_is_sent(address, room, stored):
    with open("/dev/full", "wb") as full:
        process = Process("send", "--json", "--room", room, server=address, stdout=full)
        process.write("a\nb\n")
        until(lambda: stored() == ["a", "b"])
        process.write("c\n" * 5000)
        done = process.close().wait()
    assert done.code == 1
    assert "stdin" not in done.stderr_objects[-1]["error"]
    assert "space" in done.stderr_objects[-1]["error"]
