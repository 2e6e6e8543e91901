-- Interactions, and the events of everything.

-- One touch with a customer: the union of what the three route families show. `participants`
-- are those beside the customer. `follow_up_due` is what a pending follow-up is sorted by:
-- when it is due, or has been put off to; infinity where it has no date; null where there is
-- none pending. `follow_up_notified`: its assignee was told of this due time.
-- `row` and `words` serve the index of texts (below): PostgreSQL keeps it on the row, SQLite
-- in a table of its own, and `words` is always null there.
CREATE TABLE interactions (
-- sqlite
    row integer PRIMARY KEY,
-- both
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    interaction_number {text} NOT NULL,
    external_id {text},
    customer_id uuid NOT NULL,
    company_id uuid,
    session_id uuid,
    created_by uuid,

    type {text} NOT NULL,
    direction text NOT NULL,
    channel {text},
    outcome {text},

    subject text,
    description text,
    participants text NOT NULL,

    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    wait_time_seconds bigint,
    talk_time_seconds bigint,
    hold_time_seconds bigint,
    after_call_work_seconds bigint,

    follow_up_required boolean NOT NULL,
    follow_up_date timestamptz,
    follow_up_notes text,
    follow_up_assignee uuid,
    follow_up_completed_at timestamptz,
    follow_up_snoozed_until timestamptz,
    follow_up_due timestamptz,
    follow_up_notified boolean NOT NULL,

    responded boolean NOT NULL,
    response_at timestamptz,

    metadata text,
    location text,
    project_id text,
    task_id text,
    intention_entity text,

    parent_interaction_id uuid,
    chunk_number bigint,
    total_chunks bigint,

    content_format text,
    content_mime_type text,
    content_size_bytes bigint,
    content_object_bucket text,
    content_object_key text,
    content_sha256 text,
    content_summary text,

    transcript_text text,
    transcript_confidence double precision,
    transcript_engine text,
    sentiment_label {text},
    sentiment_score double precision,
    sentiment_keywords text,
    sentiment_engine text,

-- sqlite
    words text,
-- postgres
    words tsvector,
-- both
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customers (tenant_id, id),
    FOREIGN KEY (tenant_id, company_id) REFERENCES companies (tenant_id, id),
    FOREIGN KEY (tenant_id, session_id) REFERENCES sessions (tenant_id, id),
    FOREIGN KEY (tenant_id, parent_interaction_id) REFERENCES interactions (tenant_id, id)
);
CREATE UNIQUE INDEX interactions_number ON interactions (tenant_id, interaction_number);
CREATE UNIQUE INDEX interactions_external_id ON interactions (tenant_id, external_id)
    WHERE external_id IS NOT NULL;
CREATE UNIQUE INDEX interactions_chunk
    ON interactions (tenant_id, parent_interaction_id, chunk_number)
    WHERE parent_interaction_id IS NOT NULL AND deleted_at IS NULL;
-- One index for each plain list, in the order of the list.
CREATE INDEX interactions_started ON interactions (tenant_id, started_at, id)
    WHERE deleted_at IS NULL;
CREATE INDEX interactions_customer ON interactions (tenant_id, customer_id, started_at, id)
    WHERE deleted_at IS NULL;
CREATE INDEX interactions_type ON interactions (tenant_id, type, started_at, id)
    WHERE deleted_at IS NULL;
CREATE INDEX interactions_created_by ON interactions (tenant_id, created_by, started_at, id)
    WHERE deleted_at IS NULL;
CREATE INDEX interactions_company ON interactions (tenant_id, company_id, started_at, id)
    WHERE deleted_at IS NULL AND company_id IS NOT NULL;
CREATE INDEX interactions_session ON interactions (tenant_id, session_id, started_at, id)
    WHERE deleted_at IS NULL AND session_id IS NOT NULL;
CREATE INDEX interactions_outcome ON interactions (tenant_id, outcome, started_at, id)
    WHERE deleted_at IS NULL AND outcome IS NOT NULL;
CREATE INDEX interactions_channel ON interactions (tenant_id, channel, started_at, id)
    WHERE deleted_at IS NULL AND channel IS NOT NULL;
CREATE INDEX interactions_sentiment ON interactions (tenant_id, sentiment_label, started_at, id)
    WHERE deleted_at IS NULL AND sentiment_label IS NOT NULL;
CREATE INDEX interactions_follow_up ON interactions (tenant_id, follow_up_due, id)
    WHERE deleted_at IS NULL AND follow_up_due IS NOT NULL;
CREATE INDEX interactions_follow_up_assignee
    ON interactions (tenant_id, follow_up_assignee, follow_up_due, id)
    WHERE deleted_at IS NULL AND follow_up_due IS NOT NULL;
-- What the reminders have to do, of all tenants.
CREATE INDEX interactions_follow_up_unnotified ON interactions (follow_up_due, tenant_id, id)
    WHERE deleted_at IS NULL AND follow_up_due IS NOT NULL AND NOT follow_up_notified;

-- The words of subject and description, folded and taken apart by the program, so that a
-- search finds the same on both stores. The first word of each text is its tenant's mark,
-- which no text can have: a search never leaves the tenant's part of the index. Deleted
-- interactions have no words.
-- sqlite
CREATE VIRTUAL TABLE interaction_words
    USING fts5 (words, content = '', detail = 'none', tokenize = 'ascii');
-- postgres
CREATE INDEX interactions_words ON interactions USING gin (words) WHERE words IS NOT NULL;
-- both

-- The timeline and audit log (SPEC.md §5). Written, then only its marks change.
CREATE TABLE events (
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
    addressee_id uuid,
    is_realtime boolean NOT NULL,
    delivered boolean NOT NULL,
    delivered_at timestamptz,
    read boolean NOT NULL,
    read_at timestamptz,
    visible_to_client boolean NOT NULL,
    visible_to_agent boolean NOT NULL,
    expires_at timestamptz,
    occurred_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (tenant_id, id)
);
CREATE INDEX events_contact ON events (tenant_id, contact_id, occurred_at, id)
    WHERE contact_id IS NOT NULL;
