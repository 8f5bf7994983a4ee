-- publish() and publish_many(): what is written, when, and what is refused.
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
    RETURN regexp_replace(regexp_replace(concat_ws(E'\n', state || ' ' || message, 'DETAIL ' || nullif(detail, ''), 'HINT ' || nullif(hint, '')),
        '[0-9a-f]{8}-[0-9a-f-]{27}', 'HUB'), 'message \d+', 'message N');
END
$$;
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SELECT planthub.create_site('P1'), planthub.create_site('P2'), planthub.create_system('mes', 'mes'),
    planthub.create_endpoint('a', 'mes', 'http://127.0.0.1/'), planthub.create_endpoint('b', 'mes', 'http://127.0.0.1/');
SELECT planthub.create_topic('t.one'), planthub.create_topic('t.one.more'), planthub.create_topic('t.two', version => 3), planthub.create_topic('alone');

-- Which routes take a message
SELECT planthub.create_route('exact', 't.one', 'a'), planthub.create_route('star', 't.*', 'b', priority => 3),
    planthub.create_route('hash', 't.#', 'a', site => 'P1'), planthub.create_route('middle', '#.one.#', 'b'),
    planthub.create_route('off', '#', 'a', enabled => false);
CREATE TEMP VIEW result AS
    SELECT m.topic, m.site, m.key, m.data, m.version, string_agg(r.code, ',' ORDER BY d.id) AS routes
    FROM planthub.message AS m LEFT JOIN planthub.delivery AS d ON d.message_id = m.id LEFT JOIN planthub.route AS r ON r.id = d.route
    GROUP BY m.id, m.topic, m.site, m.key, m.data, m.version ORDER BY m.id;
CREATE FUNCTION pg_temp.forget() RETURNS void LANGUAGE sql AS 'TRUNCATE planthub.message, planthub.delivery, planthub.held';
SELECT count(planthub.publish(topic, '{}', 'k', site)) FROM unnest(ARRAY['t.one', 't.one.more', 't.two', 'alone']) AS topic, unnest(ARRAY['P1', 'P2', '*']) AS site;
SELECT topic, site, version, routes FROM result;
SELECT pg_temp.forget();

-- All columns
SELECT planthub.publish('t.two', '{"n": 1.50}', 'order:1', 'P1', subject => 'order 1', event_time => '2026-03-01 12:00:00+02',
    source => 'urn:sap:prd', event_id => '4711', correlation_id => 'c', causation_id => 'd',
    traceparent => '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', attributes => '{"a1": "x", "n": 1, "b": true}',
    not_before => '2030-01-01 00:00:00+00', serialise => true, event_offset => '-05:30') > 0;
SELECT slot, event_offset, event_time = '2026-03-01 10:00:00+00', version, site, topic, key, source, event_id,
    subject, correlation_id, causation_id, traceparent, attributes, data FROM planthub.message;
SELECT d.not_before = '2030-01-01 00:00:00+00', d.replay_of, d.site, d.xid = m.xid, d.slot, d.message_slot, l.priority, r.code
FROM planthub.delivery AS d JOIN planthub.message AS m ON m.id = d.message_id JOIN planthub.lane AS l ON l.id = d.lane
JOIN planthub.route AS r ON r.id = d.route ORDER BY d.id;
SELECT pg_temp.forget();

-- Without the optional ones
BEGIN;
SELECT planthub.publish('alone', 'null', NULL, '*') > 0;
SELECT xid = pg_current_xact_id(), recorded_at = now(), event_time = now(), event_offset, key, source, event_id, subject, attributes, data, jsonb_typeof(data) FROM planthub.message;
COMMIT;
SELECT pg_temp.forget();

-- Large data goes through TOAST, compressed data of another table as it is.
CREATE TEMP TABLE large AS SELECT i, jsonb_build_object('i', i, 'pad', repeat('abc', 100000 * i)) AS data FROM generate_series(1, 3) AS i;
SELECT count(planthub.publish('t.two', data, 'k', 'P2')) FROM large;
SELECT count(*) FROM planthub.publish_many('t.two', 'P2', NULL, ARRAY(SELECT data FROM large ORDER BY i));
SELECT count(*), bool_and(m.data = l.data) FROM planthub.message AS m JOIN large AS l ON l.i = (m.data->>'i')::int;
SELECT pg_temp.forget();

