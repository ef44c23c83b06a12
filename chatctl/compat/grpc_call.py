"""Keep the status of a call when a write fails, and find the useful part of gRPC's error texts.

Library: grpcio 1.85, grpc.aio. Private names: `Call._cython_call`, and `set_internal_error` of that object.

Symptoms without it:
- A write that fails because the server has ended the call replaces the server's status by INTERNAL, "Internal error from
  Core" (https://github.com/grpc/grpc/issues/36066, https://github.com/grpc/grpc/pull/43486).
- An error text contains addresses and layers of gRPC around the reason, such as "failed to connect to all addresses; last
  error: UNAVAILABLE: ipv4:127.0.0.1:7: ...".

Delete `keep_server_status` when the lower bound of grpcio contains the pull request, and `useful_details` when
scripts/check-workarounds reports it fixed.
"""

import re
from typing import Any

_PREFIX = re.compile(r"^([A-Z_]+: )?((ipv[46]|unix):\S+: )?(Stream removed \((?P<inner>.*)\)$)?")

_LAYERS = re.compile(r"^(Failed to connect to remote host: |connect failed: addr: .* error: |connect: |(recv|send)msg: ?)+")
_LOOKUP = re.compile(r"^(?:errors resolving|DNS resolution failed for) (\S+?)(?::[0-9]+)?: ")


class StatusPreservingCall:
    """The inner call of grpc.aio, on which a failed write sets no status. Core sets one if the server has sent none."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def set_internal_error(self, _: str) -> None:
        """Leave the status to Core."""


def keep_server_status(call: Any) -> None:
    """Make a client call of grpc.aio report the status of the server if a write fails."""
    if hasattr(call, "_cython_call"):
        call._cython_call = StatusPreservingCall(call._cython_call)


def useful_details(details: str) -> str:
    """Return the part of a status text that names the reason, without the addresses and layers that gRPC adds."""
    details = _PREFIX.sub(lambda match: match["inner"] or "", details.rpartition("last error: ")[2])
    if match := _LOOKUP.match(details):
        reason = details[match.end() :].strip("[] ").rpartition(":")[2].strip()
        return f"cannot find {match[1]}: {reason or 'unknown error'}"
    return _LAYERS.sub("", details) or details
