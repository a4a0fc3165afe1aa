-- The relation azure_subscription of the covered customers: the listed rows, else the known rows.
-- Grain: one Azure subscription of a customer.
-- Reads: this, cell, known_azure_subscription, found_azure_subscription.
SELECT this.snapshot_id, f.* EXCLUDE (snapshot_id)
FROM found_azure_subscription AS f
CROSS JOIN this
SEMI JOIN cell AS c
    ON c.customer_id = f.customer_id AND c.country = '' AND c.status <> 'left' AND c.is_listed
UNION ALL BY NAME
SELECT this.snapshot_id, k.*
FROM known_azure_subscription AS k
CROSS JOIN this
SEMI JOIN cell AS c
    ON c.customer_id = k.customer_id AND c.country = '' AND c.status <> 'left' AND NOT c.is_listed;
