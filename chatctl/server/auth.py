"""The identity behind a call: each method asks for it here before it does anything else."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller. `user` is the name that the caller has proved, or None on an open server."""

    user: str | None = None

    def stamp(self, requested: str) -> str:
        """Return the user to store with the caller's records: the proved name, else the one the request names."""
        return requested if self.user is None else self.user


Identify = Callable[[Any], Identity]
"""Return the identity of the caller, given the call's gRPC context. Raise a ChatError to reject the call."""


def open_access(context: Any) -> Identity:
    """Accept every caller, as any user."""
    return OPEN


OPEN = Identity()
