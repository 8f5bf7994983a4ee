-- Counts of machines: one confirmation for each order, operation and shift, with its sources, in any order of arrival.
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
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
-- Sites with the same names: sources urn:<kind>:<site>, work centers WC-<site> and XC-<site>, machines M1-<site> and M2-<site>
CREATE FUNCTION pg_temp.send(site text, system text, topic text, at timestamptz, data jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', r.outcome, r.code, r.violations) FROM planthub.receive(jsonb_build_object('specversion', '1.0', 'id', md5(concat(topic, data)), 'source', concat_ws(':', 'urn', system, site),
        'type', 'planthub.' || topic || '.v1', 'time', at, 'recordedtime', at, 'datacontenttype', 'application/json',
        'dataschema', 'urn:planthub:schema:' || topic || ':1', 'partitionkey', 'k', 'correlationid', 'c', 'data', data)) AS r
$$;
CREATE FUNCTION pg_temp.total(site text, equipment text, tag text, at timestamptz, last numeric, low numeric DEFAULT NULL, high numeric DEFAULT NULL, length interval DEFAULT '1 h') RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.send(site, 'historian', 'telemetry.summary', at + length, jsonb_strip_nulls(jsonb_build_object('equipment', equipment || '-' || site, 'tag', tag, 'window_start', at, 'window_end', at + length,
        'count', 60, 'min', low::text, 'max', high::text, 'last', last::text))) WHERE tag IS NOT NULL
$$;
CREATE FUNCTION pg_temp.work(site text, kind text, order_no text, at timestamptz, center text DEFAULT 'WC') RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.send(site, 'mes', 'operation.' || kind, at, jsonb_build_object('order', order_no, 'operation', '0010', 'work_center', center || '-' || site, CASE kind WHEN 'started' THEN 'started_at' WHEN 'completed' THEN 'ended_at' ELSE 'at' END, at, 'reason', 'x'))
$$;
CREATE FUNCTION pg_temp.release(site text, order_no text, qty text, item text DEFAULT 'PART', uom text DEFAULT 'C62', components jsonb DEFAULT '[]') RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.send(site, 'erp', 'production_order.released', '2026-01-01T00:00:00Z', jsonb_build_object('order', order_no, 'version', 1, 'site', site, 'item', item,
        'qty', jsonb_build_object('value', qty, 'uom', uom), 'bom_version', NULL, 'routing_version', NULL, 'planned_start', '2026-01-15T06:00:00Z',
        'planned_end', '2026-01-15T07:00:00Z', 'operations', jsonb_build_array(jsonb_build_object('op', '0010', 'work_center', 'WC-' || site)), 'components', components))
$$;
CREATE FUNCTION pg_temp.site(site text) RETURNS void LANGUAGE sql AS $$
    SELECT planthub.create_site(site, timezone => 'Europe/Berlin');
    SELECT planthub.create_system(k || '-' || lower(site), k, site => site), planthub.set_source(concat_ws(':', 'urn', k, site), k || '-' || lower(site), site) FROM unnest(ARRAY['erp', 'mes', 'historian', 'edge']) AS k;
    SELECT planthub.set_policy(site, 'late_event_limit_h', '100000'), planthub.set_policy(site, 'negative_stock', 'allow'), planthub.set_policy(site, 'count_source', 'urn:edge:' || site);
    SELECT planthub.set_shift(site, 'early', '06:00', '14:00'), planthub.set_shift(site, 'night', '22:00', '06:00');
    SELECT pg_temp.send(site, 'erp', 'equipment.upserted', '2026-01-01T00:00:00Z', jsonb_build_object('equipment', CASE l WHEN 'Site' THEN site ELSE e || '-' || site END, 'version', 1, 'level', l, 'parent', CASE l WHEN 'Site' THEN NULL ELSE site END, 'active', true))
    FROM (VALUES ('', 'Site'), ('WC', 'WorkCenter'), ('XC', 'WorkCenter'), ('M1', 'WorkUnit'), ('M2', 'WorkUnit'), ('LINE', 'StorageZone')) AS v (e, l);
