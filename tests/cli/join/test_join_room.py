"""The lines of a room: in log order, each message once, bounded, pending texts kept. No screen, no server."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatctl.cli.join import scrollback, slash_commands
from chatctl.cli.join.command_runner import COMMANDS
from chatctl.cli.join.input_error import InputError
from chatctl.cli.join.line import Line
from chatctl.cli.join.room import UNREAD_NOTICE, Room, Search, mention_matcher
from chatctl.cli.join.scrollback import Scrollback
from chatctl.model.messages import Run
from chatctl.model.records import Receipt, ReceiptStatus

TIME = 1_795_000_000_000_000


def run_of(sequence, *texts, user="bob", room="lobby"):
    return Run(sequence, room, user, TIME, list(texts))


def stored(sequence, text="text"):
    return Line((sequence, 0), TIME, "bob", text)


def watched(name="lobby"):
    room = Room(name, "ann")
    room.set_visible(True)
    return room


def texts(view):
    return [line.text for line in view.lines]


@given(st.lists(st.tuples(st.sampled_from(["add", "older", "pending"]), st.integers(1, 60), st.integers(1, 5)), max_size=40))
def test_lines_are_in_order_and_unique(steps):
    room, expected, pending = watched(), set(), []
    for what, first, count in steps:
        sequences = range(first, first + count)
        if what == "pending":
            room.add_pending(len(pending) + 1, f"mine {len(pending) + 1}", TIME)
            pending.append(f"mine {len(pending) + 1}")
            continue
        expected |= set(sequences)
        lines = [stored(sequence) for sequence in sequences]
        room.add(lines) if what == "add" else room.prepend(lines, at_start=False)
    assert [line.key for line in room.lines[: len(expected)]] == [(sequence, 0) for sequence in sorted(expected)]
    assert texts(room)[len(expected) :] == pending
    assert room.oldest_sequence == min(expected, default=0)


def test_a_pending_text_moves_to_the_sequence_of_its_receipt():
    room = watched()
    room.receive([run_of(1, "one")])
    for number, text in enumerate(["mine", "mine too"], 1):
        room.add_pending(number, text, TIME)
    room.receive([run_of(2, "two")])
    assert texts(room) == ["one", "two", "mine", "mine too"]
    room.apply_receipt(Receipt(1, 2, ReceiptStatus.STORED, sequence=4, time=TIME), ["mine", "mine too"], TIME)
    room.receive([run_of(3, "three"), run_of(4, "mine", "mine too", user="ann")])
    assert texts(room) == ["one", "two", "three", "mine", "mine too"]
    assert {line.state for line in room.lines} == {"stored"}


def test_a_message_received_before_its_receipt_is_kept_once():
    room = watched()
    room.add_pending(1, "mine", TIME)
    room.receive([run_of(1, "mine", user="ann")])
    room.apply_receipt(Receipt(1, 1, ReceiptStatus.DUPLICATE, sequence=1, time=TIME), ["mine"], TIME)
    assert [(line.key, line.state) for line in room.lines] == [((1, 0), "stored")]


def test_a_rejected_text_stays_with_the_reason():
    room = watched()
    room.receive([run_of(7, "seven")])
    room.add_pending(1, "mine", TIME)
    room.apply_receipt(Receipt(1, 1, ReceiptStatus.REJECTED, error="it is too long"), ["mine"], TIME)
    room.receive([run_of(8, "eight")])
    assert [(line.text, line.state) for line in room.lines] == [
        ("seven", "stored"),
        ("mine", "rejected"),
        ("not stored: it is too long", "notice"),
        ("eight", "stored"),
    ]


def test_the_oldest_lines_above_the_bound_are_dropped():
    room = watched()
    room.add_pending(1, "mine", TIME)
    for first in range(1, 9_501, 500):
        room.receive([run_of(first, *(str(sequence) for sequence in range(first, first + 500)))])
        assert len(room.lines) <= scrollback.MAX_LINES_AT_END * scrollback.TRIM_SLACK + 1
    assert texts(room)[-2:] == ["9500", "mine"]
    assert room.oldest_sequence + len(room.lines) - 2 == 9_500
    room.add([stored(3)])
    assert room.oldest_sequence > 3, "a gap would follow it"
    room.prepend([stored(room.oldest_sequence - 1)], at_start=False)
    assert room.lines[0].key == (room.oldest_sequence, 0)
    assert room.oldest_sequence + len(room.lines) - 2 == 9_500


def test_long_texts_are_bounded_by_their_length():
    room = watched()
    for sequence in range(1, 200):
        room.receive([run_of(sequence, "x" * 65536)])
        assert sum(map(len, texts(room))) <= scrollback.MAX_CHARS_AT_END * scrollback.TRIM_SLACK
    assert len(room.lines) > 20


def test_the_bound_is_higher_while_scrolled_up():
    room = watched()
    room.anchor = (1, 0), 0
    for first in range(1, 40_001, 1000):
        room.receive([run_of(first, *["text"] * 1000)])
    assert scrollback.MAX_LINES_AT_END * 2 < len(room.lines) <= scrollback.MAX_LINES_SCROLLED * scrollback.TRIM_SLACK
    assert room.full
    room.anchor = None
    room.receive([run_of(40_001, "text")])
    assert len(room.lines) == scrollback.MAX_LINES_AT_END


def test_older_messages_are_prepended_up_to_the_start():
    room = watched()
    room.receive([run_of(50, "fifty")])
    room.prepend([stored(sequence) for sequence in (48, 49, 50)], at_start=False)
    assert [line.key[0] for line in room.lines] == [48, 49, 50]
    assert (room.oldest_sequence, room.at_start) == (48, False)
    room.prepend([stored(1)], at_start=True)
    assert (room.oldest_sequence, room.at_start) == (1, True)


def test_messages_in_a_hidden_room_are_unread_and_marked():
    room = watched()
    room.receive([run_of(1, "seen")])
    room.set_visible(False)
    room.receive([run_of(2, "hello", "Ann: are you there?"), run_of(4, "mine, from elsewhere", user="ann")])
    room.receive([run_of(5, "annual")])
    assert (room.unread, room.unread_mentions) == (3, 1)
    assert texts(room) == ["seen", UNREAD_NOTICE, "hello", "Ann: are you there?", "mine, from elsewhere", "annual"]
    assert [line.text for line in room.lines if line.mention] == ["Ann: are you there?"]
    room.set_visible(True)
    assert (room.unread, room.unread_mentions) == (0, 0)
    assert UNREAD_NOTICE in texts(room), "it stays while the room is visible"
    room.set_visible(False)
    assert UNREAD_NOTICE not in texts(room)


def test_older_messages_are_never_unread():
    room = Room("lobby", "ann")
    room.prepend([stored(1, "ann!")], at_start=True)
    assert (room.unread, room.unread_mentions) == (0, 0)


@pytest.mark.parametrize("text", ["ann", "Ann, come", "is ANN here", "(ann)", "ann's", "hi @ann!"])
def test_a_mention_is_the_name_as_a_word(text):
    assert mention_matcher("ann")(text)


@pytest.mark.parametrize("text", ["", "annual", "joann", "ann_2", "an n"])
def test_a_part_of_a_word_is_not_a_mention(text):
    assert not mention_matcher("ann")(text)


def test_a_name_is_not_a_pattern():
    assert mention_matcher("a.*(n")("hey a.*(n you")
    assert not mention_matcher("a.n")("abn")


def test_a_search_keeps_the_matches_in_its_room():
    search = Search("lobby", "ann", "STRASSE")
    search.receive([run_of(1, "Hauptstraße 1", "no"), run_of(3, "strasse", room="ops")])
    assert texts(search) == ["Hauptstraße 1"]


def test_older_messages_that_arrive_too_late_are_ignored():
    room = watched()
    room.add([stored(n) for n in range(5000, 5010)])
    asked = room.oldest_sequence
    room.add([stored(n) for n in range(5010, 9000)])  # more than the bound, so the requested ones would leave a gap
    assert room.oldest_sequence > asked
    room.prepend([stored(n) for n in range(4800, 5000)], False, asked)
    assert room.oldest_sequence > asked
    assert not room.loaded
    keys = [line.key[0] for line in room.lines]
    assert keys == list(range(keys[0], 9000))


def test_trim_keeps_only_the_newest_lines():
    room = watched()
    room.anchor = ((1, 0), 0)
    room.add([stored(n) for n in range(1, 9000)])
    assert room.oldest_sequence == 1
    room.trim()
    assert room.oldest_sequence > 6000
    assert room.anchor is None


def test_notices_keep_their_position_between_messages():
    box = Scrollback()
    box.add_notice("first of all", TIME)
    box.add([stored(5)])
    box.add_notice("one", TIME)
    box.add_notice("two", TIME)
    box.add([stored(6)])
    assert texts(box) == ["first of all", "text", "one", "two", "text"]


def test_the_users_who_wrote_last_are_kept():
    room = watched()
    for at in range(600):
        room.receive([run_of(at + 1, "hi", user=f"user {at}")])
    assert list(room.recent_users)[-1] == "user 599"
    assert len(room.recent_users) == 500


@pytest.mark.parametrize(
    ("typed", "text"),
    [("hello", "hello"), (" /join x", " /join x"), ("//join x", "/join x"), ("//", "/"), ("a\n/b", "a\n/b")],
)
def test_an_input_without_a_leading_slash_is_a_text(typed, text):
    assert slash_commands.parse(typed, COMMANDS) == slash_commands.ChatText(text)


@pytest.mark.parametrize(
    ("typed", "name", "argument"),
    [
        ("/join a  b", "join", "a  b"),
        ("/JOIN a", "join", "a"),
        ("/leave", "leave", ""),
        ("/search two words", "search", "two words"),
    ],
)
def test_an_input_with_a_leading_slash_is_a_command(typed, name, argument):
    command = slash_commands.parse(typed, COMMANDS)
    assert isinstance(command, slash_commands.SlashCommand)
    assert (command.syntax.name, command.argument) == (name, argument)


@pytest.mark.parametrize(
    ("typed", "word"),
    [("/foo bar", "/foo"), ("/", "unknown command /"), ("/join", "ROOM..."), ("/quit now", "takes no argument")],
)
def test_an_invalid_command_raises_an_error_with_the_reason(typed, word):
    with pytest.raises(InputError, match=re.escape(word)):
        slash_commands.parse(typed, COMMANDS)


def test_quotes_enclose_names_with_spaces():
    assert slash_commands.split_names('lobby "war room"') == ["lobby", "war room"]
    assert slash_commands.split_names("ann's") == ["ann's"]
    assert slash_commands.split_names("""'it''s' "a""b c" open\"""") == ["it's", 'a"b c', 'open"']
    for argument in ('""', '"open', 'lobby "a"b', '"'):
        with pytest.raises(InputError, match="no name"):
            slash_commands.split_names(argument)
    assert slash_commands.split_names(r"back\slash") == [r"back\slash"]


def completed(before, users=(), rooms=()):
    """Return the text with each completion of its end."""
    length, endings = slash_commands.complete(before, COMMANDS, list(users), list(rooms))
    return [before[: len(before) - length] + ending for ending in endings]


def test_words_are_completed():
    assert completed("/le") == ["/leave "]
    assert completed("say /le") == []
    assert completed("B", ["bob", "cleo"], ["lobby", "builds"]) == ["bob: ", "builds "]
    assert completed("ask b", ["bob"], ["bob", "builds"]) == ["ask bob ", "ask builds "]
    assert completed("", ["bob"], ["lobby"]) == completed("ask ", ["bob"], ["lobby"]) == []


def test_a_name_is_completed_after_punctuation():
    assert completed("(al", ["alice"]) == ["(alice "]
    assert completed("thanks @al", ["alice"]) == ["thanks @alice "]
    assert completed("@al", ["alice", "@alan"]) == ["@alan: "]  # a name that begins with it comes first


NAMES = ["my room", "it's", 'say "hi" now', """both ' and " here""", '"quoted"', "back\\slash", "a"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("command", ["/join", "/leave", "/who"])
def test_a_completed_room_is_read_as_that_room(command, name):
    typed = name[0] if name[0].isalnum() else ""
    (text,) = completed(f"{command} {typed}", rooms=[name])
    assert slash_commands.split_names(text.removeprefix(command)) == [name]


