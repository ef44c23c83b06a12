"""Colours of users: stable within a view, and different while the palette has free ones."""

import pytest

from chatctl.cli.terminal.colours import USER_COLOURS_8, USER_COLOURS_256, UserColours


@pytest.mark.parametrize("count", [len(USER_COLOURS_8), len(USER_COLOURS_256)])
def test_users_have_different_colours_while_the_palette_has_free_ones(count: int) -> None:
    for case in range(50):
        colours = UserColours(count)
        users = [f"user {case}-{number}" for number in range(count)]
        assert {colours.index(user) for user in users} == set(range(count))


def test_a_user_keeps_the_colour_in_a_view_when_others_appear() -> None:
    colours = UserColours()
    users = [f"user {number}" for number in range(100)]
    first = [colours.index(user) for user in users]
    assert [colours.index(user) for user in users] == first
    assert [colours.index(user) for user in reversed(users)] == first[::-1]


def test_the_first_user_and_late_users_have_the_colour_of_their_hash() -> None:
    crowded = UserColours()
    for number in range(100):
        crowded.index(f"user {number}")
    for name in ("ann", "bob", "\ud800"):
        assert UserColours().index(name) == UserColours().index(name) == crowded.index(name)


def test_a_view_remembers_no_more_users_than_it_has_colours() -> None:
    colours = UserColours()
    for number in range(1000):
        colours.index(f"user {number}")
    assert len(colours._indices) == len(USER_COLOURS_256)
