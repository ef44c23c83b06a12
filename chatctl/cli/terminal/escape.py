"""Escapes text of other users, so that it cannot control the terminal or imitate other text."""

import unicodedata
from functools import lru_cache

# Characters that move the cursor, hide text or reverse it: control characters, soft hyphens, bidirectional marks and
# overrides, line separators, annotations. Format characters that only join others (in emoji and many scripts) stay.
_DANGEROUS = {*range(0x20), *range(0x7F, 0xA0), 0xAD, 0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F)}
_DANGEROUS |= {*range(0x2066, 0x2070), 0xFEFF, *range(0xFFF9, 0xFFFC)}
_ESCAPES = {code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in _DANGEROUS}
_ESCAPES |= {ord("\n"): "\\n", ord("\t"): "\\t", ord("\r"): "\\r"}
_JSON_ESCAPES = {code: f"\\u{code:04x}" for code in _DANGEROUS if code >= 0x7F}  # JSON escapes the others itself
_LINE_ESCAPES = {code: escape for code, escape in _ESCAPES.items() if chr(code) not in "\n\t"}


def escape_text(text: str) -> str:
    """Return the text for one line of a terminal, with dangerous characters escaped."""
    return text if text.isprintable() else text.translate(_ESCAPES)


def escape_lines(text: str) -> str:
    """Return the text with dangerous characters escaped, except newlines and tabs."""
    return text if text.isprintable() else text.translate(_LINE_ESCAPES)


def escape_json(line: str) -> str:
    """Return JSON with dangerous characters escaped. The value is the same: such characters are only in its strings."""
    return line if line.isascii() and "\x7f" not in line else line.translate(_JSON_ESCAPES)


# Letters and marks that are invisible: fillers, variation selectors, the blank Braille pattern.
_INVISIBLE = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10)}
_INVISIBLE |= set(range(0xE0100, 0xE01F0))


@lru_cache(1024)
def escape_name(name: str) -> str:
    """Return a name for one line, with everything invisible escaped, so that two names never look alike."""
    composed = unicodedata.normalize("NFC", name) == name  # otherwise another name has the same glyphs
    escaped, marks = "", 0
    for character in name:
        marks = marks + 1 if unicodedata.combining(character) else 0
        clear = character.isascii() or (composed and marks < 3 and ord(character) not in _INVISIBLE)
        escaped += character if clear and character.isprintable() else character.encode("unicode_escape").decode()
    start, end = len(escaped) - len(escaped.lstrip(" ")), len(escaped.rstrip(" "))
    return r"\x20" * start + escaped[start:end] + r"\x20" * (len(escaped) - end) if end else r"\x20" * start
