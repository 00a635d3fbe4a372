"""
What the planner sees: one group, its instances in the ledger, and what the sweeps showed of its machines.

Owns: frozen values. No clock, no chance, no effect: everything that decides is a function of these.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from backends.cloud import CloudTraits, LaunchSpec, Machine


class InstanceState(StrEnum):
    """Where an instance of the ledger stands. All but ``CLAIMED`` are AWS's words."""

    CLAIMED = "Claimed"
    """Launch intended and committed; no machine is known yet."""
    PENDING = "Pending"
    IN_SERVICE = "InService"
    TERMINATING = "Terminating"
    """Termination intended and committed; the machine may still be seen."""

    @property
    def counts(self) -> bool:
        """True when the instance counts toward the group's capacity."""
        return self is not InstanceState.TERMINATING


@dataclass(frozen=True, slots=True)
class Instance:
    """One row of the ledger. *key* is the ledger's own; *token* and *index* name its place in a launch call."""

    key: int
    cloud: str
    token: str
    index: int
    state: InstanceState
    launch_configuration: str
    claimed_at: datetime
    machine_id: str | None = None
    instance_id: str | None = None
    """The id AWS clients see; the cloud's own where it fits AWS's form."""
    bound_at: datetime | None = None
    in_service_at: datetime | None = None
    terminate_sent_at: datetime | None = None
    protected: bool = False
    healthy: bool = True
    """False once a user said so (SetInstanceHealth); the cloud's opinion is judged afresh in every pass."""
    spec_created_at: datetime | None = None
    """When the launch configuration it came from was made: OldestLaunchConfiguration needs it."""
    place: str | None = None
    """The zone or subnet that its launch named; a repeated call names the same."""


@dataclass(frozen=True, slots=True)
class RankedCloud:
    """A cloud the group may use. The order of a group's clouds is their rank; *cap* None means no limit."""

    name: str
    cap: int | None = None


class Process(StrEnum):
    """What a user can suspend, in AWS's words; those that change what the reconciler does."""

    LAUNCH = "Launch"
    TERMINATE = "Terminate"
    HEALTH_CHECK = "HealthCheck"
    REPLACE_UNHEALTHY = "ReplaceUnhealthy"
    AZ_REBALANCE = "AZRebalance"
    """Clouds are to a group what zones are on AWS: it stops the moving home of eager groups."""


class FailBack(StrEnum):
    """When a group that spilled over to lower ranks comes home to a better cloud that has room again."""

    OFF = "off"
    """Not by itself: what is missing goes first to clouds that the group is on already."""
    ON_REPLACEMENT = "on-replacement"
    """Whenever something has to be launched anyway, the best rank is asked first."""
    EAGER = "eager"
    """At once, one instance at a time: a better cloud that has room takes over from the worst."""


class Statistic(StrEnum):
    """What the samples of one sensor come to, in AWS's words."""

    AVERAGE = "Average"
    SUM = "Sum"
    SAMPLE_COUNT = "SampleCount"
    MINIMUM = "Minimum"
    MAXIMUM = "Maximum"


class SensorSource(StrEnum):
    """Where sensor data is read."""

    OPENTSDB = "opentsdb"
    """The operator's OpenTSDB where there is one, else what was sent to the gateway as one sends to an OpenTSDB."""
    PHANTOM = "phantom"
    """What was sent to the gateway, whatever else there is."""
    PROMETHEUS = "prometheus"


@dataclass(frozen=True, slots=True)
class SensorPolicy:
    """
    How a sensor moves the desired capacity of a group; thresholds that are None move nothing.

    Whatever it says, the group keeps within its bounds.
    """

    metric: str
    scale_up_threshold: float | None = None
    scale_down_threshold: float | None = None
    scale_up_by: int = 1
    scale_down_by: int = 1
    cooldown_s: float = 0.0
    """From the last change of desired, whoever made it, to the next one that a sensor may make."""
    statistic: Statistic = Statistic.AVERAGE
    """Of the samples of each instance; over instances, it is always the average."""
    source: SensorSource = SensorSource.OPENTSDB
    of_group: bool = False
    """The metric is the group's own (a domain sensor), not one of each instance."""
    per_instance: bool = False
    """Such a value is divided by the number of instances in service. Otherwise it is taken as it is."""
    sample_period_s: float = 90.0
    """The samples that count. The original asked for these last 90 seconds."""
    stale_s: float = 900.0
    """An older value is none. tcollector sends what does not change every 300 s only: this is well above it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one sensor says: *value* by the policy's statistic, and when its newest sample was taken."""

    value: float
    at: datetime


