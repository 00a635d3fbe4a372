"""
How the form of a request is read.

Owns: unescaping, duplicates, poison and floods. Does not own: what dotted names mean, see test_decode.
"""

import time
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import ApiError
from protocol.form import FIELDS_MAX, NAME_DEPTH_MAX, NAME_LENGTH_MAX, action_of, find_operation, read_form
from protocol.wire import Request


def get(query: str) -> Request:
    """A GET with *query*."""
    return Request("GET", "/", query, ())


def post(body: bytes, query: str = "", content_type: str = "application/x-www-form-urlencoded") -> Request:
    """A POST of *body*."""
    return Request("POST", "/", query, (("content-type", content_type),), body)


def refusal(request: Request) -> ApiError:
    """The error with which *request* is refused."""
    with pytest.raises(ApiError) as caught:
        read_form(request)
    return caught.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Action=A&MinSize=1", {"Action": "A", "MinSize": "1"}, id="plain"),
        pytest.param("Name=a%20b+c%2Bd", {"Name": "a b c+d"}, id="two spellings of a blank"),
        pytest.param("Name=caf%C3%A9%F0%9F%9A%80", {"Name": "caf\u00e9\U0001f680"}, id="utf-8"),
        pytest.param("Tags%2Emember%2E1%2EKey=k", {"Tags.member.1.Key": "k"}, id="escaped name"),
        pytest.param("A=b=c%3D", {"A": "b=c="}, id="equals sign in a value"),
        pytest.param("SecurityGroups=&Action", {"SecurityGroups": "", "Action": ""}, id="empty values"),
        pytest.param("&&A=1&&=x&", {"A": "1"}, id="nothing between ampersands"),
        pytest.param("A=100%&B=%zz", {"A": "100%", "B": "%zz"}, id="percent sign that escapes nothing"),
        pytest.param("UserData=QUJD%0AREVG%0D%0A%09", {"UserData": "QUJD\nREVG\r\n\t"}, id="line ends and tabs"),
        pytest.param("A=%7F%C2%85", {"A": "\x7f\x85"}, id="controls that XML carries"),
    ],
)
def test_query_string_and_body_are_read_alike(text: str, expected: dict[str, str]) -> None:
    """The same text gives the same form in the query string and in a body of any content type."""
    assert read_form(get(text)) == expected
    assert read_form(post(text.encode())) == expected
    assert read_form(post(text.encode(), content_type="text/plain")) == expected


def test_both_halves_of_a_request_are_one_form() -> None:
    """Some clients put the signature in the query string and the parameters in the body."""
    assert read_form(post(b"MinSize=1", "Action=A")) == {"Action": "A", "MinSize": "1"}


def test_only_a_post_has_parameters_in_its_body() -> None:
    """A body that came with a GET is not part of the form."""
    assert read_form(Request("GET", "/", "Action=A", (), b"Action=B")) == {"Action": "A"}


def test_bytes_of_utf8_may_stand_unescaped() -> None:
    """Scripts that escape too little are understood as long as they send UTF-8."""
    assert read_form(post("Name=caf\u00e9&B=\u20ac%20".encode())) == {"Name": "caf\u00e9", "B": "\u20ac "}


@given(st.dictionaries(st.text("abcXYZ.019 &=+%\u00e9", min_size=1), st.text("ab &=+%;#\u00e9\U0001f680\n")))
def test_forms_are_read_as_the_standard_library_writes_them(form: dict[str, str]) -> None:
    """Whatever urlencode writes is read back, and as parse_qsl reads it."""
    text = urlencode(form)

    assert read_form(get(text)) == form == dict(parse_qsl(text, keep_blank_values=True))


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(get("A=1&A=1"), id="within the query string"),
        pytest.param(post(b"A=1&A=2"), id="within the body"),
        pytest.param(post(b"A=1", "A=1"), id="across both"),
        pytest.param(get("A=1&%41=2"), id="in two spellings"),
        pytest.param(get("A&A="), id="both empty"),
    ],
)
def test_a_parameter_given_twice_is_refused(request_: Request) -> None:
    """F86: two values for one name would let the signature, the checks and the operation see different ones."""
    error = refusal(request_)

    assert (error.code, error.status) == ("InvalidQueryParameter", 400)
    assert "'A'" in error.message


@pytest.mark.parametrize(
    ("request_", "name"),
    [
        pytest.param(get("Good=1&Bad=%FF"), "Bad", id="lone byte"),
        pytest.param(get("Bad=%C3"), "Bad", id="half a character"),
        pytest.param(get("Bad=%ED%A0%80"), "Bad", id="surrogate"),
        pytest.param(get("Bad=%C0%80"), "Bad", id="overlong nul"),
        pytest.param(post(b"Good=1&Bad=\xff&Else=1"), "Bad", id="raw byte"),
        pytest.param(get("Bad=\udcff"), "Bad", id="raw byte as a server hands it on"),
        pytest.param(get("Bad=\udcff%20"), "Bad", id="raw byte beside an escape"),
        pytest.param(get("Bad%FF=1"), "Bad%FF", id="in a name"),
    ],
)
def test_text_that_is_not_utf8_is_refused_by_name(request_: Request, name: str) -> None:
    """F83: bytes that are no text are the client's error, and the message says where they are."""
    error = refusal(request_)

    assert (error.code, error.status) == ("MalformedQueryString", 400)
    assert f"'{name}'" in error.message


