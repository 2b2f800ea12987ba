-- From here to the end of the transaction no search goes through the vectors' index.
SELECT
    set_config('enable_indexscan', 'off', true),
    set_config('enable_bitmapscan', 'on', true),
    set_config('enable_seqscan', 'on', true),
    set_config('enable_sort', 'on', true)
