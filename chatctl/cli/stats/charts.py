"""Parts of the report and the dashboard: rates, a bar chart of them, busy rooms and presence."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from chatctl.cli.terminal.colours import CHART_COLOUR, UserColours
from chatctl.cli.terminal.console import format_duration
from chatctl.cli.terminal.escape import escape_name, escape_text

if TYPE_CHECKING:
    from chatctl.model.stats import Activity, RoomActivity, RoomPresence, ServerStats

INTERVAL_SECONDS = 10  # of each value in Activity.messages
VERTICAL_EIGHTHS, HORIZONTAL_EIGHTHS = " ▁▂▃▄▅▆▇█", " ▏▎▍▌▋▊▉█"


def format_rate(per_second: float) -> str:
    """Return messages per second as text, with one decimal below 100 where it says more."""
    return f"{per_second:,.0f}/s" if per_second >= 100 or per_second == int(per_second) else f"{per_second:.1f}/s"


def format_latency(seconds: float | None) -> str:
    """Return a short duration as text, or "-" for None."""
    if seconds is None:
        return "-"
    return f"{seconds:,.1f} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"


def unreported_text(version: str) -> str:
    """Return the text in place of the activity that a server of an older version does not report."""
    return f"not reported by chatctl {escape_text(version)}: upgrade the server"


def commit_text(activity: "Activity") -> str:
    """Return how long commits take."""
    if activity.commit_median is None:
        return "nothing stored in the last minute"
    return f"{format_latency(activity.commit_median)} median, {format_latency(activity.commit_p99)} p99"


def rate_text(activity: "Activity") -> str:
    """Return the current rate, and the total and the peak of the last 15 minutes."""
    stored = f"{sum(activity.messages):,} in the last 15 minutes"
    return f"{format_rate(activity.messages_per_second)} now, {stored}, at most {format_rate(_peak_rate(activity))}"


def _peak_rate(activity: "Activity") -> float:
    return max(activity.messages_per_second, max(activity.messages, default=0) / INTERVAL_SECONDS)


def streams_text(activity: "Activity") -> str:
    """Return the numbers of open streams."""
    return f"{activity.followers:,} receiving, {activity.senders:,} sending"


def resample_max(values: Sequence[int], columns: int) -> list[int]:
    """Return `columns` values, each the maximum of those it stands for. Every value counts in at least one of them."""
    count = len(values)
    return [max(values[at * count // columns : -(-(at + 1) * count // columns)], default=0) for at in range(columns)]


def bar_chart(values: Sequence[int], columns: int, rows: int = 1) -> list[str]:
    """Return the rows of a chart with one bar for each column. Every value above 0 is visible."""
    values = resample_max(values, columns)
    peak = max(values, default=0) or 1
    heights = [-(-value * rows * 8 // peak) for value in values]
    return [
        "".join(VERTICAL_EIGHTHS[min(max(height - row * 8, 0), 8)] for height in heights) for row in reversed(range(rows))
    ]


def clock_text(server_stats: "ServerStats") -> str:
    """Return how far the server's clock is behind."""
    return f"{format_duration(server_stats.clock_lag_seconds)} behind the newest message"


def chart_axis(activity: "Activity", columns: int) -> str:
    """Return the axis below the chart, with the peak rate."""
    left, right = "15 minutes ago", "now"
    peak = f"at most {format_rate(_peak_rate(activity))}"
    free = columns - len(left) - len(right)
    return f"{left}{peak:^{free}}{right}" if free > len(peak) + 1 else f"{peak:^{columns}}"


def busiest_rooms_table(rooms: "Sequence[RoomActivity]", columns: int, rows: int) -> Table:
    """Return a table of at most `rows` rooms, each with a bar. There must be at least one room."""
    table = Table.grid(padding=(0, 1))
    count_width = max(len(f"{count:,}") for _, count in rooms)
    bar_width = _add_room_columns(table, [room for room, _ in rooms], count_width, columns)
    table.add_column(width=bar_width, no_wrap=True, style=CHART_COLOUR)
    peak = max(rooms[0].num_messages, 1)
    for room, count in rooms[:rows]:
        whole, part = divmod(-(-count * bar_width * 8 // peak), 8)
        table.add_row(Text(escape_name(room)), f"{count:,}", "█" * whole + HORIZONTAL_EIGHTHS[part].strip())
    return table


def presence_table(presence: "Sequence[RoomPresence]", columns: int, rows: int, user_colours: UserColours) -> Table:
    """Return a table of at most `rows` rooms and the users in them. There must be at least one room."""
    table = Table.grid(padding=(0, 1))
    count_width = max(len(f"{count:,}") for _, _, count in presence)
    users_width = _add_room_columns(table, [room for room, _, _ in presence], count_width, columns)
    table.add_column(width=users_width, no_wrap=True, overflow="ellipsis")
    for room, users, count in presence[:rows]:
        table.add_row(Text(escape_name(room)), f"{count:,}", user_names(users, count, user_colours))
    return table


def _add_room_columns(table: Table, rooms: Sequence[str], count_width: int, columns: int) -> int:
    """Add the columns of a room's name and a count. Returns the width that is left for the third column, at least 1."""
    name_width = min(max(cell_len(escape_name(room)) for room in rooms), columns // 3)
    table.add_column(width=name_width, no_wrap=True, overflow="ellipsis")
    table.add_column(width=count_width, no_wrap=True, justify="right")
    return max(columns - name_width - count_width - 2, 1)


def user_names(users: "Sequence[str]", count: int, user_colours: UserColours) -> Text:
    """Return the users, each in their colour, and how many of the `count` users are not among them."""
    text = Text(", ").join(Text(escape_name(user), user_colours.style_256(user)) for user in users)
    return text.append(f" and {count - len(users):,} more", "dim") if count > len(users) else text
