"""
``/credentials/chef``: Chef servers that VMs register at.

Owns: their shape and rules. Keys go in and do not come out, see ``secrets_shown``. Does not own: the user data that
makes a VM a client, nor Chef itself: the gateway never calls a Chef server.
"""

from typing import Any

from phantom_gateway import chef_keys
from phantom_gateway.chef_keys import ChefKeys
from phantom_gateway.operations.desk import Desk
from phantom_gateway.operations.http_api import secrets_shown
from phantom_gateway.operations.http_api.call import NO_CONTENT, PREFIX, Answer, Call, created, exists_already
from phantom_gateway.operations.http_api.errors import JsonError, bad_request, not_found
from phantom_gateway.operations.http_api.schemas import NAME, TEXT, list_of, record
from phantom_gateway.operations.http_api.table import endpoint
from phantom_gateway.records import chef_credentials as records
from phantom_gateway.records.chef_credentials import ChefCredentials
from phantom_gateway.secret import Secret

SERVERS_MAX = 100
"""Per user. One per environment is a handful; a script that makes them in a loop ends here."""

KEY_LENGTH_MAX = 16_384
"""Characters. A PEM of 4096 bits has 3,300."""

VALIDATION_CLIENT_DEFAULT = "chef-validator"
"""What Chef calls the client by which others register, unless told otherwise."""

_CLIENT = {"type": "string", "pattern": r"^[-_.0-9A-Za-z]+$", "maxLength": 255}
_KEY = {
    "type": "string",
    "pattern": rf"^(-----|{secrets_shown.FINGERPRINT})[ -~\s]*$",
    "maxLength": KEY_LENGTH_MAX,
    "description": "a private key in PEM; or the fingerprint that GET showed: then the key stays as it is",
}
_FIELDS = {
    "server_url": {"type": "string", "pattern": r"^https?://[!-~]+$", "maxLength": 2_048},
    "client_name": _CLIENT,
    "client_key": _KEY,
    "validator_key": _KEY,
    "validation_client_name": _CLIENT,
}
NEW = record("NewChefCredentials", {"id": NAME, **_FIELDS}, optional=("validation_client_name",))
CHANGE = record("ChefCredentialsChange", {"id": NAME, **_FIELDS}, optional=("id", "validation_client_name"))
SHOWN = record("ChefCredentials", {"id": TEXT, **dict.fromkeys(_FIELDS, TEXT), "uri": TEXT})


@endpoint("GET", "/credentials/chef", "The user's Chef servers", answers={200: list_of(SHOWN)}, reveals=True)
def list_chef_credentials(desk: Desk, call: Call) -> Answer:
    """All of them, oldest first."""
    return Answer([_shown(desk, row, call) for row in records.of_user(desk.connection, desk.user.id)])


@endpoint("GET", "/credentials/chef/{chef_id}", "One Chef server", answers={200: SHOWN}, reveals=True)
def get_chef_credentials(desk: Desk, call: Call) -> Answer:
    """The server. Raises JsonError(404)."""
    return Answer(_shown(desk, _find(desk, call), call))


@endpoint(
    "POST",
    "/credentials/chef",
    "Store a Chef server; a redirect to it when there is one of this id",
    answers={201: SHOWN, 302: None},
    writes=True,
    body=NEW,
    reveals=True,
)
def add_chef_credentials(desk: Desk, call: Call) -> Answer:
    """201 and the server; 302 when there is one of this name, which is left as it is."""
    name = call.body["id"]
    if records.find(desk.connection, desk.user.id, name) is not None:
        return exists_already(_uri(name))
    if len(records.of_user(desk.connection, desk.user.id)) >= SERVERS_MAX:
        raise JsonError(400, "LimitExceeded", f"A user may have {SERVERS_MAX} Chef servers; delete one first.")
    return created(_shown(desk, _store(desk, name, call.body, None), call))


@endpoint(
    "PUT",
    "/credentials/chef/{chef_id}",
    "Replace a Chef server",
    answers={200: SHOWN},
    writes=True,
    body=CHANGE,
    reveals=True,
)
def change_chef_credentials(desk: Desk, call: Call) -> Answer:
    """The server as it is now. Raises JsonError(404)."""
    before = _find(desk, call)
    if call.body.get("id", before.name) != before.name:
        raise bad_request(f"id must be {before.name}, as in the path: Chef credentials are not renamed.")
    return Answer(
        _shown(desk, _store(desk, before.name, call.body, chef_keys.unseal(desk.house.keyring, before)), call)
    )


@endpoint("DELETE", "/credentials/chef/{chef_id}", "Forget a Chef server", answers={204: None}, writes=True)
def delete_chef_credentials(desk: Desk, call: Call) -> Answer:
    """Nothing; it is gone. Raises JsonError(404)."""
    if not records.remove(desk.connection, desk.user.id, call.path["chef_id"]):
        raise _missing(call)
    return NO_CONTENT


def _store(desk: Desk, name: str, body: dict[str, Any], before: ChefKeys | None) -> ChefCredentials:
    keys = ChefKeys(
        secrets_shown.received("client_key", body["client_key"], None if before is None else before.client_key),
        secrets_shown.received(
            "validator_key", body["validator_key"], None if before is None else before.validator_key
        ),
    )
    row = ChefCredentials(
        user_id=desk.user.id,
        name=name,
        server_url=body["server_url"],
        client_name=body["client_name"],
        validation_client_name=body.get("validation_client_name", VALIDATION_CLIENT_DEFAULT),
        keys_sealed=chef_keys.seal(desk.house.keyring, keys),
    )
    records.put(desk.connection, row, desk.now)
    return row


def _find(desk: Desk, call: Call) -> ChefCredentials:
    row = records.find(desk.connection, desk.user.id, call.path["chef_id"])
    if row is None:
        raise _missing(call)
    return row


def _missing(call: Call) -> JsonError:
    return not_found(f"Chef credentials {call.path['chef_id']} not found")


def _shown(desk: Desk, row: ChefCredentials, call: Call) -> dict[str, Any]:
    keys = chef_keys.unseal(desk.house.keyring, row)

    def secret(key: Secret) -> str:
        return secrets_shown.shown(key, reveal=call.reveal)

    return {
        "id": row.name,
        "server_url": row.server_url,
        "client_name": row.client_name,
        "client_key": secret(keys.client_key),
        "validator_key": secret(keys.validator_key),
        "validation_client_name": row.validation_client_name,
        "uri": _uri(row.name),
    }


def _uri(name: str) -> str:
    return f"{PREFIX}/credentials/chef/{name}"
