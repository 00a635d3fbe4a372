"""
A command run in this process: its words in, what it wrote and its status out.

Owns: that. Whole shells are in :mod:`tests.as_tools.shell`.
"""

import io
from collections.abc import Mapping

from phantom_gateway.as_tools.course import Terminal
from phantom_gateway.as_tools.program import run
from tests.as_tools.shell import Outcome
from tests.support.canary import planted

KEYS = {"AWS_ACCESS_KEY_ID": "AKIATESTTESTTESTTEST", "AWS_SECRET_ACCESS_KEY": planted("/of+the=test")}


def call(command: str, *words: str, environ: Mapping[str, str], given: str = "") -> Outcome:
    """How ``as-COMMAND`` ended, given *words* and *environ*."""
    out, err = io.StringIO(), io.StringIO()
    status = run(f"as-{command}", words, environ, Terminal(io.StringIO(given), out, err))
    return Outcome(status, out.getvalue(), err.getvalue())