$$;
-- What confirm_counts() made, and what is confirmed of an order in the ledger
CREATE FUNCTION pg_temp.confirm(site text, until timestamptz) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT concat_ws(' ', c.order_no, c.operation, c.shift_date, c.shift, c.yield, c.scrap, c.rework, coalesce(c.outcome, 'withdrawn'), c.code) FROM planthub.confirm_counts(site, until) AS c
$$;
CREATE FUNCTION pg_temp.ledger(site text, order_no text) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', trim_scale(o.yield_qty), trim_scale(o.scrap_qty), trim_scale(o.rework_qty)) FROM planthub.operation_status AS o WHERE o.site = ledger.site AND o.order_no = ledger.order_no
$$;
SELECT pg_temp.site('P1');
SELECT DISTINCT pg_temp.send('P1', 'erp', 'item.upserted', '2026-01-01T00:00:00Z', jsonb_build_object('item', i, 'version', 1, 'description', i, 'base_uom', u, 'lot_controlled', false, 'serial_controlled', false, 'status', 'active'))
FROM (VALUES ('PART', 'C62'), ('RAW', 'KGM'), ('PASTE', 'KGM')) AS v (i, u);

-- Shifts in the time of the site, also over midnight and when clocks change
SELECT at, s.shift_date, s.shift, s.starts_at, s.ends_at, s.ends_at - s.starts_at FROM unnest(ARRAY['2026-01-15T04:59Z', '2026-01-15T05:00Z', '2026-01-15T12:59Z', '2026-01-15T13:00Z', '2026-01-15T21:00Z', '2026-03-28T23:30Z',
    '2026-03-29T03:59Z', '2026-03-29T12:00Z', '2026-10-25T00:30Z', '2026-10-25T01:30Z', '2026-10-25T05:00Z']::timestamptz[]) AS at, LATERAL planthub.shift_at('P1', at) AS s;
-- A total: read first; risen; reset between windows, within one, and both; without its least value; after a gap; overlapping
SELECT n, c.* FROM (VALUES (1, NULL::numeric, NULL, 90::numeric, 100::numeric, 100::numeric), (2, NULL, NULL, NULL, NULL, 100), (3, NULL, NULL, 0, 100, 5), (4, 100, '10:00', 100, 130, 130),
    (5, 100, '10:00', 2, 30, 30), (6, 100, '10:00', 0, 110, 7), (7, 100, '10:00', 0, 90, 7), (8, 100, '10:00', 100, 100, 100), (9, 100, '9:00', 110, 130, 130), (10, 100, '9:00', NULL, NULL, 130),
    (11, 100, '9:00', 4, 9, 9), (12, 100, '9:00', 100, 100, 100), (13, 100, '10:30', 90, 105, 105)) AS v (n, before_last, before_end, least, greatest, last),
    LATERAL planthub.counted(before_last, ('2026-01-15 ' || before_end || 'Z')::timestamptz, '2026-01-15 10:00Z', least, greatest, last) AS c ORDER BY n;
SELECT pg_temp.try($$SELECT planthub.set_counter('P1', 'M1', 'good', 'other')$$);
SELECT pg_temp.try($$SELECT planthub.set_counter('P1', 'M1', 'good', numerator => 0)$$);
SELECT pg_temp.try($$SELECT planthub.set_counter('P1', 'M1', 'good', denominator => 1.5)$$);
SELECT pg_temp.try($$SELECT planthub.set_counter('XX', 'M1', 'good')$$);
SELECT pg_temp.try($$SELECT planthub.set_shift('P1', '', '06:00', '14:00')$$);
SELECT pg_temp.try($$SELECT planthub.drop_counter('P1', 'M1', 'good')$$);
SELECT pg_temp.try($$SELECT planthub.recount('P1', 'M1', 'good', '2026-01-15')$$);
SELECT pg_temp.try($$SELECT planthub.drop_shift('P1', 'late')$$);
SELECT pg_temp.try($$SELECT planthub.confirm_counts('XX')$$);
SELECT pg_temp.try($$SELECT planthub.confirm_counts(NULL)$$);
SELECT pg_temp.try($$SELECT planthub.confirm_counts('P1', NULL)$$);

