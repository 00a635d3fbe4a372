"""
What a row of the table of commands may say.

Owns: the words in which commands are described. Does not own: any command (``table``), nor what is done with them.
Whether a value is a list, a number or a text is not said here: the service model knows.
"""

from dataclasses import dataclass
from typing import Literal

Reads = Literal["model", "tag", "filter", "devices", "user data", "user data file"]
"""How the text of an option becomes parameters; *model*: as the service model says of the member."""


@dataclass(frozen=True, slots=True)
class Option:
    """
    One option. *member* is the dotted path of the parameter it sets, empty when nothing is sent.

    *spellings*: the one of the manual first, then short ones and those of the ``euscale-*`` tools. A flag has no
    *value*, and sends *sends*. Options of one member exclude each other; it is enough that one of them is given.
    """

    spellings: tuple[str, ...]
    member: str
    meaning: str
    value: str = ""
    sends: str = ""
    reads: Reads = "model"
    required: bool = False


@dataclass(frozen=True, slots=True)
class Argument:
    """What may stand without an option in front of it. *spellings* are options that say the same."""

    member: str
    value: str
    meaning: str
    spellings: tuple[str, ...] = ()
    many: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """One column: the *path* of a member below the described thing; ``^`` begins a path below the thing around it."""

    header: str
    path: str
    long: bool = False
    """Whether only ``--show-long`` shows it."""


@dataclass(frozen=True, slots=True)
class Line:
    """
    Lines beginning with *kind*, one for each thing in the list at *path*; the answer itself when *path* is empty.

    *children* are lines about lists inside a thing, shown below its own line.
    """

    kind: str
    path: str
    columns: tuple[Column, ...]
    children: tuple["Line", ...] = ()


@dataclass(frozen=True, slots=True)
class Command:
    """
    One command, without its ``as-``. *operation* is empty for those that call nothing.

    *question* is asked before anything is sent, unless ``-f`` is given. *success* is the line of a change that was
    made; *prints* is a member that is printed alone instead. *page_max* is the largest page of the operation;
    *records_default* how many records are shown when nobody says, None: all. *gone* says why a command does nothing.
    """

    name: str
    summary: str
    operation: str = ""
    argument: Argument | None = None
    options: tuple[Option, ...] = ()
    lines: tuple[Line, ...] = ()
    success: str = ""
    question: str = ""
    prints: str = ""
    page_max: int = 0
    records_default: int | None = None
    gone: str = ""


FORCE = Option(("--force", "-f"), "", "Do not ask.")

MAX_RECORDS = Option(
    ("--max-records",), "MaxRecords", "At most so many, in as many calls as it takes; all when left out.", "NUMBER"
)


def text(spellings: str, member: str, meaning: str, value: str = "VALUE", *, required: bool = False) -> Option:
    """An option with a value, whose kind the model knows."""
    return Option(tuple(spellings.split()), member, meaning, value, required=required)


def flag(spellings: str, member: str, sends: str, meaning: str, *, required: bool = False) -> Option:
    """An option without a value."""
    return Option(tuple(spellings.split()), member, meaning, sends=sends, required=required)


def group_option(*, required: bool) -> Option:
    """The option that names the group, where the argument names something else."""
    spellings = "--auto-scaling-group -g --group"
    return text(spellings, "AutoScalingGroupName", "The group.", "GROUP", required=required)
