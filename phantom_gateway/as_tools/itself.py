"""
The two commands that call nothing: the list of commands, and the versions.

Owns: what they print.
"""

from importlib.metadata import version

from phantom_gateway.as_tools.arguments import Given
from phantom_gateway.as_tools.completion import completion
from phantom_gateway.as_tools.errors import UsedWrongly
from phantom_gateway.as_tools.grammar import Command
from phantom_gateway.as_tools.table import COMMANDS
from protocol.model import VERSION

SHELLS = ("bash", "zsh")


def tell(command: Command, given: Given) -> str:
    """What *command* prints. Raises UsedWrongly for a shell that is not known."""
    if command.name == "version":
        return f"as-* tools of Phantom Gateway {version('phantom-gateway')} (API {VERSION})\n"
    for _option, (shell,) in given.options:
        if shell not in SHELLS:
            raise UsedWrongly(f"--completion: it is one of {', '.join(SHELLS)}, not {shell!r}")
        return completion(shell, COMMANDS)
    width = max(map(len, COMMANDS)) + len("as-")
    lines = [f"{f'as-{each.name}'.ljust(width)}  {each.summary}" for each in COMMANDS.values()]
    return "\n".join(lines) + "\n"
