#!/usr/bin/env python3
"""A link that another user has planted beside an output or cursor file was followed, and its target emptied."""

from harness import check, main


def case(chatctl):
    chatctl.serve()
    chatctl.send("one")
    precious = chatctl.folder / "precious"
    folder = chatctl.folder / "shared"
    folder.mkdir()
    cursor = ["history", "--cursor-file", "shared/cursor"]
    receipts = ["send", "-q", "--receipts", "shared/receipts", "two"]
    for args, link in ((cursor, "cursor.chatctl-lock"), (receipts, "receipts.part")):
        precious.write_text("precious\n")
        (folder / link).symlink_to(precious)
        done = chatctl.run(*args)
        check(
            precious.read_text() == "precious\n", f"chatctl {' '.join(args)} (exit code {done.returncode}) followed {link}"
        )


if __name__ == "__main__":
    main(case)
