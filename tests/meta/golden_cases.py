"""The cases of the golden files with a server: a table of commands, their input, and the files to show afterwards.

`SERVER`, `NOBODY`, `LOG` and the other tokens of golden_run stand for what is different in each run. To change a public
word, change it here, then run the tests with GOLDEN_UPDATE=1 and look at the difference.
"""

import json
from hashlib import sha256
from typing import NamedTuple

from golden_run import Step

AT = "--server SERVER"


class Case(NamedTuple):
    """Commands that are run one after the other in one directory, with these files in it."""

    name: str
    steps: tuple[Step, ...]
    files: dict[str, str] = {}  # noqa: RUF012 (never changed)


def case(name: str, *steps: Step | str, **files: str) -> Case:
    """A case; a file's name has _ for its dot."""
    named = {name.replace("_", "."): content for name, content in files.items()}
    return Case(name, tuple(step if isinstance(step, Step) else Step(step) for step in steps), named)


def receipt(number: int, sequence: int, text: str, **changes: object) -> str:
    """A line as `send --json` writes it, with changes."""
    whole = {"number": number, "status": "stored", "sequence": sequence, "room": "news", "user": "ann", "input_id": "seed-1"}
    whole |= {
        "time": "2026-01-31T08:00:00.000000Z",
        "cursor": f"LOG:{sequence}",
        "sha256": sha256(text.encode()).hexdigest(),
    }
    return json.dumps(whole | changes) + "\n"


def not_stored(number: int, status: str, **more: str) -> str:
    """A line as `send --json` writes it of a record that is not stored, or may not be."""
    whole = {"number": number, "status": status, "room": "news", "user": "ann", "input_id": "seed-1"}
    return json.dumps(whole | more) + "\n"


def left(number: int, text: str, **changes: object) -> str:
    """A line as `send --unconfirmed` writes it."""
    whole = {"number": number, "room": "news", "user": "ann", "input_id": "left-1", "text": text}
    return json.dumps(whole | changes, separators=(",", ":")) + "\n"


SEED = (
    Step(f"send {AT} --room news --user ann --input-id seed-1", "first\nsecond line\nthird\n"),
    Step(f"send {AT} --room ops --user bob --input-id seed-2 --split null", "tab\tand\nnewline\0\x1b[31mred\0größer ☃\0"),
    Step(f"send {AT} --room ops --user ann --input-id seed-3 'ERROR: disk full'"),
)
"""Seven messages, which the groups that only read are about."""

RECEIPTS = (
    case("one text", f"send {AT} --room r1 --user ann --input-id s1 hello world"),
    case("the defaults", f"send {AT} hello"),
    case("one text as JSON", f"send {AT} --room r1 --user ann --input-id s2 --json 'größer \"☃\"'"),
    case("nothing is stored twice", f"send {AT} --room r1 --user ann --input-id s1 hello world"),
    case("a duplicate as JSON", f"send {AT} --room r1 --user ann --input-id s2 --json 'größer \"☃\"'"),
    case("lines of stdin", Step(f"send {AT} --room r1 --user ann --input-id s3", "a\nb\n\nlast")),
    case("lines as JSON", Step(f"send {AT} --room r1 --user ann --input-id s4 --json", "a\nb\n")),
    case("a dash is stdin", Step(f"send {AT} --room r1 --user ann --input-id s5 -", "a\n")),
    case(
        "no lines", f"send {AT} --room r1 --user ann --input-id s6", f"send {AT} --room r1 --user ann --input-id s6 --json"
    ),
    case("quiet", f"send {AT} --input-id s7 --quiet a", f"send {AT} --input-id s8 --quiet --json a"),
    case("split at nothing", Step(f"send {AT} --input-id s9 --split none --json", "a\nb\n")),
    case("split at NUL", Step(f"send {AT} --input-id s10 --split null", "a\nb\0c")),
    case(
        "the old name of --input-id",
        f"send {AT} --room r1 --user ann --sender s15 hello",
        f"send {AT} --room r1 --user ann --sender s15 --json hello",
        f"send {AT} --sender s15 --input-id s16 hello",
    ),
    case("another text", f"send {AT} --room r1 --user ann --input-id s1 other words"),
    case("another text as JSON", f"send {AT} --room r1 --user ann --input-id s1 --json other words"),
    case("another room", f"send {AT} --room r2 --user ann --input-id s1 hello world"),
    case("another user", f"send {AT} --room r1 --user bob --input-id s1 hello world"),
    case("some duplicates, some new", Step(f"send {AT} --room r1 --user ann --input-id s3", "a\nb\n\nlast\nnew\n")),
    case("a name too long for the server", f"send {AT} --room {'x' * 129} hello"),
    case("a user too long for the server", f"send {AT} --json --user {'x' * 129} hello"),
    case("an input id too long for the server", f"send {AT} --input-id {'x' * 129} hello"),
    case("no UTF-8", f"send {AT} --input-id s11 'a\udcff'", f"send {AT} --input-id s12 --json 'a\udcff'"),
    case("a text too long", f"send {AT} --input-id s13 {'x' * 65537}"),
    case("names that do not show", f"send {AT} --room 'a b ' --user 'a\u200bb' --input-id ' s' hello"),
    case(
        "names from the environment",
        Step("send hello", env={"CHATCTL_SERVER": "SERVER", "CHATCTL_ROOM": "r9", "CHATCTL_USER": "eve"}),
    ),
    case(
        "JSON from the environment", Step(f"send {AT} --input-id s14 hello", env={"CHATCTL_JSON": "1", "CHATCTL_QUIET": "1"})
    ),
)

