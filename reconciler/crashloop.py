"""
Back-off for instances that die young: a launch that comes to nothing within minutes is a failed launch, told late.

Owns: what is young, how the pause grows, and how it bounds launches. Pure: the pause follows from the record in the
ledger, its share of chance included, so that a restart changes nothing. Only places that young deaths left empty wait;
what an instance leaves that lived long is filled at once.
"""

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from reconciler import causes
from reconciler.backoff import HOLD_S_MAX, HOLD_S_MIN, JITTER
from reconciler.model import Crash, GroupView, Instance, Limit

QUIET_S = 1_800.0
"""Without a young death, after which a series is over: the longest pause, a whole boot, and youth."""


def is_young(instance: Instance, young_s: float, now: datetime) -> bool:
    """
    True when the death of *instance* at *now* makes its launch a failure: it never served, or not for *young_s*.

    That time is a trait of its cloud. Longer: deaths by other causes are held up. Shorter: a machine that crashes a
    little later costs a launch each time, for ever.
    """
    return instance.in_service_at is None or now - instance.in_service_at < timedelta(seconds=young_s)


def until(uid: str, cloud: str, crash: Crash) -> datetime:
    """
    The end of the pause: nothing after the first death, then 10 s doubling to 10 min, less up to a fifth.

    The first one is free because it may be anything; a second one right after it is a pattern.
    """
    if crash.times <= 1:
        return crash.last_at
    pause_s = min(HOLD_S_MAX, HOLD_S_MIN * 2.0 ** min(crash.times - 2, 16))
    chance = zlib.crc32(f"{uid}/{cloud}/{crash.times}".encode()) / 0xFFFFFFFF
    return crash.last_at + timedelta(seconds=pause_s * (1 - JITTER * chance))


def died(
    uid: str, cloud: str, crash: Crash | None, launch_configuration: str, dead: Iterable[Instance], now: datetime
) -> Crash:
    """
    The record after these young deaths.

    Those of machines launched before the last one that counted, and those within the pause, are the same attempt.
    """
    instances = list(dead)
    if crash is None or not holds_for(crash, launch_configuration) or now - crash.last_at > timedelta(seconds=QUIET_S):
        return Crash(launch_configuration, 1, now, now, len(instances))
    paused = now < until(uid, cloud, crash)
    if paused or all(instance.claimed_at < crash.last_at for instance in instances):
        return replace(crash, places=crash.places + len(instances))
    return replace(crash, times=crash.times + 1, last_at=now, places=len(instances))


def holds_for(crash: Crash, launch_configuration: str) -> bool:
    """True when the record is about this launch configuration: another one deserves an attempt at once."""
    return crash.launch_configuration == launch_configuration


def paused(view: GroupView, crashes: Mapping[str, Crash], now: datetime) -> dict[str, Crash]:
    """The records, by cloud, whose pause is in force."""
    found = {}
    for cloud, crash in crashes.items():
        source = view.record.sources.get(cloud)
        if source is None or not holds_for(crash, source.launch_configuration):
            continue
        if now < until(view.group.uid, cloud, crash):
            found[cloud] = crash
    return found


def limited(view: GroupView, crashes: Mapping[str, Crash], missing: int, now: datetime) -> GroupView:
    """*view* in which clouds in a pause take no more launches than are *missing* for other reasons."""
    held = paused(view, crashes, now)
    if not held:
        return view
    others = max(0, missing - sum(crash.places for crash in held.values()))
    accounts = dict(view.accounts)
    for cloud, crash in held.items():
        if cloud in accounts:
            ends = until(view.group.uid, cloud, crash)
            reason = f"back-off on {cloud} until {causes.stamp(ends)}: {_story(crash)}"
            limit = Limit(others, reason, ends)
            accounts[cloud] = replace(accounts[cloud], limits=(*accounts[cloud].limits, limit))
    return GroupView(view.record, accounts)


def _story(crash: Crash) -> str:
    return f"{crash.times} launches of {crash.launch_configuration} in a row came to instances that died young"
