"""What the room holds: in log order, each message once, bounded, and nothing that is pending lost. No screen, no server."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatctl.cli.join import commands, held
from chatctl.cli.join.held import Held
from chatctl.cli.join.lines import Line
from chatctl.cli.join.room import UNREAD, Room, Search, mentions_of
from chatctl.log import Receipt, Run, Status

TIME = 1_795_000_000_000_000


def run_of(sequence, *texts, user="bob", room="lobby"):
    return Run(sequence, room, user, TIME, list(texts))


def stored(sequence, text="text"):
    return Line((sequence, 0), TIME, "bob", text)


def watched(name="lobby"):
    room = Room(name, "ann")
    room.watch(True)
    return room


def texts(view):
    return [line.text for line in view.lines]


@given(st.lists(st.tuples(st.sampled_from(["come", "older", "put"]), st.integers(1, 60), st.integers(1, 5)), max_size=40))
def test_lines_are_in_order_and_each_is_there_once(steps):
    room, expected, pending = watched(), set(), []
    for what, first, count in steps:
        sequences = range(first, first + count)
        if what == "put":
            room.put(len(pending) + 1, f"mine {len(pending) + 1}", TIME)
            pending.append(f"mine {len(pending) + 1}")
            continue
        expected |= set(sequences)
        lines = [stored(sequence) for sequence in sequences]
        room.come(lines) if what == "come" else room.older(lines, begins=False)
    assert [line.key for line in room.lines[: len(expected)]] == [(sequence, 0) for sequence in sorted(expected)]
    assert texts(room)[len(expected) :] == pending
    assert room.oldest == min(expected, default=0)


def test_what_is_pending_settles_where_its_receipt_says():
    room = watched()
    room.receive([run_of(1, "one")])
    for number, text in enumerate(["mine", "mine too"], 1):
        room.put(number, text, TIME)
    room.receive([run_of(2, "two")])
    assert texts(room) == ["one", "two", "mine", "mine too"]
    room.settle(Receipt(1, 2, Status.STORED, sequence=4, time=TIME), ["mine", "mine too"], TIME)
    room.receive([run_of(3, "three"), run_of(4, "mine", "mine too", user="ann")])
    assert texts(room) == ["one", "two", "three", "mine", "mine too"]
    assert {line.state for line in room.lines} == {"stored"}


def test_what_comes_before_its_receipt_is_there_once():
    room = watched()
    room.put(1, "mine", TIME)
    room.receive([run_of(1, "mine", user="ann")])
    room.settle(Receipt(1, 1, Status.DUPLICATE, sequence=1, time=TIME), ["mine"], TIME)
    assert [(line.key, line.state) for line in room.lines] == [((1, 0), "stored")]


def test_what_is_rejected_stays_with_the_reason():
    room = watched()
    room.receive([run_of(7, "seven")])
    room.put(1, "mine", TIME)
    room.settle(Receipt(1, 1, Status.REJECTED, error="it is too long"), ["mine"], TIME)
    room.receive([run_of(8, "eight")])
    assert [(line.text, line.state) for line in room.lines] == [
        ("seven", "stored"),
        ("mine", "rejected"),
        ("not stored: it is too long", "notice"),
        ("eight", "stored"),
    ]


def test_no_more_than_the_bound_is_held_and_the_oldest_go():
    room = watched()
    room.put(1, "mine", TIME)
    for first in range(1, 9_501, 500):
        room.receive([run_of(first, *(str(sequence) for sequence in range(first, first + 500)))])
        assert len(room.lines) <= held.KEPT_LINES * held.SLACK + 1
    assert texts(room)[-2:] == ["9500", "mine"]
    assert room.oldest + len(room.lines) - 2 == 9_500
    room.come([stored(3)])
    assert room.oldest > 3, "a gap would follow it"
    room.older([stored(room.oldest - 1)], begins=False)
    assert room.lines[0].key == (room.oldest, 0)
    assert room.oldest + len(room.lines) - 2 == 9_500


def test_long_texts_are_bounded_by_their_length():
    room = watched()
    for sequence in range(1, 200):
        room.receive([run_of(sequence, "x" * 65536)])
        assert sum(map(len, texts(room))) <= held.KEPT_CHARACTERS * held.SLACK
    assert len(room.lines) > 20


def test_who_has_scrolled_up_keeps_more_but_not_everything():
    room = watched()
    room.anchor = (1, 0), 0
    for first in range(1, 40_001, 1000):
        room.receive([run_of(first, *["text"] * 1000)])
    assert held.KEPT_LINES * 2 < len(room.lines) <= held.MOST_LINES * held.SLACK
    assert room.full
    room.anchor = None
    room.receive([run_of(40_001, "text")])
    assert len(room.lines) == held.KEPT_LINES


def test_older_messages_go_in_front_until_there_are_none():
    room = watched()
    room.receive([run_of(50, "fifty")])
    room.older([stored(sequence) for sequence in (48, 49, 50)], begins=False)
    assert [line.key[0] for line in room.lines] == [48, 49, 50]
    assert (room.oldest, room.begins) == (48, False)
    room.older([stored(1)], begins=True)
    assert (room.oldest, room.begins) == (1, True)


def test_what_nobody_looks_at_is_unread_and_marked_where_it_begins():
    room = watched()
    room.receive([run_of(1, "seen")])
    room.watch(False)
    room.receive([run_of(2, "hello", "Ann: are you there?"), run_of(4, "mine, from elsewhere", user="ann")])
    room.receive([run_of(5, "annual")])
    assert (room.unread, room.mentions) == (3, 1)
    assert texts(room) == ["seen", UNREAD, "hello", "Ann: are you there?", "mine, from elsewhere", "annual"]
    assert [line.text for line in room.lines if line.mention] == ["Ann: are you there?"]
    room.watch(True)
    assert (room.unread, room.mentions) == (0, 0)
    assert UNREAD in texts(room), "it stays while it is looked at"
    room.watch(False)
    assert UNREAD not in texts(room)


def test_older_messages_are_never_unread():
    room = Room("lobby", "ann")
    room.older([stored(1, "ann!")], begins=True)
    assert (room.unread, room.mentions) == (0, 0)


@pytest.mark.parametrize("text", ["ann", "Ann, come", "is ANN here", "(ann)", "ann's", "hi @ann!"])
def test_a_mention_is_the_name_as_a_word(text):
    assert mentions_of("ann")(text)


@pytest.mark.parametrize("text", ["", "annual", "joann", "ann_2", "an n"])
def test_a_part_of_a_word_is_no_mention(text):
    assert not mentions_of("ann")(text)


def test_a_name_that_looks_like_a_pattern_is_only_a_name():
    assert mentions_of("a.*(n")("hey a.*(n you")
    assert not mentions_of("a.n")("abn")


def test_a_search_takes_what_matches_in_its_room():
    search = Search("lobby", "ann", "STRASSE")
    search.receive([run_of(1, "Hauptstraße 1", "no"), run_of(3, "strasse", room="ops")])
    assert texts(search) == ["Hauptstraße 1"]


def test_older_ones_that_come_too_late_leave_no_gap():
    room = watched()
    room.come([stored(n) for n in range(5000, 5010)])
    asked = room.oldest
    room.come([stored(n) for n in range(5010, 9000)])  # so many that those asked for would not be next to what is held
    assert room.oldest > asked
    room.older([stored(n) for n in range(4800, 5000)], False, asked)
    assert room.oldest > asked
    assert not room.loaded
    keys = [line.key[0] for line in room.lines]
    assert keys == list(range(keys[0], 9000))


def test_a_room_that_nobody_looks_at_holds_no_more_than_its_newest():
    room = watched()
    room.anchor = ((1, 0), 0)
    room.come([stored(n) for n in range(1, 9000)])
    assert room.oldest == 1
    room.rest()
    assert room.oldest > 6000
    assert room.anchor is None


def test_notices_stay_between_the_messages_they_came_between():
    box = Held()
    box.tell("first of all", TIME)
    box.come([stored(5)])
    box.tell("one", TIME)
    box.tell("two", TIME)
    box.come([stored(6)])
    assert texts(box) == ["first of all", "text", "one", "two", "text"]


def test_the_last_heard_are_remembered():
    room = watched()
    for at in range(600):
        room.receive([run_of(at + 1, "hi", user=f"user {at}")])
    assert list(room.users)[-1] == "user 599"
    assert len(room.users) == 500


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("hello", commands.Text("hello")),
        (" /join x", commands.Text(" /join x")),
        ("//join x", commands.Text("/join x")),
        ("/join a  b", commands.Called("join", "a  b")),
        ("/JOIN a", commands.Called("join", "a")),
        ("/leave", commands.Called("leave", "")),
        ("/search two words", commands.Called("search", "two words")),
    ],
)
def test_what_is_typed_is_a_text_or_a_command(typed, meant):
    assert commands.parse(typed) == meant


@pytest.mark.parametrize(
    ("typed", "word"), [("/foo bar", "/foo"), ("/", "no command /"), ("/join", "ROOM..."), ("/quit now", "takes nothing")]
)
def test_what_is_no_command_is_refused_with_a_reason(typed, word):
    refused = commands.parse(typed)
    assert isinstance(refused, commands.Refused)
    assert word in refused.error


def test_rooms_with_spaces_are_named_in_quotes():
    assert commands.names_in('lobby "war room"') == ["lobby", "war room"]
    assert commands.names_in("ann's") == ["ann's"]


def test_words_are_completed():
    complete = commands.complete
    assert complete("/le", True, [], []) == ["/leave "]
    assert complete("/le", False, [], []) == []
    assert complete("B", True, ["bob", "cleo"], ["lobby", "builds"]) == ["bob: ", "builds "]
    assert complete("b", False, ["bob"], ["bob", "builds"]) == ["bob ", "builds "]
    assert complete("", False, ["bob"], ["lobby"]) == []
