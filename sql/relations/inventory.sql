-- The relation inventory: everything known of the inventory keys of the covered cells.
-- Grain: one inventory key.
-- Reads: this, observed_inventory.
-- If codes and values differ only in letter case or order, their known spelling stays, so that the
-- row does not change.
WITH observed AS (
    SELECT
        *,
        fate = 'answer' AND NOT same_answer(
            known_verdict, answer_verdict, known_reason_codes, answer_reason_codes,
            known_restriction_values, answer_restriction_values
        ) AS is_told_anew
    FROM observed_inventory
)
SELECT
    this.snapshot_id,
    this.partner_tenant_id,
    o.customer_id,
    o.country,
    o.azure_subscription_id,
    o.arm_region,
    o.reservation_scope,
    o.product_id,
    o.sku_id,
    CASE o.fate
        WHEN 'answer' THEN o.answer_verdict WHEN 'gone' THEN 'not_in_catalog' ELSE o.known_verdict
    END AS verdict,
    CASE
        WHEN o.is_told_anew THEN o.answer_reason_codes
        WHEN o.fate = 'gone' THEN ''
        ELSE o.known_reason_codes
    END AS reason_codes,
    CASE
        WHEN o.is_told_anew THEN o.answer_restriction_values
        WHEN o.fate = 'gone' THEN ''
        ELSE o.known_restriction_values
    END AS restriction_values,
    CASE o.fate WHEN 'answer' THEN o.answer_region ELSE o.known_region END AS region,
    CASE o.fate
        WHEN 'answer' THEN o.answer_at
        WHEN 'gone' THEN o.gone_at
        WHEN 'confirmed' THEN greatest(o.known_at, o.proven_at)
        ELSE o.known_at
    END AS checked_at,
    CASE WHEN o.fate IN ('known', 'suspect') THEN o.known_snapshot_id ELSE this.snapshot_id END
        AS checked_snapshot_id,
    CASE
        WHEN o.fate = 'gone' THEN o.gone_at
        WHEN o.fate = 'answer' AND o.answer_verdict IS DISTINCT FROM o.known_verdict
            THEN o.answer_at
        ELSE o.known_since_at
    END AS verdict_since_at,
    CASE
        WHEN o.fate = 'gone' THEN this.snapshot_id
        WHEN o.fate = 'answer' AND o.answer_verdict IS DISTINCT FROM o.known_verdict
            THEN this.snapshot_id
        ELSE o.known_since_snapshot_id
    END AS verdict_since_snapshot_id,
    CASE o.fate
        WHEN 'suspect' THEN o.answer_verdict WHEN 'known' THEN o.known_pending_verdict ELSE ''
    END AS pending_verdict,
    CASE o.fate
        WHEN 'suspect' THEN o.answer_reason_codes
        WHEN 'known' THEN o.known_pending_reason_codes
        ELSE ''
    END AS pending_reason_codes,
    CASE o.fate
        WHEN 'suspect' THEN o.answer_restriction_values
        WHEN 'known' THEN o.known_pending_restriction_values
        ELSE ''
    END AS pending_restriction_values,
    CASE o.fate
        WHEN 'suspect' THEN this.snapshot_id
        WHEN 'known' THEN o.known_pending_snapshot_id
        ELSE ''
    END AS pending_snapshot_id
FROM observed AS o
CROSS JOIN this
WHERE o.fate <> 'dropped';
