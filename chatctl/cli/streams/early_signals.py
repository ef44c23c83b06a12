"""What signals do from the first instant of a command, until `signals.SignalHandler` or a server handles them."""

import os
import signal

from chatctl.cli.exit_codes import SIGNAL_OFFSET

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def prepare() -> None:
    """Let SIGINT, SIGTERM and SIGHUP end the process, without a traceback, also as the first process of a container.

    The kernel gives that process only signals that it handles. Undoes what a parent may have set: blocked signals, and an
    ignored SIGCHLD, with which a command of `--exec` has no exit code. Leaves signals ignored, as nohup and shells want.
    """
    for number in STOP_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


def _end(number: int, _: object) -> None:
    os._exit(SIGNAL_OFFSET + number)
