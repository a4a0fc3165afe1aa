"""What the script does to licences: what can be bought, in which terms, for whom."""

from dataclasses import replace

from auditor.sandbox.world import draws
from auditor.sandbox.world.draft import Draft, Kind
from auditor.sandbox.world.draws import happens
from auditor.sandbox.world.portfolio import Portfolio
from auditor.sandbox.world.state import AS_EVER, Holder, LicenceState
from auditor.sandbox.world.things import Customer, Sku, SkuKey


def base_licences(portfolio: Portfolio) -> dict[tuple[Holder, SkuKey], LicenceState]:
    """Return what cannot be bought on the first night, or not in every term."""
    made: dict[tuple[Holder, SkuKey], LicenceState] = {}
    for index, customer in enumerate(portfolio.customers):
        draw = draws.stream(portfolio.seed, "licences", customer.customer_id)
        for held in customer.subscriptions:
            if held.kind != "licence":
                continue
            holder = (customer.customer_id, (held.product_id, held.sku_id))
            if index % 4 == 1 or happens(draw, 4):
                made[holder] = LicenceState(is_purchasable=False)
            elif happens(draw, 3):
                made[holder] = LicenceState(is_gone=True)
            elif happens(draw, 4):
                sku = portfolio.sku_by_key[holder[1]]
                made[holder] = LicenceState(hidden_terms=frozenset({draw.choice(sku.terms).key}))
    return made


def change_licences(draft: Draft) -> None:
    """Change licences that were held the night before and are held tonight."""
    before = {(customer.customer_id, key) for customer, key in draft.before.held_licences()}
    held = [
        (customer, key)
        for customer, key in draft.state.held_licences()
        if (customer.customer_id, key) in before
    ]
    _stop_selling(draft, held)
    _sell_again(draft, held)
    _change_terms(draft, held)
    _hide_terms(draft, held)
    _remove(draft, held)


Held = list[tuple[Customer, SkuKey]]


def _own(draft: Draft, customer: Customer, key: SkuKey) -> LicenceState:
    return draft.state.licences.get((customer.customer_id, key), AS_EVER)


def _all_in_all(draft: Draft, customer: Customer, key: SkuKey) -> LicenceState:
    return draft.state.licence(customer.customer_id, customer.country, key)


def _change(draft: Draft, kind: Kind, customer: Customer, key: SkuKey, now: LicenceState) -> None:
    if draft.touch((customer.customer_id, key)):
        draft.state.licences[(customer.customer_id, key)] = now
        draft.tell(kind, customer_id=customer.customer_id, key=key)


def _stop_selling(draft: Draft, held: Held) -> None:
    plain = [pair for pair in held if _all_in_all(draft, *pair) == AS_EVER]
    for customer, key in draft.some(plain, 6, at_least=2):
        now = replace(_own(draft, customer, key), is_purchasable=False)
        _change(draft, Kind.LICENCE_NOT_PURCHASABLE, customer, key, now)
    if draft.state.night % 3 != 2 or len(plain) < 4:  # noqa: PLR2004 - a rhythm; a portfolio worth it
        return
    customer, key = draft.draw.choice(plain)
    everybody = [c for c, k in held if k == key and c.country == customer.country]
    if draft.touch_all((one.customer_id, key) for one in everybody):
        place = (customer.country, key)
        whole = draft.state.licences.get(place, AS_EVER)
        draft.state.licences[place] = replace(whole, is_purchasable=False)
        draft.tell(Kind.LICENCE_NOT_PURCHASABLE, country=customer.country, key=key)


def _sell_again(draft: Draft, held: Held) -> None:
    stopped = [pair for pair in held if not _own(draft, *pair).is_purchasable]
    for customer, key in draft.some(stopped, 40, at_least=2):
        now = replace(_own(draft, customer, key), is_purchasable=True)
        _change(draft, Kind.LICENCE_PURCHASABLE, customer, key, now)
    countries = [
        place
        for place, one in draft.state.licences.items()
        if not one.is_purchasable and place[0] not in draft.portfolio.customer_by_id
    ]
    if draft.state.night % 3 == 1 and countries:
        country, key = countries[0]
        there = [c for c, k in held if k == key and c.country == country]
        if draft.touch_all((one.customer_id, key) for one in there):
            whole = draft.state.licences[(country, key)]
            draft.state.licences[(country, key)] = replace(whole, is_purchasable=True)
            draft.tell(Kind.LICENCE_PURCHASABLE, country=country, key=key)


def _change_terms(draft: Draft, held: Held) -> None:
    visible = [pair for pair in held if not _all_in_all(draft, *pair).is_gone]
    for customer, key in draft.some(visible, 4, at_least=2):
        own = _own(draft, customer, key)
        if happens(draft.draw, 50):
            now = replace(own, flips_renewal=not own.flips_renewal)
        else:
            other = f"{key[0]}:{'0002' if key[1] != '0002' else '0001'}"
            now = replace(own, renew_to="" if own.renew_to else other)
        _change(draft, Kind.LICENCE_TERMS_CHANGED, customer, key, now)


def _visible_terms(sku: Sku, state: LicenceState) -> list[tuple[str, str]]:
    return [term.key for term in sku.terms if term.key not in state.hidden_terms]


def _hide_terms(draft: Draft, held: Held) -> None:
    visible = [pair for pair in held if not _all_in_all(draft, *pair).is_gone]
    for customer, key in draft.some(visible, 3):
        own = _own(draft, customer, key)
        terms = _visible_terms(draft.portfolio.sku_by_key[key], _all_in_all(draft, customer, key))
        if len(terms) > 1:
            hidden = own.hidden_terms | {draft.draw.choice(terms)}
            now = replace(own, hidden_terms=hidden)
            _change(draft, Kind.LICENCE_TERM_GONE, customer, key, now)
    hiding = [pair for pair in visible if _own(draft, *pair).hidden_terms]
    for customer, key in draft.some(hiding, 50):
        now = replace(_own(draft, customer, key), hidden_terms=frozenset())
        _change(draft, Kind.LICENCE_TERM_BACK, customer, key, now)


def _remove(draft: Draft, held: Held) -> None:
    there = [pair for pair in held if not _all_in_all(draft, *pair).is_gone]
    gone = [pair for pair in held if _own(draft, *pair).is_gone]
    for customer, key in draft.some(there, 2):
        now = replace(_own(draft, customer, key), is_gone=True)
        _change(draft, Kind.LICENCE_GONE, customer, key, now)
    for customer, key in draft.some(gone, 50):
        now = replace(_own(draft, customer, key), is_gone=False)
        _change(draft, Kind.LICENCE_BACK, customer, key, now)
