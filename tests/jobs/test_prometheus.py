"""The alert rules and the dashboard for Prometheus: valid, tested, and about metrics that exist."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from auditor.metrics.names import METRICS

JOBS = Path(__file__).parents[2] / "jobs" / "prometheus"
DASHBOARD = json.loads((JOBS / "dashboard.json").read_text("utf-8"))
RULES = yaml.safe_load((JOBS / "rules.yml").read_text("utf-8"))
NAME = re.compile(r"\bauditor_\w+")

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (package prometheus)"
)


def promtool(*words: str) -> None:
    ran = subprocess.run(
        ["promtool", *words], capture_output=True, text=True, check=False, cwd=JOBS
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


@needs_promtool
def test_promtool_accepts_the_rules_and_the_configuration() -> None:
    promtool("check", "rules", "rules.yml")
    promtool("check", "config", "prometheus.yml")


@needs_promtool
def test_each_rule_alerts_when_it_should_and_else_not() -> None:
    promtool("test", "rules", "rules_test.yml")


def alerts() -> list[str]:
    return [rule["alert"] for group in RULES["groups"] for rule in group["rules"]]


def test_each_rule_has_a_test_that_expects_its_alert() -> None:
    tests = yaml.safe_load((JOBS / "rules_test.yml").read_text("utf-8"))["tests"]
    expected = {
        case["alertname"]
        for test in tests
        for case in test["alert_rule_test"]
        if case.get("exp_alerts")
    }
    assert expected == set(alerts())


def test_every_rule_names_only_metrics_that_are_exported() -> None:
    expressions = [rule["expr"] for group in RULES["groups"] for rule in group["rules"]]
    assert all(set(NAME.findall(each)) for each in expressions)
    assert {name for each in expressions for name in NAME.findall(each)} <= METRICS.keys()


def test_every_query_of_the_dashboard_names_only_metrics_that_are_exported() -> None:
    queries = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    queries += [
        each["definition"] for each in DASHBOARD["templating"]["list"] if "query" in each["type"]
    ]
    assert all(set(NAME.findall(each)) for each in queries)
    assert {name for each in queries for name in NAME.findall(each)} <= METRICS.keys()
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            [name] = NAME.findall(target["expr"])
            label = METRICS[name].label
            legend = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            is_summed = "sum by (partner)" in target["expr"]
            assert legend == {"partner"} | ({label} if label and not is_summed else set())


def test_every_metric_is_on_the_dashboard_or_in_a_rule() -> None:
    shown = set(NAME.findall(json.dumps(DASHBOARD))) | set(NAME.findall(json.dumps(RULES)))
    assert METRICS.keys() - shown == {
        "auditor_last_attempt_timestamp_seconds",
        "auditor_last_full_timestamp_seconds",
    }
