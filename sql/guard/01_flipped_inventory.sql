-- The inventory keys whose new answer takes back a verdict.
-- Grain: one inventory key.
-- Reads: known_inventory, answer_inventory.
-- An answer that equals the pending answer is not counted, because it confirms that answer. A SKU
-- that the catalog itself reports gone is not checked, so it is not counted either.
CREATE OR REPLACE TEMP TABLE flipped_inventory AS
SELECT
    k.partner_tenant_id, k.customer_id, k.country, k.azure_subscription_id, k.arm_region, k.reservation_scope,
    k.product_id, k.sku_id, a.verdict, a.reason_codes, a.restriction_values
FROM known_inventory AS k
INNER JOIN answer_inventory AS a USING (
    customer_id, country, azure_subscription_id, arm_region, reservation_scope, product_id, sku_id
)
WHERE is_flip(k.verdict, a.verdict)
    AND a.checked_at >= greatest(k.checked_at, run_began(k.pending_snapshot_id))
    AND NOT same_answer(
        k.pending_verdict, a.verdict, k.pending_reason_codes, a.reason_codes,
        k.pending_restriction_values, a.restriction_values
    );
