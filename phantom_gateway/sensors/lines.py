"""
A conversation in OpenTSDB's line protocol: ``put``, ``version``, ``stats`` and what else a sender may say.

Owns: the commands and their answers, and when a sender has talked too much nonsense. Does not own: sockets
(``receiver``), or what a point counts for.
"""

import hashlib
from collections.abc import Sequence
from importlib.metadata import version

from phantom_gateway.sensors.intake import Intake
from phantom_gateway.sensors.points import Malformed, Point, read_line, read_tags
from phantom_gateway.sensors.senders import Senders, credentials_in
from phantom_gateway.sensors.whereabouts import NoTarget, Target

NONSENSE_MAX = 100
"""Lines in a row that are no command or no point. A sender that has the wrong port never says anything else."""

KNOWN_MAX = 2_000
"""Different sets of tags remembered in one conversation: a VM sends its disks and networks, some hundred."""

HELP = b"available commands: exit help put stats version\n"


class Conversation:
    """What one connection says. *on_loopback*: it comes from this machine."""

    def __init__(self, intake: Intake, senders: Senders, *, on_loopback: bool) -> None:
        self._intake = intake
        self._senders = senders
        self._on_loopback = on_loopback
        self._known: dict[bytes, Target] = {}
        """By a hash of the tags, which may hold a password: whose points with them are."""
        self._known_from = -1
        self._nonsense = 0
        self.is_over = False

    async def answers(self, lines: Sequence[bytes], now_s: float) -> bytes:
        """
        What to answer to *lines*: nothing to points that are well-formed, whether they count or not, as OpenTSDB.

        Sets ``is_over`` when the connection is to be closed after it. Raises RecordsUnavailable.
        """
        said = []
        for line in lines:
            if line[:4] == b"put ":
                trouble = await self._put(line, now_s)
            else:
                trouble = self._command(line.strip())
            if trouble:
                said.append(trouble)
            if self._nonsense >= NONSENSE_MAX:
                self._intake.counts["cut_off"] += 1
                self.is_over = True
            if self.is_over:
                break
        return b"".join(said)

    async def _put(self, line: bytes, now_s: float) -> bytes:
        counts = self._intake.counts
        try:
            point = read_line(line)
            target = await self._target(point)
        except Malformed as malformed:
            counts[malformed.reason] += 1
            self._nonsense += malformed.reason == "malformed"
            return b"put: " + str(malformed).encode() + b"\n"
        except NoTarget as nobody:
            counts[nobody.reason] += 1
            return b""
        self._nonsense = 0
        reason = self._intake.take(target, point.metric, point.at_s, point.value, now_s)
        if reason is not None:
            counts[reason] += 1
        return b""

    async def _target(self, point: Point) -> Target:
        assert isinstance(point.tags, bytes)
        if self._known_from != self._intake.looks or len(self._known) >= KNOWN_MAX:
            self._known.clear()
            self._known_from = self._intake.looks
        key = hashlib.blake2b(point.tags, digest_size=16).digest()
        known = self._known.get(key)
        if known is None:
            tags = read_tags(point.tags)
            user_id = await self._senders.user_id(credentials_in(tags), on_loopback=self._on_loopback)
            known = self._known[key] = await self._intake.find(tags, user_id)
        return known

    def _command(self, line: bytes) -> bytes:
        word = line.split(None, 1)[0] if line else b""
        if word in {b"", b"exit"}:
            self.is_over = word == b"exit"
            return b""
        if word == b"version":
            return f"phantom-gateway {version('phantom-gateway')}, a receiver of OpenTSDB's put lines\n".encode()
        if word == b"stats":
            return self._stats()
        if word == b"help":
            return HELP
        if word == b"put":  # alone, or before a tab
            self._intake.counts["malformed"] += 1
        self._nonsense += 1
        shown = word[:32].decode("ascii", "replace").encode("ascii", "replace")
        return b"unknown command: " + shown + b". Try `help'.\n"

    def _stats(self) -> bytes:
        """The counters of all senders together: they name nobody."""
        counts = self._intake.counts
        return "".join(f"phantom.sensors.{name} {counts[name]}\n" for name in sorted(counts)).encode() or b"\n"
