#!/usr/bin/env python3
"""A typed or pasted byte that is not UTF-8 ended `chatctl join` with a traceback."""

from harness import check, main


def case(chatctl):
    chatctl.serve()
    terminal = chatctl.terminal(80, 14, "join", "a", "--user", "ann")
    terminal.until_shown("connected")
    terminal.type_bytes(b"\xe4")
    terminal.type("hnlich")
    terminal.press("Enter")
    shown = terminal.until_settled()
    check(any("hnlich" in row for row in shown) and any("connected" in row for row in shown), "join has ended")
    check(chatctl.texts("--room", "a") == ["\ufffdhnlich"], "the text is not stored with U+FFFD for the byte")


if __name__ == "__main__":
    main(case)
