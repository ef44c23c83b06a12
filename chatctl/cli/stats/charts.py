"""What goes on at a server, drawn: rates over time, busy rooms, and who is where."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from chatctl.cli.terminal.colours import USER_COLOURS_256, colour_index
from chatctl.cli.terminal.escape import escape_name, escape_text

if TYPE_CHECKING:
    from chatctl.model.stats import Activity, RoomActivity, RoomPresence
from chatctl.cli.terminal.colours import CHART_COLOUR

INTERVAL_SECONDS = 10
VERTICAL_EIGHTHS, HORIZONTAL_EIGHTHS = " ▁▂▃▄▅▆▇█", " ▏▎▍▌▋▊▉█"


def format_rate(per_second: float) -> str:
    """Messages per second for a person."""
    return f"{per_second:,.0f}/s" if per_second >= 100 or per_second == int(per_second) else f"{per_second:.1f}/s"


def format_latency(seconds: float | None) -> str:
    """A short time for a person."""
    if seconds is None:
        return "-"
    return f"{seconds:,.1f} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"


def unreported_text(version: str) -> str:
    """Return the text in place of the activity that a server of an older version does not report."""
    return f"not reported by chatctl {escape_text(version)}: upgrade the server"


def commit_text(activity: "Activity") -> str:
    """How long storing takes."""
    if activity.commit_median is None:
        return "nothing stored in the last minute"
    return f"{format_latency(activity.commit_median)} median, {format_latency(activity.commit_p99)} p99"


def rate_text(activity: "Activity") -> str:
    """How much is stored, now and of late."""
    stored = f"{sum(activity.messages):,} in the last 15 minutes"
    return f"{format_rate(activity.messages_per_second)} now, {stored}, at most {format_rate(_peak_rate(activity))}"


def _peak_rate(activity: "Activity") -> float:
    return max(activity.messages_per_second, max(activity.messages, default=0) / INTERVAL_SECONDS)


def streams_text(activity: "Activity") -> str:
    """Who is connected."""
    return f"{activity.followers:,} receiving, {activity.senders:,} sending"


def resample_max(values: Sequence[int], columns: int) -> list[int]:
    """So many values, each the most of those that it stands for; none of them is left out."""
    count = len(values)
    return [max(values[at * count // columns : -(-(at + 1) * count // columns)], default=0) for at in range(columns)]


def bar_chart(values: Sequence[int], columns: int, rows: int = 1) -> list[str]:
    """Bars, one a column, over so many rows. Whatever is not 0 can be seen."""
    values = resample_max(values, columns)
    peak = max(values, default=0) or 1
    heights = [-(-value * rows * 8 // peak) for value in values]
    return [
        "".join(VERTICAL_EIGHTHS[min(max(height - row * 8, 0), 8)] for height in heights) for row in reversed(range(rows))
    ]


def chart_axis(activity: "Activity", columns: int) -> str:
    """What stands under a graph."""
    left, right = "15 minutes ago", "now"
    peak = f"at most {format_rate(_peak_rate(activity))}"
    free = columns - len(left) - len(right)
    return f"{left}{peak:^{free}}{right}" if free > len(peak) + 1 else f"{peak:^{columns}}"


def busiest_rooms_table(rooms: "Sequence[RoomActivity]", columns: int, rows: int) -> Table:
    """A bar for each of some rooms (one at least), as long as it is busy."""
    table = Table.grid(padding=(0, 1))
    count_width = max(len(f"{count:,}") for _, count in rooms)
    name_width = min(max(Text(escape_name(room)).cell_len for room, _ in rooms), columns // 3)
    bar_width = max(columns - name_width - count_width - 2, 1)
    table.add_column(width=name_width, no_wrap=True, overflow="ellipsis")
    table.add_column(width=count_width, no_wrap=True, justify="right")
    table.add_column(width=bar_width, no_wrap=True, style=CHART_COLOUR)
    peak = max(rooms[0].num_messages, 1)
    for room, count in rooms[:rows]:
        whole, part = divmod(-(-count * bar_width * 8 // peak), 8)
        table.add_row(Text(escape_name(room)), f"{count:,}", "█" * whole + HORIZONTAL_EIGHTHS[part].strip())
    return table


def presence_table(presence: "Sequence[RoomPresence]", columns: int, rows: int) -> Table:
    """A row for each of the rooms (one at least) that somebody is in."""
    table = Table.grid(padding=(0, 1))
    count_width = max(len(f"{count:,}") for _, _, count in presence)
    room_width = min(max(Text(escape_name(room)).cell_len for room, _, _ in presence), columns // 3)
    table.add_column(width=room_width, no_wrap=True, overflow="ellipsis")
    table.add_column(width=count_width, no_wrap=True, justify="right")
    table.add_column(width=max(columns - room_width - count_width - 2, 1), no_wrap=True, overflow="ellipsis")
    for room_name, users, count in presence[:rows]:
        table.add_row(Text(escape_name(room_name)), f"{count:,}", user_names(users, count))
    return table


def user_colour(user: str) -> str:
    """A user's, as everywhere."""
    return f"bold color({USER_COLOURS_256[colour_index(user, len(USER_COLOURS_256))]})"


def user_names(users: "Sequence[str]", count: int) -> Text:
    """Users, each in their colour, and how many more there are."""
    text = Text(", ").join(Text(escape_name(user), user_colour(user)) for user in users)
    return text.append(f" and {count - len(users):,} more", "dim") if count > len(users) else text
