"""
A request and its answer, as endpoints see them: no bytes, no headers.

Owns: these two values. Does not own: how they come off the wire or get there (``front.http_api``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

PREFIX = "/api/dev"
"""Where the API is; every ``uri`` of an answer begins with it."""


@dataclass(frozen=True, slots=True)
class Call:
    """
    A request: the parts of its path by name, its query, and its body, which fits the endpoint's schema.

    *headers*: those that the endpoint reads and the request has, by their names in lower case. *reveal*: the caller
    asked for secrets in clear, and its token may have them. *address* is where it comes from.
    """

    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    reveal: bool = False
    address: str = ""

    def flag(self, name: str) -> bool:
        """Whether the query says ``name=true``, in whatever case."""
        return self.query.get(name, "").lower() == "true"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: *body* is what becomes JSON (None: nothing is sent), *location* a path for the header of that name."""

    body: Any = field(default=None, repr=False)
    status: int = HTTPStatus.OK
    location: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


NO_CONTENT = Answer(status=HTTPStatus.NO_CONTENT)


def created(body: Mapping[str, Any]) -> Answer:
    """The answer to having made what *body* shows; its ``uri`` says where it is."""
    return Answer(body, HTTPStatus.CREATED, body["uri"])


def exists_already(uri: str) -> Answer:
    """The answer to a POST of what is there already: the original's redirect to it, without a body."""
    return Answer(None, HTTPStatus.FOUND, uri)
