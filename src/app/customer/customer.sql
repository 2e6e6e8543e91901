-- Customers, what they are found by, their notes, and their summary.

-- fragment: customer_row
c.id, c.external_id, c.name, c.name_folded, c.emails, c.phones, c.email, c.phone, c.locale,
    c.timezone, c.company_id, c.status, c.owner_id, c.tags, c.custom_fields, c.consent_email,
    c.consent_sms, c.consent_push, c.consent_phone, c.last_contacted_at, c.last_contact_method,
    c.contact_count, c.last_response_at, c.version, c.created_at, c.created_by, c.updated_at,
    c.deleted_at, c.merged_into

-- fragment: customer_named
{customer_row}, co.name AS company_name, u.name AS owner_name

-- fragment: names_joined
LEFT JOIN companies co ON co.tenant_id = c.tenant_id AND co.id = c.company_id
LEFT JOIN users u ON u.tenant_id = c.tenant_id AND u.id = c.owner_id

-- What filters say beside the one whose index is read. Each is off when it is null.
-- fragment: filters
(c.status = :status OR :status IS NULL)
    AND (c.owner_id = :owner_id OR :owner_id IS NULL)
    AND (c.company_id = :company_id OR :company_id IS NULL)
    AND (c.external_id = :external_id OR :external_id IS NULL)
    AND (c.last_contact_method = :method OR :method IS NULL)
    AND (c.last_contact_key <= :latest_contact OR :latest_contact IS NULL)
    AND (CAST(:tag AS text) IS NULL OR EXISTS (
        SELECT 1 FROM customer_tags t
        WHERE t.tenant_id = c.tenant_id AND t.customer_id = c.id AND t.tag = :tag))
    AND {word_0} AND {word_1} AND {word_2} AND {word_3}
    AND {word_4} AND {word_5} AND {word_6} AND {word_7}

-- fragment: word_0
(CAST(:word_0 AS text) IS NULL OR EXISTS (
    SELECT 1 FROM customer_words w WHERE w.tenant_id = c.tenant_id AND w.customer_id = c.id
        AND w.word >= :word_0 AND w.word <= :word_end_0))
-- fragment: word_1
(CAST(:word_1 AS text) IS NULL OR EXISTS (
    SELECT 1 FROM customer_words w WHERE w.tenant_id = c.tenant_id AND w.customer_id = c.id
        AND w.word >= :word_1 AND w.word <= :word_end_1))
-- fragment: word_2
(CAST(:word_2 AS text) IS NULL OR EXISTS (
    SELECT 1 FROM customer_words w WHERE w.tenant_id = c.tenant_id AND w.customer_id = c.id
        AND w.word >= :word_2 AND w.word <= :word_end_2))
-- fragment: word_3
(CAST(:word_3 AS text) IS NULL OR EXISTS (
    SELECT 1 FROM customer_words w WHERE w.tenant_id = c.tenant_id AND w.customer_id = c.id
        AND w.word >= :word_3 AND w.word <= :word_end_3))
-- fragment: word_4
(CAST(:word_4 AS text) IS NULL OR EXISTS (
    SELECT 1 FROM customer_words w WHERE w.tenant_id = c.tenant_id AND w.customer_id = c.id
        AND w.word >= :word_4 AND w.word <= :word_end_4))
-- fragment: word_5
(CAST(:word_5 AS text) IS NULL OR EXISTS (
    SELECT 1 FROM customer_words w WHERE w.tenant_id = c.tenant_id AND w.customer_id = c.id
        AND w.word >= :word_5 AND w.word <= :word_end_5))
-- fragment: word_6
(CAST(:word_6 AS text) IS NULL OR EXISTS (
    SELECT 1 FROM customer_words w WHERE w.tenant_id = c.tenant_id AND w.customer_id = c.id
        AND w.word >= :word_6 AND w.word <= :word_end_6))
-- fragment: word_7
(CAST(:word_7 AS text) IS NULL OR EXISTS (
    SELECT 1 FROM customer_words w WHERE w.tenant_id = c.tenant_id AND w.customer_id = c.id
        AND w.word >= :word_7 AND w.word <= :word_end_7))

-- query: customer_get
SELECT {customer_named} FROM customers c {names_joined}
WHERE c.tenant_id = :tenant_id AND c.id = :id AND c.deleted_at IS NULL

