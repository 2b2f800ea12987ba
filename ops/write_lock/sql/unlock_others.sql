SELECT sigmasight_release.unlock(array(
    SELECT t.oid FROM jsonb_to_recordset(current_setting('sigmasight.tables')::jsonb) AS t (oid oid)
));
