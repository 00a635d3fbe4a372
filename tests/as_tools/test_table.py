"""The table of commands fits the service model, the installed scripts, the manual and the shells."""

import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from phantom_gateway.as_tools.arguments import shared_options
from phantom_gateway.as_tools.completion import completion
from phantom_gateway.as_tools.grammar import Command, Line
from phantom_gateway.as_tools.helping import help_of
from phantom_gateway.as_tools.manual import manual
from phantom_gateway.as_tools.table import COMMANDS
from phantom_gateway.as_tools.values import shape_at
from protocol.model import ListShape, Shape, StringShape, StructureShape, service

ROOT = Path(__file__).parents[2]

CALLING = [pytest.param(command, id=name) for name, command in COMMANDS.items() if command.operation]
ALL = [pytest.param(command, id=name) for name, command in COMMANDS.items()]


EXPECTED = """
cmd version create-launch-config describe-launch-configs delete-launch-config create-auto-scaling-group
update-auto-scaling-group describe-auto-scaling-groups delete-auto-scaling-group set-desired-capacity
terminate-instance-in-auto-scaling-group describe-auto-scaling-instances describe-scaling-activities
set-instance-health suspend-processes resume-processes create-or-update-tags delete-tags describe-tags
put-scaling-policy describe-policies delete-policy execute-policy put-scheduled-update-group-action
describe-scheduled-actions delete-scheduled-action put-notification-configuration
describe-notification-configurations delete-notification-configuration enable-metrics-collection
disable-metrics-collection describe-adjustment-types describe-process-types describe-metric-collection-types
describe-termination-policy-types describe-auto-scaling-notification-types describe-account-limits
create-or-update-trigger delete-trigger describe-triggers
"""


def test_every_command_of_the_originals_is_there() -> None:
    """None is missing, and none is made up."""
    assert sorted(EXPECTED.split()) == list(COMMANDS)


def test_every_command_is_installed_as_a_script() -> None:
    """pyproject.toml names each of them, and the extra by which they are asked for needs nothing more."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    scripts = {name: target for name, target in project["scripts"].items() if name.startswith("as-")}

    assert scripts == {f"as-{name}": "phantom_gateway.as_tools.program:main" for name in COMMANDS}
    assert project["optional-dependencies"]["as-tools"] == []


@pytest.mark.parametrize("command", CALLING)
def test_a_command_sends_what_the_model_knows(command: Command) -> None:
    """Its operation, each parameter it can set, and the kind that its way of reading makes, are the model's."""
    operation = service().operations[command.operation]
    members = [option.member for option in command.options if option.member]
    members += [command.argument.member] if command.argument else []

    assert [member for member in members if shape_at(operation, member) is None] == []
    assert all(
        isinstance(shape_at(operation, option.member), ListShape)
        for option in command.options
        if option.reads in {"tag", "filter", "devices"}
    )
    assert command.argument is None or command.argument.many == isinstance(
        shape_at(operation, command.argument.member), ListShape
    )


@pytest.mark.parametrize("command", CALLING)
def test_a_command_demands_what_the_model_requires(command: Command) -> None:
    """What the service cannot do without, the command line cannot do without either."""
    shape = service().operations[command.operation].input
    required = {member.name for member in shape.members.values() if member.required} if shape else set()
    demanded = {option.member for option in command.options if option.required}
    demanded |= {command.argument.member} if command.argument and not command.argument.many else set()

    assert required <= demanded


@pytest.mark.parametrize("command", CALLING)
def test_a_command_shows_what_the_model_answers(command: Command) -> None:
    """Every column is a member of the answer's model, down to a text, a list of texts, or block devices."""
    output = service().operations[command.operation].output
    shown = list(columns(command.lines, output, output))
    wrong = [
        path
        for path, shape in shown
        if shape is None or (isinstance(shape, StructureShape) and path != "BlockDeviceMappings")
    ]

    assert wrong == []
    assert bool(command.lines) or bool(command.success) or bool(command.prints)
    assert not command.prints or (output is not None and command.prints in output.members)


