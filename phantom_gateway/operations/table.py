"""
The table of operations: name -> handler, filled by the ``@operation`` marks in the files beside this one.

Owns: how a decoded request becomes a typed call. A handler's parameters are a frozen dataclass; each field is matched
to a member of the model's input at import time, so a misspelt field fails the first test, not the first user.
"""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_type_hints

from phantom_gateway.operations.desk import Desk
from protocol.errors import ApiError
from protocol.model import service

P = TypeVar("P")
Result = Mapping[str, Any] | None

DEFAULTS_SPELLED_OUT: Mapping[str, Any] = {
    "AvailabilityZoneDistribution": {"CapacityDistributionStrategy": "balanced-best-effort"},
}
"""
Member -> AWS's own default. Terraform's provider 5.100 sends it with every change of a group, and repeats what is
refused for ten minutes; measured.
"""


@dataclass(frozen=True, slots=True)
class Handler:
    """One operation that is built. *writes*: it needs a transaction that is kept."""

    name: str
    run: Callable[[Desk, Any], Result]
    params: type
    fields: Mapping[str, str]
    """AWS member name -> field name."""
    writes: bool

    def call(self, desk: Desk, given: Mapping[str, Any]) -> Result:
        """What the operation answers. Raises ApiError."""
        return self.run(desk, self._bind(given))

    def _bind(self, given: Mapping[str, Any]) -> object:
        """*given* as the handler's own type. Raises ApiError for a member that would otherwise be dropped silently."""
        values = {}
        for member, value in given.items():
            name = self.fields.get(member)
            if name is not None:
                values[name] = value
            elif value not in ([], {}, "", False, DEFAULTS_SPELLED_OUT.get(member)):  # no more than the default
                # Not ValidationError, which Terraform's provider repeats for ten minutes when a group is changed.
                raise ApiError(
                    "InvalidQueryParameter",
                    f"{member} is not supported by {self.name} of this gateway yet; leave it out.",
                )
        return self.params(**values)


TABLE: dict[str, Handler] = {}


def operation(
    name: str, *, writes: bool = False
) -> Callable[[Callable[[Desk, P], Result]], Callable[[Desk, P], Result]]:
    """
    A mark for the function that handles the operation called *name*.

    Its second parameter's type is a frozen dataclass whose fields are input members of the model in snake case; it
    reads only, unless *writes*.
    """

    def mark(run: Callable[[Desk, P], Result]) -> Callable[[Desk, P], Result]:
        _, second = inspect.signature(run).parameters
        params = get_type_hints(run)[second]
        TABLE[name] = Handler(name, run, params, _fields(name, params), writes)
        return run

    return mark


def find_handler(name: str) -> Handler:
    """The handler of a known operation. Raises ApiError when it is not built yet: a clean answer, never a stub."""
    try:
        return TABLE[name]
    except KeyError:
        raise ApiError("InvalidAction", f"{name} is not built in this gateway yet.") from None


def not_built() -> list[str]:
    """Every operation of the service model that answers an error because it is not built yet, by name."""
    return sorted(set(service().operations) - set(TABLE))


def _fields(name: str, params: type) -> dict[str, str]:
    shape = service().operations[name].input
    members = {} if shape is None else {member.lower(): member for member in shape.members}
    fields = {}
    for entry in dataclasses.fields(params):
        member = members.get(entry.name.replace("_", ""))
        if member is None:
            raise LookupError(f"{params.__name__}.{entry.name} is no input member of {name}")
        fields[member] = entry.name
    return fields
