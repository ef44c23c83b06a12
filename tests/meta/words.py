"""Count words and phrases that docs and comments of this project avoid: run it to see each hit and the rates.

`CONTRIBUTING.md` says what to write instead. `test_words.py` holds the limits.
"""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
AVOIDED = (
    "whoever", "somebody", "nobody", "for ever", "so many", "in the end", "all the same", "of late", "anew", "whatever",
    "comes back", "is no",
)  # fmt: skip
_HIT = re.compile(r"\b(?:" + "|".join(phrase.replace(" ", r"\s+") for phrase in AVOIDED) + r")\b", re.IGNORECASE)
_LINE_END = re.compile(r"\n[ \t]*(?:#|//|>)?[ \t]*")
_SHEBANG = re.compile(r"#!.*\bpython")
_GENERATED = re.compile(r"_pb2(?:_grpc)?\.pyi?$")


class Hit(NamedTuple):
    """An avoided phrase, and its line counted from 1."""

    line: int
    phrase: str


class Count(NamedTuple):
    """Hits in some lines."""

    hits: int
    lines: int

    @property
    def rate(self) -> float:
        """Hits per 1,000 lines."""
        return 1000 * self.hits / max(self.lines, 1)


def hits(text: str) -> Iterator[Hit]:
    """Find the avoided phrases in a text, also where a line ends inside a phrase."""
    # A line end with the comment sign after it becomes blanks and the same number of characters, so positions stay.
    joined = _LINE_END.sub(lambda end: " " * len(end[0]), text)
    for found in _HIT.finditer(joined):
        yield Hit(text.count("\n", 0, found.start()) + 1, " ".join(found[0].lower().split()))


def _tracked() -> list[Path]:
    """Every file that git knows or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return sorted(path for path in {ROOT / name for name in listed} if path.is_file())


def _is_python(path: Path) -> bool:
    if path.suffix:
        return path.suffix == ".py"
    with path.open("rb") as file:
        return bool(_SHEBANG.match(file.readline(100).decode(errors="replace")))


def python_files() -> list[Path]:
    """Hand-written Python in chatctl, tests and scripts, without this file, which has to name the phrases."""
    folders = ("chatctl", "tests", "scripts")
    return [
        path
        for path in _tracked()
        if path.relative_to(ROOT).parts[0] in folders
        and path != Path(__file__).resolve()
        and not _GENERATED.search(path.name)
        and _is_python(path)
    ]


def prose_files() -> list[Path]:
    """Every page and every proto."""
    return [path for path in _tracked() if path.suffix in (".md", ".proto")]


def count(paths: Iterable[Path]) -> Count:
    """Count hits and lines of some files."""
    texts = [path.read_text() for path in paths]
    return Count(sum(len(list(hits(text))) for text in texts), sum(text.count("\n") for text in texts))


def main() -> None:
    """Print each hit, then the rates."""
    groups = {"Python": python_files(), ".md and .proto": prose_files()}
    for paths in groups.values():
        for path in paths:
            for hit in hits(path.read_text()):
                print(f"{path.relative_to(ROOT)}:{hit.line}: {hit.phrase}")
    for name, paths in groups.items():
        found = count(paths)
        print(f"{name}: {found.hits} hits in {found.lines:,} lines, {found.rate:.2f} per 1,000", file=sys.stderr)


if __name__ == "__main__":
    main()
