"""
The AWS door: read, verify, decode, carry out, encode.

Owns: the order of these steps, and that every request ends in well-formed XML whatever happens on the way.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from aiohttp import web

from phantom_gateway.front.callers import Caller, Callers
from phantom_gateway.front.reading import read_request
from phantom_gateway.front.repeats import digest_of, is_named
from phantom_gateway.logs import request_id as current_request_id
from phantom_gateway.metrics import OTHER, Meter
from phantom_gateway.operations.desk import Desk, House
from phantom_gateway.operations.on_record import detail_of, target_of
from phantom_gateway.operations.table import Handler, find_handler
from phantom_gateway.records import answers, audit
from phantom_gateway.records.session import Connection, Database, RecordsUnavailable
from protocol import signature
from protocol.decode import decode
from protocol.encode import encode_error, encode_result, withheld_for
from protocol.errors import ApiError
from protocol.form import action_of, find_operation, read_form
from protocol.model import Operation, namespace_for
from protocol.validate import validate
from protocol.wire import Request

log = logging.getLogger(__name__)

METHODS = ("GET", "POST")

DOOR = "aws"
"""What metrics call it."""

_random = random.Random()  # noqa: S311 - see new_request_id; seeded by the system


@dataclass(frozen=True, slots=True)
class QueryDoor:
    """
    Answers AWS Query requests. *wake* is called with a group's uid after a change to it is durable.

    *ports* are those under which clients reach us: some sign another spelling of the host than they send.
    """

    database: Database
    house: House
    callers: Callers
    wake: Callable[[str], None]
    now: Callable[[], datetime]
    ports: Collection[int]
    body_bytes_max: int
    meter: Meter

    async def __call__(self, request: web.Request) -> web.Response:
        """The answer, always XML. Raises nothing."""
        request_id = new_request_id()
        current_request_id.set(request_id)
        answer, clock = _Answer(request_id), asyncio.get_running_loop().time
        began_s = clock()
        response = await self._answered(request, answer)
        self.meter.answered(DOOR, answer.operation, response.status, clock() - began_s)
        return response

    async def _answered(self, request: web.Request, answer: "_Answer") -> web.Response:
        try:
            document = await self._carry_out(request, answer)
            return answer.document(200, document)
        except ApiError as error:
            return answer.error(error)
        except RecordsUnavailable as unavailable:
            log.warning("request.records_unavailable", extra={"reason": str(unavailable)})
            return answer.error(ApiError("ServiceUnavailable", "The gateway's records cannot be used now; try again."))
        except Exception:  # the last resort of a door: the caller gets an answer, the log gets the story
            log.exception("request.failed")
            return answer.error(ApiError("InternalFailure", "The gateway made a mistake; its log has the request id."))

    async def _carry_out(self, request: web.Request, answer: "_Answer") -> str:
        received = await read_request(request, self.body_bytes_max)
        if received.method not in METHODS:
            raise ApiError("InvalidAction", f"Method {received.method} is not used here; use GET or POST.")
        form = read_form(received)
        version = form.get("Version")
        answer.namespace = namespace_for(version)
        caller, claim = await self._verify(received)
        operation = find_operation(action_of(form), version)
        answer.operation = operation.name
        handler = find_handler(operation.name)
        params = decode(operation, form)
        validate(operation, params)
        call = _Call(
            operation,
            handler,
            params,
            caller,
            withheld_for(received.header("user-agent")),
            digest_of(received, claim, caller.user.id) if handler.writes else b"",
            is_named(received, claim),
            request.remote or "",
        )
        return await self._run(call, answer)

    async def _verify(self, received: Request) -> tuple[Caller, signature.Claim]:
        """Who signed the request. Raises ApiError when nobody we know did, or not like this, or not now."""
        now = self.now()
        claim = signature.read_claim(received, now)
        caller = await self.callers.find(claim.access_key_id)
        secret = None if caller is None else caller.secret.reveal()
        signature.check(claim, received, secret, now, self.ports)
        if caller is None:
            raise AssertionError("a request of an unknown key passed the check")
        return caller, claim

    async def _run(self, call: "_Call", answer: "_Answer") -> str:
        """The result document; what the operation wrote is durable, and the groups it concerns are awake."""
        job = partial(self._transact, call, answer)
        if not call.handler.writes:
            return (await self.database.read(job))[0]
        document, woken = await self.database.write(job, turn=call.caller.user.id)
        for group_uid in woken:
            self.wake(group_uid)
        return document

    def _transact(self, call: "_Call", answer: "_Answer", connection: Connection) -> tuple[str, list[str]]:
        """The result document and the groups to wake. Runs in a thread of the database's."""
        now = self.now()
        # The desk comes first: it takes the lock of its user, and another gateway may be at work on this very request.
        desk = Desk(self.house, call.caller.user, now, connection, call.withhold)
        recorded = None
        if call.handler.writes:
            recorded = answers.find(connection, call.digest, now, is_named=call.is_named)
        if recorded is not None:
            log.info("request.repeated", extra={"operation": call.operation.name, "first": recorded.request_id})
            self.meter.repeated()
            answer.request_id = recorded.request_id
            return recorded.document, []
        result = call.handler.call(desk, call.params)
        document = encode_result(
            call.operation,
            result,
            request_id=answer.request_id,
            namespace=answer.namespace,
            withhold=call.withhold,
        )
        if call.handler.writes:
            answers.add(connection, call.digest, call.caller.user.id, answer.request_id, document, now)
            audit.add(connection, call.entry(answer.request_id, now))
        return document, desk.woken


@dataclass(frozen=True, slots=True)
class _Call:
    """A verified, decoded and validated request."""

    operation: Operation
    handler: Handler
    params: dict[str, object]
    caller: Caller
    withhold: frozenset[str]
    digest: bytes
    is_named: bool
    address: str

    def entry(self, request_id: str, now: datetime) -> audit.Entry:
        """What the audit keeps of it."""
        return audit.Entry(
            at=now,
            who=self.caller.user.name,
            action=self.operation.name,
            target=target_of(self.params),
            key=self.caller.user.access_key_id,
            address=self.address,
            request_id=request_id,
            detail=detail_of(self.params),
        )


class _Answer:
    """What every answer to one request shares; the name space follows the version that was asked for."""

    __slots__ = ("namespace", "operation", "request_id")

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.namespace = namespace_for(None)
        self.operation = OTHER

    def document(self, status: int, text: str) -> web.Response:
        # PHP SDK 1 wants exactly text/xml, without a charset; XML is UTF-8 when it does not say otherwise.
        headers = {"Content-Type": "text/xml", "x-amzn-RequestId": self.request_id}
        return web.Response(status=status, body=text.encode(), headers=headers)

    def error(self, error: ApiError) -> web.Response:
        return self.document(error.status, encode_error(error, request_id=self.request_id, namespace=self.namespace))


def new_request_id() -> str:
    """
    A random UUID (version 4). It names a request, and proves nothing.

    The system's own random numbers let other threads in between: 150 us in a busy server, measured.
    """
    digits = f"{_random.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def malformed(status: int, message: str) -> web.Response:
    """The answer to something that was no HTTP request: XML as well, because only AWS clients come here."""
    code = "MalformedQueryString" if status < 500 else "InternalFailure"  # noqa: PLR2004 - the HTTP border
    return _Answer(new_request_id()).error(ApiError(code, f"This is not a valid HTTP request: {message}", status))
