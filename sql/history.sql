-- What facts say together: the status of lots at any instant, lines of purchase orders, outputs of orders, reservations and
-- what is left free, indicators of equipment, deadlines.
-- needs test/lib/plant.sql
SET timezone = 'UTC';
\pset format unaligned
\pset tuples_only on

-- Status of a lot: the version that holds at an instant.  One that is higher takes the place of lower ones from its event time on.
CREATE FUNCTION pg_temp.lot(version int, status text, at text, lot text DEFAULT 'A') RETURNS text LANGUAGE sql AS $$
    SELECT send('erp', format('v%s%s', lot, version), 'lot.upserted', at, jsonb_build_object('item', 'PUMP', 'lot', lot, 'version', version, 'status', status))
$$;
CREATE TEMP VIEW history AS SELECT lot, status, valid, version FROM planthub.lot_status WHERE item = 'PUMP' ORDER BY lot, valid;
SELECT pg_temp.lot(2, 'blocked', '2026-01-03T00:00:00Z'), pg_temp.lot(3, 'unrestricted', '2026-01-05T00:00:00Z');
SELECT * FROM history;
SELECT at::date, (SELECT s.status FROM planthub.lot_status AS s WHERE s.site = 'P1' AND s.item = 'PUMP' AND s.lot = 'A' AND s.valid @> at)
FROM generate_series('2025-12-31'::timestamptz, '2026-01-06', '1 day') AS at;
SELECT pg_temp.lot(4, 'restricted', '2026-01-02T00:00:00Z');
SELECT * FROM history WHERE lot = 'A';
SELECT pg_temp.lot(3, 'quality', '2026-01-09T00:00:00Z', 'B'), pg_temp.lot(2, 'blocked', '2026-01-08T00:00:00Z', 'B');
SELECT * FROM history WHERE lot = 'B';
-- the newest interval says what the lot says
SELECT count(*) FROM planthub.lot AS o
WHERE (SELECT s.status FROM planthub.lot_status AS s WHERE (s.site, s.item, s.lot) = (o.site, o.item, o.lot) AND upper_inf(s.valid)) IS DISTINCT FROM o.status;
UPDATE planthub.lot_version SET status = 'blocked';

