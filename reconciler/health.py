"""
Whether an instance lives, judged from what the last believed sweep showed of its machine.

Owns: the three answers and the rules between them. Does not own: what is done about a death.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from backends.cloud import Machine, MachineState
from reconciler import causes
from reconciler.model import AccountView, Instance


@dataclass(frozen=True, slots=True)
class Alive:
    """Nothing speaks against it; *again_at* is when the same picture would mean death."""

    again_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Dead:
    """
    It does not serve and never will again.

    *said_by_cloud*: the cloud itself calls it terminated, so there is nothing left to terminate. *said_by_user*: a
    person or a monitor called it unhealthy. Neither: it is our conclusion, and conclusions are braked.
    """

    reason: str
    said_by_cloud: bool
    cause: str
    said_by_user: bool = False

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
    blind = blindness(instance.cloud, account)
    if blind is not None or account is None or account.swept_at is None:
        return Unknown(blind or "")
    if machine is not None and machine.state in {MachineState.TERMINATED, MachineState.SHUTTING_DOWN}:
        why = machine.state_reason or f"{instance.cloud} shows it {machine.state}"
        return Dead(why, said_by_cloud=True, cause=causes.gone(now))
    if not instance.healthy:
        return Dead("it was called unhealthy", said_by_cloud=False, said_by_user=True, cause=causes.said_unhealthy(now))
    if machine is None:
        return _absent(instance, account, account.swept_at, now)
    return _shown(instance, account, machine, now)


def visible_from(instance: Instance, account: AccountView) -> datetime:
    """The earliest start of a complete sweep whose silence about this bound instance is evidence."""
    return (instance.bound_at or instance.claimed_at) + timedelta(seconds=account.traits.visible_after_s)


def _absent(instance: Instance, account: AccountView, swept_at: datetime, now: datetime) -> Verdict:
    due = visible_from(instance, account)
    if swept_at <= due:
        return Unknown(f"{instance.cloud} need not show it yet", again_at=due)
    return Dead(f"{instance.cloud} does not show it any more", said_by_cloud=False, cause=causes.gone(now))


def _shown(instance: Instance, account: AccountView, machine: Machine, now: datetime) -> Verdict:
    match machine.state:
        case MachineState.RUNNING:
            return Alive()
        case MachineState.PENDING:
            due = (instance.bound_at or instance.claimed_at) + timedelta(seconds=account.traits.boot_timeout_s)
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
