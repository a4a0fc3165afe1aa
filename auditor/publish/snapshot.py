"""Describes a snapshot before and after publishing."""

from collections.abc import Mapping
from datetime import date, datetime

import msgspec

from auditor.publish.coverage import Counts


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The description of a snapshot before its rows are known."""

    snapshot_id: str
    run_id: str
    partner_tenant_id: str
    partner_name: str
    started_at: datetime
    business_date: date
    kind: str
    trigger: str
    scope: Mapping[str, object]
    cell_scope: Mapping[str, object]
    """The part of the scope that is stored for each cell, in `coverage.scope`."""
    scope_hash: str
    config_hash: str
    calls: int
    retries: int
    throttled: int
    max_failed_share: float


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """The result of publishing a snapshot."""

    snapshot_id: str
    status: str
    why_incomplete: str = ""
    """Text that says what is missing; '' if the snapshot is complete or was published before."""
    checks: Counts
    rows: dict[str, int]
    changes: dict[str, int]
    """Number of changes of each kind, without suspect changes."""
