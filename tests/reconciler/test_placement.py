"""Which cloud launches next."""

from datetime import timedelta

import pytest

from reconciler import placement
from reconciler.model import AccountView, FailBack, Limit, RankedCloud
from tests.reconciler.views import NOW, account, gone_blind, held, instance, view

HOTEL, SIERRA = RankedCloud("hotel"), RankedCloud("sierra")


@pytest.mark.parametrize(
    ("clouds", "counting", "wanted", "expected"),
    [
        pytest.param((HOTEL, SIERRA), {}, 5, {"hotel": 5}, id="first rank takes all"),
        pytest.param((RankedCloud("hotel", 2), SIERRA), {}, 5, {"hotel": 2, "sierra": 3}, id="cap overflows"),
        pytest.param((RankedCloud("hotel", 2), SIERRA), {"hotel": 1}, 3, {"hotel": 1, "sierra": 2}, id="living count"),
        pytest.param((RankedCloud("hotel", 2), SIERRA), {"hotel": 7}, 1, {"sierra": 1}, id="beyond its cap already"),
        pytest.param((RankedCloud("hotel", 2), RankedCloud("sierra", 1)), {}, 5, {"hotel": 2, "sierra": 1}, id="full"),
        pytest.param((), {}, 5, {}, id="no cloud"),
    ],
)
def test_ranks_are_filled_in_order(
    clouds: tuple[RankedCloud, ...], counting: dict[str, int], wanted: int, expected: dict[str, int]
) -> None:
    """Never beyond a cap; what finds no place is explained."""
    placed = placement.place(view(wanted, clouds=clouds), wanted, counting)

    assert dict(placed.counts) == expected
    assert bool(placed.reasons) == (placed.total < wanted)


@pytest.mark.parametrize(
    ("hotel", "reason"),
    [
        pytest.param(gone_blind("timeout"), "hotel does not answer: timeout", id="blind"),
        pytest.param(account(hold=held()), "back-off on hotel until 2013-08-19T21:00:30Z: hotel is full", id="held"),
        pytest.param(
            account(breaker=held("no room")),
            "the breaker of hotel is open until 2013-08-19T21:00:30Z: no room",
            id="breaker",
        ),
    ],
)
def test_a_cloud_that_cannot_launch_is_passed_over(hotel: AccountView, reason: str) -> None:
    """The next rank takes over at once; alone, the obstacle is what the group waits for."""
    both = view(2, clouds=(HOTEL, SIERRA), accounts={"hotel": hotel})
    alone = view(2, clouds=(HOTEL,), accounts={"hotel": hotel})

    assert placement.place(both, 2, {}) == placement.Placement((("sierra", 2),))
    assert placement.place(alone, 2, {}).counts == ()
    assert placement.place(alone, 2, {}).reasons == (reason,)


def test_the_end_of_a_back_off_is_worth_another_look() -> None:
    """The earliest one, when several clouds are held."""
    placed = placement.place(view(1, accounts={"hotel": account(hold=held())}), 1, {})

    assert placed.again_at is not None
    assert (placed.again_at - NOW).total_seconds() == 30


def test_a_cloud_without_a_launch_configuration_is_reported() -> None:
    """It is skipped, not an error."""
    placed = placement.place(view(2, clouds=(HOTEL, SIERRA), sources=["sierra"]), 2, {})
    stuck = placement.place(view(2, clouds=(HOTEL,), sources=[]), 2, {})

    assert placed.counts == (("sierra", 2),)
    assert stuck.reasons == ("the group has no launch configuration for hotel",)


def test_a_cloud_without_an_account_is_reported() -> None:
    """Its credentials were taken away while the group still names it."""
    without = view(2, clouds=(HOTEL,))
    placed = placement.place(type(without)(without.record, {}), 2, {})

    assert placed.reasons == ("there is no account on hotel",)


