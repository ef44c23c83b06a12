"""What can drift apart: the wheel and the tree, the version and the changelog, the README and the commands."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

from chatctl import __version__
from chatctl.cli.app import COMMANDS

ROOT = Path(__file__).parents[2]


def test_the_newest_version_in_the_changelog_is_this_one():
    versions = re.findall(r"^## \[(\d[^]]*)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == __version__


def test_the_readme_shows_every_command_and_script():
    readme = (ROOT / "README.md").read_text()
    for command in COMMANDS:
        assert f"chatctl {command}" in readme
    for script in (ROOT / "scripts").iterdir():
        if script.is_file():
            assert f"scripts/{script.name}" in readme


def test_the_wheel_holds_the_stubs_the_protos_and_the_types_and_not_the_tests(tmp_path):
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, ROOT]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("chatctl-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for package in ("v1", "tutorial"):
        assert {
            f"chatctl/{package}/{name}" for name in ("chat.proto", "chat_pb2.py", "chat_pb2.pyi", "chat_pb2_grpc.py")
        } <= names
    assert "chatctl/py.typed" in names
    assert {name.partition("/")[0] for name in names} == {"chatctl", f"chatctl-{__version__}.dist-info"}
