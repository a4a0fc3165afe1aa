-- The known rows of each cell, as intervals: a row that is the same as the night before is not
-- written a second time. valid_from is the sequence of the first snapshot with the row. valid_to is
-- the sequence of the first snapshot without the row, null while the row is current.
-- The time of the last answer changes every night, so it is stored separately: once for all keys of a
-- check (…_checked), and once for each key that was asked at another time than most (…_apart).

-- Grain:  one inventory key and interval.
CREATE TABLE inventory_interval (
    bucket smallint NOT NULL,
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
    region text COLLATE "C",
    verdict_since_at timestamptz,
    verdict_since_snapshot_id text COLLATE "C",
    pending_verdict text COLLATE "C",
    pending_reason_codes text COLLATE "C",
    pending_restriction_values text COLLATE "C",
    pending_snapshot_id text COLLATE "C",
    valid_from bigint NOT NULL,
    valid_to bigint,
    CHECK (valid_to > valid_from)
);

CREATE UNIQUE INDEX inventory_interval_open ON inventory_interval (
    partner_tenant_id, customer_id, country, azure_subscription_id, arm_region, reservation_scope,
    product_id, sku_id
) WHERE valid_to IS NULL;
CREATE INDEX inventory_interval_bucket ON inventory_interval (
    partner_tenant_id, bucket
) WHERE valid_to IS NULL;
CREATE INDEX inventory_interval_closed ON inventory_interval (
    partner_tenant_id, customer_id, country, valid_to
) WHERE valid_to IS NOT NULL;

-- Grain:  one snapshot and check of inventory.
CREATE TABLE inventory_checked (
    snapshot_id text COLLATE "C" NOT NULL,
    bucket smallint NOT NULL,
    partner_tenant_id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    country text COLLATE "C" NOT NULL,
    azure_subscription_id text COLLATE "C" NOT NULL,
    arm_region text COLLATE "C" NOT NULL,
    reservation_scope text COLLATE "C" NOT NULL,
    product_id text COLLATE "C" NOT NULL,
    checked_at timestamptz,
    checked_snapshot_id text COLLATE "C",
    PRIMARY KEY (
        snapshot_id, bucket, partner_tenant_id, customer_id, country, azure_subscription_id,
        arm_region, reservation_scope, product_id
    )
);

-- Grain:  one snapshot and key of inventory.
CREATE TABLE inventory_checked_apart (
    snapshot_id text COLLATE "C" NOT NULL,
    bucket smallint NOT NULL,
    partner_tenant_id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    country text COLLATE "C" NOT NULL,
    azure_subscription_id text COLLATE "C" NOT NULL,
    arm_region text COLLATE "C" NOT NULL,
    reservation_scope text COLLATE "C" NOT NULL,
    product_id text COLLATE "C" NOT NULL,
    sku_id text COLLATE "C" NOT NULL,
    checked_at timestamptz,
    checked_snapshot_id text COLLATE "C",
    PRIMARY KEY (
        snapshot_id, bucket, partner_tenant_id, customer_id, country, azure_subscription_id,
        arm_region, reservation_scope, product_id, sku_id
    )
);

-- Grain:  one restriction key and interval.
CREATE TABLE restriction_interval (
    bucket smallint NOT NULL,
    partner_tenant_id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    country text COLLATE "C" NOT NULL,
    azure_subscription_id text COLLATE "C" NOT NULL,
    arm_region text COLLATE "C" NOT NULL,
    reservation_scope text COLLATE "C" NOT NULL,
    product_id text COLLATE "C" NOT NULL,
    sku_id text COLLATE "C" NOT NULL,
    ordinal bigint NOT NULL,
    reason_code text COLLATE "C",
    description text COLLATE "C",
    type text COLLATE "C",
    value text COLLATE "C",
    properties text COLLATE "C",
    valid_from bigint NOT NULL,
    valid_to bigint,
    CHECK (valid_to > valid_from)
);

CREATE UNIQUE INDEX restriction_interval_open ON restriction_interval (
    partner_tenant_id, customer_id, country, azure_subscription_id, arm_region, reservation_scope,
    product_id, sku_id, ordinal
) WHERE valid_to IS NULL;
CREATE INDEX restriction_interval_bucket ON restriction_interval (
    partner_tenant_id, bucket
) WHERE valid_to IS NULL;
CREATE INDEX restriction_interval_closed ON restriction_interval (
    partner_tenant_id, customer_id, country, valid_to
) WHERE valid_to IS NOT NULL;

