-- Sign-ins, passwords, and how often they were wrong.

-- query: login_user
SELECT id, email, name, password_hash FROM users
WHERE tenant_id = :tenant_id AND email_folded = :email_folded AND active;

-- query: login_user_by_id
SELECT id, email, name, password_hash FROM users
WHERE tenant_id = :tenant_id AND id = :id AND active;

-- query: login_user_locked
SELECT id, email, name, password_hash FROM users
WHERE tenant_id = :tenant_id AND id = :id AND active {for_update};

-- query: login_attempt
-- One more, unless it is locked: then no row comes back. The last one that is allowed locks.
INSERT INTO login_failures (tenant_id, subject, failures, first_at, locked_until)
VALUES (:tenant_id, :subject, 1, :now, NULL)
ON CONFLICT (tenant_id, subject) DO UPDATE SET
    failures = CASE WHEN login_failures.first_at <= :window_start THEN 1
        ELSE login_failures.failures + 1 END,
    locked_until = CASE
        WHEN login_failures.first_at > :window_start AND login_failures.failures + 1 >= :most
        THEN :lock_until ELSE login_failures.locked_until END,
    first_at = CASE WHEN login_failures.first_at <= :window_start THEN :now
        ELSE login_failures.first_at END
WHERE login_failures.locked_until IS NULL OR login_failures.locked_until <= :now
RETURNING failures;

-- query: login_locked_until
SELECT locked_until FROM login_failures WHERE tenant_id = :tenant_id AND subject = :subject;

-- query: login_attempt_right
UPDATE login_failures SET failures = failures - 1, locked_until = NULL
WHERE tenant_id = :tenant_id AND subject = :subject AND failures > 0;

-- query: login_attempts_forget
DELETE FROM login_failures WHERE tenant_id = :tenant_id AND subject = :subject;

-- query: login_insert
INSERT INTO logins (
    tenant_id, id, user_id, secret_hash, csrf_hash, created_at, seen_at, expires_at
) VALUES (
    :tenant_id, :id, :user_id, :secret_hash, :csrf_hash, :now, :now, :expires_at
);

-- query: login_delete
DELETE FROM logins WHERE tenant_id = :tenant_id AND id = :id;

-- query: logins_expire
DELETE FROM logins WHERE tenant_id = :tenant_id AND user_id = :user_id AND expires_at <= :now;

-- query: login_user_seen
UPDATE users SET last_login_at = :now, password_hash = :password_hash
WHERE tenant_id = :tenant_id AND id = :id;

-- query: login_password_set
UPDATE users SET password_hash = :password_hash, updated_at = :now
WHERE tenant_id = :tenant_id AND id = :id;

-- query: login_token_user
SELECT u.id, u.email, u.name, u.password_hash
FROM user_tokens t JOIN users u ON u.tenant_id = t.tenant_id AND u.id = t.user_id
WHERE t.tenant_id = :tenant_id AND t.id = :id AND t.secret_hash = :secret_hash
    AND t.used_at IS NULL AND t.expires_at > :now AND u.active;

-- query: login_token_use
UPDATE user_tokens SET used_at = :now
WHERE tenant_id = :tenant_id AND id = :id AND secret_hash = :secret_hash
    AND used_at IS NULL AND expires_at > :now;
