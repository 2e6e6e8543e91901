-- Interactions: the record, its lists, the search in its texts, and what falls due.

-- fragment: listed
i.id, i.interaction_number, i.external_id, i.customer_id, i.company_id, i.session_id, i.created_by,
    i.type, i.direction, i.channel, i.outcome, i.subject, i.description, i.participants,
    i.started_at, i.ended_at, i.follow_up_required, i.follow_up_date, i.follow_up_notes,
    i.follow_up_assignee, i.follow_up_completed_at, i.follow_up_snoozed_until, i.follow_up_due,
    i.follow_up_notified, i.responded, i.response_at, i.metadata, i.location, i.project_id,
    i.task_id, i.parent_interaction_id, i.chunk_number, i.total_chunks, i.sentiment_label,
    i.sentiment_score, i.guarded_as, i.lead_status, i.attempt_day, i.version, i.created_at,
    i.updated_at, i.deleted_at,
    c.name AS customer_name, co.name AS company_name, u.name AS created_by_name

-- fragment: rest
i.wait_time_seconds, i.talk_time_seconds, i.hold_time_seconds, i.after_call_work_seconds,
    i.intention_entity, i.content_format, i.content_mime_type, i.content_size_bytes,
    i.content_object_bucket, i.content_object_key, i.content_sha256, i.content_summary,
    i.transcript_text, i.transcript_confidence, i.transcript_engine, i.sentiment_keywords,
    i.sentiment_engine

-- fragment: named
LEFT JOIN customers c ON c.tenant_id = i.tenant_id AND c.id = i.customer_id
LEFT JOIN companies co ON co.tenant_id = i.tenant_id AND co.id = i.company_id
LEFT JOIN users u ON u.tenant_id = i.tenant_id AND u.id = i.created_by

-- One -------------------------------------------------------------------------------------

-- query: interaction_get
SELECT {listed}, {rest} FROM interactions i {named}
WHERE i.tenant_id = :tenant_id AND i.id = :id AND i.deleted_at IS NULL

-- query: interaction_get_any
-- Also a deleted one.
SELECT {listed}, {rest} FROM interactions i {named}
WHERE i.tenant_id = :tenant_id AND i.id = :id

-- query: interaction_lock
-- Alone, before it is read: PostgreSQL locks no row of an outer join.
SELECT i.id FROM interactions i WHERE i.tenant_id = :tenant_id AND i.id = :id {for_update}

-- query: interaction_lock_customer
-- Before the interaction itself. Which customer it is changes only by a merge, so that is read
-- unlocked; after a merge in between the new one is locked later, by what needs it.
SELECT c.id FROM customers c
WHERE c.tenant_id = :tenant_id AND c.id = (
    SELECT i.customer_id FROM interactions i WHERE i.tenant_id = :tenant_id AND i.id = :id
) {for_update}

-- query: interaction_lock_customer_by_id
SELECT c.id FROM customers c WHERE c.tenant_id = :tenant_id AND c.id = :id {for_update}

-- query: interaction_by_external_id
SELECT {listed}, {rest} FROM interactions i {named}
WHERE i.tenant_id = :tenant_id AND i.external_id = :external_id

-- query: interaction_insert
INSERT INTO interactions (
    tenant_id, id, interaction_number, external_id, customer_id, company_id, session_id,
    created_by, type, direction, channel, outcome, subject, description, participants,
    started_at, ended_at, wait_time_seconds, talk_time_seconds, hold_time_seconds,
    after_call_work_seconds, follow_up_required, follow_up_date, follow_up_notes,
    follow_up_assignee, follow_up_due, follow_up_notified, responded, response_at, metadata,
    location, project_id, task_id, intention_entity, parent_interaction_id, chunk_number,
    total_chunks, content_format, content_mime_type, content_size_bytes, content_object_bucket,
    content_object_key, content_sha256, content_summary, transcript_text, transcript_confidence,
    transcript_engine, sentiment_label, sentiment_score, sentiment_keywords, sentiment_engine,
    guarded_as, lead_status, attempt_day, words, version, created_at, updated_at
) VALUES (
    :tenant_id, :id, :interaction_number, :external_id, :customer_id, :company_id, :session_id,
    :created_by, :type, :direction, :channel, :outcome, :subject, :description, :participants,
    :started_at, :ended_at, :wait_time_seconds, :talk_time_seconds, :hold_time_seconds,
    :after_call_work_seconds, :follow_up_required, :follow_up_date, :follow_up_notes,
    :follow_up_assignee, :follow_up_due, :follow_up_notified, :responded, :response_at, :metadata,
    :location, :project_id, :task_id, :intention_entity, :parent_interaction_id, :chunk_number,
    :total_chunks, :content_format, :content_mime_type, :content_size_bytes,
    :content_object_bucket, :content_object_key, :content_sha256, :content_summary,
    :transcript_text, :transcript_confidence, :transcript_engine, :sentiment_label,
    :sentiment_score, :sentiment_keywords, :sentiment_engine,
    :guarded_as, :lead_status, :attempt_day, CAST(CAST(:words AS text) AS tsvector), 1, :now, :now
)
ON CONFLICT (tenant_id, external_id) WHERE external_id IS NOT NULL DO NOTHING

