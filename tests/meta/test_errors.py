"""The table of errors that travel: complete, unambiguous, and a round trip keeps message, hint and type."""

from collections import Counter
from enum import IntEnum
from itertools import chain

import grpc
import pytest

from chatctl import errors
from chatctl.model.claims import FaultKind
from chatctl.model.records import ReceiptStatus, RejectReason
from chatctl.v1 import chat_pb2 as pb
from chatctl.wire import status

CLIENT_ONLY = {errors.LogChanged, errors.UnexpectedStatus, errors.IncompatibleServer}
ABSTRACT = {errors.ChatError, errors.TransientError}


def subclasses(kind):
    return {kind, *chain.from_iterable(map(subclasses, kind.__subclasses__()))}


def chatctl_errors():
    return {kind for kind in subclasses(errors.ChatError) if kind.__module__ == errors.__name__}


def test_every_error_that_travels_is_in_the_table_once():
    assert sorted(kind.__name__ for kind in status.ERRORS) == sorted(
        kind.__name__ for kind in chatctl_errors() - CLIENT_ONLY - ABSTRACT
    )


def test_reasons_are_unique():
    reasons = Counter(
        kind.reason for kind in chatctl_errors() - ABSTRACT - {errors.UnexpectedStatus, errors.IncompatibleServer}
    )
    assert [reason for reason, count in reasons.items() if count > 1] == []
    assert errors.ChatError.reason not in reasons


@pytest.mark.parametrize("kind", status.ERRORS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("hint", ["", "try ‘again’: later"])
def test_an_error_arrives_as_it_was_raised(kind, hint):
    error = kind("it failed: for a reason", hint)
    code, details, trailers = status.status_of_error(error)
    assert details == str(error)
    assert code.value[0] == kind.code
    arrived = status.error_from_status(code.value[0], details, trailers)
    assert (type(arrived), arrived.message, arrived.hint) == (kind, error.message, hint)


def test_a_hint_that_the_details_do_not_end_with_is_ignored():
    arrived = status.error_from_status(
        3, "it failed", ((status.HINT_KEY, b"try again"), (status.REASON_KEY, "INVALID_REQUEST"))
    )
    assert (arrived.message, arrived.hint) == ("it failed", "")


def test_a_status_without_a_reason_becomes_the_first_error_of_its_code():
    assert type(status.error_from_status(14, "gone", ())) is errors.Unavailable
    assert type(status.error_from_status(8, "too much", ())) is errors.TooManyStreams
    unknown = status.error_from_status(7, "denied", ())
    assert (type(unknown), unknown.code) == (errors.UnexpectedStatus, 7)


def test_a_reason_with_another_code_is_unexpected():
    found = status.error_from_status(13, "odd", ((status.REASON_KEY, "STORE_FULL"),))
    assert (type(found), found.code) == (errors.UnexpectedStatus, 13)


def test_every_status_has_its_number():
    assert status.STATUS_CODES[14] is grpc.StatusCode.UNAVAILABLE
    assert len(status.STATUS_CODES) == len(grpc.StatusCode)


@pytest.mark.parametrize(
    ("kind", "contract", "prefix"),
    [
        (ReceiptStatus, pb.ReceiptStatus, "RECEIPT_STATUS_"),
        (RejectReason, pb.RejectReason, "REJECT_REASON_"),
        (FaultKind, pb.FaultKind, "FAULT_KIND_"),
    ],
    ids=["status", "reason", "fault"],
)
def test_enums_have_the_numbers_of_the_contract(kind: type[IntEnum], contract, prefix):
    numbers = {name.removeprefix(prefix): number for name, number in contract.items()}
    unspecified = {0: "UNSPECIFIED"}
    assert {member.value: member.name for member in kind if member.value} == {
        number: name for name, number in numbers.items() if number
    }
    assert numbers[unspecified[0]] == 0
