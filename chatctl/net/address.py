"""Addresses of servers, as people write them."""

import ipaddress
import re
from pathlib import Path

from chatctl.errors import InvalidValue

DEFAULT_SERVER = "127.0.0.1:50051"
MAX_ADDRESS_CHARS = 300
MAX_SOCKET_PATH_BYTES = 107  # sun_path of unix(7) without its NUL


def parse_address(text: str) -> str:
    """Return the gRPC target of a HOST:PORT, [IPV6]:PORT or unix:PATH. Raises InvalidValue."""
    error = InvalidValue(f"invalid address {text[:60]!a}", "write HOST:PORT, [IPV6]:PORT or unix:PATH")
    if not text.isprintable() or len(text) > MAX_ADDRESS_CHARS:
        raise error
    if text.startswith("unix:"):
        # unix:///absolute/path is another form of unix:/absolute/path. Shells do not expand ~ after a colon.
        try:
            path = Path(text.removeprefix("unix:").removeprefix("//")).expanduser().absolute()
        except RuntimeError:
            raise error from None
        if text in ("unix:", "unix://") or len(str(path).encode()) > MAX_SOCKET_PATH_BYTES:
            raise error.replace(hint=f"write unix:PATH with a path of at most {MAX_SOCKET_PATH_BYTES} bytes")
        return f"unix:{path}"
    host, _, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not re.fullmatch("[0-9]{1,5}", port) or int(port) > 65535 or not host or (":" in host and not bracketed):
        raise error
    return f"{host}:{int(port)}"


def is_loopback(target: str) -> bool:
    """Return whether only this machine can reach a target that `parse_address` returned."""
    if target.startswith("unix:"):
        return True
    host = target.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
