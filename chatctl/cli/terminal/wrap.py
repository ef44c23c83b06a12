"""The width of text at a terminal, and wrapping."""

import re

from rich.cells import get_character_cell_size

_SKIN_TONE = re.compile("[\U0001f3fb-\U0001f3ff]")  # Rich measures them as 0 columns
WORD_OR_SPACES = re.compile(r" +|[^ ]+")


def terminal_cells(text: str) -> int:
    """Return the columns of a text, never fewer than a terminal uses, even if it does not join emoji."""
    if text.isascii():
        return len(text)
    # A variation selector may make the character before it wide, and tmux 3.3a shows a skin tone as an emoji of its own.
    return sum(map(get_character_cell_size, text)) + text.count("\ufe0f") + 2 * len(_SKIN_TONE.findall(text))


def pad_text(text: str, width: int) -> str:
    """Return the text padded with spaces to `width` columns."""
    return text + " " * (width - terminal_cells(text))


def wrap_text(text: str, width: int) -> list[str]:
    """Return lines of at most `width` columns (at least 2), broken between words, or in a word that is longer.

    Spaces at the end of a line are left out.
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
    """Return a word in pieces of at most `width` columns."""
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
