"""
Pages: what a token is good for, and how large a page may be.

Owns: that tokens are neither made nor moved by clients. Does not own: the lists themselves.
"""

import base64
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from protocol.errors import ApiError
from protocol.paging import TOKEN_LENGTH_MAX, PageTokens, page_size

TOKENS = PageTokens(b"a secret of 32 bytes, or so it is")
SCOPE = "DescribeAutoScalingGroups alice"


def is_refused(token: str, scope: str = SCOPE, tokens: PageTokens = TOKENS) -> bool:
    """True when *token* is answered with InvalidNextToken."""
    with pytest.raises(ApiError) as caught:
        tokens.read(token, scope)
    error = caught.value
    return (error.code, error.status, error.message) == ("InvalidNextToken", 400, "The NextToken value is not valid.")


@given(st.text(), st.text(max_size=510))
def test_a_token_leads_back_to_its_position(scope: str, position: str) -> None:
    """Any position of any list survives the trip, in characters that need no escaping in a URL."""
    token = TOKENS.issue(scope, position)

    assert TOKENS.read(token, scope) == position
    assert re.fullmatch(r"[A-Za-z0-9_-]+", token)
    assert len(token) <= TOKEN_LENGTH_MAX


@given(st.text(), st.text(), st.text())
def test_a_token_is_good_for_its_own_list_only(scope: str, other: str, position: str) -> None:
    """A token of another operation, user or filter is refused, also where texts could run into one another."""
    assume(scope != other)

    assert is_refused(TOKENS.issue(scope, position), other)
    if position:
        assert is_refused(TOKENS.issue(scope + position, ""), scope)


@given(st.text())
def test_made_up_tokens_are_refused(token: str) -> None:
    """F58: text that was not issued is no token."""
    assert is_refused(token)


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="empty"),
        pytest.param("web", id="name of the last group"),
        pytest.param(base64.urlsafe_b64encode(b"\0" * 16 + b"web").decode(), id="no signature"),
        pytest.param("A" * 1_000_000, id="a megabyte"),
        pytest.param("\u00e9\u0661", id="not ascii"),
        pytest.param(TOKENS.issue(SCOPE, "web") + "\n", id="line end"),
        pytest.param(TOKENS.issue(SCOPE, "web") + "====", id="padding"),
        pytest.param(TOKENS.issue(SCOPE, "web")[:-2], id="cut"),
    ],
)
def test_broken_tokens_are_refused(token: str) -> None:
    """Whatever is wrong with a token, the answer is the same and says nothing about why."""
    assert is_refused(token)


@given(st.integers(0, 10_000), st.sampled_from("AZaz09-_"))
def test_a_changed_token_is_refused(place: int, character: str) -> None:
    """Not one character of a token can be changed."""
    # Twenty-four bytes: every character of the token carries six bits of them.
    token = TOKENS.issue(SCOPE, "web-tier")
    place %= len(token)
    assume(token[place] != character)

    assert is_refused(token[:place] + character + token[place + 1 :])


def test_a_token_of_another_secret_is_refused() -> None:
    """Tokens of another installation are foreign."""
    assert is_refused(PageTokens(b"another secret").issue(SCOPE, "web"))


@pytest.mark.parametrize(
    ("max_records", "size"),
    [
        pytest.param(None, 50, id="default"),
        pytest.param(1, 1, id="least"),
        pytest.param(100, 100, id="most"),
    ],
)
def test_a_page_has_the_size_that_was_asked_for(max_records: int | None, size: int) -> None:
    """MaxRecords within its range is taken as it is."""
    assert page_size(max_records, 50, 100) == size


@pytest.mark.parametrize(
    ("records", "rule"),
    [
        pytest.param(101, "less than or equal to 100", id="above"),
        pytest.param(0, "greater than or equal to 1", id="zero"),
        pytest.param(-5, "greater than or equal to 1", id="negative"),
    ],
)
def test_a_page_size_out_of_range_is_refused(records: int, rule: str) -> None:
    """The model has no limits for MaxRecords, its documentation has; they are told in the model's words."""
    with pytest.raises(ApiError) as caught:
        page_size(records, 50, 100)

    assert caught.value.code == "ValidationError"
    assert caught.value.message == (
        f"1 validation error detected: Value '{records}' at 'maxRecords' "
        f"failed to satisfy constraint: Member must have value {rule}"
    )
