"""
What an endpoint did instead of answering, and what that means: EC2's error codes by the caller's next move.

Owns: the codes, and the texts that people read. Does not own: noticing (``wire``, ``replies``), acting (the
reconciler). Sources: EC2 API Reference, "Error codes"; Karpenter's unfulfillable set; moto 5.2.5 and ec2-api 17
(measured).
"""

import re
from collections.abc import Sequence
from enum import StrEnum

from backends.errors import Ambiguous, CloudError, Gone, NoCapacity, Refused, Throttled, Unreachable

TEXT_CHARS_MAX = 500
"""Of a cloud's own words in an activity. ec2-api sends tracebacks."""

RETRY_AFTER_S = 5.0
"""When a throttling endpoint names no time. EC2's buckets refill by 2 calls a second."""

RETRY_AFTER_S_MAX = 600.0
"""More than an endpoint may ask for: our own longest back-off."""


class Verb(StrEnum):
    """What a call was for: the same answer means another thing to each."""

    LOOK = "look"
    LAUNCH = "launch"
    END = "end"


class Problem(Exception):  # noqa: N818 - never leaves this package
    """A call that did not do what it was for."""


class NotSent(Problem):
    """Not one octet of the request left: it certainly did not happen."""


class Lost(Problem):
    """The request left, whole or in part, and no whole answer came back."""


class Unexpected(Problem):
    """An answer came, with *status*, that is no EC2 reply at all: *what* it is, for people."""

    def __init__(self, status: int, what: str, retry_after_s: float = RETRY_AFTER_S) -> None:
        super().__init__(f"answered {what} with HTTP {status}")
        self.status = status
        self.retry_after_s = retry_after_s


