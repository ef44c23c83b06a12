"""The version that a build reports: of a release the number alone, of anything else also the commit."""

import subprocess
import sys

import pytest

from chatctl import version
from tests.support.cli import run


@pytest.fixture
def package(monkeypatch, tmp_path):
    """A development build of chatctl in an empty folder."""
    folder = tmp_path / "chatctl"
    folder.mkdir()
    monkeypatch.setattr(version, "_PACKAGE", folder)
    monkeypatch.setattr(version, "__version__", "1.2.3.dev0")
    return folder


def git(folder, *arguments):
    who = ("-c", "user.name=tess", "-c", "user.email=tess@example.org")
    done = subprocess.run(["git", "-C", folder, *who, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_release_is_its_number(package, monkeypatch):
    (package / "commit.txt").write_text("1a2b3c4\n")
    monkeypatch.setattr(version, "__version__", "1.2.3")
    assert version.full_version() == "1.2.3"


def test_a_development_package_names_the_commit_that_it_was_built_from(package):
    (package / "commit.txt").write_text("1a2b3c4\n")
    assert version.full_version() == "1.2.3.dev0+g1a2b3c4"


def test_a_checkout_names_its_commit_and_whether_it_differs(package):
    root = package.parent
    (package / "module.py").write_text("")
    git(root, "init", "--quiet")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message", "first")
    git(root, "tag", "v1.0")  # which says nothing of the version
    commit = git(root, "rev-parse", "HEAD")
    name, _, abbreviated = version.full_version().partition("+g")
    assert name == "1.2.3.dev0"
    assert len(abbreviated) >= 7
    assert commit.startswith(abbreviated)
    (package / "module.py").write_text("changed = True\n")
    assert version.full_version() == f"1.2.3.dev0+g{abbreviated}.dirty"


@pytest.mark.parametrize("broken", [False, True])
def test_without_a_commit_it_is_the_number(package, broken):
    if broken:
        (package.parent / ".git").write_text("gitdir: nowhere\n")
    assert version.full_version() == "1.2.3.dev0"


def test_no_command_looks_for_its_commit_before_it_is_asked():
    code = "import sys; from chatctl.cli.app import run; run(['stats', '--help']); print('chatctl.version' in sys.modules)"
    assert run(command=(sys.executable, "-c", code)).lines[-1] == "False"
