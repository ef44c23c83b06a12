"""The full-screen room and its widgets, driven by Textual's pilot."""

import asyncio
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
from chatctl.cli.join.slash_commands import Completion
from chatctl.client import RoomStream
from chatctl.client.client import ChatClient
from chatctl.compat import textual_keys
from tests.support.waiting import TIMEOUT_SECONDS, until_async


class LineBuffer:
    """The lines of a MessageView, and its scroll position."""

    def __init__(self, lines=()):
        self.lines = list(lines)
        self.anchor = None


def stored_line(sequence, text, user="ann", minute=0, **more):
    return Line((sequence, 0), 1_795_000_000_000_000 + minute * 60_000_000, user, text, **more)


class MessageViewApp(App):
    """A MessageView above a Composer, with the keys that scroll."""

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
        self.composer = Composer(complete or (lambda before: Completion(0, [])), self.submitted.append)

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
        """The rows that the widget draws now."""
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
    """Let Textual work until a condition holds, and return its value."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not (found := condition()):
            await pilot.pause(0.01)
    return found


class JoinedApp:
    """A user of the full-screen room."""

    def __init__(self, app: ChatApp, pilot: Pilot[int], session: Session, joining: RoomStream):
        self.app, self.pilot, self.session, self.stream = app, pilot, session, joining
        self.chat_screen = app.chat_screen

    async def press(self, *keys):
        """Type keys as fast as possible, and wait until they are processed."""
        for key in keys:
            self.app._driver.process_message(Key(key, key if len(key) == 1 else None))
        await self.pilot.pause()

    async def insert_text(self, text):
        """Insert a text into the composer."""
        self.chat_screen.composer.insert(text)
        await self.pilot.pause()

    async def send_text(self, text):
        await self.insert_text(text)
        await self.press("enter")

    @property
    def screen_text(self):
        """The text on the screen."""
        return "\n".join(strip.text.rstrip() for strip in self.app.screen._compositor.render_strips())

    @property
    def texts(self):
        """The texts of the current message list."""
        return [line.text for line in self.chat_screen.message_list.lines]

    @property
    def states(self):
        """(text, state) of the current message list, without notices."""
        return [(line.text, line.state) for line in self.chat_screen.message_list.lines if line.state != "notice"]

    @property
    def input_text(self):
        return self.chat_screen.composer.text

    async def until(self, condition):
        """Wait for a condition to hold, and return its value. Raises AssertionError with the screen's text."""
        found = await until_async(condition, lambda: f"the condition, on the screen\n{self.screen_text}")
        await self.pilot.pause()
        return found

    async def until_shown(self, *words):
        await self.until(lambda: all(word in self.screen_text for word in words))

    async def until_stored(self, *texts):
        """Wait until exactly these texts are shown as stored, and none is pending."""
        await self.until(lambda: self.states == [(text, "stored") for text in texts])


@asynccontextmanager
async def joined_app(address, *rooms, user="ann", size=(80, 24), timeout=0, wait_loaded=True):
    """Run the full-screen room. `wait_loaded` waits until the first messages are loaded."""
    async with ChatClient(address, timeout) as client, client.join(user, rooms) as stream:
        session = Session(client, stream, user, rooms)
        app = ChatApp(session)
        async with app.run_test(size=size) as pilot:
            joined = JoinedApp(app, pilot, session, stream)
            await joined.until(lambda: not wait_loaded or app.failure or joined.chat_screen.current_room.loaded)
            yield joined
