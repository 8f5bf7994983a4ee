-- Sending again: by number, by condition, previewed, with a limit.  Workers are off; rows are laid by hand.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';

CREATE FUNCTION public.try(command text) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
    m text; h text;
BEGIN
    EXECUTE command;
    RETURN NEXT 'done';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS m = MESSAGE_TEXT, h = PG_EXCEPTION_HINT;
    RETURN NEXT 'ERROR ' || SQLSTATE || ': ' || m;
    RETURN NEXT 'HINT: ' || h;
END
$$;

INSERT INTO planthub.site (code, name) VALUES ('P1', 'Plant 1'), ('P2', 'Plant 2');
INSERT INTO planthub.system (code, kind) VALUES ('mes', 'mes'), ('wms', 'wms');
INSERT INTO planthub.endpoint (id, code, system, address) VALUES (101, 'mes-orders', 'mes', 'http://127.0.0.1:1/'),
    (102, 'wms-orders', 'wms', 'http://127.0.0.1:1/');
INSERT INTO planthub.lane (id, endpoint, priority) VALUES (201, 101, 5), (202, 102, 5);
INSERT INTO planthub.route (id, code, topic_pattern, endpoint) VALUES (301, 'mes', 'order.#', 'mes-orders'),
    (302, 'wms', 'order.#', 'wms-orders');
-- messages 1-9 for both targets; deliveries 1-9 to the MES, 11-19 to the WMS
INSERT INTO planthub.message (id, xid, recorded_at, event_time, slot, version, site, topic, key, data)
    SELECT n, '3', timestamptz '2026-01-01' + n * interval '1 h', now(), 0, 1, CASE WHEN n < 8 THEN 'P1' ELSE 'P2' END,
           CASE WHEN n < 5 THEN 'order.released' ELSE 'order.item.closed' END, CASE WHEN n % 2 = 0 THEN 'A' ELSE 'B' || n END, '{}'
    FROM generate_series(1, 9) AS n;
INSERT INTO planthub.delivery (id, xid, message_id, lane, route, slot, message_slot, site)
    SELECT t.base + m.id, '6', m.id, t.lane, t.route, 0, 0, m.site
    FROM planthub.message AS m, (VALUES (0, 201, 301), (10, 202, 302)) AS t (base, lane, route);
SELECT setval('planthub.delivery_id_seq', 100);
-- everything is claimed but 19
INSERT INTO planthub.lane_window
    SELECT 1, 1, now(), 1, 1, l.last, 0, 100, 0, NULL, l.id, 0, 9, 0, 0, false, true, '5:5:', '9:9:'
    FROM (VALUES (201, 9), (202, 18)) AS l (id, last);
INSERT INTO planthub.attempt (delivery_id, message_id, started_at, duration_us, lane, n, status, slot, outcome, site)
    SELECT d.id, d.message_id, now(), 1000, d.lane, 1, 200, 0, CASE d.id WHEN 3 THEN 'expired' WHEN 4 THEN 'duplicate' ELSE 'success' END, d.site
    FROM planthub.delivery AS d WHERE d.id NOT IN (2, 6, 8, 9, 11, 12, 13, 19);
INSERT INTO planthub.held (delivery_id, message_id, lane, route, message_slot, state, site, key, attempts, tries, token, reason, due_at)
    SELECT d.id, d.message_id, d.lane, d.route, 0, h.state, d.site, m.key, 12, 15, h.token, h.reason, h.due
    FROM (VALUES (2, 'dead', NULL::bigint, 'ATTEMPTS_USED_UP', NULL::timestamptz), (6, 'blocked', NULL, NULL, NULL), (11, 'dead', NULL, NULL, NULL),
                 (12, 'retry', 9, NULL, '2026-01-01'), (13, 'paused', NULL, 'ROUTE_PAUSED', NULL)) AS h (id, state, token, reason, due)
    JOIN planthub.delivery AS d ON d.id = h.id JOIN planthub.message AS m ON m.id = d.message_id;
SELECT delivery_id, endpoint, key, state, attempts FROM planthub.delivery_status ORDER BY 1;

SELECT public.try('SELECT planthub.replay()');
SELECT public.try($$SELECT planthub.replay(states => '{dead,lost}')$$);
SELECT public.try('SELECT planthub.replay(1, at_most_per_second => 0)');

-- a preview changes nothing but the sequence
BEGIN;
SELECT * FROM planthub.replay(endpoint => 'mes-orders');
ROLLBACK;
SELECT count(*) FROM planthub.delivery;
SELECT state, attempts FROM planthub.held WHERE delivery_id = 2;
SELECT setval('planthub.delivery_id_seq', 100);

-- by delivery, by message
SELECT * FROM planthub.replay(1);
SELECT * FROM planthub.replay(message_id => 2, reason => 'the MES was restored from a backup');
SELECT public.try('SELECT planthub.replay(12345)');
SELECT public.try('SELECT planthub.replay(message_id => 12345)');
SELECT id, message_id, replay_of, lane, route, slot, message_slot, site, not_before, xid > '6' AS own_xid
    FROM planthub.delivery WHERE id > 100;
SELECT delivery_id, state, attempts, tries, due_at IS NOT NULL AS due, reason FROM planthub.held ORDER BY 1;

-- by condition: paused ones stay paused, what is on its way is left alone
INSERT INTO planthub.pause (scope, name) VALUES ('route', 'wms');
SELECT * FROM planthub.replay(endpoint => 'wms-orders', site => 'P1', recorded_to => '2026-01-01 05:00');
DELETE FROM planthub.pause;
SELECT * FROM planthub.replay(states => '{paused,dead}');
SELECT delivery_id, endpoint, action FROM planthub.replay(topic => 'order.*');
SELECT delivery_id, endpoint, action FROM planthub.replay(topic => '#.closed', route => 'mes', key => 'B7');
SELECT delivery_id, action FROM planthub.replay(topic => 'order');
SELECT delivery_id, action FROM planthub.replay(site => 'P2', states => '{queued,in_flight}');

-- not more than so many, and not faster than so many a second
SET client_min_messages = notice;
SELECT delivery_id, new_delivery_id FROM planthub.replay(states => '{delivered}', max_deliveries => 3, at_most_per_second => 2);
SET client_min_messages = warning;
SELECT replay_of, not_before - now() < interval '0.4 s' AS now, not_before - now() BETWEEN '0.4 s' AND '1.2 s' AS later
    FROM planthub.delivery WHERE not_before IS NOT NULL ORDER BY id;

-- the numbers of new deliveries rise in the order of the old ones
SELECT bool_and(n) FROM (SELECT replay_of > lag(replay_of) OVER (PARTITION BY xid ORDER BY id) FROM planthub.delivery WHERE replay_of IS NOT NULL) AS t (n);
-- what is gone cannot be repeated
TRUNCATE planthub.message_0;
SELECT delivery_id, action FROM planthub.replay(1);
SELECT arguments, rows FROM planthub.operation_log ORDER BY id;
