"""
boto3, spoken to by a test: ``boto3_client.py v4|v2``. Keys, region and endpoint come from the environment.

Owns: the client as its users make it. ``paginate`` reads all pages of an operation with the client's own paginator;
``signature`` tells how the last request was signed, read from the request itself.
"""

import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import parse_qs

import boto3
from botocore import xform_name
from botocore.awsrequest import AWSPreparedRequest
from botocore.config import Config
from botocore.exceptions import ClientError
from conversation import converse

SIGNATURES = {"v4": "v4", "v2": "v2"}


class Boto3:
    """One client, and how it signed last."""

    def __init__(self, signature: str) -> None:
        self.client = boto3.client("autoscaling", config=Config(signature_version=SIGNATURES[signature]))
        self.client.meta.events.register("before-send.auto-scaling", self._look)
        self._signed = "not at all"

    def calls(self) -> dict[str, Callable[[Mapping[str, Any]], Any]]:
        """Every operation of the client by AWS's name, and what is ours."""
        operations = {name: partial(self._call, name) for name in self.client.meta.service_model.operation_names}
        return operations | {"paginate": self._paginate, "signature": self._signature}

    def _call(self, operation: str, given: Mapping[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = getattr(self.client, xform_name(operation))(**given)
        del answer["ResponseMetadata"]
        return answer

    def _paginate(self, given: Mapping[str, Any]) -> list[list[Any]]:
        """The pages, each as its list of members."""
        paginator = self.client.get_paginator(xform_name(given["operation"]))
        pages = paginator.paginate(**given.get("given", {}), PaginationConfig={"PageSize": given["page_size"]})
        return [page[given["members"]] for page in pages]

    def _signature(self, _given: Mapping[str, Any]) -> str:
        return self._signed

    def _look(self, request: AWSPreparedRequest, **_: object) -> None:
        """Nothing; as ``before-send`` asks, None lets the request go its way."""
        authorization = request.headers.get("Authorization")
        if authorization is not None:
            self._signed = authorization.decode().split()[0]
        else:
            self._signed = f"SignatureVersion {parse_qs(request.body)['SignatureVersion'][0]}"


def read_refusal(error: Exception) -> dict[str, Any]:
    """The error as its users tell it from others: by its code, and by its class."""
    assert isinstance(error, ClientError)
    told = error.response["Error"]
    return {"code": told["Code"], "message": told["Message"], "kind": type(error).__name__}


if __name__ == "__main__":
    converse(Boto3(sys.argv[1]).calls(), ClientError, read_refusal)
