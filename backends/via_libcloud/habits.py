"""
The table of what differs between Libcloud's drivers.

Owns: for each driver, how it is made, how a machine is ordered, listed and destroyed, and what it cannot do. Does not
own: the verbs (``cloud``). A driver that has no row of its own is used by what its ``create_node`` takes.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from libcloud.compute.base import NodeImage, NodeLocation, NodeSize

from backends.cloud import LaunchSpec, Mark
from backends.errors import Refused
from backends.via_libcloud.settings import Account, Wants

Arguments = tuple[tuple[Any, ...], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Order:
    """One machine to be made."""

    spec: LaunchSpec
    name: str
    mark: Mark
    wants: Wants

    @property
    def text(self) -> str | None:
        """The user data as text; None when there is none."""
        return self.spec.user_data.decode() or None

    @property
    def key_name(self) -> str | None:
        """The key pair."""
        return self.spec.key_name or self.wants.key_name

    @property
    def security_groups(self) -> tuple[str, ...]:
        """The security groups."""
        return self.spec.security_groups or self.wants.security_groups

    @property
    def label(self) -> str:
        """A short tag that finds all machines of this gateway in a provider's own console. Linode takes 50 letters."""
        return f"phantom-{self.mark.gateway_id}"

    @property
    def location(self) -> str:
        """Where. Raises Refused when nobody said."""
        where = self.spec.zone or self.wants.location
        if where is None:
            raise Refused("this provider has to be told where to launch: set location for the cloud")
        return where


def _plain(account: Account, _wants: Wants) -> Arguments:
    return (account.key, account.secret) if account.key and account.secret else (account.secret or account.key,), {}


def _token(account: Account, _wants: Wants) -> Arguments:
    """The token alone, whichever half of the account it is."""
    return (account.secret or account.key,), {}


def _with_options(account: Account, wants: Wants) -> Arguments:
    arguments, _ = _plain(account, wants)
    return arguments, dict(wants.options)


def _all_nodes(driver: Any, _wants: Wants) -> Sequence[Any]:
    return list(driver.list_nodes())


def _destroy(driver: Any, node: Any) -> None:
    driver.destroy_node(node)


def _listing(driver: Any, ask: str, _wants: Wants) -> Sequence[Any]:
    return list(getattr(driver, ask)())


@dataclass(frozen=True, slots=True)
class Habits:
    """How one driver is used. The defaults are what most drivers have in common."""

    create: Callable[[Any, Order], Any]
    arguments: Callable[[Account, Wants], Arguments] = _plain
    list_nodes: Callable[[Any, Wants], Sequence[Any]] = _all_nodes
    destroy: Callable[[Any, Any], None] = _destroy
    listing: Callable[[Any, str, Wants], Sequence[Any]] = _listing
    path_of_one: tuple[str, Mapping[str, str]] | None = None
    """Where a machine is asked for by its id, and with which parameters. None: absence from a list is all there is."""
    listed_max: int | None = None
    """A list of so many nodes may have been cut: absence from it is no evidence."""
    names_are_unique: bool = False
    needs_location: bool = False
    takes_key_name: bool = False
    takes_security_groups: bool = False
    takes_user_data: bool = True
    user_data_is_text: bool = True


# Things of a provider, named by id alone: the provider itself says when there is no such thing.


def size(identity: str, **more: Any) -> NodeSize:
    """The size of that id."""
    facts: dict[str, Any] = {"ram": 0, "disk": 0, "bandwidth": 0, "price": 0.0, "extra": {}}
    return NodeSize(id=identity, name=identity, driver=None, **(facts | more))


def image(identity: str, **extra: Any) -> NodeImage:
    """The image of that id, as a number where it is one."""
    return NodeImage(id=int(identity) if identity.isdecimal() else identity, name=identity, driver=None, extra=extra)


def place(identity: str) -> NodeLocation:
    """The place of that id."""
    return NodeLocation(id=identity, name=identity, country="", driver=None)


def found(driver: Any, ask: str, wanted: str, what: str) -> Any:
    """
    The one thing in the driver's list *ask* whose id or name is *wanted*.

    Raises:
        Refused: there is none, or there are several of this name.

    """
    things = list(getattr(driver, ask)())
    matches = [each for each in things if str(each.id) == wanted] or [each for each in things if each.name == wanted]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise Refused(f"{len(matches)} {what}s are called {wanted!r}; name it by its id")
    raise Refused(f"there is no {what} {wanted!r}")


# Drivers without a row of their own.

_SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "user_data": ("ex_userdata", "ex_user_data", "ex_cloud_init"),
    "key_name": ("ex_keyname", "ex_key_name", "ex_keypair"),
    "security_groups": ("ex_security_groups",),
}


def _create_by_signature(driver: Any, order: Order) -> Any:
    """The node, ordered with what this driver's ``create_node`` says it takes."""
    takes = inspect.signature(driver.create_node).parameters
    named: dict[str, Any] = {
        "name": order.name,
        "size": found(driver, "list_sizes", order.spec.instance_type, "size"),
        "image": found(driver, "list_images", order.spec.image_id, "image"),
    }
    if order.wants.location is not None and "location" in takes:
        named["location"] = found(driver, "list_locations", order.location, "location")
    given = {"user_data": order.text, "key_name": order.key_name, "security_groups": list(order.security_groups)}
    for what, value in given.items():
        spelling = next((name for name in _SPELLINGS[what] if name in takes), None)
        if value and spelling is None:
            raise Refused(f"its driver cannot give a machine {what.replace('_', ' ')}; leave it out")
        if value and spelling is not None:
            named[spelling] = value
    return driver.create_node(**named)


BY_NAME = Habits(_create_by_signature, _with_options, takes_key_name=True, takes_security_groups=True)
"""For drivers without a row: what they do beyond this is not known, and nobody here has tried it."""


def _create_dummy(driver: Any, order: Order) -> Any:
    """Libcloud's dummy forgets the name, and keeps the very object that it returns."""
    node = driver.create_node(order.name, size(order.spec.instance_type), image(order.spec.image_id))
    node.name = order.name
    return node


def habits_of(driver_name: str) -> Habits:
    """How the driver of that name is used."""
    from backends.via_libcloud.rows import ROWS

    return ROWS.get(driver_name, BY_NAME)


DUMMY = Habits(_create_dummy, _token, user_data_is_text=False)

FIRST_CLASS = ("digitalocean", "vultr", "linode", "scaleway", "gce", "azure_arm", "cloudstack")
"""Drivers whose row is tested against servers that answer as the provider's documentation says."""
