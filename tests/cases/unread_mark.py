#!/usr/bin/env python3
"""The mark of new messages stood above old messages, in a room that was not looked at before."""

from harness import check, main


def case(chatctl):
    chatctl.serve()
    for number in range(3):
        chatctl.send("--room", "b", "--user", "old", f"stored long before {number}")
    terminal = chatctl.terminal(80, 20, "join", "a", "b", "--user", "ann")
    terminal.until_shown("connected")
    terminal.until_settled()
    chatctl.send("--room", "b", "--user", "bob", "the first unread one")
    terminal.until_settled()
    terminal.press("C-n")
    terminal.until_shown("the first unread one")
    terminal.until_settled()
    mark, old = terminal.row_of("new messages"), terminal.row_of("stored long before 2")
    check(None not in (mark, old) and mark > old, f"the mark is in row {mark}, what was stored long before in row {old}")


if __name__ == "__main__":
    main(case)
