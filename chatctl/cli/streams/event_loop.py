"""The event loop of a command."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

from chatctl.cli.streams import orphans

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a command in an event loop that wakes for every signal, and return its result."""

    async def run_woken() -> T:
        # A signal that arrives just before the loop waits would be noticed only when something else wakes it. A loop
        # that has a handler of its own, here one that does nothing, also wakes for those of `signal.signal`:
        # https://docs.python.org/3/library/signal.html#signal.set_wakeup_fd
        asyncio.get_running_loop().add_signal_handler(signal.SIGURG, lambda: None)
        if orphans.are_adopted():
            asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, orphans.reap)
        try:
            return await main
        finally:
            # asyncio closes the reading end of the wakeup descriptor before it forgets the writing end. A signal between
            # the two would print BrokenPipeError.
            signal.set_wakeup_fd(-1)

    return asyncio.run(run_woken())
