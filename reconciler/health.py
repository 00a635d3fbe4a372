"""
Whether an instance lives, judged from what the last believed sweep showed of its machine.

Owns: the three answers and the rules between them. Does not own: what is done about a death.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from backends.cloud import OVER, Machine, MachineState
from reconciler import causes
from reconciler.model import Absence, AccountView, Instance

DENIED_S = 300.0
"""
Of inquiries that all say "no such machine", before many at once are believed gone; and of inquiries that merely come
back without it, before one is. EC2's look-ups may lag for minutes ("eventual consistency": back off up to 5 min).
Shorter: such a lag costs machines. Longer: gaps last longer.
"""

INQUIRY_S_MIN = 5.0
INQUIRY_S_MAX = 60.0
"""Between two inquiries for the same machine, doubling. Shorter: more calls. Longer: a death is believed later."""


@dataclass(frozen=True, slots=True)
class Alive:
    """Nothing speaks against it; *again_at* is when the same picture would mean death."""

    again_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Dead:
    """
    It does not serve and never will again.

    *said_by_cloud*: the cloud itself calls it terminated, so there is nothing left to terminate. *said_by_user*: a
    person or a monitor called it unhealthy. Neither: it is our conclusion, and conclusions are braked. *vanished*: the
    conclusion is that nothing is left of it. *denied*: the cloud said so each time it was asked, for DENIED_S.
    """

    reason: str
    said_by_cloud: bool
    cause: str
    said_by_user: bool = False
    vanished: bool = False
    denied: bool = False

    @property
    def concluded(self) -> bool:
        """True when nobody said so."""
        return not (self.said_by_cloud or self.said_by_user)


@dataclass(frozen=True, slots=True)
class Unknown:
    """It cannot be told; *again_at* is the earliest start of a sweep that could tell. No news is not death."""

    reason: str
    again_at: datetime | None = None


Verdict = Alive | Dead | Unknown


def blindness(cloud: str, account: AccountView | None) -> str | None:
    """Why nothing can be said about *cloud* now, as a sentence for people; None when its picture can be believed."""
    if account is None:
        return f"there is no account on {cloud}"
    if account.blind is not None:
        return f"{cloud} does not answer: {account.blind}"
    if account.swept_at is None:
        return f"{cloud} has not been looked at yet"
    return None


def judge(instance: Instance, account: AccountView | None, machine: Machine | None, now: datetime) -> Verdict:
    """
    Whether *instance*, which is bound, lives; *machine* is what the account's picture shows under its machine id.

    A deadline that passed is compared with *now*, absence with the start of the sweep.
    """
    if account is None or account.blind is not None or account.swept_at is None:
        return Unknown(blindness(instance.cloud, account) or "")
    if machine is not None and machine.state in OVER:
        why = machine.state_reason or f"{instance.cloud} shows it {machine.state}"
        return Dead(why, said_by_cloud=True, cause=causes.gone(now))
    if not instance.healthy:
        return Dead("it was called unhealthy", said_by_cloud=False, said_by_user=True, cause=causes.said_unhealthy(now))
    if machine is None:
        return _absent(instance, account, account.swept_at, now)
    return _shown(instance, account, machine, now)


def visible_from(instance: Instance, account: AccountView) -> datetime:
    """
    The earliest start of a complete sweep whose silence about this bound instance is evidence.

    A machine that no sweep has ever shown is not up yet, as far as anybody knows: it has as long as booting may take.
    """
    lag_s = account.traits.visible_after_s
    if not was_shown(instance, account):
        lag_s = max(lag_s, account.traits.boot_timeout_s)
    return (instance.bound_at or instance.claimed_at) + timedelta(seconds=lag_s)


def was_shown(instance: Instance, account: AccountView) -> bool:
    """True when a sweep has shown the instance's machine, or when its cloud lists every machine at once."""
    # What was running in the launch's own answer is in service from the moment it was bound; all others were promoted.
    promoted = instance.in_service_at is not None and instance.in_service_at != instance.bound_at
    return promoted or account.traits.visible_after_s == 0 or account.absence(instance.machine_id).shown


def inquire_at(absence: Absence, account: AccountView) -> datetime | None:
    """When to ask for the machine by its id again, ever more rarely, and in time for each verdict; None: now."""
    soonest = None if absence.failed_at is None else absence.failed_at + timedelta(seconds=INQUIRY_S_MIN)
    if absence.asked_at is None or absence.asked_since is None:
        return soonest
    pause_s = (absence.asked_at - absence.asked_since).total_seconds()
    times = [absence.asked_at + timedelta(seconds=min(INQUIRY_S_MAX, max(INQUIRY_S_MIN, pause_s)))]
    times.append(absence.asked_since + timedelta(seconds=DENIED_S))
    if absence.denied_since is not None:
        times += (absence.denied_since + timedelta(seconds=s) for s in (account.traits.visible_after_s, DENIED_S))
    due = min(when for when in times if when > absence.asked_at)
    return due if soonest is None else max(due, soonest)


def _absent(instance: Instance, account: AccountView, swept_at: datetime, now: datetime) -> Verdict:
    due = visible_from(instance, account)
    if swept_at <= due:
        return Unknown(f"{instance.cloud} need not show it yet", again_at=due)
    absence = account.absence(instance.machine_id)
    if absence.asked_at is None or absence.asked_since is None:
        return Unknown(f"{instance.cloud} does not show it, and has not been asked for it by its id")
    asked_s = (absence.asked_at - absence.asked_since).total_seconds()
    denied_s = -1.0 if absence.denied_since is None else (absence.asked_at - absence.denied_since).total_seconds()
    # An answer that merely lacks it may be another lagging listing; one that says so is a statement.
    if not 0 <= account.traits.visible_after_s <= denied_s and asked_s < DENIED_S:
        return Unknown(f"{instance.cloud} does not show it; it is being asked for by its id")
    why = f"{instance.cloud} does not show it any more, not even when asked for it by its id"
    return Dead(why, said_by_cloud=False, cause=causes.gone(now), vanished=True, denied=denied_s >= DENIED_S)


def _shown(instance: Instance, account: AccountView, machine: Machine, now: datetime) -> Verdict:
    match machine.state:
        case MachineState.RUNNING:
            return Alive()
        case MachineState.PENDING:
            since = instance.bound_at or instance.claimed_at
            if account.watched_since is not None:
                # Whoever was away, or has a clock that was set, does not know how long the machine had.
                since = max(since, account.watched_since)
            due = since + timedelta(seconds=account.traits.boot_timeout_s)
            if now < due:
                return Alive(again_at=due)
            late = f"it is not running after {account.traits.boot_timeout_s:g} s"
            return Dead(late, said_by_cloud=False, cause=causes.impaired(now))
        case MachineState.STOPPING | MachineState.STOPPED:
            stopped = machine.state_reason or f"{instance.cloud} shows it {machine.state}"
            return Dead(stopped, said_by_cloud=False, cause=causes.gone(now))
        case MachineState.ERROR:
            broken = machine.state_reason or f"{instance.cloud} shows it in error"
            return Dead(broken, said_by_cloud=False, cause=causes.impaired(now))
        case _:
            return Unknown(f"{instance.cloud} shows it in a state that says nothing")
