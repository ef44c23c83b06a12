"""Golden files: what every command prints, its errors and its exit codes, as files to compare with.

GOLDEN_UPDATE=1 rewrites them. The difference then shows what a change means for users.
"""

import contextlib
import difflib
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # in every import mode of pytest's

import golden_cases as cases  # noqa: E402
from golden_fakes import Fakes  # noqa: E402
from golden_files import odd_files  # noqa: E402
from golden_run import Place, Running, Step  # noqa: E402
from golden_sentences import sentences  # noqa: E402
from golden_serve import SERVE, Scene, name_log  # noqa: E402
from golden_trouble import TROUBLE  # noqa: E402
from golden_usage import ENVIRONMENT, GENERAL, HELP, HISTORY, OTHERS, SEND  # noqa: E402
from golden_usage import SERVE as SERVE_USAGE  # noqa: E402

GOLDEN = HERE / "golden"
PACKAGE = HERE.parents[1] / "chatctl"
UPDATES = bool(os.environ.get("GOLDEN_UPDATE"))
WORKERS = 6  # commands at once: most of them wait for servers
ADVICE = (
    "What chatctl prints has changed (- before, + now). If that is meant, run\n"
    "    GOLDEN_UPDATE=1 .venv/bin/python -m pytest tests/meta/test_golden.py\n"
    "and commit the golden files with the change."
)

pytestmark = pytest.mark.timeout(300)  # the first test waits for all commands

Told = dict[str, list[str]]
"""What the cases of a group told, by the name of the case."""


class Runs:
    """Runs groups of cases, several at once. A group's places share a directory, and a server if it needs one."""

    def __init__(self, directory: Path, stack: contextlib.ExitStack) -> None:
        self._directory, self._stack = directory, stack
        self._fakes = Fakes()
        stack.callback(self._fakes.close)
        self.pool = stack.enter_context(ThreadPoolExecutor(WORKERS))
        version = Running(["--version"], directory, {}, False)
        version.ended()
        self._version = version.text(1).split()[1]

    def place(self, name: str, **tokens: str) -> Place:
        """A place of its own."""
        directory = self._directory / f"home-{name}" / "place"
        directory.mkdir(parents=True)
        place = Place(directory, self._fakes.tokens | tokens, self._version)
        self._stack.callback(place.close)
        return place

    def usage(self, name: str, steps: list[Step]) -> "list[Future[Told]]":
        """Commands that are refused: they leave nothing behind, so they share one place with odd files."""
        place = self.place(name)
        self._stack.enter_context(odd_files(place.directory))

        def run(step: Step) -> Told:
            own = Place(place.directory, place.tokens, place.version)
            self._stack.callback(own.close)
            own.run(step)
            return {"": own.told}

        return [self.pool.submit(run, step) for step in steps]

    def served(
        self, name: str, group: tuple[cases.Case, ...], seeds: tuple[Step, ...], at_once: bool
    ) -> "list[Future[Told]]":
        """Cases with one server, one after the other or at once."""

        def seeded() -> dict[str, str]:
            place = self.place(f"{name}-server")
            place.serve()
            name_log(place)
            for step in seeds:
                place.run(step)
            return place.tokens

        def in_turn() -> Told:
            tokens = seeded()
            return {each.name: self._run(f"{name}-{n}", each, tokens) for n, each in enumerate(group)}

        if not at_once:
            return [self.pool.submit(in_turn)]
        ready = self.pool.submit(seeded)
        return [
            self.pool.submit(lambda n, each: {each.name: self._run(f"{name}-{n}", each, ready.result())}, n, each)
            for n, each in enumerate(group)
        ]

    def apart(self, name: str, group: tuple[cases.Case, ...]) -> "list[Future[Told]]":
        """Cases without a server."""
        return [
            self.pool.submit(lambda n, each: {each.name: self._run(f"{name}-{n}", each, {"LOG": "0123456789ab"})}, n, each)
            for n, each in enumerate(group)
        ]

    def scenes(self, name: str, scenes: dict[str, Scene]) -> "list[Future[Told]]":
        """Scenes, each with servers of its own."""

        def run(n: int, title: str, scene: Scene) -> Told:
            place = self.place(f"{name}-{n}")
            try:
                scene(place)
            finally:
                place.close()
            return {title: place.told}

        return [self.pool.submit(run, n, *each) for n, each in enumerate(scenes.items())]

    def _run(self, name: str, each: cases.Case, tokens: dict[str, str]) -> list[str]:
        place = self.place(name, **tokens)
        for file, content in each.files.items():
            (place.directory / file).write_text(place.real(content))
        for step in each.steps:
            place.run(step)
        return place.told


