"""Checks of what a server sends, against the contract. A client trusts no server: it may be hostile, broken or too new.

A response that breaks the contract raises IncompatibleServer, and nothing of it is used.
"""

from chatctl.errors import IncompatibleServer

HINT = "check that --server is a chatctl server, or upgrade this chatctl"


def contract_error(what: str) -> IncompatibleServer:
    """Return the error for a response that breaks the contract. `what` is in it."""
    return IncompatibleServer(f"the server sent {what}", HINT)
