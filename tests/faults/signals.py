"""Signals to processes that may end at any time."""

import contextlib
import os


def send_signal(process, number):
    """Send a signal to an asyncio process, if it is running.

    The process's own `send_signal` polls its exit code, which asyncio then cannot find out any more.
    """
    if process and process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)
