"""What an endpoint's misbehaviour means to a launch, a sweep and a termination."""

import asyncio
import contextlib
import socket

import pytest

from backends.errors import Ambiguous, CloudError, NoCapacity, Refused, Throttled, Unreachable
from tests.backends.ec2_endpoint import BREAKS, HANGS, KEY, MARK, SECRET, SPEC, TOKEN, cloud_at, endpoint, error, http

DONE = None
"""No error: what was asked is so."""

A, N, R, T, U = Ambiguous, NoCapacity, Refused, Throttled, Unreachable


def row(answer: bytes, launch: object, sweep: object, terminate: object, name: str):
    """One row: an answer, and what it means to each verb."""
    return pytest.param(answer, launch, sweep, terminate, id=name)


def code(status: int, name: str, launch: object, sweep: object, terminate: object, message: str = "so it is"):
    """One row: an error in EC2's form."""
    return row(error(status, name, message), launch, sweep, terminate, f"{status} {name} {message[:24]}")


ROWS = [
    # Throttled: later, the same.
    code(503, "RequestLimitExceeded", T, T, T),
    code(400, "RequestLimitExceeded", T, T, T),
    code(400, "Throttling", T, T, T),
    code(400, "ThrottlingException", T, T, T),
    code(503, "EC2ThrottledException", T, T, T),
    code(503, "Unavailable", T, T, T),
    code(503, "SlowDown", T, T, T),
    code(429, "Whatever", T, T, T),
    row(http(429, "slow down"), T, T, T, "429 without a code"),
    # Full: another cloud.
    code(500, "InsufficientInstanceCapacity", N, U, U),
    code(400, "InsufficientInstanceCapacity", N, R, R),
    code(500, "InsufficientHostCapacity", N, U, U),
    code(400, "InsufficientFreeAddressesInSubnet", N, R, R),
    code(400, "UnfulfillableCapacity", N, R, R),
    code(400, "Unsupported", N, R, R),
    code(400, "NotEnoughResources", N, R, R),
    code(500, "NoValidHost", N, U, U),
    code(500, "InternalError", N, U, U, "No valid host was found. There are not enough hosts"),
    code(400, "InstanceLimitExceeded", N, R, R),
    code(400, "VcpuLimitExceeded", N, R, R),
    code(400, "MaxSpotInstanceCountExceeded", N, R, R),
    code(400, "SpotMaxPriceTooLow", N, R, R),
    code(400, "TooManyInstances", N, R, R),
    code(403, "Forbidden", N, R, R, "Quota exceeded for instances: Requested 1, but already used 10 of 10"),
    code(400, "PendingVerification", N, R, R),
    code(413, "OverLimitThing", N, R, R),
    row(http(413, "too large"), N, U, U, "413 without a code"),
    # Wrong: stop, and say why.
    code(400, "InvalidAMIID.NotFound", R, R, R),
    code(400, "InvalidAMIID.Malformed", R, R, R),
    code(400, "InvalidKeyPair.NotFound", R, R, R),
    code(400, "InvalidParameterValue", R, R, R),
    code(400, "InvalidInstanceType.NotFound", R, R, R),
    code(400, "InvalidGroup.NotFound", R, R, R),
    code(400, "InvalidSubnetID.NotFound", R, R, R),
    code(400, "InvalidRequest", R, R, R),
    code(400, "NobodyKnowsThisCode", R, R, R),
    code(400, "IdempotentParameterMismatch", R, R, R),
    code(400, "IdempotentInstanceTerminated", R, R, R),
    # Not let in: a sweep is blind, a launch is refused.
    code(401, "AuthFailure", R, U, R),
    code(403, "InvalidClientTokenId", R, U, R),
    code(403, "SignatureDoesNotMatch", R, U, R),
    code(403, "UnauthorizedOperation", R, U, R),
    code(403, "AccessDenied", R, U, R),
    code(400, "OptInRequired", R, U, R),
    code(401, "SomeNewCode", R, U, R),
    row(http(401, "<html>no</html>"), R, U, U, "401 without a code"),
    # A wrong clock is set right some day, without a change of ours.
    code(400, "RequestExpired", U, U, U),
    code(403, "RequestTimeTooSkewed", U, U, U),
    code(403, "SignatureDoesNotMatch", U, U, U, "Signature expired: 20130819T205329Z is now earlier than"),
    code(401, "AuthFailure", U, U, U, "Timestamp failed validation: has expired"),
    # Gone.
    code(400, "InvalidInstanceID.NotFound", R, R, DONE),
    code(400, "InvalidInstanceID.Malformed", R, R, DONE),
    code(404, "InvalidInstanceID.NotFound", R, R, DONE),
    # Broken: who knows.
    code(500, "InternalError", A, U, U),
    code(500, "InternalFailure", A, U, U),
    code(500, "KeyError", A, U, U),
    code(503, "ServiceUnavailable", A, U, U),
    code(502, "BadGateway", A, U, U),
    code(504, "GatewayTimeout", A, U, U),
    code(408, "RequestTimeout", A, U, U),
    code(200, "SomethingElse", A, U, U),
    code(200, "InsufficientInstanceCapacity", N, U, U),
    row(http(500, "<!DOCTYPE html><html><body>500</body></html>"), A, U, U, "500 with an HTML page"),
    row(http(500, ""), A, U, U, "500 with an empty body"),
    row(http(502, "<html><body>bad gateway</body></html>"), A, U, U, "502 with an HTML page"),
    row(http(503, "<html><body>no server</body></html>"), A, U, U, "503 with an HTML page"),
    row(http(504, "upstream timed out"), A, U, U, "504 in plain text"),
    row(http(408, "too slow"), A, U, U, "408 in plain text"),
    row(http(200, ""), A, U, U, "200 with an empty body"),
    row(http(200, "   \n"), A, U, U, "200 with a blank body"),
    row(http(200, "<RunInstancesResponse><instancesSet>"), A, U, U, "200 with truncated XML"),
    row(http(200, "<html><body>welcome</body></html>"), A, U, U, "200 with an HTML page"),
    row(http(200, "<ListAllMyBucketsResult/>"), A, U, U, "200 with the answer of S3"),
    row(http(200, "<DescribeRegionsResponse/>"), A, U, U, "200 with another operation's answer"),
    row(http(200, b"<?xml version='1.0' encoding='utf-8'?><a>\xff\xfe</a>"), A, U, U, "200 in a wrong charset"),
    row(http(200, "<?xml version='1.0' encoding='utf-99'?><a/>"), A, U, U, "200 in an unknown charset"),
    row(http(200, '<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>'), A, U, U, "200 with entities"),
    row(http(200, '{"error": "no XML here"}'), A, U, U, "200 with JSON"),
    row(BREAKS, A, U, U, "connection closed without an answer"),
    row(b"garbage\r\n\r\n", A, U, U, "an answer that is not HTTP"),
    row(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n<RunInst", A, U, U, "connection closed in mid-answer"),
    # Turned away before the endpoint.
    row(http(404, "<html>not found</html>"), U, U, U, "404 with an HTML page"),
    row(http(403, "<html>forbidden</html>"), U, U, U, "403 with an HTML page"),
    row(http(302, "", Location="http://127.0.0.1:1/"), U, U, U, "a redirect"),
]


async def outcome(call) -> type[CloudError] | None:
    """What *call* ends with; its text names the cloud."""
    outcomes: list[object] = await asyncio.gather(call, return_exceptions=True)
    ended = outcomes[0]
    if not isinstance(ended, CloudError):
        assert ended is None or not isinstance(ended, BaseException), repr(ended)
        return None
    assert str(ended).startswith("hotel ")
    return type(ended)


@pytest.mark.parametrize(("answer", "launch", "sweep", "terminate"), ROWS)
async def test_answer_says_what_to_do_next(answer, launch, sweep, terminate):
    """Each answer means one next move to each verb, and nothing but CloudErrors leave the adapter."""
    async with endpoint() as there, cloud_at(there.url) as cloud:
        closes = answer.startswith((b"garbage", b"HTTP/1.1 200 OK\r\nContent-Length: 999"))

        def answers(asked, writer):
            if closes:
                writer.write(answer)
                return BREAKS
            return answer

        there.answers = answers

        assert await outcome(cloud.launch(SPEC, 1, TOKEN, MARK)) is launch
        assert await outcome(cloud.sweep()) is sweep
        assert await outcome(cloud.terminate(["i-00000001"])) is terminate
        assert len(there.asked) == 3


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        pytest.param("17", 17.0, id="seconds"),
        pytest.param("99999", 600.0, id="too many seconds"),
        pytest.param("Wed, 21 Oct 2026 07:28:00 GMT", 5.0, id="a date"),
    ],
)
async def test_throttling_endpoint_says_how_long(name, seconds):
    """Retry-After is honoured within reason."""
    async with endpoint() as there, cloud_at(there.url) as cloud:
        there.always(error(503, "RequestLimitExceeded", Retry_After=name))

        with pytest.raises(Throttled) as caught:
            await cloud.sweep()

    assert caught.value.retry_after_s == seconds


