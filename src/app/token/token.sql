-- Contact tokens and stream tickets. Who comes with one is found in db/caller.sql.

-- fragment: token_customers
-- The customer, and those who were merged into it.
WITH RECURSIVE one (id) AS (
    SELECT c.id FROM customers c WHERE c.tenant_id = :tenant_id AND c.id = :customer_id
    UNION ALL
    SELECT c.id FROM one o JOIN customers c ON c.tenant_id = :tenant_id AND c.merged_into = o.id
)

-- fragment: token_rows
k.id, k.created_by, u.name AS created_by_name, k.created_at, k.expires_at, k.revoked_at
FROM one o
JOIN contact_tokens k ON k.tenant_id = :tenant_id AND k.customer_id = o.id
LEFT JOIN users u ON u.tenant_id = k.tenant_id AND u.id = k.created_by

-- query: token_insert
INSERT INTO contact_tokens (
    tenant_id, id, customer_id, secret_hash, created_by, created_at, expires_at
) VALUES (
    :tenant_id, :id, :customer_id, :secret_hash, :actor_id, :now, :expires_at
)

-- query: token_get
{token_customers}
SELECT {token_rows}
WHERE k.id = :id

-- query: token_revoke
UPDATE contact_tokens SET revoked_at = :now
WHERE tenant_id = :tenant_id AND id = :id AND revoked_at IS NULL

-- query: token_list
{token_customers}
SELECT {token_rows}
WHERE (k.created_at, k.id) < (:before_time, :before_id)
ORDER BY k.created_at DESC, k.id DESC LIMIT :limit OFFSET :offset

-- query: token_count
{token_customers}
SELECT count(*) FROM (
    SELECT k.id FROM one o
    JOIN contact_tokens k ON k.tenant_id = :tenant_id AND k.customer_id = o.id
    LIMIT :cap
) AS counted

-- query: ticket_insert
INSERT INTO stream_tickets (
    tenant_id, id, secret_hash, credential_kind, credential_id, created_at, expires_at
) VALUES (
    :tenant_id, :id, :secret_hash, :credential_kind, :credential_id, :now, :expires_at
)
