"""Facts that the documentation has to tell, taken from the program itself."""

import ast
import functools
import json
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import typer

from chatctl import errors

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "chatctl"
TIMEOUT_SECONDS = 30
STATUS_OFFSET = 64
MESSAGE = "CHATCTL_MESSAGE_"
VARIABLE = re.compile(r"(?<![A-Z_])CHATCTL_[A-Z]+(?:_[A-Z]+)*\b(?!_)")
CAPITALS = re.compile(r"[A-Z][A-Z_]{3,}")


def _app():
    """The Typer app with all its commands: the only place here that knows where the program keeps it."""
    module = import_module("chatctl.cli.app")
    module.register_commands(module.COMMANDS)
    return typer.main.get_command(module.app)


APP = _app()
COMMANDS = APP.commands
EPILOG = APP.epilog


def options(command):
    """The options of a command that its help shows, without --help."""
    return [
        option
        for option in command.params
        if option.param_type_name == "option" and not option.hidden and "--help" not in option.opts
    ]


def variables(option):
    """The environment variables of an option; those of a repeatable one are named in its help only."""
    named = option.envvar or []
    named = {*([named] if isinstance(named, str) else named), *VARIABLE.findall(option.help or "")}
    return {name for name in named if not name.startswith(MESSAGE)}


def source_files():
    """The hand-written modules of the package."""
    return [path for path in sorted(PACKAGE.rglob("*.py")) if "_pb2" not in path.name]


def _docstrings(tree):
    """The strings that stand alone in a module, class or function: they document it, or the attribute before them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value


def strings(path):
    """The string constants of a module that are no docstrings, with their lines."""
    tree = ast.parse(path.read_text())
    documented = {id(node) for node in _docstrings(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented:
            yield node.lineno, node.value


@functools.cache
def all_strings():
    """Every string constant of the package."""
    return {text for path in source_files() for _, text in strings(path)}


def error_classes():
    """Every error with a reason word of its own, but for TimedOut, which a command reports as Unavailable."""
    found, left = [], [errors.ChatError]
    while left:
        kind = left.pop()
        left += kind.__subclasses__()
        if "reason" in vars(kind) and kind is not errors.TimedOut:
            found.append(kind)
    return found


def _environment(server, more):
    """Nothing of what the developer has set."""
    clean = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    clean |= {"LANG": "C.UTF-8", "TZ": "UTC", "NO_COLOR": "1", "LOGNAME": "ann", "COLUMNS": "250", "TERMINAL_WIDTH": "250"}
    return clean | ({"CHATCTL_SERVER": server} if server else {}) | (more or {})


def run(*arguments, server=None, piped="", folder=None, env=None):
    """Run a command in a clean environment, and return the finished process."""
    command = [sys.executable, "-m", "chatctl", *arguments]
    environment = _environment(server, env)
    return subprocess.run(
        command, input=piped, capture_output=True, text=True, cwd=folder, env=environment, timeout=TIMEOUT_SECONDS
    )


def start(folder):
    """Return the object that a server prints when it listens; the server is stopped again."""
    command = [sys.executable, "-m", "chatctl", "serve", "--json", "--listen", f"unix:{folder}/chat", "--store"]
    with subprocess.Popen(
        [*command, f"sqlite:{folder}/start.db"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_environment(None, None),
    ) as process:
        line = process.stdout.readline()
        process.terminate()
    return json.loads(line)
