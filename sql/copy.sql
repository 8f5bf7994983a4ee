-- Copies: silent until armed; what the original had not finished is set aside.  Rotating the logs.
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET client_min_messages = warning;
INSERT INTO planthub.site (code, name) VALUES ('P1', 'Plant 1');
INSERT INTO planthub.system (code, kind) VALUES ('mes', 'mes');
INSERT INTO planthub.endpoint (id, code, system, address) VALUES (101, 'mes-orders', 'mes', 'http://127.0.0.1:1/');
INSERT INTO planthub.lane (id, endpoint, priority) VALUES (201, 101, 5), (202, 101, 1);
INSERT INTO planthub.route (id, code, topic_pattern, endpoint) VALUES (301, 'mes', 'order.#', 'mes-orders');
INSERT INTO planthub.message (id, xid, recorded_at, event_time, slot, version, site, topic, key, data)
    SELECT n, '3', now(), now(), 1, 1, 'P1', 'order.released', CASE WHEN n < 6 THEN 'A' ELSE 'B' END, '{}'
    FROM generate_series(1, 10) AS n;
-- transactions of another server, one of them far in the future of this one
INSERT INTO planthub.delivery (id, xid, message_id, lane, route, slot, message_slot, site)
    SELECT n, CASE WHEN n % 2 = 0 THEN '3' ELSE '999999999999' END::xid8, n, 201, 301, 1, 1, 'P1' FROM generate_series(1, 10) AS n;
UPDATE planthub.delivery SET not_before = 'infinity' WHERE id = 8;     -- its condition could not be evaluated
UPDATE planthub.delivery SET not_before = '2100-01-01' WHERE id = 9;
SELECT setval('planthub.delivery_id_seq', 10);
INSERT INTO planthub.lane_window VALUES (7, 3, '2026-01-01', 6, 1, 3, 0, 100, 0, NULL, 201, 0, 3, 1, 0, true, true, '3:3:', '999999999990:999999999990:');
INSERT INTO planthub.attempt (delivery_id, message_id, started_at, duration_us, lane, n, status, slot, outcome, site)
    SELECT n, n, now(), 1000, 201, 1, 200, 1, CASE n WHEN 1 THEN 'success' WHEN 2 THEN 'expired' ELSE 'transient' END, 'P1' FROM generate_series(1, 4) AS n;
INSERT INTO planthub.held (delivery_id, message_id, due_at, lane, route, message_slot, state, site, key, token) VALUES
    (3, 3, now(), 201, 301, 1, 'retry', 'P1', 'A', 12), (4, 4, NULL, 201, 301, 1, 'blocked', 'P1', 'A', NULL),
    (6, 6, NULL, 201, 301, 1, 'dead', 'P1', 'B', NULL);
SET client_min_messages = notice;

SELECT planthub.is_armed();
SELECT planthub.arm();
UPDATE planthub.hub SET system_identifier = 1;
SELECT planthub.is_armed();
SELECT planthub.arm();
SELECT planthub.is_armed();
SELECT delivery_id, message_id, lane, route, message_slot, blocks, state, site, key, reason, token, due_at FROM planthub.held WHERE delivery_id <> 3 ORDER BY 1;
SELECT lane, batch_no, oldest_open, used_up, slot, s_old::text = s_new::text AS same, pg_visible_in_snapshot(pg_current_xact_id(), s_old) AS future
    FROM planthub.lane_window WHERE origin IS NULL AND at > '2026-02-01' ORDER BY lane;
-- no delivery of the original is ever found again by the cursor
SELECT count(*) FROM planthub.delivery AS d JOIN planthub.lane_cursor AS c ON c.lane = d.lane WHERE NOT pg_visible_in_snapshot(d.xid, c.s_old);
SELECT delivery_id, state FROM planthub.delivery_status ORDER BY 1;
SELECT verb, arguments - 'from_database' AS arguments, rows FROM planthub.operation_log;
SELECT delivery_id, action FROM planthub.replay(states => '{paused}');

-- rotate: not before its time, and never over what is open
SELECT planthub.rotate() FROM (SELECT set_config('client_min_messages', 'warning', false)) AS s;
SET client_min_messages = notice;
SELECT planthub.rotate(true);
DELETE FROM planthub.held;
INSERT INTO planthub.attempt (delivery_id, message_id, started_at, duration_us, lane, n, slot, outcome, site)
    SELECT n, n, now(), 1000, 201, 2, 1, 'success', 'P1' FROM generate_series(3, 10) AS n;
-- a delivery of another slot that no worker has taken needs the old message
INSERT INTO planthub.delivery (id, xid, message_id, replay_of, lane, route, slot, message_slot, site)
    VALUES (nextval('planthub.delivery_id_seq'), pg_current_xact_id(), 5, 5, 202, 301, 0, 1, 'P1');
SELECT planthub.rotate(true);
INSERT INTO planthub.attempt (delivery_id, message_id, started_at, duration_us, lane, n, slot, outcome, site)
    VALUES (currval('planthub.delivery_id_seq'), 5, now(), 1000, 202, 1, 0, 'success', 'P1');
-- the newest window of a lane is carried over
INSERT INTO planthub.lane_window SELECT batch_no + 1, token, '2026-03-01', oldest_open, 1, 3, 0, 100, 0, NULL, lane, 0, 3, 1, 0, true, true, s_old, s_new
    FROM planthub.lane_window WHERE lane = 201 AND slot = 0;
SELECT lane, batch_no, slot FROM planthub.lane_window ORDER BY 1, 2;
SELECT planthub.rotate(true);
SELECT lane, batch_no, at = '2026-03-01' AS carried, slot FROM planthub.lane_window ORDER BY 1, 2;
SELECT slot, slot_since > now() - interval '1 min' AS recent FROM planthub.hub;
SELECT (SELECT count(*) FROM planthub.message_1) AS messages, (SELECT count(*) FROM planthub.delivery_1) AS deliveries, (SELECT count(*) FROM planthub.attempt_1) AS attempts;
SELECT delivery_id, topic, state FROM planthub.delivery_status;
UPDATE planthub.hub SET slot_since = now() - interval '8 days';
SELECT planthub.rotate();
