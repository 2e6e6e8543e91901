-- Who asks. Each is one index lookup, and says whatever decides at once.

-- query: auth_key
SELECT k.role, k.secret_hash, k.expires_at, k.revoked_at,
       u.id AS user_id, u.role AS user_role, u.name AS user_name, u.active,
       u.timezone, t.timezone AS tenant_timezone
FROM api_keys k
JOIN users u ON u.tenant_id = k.tenant_id AND u.id = k.user_id
JOIN tenants t ON t.id = k.tenant_id
WHERE k.tenant_id = :tenant_id AND k.id = :id

-- query: auth_login
SELECT u.role, l.secret_hash, l.csrf_hash, l.created_at, l.seen_at, l.expires_at,
       u.id AS user_id, u.role AS user_role, u.name AS user_name, u.active,
       u.timezone, t.timezone AS tenant_timezone
FROM logins l
JOIN users u ON u.tenant_id = l.tenant_id AND u.id = l.user_id
JOIN tenants t ON t.id = l.tenant_id
WHERE l.tenant_id = :tenant_id AND l.id = :id

-- query: auth_login_seen
UPDATE logins SET seen_at = :now, expires_at = :expires_at
WHERE tenant_id = :tenant_id AND id = :id AND seen_at < :now

-- query: auth_user
SELECT u.role, u.id AS user_id, u.role AS user_role, u.name AS user_name, u.active,
       u.timezone, t.timezone AS tenant_timezone
FROM users u
JOIN tenants t ON t.id = u.tenant_id
WHERE u.tenant_id = :tenant_id AND u.id = :id

-- query: auth_tenant
-- global: the operator names the tenant
SELECT id, timezone FROM tenants WHERE slug = :slug

-- query: auth_tenants
-- global: where there is one tenant, the operator need not name it
SELECT id, timezone FROM tenants ORDER BY id LIMIT 2
