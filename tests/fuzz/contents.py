"""What stands in the stdin of a run."""

import random

PASTE = "\x1b[200~a\nb\x1b[201~"
KEYS = (
    "\x01",
    "\x0b",
    "\x15",
    "\x17",
    "\x7f",
    "\x1b[3~",
    "\x1b[H",
    "\x1b[F",
    "\x1b[6~",
    "\x1b[1;5C",
    "\x1b[<0;10;5M",
    "\x1b[?1;2c",
    "\x1b[200~never ended",
    "\x1b]0;title\x07",
    "\x1b[999999999~",
    "/leave\r",
    "/join \x1b\r",
    "/nosuch\r",
    "/theme light\r",
    "@a\t",
    "\x06a\r",
    "\udcff\udcfe",
    "👩‍👩‍👧",
    "\x1c",
    "hello\r",
    "\t",
    "\x1b[A",
    "\x1b[5~",
    "/join ops\r",
    "/help\r",
    "/who\r",
    "\x1b",
    "\x03",
    "\x1a",
    PASTE,
    "é",
)
PIECE_BYTES = 1 << 16
HUGE_BYTES = 3 << 20


def content(name, seed, receipts):
    """Return the bytes of a content by its name. `receipts` are lines that `send --receipts` has written."""
    rng = random.Random(f"{name}:{seed}")
    match name:
        case "nothing":
            return b""
        case "a line":
            return b"hello\n"
        case "some lines":
            return b"".join(b"line %d\n" % number for number in range(rng.randrange(2, 200)))
        case "no newline":
            return b"first\nlast"
        case "many lines":
            return b"".join(b"%d\n" % number for number in range(20_000))
        case "a huge line":
            return b"x" * rng.choice((70_000, HUGE_BYTES)) + rng.choice((b"\n", b"\nafter\n", b""))
        case "binary":
            return rng.randbytes(rng.choice((1, 100, 10_000)))
        case "zeros":
            return bytes(rng.choice((1, 100_000)))
        case "not UTF-8":
            return b"good\nbad \xff\xfe\nhalf \xe2\x82\n\xed\xa0\x80\n\r\n"
        case "receipts":
            return receipts + rng.choice((b"", b"{}\n", b"[", b'{"number": "x"}\n', b"null\n"))
        case "keys":
            return "".join(rng.choice(KEYS) for _ in range(rng.randrange(16))).encode(errors="surrogateescape")
    raise ValueError(f"unknown content {name!r}")
