"""
The text of ``--help``.

Owns: how a command is explained on a terminal of 80 columns. Does not own: the words, which are in the table.
"""

import textwrap
from collections.abc import Iterable

from phantom_gateway.as_tools.arguments import shared_options
from phantom_gateway.as_tools.grammar import Argument, Command, Option

WIDTH = 79

_INDENT = " " * 6


def help_of(command: Command) -> str:
    """The whole text, ending with a line's end."""
    lines = [
        *textwrap.wrap(usage_of(command), WIDTH, subsequent_indent=_INDENT, break_on_hyphens=False),
        "",
        *textwrap.wrap(command.summary, WIDTH),
    ]
    if command.argument is not None:
        lines += ["", *_explained(argument_heading(command.argument), command.argument.meaning)]
    if command.options:
        lines += ["", "Options:", *_options(command.options)]
    lines += ["", "Options of every command:", *_options(shared_options(command))]
    lines += ["", "docs/as-tools.md is the whole manual, environment variables included."]
    return "\n".join(lines) + "\n"


def usage_of(command: Command) -> str:
    """The command in one line: its argument, what it needs, and that there is more."""
    words = [f"as-{command.name}"]
    if command.argument is not None:
        value = command.argument.value
        words.append(f"[{value} ...]" if command.argument.many else value)
    members = dict.fromkeys(option.member for option in command.options if option.required)
    for member in members:
        ways = [option for option in command.options if option.member == member and option.required]
        written = " | ".join(written_option(option) for option in ways)
        words.append(f"({written})" if len(ways) > 1 else written)
    return " ".join([*words, "[options]"])


def argument_heading(argument: Argument) -> str:
    """The argument, and the options that say the same."""
    return ", ".join((argument.value, *(f"{spelling} {argument.value}" for spelling in argument.spellings)))


def written_option(option: Option) -> str:
    """The option's first spelling, with what stands behind it."""
    return f"{option.spellings[0]} {option.value}".strip()


def option_heading(option: Option) -> str:
    """All its spellings, with what stands behind them."""
    return f"{', '.join(option.spellings)} {option.value}".strip()


def _options(options: Iterable[Option]) -> list[str]:
    lines = []
    for option in options:
        lines += _explained(option_heading(option), option.meaning + (" Required." if option.required else ""))
    return lines


def _explained(heading: str, meaning: str) -> list[str]:
    wrapped = textwrap.wrap(meaning, WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT)
    return [f"  {heading}", *wrapped]
