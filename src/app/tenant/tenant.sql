-- Tenants. Whoever reads across them is the operator, or somebody who is about to sign in.

-- fragment: tenant_columns
id, slug, name, timezone, version, created_at, updated_at

-- query: tenant_insert
-- global: the row is the tenant
INSERT INTO tenants ({tenant_columns})
VALUES (:id, :slug, :name, :timezone, 1, :now, :now)
ON CONFLICT (slug) DO NOTHING;

-- query: tenant_get
SELECT {tenant_columns} FROM tenants WHERE id = :tenant_id;

-- query: tenant_get_locked
SELECT {tenant_columns} FROM tenants WHERE id = :tenant_id {for_update};

-- query: tenant_update
UPDATE tenants SET name = :name, timezone = :timezone, version = version + 1, updated_at = :now
WHERE id = :tenant_id
RETURNING {tenant_columns};

-- query: tenant_by_id
-- global: the operator sees all tenants
SELECT {tenant_columns} FROM tenants WHERE id = :id;

-- query: tenant_by_slug
-- global: finds the tenant that somebody names
SELECT {tenant_columns} FROM tenants WHERE slug = :slug;

-- query: tenant_list
-- global: the operator sees all tenants
SELECT {tenant_columns} FROM tenants WHERE slug > :after
ORDER BY slug LIMIT :limit OFFSET :offset;

-- query: tenant_count
-- global: the operator sees all tenants
SELECT count(*) FROM (SELECT 1 FROM tenants LIMIT :cap) AS counted;
