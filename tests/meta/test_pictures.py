"""The pictures of the README and the pages: scripts/pictures makes all of them, with the real program."""

import html
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.cells import cell_len

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "scripts/images"
TEXT = "{http://www.w3.org/2000/svg}text"
COLUMN_WIDTH = 12.2


def words(path):
    """Return the words of a picture."""
    texts = ElementTree.parse(path).getroot().iter(TEXT)
    return " ".join(text.text or "" for text in texts).replace("\xa0", " ")


def test_the_script_makes_every_picture_that_a_page_links_to(tmp_path):
    command = [sys.executable, ROOT / "scripts/pictures", "--minutes", "0", "--folder", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stderr
    pages = "".join(page.read_text() for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")))
    linked = set(re.findall(r"\]\((?:\.\./)?scripts/images/(\S+?)\)", pages))
    assert linked
    assert linked == {path.name for path in tmp_path.iterdir()} == {path.name for path in IMAGES.iterdir()}
    for path in tmp_path.iterdir():
        assert "lobby" in words(path)
        assert "Traceback" not in words(path)
    assert words(tmp_path / "history.svg") == words(IMAGES / "history.svg"), "run scripts/pictures"


@pytest.mark.parametrize("path", sorted(IMAGES.iterdir()), ids=lambda path: path.stem)
def test_a_wide_character_takes_two_columns(path):
    for text in ElementTree.parse(path).getroot().iter(TEXT):
        content = html.unescape(text.text or "").rstrip("\n")
        if content and "clip-path" in text.attrib:
            columns = float(text.attrib["textLength"]) / COLUMN_WIDTH
            assert round(columns, 3) == cell_len(content), content


def test_the_users_of_a_picture_have_different_colours():
    picture = (IMAGES / "join.svg").read_text()
    colours = dict(re.findall(r"\.(join-r\d+) \{ fill: (#\w+)", picture))
    found = {}
    for style, name in re.findall(
        r'<text class="(join-r\d+)"[^>]*>(?:&#160;)*(ann|bob|cara|dan|佐藤)(?:&#160;)*</text>', picture
    ):
        found.setdefault(name, set()).add(colours[style])
    assert len(found) == 5
    assert all(len(used) == 1 for used in found.values())
    assert len(set().union(*found.values())) == 5
