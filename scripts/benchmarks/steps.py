"""The measurements. A step compares its parts, which take turns in each round.

A part measures one thing and returns figures by name: messages per second, microseconds, milliseconds, or megabytes.
"""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from statistics import median

from benchmarks import fan_out_steps
from benchmarks.inputs import Figures, Inputs, new_chat_server, new_store_path, parse_figures
from benchmarks.processes import (
    CHATCTL,
    PYTHON,
    BenchmarkFailed,
    ProcessResult,
    Server,
    chat_server,
    program,
    run,
    running_server,
)

FAR_DELAY_MILLISECONDS = 50  # each way, to a server that is far away
STARTS_PER_ROUND = 5  # of each command in a round


def send(server: Server, lines: Path) -> ProcessResult:
    names = ["--room", "bench", "--user", "bench", "--input-id", "bench"]
    return run([CHATCTL, "send", "--server", server.address, *names, "--quiet"], lines)


def check_stored(server: Server, expected: int) -> None:
    """Raise BenchmarkFailed unless the server has this number of messages."""
    found = json.loads(run([CHATCTL, "stats", "--server", server.address, "--json"]).output)["num_messages"]
    if found != expected:
        raise BenchmarkFailed(f"the server has {found} messages, not {expected}")


def read_history(server: Server, expected: int) -> ProcessResult:
    done = run([CHATCTL, "history", "--server", server.address, "--json"])
    if done.lines != expected:
        raise BenchmarkFailed(f"chatctl history printed {done.lines} messages, not {expected}")
    return done


def check_replies(done: ProcessResult, expected: int) -> ProcessResult:
    """Return the result. Raises BenchmarkFailed unless it has the expected number of replies."""
    if int(done.output) != expected:
        raise BenchmarkFailed(f"{done.output.strip()} replies, not {expected}")
    return done


# --- send


def tutorial_send(inputs: Inputs) -> Figures:
    with running_server(program("tutorial_baseline", "serve", 0), inputs.folder / "tutorial.log") as server:
        done = check_replies(
            run(program("tutorial_baseline", "send", server.address), inputs.fewer_lines), inputs.tutorial_sends
        )
    return {"tutorial send": inputs.tutorial_sends / done.seconds}


def sqlite_baseline(inputs: Inputs) -> Figures:
    with new_store_path(inputs) as store:
        done = run(program("sqlite_baseline", store), inputs.lines)
    inner = json.loads(done.output)
    if inner["lines"] != inputs.count:
        raise BenchmarkFailed(f"SQLite alone stored {inner['lines']} lines, not {inputs.count}")
    return {"SQLite alone": inputs.count / done.seconds, "SQLite inserting": inputs.count / inner["seconds"]}


def raw_send(inputs: Inputs) -> Figures:
    with running_server(program("grpc_baseline", "serve"), inputs.folder / "raw.log") as server:
        done = run(program("grpc_baseline", "send", server.address), inputs.lines)
    return {"raw send": inputs.count / done.seconds}


def chat_send(inputs: Inputs) -> Figures:
    with new_chat_server(inputs) as server:
        done = send(server, inputs.lines)
        check_stored(server, inputs.count)
    return {"send": inputs.count / done.seconds}


# --- again, distance, crowd


def send_again(inputs: Inputs) -> Figures:
    with new_chat_server(inputs) as server:
        first, again = send(server, inputs.lines), send(server, inputs.lines)
        check_stored(server, inputs.count)
    return {"first send": inputs.count / first.seconds, "send again": inputs.count / again.seconds}


def send_through(inputs: Inputs, milliseconds: int) -> float:
    """Return lines per second through a proxy that delays each direction."""
    with new_chat_server(inputs) as server:
        with running_server(program("delay_proxy", milliseconds, server.address), inputs.folder / "proxy.log") as proxy:
            done = send(proxy, inputs.lines)
        check_stored(server, inputs.count)
    return inputs.count / done.seconds


def send_near(inputs: Inputs) -> Figures:
    return {"send near": send_through(inputs, 0)}


