-- query: count_add
-- global: the changes of several tenants share a commit, and each carries its tenant
INSERT INTO kept_counts (tenant_id, name, shard, n)
VALUES (:tenant, :name, :shard, :delta)
ON CONFLICT (tenant_id, name, shard) DO UPDATE SET n = kept_counts.n + excluded.n;

-- query: count_get
SELECT CAST(coalesce(sum(n), 0) AS bigint) AS n
FROM kept_counts WHERE tenant_id = :tenant_id AND name = :name;
