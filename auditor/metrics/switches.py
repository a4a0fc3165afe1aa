"""Which kinds of telemetry the environment asks for, by the variables of their own standards.

Nothing is imported for what is off.
"""

from collections.abc import Mapping

_TRUE = "true"
_OTLP = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_OPENLINEAGE = ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG")
_OPENLINEAGE_TRANSPORT = "OPENLINEAGE__TRANSPORT"


def wants_traces(environ: Mapping[str, str]) -> bool:
    """Return whether OTEL_… variables ask for traces over OTLP."""
    if _word(environ, "OTEL_SDK_DISABLED") == _TRUE:
        return False
    if exporter := _word(environ, "OTEL_TRACES_EXPORTER"):
        return exporter == "otlp"
    return any(environ.get(name) for name in _OTLP)


def wants_lineage(environ: Mapping[str, str]) -> bool:
    """Return whether OPENLINEAGE_… variables say where lineage events go."""
    if _word(environ, "OPENLINEAGE_DISABLED") == _TRUE:
        return False
    names = [name for name, value in environ.items() if value]
    return any(each in _OPENLINEAGE or each.startswith(_OPENLINEAGE_TRANSPORT) for each in names)


def _word(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name, "").strip().lower()
