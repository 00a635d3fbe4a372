"""
What a PUT changes of a domain: its name, its launch configuration, its bounds, its tags; and nothing that stays.

Owns: telling what is different, and carrying it into the group by the rules of both doors. Does not own: those rules.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from phantom_gateway import chef, chef_keys
from phantom_gateway.chef import CREDENTIALS_DEFAULT, ChefRun
from phantom_gateway.operations.capacity import rebound
from phantom_gateway.operations.desk import Desk
from phantom_gateway.operations.group_rules import rename_group
from phantom_gateway.operations.http_api import policies
from phantom_gateway.operations.http_api.errors import bad_request, conflict
from phantom_gateway.operations.http_api.values import whole
from phantom_gateway.operations.launch_rules import USER_DATA_BYTES_MAX
from phantom_gateway.operations.tags import put_tags
from phantom_gateway.phantom_tags import CHEF_CREDENTIAL, DE_NAME, DEFINITION, OVERFLOW, VMS_MAX
from phantom_gateway.records import chef_credentials, groups, tags
from phantom_gateway.records.base_configurations import BaseConfiguration
from phantom_gateway.records.groups import GroupRow
from phantom_gateway.records.launch_configurations import LaunchSpecRecord
from protocol.errors import shown


def bounds_of(body: Mapping[str, Any]) -> tuple[int, int]:
    """The smallest and the largest number of VMs that *body* says. Raises JsonError(400)."""
    if body["de_name"] == policies.MULTICLOUD:
        count = whole("vm_count", policies.require(body, "vm_count"), 0, VMS_MAX)
        return count, count
    most = whole("sensor_maximum_vms", policies.require(body, "sensor_maximum_vms"), 0, VMS_MAX)
    least = whole("sensor_minimum_vms", policies.require(body, "sensor_minimum_vms"), 0, VMS_MAX)
    if least > most:
        raise bad_request(f"sensor_minimum_vms, {least}, must not be greater than sensor_maximum_vms, {most}.")
    return least, most


def replace(
    desk: Desk,
    group: GroupRow,
    before: Mapping[str, Any],
    body: Mapping[str, Any],
    base: BaseConfiguration,
    specs: Sequence[LaunchSpecRecord],
) -> None:
    """
    Nothing; the group, seen as *before*, is as *body* says, and launches from *specs* of *base*.

    Raises JsonError, ValidationError, LimitExceeded.
    """
    rows = tags.of_groups(desk.connection, [group.id]).get(group.id, [])
    tagged = {row.key: row.value for row in rows}
    name = body.get("name", group.name)
    if name != group.name:
        taken = groups.find(desk.connection, desk.user.id, name)
        if taken is not None and not taken.deleting:
            raise conflict(f"You have another domain named {shown(name)}.")
        rename_group(desk, group, name)
    changes: dict[str, Any] = {}
    if before["launchconfiguration"] is None or group.launch_configuration not in {spec.name for spec in specs}:
        changes["launch_configuration"] = specs[0].name
        if list(group.zones) == [cloud["site_name"] for cloud in before["clouds"]]:
            changes["zones"] = [spec.cloud for spec in specs]
    changes |= _new_bounds(desk, group, before, body, is_ranged=DE_NAME not in tagged)
    if changes:
        groups.change(desk.connection, group.id, changes, desk.now)
    wanted = policies.wanted_tags(body)
    different = policies.changes(tagged, wanted)
    if "launch_configuration" in changes or CHEF_CREDENTIAL in different:
        check_chef(desk, base, wanted)
    if different or before["de_name"] != body["de_name"]:
        _retag(desk, group, tagged, different | {DE_NAME: body["de_name"]})
    elif not changes:
        return
    desk.wake(group.uid)


def check_chef(desk: Desk, base: BaseConfiguration, wanted: Mapping[str, str]) -> None:
    """Nothing, unless *base* needs Chef credentials that are not there or too long. Raises JsonError(400)."""
    if base.chef_sealed is None:
        return
    name = wanted.get(CHEF_CREDENTIAL) or CREDENTIALS_DEFAULT
    row = chef_credentials.find(desk.connection, desk.user.id, name)
    if row is None:
        raise bad_request(
            f"There are no Chef credentials called {shown(name)}, which {base.name} needs; "
            f"store them, or say in {CHEF_CREDENTIAL} which to take."
        )
    run = ChefRun.from_text(desk.house.keyring.decrypt(base.chef_sealed))
    size = len(chef.user_data(chef_keys.server_of(desk.house.keyring, row), run).reveal().encode())
    if size > USER_DATA_BYTES_MAX:
        raise bad_request(
            f"Run list, attributes and validator key come to {size} bytes of user data, and may have "
            f"{USER_DATA_BYTES_MAX}."
        )


def _new_bounds(
    desk: Desk, group: GroupRow, before: Mapping[str, Any], body: Mapping[str, Any], *, is_ranged: bool
) -> dict[str, Any]:
    """
    What of the bounds changes, by column.

    The number of VMs is all three bounds at once, as in the original. A group *is_ranged* when AWS clients made it:
    its range stays, and goes along where it is in the way, as with SetDesiredCapacity.
    """
    least, most = bounds_of(body)
    if body["de_name"] == policies.SENSOR:
        same = (least, most) == (group.minimum, group.maximum)
        return {} if same else rebound(desk, group, least, most)
    if before["de_name"] == policies.MULTICLOUD and least == group.desired:
        return {}
    if is_ranged:
        return rebound(desk, group, min(group.minimum, least), max(group.maximum, least), least)
    return rebound(desk, group, least, least, least)


def _retag(desk: Desk, group: GroupRow, tagged: Mapping[str, str], different: Mapping[str, str | None]) -> None:
    """Nothing; the group has the tags that are *different* from those it had; from now on it is one of the dialect."""
    tags.remove(desk.connection, group.id, [key for key, value in different.items() if value is None])
    every = {key: value for key, value in different.items() if value is not None}
    if DEFINITION not in tagged:
        every[DEFINITION] = OVERFLOW
    put_tags(desk, group, [{"Key": key, "Value": value} for key, value in every.items()])
