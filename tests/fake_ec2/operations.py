"""
What each action on machines does and answers, faults in the world included.

Owns: reading its parameters, and pages. Does not own: filters (:mod:`tests.fake_ec2.filters`), latency, signatures and
buckets (the endpoint's), or the catalogue of things that never change (:mod:`tests.fake_ec2.catalogue`).
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from tests.fake_ec2 import replies
from tests.fake_ec2.faults import Fault, Kind, When
from tests.fake_ec2.filters import filter_test, fits
from tests.fake_ec2.knobs import LaunchTags, MixedTerminate, Paging
from tests.fake_ec2.ledger import Cause
from tests.fake_ec2.world import Account, Machine, Order, Refusal, World

UNSIGNED = ("Action", "Version", "ClientToken", "AWSAccessKeyId", "Timestamp", "Expires", "Signature")
"""Beginnings of parameters in which two requests with one token may differ."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call that was let in: its parameters, who makes it, and the fault that strikes it."""

    action: str
    form: Mapping[str, str]
    account: Account
    fault: Fault | None = None

    def suffers(self, kind: Kind, when: When | None = None) -> bool:
        """Whether a fault of *kind* strikes it."""
        return self.fault is not None and self.fault.kind is kind and when in {None, self.fault.when}

    def numbered(self, name: str) -> list[str]:
        """The values of ``name.1``, ``name.2`` and so on."""
        found = [(key[len(name) + 1 :], value) for key, value in self.form.items() if key.startswith(name + ".")]
        return [value for index, value in sorted((int(key), value) for key, value in found if key.isdigit())]

    def groups(self, name: str) -> list[dict[str, str]]:
        """The parameters below ``name.1.``, ``name.2.`` and so on."""
        found: dict[int, dict[str, str]] = {}
        for key, value in self.form.items():
            index, _, rest = key[len(name) + 1 :].partition(".")
            if key.startswith(name + ".") and index.isdigit():
                found.setdefault(int(index), {})[rest] = value
        return [found[index] for index in sorted(found)]

    def number(self, name: str, default: int) -> int:
        """The number *name*. Raises Refusal when it is none."""
        try:
            return int(self.form.get(name, default))
        except ValueError:
            raise Refusal("InvalidParameterValue", f"Value ({self.form[name]}) for {name} is invalid.") from None


def page_of(form: Mapping[str, str]) -> tuple[int, int]:
    """(number of the last machine shown, page asked for). Raises ValueError for a token that is not ours."""
    token = form.get("NextToken", "")
    if not token:
        return 0, 1
    after, page = base64.urlsafe_b64decode(token.encode()).decode("ascii").split(":")
    return int(after), int(page)


def run_instances(world: World, call: Call) -> str:
    """The reservation that RunInstances makes, or made before under the same token."""
    order = _order(world, call)
    count_min, count_max = call.number("MinCount", 1), call.number("MaxCount", 1)
    if not 1 <= count_min <= count_max:
        raise Refusal("InvalidParameterValue", f"MinCount {count_min} and MaxCount {count_max} do not fit.")
    known = None if call.suffers(Kind.NO_EFFECT) else world.known_launch(call.account.account_id, order)
    machines = _launch(world, call, order, count_min, count_max) if known is None else known
    now = world.settle()
    shown = [(machine, machine.state(now) if known is not None else "pending") for machine in machines]
    entries = [_instance(world, machine, state) for machine, state in shown]
    return replies.reservation(entries, machines[0].reservation_id if machines else "r-00000000")


def _launch(world: World, call: Call, order: Order, count_min: int, count_max: int) -> list[Machine]:
    """The machines to tell of; the world may have more, or none of them."""
    account_id = call.account.account_id
    count = call.fault.count if call.fault is not None else 0
    if call.suffers(Kind.NO_EFFECT):
        return world.imagine(account_id, order, count_max)
    if call.suffers(Kind.MORE):
        machines = world.launch(account_id, order, count_max + count, count_max + count)
        return machines[: -count or None] if call.suffers(Kind.MORE, When.AFTER) else machines
    if call.suffers(Kind.FEWER, When.BEFORE):
        fewer = max(0, count_max - count)
        return world.launch(account_id, order, fewer, fewer) if fewer else []
    machines = world.launch(account_id, order, count_min, count_max)
    return machines[: -count or None] if call.suffers(Kind.FEWER) else machines


