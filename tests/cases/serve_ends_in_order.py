#!/usr/bin/env python3
"""serve died without an order when its terminal was closed (SIGHUP), and took no SIGTERM that its parent had blocked."""

import signal

from harness import check, main


def case(chatctl):
    server = chatctl.serve()
    chatctl.send("one")
    server.end(signal.SIGHUP)
    check(server.process.returncode == 0, f"SIGHUP: exit code {server.process.returncode}")
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        server = chatctl.serve()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    server.end()
    check(server.process.returncode == 0, f"a SIGTERM that was blocked: exit code {server.process.returncode}")


if __name__ == "__main__":
    main(case)
