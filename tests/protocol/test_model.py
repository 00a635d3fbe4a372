"""
What is read of the service model.

Owns: that the model is the one that botocore would load, and that all of it is understood. Does not own: its use.
"""

import re
from collections.abc import Iterator

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel

from protocol import model
from protocol.errors import PROTOCOL_STATUS, ApiError, error_status
from protocol.model import ListShape, Shape, StringShape, StructureShape

BOTOCORE = ServiceModel(Loader().load_service_model("autoscaling", "service-2"), "autoscaling")
PAGES = Loader().load_service_model("autoscaling", "paginators-1")["pagination"]


def all_shapes() -> list[Shape]:
    """Every shape that some operation takes or gives, once."""

    def below(shape: Shape) -> Iterator[Shape]:
        yield shape
        if isinstance(shape, ListShape):
            yield from below(shape.member)
        elif isinstance(shape, StructureShape):
            for member in shape.members.values():
                yield from below(member.shape)

    roots = [root for operation in model.service().operations.values() for root in (operation.input, operation.output)]
    return list({shape.name: shape for root in roots if root is not None for shape in below(root)}.values())


def strings() -> list[StringShape]:
    """Every text of the model, once."""
    return [shape for shape in all_shapes() if isinstance(shape, StringShape)]


def test_operations_are_those_of_the_installed_botocore() -> None:
    """Names, inputs, outputs, wrappers and errors are the ones that botocore's own loader finds."""
    for name in BOTOCORE.operation_names:
        theirs = BOTOCORE.operation_model(name)
        ours = model.service().operations[name]
        assert (ours.input and ours.input.name) == (theirs.input_shape and theirs.input_shape.name)
        assert (ours.output and ours.output.name) == (theirs.output_shape and theirs.output_shape.name)
        wrapper = theirs.output_shape.serialization["resultWrapper"] if theirs.output_shape else None
        assert ours.result_wrapper == wrapper
        assert ours.result_key == PAGES.get(name, {}).get("result_key")
        assert list(ours.errors) == [shape.error_code for shape in theirs.error_shapes]
    assert set(model.service().operations) == set(BOTOCORE.operation_names)


def test_every_shape_of_the_installed_model_is_understood() -> None:
    """No field of any operation is ignored because its type is unknown here."""
    assert model.service().left_out == ()
    for shape in all_shapes():
        if isinstance(shape, StructureShape):
            theirs = BOTOCORE.shape_for(shape.name)
            assert list(shape.members) == list(theirs.members)
            assert {name for name, member in shape.members.items() if member.required} == set(theirs.required_members)


def test_every_pattern_of_the_installed_model_compiles() -> None:
    """A pattern that Python cannot compile would check nothing; the installed model has none."""
    assert [shape.name for shape in strings() if shape.pattern is not None and shape.regex is None] == []


@pytest.mark.parametrize(
    ("text", "is_allowed"),
    [
        pytest.param("web@hotel", True, id="ascii"),
        pytest.param("\N{ROCKET} caf\N{LATIN SMALL LETTER E WITH ACUTE}\t\r\n", True, id="emoji and line ends"),
        pytest.param("\U0010ffff", True, id="last character"),
        pytest.param("a\x00", False, id="nul"),
        pytest.param("\x1b[31m", False, id="escape"),
        pytest.param("\ufffe", False, id="not a character"),
    ],
)
def test_the_pattern_of_most_texts_means_what_it_means_in_java(text: str, is_allowed: bool) -> None:
    """Pairs of surrogates in the model's pattern stand for the characters beyond U+FFFF."""
    pattern = next(shape for shape in strings() if shape.name == "XmlStringMaxLen255").regex

    assert isinstance(pattern, re.Pattern)
    assert (pattern.fullmatch(text) is not None) is is_allowed


def test_only_one_list_of_the_model_has_an_item_name_of_its_own() -> None:
    """References of a CPU performance factor travel as Reference.item.N; the general rule is Name.member.N."""
    lists = {shape.name: shape.item_name for shape in all_shapes() if isinstance(shape, ListShape)}

    assert lists["PerformanceFactorReferenceSetRequest"] == "item"
    assert lists["Tags"] == "member"


