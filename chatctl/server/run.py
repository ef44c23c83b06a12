"""Run a server until a signal or a failure, and stop it in order."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import NoReturn

from chatctl.config.settings import ServeSettings
from chatctl.core.message_log import MessageLog
from chatctl.errors import InternalServerError, StoreFailed
from chatctl.server.listen import require_loopback
from chatctl.server.log_rate_limit import LogRateLimiter
from chatctl.server.server import LOGGER_NAME, Server
from chatctl.server.stop_signals import StopSignals
from chatctl.store import open_log

logger = logging.getLogger(LOGGER_NAME)

FORCE_EXIT_SECONDS = 0.7  # after the grace period: the process then ends in any case


async def serve(
    settings: ServeSettings,
    on_listening: Callable[[Sequence[str]], None],
    force_exit: Callable[[StoreFailed | None], NoReturn],
) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP. Calls `on_listening` with the addresses once the server accepts calls.

    A second signal ends stopping at once, and so does the end of the grace period if clients do not read. Then the store
    is closed and `force_exit` called, with the store's failure if there was one. It must end the process: the event loop
    would wait for those clients before it closes. A thread calls it if stopping hangs, for example at a disk.

    Raises StoreOpenError and ListenError at the start, StoreFailed and InternalServerError later.
    """
    require_loopback(settings)
    for handler in logging.getLogger().handlers:
        handler.addFilter(LogRateLimiter())
    signals = StopSignals(settings.grace_seconds + FORCE_EXIT_SECONDS, force_exit)
    server = Server(settings)
    try:
        addresses = server.bind()  # before the store: an address that is in use must not leave a new store behind
        log = await _open_log(settings, signals)
    except BaseException:
        await server.abandon()
        raise
    signals.log_failure = log.failure

    def on_serving() -> None:
        logger.info("serving log %s in %s", log.id, settings.store)
        on_listening(addresses)

    await _serve_log(server, log, signals, on_serving)


async def _serve_log(server: Server, log: MessageLog, signals: StopSignals, on_serving: Callable[[], None]) -> None:
    """Serve a log until a signal or a failure, then stop. Raises StoreFailed and InternalServerError."""
    try:
        await server.start(log)
    except BaseException:
        await log.close()
        raise
    on_serving()
    termination = asyncio.ensure_future(server.wait_for_termination())
    for stop_reason in (log.failure, termination):
        stop_reason.add_done_callback(lambda _: signals.first.set())
    await signals.first.wait()
    grpc_error = termination.exception() if termination.done() else None
    if not await _stop(server, log, signals):
        signals.force_exit(log.failure.result() if log.failure.done() else None)
    if log.failure.done():
        raise log.failure.result()
    if grpc_error:
        raise InternalServerError(
            "the server no longer accepts calls", "see its log for the cause, then start it again"
        ) from grpc_error


async def _open_log(settings: ServeSettings, signals: StopSignals) -> MessageLog:
    """Open the log. The check of a large store takes long: a signal meanwhile ends the process, which loses nothing."""
    opening = asyncio.ensure_future(open_log(settings.store, settings.allow_shared_store))
    signal = asyncio.ensure_future(signals.first.wait())
    await asyncio.wait({opening, signal}, return_when=asyncio.FIRST_COMPLETED)
    signal.cancel()
    if not opening.done():
        signals.force_exit(None)
    return opening.result()


async def _stop(server: Server, log: MessageLog, signals: StopSignals) -> bool:
    """Stop the server, or at a second signal only close the store. Returns True if no client is connected any more."""
    stop = asyncio.ensure_future(server.stop())
    second_signal = asyncio.ensure_future(signals.second.wait())
    await asyncio.wait({stop, second_signal}, return_when=asyncio.FIRST_COMPLETED)
    second_signal.cancel()
    if stop.done():
        return stop.result()
    logger.warning("stopped early by a second signal; every message with a receipt is stored")
    stop.cancel()
    await log.close()
    return False
