-- Changes gathered into causes, and what the changes of each have in common.
-- Grain: one cause; or, with is_single, the changes of one subject, kind and set of reason codes
-- that stand alone, suspect or not.
-- Reads: placed, known_place.
-- A column names what all changes of a cause have in common, and is '' where they differ.
-- known: the keys that could have changed in the place of the cause. NULL for single changes.
-- A change of the catalog itself has one row in each country, for all affected customers there.
-- The customers of two countries are different, so the numbers of countries are added up. Several
-- SKUs may affect the same customers, so the numbers of SKUs are not added: the largest is taken.
WITH of_sku AS (
    SELECT
        *,
        CAST(SUM(CASE WHEN customer_id = '' THEN affected_customers ELSE 0 END) OVER (
            PARTITION BY question, place_of, place, reservation_scope, product_id, sku_id
        ) AS BIGINT) AS affected
    FROM placed
),
known_there AS (
    SELECT p.question, p.place_of, p.place, SUM(k.keys) AS keys
    FROM (SELECT DISTINCT question, source, place_of, place FROM placed) AS p
    INNER JOIN known_place AS k
        ON k.source = p.source AND k.place_of = p.place_of AND k.place = p.place
        AND k.owner IS NOT DISTINCT FROM
            CASE WHEN p.place_of IN ('holder', 'customer') THEN p.place END
    GROUP BY ALL
),
gathered AS (
    SELECT
        place_of, place, subject, kind, reason_codes, suspect, question,
        BOOL_OR(is_known) AS is_known,
        in_common(product_title) AS product_title,
        in_common(family) AS family,
        in_common(region) AS region,
        in_common(country) AS country,
        in_common(product_id || ':' || sku_id) AS sku,
        in_common(sku_title) AS sku_title,
        in_common(customer_id) AS customer_id,
        in_common(company_name) AS company_name,
        COUNT(*) AS keys,
        COUNT(DISTINCT product_id || ':' || sku_id) AS skus,
        GREATEST(
            COUNT(DISTINCT partner_tenant_id || customer_id) FILTER (customer_id <> ''),
            MAX(affected)
        ) AS customers,
        COUNT(DISTINCT partner_tenant_id || azure_subscription_id)
            FILTER (azure_subscription_id <> '') AS subscriptions,
        COUNT(DISTINCT partner_tenant_id) AS partners,
        COUNT(DISTINCT region) FILTER (region <> '') AS regions,
        COUNT(DISTINCT family_key) AS families,
        COALESCE(
            string_agg(DISTINCT term_duration, ';' ORDER BY term_duration)
                FILTER (term_duration <> ''),
            ''
        ) AS terms,
        MIN(snapshot_id) AS first_snapshot_id,
        MIN(after_at) AS since_at
    FROM of_sku
    GROUP BY ALL
),
named AS (
    SELECT
        g.*,
        g.place_of = 'single' AS is_single,
        CASE
            WHEN g.place_of NOT IN ('unit', 'single')
                THEN CAST(
                    GREATEST(
                        COALESCE(k.keys, 0) + CASE WHEN g.is_known THEN 0 ELSE g.keys END, g.keys
                    ) AS BIGINT
                )
        END AS known,
        COALESCE(NULLIF(g.product_title, ''), g.family) AS title,
        concat_ws(
            ' in ',
            NULLIF(replace(g.reason_codes, ';', ' and '), ''),
            COALESCE(
                NULLIF(g.region, ''),
                counted(g.regions, 'region'),
                CASE WHEN g.subject = 'catalog' THEN NULLIF(g.country, '') END
            )
        ) AS head
    FROM gathered AS g
    LEFT JOIN known_there AS k
        ON k.question = g.question AND k.place_of = g.place_of AND k.place = g.place
)
SELECT
    subject, kind, product_title, region, reason_codes, suspect, skus, customers, keys, partners,
    CASE WHEN is_single AND keys > 1 THEN keys || ' single changes: ' ELSE '' END
    || concat_ws(
        ': ',
        CASE WHEN reason_codes = '' THEN 'in ' || NULLIF(head, '') ELSE head END,
        concat_ws(
            ', ',
            counted(skus, 'SKU') || CASE
                WHEN skus = 1 AND sku_title <> '' THEN ' (' || sku_title || ')'
                WHEN title <> '' THEN ' of ' || title
                WHEN families = 1 THEN ''
                WHEN subject = 'inventory' THEN ' of ' || families || ' families'
                ELSE ' of ' || families || ' products'
            END,
            CASE
                WHEN subject = 'availability' AND terms <> ''
                    THEN 'terms ' || replace(terms, ';', ' and ')
            END,
            counted(customers, 'customer'),
            counted(subscriptions, 'subscription')
        )
    ) AS cause,
    is_single, family, country, sku, sku_title, customer_id, company_name, subscriptions, terms,
    regions, known, keys / known AS changed_share, first_snapshot_id, since_at
FROM named
ORDER BY
    suspect, is_single, keys DESC, subject, kind, reason_codes, cause, product_title, region, country,
    customer_id, since_at, place_of, place;
