"""
The fault-injecting EC2 endpoint: one aiohttp application that speaks the EC2 Query protocol.

Owns: letting calls in (keys, signatures, buckets), latency, the log of calls, and picking the fault that strikes. Does
not own: what the actions do (:mod:`tests.fake_ec2.operations`), or the control surface (:mod:`tests.fake_ec2.control`).
"""

import asyncio
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

from aiohttp import web

from protocol.errors import ApiError
from protocol.signature import check, read_claim
from protocol.wire import Request
from tests.fake_ec2 import replies
from tests.fake_ec2.buckets import Buckets
from tests.fake_ec2.catalogue import ACTIONS
from tests.fake_ec2.control import add_control
from tests.fake_ec2.faults import FaultPlan
from tests.fake_ec2.ledger import Heard
from tests.fake_ec2.mischief import Mischief, Sleep
from tests.fake_ec2.operations import Call, page_of
from tests.fake_ec2.replies import Reply
from tests.fake_ec2.world import Account, Refusal, World

BODY_BYTES_MAX = 8 * 1024 * 1024
"""Of a request: the ids of 100,000 machines fit."""

_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)")


class Endpoint:
    """The door of *world*, behind which *plan* plots. *sleep* makes latency, in real or imaginary seconds."""

    def __init__(self, world: World, plan: FaultPlan | None = None, *, sleep: Sleep = asyncio.sleep) -> None:
        self.world = world
        self.plan = plan or FaultPlan(clock=world.clock)
        self.mischief = Mischief(sleep=sleep, namespace=lambda: self.world.knobs.namespace)
        self._buckets = Buckets()
        self._sleep = sleep

    def application(self) -> web.Application:
        """The application; a new one for each server that runs it."""
        application = web.Application(client_max_size=BODY_BYTES_MAX)
        add_control(application, self.world, self.plan, self.mischief)
        application.router.add_route("*", "/{path:.*}", self.handle)
        application.on_shutdown.append(self._on_shutdown)
        return application

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """The answer to one call, as the plan lets it arrive."""
        body = await request.read()
        form = read_form(request, body)
        action = form.get("Action", "")
        heard_at = self.world.settle()
        try:
            account = self._account(request, form, body)
        except Refusal as refusal:
            self._hear(heard_at, action, "", form, refusal.code)
            return _response(_refused(refusal))
        if account is None:
            return _response(replies.buckets())
        fault = self.plan.pick(action, account_id=account.account_id, page=_page(form))
        self._hear(heard_at, action, account.account_id, form, fault.kind if fault else "")
        call = Call(action, form, account, fault)
        return await self.mischief.deliver(request, action, fault, lambda: self._perform(call))

    async def _perform(self, call: Call) -> Reply:
        """The honest answer to *call*, after its time, with its effect."""
        knobs = self.world.knobs
        try:
            self._admit(call)
            await self._pass(knobs.launch_base_s if call.action == "RunInstances" else knobs.call_s)
            inner = ACTIONS[call.action](self.world, call)
        except Refusal as refusal:
            return _refused(refusal)
        if call.action == "RunInstances":
            await self._pass(knobs.launch_each_s * inner.count("<instanceId>"))
        return replies.answer(call.action, inner, knobs.namespace)

    def _admit(self, call: Call) -> None:
        """Nothing, when *call* may do what it asks. Raises Refusal: no such action, or too many calls."""
        if call.action not in ACTIONS:
            raise Refusal("InvalidAction", f"The action {call.action} is not valid for this web service.")
        knobs, now = self.world.knobs, self.world.clock()
        account_id = call.account.account_id
        admitted = self._buckets.admits(account_id, call.action, knobs, now)
        if admitted and call.action == "RunInstances":
            admitted = self._buckets.admits_launch(account_id, call.number("MaxCount", 1), knobs, now)
        if not admitted:
            raise Refusal("RequestLimitExceeded", "Request limit exceeded.", 503)

    async def _pass(self, seconds: float) -> None:
        if seconds > 0:
            await self._sleep(seconds)

    def _account(self, request: web.Request, form: Mapping[str, str], body: bytes) -> Account | None:
        """Whose call it is, or None when it goes astray to S3. Raises Refusal when it is nobody's."""
        knobs = self.world.knobs
        found = _CREDENTIAL.search(request.headers.get("Authorization", ""))
        if found is None and "AWSAccessKeyId" in form and knobs.sigv2_goes_to_s3:
            return None
        in_query = form.get("X-Amz-Credential", "").partition("/")[0]
        account = self.world.account_of(found[1] if found else form.get("AWSAccessKeyId", in_query))
        if knobs.signatures_are_checked:
            self._check_signature(request, body, account)
        return account

    def _check_signature(self, request: web.Request, body: bytes, account: Account) -> None:
        path, _, query = request.raw_path.partition("?")
        headers = tuple(
            (name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in request.raw_headers
        )
        signed = Request(request.method, path, query, headers, body)
        now = datetime.now(UTC) + timedelta(seconds=self.world.knobs.clock_skew_s)
        port = request.url.port
        try:
            check(read_claim(signed, now), signed, account.secret_access_key, now, (port,) if port else ())
        except ApiError as refused:
            if refused.code == "RequestExpired" or "expired" in refused.message.lower():
                raise Refusal("RequestExpired", "Request has expired.", 400) from refused
            raise Refusal(
                "AuthFailure", "AWS was not able to validate the provided access credentials", 401
            ) from refused

    def _hear(self, at: float, action: str, account_id: str, form: Mapping[str, str], fault: str) -> None:
        count = form.get("MaxCount", "")
        asked = int(count) if count.isdigit() else sum(1 for name in form if name.startswith("InstanceId."))
        self.world.ledger.calls.append(Heard(at, action, account_id, asked, form.get("ClientToken", ""), fault))

    async def _on_shutdown(self, _application: web.Application) -> None:
        self.mischief.release()


def read_form(request: web.Request, body: bytes) -> dict[str, str]:
    """The parameters of a call, from its query and its body."""
    query = request.raw_path.partition("?")[2]
    return dict(parse_qsl(f"{query}&{body.decode('utf-8', 'replace')}", keep_blank_values=True))


def _page(form: Mapping[str, str]) -> int:
    try:
        return page_of(form)[1]
    except ValueError:
        return 0


def _refused(refusal: Refusal) -> Reply:
    if refusal.html:
        return replies.html(refusal.status)
    return replies.error(refusal.code, refusal.message, refusal.status)


def _response(reply: Reply) -> web.Response:
    return web.Response(body=reply.body, status=reply.status, headers={"Content-Type": reply.content_type})
