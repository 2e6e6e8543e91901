-- A timeline as a file, oldest first.

-- fragment: exported
e.id, e.contact_id, e.subject_type, e.subject_id, e.session_id, e.interaction_id, e.event_type,
    e.category, e.priority, e.title, e.description, e.payload, e.metadata, e.source,
    e.triggered_by, e.integration_source, e.addressee_type, e.addressee_id, e.is_realtime,
    e.delivered, e.delivered_at, e.read, e.read_at, e.visible_to_client, e.visible_to_agent,
    e.expires_at, e.occurred_at, e.created_at, u.name AS triggered_by_name
FROM contact_events e LEFT JOIN users u ON u.tenant_id = e.tenant_id AND u.id = e.triggered_by

-- fragment: stretch
AND NOT e.expired AND (e.expires_at IS NULL OR e.expires_at > :now)
    AND (e.occurred_at, e.id) > (:cursor_time, :cursor_id) AND e.occurred_at < :to_time
ORDER BY e.occurred_at, e.id LIMIT :limit

-- query: export_for_agent
SELECT {exported}
WHERE e.tenant_id = :tenant_id AND e.timeline_id = :timeline_id AND e.visible_to_agent {stretch}

-- query: export_for_client
SELECT {exported}
WHERE e.tenant_id = :tenant_id AND e.timeline_id = :timeline_id AND e.visible_to_client {stretch}
