"""Settings as people write them, read once at the door into frozen values."""

import ipaddress
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from chatctl.chat import Limits

DEFAULT_SERVER = "127.0.0.1:50051"
MAX_BATCH_BYTES = 3 * 1024 * 1024  # a frame of them stays below the 4 MiB that gRPC clients accept by default
MAX_BATCH_MESSAGES = 10_000
MAX_NAME_BYTES = 1024
MICROS_PER_UNIT = {"s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}


class InvalidValue(ValueError):
    """A value that means nothing; the text says what would."""


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """What `serve` needs to know. `grace_seconds` is how long calls may take to end when the server stops."""

    listen: tuple[str, ...]
    store: str
    limits: Limits
    insecure: bool = False
    grace_seconds: float = 5.0


def parse_duration(text: str) -> int:
    """Microseconds of `10s`, `5m`, `1h30m`, `1d3h`, `0.5s` or a bare number of seconds. Raises InvalidValue."""
    parts = re.findall(r"([0-9]+(?:\.[0-9]+)?)([smhd]?)", text)
    whole = "".join(number + unit for number, unit in parts) == text and parts
    if not whole or (len(parts) > 1 and not all(unit for _, unit in parts)) or len(text) > 30:
        raise InvalidValue(f"{text[:40]!r} is no duration: write 10s, 5m, 1h30m, or a number of seconds")
    return sum(round(float(number) * MICROS_PER_UNIT[unit or "s"]) for number, unit in parts)


def parse_time(text: str, now: int) -> int:
    """Microseconds since 1970 of a moment: a duration before `now` or with + after it, RFC 3339, or unix seconds.

    Raises InvalidValue.
    """
    error = InvalidValue(
        f"{text[:40]!r} is no time: write 10m (ago), +10m (from now), 2026-01-31T08:00:00Z, or unix seconds"
    )
    if re.fullmatch(r"\+?(?:[0-9.]+[smhd])+", text):
        try:
            return now + parse_duration(text[1:]) if text.startswith("+") else max(0, now - parse_duration(text))
        except InvalidValue:
            raise error from None
    if re.fullmatch(r"[0-9]{1,11}(?:\.[0-9]{1,9})?", text):
        return round(float(text) * 1_000_000)
    try:
        parsed = datetime.fromisoformat(text.upper())  # RFC 3339 allows a small t and z
        if parsed.tzinfo is None:
            parsed = parsed.astimezone()  # like every time a person types without a zone: theirs
        micros = parsed - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        raise error from None
    if micros.days < 0:
        raise error
    return (micros.days * 86_400 + micros.seconds) * 1_000_000 + micros.microseconds


def parse_address(text: str) -> str:
    """HOST:PORT or unix:PATH in the form gRPC takes. Raises InvalidValue."""
    error = InvalidValue(f"{text[:60]!a} is no address: write HOST:PORT, [IPV6]:PORT or unix:PATH")
    if not text.isprintable() or len(text) > 300:
        raise error
    if text.startswith("unix:"):
        # unix:///absolute/path is the same thing written longer; shells do not know ~ behind a colon.
        try:
            path = Path(text.removeprefix("unix:").removeprefix("//")).expanduser().absolute()
        except RuntimeError:
            raise error from None
        if text in ("unix:", "unix://") or len(str(path).encode()) > 107:  # sun_path of unix(7)
            raise InvalidValue(f"{text[:60]!a} is no socket: write unix:PATH with a path of at most 107 bytes")
        return f"unix:{path}"
    host, _, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not re.fullmatch("[0-9]{1,5}", port) or int(port) > 65535 or not host or (":" in host and not bracketed):
        raise error
    return f"{host}:{int(port)}"


def is_loopback(listen: str) -> bool:
    """Whether only this machine can reach the address (one that `parse_address` gave)."""
    if listen.startswith("unix:"):
        return True
    host = listen.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def validate_limits(limits: Limits) -> None:
    """Raise InvalidValue unless every frame within the limits fits what gRPC clients accept."""
    bounds = {
        "text_bytes": (1, limits.batch_bytes),
        "name_bytes": (16, MAX_NAME_BYTES),  # a sender that the server makes up has 16
        "batch_messages": (1, MAX_BATCH_MESSAGES),
        "batch_bytes": (1024, MAX_BATCH_BYTES),
        "streams": (1, 1_000_000),
    }
    for name, (low, high) in bounds.items():
        if not low <= getattr(limits, name) <= high:
            option = "--" + name.replace("_", "-")
            raise InvalidValue(f"{option} is {getattr(limits, name)}: it must be between {low} and {high}")
