"""The syntax of an input: a text, or a slash command. Includes the completion of words."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from chatctl.cli.join.input_error import InputError

MAX_SHOWN_NAME = 40  # characters of an unknown command in an error

# A name is a word, or it is enclosed in quotes; inside, two quotes stand for one. A quote elsewhere is a character.
_NAME = re.compile(r""""((?:[^"]|"")+)"(?!\S)|'((?:[^']|'')+)'(?!\S)|(\S+)""")
_OPEN_NAME = re.compile(r"""(?<!\S)(?:"(?:[^"]|"")*|'(?:[^']|'')*|\S*)\Z""")  # at the end, perhaps in an open quote


class CommandSyntax(NamedTuple):
    """A slash command as users see it."""

    name: str
    arguments: str
    help: str
    arguments_required: bool = False

    @property
    def takes_rooms(self) -> bool:
        """Return whether the arguments are names of rooms."""
        return "ROOM" in self.arguments

    @property
    def takes_one_room(self) -> bool:
        """Return whether the argument is the name of one room."""
        return self.takes_rooms and not self.arguments.endswith("...")


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
    """Return the names in an argument. They are separated by spaces; quotes enclose a name that contains spaces.

    Raises InputError for an empty name in double quotes, or one that is not closed.
    """
    names = []
    for match in _NAME.finditer(argument):
        double, single, word = match.groups()
        if word and word.startswith('"'):
            hint = "end it with a quote; two quotes inside it stand for one"
            raise InputError(f"no name: {argument[:MAX_SHOWN_NAME]}", hint)
        names.append(double.replace('""', '"') if double else single.replace("''", "'") if single else word)
    return names


def split_name(syntax: CommandSyntax, argument: str) -> str:
    """Return the one name in an argument, or an empty string. Raises InputError for several names."""
    names = split_names(argument)
    if len(names) > 1:
        example = f"/{syntax.name} {_quote(argument)}"
        raise InputError(f"/{syntax.name} takes one room", f"quote a name that has spaces: {example}")
    return names[0] if names else ""


def _quote(name: str) -> str:
    """Return a name as `split_names` reads it."""
    if not name.startswith(('"', "'")) and not re.search(r"\s", name):
        return name
    quote = "'" if '"' in name and "'" not in name else '"'
    return f"{quote}{name.replace(quote, quote * 2)}{quote}"


class Completion(NamedTuple):
    """The texts that may replace the last `length` characters, best first. They may end in a suffix."""

    length: int
    texts: list[str]


def complete(before: str, commands: Iterable[CommandSyntax], users: list[str], rooms: list[str]) -> Completion:
    """Return the completions of the end of a text: a command, a room after a command, or a user or room in a text.

    A user has a colon at the start of a text. The punctuation before a name stays.
    """
    if re.fullmatch(r"/\S*", before):
        names = [command.name for command in commands]
        return Completion(len(before), [f"/{name} " for name in names if name.startswith(before[1:].lower())])
    if command := _room_command(before, commands):
        match = _OPEN_NAME.search(before, len(command.name) + 2)
        typed = match[0] if match else ""
        prefix = typed[1:].replace(typed[0] * 2, typed[0]) if typed[:1] in ("'", '"') else typed
        return Completion(len(typed), [f"{_quote(room)} " for room in _starting_with(prefix, rooms)])
    word = re.search(r"\S*\Z", before)[0]  # type: ignore[index]
    suffix = ": " if word == before else " "
    while word:
        texts = [f"{user}{suffix}" for user in _starting_with(word, users)]
        texts += [f"{room} " for room in _starting_with(word, rooms) if room not in users]
        if texts or word[0].isalnum():
            return Completion(len(word), texts)
        word, suffix = word[1:], " "
    return Completion(0, [])


def _room_command(before: str, commands: Iterable[CommandSyntax]) -> CommandSyntax | None:
    """Return the command with rooms as arguments that a text begins with."""
    name, blank, _ = before.removeprefix("/").partition(" ")
    is_command = before.startswith("/") and not before.startswith("//") and blank
    return next((each for each in commands if is_command and each.takes_rooms and each.name == name.lower()), None)


def _starting_with(prefix: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.casefold().startswith(prefix.casefold())]
