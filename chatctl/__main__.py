"""`chatctl` and `python -m chatctl`."""

import sys


def main() -> None:
    """Run the command line. `--version` alone is answered before anything slow is imported."""
    if sys.argv[1:] == ["--version"]:
        from chatctl.version import full_version

        print(f"chatctl {full_version()}")
        return
    from chatctl.cli.streams import process

    process.open_closed_descriptors()
    from chatctl.cli.app import run

    process.exit_now(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
