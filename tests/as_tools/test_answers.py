"""What endpoints answer: errors in their own words, pages put together, nonsense told as such, and never a hang."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from phantom_gateway.as_tools import wire
from tests.as_tools.calls import KEYS, call
from tests.as_tools.crooked_endpoint import SILENCE, Answer, crooked
from tests.as_tools.shell import Outcome

NAMESPACE = 'xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/"'
GROUPS = "describe-auto-scaling-groups"


def page(names: list[str], token: str = "") -> bytes:
    """One page of groups."""
    members = "".join(f"<member><AutoScalingGroupName>{name}</AutoScalingGroupName></member>" for name in names)
    more = f"<NextToken>{token}</NextToken>" if token else ""
    return (
        f"<DescribeAutoScalingGroupsResponse {NAMESPACE}><DescribeAutoScalingGroupsResult>"
        f"<AutoScalingGroups>{members}</AutoScalingGroups>{more}</DescribeAutoScalingGroupsResult>"
        "<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></DescribeAutoScalingGroupsResponse>"
    ).encode()


def error(code: str, message: str, namespace: str = NAMESPACE) -> bytes:
    """An error as the service sends it."""
    return (
        f"<ErrorResponse {namespace}><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        "<RequestId>r-1</RequestId></ErrorResponse>"
    ).encode()


def describe(url: str, *words: str) -> Outcome:
    """How the description of groups ended."""
    return call(GROUPS, *words, environ={**KEYS, "AWS_AUTO_SCALING_URL": url})


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        pytest.param(
            (400, {}, error("ValidationError", "1 &lt; 2")), "ValidationError: 1 < 2 (request id r-1)", id="own"
        ),
        pytest.param(
            (403, {}, error("AccessDenied", "No.", "")), "AccessDenied: No. (request id r-1)", id="no namespace"
        ),
        pytest.param(
            (
                400,
                {},
                b"<Response><Errors><Error><Code>Throttling</Code></Error></Errors><RequestID>r</RequestID></Response>",
            ),
            "Throttling:  (request id r)",
            id="EC2's form",
        ),
        pytest.param((200, {}, error("InternalFailure", "x")), "InternalFailure: x", id="with status 200"),
        pytest.param((502, {}, b"<html><body>Bad Gateway</body></html>"), "answered 502 and <html>", id="HTML"),
        pytest.param((200, {}, b"Hello\n\n there"), "200 and no XML: Hello there", id="no XML"),
        pytest.param((200, {}, b""), "200 and no XML: an empty body", id="nothing"),
        pytest.param((200, {}, b"<ListBucketResult/>"), "200 and <ListBucketResult>", id="another service"),
        pytest.param((301, {"Location": "http://else"}, b"<a/>"), "answered 301", id="elsewhere"),
        pytest.param(
            (200, {}, b'<!DOCTYPE x [<!ENTITY a "b">]>' + page(["&a;"])), "200 and no XML", id="entities of its own"
        ),
        pytest.param(SILENCE, "cannot be reached", id="silence"),
        pytest.param((200, {"Content-Length": "9999"}, page([])), "before its end", id="half an answer"),
    ],
)
def test_an_error_is_told_in_the_endpoints_own_words(answer: Answer, told: str) -> None:
    """Its code, its text and its request id; what is no answer of the service is told as what it is. Status 1."""
    with crooked(answer) as endpoint:
        outcome = describe(endpoint.url)

    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err.startswith(f"as-{GROUPS}: ")
    assert told in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_nothing_is_asked_twice() -> None:
    """After a lost answer the change may have been made: only the user can look."""
    with crooked(SILENCE) as endpoint:
        call("set-desired-capacity", "web", "-c", "1", environ={**KEYS, "AWS_AUTO_SCALING_URL": endpoint.url})

        assert len(endpoint.asked) == 1


@pytest.mark.parametrize(
    ("words", "shown", "sizes", "tokens"),
    [
        pytest.param([], ["a", "b", "c"], [None, None], [None, "t1"], id="all"),
        pytest.param(["--max-records", "1000"], ["a", "b", "c"], ["100", "100"], [None, "t1"], id="up to 1000"),
        pytest.param(["--max-records", "2"], ["a", "b"], ["2"], [None], id="one page"),
        pytest.param(["--max-records", "1"], ["a"], ["1"], [None], id="of an endpoint that gives too many"),
    ],
)
def test_pages_are_put_together(
    words: list[str], shown: list[str], sizes: list[str | None], tokens: list[str | None]
) -> None:
    """As many as wanted, in pages no larger than the service's largest."""
    with crooked(page(["a", "b"], "t1"), page(["c"])) as endpoint:
        outcome = describe(endpoint.url, *words)

    assert [line.split()[1] for line in outcome.lines] == shown
    assert [form.get("MaxRecords") for form in endpoint.asked] == sizes
    assert [form.get("NextToken") for form in endpoint.asked] == tokens


