-- Users, their one-time tokens, and what deactivating one takes.

-- fragment: user_columns
id, email, email_folded, name, name_folded, role, timezone, locale, active,
password_hash IS NOT NULL AS has_password, invited_at, last_login_at, version,
created_at, updated_at, deactivated_at

-- query: user_get
SELECT {user_columns} FROM users WHERE tenant_id = :tenant_id AND id = :id;

-- query: user_get_locked
SELECT {user_columns} FROM users WHERE tenant_id = :tenant_id AND id = :id {for_update};

-- query: user_get_held
-- Stays as it is until the commit, for as many at once as want that.
-- sqlite
SELECT {user_columns} FROM users WHERE tenant_id = :tenant_id AND id = :id
-- postgres
SELECT {user_columns} FROM users WHERE tenant_id = :tenant_id AND id = :id FOR SHARE

-- query: user_get_by_email
SELECT {user_columns} FROM users WHERE tenant_id = :tenant_id AND email_folded = :email_folded;

-- fragment: user_filter
tenant_id = :tenant_id
AND (CAST(:email_folded AS text) IS NULL OR email_folded = :email_folded)
AND (CAST(:role AS text) IS NULL OR role = :role)
AND (CAST(:active AS boolean) IS NULL OR active = :active)
AND (CAST(:q_name AS text) IS NULL
    OR (name_folded >= :q_name AND name_folded < :q_name_end)
    OR (email_folded >= :q_email AND email_folded < :q_email_end))

-- query: user_list
SELECT {user_columns} FROM users
WHERE {user_filter} AND (name_folded, id) > (:after_name, :after_id)
ORDER BY name_folded, id LIMIT :limit OFFSET :offset;

-- query: user_count_filtered
SELECT count(*) FROM (SELECT 1 FROM users WHERE {user_filter} LIMIT :cap) AS counted;

-- query: user_insert
INSERT INTO users (
    tenant_id, id, email, email_folded, name, name_folded, role, timezone, locale, active,
    invited_at, version, created_at, updated_at
) VALUES (
    :tenant_id, :id, :email, :email_folded, :name, :name_folded, :role, :timezone, :locale,
    true, :now, 1, :now, :now
)
ON CONFLICT (tenant_id, email_folded) DO NOTHING;

-- query: user_update
UPDATE users
SET email = :email, email_folded = :email_folded, name = :name, name_folded = :name_folded,
    role = :role, timezone = :timezone, locale = :locale, version = version + 1,
    updated_at = :now
WHERE tenant_id = :tenant_id AND id = :id
RETURNING {user_columns};

-- query: user_set_active
UPDATE users
SET active = :active, deactivated_at = :deactivated_at, version = version + 1, updated_at = :now
WHERE tenant_id = :tenant_id AND id = :id
RETURNING {user_columns};

-- query: user_lock_admins
-- The tenant's row stands for the set of its admins.
SELECT count(*) FROM (SELECT id FROM tenants WHERE id = :tenant_id {for_update}) AS locked;

-- query: user_other_admins
SELECT count(*) FROM users
WHERE tenant_id = :tenant_id AND role = 'admin' AND active AND id <> :id;

-- query: user_token_insert
INSERT INTO user_tokens (tenant_id, id, user_id, purpose, secret_hash, created_at, expires_at)
VALUES (:tenant_id, :id, :user_id, :purpose, :secret_hash, :now, :expires_at);

-- query: user_tokens_delete
DELETE FROM user_tokens WHERE tenant_id = :tenant_id AND user_id = :id;

-- query: user_logins_delete
DELETE FROM logins
WHERE tenant_id = :tenant_id AND user_id = :id AND id <> :kept;

-- query: user_keys_revoke
UPDATE api_keys SET revoked_at = :now
WHERE tenant_id = :tenant_id AND user_id = :id AND revoked_at IS NULL;

-- query: user_customers
SELECT id FROM customers
WHERE tenant_id = :tenant_id AND owner_id = :id AND deleted_at IS NULL
ORDER BY name_folded, id;

-- query: user_companies
SELECT id FROM companies
WHERE tenant_id = :tenant_id AND owner_id = :id AND deleted_at IS NULL
ORDER BY name_folded, id;

-- query: user_follow_ups_give
-- The pending ones. An heir is told of what fell due before; nobody cannot be.
UPDATE interactions
SET follow_up_assignee = :heir, version = version + 1, updated_at = :now,
    follow_up_notified = (follow_up_notified AND CAST(:heir AS uuid) IS NULL)
WHERE tenant_id = :tenant_id AND follow_up_assignee = :id AND deleted_at IS NULL
    AND follow_up_due IS NOT NULL
RETURNING id, customer_id;
