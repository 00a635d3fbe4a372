"""
What the audit says of a request: whom it was about, and how many; never a text that may hold a secret.

Owns: the choice of parameters. Does not own: the audit (``records.audit``).
"""

from collections.abc import Mapping

TARGETS = (
    "AutoScalingGroupName",
    "LaunchConfigurationName",
    "InstanceId",
    "InstanceIds",
    "PolicyName",
    "ScheduledActionName",
    "ScheduledActionNames",
    "LifecycleHookName",
    "TopicARN",
)
"""Parameters that name what is changed. None of them is a secret in AWS's eyes or in ours."""

NAMES_MAX = 20
"""Names of one list; the audit is no copy of the request."""


def target_of(params: Mapping[str, object]) -> str:
    """The names of what a request changes, in a line."""
    names: list[str] = []
    for member in TARGETS:
        given = params.get(member)
        if isinstance(given, str):
            names.append(given)
        elif isinstance(given, list):
            names += [str(each) for each in given[:NAMES_MAX]]
    tags = params.get("Tags")
    if isinstance(tags, list):
        of_tags = (str(tag.get("ResourceId", "")) for tag in tags if isinstance(tag, Mapping))
        names += list(dict.fromkeys(of_tags))[:NAMES_MAX]
    return " ".join(names)


def detail_of(params: Mapping[str, object]) -> str:
    """Figures and switches of a request, and the processes that it names; every other text is left out."""
    figures = [f"{name}={value}" for name, value in params.items() if isinstance(value, bool | int)]
    processes = params.get("ScalingProcesses")
    if isinstance(processes, list) and processes:
        figures.append("ScalingProcesses=" + ",".join(str(each) for each in processes[:NAMES_MAX]))
    return " ".join(figures)
