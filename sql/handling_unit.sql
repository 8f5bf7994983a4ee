-- Handling units and shipments: packing, splitting, moving, shipping; what is in a unit when, and whether a delivery can leave.
SET client_min_messages = warning;
SET timezone = 'UTC';
\pset format unaligned
\pset tuples_only on
\set QUIET on
SELECT planthub.create_site('P1', timezone => 'Europe/Berlin');
SELECT planthub.create_system(kind || '-1', kind, site => 'P1'), planthub.set_source('urn:' || kind, kind || '-1', 'P1')
FROM unnest(ARRAY['erp', 'mes', 'wms', 'qms', 'scada', 'eam', 'supplier', 'historian']) AS kind;

-- One event of the system of that kind; shows what became of it, and why.
CREATE FUNCTION pg_temp.send(kind text, id text, topic text, at text, data jsonb, causation text DEFAULT NULL) RETURNS text
LANGUAGE sql AS $$
    SELECT concat_ws(' ', id || ':', r.outcome, r.code, (SELECT string_agg(format(E'\n  %s %s %s', v->>'code', v->>'pointer', v->>'detail'), '')
                                                         FROM jsonb_array_elements(r.violations) AS v))
    FROM planthub.receive(jsonb_strip_nulls(jsonb_build_object('specversion', '1.0', 'id', id, 'source', 'urn:' || kind,
        'type', format('planthub.%s.v1', topic), 'time', at, 'recordedtime', at, 'datacontenttype', 'application/json',
        'dataschema', format('urn:planthub:schema:%s:1', topic), 'partitionkey', 'k', 'correlationid', 'thread', 'causationid', causation))
        || jsonb_build_object('data', data)) AS r
$$;
CREATE FUNCTION pg_temp.q(value text, uom text DEFAULT 'C62') RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('value', value, 'uom', uom) $$;
-- What the hub has published by itself since the last look.
CREATE TEMP TABLE seen (id bigint);
CREATE FUNCTION pg_temp.published() RETURNS SETOF text LANGUAGE sql AS $$
    WITH new AS (INSERT INTO seen SELECT m.id FROM planthub.message AS m WHERE m.source IS NULL AND m.id NOT IN (SELECT s.id FROM seen AS s) RETURNING id)
    SELECT concat_ws(' ', m.topic, m.key, m.causation_id, m.data) FROM new JOIN planthub.message AS m USING (id) ORDER BY m.id
$$;
SELECT pg_temp.send('erp', 'e1', 'equipment.upserted', '2026-01-01T00:00:00Z', '{"equipment": "P1", "version": 1, "level": "Site", "parent": null, "active": true}'),
    pg_temp.send('erp', 'e2', 'equipment.upserted', '2026-01-01T00:00:00Z', '{"equipment": "WC", "version": 1, "level": "WorkCenter", "parent": "P1", "active": true}'),
    pg_temp.send('erp', 'e3', 'equipment.upserted', '2026-01-01T00:00:00Z', '{"equipment": "WH", "version": 1, "level": "StorageZone", "parent": "P1", "active": true}'),
    pg_temp.send('erp', 'e4', 'equipment.upserted', '2026-01-01T00:00:00Z', '{"equipment": "DOCK", "version": 1, "level": "StorageZone", "parent": "P1", "active": true}'),
    pg_temp.send('erp', 'i1', 'item.upserted', '2026-01-01T00:00:00Z', '{"item": "PUMP", "version": 1, "description": "Pump", "base_uom": "C62", "lot_controlled": true, "serial_controlled": false, "status": "active"}'),
    pg_temp.send('erp', 'i2', 'item.upserted', '2026-01-01T00:00:00Z', '{"item": "SEAL", "version": 1, "description": "Seal", "base_uom": "C62", "lot_controlled": true, "serial_controlled": false, "status": "active", "gtin": "04012345007770"}'),
    pg_temp.send('erp', 'p1', 'party.upserted', '2026-01-01T00:00:00Z', '{"party": "SUP", "version": 1, "role": "supplier", "name": "Supplier"}'),
    pg_temp.send('erp', 'p2', 'party.upserted', '2026-01-01T00:00:00Z', '{"party": "CUST", "version": 1, "role": "customer", "name": "Customer"}');
