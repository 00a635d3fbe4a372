"""
Every operation of the installed model, there and back, with botocore as the other end.

Owns: that what botocore writes is read as it was meant, and that botocore reads what we write. Does not own: the
spellings of other clients, see test_form and test_decode.
"""

from datetime import datetime
from typing import Any

import pytest
from botocore.awsrequest import AWSRequest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from protocol import model
from protocol.decode import decode
from protocol.encode import WHOLE_SECONDS, encode_error, encode_result, withheld_for
from protocol.errors import ApiError
from protocol.form import action_of, find_operation, read_form
from protocol.model import ListShape, Operation, Shape, StructureShape
from protocol.validate import validate
from protocol.wire import Request
from tests.protocol import inputs

BOTOCORE = ServiceModel(Loader().load_service_model("autoscaling", "service-2"), "autoscaling")
SERIALIZER = create_serializer("query", include_validation=False)
PARSER = create_parser("query")
OPERATIONS = sorted(model.service().operations)
MODEST = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), database=None)
REQUEST_ID = "7c6e177f-f082-11e1-ac58-3714bEXAMPLE"


def request_of(name: str, params: dict[str, Any], method: str) -> Request:
    """The request that botocore makes for the operation called *name*, or the same as a GET."""
    body = SERIALIZER.serialize_to_request(params, BOTOCORE.operation_model(name))["body"]
    prepared = AWSRequest("POST", "http://gateway/", data=body).prepare().body
    text = prepared if isinstance(prepared, str) else prepared.decode()
    if method == "GET":
        return Request("GET", "/", text, ())
    return Request("POST", "/", "", (), text.encode())


def shown_by_aws(shape: Shape, value: Any) -> Any:
    """*value* as a document carries it: without fractions of a second where AWS writes none."""
    if isinstance(value, list) and isinstance(shape, ListShape):
        return [shown_by_aws(shape.member, item) for item in value]
    if not isinstance(value, dict) or not isinstance(shape, StructureShape):
        return value
    cut = {name for structure, name in WHOLE_SECONDS if structure == shape.name}
    return {
        name: item.replace(microsecond=0)
        if name in cut and isinstance(item, datetime)
        else shown_by_aws(shape.members[name].shape, item)
        for name, item in value.items()
    }


def parsed(operation: Operation, document: str) -> dict[str, Any]:
    """What botocore makes of *document*."""
    shape = BOTOCORE.operation_model(operation.name).output_shape
    answer = {"body": document.encode(), "headers": {}, "status_code": 200}
    result: dict[str, Any] = PARSER.parse(answer, shape)
    return result


@pytest.mark.parametrize("name", OPERATIONS)
def test_botocores_requests_are_read_as_they_were_meant(name: str) -> None:
    """What botocore writes for any operation is read back equal, and satisfies the model, by POST and by GET."""
    operation = model.service().operations[name]
    if operation.input is None:
        assert decode(operation, read_form(request_of(name, {}, "POST"))) == {}
        return

    @MODEST
    @given(inputs.values(operation.input), st.sampled_from(["GET", "POST"]))
    def check(params: dict[str, Any], method: str) -> None:
        form = read_form(request_of(name, params, method))
        assert find_operation(action_of(form), form["Version"]) is operation

        read = decode(operation, form)

        assert read == (inputs.sent(params) or {})
        if read == params:
            validate(operation, read)

    check()


@pytest.mark.parametrize("name", OPERATIONS)
def test_botocore_reads_our_results_as_they_were_meant(name: str) -> None:
    """Any result of any operation is a well-formed document that botocore reads back equal."""
    operation = model.service().operations[name]
    shape = operation.output
    if shape is None:
        document = encode_result(operation, None, request_id=REQUEST_ID, namespace=model.namespace_for(None))
        assert [child.tag.partition("}")[2] for child in etree.fromstring(document)] == ["ResponseMetadata"]
        return

    @MODEST
    @given(inputs.values(shape))
    def check(result: dict[str, Any]) -> None:
        document = encode_result(operation, result, request_id=REQUEST_ID, namespace=model.namespace_for(None))

        root = etree.fromstring(document.encode())
        assert root.tag == f"{{{model.service().namespace}}}{name}Response"
        read = parsed(operation, document)
        assert read.pop("ResponseMetadata")["RequestId"] == REQUEST_ID
        assert read == shown_by_aws(shape, result)

    check()


@pytest.mark.parametrize("name", ["DescribeAutoScalingGroups", "DescribePolicies", "DescribeLaunchConfigurations"])
def test_what_boto_2_cannot_bear_is_not_there(name: str) -> None:
    """No document for boto 2 contains a list that it does not know, however deep it would stand."""
    operation = model.service().operations[name]
    shape = operation.output
    assert shape is not None
    withheld = withheld_for("Boto/2.49.0 Python/3.8.0 Linux/5.4")

    @MODEST
    @given(inputs.values(shape))
    def check(result: dict[str, Any]) -> None:
        document = encode_result(
            operation, result, request_id=REQUEST_ID, namespace=model.namespace_for(None), withhold=withheld
        )

        tags = {element.tag.partition("}")[2] for element in etree.fromstring(document.encode()).iter()}
        assert not tags & withheld

    check()


@settings(max_examples=200, deadline=None)
@given(st.text(), st.sampled_from(["ValidationError", "InternalFailure", "ResourceInUse", "ResourceContention"]))
def test_botocore_reads_our_errors(message: str, code: str) -> None:
    """Code, text and request id of an error document reach the client, whatever the text contains."""
    error = ApiError(code, message)
    document = encode_error(error, request_id=REQUEST_ID, namespace=model.namespace_for(None))

    etree.fromstring(document.encode())
    answer = {"body": document.encode(), "headers": {}, "status_code": error.status}
    read = PARSER.parse(answer, None)
    assert read["Error"]["Code"] == code
    assert read["Error"]["Type"] == ("Receiver" if code == "InternalFailure" else "Sender")
    assert read["ResponseMetadata"]["RequestId"] == REQUEST_ID
    if message.isprintable():
        assert (read["Error"]["Message"] or "") == message
