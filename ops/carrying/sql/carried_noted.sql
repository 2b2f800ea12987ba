-- A row that was carried back is a copied row, so that it goes from the new pair when the old
-- database's users delete it.
INSERT INTO ops.copied_keys (table_name, key)
SELECT
    table_name,
    key
FROM cutover_changes
WHERE after IS NOT NULL
ON CONFLICT DO NOTHING;

DELETE FROM ops.copied_keys AS k
USING cutover_changes AS c
WHERE k.table_name = c.table_name AND k.key = c.key AND c.after IS NULL;

-- Nor can a copy tell by numbers alone what became of a table of the old database that we wrote to.
UPDATE ops.copy_fingerprints
SET source_seen = NULL, proved_seen = NULL, proved = false
WHERE table_name IN (SELECT table_name FROM cutover_changes);

-- Rows that were not in such a table when it was last seen are in its baseline now: a deletion of
-- one of them would not be missed there.
UPDATE ops.cutover_baseline_moment
SET seen = seen - ARRAY(SELECT table_name FROM cutover_changes)
