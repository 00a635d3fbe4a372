"""
What can be measured from outside: the figures of ``/metrics``, each with its name, its labels and its meaning.

Owns: the table of metrics, and all use of prometheus-client. Labels are operations, clouds, states and the like, whose
number is bounded by the program and its configuration: never a name that a user gives. Does not own: the figures.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal, Protocol

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client import Counter as PrometheusCounter
from prometheus_client import Histogram as PrometheusHistogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from reconciler.tally import Status, Tally

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Most answers take under 5 ms; clients give up after some seconds."""

OTHER = "other"
"""The operation of a request that names none, or none that there is."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One metric. The name of a counter ends in ``_total``, that of a duration in ``_seconds``."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    about: str
    labels: tuple[str, ...] = ()


TABLE = (
    Measure("phantom_build_info", "gauge", "1, with the version that runs.", ("version",)),
    Measure("phantom_requests_total", "counter", "Requests answered.", ("door", "operation", "status")),
    Measure("phantom_request_seconds", "histogram", "Time from a request's head to its answer.", ("door", "operation")),
    Measure("phantom_repeats_total", "counter", "Requests that came again and got the recorded answer."),
    Measure("phantom_records_up", "gauge", "1 while the records can be read, else 0."),
    Measure("phantom_groups", "gauge", "Groups, living ones and those being deleted.", ("state",)),
    Measure("phantom_desired_instances", "gauge", "What all living groups want together."),
    Measure("phantom_instances", "gauge", "Instances of the ledger.", ("cloud", "state")),
    Measure("phantom_passes_total", "counter", "Passes over groups, by how they ended.", ("outcome",)),
    Measure("phantom_queue_depth", "gauge", "Groups that wait for a pass, although their time has come."),
    Measure("phantom_launched_total", "counter", "Machines that launches brought.", ("cloud",)),
    Measure("phantom_launches_failed_total", "counter", "Launch calls that brought less than asked.", ("cloud",)),
    Measure("phantom_terminated_total", "counter", "Machines whose termination a cloud accepted.", ("cloud",)),
    Measure("phantom_reaped_total", "counter", "Those of them that nothing in the ledger stood for.", ("cloud",)),
    Measure("phantom_adopted_total", "counter", "Machines found again and taken into their group.", ("cloud",)),
    Measure("phantom_accounts", "gauge", "Accounts by whether they can be seen.", ("cloud", "state")),
    Measure("phantom_sweep_age_seconds", "gauge", "Age of the oldest picture of an account there.", ("cloud",)),
    Measure("phantom_breakers", "gauge", "Accounts by the state of their breaker.", ("cloud", "state")),
    Measure("phantom_freezes", "gauge", "Freezes in force.", ("scope",)),
    Measure("phantom_fused_groups", "gauge", "Groups that a fuse holds up.", ("fuse",)),
    Measure("phantom_orphans", "gauge", "Machines of ours whose group nobody knows.", ("cloud",)),
)
"""Every metric there is; ``docs/metrics.md`` is made from it."""

_BY_NAME = {measure.name: measure for measure in TABLE}


@dataclass(frozen=True, slots=True)
class Counted:
    """What the records hold: groups by state, and instances by cloud and state."""

    groups: Mapping[str, int]
    desired: int
    instances: Mapping[tuple[str, str], int]


class Watched(Protocol):
    """What the reconciler tells of itself."""

    tally: Tally

    def status(self) -> Status:
        """How things are just now."""
        ...


class Meter:
    """Counts requests as they are answered. Cheap: some 3 us each."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = CollectorRegistry() if registry is None else registry
        self._requests = PrometheusCounter(
            "phantom_requests",
            _about("phantom_requests_total"),
            _labels("phantom_requests_total"),
            registry=self.registry,
        )
        self._seconds = PrometheusHistogram(
            "phantom_request_seconds",
            _about("phantom_request_seconds"),
            _labels("phantom_request_seconds"),
            registry=self.registry,
            buckets=BUCKETS_S,
        )
        self._repeats = PrometheusCounter("phantom_repeats", _about("phantom_repeats_total"), registry=self.registry)
        self._known: dict[tuple[str, str, int], tuple[PrometheusCounter, PrometheusHistogram]] = {}

    def answered(self, door: str, operation: str, status: int, took_s: float) -> None:
        """Nothing; a request was answered. *operation* is one that there is, or ``OTHER``."""
        known = self._known.get((door, operation, status))
        if known is None:
            known = (self._requests.labels(door, operation, str(status)), self._seconds.labels(door, operation))
            self._known[door, operation, status] = known
        known[0].inc()
        known[1].observe(took_s)

    def repeated(self) -> None:
        """Nothing; a request got the recorded answer."""
        self._repeats.inc()


