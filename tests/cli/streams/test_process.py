"""What a process inherits: limits."""

import pytest

from tests.support.cli import CHATCTL, run


def limited(ulimit, *args, server):
    """Run a command with a limit of open files."""
    return run(*args, server=server, command=("sh", "-c", f'ulimit {ulimit}; exec "$@"', "sh", *CHATCTL))


@pytest.mark.parametrize("files", [8, 10, 12, 14, 40])
def test_a_low_soft_limit_of_open_files_is_raised(files, address):
    """gRPC crashed with less than 16."""
    assert limited(f"-S -n {files}", "send", "-q", "hello", server=address) == (0, "", "")


@pytest.mark.parametrize("command", ["send", "history", "stats", "verify", "join", "serve"])
def test_a_low_hard_limit_of_open_files_is_named(command, address):
    done = limited("-n 12", command, *(["-"] if command == "verify" else []), server=address)
    sentence = "chatctl: cannot read or write: only 12 files may be open: raise the limit to 67, as with `ulimit -n`\n"
    assert (done.code, done.out, done.err) == (1, "", sentence)
