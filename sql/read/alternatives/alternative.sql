-- What the customer could buy instead of some SKUs, the nearest first.
-- Grain: one key that is asked about (its Azure subscription, SKU and region), and one SKU instead.
-- Reads: described (the customer's keys), offered (its availabilities), asked_sku (the SKUs).
-- Binds: region in lower case, '' for every region.
-- Every row is unrestricted for the same Azure subscription and country, and no newer answer waits
-- for confirmation; a savings plan is purchasable for the customer. availability: `unknown` if none
-- of the SKU is known; a SKU that is known not to be purchasable is left out.
-- difference: `size` (same flexibility group), `term`, `savings_plan`, `series` (newer, of near
-- size: cores within a half more or less, memory within a factor of two), `region`.
-- A licence has the other terms that are purchasable, if one of its terms is not.
-- quantity: how many replace one of the SKU, by the ratios of the flexibility group.
WITH anchor AS (
    SELECT d.*
    FROM described AS d
    INNER JOIN asked_sku AS k ON k.product_id = d.product_id AND k.sku_id = d.sku_id
    WHERE $region = '' OR d.region = $region
),
candidate AS (
    SELECT d.*
    FROM described AS d
    WHERE d.verdict = 'unrestricted' AND COALESCE(d.pending_verdict, '') = '' AND d.is_listed
),
compared AS (
    SELECT
        a.partner_tenant_id, a.country, a.azure_subscription_id, a.region AS of_region,
        a.product_id AS of_product_id, a.sku_id AS of_sku_id,
        c.product_id, c.sku_id, c.product_title, c.sku_title, c.arm_sku_name, c.region,
        c.term_duration, c.flexibility_group, c.cores, c.ram_gb, c.is_stale, c.checked_at,
        c.answer_age_hours, c.verdict, c.generation,
        CASE WHEN a.ratio > 0 AND c.ratio > 0 THEN a.ratio / c.ratio END AS share,
        CASE
            WHEN
                a.flexibility_group <> '' AND c.flexibility_group = a.flexibility_group
                AND c.region = a.region AND c.term_duration = a.term_duration
                AND c.arm_sku_name <> a.arm_sku_name AND a.ratio > 0 AND c.ratio > 0
                THEN 'size'
            WHEN
                c.arm_sku_name = a.arm_sku_name AND a.arm_sku_name <> ''
                AND c.region = a.region AND c.term_duration <> a.term_duration
                THEN 'term'
            WHEN
                c.generation > a.generation AND c.flexibility_group <> a.flexibility_group
                AND c.region = a.region AND c.term_duration = a.term_duration
                AND c.cores BETWEEN a.cores / 1.5 AND a.cores * 1.5
                AND c.ram_gb BETWEEN a.ram_gb / 2 AND a.ram_gb * 2
                THEN 'series'
            WHEN
                c.arm_sku_name = a.arm_sku_name AND a.arm_sku_name <> ''
                AND c.region NOT IN ('', a.region) AND c.term_duration = a.term_duration
                THEN 'region'
        END AS difference,
        abs(c.cores - a.cores) + abs(c.ram_gb - a.ram_gb) / 8 AS distance
    FROM anchor AS a
    INNER JOIN candidate AS c
        ON c.partner_tenant_id = a.partner_tenant_id
        AND c.country = a.country
        AND c.azure_subscription_id = a.azure_subscription_id
        AND c.reservation_scope = a.reservation_scope
        AND c.arm_region = CASE WHEN a.arm_region = '' THEN '' ELSE c.arm_region END
    WHERE (c.product_id, c.sku_id, c.region) <> (a.product_id, a.sku_id, a.region)
),
inventory AS (
    SELECT
        c.*, CAST(ceil(c.share) AS bigint) AS quantity, COALESCE(o.verdict, 'unknown') AS availability
    FROM compared AS c
    LEFT JOIN offered AS o
        ON o.partner_tenant_id = c.partner_tenant_id
        AND o.country IN ('', c.country)
        AND o.product_id = c.product_id
        AND o.sku_id = c.sku_id
        AND o.term_duration = c.term_duration
        AND NOT o.is_stale
    WHERE c.difference IS NOT NULL
    QUALIFY ROW_NUMBER() OVER (
        PARTITION BY
            c.partner_tenant_id, c.country, c.azure_subscription_id, c.of_region,
            c.of_product_id, c.of_sku_id, c.product_id, c.sku_id, c.region
        ORDER BY o.country NULLS LAST
    ) = 1
),
savings_plan AS (
    SELECT
        a.partner_tenant_id, a.country, a.azure_subscription_id, a.region AS of_region,
        a.product_id AS of_product_id, a.sku_id AS of_sku_id,
        o.product_id, o.sku_id, o.product_title, o.sku_title, '' AS region, o.term_duration,
        o.is_stale, o.checked_at, o.answer_age_hours, o.verdict,
        'savings_plan' AS difference, o.verdict AS availability
    FROM anchor AS a
    INNER JOIN offered AS o
        ON o.partner_tenant_id = a.partner_tenant_id
        AND o.country IN ('', a.country)
        AND o.product_id = 'DZH318Z09V6F'
        AND o.verdict = 'purchasable'
    WHERE a.arm_sku_name <> ''
),
licence AS (
    SELECT
        a.partner_tenant_id, o.country, '' AS azure_subscription_id, '' AS of_region,
        a.product_id AS of_product_id, a.sku_id AS of_sku_id,
        o.product_id, o.sku_id, o.product_title, o.sku_title, '' AS region, o.term_duration,
        o.is_stale, o.checked_at, o.answer_age_hours, o.verdict,
        'term' AS difference, o.verdict AS availability
    FROM (
        SELECT DISTINCT f.partner_tenant_id, f.product_id, f.sku_id
        FROM offered AS f
        WHERE
            f.country = '' AND f.verdict <> 'purchasable'
            AND NOT EXISTS (
                SELECT 1 FROM described AS d
                WHERE d.product_id = f.product_id AND d.sku_id = f.sku_id
            )
    ) AS a
    INNER JOIN asked_sku AS k ON k.product_id = a.product_id AND k.sku_id = a.sku_id
    INNER JOIN offered AS o
        ON o.partner_tenant_id = a.partner_tenant_id
        AND o.country = ''
        AND o.product_id = a.product_id
        AND o.sku_id = a.sku_id
        AND o.verdict = 'purchasable'
    WHERE $region = ''
),
every AS (
    SELECT * FROM inventory WHERE availability IN ('purchasable', 'unknown')
    UNION ALL BY NAME
    SELECT * FROM savings_plan
    UNION ALL BY NAME
    SELECT * FROM licence
)
SELECT
    e.partner_tenant_id, e.country, e.azure_subscription_id, e.of_product_id, e.of_sku_id,
    e.of_region, e.difference, e.product_id, e.sku_id, e.product_title, e.sku_title,
    COALESCE(e.arm_sku_name, '') AS arm_sku_name, e.region, e.term_duration, e.quantity,
    e.share AS replaces_share, COALESCE(e.flexibility_group, '') AS flexibility_group,
    e.cores, e.ram_gb, e.verdict, e.availability, e.is_stale, e.checked_at, e.answer_age_hours,
    e.difference = 'region' AS needs_moving
FROM every AS e
ORDER BY
    e.of_product_id, e.of_sku_id, e.of_region, e.country, e.azure_subscription_id,
    CASE e.difference
        WHEN 'size' THEN 1 WHEN 'term' THEN 2 WHEN 'savings_plan' THEN 3 WHEN 'series' THEN 4 ELSE 5
    END,
    e.is_stale, abs(ln(e.share)), -e.generation, e.distance, e.product_id, e.sku_id, e.region,
    e.term_duration;
