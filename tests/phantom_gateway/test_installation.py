"""An installation: what it makes at its first start, and what it refuses later."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from phantom_gateway.app import serving
from phantom_gateway.config import Config, load
from phantom_gateway.installation import EMBEDDED_USER, InstallationError, open_installation
from phantom_gateway.keyring import KeyringError
from phantom_gateway.records import users
from tests.phantom_gateway.office import NOW, Office


def embedded(state: Path) -> tuple[Config, Mapping[str, str]]:
    """The embedded default with its state in *state*, on any free port."""
    environ = {"PHANTOM_GATEWAY_STATE": str(state)}
    config = load(None, environ)
    return replace(config, server=replace(config.server, port=0)), environ


def test_the_first_start_makes_one_user_and_the_second_finds_it(tmp_path: Path) -> None:
    """Keys, identity and page secret stay the same over restarts."""
    config, environ = embedded(tmp_path / "state")
    found = []
    for _ in range(2):
        installation = open_installation(config, environ, NOW)
        (user,) = installation.database.read_now(users.everyone)
        secret = installation.keyring.decrypt(user.secret_sealed).reveal()
        found.append((user.name, user.access_key_id, secret, installation.gateway_id, installation.page_secret))
        installation.close()

    assert found[0] == found[1]
    assert found[0][0] == EMBEDDED_USER


def test_a_database_without_its_keys_is_refused(tmp_path: Path) -> None:
    """F98: new keys could not open what the old ones sealed; nothing is overwritten."""
    config, environ = embedded(tmp_path / "state")
    open_installation(config, environ, NOW).close()
    config.key_file.unlink()

    with pytest.raises(KeyringError):
        open_installation(config, environ, NOW)

    assert not config.key_file.exists()


async def test_a_cloud_in_use_cannot_be_taken_out(tmp_path: Path) -> None:
    """Its machines would be forgotten: the start is refused, and names what is there."""
    config, environ = embedded(tmp_path / "state")
    config.state_directory.mkdir()
    office = Office(tmp_path)
    office.create_launch_configuration()
    office.create_group()
    await office.fill_now()
    office.close()
    assert config.database_file is not None
    (tmp_path / "office.db").rename(config.database_file)
    without = replace(config, clouds={name: each for name, each in config.clouds.items() if name != "hotel"})
    environ = {**environ, "PHANTOM_GATEWAY_KEYS": os.environ.get("PHANTOM_GATEWAY_KEYS", office.key)}

    with pytest.raises(InstallationError, match=r"hotel \(2 instances\)"):
        async with serving(without, environ):
            raise AssertionError("it serves")
