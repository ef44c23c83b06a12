"""The log in one SQLite file: a writer thread with group commit, reader connections beside it, WAL, synchronous=FULL."""

from typing import TypeVar

NUM_READERS = 2

T = TypeVar("T")
