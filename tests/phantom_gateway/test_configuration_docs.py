"""docs/configuration.md says what the schema says: every key, no other, with the same words."""

import re
from pathlib import Path

import pytest

from phantom_gateway.cli_accounts import SECRET_VARIABLE
from phantom_gateway.config import CONFIG_VARIABLE, ConfigError, load
from phantom_gateway.config.cloud_kinds import DIALECTS, IMAGES_MAX
from phantom_gateway.config.keys import keys_of
from phantom_gateway.config.reader import STATE_VARIABLE
from phantom_gateway.config.schema import CLOUDS_MAX, TABLES, USERS_MAX
from phantom_gateway.keyring import KEYS_VARIABLE

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")


def section(header: str) -> str:
    """The part of the page about the table *header*."""
    title = f"`{header}`" if header else "Before the first table"
    _, found, rest = PAGE.partition(f"### {title}\n")
    assert found, f"docs/configuration.md has no section {title}"
    return re.split(r"^##", rest, maxsplit=1, flags=re.MULTILINE)[0]


@pytest.mark.parametrize("header", [pytest.param(header, id=header or "top") for header in TABLES])
def test_the_page_shows_the_keys_of_the_schema(header: str) -> None:
    """Each table's rows are its keys in their order: kind, default, limits, meaning and reason."""
    expected = [
        f"| `{key.name}` | {key.about.kind.words} | {key.default_words} | {key.about.kind.limits} "
        f"| {key.about.meaning} | {key.about.reason} |"
        for key in keys_of(TABLES[header])
    ]

    assert [line for line in section(header).splitlines() if line.startswith("| `")] == expected


def test_the_page_has_a_section_for_every_table_and_no_other() -> None:
    """Titles under "Keys" are the tables of the schema."""
    titles = [title.strip("`") for title in re.findall(r"^### (.*)$", PAGE, re.MULTILINE)]

    assert titles == ["Before the first table", *list(TABLES)[1:]]


@pytest.mark.parametrize(
    ("header", "limit"),
    [
        pytest.param("[[users]]", USERS_MAX, id="users"),
        pytest.param('[clouds.NAME] kind = "local"', CLOUDS_MAX, id="clouds"),
        pytest.param('[clouds.NAME.images."IMAGE"]', IMAGES_MAX, id="images"),
    ],
)
def test_the_page_tells_how_many_tables_there_may_be(header: str, limit: int) -> None:
    """The numbers in the text are those of the schema."""
    assert f"most {limit}" in section(header)


def test_the_page_shows_what_dialects_preset() -> None:
    """The table of dialects has a column for each, with its values as TOML writes them."""

    def written(value: object) -> str:
        return f'"{value}"' if isinstance(value, str) else str(value).lower()

    names = list(DIALECTS["generic"])
    rows = [f"| {name} | {' | '.join(written(each[name]) for each in DIALECTS.values())} |" for name in names]

    assert all(list(each) == names for each in DIALECTS.values())
    assert f"| Preset | {' | '.join(f'`{name}`' for name in DIALECTS)} |" in PAGE
    assert [row for row in rows if row not in PAGE.splitlines()] == []


@pytest.mark.parametrize("variable", [CONFIG_VARIABLE, STATE_VARIABLE, KEYS_VARIABLE, SECRET_VARIABLE])
def test_the_page_names_every_variable(variable: str) -> None:
    """Each environment variable that is read is in the table of variables."""
    assert f"| `{variable}` |" in PAGE


def test_the_example_can_be_used(tmp_path: Path) -> None:
    """The example on the page is a configuration, and its values that are said to be defaults are the defaults."""
    (example,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    path = tmp_path / "phantom.toml"
    path.write_text(example, encoding="utf-8")
    for name in ("alice.password", "bexar.password", "ocean.token"):
        (tmp_path / name).write_text("sesame\n")
    for name in ("clouds.yaml", "debian-12.qcow2", "vmlinuz", "initrd.img"):
        (tmp_path / name).touch()
    config = load(path, {"ALICE_SECRET": "hush", "DEPLOY_SECRET": "hush"})
    embedded = load(None, {"HOME": "/home/alice"})

    assert list(config.clouds) == ["hotel", "sierra", "foxtrot", "alamo", "bexar", "ocean", "spare"]
    assert [user.name for user in config.users] == ["alice", "deploy"]
    assert config.state_directory == tmp_path / "state"
    assert (config.server, config.database) == (embedded.server, embedded.database)
    assert (config.reconciler, config.limits) == (embedded.reconciler, embedded.limits)


def test_the_example_names_every_key() -> None:
    """Nobody has to guess how a key is written: each one is in the example, at least in a comment."""
    (example,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    names = {key.name for table in TABLES.values() for key in keys_of(table)}

    assert {name for name in names if not re.search(rf"^(# )?{name} = ", example, re.MULTILINE)} == set()


def test_the_errors_on_the_page_are_those_of_the_gateway(tmp_path: Path) -> None:
    """The two sentences shown are what such a file is told."""
    path = tmp_path / "phantom.toml"
    path.write_text("\n" * 12 + '[clouds.sierra]\nkind = "ec3"\n\n\n\n\n[server]\nprot = 1\n')
    told = PAGE.partition("```\n")[2].partition("```")[0]

    with pytest.raises(ConfigError) as refusal:
        load(path, {"HOME": "/home/alice"})
    assert str(refusal.value).replace(f"{tmp_path}/", "") == told.strip()
