"""The wheel has the files of the tree, the changelog this version, the README all commands."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

from chatctl import __version__
from chatctl.cli.app import COMMANDS
from chatctl.version import full_version
from tests.support.cli import run

ROOT = Path(__file__).parents[2]


def test_the_changelog_begins_with_this_version_or_with_what_is_not_released():
    versions = re.findall(r"^## \[([^]]*)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == ("Unreleased" if "dev" in __version__ else __version__)
    assert __version__.partition(".dev")[0] not in versions[1:]


def test_the_readme_shows_every_command():
    readme = (ROOT / "README.md").read_text()
    for command in COMMANDS:
        assert f"chatctl {command}" in readme


def test_contributing_lists_every_script():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    for script in (ROOT / "scripts").iterdir():
        if script.is_file():
            assert f"scripts/{script.name}" in text


def test_the_wheel_holds_the_stubs_the_protos_and_the_types_and_not_the_tests(tmp_path):
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, ROOT]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("chatctl-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(tmp_path / "unpacked")
    for package in ("v1", "tutorial"):
        assert {
            f"chatctl/{package}/{name}" for name in ("chat.proto", "chat_pb2.py", "chat_pb2.pyi", "chat_pb2_grpc.py")
        } <= names
    assert "chatctl/py.typed" in names
    assert {name.partition("/")[0] for name in names} == {"chatctl", f"chatctl-{__version__}.dist-info"}
    command = (sys.executable, "-P", "-m", "chatctl", "--version")  # -P: the wheel's, not that in the working directory
    assert run(command=command, env={"PYTHONPATH": str(tmp_path / "unpacked")}).out == f"chatctl {full_version()}\n"
