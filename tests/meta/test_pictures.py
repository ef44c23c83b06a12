"""The README's pictures: all are made by scripts/pictures, of the real program."""

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[2]


def test_every_picture_of_the_readme_is_made_by_the_script(tmp_path):
    command = [sys.executable, ROOT / "scripts/pictures", "--minutes", "0", "--folder", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stderr
    linked = set(re.findall(r"\]\(scripts/images/(\S+?)\)", (ROOT / "README.md").read_text()))
    made = {path.name for path in tmp_path.iterdir()}
    assert linked
    assert linked <= made
    assert {path.name for path in (ROOT / "scripts/images").iterdir()} == linked
    for path in tmp_path.iterdir():
        assert "lobby" in shown(path)
        assert "Traceback" not in shown(path)
    assert shown(tmp_path / "history.svg") == shown(ROOT / "scripts/images/history.svg"), "run scripts/pictures"


def shown(path):
    """The words of a picture."""
    root = ElementTree.parse(path).getroot()
    return " ".join(text.text or "" for text in root.iter("{http://www.w3.org/2000/svg}text")).replace("\xa0", " ")
