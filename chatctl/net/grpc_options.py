"""The gRPC options of servers and clients. The keepalive options of both sides must fit together."""

SERVER_OPTIONS = (
    ("grpc.so_reuseport", 0),  # on by default: a second server on the same port would start, and get half the clients
    ("grpc.keepalive_time_ms", 60_000),  # closes dead connections within 80 s; the default is 2 h
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.ping_timeout_ms", 20_000),  # without it gRPC waits a minute, in spite of the line above
    # Clients may send a keepalive every 10 s: three that are early end the connection, and a timer may fire a little early.
    ("grpc.http2.min_ping_interval_without_data_ms", 9_000),
    ("grpc.server_handshake_timeout_ms", 20_000),  # closes connections without a handshake; the default is 2 minutes
    # By default gRPC cancels random calls once 1,000 to 3,000 are pending. With these bounds they wait.
    ("grpc.server.max_pending_requests", 50_000),
    ("grpc.server.max_pending_requests_hard_limit", 50_000),
)


CLIENT_OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),  # otherwise a new channel gets the old connection
    # By default gRPC waits up to 2 minutes after a failure to connect.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.ping_timeout_ms", 20_000),  # without it gRPC waits a minute, in spite of the line above
)

NO_PROXY = ("grpc.enable_http_proxy", 0)
"""For connections without encryption: a web proxy (http_proxy) would read and could change what is sent, and errors would
blame the server. For loopback: a proxy cannot reach the client's own machine."""
