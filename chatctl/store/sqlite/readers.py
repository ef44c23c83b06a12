"""A pool of reader threads, each with a SQLite connection of its own."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

NUM_READERS = 2

T = TypeVar("T")


class ReaderPool:
    """Runs queries in its threads. The connections belong to `connect`, which is called once in each thread."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._local = threading.local()
        self._executor = ThreadPoolExecutor(NUM_READERS, "chatctl-read")

    async def run(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `query` returns for a connection. Raises what it raises."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._run, query)

    def _run(self, query: Callable[[sqlite3.Connection], T]) -> T:
        if not hasattr(self._local, "connection"):
            self._local.connection = self._connect()
        return query(self._local.connection)

    def close(self) -> None:
        """Wait for the queries that run, and end the threads."""
        self._executor.shutdown()
