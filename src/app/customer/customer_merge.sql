-- Likely duplicates, and merges.

-- Duplicates --------------------------------------------------------------------------------

-- fragment: duplicate_row
c.id, c.external_id, c.name, c.name_folded, c.emails, c.phones, c.email, c.phone, c.company_id,
    c.status, c.owner_id, c.contact_count, c.created_at, co.name AS company_name,
    u.name AS owner_name

-- fragment: duplicate_joined
LEFT JOIN companies co ON co.tenant_id = c.tenant_id AND co.id = c.company_id
LEFT JOIN users u ON u.tenant_id = c.tenant_id AND u.id = c.owner_id

-- query: duplicates_by_word
-- One whole address or number. The limit inside bounds what is looked at.
SELECT {duplicate_row} FROM (
    SELECT w.customer_id FROM customer_words w
    WHERE w.tenant_id = :tenant_id AND w.word = :word LIMIT :limit
) found
CROSS JOIN customers c {duplicate_joined}
WHERE c.tenant_id = :tenant_id AND c.id = found.customer_id AND c.id <> :id

-- query: duplicates_by_name
SELECT {duplicate_row} FROM customers c {duplicate_joined}
WHERE c.tenant_id = :tenant_id AND c.name_folded = :name_folded AND c.deleted_at IS NULL
    AND c.id <> :id
ORDER BY c.id LIMIT :limit

-- query: duplicate_word_entries
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM customer_words w
    WHERE w.tenant_id = :tenant_id AND w.word = :word LIMIT :limit
) entries

-- query: duplicates_by_words
-- The rarest word leads; another one of the name cuts the rest away before rows are read.
SELECT {duplicate_row} FROM (
    SELECT w.customer_id FROM customer_words w
    WHERE w.tenant_id = :tenant_id AND w.word = :word LIMIT :limit
) found
CROSS JOIN customers c {duplicate_joined}
WHERE c.tenant_id = :tenant_id AND c.id = found.customer_id AND c.id <> :id
    AND EXISTS (
        SELECT 1 FROM customer_words o
        WHERE o.tenant_id = :tenant_id AND o.word = :other AND o.customer_id = found.customer_id)
LIMIT :rows

-- Merges ------------------------------------------------------------------------------------

-- fragment: merge_row
m.id, m.customer_id, m.merged_id, m.merged_by, m.merged_at, m.undone_at,
    c.name AS customer_name, c.version, o.name AS merged_name, u.name AS merged_by_name

-- fragment: merge_joined
FROM customer_merges m
JOIN customers c ON c.tenant_id = m.tenant_id AND c.id = m.customer_id
JOIN customers o ON o.tenant_id = m.tenant_id AND o.id = m.merged_id
LEFT JOIN users u ON u.tenant_id = m.tenant_id AND u.id = m.merged_by

-- query: merge_insert
INSERT INTO customer_merges (tenant_id, id, customer_id, merged_id, merged_by, merged_at, before)
VALUES (:tenant_id, :id, :customer_id, :merged_id, :actor_id, :now, :before)

-- query: merge_get
SELECT {merge_row} {merge_joined} WHERE m.tenant_id = :tenant_id AND m.id = :id

-- query: merge_lock
SELECT m.id, m.undone_at, m.before FROM customer_merges m
WHERE m.tenant_id = :tenant_id AND m.id = :id {for_update}

-- query: merges_of_customer
SELECT {merge_row} {merge_joined}
WHERE m.tenant_id = :tenant_id AND m.customer_id = :customer_id
    AND (m.merged_at, m.id) < (:cursor_time, :cursor_id)
ORDER BY m.merged_at DESC, m.id DESC LIMIT :limit OFFSET :offset

-- query: merge_is_covered
-- By a later one into the same customer that still holds.
SELECT count(*) AS n FROM customer_merges m
WHERE m.tenant_id = :tenant_id AND m.customer_id = :customer_id AND m.undone_at IS NULL
    AND (m.merged_at, m.id) > (:merged_at, :id)

-- query: merge_mark_undone
UPDATE customer_merges SET undone_at = :now WHERE tenant_id = :tenant_id AND id = :id

-- query: merge_mark_customer
UPDATE customers SET deleted_at = :now, merged_into = :customer_id, version = version + 1,
    updated_at = :now
WHERE tenant_id = :tenant_id AND id = :merged_id

-- query: merge_unmark_customer
UPDATE customers SET deleted_at = NULL, merged_into = NULL, version = version + 1,
    updated_at = :now
WHERE tenant_id = :tenant_id AND id = :merged_id

-- query: merge_save_survivor
UPDATE customers SET
    emails = :emails, phones = :phones, email = :email, phone = :phone, locale = :locale,
    timezone = :timezone, company_id = :company_id, owner_id = :owner_id, tags = :tags,
    custom_fields = :custom_fields, consent_email = :consent_email, consent_sms = :consent_sms,
    consent_push = :consent_push, consent_phone = :consent_phone, version = version + 1,
    updated_at = :now
WHERE tenant_id = :tenant_id AND id = :id

