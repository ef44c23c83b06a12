#!/usr/bin/env python3
"""`xargs -n1 chatctl send --` with a line that is only a dash: send read its empty stdin instead, and ended with 0."""

from harness import check, main


def case(chatctl):
    chatctl.serve()
    codes = [chatctl.run("send", "-q", "--", text).returncode for text in ("a", "-", "b")]
    stored = chatctl.texts()
    check(stored == ["a", "-", "b"] or any(codes), f"exit codes {codes}, stored {stored}")


if __name__ == "__main__":
    main(case)
