"""
Errors that a client sees: a code, a text, and the HTTP status that the code stands for.

Owns: the table of codes that belong to the protocol itself (identity, query string, throttling). Codes of the service
(AlreadyExists, ResourceInUse, ...) take their status from the service model, see :mod:`protocol.model`.
"""

from protocol import model

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

SERVER_FAULT_MIN = 500
"""The HTTP border between what the client and what the server has to answer for."""

SHOWN_LENGTH_MAX = 100
"""Characters of a client's own text in a message: enough to recognise it, too few to fill logs with."""


def error_status(code: str) -> int:
    """
    HTTP status of *code*: from the protocol's table, else from the service model, else 400.

    An unknown code counts as the client's fault, because a 5xx makes old clients repeat the call for minutes.
    """
    status = PROTOCOL_STATUS.get(code)
    if status is not None:
        return status
    error = model.service().errors.get(code)
    return 400 if error is None else error.status


def shown(text: str) -> str:
    """*text* as a message repeats it: whole when short, else its beginning and three dots."""
    return text if len(text) <= SHOWN_LENGTH_MAX else text[:SHOWN_LENGTH_MAX] + "..."


class ApiError(Exception):
    """
    What went wrong, in words for the caller: *code* for programs, *message* for people.

    *status* is looked up when it is not given, see :func:`error_status`.
    """

    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = error_status(code) if status is None else status

    @property
    def is_clients_fault(self) -> bool:
        """True when the caller has to change something; repeating the call as it is cannot help."""
        return self.status < SERVER_FAULT_MIN

    @property
    def type(self) -> str:
        """
        ``Sender`` or ``Receiver``, as the error document says it.

        The model calls ResourceContention and its like the sender's fault and answers them with 500; both are kept.
        """
        error = model.service().errors.get(self.code)
        is_senders = self.is_clients_fault if error is None else error.is_senders_fault
        return "Sender" if is_senders else "Receiver"
