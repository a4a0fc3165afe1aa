"""The source files of each module under mutation, and the tests that must kill its mutants."""

from pathlib import PurePath


def _unit(*names: str) -> tuple[str, ...]:
    """Return the files of unit tests with names such as `store/folder/index`."""
    paths = map(PurePath, names)
    return tuple(f"tests/unit/{path.parent}/test_{path.name}.py" for path in paths)


def _partner_center(name: str) -> tuple[str, ...]:
    return (f"auditor/partner_center/{name}.py",)


_STORE = _unit(
    "store/folder/publication",
    "store/folder/create",
    "store/folder/lock",
    "store/folder/refusals",
    "store/reading",
    "store/round_trip",
    "store/folder/upkeep",
)
_PLAN = _unit("plan/plan", "plan/properties", "plan/unasked", "plan/calls")

MODULES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "availability_plan": (("auditor/plan/availability.py",), _PLAN),
    "breaker": (_partner_center("breaker"), _unit("partner_center/breaker")),
    "bucket_quota": (
        _partner_center("pacing/shared_quota"),
        ("tests/service/partner_center/pacing/test_shared_quota.py", *_unit("run/quotas")),
    ),
    "diff": (
        (
            "auditor/store/compare.py",
            "sql/macros/*.sql",
            "sql/steps/*.sql",
            "sql/relations/*.sql",
            "sql/read/between/*.sql",
        ),
        _unit(
            "diff/kinds",
            "diff/state",
            "diff/news",
            "diff/catalog",
            "diff/availability",
            "diff/availability_oracle",
            "diff/events",
            "diff/oracle",
        ),
    ),
    "disk": (("auditor/disk.py",), _STORE),
    "echo": (_partner_center("token_echo"), _unit("partner_center/token_echo")),
    "events": (("auditor/log.py",), _unit("log")),
    "guard": (
        ("auditor/guard/mass_changes.py",),
        _unit("guard/counting", "guard/mass_changes", "guard/availability", "guard/runs"),
    ),
    "guard_sql": (("sql/guard/*.sql",), _unit("guard/counting")),
    "index": (("auditor/store/folder/index.py",), _STORE),
    "line": (
        _partner_center("pacing/queue"),
        _unit(
            "partner_center/pacing/pacer",
            "partner_center/pacing/refusals",
            "partner_center/pacing/hidden_limits",
        ),
    ),
    "lock": (("auditor/store/folder/lock.py",), _STORE),
    "manifest": (("auditor/store/folder/manifest.py",), _STORE),
    "outcomes": (
        ("auditor/publish/outcomes_on_disk.py",),
        _unit("publish/outcomes_on_disk", "publish/publish"),
    ),
    "pacing": (
        _partner_center("pacing/pacer"),
        _unit("partner_center/pacing/pacer", "partner_center/pacing/refusals"),
    ),
    "plan": (("auditor/plan/plan.py",), _PLAN),
    "publication": (("auditor/store/folder/publication.py",), _STORE),
    "publish": (
        ("auditor/publish/publish.py", "auditor/diff/parts.py"),
        _unit("publish/publish", "guard/mass_changes", "guard/runs", "diff/nights"),
    ),
    "quota": (_partner_center("pacing/local_quota"), _unit("partner_center/pacing/local_quota")),
    "rates": (
        _partner_center("pacing/rates"),
        _unit(
            "partner_center/pacing/rates",
            "partner_center/pacing/pacer",
            "partner_center/pacing/refusals",
            "partner_center/pacing/hidden_limits",
        ),
    ),
    "retry": (
        _partner_center("retry"),
        (
            *_unit("partner_center/retry"),
            "tests/service/partner_center/test_transport_retries.py",
            "tests/service/partner_center/test_transport_credentials.py",
        ),
    ),
    "secret": (("auditor/secret.py",), _unit("secret")),
}
