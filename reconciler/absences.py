"""
Which machines of one account are missing from what it shows, and what it says when it is asked for them.

Owns: the evidence, in memory; after a restart it is gathered anew. Does not own: what follows from it, nor when to ask.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.model import Absence

OUTAGE_S = 60.0
"""
Out of sight for longer, an account is judged as if it had never been asked: what comes back after an outage comes back
bit by bit. A shorter gap merely does not count. Longer: deaths are believed too soon after an outage. Shorter: on a
flaky endpoint no death is ever believed.
"""

FORGOTTEN_S = 150.0
"""An inquiry that is so old says nothing any more: somebody stopped asking."""

KEPT_S = 3_600.0
"""How long it is remembered that a machine was shown. By then it is older than any time in which it might not be."""


@dataclass(slots=True)
class _Asked:
    at: datetime
    """The latest inquiry, whatever came of it."""
    since: datetime | None = None
    answered_at: datetime | None = None
    denied_since: datetime | None = None
    failed_at: datetime | None = None


class Absences:
    """The evidence about one account. *at* is always when the sweep began, or the inquiry that followed it."""

    def __init__(self) -> None:
        self._shown: frozenset[str] = frozenset()
        self._vanished: dict[str, datetime] = {}
        self._asked: dict[str, _Asked] = {}
        self._missing: frozenset[str] | None = frozenset()

    def swept(self, shown: Collection[str], at: datetime, out_of_sight: timedelta) -> None:
        """Nothing; a sweep that is believed showed these machines, after the account was *out_of_sight* for so long."""
        self._missing = None
        if out_of_sight > timedelta(seconds=OUTAGE_S):
            self._asked.clear()
        elif out_of_sight:
            self._asked = {machine_id: _later(asked, out_of_sight) for machine_id, asked in self._asked.items()}
        now_shown = frozenset(shown)
        self._vanished.update(dict.fromkeys(self._shown - now_shown, at))
        self._vanished = {
            machine_id: since
            for machine_id, since in self._vanished.items()
            if machine_id not in now_shown and at - since <= timedelta(seconds=KEPT_S)
        }
        self._asked = {
            machine_id: asked
            for machine_id, asked in self._asked.items()
            if machine_id not in now_shown and at - asked.at <= timedelta(seconds=FORGOTTEN_S)
        }
        self._shown = now_shown

    def answered(self, wanted: Collection[str], denied: Collection[str], at: datetime) -> None:
        """Nothing; asked for the machines *wanted*, the cloud showed none, and said of those *denied* that none is."""
        self._missing = None
        for machine_id in wanted:
            asked = self._asked.setdefault(machine_id, _Asked(at))
            asked.since = asked.since or at
            asked.at = asked.answered_at = at
            asked.failed_at = None
            asked.denied_since = (asked.denied_since or at) if machine_id in denied else None

    def failed(self, wanted: Collection[str], at: datetime) -> None:
        """Nothing; asked for these machines, the cloud did not answer: that says nothing."""
        for machine_id in wanted:
            asked = self._asked.setdefault(machine_id, _Asked(at))
            asked.at = asked.failed_at = at

    def of(self, machine_id: str) -> Absence:
        """What is known of this machine, which the picture lacks."""
        shown, asked = machine_id in self._vanished, self._asked.get(machine_id)
        if asked is None:
            return Absence(shown)
        return Absence(shown, asked.since, asked.answered_at, asked.denied_since, asked.failed_at)

    @property
    def missing(self) -> frozenset[str]:
        """The machines that were asked for, of late, in vain."""
        if self._missing is None:  # every pass asks
            self._missing = frozenset(key for key, asked in self._asked.items() if asked.since is not None)
        return self._missing

    def __len__(self) -> int:
        """How many machines were asked for, of late, in vain."""
        return len(self.missing)


def _later(asked: _Asked, by: timedelta) -> _Asked:
    """The same with all of its times moved: time without sight does not count."""
    times = (asked.since, asked.answered_at, asked.denied_since, asked.failed_at)
    return _Asked(asked.at + by, *(None if time is None else time + by for time in times))
