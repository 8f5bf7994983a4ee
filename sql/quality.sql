-- Quality: holds and what they cover, nonconformances and their descendants, inspections.
-- needs test/lib/plant.sql
SET timezone = 'UTC';
\pset format unaligned
\pset tuples_only on

CREATE FUNCTION pg_temp.move(id text, lot text, qty text, place text DEFAULT 'WH') RETURNS text LANGUAGE sql AS $$
    SELECT send('wms', id, 'pick.confirmed', '2026-01-03T09:00:00Z', jsonb_build_object('pick', 'P' || id, 'task', '1', 'lines', jsonb_build_array(
        jsonb_build_object('item', 'PUMP', 'lot', lot, 'qty', q(qty), 'from', place, 'to', CASE place WHEN 'WH' THEN 'DOCK' ELSE 'WH' END))))
$$;
CREATE FUNCTION pg_temp.signed(who text) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('meaning', 'approval', 'signed_at', '2026-01-03T12:00:00Z', 'signer', who) $$;
CREATE TEMP VIEW held AS SELECT hold, item, lot, trim_scale(qty) AS qty, trim_scale(released_qty) AS released, trim_scale(on_hand_qty) AS on_hand, ncr, released_at IS NULL AS open, blocked_by FROM planthub.hold_status ORDER BY hold;

-- A hold on a part leaves the rest; at one place it does not matter at another.
SELECT send('qms', 'h1', 'hold.applied', '2026-01-03T08:00:00Z', jsonb_build_object('hold', 'H1', 'item', 'PUMP', 'lot', 'A', 'qty', q('60'), 'reason', 'LEAK'));
SELECT pg_temp.move('m1', 'A', '41');
SELECT pg_temp.move('m2', 'A', '40');
SELECT pg_temp.move('m3', 'B', '50');
SELECT send('qms', 'h2', 'hold.applied', '2026-01-03T08:00:00Z', jsonb_build_object('hold', 'H2', 'item', 'PUMP', 'lot', 'B', 'qty', q('50'),
    'locations', jsonb_build_array(jsonb_build_object('location', 'DOCK', 'qty', q('50')))));
SELECT pg_temp.move('m4', 'B', '1', 'DOCK');
SELECT pg_temp.move('m5', 'B', '10');
SELECT * FROM held;

-- A release is signed; a part of it leaves the rest held; an unknown hold is waited for.
SELECT send('qms', 'r1', 'hold.released', '2026-01-03T12:00:00Z', jsonb_build_object('hold', 'H1', 'item', 'PUMP', 'lot', 'A', 'qty', q('20'), 'reason', 'OK', 'signature', pg_temp.signed(' ')));
SELECT send('qms', 'r2', 'hold.released', '2026-01-03T12:00:00Z', jsonb_build_object('hold', 'H1', 'item', 'PUMP', 'lot', 'A', 'qty', q('20'), 'reason', 'OK', 'signature', pg_temp.signed('Q')));
SELECT send('qms', 'r3', 'hold.released', '2026-01-03T12:00:00Z', jsonb_build_object('hold', 'H3', 'item', 'PUMP', 'lot', 'A', 'qty', q('5'), 'reason', 'OK', 'signature', pg_temp.signed('Q')));
SELECT send('qms', 'h3', 'hold.applied', '2026-01-03T11:00:00Z', jsonb_build_object('hold', 'H3', 'item', 'PUMP', 'lot', 'A', 'qty', q('5')));
SELECT send('qms', 'r4', 'hold.released', '2026-01-03T12:00:00Z', jsonb_build_object('hold', 'H1', 'item', 'PUMP', 'lot', 'A', 'qty', q('40'), 'reason', 'OK', 'signature', pg_temp.signed('Q')));
SELECT * FROM held;
SELECT signer, meaning, signed_at, length(digest) FROM planthub.signature ORDER BY message_id;

