-- The timeline as it is read, sealed and streamed (SPEC.md §5).

-- One entry of the timeline and audit log. What is sealed never changes: all but the last
-- block. Title, description, payload and metadata are sealed by a salted commitment, so that
-- they can be erased: then `salt` is null and `text_hash` stands in its place.
-- `timeline_id`: whose timeline shows it, which a merge changes; the contact stays as written.
-- `row` and `words` serve the index of texts, as those of interactions do.
CREATE TABLE contact_events (
-- sqlite
    row integer PRIMARY KEY,
-- both
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    contact_id uuid,
    session_id uuid,
    interaction_id uuid,
    subject_type text,
    subject_id uuid,
    event_type {text} NOT NULL,
    category {text} NOT NULL,
    priority text NOT NULL,
    title text,
    description text,
    payload text,
    metadata text,
    source text NOT NULL,
    triggered_by uuid,
    integration_source text,
    addressee_type text,
    addressee_id uuid,
    is_realtime boolean NOT NULL,
    visible_to_client boolean NOT NULL,
    visible_to_agent boolean NOT NULL,
    expires_at timestamptz,
    occurred_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    salt {bytes},
    text_hash {bytes},

    timeline_id uuid,
    delivered boolean NOT NULL,
    delivered_at timestamptz,
    read boolean NOT NULL,
    read_at timestamptz,
    expired boolean NOT NULL,
-- sqlite
    words text,
-- postgres
    words tsvector,
-- both
    UNIQUE (tenant_id, id)
);
INSERT INTO contact_events (
    tenant_id, id, contact_id, session_id, interaction_id, subject_type, subject_id,
    event_type, category, priority, title, description, payload, metadata, source,
    triggered_by, integration_source, addressee_type, addressee_id, is_realtime,
    visible_to_client, visible_to_agent, expires_at, occurred_at, created_at,
    timeline_id, delivered, delivered_at, read, read_at, expired
) SELECT
    tenant_id, id, contact_id, session_id, interaction_id, subject_type, subject_id,
    event_type, category, priority, title, description, payload, metadata, source,
    triggered_by, integration_source, CASE WHEN addressee_id IS NOT NULL THEN 'user' END,
    addressee_id, is_realtime, visible_to_client, visible_to_agent, expires_at, occurred_at,
    created_at, contact_id, delivered, delivered_at, read, read_at, false
FROM events ORDER BY created_at, id;
DROP TABLE events;
WITH counted AS (
    SELECT tenant_id, 'events.timeline:' AS list, timeline_id AS id, count(*) AS n
    FROM contact_events WHERE timeline_id IS NOT NULL AND visible_to_agent
    GROUP BY tenant_id, timeline_id
    UNION ALL
    SELECT tenant_id, 'events.client:', timeline_id, count(*)
    FROM contact_events WHERE timeline_id IS NOT NULL AND visible_to_client
    GROUP BY tenant_id, timeline_id
    UNION ALL
    SELECT tenant_id, 'events.session:', session_id, count(*)
    FROM contact_events WHERE session_id IS NOT NULL AND visible_to_agent
    GROUP BY tenant_id, session_id
)
INSERT INTO kept_counts (tenant_id, name, shard, n)
-- sqlite
SELECT tenant_id, list || lower(substr(hex(id), 1, 8) || '-' || substr(hex(id), 9, 4) || '-'
    || substr(hex(id), 13, 4) || '-' || substr(hex(id), 17, 4) || '-' || substr(hex(id), 21)), 0, n
-- postgres
SELECT tenant_id, list || CAST(id AS text), 0, n
-- both
FROM counted;

-- One index for each plain list, in the order of the list. Expired events are in none.
CREATE INDEX contact_events_timeline ON contact_events (tenant_id, timeline_id, occurred_at, id)
    WHERE timeline_id IS NOT NULL AND visible_to_agent AND NOT expired;
