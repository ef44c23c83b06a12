"""People in the room: the real app, without a terminal, on a real stream to a real server."""

import asyncio
import functools
import time
from contextlib import asynccontextmanager

from cli import TIMEOUT_SECONDS
from textual.events import Key
from textual.pilot import Pilot

from chatctl.cli.join.app import ChatApp
from chatctl.cli.join.session import Session
from chatctl.client import ChatClient, RoomStream


def run_async(test):
    """Run a test that is a coroutine."""

    @functools.wraps(test)
    def run(*arguments, **named):
        asyncio.run(test(*arguments, **named))

    return run


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
