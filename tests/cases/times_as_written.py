#!/usr/bin/env python3
"""--since took no times as people write them, and journalctl takes them."""

from harness import check, main

TIMES = ("today", "yesterday", "00:00", "1w", "2026-01-01 14:00", "2026-01-01")


def case(chatctl):
    chatctl.serve()
    chatctl.send("one")
    refused = [time for time in TIMES if chatctl.run("history", "--since", time).returncode]
    check(not refused, f"--since refuses {', '.join(refused)}")
    check(chatctl.texts("--since", "yesterday") == ["one"], "--since yesterday finds nothing")


if __name__ == "__main__":
    main(case)
