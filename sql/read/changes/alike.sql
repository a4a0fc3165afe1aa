-- Changes for people: those that differ only in their Azure subscription, or in their terms, are one.
-- Grain: one kind, customer, country, region, SKU, and what was and is known.
-- Reads: change_row (changes with names).
-- A column whose values differ lists them (terms), is '' (azure_subscription_id) or gives the newest
-- (after_at). detail is kept for changed terms, which it describes.
SELECT
    MIN(snapshot_id) AS snapshot_id, partner_tenant_id, subject, kind, suspect, customer_id,
    company_name, country, region, product_id, product_title, sku_id, sku_title, arm_sku_name,
    COALESCE(
        string_agg(DISTINCT term_duration, ';' ORDER BY term_duration) FILTER (term_duration <> ''),
        ''
    ) AS term_duration,
    COALESCE(
        string_agg(DISTINCT billing_cycle, ';' ORDER BY billing_cycle) FILTER (billing_cycle <> ''),
        ''
    ) AS billing_cycle,
    CASE
        WHEN MIN(azure_subscription_id) = MAX(azure_subscription_id) THEN MIN(azure_subscription_id)
        ELSE ''
    END AS azure_subscription_id,
    COUNT(DISTINCT azure_subscription_id) FILTER (azure_subscription_id <> '') AS subscriptions,
    verdict_before, verdict_after, reason_codes_before, reason_codes_after,
    restriction_values_before, restriction_values_after,
    COALESCE(CASE WHEN kind = 'terms_changed' THEN detail END, '{}') AS detail,
    MIN(before_at) AS before_at, MAX(after_at) AS after_at, MAX(gap_snapshots) AS gap_snapshots,
    MAX(affected_customers) AS affected_customers, COUNT(*) AS keys
FROM change_row
GROUP BY ALL
ORDER BY
    partner_tenant_id, subject, kind, customer_id, country, region, product_id, sku_id, term_duration,
    billing_cycle, suspect, verdict_before, verdict_after, reason_codes_before, reason_codes_after,
    restriction_values_before, restriction_values_after, detail, sku_title;
