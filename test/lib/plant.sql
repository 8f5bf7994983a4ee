-- A small plant for tests of events: systems that may send, a work center, two stores, two items, two parties, two lots with
-- 100 pieces each.  Loaded before tests that begin with "-- needs test/lib/plant.sql".
SET client_min_messages = warning;
SELECT planthub.create_site('P1', timezone => 'Europe/Berlin');
SELECT planthub.create_system(kind || '-1', kind, site => 'P1'), planthub.set_source('urn:' || kind, kind || '-1', 'P1')
FROM unnest(ARRAY['erp', 'mes', 'wms', 'qms', 'scada', 'eam', 'supplier', 'historian']) AS kind;

-- One event of the system of that kind; shows what became of it, and why.
CREATE FUNCTION send(kind text, id text, topic text, at text, data jsonb, causation text DEFAULT NULL) RETURNS text
LANGUAGE sql AS $$
    SELECT concat_ws(' ', id || ':', r.outcome, r.code, (SELECT string_agg(format(E'\n  %s %s %s', v->>'code', v->>'pointer', v->>'detail'), '')
                                                         FROM jsonb_array_elements(r.violations) AS v))
    FROM planthub.receive(jsonb_strip_nulls(jsonb_build_object('specversion', '1.0', 'id', id, 'source', 'urn:' || kind,
        'type', format('planthub.%s.v1', topic), 'time', at, 'recordedtime', at, 'datacontenttype', 'application/json',
        'dataschema', format('urn:planthub:schema:%s:1', topic), 'partitionkey', 'k', 'correlationid', 'thread', 'causationid', causation))
        || jsonb_build_object('data', data)) AS r
$$;
CREATE FUNCTION q(value text, uom text DEFAULT 'C62') RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('value', value, 'uom', uom) $$;
-- What the hub has published by itself since the last look.
CREATE TABLE seen (id bigint);
CREATE FUNCTION published() RETURNS SETOF text LANGUAGE sql AS $$
    WITH new AS (INSERT INTO seen SELECT m.id FROM planthub.message AS m WHERE m.source IS NULL AND m.id NOT IN (SELECT s.id FROM seen AS s) RETURNING id)
    SELECT concat_ws(' ', m.topic, m.key, m.causation_id, m.data) FROM new JOIN planthub.message AS m USING (id) ORDER BY m.id
$$;
SELECT send('erp', 'e1', 'equipment.upserted', '2026-01-01T00:00:00Z', '{"equipment": "P1", "version": 1, "level": "Site", "parent": null, "active": true}'),
    send('erp', 'e2', 'equipment.upserted', '2026-01-01T00:00:00Z', '{"equipment": "WC", "version": 1, "level": "WorkCenter", "parent": "P1", "active": true}'),
    send('erp', 'e3', 'equipment.upserted', '2026-01-01T00:00:00Z', '{"equipment": "WH", "version": 1, "level": "StorageZone", "parent": "P1", "active": true}'),
    send('erp', 'e4', 'equipment.upserted', '2026-01-01T00:00:00Z', '{"equipment": "DOCK", "version": 1, "level": "StorageZone", "parent": "P1", "active": true}'),
    send('erp', 'i1', 'item.upserted', '2026-01-01T00:00:00Z', '{"item": "PUMP", "version": 1, "description": "Pump", "base_uom": "C62", "lot_controlled": true, "serial_controlled": false, "status": "active"}'),
    send('erp', 'i2', 'item.upserted', '2026-01-01T00:00:00Z', '{"item": "SEAL", "version": 1, "description": "Seal", "base_uom": "C62", "lot_controlled": true, "serial_controlled": false, "status": "active", "gtin": "04012345007770"}'),
    send('erp', 'p1', 'party.upserted', '2026-01-01T00:00:00Z', '{"party": "SUP", "version": 1, "role": "supplier", "name": "Supplier"}'),
    send('erp', 'p2', 'party.upserted', '2026-01-01T00:00:00Z', '{"party": "CUST", "version": 1, "role": "customer", "name": "Customer"}');
SELECT send('erp', 'l' || lot, 'lot.upserted', '2026-01-01T00:00:00Z', jsonb_build_object('item', 'PUMP', 'lot', lot, 'version', 1, 'status', 'unrestricted')),
    send('wms', 'o' || lot, 'inventory.adjusted', '2026-01-01T00:00:00Z', jsonb_build_object('document', 'OPEN', 'line', lot, 'item', 'PUMP', 'lot', lot,
        'location', 'WH', 'delta', q('100'), 'reason', 'OPENING'))
FROM unnest(ARRAY['A', 'B']) AS lot;
