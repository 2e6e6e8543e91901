-- One create as PostgreSQL sees it, for pgbench -M prepared: what the server's transaction
-- reads to decide, and the rows that it writes. bench/run runs it as it stands, in a single
-- round trip, and also without the pipeline, a statement after the other. It gives what is
-- the same for all (:tenant, :actor and the texts, taken from a row that the server wrote) and
-- checks that both sides fill the same columns and totals. Each client has a shard of the
-- kept totals for itself, as the server's connections do; numbers come from a sequence, as
-- the server's from blocks that a node reserves. New ids begin with the time, as UUIDv7 do.
-- What follows in transactions of their own, sealing and adding up attempts, it leaves out.
-- (pgbench takes a colon before a letter for a variable, within quotes too.)
\set customer random(:first, :last)
\set company 1 + :customer % :companies
\set shard 1 + :client_id
\set age random(0, 3599)
\set interaction_end random(1, 9000000000000000000)
\set event_end random(1, 9000000000000000000)
\set attempt_end random(1, 9000000000000000000)
\set salt_end random(1, 9000000000000000000)
\startpipeline
BEGIN;
SELECT c.id, c.name, c.company_id, c.status, c.last_contacted_at, c.last_contact_method,
    c.contact_count, c.last_response_at, c.deleted_at, c.timezone,
    (SELECT t.timezone FROM tenants t WHERE t.id = c.tenant_id) AS tenant_timezone,
    (SELECT p.rules FROM outreach_policies p
     WHERE p.tenant_id = c.tenant_id AND p.method = 'call') AS outreach_rules,
    (SELECT co.name FROM companies co
     WHERE co.tenant_id = c.tenant_id AND co.id = c.company_id) AS company_name
FROM customers c
WHERE c.tenant_id = CAST(:tenant AS uuid)
    AND c.id = CAST('01990000-0000-7000-8000-' || lpad(CAST(:customer AS text), 12, '0') AS uuid)
    AND c.deleted_at IS NULL
FOR NO KEY UPDATE;
SELECT * FROM (
    SELECT i.id, i.created_by, u.name, i.subject, i.description, i.started_at, i.responded
    FROM interactions i LEFT JOIN users u ON u.tenant_id = i.tenant_id AND u.id = i.created_by
    WHERE i.tenant_id = CAST(:tenant AS uuid)
        AND i.customer_id = CAST('01990000-0000-7000-8000-'
            || lpad(CAST(:customer AS text), 12, '0') AS uuid)
        AND i.guarded_as = 'call' AND i.deleted_at IS NULL
        AND i.started_at > now() - CAST(:age AS bigint) * interval '1 second' - interval '1 day'
        AND i.started_at <= now() - CAST(:age AS bigint) * interval '1 second'
    ORDER BY i.started_at DESC, i.id DESC LIMIT 21
) before_it
UNION ALL
SELECT * FROM (
    SELECT i.id, i.created_by, u.name, i.subject, i.description, i.started_at, i.responded
    FROM interactions i LEFT JOIN users u ON u.tenant_id = i.tenant_id AND u.id = i.created_by
    WHERE i.tenant_id = CAST(:tenant AS uuid)
        AND i.customer_id = CAST('01990000-0000-7000-8000-'
            || lpad(CAST(:customer AS text), 12, '0') AS uuid)
        AND i.guarded_as = 'call' AND i.deleted_at IS NULL
        AND i.started_at > now() - CAST(:age AS bigint) * interval '1 second'
        AND i.started_at < now() - CAST(:age AS bigint) * interval '1 second' + interval '2 days'
    ORDER BY i.started_at, i.id LIMIT 21
) after_it;
UPDATE customers SET last_contacted_at = now() - CAST(:age AS bigint) * interval '1 second',
    last_contact_key = now() - CAST(:age AS bigint) * interval '1 second',
    last_contact_method = 'call', contact_count = contact_count + 1
WHERE tenant_id = CAST(:tenant AS uuid)
    AND id = CAST('01990000-0000-7000-8000-' || lpad(CAST(:customer AS text), 12, '0') AS uuid);
