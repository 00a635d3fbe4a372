"""
One command's call of the endpoint: its pages, put together.

Owns: how many pages are asked for. Does not own: signatures, sockets, XML.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from phantom_gateway.as_tools.answer import result_of
from phantom_gateway.as_tools.credentials import Credentials
from phantom_gateway.as_tools.endpoint import Endpoint
from phantom_gateway.as_tools.errors import NotDone
from phantom_gateway.as_tools.grammar import Command
from phantom_gateway.as_tools.signing import signed
from phantom_gateway.as_tools.wire import Reply, send
from protocol.model import VERSION, Operation

PAGES_MAX = 10_000
"""A million groups. Beyond it an endpoint gives the same page again and again."""

HIDDEN = frozenset({"UserData"})
"""Parameters that are not shown when a request is: they hold passwords, and logs of builds are read by many."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks whom. *tell* is handed every request in words, before it is sent."""

    endpoint: Endpoint
    credentials: Credentials
    now: Callable[[], datetime]
    tell: Callable[[str], None]

    def ask(self, operation: Operation, parameters: Mapping[str, str]) -> Reply:
        """The answer as it came. Raises NotDone when there is none."""
        request = {"Action": operation.name, "Version": VERSION, **parameters}
        shown = "\n".join(f"{name}={'***' if name in HIDDEN else value}" for name, value in request.items())
        self.tell(f"POST {self.endpoint.url}\n{shown}\n")
        headers, body = signed(self.endpoint, request, self.credentials, self.now())
        return send(self.endpoint, headers, body, self.now)

    def everything(
        self, command: Command, operation: Operation, parameters: Mapping[str, str], wanted: int | None
    ) -> dict[str, Any]:
        """The result, with at most *wanted* records from as many pages as it takes. Raises NotDone."""
        result: dict[str, Any] = {}
        records: list[Any] = []
        token = ""
        for _ in range(PAGES_MAX):
            page = {**parameters, **page_size(command, wanted, len(records)), **({"NextToken": token} if token else {})}
            result = result_of(self.ask(operation, page), operation)
            if operation.result_key is None:
                return result
            records += result.get(operation.result_key) or []
            before, token = token, result.get("NextToken") or ""
            if not token or (wanted is not None and len(records) >= wanted):
                return {**result, operation.result_key: records[:wanted]}
            if token == before:
                break
        raise NotDone("the endpoint gives the same page again and again")


def page_size(command: Command, wanted: int | None, have: int) -> dict[str, str]:
    """The parameter for the size of the next page; none when everything is wanted: endpoints know their own best."""
    if wanted is None or not command.page_max:
        return {}
    return {"MaxRecords": str(min(wanted - have, command.page_max))}
