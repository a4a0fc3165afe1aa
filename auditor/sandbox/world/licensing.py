"""Changes licences from night to night: what can be bought, in which terms, by whom."""

from dataclasses import replace

from auditor.sandbox.world import seeded
from auditor.sandbox.world.model import Customer, Sku, SkuKey
from auditor.sandbox.world.night_builder import Kind, NightBuilder
from auditor.sandbox.world.portfolio import Portfolio
from auditor.sandbox.world.seeded import happens
from auditor.sandbox.world.state import UNCHANGED, Holder, LicenceState


def base_licences(portfolio: Portfolio) -> dict[tuple[Holder, SkuKey], LicenceState]:
    """Return the licences that cannot be bought on the first night, or not in every term."""
    made: dict[tuple[Holder, SkuKey], LicenceState] = {}
    for index, customer in enumerate(portfolio.customers):
        rng = seeded.generator(portfolio.seed, "licences", customer.customer_id)
        for held in customer.subscriptions:
            if held.kind != "licence":
                continue
            holder = (customer.customer_id, (held.product_id, held.sku_id))
            if index % 4 == 1 or happens(rng, 4):
                made[holder] = LicenceState(is_purchasable=False)
            elif happens(rng, 3):
                made[holder] = LicenceState(is_gone=True)
            elif happens(rng, 4):
                sku = portfolio.sku_by_key[holder[1]]
                made[holder] = LicenceState(hidden_terms=frozenset({rng.choice(sku.terms).key}))
    return made


def change_licences(builder: NightBuilder) -> None:
    """Change licences that were held the night before and are held tonight."""
    before = {(customer.customer_id, key) for customer, key in builder.before.held_licences()}
    held = [
        (customer, key)
        for customer, key in builder.state.held_licences()
        if (customer.customer_id, key) in before
    ]
    _stop_selling(builder, held)
    _sell_again(builder, held)
    _change_terms(builder, held)
    _hide_terms(builder, held)
    _remove(builder, held)


HeldLicences = list[tuple[Customer, SkuKey]]


def _own(builder: NightBuilder, customer: Customer, key: SkuKey) -> LicenceState:
    return builder.state.licences.get((customer.customer_id, key), UNCHANGED)


def _effective(builder: NightBuilder, customer: Customer, key: SkuKey) -> LicenceState:
    return builder.state.licence(customer.customer_id, customer.country, key)


def _change(
    builder: NightBuilder, kind: Kind, customer: Customer, key: SkuKey, now: LicenceState
) -> None:
    if builder.claim((customer.customer_id, key)):
        builder.state.licences[(customer.customer_id, key)] = now
        builder.record(kind, customer_id=customer.customer_id, key=key)


def _stop_selling(builder: NightBuilder, held: HeldLicences) -> None:
    plain = [pair for pair in held if _effective(builder, *pair) == UNCHANGED]
    for customer, key in builder.sample(plain, 6, at_least=2):
        now = replace(_own(builder, customer, key), is_purchasable=False)
        _change(builder, Kind.LICENCE_NOT_PURCHASABLE, customer, key, now)
    if builder.state.night % 3 != 2 or len(plain) < 4:  # noqa: PLR2004 - a rhythm; a portfolio worth it
        return
    customer, key = builder.rng.choice(plain)
    everybody = [c for c, k in held if k == key and c.country == customer.country]
    if builder.claim_all((one.customer_id, key) for one in everybody):
        place = (customer.country, key)
        whole = builder.state.licences.get(place, UNCHANGED)
        builder.state.licences[place] = replace(whole, is_purchasable=False)
        builder.record(Kind.LICENCE_NOT_PURCHASABLE, country=customer.country, key=key)


def _sell_again(builder: NightBuilder, held: HeldLicences) -> None:
    stopped = [pair for pair in held if not _own(builder, *pair).is_purchasable]
    for customer, key in builder.sample(stopped, 40, at_least=2):
        now = replace(_own(builder, customer, key), is_purchasable=True)
        _change(builder, Kind.LICENCE_PURCHASABLE, customer, key, now)
    countries = [
        place
        for place, one in builder.state.licences.items()
        if not one.is_purchasable and place[0] not in builder.portfolio.customer_by_id
    ]
    if builder.state.night % 3 == 1 and countries:
        country, key = countries[0]
        there = [c for c, k in held if k == key and c.country == country]
        if builder.claim_all((one.customer_id, key) for one in there):
            whole = builder.state.licences[(country, key)]
            builder.state.licences[(country, key)] = replace(whole, is_purchasable=True)
            builder.record(Kind.LICENCE_PURCHASABLE, country=country, key=key)


def _change_terms(builder: NightBuilder, held: HeldLicences) -> None:
    visible = [pair for pair in held if not _effective(builder, *pair).is_gone]
    for customer, key in builder.sample(visible, 4, at_least=2):
        own = _own(builder, customer, key)
        if happens(builder.rng, 50):
            now = replace(own, flips_renewal=not own.flips_renewal)
        else:
            other = f"{key[0]}:{'0002' if key[1] != '0002' else '0001'}"
            now = replace(own, renew_to="" if own.renew_to else other)
        _change(builder, Kind.LICENCE_TERMS_CHANGED, customer, key, now)


def _visible_terms(sku: Sku, state: LicenceState) -> list[tuple[str, str]]:
    return [term.key for term in sku.terms if term.key not in state.hidden_terms]


def _hide_terms(builder: NightBuilder, held: HeldLicences) -> None:
    visible = [pair for pair in held if not _effective(builder, *pair).is_gone]
    for customer, key in builder.sample(visible, 3):
        own = _own(builder, customer, key)
        terms = _visible_terms(
            builder.portfolio.sku_by_key[key], _effective(builder, customer, key)
        )
        if len(terms) > 1:
            hidden = own.hidden_terms | {builder.rng.choice(terms)}
            now = replace(own, hidden_terms=hidden)
            _change(builder, Kind.LICENCE_TERM_GONE, customer, key, now)
    hiding = [pair for pair in visible if _own(builder, *pair).hidden_terms]
    for customer, key in builder.sample(hiding, 50):
        now = replace(_own(builder, customer, key), hidden_terms=frozenset())
        _change(builder, Kind.LICENCE_TERM_BACK, customer, key, now)


def _remove(builder: NightBuilder, held: HeldLicences) -> None:
    there = [pair for pair in held if not _effective(builder, *pair).is_gone]
    gone = [pair for pair in held if _own(builder, *pair).is_gone]
    for customer, key in builder.sample(there, 2):
        now = replace(_own(builder, customer, key), is_gone=True)
        _change(builder, Kind.LICENCE_GONE, customer, key, now)
    for customer, key in builder.sample(gone, 50):
        now = replace(_own(builder, customer, key), is_gone=False)
        _change(builder, Kind.LICENCE_BACK, customer, key, now)
