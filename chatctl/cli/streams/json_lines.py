"""Messages as lines: JSON for programs, or the texts alone; and whoever reads them."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from chatctl.cli.terminal import times

if TYPE_CHECKING:
    from chatctl.client import HistoryPage


json_string = json.encoder.encode_basestring
"""A JSON string, without the object around that makes json.dumps ten times as slow."""


def json_lines(page: "HistoryPage") -> Iterable[str]:
    """A JSON object for each message, each on its line."""
    for run in page.runs:
        middle = f',"room":{json_string(run.room)},"user":{json_string(run.user)},"text":'
        end = f',"time":"{times.rfc3339(run.time)}","cursor":{json_string(page.cursor_prefix)[:-1]}'
        for sequence, text in enumerate(run.texts, run.sequence):
            yield f'{{"sequence":{sequence}{middle}{json_string(text)}{end}{sequence}"}}\n'
