"""The widgets of the room in an application of their own, driven by Textual's pilot."""

import asyncio
import time
from contextlib import asynccontextmanager
from typing import ClassVar

from textual.app import App
from textual.events import Key
from textual.pilot import Pilot

from chatctl.cli.join.app import ChatApp
from chatctl.cli.join.composer import Composer
from chatctl.cli.join.line import Line
from chatctl.cli.join.message_view import MessageView
from chatctl.cli.join.session import Session
from chatctl.client import RoomStream
from chatctl.client.client import ChatClient
from chatctl.compat import textual_keys
from tests.support.waiting import TIMEOUT_SECONDS


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
        textual_keys.install()
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
    def screen_strips(self):
        """The rows on the screen as they were drawn last."""
        return self.screen._compositor.render_strips()

    @property
    def screen_rows(self):
        return [strip.text.rstrip() for strip in self.screen_strips]


@asynccontextmanager
async def message_view(*args, size=(80, 12), **options):
    """Run a MessageViewApp on a screen of this size. Yields the app and Textual's pilot."""
    app = MessageViewApp(*args, **options)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield app, pilot


async def pause_until(pilot, condition):
    """Wait for a condition; what it gives comes back."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not (found := condition()):
            await pilot.pause(0.01)
    return found


class JoinedApp:
    """Somebody at a screen."""

    def __init__(self, app: ChatApp, pilot: Pilot[int], session: Session, joining: RoomStream):
        self.app, self.pilot, self.session, self.stream = app, pilot, session, joining
        self.chat_screen = app.chat_screen

    async def press(self, *keys):
        """Type keys as fast as they can come, and wait until they are done."""
        for key in keys:
            self.app._driver.process_message(Key(key, key if len(key) == 1 else None))
        await self.pilot.pause()

    async def insert_text(self, text):
        """Put a text into the input, as if it had been typed."""
        self.chat_screen.composer.insert(text)
        await self.pilot.pause()

    async def send_text(self, text):
        await self.insert_text(text)
        await self.press("enter")

    @property
    def screen_text(self):
        """What is on the screen."""
        return "\n".join(strip.text.rstrip() for strip in self.app.screen._compositor.render_strips())

    @property
    def texts(self):
        """What is held of what is looked at."""
        return [line.text for line in self.chat_screen.message_list.lines]

    @property
    def states(self):
        """The same, with the state of each."""
        return [(line.text, line.state) for line in self.chat_screen.message_list.lines if line.state != "notice"]

    @property
    def input_text(self):
        return self.chat_screen.composer.text

    async def until(self, condition):
        """Wait for a condition to hold; what it gives comes back."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not (found := condition()):
            assert time.monotonic() < deadline, f"waited in vain at\n{self.screen_text}"
            await asyncio.sleep(0.01)
        await self.pilot.pause()
        return found

    async def until_shown(self, *words):
        await self.until(lambda: all(word in self.screen_text for word in words))

    async def until_stored(self, *texts):
        """Wait until these are all the messages held, and none of them is pending."""
        await self.until(lambda: self.states == [(text, "stored") for text in texts])


@asynccontextmanager
async def joined_app(address, *rooms, user="ann", size=(80, 24), timeout=0, wait_loaded=True):
    """Somebody in rooms; if they wait, once the server has begun to tell what comes there."""
    async with ChatClient(address, timeout) as client, client.join(user, rooms) as stream:
        session = Session(client, stream, user, rooms)
        app = ChatApp(session)
        async with app.run_test(size=size) as pilot:
            joined = JoinedApp(app, pilot, session, stream)
            await joined.until(lambda: not wait_loaded or app.failure or joined.chat_screen.current_room.loaded)
            yield joined
