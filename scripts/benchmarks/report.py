"""The rows of the report: each compares a figure with a baseline."""

import os
import platform
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.inputs import Figures

TABLE_WIDTH = 140  # columns are cut below this width
STYLES = {"aim": "green", "floor": "yellow", "missed": "bold red", "": "dim"}


@dataclass(frozen=True)
class Row:
    """A figure, as a ratio to `baseline` unless that is empty. Without a floor it is for information only."""

    step: str
    what: str
    figure: str
    baseline: str
    unit: str
    floor: float | None = None
    aim: float | None = None
    at_most: bool = False


ROWS = (
    Row("send", "chatctl send, against the tutorial", "send", "tutorial send", "/s", 60, 120),
    Row("send", "chatctl send, against SQLite alone", "send", "SQLite alone", "/s", 0.6, 1.0),
    Row("send", "… against its inserting only, in process", "send", "SQLite inserting", "/s"),
    Row("send", "… against a raw grpc.aio stream", "send", "raw send", "/s"),
    Row("again", "the same again, all duplicates, against the first", "send again", "first send", "/s", 1.1, 1.5),
    Row("distance", "50 ms away, against 0 ms, both by a proxy", "send far", "send near", "/s", 0.5, 0.65),
    Row("crowd", "messages a commit, 64 senders of single ones", "messages a commit", "", "", 8, 20),
    Row("crowd", "… and per second", "crowd", "", "/s"),
    Row("history", "chatctl history --json, against the tutorial", "history", "tutorial history", "/s", 20, 40),
    Row("history", "… each message with another room and user", "scattered history", "tutorial history", "/s"),
    Row("round-trip", "a receipt, against a raw grpc.aio unary echo", "receipt", "raw unary", "µs", 2.0, 1.3, at_most=True),
    Row("round-trip", "… against an echo on a raw grpc.aio stream", "receipt", "raw stream", "µs"),
    Row("memory", "memory of the server while sending", "server while sending", "", "MB", 100, 60, at_most=True),
    Row("memory", "memory of chatctl send", "send memory", "", "MB", 100, 60, at_most=True),
    Row("memory", "memory of the server while reading", "server while reading", "", "MB"),
    Row("memory", "memory of chatctl history --json", "history memory", "", "MB"),
    Row("stats", "GetStats, against an empty store", "stats full", "stats empty", "µs", 1.2, 1.0, at_most=True),
    Row("start-up", "chatctl --version, against python -c pass", "version", "python", "ms", 3, 1.5, at_most=True),
    Row("start-up", "chatctl stats --json, against python -c pass", "stats", "python", "ms", 20, 12, at_most=True),
    Row("follow", "send to delivery, against a raw relay", "follow chat", "follow raw", "ms", 3, 2, at_most=True),
    Row("fan-out", "1,000 followers, against raw", "fan-out rate", "raw fan-out rate", "/s", 1.2, 1.7),
    Row("fan-out", "… send to delivery", "fan-out delay", "raw fan-out delay", "ms"),
    Row("fan-out", "… the server's share of a core", "fan-out cpu", "raw fan-out cpu", "%"),
    Row("burst", "burst to 100 followers, against raw", "burst rate", "raw burst rate", "/s", 50, 150),
    Row("idle", "server memory of an idle follower", "idle memory", "", "kB", 40, 25, at_most=True),
    Row("idle", "… 5,000, the server's share of a core", "idle cpu", "", "%", 2, 0.5, at_most=True),
    Row("idle", "… 2,000 of their own rooms, memory", "idle, own rooms memory", "", "kB"),
    Row("idle", "… and share of a core", "idle, own rooms cpu", "", "%"),
    Row(
        "stalled",
        "1 of 100 stalled: others, against none",
        "stalled stalled",
        "stalled quiet",
        "ms",
        1.1,
        1.0,
        at_most=True,
    ),
    Row("full-house", "200 senders, 200 followers: stored", "house stored", "", "/s"),
    Row("full-house", "… deliveries", "house deliveries", "", "/s"),
    Row("full-house", "… send to delivery, median", "house lag", "", "ms"),
    Row("full-house", "… send to delivery, slowest", "house slowest", "", "ms"),
    Row("full-house", "… memory of the server, peak", "house memory", "", "MB"),
    Row("keys", "join: key press to screen, flood against quiet", "keys flood median", "keys quiet median", "ms"),
    Row("keys", "… 99 of 100 keys", "keys flood p99", "", "ms", 100, 50, at_most=True),
    Row("keys", "… against 10 ms of bare work beside it", "keys flood p99", "keys work p99", "ms"),
    Row("keys", "… the slowest, likewise", "keys flood slowest", "keys work slowest", "ms"),
    Row("keys", "… 99 of 100 in a quiet room", "keys quiet p99", "", "ms"),
    Row("keys", "… join's share of a core in the flood", "keys cpu", "", "%"),
    Row("keys", "… memory after 200,000 messages, against none", "keys memory", "keys memory before", "MB"),
)


