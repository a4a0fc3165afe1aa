-- The relation availability: everything known of the availability keys of the covered cells.
-- Grain: one availability key.
-- Reads: this, observed_availability.
WITH standing AS (
    SELECT
        o.*,
        CASE o.fate
            WHEN 'answer' THEN o.answer.verdict
            WHEN 'known' THEN o.known.verdict
            WHEN 'suspect' THEN o.known.verdict
            ELSE 'not_in_catalog'
        END AS verdict,
        CASE o.fate
            WHEN 'answer' THEN o.answer.checked_at
            WHEN 'absent' THEN o.settled_at
            WHEN 'gone' THEN o.gone_at
            WHEN 'confirmed' THEN greatest(o.known.checked_at, o.proven_at)
            ELSE o.known.checked_at
        END AS checked_at
    FROM observed_availability AS o
    WHERE o.fate <> 'dropped'
)
SELECT
    this.snapshot_id,
    this.partner_tenant_id,
    s.customer_id,
    s.country,
    s.product_id,
    s.sku_id,
    s.segment,
    s.reservation_scope,
    s.term_duration,
    s.billing_cycle,
    s.ordinal,
    s.verdict,
    CASE s.fate WHEN 'answer' THEN s.answer.availability_id ELSE s.known.availability_id END
        AS availability_id,
    CASE s.fate WHEN 'answer' THEN s.answer.catalog_item_id ELSE s.known.catalog_item_id END
        AS catalog_item_id,
    CASE s.fate WHEN 'answer' THEN s.answer.term_id ELSE s.known.term_id END AS term_id,
    CASE s.fate WHEN 'answer' THEN s.answer.market ELSE s.known.market END AS market,
    CASE s.fate WHEN 'answer' THEN s.answer.currency ELSE s.known.currency END AS currency,
    CASE s.fate WHEN 'answer' THEN s.answer.is_renewable ELSE s.known.is_renewable END
        AS is_renewable,
    CASE s.fate WHEN 'answer' THEN s.answer.renew_to ELSE s.known.renew_to END AS renew_to,
    CASE s.fate WHEN 'answer' THEN s.answer.lifecycle ELSE s.known.lifecycle END AS lifecycle,
    CASE s.fate WHEN 'answer' THEN s.answer.min_commitment ELSE s.known.min_commitment END
        AS min_commitment,
    s.checked_at,
    CASE
        WHEN s.fate IN ('known', 'suspect') THEN s.known.checked_snapshot_id ELSE this.snapshot_id
    END AS checked_snapshot_id,
    CASE WHEN s.fate = 'gone' OR s.verdict IS DISTINCT FROM s.known.verdict
        THEN s.checked_at ELSE s.known.verdict_since_at
    END AS verdict_since_at,
    CASE WHEN s.fate = 'gone' OR s.verdict IS DISTINCT FROM s.known.verdict
        THEN this.snapshot_id ELSE s.known.verdict_since_snapshot_id
    END AS verdict_since_snapshot_id,
    CASE s.fate
        WHEN 'suspect' THEN COALESCE(s.answer.verdict, 'not_in_catalog')
        WHEN 'known' THEN s.known.pending_verdict
        ELSE ''
    END AS pending_verdict,
    CASE s.fate
        WHEN 'suspect' THEN this.snapshot_id WHEN 'known' THEN s.known.pending_snapshot_id ELSE ''
    END AS pending_snapshot_id
FROM standing AS s
CROSS JOIN this;
