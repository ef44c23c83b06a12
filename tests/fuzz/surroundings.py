"""Random surroundings of a process: what it inherits, and what its environment says."""

from tests.fuzz.arguments import NOT_UTF8

STDIN = {
    "null": 6, "piped": 8, "file": 3, "closed": 2, "quiet": 2, "endless": 2, "zeros": 1, "terminal": 2, "nonblocking": 2,
    "nonblocking piped": 2, "socket": 1, "write-only": 1, "broken": 1, "full": 1,
}  # fmt: skip
OUTPUT = {
    "pipe": 12, "file": 6, "null": 1, "full": 2, "closed": 2, "broken": 2, "breaks": 2, "stalled": 2, "socket": 1,
    "broken socket": 1, "terminal": 3, "nonblocking": 2, "nonblocking stalled": 1, "read-only": 1, "device": 1,
}  # fmt: skip
CONTENTS = {
    "nothing": 2, "a line": 4, "some lines": 6, "no newline": 2, "many lines": 1, "a huge line": 1, "binary": 2, "zeros": 1,
    "not UTF-8": 2, "receipts": 2, "keys": 1,
}  # fmt: skip
SIGNALS = {"SIGINT": 6, "SIGTERM": 4, "SIGHUP": 4, "SIGQUIT": 1, "SIGPIPE": 2, "SIGWINCH": 2, "SIGSTOP": 2, "SIGCHLD": 1,
           "SIGUSR1": 1, "SIGTSTP": 1, "SIGALRM": 1}  # fmt: skip
INHERITED = ("SIGPIPE", "SIGCHLD", "SIGHUP", "SIGINT", "SIGTTIN", "SIGTTOU", "SIGQUIT", "SIGUSR1", "SIGALRM")
SIZES = ((24, 80), (24, 80), (24, 80), (0, 0), (1, 1), (2, 500), (50, 2), (10, 20), (5, 3))  # of terminals: rows, columns
LIMITS = {
    "NOFILE": (8, 12, 16, 32, 64),
    "hard NOFILE": (8, 12, 16, 64, 80),
    "FSIZE": (0, 100, 10_000),
    "CORE": (0,),
    "STACK": (1 << 20,),
}

ENVIRONMENT = {
    "HOME": (None, None, "/nonexistent", "", "@FOLDER@/garbage", "relative"),
    "LANG": ("C", "C", None, "de_DE.ISO-8859-1", "nonsense", ""),
    "LC_ALL": ("C", "POSIX", "nonsense"),
    "TZ": ("UTC+25", "UTC+25", "", "Nowhere/City", ":/etc/passwd", "A" * 300, "Europe/Berlin", "<+99>-99", NOT_UTF8),
    "COLUMNS": ("0", "0", "", "abc", "1", "99999", "-5", "9" * 5000),
    "LINES": ("0", "", "1", "-1", "99999"),
    "TERM": ("dumb", "", None, "nonsense", "xterm-256color", "vt100"),
    "COLORTERM": ("truecolor", "x"),
    "COLORFGBG": ("15;0", "x", ";"),
    "NO_COLOR": ("", None),
    "FORCE_COLOR": ("1", "0"),
    "TTY_COMPATIBLE": ("1", "x"),
    "PATH": (None, "", "/nonexistent"),
    "SHELL": (None, "/bin/sh", "/nonexistent"),
    "LOGNAME": (None, "", "x" * 500, "\x07", NOT_UTF8, "a b"),
    "USER": ("root", ""),
    "TMPDIR": ("/nonexistent", ""),
    "XDG_DATA_HOME": ("/nonexistent", "relative", ""),
    "http_proxy": ("http://127.0.0.1:1", "x", "socks5://127.0.0.1:1"),
    "grpc_proxy": ("http://127.0.0.1:1", "x"),
    "GRPC_VERBOSITY": ("DEBUG", "x", ""),
    "GRPC_DNS_RESOLVER": ("native", "ares", "x"),
    "CHATCTL_SERVER": ("127.0.0.1:1", "x", NOT_UTF8),
    "CHATCTL_TIMEOUT": ("", "x", "-1", "0.1"),
    "CHATCTL_USER": ("", "ann", "x" * 200, "a,b", NOT_UTF8),
    "CHATCTL_ROOM": ("", "ops", "ops,ci", "\x07", "x" * 200),
    "CHATCTL_JSON": ("1", "0", "maybe", ""),
    "CHATCTL_OUTPUT": ("json", "text", "xml", ""),
    "CHATCTL_QUIET": ("1", "maybe"),
    "CHATCTL_UTC": ("yes", "maybe"),
    "CHATCTL_NO_COLOR": ("1", "maybe"),
    "CHATCTL_FOLLOW": ("1",),
    "CHATCTL_GRACE": ("x", "0"),
    "CHATCTL_LOG_LEVEL": ("debug", "x", ""),
    "CHATCTL_STREAMS": ("0", "x"),
    "CHATCTL_SERVE_JSON": ("1", "maybe"),
    "_CHATCTL_COMPLETE": ("complete_bash", "complete_zsh", "source_bash", "x"),
}  # fmt: skip
ENVIRONMENT_AT_START = {  # what only a new interpreter reads
    "PYTHONUNBUFFERED": ("1",),
    "PYTHONIOENCODING": ("ascii", "latin-1"),
    "PYTHONUTF8": ("0", "1"),
    "PYTHONDONTWRITEBYTECODE": ("1",),
    "PYTHONCOERCECLOCALE": ("0",),
}


def pick(rng, weights):
    return rng.choices(list(weights), list(weights.values()))[0]


def choose_streams(rng, words):
    """Return the kinds of the three streams, and the content of stdin."""
    stdin, content = pick(rng, STDIN), pick(rng, CONTENTS)
    stdout = pick(rng, OUTPUT)
    stderr = "file" if rng.random() < 0.75 else "as stdout" if rng.random() < 0.15 else pick(rng, OUTPUT)
    if words[:1] == ["join"] and rng.random() < 0.5:
        stdin, content, stdout = "terminal", "keys", "terminal"
    if words[:1] == ["verify"] and rng.random() < 0.5:
        content = "receipts"
    return {"stdin": stdin, "content": content, "stdout": stdout, "stderr": stderr, "size": rng.choice(SIZES)}


def choose_process(rng):
    """Return what else a process inherits."""
    ignored = rng.sample(INHERITED, rng.choice((1, 1, 2))) if rng.random() < 0.2 else []
    blocked = rng.sample((*INHERITED, "SIGTERM"), rng.choice((1, 1, 2))) if rng.random() < 0.1 else []
    name = rng.choice(list(LIMITS))
    limits = {name: rng.choice(LIMITS[name])} if rng.random() < 0.08 else {}
    return {
        "directory": "gone" if rng.random() < 0.05 else "read-only" if rng.random() < 0.02 else "own",
        "ignored": ignored, "blocked": blocked, "limits": limits,
        "umask": rng.choice((0o777, 0, 0o077)) if rng.random() < 0.05 else 0o022,
    }  # fmt: skip


def choose_environment(rng, own):
    """Return the variables that differ from a clean environment. None removes one."""
    known = {**ENVIRONMENT, **(ENVIRONMENT_AT_START if own else {})}
    names = rng.sample(list(known), rng.choice((0, 0, 0, 1, 1, 2, 3)))
    return {name: rng.choice(known[name]) for name in names}