class Figures(Collector):
    """The figures that are read when somebody asks. *counted* is None while the records cannot be read."""

    def __init__(self, watched: Watched) -> None:
        self.counted: Counted | None = None
        self._watched = watched

    def describe(self) -> Iterable[Metric]:
        """Nothing: asking would read what is not there yet."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Every metric but those of requests."""
        yield _family("phantom_build_info", {(version("phantom-gateway"),): 1})
        yield _family("phantom_records_up", {(): int(self.counted is not None)})
        if self.counted is not None:
            yield _family("phantom_groups", self.counted.groups)
            yield _family("phantom_desired_instances", {(): self.counted.desired})
            yield _family("phantom_instances", self.counted.instances)
        tally, status = self._watched.tally, self._watched.status()
        yield _family("phantom_passes_total", tally.passes)
        yield _family("phantom_queue_depth", {(): status.queued})
        yield _family("phantom_launched_total", tally.launched)
        yield _family("phantom_launches_failed_total", tally.launches_failed)
        yield _family("phantom_terminated_total", tally.terminated)
        yield _family("phantom_reaped_total", tally.reaped)
        yield _family("phantom_adopted_total", tally.adopted)
        yield _family("phantom_accounts", status.accounts)
        yield _family("phantom_sweep_age_seconds", status.sweep_age_s)
        yield _family("phantom_breakers", status.breakers)
        yield _family("phantom_freezes", Counter({"all": 0}) | Counter(status.freezes))
        yield _family("phantom_fused_groups", status.fused)
        yield _family("phantom_orphans", status.orphans)


def exposition(registry: CollectorRegistry) -> bytes:
    """All figures of *registry* in Prometheus's text format."""
    return generate_latest(registry)


def page() -> str:
    """``docs/metrics.md``."""
    rows = [
        f"| `{measure.name}` | {measure.kind} | {', '.join(f'`{label}`' for label in measure.labels) or '-'} | "
        f"{measure.about} |"
        for measure in TABLE
    ]
    return "\n".join([_PAGE_HEAD, "| metric | kind | labels | what it says |", "|---|---|---|---|", *rows, ""])


_PAGE_HEAD = """\
# Metrics

`GET /metrics` answers in Prometheus's text format, without a signature. It names clouds, operations and states, and
neither users nor groups. Counters begin at nothing when the process starts. Made from the program by `make metrics`;
[deploy](../deploy/README.md) has alert rules and a dashboard.
"""


def _family(name: str, values: Mapping[Any, float]) -> Metric:
    """The metric called *name*; keys of *values* are its one label, or a tuple of them."""
    measure = _BY_NAME[name]
    kind = CounterMetricFamily if measure.kind == "counter" else GaugeMetricFamily
    family = kind(name.removesuffix("_total"), measure.about, labels=measure.labels)
    for key, value in sorted(values.items()):
        labels = [key] if isinstance(key, str) else list(key)
        family.add_metric(labels, value)
    return family


def _about(name: str) -> str:
    return _BY_NAME[name].about


def _labels(name: str) -> tuple[str, ...]:
    return _BY_NAME[name].labels


if __name__ == "__main__":
    import sys

    sys.stdout.write(page())
