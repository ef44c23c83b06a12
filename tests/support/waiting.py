"""Waiting for a condition, with one time limit for all tests."""

import asyncio
import time

TIMEOUT_SECONDS = 30  # after which a wait counts as a hang; no test measures time
POLL_SECONDS = 0.005


def until(condition):
    """Wait for a condition to hold, and return its value. Raises AssertionError."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, f"the condition did not hold within {TIMEOUT_SECONDS} s"
        time.sleep(POLL_SECONDS)
    return found


async def until_async(condition, description="the condition", seconds=TIMEOUT_SECONDS):
    """Wait for a condition to hold, and return its value. Raises AssertionError with a description (text or function)."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + seconds
    while not (found := condition()):
        if clock() >= deadline:
            text = description() if callable(description) else description
            raise AssertionError(f"waited {seconds} s in vain for {text}")
        await asyncio.sleep(POLL_SECONDS)
    return found


async def run_ready_tasks():
    """Let the other tasks run until each of them waits for something from outside the event loop."""
    for _ in range(100):
        await asyncio.sleep(0)
