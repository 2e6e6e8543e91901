-- What a request by the network adds to who asks (db/caller.sql).

-- query: auth_login_seen
UPDATE logins SET seen_at = :now, expires_at = :expires_at
WHERE tenant_id = :tenant_id AND id = :id AND seen_at < :now

-- query: auth_tenant
-- global: the operator names the tenant
SELECT id, timezone FROM tenants WHERE slug = :slug

-- query: auth_tenants
-- global: where there is one tenant, the operator need not name it
SELECT id, timezone FROM tenants ORDER BY id LIMIT 2
