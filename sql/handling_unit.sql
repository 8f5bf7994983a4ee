-- Handling units and shipments: packing, splitting, moving, shipping; what is in a unit when, and whether a delivery can leave.
-- needs test/lib/plant.sql
SET timezone = 'UTC';
\pset format unaligned
\pset tuples_only on

-- Check digits
SELECT planthub.is_sscc(s) FROM unnest(ARRAY['040123450000001013', '040123450000001014', '04012345000000101', '04012345000000101X', NULL]) AS s;

-- A unit holds what was packed less what was taken out, whatever is in it.
SELECT send('wms', 'h1', 'handling_unit.packed', '2026-01-02T10:00:00Z', jsonb_build_object('sscc', '040123450000001013', 'location', 'WH', 'triggers', 'none',
    'contents', jsonb_build_array(jsonb_build_object('item', 'PUMP', 'lot', 'A', 'qty', q('40')), jsonb_build_object('item', 'PUMP', 'lot', 'B', 'qty', q('10')))));
SELECT send('wms', 'h2', 'handling_unit.split', '2026-01-02T11:00:00Z', jsonb_build_object('from_sscc', '040123450000001013', 'to_sscc', '040123450000001020',
    'contents', jsonb_build_array(jsonb_build_object('item', 'PUMP', 'lot', 'A', 'qty', q('15')))));
SELECT sscc, state, location, item, lot, trim_scale(qty), uom FROM planthub.handling_unit_contents ORDER BY sscc, lot;
SELECT sscc, lot, trim_scale(qty), valid FROM planthub.handling_unit_content ORDER BY sscc, lot, valid;
SELECT lot, trim_scale(sum(qty)) FROM planthub.handling_unit_content WHERE valid @> timestamptz '2026-01-02 10:30Z' GROUP BY lot ORDER BY lot;

-- What is wrong is said for every unit and every line.
SELECT send('wms', 'h3', 'handling_unit.split', '2026-01-02T11:00:00Z', jsonb_build_object('from_sscc', '040123450000001013', 'to_sscc', '040123450000001021',
    'contents', jsonb_build_array(jsonb_build_object('item', 'PUMP', 'lot', 'A', 'qty', q('1')))));
SELECT send('wms', 'h4', 'handling_unit.split', '2026-01-02T11:00:00Z', jsonb_build_object('from_sscc', '040123450000001013', 'to_sscc', '040123450000001037',
    'contents', jsonb_build_array(jsonb_build_object('item', 'PUMP', 'lot', 'A', 'qty', q('20')), jsonb_build_object('item', 'PUMP', 'lot', 'A', 'qty', q('6')),
                                  jsonb_build_object('item', 'PUMP', 'lot', 'B', 'qty', q('10')))));
SELECT send('wms', 'h5', 'handling_unit.moved', '2026-01-02T12:00:00Z', '{"sscc": "040123450000001037", "from": "WH", "to": "DOCK"}');
SELECT message_id IS NOT NULL, code, kind, key FROM planthub.parked_event;

-- What was waited for releases it: a unit that is split off late moves on.
SELECT send('wms', 'h6', 'handling_unit.split', '2026-01-02T11:30:00Z', jsonb_build_object('from_sscc', '040123450000001013', 'to_sscc', '040123450000001037', 'delivery', 'D1',
    'contents', jsonb_build_array(jsonb_build_object('item', 'PUMP', 'lot', 'A', 'qty', q('25')))));
SELECT count(*) FROM planthub.parked_event;
SELECT location, lot, trim_scale(qty) FROM planthub.inventory_balance WHERE qty <> 0 ORDER BY location, lot;

-- Taken out to the last piece it is dissolved, and takes nothing any more.
SELECT send('wms', 'h7', 'handling_unit.unpacked', '2026-01-02T13:00:00Z', jsonb_build_object('sscc', '040123450000001013', 'location', 'DOCK',
    'contents', jsonb_build_array(jsonb_build_object('item', 'PUMP', 'lot', 'B', 'qty', q('10')))));
