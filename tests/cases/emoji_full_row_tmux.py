#!/usr/bin/env python3
"""tmux 3.3a takes four columns for an emoji with a skin tone: the last character of a full row was lost."""

from harness import check, main


def case(chatctl):
    chatctl.serve()
    terminal = chatctl.terminal(80, 14, "join", "a", "--user", "ann")
    terminal.until_shown("connected")
    chatctl.send("--room", "a", "--user", "bob", "x👍🏽abcdefghijklmnopqrstuvwxyzabcdefghijklm next")
    terminal.until_shown("next")
    shown = "".join(row.strip() for row in terminal.until_settled())
    check("yzabcdefghijklm" in shown, "the last character of the row is not on the screen")
    check(terminal.row_of("yzabcdefghijklm") is not None, "the word is broken at its end, not at the emoji")


if __name__ == "__main__":
    main(case)
