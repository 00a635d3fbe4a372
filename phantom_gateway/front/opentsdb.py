"""
OpenTSDB's HTTP: ``/api/put``, ``/api/query``, ``/q`` and ``/api/version``, for senders and readers that know no other.

Owns: reading these requests within limits, and OpenTSDB's form of answers and errors. Does not own: what a point counts
for (``sensors.intake``), or how a question is answered (``sensors.queries``).
"""

import asyncio
import base64
import binascii
import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from importlib.metadata import version
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from phantom_gateway.front.reading import BODY_S_MAX
from phantom_gateway.front.server import HEADER_BYTES_MAX, HEADERS_MAX, IDLE_S_MAX, LINE_BYTES_MAX, LINGERING_S
from phantom_gateway.records.session import Database, RecordsUnavailable
from phantom_gateway.secret import Secret
from phantom_gateway.sensors import queries
from phantom_gateway.sensors.intake import LOOK_S_MIN, Intake
from phantom_gateway.sensors.points import CREDENTIALS, Malformed, read_object
from phantom_gateway.sensors.queries import Answer, Question, Unanswerable
from phantom_gateway.sensors.receiver import on_loopback
from phantom_gateway.sensors.senders import NOBODY, Credentials, Senders, credentials_in
from phantom_gateway.sensors.whereabouts import NoTarget

BODY_BYTES_MAX = 1024 * 1024
"""A body, compressed or not: some 8,000 points. tcollector sends 4,096 characters at once."""

POINTS_AT_ONCE = 50
"""Points taken before other requests have their turn: less than a millisecond."""

ERRORS_SHOWN = 100
"""Errors of single points that an answer with ``details`` has."""

LOGIN_CHARS_MAX = 1_024


