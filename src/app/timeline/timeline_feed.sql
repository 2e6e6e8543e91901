-- Sealed events by number (timeline_feed.h).

-- query: feed_head
SELECT number FROM event_chains WHERE tenant_id = :tenant_id

-- query: feed_number
SELECT number FROM event_seals WHERE tenant_id = :tenant_id AND event_id = :event_id

-- query: feed_unsealed
SELECT id FROM contact_events WHERE tenant_id = :tenant_id AND id = :event_id

-- query: feed_page
-- Numbers are dense: what is looked at is as long as its numbers say.
SELECT e.id, e.contact_id, e.subject_type, e.subject_id, e.session_id, e.interaction_id,
    e.event_type, e.category, e.priority, e.title, e.description, e.payload, e.metadata,
    e.source, e.triggered_by, e.integration_source, e.addressee_type, e.addressee_id,
    e.is_realtime, e.delivered, e.delivered_at, e.read, e.read_at, e.visible_to_client,
    e.visible_to_agent, e.expires_at, e.occurred_at, e.created_at, e.timeline_id,
    c.name AS contact_name, u.name AS triggered_by_name, s.number
FROM event_seals s CROSS JOIN contact_events e
LEFT JOIN customers c ON c.tenant_id = e.tenant_id AND c.id = e.timeline_id
LEFT JOIN users u ON u.tenant_id = e.tenant_id AND u.id = e.triggered_by
WHERE s.tenant_id = :tenant_id AND s.number > :after AND s.number <= :upto
    AND e.tenant_id = s.tenant_id AND e.id = s.event_id
    AND (e.timeline_id = :timeline_id OR :timeline_id IS NULL)
    AND NOT e.expired AND (e.expires_at IS NULL OR e.expires_at > :now)
ORDER BY s.number LIMIT :limit
