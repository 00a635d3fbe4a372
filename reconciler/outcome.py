"""
What carrying out a plan led to, gathered by all who have a part in it.

Owns: that value and the pause after a call that came to nothing. Does not own: what a pass does about it.
"""

from dataclasses import dataclass, field

CALL_RETRY_S = 10.0
"""Pause after a cloud did not accept a termination, or a claim found the group changed. Lower: vain calls."""


@dataclass(slots=True)
class Outcome:
    """
    What carrying out a plan led to.

    *again*: another pass is due at once, because something did not come out as planned, or is news to an earlier step
    of the plan. *changed*: what was planned was done, which is news to a plan that waits for something. *retry_s*:
    something failed and is due again then.
    """

    again: bool = False
    changed: bool = False
    removed: bool = False
    retry_s: float | None = None
    look_at: set[str] = field(default_factory=set)

    def retry(self, after_s: float) -> None:
        """Nothing; the pass is due again after *after_s* at the latest."""
        self.retry_s = after_s if self.retry_s is None else min(self.retry_s, after_s)