-- query: interaction_save
UPDATE interactions SET
    company_id = :company_id, session_id = :session_id, type = :type, direction = :direction,
    channel = :channel, outcome = :outcome, subject = :subject, description = :description,
    participants = :participants, started_at = :started_at, ended_at = :ended_at,
    follow_up_required = :follow_up_required, follow_up_date = :follow_up_date,
    follow_up_notes = :follow_up_notes, follow_up_assignee = :follow_up_assignee,
    follow_up_completed_at = :follow_up_completed_at,
    follow_up_snoozed_until = :follow_up_snoozed_until, follow_up_due = :follow_up_due,
    follow_up_notified = :follow_up_notified, metadata = :metadata, location = :location,
    project_id = :project_id, task_id = :task_id, responded = :responded,
    response_at = :response_at, guarded_as = :guarded_as, attempt_day = :attempt_day,
    version = version + 1, updated_at = :now
WHERE tenant_id = :tenant_id AND id = :id

-- query: interaction_mark_deleted
UPDATE interactions SET deleted_at = :now, version = version + 1, updated_at = :now
WHERE tenant_id = :tenant_id AND id = :id

-- query: interaction_mark_restored
UPDATE interactions SET deleted_at = NULL, attempt_day = :attempt_day, version = version + 1,
    updated_at = :now
WHERE tenant_id = :tenant_id AND id = :id

-- query: interaction_user_there
SELECT 1 AS there FROM users u WHERE u.tenant_id = :tenant_id AND u.id = :id

-- query: interaction_user_name
SELECT u.name AS created_by_name FROM users u WHERE u.tenant_id = :tenant_id AND u.id = :id

-- query: interaction_chunk_taken
-- Whether the primary has a chunk of that number.
SELECT 1 AS taken FROM interactions i
WHERE i.tenant_id = :tenant_id AND i.parent_interaction_id = :parent_interaction_id
    AND i.chunk_number = :chunk_number AND i.deleted_at IS NULL

-- query: interaction_has_chunks
SELECT 1 AS there FROM interactions i
WHERE i.tenant_id = :tenant_id AND i.parent_interaction_id = :id AND i.deleted_at IS NULL LIMIT 1

-- Whether the one whose list it is exists ---------------------------------------------------

-- query: interaction_customer_there
SELECT 1 AS there FROM customers c
WHERE c.tenant_id = :tenant_id AND c.id = :id AND c.deleted_at IS NULL

-- query: interaction_company_there
SELECT 1 AS there FROM companies c
WHERE c.tenant_id = :tenant_id AND c.id = :id AND c.deleted_at IS NULL

-- Lists: four queries for each index that can lead -----------------------------------------
-- page: the plain list. filtered: a part of it that meets more conditions, each off when it
-- is null. count: how many of that part do. edge: the last of the next :window entries.

-- fragment: page
AND (i.started_at, i.id) < (:cursor_time, :cursor_id)
ORDER BY i.started_at DESC, i.id DESC LIMIT :limit OFFSET :offset

-- fragment: part
AND (i.started_at, i.id) < (:cursor_time, :cursor_id)
    AND (i.started_at, i.id) >= (:edge_time, :edge_id)

-- fragment: filters
(i.customer_id = :customer_id OR :customer_id IS NULL)
    AND (i.company_id = :company_id OR :company_id IS NULL)
    AND (i.created_by = :created_by OR :created_by IS NULL)
    AND (i.session_id = :session_id OR :session_id IS NULL)
    AND (i.type = :type OR :type IS NULL)
    AND (i.direction = :direction OR :direction IS NULL)
    AND (i.outcome = :outcome OR :outcome IS NULL)
    AND (i.channel = :channel OR :channel IS NULL)
    AND (i.channel <> :not_channel OR i.channel IS NULL OR :not_channel IS NULL)
    AND (i.sentiment_label = :sentiment_label OR :sentiment_label IS NULL)

