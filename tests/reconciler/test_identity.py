"""The ids that AWS clients see."""

import pytest

from reconciler import identity


@pytest.mark.parametrize(
    "machine_id", [pytest.param("i-0a1b2c3d", id="short"), pytest.param("i-0a1b2c3d4e5f60718", id="long")]
)
def test_an_id_of_ec2s_form_is_kept(machine_id: str) -> None:
    """Eight to seventeen hex digits."""
    assert identity.instance_id("hotel", machine_id) == machine_id


@pytest.mark.parametrize(
    "machine_id",
    [
        pytest.param("3f0e9a9e-5a0e-4c0f-9a53-1d2c3b4a5f60", id="uuid"),
        pytest.param("i-short", id="not hex"),
        pytest.param("i-0a1b2c3d\n", id="line end"),
        pytest.param("I-0A1B2C3D", id="upper case"),
    ],
)
def test_any_other_id_gets_a_stable_one(machine_id: str) -> None:
    """The same for the same machine, another on another account."""
    made = identity.instance_id("hotel", machine_id)

    assert len(made) == 19
    assert made == identity.instance_id("hotel", machine_id)
    assert made != identity.instance_id("sierra", machine_id)
    assert identity.instance_id("sierra", made) == made
