"""
HTTP below Libcloud's drivers, and a record of what a call sent: whether anything can have happened.

Owns: timeouts, caps, certificates, what counts as a write. Does not own: requests and answers themselves, which are the
drivers'. A driver makes several requests for one verb (Scaleway creates and then switches on; OpenStack's creates and
then looks): whatever goes wrong after a write was taken, the machine may be there, and no error text can say otherwise.
"""

import re
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import requests
from libcloud.common.base import Connection
from libcloud.http import LibcloudConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from backends.via_libcloud.settings import Limits

CHUNK_OCTETS = 64 * 1024

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_HARMLESS = re.compile(r"(/tokens|/token|/networkinterfaces/[^/]+)/?$", re.IGNORECASE)
"""
Paths whose POST or PUT makes no machine: it proves who asks (Keystone, Google, Azure), or makes what Azure wants first.
"""

_SERVER_ERROR = 500
_REQUEST_TIMEOUT = 408
_REFUSED_FROM = 300


class NotSent(Exception):  # noqa: N818 - never leaves this package
    """Not one octet of a request left."""


class Lost(Exception):  # noqa: N818 - never leaves this package
    """A request left, and no whole answer came back."""


class Traffic:
    """
    What one call has sent so far. Used by one thread; *cut* alone is set from outside, to end the call.

    *taken*: writes that were answered with success. *doubtful*: those whose outcome nobody knows.
    """

    def __init__(self) -> None:
        self.cut = threading.Event()
        self.taken = 0
        self.doubtful = 0
        self.refused_status = 0
        """The HTTP status of the last request that was turned away; 0 when none was."""
        self.retry_after_s = 0.0

    @property
    def may_have_happened(self) -> bool:
        """True when a write may have had an effect."""
        return bool(self.taken or self.doubtful)


class _Here(threading.local):
    """Of the thread that is running: under which limits it calls, and the call that is under way."""

    limits = Limits()
    traffic = Traffic()


_here = _Here()


def begin(limits: Limits, traffic: Traffic) -> None:
    """Nothing; from now on this thread's requests keep to *limits*, and are noted in *traffic*."""
    _here.limits, _here.traffic = limits, traffic


def lay() -> None:
    """
    Nothing; every connection that Libcloud makes from now on is ours, and none repeats a request.

    Some drivers log in while they are made, through connections of other classes: there is no later moment to hand a
    connection in. Who is calling is told by the thread. Without the second line, an environment variable
    (LIBCLOUD_RETRY_FAILED_HTTP_REQUESTS) would make Libcloud send a launch again.
    """
    waiting: list[type[Connection]] = [Connection]
    while waiting:
        each = waiting.pop()
        if "conn_class" in vars(each):
            each.conn_class = _Connection
        waiting += each.__subclasses__()
    Connection.retryCls = _Once


class _Once:
    """What repeats nothing, in the place of what repeats."""

    def __init__(self, **_: Any) -> None:
        pass

    def __call__(self, request: Any) -> Any:
        """*request* itself."""
        return request


def is_write(method: str, url: str) -> bool:
    """True when a request may change something. CloudStack does everything by GET, and names the command."""
    parts = urlsplit(url)
    if method.upper() in _READS:
        (command, *_) = parse_qs(parts.query).get("command", [""])
        return bool(command) and not command.startswith(("list", "query", "get"))
    return _HARMLESS.search(parts.path) is None


class _Connection(LibcloudConnection):  # type: ignore[misc]  # Libcloud is Any
    """Libcloud's connection with our limits. It follows no redirects: a POST would come out as a GET elsewhere."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Without it, requests would put what ~/.netrc says in the place of a driver's Authorization header.
        self.session.auth = lambda request: request
        verify = _here.limits.verify_tls
        self.verify = verify if isinstance(verify, bool) else True
        self.ca_cert: str | None = None if isinstance(verify, bool) else verify

    def request(
        self,
        method: str,
        url: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        raw: bool = False,  # noqa: ARG002 - Libcloud's signature
        stream: bool = False,  # noqa: ARG002 - Libcloud's signature
        hooks: Any = None,  # noqa: ARG002 - Libcloud's signature
    ) -> None:
        """Nothing; the answer is kept, whole. Raises NotSent or Lost."""
        traffic, limits = _here.traffic, _here.limits
        if traffic.cut.is_set():
            raise NotSent("was given up")
        writes = is_write(method, url)
        try:
            self.response = self.session.request(
                method=method.lower(),
                url=urljoin(self.host, url),
                data=body,
                headers=self._normalize_headers(headers=headers),
                allow_redirects=False,
                stream=True,
                verify=self.verification,
                timeout=(limits.connect_timeout_s, limits.read_timeout_s),
            )
            self._read_whole(traffic, limits)
        except (requests.RequestException, OSError, Lost) as error:
            if isinstance(error, requests.RequestException | OSError) and _was_not_sent(error):
                raise NotSent(f"cannot be reached: {_innermost(error)}") from error
            traffic.doubtful += writes
            raise Lost(f"gave no answer: {_innermost(error)}") from error
        self._note(traffic, self.response.status_code, writes=writes)

    def _read_whole(self, traffic: Traffic, limits: Limits) -> None:
        """Nothing; the body is read, as long as it may be. Raises Lost."""
        octets = bytearray()
        for chunk in self.response.iter_content(CHUNK_OCTETS):
            octets += chunk
            if len(octets) > limits.reply_bytes_max:
                self.response.close()
                raise Lost(f"its answer is longer than {limits.reply_bytes_max} bytes")
            if traffic.cut.is_set():
                self.response.close()
                raise Lost("was cut off")
        # What requests itself does at this point; there is no public way to hand a body in.
        self.response._content = bytes(octets)  # noqa: SLF001
        self.response._content_consumed = True  # noqa: SLF001

    def _note(self, traffic: Traffic, status: int, *, writes: bool) -> None:
        if status < _REFUSED_FROM:
            traffic.taken += writes
            return
        traffic.refused_status = status
        asked = self.response.headers.get("retry-after", "")
        traffic.retry_after_s = float(asked) if asked.isdecimal() else 0.0
        traffic.doubtful += writes and (status >= _SERVER_ERROR or status == _REQUEST_TIMEOUT)


def _was_not_sent(error: BaseException) -> bool:
    """True when *error* came before a connection was there."""
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return True
    if isinstance(error, requests.exceptions.SSLError):
        # An encrypted connection can also break later; these are refused while it is made.
        return any(word in str(error).upper() for word in ("CERTIFICATE", "WRONG_VERSION", "HANDSHAKE"))
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidHeader):
        return True
    return any(
        isinstance(each, ConnectTimeoutError | NewConnectionError | NameResolutionError) for each in _chain(error)
    )


def _chain(error: BaseException) -> list[BaseException]:
    """*error* and all that it stands for: causes, contexts, and urllib3's and requests' first arguments."""
    found: list[BaseException] = []
    waiting: list[Any] = [error]
    while waiting:
        each = waiting.pop()
        if isinstance(each, BaseException) and each not in found:
            found.append(each)
            waiting += [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args[:1]]
    return found


def _innermost(error: BaseException) -> str:
    """What the operating system, or whoever knew first, said."""
    for each in reversed(_chain(error)):
        if isinstance(each, OSError) and each.strerror:
            return each.strerror
    return str(error)
