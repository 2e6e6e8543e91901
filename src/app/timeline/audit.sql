-- What the audit reads: the chain, each seal with its event, and what stands beside them.

-- fragment: audit_row
s.number, s.event_id, s.content_hash, s.hash, s.expires_at AS sealed_expires_at,
    e.id, e.contact_id, e.session_id, e.interaction_id, e.subject_type, e.subject_id,
    e.event_type, e.category, e.priority, e.title, e.description, e.payload, e.metadata, e.source,
    e.triggered_by, e.integration_source, e.addressee_type, e.addressee_id, e.is_realtime,
    e.visible_to_client, e.visible_to_agent, e.expires_at, e.occurred_at, e.created_at, e.salt,
    e.text_hash

-- fragment: early
(e.expired AND (e.expires_at IS NULL OR e.expires_at > :latest))

-- fragment: audit_joined
FROM event_seals AS s
    LEFT JOIN contact_events AS e ON e.tenant_id = s.tenant_id AND e.id = s.event_id
WHERE s.tenant_id = :tenant_id AND s.number > :after
ORDER BY s.number LIMIT :limit

-- query: audit_rows
-- `odd`: what reads like the value that was sealed, and is another to a query. (SQLite keeps a
-- value of any type in any column; of most, reading them says so. There a text sorts before
-- every blob.) And an event that is hidden as expired before its time.
-- sqlite
SELECT {audit_row},
    (e.is_realtime NOT IN (0, 1) OR e.visible_to_client NOT IN (0, 1)
        OR e.visible_to_agent NOT IN (0, 1)
        OR X'00000000000000000000000000000000' IN (e.contact_id, e.session_id, e.interaction_id,
            e.subject_id, e.triggered_by, e.addressee_id)
        OR e.subject_type >= X'' OR e.event_type >= X'' OR e.category >= X''
        OR e.priority >= X'' OR e.title >= X'' OR e.description >= X'' OR e.payload >= X''
        OR e.metadata >= X'' OR e.source >= X'' OR e.integration_source >= X''
        OR e.addressee_type >= X'' OR e.salt < X'' OR e.text_hash < X''
        OR s.content_hash < X'' OR s.hash < X'' OR {early}) AS odd
{audit_joined}
-- postgres
SELECT {audit_row},
    CAST('00000000-0000-0000-0000-000000000000' AS uuid) IN (e.contact_id, e.session_id,
        e.interaction_id, e.subject_id, e.triggered_by, e.addressee_id)
        OR {early} AS odd
{audit_joined}

-- query: audit_event_after
-- Whose seal comes next, where the row as a whole cannot be read.
SELECT event_id FROM event_seals WHERE tenant_id = :tenant_id AND number > :after
ORDER BY number LIMIT 1

-- query: audit_head
SELECT number, hash FROM event_chains WHERE tenant_id = :tenant_id

-- query: audit_erasure
-- A sealed event, later than what it covers, that says why it is gone; or one that still waits
-- for its number, which will be later.
SELECT 1 FROM contact_events AS e
    LEFT JOIN event_seals AS s ON s.tenant_id = e.tenant_id AND s.event_id = e.id
WHERE e.tenant_id = :tenant_id AND e.subject_type = 'contact_event' AND e.subject_id = :event_id
    AND e.event_type IN ('event_erased', :event_type)
    AND (s.number > :number OR (s.number IS NULL AND e.id IN (
        SELECT u.event_id FROM unsealed_events AS u WHERE u.tenant_id = :tenant_id)))
LIMIT 1

-- query: audit_count
SELECT count(*) FROM contact_events WHERE tenant_id = :tenant_id

-- query: audit_waiting
SELECT count(*) FROM contact_events AS e
WHERE e.tenant_id = :tenant_id
    AND e.id IN (SELECT u.event_id FROM unsealed_events AS u WHERE u.tenant_id = :tenant_id)
    AND NOT EXISTS (
        SELECT 1 FROM event_seals AS s WHERE s.tenant_id = e.tenant_id AND s.event_id = e.id)

-- query: audit_unsealed
-- The oldest event that is neither sealed nor waits for it.
SELECT e.id AS event_id FROM contact_events AS e
WHERE e.tenant_id = :tenant_id
    AND e.id NOT IN (SELECT u.event_id FROM unsealed_events AS u WHERE u.tenant_id = :tenant_id)
    AND NOT EXISTS (
        SELECT 1 FROM event_seals AS s WHERE s.tenant_id = e.tenant_id AND s.event_id = e.id)
ORDER BY e.id LIMIT 1