@pytest.mark.parametrize("command", CALLING)
def test_a_listing_has_pages(command: Command) -> None:
    """The size of a page can be given where the service has pages, and nowhere else."""
    operation = service().operations[command.operation]
    has_pages = operation.input is not None and "MaxRecords" in operation.input.members

    assert has_pages == any(option.member == "MaxRecords" for option in command.options)
    assert has_pages == (command.page_max > 0)
    assert has_pages == (operation.result_key is not None and bool(command.page_max))


@pytest.mark.parametrize("command", ALL)
def test_a_command_can_be_explained(command: Command) -> None:
    """--help fits a terminal, and names every option; no two options of a command are spelt the same."""
    text = help_of(command)
    spellings = [spelling for option in (*command.options, *shared_options(command)) for spelling in option.spellings]
    spellings += command.argument.spellings if command.argument else ()

    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert [spelling for spelling in spellings if spelling not in text] == []
    assert len(spellings) == len(set(spellings))


def test_the_manual_is_current() -> None:
    """docs/as-tools.md is what the table says; after a change of either, run: make manual."""
    assert (ROOT / "docs" / "as-tools.md").read_text(encoding="utf-8") == manual(COMMANDS)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param(["as-create-launch-config", "--user"], ["--user-data", "--user-data-file", "--user-data-force"]),
        pytest.param(["as-set-desired-capacity", "--h"], ["--honor-cooldown", "--headers", "--help"]),
        pytest.param(["as-describe-auto-scaling-groups", ""], []),
        pytest.param(["/opt/as/bin/as-describe-tags", "--f"], ["--filter"]),
        pytest.param(["as-describe-tags", "--aws-credential-file", "cred"], ["credentials.txt"]),
        pytest.param(["ls", "--"], []),
    ],
)
def test_bash_completes_options(words: list[str], expected: list[str], tmp_path: Path) -> None:
    """A real bash, having read the script, proposes the options of the command, and files where files are wanted."""
    (tmp_path / "credentials.txt").touch()
    quoted = " ".join(f"'{word}'" for word in words)
    script = f"{completion('bash', COMMANDS)}\nCOMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _as_tools\n"
    script += 'printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path)

    assert [line for line in done.stdout.splitlines() if line] == expected
    assert done.stderr == ""


def test_the_completion_knows_every_command_and_option() -> None:
    """Bash is told of all commands; for zsh, its own reader of such scripts is loaded first."""
    script = completion("bash", COMMANDS)

    assert all(f"        as-{name}) " in script for name in COMMANDS)
    options = [option.spellings[0] for command in COMMANDS.values() for option in command.options]
    assert [option for option in options if option not in script] == []
    assert completion("zsh", COMMANDS) == f"autoload -U +X bashcompinit && bashcompinit\n{script}"


def columns(lines: tuple[Line, ...], shape: Shape | None, around: Shape | None) -> Iterator[tuple[str, Shape | None]]:
    """Each column's path and what the model says of it; of a list of texts, the text."""
    for line in lines:
        thing = step(shape, line.path) if line.path else shape
        thing = thing.member if isinstance(thing, ListShape) else thing
        for column in line.columns:
            found: Shape | None = shape if column.path.startswith("^") else thing
            for name in filter(None, column.path.removeprefix("^").split(".")):
                found = step(found, name)
            yield column.path, found.member if isinstance(found, ListShape) else found
        yield from columns(line.children, thing, shape)


def step(shape: Shape | None, name: str) -> Shape | None:
    """The member of that name, or None."""
    return shape.members[name].shape if isinstance(shape, StructureShape) and name in shape.members else None


def test_strings_are_what_a_column_of_a_plain_list_shows() -> None:
    """The two listings of bare names are lists of texts in the model."""
    output = service().operations["DescribeTerminationPolicyTypes"].output
    assert output is not None
    types = output.members["TerminationPolicyTypes"].shape

    assert isinstance(types, ListShape)
    assert isinstance(types.member, StringShape)
