"""The content of `auditor.toml` as one frozen value. See docs/contract.md, "Configuration".

Every field has the rule for its value; `template.toml` shows every key with its default.
"""

import hashlib
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec

from auditor.database_url import shown
from auditor.model import ChangeKind, CheckKind
from auditor.object_url import is_object_url
from auditor.partner_center.clouds import Cloud
from auditor.settings import identity, rules, urls


class AuthKind(StrEnum):
    """How a partner signs in."""

    APP = "app"
    APP_USER = "app_user"
    WORKLOAD_IDENTITY = "workload_identity"
    TOKEN = "token"  # noqa: S105 - the name of a kind


class CustomerCountry(StrEnum):
    """For which countries a customer is checked."""

    OWN = "own"
    ALL = "all"


class AvailabilityScope(StrEnum):
    """Which products the availability checks cover."""

    HELD = "held"
    LISTED = "listed"
    ALL = "all"


class InventoryApi(StrEnum):
    """Which of the two inventory endpoints is used."""

    AUTO = "auto"
    CHECK_INVENTORY = "check_inventory"
    BY_RESOURCE_TYPE = "by_resource_type"


class KeepRaw(StrEnum):
    """Which raw replies stay in `state_dir`."""

    NONE = "none"
    FAILED = "failed"
    ALL = "all"


_limit = rules.whole(1, 1_000_000)
_hours = rules.number(0, 24 * 366)
_reference = rules.optional(urls.reference)
_references = rules.list_of(urls.reference)
_some_references = rules.list_of(urls.reference, at_least=1)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Calls started per minute, at most."""

    customers: Annotated[int, _limit] = 250
    catalog: Annotated[int, _limit] = 600
    inventory: Annotated[int, _limit] = 600
    per_customer: Annotated[int, _limit] = 120
    concurrency: Annotated[int, rules.whole(1, 4096)] = 64
    shared: Annotated[str, urls.shared] = "local"

    def __repr__(self) -> str:
        """Return a line for a debugger, without the URL's password."""
        return f"Limits(shared={shown(self.shared)!r})"


class Partner(msgspec.Struct, frozen=True, kw_only=True):
    """One partner tenant. Secrets are references such as `env:NAME`; '' is not set."""

    name: Annotated[str, rules.name]
    cloud: Annotated[Cloud, rules.one_of(Cloud)] = Cloud.GLOBAL
    tenant_id: Annotated[str, rules.guid]
    countries: Annotated[tuple[str, ...], rules.list_of(rules.country, at_least=1)]
    auth: Annotated[AuthKind, rules.one_of(AuthKind)] = AuthKind.APP
    client_id: Annotated[str, rules.optional(rules.hidden_guid)] = ""
    client_secret: Annotated[str, _reference] = ""
    certificate: Annotated[str, _reference] = ""
    refresh_token: Annotated[str, rules.optional(urls.writable_reference)] = ""
    token: Annotated[str, _reference] = ""
    base_url: Annotated[str, rules.optional(urls.base_url)] = ""
    """'' is the cloud's own URL."""
    limits: Limits = Limits()

    def secret_references(self) -> dict[str, str]:
        """Return the references of the secrets needed to sign in, by key."""
        keys: tuple[str, ...]
        match self.auth:
            case AuthKind.APP:
                keys = ("client_secret", "certificate")
            case AuthKind.APP_USER:
                keys = ("refresh_token", "client_secret", "certificate")
            case AuthKind.TOKEN:
                keys = ("token",)
            case AuthKind.WORKLOAD_IDENTITY:
                keys = ()
        return {key: getattr(self, key) for key in keys if getattr(self, key)}


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """What a run checks."""

    customers: Annotated[tuple[str, ...] | None, rules.all_or(rules.list_of(rules.guid))] = None
    """None is all."""
    customer_country: Annotated[CustomerCountry, rules.one_of(CustomerCountry)] = (
        CustomerCountry.OWN
    )
    azure_subscriptions: Annotated[
        tuple[str, ...] | None, rules.all_or(rules.list_of(rules.guid))
    ] = None
    """None is all."""
    check_registration: Annotated[bool, rules.flag] = True
    target_views: Annotated[tuple[str, ...], rules.list_of(rules.name)] = ("AzureReservationsVM",)
    products: Annotated[tuple[str, ...], rules.list_of(rules.product)] = ()
    segments: Annotated[
        tuple[str, ...],
        rules.list_of(rules.word("commercial", "education", "government", "nonprofit"), at_least=1),
    ] = ("commercial",)
    arm_regions: Annotated[
        tuple[str, ...] | None, rules.all_or(rules.list_of(rules.arm_region))
    ] = None
    """None is all."""
    reservation_scopes: Annotated[
        tuple[str, ...], rules.list_of(rules.word("AzurePlan", ""), at_least=1)
    ] = ("AzurePlan",)
    """'' is the scope of legacy subscriptions."""
    checks: Annotated[tuple[CheckKind, ...], rules.list_of(rules.one_of(CheckKind), at_least=1)] = (
        CheckKind.INVENTORY,
        CheckKind.AVAILABILITY,
    )
    availability: Annotated[AvailabilityScope, rules.one_of(AvailabilityScope)] = (
        AvailabilityScope.HELD
    )
    availability_always: Annotated[tuple[str, ...], rules.list_of(rules.product)] = ()
    inventory_api: Annotated[InventoryApi, rules.one_of(InventoryApi)] = InventoryApi.AUTO
    resource_types: Annotated[dict[str, str], rules.words] = msgspec.field(
        default_factory=lambda: {"AzureReservationsVM": "VirtualMachines"}
    )
    lifecycle: Annotated[bool, rules.flag] = False


