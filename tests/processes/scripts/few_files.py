"""The gateway where an operator allows few open files: ``python -m tests.processes.scripts.few_files COUNT WORDS``."""

import resource
import sys

from phantom_gateway.cli import main

if __name__ == "__main__":
    count = int(sys.argv.pop(1))
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))
    main()
