"""
What a group launches on each cloud now: its launch configuration's specs, with user data unsealed or rendered for Chef.

Owns: a bounded memory of unsealed specs, for every pass needs them. Does not own: which cloud a launch goes to.
"""

import base64
from collections.abc import Sequence

import sqlalchemy as sa

from backends.cloud import LaunchSpec
from phantom_gateway import chef, chef_keys
from phantom_gateway.chef import CREDENTIALS_DEFAULT, ChefRun
from phantom_gateway.keyring import Keyring
from phantom_gateway.launch_settings import launch_spec
from phantom_gateway.phantom_tags import CHEF_CREDENTIAL
from phantom_gateway.records import chef_credentials, tags
from phantom_gateway.records.chef_credentials import ChefCredentials
from phantom_gateway.records.groups import GroupRow
from phantom_gateway.records.launch_configurations import LaunchSpecRecord
from reconciler.model import LaunchSource

SPECS_KEPT_MAX = 1_000
"""Launch specs kept ready, at up to 16 KB each. More groups than that share fewer specs than that."""


class LaunchSources:
    """Finds what groups launch; *keyring* opens what is sealed."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._unsealed: dict[tuple[int, int, ChefCredentials | None], LaunchSpec] = {}

    def of(
        self, connection: sa.Connection, group: GroupRow, specs: Sequence[LaunchSpecRecord]
    ) -> tuple[dict[str, LaunchSource], dict[str, str]]:
        """What can be launched on each cloud; and where there is a spec and still nothing can be, why."""
        server = None
        if any(spec.chef_sealed for spec in specs):
            name = chef_credential_of(connection, group)
            server = chef_credentials.find(connection, group.user_id, name)
            if server is None:
                return {}, {spec.cloud: f"there are no Chef credentials called {name}" for spec in specs}
        return {spec.cloud: LaunchSource(spec.name, self._spec(spec, server), spec.created_at) for spec in specs}, {}

    def _spec(self, spec: LaunchSpecRecord, server: ChefCredentials | None) -> LaunchSpec:
        """
        What to launch, with its user data unsealed, or rendered for the Chef *server* as it is now.

        It is kept, because every pass needs it, and it changes only with what it is filed under.
        """
        key = (spec.id, spec.version, server)
        known = self._unsealed.get(key)
        if known is None:
            if len(self._unsealed) >= SPECS_KEPT_MAX:
                self._unsealed.clear()
            known = self._unsealed[key] = self._unseal(spec, server)
        return known

    def _unseal(self, spec: LaunchSpecRecord, server: ChefCredentials | None) -> LaunchSpec:
        sealed = spec.user_data_sealed
        user_data = b"" if sealed is None else base64.b64decode(self._keyring.decrypt(sealed).reveal())
        if server is not None and spec.chef_sealed is not None:
            rendered = chef.user_data(
                chef_keys.server_of(self._keyring, server),
                ChefRun.from_text(self._keyring.decrypt(spec.chef_sealed)),
            )
            user_data = rendered.reveal().encode()
        return launch_spec(
            image_id=spec.image_id,
            instance_type=spec.instance_type,
            key_name=spec.key_name,
            user_data=user_data,
            settings=spec.settings,
            zone=None,
        )


def chef_credential_of(connection: sa.Connection, group: GroupRow) -> str:
    """The name of the Chef credentials with which the VMs of *group* register."""
    tagged = {tag.key: tag.value for tag in tags.of_groups(connection, [group.id]).get(group.id, [])}
    return tagged.get(CHEF_CREDENTIAL) or CREDENTIALS_DEFAULT
