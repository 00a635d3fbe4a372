"""
Completion of commands and options for shells.

Owns: the script that bash reads, and zsh through its ``bashcompinit``. It is made once from the table; pressing tab
starts no Python.
"""

from collections.abc import Mapping

from phantom_gateway.as_tools.arguments import own_spellings
from phantom_gateway.as_tools.grammar import Command
from phantom_gateway.as_tools.table.every import EVERY_COMMAND

ZSH = "autoload -U +X bashcompinit && bashcompinit\n"

FILES = ("--user-data-file", "--aws-credential-file", "--ec2-cert-file-path", "--ec2-private-key-file-path")
"""Options behind which a file stands: everywhere else, the names of files are no help."""

SCRIPT = """\
_as_tools() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" options
    COMPREPLY=()
    case "$before" in
        {files}) COMPREPLY=($(compgen -f -- "$word")); return ;;
    esac
    case "${{COMP_WORDS[0]##*/}}" in
{cases}
        *) return ;;
    esac
    case "$word" in
        -*) COMPREPLY=($(compgen -W "$options {shared}" -- "$word")) ;;
    esac
}}
complete -F _as_tools {names}
"""


def completion(shell: str, commands: Mapping[str, Command]) -> str:
    """The script for *shell*, bash or zsh, to be evaluated: ``eval "$(as-cmd --completion bash)"``."""
    cases = [f'        as-{name}) options="{" ".join(_own(command))}" ;;' for name, command in commands.items()]
    script = SCRIPT.format(
        files="|".join(FILES),
        cases="\n".join(cases),
        shared=" ".join(option.spellings[0] for option in EVERY_COMMAND),
        names=" ".join(f"as-{name}" for name in commands),
    )
    return (ZSH if shell == "zsh" else "") + script


def _own(command: Command) -> list[str]:
    return sorted(spelling for spelling in own_spellings(command) if spelling.startswith("--"))
