"""
What is wrong with a configuration, said so that it can be mended: file, line, key, problem, remedy.

Owns: the shape of these texts. Does not own what counts as wrong.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

KeyPath = tuple[str | int, ...]
"""Where a value stands in a file: names of tables and keys, and positions in arrays, counted from 0."""

PROBLEMS_MAX = 50
"""Problems told at once. A file with more is another kind of file, and its first lines say so."""

SHOWN_LENGTH_MAX = 60
"""Characters of a wrong value repeated to its author: enough to find it, not to fill the screen."""

PATH_LENGTH_MAX = 1024
"""Characters of a path repeated: its end is what was mistyped, and few paths are longer."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong: where, and what to do about it. *line* is counted from 1; None where lines make no sense."""

    line: int | None
    where: str
    text: str

    def told(self, source: str) -> str:
        """The whole sentence, beginning with *source*, the name of the file."""
        place = source if self.line is None else f"{source}, line {self.line}"
        return ": ".join(part for part in (place, self.where, self.text) if part)


class ConfigError(Exception):
    """The configuration cannot be used. Its text tells every problem found, one a line, in the order of the file."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.source = source
        self.problems = tuple(sorted(problems, key=lambda problem: problem.line or 0))
        told = [problem.told(source) for problem in self.problems[:PROBLEMS_MAX]]
        if len(self.problems) > PROBLEMS_MAX:
            told.append(f"{source}: and {len(self.problems) - PROBLEMS_MAX} problems more")
        super().__init__("\n".join(told))


def named(path: KeyPath) -> str:
    """*path* as its author wrote it: ``default_cloud``, ``[server] port``, ``[[users]] #2 name``."""
    if not path:
        return ""
    if len(path) == 1:
        return f"[{_key(path[0])}]" if isinstance(path[0], int) else _key(path[0])
    if isinstance(path[1], int):
        rest = ".".join(_key(part) for part in path[2:])
        return f"[[{_key(path[0])}]] #{path[1] + 1} {rest}".rstrip()
    return f"[{'.'.join(_key(part) for part in path[:-1])}] {_key(path[-1])}"


def shown_path(path: Path) -> str:
    """*path* quoted, its end kept."""
    return repr(str(path)[-PATH_LENGTH_MAX:])


def shown(value: object) -> str:
    """*value* as a word in a sentence: strings quoted and cut, everything else in TOML's words."""
    match value:
        case str():
            return repr(value if len(value) <= SHOWN_LENGTH_MAX else value[:SHOWN_LENGTH_MAX] + "...")
        case bool():
            return "true" if value else "false"
        case int() | float():
            return _digits(value)
        case _:
            return kind_of(value)


def kind_of(value: object) -> str:
    """What *value* is, in TOML's words, without showing it."""
    for kind, words in _KINDS:
        if isinstance(value, kind):
            return words
    return "a date or time"


_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "true or false"),
    (int, "a whole number"),
    (float, "a number"),
    (str, "a string"),
    (list, "an array"),
    (dict, "a table"),
)

_DIGITS_MAX = 30
_BITS_MAX = 96


def _digits(value: float) -> str:
    """*value* in digits, unless there are too many: Python refuses to write more than 4300 of them."""
    if isinstance(value, int) and value.bit_length() > _BITS_MAX:
        return "a very large number"
    return str(value)[:_DIGITS_MAX]


def _key(part: str | int) -> str:
    """One key as TOML writes it."""
    if isinstance(part, int):
        return f"#{part + 1}"
    return part if _BARE_KEY.fullmatch(part) else json.dumps(part[:SHOWN_LENGTH_MAX])
