-- User-owned rows that are not as the last swap left them.
CREATE TEMPORARY TABLE cutover_changes ON COMMIT DROP AS
SELECT
    table_name,
    key,
    b.digest AS before,
    p.digest AS after
FROM (SELECT * FROM ops.cutover_baseline WHERE table_name = ANY(%s)) AS b
FULL JOIN cutover_present AS p USING (table_name, key)
WHERE b.digest IS DISTINCT FROM p.digest
