-- The relation customer of the covered customers: the listed row, else the known row.
-- Grain: one customer.
-- Reads: this, cell, known_customer, found_customer.
SELECT this.snapshot_id, f.* EXCLUDE (snapshot_id)
FROM found_customer AS f
CROSS JOIN this
SEMI JOIN cell AS c
    ON c.customer_id = f.customer_id AND c.country = '' AND c.status <> 'left' AND c.is_listed
UNION ALL BY NAME
SELECT this.snapshot_id, k.*
FROM known_customer AS k
CROSS JOIN this
SEMI JOIN cell AS c
    ON c.customer_id = k.customer_id AND c.country = '' AND c.status <> 'left' AND NOT c.is_listed;
