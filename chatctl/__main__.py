"""`chatctl` and `python -m chatctl`."""

import os
import sys


def main() -> None:
    """Run the command line. `--version` alone is answered before anything slow is imported."""
    try:
        if sys.argv[1:] == ["--version"] and _print_version():
            return
        from chatctl.cli.streams import early_signals

        early_signals.prepare()
    except KeyboardInterrupt:
        os._exit(130)
    from chatctl.cli.streams import process

    process.open_closed_descriptors()
    from chatctl.cli.app import run

    process.exit_now(run(sys.argv[1:]))


def _print_version() -> bool:
    """Print the version. Returns False if stdout cannot be written; then the command line does the same and says why."""
    from chatctl.version import full_version

    try:
        os.write(1, f"chatctl {full_version()}\n".encode())  # print would keep what cannot be written, and fail again later
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
