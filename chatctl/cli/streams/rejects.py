"""The file of rejected records."""

import os
import tempfile
from collections import deque
from collections.abc import Sequence

from chatctl.cli import options
from chatctl.cli.streams.files import OutputFile

COPY_BYTES = 1024 * 1024


class RejectsFile:
    """The rejected input, byte for byte and in order.

    A record that is rejected as it is read is spooled to disk, since it may be of any size, until its receipt is due.
    """

    def __init__(self, file: OutputFile, separator: bytes) -> None:
        """Raises BadParameter if the spool cannot be created. A later error becomes that of the file."""
        self._file = file
        self._separator = separator
        self._record_sizes: deque[int] = deque()
        try:
            self._spool = tempfile.TemporaryFile(dir=file.spool_directory, buffering=0)  # noqa: SIM115 (open until the process ends)
        except OSError as error:
            raise options.bad("--rejects", f"cannot write a temporary file for {file.path}: {error.strerror}") from None
        self._spool_offset = 0
        self._originals: dict[int, bytes] = {}  # of records in flight whose text is not their input, by number

    def spool(self, data: bytes) -> None:
        """Keep bytes of a record that is rejected as it is read."""
        try:
            while data:  # a disk that is nearly full may write a part
                data = data[self._spool.write(data) :]
        except OSError as error:
            self._file.record_error(error)

    def end_record(self, size: int) -> None:
        """End a spooled record: the next `size` bytes."""
        self._record_sizes.append(size)

    def write_next(self) -> None:
        """Copy the next spooled record into the file."""
        try:
            self._copy(self._record_sizes.popleft())
        except OSError as error:
            self._file.record_error(error)

    def _copy(self, size: int) -> None:
        while size and (data := os.pread(self._spool.fileno(), min(size, COPY_BYTES), self._spool_offset)):
            self._file.write(data)
            size -= len(data)
            self._spool_offset += len(data)
        if not self._record_sizes and self._spool_offset == self._spool.tell():
            self._spool.seek(0)
            self._spool.truncate()
            self._spool_offset = 0

    def keep_originals(self, number: int, originals: dict[int, bytes]) -> None:
        """Keep the bytes of records whose text is not their input, until `forget`: by position after the record `number`."""
        self._originals.update((number + position, data) for position, data in originals.items())

    def forget(self, number: int, count: int) -> None:
        """Forget the bytes that were kept for `count` records."""
        if self._originals:
            for position in range(number, number + count):
                self._originals.pop(position, None)

    def write_texts(self, texts: Sequence[str], number: int, unterminated: bool) -> None:
        """Write what became of `texts`, which the server rejected; the first has this number.

        `unterminated`: the last one ended the input without a separator.
        """
        originals, separator = self._originals, self._separator
        data = b"".join(originals.get(i) or text.encode() + separator for i, text in enumerate(texts, number))
        self._file.write(data.removesuffix(self._separator) if unterminated else data)
