"""
One account's calls: made by botocore's client, sent by our wire, in a few threads of their own.

Owns: the client, the threads, the deadline of each call. Does not own: what is asked, and what answers mean. botocore
serialises, signs and knows the endpoint; it neither retries (a token-less endpoint would launch twice) nor parses
(546 ms for 1,105 machines where lxml takes 50).
"""

import asyncio
import os
import threading
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeVar

import botocore.session
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ParamValidationError

from backends.ec2.dialect import Ec2Credentials, Ec2Settings
from backends.ec2.errors import Failed, NotSent
from backends.ec2.wire import Call, Reply, Wire
from backends.threads import Threads

T = TypeVar("T")

_making = threading.Lock()
"""Clients are made one at a time: a botocore session may not make two at once."""


@lru_cache(maxsize=1)
def _session() -> Any:
    """
    The one session of this process: a client costs 10 ms and 1.3 MB in it, 150 ms and 25 MB in a session of its own.

    It reads neither the operator's AWS configuration files nor his profile: an account here is what the gateway says.
    """
    nowhere = (None, None, os.devnull, None)
    return botocore.session.Session(
        session_vars={
            "profile": (None, None, None, None),
            "config_file": nowhere,
            "credentials_file": nowhere,
        }
    )


class _Answered:
    """What botocore gets in place of an answer, which it would read, and parse."""

    status_code = 200
    headers: Mapping[str, str] = {}
    content = b"<Answered/>"


class Ec2Client:
    """
    The calls of one account. Made without contact; the SDK's client is made in a thread, by the first call.

    *name* names the threads.
    """

    def __init__(self, name: str, settings: Ec2Settings, credentials: Ec2Credentials) -> None:
        self._settings = settings
        self._credentials = credentials
        self._client: Any = None
        self._closed = False
        self._wire = Wire(settings)
        self._live: set[Call] = set()
        self._now = threading.local()
        self._gate = asyncio.Semaphore(settings.calls_at_once)
        self._threads = Threads(settings.calls_at_once, f"ec2-{name}")

    async def call(
        self,
        operation: str,
        parameters: Mapping[str, Any],
        read: Callable[[Reply], T],
        *,
        deadline_s: float | None = None,
    ) -> T:
        """
        What *read* makes of the answer to *operation* (EC2's name of it). *read* runs in the thread of the call.

        Whoever stops waiting cuts the call off. The deadline begins with the call, not while it waits for its turn.

        Raises:
            Problem: it has no answer, or *read* found that it is none.

        """
        async with self._gate:
            if self._closed:
                raise NotSent("is closed")
            loop = asyncio.get_running_loop()
            call = Call()
            try:
                future = loop.run_in_executor(self._threads, self._exchange, call, operation, parameters, read)
            except RuntimeError as error:
                raise NotSent(f"has no thread: {error}") from error
            timer = loop.call_later(deadline_s or self._settings.call_deadline_s, call.cut_off)
            self._live.add(call)
            try:
                return await future
            finally:
                timer.cancel()
                self._live.discard(call)
                if not future.done() or future.cancelled():
                    call.cut_off()

    async def close(self) -> None:
        """Nothing; calls under way are cut off, threads have ended, sockets are closed."""
        self._closed = True
        for call in list(self._live):
            call.cut_off()
        await asyncio.get_running_loop().run_in_executor(None, self._threads.shutdown)
        self._wire.close()

    # In a thread of the pool.

    def _exchange(self, call: Call, operation: str, parameters: Mapping[str, Any], read: Callable[[Reply], T]) -> T:
        self._now.call = call
        try:
            client = self._opened()
            getattr(client, xform_name(operation))(**parameters)
        except ParamValidationError as error:
            raise Failed(400, "InvalidParameterValue", str(error)) from error
        except (BotoCoreError, ValueError) as error:
            raise NotSent(f"cannot be called: {error}") from error
        finally:
            self._now.call = None
        reply = call.reply
        assert reply is not None  # botocore returns only from an answer, and answers come from _send alone
        return read(reply)

    def _opened(self) -> Any:
        """The SDK's client. Raises BotoCoreError or ValueError when it cannot be made of these settings."""
        with _making:
            if self._client is None:
                self._client = self._made()
            return self._client

    def _made(self) -> Any:
        settings = self._settings
        client = _session().create_client(
            "ec2",
            region_name=settings.region,
            endpoint_url=settings.endpoint_url,
            aws_access_key_id=self._credentials.access_key_id,
            aws_secret_access_key=self._credentials.secret_access_key,
            config=Config(
                signature_version=settings.signature_version,
                # Ours is the only loop that repeats a call: it looks first, and keeps the token.
                retries={"total_max_attempts": 1, "mode": "standard"},
                # Each of these would otherwise come from the operator's environment.
                defaults_mode="legacy",
                use_fips_endpoint=False,
                use_dualstack_endpoint=False,
            ),
        )
        client.meta.events.register("before-send.ec2", self._send)
        if settings.api_version is not None:
            client.meta.events.register("before-call.ec2", self._set_version)
        return client

    def _send(self, request: Any, **_: Any) -> _Answered:
        """Botocore's hook: sends the signed *request* in its stead."""
        call: Call = self._now.call
        call.reply = self._wire.exchange(call, request.method, request.url, request.headers, request.body)
        return _Answered()

    def _set_version(self, params: dict[str, Any], **_: Any) -> None:
        """Botocore's hook: it ships the models of a few API versions only, but the wire is alike in all of them."""
        params["body"]["Version"] = self._settings.api_version
