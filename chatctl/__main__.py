"""`chatctl` and `python -m chatctl`."""

import os
import sys
from contextlib import suppress


def main() -> None:
    """Run the command line; `--version` alone is answered before anything heavy is imported."""
    if sys.argv[1:] == ["--version"]:
        from chatctl.version import full_version

        print(f"chatctl {full_version()}")
        return
    _open_closed_descriptors()
    from chatctl.cli.app import run

    code = run(sys.argv[1:])
    with suppress(OSError):
        sys.stderr.flush()
    # All is closed and written. Taking the interpreter apart would cost as much again as a quarter of `chatctl stats`.
    os._exit(code)


def _open_closed_descriptors() -> None:
    """Put /dev/null where stdin, stdout or stderr were closed; a socket would otherwise take their number and their data."""
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_RDWR), descriptor)
            setattr(sys, name, os.fdopen(descriptor, mode, closefd=False))


if __name__ == "__main__":
    main()
