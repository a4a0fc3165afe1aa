-- What can be bought, as it is known now.
-- Grain:  one availability key.
CREATE VIEW current_availability AS
SELECT
    snapshot_id, partner_tenant_id, customer_id, country, product_id, sku_id, segment,
    reservation_scope, term_duration, billing_cycle, ordinal, verdict, availability_id,
    catalog_item_id, term_id, market, currency, is_renewable, renew_to, lifecycle, min_commitment,
    checked_at, checked_snapshot_id, verdict_since_at, verdict_since_snapshot_id, pending_verdict,
    pending_snapshot_id
FROM known_availability;
