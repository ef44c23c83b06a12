"""SendStream: sends records and reports what became of each. Its ReliableStream owns the retry loop."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeVar

from chatctl.client.connector import Connector
from chatctl.client.reliable_stream import ReliableStream
from chatctl.client.send_window import DeliveryReport
from chatctl.client.stream_hooks import StreamHooks
from chatctl.model.limits import Limits

Event = TypeVar("Event")


class RecordStream:
    """What SendStream and RoomStream have in common for the caller: records go in, and all are accounted for."""

    def __init__(self, stream: ReliableStream) -> None:
        self._stream = stream

    @property
    def limits(self) -> Limits:
        """The server's limits; the defaults before the first welcome."""
        return self._stream.limits

    async def wait_ready(self) -> None:
        """Wait for the server's terms: input id, log, limits and cursor prefix. Raises what prevents it."""
        await self._stream.wait_ready()

    def put(self, room: str, texts: Sequence[str], number: int = 0) -> None:
        """Take texts to send, numbered from `number`, or on from the last one. They are sent without delay.

        `drain` between puts bounds memory. Raises UnicodeEncodeError for a text that UTF-8 cannot encode, and ValueError for
        a number that is not greater than the last one; then no text is taken.
        """
        self._stream.window.put(room, texts, number)
        self._stream.wake_writer()

    def reject(self, room: str, error: str) -> None:
        """Count a record that cannot be sent; its rejection is reported in its turn."""
        self._stream.window.reject(room, error)
        self._stream.wake_writer()

    async def drain(self) -> None:
        """Wait until most of what was put is sent, or the stream has ended."""
        await self._stream.drain()

    def finish(self) -> None:
        """Declare that no more records will be put. The iteration ends once all have receipts."""
        self._stream.finish()

    @property
    def all_reported(self) -> bool:
        """Whether every record that was put is reported."""
        return self._stream.window.all_reported

    @property
    def last_sent_number(self) -> int:
        """The number of the last record that was ever sent. Those after it are certainly not stored."""
        return self._stream.window.last_sent_number

    def undelivered(self) -> list[DeliveryReport]:
        """Return reports for all records that the iteration has not reported, most of them without a receipt."""
        return self._stream.undelivered()

    async def close(self) -> None:
        """End the stream, with everything in flight."""
        await self._stream.close()

    async def _iterate(self, next_event: Callable[[], Event | None]) -> AsyncIterator[Event]:
        """Yield what `next_event` returns, and wait while that is None, until the stream is complete."""
        while True:
            while (event := next_event()) is not None:
                yield event
            if self._stream.is_complete():
                return
            await self._stream.wait_changed()


class SendStream(RecordStream):
    """Sends records of one user and input. `put` them and `drain`, then `finish`; meanwhile iterate over `reports`.

    When the stream breaks, the server stops or its store is full, it connects again and sends again what has no receipt. It
    ends after the client's timeout without a connection, or without a receipt that is due.
    """

    def __init__(self, connector: Connector, user: str, input_id: str = "", log: str = "") -> None:
        """Use `ChatClient.send`."""
        super().__init__(ReliableStream(connector, StreamHooks(), user, input_id, log))

    @property
    def input_id(self) -> str:
        """The input id; the one that the server generated, if none was given."""
        return self._stream.input_id

    @property
    def log(self) -> str:
        """The id of the log that the records go to."""
        return self._stream.log

    @property
    def cursor_prefix(self) -> str:
        """The prefix of the log's cursors."""
        return self._stream.cursor_prefix

    def reports(self) -> AsyncIterator[DeliveryReport]:
        """Return an iterator over what became of the records, in order, until all that was put has its receipt.

        Raises what ended the stream before that; `undelivered` has the rest.
        """
        return self._iterate(self._stream.next_report)
