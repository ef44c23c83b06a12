"""Colours of users, for dark themes and for light ones."""

from rich.style import Style

from chatctl.cli.formats import colour_index

# Each in the dark and in the light. All contrast alike with their background: 7 to 1 in the dark, 4.8 to 1 in the light,
# where what contrasts more has no colour left.
_COLOURS = (
    ("#e69694", "#ae1e19"),
    ("#de9e73", "#8f4514"),
    ("#d1a53d", "#745611"),
    ("#a3b62b", "#535e0d"),
    ("#53c22e", "#25670f"),
    ("#2ec278", "#0f673b"),
    ("#2dbeb4", "#0f6761"),
    ("#62b6da", "#126081"),
    ("#87ace3", "#1957b3"),
    ("#ada4ea", "#513be3"),
    ("#cf98e7", "#8f1bc0"),
    ("#e58fc8", "#aa1879"),
)
_STYLES = [(Style(color=light), Style(color=dark)) for dark, light in _COLOURS]


def user_style(user: str, dark: bool) -> Style:
    """The colour of a user, which is the same everywhere."""
    return _STYLES[colour_index(user, len(_STYLES))][dark]
