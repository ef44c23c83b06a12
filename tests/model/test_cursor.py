"""Cursors are built and split by one module, and everything else is refused."""

import pytest

from chatctl.errors import CursorMalformed
from chatctl.model.cursor import Cursor, cursor_prefix, cursor_text, log_of, parse_cursor, parse_cursor_prefix, prefix_of


def test_a_cursor_is_its_text_and_back():
    cursor = Cursor("0123456789ab", 2**63 - 1)
    prefix = cursor_prefix(cursor.log)
    text = cursor_text(prefix, cursor.sequence)
    assert text == "0123456789ab:9223372036854775807"
    assert parse_cursor(text) == cursor
    assert parse_cursor_prefix(prefix) == log_of(prefix) == cursor.log
    assert prefix_of(text) == prefix


@pytest.mark.parametrize("text", ["", ":", "log", "log:", ":1", "log:-1", "log:1 ", "log:١", "log:1:2", "log:" + "1" * 20])
def test_what_is_not_a_cursor_is_refused(text):
    with pytest.raises(CursorMalformed, match="invalid cursor"):
        parse_cursor(text)


def test_an_error_quotes_only_the_beginning_of_a_long_cursor():
    with pytest.raises(CursorMalformed) as error:
        parse_cursor("x" * 100_000)
    assert len(str(error.value)) < 200


@pytest.mark.parametrize("prefix", ["", ":", "log", "log:1", "a:b:"])
def test_what_is_not_a_prefix_is_refused(prefix):
    with pytest.raises(CursorMalformed, match="invalid cursor prefix"):
        parse_cursor_prefix(prefix)


def test_a_text_without_a_separator_has_no_prefix():
    assert prefix_of("log") == ""
