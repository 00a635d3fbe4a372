"""
Errors of the JSON API: an HTTP status, a word for programs and a sentence for people.

Owns: their shape, and how an error of a rule that both doors share is told here. Does not own: those rules.
"""

from http import HTTPStatus
from typing import Any

from protocol.errors import ApiError

CONFLICTS = frozenset({"AlreadyExists", "ResourceInUse", "ScalingActivityInProgress"})
"""Codes that are 400 in the AWS API, where every client's fault is."""


class JsonError(Exception):
    """What went wrong. *error* is a word for programs, *message* says it to people."""

    def __init__(self, status: int, error: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{status} {error}: {message}")
        self.status = status
        self.error = error
        self.message = message
        self.headers = headers or {}

    @property
    def body(self) -> dict[str, Any]:
        """The document that the caller reads."""
        return {"error": self.error, "message": self.message}


def bad_request(message: str) -> JsonError:
    """The caller has to send something else."""
    return JsonError(HTTPStatus.BAD_REQUEST, "BadRequest", message)


def not_found(message: str) -> JsonError:
    """There is no such thing, or it is another user's."""
    return JsonError(HTTPStatus.NOT_FOUND, "NotFound", message)


def forbidden(message: str) -> JsonError:
    """The caller may not do this with this token."""
    return JsonError(HTTPStatus.FORBIDDEN, "Forbidden", message)


def conflict(message: str) -> JsonError:
    """What the caller wants does not go together with what is there."""
    return JsonError(HTTPStatus.CONFLICT, "Conflict", message)


def translated(error: ApiError) -> JsonError:
    """An error of a rule that both doors share, as this API tells it: AWS's code and text; 409 where 409 is meant."""
    status = HTTPStatus.CONFLICT if error.code in CONFLICTS else error.status
    return JsonError(status, error.code, error.message)
