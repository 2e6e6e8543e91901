-- query: idempotency_get
SELECT request_hash, status, location, etag, body FROM idempotency_keys
WHERE tenant_id = :tenant_id AND user_id = :owner_id AND key = :key AND expires_at > :now

-- query: idempotency_put
INSERT INTO idempotency_keys
    (tenant_id, user_id, key, request_hash, status, location, etag, body, created_at, expires_at)
VALUES (:tenant_id, :owner_id, :key, :request_hash, :status, :location, :etag, :body, :now,
        :expires_at)
ON CONFLICT (tenant_id, user_id, key) DO UPDATE
SET request_hash = excluded.request_hash, status = excluded.status, location = excluded.location,
    etag = excluded.etag, body = excluded.body, created_at = excluded.created_at,
    expires_at = excluded.expires_at
WHERE idempotency_keys.expires_at <= :now

-- Whether no other node is at work under this key: on SQLite there is no other.
-- query: idempotency_lock
-- global: the number is made of the tenant, the user and the key
-- sqlite
SELECT :number IS NOT NULL
-- postgres
SELECT CASE WHEN pg_try_advisory_xact_lock(:number) THEN 1 ELSE 0 END
