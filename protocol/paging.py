"""
Pages of a list: the size of one, and the token that says where the next begins.

Owns: tokens that a client can neither read as a promise nor make or move to another list. Does not own: the order of a
list, or what a position is; both are texts of the operation.
"""

import base64
import hashlib
import hmac

from protocol.errors import ApiError
from protocol.validate import violation

TOKEN_LENGTH_MAX = 4_096
"""Characters of a token that is looked at: a position is a name or two of 255 characters, at most 2 KB in UTF-8."""

_MAC_LENGTH = 16


class PageTokens:
    """Issues and reads NextToken values; a token is good for one *scope* and for as long as the secret lives."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def issue(self, scope: str, position: str) -> str:
        """
        Token for the page of *scope* that begins after *position*; safe in a URL.

        *scope* is all that makes the list what it is: the operation, the user and the filter.
        """
        place = position.encode()
        return base64.urlsafe_b64encode(self._mac(scope, place) + place).rstrip(b"=").decode("ascii")

    def read(self, token: str, scope: str) -> str:
        """
        Position for which *token* was issued.

        Raises:
            ApiError: InvalidNextToken when it was not issued here, or for another *scope*.

        """
        if len(token) <= TOKEN_LENGTH_MAX:
            try:
                content = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
            except ValueError:
                content = b""
            mac, place = content[:_MAC_LENGTH], content[_MAC_LENGTH:]
            if hmac.compare_digest(mac, self._mac(scope, place)):
                return place.decode()
        raise ApiError("InvalidNextToken", "The NextToken value is not valid.")

    def _mac(self, scope: str, place: bytes) -> bytes:
        # The scope is hashed first, so that no scope and position run into one another.
        message = hashlib.sha256(scope.encode()).digest() + place
        return hmac.digest(self._secret, message, "sha256")[:_MAC_LENGTH]


def page_size(max_records: int | None, default: int, maximum: int) -> int:
    """
    Members of one page: *max_records* as the client gave it, or *default* when it left that open.

    Raises:
        ApiError: ValidationError when MaxRecords is not in 1..*maximum*.

    """
    if max_records is None:
        return default
    if 1 <= max_records <= maximum:
        return max_records
    bound = "greater than or equal to 1" if max_records < 1 else f"less than or equal to {maximum}"
    wrong = violation(str(max_records), "maxRecords", f"have value {bound}")
    raise ApiError("ValidationError", f"1 validation error detected: {wrong}")
