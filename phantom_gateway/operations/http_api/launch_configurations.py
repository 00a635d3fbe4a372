"""
``/launchconfigurations``: logical launch configurations, with all their clouds.

Owns: their shape and what may be sent. Does not own: what makes a new version of one (``base_launches``), rules shared
with the AWS API (``launch_rules``), or contextualization.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from phantom_gateway.operations.desk import Desk
from phantom_gateway.operations.http_api import base_launches, contextualization
from phantom_gateway.operations.http_api.base_launches import CloudParams, Wanted
from phantom_gateway.operations.http_api.call import NO_CONTENT, PREFIX, Answer, Call, created, exists_already
from phantom_gateway.operations.http_api.errors import bad_request, conflict, not_found
from phantom_gateway.operations.http_api.schemas import FLAG, NAME_LENGTH_MAX, TEXT, Schema, list_of, nullable, record
from phantom_gateway.operations.http_api.table import endpoint
from phantom_gateway.operations.http_api.values import XML_PATTERN, whole, whole_schema
from phantom_gateway.operations.launch_rules import check_cloud, check_room, check_unused
from phantom_gateway.phantom_tags import CLOUDS_MAX, VMS_MAX
from phantom_gateway.records import base_configurations
from phantom_gateway.records.base_configurations import BaseConfiguration
from phantom_gateway.records.launch_configurations import NO_CAP, LaunchSpecRecord

NAME_RULE = "letters, digits, '.', '_', '-' and blanks, none of them at its ends"
DESCRIPTION_LENGTH_MAX = 4_000
"""Characters: a page. It is shown to other users."""

_LABEL: Schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": XML_PATTERN}
"""What a cloud calls a thing; AWS's rule, which holds because AWS clients are shown it, too."""

CLOUD_PARAMS = record(
    "CloudParams",
    {
        "image_id": _LABEL,
        "instance_type": _LABEL,
        "max_vms": whole_schema(NO_CAP, VMS_MAX, "-1: no limit"),
        "common": {**FLAG, "description": "whether the image is one of the cloud's public ones; changes nothing"},
        "rank": whole_schema(0, VMS_MAX, "1 is the best; gaps are closed"),
        "key_name": nullable(_LABEL),
    },
    optional=("key_name",),
)
_BESIDE: Mapping[str, Schema] = {
    "appliance": {"type": ["string", "null"], "maxLength": 255},
    "public": {**FLAG, "description": "whether other users may read it"},
    "description": {"type": ["string", "null"], "maxLength": DESCRIPTION_LENGTH_MAX},
    **contextualization.FIELDS,
}
GIVEN = record(
    "LaunchConfigurationGiven",
    {
        "name": {"type": "string", "minLength": 1, "maxLength": NAME_LENGTH_MAX, "description": NAME_RULE},
        "cloud_params": {
            "type": "object",
            "additionalProperties": CLOUD_PARAMS,
            "minProperties": 1,
            "maxProperties": CLOUDS_MAX,
        },
        **_BESIDE,
    },
    optional=tuple(_BESIDE),
)
SHOWN = record(
    "LaunchConfiguration",
    {
        "id": TEXT,
        "name": TEXT,
        "owner": TEXT,
        "uri": TEXT,
        "cloud_params": {"type": "object", "additionalProperties": CLOUD_PARAMS},
        **_BESIDE,
    },
    optional=tuple(contextualization.FIELDS),
)


@endpoint(
    "GET",
    "/launchconfigurations",
    "The caller's launch configurations",
    answers={200: list_of(SHOWN)},
    query={"public": "those that users share instead, of all users"},
)
def list_launch_configurations(desk: Desk, call: Call) -> Answer:
    """The caller's own, or the public ones; oldest first."""
    if call.flag("public"):
        found = base_configurations.shared(desk.connection)
    else:
        found = base_configurations.of_user(desk.connection, desk.user.id)
    specs = base_configurations.specs_of(desk.connection, [base.id for base in found])
    return Answer([view(desk, base, specs.get(base.id, [])) for base in found])


@endpoint(
    "POST",
    "/launchconfigurations",
    "Make a launch configuration",
    answers={201: SHOWN, 302: None},
    writes=True,
    body=GIVEN,
)
def make_launch_configuration(desk: Desk, call: Call) -> Answer:
    """What was made; where it is, when there is one of that name."""
    wanted = _wanted(desk, call.body, None)
    existing = base_configurations.by_name(desk.connection, desk.user.id, wanted.name)
    if existing is not None:
        return exists_already(uri_of(existing))
    check_room(desk, len(wanted.clouds))
    base = base_launches.make(desk, wanted)
    return created(view(desk, base, _specs(desk, base)))


@endpoint("GET", "/launchconfigurations/{id}", "One launch configuration", answers={200: SHOWN})
def get_launch_configuration(desk: Desk, call: Call) -> Answer:
    """The caller's own, or a public one. Raises JsonError(404)."""
    base = _find(desk, call, even_public=True)
    return Answer(view(desk, base, _specs(desk, base)))


