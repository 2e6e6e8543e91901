-- Timelines and the other lists of events (timeline.h).

-- fragment: listed
e.id, e.contact_id, e.subject_type, e.subject_id, e.session_id, e.interaction_id, e.event_type,
    e.category, e.priority, e.title, e.description, e.payload, e.metadata, e.source,
    e.triggered_by, e.integration_source, e.addressee_type, e.addressee_id, e.is_realtime,
    e.delivered, e.delivered_at, e.read, e.read_at, e.visible_to_client, e.visible_to_agent,
    e.expires_at, e.occurred_at, e.created_at, e.timeline_id, c.name AS contact_name,
    u.name AS triggered_by_name

-- fragment: named
LEFT JOIN customers c ON c.tenant_id = e.tenant_id AND c.id = e.timeline_id
LEFT JOIN users u ON u.tenant_id = e.tenant_id AND u.id = e.triggered_by

-- fragment: alive
NOT e.expired AND (e.expires_at IS NULL OR e.expires_at > :now)

-- fragment: to_users
-- What is about no contact is for admins, and for whom it is addressed to.
e.visible_to_agent
    AND (e.timeline_id IS NOT NULL OR e.addressee_id = :actor_id OR CAST(:is_admin AS boolean))

-- One -------------------------------------------------------------------------------------

-- fragment: seen
-- By the actor: a contact's own app (:viewer_id is its customer), or a user.
{alive} AND (
    (e.timeline_id = :viewer_id AND e.visible_to_client) OR (:viewer_id IS NULL AND {to_users})
)

-- query: event_get
SELECT {listed} FROM contact_events e {named}
WHERE e.tenant_id = :tenant_id AND e.id = :id AND {seen}

-- query: event_get_any
-- As its writer may see it.
SELECT {listed} FROM contact_events e {named} WHERE e.tenant_id = :tenant_id AND e.id = :id

-- query: event_lock
-- Alone, before it is read: PostgreSQL locks no row of an outer join.
SELECT e.id FROM contact_events e WHERE e.tenant_id = :tenant_id AND e.id = :id {for_update}

-- Pages -----------------------------------------------------------------------------------
-- For each index that can lead. filtered: a page of that part which meets the conditions, each
-- off when it is null. count: how many of the part do. edge: the last of the next :window
-- entries.

-- fragment: part
AND (e.occurred_at, e.id) < (:cursor_time, :cursor_id)
    AND (e.occurred_at, e.id) >= (:edge_time, :edge_id)

-- fragment: filters
(e.category = :category OR :category IS NULL)
    AND (e.event_type = :event_type OR :event_type IS NULL)

-- fragment: filtered
{part} AND {filters} ORDER BY e.occurred_at DESC, e.id DESC LIMIT :limit OFFSET :offset

-- fragment: edge
{part} ORDER BY e.occurred_at DESC, e.id DESC LIMIT 1 OFFSET :window

-- fragment: by_timeline
e.tenant_id = :tenant_id AND e.timeline_id = :lead AND e.visible_to_agent AND NOT e.expired
-- fragment: shown_timeline
{alive}
-- query: event_filtered_by_timeline
SELECT {listed} FROM contact_events e {named}
WHERE {by_timeline} AND {shown_timeline} {filtered}
-- query: event_count_by_timeline
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM contact_events e
    WHERE {by_timeline} AND {shown_timeline} {part} AND {filters} LIMIT :count_cap
) matches
-- query: event_edge_by_timeline
SELECT e.occurred_at, e.id FROM contact_events e WHERE {by_timeline} {edge}

-- fragment: by_client
e.tenant_id = :tenant_id AND e.timeline_id = :lead AND e.visible_to_client AND NOT e.expired
-- fragment: shown_client
{alive}
-- query: event_filtered_by_client
SELECT {listed} FROM contact_events e {named}
WHERE {by_client} AND {shown_client} {filtered}
-- query: event_count_by_client
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM contact_events e
    WHERE {by_client} AND {shown_client} {part} AND {filters} LIMIT :count_cap
) matches
-- query: event_edge_by_client
SELECT e.occurred_at, e.id FROM contact_events e WHERE {by_client} {edge}

