"""Channels: the one place where a client opens a connection."""

from collections.abc import Sequence
from typing import Any

import grpc

from chatctl.net.address import grpc_target
from chatctl.net.endpoint import Endpoint
from chatctl.net.grpc_options import CLIENT_OPTIONS, NO_PROXY


def open_channel(endpoint: Endpoint, options: Sequence[tuple[str, Any]] | None = None) -> grpc.aio.Channel:
    """Open a channel to an endpoint, with CLIENT_OPTIONS unless others are given. gRPC connects at the first call."""
    options = CLIENT_OPTIONS if options is None else options
    if endpoint.is_loopback or not endpoint.credentials:
        options = (*options, NO_PROXY)
    if endpoint.credentials:
        return grpc.aio.secure_channel(_target(endpoint), endpoint.credentials, options=options)
    return grpc.aio.insecure_channel(_target(endpoint), options=options)


def _target(endpoint: Endpoint) -> str:
    """Return the gRPC target of an endpoint.

    The seam for several servers is here. gRPC's `ipv4:` and `ipv6:` targets take a list of IP addresses, but no host names
    or Unix sockets, so several addresses need a resolver of names or a channel for each. No option accepts several yet.
    """
    (address,) = endpoint.addresses
    return grpc_target(address)
