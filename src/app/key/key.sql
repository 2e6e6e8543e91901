-- API keys. Who asks with one is found in http/.

-- fragment: key_columns
k.id, k.user_id, u.name AS user_name, k.name, k.role, k.created_at, k.created_by,
k.expires_at, k.revoked_at

-- fragment: key_rows
FROM api_keys k JOIN users u ON u.tenant_id = k.tenant_id AND u.id = k.user_id

-- query: key_insert
INSERT INTO api_keys (
    tenant_id, id, user_id, name, role, secret_hash, created_at, created_by, expires_at
) VALUES (
    :tenant_id, :id, :user_id, :name, :role, :secret_hash, :now, :actor_id, :expires_at
);

-- query: key_get
SELECT {key_columns} {key_rows} WHERE k.tenant_id = :tenant_id AND k.id = :id;

-- query: key_revoke
UPDATE api_keys SET revoked_at = :now
WHERE tenant_id = :tenant_id AND id = :id AND revoked_at IS NULL;

-- query: key_list
SELECT {key_columns} {key_rows}
WHERE k.tenant_id = :tenant_id AND (k.created_at, k.id) < (:before_time, :before_id)
ORDER BY k.created_at DESC, k.id DESC LIMIT :limit OFFSET :offset;

-- query: key_list_of_user
SELECT {key_columns} {key_rows}
WHERE k.tenant_id = :tenant_id AND k.user_id = :user_id
    AND (k.created_at, k.id) < (:before_time, :before_id)
ORDER BY k.created_at DESC, k.id DESC LIMIT :limit OFFSET :offset;
