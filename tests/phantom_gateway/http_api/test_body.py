"""Bodies, queries and paths: whatever the bytes are, they are read exactly, or refused as the client's mistake."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

from hypothesis import given
from hypothesis import strategies as st

from phantom_gateway.front.http_api.body import read_form, read_json, read_path, read_query
from phantom_gateway.operations.http_api.errors import JsonError

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
PIECES = [
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b":",
    b",",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"NaN",
    b"-",
    b"1e999",
    b"\xff",
    b"a",
]


def outcome(read: Callable[[bytes], Any], body: bytes) -> Any:
    """What *read* makes of *body*, or how it refuses it."""
    try:
        return read(body)
    except JsonError as error:
        return error


@given(VALUES, st.booleans())
def test_json_is_read_as_it_was_meant(value: Any, is_ascii: bool) -> None:
    """What any program writes as JSON, in either way of writing text, is the value that it had."""
    body = json.dumps(value, ensure_ascii=is_ascii).encode()

    assert read_json(body) == value


@given(st.binary(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join))
def test_anything_else_is_refused_in_a_sentence(body: bytes) -> None:
    """F82: any bytes are a value that can be written again as UTF-8, or a 400."""
    value = outcome(read_json, body)

    if isinstance(value, JsonError):
        assert (value.status, value.error) == (400, "BadRequest")
    else:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


@given(st.dictionaries(TEXTS.filter(bool), TEXTS, max_size=10))
def test_forms_and_queries_are_read_as_they_were_meant(fields: dict[str, str]) -> None:
    """What a browser sends is what is found, blanks and signs included."""
    text = urlencode(fields)

    assert read_query(text) == fields
    assert read_form(text.encode()) == fields


@given(st.binary(max_size=40))
def test_a_form_of_any_bytes_is_fields_or_refused(body: bytes) -> None:
    """Nothing that is no form gets further than a 400."""
    fields = outcome(read_form, body)

    if isinstance(fields, JsonError):
        assert (fields.status, fields.error) == (400, "BadRequest")
    else:
        assert all(isinstance(value, str) for value in fields.values())


@given(TEXTS)
def test_a_path_is_decoded_once(text: str) -> None:
    """A quoted path is what was quoted; what is no UTF-8 names nothing."""
    assert read_path(quote(text)) == text
    assert read_path("%ff") is None
