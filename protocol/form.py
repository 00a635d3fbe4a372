"""
The form of a request: its parameters by name, from the query string and the body alike.

Owns: unescaping, the refusal of what no later step should meet (duplicates, text that is not UTF-8 or not XML, floods
of fields), and which operation is asked for. Does not own: the meaning of dotted names, see :mod:`protocol.decode`.
"""

import re
from urllib.parse import unquote_to_bytes

from protocol import model
from protocol.errors import ApiError, shown
from protocol.wire import Request

FIELDS_MAX = 2_500
"""
Parameters of one request. The largest sensible calls (50 tags, 50 scheduled actions, a page of names, 40 overrides
with requirements) stay below 1,500; each field costs time and memory before anybody is known to have sent it.
"""

NAME_LENGTH_MAX = 512
"""Characters of a parameter name: three times the longest that the model can make."""

NAME_DEPTH_MAX = 32
"""Dots in a parameter name: twice the deepest that the model can make; what is deeper is not for us."""

_SHORT_NAME_LENGTH = 2 * NAME_DEPTH_MAX
"""A name up to this length cannot break the two limits above: a dot too many needs a character more."""

FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""
Characters that XML 1.0 cannot carry, not even escaped. Were one of them recorded, every later answer that shows it
would be unreadable to every client.
"""

_SURROGATES = range(0xD800, 0xE000)
"""What an HTTP server puts in the place of bytes that it could not decode."""


def read_form(request: Request) -> dict[str, str]:
    """
    Parameters of *request* by name: of the query string, and of the body of a POST whatever its content type says.

    Clients differ in where they put parameters, so both places count the same and are read as one form.

    Raises:
        ApiError: InvalidQueryParameter for a parameter given twice or a limit passed, MalformedQueryString for text
            that is not UTF-8, ValidationError for a character that XML cannot carry.

    """
    form: dict[str, str] = {}
    if request.query:
        _read(request.query, form)
    if request.body and request.method == "POST":
        _read(_body_text(request.body), form)
    return form


def action_of(form: dict[str, str]) -> str:
    """
    Name of the operation that *form* asks for; ``Operation`` is an old synonym of ``Action``.

    Raises:
        ApiError: MissingAction when there is neither, or an empty one.

    """
    action = form.get("Action") or form.get("Operation")
    if not action:
        raise ApiError("MissingAction", "The request is missing an Action parameter.")
    return action


def find_operation(name: str, version: str | None) -> model.Operation:
    """
    The operation called *name*; *version* only appears in the error, as old versions are served by the present one.

    Raises:
        ApiError: InvalidAction when the model has no such operation; names are case-sensitive.

    """
    operation = model.service().operations.get(name)
    if operation is None:
        asked_for = version or model.VERSION
        raise ApiError("InvalidAction", f"Could not find operation {shown(name)} for version {shown(asked_for)}")
    return operation


def _body_text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        field = body[body.rfind(b"&", 0, error.start) + 1 : error.start]
        name = field.partition(b"=")[0].decode("ascii", "replace")
        raise _not_utf8(name) from error


def _read(text: str, form: dict[str, str]) -> None:
    # Counted before it is split: a flood costs one scan and no memory.
    if text.count("&") + len(form) >= FIELDS_MAX:
        raise ApiError("InvalidQueryParameter", f"A request may have {FIELDS_MAX} parameters; this one has more.")
    is_printable = text.isprintable()
    for field in text.split("&"):
        name, _, value = field.partition("=")
        if not is_printable or "%" in field or "+" in field:
            name = _unescaped(name, name)
            value = _unescaped(value, name)
        if not name:
            continue
        if len(name) > _SHORT_NAME_LENGTH:
            _check_long_name(name)
        if name in form:
            raise ApiError("InvalidQueryParameter", f"The parameter '{shown(name)}' is given more than once.")
        form[name] = value


def _unescaped(text: str, name: str) -> str:
    if "+" in text:
        text = text.replace("+", " ")
    if "%" in text:
        try:
            # A percent sign without two hexadecimal digits stands for itself, as in every form parser.
            text = unquote_to_bytes(text).decode()
        except UnicodeError as error:
            raise _not_utf8(name) from error
    if not text.isprintable():
        forbidden = FORBIDDEN.search(text)
        if forbidden is not None:
            code_point = ord(forbidden.group())
            if code_point in _SURROGATES:
                raise _not_utf8(name)
            raise ApiError(
                "ValidationError",
                f"The parameter '{_visible(name)}' contains the character U+{code_point:04X}, which XML cannot carry.",
            )
    return text


def _check_long_name(name: str) -> None:
    if len(name) > NAME_LENGTH_MAX:
        rule = f"is longer than {NAME_LENGTH_MAX} characters"
    elif name.count(".") > NAME_DEPTH_MAX:
        rule = f"has more than {NAME_DEPTH_MAX} dots"
    else:
        return
    raise ApiError("InvalidQueryParameter", f"The parameter name '{shown(name)}' {rule}.")


def _not_utf8(name: str) -> ApiError:
    return ApiError("MalformedQueryString", f"The parameter '{_visible(name)}' is not valid UTF-8.")


def _visible(name: str) -> str:
    return shown(FORBIDDEN.sub("\ufffd", name))
