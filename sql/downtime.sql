-- Downtime: states as intervals, stops whose facts come in any order, maintenance, capacity and summaries.
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

-- States lie between their changes; a late one splits an interval.
CREATE TEMP VIEW state AS SELECT state, valid, alarm FROM planthub.equipment_state WHERE equipment = 'WC' ORDER BY valid;
SELECT pg_temp.send('scada', 'a1', 'equipment.state_changed', '2026-01-02T08:00:00Z', '{"equipment": "WC", "from": "off", "to": "running"}'),
    pg_temp.send('scada', 'a2', 'equipment.state_changed', '2026-01-02T12:00:00Z', '{"equipment": "WC", "from": "running", "to": "idle"}');
SELECT * FROM state;
SELECT pg_temp.send('scada', 'a3', 'equipment.state_changed', '2026-01-02T10:00:00Z', '{"equipment": "WC", "from": "running", "to": "down", "alarm": "E-1"}'),
    pg_temp.send('scada', 'a4', 'equipment.state_changed', '2026-01-02T10:00:00Z', '{"equipment": "WC", "from": "running", "to": "setup"}');
SELECT * FROM state;
SELECT bool_and(upper(valid) = next) FROM (SELECT valid, lead(lower(valid)) OVER (ORDER BY valid) AS next FROM state) AS x WHERE next IS NOT NULL;
SELECT pg_temp.send('scada', 'a5', 'equipment.state_changed', '2026-01-02T12:00:00Z', '{"equipment": "NONE", "from": "running", "to": "idle"}');

-- Stops: the end, the correction, the beginning.
CREATE TEMP VIEW stop AS SELECT downtime_no, equipment, started_at, ended_at, trim_scale(minutes), reason, reasons, order_no, maintenance_order FROM planthub.downtime_event ORDER BY downtime_no;
SELECT pg_temp.send('mes', 'd2', 'downtime.ended', '2026-01-02T10:40:00Z', '{"downtime": "DT1", "equipment": "WC", "ended_at": "2026-01-02T10:35:00Z"}');
SELECT * FROM stop;
SELECT pg_temp.send('mes', 'd3', 'downtime.reason_corrected', '2026-01-02T15:00:00Z', '{"downtime": "DT1", "reason": "ELECTRICAL", "corrected_by": "s", "change_reason": "root cause"}');
SELECT pg_temp.send('mes', 'd1', 'downtime.started', '2026-01-02T10:01:00Z', '{"downtime": "DT1", "equipment": "WC", "started_at": "2026-01-02T10:00:00Z", "reason": "SENSOR", "order": "4711"}');
SELECT pg_temp.send('eam', 'm1', 'maintenance_order.status_changed', '2026-01-02T10:20:00Z', '{"maintenance_order": "WO1", "version": 2, "status": "COMP"}'),
    pg_temp.send('eam', 'm2', 'maintenance_order.status_changed', '2026-01-02T10:10:00Z', '{"maintenance_order": "WO1", "version": 1, "status": "INPRG"}'),
    pg_temp.send('eam', 'm3', 'maintenance_order.created', '2026-01-02T10:05:00Z', '{"maintenance_order": "WO1", "asset": "A1", "equipment": "WC", "work_type": "CM", "reported_at": "2026-01-02T10:05:00Z", "malfunction_start": "2026-01-02T10:00:00Z", "breakdown": true}'),
    pg_temp.send('eam', 'm4', 'maintenance_order.status_changed', '2026-01-02T10:10:00Z', '{"maintenance_order": "WO1", "version": 3, "status": "PLAN", "planned_start": "2026-02-02T10:10:00Z", "planned_end": "2026-02-01T10:10:00Z"}');
SELECT * FROM stop;
SELECT maintenance_order, version, status, equipment, work_type FROM planthub.maintenance_order;
SELECT * FROM pg_temp.published();

-- They do not overlap and do not end before they begin.
SELECT pg_temp.send('mes', 'd4', 'downtime.started', '2026-01-02T10:31:00Z', '{"downtime": "DT2", "equipment": "WC", "started_at": "2026-01-02T10:30:00Z", "reason": "SENSOR"}');
SELECT pg_temp.send('mes', 'd5', 'downtime.started', '2026-01-02T10:36:00Z', '{"downtime": "DT3", "equipment": "WC", "started_at": "2026-01-02T10:35:00Z", "reason": "SENSOR"}');
SELECT pg_temp.send('mes', 'd6', 'downtime.ended', '2026-01-02T10:37:00Z', '{"downtime": "DT3", "equipment": "WC", "ended_at": "2026-01-02T10:34:00Z"}');
SELECT * FROM stop;

-- Summaries: one for each window and value
SELECT pg_temp.send('historian', 't1', 'telemetry.summary', '2026-01-02T11:00:00Z', '{"equipment": "WC", "tag": "temp", "window_start": "2026-01-02T10:00:00Z", "window_end": "2026-01-02T11:00:00Z", "count": 3600, "min": "20.5", "max": "23.0", "mean": "21.75", "uom": "CEL"}');
SELECT pg_temp.send('historian', 't2', 'telemetry.summary', '2026-01-02T11:00:00Z', '{"equipment": "WC", "tag": "temp", "window_start": "2026-01-02T12:00:00Z", "window_end": "2026-01-02T11:00:00Z", "count": 1, "min": "0.0000001", "uom": "XX"}');
SELECT equipment, tag, window_start, samples, trim_scale(min_value), trim_scale(max_value), trim_scale(mean_value), uom FROM planthub.telemetry_summary;