FILES = (
    case("receipts", Step(f"send {AT} --input-id f1 --receipts out.jsonl", "a\nb\n", show=("out.jsonl",))),
    case(
        "rejects",
        Step(
            f"send {AT} --input-id f2 --rejects bad.txt", b"good\n\xff\xfe\n" + b"x" * 65537 + b"\nok\n", show=("bad.txt",)
        ),
        Step(f"send {AT} --input-id f3 --rejects bad.txt --json", b"good\n\xff\xfe", show=("bad.txt",)),
    ),
    case("rejects, and nothing was", Step(f"send {AT} --input-id f4 --rejects bad.txt hello", show=("bad.txt",))),
    case("many rejections", Step(f"send {AT} --input-id f5", b"\xff\n" * 22)),
    case(
        "unconfirmed, and nothing was", Step(f"send {AT} --input-id f6 --unconfirmed left.jsonl hello", show=("left.jsonl",))
    ),
    case(
        "resume",
        Step(f"send {AT} --resume left.jsonl --unconfirmed left.jsonl", show=("left.jsonl",)),
        Step(f"send {AT} --resume left.jsonl --unconfirmed left.jsonl"),
        left_jsonl=left(3, "third") + left(4, "fourth") + left(7, "seventh"),
    ),
    case("resume as JSON", f"send {AT} --resume left.jsonl --json", left_jsonl=left(8, "eighth", log="LOG")),
    case(
        "resume to another log",
        Step(f"send {AT} --resume left.jsonl --unconfirmed left.jsonl", show=("left.jsonl",)),
        f"send {AT} --resume left.jsonl --json",
        left_jsonl=left(9, "ninth", log="cafecafecafe"),
    ),
    case("resume a conflict", f"send {AT} --resume left.jsonl", left_jsonl=left(3, "something else")),
    case("receipts on a full disk", f"send {AT} --input-id f7 --receipts /dev/full hello"),
    case("receipts on a full disk, as JSON", f"send {AT} --input-id f8 --receipts /dev/full --json hello"),
    case("receipts that are also stdout", Step(f"send {AT} --input-id f9 --receipts out hello", files=("", "out"))),
    case("stdout on a full disk", Step(f"send {AT} --input-id f10 --json hello", files=("", "/dev/full"))),
    case(
        "stdin that cannot be read",
        Step(f"send {AT} --input-id f11", files=("/proc/self/mem", "")),
        Step(f"send {AT} --json", files=("/proc/self/mem", "")),
    ),
)

