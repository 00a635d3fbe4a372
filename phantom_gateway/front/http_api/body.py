"""
Bodies and queries of the JSON API: bytes in, values out, or a clear refusal.

Owns: decoding them. Does not own: strictness about what JSON leaves open (``strict_json``), nor what an endpoint wants
to find in a value.
"""

from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

from phantom_gateway.operations.http_api import strict_json
from phantom_gateway.operations.http_api.errors import bad_request

PARAMETERS_MAX = 64
"""Parameters in a query or a form; an endpoint has up to four."""


def read_json(body: bytes) -> Any:
    """The value that *body* is the JSON text of. Raises JsonError(400)."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise bad_request("The body is not UTF-8.") from error
    if not text.strip():
        raise bad_request("Bad request. No JSON: the body is empty.")
    return strict_json.loads(text)


def read_form(body: bytes) -> dict[str, str]:
    """The fields of a form; of several with one name the last. Raises JsonError(400)."""
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=PARAMETERS_MAX, errors="strict")
    except ValueError as error:  # not ASCII, not UTF-8 once decoded, or too many
        raise bad_request(f"The body is no form of at most {PARAMETERS_MAX} fields in UTF-8.") from error
    return dict(pairs)


def read_query(query: str) -> dict[str, str]:
    """The parameters of a query; of several with one name the last. Raises JsonError(400)."""
    try:
        return dict(parse_qsl(query, keep_blank_values=True, max_num_fields=PARAMETERS_MAX, errors="strict"))
    except ValueError as error:
        raise bad_request(f"The query has more than {PARAMETERS_MAX} parameters, or is not UTF-8.") from error


def read_path(raw: str) -> str | None:
    """The path, decoded; None when it is not UTF-8, and so names nothing here."""
    try:
        return unquote_to_bytes(raw).decode("utf-8")
    except UnicodeError:
        return None
