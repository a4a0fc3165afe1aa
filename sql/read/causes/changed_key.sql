-- The changes, with the columns by which they are gathered.
-- Grain: one change.
-- Reads: change_row (changes with names).
-- The columns that are only compared hold a hash, because numbers are grouped much faster.
-- question:   changes of one question can have one cause: same subject, kind and reason codes,
--             suspect or not
-- source:     the subject, and the verdict from which a key can make this change
-- is_known:   whether keys that changed are still among those with that verdict
-- holder:     who holds the key: an Azure subscription; a customer, for licences; a country, for the
--             catalog
-- region_key, family_key: the region and family of a virtual machine; a licence and the catalog
--             have no region, and their family is the product
-- item:       the size of a virtual machine in a region, in all its terms; else the SKU
-- unit:       changes that are one fact: terms of one licence, or one SKU of the catalog in several
--             countries
WITH named AS (
    SELECT
        *,
        CASE WHEN kind = 'restriction_lifted' THEN reason_codes_before ELSE reason_codes_after END
            AS codes,
        product_id || ':' || sku_id AS product_sku
    FROM change_row
)
SELECT
    c.* EXCLUDE (codes),
    COALESCE(c.codes, '') AS reason_codes,
    hash(c.subject, c.kind, COALESCE(c.codes, ''), c.suspect) AS question,
    hash(
        c.subject,
        CASE
            WHEN c.subject = 'catalog' THEN 'listed'
            WHEN c.kind = 'first_seen_restricted' THEN 'unrestricted'
            ELSE COALESCE(c.verdict_before, '')
        END
    ) AS source,
    COALESCE(c.verdict_before = c.verdict_after, false)
    OR (c.subject = 'catalog' AND c.kind = 'entered_catalog') AS is_known,
    hash(c.partner_tenant_id, c.customer_id) AS customer,
    CASE
        WHEN c.subject = 'inventory'
            THEN hash(
                c.partner_tenant_id, c.customer_id, c.country, c.reservation_scope,
                c.azure_subscription_id
            )
        ELSE hash(c.partner_tenant_id, c.customer_id, c.country, c.reservation_scope, c.segment)
    END AS holder,
    hash(CASE WHEN c.subject = 'inventory' THEN c.region ELSE '' END) AS region_key,
    hash(
        CASE WHEN c.subject = 'inventory' THEN COALESCE(NULLIF(c.family, ''), c.product_id)
            ELSE c.product_id END
    ) AS family_key,
    CASE WHEN c.subject = 'inventory'
            THEN hash(c.region, COALESCE(NULLIF(c.arm_sku_name, ''), c.product_sku))
        ELSE hash('', c.product_sku) END AS item,
    CASE c.subject
        WHEN 'availability'
            THEN hash(c.partner_tenant_id, c.customer_id, c.country, c.product_sku)
        WHEN 'catalog' THEN hash(c.partner_tenant_id, c.product_sku)
    END AS unit
FROM named AS c;
