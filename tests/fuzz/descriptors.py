"""Opens the stdin, stdout and stderr of a run, and the other ends of its pipes, sockets and terminals."""

import contextlib
import fcntl
import os
import socket
import struct
import termios
from dataclasses import dataclass, field

KEPT_BYTES = 4 << 20  # of each output
PIPE_BYTES = 4096  # of a pipe that is not read


@dataclass
class Streams:
    """The descriptors for the process, and our ends. None is a closed descriptor of the process."""

    process: list[int | None] = field(default_factory=list)
    inputs: dict[int, bytes] = field(default_factory=dict)
    """Our ends to write to, and what is still to be written."""
    endless: dict[int, bytes] = field(default_factory=dict)
    """Our ends to which the same is written again and again."""
    left_open: set[int] = field(default_factory=set)
    """Our ends that stay open when all is written."""
    outputs: dict[int, str] = field(default_factory=dict)
    """Our ends to read from, with the name of the stream."""
    files: dict[str, str] = field(default_factory=dict)
    """The path of an output that is a file, by the name of the stream."""
    read: dict[str, bytearray] = field(default_factory=dict)
    held: list[int] = field(default_factory=list)
    """Our ends that are neither read nor written."""
    terminal: tuple[int, int] | None = None
    """The sides of the terminal: ours and that of the process."""
    breakable: int | None = None

    def close_theirs(self):
        for descriptor in {descriptor for descriptor in self.process if descriptor is not None}:
            os.close(descriptor)
        if self.terminal and self.terminal[1] not in self.process:
            os.close(self.terminal[1])

    def close_ours(self):
        """Close what is still open."""
        for descriptor in {*self.inputs, *self.endless, *self.left_open, *self.outputs, *self.held}:
            os.close(descriptor)

    def forget(self, descriptor):
        """Close one of our ends."""
        for ends in (self.inputs, self.endless, self.outputs):
            ends.pop(descriptor, None)
        self.left_open.discard(descriptor)
        os.close(descriptor)

    def output(self, name):
        """Return what was written to a stream, as far as it was kept."""
        if name in self.files:
            with open(self.files[name], "rb") as file:
                return file.read(KEPT_BYTES)
        return bytes(self.read.get(name, b""))


def open_streams(plan, data, folder):
    streams = Streams()
    if "terminal" in (plan.stdin, plan.stdout, plan.stderr):
        streams.terminal = os.openpty()
        fcntl.ioctl(streams.terminal[1], termios.TIOCSWINSZ, struct.pack("HHHH", *plan.size, 0, 0))
        os.set_blocking(streams.terminal[0], False)
        streams.outputs[streams.terminal[0]] = "terminal"
        streams.read["terminal"] = bytearray()
    streams.process.append(_open_stdin(streams, plan.stdin, data, folder))
    for name in ("stdout", "stderr"):
        kind = getattr(plan, name)
        if kind == "as stdout":
            streams.process.append(streams.process[1])
        else:
            streams.process.append(_open_output(streams, kind, name, folder))
    return streams


def _open_stdin(streams, kind, data, folder):
    match kind:
        case "null":
            return os.open(os.devnull, os.O_RDONLY)
        case "full":
            return os.open("/dev/full", os.O_RDONLY)  # zeros, without an end
        case "zeros":
            return os.open("/dev/zero", os.O_RDONLY)
        case "closed":
            return None
        case "write-only":
            return os.open(os.devnull, os.O_WRONLY)
        case "file":
            with open(f"{folder}/stdin", "wb") as file:
                file.write(data)
            return os.open(f"{folder}/stdin", os.O_RDONLY)
        case "terminal":
            ours = streams.terminal[0]
            streams.inputs[ours] = data[:2000]
            streams.left_open.add(ours)
            return streams.terminal[1]
    return _open_piped(streams, kind, data)


def _open_piped(streams, kind, data):
    theirs, ours = _pair() if kind == "socket" else os.pipe()
    os.set_blocking(ours, False)
    os.set_blocking(theirs, not kind.startswith("nonblocking"))
    if kind == "broken":  # the writer has ended
        os.close(ours)
    elif kind == "endless":
        streams.endless[ours] = data or b"again\n"
    else:
        streams.inputs[ours] = data
        if kind in ("quiet", "nonblocking"):
            streams.left_open.add(ours)
    return theirs


def _open_output(streams, kind, name, folder):
    match kind:
        case "null":
            return os.open(os.devnull, os.O_WRONLY)
        case "full":
            return os.open("/dev/full", os.O_WRONLY)
        case "closed":
            return None
        case "read-only":
            return os.open(os.devnull, os.O_RDONLY)
        case "device":
            return os.open("/dev/zero", os.O_RDWR)
        case "file":
            streams.files[name] = f"{folder}/{name}"
            return os.open(streams.files[name], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        case "terminal":
            return streams.terminal[1]
    ours, theirs = _pair() if "socket" in kind else os.pipe()
    if "stalled" in kind:
        _fill(theirs)
        streams.held.append(ours)
    elif "broken" in kind:
        os.close(ours)
    else:
        os.set_blocking(ours, False)
        streams.outputs[ours] = name
        streams.read[name] = bytearray()
        streams.breakable = ours if kind == "breaks" else streams.breakable
    os.set_blocking(theirs, "nonblocking" not in kind)
    return theirs


def _fill(descriptor):
    """Make a pipe small, and fill it."""
    fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    os.set_blocking(descriptor, False)
    with contextlib.suppress(BlockingIOError):
        while os.write(descriptor, b"-"):
            pass


def _pair():
    first, second = socket.socketpair()
    return first.detach(), second.detach()
