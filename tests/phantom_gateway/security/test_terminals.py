"""What others wrote does not steer the terminal of whoever reads it: names, tags, and what clouds answered."""

import unicodedata
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from phantom_gateway.terminal import print_facts, print_sheet, print_table, say

HOSTILE = [
    pytest.param("web\x1b[2J\x1b]0;owned\x07", id="clears the screen, names the window"),
    pytest.param("web\x9b2J", id="the same in eight bits, which AWS allows in names"),
    pytest.param("web\rroot", id="writes over the line"),
    pytest.param("\u202egpj.exe", id="turns the line around"),
    pytest.param("a\u2028b\u200b", id="breaks the line, hides"),
    pytest.param("[red]web[/red][link=http://else]x[/link]", id="markup"),
    pytest.param("[/]", id="markup that ends what was not begun"),
    pytest.param("=cmd|'/c calc'!A1", id="a formula: there are no spreadsheets here, and it stays as it is"),
]


def printed(text: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What each way of showing makes of *text*."""
    shows: list[Any] = [
        lambda: print_table(("name", "reason"), [(text, "because")], as_json=False),
        lambda: print_table(("name",), [(text,)], as_json=True),
        lambda: print_sheet(text, [("quota", text)]),
        lambda: print_facts({"name": text}, as_json=False),
        lambda: say(f"{text} is frozen now."),
        lambda: say(f"There is no group called {text}.", err=True),
    ]
    found = []
    for show in shows:
        show()
        streams = capsys.readouterr()
        found.append(streams.out + streams.err)
    return found


@pytest.mark.parametrize("text", HOSTILE)
def test_names_cannot_steer_a_terminal(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """F90: control characters, marks that turn text around, and markup are shown as what they are."""
    for output in printed(text, capsys):
        assert {char for char in output if unicodedata.category(char) in {"Cc", "Cf", "Zl", "Zp"}} <= {"\n"}
        if text.isprintable():
            assert text in output.replace("\n", "")


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
@example("[")
@example("\\[")
@example("[/x]")
def test_a_table_takes_any_text(text: str) -> None:
    """F90: no text breaks a listing, or the operator would see nothing of the others."""
    print_table(("name",), [(text,)], as_json=False)