@dataclass(frozen=True, slots=True)
class Readings:
    """What is known of a group's metric. *trouble* says why there may be less than there should be."""

    of_instances: Mapping[int, Reading] = field(default_factory=dict)
    """By the ledger's key of the instance."""
    of_group: Reading | None = None
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class Crash:
    """
    Instances of one group and launch configuration that died young on one cloud, one launch after the other.

    *times* launches in a row came to that, the first death at *since*, the latest that counted at *last_at*. *places*
    of the group are empty because of it.
    """

    launch_configuration: str
    times: int
    since: datetime
    last_at: datetime
    places: int


@dataclass(frozen=True, slots=True)
class LaunchSource:
    """What the group launches on one cloud now: the full launch configuration name and its spec."""

    launch_configuration: str
    spec: LaunchSpec
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Group:
    """
    The intent: how many, where, and in whose name.

    *generation* grows with every change of intent; a plan made for an older one is not carried out.
    """

    uid: str
    name: str
    user_id: int
    minimum: int
    maximum: int
    desired: int
    clouds: tuple[RankedCloud, ...]
    generation: int
    deleting: bool = False
    termination_policies: tuple[str, ...] = ("Default",)
    causes: tuple[str, ...] = ()
    """AWS-worded sentences that say why desired became what it is; oldest first."""
    fail_back: FailBack = FailBack.ON_REPLACEMENT
    owed_replacements: int = 0
    """Launches still due because an unhealthy instance was taken out, not because capacity was changed."""
    suspended: frozenset[str] = frozenset()
    """Names of the suspended processes, those unknown to :class:`Process` included."""
    suspension_reasons: Mapping[str, str] = field(default_factory=dict)
    """Why, by name; shown to people."""
    places: tuple[str, ...] = ()
    """Zones or subnets inside clouds that the group asked for; each cloud is asked for those that it has."""
    failing_since: datetime | None = None
    """When the first launch failed after the last one that did not; None: the last one did not."""
    crashes: Mapping[str, Crash] = field(default_factory=dict)
    """By cloud."""
    policy: SensorPolicy | None = None
    """The sensor that moves desired; None: only users do."""
    last_scaled_at: datetime | None = None
    """When desired last became another number, whoever changed it."""
    ceiling: int | None = None
    """The most that the operator lets the group want now; known where there is a policy."""

    def suspends(self, process: Process) -> bool:
        """True when *process* is suspended. A group being deleted goes in spite of all suspensions, as on AWS."""
        return not self.deleting and process in self.suspended


@dataclass(frozen=True, slots=True)
class GroupRecord:
    """What the ledger knows of a group: its intent, what to launch per cloud, and its instances."""

    group: Group
    sources: Mapping[str, LaunchSource]
    instances: tuple[Instance, ...]
    obstacles: Mapping[str, str] = field(default_factory=dict)
    """Clouds for which there is no source although the launch configuration has them, and why; shown to people."""


@dataclass(frozen=True, slots=True)
class Hold:
    """No launches on this account for this group before *until*; *reason* is shown to people."""

    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Limit:
    """At most *launches* machines on this account now; *reason* is shown to people."""

    launches: int
    reason: str
    again_at: datetime | None = None
    """When there will be more; None when time alone changes nothing."""
    waits: bool = False
    """What is beyond it waits here. Otherwise it goes to the next rank, as from a cloud that is full."""


