"""Where the records of a `send` come from: the arguments, stdin, or a file of leftovers."""

import os
import shlex
from typing import TYPE_CHECKING, Protocol

from chatctl.cli.send.unconfirmed import UnconfirmedRecords
from chatctl.cli.streams.rejects import RejectsFile
from chatctl.cli.streams.splitter import decode_record

if TYPE_CHECKING:
    from chatctl.client import RecordStream
from chatctl.cli.streams.stdin_input import StopPosition, put_results


class RecordInput(Protocol):
    """Puts records into a SendStream, all that was read before anything is waited for: no record is forgotten."""

    separator: bytes
    """What stands after each record in the input."""
    is_single_text: bool
    """The only record is a text, and not one of an input."""
    unconfirmed_path: str
    """The file of leftovers, if it is one."""
    log: str
    """The log its records may be stored in already; empty if there is none."""
    total_bytes: int | None
    """Its bytes, if that is known before they are read."""

    async def feed(self, stream: "RecordStream", room: str, rejects: RejectsFile | None) -> None:
        """Put all records, as fast as they go out."""

    def unread_records(self) -> list[tuple[int, list[str]]]:
        """Records that are known before there is a server to send them to: texts and the number of their first."""

    def is_unterminated(self, number: int) -> bool:
        """Whether this is the input's last record and has no separator."""

    def stop_position(self) -> StopPosition | None:
        """Where reading stopped, if it did before the input's end."""

    def retry_hint(self, input_id: str) -> str:
        """How to finish what is unconfirmed, if it can be given again."""


class TextInput:
    """The one text that was given as arguments."""

    separator = b""
    is_single_text = True
    unconfirmed_path = log = ""
    total_bytes: int | None = None

    def __init__(self, text: str) -> None:
        self._text = text

    async def feed(self, stream: "RecordStream", room: str, rejects: RejectsFile | None) -> None:
        record = os.fsencode(self._text)  # what is not UTF-8 came with surrogates
        result = decode_record(record, stream.limits.text_bytes)
        if rejects and not isinstance(result, list):
            rejects.spool(record)
        put_results(stream, room, [result], rejects)

    def unread_records(self) -> list[tuple[int, list[str]]]:
        return [(1, [self._text])] if _is_utf8(self._text) else []

    def is_unterminated(self, number: int) -> bool:
        return True

    def stop_position(self) -> StopPosition | None:
        return None

    def retry_hint(self, input_id: str) -> str:
        return f"send it again with --sender {shlex.quote(input_id)}"


class ResumeInput:
    """Leftovers of an earlier run, all of them at once: a run leaves no more than a window."""

    separator = b"\n"
    is_single_text = False
    total_bytes: int | None = None

    def __init__(self, path: str, unconfirmed: UnconfirmedRecords) -> None:
        self.unconfirmed_path = os.path.realpath(path)
        self.log = unconfirmed.log
        self._unconfirmed = unconfirmed

    async def feed(self, stream: "RecordStream", room: str, rejects: RejectsFile | None) -> None:
        for number, texts in self._unconfirmed.runs:
            stream.put(room, texts, number)

    def unread_records(self) -> list[tuple[int, list[str]]]:
        return self._unconfirmed.runs

    def is_unterminated(self, number: int) -> bool:
        return False

    def stop_position(self) -> StopPosition | None:
        return None

    def retry_hint(self, input_id: str) -> str:
        return ""


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
