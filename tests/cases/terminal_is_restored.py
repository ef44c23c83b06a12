#!/usr/bin/env python3
"""Ctrl-\\ in `chatctl stats --watch` left the alternate screen, and a shell that showed nothing of what was typed."""

import os
import select
import signal
import termios

from harness import SECONDS, check, main, until


def case(chatctl):
    chatctl.serve()
    master, slave = os.openpty()
    before = termios.tcgetattr(slave)
    os.environ["TERM"] = "xterm"
    process = chatctl.start("stats", "--watch", stdin=slave, stdout=slave, stderr=slave)
    shown = bytearray()

    def shows(text):
        while select.select((master,), (), (), 0.02)[0]:
            shown.extend(os.read(master, 1 << 16))
        return text in shown

    until(lambda: shows(b"\x1b[?1049h") and shows(b"now"), "the dashboard")
    process.send_signal(signal.SIGQUIT)
    process.wait(SECONDS)
    check(shows(b"\x1b[?1049l"), "the alternate screen is still shown")
    check(termios.tcgetattr(slave) == before, "the terminal does not echo")


if __name__ == "__main__":
    main(case)
