"""Waiting for what has to happen sooner or later."""

import asyncio

PATIENCE = 60  # seconds until a wait is taken for a hang; no test measures time
POLL_SECONDS = 0.005


async def until(condition, what):
    """Wait for a condition to hold. Raises AssertionError, which says what was waited for, if it never does."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + PATIENCE
    while not condition():
        assert clock() < deadline, f"waited {PATIENCE} s in vain for {what}"
        await asyncio.sleep(POLL_SECONDS)