-- query: customer_get_external
SELECT {customer_named} FROM customers c {names_joined}
WHERE c.tenant_id = :tenant_id AND c.external_id = :external_id AND c.deleted_at IS NULL

-- query: customer_follow
-- Whom an id leads to, merge by merge.
WITH RECURSIVE chain (id, merged_into) AS (
    SELECT c.id, c.merged_into FROM customers c WHERE c.tenant_id = :tenant_id AND c.id = :id
    UNION
    SELECT c.id, c.merged_into FROM chain f
    JOIN customers c ON c.tenant_id = :tenant_id AND c.id = f.merged_into
)
SELECT id FROM chain WHERE merged_into IS NULL

-- query: customer_merged_external
SELECT c.id FROM customers c
WHERE c.tenant_id = :tenant_id AND c.external_id = :external_id AND c.merged_into IS NOT NULL

-- query: customer_lock
SELECT {customer_row} FROM customers c
WHERE c.tenant_id = :tenant_id AND c.id = :id AND c.deleted_at IS NULL {for_update}

-- query: customer_lock_any
-- Also a deleted one, for its restoration.
SELECT {customer_row} FROM customers c
WHERE c.tenant_id = :tenant_id AND c.id = :id {for_update}

-- query: customer_lock_external
SELECT {customer_row} FROM customers c
WHERE c.tenant_id = :tenant_id AND c.external_id = :external_id {for_update}

-- query: customer_insert
INSERT INTO customers (
    tenant_id, id, external_id, name, name_folded, emails, phones, email, phone, locale, timezone,
    company_id, status, owner_id, tags, custom_fields, consent_email, consent_sms, consent_push,
    consent_phone, contact_count, version, created_at, created_by, updated_at
) VALUES (
    :tenant_id, :id, :external_id, :name, :name_folded, :emails, :phones, :email, :phone, :locale,
    :timezone, :company_id, :status, :owner_id, :tags, :custom_fields, :consent_email,
    :consent_sms, :consent_push, :consent_phone, 0, 1, :now, :actor_id, :now
)
ON CONFLICT (tenant_id, external_id) WHERE external_id IS NOT NULL DO NOTHING
RETURNING id

-- query: customer_external_taken
SELECT c.id FROM customers c
WHERE c.tenant_id = :tenant_id AND c.external_id = :external_id AND c.id <> :id

-- query: customer_save
UPDATE customers SET
    external_id = :external_id, name = :name, name_folded = :name_folded, emails = :emails,
    phones = :phones, email = :email, phone = :phone, locale = :locale, timezone = :timezone,
    company_id = :company_id, status = :status, owner_id = :owner_id, tags = :tags,
    custom_fields = :custom_fields, consent_email = :consent_email, consent_sms = :consent_sms,
    consent_push = :consent_push, consent_phone = :consent_phone, version = version + 1,
    updated_at = :now
WHERE tenant_id = :tenant_id AND id = :id

-- query: customer_mark_deleted
UPDATE customers SET deleted_at = :now, version = version + 1, updated_at = :now
WHERE tenant_id = :tenant_id AND id = :id

-- query: customer_mark_restored
UPDATE customers SET deleted_at = NULL, version = version + 1, updated_at = :now
WHERE tenant_id = :tenant_id AND id = :id

-- query: customer_tag_insert
INSERT INTO customer_tags (tenant_id, tag, name_folded, customer_id)
VALUES (:tenant_id, :tag, :name_folded, :customer_id)
ON CONFLICT (tenant_id, customer_id, tag) DO NOTHING

-- query: customer_tags_rename
UPDATE customer_tags SET name_folded = :name_folded
WHERE tenant_id = :tenant_id AND customer_id = :customer_id

-- query: customer_tag_delete
DELETE FROM customer_tags
WHERE tenant_id = :tenant_id AND tag = :tag AND customer_id = :customer_id

-- query: customer_word_insert
INSERT INTO customer_words (tenant_id, word, customer_id)
VALUES (:tenant_id, :word, :customer_id)
ON CONFLICT (tenant_id, word, customer_id) DO NOTHING

-- query: customer_word_delete
DELETE FROM customer_words
WHERE tenant_id = :tenant_id AND word = :word AND customer_id = :customer_id

-- Lists: what leads, and the orders -------------------------------------------------------------