-- Two machines of a work center; one counts strokes, three of which are one piece.  Totals come before the start of the
-- operation is known, and have no effect until then.
SELECT planthub.set_counter('P1', 'M1-P1', 'good', work_center => 'WC-P1'), planthub.set_counter('P1', 'M1-P1', 'bad', 'scrap', 'WC-P1'), planthub.set_counter('P1', 'M2-P1', 'strokes', 'yield', 'WC-P1', 1, 3);
SELECT pg_temp.release('P1', 'A', '1000', components => '[{"line": "10", "item": "RAW", "required": {"value": "500", "uom": "KGM"}, "operation": "0010", "backflush": true, "from_location": "LINE-P1"}]');
SELECT pg_temp.total('P1', 'M1', 'good', '2026-01-15T04:00Z', 100, 100), pg_temp.total('P1', 'M1', 'bad', '2026-01-15T04:00Z', 0, 0), pg_temp.total('P1', 'M2', 'strokes', '2026-01-15T04:00Z', 0, 0);
SELECT pg_temp.total('P1', 'M1', 'good', '2026-01-15T05:00Z', 110, 100, 110), pg_temp.total('P1', 'M1', 'good', '2026-01-15T06:00Z', 5, 0, 120, '7 h'), pg_temp.total('P1', 'M1', 'bad', '2026-01-15T05:00Z', 3, 0, length => '8 h'),
    pg_temp.total('P1', 'M2', 'strokes', '2026-01-15T05:00Z', 11, 0, length => '8 h');
SELECT pg_temp.confirm('P1', '2026-01-15T13:00Z');
SELECT equipment, tag, window_start, order_no, shift, trim_scale(qty), denominator FROM planthub.count_part ORDER BY 1, 2, 3;
SELECT pg_temp.work('P1', 'started', 'A', '2026-01-15T05:00Z');
SELECT pg_temp.confirm('P1', '2026-01-15T12:59Z');
-- A source is needed; nothing is lost without one.
SELECT planthub.set_policy('P1', 'count_source', NULL);
SELECT pg_temp.try($$SELECT planthub.confirm_counts('P1', '2026-01-15T13:00Z')$$);
SELECT planthub.set_policy('P1', 'count_source', 'urn:edge:P1');
SELECT pg_temp.confirm('P1', '2026-01-15T13:00Z');
SELECT pg_temp.confirm('P1', '2026-01-15T13:00Z');
SELECT confirmation_id, source, kind, trim_scale(yield), trim_scale(scrap), work_center, started_at, ended_at FROM planthub.confirmation ORDER BY recorded_at;
-- It is a confirmation like any other: components are taken, and it is published.
SELECT v.kind, v.item, trim_scale(v.qty) FROM planthub.movement AS v WHERE v.site = 'P1';
SELECT m.topic, m.key, m.data->>'confirmation_id', m.data->'yield' FROM planthub.message AS m WHERE m.topic = 'production.confirmed';
SELECT counted_yield, confirmed_yield, rest_yield, rest_scrap, state FROM planthub.count_status;
-- From the confirmation to the totals, and from a total to the confirmation
SELECT confirmation_id, kind, qty, tag, window_start, window_end, last_value FROM planthub.confirmation_source ORDER BY tag, window_start;
SELECT c.confirmation_id FROM planthub.confirmation_source AS c JOIN planthub.inbox AS i ON i.id = c.source_message AND i.topic = 'telemetry.summary' WHERE i.event#>>'{data,last}' = '11';