@dataclass(frozen=True, slots=True)
class Absence:
    """
    What is known of a machine that the picture lacks. Time during which the account was out of sight does not count.

    *shown*: some sweep of this process did show it. *asked_since*: from then until *asked_at*, every answer to an
    inquiry for its id came back without it. *denied_since*: from then on each said in so many words that there is no
    such machine. *failed_at*: the latest inquiry, when nothing came back at all.
    """

    shown: bool = False
    asked_since: datetime | None = None
    asked_at: datetime | None = None
    denied_since: datetime | None = None
    failed_at: datetime | None = None


NOTHING_KNOWN = Absence()


@dataclass(frozen=True, slots=True)
class AccountView:
    """
    What is known of the group's machines in one account.

    *swept_at* is the start of the latest believed sweep; None before the first. While *blind* is set, deaths and
    claims on this account are frozen: no news is not death.
    """

    traits: CloudTraits
    swept_at: datetime | None = None
    blind: str | None = None
    machines: tuple[Machine, ...] = ()
    hold: Hold | None = None
    """Present only while it holds: whoever builds the view has compared it with the time."""
    breaker: Hold | None = None
    """The same for all groups of the account: its breaker is open, or another group's launch is testing it."""
    limits: tuple[Limit, ...] = ()
    """What the account's budgets leave now, and the one machine that a half-open breaker lets through."""
    calls_cut_at: datetime | None = None
    """
    When a launch of unknown outcome last ended here; at the latest when this process started.

    A sweep that began earlier proves nothing about claims: the call may have had its effect after it.
    """
    doubted: frozenset[str] = frozenset()
    """
    Tokens of launches that were repeated, and the repeated call was refused or brought too few.

    That says nothing of the first call, which may be under way still: such a launch is neither repeated nor given up
    before its machines would have to be shown.
    """
    absences: Mapping[str, Absence] = field(default_factory=dict)
    """By machine id, for the group's machines that the picture lacks."""
    living: int = 0
    """Machines of all groups that the picture shows and that are not on their way out."""
    missing: int = 0
    """Machines of all groups that were asked for by id, of late, in vain."""
    lost: int = 0
    """Machines of all groups that do not run, are missing, or were given up within five minutes."""
    given_up: Mapping[str, datetime] = field(default_factory=dict)
    """Machine ids that this group gave up here within the last five minutes, and when; nobody called them dead."""
    watched_since: datetime | None = None
    """From then on this process has looked at the account without a break of its own."""
    condemned: frozenset[str] = frozenset()
    """Ids of machines that nothing in the ledger stands for, and that an operator wants terminated."""
    kept: frozenset[str] = frozenset()
    """The same, but an operator wants them to be instances of their group."""
    spared: frozenset[str] = frozenset()
    """The same, but this ledger never launched them, and no operator has said what becomes of them."""
    frozen: Hold | None = None
    """Somebody has frozen it for this group: nothing is launched or terminated here."""

    def absence(self, machine_id: str | None) -> Absence:
        """What is known of a machine that the picture lacks."""
        return self.absences.get(machine_id or "", NOTHING_KNOWN)

    @property
    def held(self) -> Hold | None:
        """Why nothing is launched here for this group: a freeze, or what lasts longest; None when nothing is."""
        if self.frozen is not None:
            return self.frozen
        holds = [hold for hold in (self.hold, self.breaker) if hold is not None]
        return max(holds, key=lambda hold: hold.until, default=None)

    @property
    def launches_max(self) -> int | None:
        """The most machines that may be launched here now; None means no limit."""
        return min((limit.launches for limit in self.limits), default=None)


@dataclass(frozen=True, slots=True)
class Removed:
    """A group that is no more: when it was removed, and whose it was."""

    at: datetime
    user_id: int


@dataclass(frozen=True, slots=True)
class GroupView:
    """Everything one pass may look at. *accounts* has an entry per cloud the group uses or has instances on."""

    record: GroupRecord
    accounts: Mapping[str, AccountView] = field(default_factory=dict)

    @property
    def group(self) -> Group:
        """The intent."""
        return self.record.group

    @property
    def instances(self) -> tuple[Instance, ...]:
        """All instances of the ledger, those on their way out included."""
        return self.record.instances
