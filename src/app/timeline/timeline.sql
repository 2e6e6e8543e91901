-- fragment: inserted
INSERT INTO contact_events (
    tenant_id, id, contact_id, session_id, interaction_id, subject_type, subject_id,
    event_type, category, priority, title, description, payload, metadata, source,
    triggered_by, integration_source, addressee_type, addressee_id, is_realtime,
    visible_to_client, visible_to_agent, expires_at, occurred_at, created_at, salt, timeline_id,
    delivered, delivered_at, read, read_at, expired, words
) VALUES (
    :tenant_id, :id, :contact_id, :session_id, :interaction_id, :subject_type, :subject_id,
    :event_type, :category, :priority, :title, :description, :payload, :metadata, :source,
    :triggered_by, :integration_source, :addressee_type, :addressee_id, :is_realtime,
    :visible_to_client, :visible_to_agent, :expires_at, :occurred_at, :created_at, :salt,
    :timeline_id, :delivered, :delivered_at, :read, :read_at, :expired

-- query: event_insert
-- One entry of the timeline. SQLite has its words in a table of their own, and here only that
-- there are some.
-- sqlite
{inserted}, CASE WHEN :words IS NOT NULL THEN '' END)
-- postgres
{inserted}, CAST(CAST(:words AS text) AS tsvector))
