-- The relation sku: the catalog of each covered country, from the listed rows, else the known rows.
-- Grain: one SKU in a country and reservation scope.
-- Reads: this, cell, known_sku, found_sku, gone.
SELECT this.snapshot_id, f.* EXCLUDE (snapshot_id)
FROM found_sku AS f
CROSS JOIN this
SEMI JOIN cell AS c ON c.customer_id = '' AND c.country = f.country AND c.is_listed
UNION ALL BY NAME
SELECT this.snapshot_id, k.*
FROM known_sku AS k
CROSS JOIN this
SEMI JOIN cell AS c ON c.customer_id = '' AND c.country = k.country AND NOT c.is_listed
ANTI JOIN gone AS g
    ON g.country = k.country AND g.reservation_scope = k.reservation_scope
    AND g.product_id = k.product_id AND g.sku_id = k.sku_id;