-- fragment: of_all
c.tenant_id = :tenant_id AND c.deleted_at IS NULL
-- fragment: of_status
c.tenant_id = :tenant_id AND c.status = :lead AND c.deleted_at IS NULL
-- fragment: of_owner
c.tenant_id = :tenant_id AND c.owner_id = :lead AND c.deleted_at IS NULL
-- fragment: of_company
c.tenant_id = :tenant_id AND c.company_id = :lead AND c.deleted_at IS NULL
-- fragment: of_method
c.tenant_id = :tenant_id AND c.last_contact_method = :lead AND c.deleted_at IS NULL
-- fragment: of_tag
lead.tenant_id = :tenant_id AND lead.tag = :lead

-- A stretch of an index, both ends included.
-- fragment: names
AND (c.name_folded, c.id) >= (:low_name, :low_id)
    AND (c.name_folded, c.id) <= (:high_name, :high_id)
-- fragment: contacts
AND (c.last_contact_key, c.id) >= (:low_time, :low_id)
    AND (c.last_contact_key, c.id) <= (:high_time, :high_id)
-- fragment: tag_names
AND (lead.name_folded, lead.customer_id) >= (:low_name, :low_id)
    AND (lead.name_folded, lead.customer_id) <= (:high_name, :high_id)

-- fragment: by_name
ORDER BY c.name_folded, c.id LIMIT :limit OFFSET :offset
-- fragment: by_tag
ORDER BY lead.name_folded, lead.customer_id LIMIT :limit OFFSET :offset
-- fragment: longest_ago
ORDER BY c.last_contact_key, c.id LIMIT :limit OFFSET :offset
-- fragment: latest
ORDER BY c.last_contact_key DESC, c.id DESC LIMIT :limit OFFSET :offset

-- Lists: along an index that leads in the order that is asked for --------------------------------
-- page: the plain list. filtered: what of a stretch meets more conditions, each off when it is
-- null. edge: the last of its first entries. count: how many meet the conditions. entries: how
-- many there are at all.

-- query: customer_page_all_by_name
SELECT {customer_named} FROM customers c {names_joined} WHERE {of_all} {names} {by_name}
-- query: customer_filtered_all_by_name
SELECT {customer_named} FROM customers c {names_joined}
WHERE {of_all} {names} AND {filters} {by_name}
-- query: customer_edge_all_by_name
SELECT c.name_folded, c.id FROM customers c WHERE {of_all} {names} {by_name}
-- query: customer_count_all_by_name
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM customers c WHERE {of_all} {names} AND {filters} LIMIT :count_cap
) matches

-- query: customer_page_status_by_name
SELECT {customer_named} FROM customers c {names_joined} WHERE {of_status} {names} {by_name}
-- query: customer_filtered_status_by_name
SELECT {customer_named} FROM customers c {names_joined}
WHERE {of_status} {names} AND {filters} {by_name}
-- query: customer_edge_status_by_name
SELECT c.name_folded, c.id FROM customers c WHERE {of_status} {names} {by_name}
-- query: customer_count_status_by_name
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM customers c WHERE {of_status} {names} AND {filters} LIMIT :count_cap
) matches

-- query: customer_page_owner_by_name
SELECT {customer_named} FROM customers c {names_joined} WHERE {of_owner} {names} {by_name}
-- query: customer_filtered_owner_by_name
SELECT {customer_named} FROM customers c {names_joined}
WHERE {of_owner} {names} AND {filters} {by_name}
-- query: customer_edge_owner_by_name
SELECT c.name_folded, c.id FROM customers c WHERE {of_owner} {names} {by_name}
-- query: customer_count_owner_by_name
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM customers c WHERE {of_owner} {names} AND {filters} LIMIT :count_cap
) matches

-- query: customer_page_company_by_name
SELECT {customer_named} FROM customers c {names_joined} WHERE {of_company} {names} {by_name}
-- query: customer_filtered_company_by_name
SELECT {customer_named} FROM customers c {names_joined}
WHERE {of_company} {names} AND {filters} {by_name}
-- query: customer_edge_company_by_name
SELECT c.name_folded, c.id FROM customers c WHERE {of_company} {names} {by_name}
-- query: customer_count_company_by_name
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM customers c WHERE {of_company} {names} AND {filters} LIMIT :count_cap
) matches

