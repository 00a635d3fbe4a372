"""
What holds for every request: what botocore signs is accepted, what was changed afterwards is not, and nothing crashes.

Does not own: named cases (test_sigv4, test_sigv2, test_signature).
"""

from contextlib import suppress
from dataclasses import replace
from urllib.parse import parse_qsl

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from protocol import signature, sigv4
from protocol.errors import ApiError
from protocol.wire import Request
from tests.protocol.signing import KEY, NOW, SECRET, presigned_v4, signed_v2, signed_v4, verify, with_header

QUICK = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ALNUM = "abcdefghijklmnopqrstuvwxyz0123456789"

names = st.from_regex(r"[A-Za-z][A-Za-z0-9.:_~-]{0,20}", fullmatch=True).filter(
    lambda name: not name.startswith("X-Amz-") and name not in {"Signature", "SecurityToken", "Expires", "Timestamp"}
)
values = (
    st.text(max_size=30) | st.text("ab +/%&=~*'();:@,?#[]!$\\\"é", max_size=30) | st.text("\U0001f600界ñ", max_size=8)
)
params = st.dictionaries(names, values.filter(lambda text: text.isprintable() or "\n" in text), min_size=1, max_size=8)
hosts = st.sampled_from(["127.0.0.1:8445", "127.0.0.1", "gw.example:8445", "gw.example", "localhost:1", "[::1]:8445"])
methods = st.sampled_from(["GET", "POST"])
scopes = st.from_regex(r"[a-z0-9-]{1,20}", fullmatch=True)


@st.composite
def v4_requests(draw: st.DrawFn) -> Request:
    """Requests signed in the Authorization header."""
    return signed_v4(
        draw(params),
        method=draw(methods),
        host=draw(hosts),
        path=draw(st.sampled_from(["/", "/", "/api/", "/a%20b"])),
        region=draw(scopes),
        service=draw(scopes),
        headers=draw(st.sampled_from([{}, {"amz-sdk-request": "attempt=1"}, {"X-Amz-User-Agent": "a b"}])),
    )


presigned_requests = st.builds(presigned_v4, params, host=hosts, expires_s=st.integers(1, 604_800), region=scopes)
v2_requests = st.builds(signed_v2, params, method=methods, host=hosts)
signed_requests = v4_requests() | presigned_requests | v2_requests


@settings(QUICK, max_examples=400)
@given(signed_requests)
def test_what_botocore_signs_is_accepted(request_: Request) -> None:
    """Any operation, value, address, region and method, in the header, presigned, or with version 2."""
    assert verify(request_) == KEY


def refused(request: Request) -> None:
    """Nothing, when *request* is refused as the front would refuse it."""
    with pytest.raises(ApiError):
        verify(request)


def change_one(data: st.DataObject, text: str, *, cases_differ: bool = False) -> str:
    """*text* with one of its ASCII letters or digits replaced by another one."""
    places = [place for place, char in enumerate(text) if char.isascii() and char.isalnum()]
    assume(places)
    place = data.draw(st.sampled_from(places))
    new = data.draw(st.sampled_from(ALNUM + (ALNUM.upper() if cases_differ else "")))
    assume(new != text[place] if cases_differ else new.lower() != text[place].lower())
    return text[:place] + new + text[place + 1 :]


@QUICK
@given(st.data(), signed_requests)
def test_another_method_or_path_is_refused(data: st.DataObject, request_: Request) -> None:
    """Method and path are signed by all schemes."""
    if data.draw(st.booleans(), label="change the method"):
        changed = replace(request_, method=data.draw(st.sampled_from(["PUT", "DELETE", "HEAD", "get", "post", ""])))
    else:
        changed = replace(request_, path=data.draw(st.sampled_from(["/x", "/api", "//y/", "/a%2520b", "/A%20b/"])))
    assume(changed != request_)

    refused(changed)


@QUICK
@given(st.data(), signed_requests)
def test_a_changed_query_is_refused(data: st.DataObject, request_: Request) -> None:
    """One letter or digit of the query, anywhere: parameters, escapes, credential, date, signature."""
    query = change_one(data, request_.query)
    assume(parse_qsl(query, keep_blank_values=True) != parse_qsl(request_.query, keep_blank_values=True))

    refused(replace(request_, query=query))


@QUICK
@given(st.data(), signed_requests)
def test_a_parameter_added_or_taken_away_is_refused(data: st.DataObject, request_: Request) -> None:
    """No parameter can be added to the query, or any of them left out."""
    pairs = request_.query.split("&") if request_.query else []
    one_less = data.draw(st.booleans(), label="take one away")
    if pairs and one_less:
        del pairs[data.draw(st.integers(0, len(pairs) - 1))]
    else:
        pairs.insert(data.draw(st.integers(0, len(pairs))), "ForceDelete=true")

    refused(replace(request_, query="&".join(pairs)))


@QUICK
@given(st.data(), v4_requests().filter(lambda request: request.body != b""))
def test_a_changed_body_is_refused(data: st.DataObject, request_: Request) -> None:
    """F86: every byte of the body is bound by version 4."""
    place = data.draw(st.integers(0, len(request_.body) - 1))
    new = data.draw(st.integers(0, 255))
    assume(new != request_.body[place])
    body = bytearray(request_.body)
    body[place] = new

    refused(replace(request_, body=bytes(body)))


