"""Files that older versions wrote, used with today's: stores, receipts, unconfirmed records, cursors."""

import pytest

from tests.support.cli import Process, run
from tests.support.waiting import until

OLD = ("fdb9ea1", "83eaff5")
TEXTS = "one\ntwo\nthree\n"

both_ways = pytest.mark.parametrize(
    ("writer", "reader"), [*((old, "today") for old in OLD), *(("today", old) for old in OLD)], ids=lambda name: name
)


def serve(start_server, release, name, **named):
    return start_server(command=[*release(name).command, "serve"], **named)


def send(server, release, name, *arguments, piped=TEXTS):
    done = run("send", "-r", "den", *arguments, piped=piped, server=server.address, command=release(name).command)
    assert done.code == 0, done.err
    return done


def history(address, *arguments):
    done = run("history", "-o", "text", *arguments, server=address)
    assert done.code == 0, done.err
    return done.out


@both_ways
def test_a_store_goes_on_under_the_other_version(writer, reader, start_server, release, tmp_path):
    """Both versions have one schema; a step of it must make the older server refuse the file by name."""
    before = serve(start_server, release, writer)
    receipts = tmp_path / "receipts"
    receipts.write_text(send(before, release, "today", "--sender", "build", "--json").out)
    before.stop()
    after = serve(start_server, release, reader, store=before.store)
    again = send(after, release, "today", "--sender", "build", "--json", piped=TEXTS + "four\n")
    assert [receipt["status"] for receipt in again.objects] == ["duplicate"] * 3 + ["stored"]
    assert history(after.address, "-r", "den") == TEXTS + "four\n"
    if reader == "today":
        assert run("verify", receipts, server=after.address).err.startswith("chatctl: 3 verified")


@pytest.mark.parametrize("old", OLD)
def test_receipts_of_an_older_client_are_verified(old, server, release, tmp_path):
    receipts = tmp_path / "receipts"
    receipts.write_text(send(server, release, old, "--json").out)
    done = run("verify", receipts, server=server.address)
    assert (done.code, done.err.partition(" (")[0]) == (0, "chatctl: 3 verified")


def test_a_receipts_file_is_verified(server, release, tmp_path):
    send(server, release, "83eaff5", "--receipts", tmp_path / "receipts")
    done = run("verify", tmp_path / "receipts", server=server.address)
    assert (done.code, done.err.partition(" (")[0]) == (0, "chatctl: 3 verified")


def test_unconfirmed_records_are_sent_once(start_server, release, tmp_path):
    left, served = tmp_path / "unconfirmed", start_server()
    arguments = ("send", "-r", "den", "--sender", "build", "--unconfirmed", left, "--timeout", "0.5s", "--json")
    process = Process(*arguments, server=served.address, command=release("83eaff5").command)
    process.write("one\n")
    until(lambda: process.out.lines)
    served.kill()
    process.write("two\nthree\n")
    assert process.close().wait().code == 78
    kept, served = left.read_text(), start_server(store=served.store)
    for counted in ("2 stored", "2 duplicate"):
        left.write_text(kept)
        done = run("send", "--resume", left, server=served.address)
        assert done.code == 0
        assert counted in done.err
    assert history(served.address, "-r", "den") == TEXTS


def test_a_cursor_file_goes_on_where_it_was(server, release, tmp_path):
    file = tmp_path / "cursor"
    send(server, release, "83eaff5")
    arguments = ("history", "-o", "text", "--cursor-file", file)
    assert run(*arguments, server=server.address, command=release("83eaff5").command).out == TEXTS
    send(server, release, "83eaff5", piped="four\n")
    assert history(server.address, "--cursor-file", file) == "four\n"
