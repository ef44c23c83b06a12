#!/usr/bin/env python3
"""A typed or pasted byte that is not UTF-8 ended `chatctl join` with a traceback."""

from harness import main, until


def case(chatctl):
    chatctl.serve()
    terminal = chatctl.terminal(80, 14, "join", "a", "--user", "ann")
    terminal.until_shown("connected")
    terminal.type_bytes(b"\xe4")
    terminal.type("hnlich")
    terminal.press("Enter")
    until(lambda: chatctl.texts("--room", "a") == ["\ufffdhnlich"], "the text with U+FFFD for the byte")
    terminal.until_shown("connected")


if __name__ == "__main__":
    main(case)
