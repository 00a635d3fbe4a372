"""
How every script of this family reaches Phantom: its three environment variables, and boto 2.

Owns: the connection. EC2_ACCESS_KEY and EC2_SECRET_KEY are the user's key, PHANTOM_URL is where the gateway is. The
signature is boto's own choice, SigV4; PHANTOM_SIGNATURE=v2 asks for the older one, as boto made it until 2.5.2.
"""

import os
import sys
from urllib.parse import urlsplit

from boto.ec2.autoscale import AutoScaleConnection, AutoScalingGroup
from boto.exception import BotoServerError
from boto.regioninfo import RegionInfo


class SignedAsBefore(AutoScaleConnection):
    """With SigV2. boto 2.49 has no setting for it."""

    def _required_auth_capability(self) -> list[str]:
        return ["ec2"]


def connect() -> AutoScaleConnection:
    """The connection that the environment describes."""
    url = urlsplit(os.environ["PHANTOM_URL"])
    kind = SignedAsBefore if os.environ.get("PHANTOM_SIGNATURE") == "v2" else AutoScaleConnection
    return kind(
        aws_access_key_id=os.environ["EC2_ACCESS_KEY"],
        aws_secret_access_key=os.environ["EC2_SECRET_KEY"],
        is_secure=url.scheme == "https",
        port=url.port,
        region=RegionInfo(name="nimbus", endpoint=url.hostname),
    )


def find_domain(phantom: AutoScaleConnection, name: str) -> AutoScalingGroup:
    """The domain *name*. Ends the script when there is none."""
    found = phantom.get_all_groups(names=[name])
    if not found:
        sys.exit(f"there is no domain {name}")
    return found[0]


def say(line: str) -> None:
    """Nothing; *line* is printed at once, also into a pipe."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def explain(error: BotoServerError) -> str:
    """What the service refused, in one line."""
    return f"{error.error_code}: {error.error_message}"
