"""
Processor time of an ``as-*`` command, from its start to its end, against the gateway as users run it.

Owns: that measurement. Python itself, which no command can do without, is measured beside it. Run by itself
(``python -m bench.as_tools``) it takes a few seconds.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import signed
from bench.servers import ZONE, start_real_gateway

RUNS = 15
GROUPS = 50
"""One page of the gateway's."""

LIMIT_S = 0.4
"""What a describe may take, all in all: scripts call it in loops."""


def cpu_s(command: Sequence[str], environ: dict[str, str]) -> float:
    """User and system time of *command*. Raises AssertionError when it fails."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environ)
    _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)  # or Popen would wait for it again
    assert process.returncode == 0, command
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Nothing; the figures are printed."""
    bin_directory = Path(sys.executable).parent
    describe = [str(bin_directory / "as-describe-auto-scaling-groups")]
    with tempfile.TemporaryDirectory() as directory:
        gateway = start_real_gateway(Path(directory))
        environ = {
            "PATH": os.environ["PATH"],
            "AWS_AUTO_SCALING_URL": f"http://127.0.0.1:{gateway.port}",
            "AWS_ACCESS_KEY_ID": signed.ACCESS_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": signed.SECRET_ACCESS_KEY,
        }
        try:
            _make_groups(gateway.port)
            rows = {
                "python alone": [sys.executable, "-c", "pass"],
                "as-describe-auto-scaling-groups, 1": [*describe, "web-0"],
                f"as-describe-auto-scaling-groups, {GROUPS}": describe,
            }
            print(f"CPU ms of a command ({RUNS} times each; the limit is {1000 * LIMIT_S:.0f})")
            for name, command in rows.items():
                found = [1000 * cpu_s(command, environ) for _ in range(RUNS)]
                print(f"  {name:<38}{statistics.median(found):>6.0f} ({min(found):.0f} to {max(found):.0f})")
        finally:
            gateway.stop()


def _make_groups(port: int) -> None:
    launch = {"LaunchConfigurationName": "lc", "ImageId": "sleeper", "InstanceType": "m1.small"}
    signed.call(port, signed.form("CreateLaunchConfiguration", **launch))
    for number in range(GROUPS):
        group = {"AutoScalingGroupName": f"web-{number}", "LaunchConfigurationName": "lc", "MinSize": 0, "MaxSize": 0}
        signed.call(port, signed.form("CreateAutoScalingGroup", **group, AvailabilityZones__member__1=ZONE))


if __name__ == "__main__":
    main()
