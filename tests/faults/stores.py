"""Stores damaged while nobody serves them: refused, or what is lost is told and can be sent again."""

from tests.support.cli import run

LINES = [f"{number} " + "x" * 100 for number in range(5000)]


def send(address, count):
    """Send the first lines as one sender; the receipts."""
    done = run("send", "--json", "--sender", "job", piped="\n".join(LINES[:count]), server=address)
    assert done.code == 0
    return done.objects


def stored(address):
    return run("history", "--output", "text", server=address).lines
