-- The verdicts that ended without a change of their own. Their key was dropped, or their SKU left
-- the catalog or came back, which is one change for all customers. These rows are never pruned.

-- Grain:  one snapshot and inventory key.
CREATE TABLE ending (
    snapshot_id text COLLATE "C" NOT NULL,
    partner_tenant_id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    country text COLLATE "C" NOT NULL,
    azure_subscription_id text COLLATE "C" NOT NULL,
    arm_region text COLLATE "C" NOT NULL,
    reservation_scope text COLLATE "C" NOT NULL,
    product_id text COLLATE "C" NOT NULL,
    sku_id text COLLATE "C" NOT NULL,
    verdict text COLLATE "C",
    reason_codes text COLLATE "C",
    restriction_values text COLLATE "C",
    verdict_since_at timestamptz,
    verdict_since_snapshot_id text COLLATE "C",
    ended_at timestamptz,
    ended_by text COLLATE "C",
    PRIMARY KEY (
        snapshot_id, partner_tenant_id, customer_id, country, azure_subscription_id, arm_region,
        reservation_scope, product_id, sku_id
    ),
    FOREIGN KEY (snapshot_id) REFERENCES snapshot
);

CREATE INDEX ending_cell ON ending (partner_tenant_id, customer_id, country);

-- Grain:  one staged row of ending, of one epoch.
CREATE UNLOGGED TABLE staged_ending (
    epoch bigint NOT NULL,
    snapshot_id text COLLATE "C",
    partner_tenant_id text COLLATE "C",
    customer_id text COLLATE "C",
    country text COLLATE "C",
    azure_subscription_id text COLLATE "C",
    arm_region text COLLATE "C",
    reservation_scope text COLLATE "C",
    product_id text COLLATE "C",
    sku_id text COLLATE "C",
    verdict text COLLATE "C",
    reason_codes text COLLATE "C",
    restriction_values text COLLATE "C",
    verdict_since_at timestamptz,
    verdict_since_snapshot_id text COLLATE "C",
    ended_at timestamptz,
    ended_by text COLLATE "C"
);

ALTER TABLE ending ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY readable ON ending FOR SELECT TO auditor_reader USING (
    partner_tenant_id = ANY ((SELECT readable_partners(current_user))::text [])
    OR (partner_tenant_id, customer_id) IN (
        SELECT r.partner_tenant_id, r.customer_id FROM readable_customers(current_user) AS r
    )
);
CREATE POLICY whole ON ending TO auditor_owner, auditor_writer USING (true);
GRANT SELECT ON ending TO auditor_reader;
GRANT SELECT, INSERT ON ending TO auditor_writer;
GRANT SELECT, INSERT, DELETE ON staged_ending TO auditor_writer;
