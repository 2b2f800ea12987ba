-- batch_run_tracking in the range, against one successful row per trading day.
SELECT
    count(d.day),
    count(t.run_date),
    count(*) FILTER (WHERE t.run_date IS NULL),
    count(*) FILTER (WHERE d.day IS NULL),
    count(*) FILTER (WHERE t.run_date IS NOT NULL AND (
        t.completed_at IS NULL
        OR 'success' <> ANY(ARRAY[
            coalesce(t.phase_1_status, 'success'),
            coalesce(t.phase_2_status, 'success'),
            coalesce(t.phase_3_status, 'none')
        ])
    ))
FROM unnest(%(days)s::date[]) AS d (day)
FULL JOIN (
    SELECT *
    FROM batch_run_tracking
    WHERE run_date BETWEEN (%(days)s::date[])[1]
        AND (%(days)s::date[])[cardinality(%(days)s::date[])]
) AS t ON t.run_date = d.day
