#!/usr/bin/env python3
"""A proxy ends each call after 1 MiB, as nginx does by default: `send` of long lines began again and again, in vain.

`verify` did not connect again at all, and failed after some 30,000 receipts.
"""

import json
import socket
import struct
import threading

from harness import check, main

LIMIT = 1024 * 1024
PREFACE = 24
DATA, RESET, INTERNAL_ERROR = 0, 3, 2


def exactly(connection, size):
    data = bytearray()
    while len(data) < size:
        if not (part := connection.recv(size - len(data))):
            raise EOFError
        data += part
    return bytes(data)


class Proxy:
    """Connects to the server, and resets each call that sends more than LIMIT bytes."""

    def __init__(self, server):
        self._server = server.rpartition(":")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.resets = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            connection, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, client):
        with client, socket.create_connection((self._server[0], int(self._server[2]))) as server:
            copying = threading.Thread(target=self._copy_responses, args=(server, client), daemon=True)
            for connection in (client, server):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            copying.start()
            try:
                reset = self._copy_requests(client, server)
                server.shutdown(socket.SHUT_RDWR)
                copying.join()
                client.sendall(reset)
            except (OSError, EOFError):
                server.shutdown(socket.SHUT_RDWR)

    def _copy_requests(self, client, server):
        """Copy whole frames until a call has sent too much. Return the frame that resets it."""
        sizes = {}
        server.sendall(exactly(client, PREFACE))
        while True:
            head = exactly(client, 9)
            kind, stream = head[3], head[5:]
            frame = head + exactly(client, int.from_bytes(head[:3], "big"))
            if kind == DATA:
                sizes[stream] = sizes.get(stream, 0) + len(frame) - 9
                if sizes[stream] > LIMIT:
                    self.resets += 1
                    return b"\0\0\4" + bytes([RESET, 0]) + stream + struct.pack(">I", INTERNAL_ERROR)
            server.sendall(frame)

    @staticmethod
    def _copy_responses(server, client):
        """Copy whole frames, so that a reset does not stand in the middle of one."""
        try:
            while True:
                head = exactly(server, 9)
                client.sendall(head + exactly(server, int.from_bytes(head[:3], "big")))
        except (OSError, EOFError):
            pass


def send_long_lines(chatctl, proxy):
    lines = [f"{number} {'x' * 60_000}" for number in range(90)]
    done = chatctl.run("send", "--server", proxy.address, "--room", "long", input="".join(f"{line}\n" for line in lines))
    said = done.stderr.splitlines()[-1:]
    check(done.returncode == 0, f"send of 5 MiB ends with {done.returncode}: {said}")
    check(chatctl.texts("--room", "long") == lines, "the lines are not stored once and in order")
    check(proxy.resets, "the proxy reset nothing")


def send_a_line_that_never_fits(chatctl, proxy):
    record = "x" * (LIMIT + 1000)
    done = chatctl.run("send", "--server", proxy.address, "--timeout", "2s", "--json", input=f"short\n{record}\n")
    check(done.returncode == 78, f"a line that never fits ends send with {done.returncode}")
    check("a proxy may limit" in done.stderr, f"it says nothing of a proxy: {done.stderr}")
    statuses = [json.loads(line)["status"] for line in done.stdout.splitlines()]
    check(statuses == ["stored", "unconfirmed"], f"the receipts are {statuses}")


def verify_many_receipts(chatctl, proxy):
    chatctl.send("--room", "many", "--receipts", "receipts", input="".join(f"{number}\n" for number in range(50_000)))
    resets = proxy.resets
    done = chatctl.run("verify", "receipts", "--json", "--server", proxy.address)
    said = json.loads(done.stderr.splitlines()[-1])
    check(done.returncode == 0, f"verify of 50,000 receipts ends with {done.returncode}: {said}")
    check(said["summary"]["verified"] == 50_000, f"it has verified something else: {said}")
    check(proxy.resets > resets, "the proxy reset nothing")


def case(chatctl):
    proxy = Proxy(chatctl.serve("--text-bytes", str(2 * LIMIT), "--batch-bytes", str(2 * LIMIT)).address)
    send_long_lines(chatctl, proxy)
    send_a_line_that_never_fits(chatctl, proxy)
    verify_many_receipts(chatctl, proxy)


if __name__ == "__main__":
    main(case)