-- The rest goes on with the next shift.
SELECT pg_temp.total('P1', 'M1', 'good', '2026-01-15T13:00Z', 5, 5, length => '16 h'), pg_temp.total('P1', 'M1', 'bad', '2026-01-15T13:00Z', 3, 3, length => '16 h'),
    pg_temp.total('P1', 'M2', 'strokes', '2026-01-15T13:00Z', 12, 11, length => '16 h');
SELECT pg_temp.confirm('P1', '2026-01-15T23:00Z');
SELECT shift_date, shift, counted_yield, confirmed_yield, rest_yield, state FROM planthub.count_status ORDER BY ends_at;

-- A gap in which something was counted is waited for until the grace is over; what comes then still reverses and replaces.
SELECT pg_temp.total('P1', 'M1', 'good', '2026-01-16T05:00Z', 10, 5), pg_temp.total('P1', 'M1', 'good', '2026-01-16T09:00Z', 40, 30, length => '5 h'),
    pg_temp.total('P1', 'M1', 'bad', '2026-01-16T05:00Z', 3, 3, length => '9 h'), pg_temp.total('P1', 'M2', 'strokes', '2026-01-16T05:00Z', 12, 12, length => '9 h');
SELECT pg_temp.confirm('P1', '2026-01-16T13:59Z');
SELECT pg_temp.confirm('P1', '2026-01-16T14:00Z');
SELECT pg_temp.release('P1', 'B', '10'), pg_temp.work('P1', 'started', 'B', '2026-01-16T08:00Z');
SELECT pg_temp.confirm('P1', '2026-01-16T14:00Z');
SELECT pg_temp.total('P1', 'M1', 'good', '2026-01-16T06:00Z', 29, 10);
SELECT pg_temp.ledger('P1', 'A'), sum(CASE kind WHEN 'reversal' THEN -qty ELSE qty END) FROM planthub.movement WHERE site = 'P1' AND order_no = 'A' GROUP BY 1;
SELECT revision, yield, reversed_by IS NOT NULL, (SELECT string_agg(trim_scale(x.qty)::text, ' ' ORDER BY x.window_start, x.qty) FROM planthub.confirmation_source AS x WHERE x.message_id = c.message_id AND x.kind = 'yield')
FROM planthub.count_confirmation AS c WHERE order_no = 'A' AND shift_date = '2026-01-16' ORDER BY revision;
-- What is refused is a case, and is tried again after the grace under the same id.
SELECT pg_temp.confirm('P1', '2026-01-16T14:00Z');
SELECT code, key, title, owner, closed_at IS NULL FROM planthub."case";
SELECT pg_temp.confirm('P1', '2026-01-16T14:59Z');
SELECT pg_temp.confirm('P1', '2026-01-16T15:00Z');
SELECT count(*), max(attempts) FROM planthub.inbox WHERE topic = 'production.confirmed' AND outcome = 'rejected' AND event#>>'{data,order}' = 'B';
SELECT state, code, retry_at FROM planthub.count_status WHERE order_no = 'B';
SELECT planthub.set_policy('P1', 'over_confirmation', 'warn');
SELECT pg_temp.confirm('P1', '2026-01-16T16:00Z');
SELECT code, key, closed_at IS NULL FROM planthub."case";
-- What is refused anew leaves the confirmation before it as it was, in the ledger and in what was published.
SELECT planthub.set_policy('P1', 'over_confirmation', 'reject'), planthub.set_counter('P1', 'M2-P1', 'redo', 'rework', 'WC-P1');
SELECT pg_temp.total('P1', 'M2', 'redo', '2026-01-16T04:00Z', 0, 0), pg_temp.total('P1', 'M2', 'redo', '2026-01-16T09:00Z', 4, 0);
SELECT pg_temp.confirm('P1', '2026-01-16T16:00Z');
SELECT pg_temp.ledger('P1', 'B'), (SELECT count(*) FROM planthub.message WHERE topic = 'production.confirmation_reversed' AND data->>'confirmation_id' LIKE 'P1/B/%');
SELECT counted_yield, counted_rework, confirmed_yield, confirmed_rework, state FROM planthub.count_status WHERE order_no = 'B';
SELECT planthub.set_policy('P1', 'over_confirmation', 'warn'), planthub.drop_counter('P1', 'M2-P1', 'redo');
SELECT pg_temp.confirm('P1', '2026-01-16T17:00Z');
SELECT pg_temp.ledger('P1', 'B'), (SELECT count(*) FROM planthub.message WHERE topic = 'production.confirmation_reversed' AND data->>'confirmation_id' LIKE 'P1/B/%');

