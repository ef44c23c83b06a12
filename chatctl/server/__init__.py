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
from chatctl.errors import ListenRefused, ServerFault, StoreFailed
from chatctl.log import MessageLog
from chatctl.server.interceptors import Guard
from chatctl.server.log_bound import LogBound
from chatctl.server.service import ChatService
from chatctl.server.streams import Streams, stopping
from chatctl.server.tutorial import TutorialService
from chatctl.server.unknown import tolerant_server
from chatctl.store import open_log
from chatctl.tutorial import chat_pb2 as tutorial_pb2
from chatctl.tutorial import chat_pb2_grpc as tutorial_pb2_grpc
from chatctl.v1 import chat_pb2, chat_pb2_grpc

logger = logging.getLogger(__name__)

SERVICES = (
    chat_pb2.DESCRIPTOR.services_by_name["ChatService"].full_name,
    tutorial_pb2.DESCRIPTOR.services_by_name["ChatService"].full_name,
)
BARE_TUTORIAL = "ChatService"  # the tutorial's text prints no package
OPTIONS = (
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
CUT_SHARE, CUT_SECONDS = 0.2, 0.1  # of the grace, and besides: for calls to end that have been cut short
SPARE_STREAMS = 1000  # on one connection, beyond the limit: to say that it is reached, and for calls that do not count


class HealthService(health.aio.HealthServicer):
    """grpc.health.v1, whose watchers let go when the server stops: otherwise stopping waits for them."""

    def __init__(self, streams: Streams) -> None:
        super().__init__()
        self._streams = streams

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Any) -> None:
        """See the health proto."""
        with self._streams.open(counted=False) as wake:
            watching = asyncio.ensure_future(super().Watch(request, context))
            ringing = asyncio.ensure_future(wake.wait())
            try:
                await asyncio.wait({watching, ringing}, return_when=asyncio.FIRST_COMPLETED)
                if not watching.done():
                    raise stopping()
                await watching
            finally:
                watching.cancel()
                ringing.cancel()


class Server:
    """A server that can be started once and stopped once."""

    def __init__(self, log: MessageLog, settings: ServeSettings) -> None:
        """Serves the log, and closes it in `stop`."""
        self._log = log
        self._settings = settings
        self._guard = Guard()
        self._streams = Streams(settings.limits.streams)
        self._health = HealthService(self._streams)
        most = ("grpc.max_concurrent_streams", settings.limits.streams + SPARE_STREAMS)
        self._server = tolerant_server((self._guard,), (*OPTIONS, most))
        self._chat = chat = Chat(log, settings.limits)
        chat_pb2_grpc.add_ChatServiceServicer_to_server(ChatService(chat, self._streams), self._server)
        tutorial = TutorialService(chat, self._streams)
        tutorial_pb2_grpc.add_ChatServiceServicer_to_server(tutorial, self._server)
        self._server.add_registered_method_handlers(BARE_TUTORIAL, _handlers(tutorial))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)

    async def start(self) -> list[str]:
        """Serve; the addresses, with real ports, come back. Raises ListenRefused."""
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
            _free_socket(Path(listen.removeprefix("unix:")))
        try:
            port = self._server.add_insecure_port(listen)
        except RuntimeError as error:
            raise ListenRefused(
                f"cannot listen on {listen}: it is taken, or not an address of this machine; "
                "stop what listens there, or choose another with --listen (port 0 takes a free one)"
            ) from error
        return listen if listen.startswith("unix:") else f"{listen.rpartition(':')[0]}:{port}"

    async def ended(self) -> None:
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
        self._chat.feeds.release()
        grace = self._settings.grace_seconds
        ended = asyncio.ensure_future(self._server.stop(grace * (1 - CUT_SHARE)))
        await asyncio.wait({ended}, timeout=grace + CUT_SECONDS)
        if self._guard.handlers:
            # gRPC's stop() returns before the handlers have ended.
            await asyncio.wait(self._guard.handlers, timeout=CUT_SHARE * grace + CUT_SECONDS)
        await self._log.close()
        logger.info("stopped")
        return ended.done()


