"""The processes of a trial end with it, whatever state they are in."""

import asyncio
from types import SimpleNamespace

from tests.faults.follower_processes import RestartedFollower
from tests.support.waiting import TIMEOUT_SECONDS, until_async

LINE = '{"sequence": 1, "room": "lobby", "user": "ann", "time": "2026-01-01T00:00:00Z", "text": "hello"}'


async def test_a_follower_whose_output_is_not_read_can_be_cancelled(tmp_path):
    check = SimpleNamespace(name="follower", rooms=(), add=lambda *_: None, allow_repeat=lambda: None)
    follower = RestartedFollower("unused:1", tmp_path / "cursor", check, "1s")
    follower._command = ("yes", LINE)
    follower.may_read.clear()
    task = asyncio.create_task(follower.run())
    await until_async(lambda: follower.is_at_work)
    task.cancel()
    async with asyncio.timeout(TIMEOUT_SECONDS):
        await asyncio.wait({task})
    assert not follower.is_running
