"""The judge judged: machines, capacity, tokens, staleness, buckets and the book, in imaginary time and without HTTP."""

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fake_ec2.buckets import Bucket, Buckets
from tests.fake_ec2.driving import GROUP, TOKEN, TOKEN_2, HandClock
from tests.fake_ec2.faults import Fault, FaultPlan, Kind
from tests.fake_ec2.knobs import AWS, EC2_API, MOTO, CapacityRefusal, Knobs
from tests.fake_ec2.ledger import Cause
from tests.fake_ec2.world import Machine, Order, Refusal, World

ACCOUNT = "000000000001"


@pytest.fixture
def clock() -> HandClock:
    """A clock that stands until it is turned."""
    return HandClock()


def a_world(clock: HandClock, knobs: Knobs = AWS, **changes) -> World:
    """A world of *knobs* with *changes*."""
    return World(knobs.changed(changes), clock=clock)


def launched(world: World, count: int = 1, token: str = TOKEN, **order) -> list[Machine]:
    """Machines of one launch of at least one."""
    return world.launch(ACCOUNT, Order(token=token, **order), 1, count)


def shown(world: World) -> list[str]:
    """The states in the listing."""
    return [state for _, state in world.listing(ACCOUNT)]


def test_a_machine_goes_through_its_states_by_the_clock(clock):
    """Pending, running, shutting-down, terminated, and gone after an hour."""
    world = a_world(clock, pending_s=5, shutting_down_s=10, terminated_listed_s=3600)
    machine = launched(world)[0]
    seen = [shown(world)]
    clock.advance(5)
    seen.append(shown(world))
    world.terminate(machine)
    seen.append(shown(world))
    clock.advance(10)
    seen.append(shown(world))
    clock.advance(3600)
    seen.append(shown(world))

    assert seen == [["pending"], ["running"], ["shutting-down"], ["terminated"], []]


@pytest.mark.parametrize(
    ("knobs", "after"),
    [
        pytest.param(MOTO, ["terminated"], id="moto keeps them"),
        pytest.param(EC2_API, [], id="ec2-api forgets them"),
        pytest.param(AWS, ["shutting-down"], id="AWS takes its time"),
    ],
)
def test_dialects_differ_in_what_becomes_of_the_dead(clock, knobs, after):
    """Directly after a termination every dialect shows something else."""
    world = a_world(clock, knobs)
    machine = launched(world)[0]
    world.terminate(machine)

    assert shown(world) == after


def test_ids_have_the_dialects_length(clock):
    """17 hexadecimal digits on AWS, 8 on ec2-api; all differ."""
    long = launched(a_world(clock), 20)
    short = launched(a_world(clock, EC2_API), 20)

    assert {len(machine.machine_id) for machine in long} == {19}
    assert {len(machine.machine_id) for machine in short} == {10}
    assert len({machine.machine_id for machine in short}) == 20


def test_a_new_machine_hides_and_a_dead_one_lingers(clock):
    """Listings are late both ways; the book is not."""
    world = a_world(clock, hidden_s=300, stale_s=300, pending_s=0)
    machine = launched(world)[0]
    hidden = shown(world)
    clock.advance(300)
    visible = shown(world)
    world.terminate(machine)
    clock.advance(299)
    stale = shown(world)
    clock.advance(1)

    assert (hidden, visible, stale, shown(world)) == ([], ["running"], ["running"], ["terminated"])
    assert world.ledger.alive_of_group(GROUP) == ()


def test_a_hidden_machine_is_found_by_nobody(clock):
    """Who does not show up in listings is not found by id either."""
    world = a_world(clock, hidden_s=60)
    machine = launched(world)[0]

    assert world.find(ACCOUNT, machine.machine_id) is None
    clock.advance(60)
    assert world.find(ACCOUNT, machine.machine_id) is machine
    assert world.find("000000000002", machine.machine_id) is None


def test_partial_fulfilment_gives_what_fits(clock):
    """Asked for 1 to 20 with room for 7: 7; asked for 20 at least: none."""
    world = a_world(clock, capacity=7)

    with pytest.raises(Refusal, match="InsufficientInstanceCapacity"):
        world.launch(ACCOUNT, Order(), 20, 20)
    assert len(launched(world, 20)) == 7
    with pytest.raises(Refusal, match="InsufficientInstanceCapacity"):
        launched(world)


