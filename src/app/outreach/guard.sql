-- What the outreach guard looks at.

-- query: outreach_customer
SELECT c.id AS customer_id, COALESCE(c.timezone, t.timezone) AS timezone, c.last_response_at,
    (SELECT p.rules FROM outreach_policies p
     WHERE p.tenant_id = c.tenant_id AND p.method = :method) AS rules
FROM customers c JOIN tenants t ON t.id = c.tenant_id
WHERE c.tenant_id = :tenant_id AND c.id = :id AND c.deleted_at IS NULL

-- fragment: touch
i.id, i.created_by AS user_id, u.name AS user_name, i.subject, i.description AS body,
    i.started_at, i.responded

-- fragment: counted
FROM interactions i LEFT JOIN users u ON u.tenant_id = i.tenant_id AND u.id = i.created_by
WHERE i.tenant_id = :tenant_id AND i.customer_id = :customer_id AND i.guarded_as = :method
    AND i.deleted_at IS NULL

-- query: outreach_touches
-- The nearest on either side: two ends of one range of interactions_outreach.
SELECT * FROM (
    SELECT {touch} {counted} AND i.started_at > :since AND i.started_at <= :at
    ORDER BY i.started_at DESC, i.id DESC LIMIT :limit
) before_it
UNION ALL
SELECT * FROM (
    SELECT {touch} {counted} AND i.started_at > :at AND i.started_at > :since
        AND i.started_at < :until
    ORDER BY i.started_at, i.id LIMIT :limit
) after_it

-- query: outreach_words
-- When the customer was heard of last, up to an instant, and first after it; but by an answer to
-- the touch itself. What is planned has not been said yet.
SELECT max(CASE WHEN w.said_at <= :at THEN w.said_at END) AS last_at,
    min(CASE WHEN w.said_at > :at THEN w.said_at END) AS next_at
FROM (
    SELECT i.started_at AS said_at FROM interactions i
    WHERE i.tenant_id = :tenant_id AND i.customer_id = :customer_id AND i.deleted_at IS NULL
        AND i.started_at > :since AND i.started_at < :until AND i.started_at <= :now
        AND i.direction = 'inbound' AND i.type NOT IN ('note', 'system')
    UNION ALL
    SELECT i.response_at FROM interactions i
    WHERE i.tenant_id = :tenant_id AND i.customer_id = :customer_id AND i.deleted_at IS NULL
        AND i.started_at > :since AND i.started_at < :until AND i.responded AND i.id <> :itself
) w