-- fragment: filtered
{part} AND {filters} ORDER BY i.started_at DESC, i.id DESC LIMIT :limit OFFSET :offset

-- fragment: edge
{part} ORDER BY i.started_at DESC, i.id DESC LIMIT 1 OFFSET :window

-- fragment: by_all
i.tenant_id = :tenant_id AND i.deleted_at IS NULL
-- query: interaction_page_by_all
SELECT {listed} FROM interactions i {named} WHERE {by_all} {page}
-- query: interaction_filtered_by_all
SELECT {listed} FROM interactions i {named} WHERE {by_all} {filtered}
-- query: interaction_count_by_all
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM interactions i WHERE {by_all} {part} AND {filters} LIMIT :count_cap
) matches
-- query: interaction_edge_by_all
SELECT i.started_at, i.id FROM interactions i WHERE {by_all} {edge}

-- fragment: by_customer
i.tenant_id = :tenant_id AND i.customer_id = :lead AND i.deleted_at IS NULL
-- query: interaction_page_by_customer
SELECT {listed} FROM interactions i {named} WHERE {by_customer} {page}
-- query: interaction_filtered_by_customer
SELECT {listed} FROM interactions i {named} WHERE {by_customer} {filtered}
-- query: interaction_count_by_customer
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM interactions i WHERE {by_customer} {part} AND {filters} LIMIT :count_cap
) matches
-- query: interaction_edge_by_customer
SELECT i.started_at, i.id FROM interactions i WHERE {by_customer} {edge}

-- fragment: by_company
i.tenant_id = :tenant_id AND i.company_id = :lead AND i.deleted_at IS NULL
-- query: interaction_page_by_company
SELECT {listed} FROM interactions i {named} WHERE {by_company} {page}
-- query: interaction_filtered_by_company
SELECT {listed} FROM interactions i {named} WHERE {by_company} {filtered}
-- query: interaction_count_by_company
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM interactions i WHERE {by_company} {part} AND {filters} LIMIT :count_cap
) matches
-- query: interaction_edge_by_company
SELECT i.started_at, i.id FROM interactions i WHERE {by_company} {edge}

-- fragment: by_created_by
i.tenant_id = :tenant_id AND i.created_by = :lead AND i.deleted_at IS NULL
-- query: interaction_page_by_created_by
SELECT {listed} FROM interactions i {named} WHERE {by_created_by} {page}
-- query: interaction_filtered_by_created_by
SELECT {listed} FROM interactions i {named} WHERE {by_created_by} {filtered}
-- query: interaction_count_by_created_by
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM interactions i WHERE {by_created_by} {part} AND {filters} LIMIT :count_cap
) matches
-- query: interaction_edge_by_created_by
SELECT i.started_at, i.id FROM interactions i WHERE {by_created_by} {edge}

-- fragment: by_session
i.tenant_id = :tenant_id AND i.session_id = :lead AND i.deleted_at IS NULL
-- query: interaction_page_by_session
SELECT {listed} FROM interactions i {named} WHERE {by_session} {page}
-- query: interaction_filtered_by_session
SELECT {listed} FROM interactions i {named} WHERE {by_session} {filtered}
-- query: interaction_count_by_session
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM interactions i WHERE {by_session} {part} AND {filters} LIMIT :count_cap
) matches
-- query: interaction_edge_by_session
SELECT i.started_at, i.id FROM interactions i WHERE {by_session} {edge}

-- fragment: by_type
i.tenant_id = :tenant_id AND i.type = :lead AND i.deleted_at IS NULL
-- query: interaction_page_by_type
SELECT {listed} FROM interactions i {named} WHERE {by_type} {page}
-- query: interaction_filtered_by_type
SELECT {listed} FROM interactions i {named} WHERE {by_type} {filtered}
-- query: interaction_count_by_type
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM interactions i WHERE {by_type} {part} AND {filters} LIMIT :count_cap
) matches
-- query: interaction_edge_by_type
SELECT i.started_at, i.id FROM interactions i WHERE {by_type} {edge}

-- fragment: by_outcome
i.tenant_id = :tenant_id AND i.outcome = :lead AND i.deleted_at IS NULL
-- query: interaction_page_by_outcome
SELECT {listed} FROM interactions i {named} WHERE {by_outcome} {page}
-- query: interaction_filtered_by_outcome
SELECT {listed} FROM interactions i {named} WHERE {by_outcome} {filtered}
-- query: interaction_count_by_outcome
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM interactions i WHERE {by_outcome} {part} AND {filters} LIMIT :count_cap
) matches
-- query: interaction_edge_by_outcome
SELECT i.started_at, i.id FROM interactions i WHERE {by_outcome} {edge}

