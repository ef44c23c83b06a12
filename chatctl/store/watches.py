"""Who is told of what: a commit calls those who watch the rooms it has written to, and nobody else."""

from collections.abc import Callable, Sequence, Set

ANY = ""  # stands for every room; no room is called that


class Watches:
    """The callbacks for each room. Belongs to the event loop it is used in."""

    def __init__(self) -> None:
        self._calls: dict[str, dict[object, Callable[[], None]]] = {}

    def watch(self, rooms: Sequence[str], moved: Callable[[], None]) -> Callable[[], None]:
        """See `MessageLog.watch`."""
        key = object()
        keys = set(rooms) or {ANY}
        for room in keys:
            self._calls.setdefault(room, {})[key] = moved

        def unwatch() -> None:
            for room in keys:
                self._calls[room].pop(key)
                if not self._calls[room]:
                    del self._calls[room]

        return unwatch

    def moved(self, rooms: Set[str]) -> None:
        """There are new messages in these rooms."""
        for call in {key: call for room in (*rooms, ANY) for key, call in self._calls.get(room, {}).items()}.values():
            call()
