"""A server: its services, its start, and its stop in order."""

import asyncio
import logging
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from chatctl.compat.grpc_health import SHUTDOWN_SECONDS
from chatctl.compat.grpc_server import create_server
from chatctl.config.settings import ServeSettings
from chatctl.core.chat import Chat
from chatctl.core.message_log import MessageLog
from chatctl.net.address import grpc_target
from chatctl.net.grpc_options import SERVER_OPTIONS
from chatctl.server import listen as listening
from chatctl.server.auth import open_access
from chatctl.server.health import HealthService
from chatctl.server.interceptors import ErrorInterceptor
from chatctl.server.reflection import add_reflection
from chatctl.server.service import ChatService
from chatctl.server.stream_registry import StreamRegistry
from chatctl.server.tutorial_service import TutorialService
from chatctl.tutorial import chat_pb2 as tutorial_pb2
from chatctl.tutorial import chat_pb2_grpc as tutorial_pb2_grpc
from chatctl.v1 import chat_pb2, chat_pb2_grpc

LOGGER_NAME = "chatctl.server"
logger = logging.getLogger(LOGGER_NAME)

SERVICES = (
    chat_pb2.DESCRIPTOR.services_by_name["ChatService"].full_name,
    tutorial_pb2.DESCRIPTOR.services_by_name["ChatService"].full_name,
)
TUTORIAL_WITHOUT_PACKAGE = "ChatService"  # the tutorial's text prints no package
CANCEL_SHARE = 0.2  # of the grace period: calls are cancelled when this much is left, so that they end within it
CANCEL_SECONDS = 0.1  # on top of each wait of `stop`: for cancelled calls to end
EXTRA_STREAMS = 1000  # on one connection, past the limit: to report that it is reached, and for calls that do not count


class Server:
    """A server that can be started once and stopped once: `bind`, then `start` with its log, then `stop`."""

    def __init__(self, settings: ServeSettings) -> None:
        self._settings = settings
        self._interceptor = ErrorInterceptor()
        self._streams = StreamRegistry(settings.limits.streams)
        self._health = HealthService(self._streams)
        stream_limit = ("grpc.max_concurrent_streams", settings.limits.streams + EXTRA_STREAMS)
        self._server = create_server((self._interceptor,), (*SERVER_OPTIONS, stream_limit))
        self._sockets: list[Path] = []

    def bind(self) -> list[str]:
        """Take the addresses, and return them with the ports in use. Clients wait until `start`. Raises ListenError."""
        return [self._bind(listen) for listen in self._settings.listen]

    def _bind(self, listen: str) -> str:
        path = Path(listen.removeprefix("unix:"))
        is_socket = listen.startswith("unix:")
        try:
            with listening.socket_mode(path, self._settings.socket_mode) if is_socket else nullcontext():
                port = self._server.add_insecure_port(grpc_target(listen))
        except RuntimeError as error:
            raise listening.bind_error(listen) from error
        if is_socket:
            self._sockets.append(path)
            return listen
        return f"{listen.rpartition(':')[0]}:{port}"

    async def start(self, log: MessageLog) -> None:
        """Serve the log on the addresses of `bind`. `stop` closes it."""
        self._log = log
        self._chat = chat = Chat(log, self._settings.limits)
        chat_pb2_grpc.add_ChatServiceServicer_to_server(ChatService(chat, self._streams, open_access), self._server)
        tutorial = TutorialService(chat, self._streams, open_access)
        tutorial_pb2_grpc.add_ChatServiceServicer_to_server(tutorial, self._server)
        self._server.add_registered_method_handlers(TUTORIAL_WITHOUT_PACKAGE, _tutorial_handlers(tutorial))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        add_reflection((*SERVICES, health.SERVICE_NAME), self._server)
        await self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)
        await self._server.start()
        await self._set_health(health_pb2.HealthCheckResponse.SERVING)

    async def abandon(self) -> None:
        """Give up the addresses of a server that has not started. gRPC would leave its sockets."""
        for path in self._sockets:
            path.unlink(missing_ok=True)
        await self._server.stop(0)

    async def _set_health(self, status: Any) -> None:
        for service in ("", *SERVICES):
            await self._health.set(service, status)

    async def wait_for_termination(self) -> None:
        """Return once `stop` has ended the acceptance of calls. Raises the error of gRPC if one has ended it."""
        await self._server.wait_for_termination()

    async def stop(self) -> bool:
        """End the streams, give calls the grace period to end, wait for their handlers, and close the store.

        Returns False if clients still hold connections. A client that does not read can do so for 20 s, and gRPC waits.
        All of it takes the grace period and 0.5 s at most, without the time to close the store.
        """
        logger.info("stopping")
        loop, grace = asyncio.get_running_loop(), self._settings.grace_seconds
        end = loop.time() + grace
        if not await self._health.announce_shutdown(min(SHUTDOWN_SECONDS, max(CANCEL_SHARE * grace, 2 * CANCEL_SECONDS))):
            logger.warning("a health watcher does not read its responses; it may miss that the server stops")
        self._streams.stop()
        self._chat.feeds.shut_down()
        remaining = max(0.0, end - loop.time())
        server_stop = asyncio.ensure_future(self._server.stop(remaining * (1 - CANCEL_SHARE)))
        await asyncio.wait({server_stop}, timeout=remaining + CANCEL_SECONDS)
        if self._interceptor.handler_tasks:
            # gRPC's stop() returns before the handlers have ended.
            timeout = max(0.0, end - loop.time()) + 2 * CANCEL_SECONDS
            await asyncio.wait(self._interceptor.handler_tasks, timeout=timeout)
        await self._log.close()
        logger.info("stopped")
        return server_stop.done()


def _tutorial_handlers(tutorial: TutorialService) -> dict[str, Any]:
    """Return the handlers of the tutorial's methods, for /ChatService/... Reflection does not list that service."""
    handlers = {}
    for method in tutorial_pb2.DESCRIPTOR.services_by_name["ChatService"].methods:
        kind = f"{'stream' if method.client_streaming else 'unary'}_{'stream' if method.server_streaming else 'unary'}"
        request = getattr(tutorial_pb2, method.input_type.name)
        reply = getattr(tutorial_pb2, method.output_type.name)
        make = getattr(grpc, f"{kind}_rpc_method_handler")
        handlers[method.name] = make(getattr(tutorial, method.name), request.FromString, reply.SerializeToString)
    return handlers
