-- Sites, systems, endpoints, topics and routes: verbs, errors, and what a change brings with it.
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

-- What comes with the extension.
SELECT code, name FROM planthub.site;
SELECT count(*), count(*) FILTER (WHERE builtin), count(comment), min(version), max(version) FROM planthub.topic;

-- Sites
SELECT planthub.create_site('P1', name => 'Pump factory', timezone => 'Europe/Berlin');
SELECT planthub.create_site('P1/paint');
SELECT code, name, timezone FROM planthub.site ORDER BY code;
SELECT pg_temp.try($$SELECT planthub.create_site('P1')$$);
SELECT pg_temp.try($$SELECT planthub.create_site('no blanks')$$);
SELECT pg_temp.try($$SELECT planthub.create_site(NULL)$$);
SELECT pg_temp.try($$SELECT planthub.create_site('P2', timezone => 'Mars/Olympus')$$);
SELECT pg_temp.try($$SELECT planthub.alter_site('P2', name => 'x')$$);
SELECT pg_temp.try($$SELECT planthub.alter_site('P1')$$);
SELECT planthub.alter_site('P1', timezone => 'Europe/Madrid');
SELECT code, name, timezone FROM planthub.site WHERE code = 'P1';

-- Systems
SELECT planthub.create_system('mes-p1', 'mes', site => 'P1', name => 'Line control');
SELECT planthub.create_system('sap-prd', 'erp');
SELECT * FROM planthub.system ORDER BY code;
SELECT pg_temp.try($$SELECT planthub.create_system('x', 'spreadsheet')$$);
SELECT pg_temp.try($$SELECT planthub.create_system('x', 'mes', site => 'P9')$$);
SELECT pg_temp.try($$SELECT planthub.create_system('Mes', 'mes')$$);
SELECT pg_temp.try($$SELECT planthub.alter_system('mes-p1', site => 'P9')$$);

-- Endpoints
SELECT planthub.create_endpoint('mes-p1-orders', system => 'mes-p1', address => 'http://127.0.0.1:8080/orders');
SELECT planthub.create_endpoint('sap-idoc', 'sap-prd', 'https://sap.example/idoc', method => 'PUT', content_mode => 'batch',
    batch_size => 50, headers => '{"X-Client": "100"}', retry_base => '2 s', idempotent => false);
SELECT code, system, connector, address, method, content_mode, batch_size, headers, max_in_flight, retry_base, retry_cap, idempotent
FROM planthub.endpoint ORDER BY code;
SELECT pg_temp.try($$SELECT planthub.create_endpoint('mes-p1-orders', 'mes-p1', 'http://127.0.0.1/')$$);
SELECT pg_temp.try($$SELECT planthub.create_endpoint('x', 'nobody', 'http://127.0.0.1/')$$);
SELECT pg_temp.try($$SELECT planthub.create_endpoint('x', 'mes-p1', 'http://127.0.0.1/', connector => 'pigeon')$$);
SELECT split_part(pg_temp.try($$SELECT planthub.create_endpoint('x', 'mes-p1', 'ftp://127.0.0.1/')$$), E'\n', 1);
SELECT pg_temp.try($$SELECT planthub.create_endpoint('x', 'mes-p1', 'http://127.0.0.1/', method => 'GET')$$);
SELECT pg_temp.try($$SELECT planthub.create_endpoint('x', 'mes-p1', 'http://127.0.0.1/', retry_base => '1 h', retry_cap => '1 s')$$);
SELECT pg_temp.try($$SELECT planthub.create_endpoint('x', 'mes-p1', 'http://127.0.0.1/', total_timeout => '-1 s')$$);
SELECT pg_temp.try($$SELECT planthub.create_endpoint('x', 'mes-p1', 'http://127.0.0.1/', headers => '{"X": 1}')$$);
SELECT pg_temp.try($$SELECT planthub.create_endpoint('x', 'mes-p1', 'http://127.0.0.1/', headers => '{"X: y": "1"}')$$);
SELECT pg_temp.try($$SELECT planthub.create_endpoint('x', 'mes-p1', 'http://127.0.0.1/', headers => '{"X": "1\r\nY: 2"}')$$);
SELECT pg_temp.try($$SELECT planthub.create_endpoint('x', 'mes-p1', 'http://127.0.0.1/', headers => '[]')$$);
SELECT pg_temp.try($$SELECT planthub.alter_endpoint('x', max_in_flight => 1)$$);
SELECT pg_temp.try($$SELECT planthub.alter_endpoint('sap-idoc', max_in_flight => 0)$$);
SELECT planthub.alter_endpoint('sap-idoc', max_in_flight => 4, idempotent => true, headers => '{}');
SELECT max_in_flight, idempotent, headers, method FROM planthub.endpoint WHERE code = 'sap-idoc';