SELECT pg_temp.send('erp', 'l' || lot, 'lot.upserted', '2026-01-01T00:00:00Z', jsonb_build_object('item', 'PUMP', 'lot', lot, 'version', 1, 'status', 'unrestricted')),
    pg_temp.send('wms', 'o' || lot, 'inventory.adjusted', '2026-01-01T00:00:00Z', jsonb_build_object('document', 'OPEN', 'line', lot, 'item', 'PUMP', 'lot', lot,
        'location', 'WH', 'delta', pg_temp.q('100'), 'reason', 'OPENING'))
FROM unnest(ARRAY['A', 'B']) AS lot;

-- Check digits
SELECT planthub.is_sscc(s) FROM unnest(ARRAY['040123450000001013', '040123450000001014', '04012345000000101', '04012345000000101X', NULL]) AS s;

-- A unit holds what was packed less what was taken out, whatever is in it.
SELECT pg_temp.send('wms', 'h1', 'handling_unit.packed', '2026-01-02T10:00:00Z', jsonb_build_object('sscc', '040123450000001013', 'location', 'WH', 'triggers', 'none',
    'contents', jsonb_build_array(jsonb_build_object('item', 'PUMP', 'lot', 'A', 'qty', pg_temp.q('40')), jsonb_build_object('item', 'PUMP', 'lot', 'B', 'qty', pg_temp.q('10')))));
SELECT pg_temp.send('wms', 'h2', 'handling_unit.split', '2026-01-02T11:00:00Z', jsonb_build_object('from_sscc', '040123450000001013', 'to_sscc', '040123450000001020',
    'contents', jsonb_build_array(jsonb_build_object('item', 'PUMP', 'lot', 'A', 'qty', pg_temp.q('15')))));
SELECT sscc, state, location, item, lot, trim_scale(qty), uom FROM planthub.handling_unit_contents ORDER BY sscc, lot;
SELECT sscc, lot, trim_scale(qty), valid FROM planthub.handling_unit_content ORDER BY sscc, lot, valid;
SELECT lot, trim_scale(sum(qty)) FROM planthub.handling_unit_content WHERE valid @> timestamptz '2026-01-02 10:30Z' GROUP BY lot ORDER BY lot;

-- What is wrong is said for every unit and every line.
SELECT pg_temp.send('wms', 'h3', 'handling_unit.split', '2026-01-02T11:00:00Z', jsonb_build_object('from_sscc', '040123450000001013', 'to_sscc', '040123450000001021',
    'contents', jsonb_build_array(jsonb_build_object('item', 'PUMP', 'lot', 'A', 'qty', pg_temp.q('1')))));
SELECT pg_temp.send('wms', 'h4', 'handling_unit.split', '2026-01-02T11:00:00Z', jsonb_build_object('from_sscc', '040123450000001013', 'to_sscc', '040123450000001037',
    'contents', jsonb_build_array(jsonb_build_object('item', 'PUMP', 'lot', 'A', 'qty', pg_temp.q('20')), jsonb_build_object('item', 'PUMP', 'lot', 'A', 'qty', pg_temp.q('6')),
                                  jsonb_build_object('item', 'PUMP', 'lot', 'B', 'qty', pg_temp.q('10')))));
SELECT pg_temp.send('wms', 'h5', 'handling_unit.moved', '2026-01-02T12:00:00Z', '{"sscc": "040123450000001037", "from": "WH", "to": "DOCK"}');
SELECT message_id IS NOT NULL, code, kind, key FROM planthub.parked_event;

-- What was waited for releases it: a unit that is split off late moves on.
SELECT pg_temp.send('wms', 'h6', 'handling_unit.split', '2026-01-02T11:30:00Z', jsonb_build_object('from_sscc', '040123450000001013', 'to_sscc', '040123450000001037', 'delivery', 'D1',
    'contents', jsonb_build_array(jsonb_build_object('item', 'PUMP', 'lot', 'A', 'qty', pg_temp.q('25')))));
SELECT count(*) FROM planthub.parked_event;
SELECT location, lot, trim_scale(qty) FROM planthub.inventory_balance WHERE qty <> 0 ORDER BY location, lot;

-- Taken out to the last piece it is dissolved, and takes nothing any more.
SELECT pg_temp.send('wms', 'h7', 'handling_unit.unpacked', '2026-01-02T13:00:00Z', jsonb_build_object('sscc', '040123450000001013', 'location', 'DOCK',
    'contents', jsonb_build_array(jsonb_build_object('item', 'PUMP', 'lot', 'B', 'qty', pg_temp.q('10')))));
