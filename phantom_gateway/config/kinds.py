"""
Kinds of values that a configuration holds, each with its limits: from what TOML gave to what the gateway uses.

Owns: telling a wrong value what is wrong with it and what would be right. Does not own which key is of which kind, nor
the kinds that point at something outside the file: see ``places``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from phantom_gateway.config.errors import kind_of, shown

WORDS_MAX = 256
"""Words in a command line: as many as anybody writes by hand into a configuration."""


class Wrong(ValueError):  # noqa: N818 - it is not an error of the program but what a value is
    """A value is wrong. The text says what is wrong and what would be right; it goes after the key's name."""


@dataclass(frozen=True, slots=True)
class Around:
    """What a value may refer to: files beside the configuration, and the environment."""

    directory: Path
    environ: Mapping[str, str]


class Kind(Protocol):
    """What a key takes. *words* and *limits* are what the documentation says of it."""

    @property
    def words(self) -> str:
        """Its name, for example "whole number"."""
        ...

    @property
    def limits(self) -> str:
        """Which of them are accepted, for example "1 to 64"."""
        ...

    def read(self, value: object, around: Around, /) -> Any:
        """The value as the gateway uses it. Raises Wrong."""
        ...


@dataclass(frozen=True, slots=True)
class Text:
    """A string that *pattern* matches as a whole; *limits* says so in words. Shown back unless it may be a secret."""

    pattern: str
    limits: str
    is_shown: bool = True
    words: str = "string"

    def read(self, value: object, _around: Around) -> str:
        """The string itself."""
        if isinstance(value, int) and not isinstance(value, bool):
            raise Wrong("is a number; write it in quotes")
        if not isinstance(value, str):
            raise Wrong(f"must be a string, not {kind_of(value)}")
        if re.fullmatch(self.pattern, value) is None:
            raise Wrong(f"{shown(value) if self.is_shown else 'this'} is not accepted; use {self.limits}")
        return value


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number from *least* to *most*; *remark* explains a special one."""

    least: int
    most: int
    remark: str = ""
    words: str = "whole number"

    @property
    def limits(self) -> str:
        """The range, both ends included."""
        return f"{self.least} to {self.most}{self.remark}"

    def read(self, value: object, _around: Around) -> int:
        """The number itself."""
        if isinstance(value, bool) or not isinstance(value, int):
            raise Wrong(f"must be a whole number, {self.limits}, not {shown(value)}")
        if not self.least <= value <= self.most:
            raise Wrong(f"{shown(value)} is out of range; use {self.limits}")
        return value


@dataclass(frozen=True, slots=True)
class Number:
    """A number from *least* to *most*, with or without a fraction."""

    least: float
    most: float
    words: str = "number"

    @property
    def limits(self) -> str:
        """The range, both ends included."""
        return f"{self.least:g} to {self.most:g}"

    def read(self, value: object, _around: Around) -> float:
        """The number as a float."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Wrong(f"must be a number, {self.limits}, not {shown(value)}")
        if not self.least <= value <= self.most:  # false for "nan" as well
            raise Wrong(f"{shown(value)} is out of range; use {self.limits}")
        return float(value)


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    words: str = "boolean"
    limits: str = "true, false"

    def read(self, value: object, _around: Around) -> bool:
        """The boolean itself."""
        if not isinstance(value, bool):
            raise Wrong(f"must be true or false, without quotes, not {shown(value)}")
        return value


@dataclass(frozen=True, slots=True)
class Choice:
    """One of *options*."""

    noun: str
    options: tuple[str, ...]
    words: str = "string"

    @property
    def limits(self) -> str:
        """The words accepted."""
        return ", ".join(self.options)

    def read(self, value: object, _around: Around) -> str:
        """The word chosen."""
        if not isinstance(value, str) or value not in self.options:
            raise Wrong(f"{shown(value)} is not a {self.noun}; use one of: {self.limits}")
        return value


@dataclass(frozen=True, slots=True)
class Words:
    """A command line, word by word, as the system takes it: no shell reads it."""

    words: str = "array of strings"
    limits: str = f"1 to {WORDS_MAX} strings, the first of them a program"

    def read(self, value: object, _around: Around) -> tuple[str, ...]:
        """The words."""
        if not isinstance(value, list):
            raise Wrong(
                f'must be an array of strings, not {shown(value)}; for example ["python3", "-m", "http.server"]'
            )
        if not 1 <= len(value) <= WORDS_MAX or not value[0]:
            raise Wrong(f"must hold {self.limits}")
        for word in value:
            if not isinstance(word, str):
                raise Wrong(f"must hold strings only; {shown(word)} is none, write it in quotes")
            if "\0" in word:
                raise Wrong(f"{shown(word)} holds a NUL character, which no command line can")
        return tuple(value)


@dataclass(frozen=True, slots=True)
class Options:
    """Up to *most* names, each with a string, a whole number or a boolean. Values are never shown back."""

    most: int
    words: str = "table"

    @property
    def limits(self) -> str:
        """How many, and of what."""
        return f"up to {self.most} names, each with a string, a whole number or true or false"

    def read(self, value: object, _around: Around) -> Mapping[str, str | int | bool]:
        """The names with their values."""
        if not isinstance(value, dict):
            raise Wrong(f'must be a table, not {kind_of(value)}; for example {{ project = "web" }}')
        if len(value) > self.most:
            raise Wrong(f"holds {len(value)} names; use at most {self.most}")
        for name, each in value.items():
            if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", name) is None:
                raise Wrong(f"has the name {shown(name)}; use letters, digits and '_'")
            if not isinstance(each, str | int):
                raise Wrong(f"{name} must be a string, a whole number or true or false, not {kind_of(each)}")
        return dict(value)


@dataclass(frozen=True, slots=True)
class Texts:
    """Up to *most* different strings, each of the kind *each*."""

    each: Text
    most: int
    words: str = "array of strings"

    @property
    def limits(self) -> str:
        """How many, and which."""
        return f"up to {self.most} strings, each {self.each.limits}"

    def read(self, value: object, around: Around) -> tuple[str, ...]:
        """The strings, in their order."""
        if not isinstance(value, list):
            raise Wrong(f"must be an array of strings, not {kind_of(value)}; write [ ] around it")
        if len(value) > self.most:
            raise Wrong(f"holds {len(value)} strings; use at most {self.most}")
        found: list[str] = []
        for place, part in enumerate(value, start=1):
            try:
                found.append(self.each.read(part, around))
            except Wrong as wrong:
                raise Wrong(f"string {place} {wrong}") from wrong
            if found[-1] in found[:-1]:
                raise Wrong(f"names {shown(part)} twice; once is enough")
        return tuple(found)
