"""
Errors that a client sees: a code, a text, and the HTTP status that the code stands for.

Owns: the table of codes that belong to the protocol itself (identity, query string, throttling). Codes of the service
(AlreadyExists, ResourceInUse, ...) take their status from the service model, see :mod:`protocol.model`.
"""

PROTOCOL_STATUS = {
    "AccessDenied": 403,
    "IncompleteSignature": 400,
    "InternalFailure": 500,
    "InvalidAction": 400,
    "InvalidClientTokenId": 403,
    "InvalidParameterCombination": 400,
    "InvalidParameterValue": 400,
    "InvalidQueryParameter": 400,
    "MalformedInput": 400,
    # AWS's table says 404 here; boto 2 and botocore treat both as final, and 400 keeps "no operation answers 404" true.
    "MalformedQueryString": 400,
    "MissingAction": 400,
    "MissingAuthenticationToken": 403,
    "MissingParameter": 400,
    "NoSuchVersion": 400,
    "OptInRequired": 403,
    "RequestExpired": 400,
    "RequestTooLarge": 413,
    "ServiceUnavailable": 503,
    "SignatureDoesNotMatch": 403,
    "Throttling": 400,
    "ValidationError": 400,
}
"""HTTP status of each code, from the common errors of the Auto Scaling API reference."""


class ApiError(Exception):
    """
    What went wrong, in words for the caller: *code* for programs, *message* for people.

    *status* is looked up when it is not given; an unknown code counts as the client's fault (400), because a 5xx
    makes old clients repeat the call for minutes.
    """

    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = PROTOCOL_STATUS.get(code, 400) if status is None else status

    @property
    def is_clients_fault(self) -> bool:
        """True when the caller has to change something; repeating the call as it is cannot help."""
        return self.status < 500  # noqa: PLR2004 - the HTTP border between client and server
