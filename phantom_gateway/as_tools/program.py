"""
The program behind every ``as-*`` name: the name by which it is called says which command it is.

Owns: that name, standard streams, and exit statuses (0 done, 1 not done, 2 used wrongly). Does not own: what a command
does (``course``).
"""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import PurePath

from phantom_gateway.as_tools.course import Terminal, follow
from phantom_gateway.as_tools.errors import DONE, INTERRUPTED, CommandError, UsedWrongly
from phantom_gateway.as_tools.table import COMMANDS

PREFIXES = ("as-", "euscale-")
"""Of the names by which the program may be called; a link with the other tools' name works as well."""


def main() -> int:
    """The exit status of the command by whose name the program was called."""
    for stream in (sys.stdout, sys.stderr):
        # Whatever the locale says: XML and tags are UTF-8, and a script must not fail for a letter.
        stream.reconfigure(encoding="utf-8", errors="surrogateescape", newline="\n")  # type: ignore[union-attr]
    try:
        status = run(sys.argv[0], sys.argv[1:], os.environ, Terminal(sys.stdin, sys.stdout, sys.stderr))
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, head or grep -q, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except KeyboardInterrupt:
        return INTERRUPTED
    return status


def run(program: str, words: Sequence[str], environ: Mapping[str, str], terminal: Terminal) -> int:
    """The exit status of the command that *program* names; what goes wrong is told on standard error."""
    name = command_name(program)
    command = COMMANDS.get(name)
    if command is None:
        terminal.stderr.write(f"as-{name}: there is no such command; as-cmd lists them\n")
        return UsedWrongly.status
    try:
        follow(command, words, environ, terminal)
    except CommandError as error:
        hint = f"\nas-{name} --help tells how it is used" if isinstance(error, UsedWrongly) else ""
        terminal.stderr.write(f"as-{name}: {error}{hint}\n")
        return error.status
    return DONE


def command_name(program: str) -> str:
    """The command's name without its prefix, whatever directory or ending an installer gave it."""
    name = PurePath(program).name
    for ending in (".exe", ".py", "-script"):
        name = name.removesuffix(ending)
    for prefix in PREFIXES:
        name = name.removeprefix(prefix)
    return name
