"""The cursor file: always whole, and used by one process at a time."""

import json
import os
import stat
import subprocess
import sys
import tempfile
from contextlib import closing

import pytest
import typer

from chatctl.cli.history.cursor_file import CursorFile
from chatctl.errors import CursorWriteError
from tests.support.cli import run
from tests.support.small_disk import unshare_command
from tests.support.waiting import TIMEOUT_SECONDS


@pytest.fixture
def place(tmp_path):
    """Return a path in an empty directory."""
    (tmp_path / "reader").mkdir()
    return tmp_path / "reader" / "cursor"


def refused(path):
    """Return the error for a path."""
    with pytest.raises(typer.BadParameter) as refusal:
        CursorFile(str(path))
    assert refusal.value.param_hint == "'--cursor-file'"
    assert str(path) in refusal.value.message
    return refusal.value.message


def script(source, *args, command=()):
    """Return the JSON value that a Python program prints."""
    done = run(*map(str, args), command=[*command, sys.executable, "-c", source])
    assert done.code == 0, done.err
    return json.loads(done.out)


# --- content


def test_the_first_save_creates_it_and_the_next_reader_reads_it(place):
    with closing(CursorFile(str(place))) as file:
        assert file.cursor == ""
        assert not place.exists()
        for number in (1, 20, 3):
            file.save(f"7fd34f7298a3:{number}")
            assert place.read_text() == f"7fd34f7298a3:{number}\n"
    assert os.listdir(place.parent) == ["cursor"]
    with closing(CursorFile(str(place))) as file:
        assert file.cursor == "7fd34f7298a3:3"


def test_without_a_save_no_file_remains(place):
    CursorFile(str(place)).close()
    assert os.listdir(place.parent) == []


@pytest.mark.parametrize("content", ["log:5", "log:5\n", "7fd34f7298a3:9223372036854775807\n"])
def test_the_newline_may_be_missing(place, content):
    place.write_text(content)
    with closing(CursorFile(str(place))) as file:
        assert file.cursor == content.rstrip("\n")


def test_an_unchanged_cursor_writes_nothing(place):
    place.write_text("log:5")
    with closing(CursorFile(str(place))) as file:
        before = place.stat()
        file.save("log:5")
        assert os.path.samestat(before, place.stat())
        assert place.read_text() == "log:5"
        file.save("log:6")
        file.save("log:5")
        assert place.read_text() == "log:5\n"


def test_a_save_replaces_the_file_so_an_open_one_keeps_a_whole_cursor(place):
    place.write_text("log:5\n")
    with closing(CursorFile(str(place))) as file, open(place) as reader:
        file.save("log:123456")
        assert reader.read() == "log:5\n"


def test_it_keeps_its_mode(place):
    place.write_text("log:5\n")
    place.chmod(0o604)
    with closing(CursorFile(str(place))) as file:
        file.save("log:6")
        file.save("log:7")
    assert stat.S_IMODE(place.stat().st_mode) == 0o604


@pytest.mark.parametrize("target", ["there", "not there"])
def test_a_link_stays_and_its_target_is_replaced(place, tmp_path, target):
    real = tmp_path / "elsewhere" / "real"
    real.parent.mkdir()
    if target == "there":
        real.write_text("log:5\n")
    place.symlink_to("../elsewhere/real")
    with closing(CursorFile(str(place))) as file:
        assert file.cursor == ("log:5" if target == "there" else "")
        file.save("log:6")
        assert "using" in refused(real)
    assert place.is_symlink()
    assert real.read_text() == "log:6\n"
    assert os.listdir(real.parent) == ["real"]


# --- refused files


@pytest.mark.parametrize(
    "content",
    ["\n", "log", "log:", ":5", "log:5\n\n", "log:5\nlog:6\n", "log: 5", " log:5", "log:5\r\n", "log:-5", "log:٥",
     "lög:5", "log:5\0", "log:12345678901234567890", "a\nb:5", "x" * 2000 + ":5", '{"cursor":"log:5"}'],
)  # fmt: skip
def test_a_file_without_a_cursor_is_refused_and_unchanged(place, content):
    place.write_bytes(content.encode())
    assert "delete it to start over" in refused(place)
    assert place.read_bytes() == content.encode()
    assert os.listdir(place.parent) == ["cursor"]