-- Grain:  one availability key and interval.
CREATE TABLE availability_interval (
    bucket smallint NOT NULL,
    partner_tenant_id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    country text COLLATE "C" NOT NULL,
    product_id text COLLATE "C" NOT NULL,
    sku_id text COLLATE "C" NOT NULL,
    segment text COLLATE "C" NOT NULL,
    reservation_scope text COLLATE "C" NOT NULL,
    term_duration text COLLATE "C" NOT NULL,
    billing_cycle text COLLATE "C" NOT NULL,
    ordinal bigint NOT NULL,
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
    pending_snapshot_id text COLLATE "C",
    valid_from bigint NOT NULL,
    valid_to bigint,
    CHECK (valid_to > valid_from)
);

CREATE UNIQUE INDEX availability_interval_open ON availability_interval (
    partner_tenant_id, customer_id, country, product_id, sku_id, segment, reservation_scope,
    term_duration, billing_cycle, ordinal
) WHERE valid_to IS NULL;
CREATE INDEX availability_interval_bucket ON availability_interval (
    partner_tenant_id, bucket
) WHERE valid_to IS NULL;
CREATE INDEX availability_interval_closed ON availability_interval (
    partner_tenant_id, customer_id, country, valid_to
) WHERE valid_to IS NOT NULL;

-- Grain:  one snapshot and check of availability.
CREATE TABLE availability_checked (
    snapshot_id text COLLATE "C" NOT NULL,
    bucket smallint NOT NULL,
    partner_tenant_id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    country text COLLATE "C" NOT NULL,
    product_id text COLLATE "C" NOT NULL,
    sku_id text COLLATE "C" NOT NULL,
    reservation_scope text COLLATE "C" NOT NULL,
    checked_at timestamptz,
    checked_snapshot_id text COLLATE "C",
    PRIMARY KEY (
        snapshot_id, bucket, partner_tenant_id, customer_id, country, product_id, sku_id,
        reservation_scope
    )
);

-- Grain:  one snapshot and key of availability.
CREATE TABLE availability_checked_apart (
    snapshot_id text COLLATE "C" NOT NULL,
    bucket smallint NOT NULL,
    partner_tenant_id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    country text COLLATE "C" NOT NULL,
    product_id text COLLATE "C" NOT NULL,
    sku_id text COLLATE "C" NOT NULL,
    segment text COLLATE "C" NOT NULL,
    reservation_scope text COLLATE "C" NOT NULL,
    term_duration text COLLATE "C" NOT NULL,
    billing_cycle text COLLATE "C" NOT NULL,
    ordinal bigint NOT NULL,
    checked_at timestamptz,
    checked_snapshot_id text COLLATE "C",
    PRIMARY KEY (
        snapshot_id, bucket, partner_tenant_id, customer_id, country, product_id, sku_id, segment,
        reservation_scope, term_duration, billing_cycle, ordinal
    )
);

-- Grain:  one sku key and interval.
CREATE TABLE sku_interval (
    bucket smallint NOT NULL,
    partner_tenant_id text COLLATE "C" NOT NULL,
    country text COLLATE "C" NOT NULL,
    reservation_scope text COLLATE "C" NOT NULL,
    product_id text COLLATE "C" NOT NULL,
    sku_id text COLLATE "C" NOT NULL,
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
    purchase_prerequisites text COLLATE "C",
    valid_from bigint NOT NULL,
    valid_to bigint,
    CHECK (valid_to > valid_from)
);

CREATE UNIQUE INDEX sku_interval_open ON sku_interval (
    partner_tenant_id, country, reservation_scope, product_id, sku_id
) WHERE valid_to IS NULL;
CREATE INDEX sku_interval_bucket ON sku_interval (
    partner_tenant_id, bucket
) WHERE valid_to IS NULL;
CREATE INDEX sku_interval_closed ON sku_interval (
    partner_tenant_id, country, valid_to
) WHERE valid_to IS NOT NULL;

