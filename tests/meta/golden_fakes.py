"""Addresses that are not those of a chatctl server."""

import socket
import threading
from contextlib import suppress


class Fakes:
    """Three of them: a closed port, a silent one, and a web server."""

    def __init__(self) -> None:
        self._sockets = [socket.socket() for _ in range(3)]
        closed, silent, web = self._sockets
        for each in self._sockets:
            each.bind(("127.0.0.1", 0))
        silent.listen(128)  # the kernel accepts, and then there is silence
        web.listen(128)
        threading.Thread(target=self._answer, args=(web,), daemon=True).start()
        self.tokens = {
            token: f"127.0.0.1:{each.getsockname()[1]}"
            for token, each in (("NOBODY", closed), ("SILENT", silent), ("WEB", web))
        }

    @staticmethod
    def _answer(web: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = web.accept()
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                connection.close()

    def close(self) -> None:
        """Free the addresses."""
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
