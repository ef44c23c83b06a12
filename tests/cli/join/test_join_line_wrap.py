"""Wrapping to rows: no text is lost, no row is too wide, no grapheme is split."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len, split_graphemes

from chatctl.cli.join.line_wrap import WrapCache, sanitize
from chatctl.cli.terminal.escape import escape_name
from chatctl.cli.terminal.wrap import terminal_cells

FAMILY, SKIN, HEART, FLAG, BRITAIN = "👨‍👩‍👧‍👦", "👍🏽", "❤️", "🇩🇪", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"
PIECES = [*"ab -", "word", "\n", "\t", "漢", "é", "e\u0301", "\u0301" * 20, FAMILY, SKIN, HEART, FLAG, "🇩", BRITAIN, "1️⃣"]
PIECES += ["\u200d", "\ufe0f", "\u200b", "\x1b[31m", "\x00", "\u202e", "\u2028", "\r\n", "\r", "\xa0", "한", "\u3000"]


def rows(text, width):
    wrapped = WrapCache()(text, width)
    return [wrapped.text[slice(*wrapped.row_range(number))] for number in range(len(wrapped.row_starts))]


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join), st.integers(2, 200))
@settings(max_examples=300, deadline=None)
def test_rows_contain_the_whole_text_and_are_not_too_wide(text, width):
    shown = rows(text, width)
    # Also at a terminal that joins no emoji: only one that is wider than the row exceeds it there.
    assert all(terminal_cells(row) <= width or len(split_graphemes(row)[0]) <= 2 for row in shown)
    assert max(map(cell_len, shown)) <= width
    assert "".join("".join(shown).split()) == "".join(sanitize(text).split())


@given(st.text(max_size=60), st.integers(2, 60))
@settings(max_examples=200, deadline=None)
def test_rows_contain_no_control_characters(text, width):
    shown = rows(text, width)
    assert max(map(cell_len, shown)) <= width
    assert not set("".join(shown)) & {*map(chr, range(32)), "\x7f", "\x9b", "\u202e", "\u2066", "\u2028", "\u2029"}


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("", 10, [""]),
        ("the quick brown fox", 10, ["the quick", "brown fox"]),
        ("exactly10! and", 10, ["exactly10!", "and"]),
        ("a   ", 2, ["a"]),
        ("see https://example.org/x", 10, ["see", "https://ex", "ample.org/", "x"]),
        ("one\n  two\n\nthree\n\n", 20, ["one", "  two", "", "three"]),
        ("crlf\r\nlines\r\n", 20, ["crlf", "lines"]),
        ("a\tb", 20, ["a   b"]),
        ("漢字かな", 5, ["漢字", "かな"]),
        (FLAG * 3, 4, [FLAG * 2, FLAG]),
        (FLAG * 3, 5, [FLAG * 2, FLAG]),
        ("x" + FLAG * 2, 4, ["x" + FLAG, FLAG]),
        ("x" + SKIN + "abcdefgh", 12, ["x" + SKIN, "abcdefgh"]),
        ("x" + HEART + "\u200d🔥" + "abcdefgh", 8, ["x" + HEART + "\u200d🔥abc", "defgh"]),
        (f"a word{SKIN}s", 9, ["a word", SKIN + "s"]),
        ("see https://e.org/" + SKIN, 17, ["see", "https://e.org/", SKIN]),
        (FAMILY * 3, 17, [FAMILY * 2, FAMILY]),
        (SKIN * 3, 9, [SKIN * 2, SKIN]),
        (HEART * 3, 5, [HEART * 2, HEART]),
        (BRITAIN * 3, 5, [BRITAIN * 2, BRITAIN]),
        ("e\u0301" * 5, 3, ["e\u0301" * 3, "e\u0301" * 2]),
        ("\x1b[2J\x07\x00", 40, [r"\x1b[2J\x07\x00"]),
        ("\u202egnp.exe", 40, [r"\u202egnp.exe"]),
    ],
)
def test_rows(text, width, expected):
    assert rows(text, width) == expected


def test_combining_characters_are_bounded_and_joiners_hide_no_letters():
    assert rows("Z" + "\u0336" * 500 + "!", 10) == ["Z" + "\u0336" * 8 + "!"]
    assert rows("\u200d".join("swallowed"), 20) == ["swallowed"]
    assert cell_len(sanitize("\u200d".join("👩" * 100))) == 200


def test_a_text_of_64_kib_is_wrapped_whole():
    assert len(rows("x" * 65_536, 20)) == 3277
    assert len(rows("漢" * 21_845, 20)) == 2185
    assert len(rows("\n" * 65_535 + "x", 20)) == 65_536


def test_the_cache_keeps_the_texts_wrapped_last():
    wrap = WrapCache(chars=3000)
    first = wrap("first", 20)
    assert wrap("first", 20) is first
    assert wrap("first", 21) is not first
    for number in range(30):
        wrap(f"{number}" * 100, 20)
    assert wrap("first", 20) is not first
    long = wrap("x" * 65_536, 20)  # longer than the bound of the cache
    assert wrap("x" * 65_536, 20) is long


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("ann", "ann"),
        ("Jürgen 漢字", "Jürgen 漢字"),
        ("ann ", r"ann\x20"),
        (" ", r"\x20"),
        ("ann\u200b", r"ann\u200b"),
        ("a\u0430nn\u2060", "a\u0430nn\\u2060"),
        ("ann\u3164", r"ann\u3164"),
        ("ann\ufe0f", r"ann\ufe0f"),
        ("e\u0301va", r"e\u0301va"),  # differs from "éva"
        ("q\u0303\u0303\u0303", "q\u0303\u0303\\u0303"),
        ("ann\u202e", r"ann\u202e"),
        ("a\xa0b", r"a\xa0b"),
        ("\x1b[0m", r"\x1b[0m"),
    ],
)
def test_different_names_look_different(name, shown):
    assert escape_name(name) == shown
