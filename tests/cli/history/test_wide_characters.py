"""`history` with wide characters and emoji: every column begins at the same place, at a terminal and in a pipe."""

import pytest

from tests.support.cli import Process, Terminal, run
from tests.support.servers import ServerFactory
from tests.support.terminal_width import width
from tests.support.waiting import until

USERS = ("ann", "漢字", "👋", "한국어 이름", "🎉🎉 party", "ｱﾝ", "１２", "Zoë", "Ωμέγα", "ไทย")
TEXT = "TEXT"
TEXTS = (f"{TEXT} 漢字 and more", f"{TEXT} 🎉", f"{TEXT} plain")
COLUMNS = (80, 100, 133, 200)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    servers = ServerFactory(tmp_path_factory.mktemp("server"))
    address = servers().address
    for user in USERS:
        piped = "".join(f"{text}\n" for text in TEXTS)
        assert run("send", "--room", f"部屋 {user}", "--user", user, piped=piped, server=address).code == 0
    yield address
    servers.close()


def text_columns(lines):
    """Return the columns in which the texts begin."""
    return [width(line[: line.index(TEXT)]) for line in lines if TEXT in line]


@pytest.mark.parametrize("columns", COLUMNS)
def test_texts_are_aligned_at_a_terminal(address, columns):
    terminal = Terminal(columns)
    process = Process("history", server=address, stdout=terminal.descriptor)
    assert process.wait().code == 0
    until(lambda: terminal.shown.text.endswith("\n"))
    lines = terminal.close().replace("\r\n", "\n").split("\n")
    places = text_columns(lines)
    assert len(places) == len(USERS) * len(TEXTS)
    assert len(set(places)) == 1
    assert all(width(line) <= columns for line in lines)


@pytest.mark.parametrize("columns", COLUMNS)
def test_texts_are_aligned_in_a_table(address, columns):
    lines = run("history", server=address, env={"COLUMNS": f"{columns}"}).lines
    places = text_columns(lines)
    assert len(places) == len(USERS) * len(TEXTS)
    assert set(places) == {width(lines[0][: lines[0].index("text")])}
    assert all(width(line) <= columns for line in lines)


def test_texts_are_aligned_in_lines(address):
    """A table that is too narrow is written as lines, like a long one."""
    places = text_columns(run("history", server=address, env={"COLUMNS": "60"}).lines)
    assert len(places) == len(USERS) * len(TEXTS)
    assert len(set(places)) == 1


@pytest.mark.parametrize("columns", COLUMNS)
def test_stats_are_aligned(address, columns):
    lines = run("stats", server=address, env={"COLUMNS": f"{columns}"}).lines
    ends = [width(line[: line.rindex("  3  ")]) for line in lines if "  3  " in line]
    assert len(ends) == 2 * len(USERS)
    assert len(set(ends[: len(USERS)])) == len(set(ends[len(USERS) :])) == 1
