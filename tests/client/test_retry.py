"""The retry loop: what is retried, what it says, and how it ends."""

import asyncio
from math import inf

import pytest

from chatctl.client import retry
from chatctl.client.call_errors import (
    BODY_LIMIT_HINT,
    NO_SERVER_HINT,
    PROXY_HINT,
    TRY_AGAIN_HINT,
    UNAVAILABLE,
    UNKNOWN,
    error_from_foreign_status,
)
from chatctl.client.retry import MAX_BACKOFF_SECONDS, MIN_CALL_TIMEOUT_SECONDS, Attempts, RetryState
from chatctl.client.watchdog import ResponseWatchdog
from chatctl.errors import (
    CursorOtherLog,
    IncompatibleServer,
    ServerStopping,
    StoreFull,
    TimedOut,
    Unavailable,
    UnexpectedStatus,
)
from tests.support.waiting import run_ready_tasks

NO_SERVER = Unavailable("no chatctl server answers at here (refused)", NO_SERVER_HINT)


@pytest.fixture
def notices():
    return []


@pytest.fixture
def state(notices):
    return RetryState("here", 5, notices.append)


def test_pauses_and_timeouts_stay_bounded_after_any_number_of_failures():
    state = RetryState("here", 0, None)
    for error in [Unavailable("gone"), TimedOut("silent")] * 2000:
        assert 0 < state.record_failure(error) <= MAX_BACKOFF_SECONDS
    assert state.call_timeout <= 30 * 2**10
    state.responded()
    assert state.call_timeout == 30


def test_an_attempt_always_has_a_timeout(state):
    assert state.attempt_timeout(0.0) == MIN_CALL_TIMEOUT_SECONDS > 0  # at the last tick; a watchdog with 0 never expires
    assert state.attempt_timeout(-1.0) == MIN_CALL_TIMEOUT_SECONDS
    assert state.attempt_timeout(1.0) == 1
    assert state.attempt_timeout(inf) == state.call_timeout


def test_a_notice_and_the_final_error_have_the_hint(state, notices):
    state.record_failure(NO_SERVER)
    state.record_failure(NO_SERVER)
    assert notices == [f"{NO_SERVER.message}: {NO_SERVER_HINT}; trying again for up to 5 s"]
    error = state.final_error()
    assert (type(error), error.message) == (Unavailable, f"{NO_SERVER.message}; gave up after 5 s")
    assert error.hint == f"{NO_SERVER_HINT}, or wait longer with --timeout"
    state.recovered()
    assert notices[1:] == ["here answers again"]


@pytest.mark.parametrize("see_server", [RetryState.found_server, RetryState.responded, RetryState.made_progress])
async def test_after_a_server_was_seen_there_is_no_hint_to_start_one(state, notices, see_server):
    see_server(state)
    state.record_failure(NO_SERVER)
    await run_ready_tasks()
    assert notices == [f"{NO_SERVER.message}; trying again for up to 5 s"]
    assert str(state.final_error()) == f"{NO_SERVER.message}; gave up after 5 s: wait longer with --timeout"


def test_a_hint_of_the_server_stays_in_the_notice_and_the_final_error(state, notices):
    state.responded()
    state.record_failure(StoreFull("no space left", "free space on its disk"))
    assert notices == ["no space left: free space on its disk; trying again for up to 5 s"]
    assert str(state.final_error()) == (
        "no space left; gave up after 5 s: free space on its disk, or wait longer with --timeout"
    )


RESET = ("here", UNAVAILABLE, "RST_STREAM (Received RST_STREAM with error code 2)")


async def test_a_call_that_is_reset_again_and_again_may_be_too_large_for_a_proxy(state, notices):
    state.responded()
    error = error_from_foreign_status(*RESET, responded=True, streamed=True)
    state.record_failure(error)
    await run_ready_tasks()
    assert notices == [f"{error.message}; trying again for up to 5 s"]  # less at once goes through
    assert BODY_LIMIT_HINT in state.final_error().hint
    assert error_from_foreign_status(*RESET, responded=True).hint == ""


def test_a_body_that_a_proxy_refuses_is_transient_and_named():
    refused = error_from_foreign_status("here", UNKNOWN, "Received http2 header with status: 413", responded=False)
    assert (type(refused), refused.hint) == (Unavailable, BODY_LIMIT_HINT)


@pytest.mark.parametrize("code", [UNKNOWN, UNAVAILABLE])
def test_a_proxy_without_a_server_is_named(code):
    error = error_from_foreign_status("here", code, "Received http2 header with status: 502", responded=False)
    assert (type(error), error.hint) == (Unavailable, PROXY_HINT)


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (ServerStopping("the server is stopping", "reconnect, send again what has no receipt"), "here is stopping"),
        (Unavailable("here stopped during the call", TRY_AGAIN_HINT), "here stopped during the call"),
    ],
)
def test_a_notice_has_no_hint_to_do_what_the_client_does(state, notices, error, what):
    state.record_failure(error)
    assert notices == [f"{what}; trying again for up to 5 s"]


