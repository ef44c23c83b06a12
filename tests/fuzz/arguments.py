"""Random arguments of the commands: mostly sensible, some odd, some wrong.

`@NAME@` stands for what only exists when a run starts: `runs.py` replaces it.
"""

from typing import NamedTuple

NOT_UTF8 = "\udcff"  # a byte that is not UTF-8, as Python decodes it in arguments
TEXTS = (
    "hello", "a", "", "-", "--", "-x", "two words", "%s {} $(x)", "[/x]", "a\nb", "\x1b[31mred", "\t", f"caf{NOT_UTF8}",
    "日本語" * 50, "👩‍👩‍👧 👍🏽", "x" * 70_000,
)  # fmt: skip
NAMES = ("lobby", "ops", "ann", "a b", "日本", "", " ", "ops,ci", "[/x]", "../..", "\x07", NOT_UTF8, "é" * 64, "x" * 129)
NUMBERS = (
    "1", "2", "10", "100", "1000", "0", "-1", "", " 1", "abc", "1.5", "1e3", "0x10", "١", str(2**31), str(2**63), str(2**64),
    "9" * 30, "9" * 5000,
)  # fmt: skip
TIMES = (
    "10m", "1h", "now", "today", "yesterday 14:00", "14:00", "2026-11-27 14:00", "+10m", "2 hours ago", "1w", "0", "-1", "",
    "abc", "2026-02-30", "0001-01-01", "1970-01-01", "9999-12-31T23:59:59Z", "10000-01-01", "2026-11-27T14:00:00+25:00",
    "9999999d", "+9999999999999999d", "1e400", "nan", "inf", "0001-01-01T00:00:00+14:00", "+0.1", NOT_UTF8,
)  # fmt: skip
DURATIONS = ("0.3", "0.1s", "1s", "0.5", "0", "-1", "nan", "inf", "1e400", "5x", "", "0.0000001", "9" * 400, NOT_UTF8)
CURSORS = ("@CURSOR@", "@CURSOR@", "@CURSOR@0", "abc", "x:1", "", "other-log:1", "x:99999999999999999999", NOT_UTF8)
FILES = (
    "@FOLDER@/new", "@FOLDER@/new", "new", "@FOLDER@/garbage", "@FOLDER@/directory", "@FOLDER@/link", "@FOLDER@/dangling",
    "@FOLDER@/fifo", "@FOLDER@/null", "@FOLDER@/full", "@FOLDER@/missing/file", "@FOLDER@/garbage/file", "", "-", ".",
    "@FOLDER@/" + "x" * 300, "@FOLDER@/loop", "/dev/stdout", "/dev/stderr", "/dev/stdin", "/dev/fd/9",
    f"@FOLDER@/{NOT_UTF8}", "@FOLDER@/socket", "@FOLDER@/read-only",
)  # fmt: skip
ADDRESSES = (
    "localhost:1", ":1", "127.0.0.1:99999", "127.0.0.1:0", "unix:@FOLDER@/absent", "unix:@FOLDER@/garbage", "unix:",
    "[::1]:1", "", "dns:///x", "http://127.0.0.1:1", "nosuchhost.invalid:1", "a b:1", "127.0.0.1:1,127.0.0.1:2",
    "unix:" + "x" * 200, f"{NOT_UTF8}:1", "[::", "٣:1",
)  # fmt: skip
EXECUTED = (
    "true", "false", "exit 3", "cat >/dev/null", "cat", "head -c 1", "sleep 0.1", "echo out; echo err >&2", "nosuchcommand",
    "kill -9 $$", "exec 0<&- 1>&- 2>&-", "yes | head -c 100000", "", "(sleep 0.2) & exit 0", "kill -TERM $PPID", "'",
    NOT_UTF8,
)  # fmt: skip
STORES = (
    *["sqlite:@FOLDER@/chat.db"] * 12, "sqlite:chat.db", "sqlite:@FOLDER@/garbage", "sqlite:@FOLDER@/directory",
    "sqlite:@FOLDER@/fifo", "sqlite:@FOLDER@/null", "sqlite:@FOLDER@/missing/chat.db", "sqlite:@FOLDER@/link", "sqlite:",
    "sqlite:@USED@", "@FOLDER@/chat.db", "postgres:x", "", "sqlite:@FOLDER@/" + "x" * 300, "sqlite:@FOLDER@/full",
    "sqlite:@FOLDER@/socket", "sqlite:@FOLDER@/read-only", f"sqlite:@FOLDER@/{NOT_UTF8}", "sqlite::memory:",
)  # fmt: skip
LISTENS = (
    *["127.0.0.1:0"] * 8, "unix:@FOLDER@/chat.socket", "unix:@FOLDER@/garbage", "localhost:0",
    "@TAKEN@", "[::1]:0", "", "abc", "unix:", "unix:@FOLDER@/missing/chat.socket", "127.0.0.1:99999", "unix:" + "x" * 200,
)  # fmt: skip
FLAG = None  # an option without a value

