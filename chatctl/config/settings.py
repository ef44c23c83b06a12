"""Frozen settings objects, made from options and environment variables before anything starts."""

from dataclasses import dataclass

from chatctl.model.limits import Limits


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """The settings of a server. `grace_seconds` is how long calls may take to end when it stops.

    `socket_mode` is the mode of Unix sockets. `allow_shared_store` accepts a store that other users can write to.
    """

    listen: tuple[str, ...]
    store: str
    limits: Limits
    insecure: bool = False
    grace_seconds: float = 5.0
    socket_mode: int = 0o600
    allow_shared_store: bool = False