-- What waits is withdrawn when counts change; what a person has refused stays refused until they do.
SELECT pg_temp.release('P1', 'C', '1000'), pg_temp.work('P1', 'started', 'C', '2026-01-17T05:00Z'), planthub.set_policy('P1', 'late_event_limit_h', '1');
SELECT pg_temp.total('P1', 'M1', 'good', '2026-01-17T05:00Z', 50, 40);
SELECT pg_temp.confirm('P1', '2026-01-17T14:00Z');
SELECT pg_temp.confirm('P1', '2026-01-17T14:00Z');
SELECT pg_temp.total('P1', 'M1', 'good', '2026-01-17T06:00Z', 55, 50);
SELECT pg_temp.confirm('P1', '2026-01-17T14:00Z');
SELECT i.outcome, i.event#>>'{data,yield,value}', p.message_id IS NOT NULL FROM planthub.inbox AS i LEFT JOIN planthub.parked AS p ON p.message_id = i.id WHERE i.topic = 'production.confirmed' AND i.event#>>'{data,order}' = 'C' ORDER BY i.id;
SELECT planthub.reject_parked(message_id, 'test run') FROM planthub.parked;
SELECT pg_temp.confirm('P1', '2026-01-17T20:00Z');
SELECT planthub.set_policy('P1', 'late_event_limit_h', '100000');
SELECT pg_temp.total('P1', 'M1', 'good', '2026-01-17T07:00Z', 60, 55);
SELECT pg_temp.confirm('P1', '2026-01-17T20:00Z');
SELECT pg_temp.ledger('P1', 'C');

-- A confirmation that cannot be taken back: more is confirmed besides, too much is made good by the next shift.
CREATE FUNCTION public.counter_blocked(m planthub.inbound, lines planthub.line[]) RETURNS planthub.violation[] LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT planthub.violation('REVERSAL_BLOCKED', '/data/confirmation_id', 'Shipped.') $$;
SELECT planthub.add_check('reversal', '#', 'public.counter_blocked');
SELECT pg_temp.total('P1', 'M1', 'good', '2026-01-17T08:00Z', 67, 60);
SELECT pg_temp.confirm('P1', '2026-01-17T20:00Z');
SELECT revision, yield, reversed_by IS NOT NULL, (SELECT string_agg(trim_scale(x.qty)::text, ' ' ORDER BY x.window_start) FROM planthub.confirmation_source AS x WHERE x.message_id = c.message_id) FROM planthub.count_confirmation AS c WHERE order_no = 'C' ORDER BY 1;
SELECT pg_temp.work('P1', 'paused', 'C', '2026-01-17T08:00Z'), pg_temp.work('P1', 'resumed', 'C', '2026-01-17T21:00Z');
SELECT pg_temp.confirm('P1', '2026-01-17T20:00Z');
SELECT shift, counted_yield, confirmed_yield, rest_yield, state, code FROM planthub.count_status WHERE order_no = 'C' ORDER BY ends_at;
SELECT pg_temp.total('P1', 'M1', 'good', '2026-01-17T21:00Z', 77, 67);
SELECT pg_temp.confirm('P1', '2026-01-18T08:00Z');
SELECT shift, counted_yield, confirmed_yield, rest_yield, state, code FROM planthub.count_status WHERE order_no = 'C' ORDER BY ends_at;
SELECT pg_temp.ledger('P1', 'C');
SELECT planthub.drop_check('reversal', '#', 'public.counter_blocked');
DROP FUNCTION public.counter_blocked;