def test_an_empty_file_is_refused_and_the_error_says_how_to_continue(place):
    place.touch()
    assert "is empty: write the cursor of a message into it (--json shows it), or delete it to start over" in refused(place)


def test_a_directory_is_refused(place):
    assert "directory" in refused(place.parent)
    assert os.listdir(place.parent) == []
    assert "use the path of a file" in refused("")


def test_stdin_is_refused():
    assert "use the path of a file" in refused("-")


def test_a_path_that_is_not_a_regular_file_is_refused(place):
    os.mkfifo(place)
    assert "not a regular file" in refused(place)
    assert "not a regular file" in refused("/dev/null")
    assert os.listdir(place.parent) == ["cursor"]


@pytest.mark.parametrize(
    ("path", "words"),
    [("{}/no/where", "No such file"), ("{}/file/under", "Not a directory"), ("{}/" + "x" * 300, "too long"),
     ("{}/loop", "symbolic links"), ("/proc/cursor", "cannot write"), ("/proc/version", "cannot write")],
)  # fmt: skip
def test_a_path_that_cannot_be_written_is_refused(tmp_path, path, words):
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    assert words in refused(path.format(tmp_path))
    assert sorted(os.listdir(tmp_path)) == ["file", "loop"]


def test_a_file_without_write_permission_is_refused():
    """This holds although the reader may replace it. Root must become another user for this test."""
    source = """
import json, os, sys, typer
from chatctl.cli.history.cursor_file import CursorFile
if os.geteuid() == 0:
    os.setuid(65534)
try:
    CursorFile(sys.argv[1])
except typer.BadParameter as refusal:
    print(json.dumps([refusal.message, os.listdir(os.path.dirname(sys.argv[1]))]))
"""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o777)
        path = os.path.join(directory, "cursor")
        with open(path, "w") as file:
            file.write("log:5\n")
        os.chmod(path, 0o444)
        assert script(source, path) == [f"cannot read or write {path}: Permission denied", ["cursor"]]


# --- one process at a time


def test_two_processes_cannot_use_it(place):
    with closing(CursorFile(str(place))) as file:
        assert "another chatctl is using" in refused(place)
        file.save("log:1")
        assert "another chatctl is using" in refused(place)
        file.save("log:2")
        assert "another chatctl is using" in refused(place)
        place.unlink()  # the user wants to start over
        assert "another chatctl is using" in refused(place)
        file.save("log:3")
        assert place.read_text() == "log:3\n"
    CursorFile(str(place)).close()
    assert os.listdir(place.parent) == ["cursor"]


def test_one_of_many_processes_at_once_can_use_it(place):
    """Each process that uses it creates a file, which must not exist yet."""
    source = """
import json, os, sys, typer
from chatctl.cli.history.cursor_file import CursorFile
path, me = sys.argv[1:]
sign, had = path + ".sign", 0
while had < 100:
    try:
        file = CursorFile(path)
    except typer.BadParameter as refusal:
        assert "using" in refusal.message, refusal.message
        continue
    os.close(os.open(sign, os.O_CREAT | os.O_EXCL))
    had += 1
    file.save(f"{me}:{had}")
    os.unlink(sign)
    file.close()
print(json.dumps(had))
"""
    command = [sys.executable, "-c", source, str(place)]
    many = [subprocess.Popen([*command, name], stdout=subprocess.PIPE) for name in "abcd"]
    try:
        assert [process.communicate(timeout=TIMEOUT_SECONDS)[0] for process in many] == [b"100\n"] * 4
    finally:
        for process in many:
            process.kill()
    assert os.listdir(place.parent) == ["cursor"]


