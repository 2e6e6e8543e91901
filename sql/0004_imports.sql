-- Imports of files: how far each has come, and what was refused.

CREATE TABLE imports (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    name text NOT NULL,
    source_hash {text} NOT NULL,
    next_row bigint NOT NULL,
    customers bigint NOT NULL,
    interactions bigint NOT NULL,
    present bigint NOT NULL,
    refused bigint NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    finished_at timestamptz,
    UNIQUE (tenant_id, id)
);
CREATE UNIQUE INDEX imports_source ON imports (tenant_id, source_hash);
CREATE INDEX imports_list ON imports (tenant_id, created_at, id);

CREATE TABLE import_refusals (
    tenant_id uuid NOT NULL,
    import_id uuid NOT NULL,
    row_number bigint NOT NULL,
    line bigint NOT NULL,
    reason text NOT NULL,
    UNIQUE (tenant_id, import_id, row_number),
    FOREIGN KEY (tenant_id, import_id) REFERENCES imports (tenant_id, id)
);