COMMON = {"--no-color": FLAG, "--utc": FLAG}
OPTIONS = {
    "send": {
        "--room": NAMES, "-u": NAMES, "--input-id": NAMES, "--split": ("line", "none", "null", "x"),
        "--invalid": ("reject", "replace", "x"), "--receipts": FILES, "--rejects": FILES, "--unconfirmed": FILES,
        "--resume": ("@FOLDER@/unconfirmed", *FILES), "--json": FLAG, "-q": FLAG, "--no-color": FLAG, "--sender": NAMES,
    },
    "history": {
        "--room": NAMES, "-u": NAMES, "--input-id": NAMES, "--since": TIMES, "--until": TIMES, "--last": NUMBERS,
        "--after": CURSORS, "--grep": TEXTS, "--count": NUMBERS, "-o": ("table", "json", "text", "xml", ""), "--json": FLAG,
        "-f": FLAG, "--wait": DURATIONS, "--cursor-file": ("@FOLDER@/cursor", "@FOLDER@/cursor", *FILES), "--exec": EXECUTED,
        "--exec-retries": ("0", "1", *NUMBERS),
        **COMMON,
    },
    "stats": {
        "--watch": ("0.1", "0.1", "", *NUMBERS, *DURATIONS), "--room": NAMES, "--top": NUMBERS, "--json": FLAG, **COMMON,
    },
    "verify": {"--json": FLAG, "-q": FLAG},
    "join": {
        "-u": NAMES, "--plain": FLAG, "--json": FLAG, "--last": NUMBERS, "--invalid": ("reject", "replace", "x"),
        "--theme": ("dark", "light", "x"), **COMMON,
    },
    "serve": {
        "--insecure": FLAG, "--socket-mode": ("600", "660", "000", "999", "", "abc"), "--allow-shared-store": FLAG,
        "--text-bytes": NUMBERS, "--name-bytes": NUMBERS, "--batch-messages": NUMBERS, "--batch-bytes": NUMBERS,
        "--streams": NUMBERS, "--log-level": ("debug", "info", "error", "x"), "--log-format": ("json", "text", "x"),
        "--json": FLAG,
    },
}  # fmt: skip
LIKELY = {"send": ("--json", "-q", "--receipts"), "history": ("--json", "-f", "--last", "--exec"), "stats": ("--watch",),
          "join": ("--plain",), "verify": ("--json",), "serve": ()}  # fmt: skip
NEEDS = {"--exec": "-f", "--exec-retries": "--exec"}  # an option that has no effect without another one
TIMEOUTS = (0.2, 0.3, 0.5, 1.0)
COMMANDS = ("send", "send", "send", "history", "history", "history", "stats", "verify", "join", "serve")
WITHOUT_COMMAND = ((), ("--version",), ("--help",), ("-x",), ("nosuch",), ("--show-completion",), ("",), ("--", "send"))


class Chosen(NamedTuple):
    """The arguments of a run, and what they mean for its end."""

    arguments: list[str]
    seconds: float  # after which a command that waits for nothing else ends
    is_mangled: bool = False  # no word has a certain meaning
    never_times_out: bool = False


def choose(rng) -> Chosen:
    """Return random arguments. The first is the command, if there is one."""
    if rng.random() < 0.03:
        return Chosen(list(rng.choice(WITHOUT_COMMAND)), 1)
    command = rng.choice(COMMANDS)
    timeout = 0.0 if rng.random() < 0.08 else rng.choice(TIMEOUTS)
    is_odd = rng.random() < 0.04
    given = rng.choice(DURATIONS) if is_odd else timeout
    words = [command, f"--grace={timeout}" if command == "serve" else f"--timeout={given}"]
    words += _where(rng, command)
    options = dict.fromkeys(_options(rng, command))
    wait = 0.0
    for option in options:
        values = OPTIONS[command][option]
        value = None if values is FLAG else _value(rng, values)
        words += _words(rng, option, value)
        wait = 1.0 if option == "--wait" else wait
    words += _positional(rng, command)
    is_mangled = rng.random() < 0.07
    if is_mangled:
        _mangle(rng, words)
    elif rng.random() < 0.02:
        words.append(rng.choice(("--help", "-h")))
    return Chosen(words, timeout + wait, is_mangled, command != "serve" and (is_odd or not timeout))


def _where(rng, command):
    if command != "serve":
        if rng.random() < 0.06:
            return [] if rng.random() < 0.4 else ["-s", rng.choice(ADDRESSES)]
        return ["-s", "@SERVER@"]
    words = ["--store", _value(rng, STORES)]
    for _ in range(rng.choice((1, 1, 1, 2))):
        words += ["-l", _value(rng, LISTENS)]
    return words


def _options(rng, command):
    known = list(OPTIONS[command])
    for option in LIKELY[command]:
        if rng.random() < 0.4:
            yield option
    for option in rng.sample(known, min(len(known), rng.choice((0, 0, 1, 1, 2, 3)))):
        if option in NEEDS and rng.random() < 0.8:
            yield NEEDS[option]
        yield option


def _value(rng, values):
    """Return a value. The first third, where the sensible ones are, is more likely."""
    return values[rng.randrange((len(values) + 2) // 3)] if rng.random() < 0.75 else rng.choice(values)


def _words(rng, option, value):
    if value is None:
        return [option]
    return [f"{option}={value}"] if option.startswith("--") and rng.random() < 0.3 else [option, value]


def _positional(rng, command):
    if command == "send" and rng.random() < 0.3:
        return ["--", *(rng.choice(TEXTS) for _ in range(rng.choice((1, 1, 2))))]
    if command == "verify":
        return [rng.choice(("@RECEIPTS@", "@RECEIPTS@", "-", "-", *FILES))]
    if command == "join":
        return [_value(rng, NAMES) for _ in range(rng.choice((0, 1, 1, 2, 101)))]
    return []


def _mangle(rng, words):
    """Insert, repeat, swap or delete a word after the first two."""
    place = rng.randrange(2, len(words) + 1)
    change = rng.choice(("insert", "repeat", "swap", "delete"))
    if change == "insert" or place >= len(words):
        words.insert(place, rng.choice(("--nosuch", "--", "-", "--json", "--json=1", "-fq", "--room", "-", *TEXTS)))
    elif change == "repeat":
        words.insert(place, words[place])
    elif change == "swap":
        words[place], words[-1] = words[-1], words[place]
    else:
        del words[place]