-- A nonconformance holds the lot and what was made of it, diamonds once.
INSERT INTO planthub.edge (site, message_id, line, from_item, from_lot, to_item, to_lot, kind, qty, uom, event_time, recorded_at)
SELECT 'P1', 1, n, 'PUMP', f, 'PUMP', t, 'rework', 1, 'C62', now(), now() FROM (VALUES (1, 'B', 'C'), (2, 'B', 'D'), (3, 'C', 'E'), (4, 'D', 'E')) AS e (n, f, t);
SELECT * FROM planthub.descendants('P1', 'PUMP', 'B') ORDER BY 2;
SELECT count(*) >= 0 FROM published();
SELECT send('qms', 'c1', 'nonconformance.opened', '2026-01-04T08:00:00Z', jsonb_build_object('ncr', 'N1', 'item', 'PUMP', 'lot', 'B', 'qty_affected', q('100'), 'severity', 'major',
    'defect_code', 'CRACK', 'containment', 'hold_all_descendants', 'opened_by', 'ann'));
SELECT * FROM held WHERE ncr = 'N1';
SELECT * FROM published();

-- A lot that is made of a held one later is held with it.
SELECT send('erp', 'lF', 'lot.upserted', '2026-01-01T00:00:00Z', '{"item": "PUMP", "lot": "F", "version": 1, "status": "unrestricted"}'),
    send('wms', 'oF', 'inventory.adjusted', '2026-01-01T00:00:00Z', jsonb_build_object('document', 'OPEN', 'line', 'F', 'item', 'PUMP', 'lot', 'F', 'location', 'WH', 'delta', q('9'), 'reason', 'OPENING'));
SELECT pg_temp.move('f1', 'F', '1');
INSERT INTO planthub.edge (site, message_id, line, from_item, from_lot, to_item, to_lot, kind, qty, uom, event_time, recorded_at)
VALUES ('P1', 2, 1, 'PUMP', 'E', 'PUMP', 'F', 'rework', 1, 'C62', now(), now());
SELECT pg_temp.move('f2', 'F', '1');

-- Other systems acknowledge; the same from nowhere is a hold of its own.
SELECT send('wms', 'a1', 'hold.applied', '2026-01-04T08:01:00Z', jsonb_build_object('hold', 'WMS-7', 'item', 'PUMP', 'lot', 'B', 'qty', q('100')), 'c1');
SELECT send('erp', 'a2', 'inventory.status_change_posted', '2026-01-04T08:02:00Z', jsonb_build_object('document', '4900001', 'item', 'PUMP', 'lot', 'B', 'from_status', 'unrestricted', 'to_status', 'blocked', 'qty', q('100')));
SELECT hold, blocked_by FROM held WHERE lot = 'B';
SELECT system, state, document FROM planthub.hold_acknowledgement WHERE hold = 'N1/PUMP/B' ORDER BY system;

-- Without one, the ERP changes the status of stock.
SELECT send('erp', 'a3', 'inventory.status_change_posted', '2026-01-04T08:02:00Z', jsonb_build_object('document', '4900002', 'item', 'PUMP', 'lot', 'A', 'from_status', 'unrestricted', 'to_status', 'blocked', 'qty', q('70')));
SELECT send('erp', 'a4', 'inventory.status_change_posted', '2026-01-04T08:02:00Z', jsonb_build_object('document', '4900003', 'item', 'PUMP', 'lot', 'A', 'from_status', 'quality', 'to_status', 'blocked', 'qty', q('7')));
SELECT location, status, trim_scale(qty) FROM planthub.inventory_balance WHERE lot = 'A' AND qty <> 0 ORDER BY 1, 2;

-- A disposition needs somebody else than who opened it; what is left without one stays held.
CREATE FUNCTION pg_temp.decide(id text, who text[], lot text, action text, qty text, ncr text DEFAULT 'N1') RETURNS text LANGUAGE sql AS $$
    SELECT send('qms', id, 'nonconformance.dispositioned', '2026-01-05T08:00:00Z', jsonb_build_object('ncr', ncr, 'approved_by', to_jsonb(who), 'dispositions', jsonb_build_array(
        jsonb_build_object('item', 'PUMP', 'lot', lot, 'action', action, 'qty', q(qty)))))
$$;
SELECT pg_temp.decide('e1', '{}', 'B', 'scrap', '30'), pg_temp.decide('e2', '{ann,ann}', 'B', 'scrap', '30'), pg_temp.decide('e3', '{bob}', 'B', 'scrap', '101'),
    pg_temp.decide('e4', '{bob}', 'B', 'scrap', '30', 'N9');
