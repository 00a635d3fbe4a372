"""
Names as users write them: launch configurations with their cloud, clouds, ARNs.

Owns: how a name is taken apart and put together. Does not own whether the thing named exists.
"""

import re
from dataclasses import dataclass
from typing import Self

CLOUD_NAME_RULE = "1 to 63 letters, digits, '.', '_' and '-', beginning with a letter or a digit"
"""
Narrower than what AWS allows in a name, because a cloud's name is also a directory, a zone, a key in the configuration
and a word in the ``clouds`` tag, whose own punctuation is ':' and ','. 63 is the longest label in DNS.
"""

_CLOUD_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_GROUP_ARN = re.compile(
    r"arn:[^:]*:autoscaling:[^:]*:[^:]*:autoScalingGroup:[^:]*:autoScalingGroupName/(?P<name>.+)", re.DOTALL
)

SHOWN_LENGTH_MAX = 80
"""Characters of a wrong name repeated in an error. More hides the rule; fewer may hide what is wrong."""


class NameRule(ValueError):  # noqa: N818 - it states the rule that a name breaks
    """A name breaks a rule; the text states the rule, for the user who wrote the name."""


def is_cloud_name(text: str) -> bool:
    """Whether *text* may name a cloud, see :data:`CLOUD_NAME_RULE`."""
    return _CLOUD_NAME.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class LaunchName:
    """
    A launch configuration's name in the AWS API: its base name and the cloud that this spec is for.

    Raises NameRule: the base is empty or holds an "@", or the cloud cannot be a cloud's name.
    """

    base: str
    cloud: str

    def __post_init__(self) -> None:
        if not self.base or "@" in self.base:
            raise NameRule(f"{_shown(str(self))} has no name before its '@': use NAME@CLOUD")
        if not is_cloud_name(self.cloud):
            raise NameRule(
                f"{_shown(self.cloud)} in {_shown(str(self))} cannot name a cloud: after the first '@' "
                f"comes the name of a cloud, {CLOUD_NAME_RULE}"
            )

    def __str__(self) -> str:
        return f"{self.base}@{self.cloud}"

    @classmethod
    def parse(cls, text: str, default_cloud: str | None = None) -> Self:
        """
        *text* split at its first "@"; without one it belongs to *default_cloud*.

        Raises NameRule: there is neither an "@" nor a default cloud, or a part is not a name.
        """
        base, at, cloud = text.partition("@")
        if at:
            return cls(base, cloud)
        if default_cloud is None:
            raise NameRule(
                f"{_shown(text)} names no cloud: use NAME@CLOUD, for example {_shown(text + '@hotel')}, "
                "or ask the operator for a default_cloud"
            )
        return cls(base, default_cloud)


def group_arn(region: str, account_id: str, uid: str, name: str) -> str:
    """The ARN of the group *name*; *uid* tells it from an earlier group of that name."""
    return f"arn:aws:autoscaling:{region}:{account_id}:autoScalingGroup:{uid}:autoScalingGroupName/{name}"


def launch_configuration_arn(region: str, account_id: str, uid: str, name: str) -> str:
    """The ARN of the launch configuration *name* (with its cloud); *uid* is new with every creation."""
    return f"arn:aws:autoscaling:{region}:{account_id}:launchConfiguration:{uid}:launchConfigurationName/{name}"


def name_in_arn(text: str) -> str:
    """
    The group's name when *text* is a group's ARN, else *text* as it is.

    AWS accepts a group's ARN wherever it asks for a group's name. A group's name holds no ':', so the two cannot be
    confused. Partition, region, account and uid are not looked at: names are per user, whatever the region.
    """
    match = _GROUP_ARN.fullmatch(text)
    return match["name"] if match else text


def _shown(text: str) -> str:
    """*text* quoted, with control characters escaped, and cut to :data:`SHOWN_LENGTH_MAX`."""
    return repr(text if len(text) <= SHOWN_LENGTH_MAX else text[:SHOWN_LENGTH_MAX] + "...")