-- Transactions
BEGIN;
SELECT planthub.publish('t.one', '1', 'k', 'P2') > 0;
ROLLBACK;
BEGIN;
SELECT planthub.publish('t.one', '2', 'k', 'P2') > 0;
SAVEPOINT s;
SELECT planthub.publish('t.one', '3', 'k', 'P2') > 0;
ROLLBACK TO s;
SELECT planthub.publish('t.one', '4', 'k', 'P2') > 0;
SAVEPOINT t;
SELECT planthub.publish('nowhere', '5', 'k', 'P2');
ROLLBACK TO t;
SELECT planthub.publish('t.one', '6', 'k', 'P2') > 0;
COMMIT;
SELECT data, routes FROM result;
SELECT count(DISTINCT xid), count(*) FROM planthub.message;
SELECT pg_temp.forget();
BEGIN;
SELECT planthub.publish('t.one', '7', 'k', 'P2') > 0;
PREPARE TRANSACTION 'planthub_publish_1';
BEGIN;
SELECT planthub.publish('t.one', '8', 'k', 'P2') > 0;
PREPARE TRANSACTION 'planthub_publish_2';
SELECT count(*) FROM planthub.message;
COMMIT PREPARED 'planthub_publish_1';
ROLLBACK PREPARED 'planthub_publish_2';
SELECT data, routes FROM result;
SELECT pg_temp.forget();

-- From triggers and functions, with errors caught
CREATE TEMP TABLE orders (id int, state text);
CREATE FUNCTION pg_temp.on_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM planthub.publish('t.one', to_jsonb(NEW), 'order:' || NEW.id, 'P2');
    BEGIN
        PERFORM planthub.publish('t.one', '"caught"', 'order:' || NEW.id, 'P2');
        RAISE EXCEPTION 'no';
    EXCEPTION WHEN raise_exception THEN
        NULL;
    END;
    IF NEW.state = 'bad' THEN
        RAISE EXCEPTION 'bad order';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER on_order AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION pg_temp.on_order();
INSERT INTO orders SELECT i, 'new' FROM generate_series(1, 3) AS i;
INSERT INTO orders VALUES (4, 'new'), (5, 'bad');
SELECT key, data, routes FROM result;
SELECT pg_temp.forget();
DO $$
BEGIN
    FOR i IN 1..4 LOOP
        PERFORM planthub.publish('t.one', to_jsonb(i), 'k', 'P2');
        IF i % 2 = 0 THEN ROLLBACK; ELSE COMMIT; END IF;
    END LOOP;
END
$$;
SELECT data FROM result;
SELECT pg_temp.forget();
-- A cursor that is not read to its end; and a statement, which does not see what it writes itself
BEGIN;
DECLARE c CURSOR FOR SELECT planthub.publish('t.one', to_jsonb(i), 'k', 'P2') > 0 FROM generate_series(1, 5) AS i;
FETCH 2 FROM c;
CLOSE c;
WITH new AS (SELECT planthub.publish('t.one', '"cte"', 'k', 'P2') AS id) SELECT count(m.id) FROM new LEFT JOIN planthub.message AS m USING (id);
COMMIT;
SELECT data FROM result;
SELECT pg_temp.forget();

-- Many at once: in order, over several batches
CREATE TEMP TABLE ids AS SELECT * FROM planthub.publish_many('t.one', 'P2',
    ARRAY(SELECT 'k' || i FROM generate_series(1, 5000) AS i), ARRAY(SELECT to_jsonb(i) FROM generate_series(1, 5000) AS i)) WITH ORDINALITY AS x(id, n);
SELECT count(*), bool_and(m.data = to_jsonb(x.n) AND m.key = 'k' || x.n) FROM ids AS x JOIN planthub.message AS m USING (id);
SELECT bool_and(id > before), count(*) FROM (SELECT id, lag(id) OVER (ORDER BY n) AS before FROM ids) AS x;
SELECT count(*), bool_and(message_id >= before) FROM (SELECT message_id, lag(message_id) OVER (ORDER BY id) AS before FROM planthub.delivery) AS x;
SELECT pg_temp.forget();
SELECT n FROM planthub.publish_many('t.one', 'P2', ARRAY['a', NULL, 'c'], ARRAY['1', '2', '3']::jsonb[], subjects => ARRAY['s', NULL, 't'],
    event_times => ARRAY[NULL, '2026-01-01 00:00:00+00', NULL]::timestamptz[], event_ids => ARRAY['x', 'y', NULL], serialise => false,
    correlation_id => 'all', attributes => '{"b": 1}') WITH ORDINALITY AS x(id, n);
