"""
From octets to the right kind of reply, or the reason why it is none.

Owns: XML and its dangers, roots, names without name spaces, error bodies. Does not own: what is in a reply
(``inventory``, ``probing``). Endpoints disagree about name spaces (with and without a closing slash, other versions,
none), so none is compared; but the root must be the operation's own: SigV2 to moto is answered by S3, with HTTP 200.
"""

from typing import Any

from lxml import etree

from backends.ec2.errors import RETRY_AFTER_S, RETRY_AFTER_S_MAX, Failed, Unexpected
from backends.ec2.wire import Reply

_ERRORS_FROM = 300


def answer(reply: Reply, operation: str) -> Any:
    """
    The root element of *reply*, which answers *operation*.

    Raises:
        Failed: it is an error of EC2's form, whatever its HTTP status.
        Unexpected: it is anything else.

    """
    retry_after_s = _retry_after_s(reply)
    root = _parsed(reply.body)
    if isinstance(root, str):
        raise Unexpected(reply.status, root, retry_after_s)
    name = local_name(root)
    if name == f"{operation}Response" and reply.status < _ERRORS_FROM:
        return root
    error = next(root.iter("{*}Error"), None)
    if error is not None and (code := text_of(error, "Code")):
        raise Failed(reply.status, code, text_of(error, "Message"), retry_after_s)
    raise Unexpected(reply.status, f"<{name}>", retry_after_s)


def local_name(element: Any) -> str:
    """The element's name without its name space."""
    return str(etree.QName(element).localname)


def text_of(element: Any, path: str) -> str:
    """The text at *path* (names without name spaces, parted by slashes) below *element*; empty when there is none."""
    found = element.findtext("/".join(f"{{*}}{step}" for step in path.split("/")))
    return found.strip() if found else ""


def _parsed(body: bytes) -> Any:
    """The root element; else, for people, what *body* is."""
    if not body.strip():
        return "an empty body"
    # libxml2's own limits stay (no huge_tree): they stop depth and entities, and a page of 100 MB passes them.
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, LookupError, ValueError):
        head = body[:200].lstrip().lower()
        return "an HTML page" if head.startswith((b"<!doctype html", b"<html")) else "something that is not XML"
    if root is None:
        return "something that is not XML"
    if root.getroottree().docinfo.internalDTD is not None:
        return "an HTML page" if local_name(root).lower() == "html" else "XML with a document type"
    return root


def _retry_after_s(reply: Reply) -> float:
    """Seconds that the endpoint asks to wait; a date is not read, for it would need a clock."""
    value = reply.headers.get("retry-after", "")
    return min(float(value), RETRY_AFTER_S_MAX) if value.isdecimal() else RETRY_AFTER_S
