-- The views and reports: delivery_status, endpoint_health, status(), doctor(), trace().  Workers are off; rows are laid
-- by hand.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';

-- an empty hub
\pset tuples_only on
\pset format unaligned
SELECT regexp_replace(regexp_replace(regexp_replace(planthub.status(), 'hub [0-9a-f-]+', 'hub <id>'), 'since [0-9-]+', 'since <day>'), '[0-9]+ d', 'N d', 'g');
\pset format aligned
\pset tuples_only off
SELECT * FROM planthub.endpoint_health;
SELECT "check", severity FROM planthub.doctor() WHERE "check" NOT IN ('durability', 'worker processes');

INSERT INTO planthub.site (code, name) VALUES ('P1', 'Plant 1');
INSERT INTO planthub.system (code, kind) VALUES ('mes', 'mes'), ('wms', 'wms');
INSERT INTO planthub.endpoint (id, code, system, address) VALUES (101, 'mes-orders', 'mes', 'http://127.0.0.1:1/'),
    (102, 'wms-orders', 'wms', 'http://127.0.0.1:1/'), (103, 'wms-spare', 'wms', 'http://127.0.0.1:1/');
INSERT INTO planthub.lane (id, endpoint, priority) VALUES (201, 101, 5), (202, 102, 5), (203, 102, 1);
INSERT INTO planthub.route (id, code, topic_pattern, endpoint) VALUES (301, 'mes', 'order.#', 'mes-orders'),
    (302, 'wms', 'order.#', 'wms-orders');
INSERT INTO planthub.message (id, xid, recorded_at, event_time, slot, version, site, topic, key, source, event_id, data)
    SELECT n, '6', '2026-01-01 12:00', '2026-01-01 11:00', n % 8, 1, 'P1', 'order.released', 'K' || n, 'urn:erp', 'E' || n, '{}'
    FROM generate_series(1, 12) AS n;
-- the MES lane has handed out everything visible in 10:10:, then up to delivery 9 of 10:20:12,14; the WMS lane has never
-- been read
INSERT INTO planthub.delivery (id, xid, message_id, lane, route, slot, message_slot, site)
    SELECT d.id, d.xid::text::xid8, d.id, 201, 301, d.id % 8, d.id % 8, 'P1'
    FROM (VALUES (1, 5), (2, 5), (3, 5), (4, 11), (5, 11), (9, 11), (10, 11), (6, 12), (7, 25), (8, 9), (11, 5)) AS d (id, xid);
INSERT INTO planthub.delivery (id, xid, message_id, lane, route, slot, message_slot, site) VALUES (12, '5', 12, 202, 302, 0, 4, 'P1');
INSERT INTO planthub.lane_window VALUES
    (1, 1, now() - interval '1 h', 1, 1, 3, 0, 100, 0, NULL, 201, 0, 3, 0, 0, true, true, '3:3:', '10:10:'),
    (2, 1, now(), 2, 4, 9, 0, 100, 0, NULL, 201, 0, 3, 1, 0, false, true, '10:10:', '10:20:12,14'),
    (3, 1, now(), 2, 4, 5, 0, 100, 0, 2, 201, 0, 2, 1, 1, false, true, '10:10:', '10:20:12,14');
INSERT INTO planthub.attempt (delivery_id, message_id, started_at, duration_us, lane, n, status, slot, outcome, site, error) VALUES
    (1, 1, '2026-01-01 12:00:01', 1500, 201, 1, 503, 1, 'transient', 'P1', 'service unavailable'),
    (1, 1, '2026-01-01 12:00:05', 2500, 201, 2, 200, 2, 'success', 'P1', NULL),
    (2, 2, '2026-01-01 12:00:01', 1500, 201, 1, 409, 2, 'duplicate', 'P1', NULL),
    (3, 3, '2026-01-01 12:00:01', 1500, 201, 1, NULL, 3, 'unknown', 'P1', 'no answer within 30 s'),
    (8, 8, '2026-01-01 12:00:01', 0, 201, 0, NULL, 3, 'expired', 'P1', NULL),
    (11, 11, '2026-01-01 12:00:01', 1500, 201, 1, 400, 3, 'permanent', 'P1', 'bad request'),
    (11, 11, '2026-01-01 12:00:09', 0, 201, 0, NULL, 3, 'discarded', 'P1', 'entered by hand'),
    (5, 5, '2026-01-01 12:00:01', 1500, 201, 1, 500, 3, 'transient', 'P1', 'oops');
