"""The server: build it, run it until a signal, stop it in order."""

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


CLIENT_OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),  # or a new channel would get the old connection
    # By default a connection that could not be made is not tried again for up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.ping_timeout_ms", 20_000),  # without it gRPC waits a minute, whatever the line above says
)
