-- One create as PostgreSQL sees it, for pgbench -M prepared: what the server's transaction
-- reads to decide, and the rows that it writes. bench/run gives what is the same for all
-- (:tenant, :actor and the texts, taken from a row that the server wrote), checks that both
-- sides fill the same columns and totals, and made bench_id() and bench_new_id(). Each
-- client has a shard of the kept totals for itself, as the server's connections do; numbers
-- come from a sequence, as the server's from blocks that a node reserves. (pgbench takes a
-- colon before a letter for a variable, within quotes too.)
\set customer random(:first, :last)
\set company 1 + :customer % :companies
\set shard 1 + :client_id
\set age random(0, 3599)
BEGIN;
SELECT id, name, company_id, status, last_contacted_at, last_contact_method, contact_count,
    last_response_at
FROM customers
WHERE tenant_id = CAST(:tenant AS uuid) AND id = bench_id(0, :customer) AND deleted_at IS NULL
FOR NO KEY UPDATE;
UPDATE customers SET last_contacted_at = now() - CAST(:age AS bigint) * interval '1 second',
    last_contact_method = 'call', contact_count = contact_count + 1
WHERE tenant_id = CAST(:tenant AS uuid) AND id = bench_id(0, :customer);
WITH made AS (
    INSERT INTO interactions (
        tenant_id, id, interaction_number, customer_id, company_id, created_by, type, direction,
        outcome, subject, participants, started_at, follow_up_required, follow_up_notified,
        responded, sentiment_keywords, words, version, created_at, updated_at
    ) VALUES (
        CAST(:tenant AS uuid), bench_new_id(),
        CAST(:number_start AS text) || nextval('bench_numbers'), bench_id(0, :customer),
        bench_id(1, :company), CAST(:actor AS uuid), 'call', 'outbound',
        'successful', :subject, :participants,
        now() - CAST(:age AS bigint) * interval '1 second', false, false, false,
        '[]', CAST(CAST(:words AS text) AS tsvector), 1, now(), now()
    ) RETURNING id
)
INSERT INTO events (
    tenant_id, id, contact_id, interaction_id, event_type, category, priority, title, payload,
    source, triggered_by, is_realtime, delivered, read, visible_to_client, visible_to_agent,
    occurred_at, created_at
)
SELECT CAST(:tenant AS uuid), bench_new_id(), bench_id(0, :customer), made.id,
    CAST(:event_type AS text), CAST(:category AS text), CAST(:priority AS text),
    CAST(:title AS text), CAST(:payload AS text), CAST(:source AS text), CAST(:actor AS uuid),
    false, false, false, false, true, now(), now()
FROM made;
INSERT INTO kept_counts (tenant_id, name, shard, n)
VALUES (CAST(:tenant AS uuid), 'interactions.company:' || bench_id(1, :company), 0, 1)
ON CONFLICT (tenant_id, name, shard) DO UPDATE SET n = kept_counts.n + excluded.n;
INSERT INTO kept_counts (tenant_id, name, shard, n)
VALUES (CAST(:tenant AS uuid), 'interactions.created_by:' || CAST(:actor AS text), :shard, 1)
ON CONFLICT (tenant_id, name, shard) DO UPDATE SET n = kept_counts.n + excluded.n;
INSERT INTO kept_counts (tenant_id, name, shard, n)
VALUES (CAST(:tenant AS uuid), 'interactions.customer:' || bench_id(0, :customer), 0, 1)
ON CONFLICT (tenant_id, name, shard) DO UPDATE SET n = kept_counts.n + excluded.n;
INSERT INTO kept_counts (tenant_id, name, shard, n)
VALUES (CAST(:tenant AS uuid), 'interactions.type:' || 'call', :shard, 1)
ON CONFLICT (tenant_id, name, shard) DO UPDATE SET n = kept_counts.n + excluded.n;
INSERT INTO kept_counts (tenant_id, name, shard, n)
VALUES (CAST(:tenant AS uuid), 'interactions:', :shard, 1)
ON CONFLICT (tenant_id, name, shard) DO UPDATE SET n = kept_counts.n + excluded.n;
COMMIT;
