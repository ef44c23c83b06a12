"""Fixtures of the fault tests."""

import pytest

from tests.faults.stores import LINES, MAIN_FILE_LINES, send


@pytest.fixture
def killed(start_server):
    """The store of a server that was killed, and the receipts of all messages in it."""
    server = start_server()
    send(server.address, MAIN_FILE_LINES)
    server.stop()
    server = start_server(store=server.store)
    receipts = send(server.address, len(LINES))
    server.kill()
    return server.store, receipts