SELECT key, data, subject, event_time = recorded_at, event_id, source LIKE 'urn:planthub:%', correlation_id, attributes FROM planthub.message ORDER BY id;
SELECT count(*) FROM planthub.publish_many('t.one', 'P2', '{}', '{}');
SELECT count(*) FROM (SELECT planthub.publish_many('t.one', 'P2', NULL, ARRAY['1', '2']::jsonb[])) AS x;
SELECT pg_temp.try($$SELECT planthub.publish_many('t.one', 'P2', ARRAY['a'], ARRAY['1', '2']::jsonb[])$$);
SELECT pg_temp.try($$SELECT planthub.publish_many('t.one', 'P2', NULL, ARRAY['1', NULL]::jsonb[])$$);
SELECT pg_temp.try($$SELECT planthub.publish_many('t.one', 'P2', NULL, NULL)$$);
SELECT pg_temp.try($$SELECT planthub.publish_many('t.one', 'P2', NULL, ARRAY[['1'], ['2']]::jsonb[])$$);
SELECT pg_temp.try($$SELECT planthub.publish_many('t.one', 'P2', NULL, ARRAY['1', '2']::jsonb[], event_ids => ARRAY['twice', 'twice'])$$);
SELECT pg_temp.try($$SELECT planthub.publish_many('t.one', 'P2', ARRAY['a', NULL], ARRAY['1', '2']::jsonb[], serialise => true)$$);
SELECT pg_temp.forget();

-- An event is published once, whatever the slot
SELECT planthub.publish('t.one', '1', 'k', 'P2', source => 'urn:s', event_id => '1') > 0;
SELECT pg_temp.try($$SELECT planthub.publish('t.one', '2', 'k', 'P2', source => 'urn:s', event_id => '1')$$);
SELECT planthub.publish('t.one', '3', 'k', 'P2', source => 'urn:other', event_id => '1') > 0, planthub.publish('t.one', '4', 'k', 'P2', event_id => '1') > 0;
SELECT pg_temp.try($$SELECT planthub.publish('t.one', '5', 'k', 'P2', event_id => '1')$$);
UPDATE planthub.hub SET slot = 1;
SELECT pg_temp.try($$SELECT planthub.publish('t.one', '6', 'k', 'P2', source => 'urn:s', event_id => '1')$$);
SELECT planthub.publish('t.one', '7', 'k', 'P2', source => 'urn:s', event_id => '2') > 0;
SELECT m.data, m.slot, count(d.id), min(d.slot), min(d.message_slot) FROM planthub.message AS m JOIN planthub.delivery AS d ON d.message_id = m.id GROUP BY m.id, m.data, m.slot ORDER BY m.id;
BEGIN;
UPDATE planthub.hub SET slot = 7;
SELECT planthub.publish('t.one', '8', 'k', 'P2') > 0;
SELECT slot FROM planthub.message WHERE data = '8';
ROLLBACK;
SELECT planthub.publish('t.one', '9', 'k', 'P2') > 0;
SELECT slot FROM planthub.message WHERE data = '9';
UPDATE planthub.hub SET slot = 0;
SELECT pg_temp.forget();

-- What is refused
SELECT pg_temp.try($$SELECT planthub.publish(NULL, '{}', 'k', 'P1')$$);
SELECT pg_temp.try($$SELECT planthub.publish('t.one', NULL, 'k', 'P1')$$);
SELECT pg_temp.try($$SELECT planthub.publish('t.one', '{}', 'k', NULL)$$);
SELECT pg_temp.try($$SELECT planthub.publish('t.unknown', '{}', 'k', 'P1')$$);
SELECT pg_temp.try($$SELECT planthub.publish('t.one', '{}', 'k', 'P9')$$);
SELECT pg_temp.try($$SELECT planthub.publish('t.one', '{}', '', 'P1')$$);
SELECT pg_temp.try($$SELECT planthub.publish('t.one', '{}', repeat('k', 1024), 'P1')$$);
SELECT pg_temp.try($$SELECT planthub.publish('t.one', '{}', repeat('k', 1025), 'P1')$$);
SELECT pg_temp.try($$SELECT planthub.publish('t.one', '{}', E'a\r\nb', 'P1')$$);
SELECT pg_temp.try($$SELECT planthub.publish('t.one', '{}', NULL, 'P1', serialise => true)$$);
SELECT pg_temp.try($$SELECT planthub.publish('t.one', '{}', 'k', 'P1', source => 'urn:s')$$);
SELECT pg_temp.try($$SELECT planthub.publish('t.one', '{}', 'k', 'P1', subject => E'a\tb')$$);
SELECT pg_temp.try($$SELECT planthub.publish('t.one', '{}', 'k', 'P1', traceparent => 'x')$$);
SELECT pg_temp.try($$SELECT planthub.publish('t.one', '{}', 'k', 'P1', traceparent => '00-00000000000000000000000000000000-b7ad6b7169203331-01')$$);
SELECT pg_temp.try($$SELECT planthub.publish('t.one', '{}', 'k', 'P1', attributes => '[]')$$);
SELECT pg_temp.try($$SELECT planthub.publish('t.one', '{}', 'k', 'P1', attributes => '{"no_good": 1}')$$);
SELECT pg_temp.try($$SELECT planthub.publish('t.one', '{}', 'k', 'P1', attributes => '{"subject": "x"}')$$);
SELECT pg_temp.try($$SELECT planthub.publish('t.one', '{}', 'k', 'P1', attributes => '{"a": null}')$$);
SELECT pg_temp.try($$SELECT planthub.publish('t.one', '{}', 'k', 'P1', attributes => '{"a": {"id": 1}}')$$);
SELECT pg_temp.try($$SELECT planthub.publish('t.one', '{}', 'k', 'P1', attributes => '{"a": "x\r\nEvil: 1"}')$$);
SELECT pg_temp.try($$SELECT planthub.publish('t.one', '{}', 'k', 'P1', event_time => 'infinity')$$);
SELECT pg_temp.try($$SELECT planthub.publish('t.one', '{}', 'k', 'P1', event_time => '0044-03-15 BC')$$);
SELECT pg_temp.try($$SELECT planthub.publish('t.one', '{}', 'k', 'P1', not_before => '12000-01-01')$$);
SELECT pg_temp.try($$SELECT planthub.publish('t.one', '{}', 'k', 'P1', event_offset => '1 day')$$);
SELECT pg_temp.try($$SELECT planthub.publish('t.one', '{}', 'k', 'P1', event_offset => '00:00:30')$$);
SET planthub.max_payload_size = '100kB';
SELECT pg_temp.try($$SELECT planthub.publish('t.one', to_jsonb(repeat('x', 100 * 1024)), 'k', 'P1')$$);
SELECT pg_temp.try($$SELECT planthub.publish('t.one', to_jsonb(repeat('x', 100 * 1024 - 100)), 'k', 'P1')$$);
RESET planthub.max_payload_size;
BEGIN READ ONLY;
SELECT pg_temp.try($$SELECT planthub.publish('t.one', '{}', 'k', 'P1')$$);
COMMIT;
SELECT pg_temp.forget();

