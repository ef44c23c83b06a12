#!/usr/bin/env python3
"""`chatctl join` ended with a traceback in a terminal of two columns."""

from harness import main, until


def case(chatctl):
    chatctl.serve()
    terminal = chatctl.terminal(2, 10, "join", "a", "--user", "ann")
    terminal.until_settled()
    chatctl.send("--room", "a", "--user", "bob", "a text")
    terminal.until_settled()
    terminal.resize(80, 14)
    until(lambda: terminal.row_of("a text") is not None, "the text: join has ended, or shows nothing")


if __name__ == "__main__":
    main(case)
