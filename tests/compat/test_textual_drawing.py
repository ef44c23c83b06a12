"""The thread that draws at a terminal of any speed."""

import asyncio
import os
import select
import threading
import tty
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from textual.app import App
from textual.drivers._writer_thread import WriterThread
from textual.widgets import Static

from chatctl.compat import textual_drawing
from chatctl.compat.textual_drawing import AFTER_CUT, DrawingThread, PacedScreen
from tests.support.cli import OutputReader
from tests.support.waiting import until

# More than a terminal holds, and fewer than the queue.
TEXTS = [f"number {number} 漢字 {'x' * 10_000}\n" for number in range(25)]


@contextmanager
def writing(kind, blocking=True):
    """Yield the other side of a terminal, and a thread that has TEXTS to write to it."""
    master, slave = os.openpty()
    tty.setraw(slave)
    with open(slave, "w", encoding="utf-8") as file:
        os.set_blocking(slave, blocking)
        thread = kind(file)
        for text in TEXTS:
            thread.write(text)
        thread.start()
        yield master, thread


@pytest.mark.parametrize("blocking", [True, False])
def test_all_output_is_written_in_order(blocking):
    with writing(DrawingThread, blocking) as (master, thread):
        reader = OutputReader(master)
        until(lambda: thread.idle)
        thread.stop()
        until(lambda: len(reader.text) >= len("".join(TEXTS)))
        assert reader.text == "".join(TEXTS)


def test_what_a_terminal_has_not_taken_is_discarded():
    with writing(DrawingThread) as (master, thread):
        until(lambda: select.select((master,), (), (), 0)[0])
        assert not thread.idle
        thread.discard()
        thread.write("the end")
        thread.stop()
        assert not thread.is_alive()
        reader = OutputReader(master)
        until(lambda: reader.text.endswith(f"{AFTER_CUT}the end"))
        assert len(reader.text) < len("".join(TEXTS)) / 2


def test_a_terminal_that_is_gone_ends_nothing():
    with writing(DrawingThread) as (master, thread):
        os.close(master)
        until(lambda: thread.idle)
        thread.stop()
        assert not thread.is_alive()


@pytest.mark.library_fault
def test_without_it_an_app_stays_at_a_terminal_that_takes_no_output(report_fault):
    with writing(WriterThread) as (master, thread):
        stopping = threading.Thread(target=thread.stop, daemon=True)
        stopping.start()
        stopping.join(1)
        report_fault("textual_drawing", "textual", stopping.is_alive())
        reader = OutputReader(master)
        stopping.join()
        assert reader.text


class TwoLines(App):
    """An app with two lines. `drawn` is all that it has drawn."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.drawn = Static(), Static(), ""

    def get_default_screen(self):
        return LinesScreen()

    def _display(self, screen, renderable):
        if renderable is not None:
            self.drawn += "".join(segment.text for segment in self.console.render(renderable))


class LinesScreen(PacedScreen):
    def compose(self):
        yield self.app.first
        yield self.app.second


async def test_what_changes_just_before_a_delayed_drawing_is_drawn_too(monkeypatch):
    thread = SimpleNamespace(idle=True)
    monkeypatch.setattr(textual_drawing, "_thread", lambda _: thread)
    monkeypatch.setattr(textual_drawing, "DRAW_RETRY_SECONDS", 1000)
    app = TwoLines()
    async with app.run_test() as pilot:
        await pilot.pause()
        thread.idle = False
        app.first.update("first", layout=False)
        await pilot.pause()
        assert app.screen._draw_delayed
        app.second.update("second", layout=False)
        for _ in range(100):  # until the screen knows, and not until its next drawing
            if app.second not in app.screen._dirty_widgets:
                await asyncio.sleep(0)
        thread.idle = True
        app.screen._draw_again()
        await pilot.pause()
    assert "first" in app.drawn
    assert "second" in app.drawn
