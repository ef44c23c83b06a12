#!/usr/bin/env python3
"""http_proxy is set: each name but localhost went through the web proxy, unencrypted, and the error blamed the server."""

import os
import socket

from harness import check, main


def case(chatctl):
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        os.environ["http_proxy"] = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        chatctl.run("send", "-q", "--timeout", "1s", "--server", "chat.invalid:50051", "secret")
        proxy.settimeout(0.1)
        try:
            proxy.accept()[0].close()
        except TimeoutError:
            return
    check(False, "a client without encryption connects to the web proxy")


if __name__ == "__main__":
    main(case)
