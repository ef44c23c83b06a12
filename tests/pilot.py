"""The widgets of the room in an application of their own, driven by Textual's pilot."""

import asyncio
from typing import ClassVar

from textual.app import App

from chatctl.cli.join.composer import Composer
from chatctl.cli.join.lines import Line
from chatctl.cli.join.messages import Messages

PATIENCE = 30  # seconds until a wait is taken for a hang


class Source:
    """What is shown: lines, and the scroll position."""

    def __init__(self, lines=()):
        self.lines = list(lines)
        self.anchor = None


def line(sequence, text, user="ann", minute=0, **more):
    return Line((sequence, 0), 1_795_000_000_000_000 + minute * 60_000_000, user, text, **more)


class Room(App):
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
        self.messages = Messages()
        self.source, self.needle = source or Source(), needle
        self.submitted, self.wanted, self.moves = [], 0, []
        self.composer = Composer(complete or (lambda word, at_start: []), self.submitted.append)

    def compose(self):
        yield self.messages
        yield self.composer

    def on_mount(self):
        self.composer.focus()
        self.messages.show(self.source, self.needle)

    def action_to(self, where):
        getattr(self.messages, f"action_{where}")()

    def on_messages_want_older(self):
        self.wanted += 1

    def on_messages_moved(self):
        self.moves.append((self.messages.at_end, self.messages.newer))

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


def with_room(test, *args, size=(80, 12), **options):
    """Run `test(room, pilot)` in a room of this size."""

    async def run():
        room = Room(*args, **options)
        async with room.run_test(size=size) as pilot:
            await pilot.pause()
            await test(room, pilot)

    asyncio.run(run())


async def until(pilot, condition):
    """Wait for a condition; what it gives comes back."""
    async with asyncio.timeout(PATIENCE):
        while not (found := condition()):
            await pilot.pause(0.01)
    return found
