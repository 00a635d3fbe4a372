"""
``/openapi.json``: the OpenAPI 3.1 document of this API, made of the table of endpoints.

Owns: how an entry of the table is written there. Does not own: any endpoint; what the document says of one is what the
door does, because both read the table.
"""

import functools
import inspect
from collections.abc import Mapping
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from phantom_gateway.operations.http_api.call import PREFIX, Answer, Call
from phantom_gateway.operations.http_api.errand import Errand
from phantom_gateway.operations.http_api.schemas import ERROR, NAME_LENGTH_MAX, NAME_PATTERN, TEXT, Schema
from phantom_gateway.operations.http_api.table import (
    ENDPOINTS,
    IDEMPOTENCY_KEY,
    IDEMPOTENCY_KEY_LENGTH_MAX,
    Endpoint,
    endpoint,
)

FLAG_OF_ALL = {"pretty": "indents the answer by four"}

_SECURITY = {
    "token": {"type": "http", "scheme": "basic", "description": "user id and token"},
    "userParameter": {"type": "apiKey", "in": "query", "name": "user"},
    "tokenParameter": {"type": "apiKey", "in": "query", "name": "token"},
}

_FAILURES = {
    HTTPStatus.BAD_REQUEST: "Something in the request breaks a rule, which is named",
    HTTPStatus.FORBIDDEN: "No token, or not one of this user, or one that may not",
    HTTPStatus.NOT_FOUND: "There is no such thing, or it is another user's",
    HTTPStatus.METHOD_NOT_ALLOWED: "Not with this method; Allow says which",
    HTTPStatus.REQUEST_TIMEOUT: "The body did not arrive in time",
    HTTPStatus.CONFLICT: "Not now; the message says why",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too long",
    HTTPStatus.UNPROCESSABLE_ENTITY: "The Idempotency-Key was used for another request",
    HTTPStatus.TOO_MANY_REQUESTS: "Too much of it at once",
    HTTPStatus.INTERNAL_SERVER_ERROR: "The gateway made a mistake",
    HTTPStatus.BAD_GATEWAY: "The cloud cannot be reached",
    HTTPStatus.SERVICE_UNAVAILABLE: "Not now; try again",
    HTTPStatus.GATEWAY_TIMEOUT: "The cloud does not answer",
}
_ALWAYS = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_KEY = {
    "type": "string",
    "minLength": 1,
    "maxLength": IDEMPOTENCY_KEY_LENGTH_MAX,
    "pattern": "^[ -~]+$",
    "description": "a name for this request, new for each: sent again under it within 15 minutes, it is done once",
}
_DOCUMENT = {"title": "OpenApiDocument", "type": "object"}


@endpoint("GET", "/openapi.json", "This document", answers={200: _DOCUMENT}, open=True)
async def get_document(_errand: Errand, _call: Call) -> Answer:
    """The document."""
    return Answer(document())


@functools.cache
def document() -> dict[str, Any]:
    """The OpenAPI document of all endpoints there are."""
    components: dict[str, Schema] = {}
    paths: dict[str, dict[str, Any]] = {}
    for entry in sorted(ENDPOINTS, key=lambda each: each.path):
        paths.setdefault(entry.path, {})[entry.method.lower()] = _operation(entry, components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Phantom Gateway",
            "version": version("phantom-gateway"),
            "description": "The JSON API of Nimbus Phantom. It sees the same groups (domains) and launch "
            "configurations as the AWS Auto Scaling API on the same port.",
        },
        "servers": [{"url": PREFIX}],
        "security": [{"token": []}, {"userParameter": [], "tokenParameter": []}],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": _SECURITY},
    }


def _operation(entry: Endpoint, components: dict[str, Schema]) -> dict[str, Any]:
    about = inspect.getdoc(entry.run) or ""
    operation: dict[str, Any] = {
        "operationId": entry.id,
        "tags": [entry.path.split("/")[1].partition(".")[0]],
        "summary": entry.summary,
        "description": about,
        "parameters": [_part(name) for name in entry.names] + _others(entry) + _flags(entry),
        "responses": _responses(entry, components),
    }
    if entry.body is not None:
        media = ["application/json", *(["application/x-www-form-urlencoded"] if entry.takes_form else [])]
        content = {each: {"schema": _component(entry.body, components)} for each in media}
        operation["requestBody"] = {"required": True, "content": content}
    if entry.open:
        operation["security"] = []
    return operation


def _part(name: str) -> dict[str, Any]:
    schema = {"type": "string", "pattern": NAME_PATTERN, "minLength": 1, "maxLength": NAME_LENGTH_MAX}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _others(entry: Endpoint) -> list[dict[str, Any]]:
    headers = {**entry.headers, **({IDEMPOTENCY_KEY: _KEY} if entry.is_repeatable else {})}
    return [
        {"name": name, "in": where, "schema": schema}
        for where, given in (("query", entry.parameters), ("header", headers))
        for name, schema in given.items()
    ]


def _flags(entry: Endpoint) -> list[dict[str, Any]]:
    flags = {**entry.query, **({} if entry.streams else FLAG_OF_ALL)}
    if entry.reveals:
        flags["reveal"] = "shows secrets in clear, to a token with the scope reveal"
    return [
        {"name": name, "in": "query", "schema": TEXT, "description": f"true, in whatever case, {what}"}
        for name, what in flags.items()
    ]


def _responses(entry: Endpoint, components: dict[str, Schema]) -> dict[str, Any]:
    failures = set(_ALWAYS) | set(entry.errors)
    failures |= set() if entry.open else {HTTPStatus.FORBIDDEN}
    failures |= {HTTPStatus.NOT_FOUND} if entry.names else set()
    failures |= {HTTPStatus.UNPROCESSABLE_ENTITY} if entry.is_repeatable else set()
    responses = {str(int(status)): _response(_FAILURES[HTTPStatus(status)], ERROR, components) for status in failures}
    for status, schema in entry.answers.items():
        media = "text/event-stream" if entry.streams else "application/json"
        response = _response(HTTPStatus(status).phrase, schema, components, media)
        if status in (HTTPStatus.CREATED, HTTPStatus.FOUND):
            response["headers"] = {"Location": {"schema": TEXT}}
        responses[str(status)] = response
    return dict(sorted(responses.items()))


def _response(
    description: str, schema: Schema | None, components: dict[str, Schema], media: str = "application/json"
) -> dict[str, Any]:
    response: dict[str, Any] = {"description": description}
    if schema is not None:
        response["content"] = {media: {"schema": _component(schema, components)}}
    return response


def _component(schema: Any, components: dict[str, Schema]) -> Any:
    """*schema*, with every titled object in it put among the *components*, where others find it, too."""
    if isinstance(schema, list | tuple):
        return [_component(each, components) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    whole = {key: _component(value, components) for key, value in schema.items()}
    title = schema.get("title")
    if not isinstance(title, str):
        return whole
    if components.setdefault(title, whole) != whole:
        raise LookupError(f"two schemas are called {title}")
    return {"$ref": f"#/components/schemas/{title}"}
