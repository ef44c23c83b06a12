#!/usr/bin/env python3
"""COLUMNS is 0 in some containers, or empty: stats printed nothing, and a piped history was folded."""

from harness import check, main


def case(chatctl):
    chatctl.serve()
    chatctl.send("x" * 150 + " end")
    words = chatctl.run("stats", env={"COLUMNS": "0"}).stdout.split()
    check(len(words) > 10, f"stats prints {len(words)} words with COLUMNS=0")
    empty, unset = (chatctl.run("history", env={"COLUMNS": value}).stdout for value in ("", None))
    check(empty == unset, "a piped history is folded with an empty COLUMNS")


if __name__ == "__main__":
    main(case)
