"""One partner's part of a run, with the rules that each stage takes from the configuration."""

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Self
from zoneinfo import ZoneInfo

import msgspec

from auditor.journal.runs import RunHeader
from auditor.model import CheckKind
from auditor.partner_center.clouds import CLOUDS
from auditor.plan.rules import Rules
from auditor.publish.snapshot import Snapshot
from auditor.run.runtime import Runtime
from auditor.scope.catalog import CatalogRules
from auditor.scope.customer_list import CustomerRules
from auditor.scope.due import EVERY_RUN, Due
from auditor.settings import CustomerCountry, Narrow, Partner, Settings


class CallCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many calls a run made."""

    calls: int
    retries: int
    throttled: int


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One partner's part of a run."""

    settings: Settings
    partner: Partner
    narrow: Narrow
    run_id: str
    snapshot_id: str
    started_at: datetime
    folder: Path
    """Where the journal is kept and answers are staged."""
    asks_until: float | None = None
    """When the run stops asking, on its monotonic clock; None if it may ask as long as it needs."""
    database_s: float = 300.0
    """The total time to wait for a database that became unreachable."""

    @classmethod
    def of_run(
        cls,
        header: RunHeader,
        partner: Partner,
        *,
        settings: Settings,
        narrow: Narrow,
        folder: Path,
        asks_until: float | None,
        runtime: Runtime,
    ) -> Self:
        """Return one partner's part of the run that a header describes."""
        return cls(
            settings=settings,
            partner=partner,
            narrow=narrow,
            run_id=header.run_id,
            snapshot_id=header.snapshots[partner.tenant_id],
            started_at=header.started_at,
            folder=folder,
            asks_until=asks_until,
            database_s=runtime.database_s,
        )

    @property
    def countries(self) -> tuple[str, ...]:
        """The partner's countries, narrowed by `--country`."""
        only = self.narrow.countries
        return tuple(c for c in self.partner.countries if not only or c in only)

    @property
    def covers_catalog(self) -> bool:
        """Whether the run covers all customers."""
        return not self.narrow.customers

    @property
    def base_url(self) -> str:
        """Where the partner's API is: its cloud's, unless the configuration says otherwise."""
        return self.partner.base_url or CLOUDS[self.partner.cloud].base_url

    def customer_rules(self, ids: tuple[str, ...] | None) -> CustomerRules:
        """Return how customers are read; `ids` are those to read, None is all.

        Named customers are read without the cache: a user names a customer when it has changed.
        """
        scope, cache = self.settings.scope, self.settings.cache
        is_named = bool(self.narrow.customers)
        return CustomerRules(
            countries=self.partner.countries,
            narrowed_to=frozenset(self.narrow.countries),
            own_country=scope.customer_country is CustomerCountry.OWN,
            check_registration=scope.check_registration and CheckKind.INVENTORY in scope.checks,
            ids=ids,
            subscriptions_due=EVERY_RUN if is_named else self._due(cache.subscriptions),
            country_due=EVERY_RUN if is_named else self._due(cache.billing_country),
        )

    def _due(self, hours: float) -> Due:
        """Return when listings of one kind are due; each full run repeats a slice of them."""
        return Due(now=self.started_at, hours=hours, in_slices=self.narrow.is_full)

    def catalog_rules(self) -> CatalogRules:
        """Return which part of the catalog is read."""
        scope = self.settings.scope
        always = tuple(p for p in scope.availability_always if ":" not in p)
        return CatalogRules(
            target_views=scope.target_views,
            segments=scope.segments,
            products=scope.products,
            also_listed=always,
            due=self._due(self.settings.cache.catalog),
        )

    def plan_rules(self, *, is_route_gone: bool) -> Rules:
        """Return the rules that decide which checks are asked, and how."""
        scope = self.settings.scope
        regions, subscriptions = scope.arm_regions, scope.azure_subscriptions
        return Rules(
            partner_tenant_id=self.partner.tenant_id,
            countries=frozenset(self.partner.countries),
            checks=frozenset(scope.checks),
            batch_size=self.settings.run.batch_size,
            reservation_scopes=scope.reservation_scopes,
            arm_regions=regions,
            azure_subscriptions=None if subscriptions is None else frozenset(subscriptions),
            check_registration=scope.check_registration,
            segments=scope.segments,
            availability=scope.availability.value,
            availability_always=scope.availability_always,
            by_customer=not self.narrow.countries,
            by_country=self.covers_catalog,
            inventory_api=scope.inventory_api.value,
            is_route_gone=is_route_gone,
            resource_types=scope.resource_types,
        )

    def snapshot(self, counts: CallCounts) -> Snapshot:
        """Return the description of the snapshot that this job makes."""
        scope = self.settings.describe_scope(self.narrow)
        encoded = msgspec.json.encode(scope, order="deterministic")
        zone = ZoneInfo(self.settings.run.time_zone)
        return Snapshot(
            snapshot_id=self.snapshot_id,
            run_id=self.run_id,
            partner_tenant_id=self.partner.tenant_id,
            partner_name=self.partner.name,
            started_at=self.started_at,
            business_date=self.started_at.astimezone(zone).date(),
            kind="full" if self.narrow.is_full else "partial",
            trigger=self.narrow.trigger,
            scope=scope,
            cell_scope=self._cell_scope(),
            scope_hash=hashlib.sha256(encoded).hexdigest()[:16],
            config_hash=self.settings.config_hash(self.narrow),
            calls=counts.calls,
            retries=counts.retries,
            throttled=counts.throttled,
            max_failed_share=self.settings.run.max_failed_share,
        )

    def _cell_scope(self) -> dict[str, object]:
        """Return the part of the scope that applies inside a cell, for `coverage.scope`."""
        scope = self.settings.scope
        return {
            "views": sorted(scope.target_views),
            "products": sorted(scope.products),
            "segments": sorted(scope.segments),
            "regions": "all" if scope.arm_regions is None else sorted(scope.arm_regions),
            "reservation_scopes": sorted(scope.reservation_scopes),
            "azure_subscriptions": (
                "all" if scope.azure_subscriptions is None else sorted(scope.azure_subscriptions)
            ),
            "checks": sorted(scope.checks),
        }