def test_capacity_is_by_zone_and_comes_back_with_the_dead(clock):
    """A full zone refuses, the roomiest is chosen when none is named, and room returns when machines have ended."""
    zones = {"us-east-1a": 2, "us-east-1b": 5, "us-east-1c": 0}
    world = a_world(clock, capacity_by_zone=zones, shutting_down_s=10)
    chosen = launched(world)[0].zone
    pair = launched(world, 2, zone="us-east-1a")
    with pytest.raises(Refusal, match="InsufficientInstanceCapacity"):
        launched(world, zone="us-east-1a")
    with pytest.raises(Refusal, match="InvalidParameterValue"):
        launched(world, zone="nowhere")
    world.terminate(pair[0])
    with pytest.raises(Refusal, match="InsufficientInstanceCapacity"):
        launched(world, zone="us-east-1a")
    clock.advance(10)

    assert chosen == "us-east-1b"
    assert launched(world, zone="us-east-1a")[0].zone == "us-east-1a"


def test_a_full_ec2_api_makes_machines_that_end_in_error(clock):
    """They count for the quota and may leak, but work for nobody."""
    world = a_world(clock, EC2_API, capacity=1)
    launched(world)
    broken = launched(world, token=TOKEN_2)[0]
    clock.advance(10)

    assert world.knobs.capacity_refusal is CapacityRefusal.ERROR_STATE
    assert shown(world) == ["running", "error"]
    assert len(world.ledger.alive_of_group(GROUP)) == 1
    assert broken.machine_id in world.ledger.unreleased_of_group(GROUP)


@pytest.mark.parametrize(
    ("knobs", "code", "status"),
    [
        pytest.param(AWS, "InstanceLimitExceeded", 400, id="AWS"),
        pytest.param(EC2_API, "Forbidden", 403, id="ec2-api"),
    ],
)
def test_the_quota_is_one_accounts_own(clock, knobs, code, status):
    """Who has used up the quota is refused in the dialect's words; others are not."""
    world = a_world(clock, knobs, quota=2)
    launched(world, 2)
    with pytest.raises(Refusal) as refused:
        launched(world)

    assert (refused.value.code, refused.value.status) == (code, status)
    assert len(world.launch("000000000002", Order(), 1, 5)) == 2


def test_a_token_stands_for_its_machines(clock):
    """Known while they live; refused with other parameters, and when they are dead; forgotten after a day."""
    world = a_world(clock)
    order = Order(token=TOKEN, fingerprint="a")
    machines = world.launch(ACCOUNT, order, 1, 3)
    again = world.known_launch(ACCOUNT, order)
    with pytest.raises(Refusal, match="IdempotentParameterMismatch"):
        world.known_launch(ACCOUNT, Order(token=TOKEN, fingerprint="b"))
    for machine in machines:
        world.terminate(machine)
    with pytest.raises(Refusal, match="IdempotentInstanceTerminated"):
        world.known_launch(ACCOUNT, order)
    clock.advance(86_400 + 6)

    assert again == machines
    assert world.known_launch(ACCOUNT, order) is None
    assert world.known_launch("000000000002", order) is None


def test_on_ec2_api_a_token_outlives_nothing(clock):
    """Other parameters get the old machines, and the token of dead ones launches anew."""
    world = a_world(clock, EC2_API)
    machines = world.launch(ACCOUNT, Order(token=TOKEN, fingerprint="a"), 1, 1)
    other = Order(token=TOKEN, fingerprint="b")
    known = world.known_launch(ACCOUNT, other)
    world.terminate(machines[0])

    assert known == machines
    assert world.known_launch(ACCOUNT, other) is None


def test_on_moto_a_token_means_nothing(clock):
    """The same token twice is two launches."""
    world = a_world(clock, MOTO)
    order = Order(token=TOKEN)
    world.launch(ACCOUNT, order, 1, 1)

    assert world.known_launch(ACCOUNT, order) is None


