-- Rows of other applications' tables become events; overlapping writers are in test/isolation/specs/collector.spec.
SET client_min_messages = warning;
-- Runs a statement and shows its error with all fields.
CREATE FUNCTION pg_temp.try(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text; message text; detail text; hint text;
BEGIN
    EXECUTE statement;
    RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n', state || ' ' || message, 'DETAIL ' || nullif(detail, ''), 'HINT ' || nullif(hint, ''));
END
$$;
\pset format unaligned
\pset tuples_only on
\set QUIET on
SELECT planthub.create_site('P1', timezone => 'Europe/Berlin');
SELECT planthub.create_system('mes', 'mes', site => 'P1'), planthub.set_source('urn:mes', 'mes', 'P1');
SELECT planthub.create_topic('legacy.fact'), planthub.allow_topic('legacy.fact', 'mes');
SELECT planthub.create_mapping('legacy', '{"time": "=at", "recordedtime": "=at", "data": {"id": "=id", "value": "=value"}}'), planthub.activate_mapping('legacy', 1);
CREATE TABLE legacy (id bigint PRIMARY KEY, at timestamptz NOT NULL DEFAULT '2026-01-15T10:00:00Z', value text, xid xid8 NOT NULL DEFAULT pg_current_xact_id());
CREATE TABLE pairs (a text, b timestamptz, id int, value text, at timestamptz DEFAULT '2026-01-15T10:00:00Z', PRIMARY KEY (a, b));
CREATE TABLE loose (id bigint, x text UNIQUE, xid xid8);

-- What cannot be read without gaps is refused.
SELECT pg_temp.try($$SELECT planthub.create_collector('c', 'urn:none', 'legacy.fact', 'legacy', 'legacy')$$);
SELECT pg_temp.try($$SELECT planthub.create_collector('c', 'urn:mes', 'no.topic', 'legacy', 'legacy')$$);
SELECT pg_temp.try($$SELECT planthub.create_collector('c', 'urn:mes', 'legacy.fact', 'legacy', 'none')$$);
SELECT pg_temp.try($$SELECT planthub.create_collector('c', 'urn:mes', 'legacy.fact', 'legacy', NULL)$$);
SELECT pg_temp.try($$SELECT planthub.create_collector('c', 'urn:mes', 'legacy.fact', 'loose', 'legacy')$$);
SELECT pg_temp.try($$SELECT planthub.create_collector('c', 'urn:mes', 'legacy.fact', 'loose', 'legacy', '{nope}')$$);
SELECT pg_temp.try($$SELECT planthub.create_collector('c', 'urn:mes', 'legacy.fact', 'loose', 'legacy', '{x}')$$);
SELECT pg_temp.try($$SELECT planthub.create_collector('c', 'urn:mes', 'legacy.fact', 'pairs', 'legacy', '{a}')$$);
SELECT pg_temp.try($$SELECT planthub.create_collector('c', 'urn:mes', 'legacy.fact', 'legacy', 'legacy', xid_column => 'value')$$);
SELECT pg_temp.try($$SELECT planthub.create_collector('C!', 'urn:mes', 'legacy.fact', 'legacy', 'legacy')$$);
SELECT pg_temp.try($$SELECT planthub.collect('c')$$);

-- By snapshots: new rows, once, in pieces.
SELECT planthub.create_collector('new', 'urn:mes', 'legacy.fact', 'legacy', 'legacy', xid_column => 'xid');
SELECT pg_temp.try($$SELECT planthub.collect('new', 0)$$);
SELECT * FROM planthub.collect('new');
INSERT INTO legacy (id, value) VALUES (3, 'c'), (1, 'a'), (2, 'b');
SELECT key, outcome, code FROM planthub.collect('new', 2);
INSERT INTO legacy (id, value) VALUES (0, 'z');
SELECT key, outcome, code FROM planthub.collect('new', 2);
SELECT key, outcome, code FROM planthub.collect('new', 2);
UPDATE legacy SET value = 'changed' WHERE id = 1;
SELECT key, outcome, code FROM planthub.collect('new', 2);
SELECT event_id, key, event->>'time', event->'data' FROM planthub.inbox ORDER BY id;
-- A row that the mapping cannot use costs only itself, and is kept.
SELECT planthub.create_mapping('legacy', '{"time": "=at", "recordedtime": "=at", "data": {"id": "=id", "value": {"$fail": "=''not today''"}}}'), planthub.activate_mapping('legacy', 2);
INSERT INTO legacy (id) VALUES (4);
SELECT key, outcome, code, violations->0->>'detail' FROM planthub.collect('new');
SELECT event_id, event->'data'->'id' FROM planthub.inbox ORDER BY id DESC LIMIT 1;
SELECT planthub.activate_mapping('legacy', 1);
-- On another server the snapshots mean nothing: all rows are read again, and are known.
UPDATE planthub.collector SET system_identifier = 1, s_old = '900000:900000:';
INSERT INTO legacy (id) VALUES (5);
SELECT key, outcome, code FROM planthub.collect('new');

-- By comparison: new and changed rows, also when they change back; composite keys; whoever reads.
SELECT planthub.create_collector('all', 'urn:mes', 'legacy.fact', 'pairs', 'legacy');
INSERT INTO pairs VALUES ('x', '2026-01-01T00:00:00Z', 1, 'one'), ('x', '2026-01-02T00:00:00Z', 2, 'two'), ('a', '2026-01-02T00:00:00Z', 3, 'three');
SELECT key, outcome, code FROM planthub.collect('all', 2);
SELECT key, outcome, code FROM planthub.collect('all', 2);
SELECT key, outcome, code FROM planthub.collect('all', 2);
SET timezone = 'Asia/Tokyo';
SET datestyle = 'German';
SELECT key, outcome, code FROM planthub.collect('all');
RESET timezone;
RESET datestyle;
UPDATE pairs SET value = 'uno' WHERE id = 1;
SELECT key, outcome, code FROM planthub.collect('all');
UPDATE pairs SET value = 'one' WHERE id = 1;
SELECT key, outcome, code FROM planthub.collect('all');
SELECT event_id, event->'data' FROM planthub.inbox WHERE event_id LIKE 'all:%' ORDER BY id;
-- A view is a source as well.
CREATE VIEW seen AS SELECT a || id AS id, at, value FROM pairs;
SELECT pg_temp.try($$SELECT planthub.create_collector('view', 'urn:mes', 'legacy.fact', 'seen', 'legacy')$$);
SELECT planthub.create_collector('view', 'urn:mes', 'legacy.fact', 'seen', 'legacy', '{id}');
SELECT key, outcome FROM planthub.collect('view');

-- The source is read with the rights of the caller.
CREATE ROLE regress_ph_collector;
SELECT planthub.grant_access('integrator', 'regress_ph_collector');
INSERT INTO pairs VALUES ('y', '2026-01-01T00:00:00Z', 9, 'nine');
SET ROLE regress_ph_collector;
SELECT pg_temp.try($$SELECT planthub.collect('all')$$);
RESET ROLE;
GRANT SELECT ON pairs TO regress_ph_collector;
SET ROLE regress_ph_collector;
SELECT key, outcome FROM planthub.collect('all');
RESET ROLE;
SELECT planthub.revoke_access('regress_ph_collector');
REVOKE ALL ON pairs FROM regress_ph_collector;
DROP ROLE regress_ph_collector;
SELECT planthub.drop_collector(code) FROM (VALUES ('all'), ('new'), ('view')) AS v (code);
SELECT count(*) FROM planthub.collected;
SELECT pg_temp.try($$SELECT planthub.drop_collector('all')$$);
