"""A call to the server, whose errors are ours and whose silences end."""

from typing import Any


class StatusPreservingCall:
    """Stands before grpc.aio's inner call, and keeps a write that fails from replacing the status the server has sent.

    To go when https://github.com/grpc/grpc/pull/43486 is released; a call without a status yet still gets one from Core.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def set_internal_error(self, _: str) -> None:
        """Leave the status to Core."""