def _order(world: World, call: Call) -> Order:
    """What *call* orders. Raises Refusal for what the endpoint would not take."""
    knobs, form = world.knobs, call.form
    specifications = call.groups("TagSpecification")
    if specifications and knobs.tags_at_launch is LaunchTags.HTTP_500:
        raise Refusal("TypeError", "Unknown error occurred.", 500)
    order = Order(
        image_id=form.get("ImageId", ""),
        instance_type=form.get("InstanceType", "m1.small"),
        token=form.get("ClientToken", knobs.token_default),
        zone=form.get("Placement.AvailabilityZone", ""),
        tags=_tags_of(specifications),
        user_data=form.get("UserData", ""),
        key_name=form.get("KeyName", ""),
        kernel_id=form.get("KernelId", ""),
        ramdisk_id=form.get("RamdiskId", ""),
        security_groups=tuple(call.numbered("SecurityGroup") + call.numbered("SecurityGroupId")) or ("default",),
        subnet_id=form.get("SubnetId", ""),
        block_devices=tuple(call.groups("BlockDeviceMapping")),
        fingerprint=_fingerprint(form),
    )
    _check_order(world, order)
    return order


def _tags_of(specifications: list[dict[str, str]]) -> dict[str, str]:
    return {
        found.get(f"{name.removesuffix('.Key')}.Key", ""): found.get(f"{name.removesuffix('.Key')}.Value", "")
        for found in specifications
        if found.get("ResourceType", "instance") == "instance"
        for name in found
        if name.startswith("Tag.") and name.endswith(".Key")
    }


def _fingerprint(form: Mapping[str, str]) -> str:
    said = sorted((key, value) for key, value in form.items() if not key.startswith(UNSIGNED))
    return hashlib.sha256(repr(said).encode()).hexdigest()


