"""
The AWS CLI, spoken to by a test. Keys, region and endpoint come from the environment.

Owns: command lines as a person types them, handed to the entry point of the program ``aws``, which starts afresh each
time. Only its imports are shared: they are two thirds of the time that a call takes, and a life takes eighty calls.
"""

import io
import json
import re
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from typing import Any

from awscli.clidriver import create_clidriver, main
from botocore import xform_name
from conversation import converse

REFUSAL = re.compile(r"An error occurred \((?P<code>\w+)\) when calling the \w+ operation: (?P<message>.*)", re.DOTALL)


class Failure(Exception):  # noqa: N818 - the program's own word: it ended with a code other than 0
    """What the program told on standard error, and its exit code."""

    def __init__(self, told: re.Match[str], code: int) -> None:
        super().__init__(told["message"])
        self.told = told
        self.code = code


def call(operation: str, given: Mapping[str, Any]) -> Any:
    """What ``aws autoscaling`` printed for it. Raises Failure when the service refused."""
    sys.argv = ["aws", "autoscaling", xform_name(operation, "-"), *options(given)]
    printed, complained = io.StringIO(), io.StringIO()
    with redirect_stdout(printed), redirect_stderr(complained):
        code = main()
    if code == 0:
        return json.loads(printed.getvalue() or "{}")
    told = REFUSAL.search(complained.getvalue())
    if told is None:
        raise RuntimeError(f"{sys.argv} ended with {code}: {complained.getvalue()}")
    raise Failure(told, code)


def options(given: Mapping[str, Any]) -> list[str]:
    """*given* as command line options; structures as JSON, which the CLI takes as well as its shorthand."""
    words: list[str] = []
    for member, value in given.items():
        option = f"--{xform_name(member, '-')}"
        if isinstance(value, bool):
            words.append(option if value else option.replace("--", "--no-", 1))
        elif isinstance(value, list):
            words += [option, *(entry if isinstance(entry, str) else json.dumps(entry) for entry in value)]
        else:
            words += [option, str(value)]
    return words


def read_refusal(error: Exception) -> dict[str, Any]:
    """The error as scripts tell it from others: by the code in the text, and by the exit code."""
    assert isinstance(error, Failure)
    return {"code": error.told["code"], "message": error.told["message"].strip(), "kind": f"exit {error.code}"}


if __name__ == "__main__":
    model = create_clidriver().session.get_service_model("autoscaling")
    converse({name: partial(call, name) for name in model.operation_names}, Failure, read_refusal)
