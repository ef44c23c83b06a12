"""Settings as people write them, read once at the door into frozen values."""

from dataclasses import dataclass

from chatctl.model.limits import Limits


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """What `serve` needs to know. `grace_seconds` is how long calls may take to end when the server stops."""

    listen: tuple[str, ...]
    store: str
    limits: Limits
    insecure: bool = False
    grace_seconds: float = 5.0
