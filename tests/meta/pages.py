"""The pages of the documentation: their blocks, tables, headings and links."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
REFERENCE = ROOT / "docs/reference.md"

_FENCE = re.compile(r"^(\s*)```(\w*)\s*$")
_HEADING = re.compile(r"^(#{1,6}) (.+?)\s*$")
_LINK = re.compile(r"(?<!\\)!?\[(?:[^\]\[]|\[[^\]]*\])*\]\(([^()\s]+)(?: \"[^\"]*\")?\)")
_PREPARATION = re.compile(r"^<!-- before the examples\n(.*?)^-->$", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"`([^`]+)`")


class Block(NamedTuple):
    """A fenced block: its page, language, first line of content (from 1) and text."""

    page: Path
    language: str
    line: int
    text: str


def blocks(page):
    """The fenced blocks of a page, in order."""
    found, opened, lines = [], None, []
    for number, line in enumerate(page.read_text().split("\n"), 1):
        fence = _FENCE.match(line)
        if opened and fence and not fence[2]:
            found.append(Block(page, opened[0], opened[1], "\n".join(lines)))
            opened = None
        elif opened:
            lines.append(line)
        elif fence:
            opened, lines = (fence[2], number + 1), []
    assert opened is None, f"{page.name}:{opened[1]}: a block without an end"
    return found


def preparation(page):
    """The commands that run before the examples of a page, and that readers do not see."""
    return [line for text in _PREPARATION.findall(page.read_text()) for line in text.splitlines()]


def prose(page):
    """The lines of a page outside of blocks, with their numbers."""
    inside = False
    for number, line in enumerate(page.read_text().split("\n"), 1):
        if _FENCE.match(line):
            inside = not inside
        elif not inside:
            yield number, line


def headings(page):
    """The texts of a page's headings, in order."""
    return [found[2] for _, line in prose(page) if (found := _HEADING.match(line))]


def anchors(page):
    """The anchors that GitHub makes of a page's headings."""
    found = {}
    for text in headings(page):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        found[slug] = found.get(slug, -1) + 1
        if found[slug]:
            found[f"{slug}-{found[slug]}"] = 0
    return set(found)


def links(page):
    """The targets of a page's links and pictures, with their lines."""
    for number, line in prose(page):
        for target in _LINK.findall(_CODE.sub("", line) if "](" not in "".join(_CODE.findall(line)) else line):
            yield number, target


def codes(text):
    """What stands in backquotes."""
    return _CODE.findall(text)


def section(page, heading):
    """The lines between a heading and the next one."""
    lines, inside = [], False
    for _, line in prose(page):
        found = _HEADING.match(line)
        if inside and found:
            break
        if inside:
            lines.append(line)
        inside = inside or bool(found and found[2] == heading)
    assert inside, f"{page.name} has no heading {heading!r}"
    return lines


def rows(lines):
    """The rows of the tables in some lines, as lists of cells, without heads."""
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines if line.startswith("|")]
    heads = {at - 1 for at, row in enumerate(cells) if all(re.fullmatch(":?-+:?", cell) for cell in row)}
    return [row for at, row in enumerate(cells) if at not in heads and at - 1 not in heads]