-- A change of the configuration takes effect at once here, and a rollback takes it back
BEGIN;
SELECT planthub.alter_route('exact', enabled => false);
SELECT planthub.publish('t.one', '1', 'k', 'P2') > 0;
SAVEPOINT s;
SELECT planthub.create_topic('t.new'), planthub.create_site('P3');
SELECT planthub.publish('t.new', '2', 'k', 'P3') > 0;
ROLLBACK TO s;
SELECT pg_temp.try($$SELECT planthub.publish('t.new', '3', 'k', 'P3')$$);
ROLLBACK;
SELECT planthub.publish('t.one', '4', 'k', 'P2') > 0;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM planthub.topic WHERE name LIKE 't.%';
SELECT planthub.publish('t.one', '5', 'k', 'P2') > 0;
DELETE FROM planthub.route WHERE code = 'off';
UPDATE planthub.route SET enabled = false;
SELECT planthub.publish('t.one', '6', 'k', 'P2') > 0;
COMMIT;
SELECT planthub.publish('t.one', '7', 'k', 'P2') > 0;
UPDATE planthub.route SET enabled = true;
TRUNCATE planthub.pause;
SELECT data, routes FROM result;
SELECT pg_temp.forget();

-- A hub that Citus distributes is refused: what is written here directly would be lost.
SET allow_system_table_mods = on;
CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass);
INSERT INTO pg_dist_partition VALUES ('planthub.message_0');
\c -
\pset format unaligned
\pset tuples_only on
\set VERBOSITY default
SELECT planthub.publish('t.one', '1', 'k', 'P2');
SET allow_system_table_mods = on;
DROP TABLE pg_catalog.pg_dist_partition;
SELECT planthub.publish('t.one', '1', 'k', 'P2') > 0;

-- Only who may
CREATE ROLE planthub_publish_test;
SET ROLE planthub_publish_test;
SELECT planthub.publish('t.one', '1', 'k', 'P2');
RESET ROLE;
SET client_min_messages = warning;
SELECT planthub.grant_access('publisher', 'planthub_publish_test');
SET ROLE planthub_publish_test;
SELECT planthub.publish('t.one', '2', 'k', 'P2') > 0;
SELECT count(*) FROM planthub.publish_many('t.one', 'P2', ARRAY['k'], ARRAY['3']::jsonb[]);
SELECT count(*) FROM planthub.message;
RESET ROLE;
SELECT planthub.revoke_access('planthub_publish_test');
DROP ROLE planthub_publish_test;

-- Another hub in place of this one: nothing remembered from the old one may be used.
SELECT planthub.publish('t.one', '1', 'k', 'P2') > 0;
DROP EXTENSION planthub CASCADE;
CREATE EXTENSION planthub;
SELECT planthub.create_site('P2'), planthub.create_topic('t.one');
SELECT planthub.publish('t.one', '1', 'k', 'P2');
SELECT count(*) FROM planthub.message_0;
