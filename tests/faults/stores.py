"""A stored input, for tests that damage its store."""

from tests.support.cli import run

MAIN_FILE_LINES = 2000  # so many lines are in the main file, the rest is in the write-ahead log only
LINES = [f"{number} " + "x" * 100 for number in range(5000)]


def send(address, count):
    """Send the first lines as the input "job", and return the receipts."""
    done = run("send", "--json", "--input-id", "job", piped="\n".join(LINES[:count]), server=address)
    assert done.code == 0
    return done.objects


def stored(address):
    return run("history", "--output", "text", server=address).lines
