"""`chatctl verify` as a process: what it finds, what it counts, and every exit code."""

import json
import os
import random
import shutil
import signal

import grpc
import pytest

from chatctl.v1 import chat_pb2 as pb
from tests.support.cli import Process, Terminal, run
from tests.support.fake_servers import server_with_handlers
from tests.support.lying_server import STATS, changed
from tests.support.waiting import until


@pytest.fixture
def receipts(address, room):
    """The receipts of a hundred messages; objects to spoil."""
    lines = "".join(f"line {n}\n" for n in range(100))
    return run("send", "--json", "--room", room, "--user", "ann", "--input-id", room, piped=lines, server=address).objects


@pytest.fixture
def verify(address, tmp_path):
    def verify(objects, *arguments, server=address):
        """How it ends for a file of these objects, or lines."""
        lines = [thing if isinstance(thing, bytes) else json.dumps(thing).encode() for thing in objects]
        (tmp_path / "receipts").write_bytes(b"".join(line + b"\n" for line in lines))
        return run("verify", str(tmp_path / "receipts"), *arguments, server=server)

    return verify


def summary(done):
    """What the summary counts, without what is zero."""
    return {what: count for what, count in done.stderr_objects[-1]["summary"].items() if count}


def log_of(receipt):
    return receipt["cursor"].partition(":")[0]


def test_what_is_stored_verifies(verify, receipts):
    done = verify(receipts)
    assert (done.code, done.out) == (0, "")
    assert done.err == f"chatctl: 100 verified (log {log_of(receipts[0])})\n"
    done = verify(receipts, "--json")
    assert (done.code, done.out, summary(done)) == (0, "", {"records": 100, "verified": 100, "log": log_of(receipts[0])})
    assert verify(receipts, "--quiet") == verify(receipts, "--json", "-q") == (0, "", "")


def test_duplicates_verify_in_any_order_and_from_stdin(address, room, receipts):
    lines = "".join(f"line {n}\n" for n in range(100))
    again = run("send", "--json", "--room", room, "--user", "ann", "--input-id", room, piped=lines, server=address).objects
    assert {receipt["status"] for receipt in again} == {"duplicate"}
    random.Random(1).shuffle(again)
    piped = "\n".join(map(json.dumps, receipts + again))  # the last line without an end
    assert summary(run("verify", "-", "--json", piped=piped, server=address))["verified"] == 200


SPOILT = {
    "missing": {"sequence": 10**9},
    "other_room": {"room": "elsewhere"},
    "other_user": {"user": "eve"},
    "other_text": {"sha256": "0" * 64},
}


def test_planted_faults_are_told_one_a_line(verify, receipts):
    planted = dict(zip(random.Random(2).sample(range(100), 40), list(SPOILT) * 10, strict=True))
    for at, fault in planted.items():
        receipts[at] |= SPOILT[fault]
        receipts[at]["cursor"] = f"{log_of(receipts[at])}:{receipts[at]['sequence']}"
    done = verify(receipts, "--json")
    assert done.code == 1
    told = [(at, planted[at]) for at in sorted(planted)]
    keys = ("number", "input_id", "sequence", "room", "user")
    assert done.objects == [
        {"line": at + 1, **{key: receipts[at][key] for key in keys}, "fault": fault} for at, fault in told
    ]
    counts = {"records": 100, "verified": 60, **dict.fromkeys(SPOILT, 10), "log": log_of(receipts[0])}
    assert summary(done) == counts

    done = verify(receipts)
    assert (done.code, len(done.lines)) == (1, 40)
    for line, (at, fault) in zip(done.lines, told, strict=True):
        receipt = receipts[at]
        named = (
            f"input id {receipt['input_id']}, sequence {receipt['sequence']}, room {receipt['room']}, user {receipt['user']}"
        )
        assert line.startswith(f"record {receipt['number']} ({named}): ")
        assert fault.rpartition("_")[2] in line
    assert "60 verified, 10 missing, 10 in another room, 10 by another user, 10 with another text" in done.err
    assert "--input-id" in done.err


