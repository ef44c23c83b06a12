#!/usr/bin/env python3
"""Tab completed `/join my` to a room with a space in its name, without quotes: that joined two other rooms."""

import json

from harness import check, main, until


def case(chatctl):
    chatctl.serve()
    chatctl.send("--room", "my room", "--user", "bob", "hi")
    terminal = chatctl.terminal(80, 20, "join", "a", "--user", "ann")
    terminal.until_shown("connected")
    terminal.until_settled()
    terminal.type("/join my")
    terminal.until_shown("/join my")
    terminal.press("Tab")
    terminal.until_shown("my room")
    terminal.press("Enter")

    def rooms():
        return sorted(present["room"] for present in json.loads(chatctl.run("stats", "--json").stdout)["present"])

    until(lambda: len(rooms()) > 1, "another room")
    found = rooms()
    check(found == ["a", "my room"], f"ann is in {found}")


if __name__ == "__main__":
    main(case)
