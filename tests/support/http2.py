"""A hostile client: HTTP/2 frames made by hand; and a healthy client at the same time."""

import queue
import socket
import threading
from contextlib import contextmanager, suppress
from struct import pack

from chatctl.v1 import chat_pb2 as pb
from chatctl.v1 import chat_pb2_grpc
from tests.support.waiting import TIMEOUT_SECONDS, until
from tests.support.wire_client import STORED, ManualStream

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = 0, 1, 3, 4, 5, 6, 7, 8, 9
END_STREAM, END_HEADERS = 1, 4
INTERNAL_NAMES = ("Traceback", "<class", "site-packages", ".py", "chatctl/", "Decode", "google", "sqlite3", "Unexpected <")
"""Words that would show a client the server's internals."""


def frame_bytes(kind, flags=0, stream=0, body=b"", length=None):
    return (len(body) if length is None else length).to_bytes(3, "big") + bytes([kind, flags]) + pack(">I", stream) + body


def header(name, value):
    """Return a literal header field, without Huffman coding and without indexing."""
    return b"\0" + _string(name) + _string(value)


def _string(text):
    if len(text) < 127:
        return bytes([len(text)]) + text
    rest, coded = len(text) - 127, b"\x7f"
    while rest >= 128:
        coded, rest = coded + bytes([rest % 128 + 128]), rest // 128
    return coded + bytes([rest]) + text


def header_block(*extra, **replaced):
    """Return the header block of a GetStats call; arguments such as `path` replace a field."""
    usual = {":method": b"POST", ":scheme": b"http", ":path": b"/chatctl.v1.ChatService/GetStats", ":authority": b"x",
             "content-type": b"application/grpc", "te": b"trailers"}  # fmt: skip
    usual |= {next(name for name in usual if name.endswith(key)): value for key, value in replaced.items()}
    return b"".join(header(name.encode(), value) for name, value in usual.items()) + b"".join(
        header(name, value) for name, value in extra
    )


def message_bytes(body=b"", length=None, compressed=0):
    return bytes([compressed]) + pack(">I", len(body) if length is None else length) + body


EMPTY_MESSAGE = message_bytes()


def call_bytes(*extra, body=EMPTY_MESSAGE, **replaced):
    """Return the bytes of a whole call on a new connection."""
    head = frame_bytes(HEADERS, END_HEADERS, 1, header_block(*extra, **replaced))
    return PREFACE + frame_bytes(SETTINGS) + head + frame_bytes(DATA, END_STREAM, 1, body)


def connect_socket(served):
    host, _, port = served.address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=TIMEOUT_SECONDS)


def send_bytes(served, data, quiet_seconds=0.2):
    """Send bytes on a new connection, and return the response, up to a pause of `quiet_seconds`."""
    received = b""
    with connect_socket(served) as connection:
        connection.settimeout(quiet_seconds)
        with suppress(OSError):  # the server may close the connection
            connection.sendall(data)
        with suppress(OSError):
            while more := connection.recv(65536):
                received += more
    return received


class HealthyClient:
    """Sends messages one at a time in a thread, and waits for the receipt and the message itself of each."""

    def __init__(self, channel):
        self._stub = chat_pb2_grpc.ChatServiceStub(channel)
        self._stop = threading.Event()
        self._result = queue.SimpleQueue()
        self.stored = 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        try:
            while not self._stop.is_set():
                self._exchange_messages(ManualStream(self._stub))
            self._result.put(None)
        except BaseException as error:
            self._result.put(error)

    def _exchange_messages(self, stream):
        """Exchange up to 100 messages: a stream's deadline is shorter than a long test."""
        stream.send(user="neighbour", room="next door", receive=pb.Receive(rooms=["next door"]))
        for _ in range(100):
            if self._stop.is_set():
                break
            stream.send(str(self.stored))
            receipts, texts = [], []
            while not (receipts and texts):
                response = stream.receive()
                receipts += response.receipts
                texts += [text for run in response.runs for text in run.texts]
            assert ([receipt.status for receipt in receipts], texts) == ([STORED], [str(self.stored)])
            self.stored += 1
        stream.call.cancel()

    def stop(self):
        """Stop, and raise the error of the thread."""
        self._stop.set()
        if error := self._result.get(timeout=TIMEOUT_SECONDS):
            raise error


@contextmanager
def healthy_client(channel):
    """Run a HealthyClient before, during and after the block."""
    client = HealthyClient(channel)
    until(lambda: client.stored or client._result.qsize())
    yield client
    before = client.stored
    until(lambda: client.stored > before or client._result.qsize())
    client.stop()
    assert client.stored > before


def random_field(rng):
    """Return a random protobuf field: a number that may be known, any wire type, and a value that may fit."""
    kind = rng.randrange(8)
    value = rng.choice((rng.randbytes(rng.randrange(20)), b"\xff" * 9 + b"\x01", pack("<d", rng.random())))
    if kind == 2:
        value = bytes([rng.choice((len(value), rng.randrange(128)))]) + value
    return bytes([rng.randrange(16) << 3 | kind]) + value


