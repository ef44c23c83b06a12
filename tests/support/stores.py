"""Store files for tests: filled, rejected, or left by a killed process."""

import asyncio
import os
import signal
import subprocess
import sys
from textwrap import dedent, indent

import pytest

from chatctl.errors import StoreOpenError
from chatctl.store import open_log
from tests.support.logs import batch, run_on_log
from tests.support.waiting import TIMEOUT_SECONDS

_KILLED_PROGRAM = """
import asyncio, os, signal, sys
from chatctl.store import open_log
from chatctl.store.sqlite import schema
from chatctl.store.sqlite.file import StoreFile
from tests.support.logs import batch

async def run():
{setup}
    log = await open_log(sys.argv[1])
{body}
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(run())
"""


def open_error(path):
    """Open a store that must be rejected, and return the error text, which names the file."""

    async def attempt():
        await (await open_log(f"sqlite:{path}")).close()

    with pytest.raises(StoreOpenError) as error:
        asyncio.run(attempt())
    assert str(path) in str(error.value)
    return str(error.value)


def filled_store(path, megabytes=0):
    """Make a store with messages, all of them in its main file, and return its path."""

    async def fill(log):
        await log.append(batch("hello", "world"))
        for n in range(megabytes * 16):
            await log.append(batch(*["x" * 100] * 640, number=10 + 640 * n))

    run_on_log(f"sqlite:{path}", fill)
    assert not path.with_name("chat.db-wal").exists()
    return path


def run_killed(path, body="", setup=""):
    """Run statements on the log in a process that is killed after them, if not before. Return its stdout."""
    program = _KILLED_PROGRAM.format(
        **{name: indent(dedent(part), "    ") for name, part in (("body", body), ("setup", setup))}
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", program, f"sqlite:{path}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return done.stdout
