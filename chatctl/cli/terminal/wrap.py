"""How much room text takes at a terminal, and how it is put into lines that fit."""

import re

from rich.cells import get_character_cell_size

WORD_OR_SPACES = re.compile(r" +|[^ ]+")


def terminal_cells(text: str) -> int:
    """The columns that a text takes: never fewer than a terminal uses, whatever it makes of joined emoji."""
    if text.isascii():
        return len(text)
    return sum(map(get_character_cell_size, text)) + text.count("\ufe0f")  # which may make the one before it wide


def pad_text(text: str, width: int) -> str:
    """The text with blanks behind it, up to so many columns."""
    return text + " " * (width - terminal_cells(text))


def wrap_text(text: str, width: int) -> list[str]:
    """Lines of at most `width` columns (at least 2), broken between words, or in them where one does not fit.

    Blanks where a line is broken are left out.
    """
    if terminal_cells(text) <= width:
        return [text]
    lines, line, used = [], "", 0
    for word in WORD_OR_SPACES.findall(text):
        size = terminal_cells(word)
        if used + size <= width:
            line, used = line + word, used + size
            continue
        if line.strip():
            lines.append(line.rstrip())
        line, used = "", 0
        if word[0] != " ":
            *whole, line = _split_word(word, width)
            lines += whole
            used = terminal_cells(line)
    return [*lines, line.rstrip()] if line.strip() or not lines else lines


def _split_word(word: str, width: int) -> list[str]:
    """A word in pieces that fit."""
    if word.isascii():
        return [word[at : at + width] for at in range(0, len(word), width)]
    pieces: list[str] = []
    piece: list[str] = []
    used = 0
    for letter in word:
        size = terminal_cells(letter)
        if used + size > width:
            pieces.append("".join(piece))
            piece, used = [], 0
        piece.append(letter)
        used += size
    return [*pieces, "".join(piece)]