CREATE INDEX contact_events_client ON contact_events (tenant_id, timeline_id, occurred_at, id)
    WHERE timeline_id IS NOT NULL AND visible_to_client AND NOT expired;
-- The rest of a timeline, which is in no list: a merge moves it too.
CREATE INDEX contact_events_rest ON contact_events (tenant_id, timeline_id)
    WHERE timeline_id IS NOT NULL AND (NOT visible_to_agent OR expired);
CREATE INDEX contact_events_session ON contact_events (tenant_id, session_id, occurred_at, id)
    WHERE session_id IS NOT NULL AND visible_to_agent AND NOT expired;
CREATE INDEX contact_events_type ON contact_events (tenant_id, event_type, occurred_at, id)
    WHERE visible_to_agent AND NOT expired;
CREATE INDEX contact_events_category ON contact_events (tenant_id, category, occurred_at, id)
    WHERE visible_to_agent AND NOT expired;
CREATE INDEX contact_events_undelivered ON contact_events (tenant_id, occurred_at, id)
    WHERE is_realtime AND NOT delivered AND addressee_type IS NOT NULL AND NOT expired;
CREATE INDEX contact_events_undelivered_contact
    ON contact_events (tenant_id, timeline_id, occurred_at, id)
    WHERE is_realtime AND NOT delivered AND addressee_type IS NOT NULL AND NOT expired;
CREATE INDEX contact_events_unread ON contact_events (tenant_id, addressee_id, occurred_at, id)
    WHERE addressee_id IS NOT NULL AND NOT read AND NOT expired;
CREATE INDEX contact_events_unread_contact
    ON contact_events (tenant_id, timeline_id, occurred_at, id)
    WHERE addressee_type = 'contact' AND NOT read AND NOT expired;
-- What is to be searched for, in the order in which it is listed.
CREATE INDEX contact_events_texts ON contact_events (tenant_id, occurred_at, id)
    WHERE words IS NOT NULL AND NOT expired;
-- What totals still count although its time has passed.
CREATE INDEX contact_events_timeline_overdue
    ON contact_events (tenant_id, timeline_id, expires_at)
    WHERE timeline_id IS NOT NULL AND expires_at IS NOT NULL AND NOT expired;
CREATE INDEX contact_events_session_overdue
    ON contact_events (tenant_id, session_id, expires_at)
    WHERE session_id IS NOT NULL AND expires_at IS NOT NULL AND NOT expired;
-- What is about to expire, of all tenants; and what has, and is to be deleted.
CREATE INDEX contact_events_expiring ON contact_events (expires_at, tenant_id, id)
    WHERE expires_at IS NOT NULL AND NOT expired;
CREATE INDEX contact_events_expired ON contact_events (expires_at, tenant_id, id)
    WHERE expired;
-- The same of one tenant, for its admins.
CREATE INDEX contact_events_expiring_of ON contact_events (tenant_id, expires_at, id)
    WHERE expires_at IS NOT NULL AND NOT expired;
CREATE INDEX contact_events_expired_of ON contact_events (tenant_id, expires_at, id)
    WHERE expired;
-- Sealed erasures, by what they cover.
CREATE INDEX contact_events_erasures ON contact_events (tenant_id, subject_id)
    WHERE subject_type = 'contact_event';
-- The words of texts that people wrote, as with interactions.
-- sqlite
CREATE VIRTUAL TABLE contact_event_words
    USING fts5 (words, content = '', detail = 'none', tokenize = 'ascii');
-- postgres
CREATE INDEX contact_events_words ON contact_events USING gin (words) WHERE words IS NOT NULL;
-- both

-- The chain: each event of the tenant has a number, without gaps, in the order of commits, and
-- a hash over the one before and what the event says. A seal outlives its event: then it is
-- the stub.
CREATE TABLE event_seals (
    tenant_id uuid NOT NULL,
    number bigint NOT NULL,
    event_id uuid NOT NULL,
    content_hash {bytes} NOT NULL,
    expires_at timestamptz,
    hash {bytes} NOT NULL,
    UNIQUE (tenant_id, number)
);
CREATE UNIQUE INDEX event_seals_event ON event_seals (tenant_id, event_id);

