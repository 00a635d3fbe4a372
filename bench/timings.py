"""
How long things take with the gateway alone: until a launch, until a dead VM is replaced, until the first answer.

Owns: those measurements. Does not own: anything compared request by request. All times are of one clock, which both
processes read (CLOCK_MONOTONIC).
"""

import http.client
import os
import re
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from backends.local.cloud import YOUNG_S
from bench import rows, signed
from bench.servers import TICK_S, ZONE, Server, pause, start_gateway, start_hello, start_moto, start_real_gateway
from bench.signed import form

LAUNCHES = 20
REPLACEMENTS = 10
STARTS = 3
VMS = 5

GROUP = "timed"
IN_SERVICE = "<LifecycleState>InService</LifecycleState>"

GROWN_UP_S = YOUNG_S + 1.0
"""
Age of a VM that is killed. The second in a row that dies younger than YOUNG_S is taken for a crash at boot, and its
replacement waits, as it should: that is not what is timed.
"""

POLL_S = 0.002
WAIT_S_MAX = 60.0

DESCRIBE = form("DescribeAutoScalingGroups", MaxRecords=1)


def accepted_to_launch_ms(directory: Path) -> list[float]:
    """Milliseconds from the client's reading of 200 to the gateway's launch call at its cloud; below 0: before it."""
    gateway = start_gateway(directory, "--tell-launches")
    launches: list[float] = []
    reader = threading.Thread(target=_read_launches, args=(gateway, launches), daemon=True)
    reader.start()
    try:
        _make_group(gateway, desired=0, image=rows.IMAGE)
        gateway.calm()
        found = []
        for wanted in range(1, LAUNCHES + 1):
            accepted_s = _ask(gateway, form("SetDesiredCapacity", AutoScalingGroupName=GROUP, DesiredCapacity=wanted))
            _wait_for(lambda expected=wanted: len(launches) >= expected)  # type: ignore[misc]  # bound in the loop
            found.append(1000 * (launches[wanted - 1] - accepted_s))
            gateway.calm()
        return found
    finally:
        gateway.stop()
        reader.join()


def local_vms_s(directory: Path) -> tuple[list[float], list[float]]:
    """
    Seconds of the real gateway with real processes: from kill -9 of a VM to its replacement InService, and from
    SetDesiredCapacity accepted to a new VM InService; both as a client that polls sees them.
    """
    gateway = start_real_gateway(directory)
    try:
        _make_group(gateway, desired=VMS, image="sleeper")
        _wait_for(lambda: len(_in_service(gateway)) == VMS)
        replaced = []
        for _ in range(REPLACEMENTS):
            gateway.calm()
            replaced.append(_replacement_s(gateway, directory))
        grown = []
        for wanted in range(VMS + 1, VMS + 1 + REPLACEMENTS):
            gateway.calm()
            body = form("SetDesiredCapacity", AutoScalingGroupName=GROUP, DesiredCapacity=wanted)
            accepted_s = _ask(gateway, body)
            _wait_for(lambda expected=wanted: len(_in_service(gateway)) == expected)  # type: ignore[misc]  # as above
            grown.append(time.monotonic() - accepted_s)
        return replaced, grown
    finally:
        gateway.stop()
        for pid in _vm_pids(directory):
            os.kill(pid, signal.SIGKILL)


def first_answer_cpu_s(directory: Path, moto: Path) -> dict[str, list[float]]:
    """Seconds of processor time from the start of a process until its first answer; *ours* with existing records."""
    found: dict[str, list[float]] = {"hello": [], "ours": [], "ours, new": [], "moto": []}
    for turn in range(STARTS):
        fresh = directory / str(turn)
        starts: list[tuple[str, Callable[[], Server]]] = [
            ("hello", partial(start_hello, fresh)),
            ("ours, new", partial(start_real_gateway, fresh)),
            ("ours", partial(start_real_gateway, fresh)),
            ("moto", partial(start_moto, fresh, moto)),
        ]
        for name, start in starts:
            server = start()
            try:
                signed.call(server.port, DESCRIBE)
                found[name].append(server.cpu_s())
            finally:
                server.stop()
    return found


def _make_group(gateway: Server, desired: int, image: str) -> None:
    signed.call(
        gateway.port,
        form(
            "CreateLaunchConfiguration",
            LaunchConfigurationName="timed",
            ImageId=image,
            InstanceType=rows.INSTANCE_TYPE,
        ),
    )
    signed.call(
        gateway.port,
        form(
            "CreateAutoScalingGroup",
            AutoScalingGroupName=GROUP,
            LaunchConfigurationName="timed",
            MinSize=0,
            MaxSize=1000,
            DesiredCapacity=desired,
            AvailabilityZones__member__1=ZONE,
        ),
    )


def _ask(gateway: Server, body: str) -> float:
    """The monotonic time at which the answer's first line was there; the connection was open before."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=WAIT_S_MAX)
    try:
        connection.connect()
        connection.request("POST", "/", body, signed.headers(body, gateway.port, datetime.now(UTC)))
        response = connection.getresponse()
        answered_s = time.monotonic()
        text = response.read().decode()
        assert response.status == http.client.OK, text
        return answered_s
    finally:
        connection.close()


def _read_launches(gateway: Server, launches: list[float]) -> None:
    assert gateway.process.stdout is not None
    launches.extend(float(line.split()[1]) for line in gateway.process.stdout if line.startswith("launch "))


def _replacement_s(gateway: Server, directory: Path) -> float:
    victim = max(_vm_pids(directory), key=_age_s)
    _wait_for(lambda: _age_s(victim) > GROWN_UP_S)
    before = _in_service(gateway)
    killed_s = time.monotonic()
    os.kill(victim, signal.SIGKILL)
    _wait_for(lambda: len(_in_service(gateway) - before) == 1 and len(_in_service(gateway)) == VMS)
    return time.monotonic() - killed_s


def _in_service(gateway: Server) -> set[str]:
    """The ids of the instances that clients see in service."""
    text = signed.call(gateway.port, DESCRIBE)
    members = re.findall(r"<member>(?:(?!</?member>).)*</member>", text, re.DOTALL)
    return {
        found[1]
        for member in members
        if IN_SERVICE in member and (found := re.search("<InstanceId>(.*?)</InstanceId>", member)) is not None
    }


def _vm_pids(directory: Path) -> list[int]:
    """The processes whose working directory is under *directory*: the VMs, told by no record of the gateway."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "cwd").readlink().is_relative_to(directory):
                    found.append(int(entry.name))
            except OSError:
                continue  # it ended while we looked
    return sorted(found)


def _age_s(pid: int) -> float:
    """Seconds since the process started, as the kernel has it."""
    started = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[19]
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(started) * TICK_S


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S_MAX
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {WAIT_S_MAX:.0f} s in vain")
        pause(POLL_S)
