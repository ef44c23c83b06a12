"""The window between claims and results against a model: no order of events loses or doubles a claim."""

from itertools import chain
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatctl.client import verify_window as module
from chatctl.client.verify_window import VerifyWindow
from chatctl.errors import IncompatibleServer
from chatctl.model.claims import Claim, Claims, Fault, FaultKind

SMALL = {"WINDOW_REQUESTS": 4, "MAX_REQUEST_CLAIMS": 5, "RESTART_CLAIMS": 8, "MAX_PENDING_CLAIMS": 10}

PUT = st.tuples(st.just("put"), st.integers(0, 20))
SEND = st.tuples(st.just("send"), st.integers(1, 5))
ANSWER = st.tuples(st.just("answer"), st.integers(1, 5))
BEAT = st.tuples(st.just("beat"))
BREAK = st.tuples(st.just("break_and_connect_again"), st.integers(1, 7))
STEPS = st.lists(st.tuples(PUT, SEND, ANSWER) | st.tuples(PUT, SEND, BREAK) | st.tuples(BEAT) | st.tuples(ANSWER))


class Model:
    """A window with small bounds, and a server that answers or breaks the stream."""

    def __init__(self):
        self.window = VerifyWindow()
        self.limit = 5
        self.put_claims, self.results = 0, []
        self.requests = []  # in flight, as the server sees them

    def put(self, count):
        claims = [Claim(self.put_claims + i, "lobby", "ann", b"") for i in range(1, count + 1)]
        self.put_claims += count
        self.window.put(Claims("log:", claims))

    def send(self, most):
        for _ in range(most):
            if not (request := self.window.next_request()):
                break
            assert request.cursor_prefix == "log:"
            assert 0 < len(request.claims) <= self.limit
            self.requests.append([claim.sequence for claim in request.claims])
            assert len(self.requests) <= SMALL["WINDOW_REQUESTS"] + 1  # and a heartbeat

    def beat(self):
        if len(self.requests) < SMALL["WINDOW_REQUESTS"]:
            self.window.add_heartbeat()
            self.requests.append([])

    def answer(self, most):
        for sequences in self.requests[:most]:
            faults = [Fault(0, sequences[0], FaultKind.MISSING)] if sequences and sequences[0] % 3 == 0 else []
            result = self.window.take_answer(len(sequences), faults)
            assert ([claim.sequence for claim in result.claims], result.faults) == (sequences, faults)
            self.results += sequences
        del self.requests[:most]

    def break_and_connect_again(self, limit):
        self.window.requeue()
        self.window.set_limit(limit)
        self.requests, self.limit = [], min(limit, SMALL["MAX_REQUEST_CLAIMS"])

    def check(self):
        assert self.results == [*range(1, len(self.results) + 1)]
        unsent = self.put_claims - len(self.results) - sum(map(len, self.requests))
        assert self.window.full == (unsent >= SMALL["MAX_PENDING_CLAIMS"])
        assert self.window.all_sent == (not unsent)
        assert self.window.all_answered == (len(self.results) == self.put_claims)
        assert self.window.awaits_answer == bool(self.requests)


@settings(max_examples=200)
@given(STEPS)
def test_every_claim_has_exactly_one_result_in_order(steps):
    with patch.multiple(module, **SMALL):
        model = Model()
        for name, *arguments in chain(*steps):
            getattr(model, name)(*arguments)
            model.check()
        while not model.window.all_answered:
            model.send(5)
            model.answer(5)
            model.check()


def test_after_a_break_little_is_sent_and_less_after_each_break_without_an_answer():
    window = VerifyWindow()
    window.put(Claims("log:", [Claim(n, "lobby", "ann", b"") for n in range(1, 100_001)]))
    sizes = []
    for _ in range(13):
        in_flight = [len(request.claims) for request in iter(window.next_request, None)]
        assert len(in_flight) <= module.WINDOW_REQUESTS
        sizes.append(sum(in_flight))
        window.requeue()
    assert sizes == [64_000, 1000, 500, 250, 125, 62, 31, 15, 7, 3, 1, 1, 1]
    window.next_request()
    window.take_answer(1, [])
    window.requeue()
    assert len(window.next_request().claims) == 1


@pytest.mark.parametrize(("count", "index"), [(2, 0), (4, 0), (3, 3), (3, -1)])
def test_an_answer_that_does_not_fit_is_refused(count, index):
    window = VerifyWindow()
    window.put(Claims("log:", [Claim(n, "lobby", "ann", b"") for n in range(3)]))
    with pytest.raises(IncompatibleServer, match="without a request"):
        window.take_answer(0, [])
    window.next_request()
    with pytest.raises(IncompatibleServer, match="does not fit"):
        window.take_answer(count, [Fault(index, 1, FaultKind.MISSING)])


@pytest.mark.parametrize("faults", [[(0, 7)], [(0, 0), (0, 0)], [(1, 1), (0, 0)]])
def test_faults_of_other_sequences_doubled_ones_and_those_out_of_order_are_refused(faults):
    window = VerifyWindow()
    window.put(Claims("log:", [Claim(n, "lobby", "ann", b"") for n in range(3)]))
    window.next_request()
    with pytest.raises(IncompatibleServer, match="does not fit"):
        window.take_answer(3, [Fault(index, sequence, FaultKind.MISSING) for index, sequence in faults])
