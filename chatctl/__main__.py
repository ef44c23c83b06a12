"""`chatctl` and `python -m chatctl`."""

import sys

from chatctl import __version__


def main() -> None:
    """Run the command line. `--version` alone is answered before anything slow is imported."""
    if sys.argv[1:] == ["--version"]:
        print(f"chatctl {__version__}")
        return
    from chatctl.cli.streams import process

    process.open_closed_descriptors()
    from chatctl.cli.app import run

    process.exit_now(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
