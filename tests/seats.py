"""People in the room: the real app, without a terminal, on a real stream to a real server."""

import asyncio
import functools
import time
from contextlib import asynccontextmanager

from cli import PATIENCE
from textual.events import Key
from textual.pilot import Pilot

from chatctl.cli.join.app import ChatApp
from chatctl.cli.join.session import Session
from chatctl.client import ChatClient, Joining


def in_a_loop(test):
    """Run a test that is a coroutine."""

    @functools.wraps(test)
    def run_it(*arguments, **named):
        asyncio.run(test(*arguments, **named))

    return run_it


class Seat:
    """Somebody at a screen."""

    def __init__(self, app: ChatApp, pilot: Pilot[int], session: Session, joining: Joining):
        self.app, self.pilot, self.session, self.joining = app, pilot, session, joining
        self.room = app.room

    async def press(self, *keys):
        """Type keys as fast as they can come, and wait until they are done."""
        for key in keys:
            self.app._driver.process_message(Key(key, key if len(key) == 1 else None))
        await self.pilot.pause()

    async def write(self, text):
        """Put a text into the input, as if it had been typed."""
        self.room.composer.insert(text)
        await self.pilot.pause()

    async def say(self, text):
        await self.write(text)
        await self.press("enter")

    @property
    def shown(self):
        """What is on the screen."""
        return "\n".join(strip.text.rstrip() for strip in self.app.screen._compositor.render_strips())

    @property
    def texts(self):
        """What is held of what is looked at."""
        return [line.text for line in self.room.view.lines]

    @property
    def states(self):
        """The same, with the state of each."""
        return [(line.text, line.state) for line in self.room.view.lines if line.state != "notice"]

    @property
    def typed(self):
        return self.room.composer.text

    async def until(self, condition):
        """Wait for a condition to hold; what it gives comes back."""
        deadline = time.monotonic() + PATIENCE
        while not (found := condition()):
            assert time.monotonic() < deadline, f"waited in vain at\n{self.shown}"
            await asyncio.sleep(0.01)
        await self.pilot.pause()
        return found

    async def until_shown(self, *words):
        await self.until(lambda: all(word in self.shown for word in words))

    async def until_stored(self, *texts):
        """Wait until these are all the messages held, and none of them is pending."""
        await self.until(lambda: self.states == [(text, "stored") for text in texts])


@asynccontextmanager
async def seat(address, *rooms, user="ann", size=(80, 24), timeout=0, waits=True):
    """Somebody in rooms; if they wait, once the server has begun to tell what comes there."""
    async with ChatClient(address, timeout) as chat, chat.join(user, rooms) as joining:
        session = Session(chat, joining, user, rooms)
        app = ChatApp(session)
        async with app.run_test(size=size) as pilot:
            found = Seat(app, pilot, session, joining)
            await found.until(lambda: not waits or app.failure or found.room.current.loaded)
            yield found
