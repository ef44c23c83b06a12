"""Waiting for what has to happen sooner or later, and signals to processes that may end at any time."""

import contextlib
import os


def send_signal(process, number):
    """Send a signal to an asyncio process, if it is running.

    Its own `send_signal` looks whether it has ended, and then asyncio cannot find out any more with which code.
    """
    if process and process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)
