"""Golden cases in which the server of a command goes away, or Ctrl-C is pressed; each has a place and servers of its own."""

import signal

from golden_run import READY, Place, Running, Step
from golden_serve import Scene, name_log


def wait_for_first(place: Place) -> None:
    """Wait until the text `first` is stored, and its receipt is on its way: the server has answered another call since."""
    place.start("history --server SERVER --follow --grep first --count 1").ended()
    place.start("stats --server SERVER").ended()


def wait(place: Place, running: Running, text: str) -> None:
    """Wait until a command has written this, or, if it writes nothing of what it sends, until that is stored."""
    if text:
        running.awaited(text)
    else:
        wait_for_first(place)


def again(place: Place, store: str = "sqlite:chat.db") -> Running:
    """A server at the address of the one before."""
    server = place.start(f"serve --listen SERVER --store {store}")
    server.awaited(READY)
    return server


def without_server(place: Place, command: str, first: str, stdin: bytes, how: signal.Signals = signal.SIGTERM) -> Running:
    """Start a command, wait until it has written `first`, and stop its server."""
    server = place.serve()
    name_log(place)
    if not stdin:
        place.run(Step("send --server SERVER --room r --user ann --input-id s hello"))
    running = place.start(f"{command} --server SERVER")
    running.feed(stdin)
    wait(place, running, first)
    server.process.send_signal(how)
    server.ended()
    return running


def restarted(command: str, first: str, stdin: bytes = b"") -> Scene:
    """A command goes on through a restart of the server. It has written `first` before."""

    def scene(place: Place) -> None:
        running = without_server(place, command, first, stdin)
        running.awaited("trying again")
        again(place)
        if not command.startswith("send"):
            running.awaited("answers again")
        running.feed(b"more\n" if stdin else b"")
        running.close()
        if not stdin:
            running.process.send_signal(signal.SIGINT)
        place.tell(command, running)

    return scene


def gone(command: str, first: str, stdin: bytes = b"", how: signal.Signals = signal.SIGTERM) -> Scene:
    """The server of a command ends, and does not come again."""
    command = command if "--timeout" in command else f"{command} --timeout 2s"

    def scene(place: Place) -> None:
        running = without_server(place, command, first, stdin, how)
        running.feed(b"more\n" if stdin else b"")
        place.tell(command, running)

    return scene


def another_log(command: str, first: str, stdin: bytes = b"") -> Scene:
    """The server of a command is replaced by one with another store."""

    def scene(place: Place) -> None:
        running = without_server(place, command, first, stdin)
        running.awaited("trying again")
        again(place, "sqlite:other.db")
        place.tell(command, running)

    return scene


def unconfirmed(form: str) -> Scene:
    """A server takes a record and does not answer."""

    def scene(place: Place) -> None:
        server = place.serve()
        name_log(place)
        command = f"send --timeout 1s --room r --user ann --input-id s --receipts out --unconfirmed left {form}"
        running = place.start(f"{command} --server SERVER")
        running.feed(b"first\n")
        wait_for_first(place)
        server.process.send_signal(signal.SIGSTOP)
        running.feed(b"second\nunfin")
        place.tell(command, running, Step(command, show=("out", "left")))
        server.process.send_signal(signal.SIGCONT)
        running.close()

    return scene


def interrupted(command: str, first: str, stdin: bytes) -> Scene:
    """Ctrl-C while the input goes on."""

    def scene(place: Place) -> None:
        place.serve()
        name_log(place)
        running = place.start(f"{command} --server SERVER")
        running.feed(stdin)
        wait(place, running, first)
        running.process.send_signal(signal.SIGINT)
        place.tell(command, running)

    return scene


def command_interrupted(form: str) -> Scene:
    """Two signals while a command of --exec runs."""

    def scene(place: Place) -> None:
        place.serve()
        place.run(Step("send --server SERVER --room r --user ann --input-id s hello"))
        name_log(place)
        command = f"history {form} --exec 'echo started; exec sleep 600'"
        running = place.start(f"{command} --server SERVER")
        running.awaited("started")
        running.process.send_signal(signal.SIGINT)
        running.awaited("a second signal")
        running.process.send_signal(signal.SIGINT)
        place.tell(command, running)

    return scene


FOLLOW, FOLLOW_JSON = "history --follow --output text", "history --follow --json"
SEND, SEND_JSON = "send --room r --user ann --input-id t", "send --room r --user ann --input-id t --json"
JOIN, JOIN_JSON = "join --plain --user ann r", "join --json --user ann r"

TROUBLE: dict[str, Scene] = {
    "a restart, followed as JSON": restarted(FOLLOW_JSON, "hello"),
    "a restart, sending": restarted(SEND, "", b"first\n"),
    "a restart, joined as JSON": restarted(JOIN_JSON, "first", b"first\n"),
    "no server any more, followed as JSON": gone(FOLLOW_JSON, "hello"),
    "a server that is killed": gone(FOLLOW, "hello", how=signal.SIGKILL),
    "no server any more, and silence": gone("history --output text --wait 1.5s --timeout 9s", "hello"),
    "no server any more, sending": gone(SEND, "", b"first\n"),
    "no server any more, sending as JSON": gone(SEND_JSON, "number", b"first\n"),
    "no server any more, joined": gone(JOIN, "first", b"first\n"),
    "no server any more, joined as JSON": gone(JOIN_JSON, "first", b"first\n"),
    "another log, followed": another_log(FOLLOW, "hello"),
    "another log, sending": another_log(SEND, "", b"first\n"),
    "another log, joined as JSON": another_log(JOIN_JSON, "first", b"first\n"),
    "no answer to a record": unconfirmed(""),
    "no answer to a record, as JSON": unconfirmed("--json"),
    "Ctrl-C while sending": interrupted(SEND, "", b"first\nunfin"),
    "Ctrl-C while sending as JSON": interrupted(SEND_JSON, "number", b"first\nunfin"),
    "Ctrl-C while joined as JSON": interrupted(JOIN_JSON, "first", b"first\nunfin"),
    "Ctrl-C while a command runs": command_interrupted(""),
}
