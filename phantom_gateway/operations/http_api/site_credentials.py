"""
``/credentials/sites`` (the documents say ``/sites/credentials``): a user's own credentials on clouds.

Owns: their shape. The secret goes in and does not come out, see ``secrets_shown``. Does not own: the rules, which the
command line shares (``account_rules``), nor when credentials are used (``accounts``).
"""

import asyncio
from collections.abc import Callable
from typing import Any

from backends.cloud import KeepsKeyPairs
from backends.errors import CloudError
from phantom_gateway import account_rules
from phantom_gateway.account_rules import SECRET_LENGTH_MAX, AccountRule
from phantom_gateway.accounts import unseal
from phantom_gateway.credentials import Credentials
from phantom_gateway.operations.desk import Desk
from phantom_gateway.operations.http_api import secrets_shown
from phantom_gateway.operations.http_api.call import NO_CONTENT, PREFIX, Answer, Call, created
from phantom_gateway.operations.http_api.errand import Errand
from phantom_gateway.operations.http_api.errors import JsonError, bad_request, not_found
from phantom_gateway.operations.http_api.schemas import NAME, TEXT, Schema, list_of, nullable, record
from phantom_gateway.operations.http_api.sites import own_cloud
from phantom_gateway.operations.http_api.table import R, endpoint
from phantom_gateway.records import accounts as records
from phantom_gateway.records.accounts import AccountState, StoredAccount

KEYS_S_MAX = 5.0
"""For listing key pairs while somebody waits; the original's."""

FOR_IMAGES = (
    "nimbus_user_cert",
    "nimbus_user_key",
    "nimbus_canonical_id",
    "openstack_username",
    "openstack_password",
    "openstack_project",
)
"""What the original used to generate images, and nothing else. Not kept here: they may be null."""

_FIELDS = {
    "access_key": {"type": "string", "minLength": 1, "maxLength": 1_024},
    "secret_key": {
        "type": "string",
        "minLength": 1,
        "maxLength": SECRET_LENGTH_MAX,
        "description": "the secret; or the fingerprint that GET showed: then it stays as it is",
    },
    "key_name": {"type": ["string", "null"], "maxLength": 255},
}
_FOR_IMAGES: dict[str, Schema] = {field: {"type": "null"} for field in FOR_IMAGES}
NEW = record("NewSiteCredentials", {"id": NAME, **_FIELDS, **_FOR_IMAGES}, optional=FOR_IMAGES)
CHANGE = record("SiteCredentialsChange", {"id": NAME, **_FIELDS, **_FOR_IMAGES}, optional=FOR_IMAGES)
_SHOWN = {
    "id": TEXT,
    "access_key": TEXT,
    "secret_key": TEXT,
    "key_name": nullable(TEXT),
    "state": {"type": "string", "enum": [AccountState.USED.value, AccountState.WAITING.value]},
    "uri": TEXT,
}
_DETAILS = {"available_keys": list_of(TEXT), "error": nullable(TEXT)}
SHOWN = record("SiteCredentials", {**_SHOWN, **_DETAILS}, optional=tuple(_DETAILS))
STORED = record("StoredSiteCredentials", {**_SHOWN, **_FOR_IMAGES})
_ASKED = {"details": "asks each cloud which key pairs there are"}


def _endpoint(method: str, rest: str, summary: str, **more: Any) -> Callable[[R], R]:
    """The mark of one endpoint at both its places: that of the original's code, and that of its documents."""

    def mark(run: R) -> R:
        for path in ("/credentials/sites", "/sites/credentials"):
            endpoint(method, path + rest, summary, **more)(run)
        return run

    return mark


@_endpoint("GET", "", "The user's credentials on sites", answers={200: list_of(SHOWN)}, query=_ASKED, reveals=True)
async def list_site_credentials(errand: Errand, call: Call) -> Answer:
    """All of them, by the name of the cloud."""

    def job(desk: Desk) -> list[dict[str, Any]]:
        rows = records.of_user(desk.connection, desk.user.id)
        return [_shown(desk, row, call) for row in rows if row.state is not AccountState.REMOVED]

    shown = await errand.read(job)
    return Answer(await asyncio.gather(*(_detailed(errand, call, each) for each in shown)))


@_endpoint("GET", "/{site_id}", "Credentials on one site", answers={200: SHOWN}, query=_ASKED, reveals=True)
async def get_site_credentials(errand: Errand, call: Call) -> Answer:
    """The credentials. Raises JsonError(404)."""
    shown = await errand.read(lambda desk: _shown(desk, _find(desk, call), call))
    return Answer(await _detailed(errand, call, shown))


