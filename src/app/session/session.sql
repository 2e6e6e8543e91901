-- Sessions: bounded conversations with one customer.

-- fragment: session_row
s.id, s.customer_id, c.name AS customer_name, s.channel, s.subject, s.started_by,
    u.name AS started_by_name, s.started_at, s.ended_at, s.version, s.created_at, s.updated_at

-- fragment: session_joined
FROM sessions s
JOIN customers c ON c.tenant_id = s.tenant_id AND c.id = s.customer_id AND c.deleted_at IS NULL
LEFT JOIN users u ON u.tenant_id = s.tenant_id AND u.id = s.started_by

-- query: session_insert
INSERT INTO sessions (
    tenant_id, id, customer_id, channel, subject, started_by, started_at, version, created_at,
    updated_at
) VALUES (
    :tenant_id, :id, :customer_id, :channel, :subject, :actor_id, :started_at, 1, :now, :now
)

-- query: session_get
SELECT {session_row} {session_joined}
WHERE s.tenant_id = :tenant_id AND s.id = :id

-- query: session_lock
SELECT s.id FROM sessions s WHERE s.tenant_id = :tenant_id AND s.id = :id {for_update}

-- query: session_set_end
UPDATE sessions SET ended_at = :ended_at, version = version + 1, updated_at = :now
WHERE tenant_id = :tenant_id AND id = :id

-- query: sessions_of_customer
SELECT {session_row} {session_joined}
WHERE s.tenant_id = :tenant_id AND s.customer_id = :customer_id
    AND (s.started_at, s.id) < (:cursor_time, :cursor_id)
ORDER BY s.started_at DESC, s.id DESC LIMIT :limit OFFSET :offset