def test_a_cloud_that_is_about_to_be_seen_keeps_its_share() -> None:
    """After a restart the lower ranks must not be filled only because their sweeps came back first."""
    starting = view(5, clouds=(RankedCloud("hotel", 3), SIERRA), accounts={"hotel": account(swept_at=None)})

    placed = placement.place(starting, 5, {})

    assert placed.counts == (("sierra", 2),)
    assert placed.unseen == {"hotel"}
    assert placed.reasons == ("hotel has not been looked at yet",)


def test_instances_on_a_blind_cloud_count_as_living() -> None:
    """They fill their cloud's cap."""
    blind = view(3, [instance(1), instance(2)], accounts={"hotel": gone_blind()})

    assert placement.living(blind) == {"hotel": 2}


@pytest.mark.parametrize(
    ("fail_back", "counting", "expected"),
    [
        pytest.param(FailBack.OFF, {"sierra": 1}, {"sierra": 3}, id="off: where it is"),
        pytest.param(FailBack.OFF, {"hotel": 1, "sierra": 1}, {"hotel": 3}, id="off: by rank among those"),
        pytest.param(FailBack.OFF, {}, {"hotel": 3}, id="off: by rank when it is nowhere"),
        pytest.param(FailBack.ON_REPLACEMENT, {"sierra": 1}, {"hotel": 3}, id="on replacement: by rank"),
        pytest.param(FailBack.EAGER, {"sierra": 1}, {"hotel": 3}, id="eager: by rank"),
    ],
)
def test_fail_back_says_who_is_asked_first(
    fail_back: FailBack, counting: dict[str, int], expected: dict[str, int]
) -> None:
    """A group that spilled over stays there without it, and comes home with it."""
    placed = placement.place(view(4, clouds=(HOTEL, SIERRA), fail_back=fail_back), 3, counting)

    assert dict(placed.counts) == expected


@pytest.mark.parametrize(
    ("limits", "expected", "reasons"),
    [
        pytest.param((Limit(1, "full"),), {"hotel": 1, "sierra": 4}, (), id="full for us: the rest goes elsewhere"),
        pytest.param((Limit(0, "full"),), {"sierra": 5}, (), id="quite full"),
        pytest.param((Limit(9, "full"),), {"hotel": 5}, (), id="room enough"),
        pytest.param((Limit(2, "slow", NOW, waits=True),), {"hotel": 2}, ("slow",), id="too fast: the rest waits"),
        pytest.param(
            (Limit(4, "full"), Limit(1, "slow", NOW, waits=True)),
            {"hotel": 1, "sierra": 1},
            ("full", "slow"),
            id="both: what has room waits, the rest goes elsewhere",
        ),
    ],
)
def test_budgets_are_respected(limits: tuple[Limit, ...], expected: dict[str, int], reasons: tuple[str, ...]) -> None:
    """A ceiling on the rate must not push machines to dearer clouds, one on their number must."""
    seen = view(5, clouds=(HOTEL, SIERRA), accounts={"hotel": account(limits=limits)})

    placed = placement.place(seen, 5, {})

    assert dict(placed.counts) == expected
    assert placed.reasons == reasons
    assert placed.again_at == (NOW if "slow" in reasons else None)


def test_a_hold_outlasts_a_budget() -> None:
    """
    A held cloud is asked again when its hold ends.

    Fifty groups behind an open breaker once looked twice a second each, whenever the rate budget had another launch to
    give, and used a tenth of a processor for nothing.
    """
    soon = NOW + timedelta(seconds=0.5)
    hotel = account(breaker=held("no room"), limits=(Limit(0, "slow", soon, waits=True),))
    placed = placement.place(view(2, clouds=(HOTEL,), accounts={"hotel": hotel}), 2, {})

    assert hotel.held is not None
    assert placed.again_at == hotel.held.until


def test_a_budget_that_is_not_used_up_is_not_waited_for() -> None:
    """Only a limit that stands in the way is worth another look."""
    hotel = account(limits=(Limit(9, "slow", NOW, waits=True), Limit(1, "full")))
    placed = placement.place(view(2, clouds=(HOTEL,), accounts={"hotel": hotel}), 2, {})

    assert placed.again_at is None