def test_without_a_timeout_there_is_no_hint_to_wait_longer(notices):
    state = RetryState("here", 0, notices.append)
    state.record_failure(NO_SERVER)
    assert notices == [f"{NO_SERVER.message}: {NO_SERVER_HINT}; trying again until it answers"]
    assert str(state.final_error()) == f"{NO_SERVER.message}; gave up: {NO_SERVER_HINT}"


@pytest.mark.parametrize("error", [StoreFull("no space"), ServerStopping("stopping"), TimedOut("silent")])
async def test_the_final_error_keeps_its_type(state, error):
    state.responded()
    state.record_failure(error)
    assert type(state.final_error()) is type(error)
    assert "--timeout" in state.final_error().hint


def test_another_server_in_the_place_of_a_chatctl_server_is_retried_and_ends_as_unavailable(state):
    other = UnexpectedStatus("here is not a chatctl server", 12)
    assert not state.can_retry(other)
    state.responded()
    assert state.can_retry(other)
    state.record_failure(other)
    assert type(state.final_error()) is Unavailable
    assert state.final_error().message == "here is not a chatctl server; gave up after 5 s"


def test_errors_that_another_call_does_not_change_are_not_retried(state):
    state.responded()
    for error in (CursorOtherLog("another"), IncompatibleServer("newer"), ValueError("a bug"), None):
        assert not state.can_retry(error)


BREAKS = [Unavailable("the connection to here broke"), ServerStopping("stopping"), NO_SERVER]


@pytest.mark.parametrize("ends", [RetryState.recovered, RetryState.close])
async def test_a_break_that_is_over_within_a_second_is_not_reported(state, notices, monkeypatch, ends):
    monkeypatch.setattr(retry, "BRIEF_SECONDS", 3600)
    state.made_progress()
    for error in BREAKS:
        state.record_failure(error)
    timer = state._notice_timer
    assert timer.when() - asyncio.get_running_loop().time() > 3000
    ends(state)
    assert timer.cancelled()
    assert notices == []


async def test_a_break_that_lasts_is_reported_with_its_cause_and_its_end(state, notices):
    for _ in range(2):
        state.made_progress()
        for error in BREAKS:
            state.record_failure(error)
        await run_ready_tasks()
        state.recovered()
    assert notices == ["the connection to here broke; trying again for up to 5 s", "here answers again"] * 2


async def test_other_errors_of_a_server_are_reported_at_once(state, notices, monkeypatch):
    monkeypatch.setattr(retry, "BRIEF_SECONDS", 3600)
    state.made_progress()
    state.record_failure(StoreFull("no space left"))
    assert notices == ["no space left; trying again for up to 5 s"]


async def run(attempts, error):
    """Fail every attempt."""
    async for attempt in attempts:
        with attempt:
            raise error


async def test_it_tries_until_an_attempt_succeeds(notices):
    state, watchdog = RetryState("here", 0, notices.append), ResponseWatchdog(0, lambda: None)
    count = 0
    async for attempt in Attempts(state, watchdog):
        with attempt:
            count += 1
            if count < 3:
                raise Unavailable("gone")
            state.recovered()
    watchdog.close()
    assert count == 3
    assert notices == ["gone; trying again until it answers", "here answers again"]


async def test_an_error_that_is_not_retried_leaves_the_loop():
    state, watchdog = RetryState("here", 0, None), ResponseWatchdog(0, lambda: None)
    with pytest.raises(CursorOtherLog):
        await run(Attempts(state, watchdog), CursorOtherLog("another"))
    watchdog.close()


async def test_it_ends_with_the_final_error_once_it_is_over():
    state, watchdog = RetryState("here", 0, None), ResponseWatchdog(0, lambda: None)
    over = iter([False, True])
    with pytest.raises(Unavailable, match="gone; gave up"):
        await run(Attempts(state, watchdog, over.__next__), Unavailable("gone"))
    watchdog.close()
    assert not list(over)


async def test_a_cancellation_at_the_moment_of_a_failure_is_not_lost():
    state, watchdog = RetryState("here", 0, None), ResponseWatchdog(0, lambda: None)

    async def fail_when_cancelled():
        async for attempt in Attempts(state, watchdog):
            with attempt:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    raise TimedOut("silent") from None

    task = asyncio.create_task(fail_when_cancelled())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    watchdog.close()
