"""The keys that seal secrets at rest: lost, swapped, or in the middle of being replaced."""

import base64
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from phantom_gateway import resealing
from phantom_gateway.config import Config, load
from phantom_gateway.installation import open_installation
from phantom_gateway.keyring import KEYS_VARIABLE, Keyring, KeyringError, new_key
from phantom_gateway.records import sealed
from phantom_gateway.records import users as records
from phantom_gateway.secret import Secret
from tests.phantom_gateway.office import NOW, SECRET, Office
from tests.support.canary import planted

OLD, NEW = new_key(), new_key()


def installed(tmp_path: Path, *keys: Secret) -> tuple[Config, dict[str, str]]:
    """A configuration without a file, and an environment with *keys*."""
    environ = {"PHANTOM_GATEWAY_STATE": str(tmp_path / "state")}
    if keys:
        environ[KEYS_VARIABLE] = ",".join(key.reveal() for key in keys)
    return load(None, environ), environ


def test_a_gateway_with_another_key_does_not_start(tmp_path: Path) -> None:
    """F98: it says by its id which key it has, shows no key, and has changed nothing: the right key still opens all."""
    open_installation(*installed(tmp_path, OLD), NOW).close()

    with pytest.raises(KeyringError) as refusal:
        open_installation(*installed(tmp_path, NEW), NOW)

    (key_id,) = Keyring([NEW], "the test").key_ids
    assert key_id in str(refusal.value)
    assert not any(key.reveal() in str(refusal.value) for key in (OLD, NEW))
    open_installation(*installed(tmp_path, NEW, OLD), NOW).close()
    open_installation(*installed(tmp_path, OLD), NOW).close()


class Cut(Exception):  # noqa: N818 - a condition: the process is gone
    """The rotation was killed."""


@pytest.mark.parametrize("survived", [0, 1, 2])
def test_a_rotation_that_was_cut_off_leaves_everything_readable(
    office: Office, monkeypatch: pytest.MonkeyPatch, survived: int
) -> None:
    """F99: whatever was sealed again by then, a gateway with both keys reads all, and a second rotation ends it."""
    seal_some(office)
    old = Secret(office.key)
    both = Keyring([NEW, old], "the test")
    written = iter(range(100))
    replace = sealed.replace

    def replace_until_cut(*arguments: Any) -> int:
        if next(written) >= survived:
            raise Cut
        return replace(*arguments)

    monkeypatch.setattr(sealed, "replace", replace_until_cut)
    with pytest.raises(Cut):
        resealing.reseal(office.database, both)
    monkeypatch.undo()
    half = resealing.usage(office.database, both)
    found = office.database.read_now(partial(records.by_name, name="alice"))
    again = resealing.reseal(office.database, both)

    assert half[resealing.UNOPENED] == 0
    assert half[both.key_ids[0]] < half.total()
    assert found is not None
    assert both.decrypt(found.secret_sealed) == Secret(SECRET)
    assert again == half[both.key_ids[1]]
    alone = Keyring([NEW], "the test")
    assert resealing.usage(office.database, alone) == {alone.key_ids[0]: half.total()}


def seal_some(office: Office) -> None:
    """Nothing; users and launch configurations have secrets."""
    office.add_user("bob", "AKIABOBBOBBOBBOBBOB1", "222222222222")
    for number in range(3):
        office.create_launch_configuration(
            f"web{number}@hotel", UserData=base64.b64encode(planted("").encode()).decode()
        )
