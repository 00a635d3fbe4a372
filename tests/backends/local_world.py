"""
A place for tests of local machines: a state directory, gateways over it, and a clean end.

Owns: opening clouds, waiting for conditions, and killing every process of its own machines, whatever the test did.
"""

import asyncio
import contextlib
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backends.cloud import LaunchSpec, Mark
from backends.local import Image, LocalCloud
from backends.local.processes import MARKER, Stat, all_stats, stat_of

WAIT_S = 30.0

IMAGES = {
    "sleeper": Image(("sleep", "1000")),
    "tree": Image(("sh", "-c", "sleep 1000 & setsid sleep 1000 & env -i /bin/sleep 1000 & touch ready; wait")),
    "stubborn": Image(("sh", "-c", "trap '' TERM; touch ready; while :; do sleep 1000; done")),
    "quitter": Image(("sh", "-c", "echo goodbye; exit 3")),
    "talker": Image(("sh", "-c", 'env; cat "$PHANTOM_USER_DATA_FILE"; touch ready; exec sleep 1000')),
    "absent": Image(("/nonexistent/program",)),
}

SLEEPER = LaunchSpec("sleeper", "m1.small")

# Another gateway: launches, says what it launched, and stays until it is killed. *sabotage* runs before it launches.
OTHER_GATEWAY = """
import asyncio, os, signal, sys
from pathlib import Path
from tests.backends.local_world import IMAGES, now
from backends.cloud import LaunchSpec, Mark
from backends.local import LocalCloud
directory, gateway_id, image, count, sabotage = sys.argv[1:]
async def main():
    cloud = LocalCloud("hotel", Path(directory), gateway_id, IMAGES, clock=now)
    exec(sabotage)
    machines = await cloud.launch(LaunchSpec(image, "m1.small"), int(count), "token", Mark(gateway_id, "g", "token"))
    print(*(machine.machine_id for machine in machines), flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def now() -> datetime:
    """The time of day; nothing in these tests depends on which it is."""
    return datetime.now(UTC)


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The time it stands at."""
        return self.now


async def until(holds: Callable[[], Any]) -> Any:
    """What *holds* returns, as soon as it is true: for conditions outside this process that nobody announces."""
    async with asyncio.timeout(WAIT_S):
        while not (result := holds()):  # noqa: ASYNC110 - no event announces what happens in other processes
            await asyncio.sleep(0.003)
    return result


class LocalWorld:
    """One state directory, and a gateway id that no other test uses."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.gateway_id = f"gw-{uuid.uuid4().hex[:12]}"
        self._clouds: list[LocalCloud] = []

    def open(self, name: str = "hotel", **knobs: Any) -> LocalCloud:
        """A cloud over this directory; closed at the end, if the test does not."""
        cloud = LocalCloud(name, self.directory, self.gateway_id, IMAGES, **({"clock": now} | knobs))
        self._clouds.append(cloud)
        return cloud

    def mark(self, token: str = "token") -> Mark:
        """A mark of this world's gateway."""
        return Mark(self.gateway_id, "g", token)

    async def launch(self, cloud: LocalCloud, image: str = "sleeper", count: int = 1, token: str = "token") -> Any:
        """The machines that *cloud* launches for *token*."""
        return await cloud.launch(LaunchSpec(image, "m1.small"), count, token, self.mark(token))

    def folder(self, machine_id: str, cloud: str = "hotel") -> Path:
        """Where the machine's files are."""
        return self.directory / cloud / machine_id

    def first_process(self, machine_id: str, cloud: str = "hotel") -> int:
        """The pid of the machine's first process."""
        return int((self.folder(machine_id, cloud) / "pid").read_text().split("\n")[1].split()[0])

    def processes(self, machine_id: str = "") -> list[Stat]:
        """Living processes of one machine of this world, or of all; those of its session count too."""
        wanted = f"{MARKER}={self.gateway_id}/{machine_id}".encode()
        stats = list(all_stats())
        ours = [stat for stat in stats if wanted in environment(stat.pid)]
        sessions = {stat.session for stat in ours if stat.session != os.getsid(0)}
        return [stat for stat in stats if stat in ours or stat.session in sessions]

    async def other_gateway(self, image: str = "sleeper", count: int = 1, sabotage: str = "") -> list[str]:
        """Ids of the machines that another gateway launched before it was killed with KILL."""
        arguments = (str(self.directory), self.gateway_id, image, str(count), sabotage)
        gateway = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            OTHER_GATEWAY,
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        assert gateway.stdout is not None
        async with asyncio.timeout(WAIT_S):
            launched = (await gateway.stdout.readline()).decode().split()
        with contextlib.suppress(ProcessLookupError):
            gateway.kill()
        await gateway.communicate()
        return launched

    async def end(self) -> None:
        """Nothing; no process of this world is left."""
        for cloud in self._clouds:
            await cloud.close()
        await asyncio.to_thread(self.kill_all)

    def kill_all(self) -> None:
        """Nothing; every process of this world was killed, and reaped where it was our child."""
        while left := self.processes():
            for stat in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(stat.pid, signal.SIGKILL)
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(stat.pid, 0)
        for pid in zombies():
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def environment(pid: int) -> bytes:
    """The environment that *pid* was started with; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def is_zombie_of_ours(pid: int) -> bool:
    """True for a dead child of this process that nobody reaped."""
    stat = stat_of(pid)
    return stat is not None and stat.dead and stat.parent == os.getpid()


def descriptors() -> int:
    """How many files, sockets and pidfds this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def zombies() -> list[int]:
    """All dead children of this process that nobody reaped."""
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if is_zombie_of_ours(int(path.name))]


@contextlib.asynccontextmanager
async def local_world(directory: Path) -> AsyncIterator[LocalWorld]:
    """A world in *directory* that ends with the block."""
    world = LocalWorld(directory)
    try:
        yield world
    finally:
        await world.end()
