#!/usr/bin/env python3
"""`chatctl join` ended with a traceback in a terminal of two columns."""

from harness import check, main


def case(chatctl):
    chatctl.serve()
    terminal = chatctl.terminal(2, 10, "join", "a", "--user", "ann")
    terminal.until_settled()
    chatctl.send("--room", "a", "--user", "bob", "a text")
    terminal.until_settled()
    terminal.resize(80, 14)
    check(any("a text" in row for row in terminal.until_settled()), "join has ended, or shows nothing")


if __name__ == "__main__":
    main(case)
