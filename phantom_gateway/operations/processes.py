"""
Suspended processes: what the reconciler must not do for a group, by AWS's names.

Owns: suspending and resuming. What each process gates is the planner's; the reconciler itself suspends Launch when
launches have failed for a day.
"""

from dataclasses import dataclass

from phantom_gateway.operations.desk import Desk, invalid
from phantom_gateway.operations.lookup import find_group
from phantom_gateway.operations.table import operation
from phantom_gateway.records import groups
from reconciler.causes import stamp

PROCESSES = (
    "AZRebalance",
    "AddToLoadBalancer",
    "AlarmNotification",
    "HealthCheck",
    "InstanceRefresh",
    "Launch",
    "ReplaceUnhealthy",
    "ScheduledActions",
    "Terminate",
)


@dataclass(frozen=True, slots=True)
class ProcessesParams:
    """Input of SuspendProcesses and ResumeProcesses; no process named means all of them."""

    auto_scaling_group_name: str
    scaling_processes: list[str] | None = None


@operation("SuspendProcesses", writes=True)
def suspend_processes(desk: Desk, p: ProcessesParams) -> None:
    """Nothing; the processes are suspended from now on. Raises ValidationError."""
    group = find_group(desk, p.auto_scaling_group_name)
    reason = f"User suspended at {stamp(desk.now)}"
    suspended = dict.fromkeys(_named(p), reason) | dict(group.suspended)
    groups.change(desk.connection, group.id, {"suspended": suspended}, desk.now)
    desk.wake(group.uid)


@operation("ResumeProcesses", writes=True)
def resume_processes(desk: Desk, p: ProcessesParams) -> None:
    """Nothing; the processes go on, as if launches had never failed. One that was not suspended is no error."""
    group = find_group(desk, p.auto_scaling_group_name)
    resumed = set(_named(p))
    suspended = {name: reason for name, reason in group.suspended.items() if name not in resumed}
    groups.change(desk.connection, group.id, {"suspended": suspended}, desk.now)
    if "Launch" in resumed:
        groups.note_launches(desk.connection, group.id, None, 0)
    desk.wake(group.uid)


def _named(p: ProcessesParams) -> list[str]:
    """The processes meant. Raises ValidationError naming those there are."""
    named = p.scaling_processes or list(PROCESSES)
    for name in named:
        if name not in PROCESSES:
            raise invalid(f"{name} is not a process; the processes are: {', '.join(PROCESSES)}.")
    return named
