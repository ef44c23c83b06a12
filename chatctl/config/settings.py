"""Frozen settings objects, made from options and environment variables before anything starts."""

from dataclasses import dataclass

from chatctl.model.limits import Limits


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """The settings of a server. `grace_seconds` is how long calls may take to end when it stops."""

    listen: tuple[str, ...]
    store: str
    limits: Limits
    insecure: bool = False
    grace_seconds: float = 5.0
