"""
``/sites``: the clouds of the configuration, as the original's clients know them.

Owns: their shape. Does not own: what a cloud offers (``backends``).
"""

from typing import Any

from phantom_gateway.operations.desk import Desk
from phantom_gateway.operations.http_api.call import PREFIX, Answer, Call
from phantom_gateway.operations.http_api.errors import not_found
from phantom_gateway.operations.http_api.schemas import TEXT, list_of, record
from phantom_gateway.operations.http_api.table import endpoint

SITE = record("Site", {"id": TEXT, "uri": TEXT, "credentials": TEXT, "instance_types": list_of(TEXT)})

INSTANCE_TYPES = ("m1.small", "m1.large", "m1.xlarge")
"""What a site is said to have when it is not asked; the original's answer."""


@endpoint("GET", "/sites", "The sites (clouds)", answers={200: list_of(SITE)})
def list_sites(desk: Desk, _call: Call) -> Answer:
    """Every site, in the order of the configuration."""
    return Answer([site(name) for name in desk.house.clouds])


@endpoint("GET", "/sites/{site_id}", "One site", answers={200: SITE})
def get_site(desk: Desk, call: Call) -> Answer:
    """The site. Raises JsonError(404)."""
    name = call.path["site_id"]
    if name not in desk.house.clouds:
        raise not_found(f"Site {name} not found")
    return Answer(site(name))


def site(name: str) -> dict[str, Any]:
    """What is said of a site without asking it."""
    return {
        "id": name,
        "uri": site_uri(name),
        "credentials": f"{PREFIX}/credentials/sites/{name}",
        "instance_types": list(INSTANCE_TYPES),
    }


def site_uri(name: str) -> str:
    """Where the site is."""
    return f"{PREFIX}/sites/{name}"
