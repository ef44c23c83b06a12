"""The server: build it, run it until a signal, stop it in order."""

import asyncio
import logging
import signal
import socket
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from chatctl import config
from chatctl.chat import Chat
from chatctl.config import ServeSettings
from chatctl.errors import InternalServerError, ListenError, StoreFailed
from chatctl.log import MessageLog
from chatctl.server.interceptors import ErrorInterceptor
from chatctl.server.log_bound import LogRateLimiter
from chatctl.server.service import ChatService
from chatctl.server.streams import StreamRegistry, stopping_error
from chatctl.server.tutorial import TutorialService
from chatctl.server.unknown import create_server
from chatctl.store import open_log
from chatctl.tutorial import chat_pb2 as tutorial_pb2
from chatctl.tutorial import chat_pb2_grpc as tutorial_pb2_grpc
from chatctl.v1 import chat_pb2, chat_pb2_grpc

logger = logging.getLogger(__name__)

SERVICES = (
    chat_pb2.DESCRIPTOR.services_by_name["ChatService"].full_name,
    tutorial_pb2.DESCRIPTOR.services_by_name["ChatService"].full_name,
)
TUTORIAL_WITHOUT_PACKAGE = "ChatService"  # the tutorial's text prints no package
SERVER_OPTIONS = (
    ("grpc.so_reuseport", 0),  # on by default: a second server on a taken port would start, and take half the clients
    ("grpc.keepalive_time_ms", 60_000),  # dead followers go within 80 s; the default is 2 h
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.ping_timeout_ms", 20_000),  # without it gRPC waits a minute, whatever the line above says
    ("grpc.http2.min_ping_interval_without_data_ms", 30_000),
    ("grpc.server_handshake_timeout_ms", 20_000),  # whoever connects and says nothing goes; the default is 2 minutes
    # A flood of calls makes others wait. Beyond 1,000 to 3,000 it would by default have them cancelled, at random.
    ("grpc.server.max_pending_requests", 50_000),
    ("grpc.server.max_pending_requests_hard_limit", 50_000),
)
CANCEL_SHARE, CANCEL_SECONDS = 0.2, 0.1  # of the grace, and besides: for calls to end that have been cut short
EXTRA_STREAMS = 1000  # on one connection, beyond the limit: to say that it is reached, and for calls that do not count


class HealthService(health.aio.HealthServicer):
    """grpc.health.v1, whose watchers let go when the server stops: otherwise stopping waits for them."""

    def __init__(self, streams: StreamRegistry) -> None:
        super().__init__()
        self._streams = streams

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Any) -> None:
        """See the health proto."""
        with self._streams.open(counted=False) as wakeup:
            health_watch = asyncio.ensure_future(super().Watch(request, context))
            stop_wait = asyncio.ensure_future(wakeup.wait())
            try:
                await asyncio.wait({health_watch, stop_wait}, return_when=asyncio.FIRST_COMPLETED)
                if not health_watch.done():
                    raise stopping_error()
                await health_watch
            finally:
                health_watch.cancel()
                stop_wait.cancel()


