"""
The course of one command: read what was given, ask, call, show.

Owns: that order, questions, and what is printed. Does not own: any of the steps.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TextIO

from phantom_gateway import clock
from phantom_gateway.as_tools.answer import result_of
from phantom_gateway.as_tools.arguments import Given, read
from phantom_gateway.as_tools.calling import Caller, page_size
from phantom_gateway.as_tools.credentials import find_credentials
from phantom_gateway.as_tools.endpoint import find_endpoint
from phantom_gateway.as_tools.errors import NotDone, UsedWrongly
from phantom_gateway.as_tools.grammar import Command
from phantom_gateway.as_tools.rendering import Style, cell, render
from phantom_gateway.as_tools.values import list_paths, parameters, records_wanted
from protocol.model import Operation, service

DELIMITER_DEFAULT = ","

Form = Literal["table", "long", "xml", "quiet"]

FORMS: tuple[tuple[str, Form], ...] = (
    ("--show-table", "table"),
    ("--show-long", "long"),
    ("--show-xml", "xml"),
    ("--quiet", "quiet"),
    ("--delimiter", "long"),  # scripts name one without --show-long, and cut at it
)
"""Option -> form, the first that was given counts: the order of the original tools."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where a command reads answers from and writes to."""

    stdin: TextIO
    stdout: TextIO
    stderr: TextIO


def follow(command: Command, words: Sequence[str], environ: Mapping[str, str], terminal: Terminal) -> None:
    """Nothing; the command is done, and what it has to show is written. Raises CommandError."""
    if command.gone:
        raise NotDone(command.gone)
    operation = service().operations.get(command.operation)
    given = read(command, words, list_paths(command, operation))
    if given.has("--help"):
        from phantom_gateway.as_tools.helping import help_of

        terminal.stdout.write(help_of(command))
    elif not command.operation:
        from phantom_gateway.as_tools.itself import tell

        terminal.stdout.write(tell(command, given))
    elif operation is None:
        raise NotDone(f"the installed botocore does not know {command.operation}")
    else:
        _carry_out(command, operation, given, environ, terminal)


def _carry_out(
    command: Command, operation: Operation, given: Given, environ: Mapping[str, str], terminal: Terminal
) -> None:
    form = next((form for option, form in FORMS if given.has(option)), "table")
    delimiter = _delimiter(given)
    request = parameters(command, operation, given)
    wanted = records_wanted(command, given)
    caller = Caller(
        find_endpoint(given.settings, environ),
        find_credentials(given.settings, environ),
        clock.now,
        _teller(terminal) if given.has("--show-request") else _say_nothing,
    )
    _ask_first(command, given, terminal)
    if form == "xml":
        _show_xml(command, operation, caller, {**request, **page_size(command, wanted, 0)}, given, terminal)
        return
    result = caller.everything(command, operation, request, wanted)
    if form == "quiet":
        return
    style = Style(delimiter if form == "long" else None, given.has("--headers"), given.has("--show-empty-fields"))
    lines = list(render(command.lines, result, style))
    if command.success or command.prints:
        lines = [cell(result.get(command.prints)) if command.prints else command.success]
    terminal.stdout.write("".join(f"{line}\n" for line in lines))


def _show_xml(
    command: Command,
    operation: Operation,
    caller: Caller,
    request: Mapping[str, str],
    given: Given,
    terminal: Terminal,
) -> None:
    """The answer as it came: one document, so one page."""
    reply = caller.ask(operation, request)
    result = result_of(reply, operation)
    head = reply.head if given.has("--headers") else ""
    text = reply.body.decode("utf-8", "surrogateescape")
    terminal.stdout.write(head + text + ("" if text.endswith("\n") else "\n"))
    if result.get("NextToken"):
        terminal.stderr.write(f"as-{command.name}: there are more; --show-xml shows one page, which is one document\n")


def _ask_first(command: Command, given: Given, terminal: Terminal) -> None:
    """Nothing, when the user says yes or gave --force. Raises NotDone; the end of the input is a no."""
    if not command.question or given.has("--force"):
        return
    terminal.stderr.write(f"{command.question}")
    terminal.stderr.flush()
    answer = terminal.stdin.readline()
    if not answer.endswith("\n"):
        terminal.stderr.write("\n")
    if answer.strip().lower() not in {"y", "yes"}:
        raise NotDone("nothing was done, because the answer was not y; --force does not ask")


def _delimiter(given: Given) -> str:
    delimiter = given.settings.get("--delimiter", DELIMITER_DEFAULT)
    if not delimiter or '"' in delimiter or not delimiter.replace("\t", " ").isprintable():
        raise UsedWrongly("--delimiter: it is one or more printable characters or tabs, and no quotation mark")
    return delimiter


def _teller(terminal: Terminal) -> Callable[[str], None]:
    def tell(text: str) -> None:
        terminal.stderr.write(text)

    return tell


def _say_nothing(_text: str) -> None:
    return
