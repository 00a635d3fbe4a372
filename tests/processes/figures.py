"""
Figures of long runs, for people: appended to the file that ``PHANTOM_FIGURES`` names, or nowhere.

Owns: the form of a line. Does not own: what is measured, or what is good enough.
"""

import json
import os
from pathlib import Path


def note(what: str, **values: float) -> None:
    """Nothing; there is a line about *what*, with how busy the machine was (its load in the last minutes)."""
    file = os.environ.get("PHANTOM_FIGURES")
    if not file:
        return
    rounded = {name: round(value, 1) for name, value in values.items()}
    line = json.dumps({"what": what, **rounded, "load": [round(each, 1) for each in os.getloadavg()]})
    with Path(file).open("a", encoding="utf-8") as lines:
        lines.write(line + "\n")