def test_receipts_of_version_0_1_0_verify(verify, receipts, address):
    log = log_of(receipts[0])
    lines = [
        f'{{"number":1,"status":"stored","sequence":{receipts[0]["sequence"]},"room":"{receipts[0]["room"]}","user":"ann",'
        f'"sender":"job 7","time":"2026-01-31T08:00:00.000000Z","cursor":"{log}:{receipts[0]["sequence"]}",'
        '"sha256":"7ab2851d20c8cbfd2f8cb6b4d0335ac0ccf693ab30de305c5b6ef128c238a74e"}',
        '{"number":2,"status":"rejected","room":"den","user":"ann","sender":"job 7","error":"it is not UTF-8"}',
        f'{{"number":3,"status":"duplicate","sequence":999999999,"room":"den","user":"ann","sender":"job 7",'
        f'"time":"2026-01-31T08:00:00.000000Z","cursor":"{log}:999999999","sha256":"{"0" * 64}"}}',
    ]
    done = verify([line.encode() for line in lines], "--json")
    assert summary(done) == {"records": 3, "verified": 1, "missing": 1, "rejected": 1, "log": log}
    assert [(fault["number"], fault["input_id"], fault["fault"]) for fault in done.objects] == [(3, "job 7", "missing")]


def test_other_peoples_words_move_no_cursor(verify, receipts):
    done = verify([receipts[0] | {"input_id": "\x1b[2J\n", "user": "eve"}])
    assert (done.code, len(done.lines)) == (1, 1)
    assert "\\x1b[2J\\n" in done.out


def test_what_was_rejected_or_never_confirmed_is_counted(verify, receipts, address, room):
    rejected = run("send", "--json", "--room", room, piped=b"good\n\xff\n", server=address).objects
    assert [receipt["status"] for receipt in rejected] == ["stored", "rejected"]
    names = {"room": room, "user": "ann", "input_id": "s"}
    unconfirmed = {"number": 7, "status": "unconfirmed", **names, "sha256": "0" * 64}
    done = verify([*receipts, *rejected, unconfirmed], "--json")
    assert (done.code, done.out) == (1, "")
    assert summary(done) == {
        "records": 103, "verified": 101, "rejected": 1, "unconfirmed": 1, "log": log_of(receipts[0])
    }  # fmt: skip
    assert "101 verified, 1 rejected, 1 unconfirmed (" in verify([*receipts, *rejected, unconfirmed]).err
    assert verify([unconfirmed]).code == verify(rejected[1:]).code == 1


