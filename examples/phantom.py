"""
The JSON API of a Phantom gateway, in the few calls that a decision engine makes.

Take this file along with the engine that you copy. ``eval "$(phantom-gateway env)"`` sets what it reads.
"""

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

ANSWER_S_MAX = 30
"""How long a call may take. The gateway answers within milliseconds: it never makes a caller wait for a cloud."""

SILENCE_S_MAX = 40
"""How long a stream of events may be silent before it is taken for dead: the gateway says something every 15 s."""

RETRIES = 6
"""How often what can be repeated is tried again when nobody answers: for 13 s, in which a gateway starts again."""

GONE = 404
"""What is asked for may have been deleted since it was found, by somebody else or by yourself."""

REFUSALS = range(400, 500)
"""Statuses that trying again does not mend."""


class Phantom:
    """A gateway as one user sees it. Every failure ends the program with the gateway's own words."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        missing = [name for name in ("PHANTOM_URL", "USER_ID", "TOKEN") if name not in environ]
        if missing:
            sys.exit(f"{', '.join(missing)} is not set; see: phantom-gateway env")
        self._url = environ["PHANTOM_URL"]
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=Retry(RETRIES, backoff_factor=0.2)))
        self._session.auth = (environ["USER_ID"], environ["TOKEN"])

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """What the gateway answers to *method* on *path*; None when that is nothing, or what was asked for is gone."""
        answer = self._session.request(method, self._url + path, json=body, timeout=ANSWER_S_MAX)
        if method == "GET" and answer.status_code == GONE:
            return None
        if not answer.ok:
            sys.exit(f"{method} {path}: {answer.text}")
        return answer.json() if answer.content else None

    def find(self, kind: str, name: str) -> Any:
        """The domain or launch configuration (*kind*: its path) called *name*, or None."""
        return next((found for found in self.call("GET", kind) if found["name"] == name), None)

    def put(self, kind: str, body: Mapping[str, Any]) -> Any:
        """The domain or launch configuration that *body* describes: made, or replaced where there is one already."""
        existing = self.find(kind, body["name"])
        return self.call("PUT", f"{kind}/{existing['id']}", body) if existing else self.call("POST", kind, body)

    def events(self) -> Iterator[tuple[str, Any]]:
        """
        Kind and data of everything that changes from now on: ``instance``, ``activity``, ``domain``; ``gap`` when some
        were missed. Never ends: after whatever cut it off, it goes on where it was. The first is ``begun``, of nothing:
        read the lists then, and nothing is missed in between.
        """
        headers: dict[str, str] = {}
        kind = ""
        while True:
            try:
                with self._session.get(
                    self._url + "/events", headers=headers, stream=True, timeout=SILENCE_S_MAX
                ) as answer:
                    if answer.status_code in REFUSALS:
                        sys.exit(f"GET /events: {answer.text}")
                    for line in answer.iter_lines(chunk_size=1) if answer.ok else ():
                        field, _, value = line.decode().partition(": ")
                        if field == "id":
                            is_first = not headers
                            headers["Last-Event-ID"] = value
                            if is_first:
                                yield "begun", None
                        elif field == "event":
                            kind = value
                        elif field == "data":
                            yield kind, json.loads(value)
            except requests.RequestException as error:
                print(f"the stream of events was cut off: {error}", file=sys.stderr, flush=True)
            time.sleep(1)

    def states(self, domain: Mapping[str, Any]) -> Counter[str]:
        """How many VMs of *domain* are in which state: none of any when it is gone."""
        return Counter(vm["lifecycle_state"] for vm in self.call("GET", f"/domains/{domain['id']}/instances") or ())

    def settle(self, domain: Mapping[str, Any], wait_s_max: float, poll_s: float = 0.5) -> None:
        """Nothing, as soon as *domain* has as many VMs running as it wants, and no others."""
        deadline = time.monotonic() + wait_s_max
        while (states := self.states(domain)) != Counter(
            {"600-RUNNING": domain["vm_count"]} if domain["vm_count"] else {}
        ):
            if time.monotonic() > deadline:
                sys.exit(
                    f"after {wait_s_max:g} s, {domain['name']} wants {domain['vm_count']} VMs and has {dict(states)}"
                )
            time.sleep(poll_s)


def on_clouds(name: str, image: str, clouds: list[str], vms_max: int = -1) -> dict[str, Any]:
    """A launch configuration of *image* on *clouds*, best first, with at most *vms_max* on each (-1: no limit)."""
    shares = {
        cloud: {"image_id": image, "instance_type": "m1.small", "max_vms": vms_max, "common": True, "rank": rank}
        for rank, cloud in enumerate(clouds, start=1)
    }
    return {"name": name, "cloud_params": shares}