def test_a_page_that_leads_to_itself_ends() -> None:
    """An endpoint that ignores the token would otherwise be asked for ever."""
    with crooked(page(["a"], "same")) as endpoint:
        outcome = describe(endpoint.url)

        assert len(endpoint.asked) == 2
    assert (outcome.status, outcome.out) == (1, "")
    assert "the same page again" in outcome.err


def test_xml_is_one_page_and_says_so() -> None:
    """One document, as parsers want it; that there are more is told on standard error."""
    with crooked(page(["a"], "t1")) as endpoint:
        outcome = describe(endpoint.url, "--show-xml", "--max-records", "7")

        assert [form.get("MaxRecords") for form in endpoint.asked] == ["7"]
    assert outcome.out == page(["a"], "t1").decode() + "\n"
    assert "there are more" in outcome.err
    assert outcome.status == 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param(["--show-table", "--show-long", "--show-xml", "--quiet"], "AUTO-SCALING-GROUP  a\n", id="table"),
        pytest.param(["--quiet", "--show-xml", "--show-long"], "AUTO-SCALING-GROUP,a,(nil)", id="long before XML"),
        pytest.param(["--quiet", "--show-xml"], "<DescribeAuto", id="XML before silence"),
        pytest.param(["--quiet", "--delimiter", "|"], "", id="silence before a mere delimiter"),
        pytest.param(["--show-table", "--delimiter", "|"], "AUTO-SCALING-GROUP  a\n", id="a table all the same"),
        pytest.param(["--delimiter", "::"], "AUTO-SCALING-GROUP::a::(nil)", id="a delimiter alone"),
    ],
)
def test_of_several_forms_the_first_in_the_originals_order_counts(words: list[str], expected: str) -> None:
    """Table, long, XML, silence; a delimiter by itself asks for the long form."""
    with crooked(page(["a"])) as endpoint:
        outcome = describe(endpoint.url, *words)

    assert outcome.status == 0
    assert outcome.out.startswith(expected)
    assert bool(outcome.out) == bool(expected)


def test_a_shown_request_keeps_secrets() -> None:
    """What is asked is shown on standard error, without user data, key or signature."""
    with crooked(b"<CreateLaunchConfigurationResponse/>") as endpoint:
        outcome = call(
            *("create-launch-config", "lc", "-i", "img", "-t", "m1.small", "-d", "password", "--show-request"),
            environ={**KEYS, "AWS_AUTO_SCALING_URL": endpoint.url},
        )

    assert outcome.out == "OK-Created launch config\n"
    assert outcome.err.startswith(f"POST {endpoint.url}/\nAction=CreateLaunchConfiguration\n")
    assert "UserData=***\n" in outcome.err
    assert not any(secret in outcome.err for secret in ("Signature", *KEYS.values()))


