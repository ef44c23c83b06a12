"""The plan of a run: everything about it, chosen by seed and index. Data only; `runs.py` carries it out."""

import random
from dataclasses import asdict, dataclass, field

from tests.fuzz import arguments, surroundings

SIGTERM_SECONDS = 3  # within which a command ends after SIGTERM
HANG_SECONDS = 5  # after --timeout, a command that waits for nothing else has ended
EXEC_SECONDS = 4  # --exec: after the second SIGTERM, which ends the command of --exec within 2 s
SEPARATE_SECONDS = 0.5
GRACE_SECONDS = 1  # serve: in addition to --grace
FOLLOWING = ("-f", "--wait", "--exec", "--watch")
ENDLESS_FILES = ("/full", "/fifo", "/dev/stdin", "/dev/stdout", "/dev/stderr")
WAITING_STDIN = ("quiet", "endless", "zeros", "full", "terminal", "nonblocking")
STORM = ("SIGINT", "SIGTERM", "SIGHUP", "SIGWINCH", "SIGCHLD", "SIGURG")
CLIENTS = (["history", "-f"], ["join", "--plain"], ["send"], ["stats", "--watch", "0.1"], ["send", "hello"], ["verify", "-"])
NO_READER = ("stalled", "nonblocking stalled")
SERVERS = {"real": 12, "none": 3, "reset": 2, "silent": 2, "stopped": 2, "garbage": 1, "cut": 3, "unix": 2}


@dataclass(frozen=True)
class Plan:
    """A run of a command and what surrounds it."""

    seed: int
    index: int
    arguments: list[str]
    server: str
    own_interpreter: bool  # otherwise it is forked from a process that has imported chatctl
    directory: str
    stdin: str
    content: str  # of stdin, by its name in contents.py
    stdout: str
    stderr: str
    size: tuple[int, int]  # rows and columns of a terminal
    environment: dict[str, str | None]
    ignored: list[str]
    blocked: list[str]
    limits: dict[str, int]
    umask: int
    companion: list[str]  # arguments of a second command, if any, that runs meanwhile
    events: list[tuple[float, str]]
    """Seconds after the start, and a signal or `hang up` (the terminal) or `close stdout` (its reader)."""
    seconds: float
    """How long the run may take without a signal, and after SIGTERM if that is sent."""
    as_json: bool = field(default=False)  # each line of stdout must be JSON

    def as_dict(self):
        return asdict(self)

    @property
    def command(self):
        """The command, empty without one."""
        return self.arguments[0] if self.arguments and self.arguments[0] in arguments.OPTIONS else ""

    def sends(self, name):
        return any(event == name for _, event in self.events)


def make_plan(seed, index):
    rng = random.Random(f"{seed}:{index}")
    chosen = arguments.choose(rng)
    words = chosen.arguments
    own = rng.random() < 0.12
    streams = surroundings.choose_streams(rng, words)
    around = surroundings.choose_process(rng)
    environment = surroundings.choose_environment(rng, own)
    must_signal = _waits(chosen, streams)
    events = _events(rng, words, must_signal or rng.random() < 0.3, streams)
    return Plan(
        seed=seed, index=index, arguments=words, server=surroundings.pick(rng, SERVERS), own_interpreter=own,
        **streams, **around, environment=environment, events=events, companion=_companion(rng, words),
        seconds=_seconds(chosen, any(name == "SIGTERM" for _, name in events)),
        as_json=_is_json(chosen) and "_CHATCTL_COMPLETE" not in environment,
    )  # fmt: skip


def _waits(chosen, streams):
    """Return whether a command may wait for something that never happens, so that only a signal ends it."""
    words = chosen.arguments
    return (
        words[:1] in (["serve"], ["join"])
        or chosen.never_times_out
        or chosen.is_mangled
        or any(word.partition("=")[0] in FOLLOWING for word in words)
        or any(word.endswith(ENDLESS_FILES) for word in words)
        or streams["stdin"] in WAITING_STDIN
        or streams["stdout"] in NO_READER
        or streams["stderr"] in NO_READER
    )


def _has(words, option):
    return any(word.partition("=")[0] == option for word in words)


def _events(rng, words, terminates, streams):
    """Return signals and other events in the order of time. The last one is SIGTERM if the run must be ended."""
    events, now = [], 0.0
    now += rng.choice((0.0, 0.05, 0.1, 0.2, 0.4)) + rng.random() * rng.choice((0.02, 0.1, 0.5, 0.5))
    if "terminal" in streams.values() and rng.random() < 0.15:
        events.append((now, "hang up"))
    if streams["stdout"] == "breaks":
        events.append((now, "close stdout"))
    if rng.random() < (0.35 if terminates else 0.1):
        first = surroundings.pick(rng, surroundings.SIGNALS)
        events += [(now, first)] if first != "SIGSTOP" else [(now, first), (now := now + 0.1, "SIGCONT")]
        now += rng.random() * rng.choice((0.01, 0.1, 0.5))
    if terminates:
        events.append((now, "SIGTERM"))
        if rng.random() < 0.04:
            events += [(now, rng.choice(STORM)) for _ in range(rng.randrange(2, 8))]
        if _has(words, "--exec") or rng.random() < 0.1:
            events.append((now + rng.random() * rng.choice((0.01, 0.5)), "SIGTERM"))
        if _has(words, "--exec"):  # the kernel makes one of two signals that are close together
            events.append((events[-1][0] + SEPARATE_SECONDS, "SIGTERM"))
    return [(round(at, 3), name) for at, name in events]


def _companion(rng, words):
    """Return the arguments of a client of a server, or nothing."""
    if words[:1] != ["serve"] or rng.random() < 0.4:
        return []
    words += ["-l", "unix:@FOLDER@/companion"]
    return [*rng.choice(CLIENTS), "--timeout=0", "-s", "unix:@FOLDER@/companion"]


def _seconds(chosen, terminates):
    if not terminates:
        return chosen.seconds + HANG_SECONDS
    if _has(chosen.arguments, "--exec"):
        return EXEC_SECONDS
    return chosen.seconds + GRACE_SECONDS if chosen.arguments[:1] == ["serve"] else SIGTERM_SECONDS


def _is_json(chosen):
    words = chosen.arguments
    plain = ("--help", "-h", "--exec", "--output", "-o")
    return "--json" in words and not chosen.is_mangled and not any(_has(words, option) for option in plain)
