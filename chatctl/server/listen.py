"""The server: build it, run it until a signal, stop it in order."""

import socket
import stat
from pathlib import Path

from chatctl.config.settings import ServeSettings
from chatctl.errors import ListenError
from chatctl.net import address


def require_loopback(settings: ServeSettings) -> None:
    """Raise ListenError if others could reach the server and nobody has said that they may."""
    for listen in settings.listen:
        if not settings.insecure and not address.is_loopback(listen):
            raise ListenError(
                f"refusing to listen on {listen}: everybody who reaches it could read and write, unencrypted; "
                "listen on 127.0.0.1 or unix:PATH, or say --insecure if the network is yours alone"
            )


def remove_stale_socket(path: Path) -> None:
    """Make sure that nobody listens at the path: gRPC would take it over, and the first to stop would delete it."""
    try:
        mode = path.stat().st_mode
    except OSError:
        if not path.parent.is_dir():
            raise ListenError(f"cannot listen on unix:{path}: there is no directory {path.parent}") from None
        return
    if not stat.S_ISSOCK(mode):
        raise ListenError(f"cannot listen on unix:{path}: there is a file that is no socket")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)  # left behind by a server that was killed
            return
        except OSError as error:
            raise ListenError(f"cannot listen on unix:{path}: {error.strerror}") from error
    raise ListenError(f"cannot listen on unix:{path}: another server does; stop it, or choose another path")
