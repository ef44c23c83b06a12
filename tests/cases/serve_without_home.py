#!/usr/bin/env python3
"""A container with a random user id has no HOME and no line in /etc/passwd: serve ended with a traceback."""

import signal
import subprocess

from harness import Untried, check, main, require, until

UNSHARE = ["unshare", "--user", "--map-user=12345"]


def case(chatctl):
    require("unshare")
    if subprocess.run([*UNSHARE, "true"], stderr=subprocess.DEVNULL).returncode:
        raise Untried("needs user namespaces")
    log = chatctl.folder / "log"
    names = [part for name in ("HOME", "USER", "LOGNAME", "XDG_DATA_HOME") for part in ("-u", name)]
    with open(log, "w") as stderr:
        command = [*UNSHARE, "env", *names, chatctl.path, "serve", "--listen", "127.0.0.1:0"]
        server = chatctl.start_command(*command, stderr=stderr, cwd="/")
    until(lambda: server.poll() is not None or "listening on" in log.read_text(), "a server or an error")
    if server.poll() is None:
        server.send_signal(signal.SIGTERM)
        server.wait()
    check("Traceback" not in log.read_text(), "a traceback: " + log.read_text().splitlines()[-1])


if __name__ == "__main__":
    main(case)
