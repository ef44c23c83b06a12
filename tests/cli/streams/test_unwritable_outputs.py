"""Every command with a stdout and stderr that cannot be written: a sentence and an exit code, and no traceback."""

import os
import subprocess

import pytest

from tests.support.cli import CHATCTL, clean_environment, run
from tests.support.waiting import TIMEOUT_SECONDS

PRINTING = [
    ("--version",),
    ("--help",),
    ("send", "--help"),
    ("send", "--json", "hi"),
    ("history",),
    ("history", "--json"),
    ("history", "-f", "-o", "text", "--count", "1"),
    ("join", "--json", "--last", "1"),
    ("stats",),
    ("stats", "--json"),
    ("stats", "--watch", "0.01"),
]


def outcome(address, arguments, stdout, stderr=subprocess.PIPE):
    """Run a command without input, and return its exit code and stderr. Outputs are files, or None for a closed pipe."""
    reading, writing = os.pipe()
    os.close(reading)
    streams = {"stdout": writing if stdout is None else stdout, "stderr": writing if stderr is None else stderr}
    done = subprocess.run(
        [*CHATCTL, *arguments],
        stdin=subprocess.DEVNULL,
        env=clean_environment(address),
        timeout=TIMEOUT_SECONDS,
        check=False,
        **streams,
    )
    os.close(writing)
    return done.returncode, (done.stderr or b"").decode()


@pytest.fixture
def full():
    with open("/dev/full", "wb") as file:
        yield file


@pytest.fixture(autouse=True)
def message(address):
    assert run("send", "one", server=address).code == 0


@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_a_full_stdout_is_an_error_and_a_closed_one_is_not(address, full, arguments):
    code, said = outcome(address, arguments, full)
    assert code == 1
    assert said.count("\n") == 1
    assert "No space left on device" in said
    code, said = outcome(address, arguments, None)
    assert code == 0
    assert "error" not in said.lower().replace('"rejected"', "")
    assert "Traceback" not in said


@pytest.mark.parametrize("arguments", [("send", "hi"), ("stats",), ("--version",)], ids=" ".join)
def test_a_stderr_that_cannot_be_written_changes_nothing(address, full, arguments):
    assert outcome(address, arguments, subprocess.DEVNULL, full)[0] == 0
    assert outcome(address, arguments, subprocess.DEVNULL, None)[0] == 0


@pytest.mark.parametrize("arguments", [(), ("histery",), ("send", "--nonsense")], ids=" ".join)
def test_wrong_usage_has_its_exit_code_without_a_stderr(address, full, arguments):
    assert outcome(address, arguments, full, full)[0] == 2
    assert outcome(address, arguments, None, None)[0] == 2
