"""
The fake cloud itself: machines that are born, shown, doomed and forgotten, by a clock that is handed in.

Owns: machines, capacity, quota, launch tokens, staleness, and writing the ledger. Does not own: HTTP, XML, faults.
"""

import bisect
import heapq
import itertools
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random

from tests.fake_ec2.knobs import AWS, CapacityRefusal, Knobs, LaunchTags
from tests.fake_ec2.ledger import TOKEN, Cause, Entry, Ledger, What, plain_uid


class Refusal(Exception):  # noqa: N818 - what the cloud says no with; not an error of ours
    """An answer that is an error: EC2's code and words, the HTTP status, and whether it comes as a page of HTML."""

    def __init__(self, code: str, message: str, status: int = 400, *, html: bool = False) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.html = html


@dataclass(frozen=True, slots=True)
class Account:
    """One customer of the cloud. Several keys may share one *account_id*, and then share everything."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    account_id: str


@dataclass(frozen=True, slots=True)
class Order:
    """What RunInstances asks for, count aside. *fingerprint* stands for all that must be equal under one token."""

    image_id: str = "ami-00000000000000001"
    instance_type: str = "m1.small"
    token: str = ""
    zone: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    user_data: str = ""
    key_name: str = ""
    kernel_id: str = ""
    ramdisk_id: str = ""
    security_groups: tuple[str, ...] = ("default",)
    subnet_id: str = ""
    block_devices: tuple[Mapping[str, str], ...] = ()
    fingerprint: str = ""


@dataclass(slots=True, eq=False)
class Machine:
    """One machine of the fake cloud. Times are seconds of the world's clock; ``user_data`` is base64, as sent."""

    number: int
    machine_id: str
    account_id: str
    order: Order
    zone: str
    reservation_id: str
    index: int
    born_at: float
    running_at: float
    visible_at: float
    tags: dict[str, str]
    is_foreign: bool = False
    is_broken: bool = False
    shown_as: str = ""
    """A state it shows whatever it is in, such as ``stopped``; cleared by nobody."""
    doomed_at: float = math.inf
    died_at: float = math.inf
    stale_until: float = -math.inf
    listed_until: float = math.inf

    def state(self, now: float) -> str:
        """Its state by EC2's name, as a truthful listing shows it."""
        if now >= self.died_at:
            return "terminated"
        if now >= self.doomed_at:
            return "shutting-down"
        if now < self.running_at:
            return "pending"
        return "error" if self.is_broken else self.shown_as or "running"

    def shown(self, now: float) -> str | None:
        """The state that listings show, or None while they do not list it."""
        if now < self.visible_at:
            return None
        if now < self.stale_until:
            return "running"
        return self.state(now) if now < self.listed_until else None


@dataclass(slots=True)
class _Launched:
    """What a token stands for."""

    fingerprint: str
    machines: list[Machine]


