"""What is let through to an account, and what is counted."""

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.sim import SimCloud
from reconciler.accounts import Account
from reconciler.budget import Census
from reconciler.lease import Sole
from reconciler.turnstile import Turnstile, Turnstiles
from tests.reconciler.views import NOW, TRAITS


def after(seconds: float) -> datetime:
    """That long from now."""
    return NOW + timedelta(seconds=seconds)


def account(**facts: Any) -> Account:
    """An account on hotel with these ceilings."""
    cloud = SimCloud("hotel", clock=lambda: NOW, random=Random(1))
    return replace(Account("key-1", cloud, TRAITS), **facts)


def turnstile(**facts: Any) -> Turnstile:
    """Its turnstile."""
    return Turnstile(account(**facts), Random(1), Sole())


def open_up(gate: Turnstile, at: datetime = NOW) -> datetime:
    """The time when the breaker that has just opened may be tested."""
    for uid in ("g-1", "g-2", "g-3"):
        gate.failed(uid, "hotel is full", at, first=True)
    hold = gate.hold("g-1", at)
    assert hold is not None
    return hold.until


def test_without_ceilings_everything_passes() -> None:
    """There is nothing to count."""
    gate = turnstile()

    assert gate.limits("g-1", NOW) == ()
    assert gate.take("g-1", 10_000, NOW) == 10_000


class TestSlowStart:
    """A cloud that was out of order is not flooded when it comes back."""

    def test_each_success_allows_as_many_more(self) -> None:
        """1, 2, 4 and so on at once, whoever asks, until nobody counts any more."""
        gate = turnstile()
        due = open_up(gate)
        granted = []
        while gate.state != "closed":
            taken = gate.take("g-1", 1_000, due)
            granted.append((taken, gate.take("g-2", 1_000, due)))
            gate.succeeded("g-1", taken)
            gate.landed("g-1", taken)

        assert granted == [(1, 0), (2, 0), (4, 0), (8, 0), (16, 0), (32, 0)]
        assert gate.take("g-2", 1_000, due) == 1_000

    def test_a_failure_begins_anew(self) -> None:
        """The cloud still staggers."""
        gate = turnstile()
        due = open_up(gate)
        for taken in (1, 2, 4):
            assert gate.take("g-1", 1_000, due) == taken
            gate.succeeded("g-1", taken)
            gate.landed("g-1", taken)
        assert gate.take("g-1", 1_000, due) == 8
        gate.failed("g-1", "hotel is full", due, first=True)
        gate.landed("g-1", 8)

        assert gate.take("g-1", 1_000, due) == 1

    def test_what_is_beyond_waits_and_hears_when_a_launch_has_ended(self) -> None:
        """It does not spill over to a dearer cloud for that."""
        gate = turnstile()
        due = open_up(gate)
        gate.take("g-1", 1, due)
        gate.succeeded("g-1")
        gate.landed("g-1", 1)
        gate.ended("g-1")
        gate.take("g-1", 2, due)
        gate.waiting.add("g-2")
        (limit,) = gate.limits("g-1", due)
        gate.landed("g-1", 2)

        assert (limit.launches, limit.waits, gate.state) == (0, True, "warming")
        assert gate.ended("g-1") == {"g-2"}

    def test_what_was_given_back_was_never_out(self) -> None:
        """Otherwise it would take up room for ever."""
        gate = turnstile()
        due = open_up(gate)
        gate.take("g-1", 1, due)
        gate.succeeded("g-1")
        gate.landed("g-1", 1)
        gate.give_back("g-2", gate.take("g-2", 2, due), due)

        assert gate.take("g-3", 5, due) == 2


