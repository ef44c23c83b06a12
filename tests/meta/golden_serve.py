"""Golden cases of `serve`: its log, its addresses, and stores that fail; each has a place of its own."""

import contextlib
import json
import resource
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path

from golden_run import READY, Place, Running, Step

Scene = Callable[[Place], None]


def stop(place: Place, server: Running, command: str = "serve") -> None:
    """Stop a server in order, and keep what it said."""
    server.process.send_signal(signal.SIGTERM)
    place.tell(command, server)


def name_log(place: Place) -> None:
    """Let LOG stand for the log of the server."""
    with contextlib.closing(sqlite3.connect(f"file:{place.directory / 'chat.db'}?mode=ro", uri=True)) as database:
        (place.tokens["LOG"],) = database.execute("SELECT id FROM log").fetchone()


def log_as_json(place: Place) -> None:
    options = "--json --log-level debug --log-format json"
    server = place.serve(options)
    name_log(place)
    place.run(Step("history --server SERVER --after x"))
    stop(place, server, f"serve --listen 127.0.0.1:0 --store sqlite:chat.db {options}")


def log_as_text(place: Place) -> None:
    server = place.serve("--log-level debug")
    name_log(place)
    place.run(Step("send --server SERVER --json --room r --user ann --input-id s hello"))
    place.run(Step("history --server SERVER --after x --json"))
    stop(place, server, "serve --listen 127.0.0.1:0 --store sqlite:chat.db --log-level debug")


def many_addresses(place: Place) -> None:
    command = "serve --json --insecure --listen 127.0.0.1:0 --listen 0.0.0.0:0 --listen unix:socket --store sqlite:chat.db"
    server = place.start(command)
    found = json.loads(server.awaited('"listening"'))["listening"]
    place.tokens |= {"127.0.0.1:PORT": found[0], "0.0.0.0:PORT": found[1]}
    place.run(Step("send --server unix:socket --room r --user ann --input-id s hello"))
    stop(place, server, command)


def at_a_terminal(place: Place) -> None:
    command = "serve --listen 127.0.0.1:0 --store sqlite:chat.db"
    server = place.start(command, terminal=True)
    place.tokens["SERVER"] = server.awaited(READY).partition(READY)[2]
    server.awaited("messages are kept")
    stop(place, server, command)


def taken(place: Place) -> None:
    server = place.serve()
    place.run(Step("serve --listen 127.0.0.1:0 --store sqlite:chat.db"))
    place.run(Step("serve --listen SERVER --store sqlite:second.db"))
    stop(place, server)


def spoilt_stores(place: Place) -> None:
    server = place.serve()
    place.run(Step("send --server SERVER --room r --user ann --input-id s hello"))
    stop(place, server)
    store = place.directory / "chat.db"
    with contextlib.closing(sqlite3.connect(store)) as database:
        (version,) = database.execute("PRAGMA user_version").fetchone()
    for statement in ("PRAGMA user_version = 99", "PRAGMA user_version = 0"):
        _spoil(store, statement)
        place.run(Step("serve --listen 127.0.0.1:0 --store sqlite:chat.db"))
    _spoil(store, f"PRAGMA user_version = {version}")
    with contextlib.closing(sqlite3.connect(store, isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        place.run(Step("serve --listen 127.0.0.1:0 --store sqlite:chat.db"))
    _spoil(store, "UPDATE log SET head = head + 1")
    place.run(Step("serve --listen 127.0.0.1:0 --store sqlite:chat.db"))
    (place.directory / "linked.db").hardlink_to(store)
    place.run(Step("serve --listen 127.0.0.1:0 --store sqlite:linked.db"))


def _spoil(store: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(store, isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)


def deleted_store(place: Place) -> None:
    server = place.serve("--log-format json")
    (place.directory / "chat.db").unlink()
    place.run(Step("send --server SERVER --room r --user ann --input-id s hello"))
    place.tell("serve --listen 127.0.0.1:0 --store sqlite:chat.db --log-format json", server)


def full_store(place: Place) -> None:
    server = place.serve("--log-level warning")
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (1024, resource.RLIM_INFINITY))
    place.run(Step("send --server SERVER --timeout 1s --room r --user ann --input-id s hello"))
    place.run(Step("send --server SERVER --timeout 1s --json --room r --user ann --input-id t hello"))
    stop(place, server)


def limit_of_streams(place: Place) -> None:
    server = place.serve("--streams 1")
    place.run(Step("send --server SERVER --quiet --input-id s --receipts receipts hello"))
    following = place.start("history --server SERVER --follow --output text")
    following.awaited("hello")
    for command in (
        "history",
        "history --json",
        "send --timeout 1s --input-id t hello",
        "verify receipts --timeout 1s",
        "join --plain --timeout 1s",
    ):
        place.run(Step(f"{command} --server SERVER"))
    following.kill()
    stop(place, server)


SERVE: dict[str, Scene] = {
    "the log as JSON": log_as_json,
    "the log as text": log_as_text,
    "at a terminal": at_a_terminal,
    "several addresses": many_addresses,
    "what is taken": taken,
    "stores that are not whole": spoilt_stores,
    "a store that is deleted": deleted_store,
    "a store that is full": full_store,
    "the limit of streams": limit_of_streams,
}