HISTORY = (
    case("a table", f"history {AT}", f"history {AT} --utc --room none"),
    case("as JSON", f"history {AT} --json"),
    case("last", f"history {AT} --last 2 --output text", f"history {AT} --last 0 --output text"),
    case("count", f"history {AT} --count 2 --output text", f"history {AT} --limit 1 --output text"),
    case("conditions", f"history {AT} --user ann --room ops --output text", f"history {AT} --grep error --output text"),
    case("after", f"history {AT} --after LOG:5 --json", f"history {AT} --after LOG:7 --json"),
    case(
        "times", f"history {AT} --since 1h --until +1h --last 1 --output text", f"history {AT} --until 2020-01-01T00:00:00Z"
    ),
    case("rooms of the environment", Step(f"history {AT} --output text", env={"CHATCTL_ROOM": "news,none"})),
    case("users of the environment", Step(f"history {AT} --output text", env={"CHATCTL_USER": "bob"})),
    case("not a cursor", f"history {AT} --after x", f"history {AT} --after x --json"),
    case("a cursor of another log", f"history {AT} --after cafecafecafe:1", f"history {AT} --after cafecafecafe:1 --json"),
    case("a cursor beyond the head", f"history {AT} --after LOG:99", f"history {AT} --after LOG:99 --json"),
    case("a name too long for the server", f"history {AT} --room {'x' * 129}", f"history {AT} --user {'x' * 129} --json"),
    case("too many rooms", f"history {AT} {' '.join(f'-r room{n}' for n in range(101))}"),
    case("a long text to find", f"history {AT} --grep {'x' * 1025}"),
    case("follow to a count", f"history {AT} --follow --count 2 --json"),
    case("silence", f"history {AT} --wait 0.2s --room news --output text", f"history {AT} --wait 0.2s --room none --json"),
    case("follow to an end", f"history {AT} --follow --until +1s --room news --output text"),
    case("interrupted", Step(f"history {AT} --follow --json", lines=7)),
    case(
        "a cursor file",
        Step(f"history {AT} --cursor-file at --count 5 --output text", show=("at", "at.chatctl-lock")),
        Step(f"history {AT} --cursor-file at --json", show=("at",)),
        Step(f"history {AT} --cursor-file at --output text", show=("at",)),
    ),
    case("a cursor file from now on", Step(f"history {AT} --cursor-file at --last 0", show=("at",))),
    case("a cursor file of another log", Step(f"history {AT} --cursor-file at", show=("at",)), at="cafecafecafe:1\n"),
    case("a cursor file beyond the head", f"history {AT} --cursor-file at --json", at="LOG:99\n"),
    case("a command", f"history {AT} --last 2 --exec 'cat; env | grep ^CHATCTL_ | sort'"),
    case(
        "a command's environment",
        Step(
            f"history {AT} --last 1 --exec 'env | grep ^CHATCTL_ | sort'", env={"CHATCTL_GREP": "disk", "CHATCTL_JSON": "0"}
        ),
    ),
    case("a command that fails", f"history {AT} --exec-retries 0 --exec 'exit 3'"),
    case("a command that fails, tried again", f"history {AT} --last 1 --exec-retries 1 --exec false"),
    case("a command that fails, as JSON", f"history {AT} --json --after LOG:5 --exec-retries 1 --exec false"),
    case("a command that is killed", f"history {AT} --exec-retries 0 --exec 'kill -9 $$'"),
    case(
        "a command that fails, with a cursor file",
        Step(f"history {AT} --cursor-file at --exec-retries 0 --exec 'grep -v third'", show=("at",)),
    ),
    case("stdout on a full disk", *(Step(f"history {AT}{more}", files=("", "/dev/full")) for more in ("", " --json"))),
)

STATS = (
    case("figures", f"stats {AT}"),
    case("as JSON", f"stats {AT} --json"),
    case("one room", f"stats {AT} --room ops --room none --json", f"stats {AT} --room ops"),
    case("the first ones", f"stats {AT} --top 1 --json"),
    case("rooms of the environment", Step(f"stats {AT} --json", env={"CHATCTL_ROOM": "news"})),
    case("watch", Step(f"stats {AT} --watch 0.2", lines=1)),
    case("watch as JSON", Step(f"stats {AT} --watch 0.2 --json", lines=1)),
    case("a name too long for the server", f"stats {AT} --room {'x' * 129}", f"stats {AT} --json --room {'x' * 129}"),
    case("too many rooms", f"stats {AT} {' '.join(f'-r room{n}' for n in range(101))}"),
    case("too many rooms, watched", f"stats {AT} --json --watch 1 {' '.join(f'-r room{n}' for n in range(101))}"),
)

GOOD = receipt(1, 1, "first") + receipt(2, 2, "second line") + receipt(3, 3, "third", status="duplicate")
WRONG = (
    receipt(1, 1, "first")
    + receipt(2, 2, "another text")
    + receipt(3, 3, "third", room="ops")
    + receipt(4, 3, "third", user="bob")
    + receipt(5, 99, "never stored")
    + not_stored(6, "rejected", error="it is too long")
    + not_stored(7, "unconfirmed")
)
NOT_RECEIPTS = (
    "hello\n\n{}\n"
    + receipt(1, 1, "first", room="")
    + receipt(0, 1, "first")
    + receipt(1, 1, "first", input_id=7)
    + receipt(1, 0, "first")
    + receipt(1, 1, "first", sha256="00")
    + receipt(1, 1, "first", cursor="LOG:2")
    + receipt(1, 1, "first", status="lost")
)

