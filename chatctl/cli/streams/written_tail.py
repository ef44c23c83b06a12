"""The end of a file that other processes may append to as well: only what this process wrote there is cut off."""

import fcntl
import os
import stat
from contextlib import suppress


class WrittenTail:
    """The last bytes that were written to a descriptor without a gap.

    They are cut off if a write fails and they are still the end of a file.
    The offset of an open file is after its last write, also with O_APPEND. It tells if another process wrote meanwhile.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        self._start = self._end = -1

    def write_all(self, data: bytes, keep_whole_lines: bool = False) -> None:
        """Write whole lines. Raises OSError; then none of them, or no half one, is left at the end of a file."""
        written = 0
        try:
            while written < len(data):
                count = os.write(self._descriptor, memoryview(data)[written:])
                written += count
                self._add(count)
        except OSError:
            tail = data[written - (self._end - self._start) : written]
            self._cut(tail.rfind(b"\n") + 1 if keep_whole_lines else 0)
            raise

    def _add(self, count: int) -> None:
        if self._is_file:
            end = os.lseek(self._descriptor, 0, os.SEEK_CUR)
            if end - count != self._end:  # the first bytes, or another process wrote before these
                self._start = end - count
            self._end = end

    def _cut(self, kept: int) -> None:
        """Leave only the first bytes. Half a line would damage the next one, once there is space again."""
        with suppress(OSError):
            if self._end >= 0 and os.fstat(self._descriptor).st_size == self._end:
                os.ftruncate(self._descriptor, self._start + kept)
                if not fcntl.fcntl(self._descriptor, fcntl.F_GETFL) & os.O_APPEND:
                    os.lseek(self._descriptor, self._start + kept, os.SEEK_SET)  # or the next write leaves a hole