-- fragment: by_type
e.tenant_id = :tenant_id AND e.event_type = :lead AND e.visible_to_agent AND NOT e.expired
-- fragment: shown_type
{alive} AND {to_users}
-- query: event_filtered_by_type
SELECT {listed} FROM contact_events e {named}
WHERE {by_type} AND {shown_type} {filtered}
-- query: event_count_by_type
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM contact_events e
    WHERE {by_type} AND {shown_type} {part} AND {filters} LIMIT :count_cap
) matches
-- query: event_edge_by_type
SELECT e.occurred_at, e.id FROM contact_events e WHERE {by_type} {edge}

-- fragment: by_category
e.tenant_id = :tenant_id AND e.category = :lead AND e.visible_to_agent AND NOT e.expired
-- fragment: shown_category
{alive} AND {to_users}
-- query: event_filtered_by_category
SELECT {listed} FROM contact_events e {named}
WHERE {by_category} AND {shown_category} {filtered}
-- query: event_count_by_category
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM contact_events e
    WHERE {by_category} AND {shown_category} {part} AND {filters} LIMIT :count_cap
) matches
-- query: event_edge_by_category
SELECT e.occurred_at, e.id FROM contact_events e WHERE {by_category} {edge}

-- fragment: by_undelivered
e.tenant_id = :tenant_id AND e.is_realtime AND NOT e.delivered
    AND e.addressee_type IS NOT NULL AND NOT e.expired
-- fragment: shown_undelivered
{alive} AND {to_users}
-- query: event_filtered_by_undelivered
SELECT {listed} FROM contact_events e {named}
WHERE {by_undelivered} AND {shown_undelivered} {filtered}
-- query: event_count_by_undelivered
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM contact_events e
    WHERE {by_undelivered} AND {shown_undelivered} {part} AND {filters} LIMIT :count_cap
) matches
-- query: event_edge_by_undelivered
SELECT e.occurred_at, e.id FROM contact_events e WHERE {by_undelivered} {edge}

-- fragment: by_undelivered_contact
e.tenant_id = :tenant_id AND e.timeline_id = :lead AND e.is_realtime AND NOT e.delivered
    AND e.addressee_type IS NOT NULL AND NOT e.expired
-- fragment: shown_undelivered_contact
{alive} AND {to_users}
-- query: event_filtered_by_undelivered_contact
SELECT {listed} FROM contact_events e {named}
WHERE {by_undelivered_contact} AND {shown_undelivered_contact} {filtered}
-- query: event_count_by_undelivered_contact
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM contact_events e
    WHERE {by_undelivered_contact} AND {shown_undelivered_contact} {part} AND {filters} LIMIT :count_cap
) matches
-- query: event_edge_by_undelivered_contact
SELECT e.occurred_at, e.id FROM contact_events e WHERE {by_undelivered_contact} {edge}

-- fragment: by_unread
e.tenant_id = :tenant_id AND e.addressee_id = :lead AND NOT e.read AND NOT e.expired
-- fragment: shown_unread
{alive} AND e.visible_to_agent
-- query: event_filtered_by_unread
SELECT {listed} FROM contact_events e {named}
WHERE {by_unread} AND {shown_unread} {filtered}
-- query: event_count_by_unread
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM contact_events e
    WHERE {by_unread} AND {shown_unread} {part} AND {filters} LIMIT :count_cap
) matches
-- query: event_edge_by_unread
SELECT e.occurred_at, e.id FROM contact_events e WHERE {by_unread} {edge}

-- fragment: by_unread_contact
e.tenant_id = :tenant_id AND e.timeline_id = :lead AND e.addressee_type = 'contact'
    AND NOT e.read AND NOT e.expired