class World:
    """
    A cloud. *clock* gives seconds since 1970, real or imaginary; *rng* decides ids.

    Without *accounts* every access key that shows up has an account of its own.
    """

    def __init__(
        self,
        knobs: Knobs = AWS,
        *,
        clock: Callable[[], float] = time.time,
        rng: Random | None = None,
        accounts: tuple[Account, ...] = (),
    ) -> None:
        self.knobs = knobs
        self.clock = clock
        self.machines: dict[str, Machine] = {}
        self._rng = rng or Random(0)
        self._accounts = {account.access_key_id: account for account in accounts}
        self._is_open = not accounts
        self._ledger = Ledger()
        self._numbers = itertools.count(1)
        self._listed: dict[str, list[Machine]] = {}
        self._tokens: dict[tuple[str, str], _Launched] = {}
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._due_numbers = itertools.count()
        self._in_zone: Counter[str] = Counter()
        self._of_account: Counter[str] = Counter()

    @property
    def ledger(self) -> Ledger:
        """The book, with everything in it that is due by now."""
        self.settle()
        return self._ledger

    def account_of(self, access_key_id: str) -> Account:
        """The account of a key. Raises Refusal (AuthFailure) for a key that is not known."""
        if access_key_id not in self._accounts:
            if not self._is_open or not access_key_id:
                raise Refusal("AuthFailure", "AWS was not able to validate the provided access credentials", 401)
            account_id = f"{len(self._accounts) + 1:012d}"
            self._accounts[access_key_id] = Account(access_key_id, "", account_id)
        return self._accounts[access_key_id]

    def set_accounts(self, *accounts: Account) -> None:
        """Nothing; these keys and no others are good from now on, as after a rotation."""
        self._accounts = {account.access_key_id: account for account in accounts}
        self._is_open = False

    def settle(self) -> float:
        """The time now; everything that was due until then has happened."""
        now = self.clock()
        while self._due and self._due[0][0] <= now:
            heapq.heappop(self._due)[2]()
        return now

    def known_launch(self, account_id: str, order: Order) -> list[Machine] | None:
        """
        The machines that *order*'s token stands for already, or None when it is to be launched.

        Raises:
            Refusal: IdempotentParameterMismatch, IdempotentInstanceTerminated.

        """
        now = self.settle()
        launched = self._tokens.get((account_id, order.token))
        if not self.knobs.token_is_idempotent or not order.token or launched is None:
            return None
        if now > max(machine.died_at for machine in launched.machines) + self.knobs.token_kept_s:
            return None
        is_dead = all(machine.doomed_at <= now for machine in launched.machines)
        if is_dead and not self.knobs.token_of_the_dead_is_refused:
            return None
        if launched.fingerprint != order.fingerprint and self.knobs.token_mismatch_is_refused:
            raise Refusal(
                "IdempotentParameterMismatch",
                f"Arguments on this idempotent request are inconsistent with arguments used in previous request(s) "
                f"with the client token {order.token}.",
            )
        if is_dead:
            raise Refusal("IdempotentInstanceTerminated", "The client token belongs to a terminated instance.")
        return [machine for machine in launched.machines if now < machine.listed_until]

    def launch(self, account_id: str, order: Order, count_min: int, count_max: int) -> list[Machine]:
        """
        New machines, as many as fit up to *count_max*; the token is not asked (:meth:`known_launch` is for that).

        Raises:
            Refusal: no room for *count_min* by quota or capacity.

        """
        now = self.settle()
        count = self._within_quota(account_id, count_min, count_max)
        zone, room = self._roomiest(order.zone)
        is_broken = room < count_min and self.knobs.capacity_refusal is CapacityRefusal.ERROR_STATE
        if room < count_min and not is_broken:
            raise Refusal(
                "InsufficientInstanceCapacity",
                f"We currently do not have sufficient {order.instance_type} capacity in the Availability Zone you "
                f"requested ({zone}).",
                500,
            )
        machines = self._make(account_id, order, zone, count if is_broken else min(count, room), now, broken=is_broken)
        for machine in machines:
            self._register(machine, Cause.LAUNCH)
        if order.token:
            self._tokens[account_id, order.token] = _Launched(order.fingerprint, machines)
        return machines

    def imagine(self, account_id: str, order: Order, count: int) -> list[Machine]:
        """Machines for an answer, which never exist."""
        return self._make(account_id, order, order.zone or self.knobs.zones[0], count, self.settle(), broken=False)

    def plant(self, account_id: str, order: Order, *, count: int = 1, foreign: bool = True) -> list[Machine]:
        """Machines that nobody launched through the API, running at once; *foreign* ones must never be touched."""
        now = self.settle()
        machines = self._make(account_id, order, order.zone or self.knobs.zones[0], count, now, broken=False)
        for machine in machines:
            machine.running_at = machine.visible_at = now
            machine.tags = dict(order.tags)
            machine.is_foreign = foreign
            self._register(machine, Cause.PLANT)
        return machines

    def find(self, account_id: str, machine_id: str) -> Machine | None:
        """The machine of that account as listings would show it, or None."""
        now = self.settle()
        machine = self.machines.get(machine_id)
        if machine is None or machine.account_id != account_id or machine.shown(now) is None:
            return None
        return machine

    def kill(self, machine_id: str, cause: Cause = Cause.OPERATOR) -> None:
        """Nothing; the machine is gone at once, by no call of a client. Raises KeyError when there is none."""
        self._doom(self.machines[machine_id], self.settle(), cause)

    def terminate(self, machine: Machine) -> None:
        """Nothing; the end of *machine* is accepted. The second time changes nothing."""
        self._doom(machine, self.settle(), Cause.TERMINATE)

    def touch(self, machine: Machine, cause: Cause) -> None:
        """Nothing; the book says that a client laid hands on *machine*."""
        self._write(What.TOUCHED, cause, machine, self.settle())

    def listing(self, account_id: str, after: int = 0) -> Iterator[tuple[Machine, str]]:
        """(machine, shown state) of everything that shows up, by number, from above *after* on."""
        now = self.settle()
        listed = self._listed.get(account_id, [])
        start = bisect.bisect_right(listed, after, key=lambda machine: machine.number)
        for position in range(start, len(listed)):
            machine = listed[position]
            shown = machine.shown(now)
            if shown is not None:
                yield machine, shown

    def _within_quota(self, account_id: str, count_min: int, count_max: int) -> int:
        if self.knobs.quota is None:
            return count_max
        left = self.knobs.quota - self._of_account[account_id]
        if left < count_min:
            raise Refusal(
                self.knobs.quota_code,
                f"Quota exceeded for instances: you have requested more instances ({count_max}) than your limit of "
                f"{self.knobs.quota} allows.",
                self.knobs.quota_status,
            )
        return min(count_max, left)

    def _roomiest(self, zone: str) -> tuple[str, int]:
        """The zone that a launch goes to, and how many machines fit there."""
        if zone and zone not in self.knobs.zones:
            raise Refusal("InvalidParameterValue", f"Invalid availability zone: [{zone}]")
        total = self.knobs.capacity
        left = 1_000_000 if total is None else total - self._in_zone.total()
        rooms = {
            name: min(left, self.knobs.capacity_by_zone.get(name, 1_000_000) - self._in_zone[name])
            for name in ([zone] if zone else self.knobs.zones)
        }
        best = max(rooms, key=lambda name: (rooms[name], -self._in_zone[name]))
        return best, max(0, rooms[best])

    def _make(self, account_id: str, order: Order, zone: str, count: int, now: float, *, broken: bool) -> list[Machine]:
        reservation_id = f"r-{self._digits()}"
        tags = dict(order.tags) if self.knobs.tags_at_launch is LaunchTags.HONOURED else {}
        return [
            Machine(
                number=next(self._numbers),
                machine_id=f"i-{self._digits()}",
                account_id=account_id,
                order=order,
                zone=zone,
                reservation_id=reservation_id,
                index=index,
                born_at=now,
                running_at=now + self.knobs.pending_s,
                visible_at=now + self.knobs.hidden_s,
                tags=dict(tags),
                is_broken=broken,
            )
            for index in range(count)
        ]

    def _digits(self) -> str:
        digits = self.knobs.id_digits
        while True:
            found = f"{self._rng.getrandbits(4 * digits):0{digits}x}"
            if f"i-{found}" not in self.machines:
                return found

    def _register(self, machine: Machine, cause: Cause) -> None:
        self.machines[machine.machine_id] = machine
        self._listed.setdefault(machine.account_id, []).append(machine)
        self._of_account[machine.account_id] += 1
        if not machine.is_broken:
            self._in_zone[machine.zone] += 1
        self._write(What.BORN, cause, machine, machine.born_at)
        if self.knobs.dies_after_s is not None and not machine.is_foreign:
            at = machine.born_at + self.knobs.dies_after_s
            self._at(at, lambda: self._doom(machine, at, Cause.FATE))

    def _doom(self, machine: Machine, now: float, cause: Cause) -> None:
        if machine.doomed_at <= now:
            return
        machine.doomed_at = now
        machine.died_at = now + (self.knobs.shutting_down_s if cause is Cause.TERMINATE else 0.0)
        machine.stale_until = now + self.knobs.stale_s
        machine.listed_until = max(machine.died_at + self.knobs.terminated_listed_s, machine.stale_until)
        self._write(What.DOOMED, cause, machine, now)
        self._at(machine.died_at, lambda: self._release(machine))
        if machine.listed_until < math.inf:
            self._at(machine.listed_until, lambda: self._unlist(machine))

    def _release(self, machine: Machine) -> None:
        self._of_account[machine.account_id] -= 1
        if not machine.is_broken:
            self._in_zone[machine.zone] -= 1

    def _unlist(self, machine: Machine) -> None:
        listed = self._listed[machine.account_id]
        del listed[bisect.bisect_left(listed, machine.number, key=lambda other: other.number)]

    def _at(self, due: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._due, (due, next(self._due_numbers), what))

    def _write(self, what: What, cause: Cause, machine: Machine, at: float) -> None:
        found = None if machine.is_foreign else TOKEN.fullmatch(machine.order.token)
        tags = {} if machine.is_foreign else machine.order.tags
        self._ledger.write(
            Entry(
                at=at,
                what=what,
                cause=cause,
                machine_id=machine.machine_id,
                account_id=machine.account_id,
                token=machine.order.token,
                group_uid=found["group_uid"] if found else plain_uid(tags.get("phantom-group", "")),
                gateway_id=found["gateway_id"] if found else tags.get("phantom-gateway", ""),
                is_foreign=machine.is_foreign,
                is_broken=machine.is_broken,
            )
        )
