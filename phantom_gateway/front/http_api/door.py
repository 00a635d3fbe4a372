"""
The JSON door: match, authenticate, read, carry out, answer.

Owns: the order of these steps, and that every request ends in JSON whatever happens on the way. Does not own: what an
endpoint does.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, Never

from aiohttp import web

from phantom_gateway.front.http_api import repeats
from phantom_gateway.front.http_api.body import read_form, read_json, read_path, read_query
from phantom_gateway.front.http_api.callers import Callers, read_pair
from phantom_gateway.front.http_api.streams import HEADERS, Streams
from phantom_gateway.front.query import new_request_id
from phantom_gateway.front.reading import read_request
from phantom_gateway.logins import Logins
from phantom_gateway.logs import request_id as current_request_id
from phantom_gateway.metrics import OTHER, Meter
from phantom_gateway.operations.desk import Desk, House
from phantom_gateway.operations.http_api import schemas
from phantom_gateway.operations.http_api.call import PREFIX, Answer, Call
from phantom_gateway.operations.http_api.errand import Errand
from phantom_gateway.operations.http_api.errors import JsonError, forbidden, not_found, translated
from phantom_gateway.operations.http_api.table import Endpoint, match
from phantom_gateway.probes import Probes
from phantom_gateway.records import audit
from phantom_gateway.records.session import Connection, Database, RecordsUnavailable
from phantom_gateway.records.tokens import Bearer
from phantom_gateway.tokens import Scope
from protocol.errors import ApiError, shown
from protocol.wire import Request
from reconciler.accounts import AccountBook

log = logging.getLogger(__name__)

ANYTHING_BELOW = "{tail:(?s:/.*)?}"
"""For aiohttp's router: what may follow the prefix, line breaks too, so that no other door answers it."""

DOOR = "json"
"""What metrics call it."""

PRETTY_INDENT = 4
"""Spaces of ``?pretty=true``; the original's."""


@dataclass(frozen=True, slots=True)
class HttpApiDoor:
    """
    Answers requests below ``/api/dev``. *wake* is called with a group's uid after a change to it is durable.

    *accounts* are for endpoints that ask a cloud.
    """

    database: Database
    house: House
    callers: Callers
    accounts: AccountBook
    probes: Probes
    logins: Logins
    streams: Streams
    wake: Callable[[str], None]
    now: Callable[[], datetime]
    body_bytes_max: int
    meter: Meter

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """The answer, always JSON. Raises nothing."""
        request_id = new_request_id()
        current_request_id.set(request_id)
        writing, clock = _Writing(request_id), asyncio.get_running_loop().time
        began_s = clock()
        response = await self._answered(request, writing)
        if isinstance(response, web.Response):  # a stream's time says how long somebody watched
            self.meter.answered(DOOR, writing.operation, response.status, clock() - began_s)
        return response

    async def _answered(self, request: web.Request, writing: "_Writing") -> web.StreamResponse:
        try:
            return await self._carry_out(request, writing)
        except JsonError as error:
            return writing.error(error)
        except ApiError as error:  # of a rule that both doors share
            return writing.error(translated(error))
        except RecordsUnavailable as unavailable:
            log.warning("request.records_unavailable", extra={"reason": str(unavailable)})
            return writing.error(_fault(503, "The gateway's records cannot be used now; try again."))
        except Exception:  # the last resort of a door: the caller gets an answer, the log gets the story
            log.exception("request.failed")
            return writing.error(_fault(500, "The gateway made a mistake; its log has the request id."))

    async def _carry_out(self, request: web.Request, writing: "_Writing") -> web.StreamResponse:
        received = await read_request(request, self.body_bytes_max)
        query = read_query(received.query)
        host = received.header("host")
        writing.origin = "" if host is None else f"{request.scheme}://{host}"
        writing.indent = PRETTY_INDENT if query.get("pretty", "").lower() == "true" else None
        there, parts = _find(received)
        if received.method == "OPTIONS":
            writing.allow = _allowed(there)
            return writing.answer(Answer(status=HTTPStatus.NO_CONTENT))
        endpoint = there.get("GET" if received.method == "HEAD" else received.method)
        if endpoint is None:
            _refuse_method(received.method, there)
        writing.operation = endpoint.id
        pair = None if endpoint.open else read_pair(received.header("authorization"), query)
        bearer = None if pair is None else await self.callers.find(pair)
        call = Call(
            path=parts,
            query=query,
            body=_read_body(endpoint, received),
            headers={name: value for name in endpoint.headers if (value := received.header(name)) is not None},
            reveal=_may_reveal(endpoint, query, bearer),
            address=request.remote or "",
        )
        asked = None if bearer is None else repeats.read(endpoint, received, bearer.user.id)
        answer = await self._run(endpoint, call, bearer, asked, writing)
        if not endpoint.streams or bearer is None or pair is None:
            return writing.answer(answer)
        if received.method == "HEAD":
            return writing.answer(Answer(headers=HEADERS))
        return await self.streams.serve(request, writing.headers, answer.body, bearer.user, pair)

    async def _run(
        self, endpoint: Endpoint, call: Call, bearer: Bearer | None, asked: repeats.Asked | None, writing: "_Writing"
    ) -> Answer:
        """The answer; what the endpoint wrote is durable, and the groups it concerns are awake."""
        if endpoint.waits or bearer is None:
            return await self._wait(endpoint, call, bearer)
        note, request_id = self._note_of(endpoint, call, bearer), writing.request_id

        def transact(connection: Connection) -> tuple[Answer, list[str]]:
            desk, keyring = Desk(self.house, bearer.user, self.now(), connection), self.house.keyring
            known = None if asked is None else repeats.find(connection, asked, keyring, desk.now)
            if known is not None:
                log.info("request.repeated", extra={"operation": endpoint.id, "first": known[0]})
                self.meter.repeated()
                writing.request_id = known[0]
                return known[1], []
            answer = endpoint.run(desk, call)
            if endpoint.writes:
                note(connection)
            if asked is not None:
                repeats.record(connection, asked, keyring, bearer.user.id, request_id, answer, desk.now)
            return answer, desk.woken

        if not endpoint.writes:
            return (await self.database.read(transact))[0]
        answer, woken = await self.database.write(transact, turn=bearer.user.id)
        for group_uid in woken:
            self.wake(group_uid)
        return answer

    async def _wait(self, endpoint: Endpoint, call: Call, bearer: Bearer | None) -> Answer:
        caller = None if bearer is None else bearer.user
        note = self._note_of(endpoint, call, bearer)
        errand = Errand(self.house, caller, self.now, self.database, self.accounts, self.probes, self.logins, note)
        try:
            answer: Answer = await endpoint.run(errand, call)
        finally:  # what became durable before a failure counts all the same
            for group_uid in errand.woken:
                self.wake(group_uid)
        return answer

    def _note_of(self, endpoint: Endpoint, call: Call, bearer: Bearer | None) -> Callable[[Connection], None]:
        """What puts the request on record, in the transaction of what it changed."""
        request_id = current_request_id.get() or ""

        def note(connection: Connection) -> None:
            entry = audit.Entry(
                at=self.now(),
                who="" if bearer is None else bearer.user.name,
                action=f"{endpoint.method} {endpoint.path}",
                target=" ".join(call.path.values()),
                key="token",
                address=call.address,
                request_id=request_id,
            )
            audit.add(connection, entry)

        return note


