"""The server: build it, run it until a signal, stop it in order."""

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
from chatctl.server.server import Server
from chatctl.store import open_log

logger = logging.getLogger(__name__)


async def serve(
    settings: ServeSettings,
    on_listening: Callable[[Sequence[str]], None],
    force_exit: Callable[[StoreFailed | None], NoReturn],
) -> None:
    """Serve until SIGTERM or SIGINT; `on_listening` is called with the addresses once it can serve.

    A second signal cuts the stopping short, and so does the end of the grace where clients do not read: the store is closed
    and `force_exit` called, with the store's failure if there was one. It is to end the process, as leaving the event loop
    would wait for those clients.

    Raises StoreOpenError, ListenError, and StoreFailed or InternalServerError if it has to stop later.
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
            "the server accepts no calls any more, and its log says why: start it again"
        ) from grpc_error


async def _stop(server: Server, log: MessageLog, signals: "_StopSignals") -> bool:
    """Stop the server, or close only the store at a second signal; whether nobody is connected any more."""
    stop = asyncio.ensure_future(server.stop())
    second_signal = asyncio.ensure_future(signals.second.wait())
    await asyncio.wait({stop, second_signal}, return_when=asyncio.FIRST_COMPLETED)
    second_signal.cancel()
    if stop.done():
        return stop.result()
    logger.warning("stopping cut short; nothing that has a receipt is lost")
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