class TestRate:
    """Launches a minute."""

    def test_a_minutes_worth_passes_at_once_and_then_as_fast_as_allowed(self) -> None:
        """Refilled continuously, never beyond the burst."""
        gate = turnstile(launches_per_minute_max=30)

        assert gate.take("g-1", 50, NOW) == 30
        assert gate.take("g-2", 1, NOW) == 0
        assert gate.take("g-2", 50, after(10)) == 5
        assert gate.take("g-2", 50, after(3600)) == 30

    def test_what_is_beyond_it_waits_for_its_turn(self) -> None:
        """The limit says until when, and that nobody else should get it."""
        gate = turnstile(launches_per_minute_max=30)
        gate.take("g-1", 30, NOW)

        (limit,) = gate.limits("g-1", NOW)

        assert (limit.launches, limit.waits, limit.again_at) == (0, True, after(2))
        assert limit.reason == "no more than 30 launches a minute are allowed on hotel: the rest waits for its turn"
        assert limit.again_at is not None
        assert gate.take("g-1", 1, limit.again_at) == 1

    @pytest.mark.parametrize(
        ("per_minute", "first", "next_s"),
        [pytest.param(0.5, 1, 120, id="one every other minute"), pytest.param(0, 0, None, id="none at all")],
    )
    def test_low_rates_are_kept_too(self, per_minute: float, first: int, next_s: float | None) -> None:
        """Below one a minute the burst is one machine."""
        gate = turnstile(launches_per_minute_max=per_minute)

        assert gate.take("g-1", 5, NOW) == first
        assert gate.limits("g-1", NOW)[0].again_at == (None if next_s is None else after(next_s))

    def test_what_was_not_launched_is_given_back(self) -> None:
        """No cloud was asked for it."""
        gate = turnstile(launches_per_minute_max=10, vms_max=10)
        gate.take("g-1", 10, NOW)
        gate.give_back("g-1", 10, NOW)

        assert gate.take("g-2", 10, NOW) == 10


def turn(gate: Turnstile, uid: str, now: datetime = NOW) -> float:
    """Seconds from NOW until the rate has something for the group."""
    (limit,) = gate.limits(uid, now)
    assert limit.again_at is not None
    return (limit.again_at - NOW).total_seconds()


class TestLine:
    """Who waits for the rate looks again when there is something for him, and not with everybody else before."""

    @pytest.fixture
    def gate(self) -> Turnstile:
        """One machine a second, of which none is left now, and three groups in line."""
        gate = turnstile(launches_per_minute_max=60)
        gate.take("g-0", 60, NOW)
        for uid in ("g-1", "g-2", "g-3"):
            gate.line_up(uid, waits=True)
        return gate

    def test_each_has_a_turn_of_its_own(self, gate: Turnstile) -> None:
        """In the order in which they came; whoever is new comes last, and looking costs nobody a place."""
        assert [turn(gate, uid) for uid in ("g-1", "g-2", "g-3", "new", "newer")] == [1, 2, 3, 4, 4]

    def test_to_wait_again_is_to_keep_the_place(self, gate: Turnstile) -> None:
        """Passes have many reasons."""
        gate.line_up("g-1", waits=True)

        assert turn(gate, "g-1") == 1

    def test_who_had_something_and_wants_more_comes_last(self, gate: Turnstile) -> None:
        """A big group does not keep small ones from growing."""
        assert turn(gate, "g-1", after(1)) == 5
        assert gate.take("g-1", 10, after(1)) == 1
        gate.line_up("g-1", waits=True)

        assert [turn(gate, uid, after(1)) for uid in ("g-2", "g-3", "g-1")] == [2, 3, 4]

    def test_who_leaves_makes_room(self, gate: Turnstile) -> None:
        """It has all that it wants, or is gone."""
        gate.line_up("g-1", waits=False)
        gate.forget("g-2")

        assert turn(gate, "g-3") == 1

    def test_who_waits_elsewhere_now_makes_room(self) -> None:
        """A group that left the cloud never comes for its turn: all others would wait behind it for ever."""
        hotel = account(launches_per_minute_max=60)
        gates = Turnstiles(Random(1), Sole())
        gates.of(hotel).take("g-0", 60, NOW)
        for uid in ("g-1", "g-2"):
            gates.line_up(uid, [hotel.key])
        gates.line_up("g-1", ["another account"])

        assert turn(gates.of(hotel), "g-2") == 1


