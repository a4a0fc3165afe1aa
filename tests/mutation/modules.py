"""Which tests are to notice what breaks in a module."""


def _unit(*names: str) -> tuple[str, ...]:
    return tuple(f"tests/unit/test_{name}.py" for name in names)


def _partner_center(name: str) -> tuple[str, ...]:
    return (f"auditor/partner_center/{name}.py",)


_STORE = _unit(
    "store_publication",
    "store_creation",
    "store_locks",
    "store_refusals",
    "store_reading",
    "store_round_trip",
    "store_upkeep",
)
_PLAN = _unit("plan", "plan_properties", "plan_unasked", "plan_calls")

MODULES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "availability_plan": (("auditor/plan/availability.py",), _PLAN),
    "breaker": (_partner_center("breaker"), _unit("breaker")),
    "bucket_quota": (
        _partner_center("bucket_quota"),
        ("tests/service/test_bucket_quota.py", *_unit("sharing")),
    ),
    "diff": (
        ("auditor/diff/compare.py", "sql/diff/*.sql"),
        _unit(
            "diff_kinds",
            "diff_state",
            "diff_news",
            "diff_catalog",
            "diff_availability",
            "diff_availability_oracle",
            "diff_events",
            "diff_oracle",
        ),
    ),
    "disk": (("auditor/disk.py",), _STORE),
    "echo": (_partner_center("echo"), _unit("echo")),
    "events": (("auditor/log.py",), _unit("events")),
    "guard": (
        ("auditor/guard/mass_changes.py",),
        _unit("guard_counting", "guard", "guard_availability", "guard_runs"),
    ),
    "guard_sql": (("sql/guard/*.sql",), _unit("guard_counting")),
    "index": (("auditor/store/folder/index.py",), _STORE),
    "line": (_partner_center("line"), _unit("pacing", "pacing_refusals", "hidden_limits")),
    "lock": (("auditor/store/folder/lock.py",), _STORE),
    "manifest": (("auditor/store/folder/manifest.py",), _STORE),
    "outcomes": (("auditor/publish/outcomes_on_disk.py",), _unit("outcomes", "publish")),
    "pacing": (_partner_center("pacing"), _unit("pacing", "pacing_refusals")),
    "plan": (("auditor/plan/plan.py",), _PLAN),
    "publication": (("auditor/store/folder/publication.py",), _STORE),
    "publish": (
        ("auditor/publish/publish.py", "auditor/diff/parts.py"),
        _unit("publish", "guard", "guard_runs", "nights"),
    ),
    "quota": (_partner_center("quota"), _unit("quota")),
    "rates": (
        _partner_center("rates"),
        _unit("rates", "pacing", "pacing_refusals", "hidden_limits"),
    ),
    "retry": (
        _partner_center("retry"),
        (
            *_unit("retry"),
            "tests/service/test_transport_retries.py",
            "tests/service/test_transport_credentials.py",
        ),
    ),
    "secret": (("auditor/secret.py",), _unit("secret")),
}
