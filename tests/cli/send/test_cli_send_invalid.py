"""`chatctl send --invalid replace`: lines that are not UTF-8 are stored, with U+FFFD for their invalid bytes."""

import json

import pytest

from chatctl.cli.streams.splitter import RecordSplitter, RejectedRecord, ReplacedRecords
from tests.support.cli import run

LATIN = "na\u00efve caf\u00e9".encode("latin-1")
REPLACED = "na\ufffdve caf\ufffd"
PIPED = b"one\n" + LATIN + b"\ntwo\n\xff\xfe"


@pytest.fixture
def send(address, room):
    """Run `chatctl send --invalid replace` to a room of its own."""
    return lambda *args, **more: run("send", "--room", room, "--invalid", "replace", *args, server=address, **more)


def stored(address, room):
    """Return the texts of a room."""
    return [message["text"] for message in run("history", "--room", room, "--json", server=address).objects]


def test_invalid_bytes_are_replaced_and_the_user_is_told(send, address, room):
    done = send(piped=PIPED)
    assert (done.code, done.out) == (0, "")
    assert stored(address, room) == ["one", REPLACED, "two", "\ufffd\ufffd"]
    first, second = done.err.splitlines()
    assert first.startswith("chatctl: 4 stored (")
    assert second == "chatctl: 2 records were not UTF-8: invalid bytes were replaced by U+FFFD"
    assert send("--quiet", piped=PIPED).err == ""


def test_without_the_option_such_lines_are_rejected_and_sent_again_with_it_they_are_stored(send, address, room):
    for arguments in ((), ("--invalid", "reject")):
        done = run("send", "--room", room, "--input-id", "log", *arguments, piped=PIPED, server=address)
        assert done.code == 1
        assert "record 2 rejected: not UTF-8" in done.err
    done = send("--input-id", "log", piped=PIPED)
    assert done.code == 0
    assert "2 stored, 2 duplicate" in done.err
    again = send("--input-id", "log", piped=PIPED)
    assert again.code == 0
    assert "0 stored, 4 duplicate" in again.err
    assert sorted(stored(address, room)) == sorted(["one", REPLACED, "two", "\ufffd\ufffd"])


def test_receipts_are_for_the_text_that_is_stored(send, address, tmp_path):
    receipts = tmp_path / "receipts"
    done = send("--json", "--receipts", receipts, piped=PIPED)
    assert done.code == 0
    assert [receipt["status"] for receipt in done.objects] == ["stored"] * 4
    assert receipts.read_text() == done.out
    (last,) = done.stderr_objects
    assert (last["summary"]["replaced"], last["summary"]["rejected"]) == (2, 0)
    assert run("verify", receipts, server=address).code == 0


def test_what_the_server_rejects_is_kept_byte_for_byte(send, address, room, tmp_path):
    """The text of a replaced record is not its input."""
    rejects = tmp_path / "rejects"
    assert run("send", "--room", room, "--input-id", "other log", piped=b"a\nb\nc\nd\n", server=address).code == 0
    done = send("--input-id", "other log", "--rejects", rejects, piped=PIPED)
    assert done.code == 1
    assert "4 rejected" in done.err
    assert rejects.read_bytes() == PIPED
    null = send("--input-id", "other log", "--split", "null", "--rejects", rejects, piped=b"a\xff\0b\0x\xff\0")
    assert null.code == 1
    assert rejects.read_bytes() == b"a\xff\0x\xff\0"


def test_a_text_that_becomes_too_long_is_rejected_with_its_input(send, rejects_path):
    """The replacement character has three bytes."""
    line = b"\xff" * 30_000
    done = send("--rejects", rejects_path, piped=b"a\n" + line + b"\nb\n")
    assert done.code == 1
    assert "record 2 rejected: the text has 90000 bytes, the limit is 65536" in done.err
    assert rejects_path.read_bytes() == line + b"\n"


@pytest.fixture
def rejects_path(tmp_path):
    return tmp_path / "rejects"


def test_a_text_argument_and_a_whole_input_are_replaced(send, address, room):
    assert send(b"caf\xe9").code == 0
    assert send("--split", "none", piped=b"two\nlines \xe9\n").code == 0
    assert stored(address, room) == ["caf\ufffd", "two\nlines \ufffd\n"]


def test_without_a_server_the_replaced_text_is_unconfirmed_and_can_be_resumed(send, address, room, tmp_path):
    unsent = tmp_path / "unsent"
    arguments = ("send", "--room", room, "--invalid", "replace", "--unconfirmed", unsent, "--timeout", "0.2s")
    assert run(*arguments, b"caf\xe9", server=f"unix:{tmp_path}/none").code == 78
    assert json.loads(unsent.read_text())["text"] == "caf\ufffd"
    assert run("send", "--resume", unsent, server=address).code == 0
    assert stored(address, room) == ["caf\ufffd"]
    refused = run("send", "--resume", unsent, "--invalid", "replace", server=address)
    assert (refused.code, refused.out) == (2, "")
    assert "--invalid cannot be used with --resume" in refused.err


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_records_are_the_same_in_chunks_of_any_size(size):
    data = b"a\n\xe4\xb8\n\xffb\xff\n" + "\u4e2d\n".encode() + b"x" * 12 + b"\n\xff\xff\xff\xff\nend\xc3"
    rejected = []
    splitter = RecordSplitter(b"\n", 10, rejected.append, replace_invalid=True)
    results = [result for start in range(0, len(data), size) for result in splitter.feed(data[start : start + size])]
    texts, originals = [], []
    for result in [*results, *splitter.finish()]:
        if isinstance(result, RejectedRecord):
            texts.append(None)
            continue
        if isinstance(result, ReplacedRecords):
            originals += result.originals.values()
            result = result.texts
        texts += result
    assert texts == ["a", "\ufffd", "\ufffdb\ufffd", "\u4e2d", None, None, "end\ufffd"]
    assert originals == [b"\xe4\xb8\n", b"\xffb\xff\n", b"end\xc3"]
    assert b"".join(rejected) == b"x" * 12 + b"\n\xff\xff\xff\xff\n"
