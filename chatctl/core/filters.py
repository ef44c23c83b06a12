"""Which messages somebody wants, wherever in the log they are."""

from typing import NamedTuple

from chatctl.core.message_log import MessageLog
from chatctl.model.messages import Page, Run


class Filter(NamedTuple):
    """All conditions must hold; one that is empty or 0 is none. Equal filters want the same, so make them with `normalized`."""

    rooms: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    contains: str = ""
    """Casefolded."""
    since: int = 0

    @classmethod
    def normalized(cls, rooms: tuple[str, ...], users: tuple[str, ...], contains: str, since: int | None) -> "Filter":
        """The filter for these conditions, in whatever order and case they are."""
        return cls(tuple(sorted(set(rooms))), tuple(sorted(set(users))), contains.casefold(), max(0, since or 0))

    async def read(self, log: MessageLog, after: int, end: int, count: int, backwards: bool = False) -> Page:
        """As `MessageLog.read`; `count` is how many messages to look at at most."""
        page = await log.read(self.rooms, self.users, after, end, count, backwards)
        return self.apply(page) if self.contains or self.since else page

    def apply(self, page: Page) -> Page:
        """The page without what is not wanted; its messages are in these rooms."""
        runs = [run for run in page.runs if run.time >= self.since and (not self.users or run.user in self.users)]
        return Page(_runs_containing(runs, self.contains) if self.contains else runs, page.position)


def _runs_containing(runs: list[Run], needle: str) -> list[Run]:
    """The parts of the runs whose texts contain the needle, which is casefolded."""
    found: list[Run] = []
    for run in runs:
        # All texts at once first: where nothing matches, which is nearly everywhere, this is ten times as fast.
        if needle not in "\n".join(run.texts).casefold():
            continue
        last = -2
        for i, text in enumerate(run.texts):
            if needle in text.casefold():
                if i == last + 1:
                    found[-1].texts.append(text)
                else:
                    found.append(run._replace(sequence=run.sequence + i, texts=[text]))
                last = i
    return found
