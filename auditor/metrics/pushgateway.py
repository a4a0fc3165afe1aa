"""Sends metrics to a Prometheus Pushgateway: one group for each partner.

So two processes that audit two partners do not overwrite each other's values.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from prometheus_client import CollectorRegistry, push_to_gateway, pushadd_to_gateway

from auditor.errors import AuditorError
from auditor.https import Https, address
from auditor.metrics import exposition
from auditor.metrics.figures import Figures

_JOB = "auditor"
_REFUSED = 300

Headers = Sequence[tuple[str, str | bytes]]


class PushRefused(AuditorError):
    """The Pushgateway does not accept the metrics."""

    code = "E_METRICS"


class Pushgateway:
    """A Pushgateway at a URL, which may hold a user and a password."""

    def __init__(self, url: str, *, ca_file: Path | None = None) -> None:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        self._url = urlunsplit((parts.scheme, host, parts.path, "", ""))
        self._login: dict[str, str] = {}
        if parts.username:
            user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._login["Authorization"] = f"Basic {base64.b64encode(user.encode()).decode()}"
        self._https = Https(ca_file=ca_file)

    def push(self, figures: Mapping[str, Figures], *, is_whole: bool) -> None:
        """Send the values of partners, by partner name.

        If `is_whole`, they replace all that the gateway has of these partners. Otherwise other
        metrics of these partners stay.

        Raises:
            Unreachable: no answer in time; the partners after this one are not tried.
            PushRefused: the gateway does not accept them.
        """
        send = push_to_gateway if is_whole else pushadd_to_gateway
        for partner, values in figures.items():
            send(
                self._url,
                _JOB,
                _registry(partner, values),
                grouping_key={"partner": partner},
                handler=self._handler,
            )

    def _handler(
        self, url: str, method: str, timeout: float | None, headers: Headers, data: bytes
    ) -> Callable[[], None]:
        del timeout  # `Https` has its own

        def send() -> None:
            given = {name: str(value) for name, value in headers}
            reply = self._https.send(method, url, headers=given | self._login, body=data)
            if reply.status >= _REFUSED:
                raise PushRefused(f"{address(url)} answers {reply.status}")

        return send


def _registry(partner: str, values: Figures) -> CollectorRegistry:
    return exposition.registry({partner: values})