VERIFY = (
    case("all is stored", f"verify {AT} good", f"verify {AT} good --json", good=GOOD),
    case("stdin", Step(f"verify {AT} -", GOOD), Step(f"verify {AT} --json --quiet -", GOOD)),
    case("every fault", f"verify {AT} wrong", f"verify {AT} wrong --json", wrong=WRONG),
    case("no receipts", f"verify {AT} bad", f"verify {AT} bad --json", bad=NOT_RECEIPTS),
    case("many that are no receipts", f"verify {AT} bad", bad="hello\n" * 22),
    case("a line too long", Step(f"verify {AT} -", "x" * (1024 * 1024 + 1) + "\n")),
    case("nothing", f"verify {AT} none", f"verify {AT} none --json", none=""),
    case(
        "only what was not stored",
        f"verify {AT} left",
        left=not_stored(7, "unconfirmed"),
    ),
    case(
        "another log",
        f"verify {AT} other",
        f"verify {AT} other --json",
        other=receipt(1, 1, "first", cursor="cafecafecafe:1"),
    ),
    case(
        "two logs",
        f"verify {AT} both",
        f"verify {AT} both --json",
        both=GOOD + receipt(4, 4, "x", cursor="cafecafecafe:4"),
    ),
    case("a cursor without a log", f"verify {AT} other", other=receipt(1, 1, "first", cursor=":1")),
    case("stdout on a full disk", Step(f"verify {AT} wrong", files=("", "/dev/full")), wrong=WRONG),
    case("stdin that cannot be read", Step(f"verify {AT} --json -", files=("/proc/self/mem", ""))),
)

JOIN = (
    case("lines", Step(f"join {AT} --plain --user ann r1", "hello\nworld\n")),
    case("as JSON", Step(f"join {AT} --json --user ann r1", "hello\ngrößer\n")),
    case("two rooms, and the last ones", Step(f"join {AT} --user bob --last 3 --utc r2 r1 r2", "to r2\n")),
    case("no lines", f"join {AT} --plain r3", f"join {AT} --json --last 1 r1"),
    case("lines that cannot be sent", Step(f"join {AT} --plain r4", b"good\n\xff\n" + b"x" * 65537 + b"\n")),
    case("lines that cannot be sent, as JSON", Step(f"join {AT} --json r4", b"\xff\n")),
    case(
        "rooms of the environment", Step(f"join {AT} --plain", "hello\n", {"CHATCTL_ROOM": "r5,r6", "CHATCTL_USER": "eve"})
    ),
    case("a name too long for the server", f"join {AT} --plain {'x' * 129}", f"join {AT} --json {'x' * 129}"),
    case("a user too long for the server", Step(f"join {AT} --plain --user {'x' * 129} r7", "hello\n")),
)

CALLS = ("send hello", "history", "history --follow", "stats", "stats --watch", "verify -", "join --plain")


def unreachable(where: str, *commands: str) -> tuple[Case, ...]:
    """Commands with a server that does not answer as one."""
    inputs = {"verify": GOOD, "join": "hello\n"}
    return tuple(
        case(
            f"{command} at {where}",
            Step(f"{command} --server {where} --timeout 1s", inputs.get(command.split()[0], "")),
        )
        for command in commands
    )


UNREACHABLE = (
    *unreachable("NOBODY", *CALLS, "send hello --json", "history --follow --json", "stats --json", "join --json"),
    *unreachable("SILENT", "send hello", "history", "stats --watch", "verify - --json", "join --plain"),
    *unreachable("WEB", "send hello", "history --follow", "stats", "stats --json", "join --plain"),
    *unreachable("unix:none", "stats"),
    case("a notice of silence", "stats --server SILENT --timeout 3s", "send --server SILENT --timeout 3s hello"),
    case(
        "unconfirmed without a server",
        Step("send --server NOBODY --timeout 1s --input-id s1 --unconfirmed left.jsonl hello", show=("left.jsonl",)),
        Step("send --server NOBODY --timeout 1s --resume left.jsonl --unconfirmed left.jsonl", show=("left.jsonl",)),
    ),
)

TERMINAL = (
    case("one text", Step(f"send {AT} --input-id t1 --room t --user ann hello", terminal=True)),
    case("history", Step(f"history {AT} --room ops", terminal=True), Step(f"history {AT} --output text", terminal=True)),
    case("history of a room of the environment", Step(f"history {AT}", env={"CHATCTL_ROOM": "news"}, terminal=True)),
    case("stats of a room of the environment", Step(f"stats {AT} --json", env={"CHATCTL_ROOM": "news"}, terminal=True)),
    case("an error", Step("send --server NOBODY --timeout 1s --input-id t2 hello", terminal=True)),
    case("wrong usage", Step("history --since noon", terminal=True)),
)