-- fragment: by_channel
i.tenant_id = :tenant_id AND i.channel = :lead AND i.deleted_at IS NULL
-- query: interaction_page_by_channel
SELECT {listed} FROM interactions i {named} WHERE {by_channel} {page}
-- query: interaction_filtered_by_channel
SELECT {listed} FROM interactions i {named} WHERE {by_channel} {filtered}
-- query: interaction_count_by_channel
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM interactions i WHERE {by_channel} {part} AND {filters} LIMIT :count_cap
) matches
-- query: interaction_edge_by_channel
SELECT i.started_at, i.id FROM interactions i WHERE {by_channel} {edge}

-- fragment: by_sentiment
i.tenant_id = :tenant_id AND i.sentiment_label = :lead AND i.deleted_at IS NULL
-- query: interaction_page_by_sentiment
SELECT {listed} FROM interactions i {named} WHERE {by_sentiment} {page}
-- query: interaction_filtered_by_sentiment
SELECT {listed} FROM interactions i {named} WHERE {by_sentiment} {filtered}
-- query: interaction_count_by_sentiment
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM interactions i WHERE {by_sentiment} {part} AND {filters} LIMIT :count_cap
) matches
-- query: interaction_edge_by_sentiment
SELECT i.started_at, i.id FROM interactions i WHERE {by_sentiment} {edge}

-- Follow-ups that are pending, earliest first ------------------------------------------------

-- fragment: due_page
AND (i.follow_up_due, i.id) > (:cursor_time, :cursor_id) AND i.follow_up_due <= :to_time
ORDER BY i.follow_up_due, i.id LIMIT :limit OFFSET :offset

-- query: interaction_follow_ups
SELECT {listed} FROM interactions i {named}
WHERE i.tenant_id = :tenant_id AND i.deleted_at IS NULL {due_page}

-- query: interaction_follow_ups_of
SELECT {listed} FROM interactions i {named}
WHERE i.tenant_id = :tenant_id AND i.follow_up_assignee = :assignee AND i.deleted_at IS NULL
    {due_page}

-- query: interaction_count_follow_ups
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM interactions i
    WHERE i.tenant_id = :tenant_id AND i.deleted_at IS NULL
        AND i.follow_up_due >= :from_time AND i.follow_up_due <= :to_time LIMIT :count_cap
) matches

-- query: interaction_count_follow_ups_of
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM interactions i
    WHERE i.tenant_id = :tenant_id AND i.follow_up_assignee = :assignee AND i.deleted_at IS NULL
        AND i.follow_up_due >= :from_time AND i.follow_up_due <= :to_time LIMIT :count_cap
) matches

-- query: interaction_due
-- global: one job serves all tenants
-- sqlite
SELECT i.tenant_id, i.id, i.customer_id, i.session_id, i.subject, i.follow_up_assignee,
    i.follow_up_due
FROM interactions i
WHERE i.deleted_at IS NULL AND NOT i.follow_up_notified AND i.follow_up_due <= :now
ORDER BY i.follow_up_due, i.tenant_id, i.id LIMIT :limit
-- postgres
SELECT i.tenant_id, i.id, i.customer_id, i.session_id, i.subject, i.follow_up_assignee,
    i.follow_up_due
FROM interactions i
WHERE i.deleted_at IS NULL AND NOT i.follow_up_notified AND i.follow_up_due <= :now
ORDER BY i.follow_up_due, i.tenant_id, i.id LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED

-- query: interaction_mark_notified
UPDATE interactions SET follow_up_notified = true WHERE tenant_id = :tenant_id AND id = :id

-- What analytics counts -------------------------------------------------------------------

-- fragment: attempt
i.id, i.customer_id, i.created_by, i.type, i.direction, i.channel, i.started_at, i.responded,
    i.response_at, i.lead_status, i.attempt_day, i.deleted_at

-- query: interaction_attempt_locked
SELECT {attempt} FROM interactions i
WHERE i.tenant_id = :tenant_id AND i.id = :id {for_update}

-- query: interaction_set_attempt_day
UPDATE interactions SET attempt_day = :attempt_day WHERE tenant_id = :tenant_id AND id = :id