-- Topics
SELECT planthub.create_topic('my.fact', comment => 'Something of ours');
SELECT planthub.alter_topic('my.fact', version => 2);
SELECT name, version, comment, builtin FROM planthub.topic WHERE name = 'my.fact';
SELECT pg_temp.try($$SELECT planthub.create_topic('My.Fact')$$);
SELECT pg_temp.try($$SELECT planthub.create_topic('my.fact')$$);
SELECT pg_temp.try($$SELECT planthub.create_topic('my.other', version => 0)$$);
SELECT pg_temp.try($$SELECT planthub.alter_topic('item.upserted', version => 2)$$);
SELECT pg_temp.try($$SELECT planthub.drop_topic('item.upserted')$$);

-- Routes, and the lanes that come with them
SELECT planthub.create_route('orders', 'production_order.*', endpoint => 'mes-p1-orders', site => 'P1', expires_after => '1 day');
SELECT planthub.create_route('orders-too', 'production_order.#', endpoint => 'mes-p1-orders');
SELECT planthub.create_route('urgent', 'hold.applied', endpoint => 'mes-p1-orders', priority => 0, key_policy => 'skip');
SELECT r.code, r.topic_pattern, r.site, r.priority, r.key_policy, r.expires_after, r.enabled, e.code, l.priority
FROM planthub.route AS r JOIN planthub.lane AS l ON l.id = r.lane JOIN planthub.endpoint AS e ON e.id = l.endpoint ORDER BY r.code;
SELECT pg_temp.try($$SELECT planthub.create_route('x', 'a..b', 'mes-p1-orders')$$);
SELECT pg_temp.try($$SELECT planthub.create_route('x', 'a.b*', 'mes-p1-orders')$$);
SELECT pg_temp.try($$SELECT planthub.create_route('x', '#', 'nowhere')$$);
SELECT pg_temp.try($$SELECT planthub.create_route('x', '#', 'mes-p1-orders', site => 'P9')$$);
SELECT pg_temp.try($$SELECT planthub.create_route('x', '#', 'mes-p1-orders', priority => 10)$$);
SELECT pg_temp.try($$SELECT planthub.create_route('x', '#', 'mes-p1-orders', priority => 100000)$$);
SELECT pg_temp.try($$SELECT planthub.create_route('x', '#', 'mes-p1-orders', key_policy => 'maybe')$$);
SELECT pg_temp.try($$SELECT planthub.create_route('x', '#', 'mes-p1-orders', expires_after => '-1 s')$$);
SELECT pg_temp.try($$SELECT planthub.create_route('orders', '#', 'mes-p1-orders')$$);
SELECT planthub.alter_route('orders-too', endpoint => 'sap-idoc', priority => 7);
SELECT planthub.alter_route('orders', expires_after => '0');
SELECT r.code, r.expires_after, e.code, l.priority
FROM planthub.route AS r JOIN planthub.lane AS l ON l.id = r.lane JOIN planthub.endpoint AS e ON e.id = l.endpoint ORDER BY r.code;
SELECT count(*) FROM planthub.lane;

