"""The version that a build reports."""

from contextlib import suppress
from pathlib import Path

from chatctl import __version__

COMMIT_FILE = "commit.txt"
"""Written beside this module in a built package, by hatch_build.py; a checkout does not have it."""
_PACKAGE = Path(__file__).parent


def full_version() -> str:
    """Return the version. A development build adds its commit, such as `0.2.0.dev0+g1a2b3c4`, and `.dirty` if it differs.

    A checkout starts git, which takes 5 ms, so ask only where the version is shown.
    """
    if "dev" not in __version__ or not (commit := read_commit()):
        return __version__
    return f"{__version__}+g{commit}"


def read_commit() -> str:
    """Return the commit that this is built from or checked out at; empty if neither is known."""
    with suppress(OSError):
        return (_PACKAGE / COMMIT_FILE).read_text().strip()
    return _describe(_PACKAGE.parent)


def _describe(root: Path) -> str:
    if not (root / ".git").exists():
        return ""
    import subprocess  # 10 ms that only a checkout needs

    command = ("git", f"--git-dir={root / '.git'}", f"--work-tree={root}", "--no-optional-locks", "describe", "--always")
    options = ("--exclude=*", "--abbrev=7", "--dirty=.dirty")
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run((*command, *options), check=False, capture_output=True, text=True, timeout=5)  # noqa: S603
        return done.stdout.strip()  # empty if git fails, as in the checkout of another user
    return ""
