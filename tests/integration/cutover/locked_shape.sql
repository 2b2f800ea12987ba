-- A legacy database with everything that a write lock must know of, made by its owner, no superuser.
CREATE TABLE plain (id serial PRIMARY KEY, name text NOT NULL, twice int GENERATED ALWAYS AS (1) STORED);
CREATE TABLE child (id int REFERENCES plain, note text);
CREATE TABLE "Quoted ""Name""" ("Column ""A""" bigint GENERATED ALWAYS AS IDENTITY, b text);
CREATE TABLE nothing ();
CREATE TABLE parts (day date NOT NULL, value numeric) PARTITION BY RANGE (day);
CREATE TABLE parts_old PARTITION OF parts FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE parts_new PARTITION OF parts DEFAULT;
CREATE UNLOGGED TABLE scratch (a int);
CREATE TABLE ruled (a int);
CREATE RULE quiet AS ON INSERT TO ruled DO INSTEAD NOTHING;
CREATE SCHEMA "Second";
CREATE TABLE "Second".plain (a int);
CREATE SEQUENCE loose;
CREATE VIEW names AS SELECT name FROM plain;
CREATE MATERIALIZED VIEW stored AS SELECT name FROM plain;

-- A trigger of theirs, which must not run before ours.
CREATE FUNCTION theirs() RETURNS trigger LANGUAGE plpgsql
    AS $$BEGIN RAISE EXCEPTION 'theirs'; END$$;
CREATE TRIGGER "0_theirs" BEFORE INSERT ON child EXECUTE FUNCTION theirs();
ALTER TABLE child DISABLE TRIGGER "0_theirs";

INSERT INTO plain (name) VALUES ('kept');
INSERT INTO parts VALUES ('2024-05-01', 1), ('2026-05-01', 2);

GRANT USAGE ON SCHEMA public, "Second" TO lock_app, lock_second;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES ON plain, parts, parts_new TO lock_app;
GRANT SELECT, INSERT ON "Quoted ""Name""" TO lock_app WITH GRANT OPTION;
GRANT UPDATE (note), SELECT (id) ON child TO lock_app;
GRANT INSERT (note) ON child TO PUBLIC;
GRANT INSERT, UPDATE ON "Second".plain TO PUBLIC;
GRANT USAGE, SELECT ON SEQUENCE plain_id_seq TO lock_app;
GRANT UPDATE ON SEQUENCE loose TO lock_second WITH GRANT OPTION;
GRANT DELETE ON scratch TO lock_second;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, DELETE ON TABLES TO lock_app;
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO lock_second;