async def serve(
    settings: ServeSettings, announce: Callable[[Sequence[str]], None], abandon: Callable[[StoreFailed | None], NoReturn]
) -> None:
    """Serve until SIGTERM or SIGINT; `announce` is called with the addresses once it can serve.

    A second signal cuts the stopping short, and so does the end of the grace where clients do not read: the store is closed
    and `abandon` called, with the store's failure if there was one. It is to end the process, as leaving the event loop
    would wait for those clients.

    Raises StoreRefused, ListenRefused, and StoreFailed or ServerFault if it has to stop later.
    """
    _check_reach(settings)
    for handler in logging.getLogger().handlers:
        handler.addFilter(LogBound())
    log = await open_log(settings.store)
    try:
        server = Server(log, settings)
        signals = _Signals()
        addresses = await server.start()
    except BaseException:
        await log.close()
        raise
    logger.info("serving log %s in %s", log.id, settings.store)
    announce(addresses)
    ended = asyncio.ensure_future(server.ended())
    for reason in (log.failed, ended):
        reason.add_done_callback(lambda _: signals.first.set())
    await signals.first.wait()
    fault = ended.exception() if ended.done() else None
    if not await _stop(server, log, signals):
        abandon(log.failed.result() if log.failed.done() else None)
    if log.failed.done():
        raise log.failed.result()
    if fault:
        raise ServerFault("the server accepts no calls any more, and its log says why: start it again") from fault


def _check_reach(settings: ServeSettings) -> None:
    """Raise ListenRefused if others could reach the server and nobody has said that they may."""
    for listen in settings.listen:
        if not settings.insecure and not config.is_loopback(listen):
            raise ListenRefused(
                f"refusing to listen on {listen}: everybody who reaches it could read and write, unencrypted; "
                "listen on 127.0.0.1 or unix:PATH, or say --insecure if the network is yours alone"
            )


async def _stop(server: Server, log: MessageLog, signals: "_Signals") -> bool:
    """Stop the server, or close only the store at a second signal; whether nobody is connected any more."""
    stop = asyncio.ensure_future(server.stop())
    cut = asyncio.ensure_future(signals.second.wait())
    await asyncio.wait({stop, cut}, return_when=asyncio.FIRST_COMPLETED)
    cut.cancel()
    if stop.done():
        return stop.result()
    logger.warning("stopping cut short; nothing that has a receipt is lost")
    stop.cancel()
    await log.close()
    return False


class _Signals:
    """The first and the second SIGTERM or SIGINT."""

    def __init__(self) -> None:
        self._seen = 0
        self.first = asyncio.Event()
        self.second = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._came)

    def _came(self) -> None:
        self._seen += 1
        (self.second if self._seen > 1 else self.first).set()


def _handlers(tutorial: TutorialService) -> dict[str, Any]:
    """The tutorial's methods, for /ChatService/..., which reflection does not list."""
    handlers = {}
    for method in tutorial_pb2.DESCRIPTOR.services_by_name["ChatService"].methods:
        kind = f"{'stream' if method.client_streaming else 'unary'}_{'stream' if method.server_streaming else 'unary'}"
        request = getattr(tutorial_pb2, method.input_type.name)
        reply = getattr(tutorial_pb2, method.output_type.name)
        make = getattr(grpc, f"{kind}_rpc_method_handler")
        handlers[method.name] = make(getattr(tutorial, method.name), request.FromString, reply.SerializeToString)
    return handlers


def _free_socket(path: Path) -> None:
    """Make sure that nobody listens at the path: gRPC would take it over, and the first to stop would delete it."""
    try:
        mode = path.stat().st_mode
    except OSError:
        if not path.parent.is_dir():
            raise ListenRefused(f"cannot listen on unix:{path}: there is no directory {path.parent}") from None
        return
    if not stat.S_ISSOCK(mode):
        raise ListenRefused(f"cannot listen on unix:{path}: there is a file that is no socket")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)  # left behind by a server that was killed
            return
        except OSError as error:
            raise ListenRefused(f"cannot listen on unix:{path}: {error.strerror}") from error
    raise ListenRefused(f"cannot listen on unix:{path}: another server does; stop it, or choose another path")
