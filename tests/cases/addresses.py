#!/usr/bin/env python3
"""Some addresses are schemes of gRPC: serve listened on another address than the one it named."""

from harness import check, main


def case(chatctl):
    for address in ("unix-abstract:50051", "dns:50051", "ipv4:50051", "xds:1"):
        store = chatctl.folder / address.replace(":", "-") / "chat.db"
        done = chatctl.run("history", "--last", "1", "--timeout", "1s", "--server", address)
        check(done.returncode == 2, f"--server {address}: exit code {done.returncode}")
        server = chatctl.try_serve("--insecure", "--listen", address, store=store)
        check(server.process.poll() == 2, f"serve --listen {address} starts, or ends with another exit code than 2")


if __name__ == "__main__":
    main(case)
