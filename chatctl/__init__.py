"""chatctl: a durable chat room for terminals and scripts, over gRPC."""

__version__ = "0.1.0"
