"""Golden cases of wrong usage: no server is asked. Each line of a table is a command, and gets a place of its own."""

HELP = ("serve", "join", "send", "history", "stats", "verify")

GENERAL = (
    "--version",
    "--nosuch",
    "nosuch",
    "sned hello",
    "--json nosuch",
    "send --nosuch hello",
    "send --json --nosuch hello",
    "history --output json --last x",
    "history -o json --last x",
    "history -ojson --last x",
    "verify --json",
    "serve --json --grace x",
)

LONG = "x" * 1025

SEND = (
    "send --server nowhere hello",
    "send --server unix: hello",
    f"send --server unix:/{'x' * 120} hello",
    "send --server unix:~nosuchuser/chat hello",
    "send --timeout x hello",
    "send --user 'a\tb' hello",
    "send --user 'a\udcff' hello",
    "send --room '' hello",
    "send --room 'a\nb' hello",
    f"send --room {LONG} hello",
    "send --split word",
    "send --room",
    "send --receipts - hello",
    "send --receipts . hello",
    "send --receipts none/there hello",
    "send --receipts one --rejects one hello",
    "send --receipts two.chatctl-lock hello",
    "send --unconfirmed full hello",
    "send --unconfirmed locked hello",
    "send --resume missing",
    "send --resume empty",
    "send --resume empty --json",
    "send --resume full hello",
    "send --resume full --input-id s",
    "send --resume full --receipts full",
    "send --resume latin",
    "send --resume text",
    "send --resume rooms",
    "send --resume backwards",
    "send --resume zero",
)

HISTORY = (
    "history extra",
    "history --server nowhere",
    "history --user 'a\tb'",
    "history --since 'some day'",
    "history --since 1969-12-31T00:00:00Z",
    "history --until 25:00",
    "history --follow --until 10m",
    "history --last -1",
    "history --last x",
    "history --count 0",
    "history --last 1 --after a:1",
    "history --after 'a\udcff'",
    "history --grep 'a\udcff'",
    "history --output xml",
    "history --wait 0",
    "history --wait x",
    "history --exec ' '",
    "history --cursor-file ''",
    "history --cursor-file .",
    "history --cursor-file /dev/null",
    "history --cursor-file none/there",
    "history --cursor-file empty",
    "history --cursor-file text",
    "history --cursor-file cursor.locked",
)

OTHERS = (
    "stats extra",
    "stats --room ''",
    "stats --top 1001",
    "stats --watch 0",
    "stats --watch x",
    "verify",
    "verify missing",
    "verify .",
    "join ''",
    f"join {' '.join(f'room{n}' for n in range(101))}",
    "join --last -1",
    "join --theme red",
)

SERVE = (
    "serve extra",
    "serve --listen nowhere",
    "serve --listen 0.0.0.0:0",
    "serve --json --listen 0.0.0.0:0",
    "serve --listen unix:none/there --store sqlite:3.db",
    "serve --listen unix:text --store sqlite:4.db",
    "serve --listen unix:socket --store sqlite:5.db",
    "serve --text-bytes x",
    "serve --text-bytes 2000000",
    "serve --name-bytes 15",
    "serve --batch-messages 10001",
    "serve --batch-bytes 3145729",
    "serve --streams 0",
    "serve --grace x",
    "serve --log-level loud",
    "serve --log-format xml",
    "serve --store memory",
    "serve --store sqlite::memory:",
    "serve --listen 127.0.0.1:0 --store sqlite:.",
    "serve --listen 127.0.0.1:0 --store sqlite:/dev/null",
    "serve --listen 127.0.0.1:0 --store sqlite:text",
    "serve --listen 127.0.0.1:0 --store sqlite:text/chat.db",
    "serve --listen 127.0.0.1:0 --store sqlite:other.db",
    "serve --listen 127.0.0.1:0 --store sqlite:lost.db",
)

BAD = "\t/\t"


def variables(command: str, *names: str, value: str = BAD) -> list[tuple[str, str, str]]:
    """Variables, a value and a command that reads them."""
    return [(f"CHATCTL_{name}", value, command) for name in names]


ENVIRONMENT = (
    *variables("stats", "JSON"),
    *variables("stats --timeout x", "ROOM", "WATCH"),
    *variables("send hello", "USER", "ROOM"),
    *variables("send --timeout x", "RECEIPTS", "RESUME"),
    *variables("history --timeout x", "ROOM", "USER", "LAST", "COUNT", "LIMIT", "SINCE", "WAIT", "FOLLOW", "CURSOR_FILE"),
    *variables("history --timeout x", "EXEC_RETRIES", "EXEC", "AFTER", "GREP"),
    *variables("join", "ROOM"),
    *variables("join --timeout x", "LAST"),
    *variables("serve", "LISTEN", "STORE", "INSECURE"),
)
"""Each value is bad for the option of its variable: it shows that the variable is read, and how it is named.

Those with `--timeout x` are not read any more: the command ends for its own reason, after a notice if 0.1.0 read them.
"""
