"""The list of faults in the documentation is the list of what is played."""

import re
from pathlib import Path

from tests.real_clouds import test_listings, test_lost_launches, test_outages, test_refusals, test_terminations
from tests.real_clouds.harness import Scenario

FAULTS = (Path(__file__).parents[2] / "docs" / "faults.md").read_text()

FIRST, LAST = 15, 47
"""The numbers of the faults of clouds."""


def played() -> dict[int, set[str]]:
    """Names of scenarios, without their dialects, by the numbers that they begin with."""
    modules = (test_listings, test_lost_launches, test_outages, test_refusals, test_terminations)
    found: dict[int, set[str]] = {number: set() for number in range(FIRST, LAST + 1)}
    for module in modules:
        for parameters in module.SCENARIOS:
            (scenario,) = parameters.values
            assert isinstance(scenario, Scenario)
            name = scenario.name.rpartition(", ")[0]
            for number in re.findall(r"\bF(\d+)\b", name):
                found.setdefault(int(number), set()).add(name)
    return found


def test_every_fault_is_listed_with_the_scenarios_that_play_it() -> None:
    """None is missing, none is named that does not exist, and each number has a test."""
    sections = re.split(r"^## F(\d+): .*$", FAULTS, flags=re.MULTILINE)[1:]
    listed = dict(zip(map(int, sections[::2]), sections[1::2], strict=True))
    names = {
        number: set(re.findall(r"^- (F\d.*) \([amo, ]+\)$", text, re.MULTILINE)) for number, text in listed.items()
    }

    assert list(names) == list(range(FIRST, LAST + 1))
    assert names == {number: found for number, found in played().items() if FIRST <= number <= LAST}
    assert all("- " in text for text in listed.values())
