"""
How a test talks with a client that lives in a process of its own: one JSON line asked, one JSON line answered.

Owns: the lines. Asked ``{"operation": NAME, "given": {...}}``, it answers ``{"result": {...}}``, or ``{"refusal":
{code, message, kind}}`` when the client raised the error it has for what a service refuses. Any other error ends it.
"""

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

Call = Callable[[Mapping[str, Any]], Any]
ReadRefusal = Callable[[Exception], dict[str, Any]]


def converse(calls: Mapping[str, Call], refusals: type[Exception], read_refusal: ReadRefusal) -> None:
    """Nothing, at the end of the input. Values that JSON has no word for (dates) are answered as text."""
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = {"result": calls[asked["operation"]](asked["given"])}
        except refusals as error:
            answer = {"refusal": read_refusal(error)}
        sys.stdout.write(json.dumps(answer, default=str) + "\n")
        sys.stdout.flush()
