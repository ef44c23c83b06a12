"""Becomes the command of a plan, in a process that was just forked."""

import faulthandler
import fcntl
import os
import resource
import signal
import sys
import termios
import time

TRACE_SIGNAL = signal.SIGRTMIN + 5  # writes where each thread is to TRACE_DESCRIPTOR
TRACE_DESCRIPTOR = 300
NEW_STATE_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ)  # Python ignores them; a process that it starts must not inherit that
CHATCTL = os.path.join(os.path.dirname(sys.executable), "chatctl")


def become(plan, arguments, environment, streams, folder):
    """Set up this process, whose signals are blocked. Does not return with an interpreter of its own."""
    os.setsid()
    os.dup2(os.open(f"{folder}/trace", os.O_WRONLY | os.O_CREAT), TRACE_DESCRIPTOR)
    os.chdir(f"{folder}/work")
    if plan.directory == "gone":
        os.rmdir(f"{folder}/work")
    elif plan.directory == "read-only":
        os.chdir("/proc/self")
    os.umask(plan.umask)
    if streams.terminal and streams.terminal[1] in streams.process:
        fcntl.ioctl(streams.terminal[1], termios.TIOCSCTTY, 0)
    _ignore_signals(plan)
    _place(streams.process)
    for name, value in {"CORE": 0, **plan.limits}.items():
        number = getattr(resource, f"RLIMIT_{name.removeprefix('hard ')}")
        resource.setrlimit(number, (value, value if name.startswith("hard") else resource.getrlimit(number)[1]))
    if plan.own_interpreter:
        os.close(TRACE_DESCRIPTOR)
        _unblock_signals(plan)
        os.execve(CHATCTL, [os.fsencode(word) for word in [CHATCTL, *arguments]],
                  {os.fsencode(name): os.fsencode(value) for name, value in environment.items()})  # fmt: skip
    faulthandler.register(TRACE_SIGNAL, TRACE_DESCRIPTOR)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.argv[:] = ["chatctl", *arguments]
    _open_files(streams.process)
    try:
        _unblock_signals(plan)
    except KeyboardInterrupt:  # an interpreter of its own would have ended, too
        os._exit(130)


def _ignore_signals(plan):
    if plan.own_interpreter:
        for number in (signal.SIGINT, *NEW_STATE_SIGNALS):
            signal.signal(number, signal.SIG_DFL)
    for name in plan.ignored:
        signal.signal(getattr(signal, name), signal.SIG_IGN)


def _unblock_signals(plan):
    signal.pthread_sigmask(signal.SIG_SETMASK, [getattr(signal, name) for name in plan.blocked])


def _place(descriptors):
    """Put descriptors in the place of stdin, stdout and stderr, and close all others."""
    moved = [None if descriptor is None else fcntl.fcntl(descriptor, fcntl.F_DUPFD, 10) for descriptor in descriptors]
    for target, descriptor in enumerate(moved):
        if descriptor is None:
            os.close(target)
        else:
            os.dup2(descriptor, target)
    os.closerange(3, 256)


def _open_files(descriptors):
    """Make the files of Python, as an interpreter does when it starts."""
    for target, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        file = None
        if descriptors[target] is not None:
            errors = "backslashreplace" if name == "stderr" else "surrogateescape" if name == "stdin" else "strict"
            file = os.fdopen(target, mode, encoding="utf-8", errors=errors, closefd=False)
        setattr(sys, name, file)
        setattr(sys, f"__{name}__", file)
