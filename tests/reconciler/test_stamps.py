"""Times on record that have not come yet (F68): what is on record has happened."""

from datetime import timedelta

import pytest

from reconciler.model import Crash, GroupRecord
from reconciler.stamps import Births, Stamps
from tests.reconciler import views
from tests.reconciler.views import NOW

HOUR = timedelta(hours=1)
LATER = NOW + timedelta(seconds=50)


def ahead() -> GroupRecord:
    """A group all of whose times are an hour ahead."""
    crash = Crash("web@hotel", 2, NOW + HOUR, NOW + HOUR, 1)
    instances = [views.claim(1, claimed_at=NOW + HOUR), views.instance(2, bound_at=NOW + HOUR)]
    return views.view(2, instances, last_scaled_at=NOW + HOUR, crashes={"hotel": crash}).record


def test_what_has_not_come_yet_came_when_it_was_first_read() -> None:
    """F68: and not at each look anew, or it would never be over."""
    stamps, record = Stamps(), ahead()

    first, again = stamps.bounded(record, NOW), stamps.bounded(record, LATER)

    assert first == again
    assert first.group.last_scaled_at == first.group.crashes["hotel"].last_at == first.instances[0].claimed_at == NOW
    assert first.instances[1].bound_at == NOW


def test_what_has_come_is_left_alone() -> None:
    """F68: and so is what another gateway's clock, a little ahead, has written just now."""
    record = views.view(1, [views.claim(1, claimed_at=NOW + timedelta(seconds=5))]).record

    assert Stamps().bounded(record, NOW) is record


def test_that_a_sweep_has_shown_a_machine_is_not_forgotten() -> None:
    """F68: such instances were in service later than they were bound."""
    instance = views.instance(1, bound_at=NOW + HOUR, in_service_at=NOW + HOUR + timedelta(seconds=30))
    (bounded,) = Stamps().bounded(views.view(1, [instance]).record, NOW).instances

    assert bounded.bound_at is not None
    assert bounded.in_service_at is not None
    assert bounded.bound_at < bounded.in_service_at < NOW + timedelta(seconds=1)


@pytest.mark.parametrize("drift_s", [0.0, 50.0])
def test_a_machine_is_as_old_as_its_first_sight(drift_s: float) -> None:
    """F68: a cloud whose clock is an hour ahead does not keep a leak for an hour, whatever it tells later."""
    births = Births()
    (first,) = births.bounded((views.machine("m-1", launched_at=NOW + HOUR),), NOW)
    told = NOW + HOUR + timedelta(seconds=drift_s)
    (again,) = births.bounded((views.machine("m-1", launched_at=told),), LATER)

    assert first.launched_at == again.launched_at == NOW
