"""Collects each case as a test of its own file, so that the workers of pytest share them."""

import subprocess
import sys
from pathlib import Path

import pytest

CHATCTL = Path(sys.executable).with_name("chatctl")
SECONDS = 55  # below the limit of a test, so that what a case prints is seen
OK, UNTRIED = 0, 2


class CaseFault(Exception):
    """A case found its fault."""


class Case(pytest.Item):
    """A case: a program that gets the path of a chatctl."""

    def runtest(self):
        command = [sys.executable, self.path, CHATCTL]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS)
        if done.returncode == UNTRIED:
            pytest.skip(done.stdout.strip())
        if done.returncode != OK:
            raise CaseFault(done.stdout + done.stderr)

    def repr_failure(self, excinfo, style=None):
        return str(excinfo.value) if excinfo.errisinstance(CaseFault) else super().repr_failure(excinfo, style)

    def reportinfo(self):
        return self.path, 0, f"case {self.name}"


class CaseFile(pytest.File):
    """The file of a case."""

    def collect(self):
        yield Case.from_parent(self, name=self.path.stem)


def is_case(path):
    """Say whether a file is a case that is quick enough for each run. The slow ones say so in a line of their own."""
    return path.suffix == ".py" and path.stat().st_mode & 0o100 and "\nslow: " not in path.read_text()


def pytest_collect_file(file_path, parent):
    return CaseFile.from_parent(parent, path=file_path) if is_case(file_path) else None
