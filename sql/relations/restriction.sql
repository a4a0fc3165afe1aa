-- The relation restriction: the restrictions of every restricted key, from the answer if it is
-- published, else the known ones.
-- Grain: one inventory key and ordinal.
-- Reads: this, observed_inventory, known_restriction, answer_restriction.
WITH standing AS (
    SELECT o.fate, a.*
    FROM answer_restriction AS a
    INNER JOIN observed_inventory AS o USING (
        customer_id, country, azure_subscription_id, arm_region, reservation_scope, product_id,
        sku_id
    )
    WHERE o.fate = 'answer'
    UNION ALL BY NAME
    SELECT o.fate, k.*
    FROM known_restriction AS k
    INNER JOIN observed_inventory AS o USING (
        customer_id, country, azure_subscription_id, arm_region, reservation_scope, product_id,
        sku_id
    )
    WHERE o.fate IN ('known', 'suspect')
)
SELECT
    this.snapshot_id,
    this.partner_tenant_id,
    s.customer_id,
    s.country,
    s.azure_subscription_id,
    s.arm_region,
    s.reservation_scope,
    s.product_id,
    s.sku_id,
    s.ordinal,
    s.reason_code,
    s.description,
    s.type,
    s.value,
    s.properties
FROM standing AS s
CROSS JOIN this;
