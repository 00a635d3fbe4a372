"""
Crashes of a group's instances, as JSON can say them.

Owns: the form in the column ``crashes`` of a group. Does not own: what counts as one (``reconciler.crashloop``).
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from reconciler.model import Crash


def written(crash: Crash) -> dict[str, Any]:
    """*crash* as JSON can say it."""
    return {**asdict(crash), "since": crash.since.isoformat(), "last_at": crash.last_at.isoformat()}


def crash_of(kept: Mapping[str, Any]) -> Crash:
    """What :func:`written` wrote."""
    times = {name: datetime.fromisoformat(kept[name]) for name in ("since", "last_at")}
    return Crash(**{**kept, **times})