-- Tags stand beside the name, so that their lists have the same order. The limit inside (a
-- stretch that is read never has more) makes what leads come first on both stores, whatever their
-- statistics.
-- fragment: tagged
SELECT lead.customer_id FROM customer_tags lead WHERE {of_tag} {tag_names}
    ORDER BY lead.name_folded, lead.customer_id LIMIT :scan_cap
-- query: customer_page_tag_by_name
SELECT {customer_named} FROM (
    SELECT lead.customer_id FROM customer_tags lead WHERE {of_tag} {tag_names} {by_tag}
) lead
CROSS JOIN customers c {names_joined}
WHERE c.tenant_id = :tenant_id AND c.id = lead.customer_id ORDER BY c.name_folded, c.id
-- query: customer_filtered_tag_by_name
SELECT {customer_named} FROM ({tagged}) lead CROSS JOIN customers c {names_joined}
WHERE c.tenant_id = :tenant_id AND c.id = lead.customer_id AND {filters} {by_name}
-- query: customer_edge_tag_by_name
SELECT lead.name_folded, lead.customer_id AS id FROM customer_tags lead
WHERE {of_tag} {tag_names} {by_tag}
-- query: customer_count_tag_by_name
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM ({tagged}) lead CROSS JOIN customers c
    WHERE c.tenant_id = :tenant_id AND c.id = lead.customer_id AND {filters} LIMIT :count_cap
) matches

-- query: customer_page_all_longest_ago
SELECT {customer_named} FROM customers c {names_joined} WHERE {of_all} {contacts} {longest_ago}
-- query: customer_filtered_all_longest_ago
SELECT {customer_named} FROM customers c {names_joined}
WHERE {of_all} {contacts} AND {filters} {longest_ago}
-- query: customer_edge_all_longest_ago
SELECT c.last_contact_key AS last_contacted_at, c.id FROM customers c
WHERE {of_all} {contacts} {longest_ago}
-- query: customer_page_all_latest
SELECT {customer_named} FROM customers c {names_joined} WHERE {of_all} {contacts} {latest}
-- query: customer_filtered_all_latest
SELECT {customer_named} FROM customers c {names_joined}
WHERE {of_all} {contacts} AND {filters} {latest}
-- query: customer_edge_all_latest
SELECT c.last_contact_key AS last_contacted_at, c.id FROM customers c
WHERE {of_all} {contacts} {latest}
-- query: customer_count_all_by_contact
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM customers c
    WHERE {of_all} {contacts} AND {filters} LIMIT :count_cap
) matches
-- query: customer_entries_all_by_contact
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM customers c WHERE {of_all} {contacts} LIMIT :count_cap
) entries

-- query: customer_page_status_longest_ago
SELECT {customer_named} FROM customers c {names_joined} WHERE {of_status} {contacts} {longest_ago}
-- query: customer_filtered_status_longest_ago
SELECT {customer_named} FROM customers c {names_joined}
WHERE {of_status} {contacts} AND {filters} {longest_ago}
-- query: customer_edge_status_longest_ago
SELECT c.last_contact_key AS last_contacted_at, c.id FROM customers c
WHERE {of_status} {contacts} {longest_ago}
-- query: customer_page_status_latest
SELECT {customer_named} FROM customers c {names_joined} WHERE {of_status} {contacts} {latest}
-- query: customer_filtered_status_latest
SELECT {customer_named} FROM customers c {names_joined}
WHERE {of_status} {contacts} AND {filters} {latest}
-- query: customer_edge_status_latest
SELECT c.last_contact_key AS last_contacted_at, c.id FROM customers c
WHERE {of_status} {contacts} {latest}
-- query: customer_count_status_by_contact
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM customers c
    WHERE {of_status} {contacts} AND {filters} LIMIT :count_cap
) matches
-- query: customer_entries_status_by_contact
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM customers c WHERE {of_status} {contacts} LIMIT :count_cap
) entries