-- Grain:  one customer key and interval.
CREATE TABLE customer_interval (
    bucket smallint NOT NULL,
    partner_tenant_id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    company_name text COLLATE "C",
    domain text COLLATE "C",
    country text COLLATE "C",
    relationship text COLLATE "C",
    reseller_id text COLLATE "C",
    qualifications text COLLATE "C",
    valid_from bigint NOT NULL,
    valid_to bigint,
    CHECK (valid_to > valid_from)
);

CREATE UNIQUE INDEX customer_interval_open ON customer_interval (
    partner_tenant_id, customer_id
) WHERE valid_to IS NULL;
CREATE INDEX customer_interval_bucket ON customer_interval (
    partner_tenant_id, bucket
) WHERE valid_to IS NULL;
CREATE INDEX customer_interval_closed ON customer_interval (
    partner_tenant_id, customer_id, valid_to
) WHERE valid_to IS NOT NULL;

-- Grain:  one azure_subscription key and interval.
CREATE TABLE azure_subscription_interval (
    bucket smallint NOT NULL,
    partner_tenant_id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    azure_subscription_id text COLLATE "C" NOT NULL,
    plan_id text COLLATE "C",
    friendly_name text COLLATE "C",
    status text COLLATE "C",
    registration_status text COLLATE "C",
    reseller_id text COLLATE "C",
    valid_from bigint NOT NULL,
    valid_to bigint,
    CHECK (valid_to > valid_from)
);

CREATE UNIQUE INDEX azure_subscription_interval_open ON azure_subscription_interval (
    partner_tenant_id, customer_id, azure_subscription_id
) WHERE valid_to IS NULL;
CREATE INDEX azure_subscription_interval_bucket ON azure_subscription_interval (
    partner_tenant_id, bucket
) WHERE valid_to IS NULL;
CREATE INDEX azure_subscription_interval_closed ON azure_subscription_interval (
    partner_tenant_id, customer_id, valid_to
) WHERE valid_to IS NOT NULL;

-- Grain:  one commerce_subscription key and interval.
CREATE TABLE commerce_subscription_interval (
    bucket smallint NOT NULL,
    partner_tenant_id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    commerce_subscription_id text COLLATE "C" NOT NULL,
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
    reseller_id text COLLATE "C",
    valid_from bigint NOT NULL,
    valid_to bigint,
    CHECK (valid_to > valid_from)
);

CREATE UNIQUE INDEX commerce_subscription_interval_open ON commerce_subscription_interval (
    partner_tenant_id, customer_id, commerce_subscription_id
) WHERE valid_to IS NULL;
CREATE INDEX commerce_subscription_interval_bucket ON commerce_subscription_interval (
    partner_tenant_id, bucket
) WHERE valid_to IS NULL;
CREATE INDEX commerce_subscription_interval_closed ON commerce_subscription_interval (
    partner_tenant_id, customer_id, valid_to
) WHERE valid_to IS NOT NULL;

-- Grain:  one remembered key and interval.
CREATE TABLE remembered_interval (
    bucket smallint NOT NULL,
    partner_tenant_id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    country text COLLATE "C" NOT NULL,
    azure_subscription_id text COLLATE "C" NOT NULL,
    arm_region text COLLATE "C" NOT NULL,
    reservation_scope text COLLATE "C" NOT NULL,
    product_id text COLLATE "C" NOT NULL,
    sku_id text COLLATE "C" NOT NULL,
    what text COLLATE "C" NOT NULL,
    detail text COLLATE "C",
    since_at timestamptz,
    valid_from bigint NOT NULL,
    valid_to bigint,
    CHECK (valid_to > valid_from)
);

CREATE UNIQUE INDEX remembered_interval_open ON remembered_interval (
    partner_tenant_id, customer_id, country, azure_subscription_id, arm_region, reservation_scope,
    product_id, sku_id, what
) WHERE valid_to IS NULL;
CREATE INDEX remembered_interval_bucket ON remembered_interval (
    partner_tenant_id, bucket
) WHERE valid_to IS NULL;
CREATE INDEX remembered_interval_closed ON remembered_interval (
    partner_tenant_id, customer_id, country, valid_to
) WHERE valid_to IS NOT NULL;