-- fragment: shown_unread_contact
{alive} AND e.visible_to_client
-- query: event_filtered_by_unread_contact
SELECT {listed} FROM contact_events e {named}
WHERE {by_unread_contact} AND {shown_unread_contact} {filtered}
-- query: event_count_by_unread_contact
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM contact_events e
    WHERE {by_unread_contact} AND {shown_unread_contact} {part} AND {filters} LIMIT :count_cap
) matches
-- query: event_edge_by_unread_contact
SELECT e.occurred_at, e.id FROM contact_events e WHERE {by_unread_contact} {edge}

-- fragment: by_texts
e.tenant_id = :tenant_id AND e.words IS NOT NULL AND NOT e.expired
-- fragment: shown_texts
{alive} AND {to_users}
-- query: event_filtered_by_texts
SELECT {listed} FROM contact_events e {named}
WHERE {by_texts} AND {shown_texts} {filtered}
-- query: event_count_by_texts
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM contact_events e
    WHERE {by_texts} AND {shown_texts} {part} AND {filters} LIMIT :count_cap
) matches
-- query: event_edge_by_texts
SELECT e.occurred_at, e.id FROM contact_events e WHERE {by_texts} {edge}

-- fragment: by_timeline_texts
e.tenant_id = :tenant_id AND e.timeline_id = :lead AND e.visible_to_agent AND NOT e.expired
-- fragment: shown_timeline_texts
{alive} AND e.words IS NOT NULL
-- query: event_filtered_by_timeline_texts
SELECT {listed} FROM contact_events e {named}
WHERE {by_timeline_texts} AND {shown_timeline_texts} {filtered}
-- query: event_count_by_timeline_texts
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM contact_events e
    WHERE {by_timeline_texts} AND {shown_timeline_texts} {part} AND {filters} LIMIT :count_cap
) matches
-- query: event_edge_by_timeline_texts
SELECT e.occurred_at, e.id FROM contact_events e WHERE {by_timeline_texts} {edge}

-- A session, oldest first ------------------------------------------------------------------

-- query: event_page_by_session
SELECT {listed} FROM contact_events e {named}
WHERE e.tenant_id = :tenant_id AND e.session_id = :lead AND e.visible_to_agent AND {alive}
    AND (e.occurred_at, e.id) > (:cursor_time, :cursor_id)
ORDER BY e.occurred_at, e.id LIMIT :limit OFFSET :offset

-- The chain's order --------------------------------------------------------------------------

-- query: event_page_by_number
-- Numbers are dense, so a part is as long as its numbers say.
SELECT {listed}, s.number FROM event_seals s CROSS JOIN contact_events e {named}
WHERE s.tenant_id = :tenant_id AND s.number < :before_number AND s.number >= :edge_number
    AND e.tenant_id = s.tenant_id AND e.id = s.event_id AND {alive} AND {to_users}
ORDER BY s.number DESC LIMIT :limit OFFSET :offset

-- query: event_count_by_number
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM event_seals s CROSS JOIN contact_events e
    WHERE s.tenant_id = :tenant_id AND s.number < :before_number AND s.number >= :edge_number
        AND e.tenant_id = s.tenant_id AND e.id = s.event_id AND {alive} AND {to_users}
    LIMIT :count_cap
) matches

-- query: event_last_number
SELECT c.number FROM event_chains c WHERE c.tenant_id = :tenant_id

-- What has expired and is still in the totals ------------------------------------------------

-- query: event_overdue_timeline
SELECT count(*) AS n FROM contact_events e
WHERE e.tenant_id = :tenant_id AND e.timeline_id = :lead AND e.visible_to_agent
    AND NOT e.expired AND e.expires_at <= :now

-- query: event_overdue_client
SELECT count(*) AS n FROM contact_events e
WHERE e.tenant_id = :tenant_id AND e.timeline_id = :lead AND e.visible_to_client
    AND NOT e.expired AND e.expires_at <= :now

-- query: event_overdue_session
SELECT count(*) AS n FROM contact_events e
WHERE e.tenant_id = :tenant_id AND e.session_id = :lead AND e.visible_to_agent
    AND NOT e.expired AND e.expires_at <= :now

