-- Let nobody but the lock's owner take it off any more.
DROP SCHEMA IF EXISTS sigmasight_release CASCADE;
