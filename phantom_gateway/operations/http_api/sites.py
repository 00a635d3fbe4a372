"""
``/sites``: the clouds of the configuration, as the original's clients know them.

Owns: their shape, and what is said when one cannot be asked. Does not own: what a cloud offers (``backends``).
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from backends.cloud import KeepsKeyPairs
from backends.errors import CloudError, Refused, Throttled
from phantom_gateway.operations.http_api.call import PREFIX, Answer, Call
from phantom_gateway.operations.http_api.errand import Errand
from phantom_gateway.operations.http_api.errors import JsonError, bad_request, not_found
from phantom_gateway.operations.http_api.schemas import FLAG, TEXT, list_of, nullable, record
from phantom_gateway.operations.http_api.table import endpoint

DETAILS_S_MAX = 10.0
"""For what a cloud is asked while somebody waits; the original's."""

INSTANCE_TYPES = ("m1.small", "m1.large", "m1.xlarge")
"""What a site is said to have when it is not asked; the original's answer."""

_DETAILS = {
    "type": TEXT,
    "image_generation": FLAG,
    "user_images": list_of(TEXT),
    "public_images": list_of(TEXT),
    "error": nullable(TEXT),
}
SITE = record(
    "Site",
    {"id": TEXT, "uri": TEXT, "credentials": TEXT, "instance_types": list_of(TEXT), **_DETAILS},
    optional=tuple(_DETAILS),
)
KEY_PAIR = record(
    "KeyPair",
    {
        "name": {"type": "string", "pattern": r"^[ -~]+$", "maxLength": 255},
        "key": {"type": "string", "pattern": r"^[ -~]+\s*$", "minLength": 1, "maxLength": 16_384},
    },
)
_ASKED = {"details": "asks each cloud for its images and instance types"}


@endpoint("GET", "/sites", "The sites (clouds)", answers={200: list_of(SITE)}, query=_ASKED)
async def list_sites(errand: Errand, call: Call) -> Answer:
    """Every site, in the order of the configuration."""
    return Answer(await asyncio.gather(*(_shown(errand, call, name) for name in errand.house.clouds)))


@endpoint("GET", "/sites/{site_id}", "One site", answers={200: SITE}, query=_ASKED)
async def get_site(errand: Errand, call: Call) -> Answer:
    """The site. Raises JsonError(404)."""
    return Answer(await _shown(errand, call, _known(errand, call)))


@endpoint(
    "POST",
    "/sites/{site_id}/sshkeys",
    "Import a public key into the user's own account on the cloud",
    answers={201: KEY_PAIR},
    errors=(502, 504),
    body=KEY_PAIR,
)
async def import_key_pair(errand: Errand, call: Call) -> Answer:
    """201 and the key pair as it was sent. Raises JsonError: 400 where it cannot be, 5xx while the cloud is away."""
    name = _known(errand, call)
    cloud = own_cloud(errand, name)
    if not isinstance(cloud, KeepsKeyPairs):
        raise bad_request(
            f"Key pairs are imported into your own account, on a cloud that keeps them; store credentials for {name} "
            f"first, if it is of such a kind."
        )
    try:
        async with asyncio.timeout(DETAILS_S_MAX):
            await cloud.import_key_pair(call.body["name"], call.body["key"].strip())
    except TimeoutError as error:
        raise JsonError(504, "GatewayTimeout", f"{name} did not answer within {DETAILS_S_MAX:.0f} s.") from error
    except CloudError as error:
        raise _far_side(error) from error
    return Answer(call.body, 201)


def own_cloud(errand: Errand, name: str) -> object | None:
    """The cloud, reached with the user's own credentials; None when his VMs there are the operator's, or nobody's."""
    account = errand.account(name)
    return None if account is None or account.key == name else account.cloud


async def _shown(errand: Errand, call: Call, name: str) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": name,
        "uri": site_uri(name),
        "credentials": f"{PREFIX}/credentials/sites/{name}",
        "instance_types": list(INSTANCE_TYPES),
    }
    return {**shown, **await _details(errand, name)} if call.flag("details") else shown


async def _details(errand: Errand, name: str) -> Mapping[str, Any]:
    """What the cloud offers; empty lists and the reason when it cannot be known."""
    kind = errand.house.cloud_kinds.get(name, "")
    account = errand.account(name)
    probe = None if account is None else await errand.probes.of(account.cloud, DETAILS_S_MAX)
    error = None
    if account is None:
        error = f"{errand.user.name} has no credentials on {name}, and neither has the operator."
    elif probe is None:
        error = f"{name} did not answer within {DETAILS_S_MAX:.0f} s."
    elif account.key != name:
        error = "; ".join(probe.findings) or None
    elif not probe.reachable:  # findings name what is the operator's business
        error = f"{name} cannot be asked with the operator's credentials; the operator's check says why."
    images = [] if probe is None else list(probe.images)
    is_shared = kind == "local"  # images of a local cloud are the configuration's, all others are asked for as "self"
    return {
        "type": kind,
        "image_generation": False,
        "instance_types": [] if probe is None else list(probe.instance_types),
        "user_images": [] if is_shared else images,
        "public_images": images if is_shared else [],
        "error": error,
    }


def _known(errand: Errand, call: Call) -> str:
    name = call.path["site_id"]
    if name not in errand.house.clouds:
        raise not_found(f"Site {name} not found")
    return name


def _far_side(error: CloudError) -> JsonError:
    """What a cloud's answer means to who waits: a refusal is his to mend, anything else is not."""
    match error:
        case Refused():
            return bad_request(f"{error}.")
        case Throttled():
            return JsonError(503, "Throttled", f"{error}.", {"Retry-After": f"{max(1, round(error.retry_after_s))}"})
        case _:
            return JsonError(502, "BadGateway", f"{error}.")


def site_uri(name: str) -> str:
    """Where the site is."""
    return f"{PREFIX}/sites/{name}"
