"""What stands in the stdin of a run."""

import random

PASTE = "\x1b[200~a\nb\x1b[201~"
KEYS = ("hello\r", "\t", "\x1b[A", "\x1b[5~", "/join ops\r", "/help\r", "/who\r", "\x1b", "\x03", "\x1a", PASTE, "é")
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
            return "".join(rng.choice(KEYS) for _ in range(rng.randrange(12))).encode()
    raise ValueError(f"unknown content {name!r}")