class TestCensus:
    """Machines of ours that there may be at once."""

    def test_machines_seen_and_those_to_come_count(self) -> None:
        """Per group the greater of what is seen and what is on record."""
        gate = turnstile(vms_max=10)
        gate.census.show({"g-1": 3, "gone": 1})
        gate.census.note("g-1", 2)
        gate.census.note("g-2", 4)

        (limit,) = gate.limits("g-1", NOW)

        assert (limit.launches, limit.waits) == (2, False)
        assert limit.reason == "hotel holds 8 of the 10 machines that this account may have there"

    def test_what_was_taken_counts_before_it_is_on_record(self) -> None:
        """Two groups that plan at the same time do not get the same room."""
        gate = turnstile(vms_max=5)

        assert gate.take("g-1", 3, NOW) == 3
        assert gate.take("g-2", 3, NOW) == 2
        gate.census.note("g-1", 3)
        assert gate.take("g-1", 3, NOW) == 0

    def test_a_group_that_left_the_account_frees_its_room(self) -> None:
        """So does one that does not exist any more."""
        gates = Turnstiles(Random(1), Sole())
        gate = gates.of(account(vms_max=5))
        gate.take("g-1", 3, NOW)
        gate.take("g-2", 2, NOW)

        gates.note("g-1", {"another": 3})
        gates.forget("g-2")

        assert gate.census.total() == 0

    @given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(-3, 5), st.sampled_from(["show", "note", "expect"]))))
    def test_the_sum_is_that_of_the_counts(self, events: list[tuple[str, int, str]]) -> None:
        """It is kept from event to event, and is what counting anew would give."""
        census, shown, recorded = Census(), dict[str, int](), dict[str, int]()
        for uid, count, event in events:
            present = max(shown.get(uid, 0), recorded.get(uid, 0))
            match event:
                case "show":
                    shown = shown | {uid: max(0, count)}
                    census.show(shown)
                case "note":
                    recorded[uid] = max(0, count)
                    census.note(uid, max(0, count))
                case _:
                    recorded[uid] = max(0, present + count)
                    census.expect(uid, count)

        assert census.total() == sum(max(shown.get(uid, 0), recorded.get(uid, 0)) for uid in "abc")


class TestBreaker:
    """One machine as a test, and who hears of it."""

    def test_one_group_gets_one_machine_through(self) -> None:
        """However many it wants, and whoever else planned the same."""
        gate = turnstile()
        due = open_up(gate)

        assert gate.take("g-1", 5, NOW) == 0
        assert [limit.launches for limit in gate.limits("g-1", due)] == [1]
        assert gate.take("g-1", 5, due) == 1
        assert gate.take("g-1", 5, due) == 0
        assert gate.take("g-2", 5, due) == 0
        assert not gate.repeats("g-2", due)

    def test_a_repeated_call_may_be_the_test(self) -> None:
        """Otherwise a group that waits for nothing else would keep the breaker open for ever."""
        gate = turnstile()
        due = open_up(gate)

        assert not gate.repeats("g-1", NOW)
        assert gate.repeats("g-1", due)
        assert gate.take("g-2", 5, due) == 0

    def test_the_waiting_hear_of_the_end_of_a_test(self) -> None:
        """Once, and only of a test."""
        gate = turnstile()
        due = open_up(gate)
        gate.waiting |= {"g-1", "g-2"}
        assert gate.ended("g-3") == set()
        gate.take("g-1", 1, due)
        gate.succeeded("g-1")
        gate.landed("g-1", 1)

        assert gate.ended("g-1") == {"g-2"}
        assert gate.ended("g-1") == set()
        assert gate.take("g-2", 5, due) == 2

    def test_a_test_that_told_nothing_leaves_it_half_open(self) -> None:
        """The next group may try at once."""
        gate = turnstile()
        due = open_up(gate)
        gate.take("g-1", 1, due)

        gate.ended("g-1")

        assert gate.take("g-2", 5, due) == 1

    def test_the_calls_of_one_attempt_count_once(self) -> None:
        """Four refusals at once are one failure."""
        gate = turnstile()
        for first in (True, False, False, False):
            gate.failed("g-1", "hotel is full", NOW, first=first)

        assert gate.hold("g-1", NOW) is None

    def test_its_life_is_told(self, caplog: pytest.LogCaptureFixture) -> None:
        """Operators see when and why."""
        caplog.set_level(logging.WARNING)
        gate = turnstile()
        due = open_up(gate)
        gate.take("g-1", 1, due)
        gate.succeeded("g-1")

        assert caplog.messages == ["breaker.opened", "breaker.probing", "breaker.closed"]