-- query: customer_page_owner_longest_ago
SELECT {customer_named} FROM customers c {names_joined} WHERE {of_owner} {contacts} {longest_ago}
-- query: customer_filtered_owner_longest_ago
SELECT {customer_named} FROM customers c {names_joined}
WHERE {of_owner} {contacts} AND {filters} {longest_ago}
-- query: customer_edge_owner_longest_ago
SELECT c.last_contact_key AS last_contacted_at, c.id FROM customers c
WHERE {of_owner} {contacts} {longest_ago}
-- query: customer_page_owner_latest
SELECT {customer_named} FROM customers c {names_joined} WHERE {of_owner} {contacts} {latest}
-- query: customer_filtered_owner_latest
SELECT {customer_named} FROM customers c {names_joined}
WHERE {of_owner} {contacts} AND {filters} {latest}
-- query: customer_edge_owner_latest
SELECT c.last_contact_key AS last_contacted_at, c.id FROM customers c
WHERE {of_owner} {contacts} {latest}
-- query: customer_count_owner_by_contact
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM customers c
    WHERE {of_owner} {contacts} AND {filters} LIMIT :count_cap
) matches
-- query: customer_entries_owner_by_contact
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM customers c WHERE {of_owner} {contacts} LIMIT :count_cap
) entries

-- query: customer_page_method_longest_ago
SELECT {customer_named} FROM customers c {names_joined} WHERE {of_method} {contacts} {longest_ago}
-- query: customer_filtered_method_longest_ago
SELECT {customer_named} FROM customers c {names_joined}
WHERE {of_method} {contacts} AND {filters} {longest_ago}
-- query: customer_edge_method_longest_ago
SELECT c.last_contact_key AS last_contacted_at, c.id FROM customers c
WHERE {of_method} {contacts} {longest_ago}
-- query: customer_page_method_latest
SELECT {customer_named} FROM customers c {names_joined} WHERE {of_method} {contacts} {latest}
-- query: customer_filtered_method_latest
SELECT {customer_named} FROM customers c {names_joined}
WHERE {of_method} {contacts} AND {filters} {latest}
-- query: customer_edge_method_latest
SELECT c.last_contact_key AS last_contacted_at, c.id FROM customers c
WHERE {of_method} {contacts} {latest}
-- query: customer_count_method_by_contact
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM customers c
    WHERE {of_method} {contacts} AND {filters} LIMIT :count_cap
) matches
-- query: customer_entries_method_by_contact
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM customers c WHERE {of_method} {contacts} LIMIT :count_cap
) entries

-- Lists: few, all of whom are looked at and sorted -----------------------------------------------

-- The limits stand inside, so that what leads comes first, whatever the order in the end.
-- fragment: few_word
SELECT DISTINCT e.customer_id FROM (
        SELECT l.customer_id FROM customer_words l
        WHERE l.tenant_id = :tenant_id AND l.word >= :lead AND l.word <= :lead_end
        LIMIT :count_cap
    ) e
-- fragment: few_tag
SELECT lead.customer_id FROM customer_tags lead WHERE {of_tag}
    ORDER BY lead.name_folded, lead.customer_id LIMIT :count_cap
-- fragment: few_company
SELECT c.id AS customer_id FROM customers c WHERE {of_company}
    ORDER BY c.name_folded, c.id LIMIT :count_cap
-- fragment: few_method
SELECT c.id AS customer_id FROM customers c WHERE {of_method}
    ORDER BY c.last_contact_key, c.id LIMIT :count_cap
-- fragment: few_silent
SELECT c.id AS customer_id FROM customers c
    WHERE {of_all} AND c.last_contact_key <= :latest_contact
    ORDER BY c.last_contact_key, c.id LIMIT :count_cap
-- fragment: few_external
SELECT c.id AS customer_id FROM customers c
    WHERE c.tenant_id = :tenant_id AND c.external_id = :lead AND c.deleted_at IS NULL LIMIT 1

-- fragment: who_match
WHERE c.tenant_id = :tenant_id AND c.id = few.customer_id AND {filters}

-- query: customer_few_word_by_name
SELECT {customer_named} FROM ({few_word}) few CROSS JOIN customers c {names_joined}
{who_match} {names} {by_name}
-- query: customer_few_word_longest_ago
SELECT {customer_named} FROM ({few_word}) few CROSS JOIN customers c {names_joined}
{who_match} {contacts} {longest_ago}
-- query: customer_few_word_latest
SELECT {customer_named} FROM ({few_word}) few CROSS JOIN customers c {names_joined}
{who_match} {contacts} {latest}
-- query: customer_few_word_count
SELECT count(*) AS n FROM ({few_word}) few CROSS JOIN customers c {who_match}

