"""
The table of endpoints, filled by the ``@endpoint`` marks in the files beside this one.

Owns: what the door and the OpenAPI document know of an endpoint: method, path, schemas, and how it is run. Does not
own: aiohttp's routes; there is one, and a path is matched here.
"""

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from phantom_gateway.operations.desk import Desk
from phantom_gateway.operations.http_api.call import Answer, Call
from phantom_gateway.operations.http_api.errand import Errand
from phantom_gateway.operations.http_api.schemas import NAME_LENGTH_MAX, Schema

Run = Callable[[Desk, Call], Answer] | Callable[[Errand, Call], Awaitable[Answer]]
R = TypeVar("R", bound=Run)

IDEMPOTENCY_KEY = "idempotency-key"
"""The header by which a client names a request that it may send again. An IETF draft, and many APIs' convention."""

IDEMPOTENCY_KEY_LENGTH_MAX = 255
"""Characters: a UUID has 36. Others allow as many."""

_NAMED = re.compile(r"\{(\w+)\}")
_PART = rf"[-_.0-9A-Za-z ]{{1,{NAME_LENGTH_MAX}}}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """
    One endpoint. *writes*: it needs a transaction that is kept. *waits*: it is a coroutine of an errand.

    *answers* maps the statuses of success to the schema of the body, None for none.
    """

    method: str
    path: str
    run: Callable[..., Any]
    summary: str
    answers: Mapping[int, Schema | None]
    writes: bool = False
    waits: bool = False
    open: bool = False
    """Nobody has to say who he is."""
    body: Schema | None = None
    takes_form: bool = False
    """The body may also be a form."""
    query: Mapping[str, str] = field(default_factory=dict)
    """Parameter -> what ``true`` does; these are flags."""
    parameters: Mapping[str, Schema] = field(default_factory=dict)
    """Other parameters of the query."""
    headers: Mapping[str, Schema] = field(default_factory=dict)
    """Headers that it reads, in lower case."""
    streams: bool = False
    """Its answer has no end: it says what to watch, and the door tells what happens."""
    errors: tuple[int, ...] = ()
    """Statuses of failure that only this endpoint has."""
    reveals: bool = False
    """``?reveal=true`` shows secrets, to a token that may."""

    @property
    def id(self) -> str:
        """A name made of method and path, which no other endpoint has."""
        return "_".join([self.method.lower(), *re.findall(r"\w+", self.path)])

    @property
    def is_repeatable(self) -> bool:
        """Whether its answer is recorded for a client that names its request: it changes records, and nothing else."""
        return self.writes and not self.waits and not self.open

    @property
    def names(self) -> list[str]:
        """The names of the parts of its path that vary."""
        return _NAMED.findall(self.path)


ENDPOINTS: list[Endpoint] = []

_PATHS: dict[str, dict[str, Endpoint]] = {}
_PATTERNS: list[tuple[re.Pattern[str], str]] = []


def endpoint(
    method: str,
    path: str,
    summary: str,
    *,
    answers: Mapping[int, Schema | None],
    writes: bool = False,
    open: bool = False,  # noqa: A002 - the word of the table
    body: Schema | None = None,
    takes_form: bool = False,
    query: Mapping[str, str] | None = None,
    parameters: Mapping[str, Schema] | None = None,
    headers: Mapping[str, Schema] | None = None,
    errors: tuple[int, ...] = (),
    reveals: bool = False,
    streams: bool = False,
) -> Callable[[R], R]:
    """
    A mark for the function that is run for *method* and *path* (below ``/api/dev``; ``{name}`` is a part that varies).

    A plain function gets a desk and runs in one transaction; it reads only, unless it *writes*. A coroutine gets an
    errand, and waits for something else than the records. A function may carry several marks.
    """

    def mark(run: R) -> R:
        entry = Endpoint(
            method=method,
            path=path,
            run=run,
            summary=summary,
            answers=answers,
            writes=writes,
            waits=inspect.iscoroutinefunction(run),
            open=open,
            body=body,
            takes_form=takes_form,
            query=dict(query or {}),
            parameters=dict(parameters or {}),
            headers=dict(headers or {}),
            errors=errors,
            reveals=reveals,
            streams=streams,
        )
        if method in _PATHS.setdefault(path, {}):
            raise LookupError(f"there are two endpoints for {method} {path}")
        if not _PATHS[path]:
            _PATTERNS.append((_compiled(path), path))
            _PATTERNS.sort(key=lambda each: each[1].count("{"))  # a name that is spelled out comes first
        _PATHS[path][method] = entry
        ENDPOINTS.append(entry)
        return run

    return mark


def match(path: str) -> tuple[Mapping[str, Endpoint], dict[str, str]] | None:
    """The endpoints at *path*, by method, and its parts by name; None when there is nothing."""
    for pattern, template in _PATTERNS:
        found = pattern.fullmatch(path)
        if found is not None:
            return _PATHS[template], found.groupdict()
    return None


def _compiled(path: str) -> re.Pattern[str]:
    pieces = _NAMED.split(path)
    literal = [re.escape(piece) for piece in pieces[::2]]
    named = [f"(?P<{name}>{_PART})" for name in pieces[1::2]]
    return re.compile("".join(text for pair in zip(literal, [*named, ""], strict=True) for text in pair))