class _Refused(Exception):  # noqa: N818 - carries an answer, is not an error of its own
    """A request that gets OpenTSDB's error answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class OpenTsdbDoor:
    """
    Answers as an OpenTSDB would, as far as senders and readers of ours need it.

    *knows_neighbours*: connections from this machine may be trusted as such. Where proxies are usual, they may not:
    what a proxy passes on comes from anywhere.
    """

    intake: Intake
    senders: Senders
    database: Database
    now: Callable[[], datetime]
    knows_neighbours: bool

    def routes(self, app: web.Application) -> None:
        """Nothing; *app* has the paths of this door."""
        app.router.add_post("/api/put", self._guarded(self._put))
        for path, handler in (("/api/query", self._query), ("/q", self._q)):
            app.router.add_get(path, self._guarded(handler))
        app.router.add_post("/api/query", self._guarded(self._query))
        app.router.add_get("/api/version", self._version)

    def _guarded(self, handler: Callable[[web.Request], Any]) -> Callable[[web.Request], Any]:
        async def guarded(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)  # type: ignore[no-any-return]
            except _Refused as refused:
                return _error(refused.status, str(refused))
            except Unanswerable as unanswerable:
                return _error(400, str(unanswerable))
            except RecordsUnavailable:
                return _error(503, "The records cannot be used now; try again.")

        return guarded

    async def _version(self, _request: web.Request) -> web.StreamResponse:
        """What a client asks first."""
        return web.json_response({"version": version("phantom-gateway"), "repo": "phantom-gateway"})

    async def _put(self, request: web.Request) -> web.StreamResponse:
        """204, or what ``summary`` and ``details`` ask for; 400 when any point does not count."""
        given = await _json_body(request)
        objects = given if isinstance(given, list) else [given]
        login = _login(request)
        now_s, is_near = self.now().timestamp(), self._is_near(request)
        errors = []
        for number, each in enumerate(objects):
            if number % POINTS_AT_ONCE == POINTS_AT_ONCE - 1:
                await asyncio.sleep(0)
            trouble = await self._point(each, login, now_s, on_loopback=is_near)
            if trouble is not None:
                errors.append({"datapoint": _shown(each), "error": trouble})
        told: dict[str, Any] = {"success": len(objects) - len(errors), "failed": len(errors)}
        status = 400 if errors else 200
        if "details" in request.query:
            return web.json_response({**told, "errors": errors[:ERRORS_SHOWN]}, status=status)
        if "summary" in request.query:
            return web.json_response(told, status=status)
        if errors:
            details = 'append "details" to the put request to see which'
            return _error(400, "One or more data points had errors", details)
        return web.Response(status=204)

    async def _point(self, given: Any, login: Credentials, now_s: float, *, on_loopback: bool) -> str | None:
        """Why the point does not count; None when it does."""
        counts = self.intake.counts
        try:
            point = read_object(given)
            assert not isinstance(point.tags, bytes)
            own = credentials_in(point.tags)
            user_id = await self._user_id(login if own.is_empty else own, on_loopback=on_loopback)
            target = await self.intake.find(point.tags, user_id)
        except Malformed as malformed:
            counts[malformed.reason] += 1
            return str(malformed)
        except NoTarget as nobody:
            counts[nobody.reason] += 1
            return nobody.reason.replace("_", " ")
        reason = self.intake.take(target, point.metric, point.at_s, point.value, now_s)
        if reason is None:
            return None
        counts[reason] += 1
        return reason.replace("_", " ")

    def _is_near(self, request: web.Request) -> bool:
        """True when the request certainly comes from this machine."""
        is_passed_on = any(name in request.headers for name in ("Forwarded", "X-Forwarded-For", "Via"))
        return self.knows_neighbours and not is_passed_on and on_loopback(request.transport)

    async def _user_id(self, credentials: Credentials, *, on_loopback: bool) -> int | None:
        """Whose points these are. What stands in a header may be a token or a password. Raises NoTarget."""
        try:
            return await self.senders.user_id(credentials, on_loopback=on_loopback)
        except NoTarget:
            if credentials.token is None or not credentials.user:
                raise
        as_password = Credentials(credentials.user, password=credentials.token)
        return await self.senders.user_id(as_password, on_loopback=on_loopback)

    async def _q(self, request: web.Request) -> web.StreamResponse:
        """Lines ``METRIC TIME VALUE TAG=VALUE``; graphs are not drawn."""
        if "ascii" not in request.query:
            raise _Refused(400, "Graphs are not drawn here; ask with ascii=true")
        answers = await self._answers(request, _questions(request.query), request.query)
        lines = [
            f"{each.metric} {at} {value:.12g}{''.join(f' {name}={text}' for name, text in each.tags.items())}\n"
            for each in answers
            for at, value in each.points
        ]
        return web.Response(text="".join(lines), content_type="text/plain")

    async def _query(self, request: web.Request) -> web.StreamResponse:
        """OpenTSDB's JSON: a list of lines with their data points."""
        if request.method == "POST":
            span, questions = _posted(await _json_body(request))
        else:
            span, questions = dict(request.query), _questions(request.query)
        answers = await self._answers(request, questions, span)
        return web.json_response(
            [
                {
                    "metric": each.metric,
                    "tags": each.tags,
                    "aggregateTags": [],
                    "dps": {str(at): value for at, value in each.points},
                }
                for each in answers
            ]
        )

    async def _answers(self, request: web.Request, questions: list[Question], span: Mapping[str, str]) -> list[Answer]:
        if not span.get("start"):
            raise _Refused(400, "Missing start time")
        now = self.now()
        start, end = queries.read_time(span["start"], now), queries.read_time(span.get("end", ""), now)
        if end < start:
            raise _Refused(400, "The end is before the start")
        user_id = await self._reader(request)
        await self.intake.look(LOOK_S_MIN)
        whereabouts = self.intake.whereabouts
        found: list[Answer] = []
        for each in questions:
            user_ids = {target.user_id for target in whereabouts.domains.values()} if user_id is None else {user_id}
            job = partial(queries.answer, asked=each, span=(start, end), whereabouts=whereabouts, user_ids=user_ids)
            found += await self.database.read(job)
            await asyncio.sleep(0)
        return found

    async def _reader(self, request: web.Request) -> int | None:
        """Whose data may be read; None: everybody's, which is so on loopback where the operator allows it."""
        try:
            return await self._user_id(_login(request), on_loopback=self._is_near(request))
        except NoTarget as nobody:
            raise _Refused(401, "Give a user and a token: as Basic authorization, or as user and token") from nobody


def http_on(app_server: web.Server, ended: Callable[[], None]) -> asyncio.Protocol:
    """The protocol that speaks HTTP on a connection of the receiver; *ended* is called when it is over."""
    return _Connection(
        app_server,
        ended,
        loop=asyncio.get_running_loop(),
        keepalive_timeout=IDLE_S_MAX,
        max_line_size=LINE_BYTES_MAX,
        max_field_size=HEADER_BYTES_MAX,
        max_headers=HEADERS_MAX,
        lingering_time=LINGERING_S,
        auto_decompress=False,
    )


