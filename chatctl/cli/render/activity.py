"""What goes on at a server, drawn: rates over time, busy rooms, and who is where."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from chatctl.cli.formats import hue, visible, visible_name
from chatctl.cli.render.conversation import USERS_256

if TYPE_CHECKING:
    from chatctl.activity import Activity, RoomActivity
    from chatctl.presence import Present

SPAN_SECONDS = 10
BARS, EIGHTHS = " ▁▂▃▄▅▆▇█", " ▏▎▍▌▋▊▉█"
DRAWN = "color(32)"  # reads well on dark and on light


def rate(per_second: float) -> str:
    """Messages per second for a person."""
    return f"{per_second:,.0f}/s" if per_second >= 100 or per_second == int(per_second) else f"{per_second:.1f}/s"


def latency(seconds: float | None) -> str:
    """A short time for a person."""
    if seconds is None:
        return "-"
    return f"{seconds:,.1f} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"


def unreported(version: str) -> str:
    """Return what to show in place of the activity that a server of an older version does not report."""
    return f"not reported by chatctl {visible(version)}: upgrade the server"


def commits(activity: "Activity") -> str:
    """How long storing takes."""
    if activity.commit_median is None:
        return "nothing stored in the last minute"
    return f"{latency(activity.commit_median)} median, {latency(activity.commit_p99)} p99"


def rates(activity: "Activity") -> str:
    """How much is stored, now and of late."""
    stored = f"{sum(activity.messages):,} in the last 15 minutes"
    return f"{rate(activity.messages_per_second)} now, {stored}, at most {rate(_most(activity))}"


def _most(activity: "Activity") -> float:
    return max(activity.messages_per_second, max(activity.messages, default=0) / SPAN_SECONDS)


def streams(activity: "Activity") -> str:
    """Who is connected."""
    return f"{activity.followers:,} receiving, {activity.senders:,} sending"


def resampled(values: Sequence[int], columns: int) -> list[int]:
    """So many values, each the most of those that it stands for; none of them is left out."""
    count = len(values)
    return [max(values[at * count // columns : -(-(at + 1) * count // columns)], default=0) for at in range(columns)]


def graph(values: Sequence[int], columns: int, rows: int = 1) -> list[str]:
    """Bars, one a column, over so many rows. Whatever is not 0 can be seen."""
    values = resampled(values, columns)
    most = max(values, default=0) or 1
    heights = [-(-value * rows * 8 // most) for value in values]
    return ["".join(BARS[min(max(height - row * 8, 0), 8)] for height in heights) for row in reversed(range(rows))]


def scale(activity: "Activity", columns: int) -> str:
    """What stands under a graph."""
    left, right = "15 minutes ago", "now"
    peak = f"at most {rate(_most(activity))}"
    free = columns - len(left) - len(right)
    return f"{left}{peak:^{free}}{right}" if free > len(peak) + 1 else f"{peak:^{columns}}"


def busiest(rooms: "Sequence[RoomActivity]", columns: int, rows: int) -> Table:
    """A bar for each of some rooms (one at least), as long as it is busy."""
    table = Table.grid(padding=(0, 1))
    figure = max(len(f"{count:,}") for _, count in rooms)
    name = min(max(Text(visible_name(room)).cell_len for room, _ in rooms), columns // 3)
    longest = max(columns - name - figure - 2, 1)
    table.add_column(width=name, no_wrap=True, overflow="ellipsis")
    table.add_column(width=figure, no_wrap=True, justify="right")
    table.add_column(width=longest, no_wrap=True, style=DRAWN)
    most = max(rooms[0].num_messages, 1)
    for room, count in rooms[:rows]:
        whole, part = divmod(-(-count * longest * 8 // most), 8)
        table.add_row(Text(visible_name(room)), f"{count:,}", "█" * whole + EIGHTHS[part].strip())
    return table


def here(present: "Sequence[Present]", columns: int, rows: int) -> Table:
    """A row for each of the rooms (one at least) that somebody is in."""
    table = Table.grid(padding=(0, 1))
    figure = max(len(f"{count:,}") for _, _, count in present)
    room = min(max(Text(visible_name(room)).cell_len for room, _, _ in present), columns // 3)
    table.add_column(width=room, no_wrap=True, overflow="ellipsis")
    table.add_column(width=figure, no_wrap=True, justify="right")
    table.add_column(width=max(columns - room - figure - 2, 1), no_wrap=True, overflow="ellipsis")
    for where, users, count in present[:rows]:
        table.add_row(Text(visible_name(where)), f"{count:,}", names(users, count))
    return table


def colour(user: str) -> str:
    """A user's, as everywhere."""
    return f"bold color({USERS_256[hue(user, len(USERS_256))]})"


def names(users: "Sequence[str]", count: int) -> Text:
    """Users, each in their colour, and how many more there are."""
    text = Text(", ").join(Text(visible_name(user), colour(user)) for user in users)
    return text.append(f" and {count - len(users):,} more", "dim") if count > len(users) else text
