-- Reports of outreach (app/analytics/report.h). A transaction that only reads sees one moment, so
-- pages of rows, and the two tables, are of one.

-- fragment: cell
day, method, user_id, lead_status, attempts, responses, response_seconds, response_times

-- fragment: asked
(CAST(:method AS text) IS NULL OR method = :method)
AND (CAST(:user_id AS uuid) IS NULL OR user_id = :user_id)

-- query: report_counts
SELECT {cell} FROM attempt_counts
WHERE tenant_id = :tenant_id AND day <= :to_day
    AND (day, method, user_id, lead_status) > (:day, :after_method, :after_user, :after_status)
    AND {asked}
ORDER BY day, method, user_id, lead_status LIMIT :limit

-- query: report_deltas
SELECT id, {cell} FROM attempt_deltas
WHERE tenant_id = :tenant_id AND id > :after_id AND day >= :from_day AND day <= :to_day
    AND {asked}
ORDER BY id LIMIT :limit

-- query: report_user
SELECT id, name FROM users WHERE tenant_id = :tenant_id AND id = :id

-- query: report_user_names
-- Of those who have attempts, which are as a rule most of them.
SELECT id, name FROM users
WHERE tenant_id = :tenant_id AND id >= :first_id AND id <= :last_id
ORDER BY id