class _Writing:
    """How the answer to one request is written."""

    __slots__ = ("allow", "indent", "operation", "origin", "request_id")

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.operation = OTHER
        self.indent: int | None = None
        self.origin = ""
        self.allow: str | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        """What every answer has."""
        return {"X-Request-Id": self.request_id, "Cache-Control": "no-store"}

    def answer(self, answer: Answer) -> web.Response:
        headers = dict(answer.headers)
        if self.allow is not None:
            headers["Allow"] = self.allow
        if answer.location is not None:
            headers["Location"] = self.origin + answer.location.replace(" ", "%20")
        return self._response(answer.status, answer.body, headers)

    def error(self, error: JsonError) -> web.Response:
        return self._response(error.status, error.body, error.headers)

    def _response(self, status: int, body: Any, headers: Mapping[str, str]) -> web.Response:
        every = {**self.headers, **headers}
        if body is None:
            return web.Response(status=status, headers=every)
        separators = (",", ": ") if self.indent else (", ", ": ")
        text = json.dumps(body, indent=self.indent, separators=separators, allow_nan=False)
        return web.Response(status=status, body=text.encode(), headers={"Content-Type": "application/json", **every})


def _find(received: Request) -> tuple[Mapping[str, Endpoint], Mapping[str, str]]:
    path = read_path(received.path)
    found = None if path is None else match(path.removeprefix(PREFIX))
    if found is None:
        raise not_found(f"There is no {shown(received.path)} here; {PREFIX}/openapi.json lists what there is.")
    return found


def _allowed(there: Mapping[str, Endpoint]) -> str:
    return ", ".join(sorted({*there, "OPTIONS", *(["HEAD"] if "GET" in there else [])}))


def _refuse_method(method: str, there: Mapping[str, Endpoint]) -> Never:
    allowed = _allowed(there)
    message = f"{shown(method)} is not allowed here, only {allowed}."
    raise JsonError(HTTPStatus.METHOD_NOT_ALLOWED, "MethodNotAllowed", message, {"Allow": allowed})


def _read_body(endpoint: Endpoint, received: Request) -> Any:
    """The body, as the endpoint's schema wants it; None where it has none. Raises JsonError."""
    if endpoint.body is None:
        return None
    is_form = endpoint.takes_form and not received.body.lstrip().startswith(b"{")
    body = read_form(received.body) if is_form else read_json(received.body)
    schemas.check(endpoint.body, body)
    return body


def _may_reveal(endpoint: Endpoint, query: Mapping[str, str], bearer: Bearer | None) -> bool:
    """Whether secrets are shown in clear. Raises JsonError when that is asked for in vain."""
    if not endpoint.reveals or query.get("reveal", "").lower() != "true":
        return False
    if bearer is None or Scope.REVEAL not in bearer.scopes:
        raise forbidden(
            "reveal=true needs a token with the scope reveal; the operator makes one with: "
            "phantom-gateway tokens add NAME --scope reveal"
        )
    return True


def _fault(status: int, message: str) -> JsonError:
    return JsonError(status, "ServiceUnavailable" if status == HTTPStatus.SERVICE_UNAVAILABLE else "Error", message)
