-- query: number_reserve
-- The next :count numbers; the last of them.
INSERT INTO human_numbers (tenant_id, kind, year, last)
VALUES (:tenant_id, :kind, :year, :count)
ON CONFLICT (tenant_id, kind, year) DO UPDATE SET last = human_numbers.last + excluded.last
RETURNING last;
