"""How things are written for programs and for terminals, without Rich."""

import json
import os
import re
import sys
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from textwrap import wrap
from typing import Any, TextIO
from zlib import crc32

json_string = json.encoder.encode_basestring
"""A JSON string, without the object around that makes json.dumps ten times as slow."""


@lru_cache(256)
def rfc3339(time: int) -> str:
    """Microseconds since 1970 in RFC 3339, in UTC."""
    second, micros = divmod(time, 1_000_000)
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}.{micros:06d}Z"


@lru_cache(256)
def display_time(time: int, utc: bool) -> str:
    """Microseconds since 1970 for a person: local time with its offset, or UTC."""
    moment = datetime.fromtimestamp(time // 1_000_000, UTC)
    if utc:
        return f"{moment:%Y-%m-%d %H:%M:%S}Z"
    text = f"{moment.astimezone():%Y-%m-%d %H:%M:%S%z}"
    return f"{text[:-2]}:{text[-2:]}"


def current_time_of_day(utc: bool) -> str:
    """Of this moment, for a person."""
    return f"{datetime.now(UTC):%H:%M:%S}Z" if utc else f"{datetime.now():%H:%M:%S}"


# What could move the cursor, hide text or turn it round: control characters, bidirectional overrides, line separators.
# Format characters that only join (in emoji and in many scripts) stay.
_DANGEROUS = {*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029, 0xFEFF}
_ESCAPES = {code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in _DANGEROUS}
_ESCAPES |= {ord("\n"): "\\n", ord("\t"): "\\t", ord("\r"): "\\r"}
_LINE_ESCAPES = {code: escape for code, escape in _ESCAPES.items() if chr(code) not in "\n\t"}


def escape_text(text: str) -> str:
    """Other people's text on one line of a terminal: whatever is not plainly visible is escaped."""
    return text if text.isprintable() else text.translate(_ESCAPES)


def escape_lines(text: str) -> str:
    """The same, with its line ends and tabs."""
    return text if text.isprintable() else text.translate(_LINE_ESCAPES)


# Letters and marks that show nothing, or nothing of their own: fillers, variation selectors, a blank of Braille.
_INVISIBLE = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10)}
_INVISIBLE |= set(range(0xE0100, 0xE01F0))


@lru_cache(1024)
def escape_name(name: str) -> str:
    """The name of a room or a user on one line: whatever does not show is escaped, so that none looks like another."""
    composed = unicodedata.normalize("NFC", name) == name  # if not, another name consists of the same pictures
    escaped, marks = "", 0
    for character in name:
        marks = marks + 1 if unicodedata.combining(character) else 0
        clear = character.isascii() or (composed and marks < 3 and ord(character) not in _INVISIBLE)
        escaped += character if clear and character.isprintable() else character.encode("unicode_escape").decode()
    start, end = len(escaped) - len(escaped.lstrip(" ")), len(escaped.rstrip(" "))
    return r"\x20" * start + escaped[start:end] + r"\x20" * (len(escaped) - end) if end else r"\x20" * start


def text_columns(text: str) -> int:
    """How many columns of a terminal the text takes."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) > 0 for character in text)


DUMB_TERMINALS = ("dumb", "unknown")
"""Values of TERM: terminals that can show lines and no more."""


def colours_enabled(stream: TextIO) -> bool:
    """Whether to write colours to it: a terminal is looking, and nobody wants it otherwise."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") not in DUMB_TERMINALS


class Severity(StrEnum):
    """What a sentence's colour says, as an escape sequence's number."""

    INFO = "2"
    SUCCESS = "1;32"
    ERROR = "1;31"


MESSAGE_PREFIX = "chatctl: "
_QUOTED_COMMAND = re.compile("`[^`]*`")
_WRAP_OPTIONS: Any = {"break_long_words": False, "break_on_hyphens": False}


def say(text: str, severity: Severity = Severity.INFO) -> None:
    """A sentence for the person at the terminal, on stderr. That nobody can read it changes nothing else."""
    text = escape_lines(text)  # a server may have words in it
    with suppress(OSError):
        output = _format_for_terminal(text, severity) if sys.stderr.isatty() else MESSAGE_PREFIX + text
        print(output, file=sys.stderr, flush=True)


def _format_for_terminal(text: str, severity: Severity) -> str:
    """The text as a terminal shows it well: broken at words, but never in a `command` that somebody may want to copy."""
    first, *more = [_QUOTED_COMMAND.sub(lambda quoted: quoted[0].replace(" ", "\0"), line) for line in text.split("\n")]
    columns = terminal_columns(sys.stderr)
    lines = wrap(first, columns, initial_indent=MESSAGE_PREFIX, subsequent_indent=" " * len(MESSAGE_PREFIX), **_WRAP_OPTIONS)
    output = "\n".join([*lines, *more]).replace("\0", " ")
    return (
        f"\x1b[{severity}m{MESSAGE_PREFIX.rstrip()}\x1b[0m{output[len(MESSAGE_PREFIX) - 1 :]}"
        if colours_enabled(sys.stderr)
        else output
    )


def terminal_columns(stream: TextIO) -> int:
    """How wide the terminal is that a stream goes to; COLUMNS, if that is set; 80, if nobody knows."""
    if (wanted := os.environ.get("COLUMNS", "")).isdecimal() and int(wanted):
        return int(wanted)
    with suppress(OSError, ValueError):
        return os.get_terminal_size(stream.fileno()).columns or 80
    return 80


def say_json(fields: dict[str, Any]) -> None:
    """The same for a program: one object on one line of stderr."""
    with suppress(OSError):
        print(json.dumps(fields, ensure_ascii=False), file=sys.stderr, flush=True)


def notifier(as_json: bool) -> Callable[[str], None]:
    """How to say what does not end a command, for a person or a program."""
    return (lambda text: say_json({"notice": text})) if as_json else say


def report_error(text: str, reason: str, code: int, as_json: bool) -> int:
    """Say what ended a command, for a person or a program; its exit code comes back."""
    if as_json:
        say_json({"error": text, "reason": reason, "exit_code": code})
    else:
        say(text, Severity.ERROR)
    return code


def colour_index(user: str, count: int) -> int:
    """Which of so many colours is a user's: always the same, here and on every machine."""
    return crc32(user.encode("utf-8", "surrogatepass")) % count