-- Measured units have three decimals, as an ERP takes them.  A counter that is changed counts anew only when it is asked to.
SELECT pg_temp.release('P1', 'D', '1000', 'PASTE', 'KGM'), pg_temp.work('P1', 'started', 'D', '2026-01-19T05:00Z', 'XC'), planthub.set_counter('P1', 'M1-P1', 'paste', 'yield', 'XC-P1', 0.001, 7);
SELECT pg_temp.total('P1', 'M1', 'paste', '2026-01-19T05:00Z', 100, 0);
SELECT pg_temp.confirm('P1', '2026-01-20T00:00Z');
SELECT planthub.set_counter('P1', 'M1-P1', 'paste', 'yield', 'XC-P1', 0.5);
SELECT pg_temp.confirm('P1', '2026-01-20T00:00Z');
SELECT planthub.recount('P1', 'M1-P1', 'paste', '2026-01-19');
SELECT pg_temp.confirm('P1', '2026-01-20T00:00Z');
SELECT confirmed_yield, rest_yield FROM planthub.count_status WHERE order_no = 'D';
SELECT planthub.drop_counter('P1', 'M1-P1', 'paste'), planthub.drop_shift('P1', 'night');
SELECT shift_date, shift, starts_at, ends_at FROM planthub.shift_at('P1', '2026-01-15T22:00Z');

-- Property: three sites whose machines did the same; totals (some of which are lost, many of which come twice) and events of
-- operations arrive in a different order at each, and confirmations are made in between.  In the end what is confirmed of
-- each shift is what was made, and the rest, whatever the order.  Two orders take turns, over the night in which clocks change.
CREATE TEMP TABLE made AS SELECT tag, hour, 0 AS qty, false AS reset, false AS lost, 0::numeric AS low, 0::numeric AS high, 0::numeric AS last FROM unnest(ARRAY['x', 'y', 'z']) AS tag, generate_series(0, 47) AS hour;
CREATE TEMP TABLE run (order_no text, starts interval, ends interval, last text);
INSERT INTO run VALUES ('R1', '1:20', '8:40', 'paused'), ('R2', '8:40', '12:10', 'paused'), ('R2', '13:50', '20:30', 'completed'), ('R1', '20:30', '31:15', 'completed'), ('R3', '33:00', NULL, NULL);
DO $$
DECLARE
    m     record;
    value numeric;
    gone  boolean := false;
BEGIN
    PERFORM setseed(0.5);
    FOR m IN SELECT * FROM made ORDER BY tag, hour LOOP
        value := CASE m.hour WHEN 0 THEN 100 ELSE value END;
        m.qty := floor(random() * 40);
        m.reset := random() < 0.15 AND NOT gone;
        gone := random() < 0.08 AND NOT gone AND NOT m.reset AND m.hour BETWEEN 1 AND 46;
        UPDATE made AS x SET qty = m.qty, reset = m.reset, lost = gone, low = CASE WHEN m.reset THEN 0 ELSE value END,
            high = value + CASE WHEN m.reset THEN m.qty - m.qty / 3 ELSE m.qty END, last = CASE WHEN m.reset THEN m.qty / 3 ELSE value + m.qty END
        WHERE x.tag = m.tag AND x.hour = m.hour RETURNING x.last INTO value;
    END LOOP;
    FOR i IN 1 .. 3 LOOP
        PERFORM pg_temp.site('S' || i);
        PERFORM pg_temp.release('S' || i, o, '1000000') FROM unnest(ARRAY['R1', 'R2', 'R3']) AS o;
    END LOOP;
END
$$;
DO $$
DECLARE
    start constant timestamptz := '2026-03-28T00:00Z';
    place text;
    f     record;
