"""The widgets of the room in an application of their own, driven by Textual's pilot."""

import asyncio
from typing import ClassVar

from textual.app import App

from chatctl.cli.join.composer import Composer
from chatctl.cli.join.lines import Line
from chatctl.cli.join.messages import MessageView

TIMEOUT_SECONDS = 30  # seconds until a wait is taken for a hang


class LineBuffer:
    """What is shown: lines, and the scroll position."""

    def __init__(self, lines=()):
        self.lines = list(lines)
        self.anchor = None


def stored_line(sequence, text, user="ann", minute=0, **more):
    return Line((sequence, 0), 1_795_000_000_000_000 + minute * 60_000_000, user, text, **more)


class MessageViewApp(App):
    """Messages above a composer, with the keys that scroll."""

    CSS = "Composer { border: none; padding: 0; }"
    BINDINGS: ClassVar = [
        ("pageup", "to('page_up')"),
        ("pagedown", "to('page_down')"),
        ("shift+up", "to('line_up')"),
        ("shift+down", "to('line_down')"),
        ("ctrl+home", "to('oldest')"),
        ("ctrl+end", "to('newest')"),
    ]

    def __init__(self, source=None, needle="", complete=None):
        super().__init__()
        self.messages = MessageView()
        self.source, self.needle = source or LineBuffer(), needle
        self.submitted, self.older_requests, self.positions = [], 0, []
        self.composer = Composer(complete or (lambda word, at_start: []), self.submitted.append)

    def compose(self):
        yield self.messages
        yield self.composer

    def on_mount(self):
        self.composer.focus()
        self.messages.set_source(self.source, self.needle)

    def action_to(self, where):
        getattr(self.messages, f"action_{where}")()

    def on_message_view_older_requested(self):
        self.older_requests += 1

    def on_message_view_position_changed(self):
        self.positions.append((self.messages.at_end, self.messages.lines_below))

    @property
    def strips(self):
        """What the widget draws now."""
        return [self.messages.render_line(y) for y in range(self.messages.size.height)]

    @property
    def rows(self):
        return [strip.text.rstrip() for strip in self.strips]

    @property
    def screen_rows(self):
        """What is on the screen: the rows that were drawn last."""
        return [strip.text.rstrip() for strip in self.screen._compositor.render_strips()]


def run_message_view(test, *args, size=(80, 12), **options):
    """Run `test(room, pilot)` in a room of this size."""

    async def run():
        app = MessageViewApp(*args, **options)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await test(app, pilot)

    asyncio.run(run())


async def pause_until(pilot, condition):
    """Wait for a condition; what it gives comes back."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not (found := condition()):
            await pilot.pause(0.01)
    return found
