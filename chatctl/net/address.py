"""Addresses of servers, as people write them."""

import ipaddress
import re
import socket
from pathlib import Path
from urllib.parse import quote

from chatctl.errors import InvalidValue

DEFAULT_SERVER = "127.0.0.1:50051"
MAX_ADDRESS_CHARS = 300
MAX_SOCKET_PATH_BYTES = 107  # sun_path of unix(7) without its NUL
MAX_PORT = 65535
MAX_HOST_CHARS = 253  # of a name in DNS

FORMS = "write HOST:PORT, [IPV6]:PORT or unix:PATH"
GRPC_SCHEMES = ("dns", "google-c2p", "google-c2p-experimental", "ipv4", "ipv6", "unix", "unix-abstract", "vsock", "xds")
"""Words that gRPC does not take for a host: in front of a colon they choose how it looks for the server."""
LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
HOST_NAME = re.compile(rf"{LABEL}(?:\.{LABEL})*\.?", re.IGNORECASE)
NUMBER = re.compile("[0-9]+|0x[0-9a-f]*", re.IGNORECASE)


def parse_address(text: str) -> str:
    """Return a HOST:PORT, [IPV6]:PORT or unix:PATH with an absolute path. Raises InvalidValue."""
    error = InvalidValue(f"invalid address {text[:60]!a}", FORMS)
    if not text.isprintable() or len(text) > MAX_ADDRESS_CHARS:
        raise error
    if text.startswith("unix:"):
        return f"unix:{_socket_path(text, error)}"
    host, _, port = text.rpartition(":")
    if not re.fullmatch("[0-9]{1,5}", port):
        raise error
    if int(port) > MAX_PORT:
        raise error.replace(hint=f"use a port from 0 to {MAX_PORT}")
    return f"{_parse_host(host, error)}:{int(port)}"


def _socket_path(text: str, error: InvalidValue) -> Path:
    """Return the absolute path of `unix:PATH`. `unix:///absolute/path` is another form of `unix:/absolute/path`."""
    try:
        path = Path(text.removeprefix("unix:").removeprefix("//")).expanduser()  # shells do not expand ~ after a colon
    except RuntimeError:
        raise error from None
    try:
        path = path.absolute()
    except FileNotFoundError:
        raise error.replace(hint="use an absolute path: the working directory does not exist") from None
    if text in ("unix:", "unix://") or len(str(path).encode()) > MAX_SOCKET_PATH_BYTES:
        raise error.replace(hint=f"write unix:PATH with a path of at most {MAX_SOCKET_PATH_BYTES} bytes")
    return path


def _parse_host(host: str, error: InvalidValue) -> str:
    """Return a host name, the usual form of an IPv4 address (127.1 is 127.0.0.1), or an IPv6 address in brackets."""
    if host.startswith("[") and host.endswith("]"):
        try:
            address = ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            raise error from None
        if address.scope_id and not re.fullmatch("[A-Za-z0-9._-]+", address.scope_id):
            raise error
        return host
    if host.lower() in GRPC_SCHEMES:
        raise error.replace(hint=f"{host!r} is not a host for gRPC but a way to look for one: {FORMS}")
    if not HOST_NAME.fullmatch(host) or len(host) > MAX_HOST_CHARS:
        raise error
    if not NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        return host
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        raise error from None


def is_loopback(address: str) -> bool:
    """Return whether only this machine can reach an address that `parse_address` returned."""
    if address.startswith("unix:"):
        return True
    host = address.rpartition(":")[0].strip("[].")
    if host.lower() == "localhost":
        return True
    try:
        parsed = ipaddress.ip_address(host)
    except ValueError:
        return False
    return (getattr(parsed, "ipv4_mapped", None) or parsed).is_loopback  # ::ffff:127.0.0.1, before Python 3.13


def grpc_target(address: str) -> str:
    """Return the target for gRPC, for an address that `parse_address` returned. gRPC decodes %41 in the path of a socket."""
    return f"unix:{quote(path)}" if (path := address.removeprefix("unix:")) != address else address