class Cache(msgspec.Struct, frozen=True, kw_only=True):
    """The hours for which a listing is cached; with 0, every run asks it."""

    subscriptions: Annotated[float, _hours] = 72
    catalog: Annotated[float, _hours] = 20
    billing_country: Annotated[float, _hours] = 720


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a run works."""

    time_zone: Annotated[str, rules.time_zone] = "UTC"
    max_failed_share: Annotated[float, rules.number(0, 1)] = 0.05
    batch_size: Annotated[int, rules.whole(1, 1000)] = 50
    keep_raw: Annotated[KeepRaw, rules.one_of(KeepRaw)] = KeepRaw.FAILED
    resume_max_age_hours: Annotated[float, _hours] = 12
    lease_seconds: Annotated[int, rules.whole(1, 3600)] = 60
    """How long a part of a divided run may be silent before another part takes over its work."""


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """How Partner Center is reached."""

    proxy: Annotated[str, urls.proxy] = ""
    """'' is none; may hold a password, so show it with `settings.masked` only."""
    ca_file: Annotated[Path | None, rules.path] = None
    """None is the system's certificates."""


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """Where the metrics of a run go."""

    textfile: Annotated[Path | None, rules.path] = None
    """None is nowhere."""
    pushgateway: Annotated[str, urls.proxy] = ""
    """'' is nowhere; may hold a password, so show it with `settings.masked` only."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """Additional recipients for one partner or reseller; '' is any."""

    partner: Annotated[str, rules.optional(rules.name)] = ""
    reseller: Annotated[str, rules.text] = ""
    urls: Annotated[tuple[str, ...], _some_references]


class Notify(msgspec.Struct, frozen=True, kw_only=True):
    """Who is notified of which changes. The URLs are secrets, so these are references to them."""

    urls: Annotated[tuple[str, ...], _references] = ()
    on: Annotated[tuple[ChangeKind, ...], rules.list_of(rules.one_of(ChangeKind))] = (
        ChangeKind.NEWLY_RESTRICTED,
        ChangeKind.LEFT_CATALOG,
        ChangeKind.NO_LONGER_PURCHASABLE,
        ChangeKind.FIRST_SEEN_RESTRICTED,
    )
    route: tuple[Route, ...] = ()


class Mute(msgspec.Struct, frozen=True, kw_only=True):
    """Accepted restrictions, which cause no further notification; `*` is any."""

    customer: Annotated[str, rules.muted_customer] = "*"
    sku: Annotated[str, rules.muted_sku] = "*"
    region: Annotated[str, rules.muted_region] = "*"
    reason: Annotated[str, rules.text] = ""
    until: Annotated[date | None, rules.day] = None
    """None is for ever."""


class Part(msgspec.Struct, frozen=True):
    """One of several processes that divide a run: part `number` of `of`, counted from 1."""

    number: int
    of: int

    def has(self, bucket: int) -> bool:
        """Return whether a bucket of customers belongs to this part."""
        return bucket % self.of == self.number - 1

    def __str__(self) -> str:
        """Return it as typed: `1/4`."""
        return f"{self.number}/{self.of}"


class Narrow(msgspec.Struct, frozen=True, kw_only=True):
    """The part of the scope that one run asks about; an empty tuple narrows nothing."""

    customers: tuple[str, ...] = ()
    """Ids, domains or exact company names, as typed; ids in lower case."""
    partners: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    resume: str | None = None
    """None starts a new run; '' resumes the newest unfinished one."""
    run: str = ""
    """The id of the run, which is started or gone on with; '' is a new run with a new id."""
    part: Part | None = None
    """The part of a divided run that this process does; None: all of it."""
    is_divided: bool = False
    """Whether the parts of the run have asked already, so that it is only published."""
    wait_s: float = 0.0
    """How long to wait for a lock that another run holds."""
    max_seconds: int | None = None
    """How long the run may take; None is as long as it needs."""
    trigger: str = "manual"
    fail_on: tuple[ChangeKind, ...] = ()

    @property
    def is_full(self) -> bool:
        """Return whether all customers and countries of its partners are asked."""
        return not self.customers and not self.countries


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The whole configuration. All paths are absolute."""

    store: Annotated[str, urls.store] = "./lake"
    """A folder, object storage, or `postgresql://…`, which may hold a password.

    Show `shown_store()` only.
    """
    state_dir: Annotated[Path, rules.required_path] = Path("./state")
    partner: tuple[Partner, ...] = ()
    scope: Scope = Scope()
    cache: Cache = Cache()
    run: RunOptions = RunOptions()
    network: Network = Network()
    metrics: Metrics = Metrics()
    notify: Notify = Notify()
    mute: tuple[Mute, ...] = ()

    folder: Path = Path()
    """The file's folder; a relative `file:PATH` starts here."""
    warnings: tuple[tuple[str, str, str], ...] = ()
    """(code, message, hint) of each warning."""

    def __repr__(self) -> str:
        """Return the store and the folder only: other settings may hold passwords in URLs."""
        return f"Settings(store={self.shown_store()!r}, folder={self.folder!r})"

    def shown_store(self) -> str:
        """Return the store without secrets: the place, but not the user and the options."""
        return self.store if is_object_url(self.store) else shown(self.store)

    def secret_references(self, partners: tuple[str, ...] = ()) -> list[tuple[str, str]]:
        """Return (key, reference) of each secret of a run; no `partners` means all partners."""
        found = [
            (f"partner {partner.name}: {key}", reference)
            for partner in self.partner
            if not partners or partner.name in partners
            for key, reference in partner.secret_references().items()
        ]
        found += [("notify.urls", each) for each in self.notify.urls]
        for route in self.notify.route:
            found += [("notify.route.urls", each) for each in route.urls]
        return found

    def identity(self, narrow: Narrow | None = None) -> dict[str, object]:
        """Return the identity of a run, by dotted key, without secrets: see `settings.identity`."""
        found = identity.identity(_plain(self) | {"store": self.shown_store()})
        if narrow is not None:
            found["--customer"] = sorted(narrow.customers)
            found["--partner"] = sorted(narrow.partners)
            found["--country"] = sorted(narrow.countries)
        return found

    def config_hash(self, narrow: Narrow | None = None) -> str:
        """Return a short name for `identity`: the same in every process and on every machine."""
        named = msgspec.json.encode(self.identity(narrow), order="deterministic")
        return hashlib.sha256(named).hexdigest()[:16]

    def describe_scope(self, narrow: Narrow | None = None) -> dict[str, object]:
        """Return what a run asks about, as plain JSON for `snapshot.scope`."""
        scope = identity.described(_plain(self.scope))
        if narrow is not None and not narrow.is_full:
            scope["only_customers"] = sorted(narrow.customers)
            scope["only_countries"] = sorted(narrow.countries)
        return scope


def _plain(value: msgspec.Struct) -> identity.Plain:
    plain: identity.Plain = msgspec.json.decode(msgspec.json.encode(value, enc_hook=str))
    return plain
