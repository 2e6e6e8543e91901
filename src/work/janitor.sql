-- query: janitor_idempotency_keys
-- Answers that are no longer remembered.
-- global: expiry is the same for every tenant
DELETE FROM idempotency_keys WHERE (tenant_id, user_id, key) IN (
    SELECT tenant_id, user_id, key FROM idempotency_keys
    WHERE expires_at < :before ORDER BY expires_at LIMIT :limit);

-- query: janitor_logins
-- Browser sign-ins that have ended.
-- global: expiry is the same for every tenant
DELETE FROM logins WHERE (tenant_id, id) IN (
    SELECT tenant_id, id FROM logins WHERE expires_at < :before ORDER BY expires_at LIMIT :limit);

-- query: janitor_user_tokens
-- Invitations and resets that have expired.
-- global: expiry is the same for every tenant
DELETE FROM user_tokens WHERE (tenant_id, id) IN (
    SELECT tenant_id, id FROM user_tokens
    WHERE expires_at < :before ORDER BY expires_at LIMIT :limit);

-- query: janitor_login_failures
-- Failed sign-ins that nobody counts any more.
-- global: expiry is the same for every tenant
DELETE FROM login_failures WHERE (tenant_id, subject) IN (
    SELECT tenant_id, subject FROM login_failures
    WHERE first_at < :before ORDER BY first_at LIMIT :limit);

-- query: janitor_contact_tokens
-- Contact tokens that have expired.
-- global: expiry is the same for every tenant
DELETE FROM contact_tokens WHERE (tenant_id, id) IN (
    SELECT tenant_id, id FROM contact_tokens
    WHERE expires_at < :before ORDER BY expires_at LIMIT :limit);

-- query: janitor_stream_tickets
-- Stream tickets that nobody used.
-- global: expiry is the same for every tenant
DELETE FROM stream_tickets WHERE (tenant_id, id) IN (
    SELECT tenant_id, id FROM stream_tickets
    WHERE expires_at < :before ORDER BY expires_at LIMIT :limit);
