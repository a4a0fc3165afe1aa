-- The staging tables. A publisher loads rows into them by COPY, then one transaction moves the rows
-- into the tables of the store. Rows with another epoch than the store's were left by a publisher
-- that died. The tables are not logged, so a crash of the server empties them. The publisher then
-- notices that its row counts differ.
-- Grain: one row of the relation in the table's name, of one epoch.

CREATE UNLOGGED TABLE staged_coverage (
    epoch bigint NOT NULL,
    snapshot_id text COLLATE "C",
    partner_tenant_id text COLLATE "C",
    customer_id text COLLATE "C",
    country text COLLATE "C",
    status text COLLATE "C",
    scope text COLLATE "C",
    checks_answered bigint,
    checks_failed bigint,
    checks_skipped bigint,
    checks_not_eligible bigint,
    previous_snapshot_id text COLLATE "C"
);

CREATE UNLOGGED TABLE staged_check_outcome (
    epoch bigint NOT NULL,
    snapshot_id text COLLATE "C",
    check_id text COLLATE "C",
    kind text COLLATE "C",
    partner_tenant_id text COLLATE "C",
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
    checked_at timestamptz
);

CREATE UNLOGGED TABLE staged_change (
    epoch bigint NOT NULL,
    event_id text COLLATE "C",
    snapshot_id text COLLATE "C",
    business_date date,
    subject text COLLATE "C",
    kind text COLLATE "C",
    partner_tenant_id text COLLATE "C",
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
    affected_customers bigint
);

CREATE UNLOGGED TABLE staged_inventory_interval (
    epoch bigint NOT NULL,
    is_over boolean NOT NULL,
    bucket smallint NOT NULL,
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
    region text COLLATE "C",
    verdict_since_at timestamptz,
    verdict_since_snapshot_id text COLLATE "C",
    pending_verdict text COLLATE "C",
    pending_reason_codes text COLLATE "C",
    pending_restriction_values text COLLATE "C",
    pending_snapshot_id text COLLATE "C"
);

CREATE UNLOGGED TABLE staged_inventory_checked (
    epoch bigint NOT NULL,
    snapshot_id text COLLATE "C" NOT NULL,
    bucket smallint NOT NULL,
    partner_tenant_id text COLLATE "C",
    customer_id text COLLATE "C",
    country text COLLATE "C",
    azure_subscription_id text COLLATE "C",
    arm_region text COLLATE "C",
    reservation_scope text COLLATE "C",
    product_id text COLLATE "C",
    checked_at timestamptz,
    checked_snapshot_id text COLLATE "C"
);

CREATE UNLOGGED TABLE staged_inventory_checked_apart (
    epoch bigint NOT NULL,
    snapshot_id text COLLATE "C" NOT NULL,
    bucket smallint NOT NULL,
    partner_tenant_id text COLLATE "C",
    customer_id text COLLATE "C",
    country text COLLATE "C",
    azure_subscription_id text COLLATE "C",
    arm_region text COLLATE "C",
    reservation_scope text COLLATE "C",
    product_id text COLLATE "C",
    sku_id text COLLATE "C",
    checked_at timestamptz,
    checked_snapshot_id text COLLATE "C"
);

CREATE UNLOGGED TABLE staged_restriction_interval (
    epoch bigint NOT NULL,
    is_over boolean NOT NULL,
    bucket smallint NOT NULL,
    partner_tenant_id text COLLATE "C",
    customer_id text COLLATE "C",
    country text COLLATE "C",
    azure_subscription_id text COLLATE "C",
    arm_region text COLLATE "C",
    reservation_scope text COLLATE "C",
    product_id text COLLATE "C",
    sku_id text COLLATE "C",
    ordinal bigint,
    reason_code text COLLATE "C",
    description text COLLATE "C",
    type text COLLATE "C",
    value text COLLATE "C",
    properties text COLLATE "C"
);

CREATE UNLOGGED TABLE staged_availability_interval (
    epoch bigint NOT NULL,
    is_over boolean NOT NULL,
    bucket smallint NOT NULL,
    partner_tenant_id text COLLATE "C",
    customer_id text COLLATE "C",
    country text COLLATE "C",
    product_id text COLLATE "C",
    sku_id text COLLATE "C",
    segment text COLLATE "C",
    reservation_scope text COLLATE "C",
    term_duration text COLLATE "C",
    billing_cycle text COLLATE "C",
    ordinal bigint,
    verdict text COLLATE "C",
    availability_id text COLLATE "C",
    catalog_item_id text COLLATE "C",
    term_id text COLLATE "C",
    market text COLLATE "C",
    currency text COLLATE "C",
    is_renewable boolean,
    renew_to text COLLATE "C",
    lifecycle text COLLATE "C",
    min_commitment text COLLATE "C",
    verdict_since_at timestamptz,
    verdict_since_snapshot_id text COLLATE "C",
    pending_verdict text COLLATE "C",
    pending_snapshot_id text COLLATE "C"
);

