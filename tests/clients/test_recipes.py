"""
Every page of ``docs/recipes`` works as it stands.

Owns: the pages that need nothing but boto and the AWS CLI, and that no block of any page goes unrun without a reason.
Does not own: Ansible's and Terraform's pages, which have files of their own.
"""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.clients import driving
from tests.clients.recipes import PAGES, Reader, await_running, blocks
from tests.support.gateway import Gateway

pytestmark = pytest.mark.clients

ELSEWHERE = {"ansible.md": "test_ansible.py", "terraform.md": "test_terraform.py"}
"""Page -> the file of tests that runs it."""

# Page, what runs after a block (counted from 0), what a block prints.
FOLLOWED = [
    pytest.param("README.md", {0: {}}, {}, id="README.md"),
    pytest.param(
        "aws-cli.md",
        {2: {"hotel": 2, "sierra": 1}, 5: {}},
        {3: {"hotel InService": 2, "sierra InService": 1}, 4: {"Successful Launching a new EC2 instance": 3}},
        id="aws-cli.md",
    ),
    pytest.param(
        "boto3.md",
        {1: {"hotel": 2, "sierra": 1}, 3: {}},
        {1: {"['hotel', 'hotel', 'sierra']": 1}, 2: {"ValidationError": 1}},
        id="boto3.md",
    ),
    pytest.param(
        "boto2.md",
        {1: {"hotel": 2, "sierra": 2}, 2: {}},
        {1: {"farm-domain 3 4 4": 1}, 2: {"hotel Healthy": 2, "sierra Healthy": 2}},
        id="boto2.md",
    ),
]


@pytest.mark.parametrize(("page", "runs", "prints"), FOLLOWED)
def test_a_page_does_what_it_says(
    gateway: Gateway,
    tmp_path: Path,
    page: str,
    runs: Mapping[int, Mapping[str, int]],
    prints: Mapping[int, Mapping[str, int]],
) -> None:
    """Its blocks, typed one after the other, print what the page tells, and VMs run and end as it says."""
    driving.installed("cli/bin/aws", "the AWS CLI")
    with Reader(gateway, tmp_path) as reader:
        for number, block in enumerate(blocks(page)):
            told = " ".join(reader.follow(block).split())
            expected = prints.get(number, {})
            assert {text: told.count(text) for text in expected} == expected, told
            if number in runs:
                await_running(gateway, runs[number])


def test_every_page_is_run_by_some_test() -> None:
    """A page that is added needs a row here, or tests of its own."""
    followed = {str(row.values[0]) for row in FOLLOWED}

    assert followed | set(ELSEWHERE) == {file.name for file in PAGES.iterdir()}
    for page, tests in ELSEWHERE.items():
        assert f'"{page}"' in (Path(__file__).parent / tests).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", sorted(file.name for file in PAGES.iterdir()))
def test_no_block_goes_unrun_without_a_reason(page: str) -> None:
    """A block is typed (sh, python), belongs in a file that the page names, or says why it is not run."""
    found = blocks(page)

    assert len(found) * 2 == (PAGES / page).read_text(encoding="utf-8").count("```")
    for block in found:
        assert block.file or block.language in ("sh", "python")
        assert "not run" not in block.text or block.is_left_out
