"""The syntax of an input: a text, or a slash command. Includes the completion of words."""

import shlex
from collections.abc import Iterable
from typing import NamedTuple

from chatctl.cli.join.input_error import InputError

MAX_SHOWN_NAME = 40  # characters of an unknown command in an error


class CommandSyntax(NamedTuple):
    """A slash command as users see it."""

    name: str
    arguments: str
    help: str
    arguments_required: bool = False


class ChatText(NamedTuple):
    """A text to send."""

    text: str


class SlashCommand(NamedTuple):
    """A slash command with its argument, stripped."""

    syntax: CommandSyntax
    argument: str


def parse(typed: str, commands: Iterable[CommandSyntax]) -> ChatText | SlashCommand:
    """Return what an input means: `/name ...` is a command, `//...` a text that starts with /, anything else a text.

    Raises InputError for an unknown command, or one with missing or surplus arguments.
    """
    if not typed.startswith("/"):
        return ChatText(typed)
    if typed.startswith("//"):
        return ChatText(typed[1:])
    name, _, argument = typed[1:].partition(" ")
    name = name.strip()
    command = next((command for command in commands if command.name == name.lower()), None)
    if command is None:
        shown = name[:MAX_SHOWN_NAME]
        raise InputError(f"unknown command /{shown}", f"/help lists the commands, //{shown} sends it as text")
    argument = argument.strip()
    if command.arguments_required and not argument:
        raise InputError(f"missing argument: /{command.name} {command.arguments}")
    if argument and not command.arguments:
        raise InputError(f"/{command.name} takes no argument", f"//{command.name} sends it as text")
    return SlashCommand(command, argument)


def split_names(argument: str) -> list[str]:
    """Return the names in an argument. They are separated by spaces; quotes enclose a name that contains spaces."""
    try:
        return shlex.split(argument)
    except ValueError:  # an unmatched quote, such as an apostrophe
        return argument.split()


def complete(word: str, at_start: bool, commands: Iterable[str], users: list[str], rooms: list[str]) -> list[str]:
    """Return the completions of a word, best first: a command, a user (with a colon at the start of a text) or a room."""
    if at_start and word.startswith("/"):
        return [f"/{command} " for command in commands if command.startswith(word[1:].lower())]
    if not word:
        return []
    suffix = ": " if at_start else " "
    folded_word = word.casefold()
    user_matches = [f"{user}{suffix}" for user in users if user.casefold().startswith(folded_word)]
    return user_matches + [f"{room} " for room in rooms if room.casefold().startswith(folded_word) and room not in users]