SELECT sscc, state FROM planthub.handling_unit ORDER BY sscc;
SELECT send('wms', 'h8', 'handling_unit.packed', '2026-01-02T14:00:00Z', jsonb_build_object('sscc', '040123450000001013', 'location', 'WH', 'triggers', 'none',
    'contents', jsonb_build_array(jsonb_build_object('item', 'PUMP', 'lot', 'A', 'qty', q('1')))));
SELECT location, lot, trim_scale(qty) FROM planthub.inventory_balance WHERE qty <> 0 ORDER BY location, lot;

-- Shipments: facts before the plan, the plan in any order, and what is missing at each moment.
CREATE TEMP VIEW readiness AS SELECT shipment, customer, state, ready, missing FROM planthub.shipment_readiness ORDER BY shipment;
SELECT * FROM readiness;
SELECT send('erp', 's1', 'delivery.changed', '2026-01-02T09:30:00Z', jsonb_build_object('delivery', 'D1', 'version', 2, 'lines', jsonb_build_array(
    jsonb_build_object('line', '10', 'item', 'PUMP', 'qty', q('40')))));
SELECT send('erp', 's2', 'delivery.changed', '2026-01-02T09:20:00Z', jsonb_build_object('delivery', 'D1', 'version', 1, 'lines', jsonb_build_array(
    jsonb_build_object('line', '10', 'item', 'PUMP', 'qty', q('50')))));
SELECT send('erp', 's3', 'delivery.created', '2026-01-02T09:00:00Z', jsonb_build_object('delivery', 'D1', 'customer', 'CUST', 'lines', jsonb_build_array(
    jsonb_build_object('line', '10', 'item', 'PUMP', 'qty', q('60')))));
SELECT * FROM readiness;
SELECT send('wms', 's4', 'shipment.ready', '2026-01-02T15:00:00Z', '{"delivery": "D1", "handling_units": ["040123450000001037", "040123450000001020"]}');
SELECT * FROM readiness;
SELECT send('qms', 's5', 'hold.applied', '2026-01-02T15:10:00Z', jsonb_build_object('hold', 'H1', 'item', 'PUMP', 'lot', 'A', 'qty', q('100'), 'reason', 'LEAK'));
SELECT * FROM readiness;
SELECT send('wms', 's6', 'shipment.departed', '2026-01-02T16:00:00Z', '{"delivery": "D1", "handling_units": ["040123450000001037", "040123450000001020"], "departed_at": "2026-01-02T16:00:00Z"}');
SELECT send('qms', 's7', 'hold.released', '2026-01-02T16:10:00Z', jsonb_build_object('hold', 'H1', 'item', 'PUMP', 'lot', 'A', 'qty', q('100'), 'reason', 'TIGHT',
    'signature', '{"meaning": "approval", "signed_at": "2026-01-02T16:10:00Z", "signer": "Q. Engineer"}'::jsonb));
SELECT send('wms', 's8', 'shipment.departed', '2026-01-02T16:20:00Z', '{"delivery": "D1", "handling_units": ["040123450000001037", "040123450000001020"], "departed_at": "2026-01-02T16:20:00Z", "carrier": "DHL"}');
SELECT * FROM readiness;
SELECT shipment, customer, sscc, item, lot, trim_scale(qty), uom, carrier FROM planthub.shipped_content ORDER BY sscc;
SELECT send('wms', 's9', 'shipment.departed', '2026-01-02T16:30:00Z', '{"delivery": "D1", "handling_units": ["040123450000001037"], "departed_at": "2026-01-02T16:30:00Z"}');
SELECT send('wms', 's10', 'shipment.ready', '2026-01-02T15:00:00Z', '{"delivery": "D1", "handling_units": ["040123450000001037"]}');
SELECT send('wms', 's11', 'shipment.delivered', '2026-01-04T10:00:00Z', '{"delivery": "D1", "delivered_at": "2026-01-04T10:00:00Z", "proof": "POD-1"}');
SELECT * FROM readiness;
SELECT location, lot, trim_scale(qty) FROM planthub.inventory_balance WHERE qty <> 0 ORDER BY location, lot;
SELECT kind, lot, trim_scale(base_qty), from_location, to_location, document FROM planthub.movement WHERE kind <> 'opening' ORDER BY message_id, line;