def test_a_newer_model_with_unknown_kinds_costs_only_those_fields() -> None:
    """Maps, blobs, flattened lists, recursion and patterns of another dialect neither fail nor are half understood."""
    raw = {
        "Root": {
            "type": "structure",
            "required": ["Name"],
            "members": {
                "Name": {"shape": "Name"},
                "Map": {"shape": "Map"},
                "Blobs": {"shape": "Blobs"},
                "Flat": {"shape": "Flat"},
                "Root": {"shape": "Root"},
            },
        },
        "Name": {"type": "string", "pattern": "(?<n>[[:alpha:]]"},
        "Map": {"type": "map"},
        "Blob": {"type": "blob"},
        "Blobs": {"type": "list", "member": {"shape": "Blob"}},
        "Flat": {"type": "list", "flattened": True, "member": {"shape": "Name"}},
    }
    shapes = model._Shapes(raw)

    root = shapes.structure("Root")

    assert list(root.members) == ["Name"]
    assert {"Map", "Blob", "Blobs", "Flat", "Root"} <= shapes.left_out
    with pytest.raises(TypeError, match="Name is not a structure"):
        shapes.structure("Name")


@pytest.mark.parametrize(
    ("version", "namespace"),
    [
        pytest.param("2011-01-01", "http://autoscaling.amazonaws.com/doc/2011-01-01/", id="current"),
        pytest.param("2010-08-01", "http://autoscaling.amazonaws.com/doc/2010-08-01/", id="boto 2.0"),
        pytest.param("2009-05-15", "http://autoscaling.amazonaws.com/doc/2009-05-15/", id="boto 1.9"),
        pytest.param(None, "http://autoscaling.amazonaws.com/doc/2011-01-01/", id="none"),
        pytest.param("", "http://autoscaling.amazonaws.com/doc/2011-01-01/", id="empty"),
        pytest.param('"><evil', "http://autoscaling.amazonaws.com/doc/2011-01-01/", id="unknown"),
    ],
)
def test_an_answer_is_in_the_namespace_that_was_asked_for(version: str | None, namespace: str) -> None:
    """Known versions are answered in their own namespace, all others in that of 2011-01-01."""
    assert model.namespace_for(version) == namespace


def test_the_current_namespace_is_the_models() -> None:
    """The namespace of an answer to botocore is the one in its model."""
    assert model.namespace_for(model.service().version) == model.service().namespace


@pytest.mark.parametrize("theirs", list(BOTOCORE.error_shapes), ids=lambda shape: shape.error_code)
def test_errors_of_the_service_have_the_status_of_the_model(theirs: object) -> None:
    """Status and type of each error of the service are the model's, whether or not the code looks like the shape."""
    details = BOTOCORE.shape_for(getattr(theirs, "name", "")).metadata["error"]
    error = ApiError(details["code"], "text")

    assert error.status == details["httpStatusCode"]
    assert (error.type == "Sender") is details["senderFault"]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        *(pytest.param(code, status, id=code) for code, status in PROTOCOL_STATUS.items()),
        pytest.param("ResourceContention", 500, id="ResourceContention"),
        pytest.param("ServiceLinkedRoleFailure", 500, id="ServiceLinkedRoleFailure"),
        pytest.param("AlreadyExists", 400, id="AlreadyExists"),
        pytest.param("InvalidNextToken", 400, id="InvalidNextToken"),
        pytest.param("NobodyKnowsThis", 400, id="unknown code"),
    ],
)
def test_every_code_has_one_status(code: str, status: int) -> None:
    """The protocol's codes have the status of its table, the service's that of the model, unknown ones 400."""
    assert error_status(code) == status
    assert ApiError(code, "text").status == status
    assert ApiError(code, "text", 418).status == 418


def test_no_code_is_in_two_tables() -> None:
    """A code of the protocol is never one of the service, so that neither table can hide the other."""
    assert not PROTOCOL_STATUS.keys() & model.service().errors.keys()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param("InternalFailure", "Receiver", id="ours"),
        pytest.param("ServiceUnavailable", "Receiver", id="down"),
        pytest.param("AccessDenied", "Sender", id="theirs"),
        pytest.param("ResourceContention", "Sender", id="500 and sender in the model"),
    ],
)
def test_the_type_of_an_error_says_who_has_to_act(code: str, expected: str) -> None:
    """Receiver is for our own failures; the model's errors keep the type that the model gives them."""
    assert ApiError(code, "text").type == expected
