"""Splits input into records: bytes in, texts out."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from chatctl.model.limits import text_size_error


class RejectedRecord(NamedTuple):
    """The next record is not a text: the reason, and its bytes including the separator."""

    error: str
    size: int


class ReplacedRecords(NamedTuple):
    """Texts of consecutive records, some of which were not UTF-8: their original bytes, by position in `texts`."""

    texts: list[str]
    originals: dict[int, bytes]


SplitResult = list[str] | RejectedRecord | ReplacedRecords
"""Texts of consecutive records, or the reason why the next record is not a text."""


class RecordSplitter:
    """Splits at a separator (None: the whole input is one record). Holds at most one record, of at most `limit` bytes."""

    def __init__(
        self,
        separator: bytes | None,
        limit: int,
        on_rejected_bytes: Callable[[bytes], None] = lambda _: None,
        replace_invalid: bool = False,
    ) -> None:
        """`limit` is the most bytes of a text.

        `on_rejected_bytes` is called with all bytes of the rejected records, in order. With `replace_invalid`, bytes that
        are not UTF-8 become U+FFFD.
        """
        self._replace_invalid = replace_invalid
        self._separator = separator
        self._limit = limit
        self._on_rejected_bytes = on_rejected_bytes
        self._fed_bytes = 0
        self._partial = b""  # of the next record
        self._oversize_bytes = 0  # of the next record, if it is too long and not held
        self.unterminated = False
        """True if the last record had no separator."""

    @property
    def position(self) -> int:
        """The number of bytes up to the end of the last whole record."""
        return self._fed_bytes - self.partial_bytes

    @property
    def partial_bytes(self) -> int:
        """The number of bytes fed after that."""
        return len(self._partial) + self._oversize_bytes

    def feed(self, chunk: bytes) -> Iterator[SplitResult]:
        """Yield the records that end in this chunk."""
        self._fed_bytes += len(chunk)
        end = -1 if self._separator is None else chunk.rfind(self._separator)
        if end < 0:
            self._add_partial(chunk)
            return
        start = 0
        if self._oversize_bytes:
            start = chunk.index(self._separator or b"") + 1
            self._on_rejected_bytes(chunk[:start])
            yield reject_too_long(self._oversize_bytes + start - 1, self._limit, self._oversize_bytes + start)
            self._oversize_bytes = 0
        if start <= end:
            yield from self._split(self._partial + chunk[start:end], self._separator or b"")
        self._partial = b""
        self._add_partial(chunk[end + 1 :])

    def finish(self) -> Iterator[SplitResult]:
        """Yield the last record, if the input does not end with a separator."""
        self.unterminated = bool(self._oversize_bytes or self._partial)
        if self._oversize_bytes:
            yield reject_too_long(self._oversize_bytes, self._limit, self._oversize_bytes)
        elif self._partial:
            yield from self._split(self._partial, b"")
        self._partial, self._oversize_bytes = b"", 0

    def _add_partial(self, data: bytes) -> None:
        if self._oversize_bytes or len(self._partial) + len(data) > self._limit:
            self._on_rejected_bytes(self._partial)
            self._on_rejected_bytes(data)
            self._oversize_bytes += len(self._partial) + len(data)
            self._partial = b""
        else:
            self._partial += data

    def _split(self, data: bytes, terminator: bytes) -> Iterator[SplitResult]:
        """Yield the records in `data`, which `terminator` ended: all at once if all are valid, as they nearly always are."""
        try:
            text = data.decode()
        except UnicodeDecodeError:
            yield from self._split_one_by_one(data, terminator)
            return
        texts = [text] if self._separator is None else text.split(self._separator.decode())
        if len(data) <= self._limit or max(map(len, texts)) * 4 <= self._limit:
            yield texts
        else:
            yield from self._split_one_by_one(data, terminator)

    def _split_one_by_one(self, data: bytes, terminator: bytes) -> Iterator[SplitResult]:
        texts: list[str] = []
        originals: dict[int, bytes] = {}
        records = [data] if self._separator is None else data.split(self._separator)
        for position, record in enumerate(records, 1):
            separator = terminator if position == len(records) else self._separator or b""
            result = decode_record(record, self._limit, separator, self._replace_invalid)
            if isinstance(result, RejectedRecord):
                self._on_rejected_bytes(record + separator)
                if texts:
                    yield ReplacedRecords(texts, originals) if originals else texts
                    texts, originals = [], {}
                yield result
            elif isinstance(result, list):
                texts += result
            else:
                originals[len(texts)] = result.originals[0]
                texts += result.texts
        if texts:
            yield ReplacedRecords(texts, originals) if originals else texts


def decode_record(record: bytes, limit: int, separator: bytes = b"", replace_invalid: bool = False) -> SplitResult:
    """Return the text of a record, or why it is not a text."""
    size = len(record) + len(separator)
    if len(record) > limit:
        return reject_too_long(len(record), limit, size)
    try:
        return [record.decode()]
    except UnicodeDecodeError as error:
        if not replace_invalid:
            return RejectedRecord(f"not UTF-8: byte 0x{record[error.start]:02x} at position {error.start}", size)
    text = record.decode(errors="replace")
    if (text_size := len(text.encode())) > limit:  # the replacement character has three bytes
        return reject_too_long(text_size, limit, size)
    return ReplacedRecords([text], {0: record + separator})


def reject_too_long(length: int, limit: int, size: int) -> RejectedRecord:
    """Return the rejection of a record of `length` bytes; `size` includes its separator."""
    return RejectedRecord(text_size_error(length, limit), size)
