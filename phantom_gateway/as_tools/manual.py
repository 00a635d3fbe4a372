"""
The manual, docs/as-tools.md, from the table of commands: ``python -m phantom_gateway.as_tools.manual``.

Owns: the prose between the tables, and their form. Does not own: the words about commands and options (``table``). A
test holds the file against what is made here; ``make manual`` writes it.
"""

import sys
from collections.abc import Iterable, Mapping

from phantom_gateway.as_tools.grammar import Command, Line, Option
from phantom_gateway.as_tools.helping import argument_heading, option_heading, usage_of
from phantom_gateway.as_tools.table import COMMANDS
from phantom_gateway.as_tools.table.every import EVERY_COMMAND, VARIABLES

INTRODUCTION = """\
# The `as-*` command line tools

Shell scripts around `as-create-auto-scaling-group` and its sisters run unchanged against the gateway, or against any
other endpoint that speaks the Auto Scaling Query API. Options, outputs and exit statuses are those of Amazon's tools of
2009 to 2014; the spellings of `euscale-*` work, too. This page is made from the table of commands in
`phantom_gateway/as_tools/table` by `make manual`.

## Set up

```sh
pip install 'phantom-gateway[as-tools]'   # in a checkout: pip install '.[as-tools]'
cat > ~/.as-credentials <<'END'
AWSAccessKeyId=AKIAEXAMPLE
AWSSecretKey=secret
END
chmod 600 ~/.as-credentials
export AWS_CREDENTIAL_FILE=~/.as-credentials
export AWS_AUTO_SCALING_URL=http://127.0.0.1:8445
as-describe-auto-scaling-groups --headers
```

After `make run`, the commands are in `.venv/bin`. There, `eval "$(phantom-gateway env)"` names endpoint and keys.

`eval "$(as-cmd --completion bash)"` completes commands and options in bash; `eval "$(as-cmd --completion zsh)"` in zsh.

## Credentials

The first of these that is there signs: `-I` and `-S` (each counts only with the other); the credential file; the
variables of newer AWS clients; those of `euca2ools`; a profile of `~/.aws/credentials`. A file that is named must be
there. An X.509 certificate and key (`-C` and `-K`, `EC2_CERT` and `EC2_PRIVATE_KEY`) are ignored beside any of
these. Alone they cannot sign: the original tools spoke SOAP with them, and SOAP is gone. The error says what to do
instead.

Requests are signed with Signature Version 4, or with version 2 (HmacSHA256) when `--signature-version 2` or
`AWS_AUTO_SCALING_SIGNATURE_VERSION=2` says so. The region in a signature is that of `--region` or the variables; for a
host of Amazon's it is the host's.
"""

