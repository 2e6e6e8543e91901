-- The store's own tables.

-- Kept totals of plain lists. Shards are added up when read.
CREATE TABLE kept_counts (
    tenant_id uuid NOT NULL,
    name {text} NOT NULL,
    shard bigint NOT NULL,
    n bigint NOT NULL,
    UNIQUE (tenant_id, name, shard)
);

-- The last number given out, or reserved by a node: INT-2026-00001 and its kin.
CREATE TABLE human_numbers (
    tenant_id uuid NOT NULL,
    kind {text} NOT NULL,
    year bigint NOT NULL,
    last bigint NOT NULL,
    UNIQUE (tenant_id, kind, year)
);
