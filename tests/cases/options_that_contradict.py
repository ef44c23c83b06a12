#!/usr/bin/env python3
"""Options that contradict each other, or have no effect, were ignored without a word."""

from harness import check, main

COMMANDS = (
    ["history", "--limit", "1", "--count", "1"],
    ["history", "--json", "--output", "text"],
    ["history", "--since", "1h", "--until", "2h"],
    ["history", "--exec-retries", "2"],
    ["serve", "--listen", "127.0.0.1:65536"],
)


def case(chatctl):
    chatctl.serve()
    ignored = [" ".join(args) for args in COMMANDS if chatctl.run(*args).returncode != 2]
    check(not ignored, f"not refused: {'; '.join(ignored)}")
    chatctl.send("one red fox")
    chatctl.send("one blue fox")
    found = chatctl.texts("--grep", "one", "--grep", "red")
    check(found == ["one red fox"], f"two --grep: {found}")


if __name__ == "__main__":
    main(case)
