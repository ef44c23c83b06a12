"""A signal may arrive while the handler of another one runs."""

import asyncio
import signal
import sys
import threading

import pytest

from chatctl.cli.streams import signals
from chatctl.server.stop_signals import StopSignals

STEPS = range(1, 120)  # more than a handler has


@pytest.fixture(autouse=True)
def _own_handlers(monkeypatch):
    monkeypatch.setattr(signals.ending, "begin", lambda number: None)
    monkeypatch.setattr(threading.Timer, "start", lambda timer: None)
    numbers = (*signals.STOP_SIGNALS, signal.SIGQUIT)
    handlers = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, handlers, strict=True):
        signal.signal(number, handler)


def raise_two_signals(handler, step):
    """Raise SIGTERM, and once more before a step of its handler, counted from 1; or after it, if it has fewer steps."""
    left = step

    def trace(frame, event, argument):
        nonlocal left
        if frame.f_code is not handler.__code__:
            return None
        frame.f_trace_opcodes = True
        left -= event == "opcode"
        if not left:
            left = -1
            sys.settrace(None)
            signal.raise_signal(signal.SIGTERM)
        return trace

    sys.settrace(trace)
    try:
        signal.raise_signal(signal.SIGTERM)
    finally:
        sys.settrace(None)
    if left > 0:
        signal.raise_signal(signal.SIGTERM)


async def test_a_command_handles_two_signals_at_once():
    for step in STEPS:
        calls = []
        signals.SignalHandler(lambda calls=calls: calls.append("first"), lambda calls=calls: calls.append("second"))
        raise_two_signals(signals.SignalHandler._on_signal, step)
        await asyncio.sleep(0)
        assert sorted(calls) == ["first", "second"], step


class Exited(Exception):
    """The process would have ended."""


def end():
    raise Exited


async def test_the_second_of_two_signals_at_once_ends_a_command():
    for step in STEPS:
        signals.SignalHandler(lambda: None, before_exit=end)
        with pytest.raises(Exited):
            raise_two_signals(signals.SignalHandler._on_signal, step)


async def test_a_server_handles_two_signals_at_once():
    for step in STEPS:
        handled = StopSignals(0, lambda failure: None)
        raise_two_signals(StopSignals._on_signal, step)
        await asyncio.sleep(0)
        assert handled.first.is_set(), step
        assert handled.second.is_set(), step
