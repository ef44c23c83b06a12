#!/usr/bin/env python3
"""A proxy answers 502 while the server restarts: commands gave up at once, as if something else listened there."""

import socket
import struct
import threading

from harness import check, main

PREFACE = 24
DATA, HEADERS, RESET, SETTINGS, PING, ACK = 0, 1, 3, 4, 6, 1


def frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def header(name, value):
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


BAD_GATEWAY = header(b":status", b"502") + header(b"content-type", b"text/html")


def exactly(connection, size):
    data = b""
    while len(data) < size:
        if not (part := connection.recv(size - len(data))):
            raise EOFError
        data += part
    return data


class Proxy:
    """Answers every request with 502, as many as it is told; after them it connects to the server."""

    def __init__(self, server, refusals):
        self._server = server
        self._refusals = refusals
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            connection, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            if self._refusals > 0:
                self._refuse(connection)
            else:
                host, _, port = self._server.rpartition(":")
                server = socket.create_connection((host, int(port)))
                threading.Thread(target=self._copy, args=(server, connection), daemon=True).start()
                self._copy(connection, server)
        except (OSError, EOFError):
            pass
        connection.close()

    def _refuse(self, connection):
        exactly(connection, PREFACE)
        connection.sendall(frame(SETTINGS, 0, 0, b""))
        while self._refusals > 0:
            head = exactly(connection, 9)
            kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big")
            payload = exactly(connection, int.from_bytes(head[:3], "big"))
            if kind in (SETTINGS, PING) and not flags & ACK:
                connection.sendall(frame(kind, ACK, 0, payload if kind == PING else b""))
            if kind == HEADERS:  # in one write: gRPC then reports a status by chance
                self._refusals -= 1
                body = frame(DATA, 1, stream, b"<h1>502 Bad Gateway</h1>") + frame(RESET, 0, stream, bytes(4))
                connection.sendall(frame(HEADERS, 4, stream, BAD_GATEWAY) + body)

    @staticmethod
    def _copy(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def case(chatctl):
    server = chatctl.serve().address
    chatctl.send("--room", "a", "stored")
    for refusals in (1, 2, 3):
        for command in (["send", "hello"], ["history", "-f", "--room", "a", "--count", "1"], ["join", "a", "--plain"]):
            proxy = Proxy(server, refusals)
            done = chatctl.run(*command, "--server", proxy.address, "--timeout", "20s", input="a line\n")
            said = done.stderr.splitlines()[-1:]
            check(done.returncode == 0, f"after {refusals} times 502, {command[0]} ends with {done.returncode}: {said}")
    done = chatctl.run("history", "--last", "1", "--timeout", "1s", "--server", Proxy(server, 1_000_000).address)
    check(done.returncode == 78, f"history ends with {done.returncode} and not with 78, no server")


if __name__ == "__main__":
    main(case)
