"""Responses that a chatctl server does not send: rejected with an error, or harmless."""

import math

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from chatctl.cli.streams.json_lines import message_lines
from chatctl.cli.terminal import notices
from chatctl.client import HistoryPage
from chatctl.errors import IncompatibleServer
from chatctl.model.messages import Query, Run
from chatctl.v1 import chat_pb2 as pb
from chatctl.wire import convert, stats
from chatctl.wire.page_reader import PageReader
from tests.support.lying_server import PAGE, PREFIX, RUN, changed


@pytest.mark.parametrize(
    ("seconds", "nanos"), [(10**15, 0), (-(10**15), 0), (253_402_300_799, 0), (-1, 0), (0, -1), (0, 10**9)]
)
def test_a_time_that_no_server_has_is_rejected(seconds, nanos):
    time = Timestamp(seconds=seconds, nanos=nanos)
    with pytest.raises(IncompatibleServer, match="invalid time"):
        PageReader(Query()).read(changed(PAGE, runs=[changed(RUN, create_time=time)]))
    with pytest.raises(IncompatibleServer):
        convert.receipts_from_pb([pb.Receipt(number=1, count=1, status=pb.RECEIPT_STATUS_STORED, create_time=time)])
    with pytest.raises(IncompatibleServer):
        stats.stats_from_pb(pb.GetStatsResponse(rooms=[pb.RoomStats(room="lobby", last_time=time)]))


def test_messages_at_or_after_the_end_of_a_query_are_rejected():
    assert PageReader(Query(before=f"{PREFIX}2")).read(PAGE).runs
    for before in (f"{PREFIX}1", f"{PREFIX}0"):
        with pytest.raises(IncompatibleServer, match="past the end"):
            PageReader(Query(before=before)).read(PAGE)


@pytest.mark.parametrize(
    "cursor", ["", "2", "other:2", f"x{PREFIX[1:]}2", "{}2 ", "{}-2", "{}٢", "{}2:3", "{}" + "9" * 19, "{}1" + "0" * 19]
)
def test_the_cursors_of_later_pages_are_checked_as_that_of_the_first_one(cursor):
    reader = PageReader(Query())
    assert reader.read(PAGE).runs
    assert reader.read(changed(PAGE, runs=[], cursor=f"{PREFIX}3")).cursor == f"{PREFIX}3"
    with pytest.raises(IncompatibleServer, match="invalid"):
        reader.read(changed(PAGE, runs=[], cursor=cursor.format(PREFIX)))
    with pytest.raises(IncompatibleServer, match="a page that ends at 2, after 3"):
        reader.read(changed(PAGE, runs=[], cursor=f"{PREFIX}2"))
    with pytest.raises(IncompatibleServer, match="another log"):
        reader.read(changed(PAGE, runs=[], cursor="other:4", cursor_prefix="other:"))


@pytest.mark.parametrize("rate", [math.nan, math.inf, -math.inf])
def test_a_rate_that_is_not_finite_becomes_zero(rate):
    assert stats.activity_from_pb(pb.Activity(messages_per_second=rate)).messages_per_second == 0


def test_an_error_of_a_server_is_escaped_for_the_terminal(capsys):
    notices.say("no \x1b]0;title\x07 of\u202e\n\tours")
    assert capsys.readouterr().err == "chatctl: no \\x1b]0;title\\x07 of\\u202e\n\tours\n"


def test_a_cursor_cannot_break_the_json():
    page = HistoryPage([Run(7, "lobby", "ann", 0, ["hi"])], "", 'l"\x1b:', live=False)
    assert next(iter(message_lines(page))).endswith('"cursor":"l\\"\\u001b:7"}\n')
