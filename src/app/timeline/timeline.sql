-- query: event_insert
-- One entry of the timeline.
INSERT INTO events (
    tenant_id, id, contact_id, session_id, interaction_id, subject_type, subject_id,
    event_type, category, priority, title, description, payload, metadata, source,
    triggered_by, integration_source, addressee_id, is_realtime, delivered, delivered_at,
    read, read_at, visible_to_client, visible_to_agent, expires_at, occurred_at, created_at
) VALUES (
    :tenant_id, :id, :contact_id, :session_id, :interaction_id, :subject_type, :subject_id,
    :event_type, :category, :priority, :title, :description, :payload, :metadata, :source,
    :triggered_by, :integration_source, :addressee_id, :is_realtime, :delivered, :delivered_at,
    :read, :read_at, :visible_to_client, :visible_to_agent, :expires_at, :occurred_at, :created_at
);