def _check_order(world: World, order: Order) -> None:
    knobs = world.knobs
    if not order.image_id:
        raise Refusal("MissingParameter", "The request must contain the parameter ImageId")
    if len(order.token) > 64:
        raise Refusal("InvalidParameterValue", "Value for clientToken is longer than 64 characters.")
    if knobs.images_are_checked and order.image_id not in knobs.images:
        raise Refusal("InvalidAMIID.NotFound", f"The image id '[{order.image_id}]' does not exist")
    if order.subnet_id and order.subnet_id not in knobs.subnets:
        raise Refusal("InvalidSubnetID.NotFound", f"The subnet ID '{order.subnet_id}' does not exist")
    if knobs.instance_types_are_checked and order.instance_type not in knobs.instance_types:
        raise Refusal("InvalidParameterValue", f"Invalid value '{order.instance_type}' for InstanceType.")
    try:
        user_data = base64.b64decode(order.user_data.encode(), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise Refusal("InvalidParameterValue", "Invalid BASE64 encoding of user data.") from None
    if knobs.user_data_bytes_max is not None and len(user_data) > knobs.user_data_bytes_max:
        raise Refusal("InvalidParameterValue", f"User data is limited to {knobs.user_data_bytes_max} bytes")


def describe_instances(world: World, call: Call) -> str:
    """A page of the listing."""
    after, page = _page(world, call)
    limit = _limit(world, call)
    if call.suffers(Kind.EMPTY):
        return "<reservationSet/>"
    test = filter_test(call.groups("Filter"), world.knobs)
    found = (
        (machine, shown) for machine, shown in world.listing(call.account.account_id, after) if test(machine, shown)
    )
    ids = call.numbered("InstanceId")
    if ids:
        wanted = {machine.machine_id for machine in _all_of(world, call, ids)}
        found = ((machine, shown) for machine, shown in found if machine.machine_id in wanted)
    machines, token = _cut(found, limit, page, world.knobs.paging)
    if call.suffers(Kind.PAGE_MISSING) and token:
        after, page = page_of({"NextToken": token})
        rest = (
            (machine, shown) for machine, shown in world.listing(call.account.account_id, after) if test(machine, shown)
        )
        machines, token = _cut(rest, limit, page, world.knobs.paging)
    return _reservations(world, call, machines) + (f"<nextToken>{token}</nextToken>" if token else "")


def _page(world: World, call: Call) -> tuple[int, int]:
    try:
        return page_of(call.form)
    except ValueError:
        if world.knobs.bad_next_token_is_500:
            raise Refusal("InternalError", "Internal Server Error", 500, html=True) from None
        raise Refusal("InvalidNextToken", "The token is invalid.") from None


def _limit(world: World, call: Call) -> int | None:
    if "MaxResults" not in call.form:
        return world.knobs.page_size
    limit = call.number("MaxResults", 0)
    if not world.knobs.max_results_min <= limit <= world.knobs.max_results_max:
        raise Refusal(
            "InvalidParameterValue",
            f"Value ( {limit} ) for parameter maxResults is invalid. Expecting a value between "
            f"{world.knobs.max_results_min} and {world.knobs.max_results_max}.",
        )
    return limit


def _cut(
    found: Iterator[tuple[Machine, str]], limit: int | None, page: int, paging: Paging
) -> tuple[list[tuple[Machine, str]], str]:
    """The machines of one page, and the token of the next or ``""``."""
    taken: list[tuple[Machine, str]] = []
    units = 0
    last = ""
    for machine, shown in found:
        is_same = paging is Paging.BY_RESERVATION and machine.reservation_id == last
        if limit is not None and units == limit and not is_same:
            token = base64.urlsafe_b64encode(f"{taken[-1][0].number}:{page + 1}".encode()).decode()
            return taken, token
        units += not is_same
        last = machine.reservation_id
        taken.append((machine, shown))
    return taken, ""


def _reservations(world: World, call: Call, machines: list[tuple[Machine, str]]) -> str:
    if call.suffers(Kind.FEWER) and call.fault is not None and not call.numbered("InstanceId"):
        machines = machines[: -call.fault.count or None]
    if call.suffers(Kind.STATES) and call.fault is not None:
        machines = [(machine, call.fault.state) for machine, _ in machines]
    times = 2 if call.suffers(Kind.DUPLICATED_ENTRIES) else 1
    return replies.items(
        "reservationSet",
        (
            replies.reservation([_instance(world, machine, shown) for machine, shown in group] * times, reservation_id)
            for reservation_id, group in groupby(machines, key=lambda entry: entry[0].reservation_id)
        ),
    )


def _instance(world: World, machine: Machine, shown: str) -> str:
    return replies.instance(machine, shown, machine.order.token if world.knobs.token_is_echoed else "")


def _all_of(world: World, call: Call, ids: list[str]) -> list[Machine]:
    """The machines called *ids*. Raises Refusal when one is not there to be seen."""
    found = [(machine_id, world.find(call.account.account_id, machine_id)) for machine_id in dict.fromkeys(ids)]
    missing = [machine_id for machine_id, machine in found if machine is None]
    if missing:
        raise _not_found(missing)
    return [machine for _, machine in found if machine is not None]


def _not_found(ids: list[str]) -> Refusal:
    malformed = [machine_id for machine_id in ids if not machine_id.startswith("i-")]
    if malformed:
        return Refusal("InvalidInstanceID.Malformed", f'Invalid id: "{malformed[0]}"')
    is_one = len(ids) == 1
    return Refusal(
        "InvalidInstanceID.NotFound",
        f"The instance ID{'' if is_one else 's'} '{', '.join(ids)}' do{'es' if is_one else ''} not exist",
    )


def terminate_instances(world: World, call: Call) -> str:
    """The states before and after."""
    ids = list(dict.fromkeys(call.numbered("InstanceId")))
    if not ids:
        raise Refusal("MissingParameter", "The request must contain the parameter InstanceId")
    found = {machine_id: world.find(call.account.account_id, machine_id) for machine_id in ids}
    known = [machine for machine in found.values() if machine is not None]
    missing = [machine_id for machine_id, machine in found.items() if machine is None]
    _touch_all(world, known, Cause.TERMINATE)
    if missing and (not known or world.knobs.terminate_mixed is MixedTerminate.REFUSED):
        raise _not_found(missing)
    entries = [_end(world, call, machine) for machine in known]
    if missing and world.knobs.terminate_mixed is MixedTerminate.KNOWN_THEN_REFUSED:
        raise _not_found(missing)
    return replies.items("instancesSet", entries)


def _touch_all(world: World, machines: list[Machine], cause: Cause) -> None:
    for machine in machines:
        if machine.is_foreign:
            world.touch(machine, cause)


def _end(world: World, call: Call, machine: Machine) -> str:
    before = machine.shown(world.clock()) or "running"
    if not call.suffers(Kind.NO_EFFECT):
        world.terminate(machine)
    after = world.knobs.terminate_says or ("terminated" if before == "terminated" else "shutting-down")
    return (
        f"<instanceId>{machine.machine_id}</instanceId><currentState>{replies.state(after)}</currentState>"
        f"<previousState>{replies.state(before)}</previousState>"
    )


def create_tags(world: World, call: Call) -> str:
    """``true``; the machines have the tags."""
    tags = {group.get("Key", ""): group.get("Value", "") for group in call.groups("Tag")}
    reserved = [key for key in tags if key.startswith("aws:")]
    if reserved:
        raise Refusal("InvalidParameterValue", f"Tag keys starting with 'aws:' are reserved: {reserved[0]}")
    ids = call.numbered("ResourceId")
    found = {machine_id: world.find(call.account.account_id, machine_id) for machine_id in ids}
    missing = [machine_id for machine_id, machine in found.items() if machine is None]
    known = [machine for machine in found.values() if machine is not None]
    _touch_all(world, known, Cause.TAGS)
    if missing and not world.knobs.tags_on_unknown_ids:
        raise _not_found(missing)
    for machine in known:
        if not call.suffers(Kind.NO_EFFECT):
            machine.tags.update(tags)
    return "<return>true</return>"


def describe_tags(world: World, call: Call) -> str:
    """Every tag of every machine that is shown; filters on key, value, resource-id and resource-type."""
    wanted = {
        group.get("Name"): [v for k, v in group.items() if k.startswith("Value")] for group in call.groups("Filter")
    }
    entries = [
        {"resource-id": machine.machine_id, "resource-type": "instance", "key": key, "value": value}
        for machine, _ in world.listing(call.account.account_id)
        for key, value in machine.tags.items()
    ]
    shown = [
        entry
        for entry in entries
        if all(name in entry and fits(entry[name], values) for name, values in wanted.items() if name is not None)
    ]
    return replies.items("tagSet", (replies.tag_entry(entry) for entry in shown))


def describe_instance_status(world: World, call: Call) -> str:
    """The health of the machines that run, or of all with IncludeAllInstances."""
    after, page = _page(world, call)
    if call.suffers(Kind.EMPTY):
        return "<instanceStatusSet/>"
    ids = call.numbered("InstanceId")
    wanted = {machine.machine_id for machine in _all_of(world, call, ids)}
    is_all = call.form.get("IncludeAllInstances", "false").lower() == "true"
    found = (
        (machine, shown)
        for machine, shown in world.listing(call.account.account_id, after)
        if (is_all or shown == "running") and (not ids or machine.machine_id in wanted)
    )
    machines, token = _cut(found, _limit(world, call), page, Paging.BY_INSTANCE)
    health = call.fault.state if call.fault is not None and call.suffers(Kind.STATES) else "ok"
    entries = (
        replies.status(machine, shown, health if shown == "running" else "initializing") for machine, shown in machines
    )
    more = f"<nextToken>{token}</nextToken>" if token else ""
    return replies.items("instanceStatusSet", entries) + more


def describe_instance_attribute(world: World, call: Call) -> str:
    """One attribute: ``userData`` as it was sent, or ``instanceType``."""
    machine = _all_of(world, call, [call.form.get("InstanceId", "")])[0]
    values = {"userData": machine.order.user_data, "instanceType": machine.order.instance_type}
    name = call.form.get("Attribute", "")
    if name not in values:
        raise Refusal("InvalidParameterValue", f"Value ({name}) for parameter attribute is invalid.")
    inside = f"<value>{values[name]}</value>" if values[name] else ""
    return f"<instanceId>{machine.machine_id}</instanceId><{name}>{inside}</{name}>"


def get_console_output(world: World, call: Call) -> str:
    """A line that names the machine."""
    machine = _all_of(world, call, [call.form.get("InstanceId", "")])[0]
    text = base64.b64encode(f"{machine.machine_id} has booted\n".encode()).decode()
    return (
        f"<instanceId>{machine.machine_id}</instanceId><timestamp>{replies.iso(machine.running_at)}</timestamp>"
        f"<output>{text}</output>"
    )


OPERATIONS: Mapping[str, Callable[[World, Call], str]] = {
    "RunInstances": run_instances,
    "DescribeInstances": describe_instances,
    "TerminateInstances": terminate_instances,
    "CreateTags": create_tags,
    "DescribeTags": describe_tags,
    "DescribeInstanceStatus": describe_instance_status,
    "DescribeInstanceAttribute": describe_instance_attribute,
    "GetConsoleOutput": get_console_output,
}
"""Action -> what it does. Each returns the inside of its answer."""
