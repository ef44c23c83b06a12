"""The faults. Each is an async function of a trial, which injects its fault at once and ends it before it returns."""

import asyncio
import resource
import signal
from typing import TYPE_CHECKING

from tests.support.waiting import until_async

if TYPE_CHECKING:
    from tests.faults.trial import Trial

SHORT_SECONDS = 0.5  # the longest duration of a short fault
LONG_SECONDS = 3.0  # longer than the timeout of the senders in a trial
STORE_FAILED = 79  # the server's exit code then
MIN_REFUSALS = 5  # after which a full disk has space again


async def kill_server(trial: "Trial"):
    trial.supervisor.kill()


async def stop_server(trial: "Trial"):
    """Stop the server gracefully, as an upgrade does; the supervisor starts the next one."""
    starts = trial.supervisor.starts
    await trial.supervisor.wait_ready()
    trial.supervisor.stop()
    await until_async(lambda: trial.supervisor.starts > starts, "the server to stop in order")


async def kill_sender(trial: "Trial"):
    trial.rng.choice(trial.send_processes).signal(signal.SIGKILL)


async def _pause(trial: "Trial", target, seconds):
    target.signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        target.signal(signal.SIGCONT)


async def freeze_server(trial: "Trial"):
    await _pause(trial, trial.supervisor, trial.rng.random() * SHORT_SECONDS)


async def freeze_server_long(trial: "Trial"):
    await _pause(trial, trial.supervisor, LONG_SECONDS)


async def kill_frozen_server(trial: "Trial"):
    """Kill a stopped server: data that it has not read is lost."""
    trial.supervisor.signal(signal.SIGSTOP)
    await asyncio.sleep(trial.rng.random() * SHORT_SECONDS)
    trial.supervisor.kill()


async def freeze_sender(trial: "Trial"):
    await _pause(trial, trial.rng.choice(trial.send_processes), trial.rng.random() * SHORT_SECONDS)


async def _end_follower(trial: "Trial", number, stall_seconds=0.0):
    """Send a signal to a follower process that is at work, after its output was not read for `stall_seconds`."""
    follower = trial.rng.choice(trial.follower_processes)
    await until_async(
        lambda: follower.is_at_work or (trial.is_done and follower.is_running), "a follower to print something"
    )
    ends = follower.exit_codes.total()
    if stall_seconds:
        follower.may_read.clear()
    try:
        await asyncio.sleep(stall_seconds)
        follower.signal(number)
    finally:
        follower.may_read.set()
    await until_async(lambda: follower.exit_codes.total() > ends, "the follower to end")


async def kill_follower(trial: "Trial"):
    """Kill a follower, mostly in the middle of a page, because its pipe is full."""
    await _end_follower(trial, signal.SIGKILL, trial.rng.random() * SHORT_SECONDS)


async def stop_follower(trial: "Trial"):
    await _end_follower(trial, signal.SIGTERM)


async def freeze_follower(trial: "Trial"):
    await _pause(trial, trial.rng.choice(trial.follower_processes), trial.rng.random() * SHORT_SECONDS)


async def cut(trial: "Trial"):
    trial.proxy.cut()


async def half_close(trial: "Trial"):
    """End one direction of every connection, and later the other one, without which a side would wait forever."""
    trial.proxy.half_close(trial.rng.choice(("client", "server")))
    await asyncio.sleep(trial.rng.random() * SHORT_SECONDS)
    trial.proxy.cut()


async def restart_proxy(trial: "Trial"):
    """Reset all connections through the strict proxy, and refuse new ones until it runs again."""
    await trial.strict_proxy.restart()


async def delay(trial: "Trial"):
    trial.proxy.delay = trial.rng.random() * 0.2
    try:
        await asyncio.sleep(trial.rng.random() * SHORT_SECONDS)
    finally:
        trial.proxy.delay = 0.0


async def _blackhole(trial: "Trial", seconds):
    trial.proxy.hold()
    try:
        await asyncio.sleep(seconds)
        if trial.rng.random() < 0.5:
            trial.proxy.cut()
    finally:
        trial.proxy.release()


async def blackhole(trial: "Trial"):
    await _blackhole(trial, trial.rng.random() * SHORT_SECONDS)


async def blackhole_long(trial: "Trial"):
    await _blackhole(trial, LONG_SECONDS)


async def fail_write(trial: "Trial"):
    """Make a write of the server fail: its store has failed for good, and it ends with exit code 79."""
    fail = trial.directory / "fail"
    await _restart_with_fault(trial, FAULT_FAIL=str(fail))
    ends = trial.supervisor.exit_codes[STORE_FAILED]
    trial.supervisor.expect(STORE_FAILED)
    fail.touch()
    try:
        await until_async(
            lambda: trial.supervisor.exit_codes[STORE_FAILED] > ends or trial.is_done, "the server to give up its store"
        )
    finally:
        trial.supervisor.kill()  # if it had nothing to write
        fail.unlink()


async def limit_size(trial: "Trial"):
    """Limit the size of the server's files to at most their present one, until a sender has had an error from it."""
    await trial.supervisor.wait_ready()
    pid, refusals = trial.supervisor.pid, trial.refusals
    wal = trial.supervisor.store.with_name(trial.supervisor.store.name + "-wal")
    size = wal.stat().st_size if wal.exists() else 0
    _, hard_limit = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (int(size * trial.rng.random()), hard_limit))
    try:
        await until_async(lambda: trial.refusals > refusals or trial.is_done, "an error from the limit")
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard_limit, hard_limit))


async def fill_disk(trial: "Trial"):
    """Restart the server on a disk that is full at random commits, until senders have had errors from it."""
    full, wanted_refusals = trial.directory / "full", trial.refusals + MIN_REFUSALS
    await _restart_with_fault(trial, FAULT_FULL=str(full))
    full.touch()
    try:
        await until_async(lambda: trial.refusals >= wanted_refusals or trial.is_done, "an error from the full disk")
    finally:
        full.unlink()


async def set_clock_back(trial: "Trial"):
    await _restart_with_fault(trial, FAULT_CLOCK=str(-trial.rng.randrange(1, 100_000)))


async def _restart_with_fault(trial: "Trial", **fault_environment):
    """Kill the server, and start the next one with a fault from faulty_server.py."""
    starts = trial.supervisor.starts
    trial.supervisor.next_environment = fault_environment
    trial.supervisor.kill()
    await until_async(lambda: trial.supervisor.starts > starts, "another server")
    await trial.supervisor.wait_ready()