@_endpoint("POST", "", "Store credentials on a site", answers={201: STORED}, writes=True, body=NEW, reveals=True)
def add_site_credentials(desk: Desk, call: Call) -> Answer:
    """201 and the credentials; those that were there are replaced. Raises JsonError(400)."""
    name = call.body["id"]
    if name not in desk.house.clouds:
        raise bad_request(f"{name} doesn't seem to exist. I know about {list(desk.house.clouds)}")
    row = _store(desk, name, call.body)
    return created({**_shown(desk, row, call), **dict.fromkeys(FOR_IMAGES)})


@_endpoint("PUT", "/{site_id}", "Replace credentials", answers={200: SHOWN}, writes=True, body=CHANGE, reveals=True)
def change_site_credentials(desk: Desk, call: Call) -> Answer:
    """The credentials as they are now. Raises JsonError: 404 when there are none, 400 when id is another."""
    row = _find(desk, call)
    if call.body["id"] != row.cloud:
        raise bad_request(f"id must be {row.cloud}, as in the path.")
    return Answer(_shown(desk, _store(desk, row.cloud, call.body), call))


@_endpoint(
    "DELETE",
    "/{site_id}",
    "Forget credentials",
    answers={204: None},
    errors=(409,),
    writes=True,
    query={"force": "forgets them even while VMs are there, which nobody can end then"},
)
def delete_site_credentials(desk: Desk, call: Call) -> Answer:
    """Nothing; they are gone. Raises JsonError: 404 when there are none, 409 while VMs need them."""
    row = _find(desk, call)
    try:
        account_rules.remove(desk.connection, row, desk.now, force=call.flag("force"), how="?force=true")
    except AccountRule as rule:
        raise JsonError(409, "Conflict", str(rule)) from rule
    return NO_CONTENT


def _store(desk: Desk, name: str, body: dict[str, Any]) -> StoredAccount:
    before = account_rules.present(desk.connection, desk.user.id, name)
    known = None if before is None else unseal(desk.house.keyring, before)
    secret = secrets_shown.received(
        "secret_key", body["secret_key"], None if known is None else known.secret_access_key
    )
    if known is not None and secret is known.secret_access_key and body["access_key"] != known.access_key_id:
        raise bad_request("secret_key must be given along with another access_key: the two are a pair.")
    credentials = Credentials(body["access_key"], secret, body["key_name"] or None)
    try:
        account_rules.check_cloud(desk.house.cloud_kinds, name)
        account_rules.check_credentials(credentials)
    except AccountRule as rule:
        text = str(rule).replace("secret_access_key", "secret_key").replace("access_key_id", "access_key")
        raise bad_request(text) from rule
    if before is not None and credentials == known:
        return before  # nothing changes, and so nothing is opened anew
    return account_rules.put(desk.connection, desk.house.keyring, desk.user.id, name, credentials, desk.now)


def _find(desk: Desk, call: Call) -> StoredAccount:
    name = call.path["site_id"]
    row = account_rules.present(desk.connection, desk.user.id, name)
    if row is None:
        mine = records.of_user(desk.connection, desk.user.id)
        there = [each.cloud for each in mine if each.state is not AccountState.REMOVED]
        raise not_found(f"Site {name} not available. Choose from {there}")
    return row


def _shown(desk: Desk, row: StoredAccount, call: Call) -> dict[str, Any]:
    credentials = unseal(desk.house.keyring, row)
    assert credentials is not None, "those that were removed are not shown"
    return {
        "id": row.cloud,
        "access_key": credentials.access_key_id,
        "secret_key": secrets_shown.shown(credentials.secret_access_key, reveal=call.reveal),
        "key_name": credentials.key_name,
        "state": row.state.value,
        "uri": f"{PREFIX}/credentials/sites/{row.cloud}",
    }


async def _detailed(errand: Errand, call: Call, shown: dict[str, Any]) -> dict[str, Any]:
    """*shown* with the key pairs on the cloud, if they were asked for; none, and why, when it cannot be known."""
    if not call.flag("details"):
        return shown
    cloud = own_cloud(errand, shown["id"])
    if not isinstance(cloud, KeepsKeyPairs):
        return {**shown, "available_keys": [], "error": "These credentials are not in use yet."}
    try:
        async with asyncio.timeout(KEYS_S_MAX):
            return {**shown, "available_keys": list(await cloud.key_pairs()), "error": None}
    except TimeoutError:
        error = f"{shown['id']} did not answer within {KEYS_S_MAX:.0f} s."
    except CloudError as problem:
        error = str(problem)
    return {**shown, "available_keys": [], "error": error}
