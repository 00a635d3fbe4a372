"""
Runs a program as it stands, but that its sleeps last until a line comes in: paced.py PROGRAM [ARGUMENT ...].

Those of less than a second are not the program's own: the standard library waits for processes that way.
"""

import runpy
import sys
import time
from pathlib import Path

really_sleep = time.sleep


def sleep(seconds: float) -> None:
    """Nothing, once a line came in."""
    if seconds < 1:
        really_sleep(seconds)
    else:
        sys.stdin.readline()


time.sleep = sleep
sys.argv = sys.argv[1:]
sys.path.insert(0, str(Path(sys.argv[0]).parent))
runpy.run_path(sys.argv[0], run_name="__main__")
