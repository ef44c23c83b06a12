"""SlowStart: how much a client keeps in flight after a stream broke."""


class SlowStart:
    """The size of a window: its maximum at first, little after a break, and twice as much with each answer.

    Some proxies limit the bytes of a call, nginx by default to 1 MiB. What was in flight at the break has no answer. It is
    sent again in vain if it is more than the limit. So a break without any answer halves what the next stream starts with.
    """

    def __init__(self, start: int, maximum: int) -> None:
        self._max_start, self._maximum = start, maximum
        self._start = 2 * start  # the first break halves it
        self._answered = True
        self.size = maximum
        """What may be in flight now."""

    @property
    def probing(self) -> bool:
        """Whether there was a break, and no answer since."""
        return not self._answered

    def add_answer(self) -> None:
        """Record an answer: the window grows."""
        self._answered = True
        if self.size < self._maximum:
            self.size = min(2 * self.size, self._maximum)

    def restart(self, unanswered: bool) -> None:
        """Start again after a break. `unanswered`: something was in flight."""
        if self._answered:
            self._start = min(2 * self._start, self._max_start)
        elif unanswered:
            self._start = max(self._start // 2, 1)
        self._answered = False
        self.size = self._start
