"""Addresses that a server is to listen on: checks, and Unix sockets that only their user can connect to."""

import errno
import logging
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chatctl.config.settings import ServeSettings
from chatctl.errors import ListenError
from chatctl.net import address

logger = logging.getLogger(__name__)

STOP_HINT = "stop the program that uses it, or choose another address with --listen (port 0 takes a free port)"
REASONS = {
    errno.EADDRINUSE: ("the port is in use", STOP_HINT),
    errno.EADDRNOTAVAIL: ("the host is not an address of this machine", "choose another address with --listen"),
    errno.EACCES: ("this user may not use the port", "choose one from 1024 on"),
}


def require_loopback(settings: ServeSettings) -> None:
    """Raise ListenError if other machines could reach the server and the settings do not allow it."""
    for listen in settings.listen:
        if not settings.insecure and not address.is_loopback(listen):
            raise ListenError(
                f"cannot listen on {listen}: any client on the network could read and write, without encryption",
                "listen on 127.0.0.1 or unix:PATH, or use --insecure on a network that you trust",
            )


def bind_error(listen: str) -> ListenError:
    """Return the error for an address that gRPC cannot bind. gRPC does not say why, so this tries once more."""
    reason, hint = "it cannot be used", STOP_HINT
    if listen.startswith("unix:"):
        reason, hint = _socket_error(Path(listen.removeprefix("unix:"))) or reason, "use another path"
    else:
        host, _, port = listen.rpartition(":")
        try:
            for family, kind, protocol, _, place in socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM):
                with socket.socket(family, kind, protocol) as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(place)
        except socket.gaierror:
            reason, hint = f"the host {host} is unknown", "choose an address of this machine with --listen"
        except OSError as error:
            reason, hint = REASONS.get(error.errno or 0, (error.strerror or reason, STOP_HINT))
    return ListenError(f"cannot listen on {listen}: {reason}", hint)


def _socket_error(path: Path) -> str | None:
    """Return why a Unix socket cannot be created, or None."""
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.bind(str(path))
        path.unlink()
    except OSError as error:
        return error.strerror
    return None


@contextmanager
def socket_mode(path: Path, mode: int) -> Iterator[None]:
    """Prepare the path of a Unix socket, and let the block bind it. Raises ListenError if the path cannot be used.

    gRPC creates the socket. The umask gives it its mode, so that there is no moment in which others could connect.
    """
    _check_directory(path)
    _remove_stale_socket(path)
    before = os.umask(0o777 & ~mode)
    try:
        yield
    finally:
        os.umask(before)


def _check_directory(path: Path) -> None:
    """Raise ListenError if other users could replace the socket, and read what clients send to theirs."""
    try:
        status = path.parent.stat()
    except OSError as error:
        missing = isinstance(error, FileNotFoundError | NotADirectoryError)
        reason = f"the directory {path.parent} does not exist" if missing else f"{path.parent}: {error.strerror}"
        raise ListenError(f"cannot listen on unix:{path}: {reason}", "create it, or use another path") from None
    mode = status.st_mode
    if status.st_uid not in (0, os.geteuid()):
        logger.warning("%s belongs to another user, who can replace the socket %s", path.parent, path.name)
    if mode & stat.S_ISVTX:
        return
    if mode & stat.S_IWOTH:
        raise ListenError(
            f"cannot listen on unix:{path}: all users of this machine can replace files in {path.parent}",
            "run chmod o-w on it, or use another path",
        )
    if mode & stat.S_IWGRP:
        logger.warning("the group can write to %s: who is in it can replace the socket %s", path.parent, path.name)


def _remove_stale_socket(path: Path) -> None:
    """Delete a socket that a killed server left.

    gRPC would take over the socket of a running server, and the first of the two to stop would delete it.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    try:
        if not stat.S_ISSOCK(found.st_mode):
            raise ListenError(f"cannot listen on unix:{path}: the file is not a socket", "use another path")
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(path))
            except (ConnectionRefusedError, FileNotFoundError):
                path.unlink(missing_ok=True)
                return
    except OSError as error:
        raise ListenError(f"cannot listen on unix:{path}: {error.strerror}", "use another path") from error
    raise ListenError(f"cannot listen on unix:{path}: another server is listening there", "stop it, or use another path")