def usage(*tables: tuple[str, ...]) -> Callable[[Runs, str], "list[Future[Told]]"]:
    return lambda runs, name: runs.usage(name, [Step(command) for table in tables for command in table])


def served(group: tuple[cases.Case, ...], seeds: tuple[Step, ...] = (), at_once: bool = False):
    return lambda runs, name: runs.served(name, group, seeds, at_once)


BAD_VARIABLES = [Step(command, env={name: value}) for name, value, command in ENVIRONMENT]

# The long ones first.
GROUPS: dict[str, Callable[[Runs, str], "list[Future[Told]]"]] = {
    "send": served(cases.RECEIPTS),
    "send-files": served(cases.FILES),
    "stats": served(cases.STATS, cases.SEED),
    "join": served(cases.JOIN),
    "trouble": lambda runs, name: runs.scenes(name, TROUBLE),
    "serve": lambda runs, name: runs.scenes(name, SERVE),
    "unreachable": lambda runs, name: runs.apart(name, cases.UNREACHABLE),
    "history": served(cases.HISTORY, cases.SEED, at_once=True),
    "verify": served(cases.VERIFY, cases.SEED, at_once=True),
    "terminal": served(cases.TERMINAL, cases.SEED),
    **{f"help-{command}": usage((f"{command} --help",)) for command in HELP},
    "help": usage(("--help", "")),
    "usage": usage(GENERAL),
    "usage-send": usage(SEND),
    "usage-history": usage(HISTORY),
    "usage-others": usage(OTHERS),
    "usage-serve": usage(SERVE_USAGE),
    "environment": lambda runs, name: runs.usage(name, BAD_VARIABLES),
}


@pytest.fixture(scope="module")
def told(request, tmp_path_factory) -> Iterator[dict[str, "list[Future[Told]]"]]:
    """What the groups told that are asked for, under way."""
    names = {item.callspec.params["group"] for item in request.session.items if "told" in getattr(item, "fixturenames", ())}
    with contextlib.ExitStack() as stack:
        runs = Runs(tmp_path_factory.mktemp("golden"), stack)
        yield {name: start(runs, name) for name, start in GROUPS.items() if name in names}


def compare(name: str, text: str) -> None:
    """Compare with a golden file, or write it."""
    path = GOLDEN / name
    if UPDATES:
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
        return
    before = path.read_text("utf-8") if path.exists() else ""
    if text != before:
        difference = difflib.unified_diff(before.splitlines(), text.splitlines(), f"golden/{name}", "now", lineterm="", n=4)
        pytest.fail("\n".join([ADVICE, *difference]), pytrace=False)


@pytest.mark.parametrize("group", GROUPS)
def test_output_is_as_before(group, told):
    blocks = []
    for result in told[group]:
        for title, lines in result.result().items():
            assert "Traceback" not in "\n".join(lines), lines
            blocks.append("\n".join([f"=== {title}", *lines] if title else lines))
    compare(f"{group}.txt", "\n\n".join(blocks) + "\n")


def test_sentences_are_as_before():
    compare("sentences.txt", "".join(f"{sentence}\n" for sentence in sentences(PACKAGE)))


def test_every_golden_file_is_compared():
    names = {f"{group}.txt" for group in GROUPS} | {"sentences.txt"}
    for path in GOLDEN.iterdir() if UPDATES else ():
        if path.name not in names:
            path.unlink()
    assert {path.name for path in GOLDEN.iterdir()} == names
