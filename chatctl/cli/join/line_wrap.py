"""Wrap text to rows of a terminal. Wide, joined and combining characters stay whole."""

import re
from array import array
from collections import OrderedDict
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from rich.cells import get_character_cell_size, split_graphemes

from chatctl.cli.terminal.escape import escape_lines
from chatctl.cli.terminal.wrap import terminal_cells

TAB_COLUMNS = 4
MAX_COMBINING = 8  # zero-width characters after one character; the longest in use are the flags of Britain, with 6

_EMOJI = "\u2190-\u2bff\u3030-\u303d\u3297\u3299\U0001f000-\U0001faff"
_SKIN_TONES = "\U0001f3fb-\U0001f3ff"
# Widths are measured as if a joiner made one character of any two. Terminals join emoji only, and in use at most five.
_JOINS_NOTHING = re.compile(f"(?<![{_EMOJI}\ufe0f])\u200d|\u200d(?![{_EMOJI}])")
_JOINS_TOO_MUCH = re.compile(f"(?:[{_EMOJI}]\ufe0f?[{_SKIN_TONES}]?\u200d){{5,}}")
_WORD = re.compile(r"(\S*)(\s*)")
_PICTURE = re.compile("[\U0001f000-\U0001faff]")


class WrappedText(NamedTuple):
    """A text as it is shown, and where each row starts in it. A row may end in blanks that exceed the width."""

    text: str
    row_starts: "array[int]"

    def row_range(self, number: int) -> tuple[int, int]:
        """Return the start and end of a row in the text, without trailing blanks."""
        start = self.row_starts[number]
        end = self.row_starts[number + 1] if number + 1 < len(self.row_starts) else len(self.text)
        return start, start + len(self.text[start:end].rstrip())


class WrapCache:
    """Caches the texts wrapped last, up to a number of characters, and at least one text."""

    def __init__(self, chars: int = 1_000_000) -> None:
        self._free_chars = chars
        self._entries: OrderedDict[tuple[str, int], WrappedText] = OrderedDict()

    def __call__(self, text: str, width: int) -> WrappedText:
        """Return a text wrapped to `width` columns, sanitized. Wide characters need a width of at least 2."""
        if cached := self._entries.get((text, width)):
            self._entries.move_to_end((text, width))
            return cached
        sanitized = sanitize(text)
        wrapped = self._entries[text, width] = WrappedText(sanitized, array("I", _row_starts(sanitized, width)))
        self._free_chars -= _cost(wrapped)
        while self._free_chars < 0 and len(self._entries) > 1:
            self._free_chars += _cost(self._entries.popitem(last=False)[1])
        return wrapped


def _cost(wrapped: WrappedText) -> int:
    return len(wrapped.text) + len(wrapped.row_starts) + 200  # an entry itself takes about 200


def sanitize(text: str) -> str:
    """Return a text that cannot move the cursor, hide or reverse other text, or stack characters without limit."""
    text = escape_lines(text.replace("\r\n", "\n").rstrip("\r\n")).expandtabs(TAB_COLUMNS)
    if text.isascii():
        return text
    if "\u200d" in text:
        text = _JOINS_TOO_MUCH.sub(lambda chain: chain[0].replace("\u200d", ""), _JOINS_NOTHING.sub("", text))
    result, stack = [], 0
    for character in text:
        stack = 0 if character == "\n" or get_character_cell_size(character) else stack + 1
        if stack <= MAX_COMBINING:
            result.append(character)
    return "".join(result)


def _row_starts(text: str, width: int) -> Iterator[int]:
    """Yield where the rows start: after a newline, else between words, else between the characters of a long word."""
    begin = 0
    for line in text.split("\n"):
        yield begin
        if not (line.isascii() and len(line) <= width):
            yield from _break_line(line, begin, width)
        begin += len(line) + 1


def _break_line(line: str, start_index: int, width: int) -> Iterator[int]:
    column = 0
    for word in _WORD.finditer(line):
        if not word[0]:
            break  # the end of the line
        start = start_index + word.start()
        for part in _parts(word[1]):
            size = terminal_cells(part)
            # A URL begins a row even if it is longer than one: otherwise terminals do not recognise it.
            if column and column + size > width and (size <= width or "://" in part):
                yield start
                column = 0
            for offset, cells in _grapheme_widths(part) if size > width else ((0, size),):
                if column and column + cells > width:
                    yield start + offset
                    column = 0
                column += cells
            start += len(part)
        column += terminal_cells(word[2])


def _parts(word: str) -> list[str]:
    """Return the parts between which a word may break: before and after an emoji, as Unicode recommends. A URL has none."""
    if "://" in word or not _PICTURE.search(word):
        return [word]
    parts, after_picture = [""], False
    starts = [start for start, _ in _grapheme_widths(word)]
    for start, end in pairwise([*starts, len(word)]):
        is_picture = bool(_PICTURE.match(word, start))
        if is_picture or after_picture:
            parts.append("")
        parts[-1] += word[start:end]
        after_picture = is_picture
    return parts


def _grapheme_widths(word: str) -> Iterator[tuple[int, int]]:
    """Yield the start and the columns of each grapheme."""
    if word.isascii():
        yield from ((at, 1) for at in range(len(word)))
        return
    first_letter: tuple[int, int] | None = None  # of a flag, which is two regional letters
    for start, end, _ in split_graphemes(word)[0]:
        # Never fewer columns than a terminal uses that does not join: otherwise the end of a full row would be lost.
        cells = terminal_cells(word[start:end])
        is_flag_letter = "\U0001f1e6" <= word[start] <= "\U0001f1ff"
        if first_letter and is_flag_letter:
            yield first_letter[0], first_letter[1] + cells
            first_letter = None
            continue
        if first_letter:
            yield first_letter
        first_letter = (start, cells) if is_flag_letter else None
        if not is_flag_letter:
            yield start, cells
    if first_letter:
        yield first_letter
