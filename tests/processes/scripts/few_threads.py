"""
The gateway where the kernel gives no more threads or processes: ``python -m tests.processes.scripts.few_threads``.

From SIGUSR1 on, until SIGUSR2. Such limits do not bind root, whatever it is told: root becomes nobody, who may do no
more than others, but for opening any file. Whoever is not root stays who he is.
"""

import os
import resource
import signal
import sys

from phantom_gateway.cli import main

NOBODY = "65534"
ALONE = "-all,+dac_override"
"""Of root's capabilities, the one without which neither the checkout nor the test's files could be read."""


def allow(count: int) -> None:
    """Nothing; the user of this process may have *count* threads, wherever they are."""
    resource.setrlimit(resource.RLIMIT_NPROC, (count, resource.getrlimit(resource.RLIMIT_NPROC)[1]))


if __name__ == "__main__":
    if os.getuid() == 0:
        who = ["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]
        what = ["--inh-caps", ALONE, "--ambient-caps", ALONE, "--bounding-set", ALONE]
        this = [sys.executable, "-m", __spec__.name, *sys.argv[1:]]
        os.execvp("setpriv", ["setpriv", *who, *what, "--", *this])
    before = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    signal.signal(signal.SIGUSR1, lambda *_: allow(1))
    signal.signal(signal.SIGUSR2, lambda *_: allow(before))
    main()
