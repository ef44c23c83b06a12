"""Stores damaged while nobody serves them: refused, or what is lost is told and can be sent again."""

import pytest

from tests.faults.stores import LINES, send
from tests.faults.test_damage import MOVED


@pytest.fixture
def killed(start_server):
    """A server that was killed: its store, and the receipts for everything in it."""
    server = start_server()
    send(server.address, MOVED)
    server.stop()
    server = start_server(store=server.store)
    receipts = send(server.address, len(LINES))
    server.kill()
    return server.store, receipts
