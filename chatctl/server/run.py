"""Run a server until a signal or a failure, and stop it in order."""

import asyncio
import logging
import signal
from collections.abc import Callable, Sequence
from typing import NoReturn

from chatctl.config.settings import ServeSettings
from chatctl.core.message_log import MessageLog
from chatctl.errors import InternalServerError, StoreFailed
from chatctl.server.listen import require_loopback
from chatctl.server.log_rate_limit import LogRateLimiter
from chatctl.server.server import LOGGER_NAME, Server
from chatctl.store import open_log

logger = logging.getLogger(LOGGER_NAME)


async def serve(
    settings: ServeSettings,
    on_listening: Callable[[Sequence[str]], None],
    force_exit: Callable[[StoreFailed | None], NoReturn],
) -> None:
    """Serve until SIGTERM or SIGINT. Calls `on_listening` with the addresses once the server accepts calls.

    A second signal ends stopping at once, and so does the end of the grace period if clients do not read. Then the store
    is closed and `force_exit` called, with the store's failure if there was one. It must end the process: the event loop
    would wait for those clients before it closes.

    Raises StoreOpenError and ListenError at the start, StoreFailed and InternalServerError later.
    """
    require_loopback(settings)
    for handler in logging.getLogger().handlers:
        handler.addFilter(LogRateLimiter())
    log = await open_log(settings.store)
    try:
        server = Server(log, settings)
        signals = _StopSignals()
        addresses = await server.start()
    except BaseException:
        await log.close()
        raise
    logger.info("serving log %s in %s", log.id, settings.store)
    on_listening(addresses)
    termination = asyncio.ensure_future(server.wait_for_termination())
    for stop_reason in (log.failure, termination):
        stop_reason.add_done_callback(lambda _: signals.first.set())
    await signals.first.wait()
    grpc_error = termination.exception() if termination.done() else None
    if not await _stop(server, log, signals):
        force_exit(log.failure.result() if log.failure.done() else None)
    if log.failure.done():
        raise log.failure.result()
    if grpc_error:
        raise InternalServerError(
            "the server no longer accepts calls", "see its log for the cause, then start it again"
        ) from grpc_error


async def _stop(server: Server, log: MessageLog, signals: "_StopSignals") -> bool:
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


class _StopSignals:
    """The first and the second SIGTERM or SIGINT."""

    def __init__(self) -> None:
        self._num_signals = 0
        self.first = asyncio.Event()
        self.second = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal)

    def _on_signal(self) -> None:
        self._num_signals += 1
        (self.second if self._num_signals > 1 else self.first).set()
