"""Waiting for what has to happen sooner or later, and signals to processes that may end at any time."""

import asyncio
import contextlib
import os

TIMEOUT_SECONDS = 30  # seconds until a wait is taken for a hang; no test measures time
POLL_SECONDS = 0.005


async def until_async(condition, description):
    """Wait for a condition to hold. Raises AssertionError, which says what was waited for, if it never does."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + TIMEOUT_SECONDS
    while not condition():
        assert clock() < deadline, f"waited {TIMEOUT_SECONDS} s in vain for {description}"
        await asyncio.sleep(POLL_SECONDS)


def send_signal(process, number):
    """Send a signal to an asyncio process, if it is running.

    Its own `send_signal` looks whether it has ended, and then asyncio cannot find out any more with which code.
    """
    if process and process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)
