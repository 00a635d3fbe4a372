"""
Collection of group metrics: none is built yet, so none can be enabled.

Owns: saying so truthfully. Ansible and Terraform disable what is not wanted on every run; that holds already.
"""

from dataclasses import dataclass

from phantom_gateway.operations.constants import METRICS
from phantom_gateway.operations.desk import Desk, invalid
from phantom_gateway.operations.lookup import find_group
from phantom_gateway.operations.table import operation


@dataclass(frozen=True, slots=True)
class DisableMetricsCollectionParams:
    """Input of DisableMetricsCollection; no metric named means all of them."""

    auto_scaling_group_name: str
    metrics: list[str] | None = None


@operation("DisableMetricsCollection", writes=True)
def disable_metrics_collection(desk: Desk, p: DisableMetricsCollectionParams) -> None:
    """Nothing; the metrics are not collected. Raises ValidationError for an unknown group or metric."""
    find_group(desk, p.auto_scaling_group_name)
    for name in p.metrics or []:
        if name not in METRICS:
            raise invalid(f"{name} is not a group metric; the metrics are: {', '.join(METRICS)}.")
