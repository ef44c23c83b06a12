"""The table of scripts/check-workarounds: for each workaround, whether the library still has its fault."""

import platform
from importlib.metadata import version

import pytest

ROWS = pytest.StashKey[list[tuple[str, str, str]]]()


@pytest.fixture
def report_fault(request):
    """Record whether a fault is still there. The test passes in both cases; it fails if it records nothing."""
    rows = request.config.stash.setdefault(ROWS, [])
    num_rows = len(rows)

    def report(workaround, library, present):
        installed = platform.python_version() if library == "python" else version(library)
        rows.append((workaround, f"{library} {installed}", "still there" if present else f"fixed: delete {workaround}"))

    yield report
    assert len(rows) > num_rows, "the check has recorded nothing"


def pytest_terminal_summary(terminalreporter, config):
    rows = config.stash.get(ROWS, [])
    if rows:
        for row in (("workaround", "library", "fault"), *sorted(rows)):
            terminalreporter.write_line("{:<36} {:<32} {}".format(*row))
