"""Listings in pages, while what is listed changes between two of them: nothing that stays is left out or told twice."""

from collections.abc import Callable
from random import Random

import pytest

from tests.phantom_gateway.office import Office

STAYING = 60
COMING_AND_GOING = 40
CHANGES_BETWEEN_PAGES = 6


def name(number: int) -> str:
    """Names of those that stay and of those that come and go lie among each other."""
    return f"thing-{number:03d}"


def group(office: Office, number: int) -> None:
    """A group that wants nothing."""
    office.create_group(name(number), MinSize=0, DesiredCapacity=0)


def launch_configuration(office: Office, number: int) -> None:
    """One on a single cloud."""
    office.create_launch_configuration(f"{name(number)}@hotel")


LISTINGS = [
    pytest.param(
        "DescribeAutoScalingGroups",
        "AutoScalingGroups",
        "AutoScalingGroupName",
        group,
        lambda number: ("DeleteAutoScalingGroup", {"AutoScalingGroupName": name(number)}),
        id="groups",
    ),
    pytest.param(
        "DescribeLaunchConfigurations",
        "LaunchConfigurations",
        "LaunchConfigurationName",
        launch_configuration,
        lambda number: ("DeleteLaunchConfiguration", {"LaunchConfigurationName": f"{name(number)}@hotel"}),
        id="launch configurations",
    ),
]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("operation", "listed_as", "key", "create", "deletion"), LISTINGS)
def test_what_stays_is_listed_once(
    office: Office,
    operation: str,
    listed_as: str,
    key: str,
    create: Callable[[Office, int], None],
    deletion: Callable[[int], tuple[str, dict[str, str]]],
    seed: int,
) -> None:
    """F58: whatever comes and goes between two pages, the rest is told exactly once, in order, and it ends."""
    chance = Random(seed)
    if operation == "DescribeAutoScalingGroups":
        office.create_launch_configuration()
    numbers = list(range(STAYING + COMING_AND_GOING))
    chance.shuffle(numbers)
    staying, others = numbers[:STAYING], numbers[STAYING:]
    there = set(others[: len(others) // 2])
    for number in [*staying, *there]:
        create(office, number)

    told: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = office.call(operation, MaxRecords=chance.randint(1, 9), **token)
        told += [row[key] for row in page[listed_as] if row[key].startswith("thing")]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
        for number in chance.sample(others, CHANGES_BETWEEN_PAGES):
            if number in there:
                gone, arguments = deletion(number)
                office.call(gone, **arguments)
            else:
                create(office, number)
            there ^= {number}

    assert sorted(set(told)) == told
    assert {name(number) for number in staying} <= {each.removesuffix("@hotel") for each in told}
