"""VerifyWindow: claims between their input and their results. No I/O; bounded if the caller of `put` heeds `full`."""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from chatctl.client.slow_start import SlowStart
from chatctl.model.claims import Claim, Claims, Fault
from chatctl.wire.checks import contract_error

WINDOW_REQUESTS = 64  # in flight; 64 keep a distant server busy
MAX_REQUEST_CLAIMS = 1000
RESTART_CLAIMS = 1000  # in flight after a break, at most 300 KB: a proxy may end each call after 1 MiB
RESTART_REQUESTS = 2  # that they are sent in
MAX_PENDING_CLAIMS = 2 * MAX_REQUEST_CLAIMS  # put but not sent; beyond them, `full`


class VerifyResult(NamedTuple):
    """Claims, and the faults of those that do not hold, by their index."""

    claims: Sequence[Claim]
    faults: list[Fault]


class VerifyWindow:
    """Takes claims, returns them as requests to send, takes answers, and returns the result of each in order."""

    def __init__(self) -> None:
        self._pending: deque[Claims] = deque()
        self._in_flight: deque[Claims] = deque()
        self._pending_claims = self._claims_in_flight = 0
        self._max_request_claims = MAX_REQUEST_CLAIMS
        self._slow_start = SlowStart(RESTART_CLAIMS, WINDOW_REQUESTS * MAX_REQUEST_CLAIMS)

    def set_limit(self, batch_messages: int) -> None:
        """Keep the next requests within this limit of the server."""
        self._max_request_claims = max(1, min(MAX_REQUEST_CLAIMS, batch_messages))

    def put(self, batch: Claims) -> None:
        """Take claims to verify."""
        prefix, claims = batch
        for start in range(0, len(claims), self._max_request_claims):
            self._pending.append(Claims(prefix, claims[start : start + self._max_request_claims]))
        self._pending_claims += len(claims)

    @property
    def full(self) -> bool:
        """Whether enough claims wait to be sent."""
        return self._pending_claims >= MAX_PENDING_CLAIMS

    @property
    def all_sent(self) -> bool:
        """Whether no claim waits to be sent."""
        return not self._pending

    @property
    def all_answered(self) -> bool:
        """Whether every claim that was put has its result."""
        return not self._pending and not self._claims_in_flight

    @property
    def awaits_answer(self) -> bool:
        """Whether a request is in flight."""
        return bool(self._in_flight)

    def next_request(self) -> Claims | None:
        """Return the claims of the next request, or None if there are none, or no space in the window."""
        size = self._slow_start.size
        if not self._pending or len(self._in_flight) >= WINDOW_REQUESTS or self._claims_in_flight >= size:
            return None
        prefix, claims = self._pending.popleft()
        count = min(self._max_request_claims, max(size // RESTART_REQUESTS, 1))
        if len(claims) > count:
            self._pending.appendleft(Claims(prefix, claims[count:]))
            claims = claims[:count]
        request = Claims(prefix, claims)
        self._pending_claims -= len(claims)
        self._claims_in_flight += len(claims)
        self._in_flight.append(request)
        return request

    def add_heartbeat(self) -> None:
        """Record that a request without claims was sent. It has an answer, too."""
        self._in_flight.append(Claims("", ()))

    def take_answer(self, num_messages: int, faults: list[Fault]) -> VerifyResult:
        """Return the result of the oldest request in flight. Raises IncompatibleServer if the answer does not fit it."""
        if not self._in_flight:
            raise contract_error("a response without a request")
        claims = self._in_flight[0].claims
        if num_messages != len(claims) or not _are_faults_of(claims, faults):
            raise contract_error("a response that does not fit the request")
        self._in_flight.popleft()
        self._claims_in_flight -= len(claims)
        if claims:
            self._slow_start.add_answer()
        return VerifyResult(claims, faults)

    def requeue(self) -> None:
        """After the stream broke: send again what has no answer, at first only a little of it."""
        self._slow_start.restart(self._claims_in_flight > 0)
        self._pending.extendleft(request for request in reversed(self._in_flight) if request.claims)
        self._pending_claims += self._claims_in_flight
        self._in_flight.clear()
        self._claims_in_flight = 0


def _are_faults_of(claims: Sequence[Claim], faults: list[Fault]) -> bool:
    """Return whether the faults are those of different claims, in their order."""
    last = -1
    for fault in faults:
        if not last < fault.index < len(claims) or fault.sequence != claims[fault.index].sequence:
            return False
        last = fault.index
    return True