class Failed(Problem):
    """The endpoint answered with an error in EC2's form."""

    def __init__(self, status: int, code: str, message: str, retry_after_s: float = RETRY_AFTER_S) -> None:
        super().__init__(f"answered {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.retry_after_s = retry_after_s


THROTTLE = frozenset({
    "EC2ThrottledException", "PriorRequestNotComplete", "RequestLimitExceeded", "RequestThrottled",
    "RequestThrottledException", "SlowDown", "Throttling", "ThrottlingException", "ThrottledException",
    "TooManyRequests", "TooManyRequestsException", "BandwidthLimitExceeded", "OverLimit", "Unavailable",
})  # fmt: skip
"""Unavailable: "The server is overloaded and can't handle the request"."""

CAPACITY = frozenset({
    "InsufficientAddressCapacity", "InsufficientCapacity", "InsufficientCapacityOnHost",
    "InsufficientFreeAddressesInSubnet", "InsufficientHostCapacity", "InsufficientInstanceCapacity",
    "InsufficientReservedInstanceCapacity", "InsufficientReservedInstancesCapacity", "InsufficientResources",
    "InsufficientResourcesException", "NoValidHost", "NotEnoughResources", "NotEnoughResourcesException",
    "SpotMaxPriceTooLow", "UnfulfillableCapacity", "Unsupported",
})  # fmt: skip
"""Unsupported: "an Availability Zone that currently has constraints on that instance type"."""

QUOTA = frozenset({
    "AddressLimitExceeded", "DedicatedHostLimitExceeded", "InstanceLimitExceeded", "LimitExceeded",
    "MaxSpotInstanceCountExceeded", "NetworkInterfaceLimitExceeded", "PendingVerification", "QuotaExceeded",
    "ResourceLimitExceeded", "TooManyInstances", "VcpuLimitExceeded", "VolumeLimitExceeded",
    "VolumeSizeLimitExceeded",
})  # fmt: skip

AUTHENTICATION = frozenset({
    "AccessDenied", "AccessDeniedException", "AuthFailure", "Blocked", "ExpiredToken", "ExpiredTokenException",
    "IncompleteSignature", "InvalidAccessKeyId", "InvalidClientTokenId", "InvalidSignatureException",
    "MissingAuthenticationToken", "NotAuthorized", "OptInRequired", "SignatureDoesNotMatch", "Unauthorized",
    "UnauthorizedOperation", "UnrecognizedClientException",
})  # fmt: skip

CLOCK = frozenset({"RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"})

NOT_FOUND = frozenset({"InvalidInstanceID.NotFound", "InvalidInstanceId.NotFound"})

GONE = NOT_FOUND | {"InvalidInstanceID", "InvalidInstanceID.Malformed"}
"""Malformed too: an id that the cloud cannot have given names nothing that lives there."""

IDEMPOTENCE = {
    "IdempotentInstanceTerminated": "the machines of this launch token were terminated; a new token is needed",
    "IdempotentParameterMismatch": "this launch token was used with other parameters; a new token is needed",
}

_FULL = re.compile(
    r"no valid host|quota exceeded|exceeded? (your )?quota|not enough (resources|instances)|insufficient capacity",
    re.IGNORECASE,
)
_CLOCK_WORDS = re.compile(
    r"signature expired|not yet current|request has expired|timestamp .*(expired|too (old|far))", re.IGNORECASE
)
_TAGS_AT_LAUNCH = re.compile(r"tag[_ ]?specification", re.IGNORECASE)
_CANONICAL = re.compile(r"the (canonical string|string-to-sign)\b.*", re.IGNORECASE | re.DOTALL)
_SIGNATURE = re.compile(r"(signature\s*[=:]\s*'?)[A-Za-z0-9+/%=]{16,}", re.IGNORECASE)
_UNPRINTABLE = re.compile(r"[^\u0020-\u007e\u00a0-\ud7ff\ue000-\ufffd]+")

_OK = 200
_BAD_REQUEST = 400
_UNAUTHORIZED = 401
_REQUEST_TIMEOUT = 408
_TOO_LARGE = 413
_TOO_MANY = 429
_SERVER_ERROR = 500


def clean(text: str, secrets: Sequence[str] = ()) -> str:
    """*text* on one line, without *secrets*, signatures and what XML cannot carry, cut to TEXT_CHARS_MAX."""
    text = _SIGNATURE.sub(r"\1***", _CANONICAL.sub("", text[: 16 * TEXT_CHARS_MAX]))
    for secret in secrets:
        text = text.replace(secret, "***") if secret else text
    text = " ".join(_UNPRINTABLE.sub(" ", text).split())
    return text if len(text) <= TEXT_CHARS_MAX else f"{text[: TEXT_CHARS_MAX - 3]}..."


def means(
    problem: Problem, verb: Verb, cloud: str, secrets: Sequence[str] = (), *, tags_sent: bool = False
) -> CloudError:
    """
    What *problem* means to a caller of *verb*, with text for people. *tags_sent*: the launch carried tags.

    503 alone is no throttling for a launch: a proxy sends it as well when it lost the endpoint halfway.
    """
    text = clean(f"{cloud} {problem}", secrets)
    match problem:
        case NotSent():
            return Unreachable(text)
        case Unexpected():
            return _of_unexpected(problem, verb, text)
        case Failed():
            return _of_failed(problem, verb, text, cloud, tags_sent)
        case _:
            return Ambiguous(text) if verb is Verb.LAUNCH else Unreachable(text)


def _of_unexpected(problem: Unexpected, verb: Verb, text: str) -> CloudError:
    if problem.status == _TOO_MANY:
        return Throttled(text, problem.retry_after_s)
    if verb is not Verb.LAUNCH:
        return Unreachable(text)
    if problem.status == _TOO_LARGE:
        return NoCapacity(text)
    if problem.status == _UNAUTHORIZED:
        return Refused(text)
    # Whatever stands in front of the endpoint turned the request away (a wrong path, a redirect): nothing happened.
    turned_away = 300 <= problem.status < _SERVER_ERROR and problem.status != _REQUEST_TIMEOUT  # noqa: PLR2004 - HTTP
    return Unreachable(text) if turned_away else Ambiguous(text)


def _of_failed(problem: Failed, verb: Verb, text: str, cloud: str, tags_sent: bool) -> CloudError:
    code = problem.code
    if code in THROTTLE or problem.status == _TOO_MANY:
        return Throttled(text, problem.retry_after_s)
    if code in CLOCK or (code in AUTHENTICATION and _CLOCK_WORDS.search(problem.message)):
        return Unreachable(clean(f"{text} (compare the clocks of this machine and of the cloud)"))
    if verb is Verb.LAUNCH:
        return _of_failed_launch(problem, text, cloud, tags_sent)
    if verb is Verb.END and code in GONE:
        return Gone(text)
    if code in AUTHENTICATION or problem.status == _UNAUTHORIZED:
        return Unreachable(text) if verb is Verb.LOOK else Refused(text)
    return Refused(text) if _is_clients_fault(problem.status) else Unreachable(text)


def _of_failed_launch(problem: Failed, text: str, cloud: str, tags_sent: bool) -> CloudError:
    code = problem.code
    if code in IDEMPOTENCE:
        return Refused(f"{cloud} answered {code}: {IDEMPOTENCE[code]}")
    if code in CAPACITY or code in QUOTA or problem.status == _TOO_LARGE or _FULL.search(problem.message):
        return NoCapacity(text)
    if tags_sent and refuses_tags(problem):
        return Refused(clean(f'{text} (it does not know TagSpecification: set tags = "after" for {cloud})'))
    if code in AUTHENTICATION or _is_clients_fault(problem.status):
        return Refused(text)
    return Ambiguous(text)


def refuses_tags(problem: Failed) -> bool:
    """
    True when a launch with tags failed because the endpoint does not know them.

    ec2-api answers HTTP 500 with the name of Python's exception: its handler has no such argument, so nothing ran.
    """
    is_argument = problem.code == "TypeError" and problem.status >= _SERVER_ERROR
    return is_argument or _TAGS_AT_LAUNCH.search(f"{problem.code} {problem.message}") is not None


def _is_clients_fault(status: int) -> bool:
    return _BAD_REQUEST <= status < _SERVER_ERROR and status != _REQUEST_TIMEOUT
