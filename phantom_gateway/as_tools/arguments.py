"""
From the words of a command line to what was given, by option.

Owns: the syntax: options anywhere, ``--opt value`` and ``--opt=value``, lists parted by commas or blanks, what is
missing and what excludes what. Does not own: what a value means (``values``).
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from phantom_gateway.as_tools.errors import UsedWrongly
from phantom_gateway.as_tools.grammar import Command, Option
from phantom_gateway.as_tools.table.every import EVERY_COMMAND

ARGUMENT = "names"


@dataclass(frozen=True, slots=True)
class Given:
    """
    What a command line gave. *names* are the arguments without an option, or with one that says the same.

    *options* are the command's own, each with its texts (none for a flag); *settings* those of every command, by
    spelling: the text, or ``""`` for a flag.
    """

    names: tuple[str, ...]
    options: tuple[tuple[Option, tuple[str, ...]], ...]
    settings: dict[str, str]

    def has(self, spelling: str) -> bool:
        """Whether the option of every command, or the command's own that sends nothing, was given."""
        return spelling in self.settings or any(spelling in option.spellings for option, _ in self.options)


def read(command: Command, words: Sequence[str], lists: frozenset[str]) -> Given:
    """
    What *words* say; *lists* are the paths of parameters that are lists.

    Raises:
        UsedWrongly: an option that there is not, a value missing, options that exclude each other, or a parameter
            that the command needs and was not given.

    """
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument(ARGUMENT, nargs="*")
    for option in (*command.options, *shared_options(command)):
        _declare(parser, option, is_list=option.member in lists)
    if command.argument is not None and command.argument.spellings:
        parser.add_argument(
            *command.argument.spellings, dest="argument", nargs="+" if command.argument.many else None, action="append"
        )
    found = vars(parser.parse_intermixed_args(list(words)))
    if found["--help"] is not None:
        return Given((), (), {"--help": ""})
    given = Given(
        _names(command, found),
        tuple(
            (option, _texts(found[option.spellings[0]]))
            for option in command.options
            if found[option.spellings[0]] is not None
        ),
        {name: str(found[name]) for name in _shared_names(command) if found[name] is not None},
    )
    _check(command, given)
    return given


def own_spellings(command: Command) -> frozenset[str]:
    """The spellings that mean the command's own options and argument."""
    spellings = [spelling for option in command.options for spelling in option.spellings]
    return frozenset((*spellings, *(command.argument.spellings if command.argument else ())))


def shared_options(command: Command) -> list[Option]:
    """The options of every command, with the spellings that *command* leaves them."""
    own = own_spellings(command)
    left = []
    for option in EVERY_COMMAND:
        spellings = tuple(spelling for spelling in option.spellings if spelling not in own)
        left.append(Option(spellings, "", option.meaning, option.value))
    return left


def _shared_names(command: Command) -> list[str]:
    return [option.spellings[0] for option in shared_options(command)]


def _declare(parser: argparse.ArgumentParser, option: Option, *, is_list: bool) -> None:
    name = option.spellings[0]
    if not option.value:
        parser.add_argument(*option.spellings, dest=name, action="store_const", const="")
    elif is_list or option.reads in {"tag", "filter", "devices"}:
        nargs = None if option.reads == "tag" else "+"  # a tag is one word in quotes, and may be repeated
        parser.add_argument(*option.spellings, dest=name, action="append", nargs=nargs)
    else:
        parser.add_argument(*option.spellings, dest=name)


def _texts(found: object) -> tuple[str, ...]:
    """What stands behind an option, flat: repeated options and lists come as lists in lists."""
    if isinstance(found, list):
        return tuple(text for each in found for text in _texts(each))
    return (str(found),)


def _names(command: Command, found: dict[str, object]) -> tuple[str, ...]:
    """The names given either way. Raises UsedWrongly when there are more than the command takes, or an empty one."""
    bare, optional = _texts(found[ARGUMENT]), _texts(found.get("argument") or [])
    argument = command.argument
    if argument is None:
        if bare:
            raise UsedWrongly(f"it takes no argument without an option, and {bare[0]!r} is one")
        return ()
    names = tuple(dict.fromkeys((*bare, *optional)))
    if any(not name.strip() for name in names):
        raise UsedWrongly(f"{argument.value}: it is empty; was a variable not set?")
    if argument.many:
        return tuple(part.strip() for name in names for part in name.split(",") if part.strip())
    if len(names) > 1:
        raise UsedWrongly(f"one {argument.value} is enough; given are {', '.join(map(repr, names))}")
    if not names:
        also = f", or with {argument.spellings[0]}" if argument.spellings else ""
        raise UsedWrongly(f"{argument.value} is missing: it stands first, before any list{also}")
    return names


def _check(command: Command, given: Given) -> None:
    """Nothing. Raises UsedWrongly for options that exclude each other, and for what is missing."""
    by_member: dict[str, list[str]] = {}
    for option, _ in given.options:
        if option.member:
            by_member.setdefault(option.member, []).append(option.spellings[0])
    for spellings in by_member.values():
        if len(spellings) > 1:
            raise UsedWrongly(f"{' and '.join(spellings)} exclude each other")
    for option in command.options:
        if option.required and option.member not in by_member:
            ways = [other.spellings[0] for other in command.options if other.member == option.member]
            raise UsedWrongly(f"{' or '.join(ways)} is missing")


class _Parser(argparse.ArgumentParser):
    """argparse, saying what is wrong as everything else here does."""

    def error(self, message: str) -> NoReturn:
        raise UsedWrongly(message.removeprefix("argument "))
