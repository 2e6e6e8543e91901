-- Who asks. Each is one index lookup, and says whatever decides at once.

-- query: caller_key
SELECT k.role, k.secret_hash, k.expires_at, k.revoked_at,
       u.id AS user_id, u.role AS user_role, u.name, u.active,
       u.timezone, t.timezone AS tenant_timezone
FROM api_keys k
JOIN users u ON u.tenant_id = k.tenant_id AND u.id = k.user_id
JOIN tenants t ON t.id = k.tenant_id
WHERE k.tenant_id = :tenant_id AND k.id = :id

-- query: caller_login
SELECT u.role, l.secret_hash, l.csrf_hash, l.created_at, l.seen_at, l.expires_at,
       u.id AS user_id, u.role AS user_role, u.name, u.active,
       u.timezone, t.timezone AS tenant_timezone
FROM logins l
JOIN users u ON u.tenant_id = l.tenant_id AND u.id = l.user_id
JOIN tenants t ON t.id = l.tenant_id
WHERE l.tenant_id = :tenant_id AND l.id = :id

-- query: caller_user
SELECT u.role, u.id AS user_id, u.role AS user_role, u.name, u.active,
       u.timezone, t.timezone AS tenant_timezone
FROM users u
JOIN tenants t ON t.id = u.tenant_id
WHERE u.tenant_id = :tenant_id AND u.id = :id

-- query: caller_contact_token
SELECT 'contact' AS role, 'contact' AS user_role, k.secret_hash, k.expires_at, k.revoked_at,
       c.id AS contact_id, c.merged_into, c.name, c.deleted_at IS NULL AS active,
       c.timezone, t.timezone AS tenant_timezone
FROM contact_tokens k
JOIN customers c ON c.tenant_id = k.tenant_id AND c.id = k.customer_id
JOIN tenants t ON t.id = k.tenant_id
WHERE k.tenant_id = :tenant_id AND k.id = :id

-- query: caller_contact
SELECT c.id AS contact_id, c.merged_into, c.name, c.deleted_at IS NULL AS active, c.timezone
FROM customers c
WHERE c.tenant_id = :tenant_id AND c.id = :id

-- query: caller_ticket_use
-- Of two who come with it at the same instant, the second waits for the first, and finds none.
DELETE FROM stream_tickets
WHERE tenant_id = :tenant_id AND id = :id AND secret_hash = :secret_hash AND expires_at > :now
RETURNING credential_kind, credential_id
