"""The inputs of `send`: TEXT, stdin (in `streams/stdin_input.py`), or a file of unconfirmed records."""

import os
import shlex
from typing import TYPE_CHECKING, Protocol

from chatctl.cli import options
from chatctl.cli.send.unconfirmed import UnconfirmedRecords
from chatctl.cli.streams.json_lines import Origin
from chatctl.cli.streams.rejects import RejectsFile
from chatctl.cli.streams.splitter import RejectedRecord, decode_record
from chatctl.cli.streams.stdin_input import RecordSink, StopPosition, put_results
from chatctl.model.limits import MAX_NAME_BYTES

if TYPE_CHECKING:
    from chatctl.client import RecordStream


class RecordInput(Protocol):
    """Puts records into a RecordStream. It puts all records that it has read before it waits, so none is forgotten."""

    separator: bytes
    """The bytes after each record of the input."""
    is_single_text: bool
    """True if the only record is a TEXT."""
    unconfirmed_path: str
    """The file of unconfirmed records, or empty."""
    log: str
    """The log in which its records may be stored already, or empty."""
    total_bytes: int | None
    """The size of the input, if known."""
    num_replaced: int
    """The number of records that were read and were not UTF-8, so that their text is not their input."""

    async def feed(self, stream: "RecordStream", room: str, rejects: RejectsFile | None) -> None:
        """Put all records, as fast as the stream takes them."""

    async def feed_rest(self, sink: RecordSink, room: str, rejects: RejectsFile | None, seconds: float) -> None:
        """Put the records that `feed` has not put. Raises TimeoutError if none can be read for some seconds."""

    def is_unterminated(self, number: int) -> bool:
        """Return whether this is the last record, and it has no separator."""

    def stop_position(self) -> StopPosition | None:
        """Return where reading stopped, or None at the end of the input."""

    def retry_hint(self, input_id: str) -> str:
        """Return how to send the same input again, or empty if it cannot be read again."""


class TextInput:
    """The TEXT of the arguments."""

    separator = b""
    is_single_text = True
    unconfirmed_path = log = ""
    total_bytes: int | None = None

    def __init__(self, text: str, replace_invalid: bool = False) -> None:
        """`replace_invalid`: bytes that are not UTF-8 become U+FFFD."""
        self.num_replaced = 0
        self._replace_invalid = replace_invalid
        self._record = os.fsencode(text)  # bytes that are not UTF-8 are surrogates in it
        self._is_put = False

    async def feed(self, stream: "RecordStream", room: str, rejects: RejectsFile | None) -> None:
        self._put(stream, room, rejects)

    async def feed_rest(self, sink: RecordSink, room: str, rejects: RejectsFile | None, seconds: float) -> None:
        if not self._is_put:
            self._put(sink, room, rejects)

    def _put(self, sink: RecordSink, room: str, rejects: RejectsFile | None) -> None:
        self._is_put = True
        result = decode_record(self._record, sink.limits.text_bytes, replace_invalid=self._replace_invalid)
        if rejects and isinstance(result, RejectedRecord):
            rejects.spool(self._record)
        _, self.num_replaced = put_results(sink, room, [result], rejects)

    def is_unterminated(self, number: int) -> bool:
        return True

    def stop_position(self) -> StopPosition | None:
        return None

    def retry_hint(self, input_id: str) -> str:
        return f"send it again with --input-id {shlex.quote(input_id)}"


class ResumeInput:
    """Unconfirmed records of an earlier run, put all at once: one run leaves at most a window of them."""

    separator = b"\n"
    is_single_text = False
    total_bytes: int | None = None
    num_replaced = 0

    def __init__(self, path: str, unconfirmed: UnconfirmedRecords) -> None:
        self.unconfirmed_path = os.path.realpath(path)
        self.log = unconfirmed.log
        self._unconfirmed = unconfirmed
        self._is_put = False

    async def feed(self, stream: "RecordStream", room: str, rejects: RejectsFile | None) -> None:
        self._put(stream, room)

    async def feed_rest(self, sink: RecordSink, room: str, rejects: RejectsFile | None, seconds: float) -> None:
        if not self._is_put:
            self._put(sink, room)

    def _put(self, sink: RecordSink, room: str) -> None:
        self._is_put = True
        for number, texts in self._unconfirmed.runs:
            sink.put(room, texts, number)

    def is_unterminated(self, number: int) -> bool:
        return False

    def stop_position(self) -> StopPosition | None:
        return None

    def retry_hint(self, input_id: str) -> str:
        return ""


def validate_origin(origin: Origin, max_name_bytes: int = MAX_NAME_BYTES) -> None:
    """Raise BadParameter, which names the option, for a name that no server or not this one accepts."""
    for option, name in zip(("--room", "--user", "--input-id"), origin, strict=True):
        options.parse_name(option, name, max_name_bytes)
