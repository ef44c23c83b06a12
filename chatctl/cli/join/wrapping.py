"""Text folded into rows of a terminal: what is wide, what joins and what stacks up stays in one piece."""

import re
from array import array
from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple

from rich.cells import cell_len, get_character_cell_size, split_graphemes

from chatctl.cli.formats import visible_lines

TAB = 4  # columns
STACK = 8  # characters without width on one character; the longest in use are the flags of Britain, with 6

_PICTURE = "\u2190-\u2bff\u3030-\u303d\u3297\u3299\U0001f000-\U0001faff"
_SKIN = "\U0001f3fb-\U0001f3ff"
# A joiner makes one character of two pictures, which is how widths are measured, but not of two letters, and nobody's
# family is longer than this.
_JOINS_NOTHING = re.compile(f"(?<![{_PICTURE}\ufe0f])\u200d|\u200d(?![{_PICTURE}])")
_JOINS_TOO_MUCH = re.compile(f"(?:[{_PICTURE}]\ufe0f?[{_SKIN}]?\u200d){{5,}}")
_WORD = re.compile(r"(\S*)(\s*)")


class Wrapped(NamedTuple):
    """A text as it is shown, and where in it each row begins. A row may end in blanks that are beyond the width."""

    text: str
    starts: "array[int]"

    def row(self, number: int) -> tuple[int, int]:
        """Where a row begins and ends in the text, without what is blank at its end."""
        start = self.starts[number]
        end = self.starts[number + 1] if number + 1 < len(self.starts) else len(self.text)
        return start, start + len(self.text[start:end].rstrip())


class Wrappings:
    """What was wrapped last, up to so many characters (and one text longer than that)."""

    def __init__(self, chars: int = 1_000_000) -> None:
        self._room = chars
        self._kept: OrderedDict[tuple[str, int], Wrapped] = OrderedDict()

    def __call__(self, text: str, width: int) -> Wrapped:
        """The text of others in rows of at most `width` columns (from 1; what is two wide needs 2)."""
        if found := self._kept.get((text, width)):
            self._kept.move_to_end((text, width))
            return found
        shown = legible(text)
        wrapped = self._kept[text, width] = Wrapped(shown, array("I", _starts(shown, width)))
        self._room -= _cost(wrapped)
        while self._room < 0 and len(self._kept) > 1:
            self._room += _cost(self._kept.popitem(last=False)[1])
        return wrapped


def _cost(wrapped: Wrapped) -> int:
    return len(wrapped.text) + len(wrapped.starts) + 200  # the last for what any entry takes


def legible(text: str) -> str:
    """The text of others as the room shows it: nothing in it can move the cursor, hide or turn text, or pile up."""
    text = visible_lines(text.replace("\r\n", "\n").rstrip("\r\n")).expandtabs(TAB)
    if text.isascii():
        return text
    if "\u200d" in text:
        text = _JOINS_TOO_MUCH.sub(lambda chain: chain[0].replace("\u200d", ""), _JOINS_NOTHING.sub("", text))
    kept, stack = [], 0
    for character in text:
        stack = 0 if character == "\n" or get_character_cell_size(character) else stack + 1
        if stack <= STACK:
            kept.append(character)
    return "".join(kept)


def _starts(text: str, width: int) -> Iterator[int]:
    """Where the rows begin: at a newline, else between words, else (in words longer than a row) between characters."""
    begin = 0
    for line in text.split("\n"):
        yield begin
        if not (line.isascii() and len(line) <= width):
            yield from _breaks(line, begin, width)
        begin += len(line) + 1


def _breaks(line: str, begin: int, width: int) -> Iterator[int]:
    column = 0
    for word in _WORD.finditer(line):
        if not word[0]:
            break  # the end
        size = cell_len(word[1])
        if column and column + size > width and size <= width:
            yield begin + word.start()
            column = 0
        for start, cells in _characters(word[1]) if size > width else ((0, size),):
            if column and column + cells > width:
                yield begin + word.start() + start
                column = 0
            column += cells
        column += cell_len(word[2])


def _characters(word: str) -> Iterator[tuple[int, int]]:
    """Where each character as people see it begins, and its columns."""
    if word.isascii():
        yield from ((at, 1) for at in range(len(word)))
        return
    half: tuple[int, int] | None = None  # a flag is two letters
    for start, _, cells in split_graphemes(word)[0]:
        letter = "\U0001f1e6" <= word[start] <= "\U0001f1ff"
        if half and letter:
            yield half[0], half[1] + cells
            half = None
            continue
        if half:
            yield half
        half = (start, cells) if letter else None
        if not letter:
            yield start, cells
    if half:
        yield half