-- query: interaction_recount_next
-- global: one job serves all tenants
-- sqlite
SELECT r.tenant_id, r.after_id, r.again_at FROM attempt_recounts r
WHERE r.again_at IS NULL OR r.again_at <= :now ORDER BY r.tenant_id LIMIT 1
-- postgres
SELECT r.tenant_id, r.after_id, r.again_at FROM attempt_recounts r
WHERE r.again_at IS NULL OR r.again_at <= :now ORDER BY r.tenant_id LIMIT 1
FOR UPDATE SKIP LOCKED

-- query: interaction_recount_page
SELECT {attempt} FROM interactions i
WHERE i.tenant_id = :tenant_id AND i.id > :after_id ORDER BY i.id LIMIT :limit

-- query: interaction_recount_advance
UPDATE attempt_recounts SET after_id = :after_id WHERE tenant_id = :tenant_id

-- query: interaction_recount_again
UPDATE attempt_recounts SET after_id = NULL, again_at = :again_at WHERE tenant_id = :tenant_id

-- query: interaction_recount_end
DELETE FROM attempt_recounts WHERE tenant_id = :tenant_id

-- The index of texts -------------------------------------------------------------------------

-- query: interaction_words_add
-- Does nothing where the row has its words: what was put off may have come to pass.
-- sqlite
INSERT INTO interaction_words (rowid, words)
SELECT i.row, :words FROM interactions i
WHERE i.tenant_id = :tenant_id AND i.id = :id
    AND NOT EXISTS (SELECT 1 FROM interaction_words_docsize d WHERE d.id = i.row)
-- postgres
UPDATE interactions SET words = CAST(CAST(:words AS text) AS tsvector)
WHERE tenant_id = :tenant_id AND id = :id

-- query: interaction_words_remove
-- SQLite's index keeps no texts and has to be told what to forget; a row whose words were
-- put off has none yet.
-- sqlite
INSERT INTO interaction_words (interaction_words, rowid, words)
SELECT 'delete', i.row, :words FROM interactions i
WHERE i.tenant_id = :tenant_id AND i.id = :id
    AND EXISTS (SELECT 1 FROM interaction_words_docsize d WHERE d.id = i.row)
-- postgres
UPDATE interactions SET words = NULL
WHERE tenant_id = :tenant_id AND id = :id AND CAST(:words AS text) IS NOT NULL

-- query: interaction_texts
SELECT i.id, i.subject, i.description FROM interactions i
WHERE i.tenant_id = :tenant_id AND i.id = :id AND i.deleted_at IS NULL

-- query: interaction_count_found
-- How many a search finds, whatever else is asked: up to a cap. (:match names the tenant too.)
-- sqlite
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM interaction_words w
    WHERE :tenant_id IS NOT NULL AND w.interaction_words MATCH :match LIMIT :count_cap
) found
-- postgres
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM interactions i
    WHERE i.tenant_id = :tenant_id AND i.words IS NOT NULL
        AND i.words @@ CAST(CAST(:match AS text) AS tsquery)
    LIMIT :count_cap
) found

-- query: interaction_page_found
-- For words that few have: all of them are looked at.
-- sqlite
SELECT {listed} FROM (
    SELECT w.rowid AS row FROM interaction_words w
    WHERE w.interaction_words MATCH :match LIMIT :found_cap
) found
CROSS JOIN interactions i ON i.row = found.row {named}
WHERE i.tenant_id = :tenant_id AND i.deleted_at IS NULL {filtered}
-- postgres
SELECT {listed} FROM (
    SELECT i.* FROM interactions i
    WHERE i.tenant_id = :tenant_id AND i.words IS NOT NULL
        AND i.words @@ CAST(CAST(:match AS text) AS tsquery)
    LIMIT :found_cap
) i {named}
WHERE i.tenant_id = :tenant_id AND i.deleted_at IS NULL {filtered}

-- query: interaction_count_found_filtered
-- sqlite
SELECT count(*) AS n FROM (
    SELECT w.rowid AS row FROM interaction_words w
    WHERE w.interaction_words MATCH :match LIMIT :found_cap
) found
CROSS JOIN interactions i ON i.row = found.row
WHERE i.tenant_id = :tenant_id AND i.deleted_at IS NULL {part} AND {filters}
-- postgres
SELECT count(*) AS n FROM (
    SELECT i.* FROM interactions i
    WHERE i.tenant_id = :tenant_id AND i.words IS NOT NULL
        AND i.words @@ CAST(CAST(:match AS text) AS tsquery)
    LIMIT :found_cap
) i
WHERE i.tenant_id = :tenant_id AND i.deleted_at IS NULL {part} AND {filters}