INSERT INTO interactions (
    tenant_id, id, interaction_number, customer_id, company_id, created_by, type, direction,
    outcome, subject, participants, started_at, follow_up_required, follow_up_notified,
    responded, sentiment_keywords, guarded_as, lead_status, attempt_day, words, version,
    created_at, updated_at
) VALUES (
    CAST(:tenant AS uuid),
    CAST(lpad(to_hex(CAST(extract(epoch FROM now()) * 1000 AS bigint)), 12, '0')
         || lpad(CAST(:interaction_end AS text), 20, '0') AS uuid),
    CAST(:number_start AS text) || CAST(nextval('bench_numbers') AS text),
    CAST('01990000-0000-7000-8000-' || lpad(CAST(:customer AS text), 12, '0') AS uuid),
    CAST('01990000-0000-7000-8001-' || lpad(CAST(:company AS text), 12, '0') AS uuid),
    CAST(:actor AS uuid), 'call', 'outbound', 'successful', :subject, :participants,
    now() - CAST(:age AS bigint) * interval '1 second', false, false, false, '[]',
    'call', 'contacted', CAST(:attempt_day AS bigint),
    CAST(CAST(:words AS text) AS tsvector), 1, now(), now()
);
INSERT INTO contact_events (
    tenant_id, id, contact_id, interaction_id, event_type, category, priority, title, description,
    payload, source, triggered_by, is_realtime, delivered, read, visible_to_client,
    visible_to_agent, occurred_at, created_at, salt, timeline_id, expired
) VALUES (
    CAST(:tenant AS uuid),
    CAST(lpad(to_hex(CAST(extract(epoch FROM now()) * 1000 AS bigint)), 12, '0')
         || lpad(CAST(:event_end AS text), 20, '0') AS uuid),
    CAST('01990000-0000-7000-8000-' || lpad(CAST(:customer AS text), 12, '0') AS uuid),
    CAST(lpad(to_hex(CAST(extract(epoch FROM now()) * 1000 AS bigint)), 12, '0')
         || lpad(CAST(:interaction_end AS text), 20, '0') AS uuid),
    :event_type, :category, :priority, :title, :description, :payload, :source,
    CAST(:actor AS uuid), false, false, false, false, true, now(), now(),
    decode(lpad(CAST(:salt_end AS text), 32, '0'), 'hex'),
    CAST('01990000-0000-7000-8000-' || lpad(CAST(:customer AS text), 12, '0') AS uuid), false
);
INSERT INTO unsealed_events (tenant_id, event_id, content_hash, timeline_id)
VALUES (CAST(:tenant AS uuid),
    CAST(lpad(to_hex(CAST(extract(epoch FROM now()) * 1000 AS bigint)), 12, '0')
         || lpad(CAST(:event_end AS text), 20, '0') AS uuid),
    sha256(CAST(CAST(:payload AS text) AS bytea)),
    CAST('01990000-0000-7000-8000-' || lpad(CAST(:customer AS text), 12, '0') AS uuid));
INSERT INTO attempt_deltas (tenant_id, id, day, method, user_id, lead_status, attempts,
    responses, response_seconds, response_times)
VALUES (CAST(:tenant AS uuid),
    CAST(lpad(to_hex(CAST(extract(epoch FROM now()) * 1000 AS bigint)), 12, '0')
         || lpad(CAST(:attempt_end AS text), 20, '0') AS uuid),
    CAST(:attempt_day AS bigint), 'call', CAST(:actor AS uuid), 'contacted', 1, 0, 0, '');
INSERT INTO kept_counts (tenant_id, name, shard, n)
VALUES (CAST(:tenant AS uuid), 'events.timeline:01990000-0000-7000-8000-'
        || lpad(CAST(:customer AS text), 12, '0'), 0, 1)
ON CONFLICT (tenant_id, name, shard) DO UPDATE SET n = kept_counts.n + excluded.n;
INSERT INTO kept_counts (tenant_id, name, shard, n)
VALUES (CAST(:tenant AS uuid), 'interactions.company:01990000-0000-7000-8001-'
        || lpad(CAST(:company AS text), 12, '0'), 0, 1)
ON CONFLICT (tenant_id, name, shard) DO UPDATE SET n = kept_counts.n + excluded.n;
INSERT INTO kept_counts (tenant_id, name, shard, n)
VALUES (CAST(:tenant AS uuid), 'interactions.created_by:' || CAST(:actor AS text), :shard, 1)
ON CONFLICT (tenant_id, name, shard) DO UPDATE SET n = kept_counts.n + excluded.n;
INSERT INTO kept_counts (tenant_id, name, shard, n)
VALUES (CAST(:tenant AS uuid), 'interactions.customer:01990000-0000-7000-8000-'
        || lpad(CAST(:customer AS text), 12, '0'), 0, 1)
ON CONFLICT (tenant_id, name, shard) DO UPDATE SET n = kept_counts.n + excluded.n;
INSERT INTO kept_counts (tenant_id, name, shard, n)
VALUES (CAST(:tenant AS uuid), 'interactions.type:' || 'call', :shard, 1)
ON CONFLICT (tenant_id, name, shard) DO UPDATE SET n = kept_counts.n + excluded.n;
INSERT INTO kept_counts (tenant_id, name, shard, n)
VALUES (CAST(:tenant AS uuid), 'interactions:', :shard, 1)
ON CONFLICT (tenant_id, name, shard) DO UPDATE SET n = kept_counts.n + excluded.n;
COMMIT;
\endpipeline
