"""How other people's names and texts are made safe to look at."""

import json

import pytest

from chatctl.cli.terminal.escape import escape_json, escape_name, escape_text

UNSEEN = (
    "\u200b\u200c\u200d\u2060\u00ad\ufe0f\u034f\u115f\u1160\u3164\uffa0\u2800\u00a0\u2003\u3000\u180e\U000e0041\U000e0100"
)


@pytest.mark.parametrize("name", ["ann", "war room", "漢字", "Zoë", "محمد", "हिन्दी", "🦊", "[bold]", "DOM\\ann", "~"])
def test_a_name_that_can_be_seen_stays(name):
    assert escape_name(name) == name


@pytest.mark.parametrize(
    "unseen", [*UNSEEN, "\u202e", "\u2066", "\ufeff", "\x1b", "\n", "\x9b", "\u2028", "\ud800", "\ue000"]
)
def test_no_name_can_look_like_another_by_what_is_not_seen(unseen):
    for name in (f"ann{unseen}", f"a{unseen}nn", f"{unseen}ann"):
        shown = escape_name(name)
        assert shown.isprintable()
        assert unseen not in shown
        assert f"{ord(unseen):x}" in shown or unseen == "\n"


def test_a_space_at_the_end_of_a_name_is_seen():
    assert escape_name("ann ") == "ann\\x20"
    assert escape_name("  an n") == "\\x20\\x20an n"
    assert escape_name("  ") == "\\x20\\x20"


def test_texts_keep_what_joins():
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467 \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \u2764\ufe0f"
    assert escape_text(family) == family
    assert escape_text("a\u202eb\x1bc") == "a\\u202eb\\x1bc"


UNSAFE = "\x7f\x80\x9b\xad\u061c\u200e\u200f\u2028\u2029\u202e\u2066\u206f\ufeff\ufff9"


@pytest.mark.parametrize("character", UNSAFE)
def test_texts_and_json_at_a_terminal_escape_what_moves_hides_or_reverses(character):
    assert character not in escape_text(f"a{character}b")
    escaped = escape_json(json.dumps({"text": f"a{character}b"}, ensure_ascii=False))
    assert f"\\u{ord(character):04x}" in escaped
    assert json.loads(escaped) == {"text": f"a{character}b"}
