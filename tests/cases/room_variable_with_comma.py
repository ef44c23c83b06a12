#!/usr/bin/env python3
"""CHATCTL_ROOM=ops,ci was one room for send, and two rooms for history."""

import os

from harness import check, main


def case(chatctl):
    chatctl.serve()
    os.environ["CHATCTL_ROOM"] = "ops,ci"
    done = chatctl.run("send", "hello")
    check(done.returncode == 2 or chatctl.texts() == ["hello"], "history does not find what send has stored")


if __name__ == "__main__":
    main(case)
