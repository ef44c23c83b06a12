"""Inputs of the measurements: lines, stores and new servers."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from benchmarks.processes import ProcessResult, Server, chat_server, program, run

TEXT_BYTES = 100  # of each line, without its newline

Figures = dict[str, float]


def parse_figures(done: ProcessResult) -> Figures:
    """Return the figures that a program printed as a JSON object."""
    figures: Figures = json.loads(done.output)
    return figures


@dataclass(frozen=True)
class Inputs:
    """Inputs of the measurements, created when they are first used."""

    folder: Path
    count: int
    """Lines to send; memory and stats send twice as many, the slow tutorial fewer (see below)."""
    round_trips: int
    """Round trips of each kind in a round."""
    quick: bool
    """Use fewer followers, for a shorter time."""

    @property
    def tutorial_sends(self) -> int:
        """Number of lines for the tutorial; its start-up is then about 4 % of its time."""
        return self.count // 20

    @property
    def tutorial_reads(self) -> int:
        """Number of messages read from the tutorial, chosen likewise."""
        return self.count // 10

    @cached_property
    def lines(self) -> Path:
        """A file with `count` distinct lines."""
        return self._lines("lines", self.count)

    @cached_property
    def fewer_lines(self) -> Path:
        """A file with as many lines as the tutorial gets."""
        return self._lines("fewer-lines", self.tutorial_sends)

    @cached_property
    def more_lines(self) -> Path:
        """A file with twice as many lines."""
        return self._lines("more-lines", 2 * self.count)

    def _lines(self, name: str, count: int) -> Path:
        filling = "".join(Random(1).choices("abcdefghijklmnopqrstuvwxyz     ", k=4096))
        path = self.folder / name
        with path.open("w") as file:
            for number in range(count):
                start = number * 31 % 3900
                file.write(f"{number:09d} {filling[start : start + TEXT_BYTES - 10]}\n")
        return path

    @cached_property
    def scattered(self) -> Path:
        """A store where each message has another room and user than its predecessor: the worst case for reading."""
        path = self.folder / "scattered"
        run(program("client_probe", "scatter", path, self.count))
        return path


@contextmanager
def new_store_path(inputs: Inputs) -> Iterator[Path]:
    """A path for a new store on the disk, deleted after the block."""
    with TemporaryDirectory(dir=inputs.folder) as folder:
        yield Path(folder, "store")


@contextmanager
def new_chat_server(inputs: Inputs) -> Iterator[Server]:
    """Run `chatctl serve` with a new store."""
    with new_store_path(inputs) as store, chat_server(store) as server:
        yield server
