"""Processes that lost their parent. The first process of a container gets them as its children, and has to wait for them."""

import os
from contextlib import suppress

own_children: set[int] = set()
"""The process ids of the children that this process waits for by itself. Call `reap` after one is removed."""


def are_adopted() -> bool:
    """Return whether this is the process that orphans get as their parent."""
    return os.getpid() == 1


def reap() -> None:
    """Wait for all ended children but our own, so that they do not stay as zombies. Never blocks."""
    with suppress(ChildProcessError):  # there are none
        while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) and ended.si_pid not in own_children:
            os.waitid(os.P_PID, ended.si_pid, os.WEXITED | os.WNOHANG)
