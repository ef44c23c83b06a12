"""chatctl: a durable chat room for terminals and scripts, over gRPC."""

__version__ = "0.2.0.dev0"
"""Of a release without `.dev0`. `full_version` in chatctl/version.py adds the commit of a development build."""
