"""Servers of grpc.aio with handlers of a test, which exchange bytes."""

from contextlib import asynccontextmanager

import grpc


@asynccontextmanager
async def serve_handlers(make_server=grpc.aio.server, **handlers):
    """Serve the handlers, each for streams of both sides, as methods /test/NAME. Yields the server and its address."""
    server = make_server()
    methods = {name: grpc.stream_stream_rpc_method_handler(handler) for name, handler in handlers.items()}
    server.add_registered_method_handlers("test", methods)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield server, f"127.0.0.1:{port}"
    finally:
        await server.stop(None)
