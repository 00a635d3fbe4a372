"""
From an answer's octets to its values, by the service model; or the error that it is.

Owns: XML and its dangers, and the two forms of errors. Scalars stay texts as they came: they are only shown. Does not
own: how they are shown (``rendering``).
"""

from typing import Any

from lxml import etree

from phantom_gateway.as_tools.errors import NotDone
from phantom_gateway.as_tools.wire import Reply
from protocol.model import ListShape, Operation, Shape, StructureShape

ERRORS_FROM = 300

_HEAD_CHARS = 200


def result_of(reply: Reply, operation: Operation) -> dict[str, Any]:
    """
    The result of *operation*, by member name; empty when it has none.

    Raises:
        NotDone: *reply* is an error, with the endpoint's own code and text; or no answer of this service.

    """
    root = _parsed(reply.body)
    if root is None:
        raise NotDone(f"the endpoint answered {reply.status} and no XML: {_shown(reply.body)}")
    if reply.status < ERRORS_FROM and _name(root) == f"{operation.name}Response":
        if operation.output is None:
            return {}
        return _structure(_child(root, str(operation.result_wrapper)), operation.output)
    raise _error(root, reply)


def _error(root: Any, reply: Reply) -> NotDone:
    """The endpoint's own words."""
    error = next(root.iter("{*}Error"), None)
    code = _text(_child(error, "Code"))
    if not code:
        return NotDone(f"the endpoint answered {reply.status} and <{_name(root)}>: {_shown(reply.body)}")
    request_id = next((_text(found) for found in root.iter("{*}RequestId", "{*}RequestID")), "")
    trace = f" (request id {request_id})" if request_id else ""
    return NotDone(f"{code}: {_text(_child(error, 'Message'))}{trace}")


def _value(element: Any, shape: Shape) -> Any:
    if isinstance(shape, StructureShape):
        return _structure(element, shape)
    if isinstance(shape, ListShape):
        return [_value(child, shape.member) for child in element if _name(child) == shape.item_name]
    return _text(element)


def _structure(element: Any, shape: StructureShape) -> dict[str, Any]:
    if element is None:
        return {}
    children = {_name(child): child for child in element}
    return {
        name: _value(children[member.wire_name], member.shape)
        for name, member in shape.members.items()
        if member.wire_name in children
    }


def _parsed(body: bytes) -> Any:
    """The root element, or None when *body* is no XML, or XML that brings its own entities."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
    return None if root is None or root.getroottree().docinfo.internalDTD is not None else root


def _child(element: Any, name: str) -> Any:
    return None if element is None else next((child for child in element if _name(child) == name), None)


def _name(element: Any) -> str:
    """The name without its name space: endpoints differ in it."""
    return str(element.tag).rpartition("}")[2]


def _text(element: Any) -> str:
    return "" if element is None else str(element.text or "")


def _shown(body: bytes) -> str:
    """The beginning, in one line, for people."""
    return " ".join(body[:_HEAD_CHARS].decode("utf-8", "replace").split()) or "an empty body"
