-- Production: what a confirmation takes, makes and adds up to; issues, returns, receipts; what is taken back.
-- needs test/lib/plant.sql
SET timezone = 'UTC';
\pset format unaligned
\pset tuples_only on

CREATE FUNCTION pg_temp.item(id text, uom text, lots boolean, version bigint DEFAULT 1, more jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
    SELECT send('erp', 'i-' || id || version, 'item.upserted', '2026-01-01T00:00:00Z', jsonb_build_object('item', id, 'version', version, 'description', id, 'base_uom', uom,
        'lot_controlled', lots, 'serial_controlled', false, 'status', 'active') || more)
$$;
SELECT pg_temp.item('GREASE', 'KGM', false), pg_temp.item('LABEL', 'C62', false), pg_temp.item('SCREW', 'C62', false), pg_temp.item('NUT', 'C62', false);
SELECT send('erp', 'u1', 'uom_conversion.upserted', '2026-01-01T00:00:00Z', '{"item": "SCREW", "from": "XBX", "to": "C62", "numerator": "250", "denominator": "1"}');
SELECT send('erp', 'ls' || lot, 'lot.upserted', '2026-01-01T00:00:00Z', jsonb_build_object('item', 'SEAL', 'lot', lot, 'version', 1, 'status', 'unrestricted')) FROM unnest(ARRAY['S1', 'S2']) AS lot;
SELECT send('wms', 'st' || n, 'inventory.adjusted', '2026-01-01T00:00:00Z', jsonb_build_object('document', 'OPEN', 'line', n::text, 'item', item, 'lot', lot, 'location', 'DOCK', 'delta', q(qty, uom), 'reason', 'OPENING'))
FROM (VALUES (1, 'SEAL', 'S1', '500', 'C62'), (2, 'SEAL', 'S2', '500', 'C62'), (3, 'GREASE', NULL, '10000', 'GRM'), (4, 'LABEL', NULL, '1000', 'C62'), (5, 'SCREW', NULL, '4', 'XBX'), (6, 'NUT', NULL, '1000', 'C62')) AS x (n, item, lot, qty, uom);
SELECT item, lot, trim_scale(qty), uom FROM planthub.inventory_balance WHERE location = 'DOCK' ORDER BY 1, 2;

-- An order: versions of any size, backflushed thirds of a label, a component that may be replaced
SELECT send('erp', 'b1', 'bom.released', '2026-01-01T00:00:00Z', jsonb_build_object('item', 'PUMP', 'bom', 'PUMP', 'version', '1', 'base_qty', q('1'), 'lines', jsonb_build_array(
    jsonb_build_object('line', '30', 'item', 'SCREW', 'qty', q('2'), 'substitutes', '["NUT"]'::jsonb))));
CREATE FUNCTION pg_temp.release(no text, version bigint, qty text, more jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
    SELECT send('erp', 'r' || no || '-' || version, 'production_order.released', '2026-01-02T06:00:00Z', jsonb_build_object('order', no, 'version', version, 'site', 'P1', 'item', 'PUMP', 'qty', q(qty),
        'bom_version', '1', 'routing_version', '1', 'planned_start', '2026-01-02T07:00:00Z', 'planned_end', '2026-01-02T17:00:00Z',
        'operations', '[{"op": "10", "work_center": "WC"}, {"op": "20", "work_center": "WC"}]'::jsonb,
        'components', jsonb_build_array(
            jsonb_build_object('line', '10', 'item', 'SEAL', 'operation', '10', 'required', q('200')),
            jsonb_build_object('line', '20', 'item', 'LABEL', 'operation', '10', 'required', q('33'), 'backflush', true, 'from_location', 'DOCK'),
            jsonb_build_object('line', '30', 'item', 'SCREW', 'operation', '10', 'required', q('200')),
            jsonb_build_object('line', '40', 'item', 'GREASE', 'operation', '10', 'required', q('1.5', 'KGM')))) || more)
$$;
SELECT pg_temp.release('M1', 20260102060000, '100');
SELECT pg_temp.release('M1', 5, '90', '{"priority": 1}');
SELECT version, trim_scale(qty), state FROM planthub.production_order;
SELECT order_no, version, applied FROM planthub.production_order_version ORDER BY message_id;
SELECT published();

CREATE FUNCTION pg_temp.confirm(id text, op text, yield text, scrap text, lot text, seals jsonb DEFAULT '{}', more jsonb DEFAULT '{}', at text DEFAULT '2026-01-02T10:00:00Z') RETURNS text LANGUAGE sql AS $$
    SELECT send('mes', 'c' || id, 'production.confirmed', at, jsonb_build_object('confirmation_id', id, 'order', 'M1', 'operation', op, 'work_center', 'WC', 'kind', 'partial',
        'yield', q(yield), 'scrap', q(scrap), 'rework', q('0'), 'output', CASE WHEN lot IS NULL THEN '[]' ELSE jsonb_build_array(jsonb_build_object('item', 'PUMP', 'lot', lot, 'qty', q(yield), 'state', 'wip')) END,
        'consumed', (SELECT coalesce(jsonb_agg(jsonb_build_object('item', 'SEAL', 'lot', s.key, 'qty', q(s.value), 'from_location', 'DOCK') ORDER BY s.key), '[]') FROM jsonb_each_text(seals) AS s)) || more)
$$;
CREATE TEMP VIEW totals AS SELECT operation, trim_scale(yield_qty) AS good, trim_scale(scrap_qty) AS scrap, state FROM planthub.operation_status WHERE order_no = 'M1' ORDER BY position;
CREATE TEMP VIEW edges AS SELECT from_lot, to_lot, kind, trim_scale(qty) AS qty, method FROM planthub.genealogy_edge WHERE reversed_by IS NULL ORDER BY 1, 2, message_id;
-- thirds of a label: 10 units take 3, 20 take 7, 30 take 10; the message says what was taken
SELECT pg_temp.confirm('1', '10', '9', '1', 'A1', '{"S1": "18"}');
SELECT data->'movements' FROM planthub.message WHERE event_id = 'c1';
SELECT pg_temp.confirm('2', '10', '10', '0', 'A1', '{"S1": "20"}'), pg_temp.confirm('3', '10', '10', '0', 'A2', '{"S1": "10", "S2": "10"}');
SELECT line, trim_scale(base_qty) FROM planthub.movement WHERE item = 'LABEL' AND kind = 'issue_to_order' ORDER BY message_id;
SELECT * FROM edges;
SELECT * FROM totals;
-- two lots at once: it is known that both came of the seal, not how much
SELECT pg_temp.confirm('4', '10', '4', '0', NULL, '{"S2": "8"}', jsonb_build_object('output', jsonb_build_array(
    jsonb_build_object('item', 'PUMP', 'lot', 'A3', 'qty', q('2')), jsonb_build_object('item', 'PUMP', 'lot', 'A4', 'qty', q('2')))));
-- consumed without an output: tied to the next one
SELECT pg_temp.confirm('5', '10', '0', '0', NULL, '{"S2": "1"}');
SELECT pg_temp.confirm('6', '10', '1', '0', 'A5');
SELECT * FROM edges WHERE to_lot IN ('A3', 'A4', 'A5');
-- substitutes count for the component, other items are remarked, backflushed ones are refused, too much is remarked
SELECT pg_temp.confirm('7', '10', '0', '0', NULL, '{}', jsonb_build_object('consumed', jsonb_build_array(jsonb_build_object('item', 'NUT', 'qty', q('1'), 'from_location', 'DOCK'))));
SELECT pg_temp.confirm('8', '10', '0', '0', NULL, '{}', jsonb_build_object('consumed', jsonb_build_array(jsonb_build_object('item', 'PUMP', 'lot', 'A', 'qty', q('1'), 'from_location', 'WH'))));
SELECT pg_temp.confirm('9', '10', '0', '0', NULL, '{}', jsonb_build_object('consumed', jsonb_build_array(jsonb_build_object('item', 'LABEL', 'qty', q('1'), 'from_location', 'DOCK'))));
SELECT pg_temp.confirm('10', '10', '0', '0', NULL, '{}', jsonb_build_object('consumed', jsonb_build_array(jsonb_build_object('item', 'GREASE', 'qty', q('1651', 'GRM'), 'from_location', 'DOCK'))));
SELECT pg_temp.confirm('10b', '10', '0', '0', NULL, '{}', jsonb_build_object('consumed', jsonb_build_array(jsonb_build_object('item', 'GREASE', 'qty', q('1', 'LTR'), 'from_location', 'DOCK'))));
SELECT line, item, trim_scale(planned), trim_scale(actual), trim_scale(standard_for_yield), trim_scale(usage_variance_vs_yield) FROM planthub.order_variance WHERE order_no = 'M1' ORDER BY line;
-- quantities and times
SELECT pg_temp.confirm('11', '10', '1.5', '0', NULL), pg_temp.confirm('12', '10', '-1', '0', NULL), pg_temp.confirm('13', '10', '1', '0', NULL, '{}', jsonb_build_object('scrap', q('1', 'KGM')));
SELECT pg_temp.confirm('14', '10', '0', '0', NULL, '{}', '{"started_at": "2026-01-02T10:00:01Z", "ended_at": "2026-01-02T10:00:00Z", "labor_time": {"value": "1", "uom": "KGM"}, "machine_time": {"value": "-1", "uom": "HUR"}}');
SELECT pg_temp.confirm('15', '10', '0', '0', NULL, '{}', '{"started_at": "2026-02-30T10:00:01Z"}');
-- sequence, tolerance, final: late partials count, later ones do not
SELECT pg_temp.confirm('20', '20', '34', '0', 'A1');
SELECT planthub.set_policy('P1', 'operation_sequence', 'reject');
SELECT pg_temp.confirm('21', '20', '1', '0', 'A1');
SELECT pg_temp.confirm('22', '10', '68', '0', 'A6');
SELECT pg_temp.confirm('23', '10', '40', '0', 'A6', '{}', '{"kind": "final"}', '2026-01-02T12:00:00Z');
SELECT pg_temp.confirm('24', '10', '1', '0', 'A6', '{}', '{}', '2026-01-02T12:00:01Z'), pg_temp.confirm('25', '10', '1', '0', 'A6', '{}', '{}', '2026-01-02T11:59:00Z');
SELECT * FROM totals;

-- What is taken back comes back whole, once, from the leaf
CREATE FUNCTION pg_temp.reverse(id text, target text) RETURNS text LANGUAGE sql AS $$
    SELECT send('mes', 'x' || id, 'production.confirmation_reversed', '2026-01-02T13:00:00Z', jsonb_build_object('reversal_id', id, 'confirmation_id', target, 'reason', 'WRONG'))
$$;
SELECT pg_temp.reverse('1', '23');
SELECT * FROM totals;
SELECT pg_temp.reverse('2', '23'), pg_temp.reverse('3', '99');
SELECT pg_temp.confirm('99', '10', '1', '0', 'A9', '{"S2": "2"}', '{}', '2026-01-02T12:30:00Z');
SELECT kind, key FROM planthub.parked_event;
SELECT count(*) FILTER (WHERE reversed_by IS NULL), count(*) FROM planthub.genealogy_edge WHERE to_lot = 'A9';
SELECT kind, trim_scale(qty), from_location, to_location, reversed_line FROM planthub.movement WHERE message_id IN (SELECT id FROM planthub.inbox WHERE event_id IN ('c99', 'x3')) ORDER BY message_id, line;
-- received: no longer
CREATE FUNCTION pg_temp.receive_goods(id text, lot text, qty text, more jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
    SELECT send('wms', 'g' || id, 'goods.received_from_production', '2026-01-02T14:00:00Z', jsonb_build_object('document', id, 'order', 'M1', 'item', 'PUMP', 'lot', lot, 'qty', q(qty), 'to_location', 'WH') || more)
$$;
SELECT pg_temp.receive_goods('1', 'A2', '10');
SELECT pg_temp.receive_goods('2', 'A2', '1');
SELECT pg_temp.reverse('4', '3');
SELECT pg_temp.receive_goods('3', 'A3', '2', '{"sscc": "040123450000001014"}'), pg_temp.receive_goods('4', NULL, '2');
SELECT order_no, trim_scale(yield_qty), trim_scale(scrap_qty), trim_scale(received_qty), state FROM planthub.production_order_status;

-- Issue and return
SELECT send('wms', 'is1', 'material.issued', '2026-01-02T15:00:00Z', jsonb_build_object('document', 'D1', 'order', 'M1', 'item', 'SEAL', 'lot', 'S2', 'qty', q('3'), 'from_location', 'DOCK', 'output_lot', 'A2'));
SELECT send('wms', 'is2', 'material.issued', '2026-01-02T15:00:00Z', jsonb_build_object('document', 'D2', 'order', 'M1', 'item', 'SEAL', 'lot', 'S2', 'qty', q('3'), 'from_location', 'DOCK', 'output_lot', 'NONE'));
SELECT send('wms', 'rt1', 'material.returned', '2026-01-02T15:30:00Z', jsonb_build_object('document', 'D3', 'order', 'M1', 'item', 'SEAL', 'lot', 'S1', 'qty', q('49'), 'to_location', 'DOCK'));
SELECT send('wms', 'rt2', 'material.returned', '2026-01-02T15:30:00Z', jsonb_build_object('document', 'D4', 'order', 'M1', 'item', 'SEAL', 'lot', 'S1', 'qty', q('8'), 'to_location', 'DOCK'));
SELECT send('wms', 'sc1', 'material.scrapped', '2026-01-02T15:30:00Z', jsonb_build_object('document', 'D5', 'item', 'SEAL', 'lot', 'S1', 'qty', q('2'), 'from_location', 'DOCK', 'reason', 'DROPPED'));
SELECT send('wms', 'ci1', 'material.issued', '2026-01-02T15:00:00Z', jsonb_build_object('document', 'D6', 'order', 'M1', 'item', 'PUMP', 'lot', 'A2', 'qty', q('1'), 'from_location', 'WH', 'output_lot', 'A2'));
SELECT from_lot, to_lot, qty FROM edges WHERE to_lot = 'A2' ORDER BY 1, 3;
-- Counting: against the books of that time
SELECT send('wms', 'ct1', 'inventory.counted', '2026-01-02T16:00:00Z', jsonb_build_object('count', 'N1', 'item', 'LABEL', 'location', 'DOCK', 'counted', q('900'), 'counted_at', '2026-01-02T09:00:00Z'));
SELECT trim_scale(counted), trim_scale(book) FROM planthub.stock_count;
SELECT trim_scale(qty) FROM planthub.inventory_balance WHERE item = 'LABEL';
SELECT send('wms', 'ct2', 'inventory.counted', '2026-01-02T16:00:00Z', jsonb_build_object('count', 'N2', 'item', 'NUT', 'location', 'DOCK', 'counted', q('0'), 'counted_at', '2026-01-02T16:00:00Z'));
SELECT trim_scale(qty) FROM planthub.inventory_balance WHERE item = 'NUT';
-- Status: what is there in another one is not too little
SELECT send('wms', 'mv1', 'inventory.moved', '2026-01-02T16:00:00Z', jsonb_build_object('movement', 'V1', 'reason', 'x', 'lines', jsonb_build_array(jsonb_build_object('item', 'SEAL', 'lot', 'S1', 'qty', q('100'), 'from', 'DOCK', 'to', 'DOCK', 'to_status', 'quality'))));
SELECT send('wms', 'mv2', 'inventory.moved', '2026-01-02T16:00:00Z', jsonb_build_object('movement', 'V2', 'reason', 'x', 'lines', jsonb_build_array(jsonb_build_object('item', 'SEAL', 'lot', 'S1', 'qty', q('101'), 'from', 'DOCK', 'to', 'WH', 'status', 'quality'))));
SELECT send('wms', 'mv3', 'inventory.moved', '2026-01-02T16:00:00Z', jsonb_build_object('movement', 'V3', 'reason', 'x', 'lines', jsonb_build_array(jsonb_build_object('item', 'SEAL', 'lot', 'S1', 'qty', q('501'), 'from', 'DOCK', 'to', 'WH'))));
SELECT send('wms', 'sn1', 'inventory.snapshot', '2026-01-02T16:00:00Z', jsonb_build_object('snapshot_id', 'Z', 'as_of', '2026-01-02T16:00:00Z', 'page', 1, 'pages', 1, 'lines', jsonb_build_array(jsonb_build_object('item', 'GREASE', 'location', 'X', 'status', 'blocked', 'qty', q('-5', 'GRM')))));
SELECT system, location, trim_scale(qty), uom, trim_scale(base_qty) FROM planthub.stock_snapshot;
SELECT send('wms', 'ps1', 'pick.short', '2026-01-02T16:00:00Z', jsonb_build_object('pick', 'P', 'task', '1', 'order', 'M1', 'item', 'SCREW', 'requested', q('2', 'XBX'), 'available', q('125'), 'reason', 'EMPTY'));
SELECT outcome, trim_scale(requested), trim_scale(available), uom FROM planthub.pick_task;

-- Closed periods move the day, or refuse
SELECT planthub.set_policy('P1', 'open_period_from', '2026-01-03');
SELECT send('wms', 'pd1', 'material.scrapped', '2026-01-02T17:00:00Z', jsonb_build_object('document', 'D7', 'item', 'SEAL', 'lot', 'S1', 'qty', q('1'), 'from_location', 'DOCK', 'reason', 'DROPPED'));
SELECT posting_date, event_time FROM planthub.movement WHERE document = 'D7';
SELECT planthub.set_policy('P1', 'period_closed', 'reject');
SELECT send('wms', 'pd2', 'material.scrapped', '2026-01-02T17:00:00Z', jsonb_build_object('document', 'D8', 'item', 'SEAL', 'lot', 'S1', 'qty', q('1'), 'from_location', 'DOCK', 'reason', 'DROPPED'));
SELECT planthub.set_policy('P1', 'open_period_from', NULL);

-- Commands: changes that overtake each other, completion that does not add up, what is closed
SELECT send('erp', 'ch' || v, 'production_order.changed', '2026-01-02T18:00:00Z', jsonb_build_object('order', 'M1', 'version', 20260102060000 + v, 'qty', q((100 + v)::text))) FROM unnest(ARRAY[3, 2]) AS v;
SELECT trim_scale(base_qty) FROM planthub.production_order UNION ALL SELECT trim_scale(base_qty) FROM planthub.order_operation UNION ALL (SELECT trim_scale(base_required) FROM planthub.order_component ORDER BY line);
SELECT send('mes', 'ac1', 'production_order.accepted', '2026-01-02T06:00:01Z', '{"order": "M1", "version": 1, "mes_order": "MO-7"}');
SELECT canonical, system, scope FROM planthub.xref WHERE set = 'production_order';
SELECT send('mes', 'os' || k, 'operation.' || k, '2026-01-02T18:00:00Z', jsonb_build_object('order', 'M1', 'operation', op, 'work_center', 'WC') || more)
FROM (VALUES ('started', '20', '{"started_at": "2026-01-02T07:00:00Z"}'::jsonb), ('paused', '30', '{"at": "2026-01-02T08:00:00Z", "reason": "x"}')) AS x (k, op, more);
SELECT send('erp', 'te1', 'production_order.technically_completed', '2026-01-02T19:00:00Z', '{"order": "M1", "version": 9}');
SELECT pg_temp.confirm('40', '10', '1', '0', 'A6', '{}', '{}', '2026-01-02T19:00:01Z'), pg_temp.confirm('41', '10', '1', '0', 'A6', '{}', '{}', '2026-01-02T12:00:00Z');
SELECT send('erp', 'cl1', 'production_order.closed', '2026-01-03T19:00:00Z', '{"order": "M1", "version": 9}');
SELECT pg_temp.confirm('42', '10', '1', '0', 'A6', '{}', '{}', '2026-01-02T12:00:00Z'), send('erp', 'ca1', 'production_order.cancelled', '2026-01-03T20:00:00Z', '{"order": "M1", "version": 9, "reason": "x"}');
UPDATE planthub.production_order SET state = 'created';
SELECT pg_temp.confirm('43', '10', '1', '0', 'A6', '{}', '{}', '2026-01-02T12:00:00Z');
SELECT pg_temp.release('M1', 20260102060009, '200');
SELECT outcome FROM planthub.inbox WHERE event_id = 'c43';

-- Master data: versions in time, owners, units
SELECT pg_temp.item('NEW', 'C62', false), pg_temp.item('NEW', 'C62', false, 3, '{"description": "third", "valid_from": "2026-03-01T00:00:00Z"}'), pg_temp.item('NEW', 'C62', false, 2, '{"description": "second"}');
SELECT version, description, valid_from, valid_to FROM planthub.item WHERE item = 'NEW' ORDER BY 3;
SELECT pg_temp.item('SEAL', 'KGM', true, 2), pg_temp.item('ODD', 'STK', true);
SELECT send('mes', 'om1', 'item.upserted', '2026-01-02T00:00:00Z', '{"item": "NEW", "version": 9, "description": "third", "base_uom": "KGM", "lot_controlled": false, "serial_controlled": false, "status": "active"}');
SELECT send('erp', 'uc2', 'uom_conversion.upserted', '2026-01-02T00:00:00Z', '{"from": "DZN", "to": "C62", "numerator": "13", "denominator": "1"}'),
    send('erp', 'uc3', 'uom_conversion.upserted', '2026-01-02T00:00:00Z', '{"from": "DZN", "to": "C62", "numerator": "12", "denominator": "1"}');
INSERT INTO planthub.item (item, valid_from, description, base_uom, lot_controlled, serial_controlled, status) VALUES ('NEW', '2026-02-01', 'x', 'C62', false, false, 'active');

-- Everything adds up
SELECT * FROM planthub.stock_differences();
SELECT account, total FROM planthub.order_ledger AS l WHERE seq = (SELECT max(seq) FROM planthub.order_ledger AS x WHERE x.account = l.account)
    AND total <> (SELECT sum(delta) FROM planthub.order_ledger AS x WHERE x.account = l.account);
-- The books of a time are the sum of what happened until then, in whatever order it was recorded
SELECT count(*) FROM generate_series(1, 40) AS n, send('wms', 'oo' || n, 'inventory.adjusted', to_char(timestamp '2026-01-02' + n * 7 % 40 * interval '30 min', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
    jsonb_build_object('document', 'OO', 'line', n::text, 'item', 'LABEL', 'location', 'DOCK', 'delta', q(n::text), 'reason', 'OPENING')) AS s WHERE s LIKE '%: applied%';
SELECT k.item, k.lot, y.event_time FROM planthub.stock AS k JOIN planthub.stock_ledger AS y ON y.site = k.site AND y.stock_id = k.id
WHERE planthub.book_qty(k.site, k.location, k.item, k.lot, k.status, y.event_time)
    <> (SELECT sum(x.delta) FROM planthub.stock_ledger AS x WHERE x.site = k.site AND x.stock_id = k.id AND x.event_time <= y.event_time);
SELECT planthub.book_qty('P1', 'DOCK', 'LABEL', '', 'unrestricted', '2025-01-01'), planthub.book_qty('P1', 'DOCK', 'NOTHING', '', 'unrestricted', '2026-02-01');
-- and a long history before that time is not read
BEGIN;
INSERT INTO planthub.stock_ledger SELECT k.site, k.id, 1000 + n, 0, 1, n, '2026-02-01', now(), '2026-02-01' FROM planthub.stock AS k, generate_series(1, 5000) AS n WHERE k.item = 'LABEL' AND k.location = 'DOCK';
SET LOCAL enable_seqscan = off;
SET LOCAL enable_bitmapscan = off;
SELECT idx_tup_fetch AS before FROM pg_stat_xact_user_tables WHERE relname = 'stock_ledger' \gset
SELECT planthub.book_qty('P1', 'DOCK', 'LABEL', '', 'unrestricted', '2026-02-01');
SELECT idx_tup_fetch - :before < 500 AS little FROM pg_stat_xact_user_tables WHERE relname = 'stock_ledger';
ROLLBACK;

-- What is written without SQL meets the constraints and triggers of a plant all the same
CREATE TEMP TABLE seen (what text);
CREATE FUNCTION pg_temp.see() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO seen VALUES (concat_ws(' ', tg_when, tg_level, CASE WHEN tg_level = 'ROW' THEN new.item END));
    RETURN new;
END
$$;
CREATE TRIGGER see_before BEFORE INSERT ON planthub.movement FOR EACH ROW EXECUTE FUNCTION pg_temp.see();
CREATE TRIGGER see_row AFTER INSERT ON planthub.movement FOR EACH ROW EXECUTE FUNCTION pg_temp.see();
CREATE TRIGGER see_statement AFTER INSERT ON planthub.movement FOR EACH STATEMENT EXECUTE FUNCTION pg_temp.see();
CREATE FUNCTION pg_temp.see_all() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO seen SELECT concat_ws(' ', 'new table', tg_level, r.item, r.reason) FROM added AS r;
    RETURN NULL;
END
$$;
CREATE TRIGGER see_table AFTER INSERT ON planthub.movement REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION pg_temp.see_all();
CREATE TRIGGER see_table_row AFTER INSERT ON planthub.movement REFERENCING NEW TABLE AS added FOR EACH ROW EXECUTE FUNCTION pg_temp.see_all();
ALTER TABLE planthub.movement ADD CONSTRAINT no_witchcraft CHECK (reason <> 'WITCHCRAFT');
SELECT send('wms', 'tr' || n, 'inventory.adjusted', '2026-01-02T16:00:00Z', jsonb_build_object('document', 'TR', 'line', n::text, 'item', 'NUT', 'location', 'DOCK', 'delta', q('1'), 'reason', reason))
FROM (VALUES (1, 'OPENING'), (2, 'WITCHCRAFT')) AS x (n, reason);
SELECT * FROM seen;
SELECT * FROM planthub.stock_differences();
