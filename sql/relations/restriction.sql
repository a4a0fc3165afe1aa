-- The relation restriction: the restrictions of every restricted key, from the new answer if it is
-- used, else from the known rows. If the two differ only in letter case or order, the known rows
-- stay, so that the rows do not change.
-- Grain: one inventory key and ordinal.
-- Reads: this, observed_inventory, known_restriction, answer_restriction.
WITH known_texts AS (
    SELECT
        customer_id, country, azure_subscription_id, arm_region, reservation_scope, product_id,
        sku_id, list_sort(list(text)) AS texts
    FROM (
        SELECT
            *, lower(concat_ws('|', reason_code, type, value, description, properties)) AS text
        FROM known_restriction
    )
    GROUP BY ALL
),
answer_texts AS (
    SELECT
        customer_id, country, azure_subscription_id, arm_region, reservation_scope, product_id,
        sku_id, list_sort(list(text)) AS texts
    FROM (
        SELECT
            *, lower(concat_ws('|', reason_code, type, value, description, properties)) AS text
        FROM answer_restriction
    )
    GROUP BY ALL
),
same AS (
    SELECT a.* FROM answer_texts AS a
    SEMI JOIN known_texts AS k USING (
        customer_id, country, azure_subscription_id, arm_region, reservation_scope, product_id,
        sku_id, texts
    )
),
standing AS (
    SELECT o.fate, a.*
    FROM answer_restriction AS a
    INNER JOIN observed_inventory AS o USING (
        customer_id, country, azure_subscription_id, arm_region, reservation_scope, product_id,
        sku_id
    )
    ANTI JOIN same USING (
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
    LEFT JOIN same AS s USING (
        customer_id, country, azure_subscription_id, arm_region, reservation_scope, product_id,
        sku_id
    )
    WHERE o.fate IN ('known', 'suspect') OR (o.fate = 'answer' AND s.texts IS NOT NULL)
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
