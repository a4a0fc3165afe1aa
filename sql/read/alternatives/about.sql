-- What is known of the SKUs themselves for the customer.
-- Grain: one inventory key of the customer, or one term of a licence.
-- Reads: described, offered, asked_sku. Binds: region in lower case, '' for every region.
SELECT
    d.company_name, d.product_id, d.sku_id, d.product_title, d.sku_title, d.arm_sku_name,
    d.azure_subscription_id, d.country, d.region, d.term_duration, d.verdict, d.reason_codes,
    d.verdict_since_at, d.is_stale, d.answer_age_hours, d.checked_at
FROM described AS d
INNER JOIN asked_sku AS k ON k.product_id = d.product_id AND k.sku_id = d.sku_id
WHERE $region = '' OR d.region = $region
UNION ALL
SELECT
    '', o.product_id, o.sku_id, o.product_title, o.sku_title, '', '', o.country, '',
    o.term_duration, o.verdict, '', o.verdict_since_at, o.is_stale, o.answer_age_hours, o.checked_at
FROM offered AS o
INNER JOIN asked_sku AS k ON k.product_id = o.product_id AND k.sku_id = o.sku_id
WHERE $region = '' AND o.country = ''
ORDER BY ALL;
