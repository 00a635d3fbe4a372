"""
What has been said of unrecorded machines: those with our mark that nothing in the ledger stands for.

Owns: that value, and which of two verdicts on one machine counts. Pure.
"""

from dataclasses import dataclass

Place = tuple[str, str]
"""A machine: the name of its cloud, and its id there."""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """
    An operator has given up the *condemned*: they are terminated.

    Those *kept* take places in their groups at once, where there is room. Those *spared* are left alone until they are
    one or the other: this ledger never launched them.
    """

    condemned: frozenset[Place] = frozenset()
    kept: frozenset[Place] = frozenset()
    spared: frozenset[Place] = frozenset()

    def condemned_on(self, cloud: str) -> frozenset[str]:
        """Their ids on *cloud*."""
        return _on(cloud, self.condemned)

    def kept_on(self, cloud: str) -> frozenset[str]:
        """Their ids on *cloud*."""
        return _on(cloud, self.kept)

    def spared_on(self, cloud: str) -> frozenset[str]:
        """Ids of those on *cloud* about which nobody has said anything yet."""
        if not self.spared:  # nearly always, and every pass asks
            return frozenset()
        return _on(cloud, self.spared - self.condemned - self.kept)

    def untouchable_on(self, cloud: str) -> frozenset[str]:
        """Ids of those on *cloud* that may not be terminated: spared, and not given up."""
        return _on(cloud, self.spared - self.condemned)


def _on(cloud: str, places: frozenset[Place]) -> frozenset[str]:
    return frozenset(machine_id for name, machine_id in places if name == cloud) if places else frozenset()