-- What moves: which rows, in the words of the indexes that lead to them -----------------------

-- fragment: live_interactions
tenant_id = :tenant_id AND customer_id = :from_id AND deleted_at IS NULL
-- fragment: deleted_interactions
tenant_id = :tenant_id AND customer_id = :from_id AND deleted_at IS NOT NULL
-- fragment: live_notes
tenant_id = :tenant_id AND customer_id = :from_id AND deleted_at IS NULL
-- fragment: their_sessions
tenant_id = :tenant_id AND customer_id = :from_id
-- Of this merge; they are the survivor's still.
-- fragment: moved
IN (SELECT r.row_id FROM customer_merge_rows r
    WHERE r.tenant_id = :tenant_id AND r.merge_id = :id AND r.kind = :kind)

-- query: merge_note_interactions
INSERT INTO customer_merge_rows (tenant_id, merge_id, kind, row_id)
SELECT tenant_id, :id, 'interaction', id FROM interactions WHERE {live_interactions}
-- query: merge_note_deleted_interactions
INSERT INTO customer_merge_rows (tenant_id, merge_id, kind, row_id)
SELECT tenant_id, :id, 'interaction', id FROM interactions WHERE {deleted_interactions}
-- query: merge_note_notes
INSERT INTO customer_merge_rows (tenant_id, merge_id, kind, row_id)
SELECT tenant_id, :id, 'note', id FROM customer_notes WHERE {live_notes}
-- query: merge_note_sessions
INSERT INTO customer_merge_rows (tenant_id, merge_id, kind, row_id)
SELECT tenant_id, :id, 'session', id FROM sessions WHERE {their_sessions}

-- query: merge_move_interactions
UPDATE interactions SET customer_id = :to_id WHERE {live_interactions}
-- query: merge_move_deleted_interactions
UPDATE interactions SET customer_id = :to_id WHERE {deleted_interactions}
-- query: merge_move_notes
UPDATE customer_notes SET customer_id = :to_id WHERE {live_notes}
-- query: merge_move_sessions
UPDATE sessions SET customer_id = :to_id WHERE {their_sessions}
-- query: merge_move_planned
UPDATE planned_touches SET customer_id = :to_id
WHERE tenant_id = :tenant_id AND customer_id = :from_id AND interaction_id {moved}

-- query: merge_return_interactions
UPDATE interactions SET customer_id = :to_id
WHERE tenant_id = :tenant_id AND id {moved} AND customer_id = :from_id AND deleted_at IS NULL
-- query: merge_return_deleted_interactions
UPDATE interactions SET customer_id = :to_id
WHERE tenant_id = :tenant_id AND id {moved} AND customer_id = :from_id AND deleted_at IS NOT NULL
-- query: merge_return_notes
UPDATE customer_notes SET customer_id = :to_id
WHERE tenant_id = :tenant_id AND id {moved} AND customer_id = :from_id AND deleted_at IS NULL
-- query: merge_return_deleted_notes
UPDATE customer_notes SET customer_id = :to_id
WHERE tenant_id = :tenant_id AND id {moved} AND customer_id = :from_id AND deleted_at IS NOT NULL
-- query: merge_return_sessions
UPDATE sessions SET customer_id = :to_id
WHERE tenant_id = :tenant_id AND id {moved} AND customer_id = :from_id

-- Events: all of a timeline go to the survivor; back go those that say whom they were about:
-- the merged one, or whoever was merged into that one before.

-- fragment: shown_events
tenant_id = :tenant_id AND timeline_id = :from_id AND visible_to_agent AND NOT expired
-- fragment: client_events
tenant_id = :tenant_id AND timeline_id = :from_id AND visible_to_client AND NOT expired
-- fragment: other_events
tenant_id = :tenant_id AND timeline_id = :from_id AND (NOT visible_to_agent OR expired)
-- fragment: whose
WITH RECURSIVE whose (id) AS (
    SELECT c.id FROM customers c WHERE c.tenant_id = :tenant_id AND c.id = :to_id
    UNION
    SELECT c.id FROM whose f JOIN customers c ON c.tenant_id = :tenant_id AND c.merged_into = f.id
)

-- query: merge_count_client_events
-- Locked until they have moved, or one that expires or is erased in between would be counted
-- here and moved by nobody.
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM contact_events WHERE {client_events} {for_update}
) held
-- query: merge_move_shown_events
UPDATE contact_events SET timeline_id = :to_id WHERE {shown_events}
-- query: merge_move_other_events
UPDATE contact_events SET timeline_id = :to_id WHERE {other_events}

-- query: merge_count_client_events_back
{whose}
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM contact_events
    WHERE {client_events} AND contact_id IN (SELECT w.id FROM whose w) {for_update}
) held
-- query: merge_return_shown_events
{whose}
UPDATE contact_events SET timeline_id = :to_id
WHERE {shown_events} AND contact_id IN (SELECT w.id FROM whose w)
-- query: merge_return_other_events
{whose}
UPDATE contact_events SET timeline_id = :to_id
WHERE {other_events} AND contact_id IN (SELECT w.id FROM whose w)