BEGIN
    FOR place IN SELECT 'S' || n FROM generate_series(1, 3) AS n LOOP
        PERFORM planthub.set_counter(place, 'M1-' || place, 'x', 'yield', 'WC-' || place, 0.7), planthub.set_counter(place, 'M1-' || place, 'y', 'yield', 'WC-' || place, 1, 3),
            planthub.set_counter(place, 'M1-' || place, 'z', 'scrap', 'WC-' || place, 1, 4);
        FOR f IN SELECT * FROM (
            SELECT m.hour, m.tag, m.low, m.high, m.last, NULL AS kind, NULL AS order_no, NULL::interval AS at FROM made AS m, generate_series(1, 2) AS copy WHERE NOT m.lost AND (copy = 1 OR random() < 0.3)
            UNION ALL
            SELECT NULL, NULL, NULL, NULL, NULL, CASE WHEN r.order_no = ANY (ARRAY(SELECT b.order_no FROM run AS b WHERE b.starts < r.starts)) THEN 'resumed' ELSE 'started' END, r.order_no, r.starts FROM run AS r
            UNION ALL
            SELECT NULL, NULL, NULL, NULL, NULL, r.last, r.order_no, r.ends FROM run AS r WHERE r.last IS NOT NULL
            ) AS u ORDER BY random()
        LOOP
            IF coalesce(pg_temp.total(place, 'M1', f.tag, start + f.hour * interval '1 h', f.last, f.low, f.high), pg_temp.work(place, f.kind, f.order_no, start + f.at)) !~ '^(applied|ignored)' THEN
                RAISE EXCEPTION 'a fact was not taken';
            END IF;
            IF random() < 0.1 THEN
                PERFORM planthub.confirm_counts(place, start + floor(random() * 80)::int * interval '1 h');
            END IF;
        END LOOP;
        PERFORM planthub.confirm_counts(place, start + interval '100 h');
    END LOOP;
END
$$;
CREATE TEMP VIEW held AS    -- confirmations that hold in the ledger
SELECT c.*, k.shift_date, k.shift, k.revision FROM planthub.confirmation AS c JOIN planthub.count_confirmation AS k USING (site, message_id)
WHERE NOT EXISTS (SELECT FROM planthub.reversal AS r WHERE r.site = c.site AND r.target = c.message_id);
-- Some came too late for the first confirmation; in the end each shift has one.
SELECT site, count(*) FILTER (WHERE kind = 'reversal') > 0 FROM planthub.confirmation WHERE site LIKE 'S_' GROUP BY 1 ORDER BY 1;
SELECT site, order_no, shift_date, shift, count(*) FROM held WHERE site LIKE 'S_' GROUP BY 1, 2, 3, 4 HAVING count(*) > 1;
-- Nothing is left to do, and the ledger agrees.
SELECT count(*) > 20, count(*) FILTER (WHERE NOT settled) FROM planthub.count_shift WHERE site LIKE 'S_';
SELECT count(*) FROM planthub.count_change;
SELECT o.site, o.order_no FROM planthub.operation_status AS o
WHERE o.site LIKE 'S_' AND (o.yield_qty, o.scrap_qty) IS DISTINCT FROM (SELECT (coalesce(sum(h.yield), 0), coalesce(sum(h.scrap), 0)) FROM held AS h WHERE h.site = o.site AND h.order_no = o.order_no);
-- What was made in sixtieths: an hour belongs to the order that took most of it, of several the later one.
CREATE TEMP VIEW truth AS
SELECT w.order_no, s.shift_date, s.shift, s.ends_at, sum(CASE m.tag WHEN 'x' THEN 42 WHEN 'y' THEN 20 ELSE 0 END * m.qty) AS yield, sum(CASE m.tag WHEN 'z' THEN 15 ELSE 0 END * m.qty) AS scrap
FROM made AS m
CROSS JOIN LATERAL (
    SELECT r.order_no, greatest(r.starts, m.hour * interval '1 h') AS since FROM run AS r
    WHERE least(coalesce(r.ends, '1000 h'), (m.hour + 1) * interval '1 h') > greatest(r.starts, m.hour * interval '1 h')
    ORDER BY least(coalesce(r.ends, '1000 h'), (m.hour + 1) * interval '1 h') - greatest(r.starts, m.hour * interval '1 h') DESC, r.starts DESC LIMIT 1) AS w
