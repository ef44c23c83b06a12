"""What a hostile client says: HTTP/2 frames made by hand, and a neighbour who is well-behaved all along."""

import queue
import socket
import threading
from contextlib import contextmanager, suppress
from struct import pack

from cli import until
from streams import PATIENCE, STORED, Stream

from chatctl.v1 import chat_pb2 as pb
from chatctl.v1 import chat_pb2_grpc

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = 0, 1, 3, 4, 5, 6, 7, 8, 9
END_STREAM, END_HEADERS = 1, 4
INSIDES = ("Traceback", "<class", "site-packages", ".py", "chatctl/", "Decode", "google", "sqlite3", "Unexpected <")
"""Words that would show a client what the server is made of."""


def h2(kind, flags=0, stream=0, body=b"", length=None):
    return (len(body) if length is None else length).to_bytes(3, "big") + bytes([kind, flags]) + pack(">I", stream) + body


def header(name, value):
    """A literal header field, without Huffman coding and without a place in the table."""
    return b"\0" + _string(name) + _string(value)


def _string(text):
    if len(text) < 127:
        return bytes([len(text)]) + text
    rest, coded = len(text) - 127, b"\x7f"
    while rest >= 128:
        coded, rest = coded + bytes([rest % 128 + 128]), rest // 128
    return coded + bytes([rest]) + text


def fields(*extra, **replaced):
    """The header block of a call of GetStats; `path=...` and the like replace a field."""
    usual = {":method": b"POST", ":scheme": b"http", ":path": b"/chatctl.v1.ChatService/GetStats", ":authority": b"x",
             "content-type": b"application/grpc", "te": b"trailers"}  # fmt: skip
    usual |= {next(name for name in usual if name.endswith(key)): value for key, value in replaced.items()}
    return b"".join(header(name.encode(), value) for name, value in usual.items()) + b"".join(
        header(name, value) for name, value in extra
    )


def message(body=b"", length=None, compressed=0):
    return bytes([compressed]) + pack(">I", len(body) if length is None else length) + body


NOTHING = message()


def call(*extra, body=NOTHING, **replaced):
    """A whole call on a connection of its own."""
    head = h2(HEADERS, END_HEADERS, 1, fields(*extra, **replaced))
    return PREFACE + h2(SETTINGS) + head + h2(DATA, END_STREAM, 1, body)


def dial(served):
    host, _, port = served.address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=PATIENCE)


def say(served, data, patience=0.2):
    """Say it on a connection of its own; what comes back, until nothing more does."""
    heard = b""
    with dial(served) as wire:
        wire.settimeout(patience)
        with suppress(OSError):  # it may cut us off
            wire.sendall(data)
        with suppress(OSError):
            while more := wire.recv(65536):
                heard += more
    return heard


class Neighbour:
    """Sends a message at a time, waits for its receipt, and follows what it sends, in a thread, until it is left alone."""

    def __init__(self, channel):
        self._stub = chat_pb2_grpc.ChatServiceStub(channel)
        self._enough = threading.Event()
        self._ended = queue.SimpleQueue()
        self.stored = 0
        threading.Thread(target=self._live, daemon=True).start()

    def _live(self):
        try:
            while not self._enough.is_set():
                self._chat(Stream(self._stub))
            self._ended.put(None)
        except BaseException as error:
            self._ended.put(error)

    def _chat(self, stream):
        """For a while: a stream has a deadline, which is not for the whole of a long test."""
        stream.send(user="neighbour", room="next door", receive=pb.Receive(rooms=["next door"]))
        for _ in range(100):
            if self._enough.is_set():
                break
            stream.send(str(self.stored))
            told, heard = [], []
            while not (told and heard):
                response = stream.receive()
                told += response.receipts
                heard += [text for run in response.runs for text in run.texts]
            assert ([receipt.status for receipt in told], heard) == ([STORED], [str(self.stored)])
            self.stored += 1
        stream.call.cancel()

    def leave(self):
        """Stop; raises what went wrong."""
        self._enough.set()
        if error := self._ended.get(timeout=PATIENCE):
            raise error


@contextmanager
def neighbour(channel):
    """A neighbour who is at it before, during and after the block."""
    someone = Neighbour(channel)
    until(lambda: someone.stored or someone._ended.qsize())
    yield someone
    before = someone.stored
    until(lambda: someone.stored > before or someone._ended.qsize())
    someone.leave()
    assert someone.stored > before


def field(chance):
    """A field of a message: a number that may be known, of any wire type, with what may follow it."""
    kind = chance.randrange(8)
    value = chance.choice((chance.randbytes(chance.randrange(20)), b"\xff" * 9 + b"\x01", pack("<d", chance.random())))
    if kind == 2:
        value = bytes([chance.choice((len(value), chance.randrange(128)))]) + value
    return bytes([chance.randrange(16) << 3 | kind]) + value


