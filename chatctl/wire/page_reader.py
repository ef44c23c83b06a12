"""PageReader: converts the pages of a query, and checks that each follows the contract and the query."""

import time
from collections.abc import Sequence
from math import inf

from chatctl.errors import CursorMalformed
from chatctl.model.claims import MAX_SEQUENCE
from chatctl.model.cursor import parse_cursor, sequence_after
from chatctl.model.limits import MAX_BATCH_MESSAGES, MAX_NUMBER
from chatctl.model.messages import HistoryPage, Query, Run
from chatctl.v1 import chat_pb2 as pb
from chatctl.wire.checks import check_count, check_cursor, check_name, check_range, contract_error
from chatctl.wire.convert import time_from_pb

MAX_KNOWN_NAMES = 10_000  # pairs of room and user that are not checked again
EMPTY_PAGES_AT_ONCE, EMPTY_PAGES_PER_SECOND = 1000, 2  # a server reports its position once a second


class PageReader:
    """The pages of one query, over one call or several. Use `read` for each response that has a page."""

    def __init__(self, query: Query, log: str = "") -> None:
        """`log` is the only log whose pages are taken; empty means that of the query's cursor, or else of the first page."""
        self._rooms, self._users = frozenset(query.rooms), frozenset(query.users)
        self._has_numbers = bool(query.input_id)
        cursor_log, self._position = _parse(query.after)  # messages up to the position were read
        self._log = log or cursor_log
        self._prefix = ""  # of the cursors, once one was checked
        self._end = _parse(query.before)[1] if query.before else MAX_SEQUENCE + 1
        self._remaining = min(query.limit or inf, inf if query.follow else query.last or inf)
        self._known_names: set[tuple[str, str]] = set()
        self._empty_pages, self._started = 0, time.monotonic()

    def set_log(self, log: str) -> None:
        """Refuse pages of another log."""
        self._log, self._prefix = log, ""

    def read(self, response: pb.GetMessagesResponse | pb.SendAndReceiveMessageResponse) -> HistoryPage:
        """Return the page in a response. Raises IncompatibleServer."""
        cursor, prefix = response.cursor, response.cursor_prefix
        position = self._check_position(cursor, prefix)
        runs = self._read_runs(response.runs)
        if runs:
            last = runs[-1].sequence + len(runs[-1].texts) - 1
            if last > position or last >= self._end:
                raise contract_error(f"a message past the end of its page: {last}")
        else:
            self._check_empty()
        self._position = position
        return HistoryPage(runs, cursor, prefix, response.live)

    def _check_position(self, cursor: str, prefix: str) -> int:
        """Return the sequence of a page's cursor."""
        position = sequence_after(prefix, cursor) if prefix == self._prefix else None  # known for all pages but the first
        if position is None:
            log, position = check_cursor(cursor, prefix)
            if log != (self._log or log):
                raise contract_error(f"messages of another log: {log}")
            self._log, self._prefix = log, prefix
        if position < self._position:
            raise contract_error(f"a page that ends at {position}, after {self._position}")
        return position

    def _read_runs(self, messages: Sequence[pb.Run]) -> list[Run]:
        """Return the runs of a response. It costs little for each run, as some logs have a run for each message."""
        check_count("messages", messages, MAX_BATCH_MESSAGES)
        runs, last, known, has_numbers, total = [], self._position, self._known_names, self._has_numbers, 0
        for message in messages:
            sequence, room, user, texts, number = message.sequence, message.room, message.user, message.texts, message.number
            count = len(texts)
            if sequence <= last or not count:
                raise contract_error(f"{count} messages with the sequence {sequence} after {last}")
            if (room, user) not in known:
                self._check_names(room, user)
            if has_numbers:
                check_range("number", number, 1, MAX_NUMBER + 1 - count)
            last = sequence + count - 1
            total += count
            runs.append(Run(sequence, room, user, time_from_pb(message.create_time), list(texts), number))
        self._remaining -= total
        if total > MAX_BATCH_MESSAGES or self._remaining < 0:
            raise contract_error(f"too many messages: {total} in one response")
        return runs

    def _check_names(self, room: str, user: str) -> None:
        check_name("room", room)
        check_name("user", user)
        if (self._rooms and room not in self._rooms) or (self._users and user not in self._users):
            raise contract_error(f"a message that does not match: in room {room!r}, by user {user!r}")
        if len(self._known_names) >= MAX_KNOWN_NAMES:
            self._known_names.clear()
        self._known_names.add((room, user))

    def _check_empty(self) -> None:
        self._empty_pages += 1
        if self._empty_pages > EMPTY_PAGES_AT_ONCE + EMPTY_PAGES_PER_SECOND * (time.monotonic() - self._started):
            raise contract_error(f"{self._empty_pages} responses without messages at once")


def _parse(cursor: str) -> tuple[str, int]:
    """Return the log and the sequence of a cursor, or an empty log for a text that is not a cursor."""
    try:
        return parse_cursor(cursor)
    except CursorMalformed:
        return "", 0