SELECT sscc, state FROM planthub.handling_unit ORDER BY sscc;
SELECT pg_temp.send('wms', 'h8', 'handling_unit.packed', '2026-01-02T14:00:00Z', jsonb_build_object('sscc', '040123450000001013', 'location', 'WH', 'triggers', 'none',
    'contents', jsonb_build_array(jsonb_build_object('item', 'PUMP', 'lot', 'A', 'qty', pg_temp.q('1')))));
SELECT location, lot, trim_scale(qty) FROM planthub.inventory_balance WHERE qty <> 0 ORDER BY location, lot;

-- Shipments: facts before the plan, the plan in any order, and what is missing at each moment.
CREATE TEMP VIEW readiness AS SELECT shipment, customer, state, ready, missing FROM planthub.shipment_readiness ORDER BY shipment;
SELECT * FROM readiness;
SELECT pg_temp.send('erp', 's1', 'delivery.changed', '2026-01-02T09:30:00Z', jsonb_build_object('delivery', 'D1', 'version', 2, 'lines', jsonb_build_array(
    jsonb_build_object('line', '10', 'item', 'PUMP', 'qty', pg_temp.q('40')))));
SELECT pg_temp.send('erp', 's2', 'delivery.changed', '2026-01-02T09:20:00Z', jsonb_build_object('delivery', 'D1', 'version', 1, 'lines', jsonb_build_array(
    jsonb_build_object('line', '10', 'item', 'PUMP', 'qty', pg_temp.q('50')))));
SELECT pg_temp.send('erp', 's3', 'delivery.created', '2026-01-02T09:00:00Z', jsonb_build_object('delivery', 'D1', 'customer', 'CUST', 'lines', jsonb_build_array(
    jsonb_build_object('line', '10', 'item', 'PUMP', 'qty', pg_temp.q('60')))));
SELECT * FROM readiness;
SELECT pg_temp.send('wms', 's4', 'shipment.ready', '2026-01-02T15:00:00Z', '{"delivery": "D1", "handling_units": ["040123450000001037", "040123450000001020"]}');
SELECT * FROM readiness;
SELECT pg_temp.send('qms', 's5', 'hold.applied', '2026-01-02T15:10:00Z', jsonb_build_object('hold', 'H1', 'item', 'PUMP', 'lot', 'A', 'qty', pg_temp.q('100'), 'reason', 'LEAK'));
SELECT * FROM readiness;
SELECT pg_temp.send('wms', 's6', 'shipment.departed', '2026-01-02T16:00:00Z', '{"delivery": "D1", "handling_units": ["040123450000001037", "040123450000001020"], "departed_at": "2026-01-02T16:00:00Z"}');
SELECT pg_temp.send('qms', 's7', 'hold.released', '2026-01-02T16:10:00Z', jsonb_build_object('hold', 'H1', 'item', 'PUMP', 'lot', 'A', 'qty', pg_temp.q('100'), 'reason', 'TIGHT',
    'signature', '{"meaning": "approval", "signed_at": "2026-01-02T16:10:00Z", "signer": "Q. Engineer"}'::jsonb));
SELECT pg_temp.send('wms', 's8', 'shipment.departed', '2026-01-02T16:20:00Z', '{"delivery": "D1", "handling_units": ["040123450000001037", "040123450000001020"], "departed_at": "2026-01-02T16:20:00Z", "carrier": "DHL"}');
SELECT * FROM readiness;
SELECT shipment, customer, sscc, item, lot, trim_scale(qty), uom, carrier FROM planthub.shipped_content ORDER BY sscc;
SELECT pg_temp.send('wms', 's9', 'shipment.departed', '2026-01-02T16:30:00Z', '{"delivery": "D1", "handling_units": ["040123450000001037"], "departed_at": "2026-01-02T16:30:00Z"}');
SELECT pg_temp.send('wms', 's10', 'shipment.ready', '2026-01-02T15:00:00Z', '{"delivery": "D1", "handling_units": ["040123450000001037"]}');
SELECT pg_temp.send('wms', 's11', 'shipment.delivered', '2026-01-04T10:00:00Z', '{"delivery": "D1", "delivered_at": "2026-01-04T10:00:00Z", "proof": "POD-1"}');
SELECT * FROM readiness;
SELECT location, lot, trim_scale(qty) FROM planthub.inventory_balance WHERE qty <> 0 ORDER BY location, lot;
SELECT kind, lot, trim_scale(base_qty), from_location, to_location, document FROM planthub.movement WHERE kind <> 'opening' ORDER BY message_id, line;
