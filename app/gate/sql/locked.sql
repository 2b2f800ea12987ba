-- Whether a swap has locked this database: the lock's schema is there once it is committed.
SELECT count(*) > 0 FROM pg_namespace WHERE nspname = 'sigmasight_cutover'