-- Where each chain ends.
CREATE TABLE event_chains (
    tenant_id uuid NOT NULL,
    number bigint NOT NULL,
    hash {bytes} NOT NULL,
    UNIQUE (tenant_id)
);

-- Committed, and still without a number. On SQLite events are sealed in the commit that
-- writes them: only what an older program wrote waits here. Rows of those have no hash yet,
-- nor whom to tell, which the event says.
CREATE TABLE unsealed_events (
-- sqlite
    row integer PRIMARY KEY,
-- postgres
    row bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
-- both
    tenant_id uuid NOT NULL,
    event_id uuid NOT NULL,
    content_hash {bytes},
    expires_at timestamptz,
    timeline_id uuid,
    addressee_id uuid,
    subject_id uuid
);
INSERT INTO unsealed_events (tenant_id, event_id, expires_at)
SELECT tenant_id, id, expires_at FROM contact_events ORDER BY created_at, id;

-- What users read that was not addressed to them.
CREATE TABLE event_reads (
    tenant_id uuid NOT NULL,
    event_id uuid NOT NULL,
    user_id uuid NOT NULL,
    read_at timestamptz NOT NULL,
    UNIQUE (tenant_id, event_id, user_id)
);

-- A customer's own app proves itself by one of these.
CREATE TABLE contact_tokens (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    customer_id uuid NOT NULL,
    secret_hash {bytes} NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customers (tenant_id, id)
);
CREATE INDEX contact_tokens_customer ON contact_tokens (tenant_id, customer_id, created_at, id);
CREATE INDEX contact_tokens_expires ON contact_tokens (expires_at);

-- Opens a stream once, for a page that cannot send headers. Stands for the credential that
-- asked for it (`credential_kind`: what kind that is).
CREATE TABLE stream_tickets (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    secret_hash {bytes} NOT NULL,
    credential_kind text NOT NULL,
    credential_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    UNIQUE (tenant_id, id)
);
CREATE INDEX stream_tickets_expires ON stream_tickets (expires_at);

-- A merged customer is deleted and known by another's id from then on.
ALTER TABLE customers ADD COLUMN merged_into uuid;
CREATE INDEX customers_merged_into ON customers (tenant_id, merged_into)
    WHERE merged_into IS NOT NULL;

-- Deleted interactions can be restored, so they move as well.
CREATE INDEX interactions_customer_deleted ON interactions (tenant_id, customer_id)
    WHERE deleted_at IS NOT NULL;

-- What a merge did, so that it can be undone for a day. `before`: who is left, as it stood
-- before and right after (JSON); the merged row stays as it was, but for its mark.
CREATE TABLE customer_merges (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    customer_id uuid NOT NULL,
    merged_id uuid NOT NULL,
    merged_by uuid,
    merged_at timestamptz NOT NULL,
    before text NOT NULL,
    undone_at timestamptz,
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customers (tenant_id, id),
    FOREIGN KEY (tenant_id, merged_id) REFERENCES customers (tenant_id, id)
);
CREATE INDEX customer_merges_customer ON customer_merges (tenant_id, customer_id, merged_at, id);
CREATE INDEX customer_merges_merged ON customer_merges (tenant_id, merged_id, merged_at, id);
-- The rows that it moved: interactions, notes, sessions.
CREATE TABLE customer_merge_rows (
    tenant_id uuid NOT NULL,
    merge_id uuid NOT NULL,
    kind text NOT NULL,
    row_id uuid NOT NULL,
    UNIQUE (tenant_id, merge_id, kind, row_id)
);
CREATE INDEX customer_merge_rows_merge ON customer_merge_rows (tenant_id, merge_id);