def test_the_book_counts_the_most_that_lived_together(clock):
    """Peaks are kept, by time; deaths count from their acceptance."""
    world = a_world(clock)
    machines = launched(world, 3)
    clock.advance(10)
    world.terminate(machines[0])
    launched(world, 2, token=TOKEN_2)
    clock.advance(10)
    since = clock.now
    world.kill(machines[1].machine_id)
    ledger = world.ledger

    assert [count for _, count in ledger.alive_over_time(GROUP)] == [1, 2, 3, 2, 3, 4, 3]
    assert ledger.max_alive_over_time(GROUP) == 4
    assert ledger.max_alive_over_time(GROUP, since=since) == 4
    assert ledger.max_alive_over_time(GROUP, since=since + 1) == 3
    assert ledger.births_by_token() == {TOKEN: 3, TOKEN_2: 2}
    assert ledger.ended_by(Cause.TERMINATE) == (machines[0].machine_id,)
    assert ledger.ended_by(Cause.OPERATOR) == (machines[1].machine_id,)


def test_a_group_is_found_with_and_without_dashes(clock):
    """The API's uid has dashes, the token's has none."""
    world = a_world(clock)
    launched(world)

    assert len(world.ledger.alive_of_group("00112233-4455-6677-8899-AABBCCDDEEFF")) == 1


def test_a_foreign_machine_belongs_to_no_group(clock):
    """Copied tags and even a copied token make nobody ours, and whoever touches it is written down."""
    world = a_world(clock)
    copied = Order(token=TOKEN, tags={"phantom-group": GROUP})
    foreign = world.plant(ACCOUNT, copied)[0]
    ours = world.plant(ACCOUNT, Order(tags={"phantom-group": GROUP}), foreign=False)[0]
    quiet = world.ledger.foreign_touched()
    world.touch(foreign, Cause.TERMINATE)

    assert world.ledger.alive_of_group(GROUP) == (ours.machine_id,)
    assert quiet == []
    assert [entry.machine_id for entry in world.ledger.foreign_touched()] == [foreign.machine_id]


def test_short_lived_machines_die_by_themselves(clock):
    """A boot loop needs no operator, and the book has the time of each death though nobody looked."""
    world = a_world(clock, dies_after_s=30)
    launched(world, 2)
    clock.advance(100)

    deaths = [entry for entry in world.ledger.entries if entry.cause is Cause.FATE]
    assert [entry.at for entry in deaths] == [clock.now - 70] * 2
    assert world.ledger.alive() == ()


def test_machines_stuck_in_pending_never_run(clock):
    """An hour later it still says pending."""
    world = a_world(clock, pending_s=math.inf)
    launched(world)
    clock.advance(3600)

    assert shown(world) == ["pending"]


@given(st.lists(st.tuples(st.sampled_from(["launch", "terminate", "kill", "wait"]), st.integers(1, 9)), max_size=40))
def test_the_listing_and_the_book_agree_when_nothing_is_stale(steps):
    """Whatever happens, what runs is what the book calls alive, and capacity is never exceeded."""
    clock, rng = HandClock(), Random(1)
    world = a_world(clock, capacity=12, terminated_listed_s=20)
    for verb, number in steps:
        alive = world.ledger.alive()
        if verb == "wait":
            clock.advance(number)
        elif verb == "launch":
            try:
                launched(world, number, token="")
            except Refusal:
                assert len(alive) > 0
        elif alive:
            machine = world.machines[rng.choice(alive)]
            world.terminate(machine) if verb == "terminate" else world.kill(machine.machine_id)

    running = {machine.machine_id for machine, state in world.listing(ACCOUNT) if state in {"pending", "running"}}
    assert running == set(world.ledger.alive())
    assert len(running) <= 12


def test_a_bucket_holds_its_burst_and_refills_by_the_second():
    """100 at once, then 20 in each second, never more than 100; a refusal costs nothing."""
    bucket = Bucket(100, 20, now=0)

    assert sum(bucket.take(1, 0) for _ in range(150)) == 100
    assert sum(bucket.take(1, 1) for _ in range(150)) == 20
    assert [bucket.take(30, 2), bucket.take(20, 2)] == [False, True]
    assert bucket.level(1_000) == 100


