"""
What every ledger has to do, whatever keeps its records.

A test module gives the fixtures ``ledger`` and ``seed`` (they may be one object) and subclasses ``LedgerContract``
under a name that begins with ``Test``.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest

from backends.cloud import Machine, MachineState, Mark
from reconciler.ledger import Ledger
from reconciler.model import Crash, Instance, InstanceState

NOW = datetime(2013, 8, 19, 20, 53, 25, tzinfo=UTC)
LATER = NOW + timedelta(seconds=30)


class Seeder(Protocol):
    """How a test makes groups and reads what users see, in words that any storage can follow."""

    async def add_group(
        self,
        uid: str,
        name: str,
        minimum: int,
        maximum: int,
        desired: int,
        clouds: Sequence[str] = ("hotel",),
        generation: int = 1,
    ) -> None:
        """Nothing; a group exists that may use *clouds* in this order, with a launch configuration for each."""
        ...

    async def set_desired(self, uid: str, desired: int) -> None:
        """Nothing; its desired capacity is another, and its generation has grown."""
        ...

    async def mark_deleting(self, uid: str) -> None:
        """Nothing; it is being deleted, and its generation has grown."""
        ...

    async def resume(self, uid: str, process: str) -> None:
        """Nothing; as ResumeProcesses does it: it is not suspended, and with Launch its failures are forgotten."""
        ...

    async def activities(self, uid: str) -> list[tuple[str, str, str, str | None]]:
        """(description, status code, cause, status message) of every activity, oldest first."""
        ...


def machine(machine_id: str, state: MachineState = MachineState.RUNNING) -> Machine:
    """A machine as a launch of group g-1 would return it."""
    return Machine(machine_id, state, Mark("gw", "g-1", "t-1"), NOW)


async def claimed(ledger: Ledger, seed: Seeder, count: int = 1) -> list[Instance]:
    """Claims of one batch in the new group g-1."""
    await seed.add_group("g-1", "web", 0, 10, count, clouds=("hotel", "sierra"))
    places = [("t-1", index) for index in range(count)]
    return await ledger.claim("g-1", 1, "hotel", places, [f"cause {index}" for index in range(count)], 0, NOW)


async def serving(ledger: Ledger, seed: Seeder, count: int = 1) -> list[int]:
    """Keys of instances in service in the new group g-1."""
    claims = await claimed(ledger, seed, count)
    for claim in claims:
        assert await ledger.bind(claim.key, machine(f"m-{claim.index}"), f"i-0000000{claim.index}", NOW)
    return [claim.key for claim in claims]


async def the_instances(ledger: Ledger) -> list[Instance]:
    """The instances of g-1."""
    record = await ledger.read("g-1")
    assert record is not None
    return list(record.instances)


async def owed(ledger: Ledger) -> int:
    """The replacements owed to g-1."""
    record = await ledger.read("g-1")
    assert record is not None
    return record.group.owed_replacements


async def failing_since(ledger: Ledger) -> datetime | None:
    """Since when launches of g-1 fail."""
    record = await ledger.read("g-1")
    assert record is not None
    return record.group.failing_since


class LedgerContract:
    """The port's sentences, each as a test."""

    async def test_a_claim_keeps_its_place(self, ledger: Ledger, seed: Seeder) -> None:
        """The zone or subnet of a launch is known for as long as the instance is: a repeated call names the same."""
        await claimed(ledger, seed)

        (claim,) = await ledger.claim("g-1", 1, "hotel", [("t-2", 0)], ["cause"], 0, NOW, "zone-a")

        assert await ledger.bind(claim.key, machine("m-1"), "i-00000001", NOW)
        assert claim.place == "zone-a"
        assert sorted(str(instance.place) for instance in await the_instances(ledger)) == ["None", "zone-a"]

    async def test_a_new_group_is_listed_and_read_as_it_was_made(self, ledger: Ledger, seed: Seeder) -> None:
        """What the planner needs of a group comes back unchanged."""
        await seed.add_group("g-1", "web", 1, 10, 3, clouds=("hotel", "sierra"), generation=4)

        record = await ledger.read("g-1")

        assert await ledger.group_uids() == ["g-1"]
        assert record is not None
        group = record.group
        assert (group.uid, group.name, group.minimum, group.maximum, group.desired) == ("g-1", "web", 1, 10, 3)
        assert (group.generation, group.deleting, group.owed_replacements) == (4, False, 0)
        assert [cloud.name for cloud in group.clouds] == ["hotel", "sierra"]
        assert set(record.sources) == {"hotel", "sierra"}
        assert record.instances == ()

    async def test_a_group_that_does_not_exist_is_none(self, ledger: Ledger) -> None:
        """A pass over a group that is gone finds nothing to do."""
        assert await ledger.read("g-0") is None

    async def test_a_claim_is_recorded_with_its_activity(self, ledger: Ledger, seed: Seeder) -> None:
        """Every token and index gets a claim, and every claim an activity with its own cause."""
        claims = await claimed(ledger, seed, 2)

        assert [(c.token, c.index, c.state, c.cloud) for c in claims] == [
            ("t-1", 0, InstanceState.CLAIMED, "hotel"),
            ("t-1", 1, InstanceState.CLAIMED, "hotel"),
        ]
        assert {claim.claimed_at for claim in claims} == {NOW}
        assert await the_instances(ledger) == claims
        told = await seed.activities("g-1")
        assert sorted(cause for _, _, cause, _ in told) == ["cause 0", "cause 1"]
        assert all(description.startswith("Launching a new EC2 instance") for description, _, _, _ in told)

    @pytest.mark.parametrize(
        ("generation", "cloud"),
        [pytest.param(0, "hotel", id="stale generation"), pytest.param(1, "alamo", id="no spec for the cloud")],
    )
    async def test_a_claim_that_may_not_be_made_writes_nothing(
        self, ledger: Ledger, seed: Seeder, generation: int, cloud: str
    ) -> None:
        """A plan made for another intent leaves no trace."""
        await seed.add_group("g-1", "web", 0, 10, 1)

        assert await ledger.claim("g-1", generation, cloud, [("t-1", 0)], ["cause"], 0, NOW) == []
        assert await the_instances(ledger) == []
        assert await seed.activities("g-1") == []

    async def test_a_group_being_deleted_gets_no_claims(self, ledger: Ledger, seed: Seeder) -> None:
        """Not even with the right generation."""
        await seed.add_group("g-1", "web", 0, 10, 1)
        await seed.mark_deleting("g-1")
        record = await ledger.read("g-1")
        assert record is not None

        assert record.group.deleting
        assert await ledger.claim("g-1", record.group.generation, "hotel", [("t-1", 0)], ["cause"], 0, NOW) == []

    async def test_a_change_of_intent_moves_the_generation(self, ledger: Ledger, seed: Seeder) -> None:
        """Plans made before it are recognised as old."""
        await seed.add_group("g-1", "web", 0, 10, 1)
        await seed.set_desired("g-1", 5)
        record = await ledger.read("g-1")

        assert record is not None
        assert (record.group.desired, record.group.generation > 1) == (5, True)
        assert await ledger.claim("g-1", 1, "hotel", [("t-1", 0)], ["cause"], 0, NOW) == []

    @pytest.mark.parametrize(
        ("state", "bound", "status"),
        [
            pytest.param(MachineState.RUNNING, InstanceState.IN_SERVICE, "Successful", id="running"),
            pytest.param(MachineState.PENDING, InstanceState.PENDING, "PreInService", id="pending"),
        ],
    )
    async def test_a_bound_claim_is_an_instance(
        self, ledger: Ledger, seed: Seeder, state: MachineState, bound: InstanceState, status: str
    ) -> None:
        """It is in service at once when its machine runs already, and its activity says how far it is."""
        (claim,) = await claimed(ledger, seed)

        assert await ledger.bind(claim.key, machine("m-1", state), "i-00000001", LATER)
        (instance,) = await the_instances(ledger)
        assert (instance.state, instance.machine_id, instance.instance_id) == (bound, "m-1", "i-00000001")
        assert instance.bound_at == LATER
        assert instance.in_service_at == (LATER if bound is InstanceState.IN_SERVICE else None)
        assert [activity[1] for activity in await seed.activities("g-1")] == [status]

    async def test_what_is_no_claim_is_not_bound(self, ledger: Ledger, seed: Seeder) -> None:
        """A claim that was released meanwhile does not come back."""
        (claim,) = await claimed(ledger, seed)
        await ledger.release([claim.key], "Cancelled", "not wanted", NOW)

        assert not await ledger.bind(claim.key, machine("m-1"), "i-00000001", NOW)
        assert await the_instances(ledger) == []

    async def test_a_machine_is_never_bound_twice(self, ledger: Ledger, seed: Seeder) -> None:
        """Neither to its own instance again nor to another claim."""
        first, second = await claimed(ledger, seed, 2)

        assert await ledger.bind(first.key, machine("m-1"), "i-00000001", NOW)
        assert not await ledger.bind(first.key, machine("m-1"), "i-00000001", NOW)
        assert not await ledger.bind(second.key, machine("m-1"), "i-00000001", NOW)

    async def test_a_promoted_instance_is_in_service(self, ledger: Ledger, seed: Seeder) -> None:
        """Its launch activity succeeds with it; one that is not pending stays what it is."""
        first, second = await claimed(ledger, seed, 2)
        await ledger.bind(first.key, machine("m-1", MachineState.PENDING), "i-00000001", NOW)

        await ledger.promote([first.key, second.key, 99999], LATER)

        by_key = {instance.key: instance for instance in await the_instances(ledger)}
        assert by_key[first.key].state is InstanceState.IN_SERVICE
        assert by_key[first.key].in_service_at == LATER
        assert by_key[second.key].state is InstanceState.CLAIMED
        assert "Successful" in [activity[1] for activity in await seed.activities("g-1")]

    @pytest.mark.parametrize(
        "outcome", [pytest.param("Failed", id="failed"), pytest.param("Cancelled", id="cancelled")]
    )
    async def test_a_released_claim_leaves_its_activity(self, ledger: Ledger, seed: Seeder, outcome: str) -> None:
        """The claim is gone; the activity ends with the message for the user."""
        (claim,) = await claimed(ledger, seed)

        await ledger.release([claim.key], outcome, "hotel is full. Launching EC2 instance failed.", NOW)

        assert await the_instances(ledger) == []
        ((_, status, _, message),) = await seed.activities("g-1")
        assert (status, message) == (outcome, "hotel is full. Launching EC2 instance failed.")

    async def test_an_instance_is_not_released(self, ledger: Ledger, seed: Seeder) -> None:
        """A key that is no claim any more is ignored."""
        keys = await serving(ledger, seed)

        await ledger.release(keys, "Cancelled", "too late", NOW)

        assert [instance.state for instance in await the_instances(ledger)] == [InstanceState.IN_SERVICE]

    async def test_a_retired_instance_is_terminating(self, ledger: Ledger, seed: Seeder) -> None:
        """Each has an activity with its own cause, and the replacements owed are counted."""
        keys = await serving(ledger, seed, 2)

        assert await ledger.retire("g-1", 1, keys, ["because 0", "because 1"], 1, LATER) == keys
        assert {instance.state for instance in await the_instances(ledger)} == {InstanceState.TERMINATING}
        assert await owed(ledger) == 1
        ended = [activity for activity in await seed.activities("g-1") if activity[0].startswith("Terminating")]
        assert sorted(cause for _, _, cause, _ in ended) == ["because 0", "because 1"]
        assert {status for _, status, _, _ in ended} == {"InProgress"}

    async def test_a_stale_plan_retires_nothing(self, ledger: Ledger, seed: Seeder) -> None:
        """The user has changed the group since the plan was made."""
        keys = await serving(ledger, seed)
        await seed.set_desired("g-1", 2)

        assert await ledger.retire("g-1", 1, keys, ["because"], 1, NOW) == []
        assert [instance.state for instance in await the_instances(ledger)] == [InstanceState.IN_SERVICE]
        assert await owed(ledger) == 0

    async def test_what_is_terminating_is_not_retired_again(self, ledger: Ledger, seed: Seeder) -> None:
        """An API call that came first has told its own cause."""
        keys = await serving(ledger, seed)
        await ledger.retire("g-1", 1, keys, ["first"], 0, NOW)

        assert await ledger.retire("g-1", 1, keys, ["second"], 0, NOW) == []
        assert "second" not in [cause for _, _, cause, _ in await seed.activities("g-1")]

    async def test_a_dismissal_is_remembered(self, ledger: Ledger, seed: Seeder) -> None:
        """Only for what is terminating."""
        first, second = await serving(ledger, seed, 2)
        await ledger.retire("g-1", 1, [first], ["because"], 0, NOW)

        await ledger.note_dismissed([first, second], LATER)

        sent = {instance.key: instance.terminate_sent_at for instance in await the_instances(ledger)}
        assert sent == {first: LATER, second: None}

    async def test_a_buried_instance_completes_its_activity(self, ledger: Ledger, seed: Seeder) -> None:
        """It leaves the ledger; what was told about its end stays as it was told."""
        keys = await serving(ledger, seed)
        await ledger.retire("g-1", 1, keys, ["because"], 0, NOW)

        await ledger.bury(keys, ["gone"], 0, LATER)

        assert await the_instances(ledger) == []
        (ended,) = [activity for activity in await seed.activities("g-1") if activity[0].startswith("Terminating")]
        assert ended[1:3] == ("Successful", "because")

    async def test_an_instance_that_died_gets_an_activity_of_its_own(self, ledger: Ledger, seed: Seeder) -> None:
        """And its replacement is owed."""
        keys = await serving(ledger, seed)

        await ledger.bury(keys, ["it died"], 1, LATER)

        assert await the_instances(ledger) == []
        assert await owed(ledger) == 1
        (ended,) = [activity for activity in await seed.activities("g-1") if activity[0].startswith("Terminating")]
        assert ended[1:3] == ("Successful", "it died")

    async def test_a_claim_repays_owed_replacements(self, ledger: Ledger, seed: Seeder) -> None:
        """The debt shrinks by what the launch replaces and never below nothing."""
        keys = await serving(ledger, seed, 2)
        await ledger.bury(keys, ["it died", "it died"], 2, NOW)

        await ledger.claim("g-1", 1, "hotel", [("t-2", 0)], ["cause"], 1, NOW)
        assert await owed(ledger) == 1
        await ledger.claim("g-1", 1, "hotel", [("t-3", 0)], ["cause"], 5, NOW)
        assert await owed(ledger) == 0

    async def test_stale_debts_are_forgiven(self, ledger: Ledger, seed: Seeder) -> None:
        """Never below none, and a group that has just gone is no error."""
        keys = await serving(ledger, seed, 3)
        await ledger.bury(keys, ["it died"] * 3, 3, NOW)

        await ledger.forgive("g-1", 2, NOW)
        assert await owed(ledger) == 1
        await ledger.forgive("g-1", 2, NOW)
        await ledger.forgive("g-0", 1, NOW)

        assert await owed(ledger) == 0

    async def test_failed_launches_are_counted_from_the_first_one(self, ledger: Ledger, seed: Seeder) -> None:
        """Until one brings a machine; then they are counted anew."""
        await seed.add_group("g-1", "web", 0, 10, 1)
        assert await failing_since(ledger) is None

        assert await ledger.note_launch_failed("g-1", NOW) == (NOW, 1)
        assert await ledger.note_launch_failed("g-1", LATER) == (NOW, 2)
        assert await failing_since(ledger) == NOW
        await ledger.note_launched("g-1", LATER)

        assert await failing_since(ledger) is None
        assert await ledger.note_launch_failed("g-1", LATER) == (LATER, 1)

    async def test_a_group_that_is_gone_fails_without_a_trace(self, ledger: Ledger) -> None:
        """Its last call may end after it."""
        assert await ledger.note_launch_failed("g-0", NOW) == (NOW, 1)
        assert await ledger.note_launch_failed("g-0", LATER) == (LATER, 1)
        await ledger.note_launched("g-0", NOW)
        await ledger.suspend("g-0", "Launch", "reason", NOW)

        assert await ledger.read("g-0") is None

    async def test_a_process_is_suspended_once(self, ledger: Ledger, seed: Seeder) -> None:
        """With the first reason; plans made before are recognised as old, and nobody else is suspended."""
        await seed.add_group("g-1", "web", 0, 10, 1)
        await ledger.suspend("g-1", "Launch", "it failed too often", NOW)
        first = await ledger.read("g-1")

        await ledger.suspend("g-1", "Launch", "it failed again", LATER)
        second = await ledger.read("g-1")

        assert first is not None
        assert second is not None
        assert first.group == second.group
        assert first.group.suspended == {"Launch"}
        assert dict(first.group.suspension_reasons) == {"Launch": "it failed too often"}
        assert first.group.generation > 1
        assert await ledger.claim("g-1", 1, "hotel", [("t-1", 0)], ["cause"], 0, NOW) == []

    async def test_a_resumed_launch_starts_anew(self, ledger: Ledger, seed: Seeder) -> None:
        """Its failures are forgotten; other processes stay as they are."""
        await seed.add_group("g-1", "web", 0, 10, 1)
        await ledger.note_launch_failed("g-1", NOW)
        await ledger.suspend("g-1", "Launch", "it failed too often", NOW)
        await ledger.suspend("g-1", "Terminate", "a user wanted it", NOW)

        await seed.resume("g-1", "Launch")
        record = await ledger.read("g-1")

        assert record is not None
        assert record.group.suspended == {"Terminate"}
        assert dict(record.group.suspension_reasons) == {"Terminate": "a user wanted it"}
        assert record.group.failing_since is None
        assert await ledger.note_launch_failed("g-1", LATER) == (LATER, 1)

    async def test_young_deaths_are_remembered_by_cloud(self, ledger: Ledger, seed: Seeder) -> None:
        """Each cloud's record for itself, exactly, until it is forgotten; a note about a group that is gone is none."""
        await seed.add_group("g-1", "web", 0, 10, 1, clouds=("hotel", "sierra"))
        crash = Crash("web@hotel", 3, NOW, LATER + timedelta(microseconds=7), 2)
        other = replace(crash, launch_configuration="web@sierra", times=1)

        await ledger.note_crash("g-1", "hotel", crash, NOW)
        await ledger.note_crash("g-1", "sierra", other, NOW)
        await ledger.note_crash("g-0", "hotel", crash, NOW)
        both = await ledger.read("g-1")
        await ledger.note_crash("g-1", "sierra", None, NOW)
        one = await ledger.read("g-1")

        assert both is not None
        assert dict(both.group.crashes) == {"hotel": crash, "sierra": other}
        assert one is not None
        assert dict(one.group.crashes) == {"hotel": crash}
        assert one.group.generation == both.group.generation

    async def test_a_group_is_removed_only_when_it_is_deleted_and_empty(self, ledger: Ledger, seed: Seeder) -> None:
        """Its activities outlive it."""
        keys = await serving(ledger, seed)
        assert not await ledger.remove_group("g-1", NOW)
        await seed.mark_deleting("g-1")
        assert not await ledger.remove_group("g-1", NOW)
        await ledger.bury(keys, ["gone"], 0, NOW)

        assert await ledger.remove_group("g-1", NOW)
        assert await ledger.read("g-1") is None
        assert await ledger.group_uids() == []
        assert await seed.activities("g-1") != []
        assert not await ledger.remove_group("g-1", NOW)

    async def test_a_removed_group_is_remembered(self, ledger: Ledger, seed: Seeder) -> None:
        """So that what it left behind is known for a leak; a group that is there, or never was, is not."""
        keys = await serving(ledger, seed)
        record = await ledger.read("g-1")
        assert record is not None
        owner = record.group.user_id
        before = await ledger.removed("g-1")
        await seed.mark_deleting("g-1")
        await ledger.bury(keys, ["gone"], 0, LATER)
        await ledger.remove_group("g-1", LATER)
        await ledger.note_reaped("g-1", "hotel", ["m-9"], "a leak", LATER)

        assert (before, await ledger.removed("g-0")) == (None, None)
        removed = await ledger.removed("g-1")
        assert removed is not None
        assert (removed.at, removed.user_id) == (LATER, owner)

    async def test_a_sensor_moves_desired_as_a_user_would(self, ledger: Ledger, seed: Seeder) -> None:
        """The number, its cause, its time and a new generation; within bounds, and for its generation only."""
        await seed.add_group("g-1", "web", 1, 4, 2)

        assert await ledger.scale("g-1", 1, 3, "because of load", LATER)
        assert not await ledger.scale("g-1", 1, 4, "of an older generation", LATER)
        assert not await ledger.scale("g-1", 2, 5, "above the maximum", LATER)
        assert not await ledger.scale("g-1", 2, 0, "below the minimum", LATER)
        assert not await ledger.scale("g-0", 1, 1, "no such group", LATER)

        record = await ledger.read("g-1")
        assert record is not None
        group = record.group
        assert (group.desired, group.generation, group.last_scaled_at) == (3, 2, LATER)
        assert group.causes[-1] == "because of load"
        await seed.mark_deleting("g-1")
        assert not await ledger.scale("g-1", 3, 2, "on its way out", LATER)

    async def test_what_a_group_waits_for_can_be_noted(self, ledger: Ledger, seed: Seeder) -> None:
        """A note about a group that has just gone is no error."""
        await seed.add_group("g-1", "web", 0, 10, 1)

        await ledger.note_waiting("g-1", ["sierra does not answer: timeout"], NOW)
        await ledger.note_waiting("g-1", [], NOW)
        await ledger.note_waiting("g-0", ["nobody waits"], NOW)

        assert await ledger.group_uids() == ["g-1"]
