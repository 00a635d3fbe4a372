"""
A cloud that is not asked: what stands in the place of an account whose credentials are gone, or not in use yet.

Owns: answering every verb without contact, so that nothing is concluded about machines there. Does not own: when.
"""

import asyncio
from collections.abc import Sequence

from backends.cloud import CloudTraits, Inquiry, LaunchSpec, Machine, Mark, Probe, Sweep
from backends.errors import Unreachable


class ClosedCloud:
    """
    The cloud *name*, closed for *reason*: every verb raises Unreachable.

    One that *opens_soon* does not answer sweeps at all: launches wait for it instead of going to another cloud.
    """

    def __init__(self, name: str, traits: CloudTraits, reason: str, *, opens_soon: bool = False) -> None:
        self.name = name
        self.traits = traits
        self._reason = reason
        self._opens_soon = opens_soon

    async def sweep(self) -> Sweep:
        """Never anything: what is there cannot be known."""
        if self._opens_soon:
            await asyncio.get_running_loop().create_future()
        raise Unreachable(self._reason)

    async def inquire(self, machine_ids: Sequence[str]) -> Inquiry:  # noqa: ARG002 - the contract's
        """Never anything; that nobody answers says nothing of any machine."""
        raise Unreachable(self._reason)

    async def launch(self, spec: LaunchSpec, count: int, token: str, mark: Mark) -> list[Machine]:  # noqa: ARG002 - the contract's
        """Never anything; nothing was launched."""
        raise Unreachable(self._reason)

    async def terminate(self, machine_ids: Sequence[str]) -> None:  # noqa: ARG002 - the contract's
        """Never; nothing was terminated."""
        raise Unreachable(self._reason)

    async def probe(self) -> Probe:
        """The reason, as what has to be mended."""
        return Probe(reachable=False, findings=(self._reason,))

    async def wait_for_change(self) -> None:
        """Nothing, ever."""
        await asyncio.get_running_loop().create_future()

    async def close(self) -> None:
        """Nothing; there is nothing to let go of."""
