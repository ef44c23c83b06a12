"""Who waits for what: a commit wakes those who follow the rooms it has written to, and nobody else."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence, Set

from chatctl.errors import Stopping

KNOWN_ROOMS = 10_000
ANY = ""  # stands for every room; no room is called that


class Wakes:
    """How far each room has moved, and the waiters of each. Belongs to the event loop it is used in."""

    def __init__(self, head: int) -> None:
        self._newest: OrderedDict[str, int] = OrderedDict({ANY: head})
        self._floor = head  # no room that is not in `_newest` has moved beyond it
        self._waiting: dict[str, set[asyncio.Future[None]]] = {}
        self._released = False

    def moved(self, rooms: Set[str], head: int) -> None:
        """These rooms may have messages up to the head: wake whoever waits for one of them."""
        for room in rooms | {ANY}:
            self._newest[room] = head
            self._newest.move_to_end(room)
            for waiter in self._waiting.get(room, ()):
                if not waiter.done():
                    waiter.set_result(None)
        while len(self._newest) > KNOWN_ROOMS:
            room, newest = self._newest.popitem(last=False)
            self._floor = max(self._floor, newest)

    async def wait(self, after: int, rooms: Sequence[str]) -> None:
        """See `MessageLog.wait`."""
        keys = rooms or (ANY,)
        if self._released:
            raise _stopping()
        if any(self._newest.get(key, self._floor) > after for key in keys):
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        for key in keys:
            self._waiting.setdefault(key, set()).add(waiter)
        try:
            await waiter
        finally:
            for key in set(keys):
                self._waiting[key].discard(waiter)
                if not self._waiting[key]:
                    del self._waiting[key]

    def release(self) -> None:
        """See `MessageLog.release`."""
        self._released = True
        for waiter in {waiter for waiters in self._waiting.values() for waiter in waiters}:
            if not waiter.done():
                waiter.set_exception(_stopping())


def _stopping() -> Stopping:
    return Stopping("the server is stopping: reconnect and go on from the last cursor")
