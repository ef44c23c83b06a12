"""Messages as lines: JSON for programs, or the texts alone."""

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from chatctl.cli import formats

if TYPE_CHECKING:
    from chatctl.client import HistoryPage


class Printer(Protocol):
    """Prints pages on stdout."""

    def show(self, page: "HistoryPage") -> bool:
        """Take a page; whether all so far is printed and flushed."""

    def settle(self) -> None:
        """Hold nothing back from here on."""

    def end(self) -> None:
        """Print what was held back: no more comes."""


class Lines:
    """Prints every message at once."""

    def __init__(self, lines: "Callable[[HistoryPage], Iterable[str]]") -> None:
        self._lines = lines

    def show(self, page: "HistoryPage") -> bool:
        """See Printer."""
        sys.stdout.buffer.write("".join(self._lines(page)).encode())
        sys.stdout.buffer.flush()
        return True

    def settle(self) -> None:
        """See Printer."""

    def end(self) -> None:
        """See Printer."""


def json_lines(page: "HistoryPage") -> Iterable[str]:
    """A JSON object for each message, each on its line."""
    for run in page.runs:
        middle = f',"room":{formats.quote(run.room)},"user":{formats.quote(run.user)},"text":'
        end = f',"time":"{formats.rfc3339(run.time)}","cursor":"{page.cursor_prefix}'
        for sequence, text in enumerate(run.texts, run.sequence):
            yield f'{{"sequence":{sequence}{middle}{formats.quote(text)}{end}{sequence}"}}\n'


def texts(page: "HistoryPage") -> Iterable[str]:
    """The texts alone, raw in a pipe so that they come back as they were sent, escaped at a terminal."""
    show = formats.visible_lines if sys.stdout.isatty() else str
    for run in page.runs:
        for text in run.texts:
            yield show(text) + "\n"