def test_launches_are_limited_by_machines_and_not_by_calls():
    """One call of 1,000 empties what 1,000 calls of one would; two machines a second come back."""
    knobs = AWS.changed({"rate_limits": True})
    buckets = Buckets()

    assert buckets.admits_launch(ACCOUNT, 1_000, knobs, 0)
    assert not buckets.admits_launch(ACCOUNT, 1, knobs, 0.4)
    assert buckets.admits_launch(ACCOUNT, 2, knobs, 1.0)
    assert not buckets.admits_launch(ACCOUNT, 21, knobs, 11.0)
    assert buckets.admits_launch("000000000002", 1_000, knobs, 11.0)


def test_requests_are_limited_for_each_action_and_account():
    """One action's empty bucket says nothing about another's, and single actions can have other figures."""
    knobs = AWS.changed({"rate_limits": True, "request_buckets": {"CreateTags": (5, 1)}})
    buckets = Buckets()
    described = [buckets.admits(ACCOUNT, "DescribeInstances", knobs, 0) for _ in range(101)]
    tagged = [buckets.admits(ACCOUNT, "CreateTags", knobs, 0) for _ in range(6)]

    assert (sum(described), sum(tagged)) == (100, 5)
    assert buckets.admits("000000000002", "DescribeInstances", knobs, 0)


@pytest.mark.parametrize(
    ("fault", "struck"),
    [
        pytest.param(Fault(Kind.RESET), [1], id="once, at once"),
        pytest.param(Fault(Kind.RESET, first=3), [3], id="the third call"),
        pytest.param(Fault(Kind.RESET, first=2, times=3), [2, 3, 4], id="three from the second on"),
        pytest.param(Fault(Kind.RESET, times=None), [1, 2, 3, 4, 5, 6], id="for ever"),
        pytest.param(Fault(Kind.RESET, times=None, after_s=2, for_s=3), [3, 4, 5], id="a while, later"),
        pytest.param(Fault(Kind.RESET, action="RunInstances"), [], id="another action"),
        pytest.param(Fault(Kind.RESET, page=2), [], id="another page"),
        pytest.param(Fault(Kind.RESET, account_id="other"), [], id="another customer"),
        pytest.param(Fault(Kind.RESET, times=None, probability=0.0), [], id="never by chance"),
    ],
)
def test_a_plan_strikes_the_calls_it_names(clock, fault, struck):
    """Of six calls, one a second, exactly those of the plan are hit."""
    plan = FaultPlan(fault, clock=clock)
    hits = []
    for number in range(1, 7):
        if plan.pick("DescribeInstances", account_id=ACCOUNT):
            hits.append(number)
        clock.advance(1)

    assert hits == struck
    assert len(plan.fired) == len(struck)


def test_chance_is_reproducible():
    """The same seed strikes the same calls, about as many as the probability says."""
    fault = Fault(Kind.RESET, times=None, probability=0.3)
    runs = [FaultPlan(fault, rng=Random(7)) for _ in range(2)]
    hits = [[plan.pick("RunInstances") is not None for _ in range(1_000)] for plan in runs]

    assert hits[0] == hits[1]
    assert 250 < sum(hits[0]) < 350


def test_a_plan_goes_through_json_unchanged():
    """What the control surface takes is what it gives."""
    fault = Fault(Kind.HTTP_ERROR, "DescribeInstances", page=2, status=503, body="html")
    told = {k: v for k, v in FaultPlan(fault).as_json()[0].items() if k not in {"matched", "struck"}}

    assert Fault.parse(told) == fault


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"kind": "meteor"}, id="unknown kind"),
        pytest.param({"kind": "reset", "color": "red"}, id="unknown field"),
        pytest.param({}, id="no kind"),
    ],
)
def test_a_fault_that_nobody_knows_is_refused(values):
    """A misspelt fault must not pass for one that never strikes."""
    with pytest.raises(ValueError, match=r"meteor|color|kind"):
        Fault.parse(values)


def test_a_knob_that_does_not_exist_is_refused():
    """A misspelt knob must not pass for one that changes nothing."""
    with pytest.raises(ValueError, match="colour"):
        AWS.changed({"colour": "red"})
