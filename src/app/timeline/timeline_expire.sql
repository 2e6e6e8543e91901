-- The end of events: their time passes, or somebody erases them (timeline.h).

-- fragment: expiring
SELECT e.tenant_id, e.id, e.timeline_id, e.session_id, e.visible_to_client, e.visible_to_agent
FROM contact_events e

-- query: event_overdue
-- global: one job serves all tenants
-- sqlite
{expiring} WHERE e.expires_at IS NOT NULL AND NOT e.expired AND e.expires_at <= :now
ORDER BY e.expires_at, e.tenant_id, e.id LIMIT :limit
-- postgres
{expiring} WHERE e.expires_at IS NOT NULL AND NOT e.expired AND e.expires_at <= :now
ORDER BY e.expires_at, e.tenant_id, e.id LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED

-- query: event_overdue_of
{expiring} WHERE e.tenant_id = :tenant_id AND e.expires_at IS NOT NULL AND NOT e.expired
    AND e.expires_at <= :before
ORDER BY e.expires_at, e.id LIMIT :limit {for_update}

-- query: event_set_expired
UPDATE contact_events SET expired = true
WHERE tenant_id = :tenant_id AND id = :id AND NOT expired

-- fragment: forgettable
SELECT e.tenant_id, e.id, e.title, e.description, e.words IS NOT NULL AS indexed
FROM contact_events e

-- query: event_forgettable
-- global: one job serves all tenants
-- sqlite
{forgettable} WHERE e.expired AND e.expires_at <= :before
ORDER BY e.expires_at, e.tenant_id, e.id LIMIT :limit
-- postgres
{forgettable} WHERE e.expired AND e.expires_at <= :before
ORDER BY e.expires_at, e.tenant_id, e.id LIMIT :limit FOR UPDATE SKIP LOCKED

-- query: event_forgettable_of
{forgettable} WHERE e.tenant_id = :tenant_id AND e.expired AND e.expires_at <= :before
ORDER BY e.expires_at, e.id LIMIT :limit {for_update}

-- query: event_whole
-- As it stands, whoever may see it.
SELECT e.id, e.timeline_id, e.session_id, e.event_type, e.subject_type, e.title, e.description,
    e.payload, e.metadata, e.visible_to_client, e.visible_to_agent, e.expired, e.created_at,
    e.salt, e.text_hash, e.words IS NOT NULL AS indexed
FROM contact_events e WHERE e.tenant_id = :tenant_id AND e.id = :id {for_update}

-- query: event_delete
DELETE FROM contact_events WHERE tenant_id = :tenant_id AND id = :id

-- query: event_reads_delete
DELETE FROM event_reads WHERE tenant_id = :tenant_id AND event_id = :id

-- query: event_answer_clear
-- The answer that is kept for a repeated request. It was written in the transaction of the
-- event, so it ends a fixed time after that was created: which the index knows.
UPDATE idempotency_keys SET body = :body
WHERE tenant_id = :tenant_id AND expires_at = :expires_at AND location LIKE :location

-- query: event_clear
UPDATE contact_events SET title = NULL, description = NULL, payload = NULL, metadata = NULL,
    salt = NULL, words = NULL, text_hash = :text_hash
WHERE tenant_id = :tenant_id AND id = :id
