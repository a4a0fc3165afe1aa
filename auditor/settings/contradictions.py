"""Keys that contradict each other, and values that are suspicious but not wrong."""

from collections.abc import Iterator

from auditor.model import CheckKind
from auditor.partner_center.clouds import CLOUDS
from auditor.settings import known_places, problems
from auditor.settings.problems import Mistake, nearest
from auditor.settings.urls import has_password
from auditor.settings.values import (
    AuthKind,
    AvailabilityScope,
    InventoryApi,
    Partner,
    Scope,
    Settings,
)


def find_contradictions(settings: Settings) -> Iterator[Mistake]:
    """Yield the contradictions between keys."""
    for index, partner in enumerate(settings.partner):
        yield from _sign_in(partner, index)
        if not CLOUDS[partner.cloud].has_azure:
            yield from _without_azure(settings.scope, partner, index)
    yield from _twice(settings)
    scope = settings.scope
    if scope.availability is AvailabilityScope.LISTED and not scope.products:
        yield Mistake(
            message="is 'listed', but scope.products lists nothing",
            hint="name products, or use held or all",
            at=("scope", "availability"),
        )
    if not scope.target_views and not scope.products:
        yield Mistake(
            message="is empty, and so is scope.products: there is nothing to ask about",
            at=("scope", "target_views"),
        )
    if scope.inventory_api is InventoryApi.BY_RESOURCE_TYPE:
        for view in scope.target_views:
            if view not in scope.resource_types:
                yield Mistake(
                    message=f"has no resource type for the target view {view}",
                    hint=f'resource_types = {{ {view} = "…" }}',
                    at=("scope", "resource_types"),
                )
    names = [partner.name for partner in settings.partner]
    for index, route in enumerate(settings.notify.route):
        if route.partner and route.partner not in names:
            near = nearest(route.partner, names)
            yield Mistake(
                message=f"{route.partner!r} is not the name of a [[partner]]",
                hint=f"did you mean `{near}`?" if near else "",
                at=("notify", "route", index, "partner"),
            )


def find_oddities(settings: Settings) -> Iterator[Mistake]:
    """Yield values that may be right but look like typing errors."""
    scope = settings.scope
    for index, region in enumerate(scope.arm_regions or ()):
        if region not in known_places.ARM_REGIONS:
            close = [each for each in sorted(known_places.ARM_REGIONS) if region in each]
            near = close[:3] or [nearest(region, known_places.ARM_REGIONS)]
            yield Mistake(
                code=problems.REGION,
                message=f"{region!r} is not an Azure region that this version knows",
                hint=_nearest_are(near),
                at=("scope", "arm_regions", index),
            )
    for index, view in enumerate(scope.target_views):
        if view not in known_places.TARGET_VIEWS:
            yield Mistake(
                message=f"{view!r} is not a target view that this version knows",
                hint=_nearest_are([nearest(view, known_places.TARGET_VIEWS)]),
                at=("scope", "target_views", index),
            )
    yield from _ignored(settings)


def _ignored(settings: Settings) -> Iterator[Mistake]:
    """Yield keys that are set correctly but have no effect in this version."""
    is_set: dict[problems.Path, bool] = {
        ("notify", "urls"): bool(settings.notify.urls),
        ("notify", "route"): bool(settings.notify.route),
        ("mute",): bool(settings.mute),
    }
    for at, is_given in is_set.items():
        if is_given:
            yield Mistake(
                code=problems.IGNORED,
                message="is set, but this version does not use it yet",
                hint="nothing is sent because of it",
                at=at,
            )


def find_open_passwords(settings: Settings) -> Iterator[Mistake]:
    """Yield URLs with a password: everyone who can read the file sees the password."""
    held: dict[problems.Path, str] = {
        ("store",): settings.store,
        ("network", "proxy"): settings.network.proxy,
        ("metrics", "pushgateway"): settings.metrics.pushgateway,
    }
    for index, partner in enumerate(settings.partner):
        held["partner", index, "limits", "shared"] = partner.limits.shared
    for path, url in held.items():
        if has_password(url):
            yield Mistake(
                message="holds a password",
                hint="keep it out of the file: PGPASSWORD, .pgpass, or an AUDITOR_ variable",
                at=path,
            )


def _nearest_are(near: list[str]) -> str:
    named = ", ".join(f"`{each}`" for each in near if each)
    return f"nearest {named}" if named else ""


def _sign_in(partner: Partner, index: int) -> Iterator[Mistake]:
    needs: tuple[str, ...] = ()
    match partner.auth:
        case AuthKind.APP:
            needs = ("client_id",)
            if not partner.client_secret and not partner.certificate:
                needs = ("client_id", "client_secret")
        case AuthKind.APP_USER:
            needs = ("client_id", "refresh_token")
        case AuthKind.WORKLOAD_IDENTITY:
            needs = ("client_id",)
        case AuthKind.TOKEN:
            needs = ("token",)
    for key in needs:
        if not getattr(partner, key):
            yield Mistake(
                message=f"is missing; auth = {partner.auth.value!r} needs it",
                at=("partner", index, key),
            )
    if partner.client_secret and partner.certificate:
        yield Mistake(
            message="and client_secret are both set; sign in with one of them",
            at=("partner", index, "certificate"),
        )


def _without_azure(scope: Scope, partner: Partner, index: int) -> Iterator[Mistake]:
    asked = [f"the target view {view}" for view in scope.target_views if "Azure" in view]
    if CheckKind.INVENTORY in scope.checks:
        asked.insert(0, "inventory checks")
    if asked:
        yield Mistake(
            message=f"is {partner.cloud.value!r}, whose partners sell no Azure,"
            f" but scope asks for {', '.join(asked)}",
            hint="partners there can ask for the availability of licences only:"
            ' checks = ["availability"] and target_views = ["OnlineServicesNCE"],'
            " in a configuration of its own",
            at=("partner", index, "cloud"),
        )


def _twice(settings: Settings) -> Iterator[Mistake]:
    for key in ("name", "tenant_id"):
        seen: set[str] = set()
        for index, partner in enumerate(settings.partner):
            value = getattr(partner, key)
            if value in seen and value:
                yield Mistake(
                    message=f"{value!r} is already another partner's",
                    hint="one [[partner]] for each partner tenant",
                    at=("partner", index, key),
                )
            seen.add(value)
