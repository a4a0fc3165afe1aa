-- The inventory keys to check again, each with the id of its check.
-- Grain: one inventory key.
-- Reads: flipped_inventory, doubted, settled_check.
SELECT f.*, s.check_id
FROM flipped_inventory AS f
SEMI JOIN doubted AS d
    ON d.subject = 'inventory' AND d.customer_id = f.customer_id AND d.country = f.country
INNER JOIN settled_check AS s
    ON s.kind = 'inventory' AND s.outcome = 'answered'
    AND s.customer_id = f.customer_id AND s.country = f.country
    AND s.azure_subscription_id = f.azure_subscription_id AND s.arm_region = f.arm_region
    AND s.reservation_scope = f.reservation_scope
    AND s.product_id = f.product_id AND s.sku_id IN ('', f.sku_id);