CROSS JOIN LATERAL planthub.shift_at('S1', '2026-03-28T00:00Z'::timestamptz + w.since) AS s
GROUP BY 1, 2, 3, 4;
SELECT count(*) >= 8, count(DISTINCT order_no), count(*) FILTER (WHERE yield % 60 <> 0) > 3, count(*) FILTER (WHERE scrap % 60 <> 0) > 3 FROM truth;
-- Expected and confirmed, by order and shift
SELECT site, t.order_no, t.shift_date, t.shift, t.yield, h.yield, t.scrap, h.scrap
FROM (SELECT 'S' || n AS site FROM generate_series(1, 3) AS n) AS s
CROSS JOIN (SELECT order_no, shift_date, shift, floor(sum(yield) OVER w / 60) - floor((sum(yield) OVER w - yield) / 60) AS yield, floor(sum(scrap) OVER w / 60) - floor((sum(scrap) OVER w - scrap) / 60) AS scrap
            FROM truth WINDOW w AS (PARTITION BY order_no ORDER BY ends_at)) AS t
FULL JOIN (SELECT * FROM held WHERE site LIKE 'S_') AS h USING (site, order_no, shift_date, shift)
WHERE (t.yield, t.scrap) IS DISTINCT FROM (h.yield, h.scrap) AND (t.yield, t.scrap) IS DISTINCT FROM (0, 0);
-- Made is confirmed and rest, for each shift and exactly; the rest is less than one.
SELECT c.site, c.order_no, c.shift_date, c.shift FROM (SELECT x.*, lag(rest_yield, 1, 0) OVER w AS yield_before, lag(rest_scrap, 1, 0) OVER w AS scrap_before FROM planthub.count_status AS x
    WHERE site LIKE 'S_' WINDOW w AS (PARTITION BY site, order_no ORDER BY ends_at)) AS c
FULL JOIN (SELECT 'S' || n AS site, t.* FROM truth AS t, generate_series(1, 3) AS n) AS t USING (site, order_no, shift_date, shift)
WHERE (c.site IS NULL OR t.site IS NOT NULL OR (c.counted_yield, c.counted_scrap, c.confirmed_yield, c.confirmed_scrap) IS DISTINCT FROM (0, 0, 0, 0)) AND (round(t.yield / 60.0, 6) IS DISTINCT FROM c.counted_yield OR round(t.scrap / 60.0, 6) IS DISTINCT FROM c.counted_scrap
    OR abs(c.yield_before + t.yield / 60.0 - c.confirmed_yield - c.rest_yield) > 0.00001 OR abs(c.scrap_before + t.scrap / 60.0 - c.confirmed_scrap - c.rest_scrap) > 0.00001
    OR c.rest_yield NOT BETWEEN 0 AND 0.999999 OR c.rest_scrap NOT BETWEEN 0 AND 0.999999);
-- The sources of the confirmations that hold are what was counted, total for total.
SELECT * FROM (
    SELECT p.site, p.order_no, p.shift_date, p.shift, p.message_id, sum(p.qty * 60 / p.denominator) FROM planthub.count_part AS p WHERE p.site LIKE 'S_' AND p.order_no IS NOT NULL GROUP BY 1, 2, 3, 4, 5) AS counted
FULL JOIN (
    SELECT c.site, c.order_no, c.shift_date, c.shift, x.source_message AS message_id, sum(x.qty * 60 / x.denominator) FROM planthub.count_confirmation AS c JOIN planthub.count_source AS x USING (site, message_id)
    WHERE c.site LIKE 'S_' AND c.reversed_by IS NULL GROUP BY 1, 2, 3, 4, 5) AS linked USING (site, order_no, shift_date, shift, message_id)
WHERE counted.sum IS DISTINCT FROM linked.sum;
