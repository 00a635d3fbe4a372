"""
What a cloud needs of a provider; and the provider behind any of Libcloud's drivers, by the table of its habits.

Owns: the port between verbs (``cloud``) and drivers, and the way from a node to a machine. Does not own: what differs
between drivers (``habits``).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from libcloud.compute.providers import get_driver

from backends.cloud import LaunchSpec, Machine, Mark
from backends.errors import Refused
from backends.refusals import of_ec2_alone, refuse
from backends.via_libcloud.habits import FIRST_CLASS, Habits, Order, habits_of
from backends.via_libcloud.names import claim_of
from backends.via_libcloud.settings import Account, Wants
from backends.via_libcloud.states import state_of

NAMES_MAX = 200
"""Images, sizes or places that are shown of a provider. Azure has thousands."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look showed; not *complete* when the provider may have kept something back."""

    machines: tuple[Machine, ...]
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Offers:
    """What a provider has, for people."""

    images: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    findings: tuple[str, ...] = field(default=())


class Provider(Protocol):
    """One kind of place behind Libcloud. All but ``check`` runs in a thread, with that thread's driver."""

    dialect: str
    """What it is, in the words of ``phantom-gateway check``."""
    names_are_unique: bool
    """A name that exists is refused: a repeated launch makes nothing twice, even unseen."""
    decides_later: bool
    """It takes orders that it cannot fill, and says so seconds later: a launch waits for that."""

    def check(self, spec: LaunchSpec) -> None:
        """Nothing. Raises Refused when *spec* asks for what this provider cannot do."""
        ...

    def connect(self) -> Any:
        """A driver."""
        ...

    def look(self, driver: Any, is_ours: Callable[[Mark], bool]) -> Looked:
        """The machines whose mark *is_ours*."""
        ...

    def one(self, driver: Any, machine_id: str, is_ours: Callable[[Mark], bool]) -> Machine | None:
        """
        The machine of that id, if it is ours; None when nothing is said of it. Raises whatever the driver does.

        Only a provider that answers to ids may say "not found": then there is no such machine.
        """
        ...

    def create(self, driver: Any, spec: LaunchSpec, name: str, mark: Mark) -> Machine:
        """The machine, as the provider shows it at once. Raises whatever the driver does."""
        ...

    def decided(self, driver: Any, machine: Machine) -> Machine | None:
        """The machine once the provider has found it a place, or failed to; None while it has not."""
        ...

    def handles(self, driver: Any, machine_ids: Sequence[str], is_ours: Callable[[Mark], bool]) -> Sequence[Any]:
        """What ``destroy`` takes, for each of the machines that may still be there."""
        ...

    def destroy(self, driver: Any, handle: Any) -> None:
        """Nothing; the machine is on its way out. Raises whatever the driver does."""
        ...

    def offers(self, driver: Any) -> Offers:
        """What it has."""
        ...


