"""Imports point inward: errors <- log <- feeds <- chat <- history, store <- wire <- client, server <- cli."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "chatctl"
OUTSIDE = {"grpc", "google", "grpc_health", "grpc_reflection", "typer", "click", "rich", "textual", "platformdirs"}

# For each part of the package: what of the package it may import, and what from outside the standard library.
MAY = {
    "__init__": (set(), set()),
    "version": ({"__init__"}, set()),
    "__main__": ({"version", "cli"}, set()),
    "errors": (set(), set()),
    "log": ({"errors"}, set()),
    "filters": ({"log"}, set()),
    "pages": ({"log", "filters"}, set()),
    "feeds": ({"errors", "log", "filters", "pages"}, set()),
    "activity": ({"log"}, set()),
    "presence": (set(), set()),
    "chat": ({"errors", "log", "feeds", "activity", "presence"}, set()),
    "history": ({"errors", "log", "filters", "pages", "feeds", "chat"}, set()),
    "verify": ({"errors", "log", "chat"}, set()),
    "config": ({"errors", "chat"}, set()),
    "store": ({"errors", "log", "store"}, set()),
    "v1": ({"v1"}, {"grpc", "google"}),
    "tutorial": ({"tutorial"}, {"grpc", "google"}),
    "wire": ({"errors", "log", "chat", "history", "verify", "v1"}, {"grpc", "google"}),
    "wire_stats": ({"log", "activity", "presence", "wire", "v1"}, {"google"}),
    "client": (
        {"__init__", "errors", "log", "activity", "presence", "chat", "history", "verify", "config"}
        | {"wire", "wire_stats", "client", "v1"},
        {"grpc"},
    ),
    "server": (
        {"version", "errors", "log", "pages", "presence", "chat", "history", "verify", "config", "store"}
        | {"wire", "wire_stats", "server", "v1", "tutorial"},
        {"grpc", "google", "grpc_health", "grpc_reflection"},
    ),
    "cli": (
        {"version", "errors", "log", "activity", "presence", "chat", "history", "verify", "config", "client", "cli"},
        {"typer", "rich", "textual", "platformdirs"},
    ),
}
EXTRA = {
    "cli/serve.py": {"server"},  # the only door to the server
}
USES_RICH = ("cli/render", "cli/join/")
USES_TEXTUAL = "cli/join/"


def part(module: str) -> str:
    """The part of the package a dotted name belongs to."""
    names = module.split(".")
    return names[1] if len(names) > 1 else "__init__"


def imports(path: Path) -> set[str]:
    """Every module the file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where they point"
            inner = {f"{node.module}.{alias.name}" for alias in node.names} if node.module == "chatctl" else {node.module}
            found |= {"chatctl" if name.rpartition(".")[2].startswith("__version") else name for name in inner}
    return found


def test_every_import_points_inward():
    wrong = []
    for path in sorted(PACKAGE.rglob("*.py")):
        where = path.relative_to(PACKAGE)
        inside, outside = MAY[where.parts[0].removesuffix(".py")]
        for module in imports(path):
            top = module.partition(".")[0]
            if top == "chatctl" and part(module) not in inside | EXTRA.get(str(where), set()):
                wrong.append(f"{where} imports {module}")
            if top in OUTSIDE and top not in outside:
                wrong.append(f"{where} imports {module}")
            if top == "rich" and not str(where).startswith(USES_RICH):
                wrong.append(f"{where} imports {module}, which only {USES_RICH} may")
            if top == "textual" and not str(where).startswith(USES_TEXTUAL):
                wrong.append(f"{where} imports {module}, which only {USES_TEXTUAL} may")
    assert wrong == []


def test_modules_and_functions_fit_a_sitting():
    long = []
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.parent.name in ("v1", "tutorial"):
            continue
        source = path.read_text()
        if source.count("\n") > 280:
            long.append(f"{path.name}: {source.count(chr(10))} lines")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno - node.lineno > 45:
                long.append(f"{path.name}:{node.lineno} {node.name}: {node.end_lineno - node.lineno} lines")
    assert long == []
