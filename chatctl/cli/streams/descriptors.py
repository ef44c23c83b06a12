"""Descriptors that other processes share: reads and writes never block in the kernel, where no signal is handled.

O_NONBLOCK would hold for all processes that have the file open, so it is not set here. Others may have set it.
"""

import errno
import io
import os
import select
import stat
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from chatctl.cli.streams import ending
from chatctl.cli.streams.ending import OutputStalled

if TYPE_CHECKING:
    import socket

AUXILIARY_TERMINALS = 5  # the device number of /dev/ptmx, /dev/tty and the like: opened again, each may be another terminal
SIGNAL_SECONDS = 1.0  # a signal that arrives just before a wait is noticed only after it
FLAGS = os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


class TerminalClosed(OSError):
    """The terminal behind an output was closed."""


class _Descriptor:
    """A pipe or terminal that is opened again with O_NONBLOCK, a socket, or another file as it is."""

    def __init__(self, descriptor: int, access: int) -> None:
        status = os.fstat(descriptor)
        self.descriptor = self._own = descriptor
        self.identity = status.st_dev, status.st_ino
        self.is_file = stat.S_ISREG(status.st_mode)
        self._socket: socket.socket | None = None
        self._is_terminal = os.isatty(descriptor)
        self._may_block = False
        if stat.S_ISSOCK(status.st_mode):
            self._socket = _socket_of(descriptor)
        elif self._is_terminal and os.major(status.st_rdev) == AUXILIARY_TERMINALS:
            self._may_block = True
        elif stat.S_ISFIFO(status.st_mode) or self._is_terminal:
            try:
                self._own = os.open(f"/proc/self/fd/{descriptor}", access | FLAGS)
            except OSError:  # such as a pipe that another user has made
                self._may_block = True

    def _is_ready(self, event: int) -> bool:
        """Return whether a read or a small write does not block, unless another process is faster."""
        poll = select.poll()
        poll.register(self.descriptor, event)
        return bool(poll.poll(0))

    def close(self) -> None:
        """Close what was opened here."""
        if self._socket:
            self._socket.close()
        if self._own != self.descriptor:
            os.close(self._own)


def _socket_of(descriptor: int) -> "socket.socket":
    import socket

    return socket.socket(fileno=os.dup(descriptor))


class Input(_Descriptor):
    """A descriptor to read from."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, os.O_RDONLY)

    def read(self, size: int) -> bytes:
        """Return what can be read at once, empty at the end. Raises BlockingIOError if nothing can, and other OSErrors."""
        if self._socket:
            import socket

            return self._socket.recv(size, socket.MSG_DONTWAIT)
        if self._may_block and not self._is_ready(select.POLLIN):
            raise BlockingIOError
        return os.read(self._own, size)


class Output(_Descriptor):
    """A descriptor to write to. Waits for its reader, after a signal only for a short time."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, os.O_WRONLY)
        self.has_stalled = False
        """Whether OutputStalled was raised."""

    def write(self, data: bytes | memoryview) -> None:
        """Write everything. Raises OutputStalled, TerminalClosed or another OSError."""
        written, end = 0, len(data)
        while written < end:
            try:
                written += self._write(memoryview(data)[written:end])
            except BlockingIOError:
                self._wait()
                end = _wanted_end(data, written)
            except OSError as error:
                if self._is_terminal and error.errno == errno.EIO:
                    raise TerminalClosed(error.errno, error.strerror) from error
                raise
        if written < len(data):
            self._raise_stalled()

    def _write(self, data: memoryview) -> int:
        if self._socket:
            import socket

            return self._socket.send(data, socket.MSG_DONTWAIT)
        if not self._may_block:
            return os.write(self._own, data)
        if not self._is_ready(select.POLLOUT):
            raise BlockingIOError
        return os.write(self._own, data[: select.PIPE_BUF])

    def _wait(self) -> None:
        """Wait until something can be written, or for the first signal. Raises OutputStalled."""
        poll = select.poll()
        poll.register(self.descriptor, select.POLLOUT)
        wakeup = ending.wakeup()
        if not ending.has_begun():
            poll.register(wakeup, select.POLLIN)
            poll.poll(SIGNAL_SECONDS * 1000)
            return
        seconds = 0.0 if self.has_stalled else min(ending.STALLED_SECONDS, ending.seconds_left(ending.MAX_SECONDS))
        if not poll.poll(seconds * 1000):
            self._raise_stalled()

    def _raise_stalled(self) -> NoReturn:
        self.has_stalled = True
        raise OutputStalled(errno.EAGAIN, "its reader has stalled")


def _wanted_end(data: bytes | memoryview, written: int) -> int:
    """Return where a write ends that has to wait: late after a signal, it is the end of the line that was begun."""
    if not ending.has_begun() or ending.seconds_left(ending.WHOLE_SECONDS) or not written:
        return len(data)
    return bytes(data).find(b"\n", written - 1) + 1 or len(data)


_outputs: dict[int, Output] = {}


def output(descriptor: int) -> Output:
    """Return the Output for a descriptor, which may be another file than at the last call."""
    status = os.fstat(descriptor)
    known = _outputs.get(descriptor)
    if known and known.identity == (status.st_dev, status.st_ino):
        return known
    if known:
        known.close()
    _outputs[descriptor] = Output(descriptor)
    return _outputs[descriptor]


class StandardOutput(io.FileIO):
    """Stdout or stderr for Python's own writers."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        self._stream_name = {1: "stdout", 2: "stderr"}[descriptor]

    def write(self, data: Any, /) -> int:
        """Write everything. The filename of an OSError is that of the stream."""
        view = memoryview(data)
        try:
            output(self.fileno()).write(view)
        except OSError as error:
            error.filename = self._stream_name
            raise
        return view.nbytes


class ScreenOutput(StandardOutput):
    """A terminal that is drawn on. Drops what it no longer takes."""

    def write(self, data: Any, /) -> int:
        """Write everything, or nothing after a signal or to a closed terminal."""
        with suppress(OutputStalled, TerminalClosed):
            super().write(data)
        return memoryview(data).nbytes


def _text_stream(file: StandardOutput, like: io.TextIOWrapper) -> io.TextIOWrapper:
    by_line = like.line_buffering or like.write_through  # the second one with PYTHONUNBUFFERED
    return io.TextIOWrapper(io.BufferedWriter(file), like.encoding, like.errors, line_buffering=by_line)


def use_for_standard_streams() -> None:
    """Let `print`, Rich and all others write to stdout and stderr in this way."""
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if type(stream) is io.TextIOWrapper and stream.fileno() == descriptor:
            with suppress(OSError):  # the command meets the error, too, and reports it
                stream.flush()
            _replaced.append(stream)
            setattr(sys, name, _text_stream(StandardOutput(descriptor), stream))


def use_for_screen() -> None:
    """Let Textual, which draws on the stderr that Python started with, write in this way."""
    if isinstance(sys.__stderr__, io.TextIOWrapper):
        _replaced.append(sys.__stderr__)
        sys.__stderr__ = _text_stream(ScreenOutput(2), sys.__stderr__)  # type: ignore[misc]


_replaced: list[io.TextIOWrapper] = []  # an unused one would close its file