@QUICK
@given(st.data(), v2_requests.filter(lambda request: request.body != b""))
def test_a_changed_form_is_refused(data: st.DataObject, request_: Request) -> None:
    """Every parameter of a form is bound by version 2, whatever spelling its bytes have."""
    form = request_.body.decode()
    changed = change_one(data, form, cases_differ=True)
    assume(parse_qsl(changed, keep_blank_values=True) != parse_qsl(form, keep_blank_values=True))

    refused(replace(request_, body=changed.encode()))


@QUICK
@given(st.data(), v4_requests())
def test_a_changed_signed_header_is_refused(data: st.DataObject, request_: Request) -> None:
    """F86: every signed header but Host, whose port may differ; and every letter of Authorization itself."""
    signed = signature.read_claim(request_, NOW).parts
    assert isinstance(signed, sigv4.Parts)
    name = data.draw(st.sampled_from([*(set(signed.signed_headers) - {"host"}), "authorization"]))
    value = change_one(data, request_.header(name) or "", cases_differ=True)

    refused(with_header(request_, name, value))


@QUICK
@given(st.data(), signed_requests)
def test_another_host_is_refused(data: st.DataObject, request_: Request) -> None:
    """F85: the name in Host is bound, its port is not."""
    name, colon, port = (request_.header("host") or "").partition(":8445")
    changed = change_one(data, name)
    assume(changed.rpartition(":")[0] != name.rpartition(":")[0] or ":" not in changed)

    refused(with_header(request_, "host", changed + colon + port))


@QUICK
@given(signed_requests, st.text(min_size=1, max_size=40).filter(lambda text: text != SECRET))
def test_another_secret_is_refused(request_: Request, secret: str) -> None:
    """No other secret verifies, whatever characters it has."""
    with pytest.raises(ApiError):
        verify(request_, keys={KEY: secret})


header_names = st.sampled_from(
    ["host", "authorization", "x-amz-date", "date", "x-amz-content-sha256", "x-amz-security-token", "content-type"]
)
fragments = st.sampled_from(
    [
        "AWS4-HMAC-SHA256 ",
        f"Credential={KEY}/20130819/us-east-1/autoscaling/aws4_request",
        "SignedHeaders=host;x-amz-date",
        f"Signature={'0' * 64}",
        ", ",
        "20130819T205329Z",
        "2013-08-19T20:53:29Z",
        "Mon, 19 Aug 2013 20:53:29 GMT",
        "&",
        "=",
        "X-Amz-Algorithm=AWS4-HMAC-SHA256",
        f"X-Amz-Credential={KEY}/20130819/us-east-1/autoscaling/aws4_request",
        "X-Amz-Date=20130819T205329Z",
        "X-Amz-Expires=60",
        "X-Amz-SignedHeaders=host",
        f"X-Amz-Signature={'0' * 64}",
        f"AWSAccessKeyId={KEY}",
        "SignatureVersion=2",
        "SignatureMethod=HmacSHA256",
        "Timestamp=2013-08-19T20:53:29Z",
        "Signature=AAAA",
        "%",
        "\ud800",
        "\udcff",
    ]
)
noise = st.lists(fragments | st.text(st.characters(), max_size=6), max_size=12).map("".join)
noisy_query = st.lists(fragments | st.text(st.characters(), max_size=6), max_size=12).map("&".join)
noisy_requests = st.builds(
    Request,
    method=st.sampled_from(["GET", "POST"]) | st.text(st.characters(), max_size=3),
    path=st.just("/") | st.text(st.characters(), max_size=6),
    query=noisy_query,
    headers=st.lists(st.tuples(header_names, noise), max_size=6).map(lambda found: (("host", "gw"), *found)).map(tuple),
    body=noisy_query.map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=20),
)


@settings(QUICK, max_examples=400)
@given(noisy_requests)
def test_noise_is_refused_by_an_api_error(request_: Request) -> None:
    """Whatever arrives is refused in the words of the protocol; nothing else is ever raised, and nothing accepted."""
    refused(request_)


@QUICK
@given(st.data(), signed_requests)
def test_a_broken_request_never_crashes(data: st.DataObject, request_: Request) -> None:
    """A signed request, broken in any one place by any characters, is accepted or refused, and nothing else."""
    part = data.draw(st.sampled_from(["path", "query", "headers"]))
    junk = data.draw(st.text(st.characters(), max_size=4))
    if part == "headers":
        number = data.draw(st.integers(0, len(request_.headers) - 1))
        name, value = request_.headers[number]
        place = data.draw(st.integers(0, len(value)))
        changed = replace(
            request_,
            headers=(
                *request_.headers[:number],
                (name, value[:place] + junk + value[place:]),
                *request_.headers[number + 1 :],
            ),
        )
    else:
        text = getattr(request_, part)
        place = data.draw(st.integers(0, len(text)))
        changed = replace(request_, **{part: text[:place] + junk + text[place:]})

    with suppress(ApiError):
        assert verify(changed) == KEY
