#!/usr/bin/env python3
"""join began without a server: its notice of that stood above messages which were stored long before."""

import os

from harness import check, main, until


def case(chatctl):
    server = chatctl.serve()
    for number in range(3):
        chatctl.send("--room", "b", "--user", "old", f"stored long before {number}")
    address = os.environ["CHATCTL_SERVER"]
    server.end()
    terminal = chatctl.terminal(80, 24, "join", "b", "--user", "ann")

    def notice():
        rows = terminal.rows
        return next((row for row in range(len(rows)) if address in rows[row] and "·" not in rows[row]), None)

    until(lambda: notice() is not None, "the notice that the server is away")
    chatctl.serve(listen=address)
    terminal.until_shown("stored long before 2")
    terminal.until_settled()
    said, stored = notice(), terminal.row_of("stored long before 2")
    check(said is not None and said > stored, f"the notice is in row {said}, what was stored long before in row {stored}")


if __name__ == "__main__":
    main(case)