-- query: event_session_there
SELECT s.id FROM sessions s WHERE s.tenant_id = :tenant_id AND s.id = :id

-- query: event_user_there
SELECT u.id FROM users u WHERE u.tenant_id = :tenant_id AND u.id = :id

-- The index of texts -------------------------------------------------------------------------

-- query: event_words_add
-- Does nothing where the row has its words. On PostgreSQL they came with the row.
-- sqlite
INSERT INTO contact_event_words (rowid, words)
SELECT e.row, :words FROM contact_events e
WHERE e.tenant_id = :tenant_id AND e.id = :id
    AND NOT EXISTS (SELECT 1 FROM contact_event_words_docsize d WHERE d.id = e.row)
-- postgres
UPDATE contact_events SET words = CAST(CAST(:words AS text) AS tsvector)
WHERE tenant_id = :tenant_id AND id = :id AND words IS NULL

-- query: event_words_remove
-- SQLite's index keeps no texts and has to be told what to forget.
-- sqlite
INSERT INTO contact_event_words (contact_event_words, rowid, words)
SELECT 'delete', e.row, :words FROM contact_events e
WHERE e.tenant_id = :tenant_id AND e.id = :id
    AND EXISTS (SELECT 1 FROM contact_event_words_docsize d WHERE d.id = e.row)
-- postgres
UPDATE contact_events SET words = NULL
WHERE tenant_id = :tenant_id AND id = :id AND CAST(:words AS text) IS NOT NULL

-- query: event_texts
SELECT e.title, e.description FROM contact_events e
WHERE e.tenant_id = :tenant_id AND e.id = :id AND e.words IS NOT NULL

-- query: event_count_found
-- How many a search finds, whatever else is asked: up to a cap. (:match names the tenant too.)
-- sqlite
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM contact_event_words w
    WHERE :tenant_id IS NOT NULL AND w.contact_event_words MATCH :match LIMIT :count_cap
) found
-- postgres
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM contact_events e
    WHERE e.tenant_id = :tenant_id AND e.words IS NOT NULL
        AND e.words @@ CAST(CAST(:match AS text) AS tsquery)
    LIMIT :count_cap
) found

-- fragment: found_filters
(e.timeline_id = :contact_id OR :contact_id IS NULL) AND {alive} AND {to_users} AND {filters}

-- query: event_page_found
-- For words that few have: all of them are looked at.
-- sqlite
SELECT {listed} FROM (
    SELECT w.rowid AS row FROM contact_event_words w
    WHERE w.contact_event_words MATCH :match LIMIT :count_cap
) found
CROSS JOIN contact_events e ON e.row = found.row {named}
WHERE e.tenant_id = :tenant_id AND {found_filters} {part}
ORDER BY e.occurred_at DESC, e.id DESC LIMIT :limit OFFSET :offset
-- postgres
SELECT {listed} FROM (
    SELECT e.* FROM contact_events e
    WHERE e.tenant_id = :tenant_id AND e.words IS NOT NULL
        AND e.words @@ CAST(CAST(:match AS text) AS tsquery)
    LIMIT :count_cap
) e {named}
WHERE e.tenant_id = :tenant_id AND {found_filters} {part}
ORDER BY e.occurred_at DESC, e.id DESC LIMIT :limit OFFSET :offset

-- query: event_count_found_filtered
-- sqlite
SELECT count(*) AS n FROM (
    SELECT w.rowid AS row FROM contact_event_words w
    WHERE w.contact_event_words MATCH :match LIMIT :count_cap
) found
CROSS JOIN contact_events e ON e.row = found.row
WHERE e.tenant_id = :tenant_id AND {found_filters} {part}
-- postgres
SELECT count(*) AS n FROM (
    SELECT e.* FROM contact_events e
    WHERE e.tenant_id = :tenant_id AND e.words IS NOT NULL
        AND e.words @@ CAST(CAST(:match AS text) AS tsquery)
    LIMIT :count_cap
) e
WHERE e.tenant_id = :tenant_id AND {found_filters} {part}
