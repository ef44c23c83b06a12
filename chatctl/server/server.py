"""A server: its services, its start, and its stop in order."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from chatctl.compat.grpc_server import create_server
from chatctl.config.settings import ServeSettings
from chatctl.core.chat import Chat
from chatctl.core.message_log import MessageLog
from chatctl.errors import ListenError
from chatctl.net.grpc_options import SERVER_OPTIONS
from chatctl.server.auth import open_access
from chatctl.server.health import HealthService
from chatctl.server.interceptors import ErrorInterceptor
from chatctl.server.listen import remove_stale_socket
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
    """A server that can be started once and stopped once."""

    def __init__(self, log: MessageLog, settings: ServeSettings) -> None:
        """Serve the log, and close it in `stop`."""
        self._log = log
        self._settings = settings
        self._interceptor = ErrorInterceptor()
        self._streams = StreamRegistry(settings.limits.streams)
        self._health = HealthService(self._streams)
        stream_limit = ("grpc.max_concurrent_streams", settings.limits.streams + EXTRA_STREAMS)
        self._server = create_server((self._interceptor,), (*SERVER_OPTIONS, stream_limit))
        self._chat = chat = Chat(log, settings.limits)
        chat_pb2_grpc.add_ChatServiceServicer_to_server(ChatService(chat, self._streams, open_access), self._server)
        tutorial = TutorialService(chat, self._streams, open_access)
        tutorial_pb2_grpc.add_ChatServiceServicer_to_server(tutorial, self._server)
        self._server.add_registered_method_handlers(TUTORIAL_WITHOUT_PACKAGE, _tutorial_handlers(tutorial))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)

    async def start(self) -> list[str]:
        """Start to serve, and return the addresses with the ports in use. Raises ListenError."""
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
                f"cannot listen on {listen}: the port is in use, or the host is not an address of this machine",
                "stop the program that uses it, or choose another address with --listen (port 0 takes a free port)",
            ) from error
        return listen if listen.startswith("unix:") else f"{listen.rpartition(':')[0]}:{port}"

    async def wait_for_termination(self) -> None:
        """Return once `stop` has ended the acceptance of calls. Raises the error of gRPC if one has ended it."""
        await self._server.wait_for_termination()

    async def stop(self) -> bool:
        """End the streams, give calls the grace period to end, wait for their handlers, and close the store.

        Returns False if clients still hold connections. A client that does not read can do so for 20 s, and gRPC waits.
        """
        logger.info("stopping")
        if not await self._health.announce_shutdown():
            logger.warning("a health watcher does not read its responses; it may miss that the server stops")
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
