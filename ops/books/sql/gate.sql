-- The gate of backends that hold both pairs: one row says which pair is served and whether requests
-- wait. Whoever changes it compares what he knows of it first, so of two who would end a hold in
-- different ways exactly one does. Idempotent; the owner runs it.
CREATE TABLE IF NOT EXISTS ops.gate (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    pair text NOT NULL CHECK (pair IN ('old', 'new')),
    epoch bigint NOT NULL DEFAULT 0, -- counts the holds
    -- held: requests wait, the pair is that of before. flipped: they wait, and it has changed.
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'held', 'flipped')),
    deadline timestamptz,
    -- While it is open and this is not 0, a hold is near: streams have so much time to end.
    stream_seconds double precision NOT NULL DEFAULT 0,
    trial_digest text,
    CHECK ((state = 'open') = (deadline IS NULL))
);

-- Each backend process, as it last reported. Held: nothing is under way in it; while only streams
-- are to end, no stream.
CREATE TABLE IF NOT EXISTS ops.gate_replicas (
    replica uuid PRIMARY KEY,
    epoch bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'holding', 'held')),
    seen_at timestamptz NOT NULL
);
-- In which of its databases it has found whoever began the trial of a digest.
ALTER TABLE ops.gate_replicas ADD COLUMN IF NOT EXISTS met_digest text;
ALTER TABLE ops.gate_replicas ADD COLUMN IF NOT EXISTS met text [];

-- End a hold whose time is over, or whose holder is gone: he has an advisory lock (key below) for
-- as long as he lives, and another one while streams end. What the row says then is served.
CREATE OR REPLACE FUNCTION ops.settle_gate() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE ops.gate SET state = 'open', deadline = NULL, stream_seconds = 0
    WHERE (state <> 'open' OR stream_seconds > 0) AND (clock_timestamp() >= deadline OR NOT EXISTS (
        SELECT FROM pg_locks
        WHERE locktype = 'advisory' AND granted
            AND (classid, objid) = (28, CASE state WHEN 'open' THEN 13 ELSE 12 END)
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    ));
    IF FOUND THEN
        PERFORM pg_notify('sigmasight_gate', '');
    END IF;
END $$;

-- A backend says how far it is, and is told what the row says. Backends have no other way in than
-- this and the next.
CREATE OR REPLACE FUNCTION ops.report_at_gate(
    by_replica uuid, at_epoch bigint, in_state text
) RETURNS TABLE (
    pair text, epoch bigint, state text, seconds_left double precision,
    stream_seconds double precision, trial_digest text
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM ops.settle_gate();
    IF in_state = 'gone' THEN
        DELETE FROM ops.gate_replicas AS r WHERE r.replica = by_replica;
        RETURN;
    END IF;
    INSERT INTO ops.gate_replicas AS r (replica, epoch, state, seen_at)
    VALUES (by_replica, at_epoch, in_state, clock_timestamp())
    ON CONFLICT (replica) DO UPDATE
    SET epoch = excluded.epoch, state = excluded.state,
        seen_at = excluded.seen_at;
    RETURN QUERY
    SELECT g.pair, g.epoch, g.state,
        coalesce(extract(epoch FROM g.deadline - clock_timestamp()), 0)::double precision,
        g.stream_seconds, g.trial_digest
    FROM ops.gate AS g;
END $$;

-- A backend says in which of its other databases it has found whoever began a trial.
CREATE OR REPLACE FUNCTION ops.meet_at_gate(
    by_replica uuid, of_digest text, in_halves text []
) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE ops.gate_replicas SET met_digest = of_digest, met = in_halves WHERE replica = by_replica
$$;

REVOKE ALL ON FUNCTION ops.settle_gate() FROM PUBLIC;
GRANT USAGE ON SCHEMA ops TO PUBLIC;
GRANT EXECUTE ON FUNCTION ops.report_at_gate(uuid, bigint, text) TO PUBLIC;
GRANT EXECUTE ON FUNCTION ops.meet_at_gate(uuid, text, text []) TO PUBLIC;
