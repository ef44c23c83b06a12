"""What can be typed into the room: texts and /commands. The help screen and completion are made from the table."""

import shlex
from typing import NamedTuple


class CommandSpec(NamedTuple):
    """A /command: how its arguments are called, what it does, and whether it needs them."""

    name: str
    arguments: str
    help: str
    arguments_required: bool = False


COMMANDS = (
    CommandSpec("join", "ROOM...", "join rooms, and go to the first of them", True),
    CommandSpec("leave", "[ROOM]", "leave this room, or another"),
    CommandSpec("who", "[ROOM]", "who is here, or in another room"),
    CommandSpec("search", "TEXT", "show the messages of this room that contain a text, new ones too; Esc leaves", True),
    CommandSpec("rooms", "", "the rooms of the server"),
    CommandSpec("help", "", "show the keys and commands (F1)"),
    CommandSpec("quit", "", "leave, when all that was sent has its receipt"),
)

KEYS = (
    ("Enter", "send"),
    ("Alt+Enter, Ctrl+J", "a new line in the message"),
    ("Tab", "complete a command, a user or a room; again: the next one"),
    ("Up, Down", "what was sent before"),
    ("PageUp, PageDown, wheel", "scroll; older messages load by themselves"),
    ("Shift+Up, Shift+Down", "scroll by a line"),
    ("Ctrl+Home, Ctrl+End", "to the oldest one loaded, to the newest one"),
    ("Ctrl+N, Ctrl+P", "next and previous room (Alt+Down, Alt+Up)"),
    ("Alt+1 to Alt+9", "the first to the ninth room"),
    ("Alt+A", "the next room with unread messages"),
    ("Esc", "leave a search, or this help"),
    ("F2", "hide or show the rooms; Shift and the mouse then select messages to copy, in most terminals"),
    ("Ctrl+U, Ctrl+W, Ctrl+Z", "delete what is before the cursor, or a word; undo"),
    ("Ctrl+T", "dark or light"),
    ("Ctrl+D", "quit, if the input is empty"),
    ("Ctrl+C", "quit"),
)


class ChatText(NamedTuple):
    """What is to be sent."""

    text: str


class SlashCommand(NamedTuple):
    """A command and what stands behind it."""

    name: str
    argument: str


class InputError(NamedTuple):
    """Why what was typed is neither."""

    error: str


def parse(typed: str) -> ChatText | SlashCommand | InputError:
    """What was meant: `/name ...` is a command, `//...` a text that begins with /, and all else a text."""
    if not typed.startswith("/"):
        return ChatText(typed)
    if typed.startswith("//"):
        return ChatText(typed[1:])
    name, _, argument = typed[1:].partition(" ")
    command = next((command for command in COMMANDS if command.name == name.strip().lower()), None)
    if command is None:
        return InputError(
            f"there is no command /{name.strip()[:40]}: /help shows them all, //{name.strip()[:40]} sends it as a text"
        )
    argument = argument.strip()
    if command.arguments_required and not argument:
        return InputError(f"/{command.name} needs more: /{command.name} {command.arguments}")
    if argument and not command.arguments:
        return InputError(f"/{command.name} takes nothing: //{command.name} sends it as a text")
    return SlashCommand(command.name, argument)


def split_names(argument: str) -> list[str]:
    """The names of several rooms: separated by spaces, in quotes if they have some in them."""
    try:
        return shlex.split(argument)
    except ValueError:  # a quote that does not end: an apostrophe
        return argument.split()


def complete(word: str, at_start: bool, users: list[str], rooms: list[str]) -> list[str]:
    """What a word may become: a command, a user who is spoken to at the start of a line, or a user or room. Best first."""
    if at_start and word.startswith("/"):
        return [f"/{command.name} " for command in COMMANDS if command.name.startswith(word[1:].lower())]
    if not word:
        return []
    suffix = ": " if at_start else " "
    folded_word = word.casefold()
    user_matches = [f"{user}{suffix}" for user in users if user.casefold().startswith(folded_word)]
    return user_matches + [f"{room} " for room in rooms if room.casefold().startswith(folded_word) and room not in users]