-- Purchase orders: two notices for one line, receipts with and without a notice, with and without the line
INSERT INTO planthub.xref (set, system, scope, code, value) VALUES ('item', '*', 'party:SUP', 'SR-1', '"SEAL"'), ('item', '*', 'party:SUP', 'SR-2', '"PUMP"');
CREATE FUNCTION pg_temp.notice(id text, more jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT send('supplier', 'n' || id, 'asn.received', '2026-01-02T08:00:00Z', jsonb_build_object('asn', id, 'version', 1, 'supplier', 'SUP', 'purchase_order', 'PO1', 'eta', '2026-01-03T08:00:00Z',
        'handling_units', jsonb_build_array(jsonb_build_object('sscc', '040123450000090017', 'lines',
            (SELECT jsonb_agg(jsonb_build_object('po_line', l->>0, 'item_supplier', l->>1, 'supplier_lot', 'S1', 'qty', q(l->>2))) FROM jsonb_array_elements(more) AS l)))))
$$;
CREATE FUNCTION pg_temp.goods(line text, qty text, more jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT send('wms', 'g' || line, 'receipt.posted', '2026-01-03T09:00:00Z', jsonb_build_object('receipt', 'R1', 'line', line, 'item', 'SEAL', 'lot', 'L1', 'supplier_lot', 'S1',
        'qty', q(qty), 'location', 'WH', 'stock_status', 'unrestricted') || more)
$$;
CREATE TEMP VIEW ordered AS SELECT purchase_order, po_line, item, supplier, trim_scale(announced_qty) AS announced, trim_scale(received_qty) AS received, trim_scale(open_qty) AS open, uom
FROM planthub.purchase_order_line ORDER BY 1, 2, 3;
SELECT pg_temp.notice('A1', '[["10", "SR-1", "100"], ["20", "SR-1", "40"], ["30", "SR-2", "7"]]'), pg_temp.notice('A2', '[["10", "SR-1", "50"]]');
SELECT pg_temp.goods('1', '60', '{"asn": "A1", "po_line": "10"}'), pg_temp.goods('2', '20', '{"asn": "A2"}'), pg_temp.goods('3', '5', '{"asn": "A1"}'),
    pg_temp.goods('4', '3', '{"purchase_order": "PO1", "po_line": "10"}'), pg_temp.goods('5', '9', '{"purchase_order": "PO2", "po_line": "10"}');
SELECT * FROM ordered;
SELECT pg_temp.goods('6', '10', '{"asn": "A2", "closes_asn": true}');
SELECT * FROM ordered WHERE po_line = '10';
SELECT lot, status, lower(valid), upper_inf(valid), version FROM planthub.lot_status WHERE item = 'SEAL';

-- Outputs and reservations: what a plan names, less what was issued; stock is not changed
SELECT send('erp', 'iC', 'item.upserted', '2026-01-01T00:00:00Z', '{"item": "CHIPS", "version": 1, "description": "Chips", "base_uom": "KGM", "lot_controlled": false, "serial_controlled": false, "status": "active"}');
SELECT send('erp', 'r1', 'production_order.released', '2026-01-03T10:00:00Z', jsonb_build_object('order', 'M1', 'version', 1, 'site', 'P1', 'item', 'PUMP', 'qty', q('10'), 'bom_version', '1', 'routing_version', '1',
    'planned_start', '2026-01-03T11:00:00Z', 'planned_end', '2026-01-03T17:00:00Z', 'operations', '[{"op": "10", "work_center": "WC"}]'::jsonb,
    'components', jsonb_build_array(jsonb_build_object('line', '10', 'item', 'SEAL', 'operation', '10', 'required', q('20'), 'reserved_lot', 'L1'),
                                    jsonb_build_object('line', '20', 'item', 'SEAL', 'operation', '10', 'required', q('1')))));
SELECT send('erp', 'd1', 'delivery.created', '2026-01-03T10:00:00Z', jsonb_build_object('delivery', 'D1', 'customer', 'CUST', 'planned_ship', '2026-01-09T08:00:00Z',
    'lines', jsonb_build_array(jsonb_build_object('line', '1', 'item', 'PUMP', 'lot', 'B', 'qty', q('130')), jsonb_build_object('line', '2', 'item', 'PUMP', 'qty', q('4')))));
CREATE TEMP VIEW reserved AS SELECT kind, number, line, item, lot, trim_scale(qty), uom FROM planthub.reservation ORDER BY 1, 2, 3;
CREATE TEMP VIEW free AS SELECT item, lot, trim_scale(unrestricted_qty) AS stock, trim_scale(reserved_qty) AS reserved, trim_scale(free_qty) AS free, uom FROM planthub.free_stock ORDER BY 1, 2;
CREATE TEMP VIEW made AS SELECT order_no, item, role, trim_scale(planned_qty) AS planned, trim_scale(made_qty) AS made, uom FROM planthub.order_output ORDER BY 1, 3 DESC, 2;
SELECT * FROM reserved;
SELECT * FROM free;
SELECT * FROM made;
SELECT send('mes', 'c1', 'production.confirmed', '2026-01-03T12:00:00Z', jsonb_build_object('confirmation_id', '1', 'order', 'M1', 'operation', '10', 'work_center', 'WC', 'kind', 'partial',
    'yield', q('4'), 'scrap', q('0'), 'rework', q('0'), 'consumed', jsonb_build_array(jsonb_build_object('item', 'SEAL', 'lot', 'L1', 'qty', q('8'), 'from_location', 'WH', 'component_line', '10')),
    'output', jsonb_build_array(jsonb_build_object('item', 'PUMP', 'lot', 'N', 'qty', q('4'), 'state', 'finished'), jsonb_build_object('item', 'CHIPS', 'qty', q('1.5', 'KGM'), 'state', 'finished'))));
SELECT * FROM reserved;
SELECT * FROM free;
SELECT * FROM made;
SELECT send('mes', 'c1r', 'production.confirmation_reversed', '2026-01-03T13:00:00Z', '{"reversal_id": "X1", "confirmation_id": "1", "reason": "WRONG"}');
SELECT * FROM reserved;
SELECT * FROM made;
-- operators reserve where the plan names no lot
CREATE FUNCTION pg_temp.reserve(kind text, number text, line text, lot text, qty numeric DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
    SELECT planthub.reserve('P1', kind, number, line, lot, qty)::text
$$;
SELECT pg_temp.reserve('production_order', 'M1', '20', 'L1'), pg_temp.reserve('shipment', 'D1', '2', 'B', 4), pg_temp.reserve('shipment', 'D1', '2', 'A', 2.5);
SELECT * FROM reserved;
SELECT * FROM free;
SELECT number, line, item, lot, trim_scale(qty), by = session_user FROM planthub.reserved_lot ORDER BY 1, 2;
SELECT pg_temp.reserve('production_order', 'M1', '10', 'L1');
SELECT pg_temp.reserve('production_order', 'M1', '30', 'L1');
SELECT pg_temp.reserve('order', 'M1', '20', 'L1');
SELECT pg_temp.reserve('production_order', 'M1', '20', 'A');
SELECT pg_temp.reserve('production_order', 'M1', '20', 'L1', 2);
SELECT pg_temp.reserve('production_order', 'M1', '20', 'L1', 0);
SELECT pg_temp.reserve('production_order', 'M1', '20', 'L1', 'NaN');
SELECT pg_temp.reserve('production_order', 'M1', '20', NULL);
SELECT planthub.release_reservation('P1', 'shipment', 'D1', '2');
SELECT planthub.release_reservation('P1', 'shipment', 'D1', '2');
SELECT * FROM reserved;
SELECT verb, arguments FROM planthub.operation_log WHERE verb ~ 'reserv' ORDER BY id;
SELECT send('erp', 'x1', 'production_order.closed', '2026-01-03T14:00:00Z', '{"order": "M1", "version": 2}');
SELECT * FROM reserved;

-- Indicators: from the states of equipment; late states change them.
SELECT send('scada', 's' || n, 'equipment.state_changed', at, jsonb_build_object('equipment', 'WC', 'from', before, 'to', after))
FROM (VALUES (1, '2026-01-02T06:00:00Z', 'off', 'setup'), (2, '2026-01-02T06:30:00Z', 'setup', 'running'), (3, '2026-01-02T10:00:00Z', 'running', 'maintenance'),
    (4, '2026-01-02T11:00:00Z', 'maintenance', 'idle'), (5, '2026-01-02T12:00:00.5Z', 'idle', 'running')) AS x (n, at, before, after);
SELECT * FROM planthub.equipment_times('P1', 'WC', '2026-01-02T05:00:00Z', '2026-01-02T14:00:00Z') ORDER BY state;
CREATE FUNCTION pg_temp.kpi(kpi text, until text DEFAULT '2026-01-02T14:00:00Z', since text DEFAULT '2026-01-02T05:00:00Z', equipment text DEFAULT 'WC') RETURNS numeric LANGUAGE sql AS $$
    SELECT planthub.compute_kpi('P1', kpi, equipment, since::timestamptz, until::timestamptz)
$$;
SELECT pg_temp.kpi('availability'), pg_temp.kpi('setup_ratio'), pg_temp.kpi('availability', '2026-01-02T05:30:00Z'), pg_temp.kpi('availability', equipment => 'WH');
SELECT equipment, kpi, value, uom, inputs, to_time FROM planthub.kpi_value ORDER BY equipment, kpi, to_time;
SELECT send('scada', 's6', 'equipment.state_changed', '2026-01-02T08:00:00Z', '{"equipment": "WC", "from": "running", "to": "down"}'), pg_temp.kpi('availability');
SELECT value, inputs FROM planthub.kpi_value WHERE kpi = 'availability' AND equipment = 'WC' AND to_time = '2026-01-02T14:00:00Z';
SELECT pg_temp.kpi('oee');
SELECT pg_temp.kpi('availability', equipment => 'NONE');
SELECT pg_temp.kpi('availability', '2026-01-02T05:00:00Z');
SELECT pg_temp.kpi('availability', 'infinity');
SELECT pg_temp.kpi('availability', '2999-01-01T00:00:00Z');
SELECT pg_temp.kpi(NULL);
SELECT planthub.compute_kpi('NONE', 'availability', 'WC', '2026-01-01', '2026-01-02');

-- Deadlines that routes and policies set
SELECT planthub.create_endpoint('erp-in', 'erp-1', 'http://localhost:1'), planthub.create_route('confirm-to-erp', 'production.confirmed', 'erp-in', site => 'P1', expires_after => '2 days', acknowledge_within => '5 min'),
    planthub.create_route('all-to-erp', '#', 'erp-in'), planthub.set_policy('P1', 'park_ttl_min', '90');
SELECT kind, interface, topic_pattern, site, time_limit, escalation FROM planthub.sla_policy ORDER BY 1, 2, 4;

-- GTIN of items: 14 digits with a check digit; a site may take others with a warning, none is fine, what is older is older
CREATE FUNCTION pg_temp.gtin(version int, gtin jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT send('erp', 'gt' || gen_random_uuid(), 'item.upserted', '2026-01-02T00:00:00Z', jsonb_build_object('item', 'GASKET', 'version', version, 'description', 'Gasket', 'base_uom', 'C62',
        'lot_controlled', true, 'serial_controlled', false, 'status', 'active', 'gtin', gtin))
$$;
CREATE FUNCTION pg_temp.became(text) RETURNS text LANGUAGE sql AS $$ SELECT substr($1, strpos($1, ':') + 2) $$;
SELECT pg_temp.became(pg_temp.gtin(n, g::jsonb)) FROM (VALUES (1, '"04012345007771"'), (2, '"4012345007770"'), (3, '"0401234500777X"'), (4, '"04012345007770"'), (5, 'null'), (6, '""')) AS x (n, g);
SELECT planthub.set_policy('P1', 'gtin_check_digit', 'warn');
SELECT pg_temp.became(pg_temp.gtin(n, g::jsonb)) FROM (VALUES (7, '"4012345007770"'), (6, '"4012345007770"'), (8, '"04012345012347"')) AS x (n, g);
SELECT version, gtin FROM planthub.item WHERE item = 'GASKET' ORDER BY version;
SELECT code, planthub.has_check_digit(code, length(code)) FROM unnest(ARRAY['04012345012354', '040123450000090017', '040123450000090018', '4012345012354', '96385074', '']) AS code;