@endpoint(
    "PUT",
    "/launchconfigurations/{id}",
    "Replace a launch configuration",
    answers={200: SHOWN},
    writes=True,
    body=GIVEN,
)
def replace_launch_configuration(desk: Desk, call: Call) -> Answer:
    """What it is then: all that was said, and nothing else. The domains that use it have it at once."""
    base = _find(desk, call)
    specs = _specs(desk, base)
    wanted = _wanted(desk, call.body, view(desk, base, specs))
    if wanted.name != base.name and base_configurations.by_name(desk.connection, desk.user.id, wanted.name):
        raise conflict(f"You have another launch configuration named {wanted.name}.")
    there = {params.cloud for params in wanted.clouds}
    check_unused(desk, specs, {spec.cloud for spec in specs} - there, may_be_left=True)
    check_room(desk, len(there) - len(specs))
    base_launches.replace(desk, base, specs, wanted)
    after = _find(desk, call)
    return Answer(view(desk, after, _specs(desk, after)))


@endpoint("DELETE", "/launchconfigurations/{id}", "Delete a launch configuration", answers={204: None}, writes=True)
def delete_launch_configuration(desk: Desk, call: Call) -> Answer:
    """Nothing. Raises JsonError(404), and ResourceInUse while a domain uses it."""
    base = _find(desk, call)
    specs = _specs(desk, base)
    check_unused(desk, specs, {spec.cloud for spec in specs}, may_be_left=False)
    base_configurations.remove(desk.connection, base)
    return NO_CONTENT


def uri_of(base: BaseConfiguration) -> str:
    """Where it is."""
    return f"{PREFIX}/launchconfigurations/{base.uid}"


def view(desk: Desk, base: BaseConfiguration, specs: Sequence[LaunchSpecRecord]) -> dict[str, Any]:
    """The launch configuration with its *specs*, best rank first, as clients see it."""
    params = {}
    for rank, spec in enumerate(specs, start=1):
        own_key = {} if spec.key_name is None else {"key_name": spec.key_name}
        params[spec.cloud] = {
            "image_id": spec.image_id,
            "instance_type": spec.instance_type,
            "max_vms": spec.max_vms,
            "common": spec.common,
            "rank": rank,
            **own_key,
        }
    user_data = base_launches.user_data_of(desk, specs)
    return {
        "id": base.uid,
        "name": base.name,
        "owner": base.owner,
        "uri": uri_of(base),
        "cloud_params": params,
        "appliance": base.appliance,
        "public": base.public,
        "description": base.description,
        **contextualization.view(user_data, list(params), base_launches.chef_of(desk, base)),
    }


def _find(desk: Desk, call: Call, *, even_public: bool = False) -> BaseConfiguration:
    """The one that the path names. Raises JsonError(404) when there is none, or it is another user's."""
    base = base_configurations.by_uid(desk.connection, call.path["id"])
    if base is None or not (base.user_id == desk.user.id or (even_public and base.public)):
        raise not_found(f"Launch configuration {call.path['id']} not found")
    return base


def _specs(desk: Desk, base: BaseConfiguration) -> list[LaunchSpecRecord]:
    return base_configurations.specs_of(desk.connection, [base.id]).get(base.id, [])


def _wanted(desk: Desk, body: Mapping[str, Any], before: Mapping[str, Any] | None) -> Wanted:
    """What *body* says, checked; *before* is the view of what it replaces. Raises JsonError, ValidationError."""
    given = body["cloud_params"]
    for cloud in given:
        check_cloud(desk, cloud, "cloud_params")
    if before is None or body["name"] != before["name"]:
        _check_name(body["name"], list(given))
    ranks = {cloud: whole(f"cloud_params.{cloud}.rank", params["rank"], 0, VMS_MAX) for cloud, params in given.items()}
    in_order = sorted(given, key=ranks.__getitem__)
    return Wanted(
        name=body["name"],
        clouds=tuple(
            CloudParams(
                cloud=cloud,
                image_id=given[cloud]["image_id"],
                instance_type=given[cloud]["instance_type"],
                key_name=given[cloud].get("key_name"),
                rank=rank,
                max_vms=whole(f"cloud_params.{cloud}.max_vms", given[cloud]["max_vms"], NO_CAP, VMS_MAX),
                common=given[cloud]["common"],
            )
            for rank, cloud in enumerate(in_order, start=1)
        ),
        context=contextualization.read(body, in_order, before),
        appliance=body.get("appliance"),
        description=body.get("description"),
        public=body.get("public", False),
    )


def _check_name(name: str, clouds: Sequence[str]) -> None:
    """Nothing. Raises JsonError(400) stating the rule."""
    if not base_launches.NAME.fullmatch(name) or name != name.strip():
        raise bad_request(f"name isn't acceptable: it may hold {NAME_RULE}.")
    longest = max(len(f"{name}@{cloud}") for cloud in clouds)
    if longest > NAME_LENGTH_MAX:
        raise bad_request(
            f"name is too long: AWS clients see it as NAME@CLOUD, which may have {NAME_LENGTH_MAX} characters and has "
            f"{longest}."
        )
