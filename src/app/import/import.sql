-- fragment: import_columns
id, name, source_hash, next_row, customers, interactions, present, refused, created_by,
created_at, updated_at, finished_at

-- query: import_insert
-- A new import, unless there is one of that source.
INSERT INTO imports (
    tenant_id, id, name, source_hash, next_row, customers, interactions, present, refused,
    created_by, created_at, updated_at
) VALUES (
    :tenant_id, :id, :name, :source_hash, 1, 0, 0, 0, 0, :actor_id, :now, :now
) ON CONFLICT (tenant_id, source_hash) DO NOTHING;

-- query: import_by_source
-- The import that reads that source.
SELECT {import_columns} FROM imports
WHERE tenant_id = :tenant_id AND source_hash = :source_hash;

-- query: import_get
-- One import.
SELECT {import_columns} FROM imports WHERE tenant_id = :tenant_id AND id = :id;

-- query: import_get_locked
-- One import, for a portion of rows.
SELECT {import_columns} FROM imports WHERE tenant_id = :tenant_id AND id = :id {for_update};

-- query: import_list
-- The imports, newest first.
SELECT {import_columns} FROM imports
WHERE tenant_id = :tenant_id AND (created_at, id) < (:cursor_time, :cursor_id)
ORDER BY created_at DESC, id DESC LIMIT :limit OFFSET :offset;

-- query: import_save
-- How far it has come.
UPDATE imports SET next_row = :next_row, customers = :customers, interactions = :interactions,
    present = :present, refused = :refused, updated_at = :now, finished_at = :finished_at
WHERE tenant_id = :tenant_id AND id = :id;

-- query: import_refusal_insert
-- A row that was refused, with the reason.
INSERT INTO import_refusals (tenant_id, import_id, row_number, line, reason)
VALUES (:tenant_id, :import_id, :row_number, :line, :reason)
ON CONFLICT (tenant_id, import_id, row_number) DO UPDATE SET reason = excluded.reason;

-- query: import_refusal_list
-- What was refused, in the order of the file.
SELECT row_number, line, reason FROM import_refusals
WHERE tenant_id = :tenant_id AND import_id = :import_id AND row_number > :after
ORDER BY row_number LIMIT :limit;