def junk(chance):
    """A message that is wrong somewhere, or nowhere by chance."""
    kind = chance.randrange(5)
    if kind == 0:
        return chance.randbytes(chance.choice((0, 1, 10, 1000)))
    if kind == 1:
        return b"".join(field(chance) for _ in range(chance.randrange(1, 8)))
    whole = pb.SendAndReceiveMessageRequest(
        user="eve", room="den", texts=["x" * chance.choice((0, 10, 70_000))] * chance.choice((1, 2, 1001)),
        number=chance.choice((0, 1, -1, 2**53, 2**63 - 1)), receive=pb.Receive(rooms=["\x00"] * chance.randrange(200)),
    ).SerializeToString()  # fmt: skip
    if kind == 2:
        return whole[: chance.randrange(len(whole) + 1)]
    if kind == 3:
        return b"\x0a\x02\xff\xfe" + whole
    spoilt = bytearray(whole)
    for _ in range(5):
        spoilt[chance.randrange(min(len(spoilt), 60))] = chance.randrange(256)
    return bytes(spoilt)


def streams(count):
    return (2 * i + 1 for i in range(count))


def garbage(chance):
    """Bytes for a connection each, by what is wrong with them."""
    start = PREFACE + h2(SETTINGS)
    head = h2(HEADERS, END_HEADERS, 1, fields())
    return {
        "random bytes": chance.randbytes(5000),
        "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + chance.randbytes(500),
        "HTTP/1.1": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "garbage frames": PREFACE + chance.randbytes(5000),
        "frames of all kinds": start + b"".join(
            h2(chance.randrange(12), chance.randrange(256), chance.randrange(4), chance.randbytes(chance.randrange(50)))
            for _ in range(50)
        ),
        "settings flood": PREFACE + b"".join(h2(SETTINGS, body=pack(">HI", 4, i)) for i in range(10_000)),
        "ping flood": start + h2(PING, body=b"12345678") * 10_000,
        "reset flood": start + b"".join(
            h2(HEADERS, END_HEADERS, i, fields()) + h2(RST, 0, i, pack(">I", 8)) for i in streams(2000)
        ),
        "header flood": start + b"".join(h2(HEADERS, END_HEADERS, i, fields()) for i in streams(2000)),
        "continuation flood": start + h2(HEADERS, 0, 1, fields())
        + b"".join(h2(CONTINUATION, 0, 1, header(b"x-%d" % i, b"y" * 100)) for i in range(5000)),
        "empty frame flood": start + head + h2(DATA, 0, 1) * 10_000,
        "window overflow": start + h2(WINDOW, 0, 0, b"\x7f\xff\xff\xff") * 2,
        "bad HPACK": start + h2(HEADERS, END_HEADERS, 1, b"\xff" * 8),
        "a frame too large": start + head + h2(DATA, 0, 1, b"x" * 1000, length=0xFFFFFF),
        "a message too large": start + head + h2(DATA, 0, 1, message(b"x" * 1000, length=0xFFFFFFFF)),
        "a message cut short": start + head + h2(DATA, END_STREAM, 1, message(b"x", length=100)),
        "no message": start + head + h2(DATA, END_STREAM, 1),
        "two messages": call(body=message() * 2),
        "compressed without a way": call(body=message(b"xx", compressed=1)),
        "wrongly compressed": call((b"grpc-encoding", b"gzip"), body=message(b"xx", compressed=1)),
        "huge metadata": call((b"x", b"y" * 15_000)),
        "far too huge metadata": start + h2(HEADERS, 0, 1, fields((b"x", b"y" * 12_000)))
        + h2(CONTINUATION, END_HEADERS, 1, b"".join(header(b"z", b"y" * 12_000) for _ in range(1))) * 40,
        "a method not in UTF-8": call(path=b"/chatctl.v1.ChatService/\xff\xfe"),
        "a long method not in UTF-8": call(path=b"/" + b"\xff" * 7000),
        "an empty method": call(path=b""),
        "a method with NUL": call(path=b"/a\0b"),
        "an unknown method": call(path=b"/no/such"),
        "an authority not in UTF-8": call(authority=b"\xff\xfe"),
        "a content type not in UTF-8": call(**{"content-type": b"\xff\xfe"}),
        "GET": call(method=b"GET"),
        "metadata not in UTF-8": call((b"x-\xff", b"a"), (b"x-a", b"\xff")),
        "metadata not in base 64": call((b"x-bin", b"!!!")),
        "a timeout of nonsense": call((b"grpc-timeout", b"banana")),
        "a timeout for ever": call((b"grpc-timeout", b"99999999H")),
        "headers twice": start + head + head,
        "data before headers": start + h2(DATA, 0, 1, message()),
        "a stream of the server's": start + h2(HEADERS, END_HEADERS, 2, fields()),
        "a push": start + h2(PUSH, END_HEADERS, 1, pack(">I", 2) + fields()),
        "goodbye": start + h2(GOAWAY, body=bytes(8)),
        "half a preface": PREFACE[:10],
        "nothing": b"",
    }  # fmt: skip
