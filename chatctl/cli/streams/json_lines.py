"""JSON Lines: one writer and one reader for each kind of object.

Where a line is written for each message or record, its unchanging parts are quoted once and put together as strings:
`json.dumps` of each object takes ten times as long.
"""

import json
from collections.abc import Iterable, Sequence
from hashlib import sha256
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from chatctl.cli.terminal import times
from chatctl.compat.json_string import json_string
from chatctl.model.limits import MAX_NUMBER
from chatctl.model.records import ReceiptStatus

if TYPE_CHECKING:
    from chatctl.model.messages import HistoryPage
    from chatctl.model.records import Receipt

STATUS_NAMES = {status: status.name.lower() for status in ReceiptStatus}
STATUS_BY_NAME = {name: status for status, name in STATUS_NAMES.items()}
LINE_ERRORS = (ValueError, TypeError, LookupError, RecursionError)
"""The errors of reading a line that is not JSON, lacks a key, has a value of another type, or has too many brackets."""


# --- messages


def message_lines(page: "HistoryPage", input_id: str = "") -> Iterable[str]:
    """Yield a line for each message. With the input id of the query, lines have it and the record's number."""
    for run in page.runs:
        middle = f',"room":{json_string(run.room)},"user":{json_string(run.user)},"text":'
        end = f',"time":"{times.rfc3339(run.time)}","cursor":{json_string(page.cursor_prefix)[:-1]}'
        if input_id:
            middle = middle.removesuffix('"text":') + f'"input_id":{json_string(input_id)},"number":'
            for i, text in enumerate(run.texts):
                sequence, number = run.sequence + i, run.number + i
                yield f'{{"sequence":{sequence}{middle}{number},"text":{json_string(text)}{end}{sequence}"}}\n'
            continue
        for sequence, text in enumerate(run.texts, run.sequence):
            yield f'{{"sequence":{sequence}{middle}{json_string(text)}{end}{sequence}"}}\n'


# --- receipts


class Origin(NamedTuple):
    """The room, user and input id of records."""

    room: str
    user: str
    input_id: str

    def fields(self) -> str:
        """Return the keys and values for a line."""
        room, user, input_id = map(json_string, self)
        return f'"room":{room},"user":{user},"input_id":{input_id}'


def receipt_lines(receipt: "Receipt", fields: str, texts: Sequence[str], cursor_prefix: str) -> str:
    """Return a line for each record of a receipt. `fields` are those of its origin."""
    head = f'"status":"{STATUS_NAMES[receipt.status]}",'
    number = receipt.number
    if receipt.sequence:
        middle = f',{fields},"time":"{times.rfc3339(receipt.time)}","cursor":{json_string(cursor_prefix)[:-1]}'
        return "".join(
            f'{{"number":{number + i},{head}"sequence":{receipt.sequence + i}{middle}{receipt.sequence + i}",'
            f'"sha256":"{sha256(text.encode()).hexdigest()}"}}\n'
            for i, text in enumerate(texts)
        )
    error = f',"error":{json_string(receipt.error)}' if receipt.error else ""
    digests = [f',"sha256":"{sha256(text.encode()).hexdigest()}"' for text in texts] or [""]
    return "".join(f'{{"number":{number + i},{head}{fields}{error}{digest}}}\n' for i, digest in enumerate(digests))


class ReceiptLine(NamedTuple):
    """A receipt of a stored message as it stands in a line. The values may have wrong types."""

    number: Any
    input_id: Any
    room: Any
    user: Any
    sequence: Any
    cursor: Any
    digest: bytes


_CLAIM_FIELDS = itemgetter("room", "user", "sequence", "cursor", "sha256")


def read_receipt(line: bytes) -> ReceiptLine | ReceiptStatus:
    """Return the receipt in a line, or only its status if nothing is stored. Raises one of LINE_ERRORS."""
    receipt: Any = json.loads(line)
    status = STATUS_BY_NAME[receipt["status"]]
    number, input_id = receipt["number"], _input_id(receipt)
    if status is not ReceiptStatus.STORED and status is not ReceiptStatus.DUPLICATE:
        return status
    room, user, sequence, cursor, digest = _CLAIM_FIELDS(receipt)
    return ReceiptLine(number, input_id, room, user, sequence, cursor, bytes.fromhex(digest))


def _input_id(record: Any) -> Any:
    """Return the input id of a receipt or an unconfirmed record; version 0.1.0 wrote it as `sender`."""
    return record["input_id"] if "input_id" in record else record["sender"]


# --- unconfirmed records


class UnconfirmedLine(NamedTuple):
    """An unconfirmed record: its number, where it is to be sent, its text, and its log, which may be empty."""

    number: int
    origin: Origin
    text: str
    log: str


def unconfirmed_lines(number: int, texts: Sequence[str], origin: Origin, log: str) -> Iterable[str]:
    """Yield a line for each record, the first of which has this number."""
    fields = origin.fields() + (f',"log":{json_string(log)}' if log else "")
    for position, text in enumerate(texts, number):
        yield f'{{"number":{position},{fields},"text":{json_string(text)}}}\n'


def read_unconfirmed(line: str) -> UnconfirmedLine:
    """Return the record in a line. Raises one of LINE_ERRORS."""
    record: Any = json.loads(line)
    origin = Origin(record["room"], record["user"], _input_id(record))
    number, text, log = record["number"], record["text"], record.get("log", "")
    "".join((*origin, text, log)).encode()  # all are strings, and can be written as UTF-8
    if type(number) is not int or not 1 <= number <= MAX_NUMBER:
        raise ValueError(number)
    return UnconfirmedLine(number, origin, text, log)


# --- faults of `verify`


def fault_line(fields: dict[str, Any]) -> str:
    """Return the line for a message that is not stored as its receipt says, or for a line without a receipt."""
    return json.dumps(fields, ensure_ascii=False) + "\n"