def test_quiet_is_quiet_for_changes_and_arns() -> None:
    """No OK line, and no ARN."""
    with crooked(b"<PutScalingPolicyResponse><PutScalingPolicyResult/></PutScalingPolicyResponse>") as endpoint:
        outcome = call(
            *("put-scaling-policy", "up", "-g", "web", "-a", "1", "-t", "ExactCapacity", "--quiet"),
            environ={**KEYS, "AWS_AUTO_SCALING_URL": endpoint.url},
        )

    assert (outcome.status, outcome.out, outcome.err) == (0, "", "")


def test_a_policys_arn_is_printed_alone() -> None:
    """Scripts catch it with $( )."""
    result = "<PutScalingPolicyResult><PolicyARN>arn:x</PolicyARN></PutScalingPolicyResult>"
    with crooked(f"<PutScalingPolicyResponse {NAMESPACE}>{result}</PutScalingPolicyResponse>".encode()) as endpoint:
        outcome = call(
            *("put-scaling-policy", "up", "-g", "web", "--adjustment=-1", "-t", "ChangeInCapacity"),
            environ={**KEYS, "AWS_AUTO_SCALING_URL": endpoint.url},
        )

    assert (outcome.status, outcome.out) == (0, "arn:x\n")


@contextmanager
def mute(sends: bytes) -> Iterator[str]:
    """The URL of a server that takes a connection, sends *sends*, and says nothing more until the test is over."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(sends)
                over.wait()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            over.set()
            thread.join()


@pytest.mark.parametrize("sends", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<half"])
def test_an_endpoint_that_falls_silent_is_not_waited_for_for_ever(sends: bytes) -> None:
    """After --connection-timeout seconds without a word the command ends with status 1."""
    with mute(sends) as url:
        outcome = describe(url, "--connection-timeout", "0.2")

    assert (outcome.status, outcome.out) == (1, "")
    assert "did not answer within 0.2 seconds" in outcome.err


def test_an_answer_without_an_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is larger than any answer of the service is not collected."""
    monkeypatch.setattr(wire, "ANSWER_BYTES_MAX", 1000)
    with crooked(b"x" * 1001) as endpoint:
        outcome = describe(endpoint.url)

    assert outcome.status == 1
    assert "more than 1000 bytes" in outcome.err


def test_an_answer_that_trickles_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes in time, and the whole does not."""
    monkeypatch.setattr(wire, "ANSWER_S_MAX", -1)
    with crooked(page(["a"])) as endpoint:
        outcome = describe(endpoint.url)

    assert outcome.status == 1
    assert "was not complete" in outcome.err


def certificate(directory: Path) -> tuple[ssl.SSLContext, Path]:
    """What a server at localhost shows, and the file with it: signed by nobody but itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    shown, secret = directory / "certificate.pem", directory / "key.pem"
    shown.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, *plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown, secret)
    return context, shown


def test_a_certificate_is_checked(tmp_path: Path) -> None:
    """One that nobody known has signed is refused, unless AWS_CA_BUNDLE knows it."""
    context, bundle = certificate(tmp_path)
    with crooked(page(["a"]), tls=context) as endpoint:
        environ = {**KEYS, "AWS_AUTO_SCALING_URL": endpoint.url}
        refused = call(GROUPS, environ=environ)
        asked_before = len(endpoint.asked)
        known = call(GROUPS, environ=environ | {"AWS_CA_BUNDLE": str(bundle)})

    assert (refused.status, refused.out, asked_before) == (1, "", 0)
    assert "CERTIFICATE_VERIFY_FAILED" in refused.err
    assert (known.status, known.out, known.err) == (0, "AUTO-SCALING-GROUP  a\n", "")


def test_a_bundle_of_certificates_has_to_be_one() -> None:
    """AWS_CA_BUNDLE is named in the text."""
    environ = {**KEYS, "AWS_AUTO_SCALING_URL": "https://127.0.0.1:1", "AWS_CA_BUNDLE": "/none"}
    outcome = call(GROUPS, environ=environ)

    assert outcome.status == 2
    assert "AWS_CA_BUNDLE: /none" in outcome.err