@dataclass(frozen=True)
class Result:
    """A row's medians over all rounds. Ratios are computed within a round; without a baseline it is the figure itself."""

    row: Row
    figure: float
    baseline: float | None
    ratio: float
    lowest: float
    highest: float

    @property
    def reached(self) -> str:
        """`aim`, `floor` or `missed`; empty for rows without a floor."""
        row = self.row
        for name, bound in (("aim", row.aim), ("floor", row.floor)):
            # Rounded as in the table.
            if bound is not None and (round(self.ratio, 2) <= bound if row.at_most else round(self.ratio, 2) >= bound):
                return name
        return "" if row.floor is None else "missed"


def results(rounds: Sequence[Figures], steps: Sequence[str]) -> list[Result]:
    """Return a result for each row of these steps."""
    return [_result(row, rounds) for row in ROWS if row.step in steps]


def _result(row: Row, rounds: Sequence[Figures]) -> Result:
    figures = [figures[row.figure] for figures in rounds]
    if not row.baseline:
        return Result(row, median(figures), None, median(figures), min(figures), max(figures))
    baselines = [figures[row.baseline] for figures in rounds]
    ratios = [figure / baseline for figure, baseline in zip(figures, baselines, strict=True)]
    return Result(row, median(figures), median(baselines), median(ratios), min(ratios), max(ratios))


def print_table(found: Sequence[Result], title: str) -> None:
    """Print the table on stdout."""
    table = Table(title=title, title_justify="left", caption_justify="left")
    table.caption = "Medians of all rounds. Ratios are computed within a round, with their median, lowest and highest value."
    for heading in ("what", "chatctl", "baseline", "ratio", "lowest", "highest", "floor", "aim", "reached"):
        table.add_column(heading, justify="left" if heading in ("what", "reached") else "right", no_wrap=heading != "what")
    for result in found:
        style = STYLES[result.reached]
        table.add_row(*_cells(result), f"[{style}]{result.reached or 'information'}[/]")
    console = Console()
    console.width = max(console.width, TABLE_WIDTH)
    console.print(table)


def _cells(result: Result) -> list[str]:
    row = result.row
    baseline = "" if result.baseline is None else _value(result.baseline, row.unit)

    def number(value: float) -> str:
        return _ratio(value) if row.baseline else _value(value, row.unit)

    spread = [number(value) for value in (result.ratio, result.lowest, result.highest)]
    sign = "≤ " if row.at_most else "≥ "
    bounds = ["" if bound is None else sign + number(bound) for bound in (row.floor, row.aim)]
    return [row.what, _value(result.figure, row.unit), baseline, *spread, *bounds]


def _value(value: float, unit: str) -> str:
    digits = 1 if unit in ("ms", "%") and value < 100 else 0
    return f"{value:,.{digits}f}{unit}" if unit == "/s" else f"{value:,.{digits}f} {unit}"


def _ratio(value: float) -> str:
    return f"{value:.0f} ×" if value >= 100 else f"{value:.1f} ×" if value >= 10 else f"{value:.2f} ×"


def to_json(found: Sequence[Result], rounds: Sequence[Figures], count: int) -> dict[str, Any]:
    """Return all figures and a description of the machine."""
    return {
        "lines": count,
        "python": platform.python_version(),
        "grpcio": version("grpcio"),
        "sqlite": sqlite3.sqlite_version,
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "rows": [asdict(result.row) | _figures(result) for result in found],
        "rounds": list(rounds),
    }


def _figures(result: Result) -> dict[str, Any]:
    """Return the result's part of a row in JSON."""
    spread = {"lowest": result.lowest, "highest": result.highest}
    return {"chatctl": result.figure, "against": result.baseline, "ratio": result.ratio, **spread, "reached": result.reached}
