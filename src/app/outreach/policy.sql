-- Outreach policies: a row for each method that somebody has set rules for. A row that was set
-- back stays, without rules, so that its version never comes again.

-- fragment: policy_row
p.id, p.method, p.rules AS stored, p.version, p.created_at, p.updated_at, p.updated_by,
    u.name AS updated_by_name

-- fragment: policy_joined
FROM outreach_policies p
LEFT JOIN users u ON u.tenant_id = p.tenant_id AND u.id = p.updated_by

-- query: outreach_policies
SELECT {policy_row} {policy_joined}
WHERE p.tenant_id = :tenant_id

-- query: outreach_policy_get
SELECT {policy_row} {policy_joined}
WHERE p.tenant_id = :tenant_id AND p.method = :method

-- query: outreach_policy_lock
SELECT id FROM outreach_policies
WHERE tenant_id = :tenant_id AND method = :method {for_update}

-- query: outreach_policy_insert
INSERT INTO outreach_policies (
    tenant_id, id, method, rules, version, created_at, updated_at, updated_by
) VALUES (
    :tenant_id, :id, :method, :rules, 1, :now, :now, :actor_id
)
ON CONFLICT (tenant_id, method) DO NOTHING
RETURNING id

-- query: outreach_policy_update
UPDATE outreach_policies
SET rules = :rules, version = version + 1, updated_at = :now, updated_by = :actor_id
WHERE tenant_id = :tenant_id AND id = :id AND version = :version
RETURNING id
