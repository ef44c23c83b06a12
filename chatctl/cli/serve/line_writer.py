"""Lines for stdout and stderr, written by a thread: a pipe or terminal that is not read must not hold up the server."""

import os
import select
import threading
from collections import deque
from contextlib import suppress

MAX_PENDING_BYTES = 1024 * 1024  # beyond it lines are dropped


class LineWriter:
    """Writes to a descriptor in a thread of its own. Errors of the descriptor are ignored: the server goes on."""

    def __init__(self, descriptor: int, encoding: str = "utf-8") -> None:
        self._descriptor = descriptor
        self._encoding = encoding
        self._pending: deque[bytes] = deque()
        self._pending_bytes = 0  # with the line that is being written
        self._num_dropped = 0
        self._changed = threading.Condition()
        threading.Thread(target=self._run, name=f"chatctl-write-{descriptor}", daemon=True).start()

    def write(self, line: str) -> bool:
        """Add a line, or drop it if too many wait. Returns whether it was added. Never waits for the descriptor."""
        data = f"{line}\n".encode(self._encoding, "backslashreplace")
        with self._changed:
            if self._pending_bytes and self._pending_bytes + len(data) > MAX_PENDING_BYTES:
                self._num_dropped += 1
                return False
            self._pending.append(data)
            self._pending_bytes += len(data)
            self._changed.notify_all()
        return True

    def pop_dropped(self) -> int:
        """Return how many lines were dropped since the last call, once there is space for a line about it; else 0."""
        with self._changed:
            if self._pending_bytes > MAX_PENDING_BYTES // 2:
                return 0
            num_dropped, self._num_dropped = self._num_dropped, 0
        return num_dropped

    def flush(self, seconds: float) -> bool:
        """Wait until everything is written, at most this time. Returns whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._pending_bytes, seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending)
                data = self._pending.popleft()
            with suppress(OSError):
                self._write_all(data)
            with self._changed:
                self._pending_bytes -= len(data)
                self._changed.notify_all()

    def _write_all(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:  # it may be shared with a process that has made it non-blocking
                ready = select.poll()
                ready.register(self._descriptor, select.POLLOUT)
                ready.poll()
