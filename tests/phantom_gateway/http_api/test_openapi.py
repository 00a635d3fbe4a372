"""The OpenAPI document and the page about the API say what the table says: every endpoint, and no other."""

import re
from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from phantom_gateway.operations.http_api import all_endpoints
from phantom_gateway.operations.http_api.openapi import document
from phantom_gateway.operations.http_api.schemas import record
from phantom_gateway.operations.http_api.table import ENDPOINTS, endpoint, match
from tests.phantom_gateway.http_api.counter import Counter

PAGE = Path(__file__).parents[3] / "docs" / "http-api.md"

all_endpoints()


def test_the_document_is_openapi() -> None:
    """It is valid OpenAPI 3.1, as its own meta-schema and the rules beyond it say."""
    OpenAPIV31SpecValidator(document()).validate()


async def test_the_document_is_served_to_everybody(counter: Counter) -> None:
    """Without a token, because it is what tells how to get in."""
    reply = await counter.call("GET", "/openapi.json", authorization="")

    assert (reply.status, reply.json) == (200, document())
    assert reply.json["servers"] == [{"url": "/api/dev"}]


def test_the_document_has_every_endpoint_once() -> None:
    """Methods and paths are those of the table, and their names differ."""
    operations = [
        (method.upper(), path, operation["operationId"])
        for path, item in document()["paths"].items()
        for method, operation in item.items()
    ]

    assert sorted(operations) == sorted((each.method, each.path, each.id) for each in ENDPOINTS)
    assert len({name for _, _, name in operations}) == len(operations)


def test_a_place_is_not_taken_twice() -> None:
    """Two endpoints for one method and path are a mistake that no start survives."""
    with pytest.raises(LookupError, match="two endpoints for GET /sites"):
        endpoint("GET", "/sites", "again", answers={200: record("Again", {})})(lambda _desk, _call: None)  # type: ignore[type-var]


def test_a_name_that_is_spelled_out_comes_first() -> None:
    """The documents' place for credentials is not taken for a site that is called so."""
    found = match("/sites/credentials")

    assert found is not None
    assert found[0]["GET"].path == "/sites/credentials"
    assert found[1] == {}


def test_the_page_lists_every_endpoint() -> None:
    """Each line of the page's table is an entry of the table in the code, in its words."""
    expected = [
        f"| `{each.method}` | `{each.path}` | {each.summary} | {', '.join(str(status) for status in each.answers)} |"
        for each in sorted(ENDPOINTS, key=lambda each: (each.path, each.method))
    ]
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if re.match(r"\| `[A-Z]+` \|", line)]

    assert lines == expected, "the page should have:\n" + "\n".join(expected)
