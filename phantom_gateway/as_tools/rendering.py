"""
From values to lines: the table of the original tools, and its long form.

Owns: columns, their widths, headings, delimiters and quotes. Does not own: which columns there are (``table``). What
scripts count on: the first word says what a line is about, two blanks part columns, and a column that is empty in all
lines is left out unless empty fields are shown.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phantom_gateway.as_tools.grammar import Column, Line

GAP = "  "
"""Two blanks: the third field of ``cut -d " "`` is the second column."""

NOTHING = "(nil)"

_UNPRINTABLE = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029), " ")
"""A line stays a line, and no terminal obeys what somebody put into a tag."""

Cells = list[str]


@dataclass(frozen=True, slots=True)
class Style:
    """How to show lines. *delimiter* None: a table; else the long form."""

    delimiter: str | None = None
    headers: bool = False
    shows_empty: bool = False


def render(lines: Sequence[Line], result: Mapping[str, Any], style: Style) -> Iterator[str]:
    """The lines about *result*, without their ends."""
    for line in lines:
        yield from _block(line, result, style)


def cell(value: object) -> str:
    """One value as text: lists joined by commas, block devices as they are written in options."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return _device(value)
    if isinstance(value, list):
        return ",".join(cell(each) for each in value)
    return str(value).translate(_UNPRINTABLE)


def _block(line: Line, around: Mapping[str, Any], style: Style) -> Iterator[str]:
    """The lines about one list; their widths are common to all of them, wherever children stand between them."""
    things = _things(line, around)
    columns = [column for column in line.columns if style.delimiter is not None or not column.long]
    rows = [[_at(column.path, thing, around) for column in columns] for thing in things]
    written = _writer(line.kind, columns, rows, style)
    if things and style.headers:
        yield written([column.header for column in columns])
    for thing, row in zip(things, rows, strict=True):
        yield written(row)
        for child in line.children:
            yield from _block(child, thing, style)


def _things(line: Line, around: Mapping[str, Any]) -> list[Any]:
    if not line.path:
        return [around]
    found = around.get(line.path)
    if found is None:
        return []
    return found if isinstance(found, list) else [found]


def _at(path: str, thing: Any, around: Mapping[str, Any]) -> str:
    """The text at *path* of *thing*; of what is around it, when the path begins with ``^``; *thing* without a path."""
    value: Any = around if path.startswith("^") else thing
    for name in filter(None, path.removeprefix("^").split(".")):
        value = value.get(name) if isinstance(value, Mapping) else None
    return cell(value)


def _writer(kind: str, columns: Sequence[Column], rows: Iterable[Cells], style: Style) -> Callable[[Cells], str]:
    """How the cells of one row become a line."""
    if style.delimiter is not None:
        delimiter = style.delimiter
        return lambda cells: delimiter.join(_quoted(text or NOTHING, delimiter) for text in (kind, *cells))
    rows = list(rows)
    shown = [place for place, _ in enumerate(columns) if style.shows_empty or any(row[place] for row in rows)]
    empty = NOTHING if style.shows_empty else ""
    heads = [column.header for column in columns] if style.headers else [""] * len(columns)
    widths = {
        place: max((len(text) for text in (heads[place], *(row[place] or empty for row in rows))), default=0)
        for place in shown
    }
    return lambda cells: GAP.join((kind, *((cells[place] or empty).ljust(widths[place]) for place in shown))).rstrip()


def _quoted(text: str, delimiter: str) -> str:
    """*text*, in quotes when a reader would otherwise take it apart."""
    return '"' + text.replace('"', '""') + '"' if delimiter in text or '"' in text else text


def _device(mapping: Mapping[str, Any]) -> str:
    """``device=snapshot:GiB``, ``device=ephemeral0`` or ``device=none``."""
    ebs = mapping.get("Ebs") or {}
    what = mapping.get("VirtualName") or ":".join((ebs.get("SnapshotId") or "", ebs.get("VolumeSize") or ""))
    if str(mapping.get("NoDevice")).lower() == "true":
        what = "none"
    return f"{cell(mapping.get('DeviceName'))}={cell(what)}"
