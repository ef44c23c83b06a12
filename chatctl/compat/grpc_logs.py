"""Recognise the log record that grpc.aio writes when a client leaves.

Library: grpcio 1.85, grpc.aio. It matches the text of a record (since https://github.com/grpc/grpc/pull/32551).

Symptom without it: a client that disconnects while a response is being written causes a record of level ERROR with a
traceback. Clients do that all the time, and it is not an error of the server.

Delete it when grpc.aio no longer logs that as an error.
"""

import logging

CLIENT_DISCONNECTED = "ExecuteBatchError raised in core"


def reports_disconnect(record: logging.LogRecord) -> bool:
    """Return whether the record reports only that a client has disconnected."""
    return str(record.msg).startswith(CLIENT_DISCONNECTED)