class Server:
    """A server that can be started once and stopped once."""

    def __init__(self, log: MessageLog, settings: ServeSettings) -> None:
        """Serves the log, and closes it in `stop`."""
        self._log = log
        self._settings = settings
        self._interceptor = ErrorInterceptor()
        self._streams = StreamRegistry(settings.limits.streams)
        self._health = HealthService(self._streams)
        stream_limit = ("grpc.max_concurrent_streams", settings.limits.streams + EXTRA_STREAMS)
        self._server = create_server((self._interceptor,), (*SERVER_OPTIONS, stream_limit))
        self._chat = chat = Chat(log, settings.limits)
        chat_pb2_grpc.add_ChatServiceServicer_to_server(ChatService(chat, self._streams), self._server)
        tutorial = TutorialService(chat, self._streams)
        tutorial_pb2_grpc.add_ChatServiceServicer_to_server(tutorial, self._server)
        self._server.add_registered_method_handlers(TUTORIAL_WITHOUT_PACKAGE, _tutorial_handlers(tutorial))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)

    async def start(self) -> list[str]:
        """Serve; the addresses, with real ports, come back. Raises ListenError."""
        await self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)
        addresses = [self._bind(listen) for listen in self._settings.listen]
        await self._server.start()
        await self._set_health(health_pb2.HealthCheckResponse.SERVING)
        return addresses

    async def _set_health(self, status: Any) -> None:
        for service in ("", *SERVICES):
            await self._health.set(service, status)

    def _bind(self, listen: str) -> str:
        if listen.startswith("unix:"):
            remove_stale_socket(Path(listen.removeprefix("unix:")))
        try:
            port = self._server.add_insecure_port(listen)
        except RuntimeError as error:
            raise ListenError(
                f"cannot listen on {listen}: it is taken, or not an address of this machine; "
                "stop what listens there, or choose another with --listen (port 0 takes a free one)"
            ) from error
        return listen if listen.startswith("unix:") else f"{listen.rpartition(':')[0]}:{port}"

    async def wait_for_termination(self) -> None:
        """Return once no calls are accepted any more, be it for `stop` or for a fault in gRPC, which is raised."""
        await self._server.wait_for_termination()

    async def stop(self) -> bool:
        """Say so, let go of the streams, give calls the grace to end, wait for their handlers, close the store.

        False if clients still hold their connections: whoever does not read can do so for 20 s, and gRPC waits for them.
        """
        logger.info("stopping")
        try:
            # Bounded: a health watcher that does not read holds its lock.
            await asyncio.wait_for(self._health.enter_graceful_shutdown(), 1)
        except TimeoutError:
            logger.warning("a health watcher does not read")
        self._streams.stop()
        self._chat.feeds.shut_down()
        grace = self._settings.grace_seconds
        server_stop = asyncio.ensure_future(self._server.stop(grace * (1 - CANCEL_SHARE)))
        await asyncio.wait({server_stop}, timeout=grace + CANCEL_SECONDS)
        if self._interceptor.handler_tasks:
            # gRPC's stop() returns before the handlers have ended.
            await asyncio.wait(self._interceptor.handler_tasks, timeout=CANCEL_SHARE * grace + CANCEL_SECONDS)
        await self._log.close()
        logger.info("stopped")
        return server_stop.done()


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


def require_loopback(settings: ServeSettings) -> None:
    """Raise ListenError if others could reach the server and nobody has said that they may."""
    for listen in settings.listen:
        if not settings.insecure and not config.is_loopback(listen):
            raise ListenError(
                f"refusing to listen on {listen}: everybody who reaches it could read and write, unencrypted; "
                "listen on 127.0.0.1 or unix:PATH, or say --insecure if the network is yours alone"
            )


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


def _tutorial_handlers(tutorial: TutorialService) -> dict[str, Any]:
    """The tutorial's methods, for /ChatService/..., which reflection does not list."""
    handlers = {}
    for method in tutorial_pb2.DESCRIPTOR.services_by_name["ChatService"].methods:
        kind = f"{'stream' if method.client_streaming else 'unary'}_{'stream' if method.server_streaming else 'unary'}"
        request = getattr(tutorial_pb2, method.input_type.name)
        reply = getattr(tutorial_pb2, method.output_type.name)
        make = getattr(grpc, f"{kind}_rpc_method_handler")
        handlers[method.name] = make(getattr(tutorial, method.name), request.FromString, reply.SerializeToString)
    return handlers


def remove_stale_socket(path: Path) -> None:
    """Make sure that nobody listens at the path: gRPC would take it over, and the first to stop would delete it."""
    try:
        mode = path.stat().st_mode
    except OSError:
        if not path.parent.is_dir():
            raise ListenError(f"cannot listen on unix:{path}: there is no directory {path.parent}") from None
        return
    if not stat.S_ISSOCK(mode):
        raise ListenError(f"cannot listen on unix:{path}: there is a file that is no socket")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)  # left behind by a server that was killed
            return
        except OSError as error:
            raise ListenError(f"cannot listen on unix:{path}: {error.strerror}") from error
    raise ListenError(f"cannot listen on unix:{path}: another server does; stop it, or choose another path")
