"""
A launch configuration as a whole, made and replaced in the records.

Owns: what becomes of the spec of each cloud: one that would launch something else is another spec, so that
OldestLaunchConfiguration and the ledger can rely on specs that never change. Does not own: what clients may send.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phantom_gateway.chef import ChefRun
from phantom_gateway.operations.desk import Desk
from phantom_gateway.operations.http_api.contextualization import Contextualization
from phantom_gateway.operations.http_api.spellings import is_same
from phantom_gateway.operations.launch_rules import follow
from phantom_gateway.records import base_configurations, launch_configurations
from phantom_gateway.records.base_configurations import BaseConfiguration
from phantom_gateway.records.launch_configurations import LaunchSpecRecord
from phantom_gateway.secret import Secret

NAME = re.compile(r"[-_.0-9A-Za-z ]+")


@dataclass(frozen=True, slots=True)
class CloudParams:
    """What is said about one cloud."""

    cloud: str
    image_id: str
    instance_type: str
    key_name: str | None
    rank: int
    max_vms: int
    common: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """A launch configuration as it is to be; *clouds* by rank."""

    name: str
    clouds: tuple[CloudParams, ...]
    context: Contextualization
    appliance: str | None
    description: str | None
    public: bool


def make(desk: Desk, wanted: Wanted) -> BaseConfiguration:
    """The new one."""
    values = {"user_id": desk.user.id, "uid": desk.house.new_id(), "created_at": desk.now}
    base_id = base_configurations.add(desk.connection, values | _own(desk, wanted))
    for params in wanted.clouds:
        _add_spec(desk, base_id, wanted, params, None)
    base = base_configurations.by_name(desk.connection, desk.user.id, wanted.name)
    assert base is not None
    return base


def replace(desk: Desk, base: BaseConfiguration, specs: Sequence[LaunchSpecRecord], wanted: Wanted) -> None:
    """Nothing; *base*, whose specs by rank are *specs*, is as *wanted*. What is so already is left alone."""
    before = {spec.cloud: spec for spec in specs}
    chef_stays = is_same(_chef_document(chef_of(desk, base)), _chef_document(wanted.context.chef))
    kept = {
        params.cloud
        for params in wanted.clouds
        if chef_stays and params.cloud in before and _launches_same(desk, before[params.cloud], params, wanted.context)
    }
    own = _own(desk, wanted)
    if chef_stays:
        own["chef_sealed"] = base.chef_sealed
    if kept == set(before) and len(wanted.clouds) == len(specs):
        own["user_data_sealed"] = base.user_data_sealed
        if _is_own(base, own) and [_place(spec) for spec in specs] == [_place(params) for params in wanted.clouds]:
            return
    base_configurations.change(desk.connection, base, own)
    base_configurations.remove_specs(desk.connection, [spec.id for spec in specs if spec.cloud not in kept])
    renamed = [spec._replace(name=_spec_name(wanted.name, spec.cloud, spec)) for spec in specs]
    for spec, new in zip(specs, renamed, strict=True):
        if new.name != spec.name:
            base_configurations.rename_references(desk.connection, desk.user.id, spec.name, new.name)
    for params in wanted.clouds:
        if params.cloud in kept:
            _keep_spec(desk, before[params.cloud], wanted.name, params)
        else:
            _add_spec(desk, base.id, wanted, params, before.get(params.cloud))
    follow(desk, renamed, launch_configurations.of_base(desk.connection, desk.user.id, wanted.name))


def user_data_of(desk: Desk, specs: Sequence[LaunchSpecRecord]) -> dict[str, bytes]:
    """The user data of each cloud that has some."""
    found = {}
    for spec in specs:
        if spec.user_data_sealed is not None:
            found[spec.cloud] = base64.b64decode(desk.house.keyring.decrypt(spec.user_data_sealed).reveal())
    return found


def chef_of(desk: Desk, base: BaseConfiguration) -> ChefRun | None:
    """What it says to Chef, if it does."""
    sealed = base.chef_sealed
    return None if sealed is None else ChefRun.from_text(desk.house.keyring.decrypt(sealed))


def _own(desk: Desk, wanted: Wanted) -> dict[str, Any]:
    """What is stored of the whole, by column."""
    chef = wanted.context.chef
    return {
        "base_name": wanted.name,
        "user_data_sealed": _sealed(desk, wanted.context.shared),
        "chef_sealed": None if chef is None else desk.house.keyring.encrypt(chef.to_text()),
        "appliance": wanted.appliance,
        "description": wanted.description,
        "public": wanted.public,
    }


def _is_own(base: BaseConfiguration, own: Mapping[str, Any]) -> bool:
    names = {"base_name": "name"}
    return all(getattr(base, names.get(column, column)) == value for column, value in own.items())


def _place(share: LaunchSpecRecord | CloudParams) -> tuple[str, int, bool]:
    """What may change of a spec; its rank is its place in the list."""
    return share.cloud, share.max_vms, share.common


def _launches_same(desk: Desk, spec: LaunchSpecRecord, params: CloudParams, context: Contextualization) -> bool:
    same = (spec.image_id, spec.instance_type, spec.key_name) == (
        params.image_id,
        params.instance_type,
        params.key_name,
    )
    return same and user_data_of(desk, [spec]).get(spec.cloud, b"") == context.user_data.get(params.cloud, b"")


def _add_spec(
    desk: Desk, base_id: int, wanted: Wanted, params: CloudParams, instead_of: LaunchSpecRecord | None
) -> None:
    """Nothing; there is a new spec. What AWS clients alone can give stays from the one it is *instead_of*."""
    values = {
        "name": _spec_name(wanted.name, params.cloud, instead_of),
        "cloud": params.cloud,
        "uid": desk.house.new_id(),
        "image_id": params.image_id,
        "instance_type": params.instance_type,
        "key_name": params.key_name,
        "user_data_sealed": _sealed(desk, wanted.context.user_data.get(params.cloud)),
        "settings": {} if instead_of is None else instead_of.settings,
        "rank": params.rank,
        "max_vms": params.max_vms,
        "common": params.common,
        "created_at": desk.now,
    }
    base_configurations.add_spec(desk.connection, base_id, desk.user.id, values)


def _keep_spec(desk: Desk, spec: LaunchSpecRecord, base_name: str, params: CloudParams) -> None:
    """Nothing; the spec launches what it did. User data it had from the whole is its own, which that may lose now."""
    values = {
        "name": _spec_name(base_name, spec.cloud, spec),
        "user_data_sealed": spec.user_data_sealed,
        "rank": params.rank,
        "max_vms": params.max_vms,
        "common": params.common,
    }
    base_configurations.change_spec(desk.connection, spec.id, values)


def _spec_name(base_name: str, cloud: str, before: LaunchSpecRecord | None) -> str:
    """What AWS clients call it; one that they made without a cloud, for the default cloud, stays so."""
    return base_name if before is not None and "@" not in before.name else f"{base_name}@{cloud}"


def _sealed(desk: Desk, user_data: bytes | None) -> str | None:
    if not user_data:
        return None
    return desk.house.keyring.encrypt(Secret(base64.b64encode(user_data).decode()))


def _chef_document(chef: ChefRun | None) -> Any:
    return None if chef is None else [list(chef.run_list), dict(chef.attributes), chef.license]
