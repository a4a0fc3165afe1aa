"""The text format of Prometheus: escaped, readable again, and documented."""

import re
from pathlib import Path

import pytest

from auditor.metrics import exposition
from auditor.metrics.figures import NEVER, Figures
from auditor.metrics.names import METRICS

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"


def test_labels_are_escaped_and_read_again() -> None:
    odd = 'a "quoted" \\ back\nslash}'
    figures: dict[str, Figures] = {
        odd: dict(NEVER),
        "contoso": {("auditor_changes", "newly_restricted"): 3.0},
    }
    text = exposition.text(figures).decode()
    assert r'partner="a \"quoted\" \\ back\nslash}"' in text
    assert text.count("\n# TYPE auditor_changes gauge\n") == 1
    assert exposition.read(text) == figures


def test_a_metric_of_another_program_is_not_read() -> None:
    assert exposition.read('up{partner="contoso"} 1\n') == {}


def test_what_is_not_in_the_format_is_refused() -> None:
    with pytest.raises(ValueError, match="could not convert"):
        exposition.read("auditor_calls{partner=")


def test_the_page_describes_every_metric_with_its_labels() -> None:
    described = dict(
        re.findall(r"^\| `(auditor_\w+)\{partner(?:,(\w+))?\}`", PAGE.read_text(), re.MULTILINE)
    )
    assert described == {name: metric.label for name, metric in METRICS.items()}
