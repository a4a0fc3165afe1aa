"""Makes the availabilities of a SKU: what a customer, or a country, can buy on a night."""

from dataclasses import dataclass, replace

from auditor.sandbox.world import seeded
from auditor.sandbox.world.model import Availability, AvailableTerm, Customer, Sku, Term
from auditor.sandbox.world.places import COUNTRIES
from auditor.sandbox.world.state import LicenceState, NightState

REISSUED_EACH_NIGHT = 0.2
"""The share of ids that change each night although nothing else does."""


def customer_offers(
    state: NightState, customer: Customer, sku: Sku
) -> tuple[Availability, ...] | None:
    """Return a customer's availabilities of a SKU; `None` if the API answers 404."""
    how = state.licence(customer.customer_id, customer.country, sku.key)
    if how.is_gone:
        return None
    # This endpoint has no segment parameter; all customers here qualify for commercial offers.
    return _Offers(state, sku, how, customer.customer_id, customer.country).make(("commercial",))


def country_offers(
    state: NightState, country: str, sku: Sku, target_segment: str
) -> tuple[Availability, ...] | None:
    """Return a country's availabilities of a SKU; nonprofit ones only if that segment is named."""
    how = state.licence("", country, sku.key)
    if how.is_gone:
        return None
    segments = tuple(
        segment
        for segment in sku.segments
        if (segment == target_segment if target_segment else segment != "nonprofit")
    )
    return _Offers(state, sku, how, country, country).make(segments)


@dataclass(frozen=True, slots=True)
class _Offers:
    """Makes the availabilities of one SKU for a customer or a whole country (`holder`)."""

    state: NightState
    sku: Sku
    how: LicenceState
    holder: str
    country: str

    def make(self, segments: tuple[str, ...]) -> tuple[Availability, ...]:
        made = [self._offer(segment) for segment in segments]
        if self.sku.has_old_price:
            made += [self._old_offer(segment) for segment in segments]
        seed, night = self.state.portfolio.seed, self.state.night
        if seeded.number(seed, "offer order", self.holder, self.sku.key, night) % 2:
            made.reverse()
        return tuple(made)

    def _offer(self, segment: str) -> Availability:
        renewable = any(term.renewable for term in self.sku.terms) != self.how.flips_renewal
        terms = tuple(
            self._term(term, renewable=renewable)
            for term in self.sku.terms
            if term.key not in self.how.hidden_terms
        )
        place = COUNTRIES[self.country]
        return Availability(
            availability_id=self.sku.product_id[:8] + self._reissued(4, segment),
            product_id=self.sku.product_id,
            sku_id=self.sku.sku_id,
            segment=segment,
            country=self.country,
            currency=place.currency,
            symbol=place.symbol,
            is_purchasable=self.how.is_purchasable,
            is_renewable=renewable,
            terms=terms,
        )

    def _term(self, term: Term, *, renewable: bool) -> AvailableTerm:
        target = self.how.renew_to or f"{self.sku.product_id}:{self.sku.sku_id}"
        return AvailableTerm(
            term_id=self._reissued(12, *term.key).lower(),
            duration=term.duration,
            billing_cycle=term.billing_cycle,
            description=term.description,
            renew_to=(target,) if renewable and term.renewable else (),
        )

    def _old_offer(self, segment: str) -> Availability:
        """Return the withdrawn offer: the first term, not purchasable, not renewable."""
        first = self._term(self.sku.terms[0], renewable=False)
        return replace(
            self._offer(segment),
            availability_id=self.sku.product_id[:8] + self._reissued(4, segment, "old"),
            is_purchasable=False,
            is_renewable=False,
            terms=(replace(first, term_id=self._reissued(12, "old").lower()),),
        )

    def _reissued(self, length: int, *about: object) -> str:
        """Return an id that is replaced after some nights although its object stays the same."""
        seed = self.state.portfolio.seed
        subject = (*self.sku.key, self.holder, *about)
        since = next(
            (
                night
                for night in range(self.state.night, 1, -1)
                if seeded.share(seed, "reissue", *subject, night) < REISSUED_EACH_NIGHT
            ),
            1,
        )
        return seeded.code(seed, length, "offer", *subject, since)