SELECT pg_temp.decide('e5', '{ann,bob}', 'B', 'scrap', '30');
SELECT * FROM held WHERE ncr = 'N1';
SELECT pg_temp.decide('e6', '{bob}', 'B', 'use_as_is', '70');
SELECT * FROM held WHERE ncr = 'N1';
SELECT location, status, trim_scale(qty) FROM planthub.inventory_balance WHERE lot = 'B' AND qty <> 0 ORDER BY 1, 2;
SELECT ncr, lot, action, trim_scale(qty), approved_by FROM planthub.disposition ORDER BY message_id;
SELECT send('qms', 'c2', 'nonconformance.closed', '2026-01-06T08:00:00Z', '{"ncr": "N1", "closed_by": "bob", "root_cause": "casting"}');
SELECT ncr, closed_by, root_cause FROM planthub.nonconformance;
SELECT pg_temp.move('f3', 'F', '1');

-- Inspections: decision before request, results that are corrected, quantities that end in the right place
SELECT send('wms', 'g1', 'receipt.posted', '2026-01-05T09:00:00Z', jsonb_build_object('receipt', 'R1', 'line', '1', 'item', 'SEAL', 'lot', 'L1', 'qty', q('100'), 'location', 'WH',
    'stock_status', 'quality', 'purchase_order', 'PO'));
SELECT send('qms', 'i1', 'inspection.result_recorded', '2026-01-05T10:00:00Z', '{"inspection_lot": "IL1", "seq": 1, "recorded_by": "q", "characteristics": [{"code": "DIA", "value": "22.9", "uom": "MMT", "lower": "21.9", "upper": "22.1", "result": "fail"}]}'),
    send('qms', 'i2', 'inspection.result_recorded', '2026-01-05T11:00:00Z', '{"inspection_lot": "IL1", "seq": 2, "recorded_by": "q", "characteristics": [{"code": "DIA", "value": "22.0", "uom": "MMT", "lower": "21.9", "upper": "22.1", "result": "pass"}]}');
CREATE FUNCTION pg_temp.decided(id text, accepted text, rejected text, destroyed text, lot text DEFAULT 'L1', signer text DEFAULT 'Q', inspection text DEFAULT 'IL1') RETURNS text LANGUAGE sql AS $$
    SELECT send('qms', id, 'inspection.decided', '2026-01-05T12:00:00Z', jsonb_build_object('inspection_lot', inspection, 'item', 'SEAL', 'lot', lot, 'decision', 'accept', 'qty_accepted', q(accepted),
        'qty_rejected', q(rejected), 'qty_destroyed_in_test', q(destroyed), 'decided_by', 'q', 'signature', pg_temp.signed(signer)))
$$;
SELECT pg_temp.decided('j1', '90', '8', '3');
SELECT pg_temp.decided('j2', '90', '8', '2', signer => '');
SELECT pg_temp.decided('j3', '90', '8', '2', lot => 'L9', inspection => 'IL9');
SELECT pg_temp.decided('j4', '90', '-8', '2.5');
SELECT count(*) >= 0 FROM published();
SELECT pg_temp.decided('j5', '90', '8', '2');
SELECT * FROM published();
SELECT send('qms', 'i3', 'inspection.requested', '2026-01-05T09:30:00Z', jsonb_build_object('inspection_lot', 'IL1', 'item', 'SEAL', 'lot', 'L1', 'qty', q('100'), 'origin', 'goods_receipt', 'plan', 'PL1'));
SELECT status, trim_scale(qty) FROM planthub.inventory_balance WHERE lot = 'L1' AND qty <> 0 ORDER BY 1;
SELECT inspection, item, lot, trim_scale(qty), origin, decision, decided_by, trim_scale(accepted_qty), trim_scale(rejected_qty), trim_scale(destroyed_qty) FROM planthub.inspection_lot;
SELECT characteristic, value, result, recorded_by FROM planthub.inspection_result ORDER BY event_time;
SELECT * FROM planthub.stock_differences();
