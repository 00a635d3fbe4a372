"""
The endpoints of the JSON API without HTTP, for tests that call them by the thousand.

Owns: what the door does between bytes and bytes: finding the endpoint, checking the body, the transaction.
"""

import json
from typing import Any

from phantom_gateway.operations.desk import Desk
from phantom_gateway.operations.http_api import all_endpoints, schemas
from phantom_gateway.operations.http_api.call import PREFIX, Call
from phantom_gateway.operations.http_api.table import match
from phantom_gateway.records.session import Connection
from tests.phantom_gateway.office import Office


class Clerk:
    """Calls endpoints as Alice. *woken*: the groups that the last call woke."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.woken: list[str] = []
        all_endpoints()

    def call(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """The body of the answer, which fits what the endpoint promises. Raises JsonError, ApiError."""
        found = match(path.removeprefix(PREFIX))
        assert found is not None
        there, parts = found
        endpoint = there[method]
        sent = None if body is None else json.loads(json.dumps(body))
        if endpoint.body is not None:
            schemas.check(endpoint.body, sent)

        def job(connection: Connection) -> Any:
            desk = Desk(self.office.house, self.office.user, self.office.now, connection)
            answer = endpoint.run(desk, Call(path=parts, query=query, body=sent))
            self.woken = desk.woken
            return answer

        answer = self.office.database.write_now(job) if endpoint.writes else self.office.database.read_now(job)
        promised = endpoint.answers[answer.status]
        if promised is not None:
            schemas.check(promised, answer.body)
        return json.loads(json.dumps(answer.body))