USE = """\
## Values

- A value is written `--option value` or `--option=value`; the latter when it begins with a hyphen.
- A list is written `a,b,c` or `a b c`, also `a, b, c`. What stands behind a list without an option is taken for a part
  of it: put the name of the group first.
- A name may stand by itself or behind its option: `as-update-auto-scaling-group web ...`, or `... --name web`.
- A list or name that is there but empty is an error, because it is most often a variable that was not set, and "none"
  would mean "all".
- A tag is one word in quotes: `"k=Name, v=web server, p=true"`. `t` may always be left out, and `id` when a group is
  created. A value may hold commas, unless `id=`, `t=`, `k=`, `v=` or `p=` follows.
- User data is encoded in base64 for the way.

## Output

What changes something prints a line beginning with `OK-`; `as-put-scaling-policy` prints the ARN of the policy alone.
What describes prints lines whose first word says what they are about:

```
$ as-describe-auto-scaling-groups web
AUTO-SCALING-GROUP  web  web@hotel  hotel  0  5  2  Default
INSTANCE  i-0f3c6a1c5b1e7d922  hotel  InService  Healthy  web@hotel
INSTANCE  i-04d1e5c77a2b93f10  hotel  InService  Healthy  web@hotel
```

- Two blanks part columns: `as-describe-auto-scaling-groups web | grep INSTANCE | cut -d " " -f 3` gives the ids.
- A column that is empty in all lines of a kind is left out, unless `--show-empty-fields` shows `(nil)` there.
- `--show-long` prints every field, parted by `--delimiter`, `(nil)` for what is empty, and quotes around a field that
  holds the delimiter. A delimiter by itself asks for the long form.
- `--show-xml` prints the answer as it came; `--quiet` prints nothing. When several forms are asked for, the table comes
  first, then the long form, XML, silence.
- An unknown name prints nothing, and is no error.
- A line break or another unprintable character in a value is shown as a blank.

A question before something is deleted goes to standard error and is answered on standard input; `y` is yes. `-f` does
not ask.

## Exit status

| status | means |
|---|---|
| 0 | done |
| 1 | not done: the endpoint refused, with its own code and text; it could not be reached; or the answer was no |
| 2 | used wrongly: nothing was sent |

Errors go to standard error. Nothing is sent twice: after a lost answer, look before you repeat.

## What is not as it was

- `--max-records` may be larger than a page: as many calls are made as it takes. Without it, everything is shown (the
  original stopped after a page); of scaling activities the newest 100. `--show-xml` shows one page.
- An empty listing prints nothing (a release of 2011 printed a sentence).
- Questions and `--show-request` use standard error, so that pipes hold results alone. There, user data is shown as
  `***`.
- There is no SOAP. Proxies are not used.
- Triggers went in 2010: their commands say so.
- An operation that the endpoint does not offer ends with the endpoint's own text and status 1.

## Variables

| variable | says |
|---|---|
"""


def manual(commands: Mapping[str, Command]) -> str:
    """The whole page."""
    variables = [
        f"| {', '.join(f'`{name}`' for name in names.split(', '))} | {meaning} |\n"
        for names, meaning in VARIABLES.items()
    ]
    parts = [
        INTRODUCTION,
        USE + "".join(variables),
        "## Options of every command\n\n" + _options(EVERY_COMMAND),
        "## Commands\n",
        *(_section(command) for command in commands.values()),
    ]
    return "\n".join(parts)


def main() -> None:
    """Nothing; the page is on standard output."""
    sys.stdout.write(manual(COMMANDS))


def _section(command: Command) -> str:
    text = f"### as-{command.name}\n\n{command.summary}\n"
    if command.gone:
        return f"{text}It only says this: {command.gone}.\n"
    if command.operation:
        text += f"It calls `{command.operation}`.\n"
    text += f"\n```\n{usage_of(command)}\n```\n"
    rows = _argument(command) + _rows(command.options)
    if rows:
        text += f"\n| option | says |\n|---|---|\n{rows}"
    shown = _shown(command)
    return f"{text}\n{shown}\n" if shown else text


def _shown(command: Command) -> str:
    """What the command prints, in Markdown."""
    if command.prints:
        return f"Prints the {command.prints}."
    if command.success:
        return f"Prints `{command.success}`."
    lines = [f"{kind}  {heads}" for kind, heads in _lines(command.lines)]
    return (
        "Prints, with what only `--show-long` shows in brackets:\n\n```\n{}\n```".format("\n".join(lines))
        if lines
        else ""
    )


def _lines(lines: Iterable[Line]) -> Iterable[tuple[str, str]]:
    for line in lines:
        yield line.kind, "  ".join(f"[{each.header}]" if each.long else each.header for each in line.columns)
        yield from _lines(line.children)


def _argument(command: Command) -> str:
    argument = command.argument
    return "" if argument is None else f"| `{_escaped(argument_heading(argument))}` | {argument.meaning} |\n"


def _options(options: Iterable[Option]) -> str:
    return f"| option | says |\n|---|---|\n{_rows(options)}"


def _rows(options: Iterable[Option]) -> str:
    return "".join(
        f"| `{_escaped(option_heading(option))}` | {option.meaning}{' Required.' if option.required else ''} |\n"
        for option in options
    )


def _escaped(text: str) -> str:
    """*text* for a cell of a table: a bar would end it."""
    return text.replace("|", "\\|")


if __name__ == "__main__":
    main()