-- query: customer_few_word_alone
-- How many there are where nothing else is asked.
SELECT count(*) AS n FROM ({few_word}) few
-- query: customer_word_entries
-- How many entries a word leads to, up to a cap.
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM customer_words l
    WHERE l.tenant_id = :tenant_id AND l.word >= :lead AND l.word <= :lead_end LIMIT :count_cap
) entries

-- query: customer_few_external_by_name
SELECT {customer_named} FROM ({few_external}) few CROSS JOIN customers c {names_joined}
{who_match} {names} {by_name}
-- query: customer_few_external_longest_ago
SELECT {customer_named} FROM ({few_external}) few CROSS JOIN customers c {names_joined}
{who_match} {contacts} {longest_ago}
-- query: customer_few_external_latest
SELECT {customer_named} FROM ({few_external}) few CROSS JOIN customers c {names_joined}
{who_match} {contacts} {latest}
-- query: customer_few_external_count
SELECT count(*) AS n FROM ({few_external}) few CROSS JOIN customers c {who_match}

-- query: customer_few_tag_longest_ago
SELECT {customer_named} FROM ({few_tag}) few CROSS JOIN customers c {names_joined}
{who_match} {contacts} {longest_ago}
-- query: customer_few_tag_latest
SELECT {customer_named} FROM ({few_tag}) few CROSS JOIN customers c {names_joined}
{who_match} {contacts} {latest}
-- query: customer_few_tag_count
SELECT count(*) AS n FROM ({few_tag}) few CROSS JOIN customers c {who_match}

-- query: customer_few_company_longest_ago
SELECT {customer_named} FROM ({few_company}) few CROSS JOIN customers c {names_joined}
{who_match} {contacts} {longest_ago}
-- query: customer_few_company_latest
SELECT {customer_named} FROM ({few_company}) few CROSS JOIN customers c {names_joined}
{who_match} {contacts} {latest}
-- query: customer_few_company_count
SELECT count(*) AS n FROM ({few_company}) few CROSS JOIN customers c {who_match}

-- query: customer_few_method_by_name
SELECT {customer_named} FROM ({few_method}) few CROSS JOIN customers c {names_joined}
{who_match} {names} {by_name}
-- query: customer_few_method_count
SELECT count(*) AS n FROM ({few_method}) few CROSS JOIN customers c {who_match}

-- query: customer_few_silent_by_name
SELECT {customer_named} FROM ({few_silent}) few CROSS JOIN customers c {names_joined}
{who_match} {names} {by_name}
-- query: customer_few_silent_count
SELECT count(*) AS n FROM ({few_silent}) few CROSS JOIN customers c {who_match}

-- Notes -----------------------------------------------------------------------------------

-- fragment: note_row
n.id, n.customer_id, n.text, n.created_by, u.name AS created_by_name, n.version, n.created_at,
    n.updated_at

-- query: customer_note_insert
INSERT INTO customer_notes (
    tenant_id, id, customer_id, text, created_by, version, created_at, updated_at
) VALUES (:tenant_id, :id, :customer_id, :text, :actor_id, 1, :now, :now)

-- query: customer_note_get
SELECT {note_row} FROM customer_notes n
LEFT JOIN users u ON u.tenant_id = n.tenant_id AND u.id = n.created_by
WHERE n.tenant_id = :tenant_id AND n.customer_id = :customer_id AND n.id = :id
    AND n.deleted_at IS NULL

-- query: customer_note_save
UPDATE customer_notes SET text = :text, version = version + 1, updated_at = :now
WHERE tenant_id = :tenant_id AND id = :id

-- query: customer_note_delete
UPDATE customer_notes SET deleted_at = :now, version = version + 1, updated_at = :now
WHERE tenant_id = :tenant_id AND id = :id

-- query: customer_notes
SELECT {note_row} FROM customer_notes n
LEFT JOIN users u ON u.tenant_id = n.tenant_id AND u.id = n.created_by
WHERE n.tenant_id = :tenant_id AND n.customer_id = :customer_id AND n.deleted_at IS NULL
    AND (n.created_at, n.id) < (:cursor_time, :cursor_id)
ORDER BY n.created_at DESC, n.id DESC LIMIT :limit OFFSET :offset

-- The summary -----------------------------------------------------------------------------

-- fragment: summary_row
c.id, c.name, c.company_id, c.status, c.last_contacted_at, c.last_contact_method,
    c.contact_count, c.last_response_at, c.deleted_at

