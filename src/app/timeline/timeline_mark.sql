-- What was delivered and read (timeline.h).

-- query: event_set_delivered
UPDATE contact_events SET delivered = true, delivered_at = :now
WHERE tenant_id = :tenant_id AND id = :id AND NOT delivered

-- fragment: set_read
UPDATE contact_events SET read = true, read_at = :now,
    delivered_at = CASE WHEN is_realtime AND NOT delivered THEN :now ELSE delivered_at END,
    delivered = (delivered OR is_realtime)

-- query: event_set_read
{set_read} WHERE tenant_id = :tenant_id AND id = :id AND NOT read

-- query: event_read_add
-- By a user whom it was not addressed to.
INSERT INTO event_reads (tenant_id, event_id, user_id, read_at)
VALUES (:tenant_id, :id, :actor_id, :now) ON CONFLICT DO NOTHING

-- query: event_read_get
SELECT r.read_at FROM event_reads r
WHERE r.tenant_id = :tenant_id AND r.event_id = :id AND r.user_id = :actor_id

-- fragment: up_to
NOT e.read AND NOT e.expired AND (e.expires_at IS NULL OR e.expires_at > :now)
    AND (e.occurred_at, e.id) <= (:to_time, :to_id)
ORDER BY e.occurred_at, e.id LIMIT :limit

-- query: event_set_read_user
{set_read} WHERE tenant_id = :tenant_id AND NOT read AND id IN (
    SELECT e.id FROM contact_events e
    WHERE e.tenant_id = :tenant_id AND e.addressee_id = :actor_id AND e.visible_to_agent
        AND (e.timeline_id = :timeline_id OR :timeline_id IS NULL) AND {up_to}
)

-- query: event_set_read_contact
{set_read} WHERE tenant_id = :tenant_id AND NOT read AND id IN (
    SELECT e.id FROM contact_events e
    WHERE e.tenant_id = :tenant_id AND e.timeline_id = :timeline_id
        AND e.addressee_type = 'contact' AND e.visible_to_client AND {up_to}
)
