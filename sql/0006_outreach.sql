-- Outreach: the guard, what it looks at, and what is counted of attempts (SPEC.md §7, §8).

-- How often a tenant may contact one customer by one method. `rules` is a JSON object (struct
-- outreach_rules); null, or no row: the method has the rules that everybody begins with.
CREATE TABLE outreach_policies (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    method {text} NOT NULL,
    rules text,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    updated_by uuid,
    UNIQUE (tenant_id, method)
);

-- `guarded_as`: the method under which the guard counts a touch; null where it does not.
-- `lead_status`: what the customer was before the touch. `attempt_day`: the day, on the tenant's
-- calendar, under which attempt_counts has it, as days since 1970-01-01; null where it has not.
ALTER TABLE interactions ADD COLUMN guarded_as {text};
ALTER TABLE interactions ADD COLUMN lead_status {text};
ALTER TABLE interactions ADD COLUMN attempt_day bigint;
UPDATE interactions SET channel = 'linkedin'
WHERE type = 'social_media' AND lower(channel) = 'linkedin';
UPDATE interactions
SET guarded_as = CASE WHEN type = 'social_media' AND channel = 'linkedin' THEN 'linkedin'
    ELSE type END
WHERE direction = 'outbound' AND type NOT IN ('note', 'system', 'meeting')
    AND NOT (type IN ('call', 'video_call') AND outcome IS NOT NULL
        AND outcome IN ('no_answer', 'busy'));
UPDATE interactions SET response_at = updated_at WHERE responded AND response_at IS NULL;
CREATE INDEX interactions_outreach
    ON interactions (tenant_id, customer_id, guarded_as, started_at, id)
    WHERE deleted_at IS NULL AND guarded_as IS NOT NULL;

-- When customers were last contacted, as lists sort by it: the beginning of time for never.
-- sqlite
ALTER TABLE customers ADD COLUMN last_contact_key timestamptz NOT NULL
    DEFAULT -62135596800000000;
-- postgres
ALTER TABLE customers ADD COLUMN last_contact_key timestamptz NOT NULL
    DEFAULT '0001-01-01T00:00:00Z';
-- both
UPDATE customers SET last_contact_key = last_contacted_at WHERE last_contacted_at IS NOT NULL;
UPDATE customers SET last_contact_method = 'linkedin'
WHERE last_contact_method = 'social_media' AND EXISTS (
    SELECT 1 FROM interactions i
    WHERE i.tenant_id = customers.tenant_id AND i.customer_id = customers.id
        AND i.started_at = customers.last_contacted_at AND i.deleted_at IS NULL
        AND i.guarded_as = 'linkedin');
UPDATE planned_touches SET method = 'linkedin'
WHERE method = 'social_media' AND EXISTS (
    SELECT 1 FROM interactions i
    WHERE i.tenant_id = planned_touches.tenant_id AND i.id = planned_touches.interaction_id
        AND i.channel = 'linkedin');
CREATE INDEX customers_last_contact ON customers (tenant_id, last_contact_key, id)
    WHERE deleted_at IS NULL;
CREATE INDEX customers_status_contact ON customers (tenant_id, status, last_contact_key, id)
    WHERE deleted_at IS NULL;
CREATE INDEX customers_owner_contact ON customers (tenant_id, owner_id, last_contact_key, id)
    WHERE deleted_at IS NULL AND owner_id IS NOT NULL;
CREATE INDEX customers_method_contact
    ON customers (tenant_id, last_contact_method, last_contact_key, id)
    WHERE deleted_at IS NULL AND last_contact_method IS NOT NULL;
INSERT INTO kept_counts (tenant_id, name, shard, n)
SELECT c.tenant_id, 'customers.method:' || c.last_contact_method, 0, count(*) FROM customers c
WHERE c.deleted_at IS NULL AND c.last_contact_method IS NOT NULL
GROUP BY c.tenant_id, c.last_contact_method;

-- Attempts by day, method, user and what the lead was, and what came of them. A user who is not
-- known stands under the largest UUID, a status that is not known under ''. `response_times` is
-- a histogram (app/analytics/attempts.h).
CREATE TABLE attempt_counts (
    tenant_id uuid NOT NULL,
    day bigint NOT NULL,
    method {text} NOT NULL,
    user_id uuid NOT NULL,
    lead_status {text} NOT NULL,
    attempts bigint NOT NULL,
    responses bigint NOT NULL,
    response_seconds bigint NOT NULL,
    response_times text NOT NULL,
    UNIQUE (tenant_id, day, method, user_id, lead_status)
);
-- What is to be added to them: so that writers on PostgreSQL do not wait for each other's rows. On
-- SQLite it is empty.
CREATE TABLE attempt_deltas (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    day bigint NOT NULL,
    method {text} NOT NULL,
    user_id uuid NOT NULL,
    lead_status {text} NOT NULL,
    attempts bigint NOT NULL,
    responses bigint NOT NULL,
    response_seconds bigint NOT NULL,
    response_times text NOT NULL,
    UNIQUE (tenant_id, id)
);
-- Tenants whose interactions are being gone through, up to which: their calendar has changed, or
-- they were there before anything was counted. `again_at`: it is done, but for what other
-- transactions may still have written by the former calendar; from then on once more.
CREATE TABLE attempt_recounts (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    after_id uuid,
    again_at timestamptz,
    UNIQUE (tenant_id)
);
INSERT INTO attempt_recounts (tenant_id, after_id)
SELECT DISTINCT i.tenant_id, CAST(NULL AS uuid) FROM interactions i;
