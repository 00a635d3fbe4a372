"""
Key pairs of an account: which there are, and one more.

Owns: these two questions. Does not own: how they are asked (``client``), nor what an answer means (``errors``).
"""

from backends.ec2.client import Ec2Client
from backends.ec2.errors import Problem, Verb, means
from backends.ec2.replies import answer, text_of
from backends.ec2.wire import Reply

NAMES_MAX = 1_000
"""Key pairs that are shown. A user has a handful; AWS's quota is 5,000."""

DEADLINE_S = 10.0
"""Somebody waits for the answer."""


async def names(client: Ec2Client, cloud: str, secrets: tuple[str, ...]) -> tuple[str, ...]:
    """The names of the key pairs there, in the endpoint's order. Raises Unreachable, Throttled or Refused."""

    def read(reply: Reply) -> tuple[str, ...]:
        root = answer(reply, "DescribeKeyPairs")
        found = (text_of(item, "keyName") for item in root.iterfind("{*}keySet/{*}item"))
        return tuple(name for _, name in zip(range(NAMES_MAX), filter(None, found), strict=False))

    try:
        return await client.call("DescribeKeyPairs", {}, read, deadline_s=DEADLINE_S)
    except Problem as problem:
        raise means(problem, Verb.LOOK, cloud, secrets) from problem


async def add(client: Ec2Client, cloud: str, secrets: tuple[str, ...], name: str, public_key: str) -> None:
    """Nothing; there is a key pair called *name*. Raises Unreachable, Throttled, or Refused: there was one already."""
    # EC2 wants the text of the public key, encoded once by the caller; botocore does that for bytes.
    parameters = {"KeyName": name, "PublicKeyMaterial": public_key.encode()}
    try:
        await client.call(
            "ImportKeyPair", parameters, lambda reply: answer(reply, "ImportKeyPair"), deadline_s=DEADLINE_S
        )
    except Problem as problem:
        raise means(problem, Verb.END, cloud, secrets) from problem
