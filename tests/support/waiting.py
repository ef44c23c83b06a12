"""Waiting for what has to happen sooner or later, and signals to processes that may end at any time."""

import asyncio
import time

TIMEOUT_SECONDS = 30  # seconds until a wait is taken for a hang; no test measures time


def until(condition):
    """Wait for a condition to hold; what it gives comes back."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
    return found


POLL_SECONDS = 0.005


async def until_async(condition, description="a condition"):
    """Wait for a condition to hold and return its value. Raises AssertionError, which names what it waited for."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + TIMEOUT_SECONDS
    while not (found := condition()):
        assert clock() < deadline, f"waited {TIMEOUT_SECONDS} s in vain for {description}"
        await asyncio.sleep(POLL_SECONDS)
    return found
