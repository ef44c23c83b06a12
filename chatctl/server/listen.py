"""Checks of the addresses that a server is to listen on."""

import socket
import stat
from pathlib import Path

from chatctl.config.settings import ServeSettings
from chatctl.errors import ListenError
from chatctl.net import address


def require_loopback(settings: ServeSettings) -> None:
    """Raise ListenError if other machines could reach the server and the settings do not allow it."""
    for listen in settings.listen:
        if not settings.insecure and not address.is_loopback(listen):
            raise ListenError(
                f"cannot listen on {listen}: any client on the network could read and write, without encryption",
                "listen on 127.0.0.1 or unix:PATH, or use --insecure on a network that you trust",
            )


def remove_stale_socket(path: Path) -> None:
    """Delete a socket that a killed server left. Raises ListenError if the path cannot be used.

    gRPC would take over the socket of a running server, and the first of the two to stop would delete it.
    """
    try:
        mode = path.stat().st_mode
    except OSError:
        if not path.parent.is_dir():
            raise ListenError(
                f"cannot listen on unix:{path}: the directory {path.parent} does not exist", "create it, or use another path"
            ) from None
        return
    if not stat.S_ISSOCK(mode):
        raise ListenError(f"cannot listen on unix:{path}: the file is not a socket", "use another path")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
        except OSError as error:
            raise ListenError(f"cannot listen on unix:{path}: {error.strerror}") from error
    raise ListenError(f"cannot listen on unix:{path}: another server is listening there", "stop it, or use another path")
