-- The verbs of operators: pause, resume, release, discard, held_promote.  Workers are off; rows are laid by hand.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';

CREATE FUNCTION public.try(command text) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
    m text; d text; h text;
BEGIN
    EXECUTE command;
    RETURN NEXT 'done';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS m = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT;
    RETURN NEXT 'ERROR ' || SQLSTATE || ': ' || m;
    RETURN QUERY SELECT x FROM (VALUES ('DETAIL: ' || nullif(d, '')), ('HINT: ' || nullif(h, ''))) AS t (x) WHERE x IS NOT NULL;
END
$$;

INSERT INTO planthub.site (code, name) VALUES ('P1', 'Plant 1');
INSERT INTO planthub.system (code, kind, site) VALUES ('mes', 'mes', 'P1');
INSERT INTO planthub.endpoint (id, code, system, address) VALUES (101, 'mes-orders', 'mes', 'http://127.0.0.1:1/');
INSERT INTO planthub.lane (id, endpoint, priority) VALUES (201, 101, 5);
INSERT INTO planthub.route (id, code, topic_pattern, endpoint) VALUES (301, 'orders', 'order.#', 'mes-orders'),
    (302, 'news', 'news.#', 'mes-orders');
INSERT INTO planthub.message (id, xid, recorded_at, event_time, slot, version, site, topic, key, data)
    SELECT n, '3', now(), now(), 0, 1, 'P1', 'order.released', CASE WHEN n < 10 THEN 'A' WHEN n < 20 THEN 'B' END, '{}'
    FROM generate_series(1, 25) AS n;
INSERT INTO planthub.delivery (id, xid, message_id, lane, route, slot, message_slot, site)
    SELECT n, '3', n, 201, CASE n % 10 WHEN 9 THEN 302 ELSE 301 END, 0, 0, 'P1' FROM generate_series(1, 25) AS n;

CREATE FUNCTION public.hold(ids int[], state text, reason text DEFAULT NULL, token bigint DEFAULT NULL) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO planthub.held (delivery_id, message_id, token, lane, route, message_slot, blocks, state, site, key, reason, attempts, tries)
    SELECT d.id, d.message_id, token, d.lane, d.route, 0, d.route = 301, state, d.site, m.key, reason, 3, 4
    FROM planthub.delivery AS d JOIN planthub.message AS m ON m.id = d.message_id WHERE d.id = ANY (ids)
$$;
CREATE VIEW public.held_now AS
    SELECT delivery_id, key, state, due_at <= now() AS due, attempts, tries, reason FROM planthub.held ORDER BY delivery_id;

-- pause: what it refuses, twice is once, and the log
SELECT public.try($$SELECT planthub.pause('lane', 'x')$$);
SELECT public.try($$SELECT planthub.pause('route', 'nowhere')$$);
SELECT public.try($$SELECT planthub.pause('route', NULL)$$);
SET client_min_messages = notice;
SELECT planthub.pause('route', 'orders', 'stock taking');
SELECT planthub.pause('route', 'orders', 'again');
SELECT planthub.resume('key', 'A');
SET client_min_messages = warning;
SELECT scope, name, by = session_user AS by_me, reason FROM planthub.pause;

-- resume of a route: the oldest of each key goes, later ones wait; other routes, other reasons and paused keys stay
SELECT public.hold('{1,2,3,9,11,12,21,22}', 'paused', 'ROUTE_PAUSED');
SELECT public.hold('{4}', 'paused', 'COPY');
SELECT public.hold('{23}', 'dead', 'ATTEMPTS_USED_UP');
UPDATE planthub.held SET due_at = now() + interval '1 h', tries = 0 WHERE delivery_id = 22;
SELECT planthub.pause('key', 'B');
SELECT planthub.resume('route', 'orders');
TABLE public.held_now;
SELECT planthub.resume('key', 'B');
SELECT * FROM public.held_now WHERE key = 'B';
SELECT verb, arguments, rows FROM planthub.operation_log ORDER BY id;

-- what goes behind a dead one of its key waits for it
DELETE FROM planthub.held;
SELECT public.hold('{1}', 'dead');
SELECT public.hold('{2,3}', 'paused', 'KEY_PAUSED');
SELECT planthub.pause('key', 'A');
SELECT public.try('SELECT planthub.release(2)');
SELECT planthub.resume('key', 'A');
TABLE public.held_now;

-- release: what it refuses, and what it does
SELECT public.try('SELECT planthub.release(3)');
SELECT public.try('SELECT planthub.release(999)');
SELECT public.try('SELECT planthub.release(NULL)');
SELECT public.try('SELECT planthub.release(20)');
INSERT INTO planthub.attempt (delivery_id, message_id, started_at, duration_us, lane, n, slot, outcome, site)
    VALUES (20, 20, now(), 1000, 201, 1, 0, 'success', 'P1');
SELECT public.try('SELECT planthub.release(20)');
SELECT public.hold('{21}', 'retry', token => 7);
SELECT public.try('SELECT planthub.release(21)');
SELECT public.try($$SELECT planthub.discard(21, 'x')$$);
SELECT public.hold('{22}', 'in_doubt');
SELECT planthub.release(22);
SELECT planthub.release(1);
SELECT public.hold('{4}', 'paused', 'COPY');
SELECT planthub.release(4);
TABLE public.held_now;

-- discard: a reason is needed; the next of the key goes
SELECT public.try('SELECT planthub.discard(1, NULL)');
SELECT planthub.discard(1, 'entered by hand');
SELECT n, outcome, error FROM planthub.attempt WHERE delivery_id = 1;
TABLE public.held_now;
SELECT planthub.discard(4, 'no longer needed');
SELECT planthub.discard(2, 'no longer needed');
TABLE public.held_now;

-- held_promote: the oldest of each key, when it is blocked; a null key stands for the whole lane
DELETE FROM planthub.held;
SELECT public.hold('{1,2,11,12}', 'blocked');
SELECT public.hold('{3}', 'retry');
SELECT planthub.held_promote('{201,201,201}', '{A,A,nothing}');
TABLE public.held_now;
SELECT planthub.held_promote('{201}', '{A}');
SELECT planthub.held_promote(ARRAY[201], ARRAY[NULL]::text[]);
SELECT delivery_id, state FROM public.held_now;
SELECT planthub.held_promote(ARRAY[201], ARRAY[NULL]::text[]);

-- the log of operations cannot be changed
SELECT public.try('UPDATE planthub.operation_log SET verb = verb');
SELECT public.try('DELETE FROM planthub.operation_log');
SELECT public.try('TRUNCATE planthub.operation_log');
SELECT verb, arguments, rows FROM planthub.operation_log WHERE verb IN ('release', 'discard') ORDER BY id;
