"""Limits of names, texts and requests."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, fields

MAX_NUMBER = 2**53 - 1  # exact in JSON readers that store numbers as doubles
MAX_FILTERS = 100
DEFAULT_TOP, MAX_TOP = 100, 1000


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of what a server accepts. With the defaults every frame is below the 4 MiB that gRPC clients accept."""

    text_bytes: int = 64 * 1024
    name_bytes: int = 128
    batch_messages: int = 1000
    batch_bytes: int = 1024 * 1024
    streams: int = 10_000


def utf8_size(texts: Sequence[str]) -> int:
    """Return the size of all texts together in bytes of UTF-8."""
    joined = "".join(texts)
    return len(joined) if joined.isascii() else len(joined.encode())


def name_error(what: str, name: str, limit: int) -> str:
    """Return why `name` is not valid for a room, user or input, or an empty string if it is."""
    if not name:
        return f"the {what} is empty: give it a name"
    if len(name) * 4 > limit and len(name.encode("utf-8", "surrogatepass")) > limit:
        return f"the {what} is longer than {limit} bytes of UTF-8: {name[:20]!r}…"
    if not name.isprintable() and any(unicodedata.category(c) in ("Cc", "Cs") for c in name):
        shown = repr(name[:40]).replace(r"\udc", r"\x")  # what Python makes of bytes that are not UTF-8
        return f"the {what} has control characters or is not UTF-8: {shown}"
    return ""


def text_size_error(size: int, limit: int) -> str:
    """Return why a text of `size` bytes, which is over the limit, is rejected."""
    return f"the text has {size} bytes, the limit is {limit}: split it, or raise `serve --text-bytes`"


MAX_BATCH_BYTES = 3 * 1024 * 1024  # a frame of them is below the 4 MiB that gRPC clients accept by default
MAX_BATCH_MESSAGES = 10_000
MAX_NAME_BYTES = 1024


def usable_limits(limits: Limits) -> Limits:
    """Return limits that are not above the highest ones: a client must not hold more because a server says so."""
    highest = Limits(MAX_BATCH_BYTES, MAX_NAME_BYTES, MAX_BATCH_MESSAGES, MAX_BATCH_BYTES, limits.streams)
    values = {field.name: min(getattr(limits, field.name), getattr(highest, field.name)) for field in fields(limits)}
    return Limits(**values)


def limit_bounds(limits: Limits) -> dict[str, tuple[int, int]]:
    """Return the least and greatest value of each limit, by name. Within them gRPC clients accept every frame."""
    return {
        "text_bytes": (1, limits.batch_bytes),
        "name_bytes": (16, MAX_NAME_BYTES),  # a generated input id has 16
        "batch_messages": (1, MAX_BATCH_MESSAGES),
        "batch_bytes": (1024, MAX_BATCH_BYTES),
        "streams": (1, 1_000_000),
    }
