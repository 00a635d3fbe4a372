"""Tables, long lines and XML say the same; and the table keeps the promises that scripts cut by."""

import csv
import functools
import io
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phantom_gateway.as_tools.answer import result_of
from phantom_gateway.as_tools.grammar import Column, Command, Line
from phantom_gateway.as_tools.rendering import NOTHING, Style, cell, render
from phantom_gateway.as_tools.table import COMMANDS
from phantom_gateway.as_tools.wire import Reply
from protocol.encode import encode_result
from protocol.model import ListShape, Operation, StructureShape, service
from tests.protocol.inputs import values

SHOWING = [command for command in COMMANDS.values() if command.lines]
WORDS = st.text("abcXYZ012-@./:", min_size=1, max_size=8)
GROUPS = COMMANDS["describe-auto-scaling-groups"].lines


def answered(operation: Operation, value: dict[str, Any]) -> dict[str, Any]:
    """*value* as it arrives after the trip through the gateway's XML."""
    text = encode_result(operation, value, request_id="r", namespace=service().namespace)
    return result_of(Reply(200, "", text.encode()), operation)


@functools.cache
def results(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """Answers to the command of that name, of what it shows: any that the model allows."""
    command = COMMANDS[name]
    output = service().operations[command.operation].output
    assert output is not None
    return shown_of(output, command.lines)


def shown_of(shape: StructureShape, lines: tuple[Line, ...]) -> st.SearchStrategy[dict[str, Any]]:
    """Structures with some of the members that *lines* are about."""
    found: dict[str, st.SearchStrategy[Any]] = {}
    for line in lines:
        if not line.path:
            found |= {column.path: values(shape.members[column.path].shape) for column in line.columns}
            continue
        listed = shape.members[line.path].shape
        thing = listed.member if isinstance(listed, ListShape) else listed
        if isinstance(thing, StructureShape):
            names = {column.path.partition(".")[0] for column in line.columns if not column.path.startswith("^")}
            own = {name: values(thing.members[name].shape) for name in sorted(names)}
            things: st.SearchStrategy[Any] = st.builds(
                lambda one, two: one | two,
                st.fixed_dictionaries({}, optional=own),
                shown_of(thing, line.children),
            )
        else:
            things = values(thing)
        found[line.path] = st.lists(things, max_size=3) if isinstance(listed, ListShape) else things
    return st.fixed_dictionaries({}, optional=found)


@st.composite
def answers(draw: st.DrawFn) -> tuple[Command, dict[str, Any]]:
    """A command that describes, and an answer to it, as it arrives."""
    command = draw(st.sampled_from(SHOWING))
    return command, answered(service().operations[command.operation], draw(results(command.name)))


def cells_of(lines: tuple[Line, ...], around: Any, *, long: bool) -> Iterator[list[str]]:
    """What has to be shown, line by line, straight from the answer: the judge's own reading of the table."""
    for line in lines:
        things = around.get(line.path, []) if line.path else [around]
        for thing in things if isinstance(things, list) else [things]:
            columns = [column for column in line.columns if long or not column.long]
            yield [line.kind, *(text_at(column, thing, around) for column in columns)]
            yield from cells_of(line.children, thing, long=long)


def text_at(column: Column, thing: Any, around: Any) -> str:
    """The text of one cell."""
    value = around if column.path.startswith("^") else thing
    for name in filter(None, column.path.removeprefix("^").split(".")):
        value = value.get(name) if isinstance(value, dict) else None
    return cell(value)


@settings(deadline=None)
@given(answers(), st.sampled_from(",|%;#:\t"))
def test_the_long_form_can_be_read_back(described: tuple[Command, dict[str, Any]], delimiter: str) -> None:
    """A reader of delimited files finds every field of the answer, (nil) for what is empty."""
    command, result = described
    lines = list(render(command.lines, result, Style(delimiter)))
    read = list(csv.reader(io.StringIO("".join(f"{line}\n" for line in lines)), delimiter=delimiter, strict=True))
    expected = [[text or NOTHING for text in cells] for cells in cells_of(command.lines, result, long=True)]

    assert read == expected


@settings(deadline=None)
@given(st.lists(st.text('a,|" \n', max_size=4), min_size=1, max_size=4), st.sampled_from(",|"))
def test_what_holds_the_delimiter_is_quoted(texts: list[str], delimiter: str) -> None:
    """However many delimiters, quotes and line breaks are in the fields, the same fields are read back."""
    line = Line("KIND", "", tuple(Column(str(place), str(place)) for place, _ in enumerate(texts)))
    [shown] = render([line], {str(place): text for place, text in enumerate(texts)}, Style(delimiter))
    [read] = csv.reader([shown], delimiter=delimiter, strict=True)

    assert read == ["KIND", *(text.replace("\n", " ") or NOTHING for text in texts)]


@settings(deadline=None)
@given(answers())
def test_the_table_has_the_lines_and_words_of_the_answer(described: tuple[Command, dict[str, Any]]) -> None:
    """Line by line, the words between blanks are those of the answer's cells, with (nil) shown for empty ones."""
    command, result = described
    lines = list(render(command.lines, result, Style(shows_empty=True)))
    expected = [
        " ".join(text or NOTHING for text in cells).split() for cells in cells_of(command.lines, result, long=False)
    ]

    assert [line.split() for line in lines] == expected


@settings(deadline=None)
@given(answers(), st.booleans(), st.booleans())
def test_a_line_stays_one_line(described: tuple[Command, dict[str, Any]], headers: bool, shows_empty: bool) -> None:
    """Whatever somebody put into a tag or a description, no line is broken and no terminal is told to do anything."""
    command, result = described
    for style in (Style(None, headers, shows_empty), Style(",", headers, shows_empty)):
        for line in render(command.lines, result, style):
            assert line.splitlines() in ([line], [])
            assert "\x1b" not in line
            assert line.split(" ")[0].split(",")[0] in kinds(command.lines)


@settings(deadline=None)
@given(st.lists(st.lists(WORDS, min_size=3, max_size=3), min_size=1, max_size=5), st.booleans())
def test_two_blanks_part_columns_that_stand_below_each_other(rows: list[list[str]], headers: bool) -> None:
    """Each column begins at one place in all lines, two blanks after the longest of the column before."""
    line = Line("KIND", "Things", tuple(Column(name.upper(), name) for name in ("One", "Two", "Three")))
    result = {"Things": [dict(zip(("One", "Two", "Three"), row, strict=True)) for row in rows]}
    shown = list(render([line], result, Style(headers=headers)))
    table = ([["ONE", "TWO", "THREE"]] if headers else []) + rows
    starts = [len("KIND  "), len("KIND  ") + max(len(row[0]) for row in table) + 2]
    starts.append(starts[1] + max(len(row[1]) for row in table) + 2)

    assert [[text[start:].split(" ")[0] for start in starts] for text in shown] == table
    assert all(text.split(" ")[2] == row[0] for text, row in zip(shown, table, strict=True))
    assert all(text == text.rstrip() for text in shown)


def kinds(lines: tuple[Line, ...]) -> set[str]:
    """The first words of the lines and their children."""
    return {line.kind for line in lines} | {kind for line in lines for kind in kinds(line.children)}


def test_a_column_that_is_empty_in_some_lines_keeps_its_place() -> None:
    """As in a transcript of 2013: an activity in progress has no end, and the group's name stays where it was."""
    activity = {"ActivityId": "a", "AutoScalingGroupName": "web", "StatusCode": "InProgress"}
    ended = activity | {"EndTime": "2013-05-22T23:03:08Z", "StatusCode": "Successful"}
    lines = list(render(COMMANDS["describe-scaling-activities"].lines, {"Activities": [activity, ended]}, Style()))

    assert lines == [
        "ACTIVITY  a                        web  InProgress",
        "ACTIVITY  a  2013-05-22T23:03:08Z  web  Successful",
    ]


def test_alarms_stand_below_their_policies() -> None:
    """As in a transcript of 2013: headings of policies once, those of alarms before each policy's alarms."""
    policies = [
        {"AutoScalingGroupName": "g", "PolicyName": name, "ScalingAdjustment": by, "Alarms": [{"AlarmName": alarm}]}
        for name, by, alarm in (("down", "-1", "low"), ("up", "1", "high"))
    ]
    lines = list(render(COMMANDS["describe-policies"].lines, {"ScalingPolicies": policies}, Style(headers=True)))

    assert lines == [
        "SCALING-POLICY  GROUP-NAME  POLICY-NAME  SCALING-ADJUSTMENT",
        "SCALING-POLICY  g           down         -1",
        "ALARM  ALARM-NAME  POLICY-NAME",
        "ALARM  low         down",
        "SCALING-POLICY  g           up           1",
        "ALARM  ALARM-NAME  POLICY-NAME",
        "ALARM  high        up",
    ]


@pytest.mark.parametrize(
    ("mapping", "expected"),
    [
        pytest.param({"DeviceName": "sda", "Ebs": {"SnapshotId": "s", "VolumeSize": "8"}}, "sda=s:8", id="snapshot"),
        pytest.param({"DeviceName": "sda", "Ebs": {"VolumeSize": "8"}}, "sda=:8", id="size alone"),
        pytest.param({"DeviceName": "sdb", "VirtualName": "ephemeral0"}, "sdb=ephemeral0", id="ephemeral"),
        pytest.param({"DeviceName": "sdc", "NoDevice": "true"}, "sdc=none", id="none"),
    ],
)
def test_block_devices_are_shown_as_they_are_given(mapping: dict[str, Any], expected: str) -> None:
    """What is shown can be given to as-create-launch-config again."""
    assert cell([mapping]) == expected


def test_groups_of_several_zones_have_them_joined() -> None:
    """By commas, in one column; empty columns of all groups are left out."""
    group = {"AutoScalingGroupName": "web", "AvailabilityZones": ["a", "b"], "MinSize": "0", "LoadBalancerNames": []}

    assert list(render(GROUPS, {"AutoScalingGroups": [group]}, Style())) == ["AUTO-SCALING-GROUP  web  a,b  0"]
    assert list(render(GROUPS, {"AutoScalingGroups": [group]}, Style(shows_empty=True))) == [
        "AUTO-SCALING-GROUP  web  (nil)  a,b  (nil)  0  (nil)  (nil)  (nil)"
    ]
