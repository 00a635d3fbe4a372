"""
Encoded members of long lists, kept for as long as they are true.

Owns: a bounded cache of XML fragments. A fragment is filed under its row's id and version; every visible change makes a
new version, so a fragment is never invalidated, only forgotten. That stays right with several gateways on one database.
"""

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock

from protocol.encode import Fragment

FRAGMENTS_MAX = 20_000
"""Fragments kept; at some 2.7 KB for a group of five that is about 54 MB. Fewer: large listings are encoded again."""


class FragmentCache:
    """The most recently used fragments. Used by reading threads at the same time."""

    def __init__(self, fragments_max: int = FRAGMENTS_MAX) -> None:
        self._fragments: OrderedDict[Hashable, Fragment] = OrderedDict()
        self._fragments_max = fragments_max
        self._lock = Lock()

    def get(self, key: Hashable) -> Fragment | None:
        """The fragment filed under *key*, or None."""
        with self._lock:
            fragment = self._fragments.get(key)
            if fragment is not None:
                self._fragments.move_to_end(key)
            return fragment

    def put(self, key: Hashable, fragment: Fragment) -> None:
        """Nothing; *fragment* is filed under *key*, and the one unused for longest may be forgotten."""
        with self._lock:
            self._fragments[key] = fragment
            if len(self._fragments) > self._fragments_max:
                self._fragments.popitem(last=False)