-- Rows may be written directly, too.
INSERT INTO planthub.route (code, topic_pattern, endpoint, priority) VALUES ('by-hand', '#', 'sap-idoc', 1);
UPDATE planthub.route SET priority = 2 WHERE code = 'by-hand';
SELECT l.priority FROM planthub.route AS r JOIN planthub.lane AS l ON l.id = r.lane WHERE r.code = 'by-hand';
SELECT planthub.drop_route('by-hand');

-- Dropping
SELECT pg_temp.try($$SELECT planthub.drop_site('*')$$);
SELECT pg_temp.try($$SELECT planthub.drop_site('P1')$$);
SELECT pg_temp.try($$SELECT planthub.drop_system('mes-p1')$$);
SELECT pg_temp.try($$SELECT planthub.drop_endpoint('mes-p1-orders')$$);
SELECT planthub.publish('production_order.released', '{"order": "1", "version": 1, "site": "P1", "item": "A", "qty": {"value": "1", "uom": "C62"},
    "bom_version": null, "routing_version": null, "planned_start": "2026-01-15T06:00:00Z", "planned_end": "2026-01-15T07:00:00Z",
    "operations": [], "components": []}', 'k', 'P1') > 0;
SELECT pg_temp.try($$SELECT planthub.drop_route('orders')$$);
SELECT pg_temp.try($$SELECT planthub.drop_route('nothing')$$);
SELECT planthub.drop_route('urgent');
-- A delivery that was closed no longer counts.
INSERT INTO planthub.attempt (delivery_id, message_id, started_at, duration_us, lane, n, slot, outcome, site)
SELECT id, message_id, now(), 1, lane, 1, slot, 'success', site FROM planthub.delivery;
INSERT INTO planthub.pause (scope, name) VALUES ('route', 'orders'), ('endpoint', 'mes-p1-orders');
SELECT planthub.drop_route('orders');
-- A dead one does: somebody must decide.
INSERT INTO planthub.held (delivery_id, message_id, lane, route, message_slot, state, site)
SELECT 1000, 1, lane, id, 0, 'dead', 'P1' FROM planthub.route WHERE code = 'orders-too';
SELECT pg_temp.try($$SELECT planthub.drop_route('orders-too')$$);
DELETE FROM planthub.held;
SELECT planthub.drop_route('orders-too');
SELECT planthub.drop_endpoint('mes-p1-orders');
SELECT planthub.drop_endpoint('sap-idoc');
SELECT planthub.drop_system('mes-p1'), planthub.drop_system('sap-prd'), planthub.drop_topic('my.fact');
SELECT planthub.drop_site('P1'), planthub.drop_site('P1/paint');
SELECT (SELECT count(*) FROM planthub.lane), (SELECT count(*) FROM planthub.pause), (SELECT count(*) FROM planthub.site);

-- Who may not, cannot; who may, needs no right on the tables.
CREATE ROLE planthub_config_test;
GRANT USAGE ON SCHEMA planthub TO planthub_config_test;
SET ROLE planthub_config_test;
SELECT pg_temp.try($$SELECT planthub.create_site('P1')$$);
RESET ROLE;
SELECT planthub.grant_access('integrator', 'planthub_config_test');
SET ROLE planthub_config_test;
SELECT planthub.create_site('P1');
SELECT pg_temp.try($$INSERT INTO planthub.site (code, name) VALUES ('P2', 'P2')$$);
SELECT pg_temp.try($$SELECT planthub.config_delete('site', 'P1')$$);
RESET ROLE;
SELECT planthub.revoke_access('planthub_config_test');
DROP OWNED BY planthub_config_test;
DROP ROLE planthub_config_test;

-- What the verbs did is on record.
SELECT verb, arguments->>'code' FROM planthub.operation_log WHERE verb ~ '_(site|endpoint)$' ORDER BY id LIMIT 5;
