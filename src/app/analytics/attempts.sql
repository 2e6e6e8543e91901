-- Attempts as they are counted (app/analytics/attempts.h). What is written at a commit, or by a
-- job, crosses tenants: each row carries its own.

-- fragment: figures
attempts, responses, response_seconds, response_times

-- fragment: the_cell
tenant_id = :tenant AND day = :day AND method = :method AND user_id = :user_id
    AND lead_status = :lead_status

-- query: attempts_add
-- The numbers; locks the row, whose histogram is written next. It may be made or dropped by
-- another node at the same time: this one statement finds or makes it.
-- global: the changes of several tenants share a commit, and each carries its tenant
INSERT INTO attempt_counts (tenant_id, day, method, user_id, lead_status, {figures})
VALUES (:tenant, :day, :method, :user_id, :lead_status, :attempts, :responses,
    :response_seconds, '')
ON CONFLICT (tenant_id, day, method, user_id, lead_status) DO UPDATE SET
    attempts = attempt_counts.attempts + excluded.attempts,
    responses = attempt_counts.responses + excluded.responses,
    response_seconds = attempt_counts.response_seconds + excluded.response_seconds
RETURNING {figures}

-- query: attempts_set_times
-- global: the changes of several tenants share a commit, and each carries its tenant
UPDATE attempt_counts SET response_times = :response_times WHERE {the_cell}

-- query: attempts_drop
-- global: the changes of several tenants share a commit, and each carries its tenant
DELETE FROM attempt_counts WHERE {the_cell}

-- query: attempts_delta
-- global: the changes of several tenants share a commit, and each carries its tenant
INSERT INTO attempt_deltas (tenant_id, id, day, method, user_id, lead_status, {figures})
VALUES (:tenant, :id, :day, :method, :user_id, :lead_status, :attempts, :responses,
    :response_seconds, :response_times)

-- query: attempts_take
-- global: one job serves all tenants
-- sqlite
DELETE FROM attempt_deltas
WHERE (tenant_id, id) IN (SELECT d.tenant_id, d.id FROM attempt_deltas d LIMIT :limit)
RETURNING tenant_id, day, method, user_id, lead_status, {figures}
-- postgres
WITH taken AS MATERIALIZED (
    SELECT tenant_id, id FROM attempt_deltas LIMIT :limit FOR UPDATE SKIP LOCKED
)
DELETE FROM attempt_deltas d USING taken
WHERE d.tenant_id = taken.tenant_id AND d.id = taken.id
RETURNING d.tenant_id, d.day, d.method, d.user_id, d.lead_status, {figures}

-- query: attempts_recount_later
INSERT INTO attempt_recounts (tenant_id, after_id, again_at) VALUES (:tenant_id, NULL, NULL)
ON CONFLICT (tenant_id) DO UPDATE SET after_id = NULL, again_at = NULL

-- query: attempts_recounting
SELECT 1 AS there FROM attempt_recounts WHERE tenant_id = :tenant_id AND again_at IS NULL
