"""The errors and hints that several modules of the client share."""

from chatctl.errors import IncompatibleServer, TimedOut

NO_SERVER_HINT = "start one with `chatctl serve`, or name another with --server"
TRY_AGAIN_HINT = "try again"


def timeout_error(server: str, seconds: float) -> TimedOut:
    """Return the error for a server that has not responded for `seconds`."""
    return TimedOut(
        f"no response from {server} for {seconds:g} s",
        "check that a chatctl server is listening there, or wait longer with --timeout",
    )


def outdated_server_error(server: str, feature: str, version: str = "") -> IncompatibleServer:
    """Return the error for a server that is too old for what this client needs."""
    name = f"chatctl {version}" if version else "an older chatctl"
    return IncompatibleServer(f"{server} runs {name}, which does not support {feature}", "upgrade the server")
