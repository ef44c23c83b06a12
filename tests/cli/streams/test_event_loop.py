"""The event loop of a command."""

import asyncio
import os
import signal

from chatctl.cli.streams import event_loop


def test_signals_wake_the_loop_no_more_when_it_closes():
    """asyncio closes the reading end first. A signal would then write to the other one, and print a traceback."""
    descriptors = []

    async def main():
        loop = asyncio.get_running_loop()
        close = loop.close
        loop.close = lambda: (descriptors.append(signal.set_wakeup_fd(-1)), close())
        return "result"

    assert event_loop.run(main()) == "result"
    assert descriptors == [-1]


def test_a_signal_wakes_a_loop_that_waits():
    async def main():
        loop, handled = asyncio.get_running_loop(), asyncio.Event()
        previous = signal.signal(signal.SIGUSR1, lambda number, frame: loop.call_soon(handled.set))
        loop.call_soon(os.kill, os.getpid(), signal.SIGUSR1)
        await handled.wait()
        signal.signal(signal.SIGUSR1, previous)
        return "woken"

    assert event_loop.run(main()) == "woken"
