"""
Why capacity changed, in the sentences that AWS writes into scaling activities.

Owns: the wording, one function per fact. Does not own: which fact holds, or where the sentences are kept.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

CAUSE_LENGTH_MAX = 1023
"""Activity.Cause in the AWS model. Longer causes lose their oldest sentences first: the newest explain most."""

STATUS_MESSAGE_LENGTH_MAX = 255
"""Activity.StatusMessage in the AWS model."""

CAUSES_MAX = 10
"""Sentences kept to explain one capacity. A user who changes it again and again reads the last ones."""

_LAUNCH_FAILED = ". Launching EC2 instance failed."


def group_created(at: datetime, desired: int) -> str:
    """Sentence: a new group wants its first instances."""
    return _sentence(
        at, f"a user request created an AutoScalingGroup changing the desired capacity from 0 to {desired}"
    )


def group_deleted(at: datetime, before: int) -> str:
    """Sentence: a group is deleted together with its instances."""
    return _sentence(
        at, f"a user request force deleted AutoScalingGroup changing the desired capacity from {before} to 0"
    )


def constraints_updated(at: datetime, minimum: int, maximum: int, desired: int, before: int) -> str:
    """Sentence: an update of the group moved the desired capacity from *before* to *desired*."""
    return _sentence(
        at,
        f"a user request update of AutoScalingGroup constraints to min: {minimum}, max: {maximum}, desired: {desired} "
        f"changing the desired capacity from {before} to {desired}",
    )


def desired_set(at: datetime, before: int, after: int) -> str:
    """Sentence: SetDesiredCapacity."""
    return _sentence(
        at,
        f"a user request explicitly set group desired capacity changing the desired capacity from {before} to {after}",
    )


def sensor_moved(at: datetime, metric: str, said: str, before: int, after: int) -> str:
    """Sentence: the value of a sensor changed the desired capacity; *said* is how it compares, as AWS's alarms do."""
    return _sentence(
        at,
        f"a sensor of {metric} in state ALARM ({said}) triggered policy sensor "
        f"changing the desired capacity from {before} to {after}",
    )


def growing(at: datetime, before: int, after: int) -> str:
    """Sentence: an instance is launched because there are fewer than desired."""
    return _sentence(
        at,
        "an instance was started in response to a difference between desired and actual capacity, "
        f"increasing the capacity from {before} to {after}",
    )


def shrinking(at: datetime, before: int, after: int) -> str:
    """Sentence: an instance is terminated because there are more than desired."""
    return _sentence(
        at,
        "an instance was taken out of service in response to a difference between desired and actual capacity, "
        f"shrinking the capacity from {before} to {after}",
    )


def selected(at: datetime, instance_id: str) -> str:
    """Sentence: which instance a scale-in chose."""
    return _sentence(at, f"instance {instance_id} was selected for termination")


def over_cap(at: datetime, cloud: str, cap: int) -> str:
    """Sentence: a cloud holds more of the group than it may. No words of AWS: it has no such limit."""
    return _sentence(at, f"an instance was taken out of service to keep cloud {cloud} within its limit of {cap}")


def leaving_for_home(at: datetime, away: str, home: str) -> str:
    """Sentence: an instance ends because a better cloud has room again. No words of AWS: it has no ranks."""
    return _sentence(at, f"an instance was taken out of service to bring an instance home from {away} to {home}")


def coming_home(at: datetime, away: str, home: str) -> str:
    """Sentence: the launch that belongs to :func:`leaving_for_home`."""
    return _sentence(at, f"an instance was launched to bring an instance home from {away} to {home}")


def gone(at: datetime) -> str:
    """Sentence: the cloud terminated or stopped the machine, or does not show it any more."""
    return _sentence(
        at,
        "an instance was taken out of service in response to an EC2 health check indicating it has been "
        "terminated or stopped",
    )


def impaired(at: datetime) -> str:
    """Sentence: the machine is there but never came up, or is in error."""
    return _sentence(at, "an instance was taken out of service in response to an EC2 instance status checks failure")


def died_young(at: datetime, times: int, until: datetime) -> str:
    """Sentence: launches in a row came to nothing, so the next one waits. No words of AWS: it launches at once."""
    next_one = f"the next launch waits until {stamp(until)}" if until > at else "the next launch is made at once"
    launches = "1 launch" if times == 1 else f"{times} launches in a row"
    return _sentence(at, f"{launches} came to an instance that died young, and {next_one}")


def adopted(at: datetime, machine_id: str) -> str:
    """Sentence: a machine of the group that nobody knew of any more takes a place in it. No words of AWS."""
    return _sentence(at, f"machine {machine_id} of the group was found, and takes a place in it again")


def said_unhealthy(at: datetime) -> str:
    """Sentence: SetInstanceHealth called it unhealthy."""
    return _sentence(at, "an instance was taken out of service in response to a user health-check")


def replacing(at: datetime) -> str:
    """Sentence: an instance is launched for one that was unhealthy."""
    return _sentence(at, "an instance was launched in response to an unhealthy instance needing to be replaced")


def user_took_out(at: datetime, instance_id: str, shrunk: tuple[int, int] | None = None) -> str:
    """Sentence: TerminateInstanceInAutoScalingGroup; *shrunk* is the capacity before and after, if it changed."""
    clause = f"instance {instance_id} was taken out of service in response to a user request"
    if shrunk is not None:
        clause += f", shrinking the capacity from {shrunk[0]} to {shrunk[1]}"
    return _sentence(at, clause)


def keep(before: Iterable[str], cause: str) -> list[str]:
    """The causes of a capacity after *cause* was added to those there were *before*."""
    return [*before, cause][-CAUSES_MAX:]


def join(sentences: Iterable[str]) -> str:
    """One cause: the sentences with AWS's two spaces between them, the oldest dropped where it grows too long."""
    kept = list(sentences)
    while len(kept) > 1 and len("  ".join(kept)) > CAUSE_LENGTH_MAX:
        del kept[0]
    return "  ".join(kept)[:CAUSE_LENGTH_MAX]


def launches_suspended(since: datetime, attempts: int, said: str) -> str:
    """Reason of a suspension that no user asked for; AWS calls it administrative, too."""
    why = f"Administrative suspension: {attempts} launches failed in a row since {stamp(since)}, the last one: "
    return why + _cut(said, CAUSE_LENGTH_MAX - len(why))


def crashes_suspended(since: datetime, times: int) -> str:
    """The same, where machines came up and died young each time."""
    return (
        f"Administrative suspension: {times} launches in a row since {stamp(since)} came to instances that died young"
    )


def launch_failed(said: str) -> str:
    """Status message of a failed launch: what the cloud *said*, cut so that AWS's closing words remain."""
    return _cut(said, STATUS_MESSAGE_LENGTH_MAX - len(_LAUNCH_FAILED)) + _LAUNCH_FAILED


def status_message(said: str) -> str:
    """*said* as one sentence that fits a status message."""
    return _cut(said, STATUS_MESSAGE_LENGTH_MAX - 1) + "."


def stamp(at: datetime) -> str:
    """*at* as AWS writes times in a cause: UTC, whole seconds."""
    return at.astimezone(UTC).isoformat(timespec="seconds").removesuffix("+00:00") + "Z"


def _sentence(at: datetime, clause: str) -> str:
    return f"At {stamp(at)} {clause}."


def _cut(said: str, length_max: int) -> str:
    return said.strip()[:length_max].rstrip(". ")