def test_a_command_that_it_starts_does_not_hold_it(place):
    with closing(CursorFile(str(place))) as file:
        file.save("log:1")
        child = subprocess.Popen(["sleep", "1000"], close_fds=False)
    CursorFile(str(place)).close()
    assert child.poll() is None
    child.kill()
    child.wait()


# --- failures


KILLED = """
import json, os, signal, sys
from chatctl.cli.history import cursor_file
from chatctl.cli.streams import files

def reader(path, last):
    "Killed before it does its line number `last`."
    lines = 0
    def trace(frame, event, _):
        nonlocal lines
        if frame.f_code.co_filename not in (cursor_file.__file__, files.__file__):
            return None
        lines += event == "line"
        if lines == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace
    sys.settrace(trace)
    file = cursor_file.CursorFile(path)
    file.save("log:12")
    file.save("log:345")
    file.close()
    os._exit(0)

path, first = sys.argv[1], sys.argv[2]
found, code, last = [], 9, 0
while code:
    last += 1
    if first:
        with open(path, "w") as file:
            file.write(first)
    elif os.path.exists(path):
        os.unlink(path)
    if not (child := os.fork()):
        reader(path, last)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    found.append([code, open(path).read() if os.path.exists(path) else ""])
print(json.dumps([found, os.listdir(os.path.dirname(path))]))
"""


@pytest.mark.parametrize("first", ["", "log:0"])
def test_killed_at_any_step_it_leaves_the_old_cursor_or_the_new(place, first):
    """Each process finds what the previous one left."""
    found, left = script(KILLED, place, first)
    *killed, ended = found
    assert ended == [0, "log:345\n"]
    assert {code for code, _ in killed} == {-9}
    contents = [content for _, content in killed]
    order = [first, "log:12\n", "log:345\n"]
    assert contents == sorted(contents, key=order.index)
    assert set(contents) == set(order)
    assert left == ["cursor"]


def test_a_partly_written_file_of_a_killed_process_is_removed(place):
    place.write_text("log:5\n")
    place.with_name("cursor.chatctl-part").write_text("log:6")
    place.with_name("cursor.chatctl-lock").touch()
    with closing(CursorFile(str(place))) as file:
        assert file.cursor == "log:5"
        file.save("log:7")
    assert place.read_text() == "log:7\n"
    assert os.listdir(place.parent) == ["cursor"]


@pytest.mark.parametrize(("fill", "words"), [("df", "No space left on device"), ("ulimit", "File too large")])
def test_a_failed_save_raises_and_leaves_the_old_cursor(place, fill, words):
    """Only the program sees this disk."""
    source = """
import json, os, resource, sys
from chatctl.cli.history.cursor_file import CursorFile
from chatctl.errors import CursorWriteError
path, fill = sys.argv[1:]
file = CursorFile(path)
file.save("log:1")
filler = os.path.dirname(path) + "/filler"
def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
if fill == "ulimit":
    limit(3)
else:
    with open(filler, "wb", buffering=0) as file_:
        try:
            while file_.write(bytes(4096)):
                pass
        except OSError:
            pass
said = []
try:
    file.save("log:2")
except CursorWriteError as error:
    said = [str(error), file.cursor, open(path).read(), os.path.exists(path + ".chatctl-part")]
limit(resource.RLIM_INFINITY)
if fill == "df":
    os.unlink(filler)
file.save("log:3")
file.close()
print(json.dumps([*said, open(path).read(), os.listdir(os.path.dirname(path))]))
"""
    mount = f'mount -t tmpfs -o size=256k none {place.parent} && exec "$@"'
    said = script(source, place, fill, command=unshare_command(mount))
    told = f"cannot write {place}: {words}: to continue without repeated messages, write log:2 to it"
    assert said == [told, "log:1", "log:1\n", False, "log:3\n", ["cursor"]]


def test_a_removed_directory_raises(place):
    with closing(CursorFile(str(place))) as file:
        file.save("log:1")
        for name in os.listdir(place.parent):
            (place.parent / name).unlink()
        place.parent.rmdir()
        with pytest.raises(CursorWriteError, match="No such file"):
            file.save("log:2")