-- query: customer_for_touch
-- With its company's name, which the interaction is answered with, and what the outreach guard
-- needs.
SELECT {summary_row}, c.timezone,
    (SELECT t.timezone FROM tenants t WHERE t.id = c.tenant_id) AS tenant_timezone,
    (SELECT p.rules FROM outreach_policies p
     WHERE p.tenant_id = c.tenant_id AND p.method = :method) AS outreach_rules,
    (SELECT co.name FROM companies co
     WHERE co.tenant_id = c.tenant_id AND co.id = c.company_id) AS company_name
FROM customers c
WHERE c.tenant_id = :tenant_id AND c.id = :id AND c.deleted_at IS NULL {for_update}

-- query: customer_summary_lock
-- Also of a deleted customer, whose summary is kept right for the day it is restored.
SELECT {summary_row} FROM customers c
WHERE c.tenant_id = :tenant_id AND c.id = :id {for_update}

-- query: customer_summary_save
UPDATE customers SET last_contacted_at = :last_contacted_at,
    last_contact_key = :last_contact_key,
    last_contact_method = :last_contact_method, contact_count = :contact_count,
    last_response_at = :last_response_at
WHERE tenant_id = :tenant_id AND id = :id

-- query: customer_summary_save_status
UPDATE customers SET last_contacted_at = :last_contacted_at,
    last_contact_key = :last_contact_key,
    last_contact_method = :last_contact_method, contact_count = :contact_count,
    last_response_at = :last_response_at, status = :status
WHERE tenant_id = :tenant_id AND id = :id

-- query: customer_last_outbound
SELECT CASE WHEN i.type = 'social_media' AND i.channel = 'linkedin' THEN 'linkedin'
    ELSE i.type END AS method, i.started_at
FROM interactions i
WHERE i.tenant_id = :tenant_id AND i.customer_id = :customer_id AND i.deleted_at IS NULL
    AND i.direction = 'outbound' AND i.type NOT IN ('note', 'system') AND i.started_at <= :now
    AND NOT EXISTS (
        SELECT 1 FROM planned_touches p
        WHERE p.tenant_id = i.tenant_id AND p.interaction_id = i.id)
ORDER BY i.started_at DESC, i.id DESC LIMIT 1

-- query: customer_count_outbound
SELECT count(*) AS n FROM interactions i
WHERE i.tenant_id = :tenant_id AND i.customer_id = :customer_id AND i.deleted_at IS NULL
    AND i.direction = 'outbound' AND i.type NOT IN ('note', 'system')
    AND NOT EXISTS (
        SELECT 1 FROM planned_touches p
        WHERE p.tenant_id = i.tenant_id AND p.interaction_id = i.id)

-- query: customer_last_inbound
SELECT i.started_at FROM interactions i
WHERE i.tenant_id = :tenant_id AND i.customer_id = :customer_id AND i.deleted_at IS NULL
    AND i.direction = 'inbound' AND i.type NOT IN ('note', 'system') AND i.started_at <= :now
    AND NOT EXISTS (
        SELECT 1 FROM planned_touches p
        WHERE p.tenant_id = i.tenant_id AND p.interaction_id = i.id)
ORDER BY i.started_at DESC, i.id DESC LIMIT 1

-- query: customer_last_answer
SELECT max(i.response_at) AS started_at FROM interactions i
WHERE i.tenant_id = :tenant_id AND i.customer_id = :customer_id AND i.deleted_at IS NULL
    AND i.responded AND i.response_at IS NOT NULL

-- query: planned_touch_insert
INSERT INTO planned_touches (
    tenant_id, interaction_id, customer_id, outbound, method, started_at
) VALUES (:tenant_id, :interaction_id, :customer_id, :outbound, :method, :started_at)

-- query: planned_touch_take
-- Whoever deletes it has it: no other node counts it too. The customer is who it is by then.
DELETE FROM planned_touches
WHERE tenant_id = :tenant_id AND interaction_id = :interaction_id
RETURNING customer_id

-- query: planned_touches_due
-- global: one job serves all tenants
SELECT p.tenant_id, p.interaction_id, p.customer_id, p.outbound, p.method, p.started_at
FROM planned_touches p
WHERE p.started_at <= :now
ORDER BY p.started_at, p.tenant_id, p.interaction_id LIMIT :limit
