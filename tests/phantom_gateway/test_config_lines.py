"""Lines of a TOML file: every key's is found, whatever shape TOML gives it."""

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phantom_gateway.config.errors import KeyPath
from phantom_gateway.config.lines import Lines

SHAPES = r'''
top = """one
two \""" three""""" # "x" = 1
'qu oted'."k.ey" = 1
array = [ # comment ] with a bracket
  { a = 1, "]" = "}" }, 2,
  [3, "#"],
]

[server]  # a comment
  port.inner = 1979-05-27T07:32:00Z
[ clouds . "a.b" ]
kind = 'it'
[clouds."a.b".images]
x = { command = ["a",
"b"], "d\u0065f" = {} }
[[users]]
name = 1
[users.password]
env = 2
[[users]]
[[users.keys]]
id = 3
[[users.keys]]
id = 4
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        pytest.param((), 1, id="nothing"),
        pytest.param(("top",), 2, id="string of two lines"),
        pytest.param(("qu oted", "k.ey"), 4, id="quoted keys"),
        pytest.param(("array", 0, "]"), 6, id="table in an array"),
        pytest.param(("array", 2, 1), 7, id="array in an array"),
        pytest.param(("server",), 10, id="table"),
        pytest.param(("server", "port", "inner"), 11, id="dotted key"),
        pytest.param(("server", "host"), 10, id="missing key"),
        pytest.param(("clouds",), 12, id="implied table"),
        pytest.param(("clouds", "a.b", "kind"), 13, id="key below a quoted table"),
        pytest.param(("clouds", "a.b", "images", "x", "command", 1), 16, id="inline table"),
        pytest.param(("clouds", "a.b", "images", "x", "def"), 16, id="escaped key"),
        pytest.param(("users",), 17, id="array of tables"),
        pytest.param(("users", 0, "name"), 18, id="first of many"),
        pytest.param(("users", 0, "password", "env"), 20, id="table of the first"),
        pytest.param(("users", 1), 21, id="second of many"),
        pytest.param(("users", 1, "name"), 21, id="missing in the second"),
        pytest.param(("users", 1, "keys", 1, "id"), 25, id="array in an array of tables"),
    ],
)
def test_every_key_has_its_line(path: KeyPath, line: int) -> None:
    """Whatever shape TOML gives a key, its line is found."""
    tomllib.loads(SHAPES)

    assert Lines(SHAPES).of(path) == line


def paths_in(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """The paths of all values below *value*."""
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from paths_in(item, (*path, key))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from paths_in(item, (*path, place))


FRAGMENTS = st.sampled_from(
    [
        "a = 1", 'a."b c" = "x"', "b = [1, [2], {c = 3}]", 'c = """x\n[y]\n"""', "d = '''\n=\n''''", "[t]", "[t.u]",
        "[[v]]", "[v.w]", "[[v.w2]]", "# c = [", "e = {f = {g = [\n1,\n]}}", 'h = "\\"]"', "", "  i = 1e3 # x",
        "[x . 'y']", "j.k = ''", 'l = [ # [\n"#", ]', 'm = """"q""""', "[[n]]", 'o = "a', "p = ",
    ]
)  # fmt: skip


@settings(max_examples=300)
@given(st.lists(FRAGMENTS, max_size=12))
def test_lines_are_found_for_exactly_the_keys_that_toml_sees(fragments: list[str]) -> None:
    """Our walk through the text and Python's reader agree on what is in it."""
    text = "\n".join(fragments)
    try:
        value = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    lines = Lines(text)

    assert all(path in lines._lines for path in paths_in(value))
    assert all(1 <= lines.of(path) <= text.count("\n") + 1 for path in paths_in(value))
