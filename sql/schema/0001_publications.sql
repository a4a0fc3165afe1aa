-- The tables with the published facts, and with the state of the store.
-- They are in the schema auditor_tables, which a reader cannot access: a reader queries the views.
-- Text is compared byte by byte (COLLATE "C"), as DuckDB does: a change of the system's
-- collations can then neither reorder rows nor spoil an index.

-- The numbered files of this folder that were applied.
-- Grain:  one file.
CREATE TABLE schema_step (
    step integer PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- The settings fixed when the store was created, and the fencing token (epoch): whoever takes the
-- publish lock increases it by one, and publishes only while the token has not changed since.
-- Grain:  one row.
CREATE TABLE store (
    is_the_only_row boolean PRIMARY KEY DEFAULT true CHECK (is_the_only_row),
    buckets smallint NOT NULL CHECK (buckets > 0),
    epoch bigint NOT NULL DEFAULT 0
);
INSERT INTO store (buckets) VALUES (16);

-- Grain:  one published snapshot.
CREATE TABLE snapshot (
    snapshot_id text COLLATE "C" NOT NULL,
    sequence bigint NOT NULL,
    run_id text COLLATE "C",
    partner_tenant_id text COLLATE "C" NOT NULL,
    partner_name text COLLATE "C",
    started_at timestamptz,
    published_at timestamptz,
    business_date date,
    kind text COLLATE "C",
    status text COLLATE "C",
    trigger text COLLATE "C",
    scope text COLLATE "C",
    scope_hash text COLLATE "C",
    calls bigint,
    retries bigint,
    throttled bigint,
    checks_answered bigint,
    checks_failed bigint,
    checks_skipped bigint,
    checks_not_eligible bigint,
    inventory_rows bigint,
    availability_rows bigint,
    changes bigint,
    auditor_version text COLLATE "C",
    schema_version bigint,
    PRIMARY KEY (snapshot_id),
    UNIQUE (sequence)
);

-- Facts about a snapshot that only the store needs. A pruned snapshot lacks its bulky relations.
-- Grain:  one published snapshot.
CREATE TABLE publication (
    snapshot_id text COLLATE "C" PRIMARY KEY REFERENCES snapshot,
    config_hash text COLLATE "C" NOT NULL,
    pruned_at timestamptz
);

-- Row count and digest of each relation at publication (P15). The digest is the sum of the rows'
-- digests, so the order of the rows does not count.
-- Grain:  one snapshot and relation.
CREATE TABLE publication_digest (
    snapshot_id text COLLATE "C" NOT NULL REFERENCES snapshot,
    relation text COLLATE "C" NOT NULL,
    row_count bigint NOT NULL,
    digest numeric NOT NULL,
    PRIMARY KEY (snapshot_id, relation)
);

-- Grain:  one snapshot and cell.
CREATE TABLE coverage (
    snapshot_id text COLLATE "C" NOT NULL,
    partner_tenant_id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    country text COLLATE "C" NOT NULL,
    status text COLLATE "C",
    scope text COLLATE "C",
    checks_answered bigint,
    checks_failed bigint,
    checks_skipped bigint,
    checks_not_eligible bigint,
    previous_snapshot_id text COLLATE "C",
    PRIMARY KEY (snapshot_id, partner_tenant_id, customer_id, country),
    FOREIGN KEY (snapshot_id) REFERENCES snapshot
);

CREATE INDEX coverage_cell ON coverage (partner_tenant_id, customer_id, country);

-- The newest snapshot of each cell. The views `current_…` join this table.
-- Grain:  one cell.
CREATE TABLE latest (
    partner_tenant_id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    country text COLLATE "C" NOT NULL,
    snapshot_id text COLLATE "C" NOT NULL,
    sequence bigint NOT NULL,
    status text COLLATE "C",
    PRIMARY KEY (partner_tenant_id, customer_id, country),
    FOREIGN KEY (snapshot_id) REFERENCES snapshot
);

-- Grain:  one snapshot and check.
CREATE TABLE check_outcome (
    snapshot_id text COLLATE "C" NOT NULL,
    check_id text COLLATE "C" NOT NULL,
    kind text COLLATE "C",
    partner_tenant_id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C",
    country text COLLATE "C",
    azure_subscription_id text COLLATE "C",
    arm_region text COLLATE "C",
    reservation_scope text COLLATE "C",
    product_id text COLLATE "C",
    sku_id text COLLATE "C",
    outcome text COLLATE "C",
    reason text COLLATE "C",
    http_status bigint,
    error_code text COLLATE "C",
    request_id text COLLATE "C",
    correlation_id text COLLATE "C",
    attempts bigint,
    checked_at timestamptz,
    PRIMARY KEY (snapshot_id, check_id),
    FOREIGN KEY (snapshot_id) REFERENCES snapshot
);

-- Grain:  one change.
CREATE TABLE change (
    event_id text COLLATE "C" NOT NULL,
    snapshot_id text COLLATE "C" NOT NULL,
    business_date date,
    subject text COLLATE "C",
    kind text COLLATE "C",
    partner_tenant_id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C",
    country text COLLATE "C",
    azure_subscription_id text COLLATE "C",
    arm_region text COLLATE "C",
    reservation_scope text COLLATE "C",
    product_id text COLLATE "C",
    sku_id text COLLATE "C",
    segment text COLLATE "C",
    term_duration text COLLATE "C",
    billing_cycle text COLLATE "C",
    ordinal bigint,
    verdict_before text COLLATE "C",
    verdict_after text COLLATE "C",
    reason_codes_before text COLLATE "C",
    reason_codes_after text COLLATE "C",
    restriction_values_before text COLLATE "C",
    restriction_values_after text COLLATE "C",
    detail text COLLATE "C",
    before_snapshot_id text COLLATE "C",
    before_at timestamptz,
    after_at timestamptz,
    gap_snapshots bigint,
    suspect boolean,
    affected_customers bigint,
    PRIMARY KEY (event_id),
    FOREIGN KEY (snapshot_id) REFERENCES snapshot
);

CREATE INDEX change_snapshot ON change (snapshot_id);