INSERT INTO planthub.held (delivery_id, message_id, due_at, since, lane, route, attempts, tries, last_status, message_slot, state, site, key, reason, last_error) VALUES
    (3, 3, NULL, now() - interval '3 h', 201, 301, 1, 1, NULL, 3, 'in_doubt', 'P1', 'K3', 'NO_ANSWER', 'no answer within 30 s'),
    (5, 5, '2026-01-01 13:00', now() - interval '1 min', 201, 301, 1, 1, 500, 5, 'retry', 'P1', 'K5', 'TRANSIENT', 'oops');
SELECT delivery_id, state, attempts, last_status, last_error, next_attempt_at, reason, endpoint, route, priority FROM planthub.delivery_status ORDER BY 1;
SELECT delivery_id, topic, key, site, endpoint, state FROM planthub.delivery_status WHERE message_id = 12;
SELECT delivery_id, topic, key, site, endpoint, state, attempts, last_status, next_attempt_at, last_error, reason, recorded_at, route, system, priority FROM planthub.held_status ORDER BY 1;
SELECT count(*) AS differences FROM planthub.held_status AS h JOIN planthub.delivery_status AS s USING (delivery_id) WHERE to_jsonb(h) <> (SELECT jsonb_object_agg(k, to_jsonb(s) -> k) FROM jsonb_object_keys(to_jsonb(h)) AS k);
SELECT * FROM planthub.in_flight() ORDER BY lane;

INSERT INTO planthub.endpoint_state VALUES (102, 'open', '2026-01-01', 5, '2026-01-02', 503, 'service unavailable');
SELECT endpoint, state, in_flight, retry, blocked, scheduled, parked, in_doubt, paused, dead FROM planthub.endpoint_health;
SELECT endpoint, failures, since, next_probe_at, last_status, last_error FROM planthub.endpoint_health WHERE state = 'open';
INSERT INTO planthub.pause (scope, name, since, reason) VALUES ('system', 'wms', now() - interval '2 d', 'stock taking');
SELECT endpoint, state FROM planthub.endpoint_health;
SELECT * FROM planthub.doctor() WHERE severity <> 'ok'
    AND "check" IN ('circuit breakers', 'old pauses', 'in_doubt deliveries', 'dead deliveries', 'endpoints without route') AND finding !~ 'since';
UPDATE planthub.hub SET database_oid = 1;
SELECT * FROM planthub.doctor() WHERE severity = 'error' AND "check" = 'armed';
\pset tuples_only on
\pset format unaligned
SELECT regexp_replace(regexp_replace(regexp_replace(planthub.status(), 'hub [0-9a-f-]+', 'hub <id>'), 'since [0-9-]+', 'since <day>'), '[0-9]+ d', 'N d', 'g');
\pset format aligned
\pset tuples_only off

-- the story of a key, a message, a delivery
SELECT at, what, state, detail, delivery_id FROM planthub.trace('key', 'K1');
SELECT at, what, site, system, endpoint, state, detail, message_id, delivery_id FROM planthub.trace('message', '11');
UPDATE planthub.held SET since = '2026-01-01 12:00:02';
SELECT planthub.release(3);
SELECT what, state, regexp_replace(detail, 'by .*', 'by <user>') AS detail FROM planthub.trace('delivery', '3') WHERE what <> 'held';
\pset tuples_only on
\pset format unaligned
SELECT planthub.show(1);
\pset format aligned
\pset tuples_only off
SELECT planthub.show(-1) IS NULL AS nothing;
SELECT * FROM planthub.trace('key', 'nothing');
SELECT planthub.trace('delivery', 'x');
SELECT planthub.trace('lot', '1');