def send_far(inputs: Inputs) -> Figures:
    return {"send far": send_through(inputs, FAR_DELAY_MILLISECONDS)}


def concurrent_senders(inputs: Inputs) -> Figures:
    """Count messages per commit: each commit has its own time, which its blocks share."""
    with new_store_path(inputs) as store:
        with chat_server(store) as server:
            figures = parse_figures(run(program("client_probe", "crowd", server.address, max(1, inputs.round_trips // 20))))
        with closing(sqlite3.connect(store)) as db:
            (messages, commits) = db.execute("SELECT sum(messages), count(DISTINCT time) FROM block").fetchone()
    return figures | {"messages a commit": messages / commits}


# --- history


def tutorial_history(inputs: Inputs) -> Figures:
    with running_server(
        program("tutorial_baseline", "serve", inputs.tutorial_reads), inputs.folder / "tutorial.log"
    ) as server:
        done = check_replies(run(program("tutorial_baseline", "history", server.address)), inputs.tutorial_reads)
    return {"tutorial history": inputs.tutorial_reads / done.seconds}


def chat_history(inputs: Inputs) -> Figures:
    with new_chat_server(inputs) as server:
        send(server, inputs.lines)
        done = read_history(server, inputs.count)
    return {"history": inputs.count / done.seconds}


def scattered_history(inputs: Inputs) -> Figures:
    with chat_server(inputs.scattered) as server:
        done = read_history(server, inputs.count)
    return {"scattered history": inputs.count / done.seconds}


# --- round trips, memory, stats, start-up


def round_trip(inputs: Inputs) -> Figures:
    with (
        running_server(program("grpc_baseline", "serve"), inputs.folder / "raw.log") as raw,
        new_chat_server(inputs) as chat,
    ):
        done = run(program("client_probe", "round-trip", raw.address, chat.address, inputs.round_trips))
    return parse_figures(done)


def memory(inputs: Inputs) -> Figures:
    with new_store_path(inputs) as store:
        with chat_server(store) as send_server:
            sent = send(send_server, inputs.more_lines)
        with chat_server(store) as read_server:
            read = read_history(read_server, 2 * inputs.count)
    return {
        "server while sending": send_server.peak_mb,
        "send memory": sent.peak_mb,
        "server while reading": read_server.peak_mb,
        "history memory": read.peak_mb,
    }


def stats(inputs: Inputs) -> Figures:
    with new_chat_server(inputs) as full, new_chat_server(inputs) as empty:
        send(full, inputs.more_lines)
        done = run(program("client_probe", "stats", full.address, empty.address, inputs.round_trips))
    return parse_figures(done)


def start_up(inputs: Inputs) -> Figures:
    with new_chat_server(inputs) as server:
        commands = {
            "python": [PYTHON, "-c", "pass"],
            "version": [CHATCTL, "--version"],
            "stats": [CHATCTL, "stats", "--server", server.address, "--json"],
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(STARTS_PER_ROUND):
            for name, command in commands.items():
                times[name].append(run(command).seconds * 1000)
    return {name: median(values) for name, values in times.items()}


STEPS: dict[str, tuple[Callable[[Inputs], Figures], ...]] = {
    "send": (tutorial_send, sqlite_baseline, chat_send, raw_send),
    "again": (send_again,),
    "distance": (send_near, send_far),
    "crowd": (concurrent_senders,),
    "history": (tutorial_history, chat_history, scattered_history),
    "round-trip": (round_trip,),
    "memory": (memory,),
    "stats": (stats,),
    "start-up": (start_up,),
    **fan_out_steps.STEPS,
}


def run_round(inputs: Inputs, names: list[str], number: int, report_progress: Callable[[str], None]) -> Figures:
    """Return the figures of all parts of these steps. The first part changes from round to round."""
    figures: Figures = {}
    for name in names:
        report_progress(name)
        parts = STEPS[name]
        first = number % len(parts)
        for part in parts[first:] + parts[:first]:
            figures |= part(inputs)
    return figures