@pytest.mark.parametrize(
    ("url", "settings"),
    [
        pytest.param("http://127.0.0.1:{free}", {}, id="nobody listens"),
        pytest.param("http://no-such-host.invalid", {}, id="no such name"),
        pytest.param("https://127.0.0.1:{open}", {}, id="no TLS there"),
        pytest.param("https://127.0.0.1:{open}", {"verify_tls": "/no/such/bundle.pem"}, id="no bundle of authorities"),
        pytest.param("http://[::bad", {}, id="no URL at all"),
    ],
)
async def test_launch_that_was_never_sent_certainly_did_not_happen(url, settings):
    """Without a connection nothing happened, and the claim may go elsewhere."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
        free = taken.getsockname()[1]
    async with endpoint() as there:
        place = url.format(free=free, open=there.url.rpartition(":")[2])
        async with cloud_at(place, connect_timeout_s=0.3, **settings) as cloud:
            assert await outcome(cloud.launch(SPEC, 1, TOKEN, MARK)) is Unreachable
            assert await outcome(cloud.sweep()) is Unreachable


async def test_silent_endpoint_is_given_up():
    """A socket that hangs frees its thread, and a launch on it may have happened."""
    async with endpoint() as there, cloud_at(there.url, read_timeout_s=0.1, calls_at_once=1) as cloud:
        there.always(HANGS)

        assert await outcome(cloud.launch(SPEC, 1, TOKEN, MARK)) is Ambiguous
        assert await outcome(cloud.sweep()) is Unreachable


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX-", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n<a>"])
async def test_dripping_endpoint_is_cut_off(head):
    """Octets that come one by one, in time for every read, do not hold a thread beyond the deadline."""
    async with endpoint() as there, cloud_at(there.url, connect_timeout_s=0.1, read_timeout_s=0.2) as cloud:

        async def drip(asked, writer):
            writer.write(head)
            with contextlib.suppress(ConnectionError):
                while not writer.is_closing():
                    writer.write(b"x")
                    await writer.drain()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(there.hung_up.wait(), 0.02)
            return BREAKS

        there.answers = drip

        assert await outcome(cloud.launch(SPEC, 1, TOKEN, MARK)) is Ambiguous


@pytest.mark.parametrize("is_announced", [True, False], ids=["announced", "not announced"])
async def test_reply_over_the_cap_is_not_read(is_announced):
    """A reply of any length costs no more memory than the cap."""
    async with endpoint() as there, cloud_at(there.url, reply_bytes_max=1000) as cloud:
        body = b"x" * 500_000
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7a120\r\n" + body + b"\r\n0\r\n\r\n"
        there.always(http(200, body) if is_announced else chunked)

        assert await outcome(cloud.launch(SPEC, 1, TOKEN, MARK)) is Ambiguous
        with pytest.raises(Unreachable, match="more than 1000 octets"):
            await cloud.sweep()


async def test_endpoint_that_does_not_know_tags_at_launch_is_named_with_its_remedy():
    """The operator reads which setting to change; ec2-api answers as in the first row."""
    for answer in (
        error(500, "TypeError", "Unknown error occurred."),
        error(400, "UnknownParameter", "The parameter TagSpecification.1.ResourceType is not recognized"),
        error(500, "InternalError", "run_instances() got an unexpected keyword argument 'tag_specification'"),
    ):
        async with endpoint() as there, cloud_at(there.url, tags="launch") as cloud:
            there.always(answer)

            with pytest.raises(Refused, match='set tags = "after" for hotel'):
                await cloud.launch(SPEC, 1, TOKEN, MARK)


async def test_texts_for_people_hold_no_secret_and_fit_an_activity():
    """The cloud's words are shown on one line, short, in characters that XML can carry, and without signatures."""
    words = f"key {KEY}\x07\nsecret {SECRET} Signature={'ab12' * 16} " + "long " * 400 + "The Canonical String is: x"
    async with endpoint() as there, cloud_at(there.url) as cloud:
        there.always(http(400, f"<R><Error><Code>Odd</Code><Message>{words.replace(chr(7), '')}</Message></Error></R>"))

        with pytest.raises(Refused) as caught:
            await cloud.launch(SPEC, 1, TOKEN, MARK)

        shown = str(caught.value)
        assert shown.startswith("hotel answered Odd: key *** secret *** Signature=*** long long")
        assert len(shown) == 500
        assert SECRET not in repr(cloud.__dict__)
        assert SECRET not in repr(cloud._client.__dict__)
