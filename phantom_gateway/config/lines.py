"""
Which line of a TOML file a key stands on: the one thing that Python's own reader does not tell.

Owns: walking through a text that ``tomllib`` has already read without complaint. Does not own judging it, nor values.
"""

import bisect
import re
import tomllib

from phantom_gateway.config.errors import KeyPath

_SPACE = re.compile(r"[ \t]*")
_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
# The closing quotes may be preceded by up to two that belong to the string: x = """he said "so"""""
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2})' r"|'''.*?'''(?:'{0,2})" r'|"(?:\\.|[^"\\\n])*"' r"|'[^'\n]*'", re.DOTALL
)
_SCALAR = re.compile(r"[^,\]}#\n]*")


class Lines:
    """
    The lines of the keys and tables of *text*, which is valid TOML whose lines end in LF.

    Raises RecursionError: arrays are nested too deeply, as ``tomllib`` does.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._breaks = [match.start() for match in re.finditer("\n", text)]
        self._lines: dict[KeyPath, int] = {(): 1}
        self._tables_in: dict[KeyPath, int] = {}
        self._walk()

    def of(self, path: KeyPath) -> int:
        """The line of *path*, counted from 1; where it is not in the file, that of the nearest table around it."""
        while path not in self._lines:
            path = path[:-1]
        return self._lines[path]

    def _walk(self) -> None:
        """Nothing; every statement of the text has been noted."""
        table: KeyPath = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._text.startswith("[", self._at):
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)

    def _header(self) -> KeyPath:
        """The table that a ``[header]`` or ``[[header]]`` opens, noted."""
        line = self._line()
        is_array = self._text.startswith("[[", self._at)
        self._at += 2 if is_array else 1
        *outer, last = self._dotted_key()
        self._at += 2 if is_array else 1
        path: KeyPath = ()
        for key in outer:
            path = self._last_of((*path, key))
            self._lines.setdefault(path, line)
        path = (*path, last)
        self._lines.setdefault(path, line)
        if is_array:
            self._tables_in[path] = self._tables_in.get(path, -1) + 1
            path = self._last_of(path)
        self._lines[path] = line
        return path

    def _last_of(self, path: KeyPath) -> KeyPath:
        """The newest table of an array of tables, which is what TOML means by the array's name; else *path*."""
        return (*path, self._tables_in[path]) if path in self._tables_in else path

    def _pair(self, table: KeyPath) -> None:
        """Nothing; a ``key = value`` in *table* is noted, with what is inside the value."""
        line = self._line()
        path = table
        for key in self._dotted_key():
            path = (*path, key)
            self._lines.setdefault(path, line)
        self._at += 1  # the "="
        self._skip(_SPACE)
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        """Nothing; the value of *path* is behind us."""
        opening = self._text[self._at : self._at + 1]
        if opening == "[":
            self._array(path)
        elif opening == "{":
            self._inline_table(path)
        elif opening in {'"', "'"}:
            self._skip(_STRING)
        else:
            self._skip(_SCALAR)

    def _array(self, path: KeyPath) -> None:
        """Nothing; each element of an array is noted with its position."""
        self._at += 1
        position = 0
        self._skip(_BLANK)
        while not self._passed("]"):
            self._lines[(*path, position)] = self._line()
            self._value((*path, position))
            position += 1
            self._separator()

    def _inline_table(self, path: KeyPath) -> None:
        """Nothing; each key of a ``{ table }`` is noted."""
        self._at += 1
        self._skip(_BLANK)
        while not self._passed("}"):
            self._pair(path)
            self._separator()

    def _dotted_key(self) -> list[str]:
        """The parts of a key; before what follows it, "=" or "]"."""
        keys = []
        while True:
            self._skip(_SPACE)
            keys.append(self._simple_key())
            self._skip(_SPACE)
            if not self._passed("."):
                return keys

    def _simple_key(self) -> str:
        """One part of a key, without its quotes and escapes."""
        match = _BARE_KEY.match(self._text, self._at)
        if match is not None:
            self._at = match.end()
            return match[0]
        start = self._at
        self._skip(_STRING)
        quoted = self._text[start : self._at]
        return str(tomllib.loads(f"key = {quoted}")["key"])

    def _separator(self) -> None:
        """Nothing; blanks and a comma, if there is one, are behind us."""
        self._skip(_BLANK)
        self._passed(",")
        self._skip(_BLANK)

    def _passed(self, mark: str) -> bool:
        """Whether *mark* was next; if so, it is behind us."""
        found = self._text.startswith(mark, self._at)
        if found:
            self._at += len(mark)
        return found

    def _skip(self, pattern: re.Pattern[str]) -> None:
        """
        Nothing; what *pattern* matches here is behind us.

        Raises AssertionError: nothing does, though the text is valid: this walk would never end.
        """
        match = pattern.match(self._text, self._at)
        assert match is not None, f"not TOML at character {self._at}"
        self._at = match.end()

    def _line(self) -> int:
        """The line that we are on, counted from 1."""
        return bisect.bisect_left(self._breaks, self._at) + 1
