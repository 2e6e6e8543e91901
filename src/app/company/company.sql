-- Companies, the accounts that customers belong to.

-- fragment: company_row
c.id, c.external_id, c.name, c.name_folded, c.domain, c.industry, c.phone, c.address, c.owner_id,
    c.custom_fields, c.version, c.created_at, c.updated_at, c.deleted_at

-- fragment: owner_joined
LEFT JOIN users u ON u.tenant_id = c.tenant_id AND u.id = c.owner_id

-- query: company_require
-- Locked against deletion, and against nothing else, until the commit.
-- sqlite
SELECT c.id, c.name FROM companies c
WHERE c.tenant_id = :tenant_id AND c.id = :id AND c.deleted_at IS NULL
-- postgres
SELECT c.id, c.name FROM companies c
WHERE c.tenant_id = :tenant_id AND c.id = :id AND c.deleted_at IS NULL FOR SHARE

-- query: company_get
SELECT {company_row}, u.name AS owner_name FROM companies c {owner_joined}
WHERE c.tenant_id = :tenant_id AND c.id = :id AND c.deleted_at IS NULL

-- query: company_get_external
SELECT {company_row}, u.name AS owner_name FROM companies c {owner_joined}
WHERE c.tenant_id = :tenant_id AND c.external_id = :external_id AND c.deleted_at IS NULL

-- query: company_lock
SELECT {company_row} FROM companies c
WHERE c.tenant_id = :tenant_id AND c.id = :id AND c.deleted_at IS NULL {for_update}

-- query: company_lock_external
SELECT {company_row} FROM companies c
WHERE c.tenant_id = :tenant_id AND c.external_id = :external_id {for_update}

-- query: company_insert
INSERT INTO companies (
    tenant_id, id, external_id, name, name_folded, domain, industry, phone, address, owner_id,
    custom_fields, version, created_at, updated_at
) VALUES (
    :tenant_id, :id, :external_id, :name, :name_folded, :domain, :industry, :phone, :address,
    :owner_id, :custom_fields, 1, :now, :now
)
ON CONFLICT (tenant_id, external_id) WHERE external_id IS NOT NULL DO NOTHING
RETURNING id

-- query: company_external_taken
SELECT c.id FROM companies c
WHERE c.tenant_id = :tenant_id AND c.external_id = :external_id AND c.id <> :id

-- query: company_save
UPDATE companies SET
    external_id = :external_id, name = :name, name_folded = :name_folded, domain = :domain,
    industry = :industry, phone = :phone, address = :address, owner_id = :owner_id,
    custom_fields = :custom_fields, version = version + 1, updated_at = :now
WHERE tenant_id = :tenant_id AND id = :id

-- query: company_mark_deleted
UPDATE companies SET deleted_at = :now, version = version + 1, updated_at = :now
WHERE tenant_id = :tenant_id AND id = :id

-- query: company_mark_restored
UPDATE companies SET deleted_at = NULL, version = version + 1, updated_at = :now
WHERE tenant_id = :tenant_id AND id = :id

-- query: company_has_customers
SELECT 1 AS n FROM customers c
WHERE c.tenant_id = :tenant_id AND c.company_id = :id AND c.deleted_at IS NULL LIMIT 1

-- query: company_page
SELECT {company_row}, u.name AS owner_name FROM companies c {owner_joined}
WHERE c.tenant_id = :tenant_id AND c.deleted_at IS NULL
    AND (c.name_folded, c.id) > (:cursor_text, :cursor_id)
ORDER BY c.name_folded, c.id LIMIT :limit OFFSET :offset

-- query: company_page_by_prefix
SELECT {company_row}, u.name AS owner_name FROM companies c {owner_joined}
WHERE c.tenant_id = :tenant_id AND c.deleted_at IS NULL
    AND c.name_folded >= :prefix AND c.name_folded <= :prefix_end
    AND (c.name_folded, c.id) > (:cursor_text, :cursor_id)
ORDER BY c.name_folded, c.id LIMIT :limit OFFSET :offset

-- query: company_count_by_prefix
SELECT count(*) AS n FROM (
    SELECT 1 AS one FROM companies c
    WHERE c.tenant_id = :tenant_id AND c.deleted_at IS NULL
        AND c.name_folded >= :prefix AND c.name_folded <= :prefix_end
    LIMIT :count_cap
) matches