GARBAGE = {
    "empty": b"",
    "words": b"hello there",
    "torn": b'{"number":1,"status":"stored","sequ',
    "not UTF-8": b'{"number":1,"status":"\xff"}',
    "array": b"[1]",
    "number": b"5",
    "null": b"null",
    "deep": b"[" * 100_000,
    "long integer": b'{"number":' + b"9" * 10_000 + b"}",
    "over a mebibyte": b'{"number":1,"status":"rejected","input_id":"s","x":"' + b"x" * (1 << 20) + b'"}',
    "many mebibytes": b"x" * (5 << 20),
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_a_line_that_is_no_receipt_is_shown_by_its_number_and_spoils_only_itself(verify, receipts, kind):
    lines = [*receipts[:50], GARBAGE[kind], *receipts[50:]]
    done = verify(lines)
    assert (done.code, done.out) == (1, "")
    assert "line 51 is not a receipt: " in done.err
    assert "100 verified, 1 not a receipt (" in done.err
    done = verify(lines, "--json")
    assert [(thing["line"], thing["fault"]) for thing in done.objects] == [(51, "no_receipt")]
    assert (summary(done)["verified"], summary(done)["no_receipt"]) == (100, 1)


@pytest.mark.parametrize(
    "spoil",
    [
        {"status": "lost"}, {"status": None}, {"status": ["stored"]},
        {"number": 0}, {"number": "1"}, {"number": True}, {"number": 2**53},
        {"sequence": 0}, {"sequence": -1}, {"sequence": 1.0}, {"sequence": True}, {"sequence": "1"}, {"sequence": 2**63},
        {"room": ""}, {"room": None}, {"room": 5}, {"room": ["den"]}, {"room": "\ud800"}, {"room": "x" * 5000},
        {"user": "a\nb"}, {"input_id": None},
        {"cursor": ""}, {"cursor": "7"}, {"cursor": None}, {"cursor": "LOG:"}, {"cursor": "LOG:1"},
        {"cursor": "\x1b[2J:SEQ"}, {"cursor": "x" * 500 + ":SEQ"},
        {"sha256": ""}, {"sha256": "0" * 63}, {"sha256": "0" * 66}, {"sha256": "g" * 64}, {"sha256": None}, {"sha256": 5},
    ],
    ids=lambda spoil: str(spoil)[:40],
)  # fmt: skip
def test_an_object_that_no_server_can_have_written_is_no_receipt(verify, receipts, spoil):
    good = receipts[6]
    sequence = spoil.get("sequence", good["sequence"])
    cursor = spoil.get("cursor", f"{log_of(good)}:{sequence}")
    cursor = cursor.replace("LOG", log_of(good)).replace("SEQ", str(sequence)) if isinstance(cursor, str) else cursor
    done = verify([good, good | spoil | {"cursor": cursor}], "--json")
    assert (done.code, summary(done)["verified"], summary(done).get("no_receipt")) == (1, 1, 1)


def test_many_lines_that_are_no_receipts_are_not_all_shown(verify):
    done = verify([b"x"] * 500)
    assert done.code == 1
    assert done.err.count("is not a receipt:") == 20
    assert "0 verified, 500 not receipts" in done.err
    assert len(verify([b"x"] * 500, "--json").objects) == 500


def test_of_no_receipts_nothing_is_verified(verify):
    done = verify([])
    assert (done.code, done.out, done.err) == (1, "", "chatctl: no receipts, so nothing is verified\n")


def test_receipts_of_another_log_are_refused(verify, receipts, server):
    done = verify(receipts, "--json", server=server.address)
    assert (done.code, done.out) == (73, "")
    assert (done.stderr_objects[-1]["reason"], done.stderr_objects[-1]["exit_code"]) == ("CURSOR_OTHER_LOG", 73)
    assert log_of(receipts[0]) in done.stderr_objects[-1]["error"]
    done = verify(receipts, server=server.address)
    assert (done.code, done.err.count("\n")) == (73, 1)


def test_a_later_receipt_of_another_log_is_refused_by_its_line(verify, receipts):
    other = receipts[30] | {"cursor": f"0123456789ab:{receipts[30]['sequence']}"}
    receipts[3] |= {"user": "eve"}
    done = verify([*receipts[:30], other, *receipts[31:]], "--json")
    assert done.code == 73
    assert [thing["fault"] for thing in done.objects] == ["other_user"]
    (said,) = done.stderr_objects
    assert (said["reason"], said["summary"]["verified"]) == ("CURSOR_OTHER_LOG", 29)
    for words in ("line 31", "0123456789ab", log_of(receipts[0])):
        assert words in said["error"]


def test_a_lost_tail_of_the_log_is_reported_missing(start_server, tmp_path):
    server = start_server()
    first = run("send", "--json", "--input-id", "s", piped="a\nb\n", server=server.address).objects
    server.stop()  # which leaves no write-ahead log
    server = start_server(store=server.store)
    again = run("send", "--json", "--input-id", "s", piped="a\nb\nc\nd\n", server=server.address).objects
    assert [receipt["status"] for receipt in again] == ["duplicate", "duplicate", "stored", "stored"]
    server.kill()
    assert server.store.with_name(server.store.name + "-wal").stat().st_size > 0
    shutil.copy(server.store, tmp_path / "copy.db")  # without its -wal
    (tmp_path / "receipts").write_text("".join(json.dumps(receipt) + "\n" for receipt in again))

    copy = start_server(store=tmp_path / "copy.db")
    done = run("verify", str(tmp_path / "receipts"), "--json", server=copy.address)
    assert done.code == 1
    assert [(thing["number"], thing["fault"]) for thing in done.objects] == [(3, "missing"), (4, "missing")]
    assert summary(done)["verified"] == len(first) == 2
    # Sending again mends it, as the advice is; the receipts of before stay true only if all are stored where they were.
    run("send", "--input-id", "s", piped="a\nb\nc\nd\n", server=copy.address)
    assert run("verify", str(tmp_path / "receipts"), server=copy.address).code == 0


@pytest.mark.parametrize("name", ["nowhere", "."])
def test_a_file_that_cannot_be_opened_is_wrong_usage(address, tmp_path, name):
    done = run("verify", str(tmp_path / name), server=address)
    assert (done.code, done.out) == (2, "")
    assert f"cannot open {tmp_path / name}" in done.err
    assert run("verify", server=address).code == 2


def test_without_a_server_or_with_a_silent_one_it_gives_up(verify, receipts, server, tmp_path):
    assert verify(receipts, "--timeout", "0.5s", server=f"unix:{tmp_path}/no_server").code == 78
    server.process.send_signal(signal.SIGSTOP)
    done = verify(receipts, "--timeout", "0.5s", server=server.address)
    server.process.send_signal(signal.SIGCONT)
    assert done.code == 78
    assert "--timeout" in done.err


@pytest.fixture
def halfway(server):
    """Start a `verify -` that has one result. Return it, and the receipt that the result is for."""

    def halfway(timeout):
        receipt = run("send", "--json", piped="a\n", server=server.address).out
        process = Process("verify", "-", "--json", "--timeout", timeout, server=server.address)
        process.write(receipt.replace('"tess"', '"eve"'))
        until(lambda: process.out.lines)
        return process, receipt

    return halfway


def test_a_server_that_does_not_come_back_ends_it_with_what_is_known(server, halfway):
    process, receipt = halfway("2s")
    server.stop()
    done = process.wait()
    assert (done.code, done.stderr_objects[-1]["reason"]) == (78, "UNAVAILABLE")
    assert summary(done) == {"records": 1, "other_user": 1, "log": log_of(json.loads(receipt))}


def test_it_continues_when_the_server_is_back(server, start_server, halfway):
    process, receipt = halfway("20s")
    server.stop()
    start_server(listen=server.address, store=server.store)
    process.write(receipt)
    done = process.close().wait()
    assert (done.code, len(done.objects)) == (1, 1)
    assert summary(done) == {"records": 2, "verified": 1, "other_user": 1, "log": log_of(json.loads(receipt))}


def test_time_spent_waiting_for_receipts_does_not_count(address, receipts, silent_address):
    process = Process("verify", "-", "--json", "--timeout", "0.2s", server=address)
    for receipt in receipts[:3]:
        process.write(json.dumps(receipt | {"user": "eve"}) + "\n")
        until(lambda receipt=receipt: len(process.out.lines) == receipt["number"])
        # Its time is over, and was the longer one.
        assert run("stats", "--timeout", "0.5s", server=silent_address).code == 78
    assert process.close().wait().code == 1


def test_a_closed_stdout_changes_nothing_else(address, receipts, tmp_path):
    spoilt = "".join(json.dumps(receipt | {"user": "eve"}) + "\n" for receipt in receipts)
    reading, writing = os.pipe()
    os.close(reading)
    process = Process("verify", "-", server=address, stdout=writing)
    os.close(writing)
    process.write(spoilt)
    done = process.close().wait()
    assert done.code == 1
    assert "0 verified, 100 by another user" in done.err
    with open("/dev/full", "wb") as full:
        process = Process("verify", "-", server=address, stdout=full)
        process.write(spoilt)
        done = process.close().wait()
    assert done.code == 1
    assert "cannot write to stdout: No space left" in done.err


def test_ctrl_c_at_a_terminal_ends_it(address):
    terminal = Terminal()
    process = Process("verify", "-", server=address, stdin=terminal.descriptor)
    terminal.type("not yet\n")
    until(lambda: "not a receipt" in process.err.text)
    assert process.signal(signal.SIGINT).wait().code == 130
    terminal.close()


def test_an_older_server_is_named_as_what_it_is(verify, receipts):
    answer = changed(STATS, version="0.1.0")
    handler = grpc.unary_unary_rpc_method_handler(lambda *_: answer, None, pb.GetStatsResponse.SerializeToString)
    with server_with_handlers({"GetStats": handler}) as old:
        done = verify(receipts, server=old)
    assert (done.code, done.out) == (76, "")
    for words in (old, "chatctl 0.1.0", "does not support verification", "upgrade"):
        assert words in done.err


def test_a_small_batch_limit_of_the_server_is_kept(start_server):
    server = start_server("--batch-messages", "1")
    receipts = run("send", "--json", piped="line\n" * 300, server=server.address).out
    assert summary(run("verify", "-", "--json", piped=receipts, server=server.address))["verified"] == 300
