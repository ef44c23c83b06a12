"""Draw only when the terminal has taken the last drawing, and leave without the drawings that it has not taken.

Library: Textual 8.2. Private names: `Screen._compositor`, `_compositor_refresh` and `_dirty_widgets`, `App._driver` and
`_exit`, and in `drivers.linux_driver` the WriterThread and `LinuxDriver._writer_thread`, `_patch_lflag`, `_patch_iflag`.

Symptoms without it:
- Up to 30 drawings wait for a slow terminal. At 3 kB/s the screen is a minute behind, and leaving takes as long.
- After a SIGSTOP, SIGCONT starts second threads that write and read keys: keys may change their order.
- If the terminal is gone, or its descriptor is non-blocking, the thread that writes ends, and the app hangs.

Delete it when scripts/check-workarounds reports that an app leaves a terminal that takes no output.
"""

import os
import select
import termios
from contextlib import suppress
from tty import IFLAG, LFLAG
from typing import IO, Any, TypeVar

from textual.app import App
from textual.drivers import linux_driver
from textual.drivers._writer_thread import WriterThread
from textual.screen import Screen

CHUNK_BYTES = 1024  # written at once where a write may block; between two, the rest may be discarded
STOP_SECONDS = 2.0  # for the last output, at a terminal that takes none
RETRY_SECONDS = 0.02  # between two looks whether what was drawn is discarded
DRAW_RETRY_SECONDS = 0.004  # between two looks whether the last drawing is written; a fast terminal takes about 1 ms
# A cut may be within an escape sequence, which CAN ends, and within a synchronised update.
AFTER_CUT = "\x18\x1b[?2026l"
# The alternate screen without a cursor and without wrapping, and reports of the focus and of pastes.
ENTER_SCREEN = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[?1004h\x1b[?2004h"

ReturnType = TypeVar("ReturnType")


def install() -> None:
    """Patch Textual for every application that starts after this call. A second call changes nothing."""
    vars(linux_driver)["WriterThread"] = DrawingThread


class DrawingThread(WriterThread):
    """Writes to a terminal of any speed."""

    def __init__(self, file: IO[str]) -> None:
        super().__init__(file)
        self._num_put = self._num_discarded = 0
        self._descriptor = file.fileno()
        with suppress(OSError):  # the device may have no name here, in a container
            # Writes to this one do not block. The flag of the other one would be set for the shell, too.
            self._descriptor = os.open(os.ttyname(file.fileno()), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)

    def write(self, text: str) -> None:
        self._num_put += 1
        self._queue.put(text)

    @property
    def idle(self) -> bool:
        """Return whether all output is written."""
        return not self._queue.unfinished_tasks

    def discard(self) -> None:
        """Discard what is not written yet."""
        self._num_discarded = self._num_put
        with suppress(OSError, termios.error):
            termios.tcflush(self._descriptor, termios.TCOFLUSH)
        self.write(AFTER_CUT)

    def run(self) -> None:
        number = 0
        while (text := self._queue.get()) is not None:
            number += 1
            data = memoryview(text.encode(errors="backslashreplace"))
            with suppress(OSError):  # the terminal is gone: nothing is drawn any more
                while data and number > self._num_discarded:
                    data = data[self._write_some(data) :]
            self._queue.task_done()
        if self._descriptor != self._file.fileno():
            os.close(self._descriptor)

    def _write_some(self, data: memoryview) -> int:
        if self._descriptor != self._file.fileno():
            with suppress(BlockingIOError):  # at once: each wait costs the time to get the interpreter's lock again
                return os.write(self._descriptor, data)
        if select.select((), (self._descriptor,), (), RETRY_SECONDS)[1]:
            with suppress(BlockingIOError):
                return os.write(self._descriptor, data[:CHUNK_BYTES])
        return 0

    def stop(self) -> None:
        self._queue.put(None)
        self.join(STOP_SECONDS)


class ResumingDriver(linux_driver.LinuxDriver):
    """Continues after a SIGSTOP with the threads that it has. Keys that were typed meanwhile are kept."""

    def resume_application_mode(self) -> None:
        if not (self._writer_thread and self._writer_thread.is_alive()):
            super().resume_application_mode()
            return
        with suppress(OSError, termios.error):
            mode = termios.tcgetattr(self.fileno)
            mode[LFLAG], mode[IFLAG] = self._patch_lflag(mode[LFLAG]), self._patch_iflag(mode[IFLAG])
            termios.tcsetattr(self.fileno, termios.TCSANOW, mode)
        self.write(ENTER_SCREEN)
        self._enable_mouse_support()
        self._app.call_later(self._app.refresh)


def _thread(app: App[Any]) -> DrawingThread | None:
    """Return the thread of an app that runs at a terminal."""
    thread = getattr(app._driver, "_writer_thread", None)
    return thread if isinstance(thread, DrawingThread) else None


def discard_drawings(app: App[Any]) -> None:
    """Discard what the terminal has not taken, before the app leaves it."""
    if thread := _thread(app):
        thread.discard()


class PacedScreen(Screen[ReturnType]):
    """A screen that draws only when the terminal has taken the last drawing. Many changes become one drawing."""

    _draw_delayed = False

    def _compositor_refresh(self) -> None:
        thread = _thread(self.app)
        if thread and self.app._exit:
            return
        if thread is None or thread.idle or self is not self.app.screen:
            super()._compositor_refresh()
        elif not self._draw_delayed:
            self._draw_delayed = True
            self.set_timer(DRAW_RETRY_SECONDS, self._draw_again)

    def _draw_again(self) -> None:
        self._draw_delayed = False
        self._compositor.update_widgets(self._dirty_widgets)  # a drawing forgets all of them, drawn or not
        self._compositor_refresh()
