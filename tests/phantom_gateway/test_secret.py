"""A Secret shows itself to nobody who does not ask for it by name."""

import copy
import json
import pickle
from collections.abc import Callable
from dataclasses import asdict, dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phantom_gateway.secret import Secret

HUSH = "correct horse"


@dataclass(frozen=True)
class Holder:
    """Something that holds a secret, as a configuration does."""

    secret: Secret


@pytest.mark.parametrize(
    "show",
    [
        pytest.param(repr, id="repr"),
        pytest.param(str, id="str"),
        pytest.param(lambda secret: f"{secret}", id="f-string"),
        pytest.param(lambda secret: f"{secret!r:>20}", id="f-string of the repr"),
        pytest.param(lambda secret: f"{secret:>20}", id="f-string with a width"),
        pytest.param(lambda secret: "%s %r" % (secret, secret), id="percent"),  # noqa: UP031 - logging formats so
        pytest.param(lambda secret: repr([secret, {"key": secret}]), id="inside containers"),
        pytest.param(lambda secret: repr(Holder(secret)), id="inside a dataclass"),
        pytest.param(lambda secret: json.dumps({"key": secret}, default=str), id="JSON with a default"),
        pytest.param(lambda secret: repr(asdict(Holder(secret))), id="a dataclass as a dict"),
        pytest.param(lambda secret: repr(copy.deepcopy([secret])), id="a copy"),
    ],
)
def test_a_secret_is_shown_as_stars(show: Callable[[Secret], str]) -> None:
    """Whatever turns a secret into text gets stars."""
    text = show(Secret(HUSH))

    assert HUSH not in text
    assert "***" in text


@pytest.mark.parametrize(
    "give_away",
    [
        pytest.param(pickle.dumps, id="pickle"),
        pytest.param(json.dumps, id="JSON"),
        pytest.param(hash, id="hash"),
        pytest.param(vars, id="vars"),
        pytest.param(lambda secret: secret.__getstate__(), id="state"),
        pytest.param(lambda secret: setattr(secret, "_value", "other"), id="change"),
        pytest.param(lambda secret: delattr(secret, "_value"), id="removal"),
    ],
)
def test_a_secret_is_not_given_away_by_accident(give_away: Callable[[Secret], object]) -> None:
    """What would write a secret somewhere, or change it, is refused; and the refusal does not hold it."""
    with pytest.raises(TypeError) as refusal:
        give_away(Secret(HUSH))

    assert HUSH not in str(refusal.value)


def test_a_secret_holds_only_text() -> None:
    """Bytes are refused by their kind, without being repeated."""
    with pytest.raises(TypeError, match="bytes") as refusal:
        Secret(HUSH.encode())  # type: ignore[arg-type]

    assert HUSH not in str(refusal.value)


def test_a_secret_is_not_equal_to_its_text() -> None:
    """A secret equals another secret and never a string, which could be compared bit by bit."""
    assert Secret(HUSH) != HUSH


@given(st.text(), st.text())
def test_secrets_are_equal_when_their_texts_are(one: str, other: str) -> None:
    """Equality is that of what is hidden, whatever the characters."""
    assert Secret(one).reveal() == one
    assert Secret(one) == Secret(one)
    assert (Secret(one) == Secret(other)) is (one == other)


def test_lone_surrogates_can_be_compared() -> None:
    """A variable whose bytes are not UTF-8 arrives with lone surrogates; comparing it raises nothing."""
    assert Secret("\udcff") == Secret("\udcff")
    assert Secret("\udcff") != Secret("\udcfe")
