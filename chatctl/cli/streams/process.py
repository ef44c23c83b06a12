"""Prepares the process before a command runs: descriptors, environment, encodings. `signals` has the signals."""

import errno
import io
import os
import resource
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from typing import NoReturn

from chatctl.cli.terminal import styling

DESCRIPTORS = 64  # that a command may use: gRPC crashes if it cannot open some 16


closed_descriptors: set[int] = set()
"""Which of stdin, stdout and stderr the parent had closed."""


def open_closed_descriptors() -> None:
    """Open /dev/null where stdin, stdout or stderr is closed. Otherwise a socket would get its number and its data."""
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            closed_descriptors.add(descriptor)
            os.dup2(os.open(os.devnull, os.O_RDWR), descriptor)
            os.set_inheritable(descriptor, True)  # dup2 does not do that if it was opened with this number
            setattr(sys, name, os.fdopen(descriptor, mode, closefd=False))


def require_descriptors() -> None:
    """Raise the limit of open files if few more may be opened. Raises OSError if it cannot be raised enough."""
    limit, maximum = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return
    lowest = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest)
    needed = lowest + DESCRIPTORS
    if limit >= needed:
        return
    if maximum != resource.RLIM_INFINITY and maximum < needed:
        raise OSError(errno.EMFILE, f"only {limit} files may be open: raise the limit to {needed}, as with `ulimit -n`")
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, maximum))


def prepare(environment: MutableMapping[str, str], as_json: bool, no_color: bool) -> None:
    """Set up the environment and the encoding of stdout and stderr."""
    styling.prepare(environment, no_color)
    # gRPC reports errors as statuses; its log lines on stderr are for its developers.
    environment.setdefault("GRPC_VERBOSITY", "NONE")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # JSON is UTF-8; other output escapes what the locale lacks
            stream.reconfigure(encoding="utf-8" if as_json else None, errors="backslashreplace")


def exit_now(code: int) -> NoReturn:
    """End the process without the interpreter's shutdown, which takes a quarter of the time of `chatctl stats`."""
    with suppress(OSError):
        sys.stderr.flush()
    os._exit(code)
