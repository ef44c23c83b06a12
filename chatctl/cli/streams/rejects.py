"""Files that take their place whole or not at all, and the locks on them."""

import os
import tempfile
from collections import deque
from collections.abc import Sequence

from chatctl.cli.streams.files import OutputFile

COPY_BYTES = 1024 * 1024


class RejectsFile:
    """The input known not to be stored, byte for byte and in its order.

    What is rejected as it is read is spooled to disk, however long it is, until its turn comes.
    """

    def __init__(self, file: OutputFile, separator: bytes) -> None:
        self._file = file
        self._separator = separator
        self._record_sizes: deque[int] = deque()
        place = file.path.parent if file.path.is_file() or not file.path.exists() else None
        self._spool = tempfile.TemporaryFile(dir=place, buffering=0)  # noqa: SIM115 (it ends with the process)
        self._spool_offset = 0

    def spool(self, data: bytes) -> None:
        """Keep bytes of a record that is rejected as it is read."""
        try:
            while data:  # a disk that is nearly full takes a part
                data = data[self._spool.write(data) :]
        except OSError as error:
            self._file.error = self._file.error or f"cannot write {self._file.path}: {error.strerror}"

    def end_record(self, size: int) -> None:
        """So many of the bytes spooled are the next such record."""
        self._record_sizes.append(size)

    def write_next(self) -> None:
        """It is the turn of the next record that was spooled."""
        size = self._record_sizes.popleft()
        while size and (data := os.pread(self._spool.fileno(), min(size, COPY_BYTES), self._spool_offset)):
            self._file.write(data)
            size -= len(data)
            self._spool_offset += len(data)
        if not self._record_sizes and self._spool_offset == self._spool.tell():
            self._spool.seek(0)
            self._spool.truncate()
            self._spool_offset = 0

    def write_texts(self, texts: Sequence[str], unterminated: bool) -> None:
        """Texts that the server rejected; whether the last of them is the input's last record, without its separator."""
        data = b"".join(text.encode() + self._separator for text in texts)
        self._file.write(data.removesuffix(self._separator) if unterminated else data)
