-- Receipts: notices of suppliers, what comes of them, and differences.
-- needs test/lib/plant.sql
SET timezone = 'UTC';
\pset format unaligned
\pset tuples_only on

INSERT INTO planthub.xref (set, system, scope, code, value) VALUES ('item', '*', 'party:SUP', 'SR-1', '"SEAL"'), ('item', '*', 'party:SUP', 'SR-2', '"SEAL"'), ('item', '*', 'party:SUP', 'SR-2', '"PUMP"');
CREATE FUNCTION pg_temp.notice(id text, asn text, version int, item text, qty text, sscc text DEFAULT '040123450000090017', gtin text DEFAULT NULL, supplier text DEFAULT 'SUP') RETURNS text LANGUAGE sql AS $$
    SELECT send('supplier', id, 'asn.received', '2026-01-02T08:00:00Z', jsonb_build_object('asn', asn, 'version', version, 'supplier', supplier, 'purchase_order', 'PO1', 'eta', '2026-01-03T08:00:00Z',
        'handling_units', jsonb_build_array(jsonb_build_object('sscc', sscc, 'lines', jsonb_build_array(
            jsonb_build_object('po_line', '10', 'item_supplier', item, 'gtin', gtin, 'supplier_lot', 'S1', 'qty', q(qty)))))))
$$;
CREATE FUNCTION pg_temp.goods(id text, line text, qty text, more jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
    SELECT send('wms', id, 'receipt.posted', '2026-01-03T09:00:00Z', jsonb_build_object('receipt', 'R1', 'line', line, 'item', 'SEAL', 'lot', 'L1', 'supplier_lot', 'S1',
        'qty', q(qty), 'location', 'WH', 'stock_status', 'quality') || more)
$$;
CREATE TEMP VIEW notice AS SELECT asn, supplier, state, trim_scale(announced_qty) AS announced, trim_scale(received_qty) AS received, expected_receipt FROM planthub.asn_status ORDER BY asn;

-- The supplier's items: its cross-reference, the GTIN, neither, both
SELECT pg_temp.notice('n1', 'A1', 1, 'SR-1', '100');
SELECT pg_temp.notice('n2', 'A2', 1, 'SR-9', '100', gtin => '04012345007770');
SELECT pg_temp.notice('n3', 'A3', 1, 'SR-9', '100');
SELECT pg_temp.notice('n4', 'A4', 1, 'SR-2', '100');
SELECT pg_temp.notice('n5', 'A5', 1, 'SR-1', '100', sscc => '040123450000090018');
SELECT pg_temp.notice('n6', 'A6', 1, 'SR-1', '100.5');
SELECT pg_temp.notice('n7', 'A7', 1, 'SR-1', '100', supplier => 'NONE', gtin => '04012345007770');
SELECT planthub.set_xref('item', 'SR-9', '"SEAL"', scope => 'party:SUP') > 0, planthub.release_due();
SELECT * FROM notice;

-- A newer version takes the place of an older one, an older one does not.
SELECT pg_temp.notice('n8', 'A1', 3, 'SR-1', '120'), pg_temp.notice('n9', 'A1', 2, 'SR-1', '110');
SELECT send('wms', 'x1', 'receipt.expected_accepted', '2026-01-02T09:00:00Z', '{"asn": "A1", "wms_receipt": "R1"}'),
    send('wms', 'x2', 'receipt.expected_accepted', '2026-01-02T09:00:00Z', '{"asn": "A9", "wms_receipt": "R9"}');
SELECT * FROM notice WHERE asn = 'A1';
SELECT set, system, scope, code, canonical FROM planthub.xref WHERE set = 'document';

-- Receipts: stock, own lot, its link to the lot of the supplier
SELECT pg_temp.goods('g1', '1', '50', '{"asn": "A1", "po_line": "10", "expiry": "2027-01-01"}');
SELECT pg_temp.goods('g2', '2', '71', '{"asn": "A1", "po_line": "10"}');
SELECT pg_temp.goods('g3', '2', '65', '{"asn": "A1", "po_line": "10", "closes_asn": true}');
SELECT pg_temp.goods('g4', '3', '1', '{"asn": "A1", "item": "PUMP", "lot": "A"}');
SELECT pg_temp.goods('g5', '4', '1', '{"sscc": "040123450000090018"}');
SELECT pg_temp.goods('g6', '5', '2', '{"stock_status": "unrestricted", "lot": "L2"}');
SELECT pg_temp.goods('g7', '6', '3', '{"purchase_order": "PO1", "lot": "L3"}');
SELECT pg_temp.goods('g8', '7', '1', '{"asn": "LATER", "lot": "L4"}');
SELECT * FROM notice WHERE asn = 'A1';
SELECT lot, origin, supplier, supplier_lot, expiry FROM planthub.lot WHERE item = 'SEAL' ORDER BY lot;
SELECT from_item, from_lot, to_item, to_lot, kind, trim_scale(qty), uom FROM planthub.edge ORDER BY message_id;
SELECT lot, status, trim_scale(qty) FROM planthub.inventory_balance WHERE item = 'SEAL' ORDER BY lot, status;
SELECT * FROM published();

-- A difference is told to the planner.
SELECT send('wms', 'd1', 'receipt.discrepancy_reported', '2026-01-03T10:00:00Z', jsonb_build_object('receipt', 'R1', 'line', '2', 'asn', 'A1', 'expected', q('70'), 'received', q('65'),
    'damaged', q('5'), 'reason', 'WATER'));
SELECT send('wms', 'd2', 'receipt.discrepancy_reported', '2026-01-03T10:00:00Z', jsonb_build_object('receipt', 'R1', 'line', '2', 'asn', 'A1', 'expected', q('70'), 'received', q('65', 'KGM'), 'reason', 'X'));
SELECT receipt, line_no, asn, trim_scale(expected_qty), trim_scale(received_qty), trim_scale(damaged_qty), trim_scale(missing_qty), uom, reason FROM planthub.receipt_discrepancy;
SELECT * FROM notice WHERE asn = 'A1';
SELECT * FROM published();
SELECT site, code, kind, key, title, owner FROM planthub."case" ORDER BY id;
