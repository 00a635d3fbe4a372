"""docs/clouds: what is there to be copied is a configuration that is read, and makes the cloud of its page."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from phantom_gateway.clouds import build_clouds
from phantom_gateway.config import load
from phantom_gateway.config.cloud_kinds import DIALECTS
from phantom_gateway.config.kinds import Choice
from phantom_gateway.config.shared_keys import KIND

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "clouds").glob("*.md"))
BLOCKS = [
    pytest.param(page.stem, block, id=f"{page.stem} {number}")
    for page in PAGES
    for number, block in enumerate(re.findall(r"^```toml\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL))
]

CLOUDS_YAML = """\
clouds:
  alamo:
    auth:
      auth_url: https://keystone.example.org/v3
      username: operator
      project_name: web
    region_name: north
"""
SECURE_YAML = """\
clouds:
  alamo:
    auth:
      password: the operator's own
"""


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the reader of a page put the file: beside what it names."""
    for name in ("sierra.secret", "ocean.token", "alamo.password"):
        (tmp_path / name).write_text("secret\n")
    for name in ("debian-12-genericcloud-amd64.qcow2", "vmlinuz", "initrd.img"):
        (tmp_path / name).touch()
    (tmp_path / ".config/openstack").mkdir(parents=True)
    (tmp_path / ".config/openstack/clouds.yaml").write_text(CLOUDS_YAML)
    (tmp_path / ".config/openstack/secure.yaml").write_text(SECURE_YAML)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("OS_CLIENT_CONFIG_FILE", raising=False)
    return tmp_path


@pytest.mark.parametrize(("kind", "block"), BLOCKS)
def test_what_a_page_shows_is_read_and_makes_its_cloud(kind: str, block: str, directory: Path) -> None:
    """Copied into a file of its own, it has no finding, and gives one cloud of the page's kind."""
    file = directory / "phantom.toml"
    file.write_text(block)

    config = load(file, {"HOME": str(directory)})

    assert [cloud.kind for cloud in config.clouds.values()] == [kind]
    assert list(build_clouds(config, "0123456789ab", lambda: datetime.now(UTC))) == list(config.clouds)


def test_every_kind_has_a_page_with_something_to_copy() -> None:
    """And docs/clouds.md and the README have a line for each, with the way there."""
    choice = KIND["key"].kind
    assert isinstance(choice, Choice)

    assert {block.values[0] for block in BLOCKS} == set(choice.options)
    for page, place in (("docs/clouds.md", "clouds/"), ("README.md", "docs/clouds/")):
        text = (ROOT / page).read_text()
        lines = [line for line in text.splitlines() if re.match(r"\| `\w+` \|.*\.md\)", line)]
        assert [re.findall(r"`(\w+)`.*\((.*)\)", line)[0] for line in lines] == [
            (kind, f"{place}{kind}.md") for kind in choice.options
        ]


def test_the_page_of_ec2_says_what_dialects_preset() -> None:
    """Who is tagged when, whose tokens and whose filters are relied on: as the configuration has it."""
    lines = (ROOT / "docs/clouds/ec2.md").read_text().splitlines()
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    names = next(row[1:] for row in table if row[0] == "" and row[1] == "generic")
    rows = {row[0]: dict(zip(names, row[1:], strict=False)) for row in table}

    assert sorted(names) == sorted(DIALECTS)
    for name, preset in DIALECTS.items():
        assert rows["our mark as tags"][name] == f"{'in' if preset['tags'] == 'launch' else 'after'} the launch"
        assert (rows["sweeps filtered by our tag"][name] == "yes") == preset["filters_trusted"]
        relied_on = rows["a repeated token launches nothing twice"][name] not in {"no", "not relied on"}
        assert relied_on == preset["token_is_idempotent"]
