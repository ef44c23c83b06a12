"""Addresses of servers, as people write them."""

import ipaddress
import re
from pathlib import Path

from chatctl.errors import InvalidValue

DEFAULT_SERVER = "127.0.0.1:50051"


def parse_address(text: str) -> str:
    """HOST:PORT or unix:PATH in the form gRPC takes. Raises InvalidValue."""
    error = InvalidValue(f"{text[:60]!a} is no address: write HOST:PORT, [IPV6]:PORT or unix:PATH")
    if not text.isprintable() or len(text) > 300:
        raise error
    if text.startswith("unix:"):
        # unix:///absolute/path is the same thing written longer; shells do not know ~ behind a colon.
        try:
            path = Path(text.removeprefix("unix:").removeprefix("//")).expanduser().absolute()
        except RuntimeError:
            raise error from None
        if text in ("unix:", "unix://") or len(str(path).encode()) > 107:  # sun_path of unix(7)
            raise InvalidValue(f"{text[:60]!a} is no socket: write unix:PATH with a path of at most 107 bytes")
        return f"unix:{path}"
    host, _, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not re.fullmatch("[0-9]{1,5}", port) or int(port) > 65535 or not host or (":" in host and not bracketed):
        raise error
    return f"{host}:{int(port)}"


def is_loopback(listen: str) -> bool:
    """Whether only this machine can reach the address (one that `parse_address` gave)."""
    if listen.startswith("unix:"):
        return True
    host = listen.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
