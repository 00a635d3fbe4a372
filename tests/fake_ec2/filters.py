"""
Filters of listings: honoured, ignored, answered with nothing or refused, as the knobs say.

Owns: what a filter's name stands for, and wildcards. Does not own: the listings.
"""

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase

from tests.fake_ec2.knobs import Filters, Knobs
from tests.fake_ec2.world import Machine, Refusal

Test = Callable[[Machine, str], bool]


def filter_test(filters: Sequence[Mapping[str, str]], knobs: Knobs) -> Test:
    """Whether a machine in the state it is shown in passes all *filters*. Raises Refusal for one that cannot be."""
    tests = []
    for group in filters:
        name = group.get("Name", "")
        values = [value for key, value in group.items() if key.startswith("Value")]
        modes = (mode for pattern, mode in knobs.filter_modes.items() if fnmatchcase(name, pattern))
        test = _filter(name, values, Filters(next(modes, knobs.filters)))
        if test is not None:
            tests.append(test)
    return lambda machine, shown: all(test(machine, shown) for test in tests)


def _filter(name: str, values: list[str], mode: Filters) -> Test | None:
    """The test of one filter; None when it tests nothing."""
    if mode is Filters.HTTP_500:
        raise Refusal("InternalError", "Internal Server Error", 500, html=True)
    if mode is Filters.REFUSED:
        raise Refusal("InvalidParameterValue", f"The filter '{name}' is invalid")
    if mode is Filters.IGNORED:
        return None
    if mode is Filters.EMPTY:
        return lambda _machine, _shown: False
    if name.startswith("tag:"):
        key = name.removeprefix("tag:")
        return lambda machine, _shown: key in machine.tags and fits(machine.tags[key], values)
    facts: dict[str, Callable[[Machine, str], str]] = {
        "client-token": lambda machine, _shown: machine.order.token,
        "instance-state-name": lambda _machine, shown: shown,
        "instance-id": lambda machine, _shown: machine.machine_id,
        "availability-zone": lambda machine, _shown: machine.zone,
        "image-id": lambda machine, _shown: machine.order.image_id,
        "instance-type": lambda machine, _shown: machine.order.instance_type,
        "reservation-id": lambda machine, _shown: machine.reservation_id,
        "key-name": lambda machine, _shown: machine.order.key_name,
    }
    if name == "tag-key":
        return lambda machine, _shown: any(fits(key, values) for key in machine.tags)
    if name not in facts:
        raise Refusal("InvalidParameterValue", f"The filter '{name}' is invalid")
    fact = facts[name]
    return lambda machine, shown: fits(fact(machine, shown), values)


def fits(value: str, patterns: list[str]) -> bool:
    return value in patterns or any(
        fnmatchcase(value, pattern) for pattern in patterns if "*" in pattern or "?" in pattern
    )
