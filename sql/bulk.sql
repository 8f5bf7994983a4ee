-- Many events at once: an outcome for each, and what fails costs only itself.
SET client_min_messages = warning;
SET timezone = 'UTC';
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
SELECT planthub.create_system('erp', 'erp'), planthub.set_source('urn:erp', 'erp', 'P1');

-- A topic whose effect does what a defect would do.
SELECT planthub.create_topic('x.fact'), planthub.allow_topic('x.fact', 'erp');
CREATE TABLE fact (message_id bigint, n int);
CREATE FUNCTION effect(m planthub.inbound) RETURNS planthub.violation[] LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.fact VALUES (m.id, (m.data->>'n')::int);
    IF m.data ? 'state' THEN
        RAISE EXCEPTION USING ERRCODE = m.data->>'state', MESSAGE = 'the effect is broken';
    END IF;
    RETURN NULL;
END
$$;
SELECT planthub.set_effect('x.fact', 'public.effect');
CREATE FUNCTION pg_temp.event(n int, data jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('specversion', '1.0', 'id', 'f' || n, 'source', 'urn:erp', 'type', 'planthub.x.fact.v1',
        'time', '2026-01-15T10:00:00Z', 'recordedtime', '2026-01-15T10:00:00Z', 'dataschema', 'urn:planthub:schema:x.fact:1',
        'partitionkey', 'k', 'correlationid', 'c', 'data', jsonb_build_object('n', n) || data)
$$;

-- One row for each event, in order, as receive() tells it.
CREATE TEMP TABLE given AS
SELECT e.event, e.n FROM unnest(ARRAY[pg_temp.event(1), pg_temp.event(2, '{"state": "XX000"}'), pg_temp.event(3), pg_temp.event(1), pg_temp.event(1, '{"other": 1}'), '[1]', '"x"', 'null',
    pg_temp.event(4, '{"state": "23503"}'), '{"source": "urn:erp", "id": "f9"}', pg_temp.event(5)]) WITH ORDINALITY AS e (event, n);
CREATE TEMP TABLE told AS
SELECT r.* FROM planthub.receive_many((SELECT array_agg(g.event ORDER BY g.n) FROM given AS g)) WITH ORDINALITY AS r (outcome, code, message_id, violations, n);
SELECT r.n, r.outcome, r.code, regexp_replace(r.violations->0->>'detail', '[Ee]vent \d+', 'event ...'), i.event = g.event AS kept,
    (SELECT count(*) FROM fact AS f WHERE f.message_id = r.message_id) AS facts
FROM told AS r JOIN given AS g USING (n) JOIN planthub.inbox AS i ON i.id = r.message_id ORDER BY r.n;
-- What failed does not own its identity: mended, it is taken.
SELECT r.outcome FROM planthub.receive(pg_temp.event(2)) AS r;
SELECT outcome, code, site, system, topic, key, event_time, owns FROM planthub.inbox WHERE event_id = 'f2' ORDER BY id;

-- Several failures among many, at every place of a chunk.
TRUNCATE fact;
SELECT r.outcome, r.code, count(*), min(n), max(n), string_agg(n::text, ',' ORDER BY n) FILTER (WHERE r.outcome = 'rejected')
FROM (SELECT array_agg(pg_temp.event(1000 + g, CASE WHEN g IN (1, 2, 63, 64, 65, 100, 200) THEN '{"state": "P0001"}'::jsonb ELSE '{}' END) ORDER BY g) AS events
      FROM generate_series(1, 200) AS g) AS a, LATERAL planthub.receive_many(a.events) WITH ORDINALITY AS r (outcome, code, message_id, violations, n)
GROUP BY 1, 2 ORDER BY 1;
SELECT count(*), count(DISTINCT n), string_agg(m::text, ',' ORDER BY m) FILTER (WHERE n IS NULL) FROM generate_series(1, 200) AS m LEFT JOIN fact ON n = 1000 + m;
SELECT array_agg(i.event->'data'->'n' ORDER BY i.id) = array_agg(i.event->'data'->'n' ORDER BY (i.event->'data'->>'n')::int) AS in_order
FROM planthub.inbox AS i WHERE event_id LIKE 'f1___' AND outcome = 'applied';

-- A conflict of the transaction is no fault of an event, and leaves nothing.
SELECT count(*) AS before FROM planthub.inbox \gset
SELECT pg_temp.try($$SELECT * FROM planthub.receive_many(ARRAY[pg_temp.event(2001), pg_temp.event(2002, '{"state": "40001"}')])$$);
SELECT pg_temp.try($$SELECT * FROM planthub.receive_many(ARRAY[pg_temp.event(2001), pg_temp.event(2002, '{"state": "53100"}')])$$);
SELECT count(*) = :before FROM planthub.inbox;

-- Arguments
SELECT planthub.receive_many('{}');
SELECT pg_temp.try($$SELECT * FROM planthub.receive_many(NULL)$$);
SELECT pg_temp.try($$SELECT * FROM planthub.receive_many(ARRAY[pg_temp.event(2001), NULL])$$);
SELECT r.outcome FROM planthub.receive_many(ARRAY[ARRAY[pg_temp.event(2001)], ARRAY[pg_temp.event(2002)]]) AS r;

-- Staging: any text can be loaded; batches are drained in pieces, in order.
COPY planthub.staging (batch, event) FROM STDIN (FORMAT csv, DELIMITER E'\x02', QUOTE E'\x01');
m1{"specversion": "1.0", "id": "s1", "source": "urn:erp", "type": "planthub.x.fact.v1", "time": "2026-01-15T10:00:00Z", "recordedtime": "2026-01-15T10:00:00Z", "dataschema": "urn:planthub:schema:x.fact:1", "partitionkey": "k", "correlationid": "c", "data": {"n": 3001}}
m1{"specversion": "1.0", "id": "s2",
m1{"id": "\u0000"}
m1{"specversion": "1.0", "id": "s3", "source": "urn:erp", "type": "planthub.x.fact.v1", "time": "2026-01-15T10:00:00Z", "recordedtime": "2026-01-15T10:00:00Z", "dataschema": "urn:planthub:schema:x.fact:1", "partitionkey": "k", "correlationid": "c", "data": {"n": 3, "state": "P0001"}}
m1{"specversion": "1.0", "id": "s1", "source": "urn:erp", "type": "planthub.x.fact.v1", "time": "2026-01-15T10:00:00Z", "recordedtime": "2026-01-15T10:00:00Z", "dataschema": "urn:planthub:schema:x.fact:1", "partitionkey": "k", "correlationid": "c", "data": {"n": 3001}}
\.
INSERT INTO planthub.staging (event) SELECT pg_temp.event(4000 + g)::text FROM generate_series(1, 5) AS g;
SELECT planthub.drain_staging('m1', 2), planthub.drain_staging('m1', 2), planthub.drain_staging('m1', 2), planthub.drain_staging('m1', 2);
SELECT s.outcome, s.code, s.drained_at IS NOT NULL, i.event #>> '{}' = s.event OR i.event = planthub.staged_event(s.event) AS kept, regexp_replace(s.violations->0->>'detail', '[Ee]vent \d+', 'event ...')
FROM planthub.staging AS s JOIN planthub.inbox AS i ON i.id = s.message_id WHERE s.batch = 'm1' ORDER BY s.id;
SELECT batch, count(*) FROM planthub.staging WHERE outcome IS NULL GROUP BY 1;
SELECT planthub.clear_staging('m1'), planthub.clear_staging(), planthub.drain_staging(), planthub.clear_staging();
SELECT count(*) FROM planthub.staging;
SELECT pg_temp.try($$SELECT planthub.drain_staging('', 0)$$);
SELECT pg_temp.try($$SELECT planthub.drain_staging(NULL)$$);

-- An integrator may load and drain, and nothing more.
CREATE ROLE regress_ph_bulk;
SELECT planthub.grant_access('integrator', 'regress_ph_bulk');
SET ROLE regress_ph_bulk;
INSERT INTO planthub.staging (batch, event) VALUES ('r', '{}');
SELECT pg_temp.try($$INSERT INTO planthub.staging (event, outcome) VALUES ('{}', 'applied')$$);
SELECT pg_temp.try($$DELETE FROM planthub.staging$$);
SELECT planthub.drain_staging('r');
RESET ROLE;
SELECT planthub.revoke_access('regress_ph_bulk');
DROP ROLE regress_ph_bulk;