def test_a_room_is_completed_in_an_open_quote():
    assert completed('/join lobby "my r', rooms=["my room"]) == ['/join lobby "my room" ']
    assert completed("/join 'my r", rooms=["my room"]) == ['/join "my room" ']


def load_older(room, *sequences):
    """Load messages that were stored before."""
    room.prepend([stored(sequence, f"old {sequence}") for sequence in sequences], at_start=True)


def test_the_unread_mark_is_before_the_first_unread_message_if_older_ones_are_loaded_later():
    room = Room("lobby", "ann")
    room.set_head(7)
    room.receive([run_of(9, "mine", user="ann"), run_of(12, "new")])
    load_older(room, 2, 7)
    assert texts(room) == ["old 2", "old 7", "mine", UNREAD_NOTICE, "new"]


def test_a_notice_stays_behind_messages_that_are_loaded_later():
    room = watched()
    room.add_notice("cannot connect", TIME)
    room.add_notice("still not", TIME)
    room.anchor = (0, 1), 0
    room.set_head(7)
    load_older(room, 2, 7)
    room.receive([run_of(9, "new")])
    room.set_head(9)
    room.add_notice("later", TIME)
    assert texts(room) == ["old 2", "old 7", "cannot connect", "still not", "new", "later"]
    assert room.anchor == ((7, 1), 0)


def test_a_mark_in_a_log_that_was_empty_stays_before_the_message():
    room = Room("lobby", "ann")
    room.set_head(0)
    room.receive([run_of(1, "first")])
    room.set_head(1)
    assert texts(room) == [UNREAD_NOTICE, "first"]


def test_a_rejected_text_stays_behind_messages_that_are_loaded_later():
    room = watched()
    room.set_head(7)
    room.add_pending(1, "mine", TIME)
    room.apply_receipt(Receipt(1, 1, ReceiptStatus.REJECTED, error="too long"), ["mine"], TIME)
    load_older(room, 7)
    assert texts(room) == ["old 7", "mine", "not stored: too long"]