class DriverProvider:
    """
    The provider behind Libcloud's driver *driver_name*. *clock* stands in where a provider tells no time of launch.

    Raises:
        ValueError: Libcloud has no such driver.

    """

    decides_later = False

    def __init__(self, driver_name: str, account: Account, wants: Wants, clock: Callable[[], datetime]) -> None:
        try:
            self._class = get_driver(driver_name)
        except (AttributeError, ImportError) as error:
            raise ValueError(f"Libcloud has no driver called {driver_name!r}") from error
        self._habits: Habits = habits_of(driver_name)
        self._account = account
        self._wants = wants
        self._clock = clock
        self._first_seen: dict[str, datetime] = {}
        self.dialect = driver_name if driver_name in FIRST_CLASS else f"{driver_name} (untested)"
        self.names_are_unique = self._habits.names_are_unique

    def check(self, spec: LaunchSpec) -> None:
        """See the port."""
        wishes = {
            "choice of public addresses": spec.associate_public_ip is not None,
            "subnets": spec.subnet_id,
            "key pairs": spec.key_name and not self._habits.takes_key_name,
            "security groups": spec.security_groups and not self._habits.takes_security_groups,
            "user data": spec.user_data and not self._habits.takes_user_data,
        }
        refuse({**of_ec2_alone(spec), **wishes}, f"the driver {self.dialect}")
        if self._habits.user_data_is_text:
            try:
                spec.user_data.decode()
            except UnicodeDecodeError as error:
                raise Refused(f"the driver {self.dialect} takes user data that is text, in UTF-8") from error

    def connect(self) -> Any:
        """See the port."""
        arguments, named = self._habits.arguments(self._account, self._wants)
        return self._class(*arguments, **named)

    def look(self, driver: Any, is_ours: Callable[[Mark], bool]) -> Looked:
        """See the port."""
        nodes = self._habits.list_nodes(driver, self._wants)
        most = self._habits.listed_max
        machines = [machine for node in nodes if (machine := self._machine(node, is_ours)) is not None]
        here = {machine.machine_id for machine in machines}
        self._first_seen = {key: at for key, at in self._first_seen.items() if key in here}
        return Looked(tuple(machines), complete=most is None or len(nodes) < most)

    def one(self, driver: Any, machine_id: str, is_ours: Callable[[Mark], bool]) -> None:  # noqa: ARG002 - the port's
        """Nothing is said, for a node is read from lists alone; but the provider's "not found" is raised."""
        if self._habits.path_of_one is not None:
            path, parameters = self._habits.path_of_one
            driver.connection.request(path.format(machine_id), params=dict(parameters))

    def create(self, driver: Any, spec: LaunchSpec, name: str, mark: Mark) -> Machine:
        """See the port."""
        node = self._habits.create(driver, Order(spec, name, mark, self._wants))
        return self._made(node, mark, name)

    def decided(self, driver: Any, machine: Machine) -> Machine | None:  # noqa: ARG002 - the port's
        """The machine at once: no driver here tells more."""
        return machine

    def handles(self, driver: Any, machine_ids: Sequence[str], is_ours: Callable[[Mark], bool]) -> Sequence[Any]:
        """The nodes. Whatever bears another mark, or none, is left alone."""
        wanted = set(machine_ids)
        nodes = self._habits.list_nodes(driver, self._wants)
        return [node for node in nodes if str(node.id) in wanted and self._machine(node, is_ours) is not None]

    def destroy(self, driver: Any, handle: Any) -> None:
        """See the port."""
        self._habits.destroy(driver, handle)

    def offers(self, driver: Any) -> Offers:
        """See the port."""
        findings = []
        found: dict[str, tuple[str, ...]] = {}
        for what, ask in (("images", "list_images"), ("sizes", "list_sizes"), ("zones", "list_locations")):
            try:
                found[what] = tuple(_shown(each) for each in self._habits.listing(driver, ask, self._wants))[:NAMES_MAX]
            except NotImplementedError:
                found[what] = ()
        if self._habits.needs_location and self._wants.location is None:
            findings.append('it launches in one place at a time: set location = "..."')
        return Offers(found["images"], found["sizes"], found["zones"], (), tuple(findings))

    def _machine(self, node: Any, is_ours: Callable[[Mark], bool]) -> Machine | None:
        claim = claim_of(str(node.name))
        if claim is None or not is_ours(claim[0]):
            return None
        return self._made(node, claim[0], str(node.name))

    def _made(self, node: Any, mark: Mark, name: str) -> Machine:
        machine_id = str(node.id)
        claim = claim_of(name)
        created = node.created_at
        if not isinstance(created, datetime):
            created = self._first_seen.setdefault(machine_id, self._clock())
        state, reason = state_of(node)
        return Machine(
            machine_id,
            state,
            mark,
            created if created.tzinfo else created.replace(tzinfo=UTC),
            private_ip=next(iter(node.private_ips or ()), None),
            public_ip=next(iter(node.public_ips or ()), None),
            index=None if claim is None else claim[1],
            state_reason=reason,
        )


def _shown(thing: Any) -> str:
    """An image's, size's or place's id, with its name where that says more."""
    identity, name = str(thing.id), str(thing.name)
    return identity if identity == name or not name else f"{identity} ({name})"
