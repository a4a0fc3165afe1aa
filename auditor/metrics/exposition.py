"""The text format of Prometheus, written and read by its own library."""

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from auditor.metrics.figures import Figures
from auditor.metrics.names import METRICS

_PARTNER = "partner"


def registry(figures: Mapping[str, Figures]) -> CollectorRegistry:
    """Return a registry with the values of partners, by partner name."""
    found = CollectorRegistry()
    found.register(_Gauges(figures))
    return found


def text(figures: Mapping[str, Figures]) -> bytes:
    """Return the text format of the values of partners, by partner name."""
    return generate_latest(registry(figures))


def read(exposed: str) -> dict[str, Figures]:
    """Return the values in a text that `text` made, by partner name.

    Raises:
        ValueError: it is not in the text format.
    """
    found: dict[str, Figures] = {}
    for family in text_string_to_metric_families(exposed):
        metric = METRICS.get(family.name)
        for sample in family.samples if metric else ():
            second = sample.labels.get(metric.label, "") if metric else ""
            of_partner = found.setdefault(sample.labels.get(_PARTNER, ""), {})
            of_partner[family.name, second] = sample.value
    return found


class _Gauges(Collector):
    def __init__(self, figures: Mapping[str, Figures]) -> None:
        self._figures = figures

    def collect(self) -> Iterable[Metric]:
        for name, metric in METRICS.items():
            labels = [_PARTNER, metric.label] if metric.label else [_PARTNER]
            family = GaugeMetricFamily(name, metric.help, labels=labels)
            for partner, figures in sorted(self._figures.items()):
                for (key, second), value in sorted(figures.items()):
                    if key == name:
                        family.add_metric([partner, second] if metric.label else [partner], value)
            if family.samples:
                yield family
