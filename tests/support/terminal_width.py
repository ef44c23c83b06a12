"""The width of texts at a terminal, measured without the code that is tested."""

import unicodedata


def width(line: str) -> int:
    """Return the columns of a line at a terminal that joins no characters."""
    return sum(character_width(character) for character in line)


def character_width(character: str) -> int:
    if character == "\ufe0f":  # makes the one before it wide
        return 1
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