def malformed_message(rng):
    """Return a malformed message, which by chance may be valid."""
    kind = rng.randrange(5)
    if kind == 0:
        return rng.randbytes(rng.choice((0, 1, 10, 1000)))
    if kind == 1:
        return b"".join(random_field(rng) for _ in range(rng.randrange(1, 8)))
    whole = pb.SendAndReceiveMessageRequest(
        user="eve", room="den", texts=["x" * rng.choice((0, 10, 70_000))] * rng.choice((1, 2, 1001)),
        number=rng.choice((0, 1, -1, 2**53, 2**63 - 1)), receive=pb.Receive(rooms=["\x00"] * rng.randrange(200)),
    ).SerializeToString()  # fmt: skip
    if kind == 2:
        return whole[: rng.randrange(len(whole) + 1)]
    if kind == 3:
        return b"\x0a\x02\xff\xfe" + whole
    corrupted = bytearray(whole)
    for _ in range(5):
        corrupted[rng.randrange(min(len(corrupted), 60))] = rng.randrange(256)
    return bytes(corrupted)


def stream_ids(count):
    return (2 * i + 1 for i in range(count))


def malformed_connections(rng):
    """Return the bytes of malformed connections, by the kind of error."""
    start = PREFACE + frame_bytes(SETTINGS)
    head = frame_bytes(HEADERS, END_HEADERS, 1, header_block())
    return {
        "random bytes": rng.randbytes(5000),
        "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + rng.randbytes(500),
        "HTTP/1.1": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "garbage frames": PREFACE + rng.randbytes(5000),
        "frames of all kinds": start + b"".join(
            frame_bytes(rng.randrange(12), rng.randrange(256), rng.randrange(4), rng.randbytes(rng.randrange(50)))
            for _ in range(50)
        ),
        "settings flood": PREFACE + b"".join(frame_bytes(SETTINGS, body=pack(">HI", 4, i)) for i in range(10_000)),
        "ping flood": start + frame_bytes(PING, body=b"12345678") * 10_000,
        "reset flood": start + b"".join(
            frame_bytes(HEADERS, END_HEADERS, i, header_block()) + frame_bytes(RST, 0, i, pack(">I", 8))
            for i in stream_ids(2000)
        ),
        "header flood": start + b"".join(frame_bytes(HEADERS, END_HEADERS, i, header_block()) for i in stream_ids(2000)),
        "continuation flood": start + frame_bytes(HEADERS, 0, 1, header_block())
        + b"".join(frame_bytes(CONTINUATION, 0, 1, header(b"x-%d" % i, b"y" * 100)) for i in range(5000)),
        "empty frame flood": start + head + frame_bytes(DATA, 0, 1) * 10_000,
        "window overflow": start + frame_bytes(WINDOW, 0, 0, b"\x7f\xff\xff\xff") * 2,
        "bad HPACK": start + frame_bytes(HEADERS, END_HEADERS, 1, b"\xff" * 8),
        "a frame too large": start + head + frame_bytes(DATA, 0, 1, b"x" * 1000, length=0xFFFFFF),
        "a message too large": start + head + frame_bytes(DATA, 0, 1, message_bytes(b"x" * 1000, length=0xFFFFFFFF)),
        "a message cut short": start + head + frame_bytes(DATA, END_STREAM, 1, message_bytes(b"x", length=100)),
        "no message": start + head + frame_bytes(DATA, END_STREAM, 1),
        "two messages": call_bytes(body=message_bytes() * 2),
        "compressed without a way": call_bytes(body=message_bytes(b"xx", compressed=1)),
        "wrongly compressed": call_bytes((b"grpc-encoding", b"gzip"), body=message_bytes(b"xx", compressed=1)),
        "huge metadata": call_bytes((b"x", b"y" * 15_000)),
        "far too huge metadata": start + frame_bytes(HEADERS, 0, 1, header_block((b"x", b"y" * 12_000)))
        + frame_bytes(CONTINUATION, END_HEADERS, 1, b"".join(header(b"z", b"y" * 12_000) for _ in range(1))) * 40,
        "a method not in UTF-8": call_bytes(path=b"/chatctl.v1.ChatService/\xff\xfe"),
        "a long method not in UTF-8": call_bytes(path=b"/" + b"\xff" * 7000),
        "an empty method": call_bytes(path=b""),
        "a method with NUL": call_bytes(path=b"/a\0b"),
        "an unknown method": call_bytes(path=b"/no/such"),
        "an authority not in UTF-8": call_bytes(authority=b"\xff\xfe"),
        "a content type not in UTF-8": call_bytes(**{"content-type": b"\xff\xfe"}),
        "GET": call_bytes(method=b"GET"),
        "metadata not in UTF-8": call_bytes((b"x-\xff", b"a"), (b"x-a", b"\xff")),
        "metadata not in base 64": call_bytes((b"x-bin", b"!!!")),
        "a timeout of nonsense": call_bytes((b"grpc-timeout", b"banana")),
        "an endless timeout": call_bytes((b"grpc-timeout", b"99999999H")),
        "headers twice": start + head + head,
        "data before headers": start + frame_bytes(DATA, 0, 1, message_bytes()),
        "a stream of the server's": start + frame_bytes(HEADERS, END_HEADERS, 2, header_block()),
        "a push": start + frame_bytes(PUSH, END_HEADERS, 1, pack(">I", 2) + header_block()),
        "GOAWAY": start + frame_bytes(GOAWAY, body=bytes(8)),
        "half a preface": PREFACE[:10],
        "nothing": b"",
    }  # fmt: skip
