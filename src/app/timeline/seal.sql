-- query: chain_get
-- global: the events of several tenants share a commit
SELECT number, hash FROM event_chains WHERE tenant_id = :tenant

-- query: chain_put
-- global: the events of several tenants share a commit
INSERT INTO event_chains (tenant_id, number, hash) VALUES (:tenant, :number, :hash)
ON CONFLICT (tenant_id) DO UPDATE SET number = excluded.number, hash = excluded.hash

-- query: seal_add
-- global: the events of several tenants share a commit
INSERT INTO event_seals (tenant_id, number, event_id, content_hash, expires_at, hash)
VALUES (:tenant, :number, :event_id, :content_hash, :expires_at, :hash)

-- query: unsealed_add
INSERT INTO unsealed_events (
    tenant_id, event_id, content_hash, expires_at, timeline_id, addressee_id, subject_id
) VALUES (
    :tenant_id, :event_id, :content_hash, :expires_at, :timeline_id, :addressee_id, :subject_id
)

-- query: sealing_turn
-- One node at a time. A lock that ends with the transaction, so it works by way of a pooler;
-- who has it and says nothing for two seconds loses the connection, and the turn with it.
-- global: one sealer for all tenants
-- sqlite
SELECT 1
-- postgres
SELECT set_config('idle_in_transaction_session_timeout', '2000', true),
    set_config('lock_timeout', '4000', true),
    pg_advisory_xact_lock(CAST(CAST('unsealed_events' AS regclass) AS bigint))

-- query: unsealed_list
-- In the order in which they were written, and where the chain of each one's tenant ends.
-- global: one sealer for all tenants
SELECT u.row, u.tenant_id, u.event_id, u.content_hash, u.expires_at, u.timeline_id,
    u.addressee_id, u.subject_id, c.number, c.hash
FROM unsealed_events u LEFT JOIN event_chains c ON c.tenant_id = u.tenant_id
ORDER BY u.row LIMIT :limit

-- query: sealed_event_get
-- global: one sealer for all tenants
SELECT id, contact_id, session_id, interaction_id, subject_type, subject_id, event_type,
    category, priority, title, description, payload, metadata, source, triggered_by,
    integration_source, addressee_type, addressee_id, is_realtime, visible_to_client,
    visible_to_agent, expires_at, occurred_at, created_at, salt, text_hash, timeline_id
FROM contact_events WHERE tenant_id = :tenant AND id = :id {for_update}

-- query: event_salt
-- global: one sealer for all tenants
UPDATE contact_events SET salt = :salt WHERE tenant_id = :tenant AND id = :id

-- query: unsealed_hash
-- global: one sealer for all tenants
UPDATE unsealed_events SET content_hash = :content_hash WHERE row = :row

-- query: unsealed_drop
-- global: one sealer for all tenants
DELETE FROM unsealed_events WHERE row = :row

-- query: seals_add
-- The rows and their numbers are JSON arrays; the hashes stand one behind the other.
-- global: one sealer for all tenants
-- sqlite
INSERT INTO event_seals (tenant_id, number, event_id, content_hash, expires_at, hash)
SELECT u.tenant_id, n.value, u.event_id, u.content_hash, u.expires_at,
    substr(:hashes, 32 * n.key + 1, 32)
FROM json_each(:rows) r
JOIN json_each(:numbers) n ON n.key = r.key
JOIN unsealed_events u ON u.row = r.value
-- postgres
INSERT INTO event_seals (tenant_id, number, event_id, content_hash, expires_at, hash)
SELECT u.tenant_id, CAST(s.number AS bigint), u.event_id, u.content_hash, u.expires_at,
    substr(CAST(:hashes AS bytea), CAST(32 * s.place - 31 AS integer), 32)
FROM ROWS FROM (
    jsonb_array_elements_text(CAST(:rows AS jsonb)),
    jsonb_array_elements_text(CAST(:numbers AS jsonb))
) WITH ORDINALITY AS s (row_id, number, place)
JOIN unsealed_events u ON u.row = CAST(s.row_id AS bigint)

-- query: unsealed_remove
-- global: one sealer for all tenants
-- sqlite
DELETE FROM unsealed_events WHERE row IN (SELECT value FROM json_each(:rows))
-- postgres
DELETE FROM unsealed_events WHERE row IN (
    SELECT CAST(value AS bigint) FROM jsonb_array_elements_text(CAST(:rows AS jsonb))
)
