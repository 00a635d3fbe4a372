"""
What is shipped for those who watch: rules that fire when they should and not otherwise, panels without dead figures.

Owns: files in ``deploy``, and ``docs/metrics.md``. Does not own: the figures (``tests/processes/test_metrics``).
"""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from phantom_gateway import metrics

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "alerts.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboard.json"
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool (Debian: prometheus) is not installed")

FIRING = {
    "PhantomGatewayDown": ('up{job="phantom-gateway", instance="a"}', "0x120"),
    "PhantomRecordsUnavailable": ('phantom_records_up{instance="a"}', "0x120"),
    "PhantomFrozen": ('phantom_freezes{instance="a", scope="group"}', "1x120"),
    "PhantomFuseBlown": ('phantom_fused_groups{instance="a", fuse="health"}', "2x120"),
    "PhantomCloudBlind": ('phantom_accounts{instance="a", cloud="hotel", state="blind"}', "1x120"),
    "PhantomBreakerOpen": ('phantom_breakers{instance="a", cloud="hotel", state="open"}', "1x120"),
    "PhantomOrphans": ('phantom_orphans{instance="a", cloud="hotel"}', "3x120"),
    "PhantomPassesFail": ('phantom_passes_total{instance="a", outcome="failed"}', "0+1x120"),
    "PhantomRequestsFail": ('phantom_requests_total{instance="a", door="aws", status="503"}', "0+1x120"),
    "PhantomInstancesMissing": ('phantom_desired_instances{instance="a"}', "5x120"),
}
"""Alert -> the series that makes it fire within two hours."""

QUIET = [
    ('up{job="phantom-gateway", instance="a"}', "1x120"),
    ('phantom_records_up{instance="a"}', "1x120"),
    ('phantom_freezes{instance="a", scope="all"}', "0x120"),
    ('phantom_accounts{instance="a", cloud="hotel", state="seen"}', "4x120"),
    ('phantom_breakers{instance="a", cloud="hotel", state="closed"}', "4x120"),
    ('phantom_desired_instances{instance="a"}', "5x120"),
    ('phantom_instances{instance="a", cloud="hotel", state="InService"}', "5x120"),
    ('phantom_passes_total{instance="a", outcome="done"}', "0+60x120"),
    ('phantom_requests_total{instance="a", door="aws", status="400"}', "0+60x120"),
]


def names() -> set[str]:
    """Every name that a query may use."""
    found = {"up"}
    for measure in metrics.TABLE:
        ends = ("_bucket", "_sum", "_count") if measure.kind == "histogram" else ("",)
        found |= {measure.name + end for end in ends}
    return found


def used(query: str) -> set[str]:
    """The metrics that *query* names."""
    return set(re.findall(r"\b(?:up|phantom_\w+)\b", re.sub(r'"[^"]*"', "", query)))


def alerts() -> list[dict[str, str]]:
    """The alerts that are shipped."""
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def test_the_page_of_metrics_is_that_of_the_program() -> None:
    """``make metrics`` writes it."""
    assert (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8") == metrics.page()


def test_rules_use_metrics_that_exist() -> None:
    """A mistyped name would never fire."""
    assert {name for rule in alerts() for name in used(rule["expr"])} <= names()


def test_panels_use_metrics_that_exist_and_every_metric_is_on_one() -> None:
    """A figure that nobody looks at need not be kept."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    shown = {name for panel in panels for target in panel["targets"] for name in used(target["expr"])}

    assert shown <= names()
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown} == {each.name for each in metrics.TABLE}


def test_every_alert_has_its_case() -> None:
    """Here, for promtool."""
    assert sorted(rule["alert"] for rule in alerts()) == sorted(FIRING)


def series(*facts: tuple[str, str]) -> list[dict[str, str]]:
    """Input of promtool."""
    return [{"series": name, "values": values} for name, values in facts]


@needs_promtool
@pytest.mark.parametrize("alert", sorted(FIRING))
def test_an_alert_fires(alert: str, tmp_path: Path) -> None:
    """Within two hours of what it is about."""
    assert judged(
        tmp_path,
        series(FIRING[alert]),
        f"{alert} fired",
        f'count(ALERTS{{alertname="{alert}", alertstate="firing"}})',
        1,
    )


@needs_promtool
def test_some_of_many_instances_missing_is_an_alert_too(tmp_path: Path) -> None:
    """Not only that all of them are."""
    some = ('phantom_instances{instance="a", cloud="hotel", state="InService"}', "3x120")
    query = 'count(ALERTS{alertname="PhantomInstancesMissing", alertstate="firing"})'

    assert judged(tmp_path, series(FIRING["PhantomInstancesMissing"], some), "two of five", query, 1)


@needs_promtool
def test_no_alert_fires_when_all_is_well(tmp_path: Path) -> None:
    """Whoever is woken for nothing stops listening."""
    assert judged(tmp_path, series(*QUIET), "nothing fired", 'count(ALERTS{alertstate="firing"}) or vector(0)', 0)


def judged(directory: Path, given: list[dict[str, str]], name: str, query: str, value: int) -> bool:
    """True when *query* has this *value* after two hours of what is *given*. Raises AssertionError with the story."""
    test = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "name": name,
                "interval": "1m",
                "input_series": given,
                "promql_expr_test": [
                    {"expr": query, "eval_time": "2h", "exp_samples": [{"labels": "{}", "value": value}]}
                ],
            }
        ],
    }
    file = directory / "test.yml"
    file.write_text(yaml.safe_dump(test))
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return True