@pytest.mark.parametrize("where", ["query", "body", "raw", "name"])
@pytest.mark.parametrize(
    "character", ["\x00", "\x01", "\x08", "\x0b", "\x0c", "\x1b", "\x1f", "\ufffe", "\uffff"], ids=ascii
)
def test_characters_that_xml_cannot_carry_are_refused(character: str, where: str) -> None:
    """F83: one such character in a recorded name would break every later Describe for every client."""
    request = {
        "query": get(urlencode({"Tags.member.1.Value": f"a{character}b"})),
        "body": post(urlencode({"Tags.member.1.Value": f"a{character}b"}).encode()),
        "raw": post(f"Tags.member.1.Value=a{character}b".encode()),
        "name": get(urlencode({f"Tags.member.1.Value{character}": "a"})),
    }[where]

    error = refusal(request)

    assert (error.code, error.status) == ("ValidationError", 400)
    assert "'Tags.member.1.Value" in error.message
    assert f"U+{ord(character):04X}" in error.message
    assert character not in error.message


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(get("&".join(f"A.member.{i}=x" for i in range(100_000))), id="in the query string"),
        pytest.param(post(b"&".join(b"A.member.%d=x" % i for i in range(100_000))), id="in the body"),
        pytest.param(post(b"&" * 1_000_000), id="of nothing"),
    ],
)
def test_a_flood_of_parameters_costs_nothing(request_: Request) -> None:
    """F81: a hundred thousand fields are refused before they are taken apart."""
    began = time.process_time()

    error = refusal(request_)

    assert (error.code, error.status) == ("InvalidQueryParameter", 400)
    assert str(FIELDS_MAX) in error.message
    assert time.process_time() - began < 0.1


def test_the_limit_of_parameters_counts_both_halves() -> None:
    """As many parameters as the limit are read; one more is refused wherever it stands."""
    half = FIELDS_MAX // 2
    query = "&".join(f"Q{i}=x" for i in range(half))
    body = "&".join(f"B{i}=x" for i in range(FIELDS_MAX - half))

    assert len(read_form(post(body.encode(), query))) == FIELDS_MAX
    assert refusal(post(f"{body}&C=x".encode(), query)).code == "InvalidQueryParameter"


@pytest.mark.parametrize(
    ("name", "is_read"),
    [
        pytest.param("A" * NAME_LENGTH_MAX, True, id="longest"),
        pytest.param("A" * (NAME_LENGTH_MAX + 1), False, id="too long"),
        pytest.param("A" + ".A" * NAME_DEPTH_MAX, True, id="deepest"),
        pytest.param("A" + ".A" * (NAME_DEPTH_MAX + 1), False, id="too deep"),
        pytest.param("." * (NAME_DEPTH_MAX + 1) + "A" * 32, False, id="dots alone"),
        pytest.param("A" + ".A" * 250, False, id="depth 250"),
        pytest.param("A" + ".A" * 500, False, id="depth 500"),
    ],
)
def test_names_have_limits(name: str, is_read: bool) -> None:
    """F81: a name that no operation can have is refused before anything is built from it."""
    if is_read:
        assert read_form(get(f"{name}=1")) == {name: "1"}
    else:
        error = refusal(get(f"{name}=1"))
        assert error.code == "InvalidQueryParameter"
        assert len(error.message) < 250


@pytest.mark.parametrize(
    ("form", "action"),
    [
        pytest.param({"Action": "SetDesiredCapacity"}, "SetDesiredCapacity", id="Action"),
        pytest.param({"Operation": "SetDesiredCapacity"}, "SetDesiredCapacity", id="its synonym"),
        pytest.param({"Action": "A", "Operation": "B"}, "A", id="both"),
    ],
)
def test_the_action_is_named_by_either_word(form: dict[str, str], action: str) -> None:
    """Operation is an old synonym of Action, and counts only without it."""
    assert action_of(form) == action


@pytest.mark.parametrize("form", [{}, {"Action": ""}, {"action": "A"}], ids=["none", "empty", "other case"])
def test_a_request_without_action_is_refused(form: dict[str, str]) -> None:
    """A missing Action has a code of its own."""
    with pytest.raises(ApiError) as caught:
        action_of(form)

    assert (caught.value.code, caught.value.status) == ("MissingAction", 400)


@pytest.mark.parametrize(
    ("name", "version", "message"),
    [
        pytest.param("Nope", "2011-01-01", "Could not find operation Nope for version 2011-01-01", id="unknown"),
        pytest.param("Nope", None, "Could not find operation Nope for version 2011-01-01", id="no version"),
        pytest.param(
            "DeleteTrigger", "2009-05-15", "Could not find operation DeleteTrigger for version 2009-05-15", id="old"
        ),
        pytest.param(
            "setdesiredcapacity", "", "Could not find operation setdesiredcapacity for version 2011-01-01", id="case"
        ),
        pytest.param("A" * 999, "", f"Could not find operation {'A' * 100}... for version 2011-01-01", id="long"),
    ],
)
def test_an_unknown_action_is_named_in_the_refusal(name: str, version: str | None, message: str) -> None:
    """The message names the operation and the version as AWS does, and is cut when a client sends a novel."""
    with pytest.raises(ApiError) as caught:
        find_operation(name, version)

    assert (caught.value.code, caught.value.status, caught.value.message) == ("InvalidAction", 400, message)


@pytest.mark.parametrize("version", ["2009-05-15", "2010-08-01", "2011-01-01", "1999-01-01", None])
def test_operations_are_found_in_every_version(version: str | None) -> None:
    """Old clients are served by the present operations."""
    assert find_operation("SetDesiredCapacity", version).name == "SetDesiredCapacity"
