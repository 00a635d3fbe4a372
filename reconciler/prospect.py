"""
What would be done for a frozen group, were it thawed now: told to people while nothing is done.

Owns: the sentences. Does not own: the plan, which is the planner's own for the same view without its freezes.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from reconciler import actions, planner
from reconciler.model import GroupView

ONCE_THAWED = "once thawed: "
"""How such a sentence begins among those about what a group waits for."""

SENTENCES_MAX = 20
"""A group of thousands would fill screens; the rest is counted."""


def sentences(view: GroupView, now: datetime) -> tuple[str, ...]:
    """What a thaw would bring for this group, one sentence each; () when it is not frozen."""
    if all(account.frozen is None for account in view.accounts.values()):
        return ()
    thawed = {name: replace(account, frozen=None) for name, account in view.accounts.items()}
    told = list(_told(view, planner.plan(replace(view, accounts=thawed), now)))
    if len(told) > SENTENCES_MAX:
        told[SENTENCES_MAX - 1 :] = [f"and {len(told) - SENTENCES_MAX + 1} things more"]
    return tuple(ONCE_THAWED + sentence for sentence in told)


def _told(view: GroupView, plan: actions.Plan) -> Iterator[str]:
    names = {i.key: f"{i.instance_id or i.machine_id or f'claim {i.key}'} on {i.cloud}" for i in view.instances}
    launches: Counter[str] = Counter()
    retired = {action.instance_key for action in plan.actions if isinstance(action, actions.Retire)}
    for action in plan.actions:
        match action:
            case actions.Launch():
                launches[action.cloud] += action.count
            case actions.Resend():
                yield f"the launch of {len(action.instance_keys)} on {action.cloud} is repeated"
            case actions.Retire():
                yield f"{names[action.instance_key]} is terminated: {action.because}"
            case actions.Dismiss():
                for key in action.instance_keys:
                    if key not in retired:
                        yield f"{names[key]} is terminated: {action.because}"
            case actions.Reap():
                yield f"{', '.join(action.machine_ids)} on {action.cloud} is terminated: {action.because}"
            case _:
                pass
    for cloud, count in launches.items():
        yield f"{count} launched on {cloud}"
