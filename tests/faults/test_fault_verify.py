"""`chatctl verify` after faults: it confirms all messages after kills, and names those that a store has lost."""

import json
import signal

from tests.faults.stores import LINES
from tests.support.cli import Process, run
from tests.support.waiting import until

PIPED = "\n".join(LINES)


def test_the_receipts_of_a_send_during_which_the_server_was_killed_verify(start_server, tmp_path):
    """Also the receipts that a killed `send` has printed."""
    server = start_server(listen="127.0.0.1:0")
    receipts = tmp_path / "receipts"
    first = Process("send", "--json", "--input-id", "job", server=server.address)
    first.write(PIPED[: len(PIPED) // 2])
    until(lambda: len(first.out.lines) > 1000)
    server.kill()
    first.popen.send_signal(signal.SIGKILL)
    first.wait()
    server = start_server(store=server.store)
    printed = first.out.lines
    receipts.write_text("".join(f"{line}\n" for line in printed))
    assert run("verify", str(receipts), server=server.address).code == 0
    assert run("send", "--input-id", "job", "--receipts", str(receipts), piped=PIPED, server=server.address).code == 0
    again = [json.loads(line) for line in receipts.read_text().splitlines()]
    assert [receipt["cursor"] for receipt in again[: len(printed)]] == [json.loads(line)["cursor"] for line in printed]
    done = run("verify", "--json", str(receipts), server=server.address)
    assert (done.code, done.stderr_objects[-1]["summary"]["verified"]) == (0, len(LINES))


def test_a_lost_tail_is_named_message_by_message_until_it_is_sent_again(start_server, killed, tmp_path):
    store, receipts = killed
    kept = tmp_path / "receipts"
    kept.write_text("".join(f"{json.dumps(receipt)}\n" for receipt in receipts))
    store.with_name(store.name + "-wal").unlink()
    server = start_server(store=store)
    left = len(run("history", "--output", "text", server=server.address).lines)
    done = run("verify", "--json", str(kept), server=server.address)
    assert done.code == 1
    lost = [(fault["sequence"], fault["number"], fault["fault"]) for fault in done.objects]
    assert lost == [(receipt["sequence"], receipt["number"], "missing") for receipt in receipts[left:]]
    assert run("send", "--input-id", "job", piped=PIPED, server=server.address).code == 0
    assert run("verify", str(kept), server=server.address).code == 0