CREATE UNLOGGED TABLE staged_availability_checked (
    epoch bigint NOT NULL,
    snapshot_id text COLLATE "C" NOT NULL,
    bucket smallint NOT NULL,
    partner_tenant_id text COLLATE "C",
    customer_id text COLLATE "C",
    country text COLLATE "C",
    product_id text COLLATE "C",
    sku_id text COLLATE "C",
    reservation_scope text COLLATE "C",
    checked_at timestamptz,
    checked_snapshot_id text COLLATE "C"
);

CREATE UNLOGGED TABLE staged_availability_checked_apart (
    epoch bigint NOT NULL,
    snapshot_id text COLLATE "C" NOT NULL,
    bucket smallint NOT NULL,
    partner_tenant_id text COLLATE "C",
    customer_id text COLLATE "C",
    country text COLLATE "C",
    product_id text COLLATE "C",
    sku_id text COLLATE "C",
    segment text COLLATE "C",
    reservation_scope text COLLATE "C",
    term_duration text COLLATE "C",
    billing_cycle text COLLATE "C",
    ordinal bigint,
    checked_at timestamptz,
    checked_snapshot_id text COLLATE "C"
);

CREATE UNLOGGED TABLE staged_sku_interval (
    epoch bigint NOT NULL,
    is_over boolean NOT NULL,
    bucket smallint NOT NULL,
    partner_tenant_id text COLLATE "C",
    country text COLLATE "C",
    reservation_scope text COLLATE "C",
    product_id text COLLATE "C",
    sku_id text COLLATE "C",
    product_title text COLLATE "C",
    title text COLLATE "C",
    arm_sku_name text COLLATE "C",
    region text COLLATE "C",
    region_name text COLLATE "C",
    category text COLLATE "C",
    cores bigint,
    ram_gb double precision,
    term_duration text COLLATE "C",
    flexibility_group text COLLATE "C",
    flexibility_ratio text COLLATE "C",
    inventory_variables text COLLATE "C",
    purchase_prerequisites text COLLATE "C"
);

CREATE UNLOGGED TABLE staged_customer_interval (
    epoch bigint NOT NULL,
    is_over boolean NOT NULL,
    bucket smallint NOT NULL,
    partner_tenant_id text COLLATE "C",
    customer_id text COLLATE "C",
    company_name text COLLATE "C",
    domain text COLLATE "C",
    country text COLLATE "C",
    relationship text COLLATE "C",
    reseller_id text COLLATE "C",
    qualifications text COLLATE "C"
);

CREATE UNLOGGED TABLE staged_azure_subscription_interval (
    epoch bigint NOT NULL,
    is_over boolean NOT NULL,
    bucket smallint NOT NULL,
    partner_tenant_id text COLLATE "C",
    customer_id text COLLATE "C",
    azure_subscription_id text COLLATE "C",
    plan_id text COLLATE "C",
    friendly_name text COLLATE "C",
    status text COLLATE "C",
    registration_status text COLLATE "C",
    reseller_id text COLLATE "C"
);

CREATE UNLOGGED TABLE staged_commerce_subscription_interval (
    epoch bigint NOT NULL,
    is_over boolean NOT NULL,
    bucket smallint NOT NULL,
    partner_tenant_id text COLLATE "C",
    customer_id text COLLATE "C",
    commerce_subscription_id text COLLATE "C",
    product_id text COLLATE "C",
    sku_id text COLLATE "C",
    offer_id text COLLATE "C",
    offer_name text COLLATE "C",
    quantity bigint,
    status text COLLATE "C",
    term_duration text COLLATE "C",
    billing_cycle text COLLATE "C",
    term_ends_at timestamptz,
    end_action text COLLATE "C",
    next_product_id text COLLATE "C",
    next_sku_id text COLLATE "C",
    next_term_duration text COLLATE "C",
    reseller_id text COLLATE "C"
);

CREATE UNLOGGED TABLE staged_remembered_interval (
    epoch bigint NOT NULL,
    is_over boolean NOT NULL,
    bucket smallint NOT NULL,
    partner_tenant_id text COLLATE "C",
    customer_id text COLLATE "C",
    country text COLLATE "C",
    azure_subscription_id text COLLATE "C",
    arm_region text COLLATE "C",
    reservation_scope text COLLATE "C",
    product_id text COLLATE "C",
    sku_id text COLLATE "C",
    what text COLLATE "C",
    detail text COLLATE "C",
    since_at timestamptz
);