class _Connection(RequestHandler):
    """aiohttp's connection handler, which says when it is over."""

    __slots__ = ("_ended",)

    def __init__(self, manager: web.Server, ended: Callable[[], None], **limits: Any) -> None:
        super().__init__(manager, **limits)
        self._ended = ended

    def connection_lost(self, exc: BaseException | None) -> None:
        """As aiohttp's, and told."""
        super().connection_lost(exc)
        self._ended()


def _questions(query: Any) -> list[Question]:
    texts = query.getall("m", [])
    if not texts:
        raise _Refused(400, "Missing m: what to ask for")
    if len(texts) > queries.QUESTIONS_MAX:
        raise _Refused(400, f"Too many questions; use at most {queries.QUESTIONS_MAX}")
    return [queries.read_question(text) for text in texts]


def _posted(given: Any) -> tuple[dict[str, str], list[Question]]:
    """The span and the questions of a POST."""
    asked = given.get("queries") if isinstance(given, dict) else None
    if not isinstance(asked, list) or not 1 <= len(asked) <= queries.QUESTIONS_MAX:
        raise _Refused(400, f"Missing queries: a list of 1 to {queries.QUESTIONS_MAX}")
    questions = []
    for each in asked:
        tags = each.get("tags") or {} if isinstance(each, dict) else None
        if not isinstance(tags, dict) or "rate" in each or "downsample" in each or "filters" in each:
            raise _Refused(400, "A query is an object with aggregator, metric and tags; nothing else is built")
        named = {str(name): str(value) for name, value in tags.items()}
        questions.append(queries.question(str(each.get("aggregator")), str(each.get("metric")), named))
    return {name: str(given[name]) for name in ("start", "end") if given.get(name) is not None}, questions


def _login(request: web.Request) -> Credentials:
    """The credentials beside the points: of the header, else of the parameters ``user`` and ``token``."""
    header = request.headers.get("Authorization")
    if header is None:
        token = request.query.get("token")
        return NOBODY if not token else Credentials(request.query.get("user", ""), token=Secret(token))
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic" or len(encoded) > LOGIN_CHARS_MAX:
        raise _Refused(401, "The Authorization header is not Basic")
    try:
        user, _, secret = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError) as error:
        raise _Refused(401, "The Authorization header is not Basic") from error
    return Credentials(user, token=Secret(secret))


async def _json_body(request: web.Request) -> Any:
    """What the body says, whatever it is called; gzip is unpacked as far as the limit."""
    if (request.content_length or 0) > BODY_BYTES_MAX:
        raise _too_large()
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S_MAX):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > BODY_BYTES_MAX:
                    raise _too_large()
    except TimeoutError as error:
        raise _Refused(408, "The body did not arrive in time") from error
    except (web.RequestPayloadError, ConnectionResetError) as error:
        raise _Refused(400, "The body ended before it was complete") from error
    try:
        return json.loads(_unpacked(bytes(body), request.headers.get("Content-Encoding", "identity").lower()))
    except (ValueError, RecursionError) as error:
        raise _Refused(400, "Unable to parse the given JSON") from error


def _unpacked(body: bytes, encoding: str) -> bytes:
    if encoding == "identity":
        return body
    if encoding not in {"gzip", "x-gzip"}:
        raise _Refused(415, "The only Content-Encoding accepted is gzip")
    unpacking = zlib.decompressobj(wbits=31)
    try:
        text = unpacking.decompress(body, BODY_BYTES_MAX)
    except zlib.error as error:
        raise _Refused(400, "The body is not gzip") from error
    if unpacking.unconsumed_tail:
        raise _too_large()
    if not unpacking.eof:
        raise _Refused(400, "The body ended before it was complete")
    return text


def _too_large() -> _Refused:
    return _Refused(413, f"A body may have {BODY_BYTES_MAX} bytes, unpacked as well")


def _shown(given: Any) -> Any:
    """The point as it was sent, without what may be a secret."""
    if not isinstance(given, dict) or not isinstance(given.get("tags"), dict):
        return None
    return given | {"tags": {name: value for name, value in given["tags"].items() if name not in CREDENTIALS}}


def _error(status: int, message: str, details: str | None = None) -> web.Response:
    told = {"code": status, "message": message} | ({} if details is None else {"details": details})
    headers = {"WWW-Authenticate": 'Basic realm="phantom-gateway"'} if status == 401 else None  # noqa: PLR2004 - Unauthorized
    return web.json_response({"error": told}, status=status, headers=headers)
