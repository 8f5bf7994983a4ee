-- Downtime: states as intervals, stops whose facts come in any order, maintenance, capacity and summaries.
-- needs test/lib/plant.sql
SET timezone = 'UTC';
\pset format unaligned
\pset tuples_only on

-- States lie between their changes; a late one splits an interval.
CREATE TEMP VIEW state AS SELECT state, valid, alarm FROM planthub.equipment_state WHERE equipment = 'WC' ORDER BY valid;
SELECT send('scada', 'a1', 'equipment.state_changed', '2026-01-02T08:00:00Z', '{"equipment": "WC", "from": "off", "to": "running"}'),
    send('scada', 'a2', 'equipment.state_changed', '2026-01-02T12:00:00Z', '{"equipment": "WC", "from": "running", "to": "idle"}');
SELECT * FROM state;
SELECT send('scada', 'a3', 'equipment.state_changed', '2026-01-02T10:00:00Z', '{"equipment": "WC", "from": "running", "to": "down", "alarm": "E-1"}'),
    send('scada', 'a4', 'equipment.state_changed', '2026-01-02T10:00:00Z', '{"equipment": "WC", "from": "running", "to": "setup"}');
SELECT * FROM state;
SELECT bool_and(upper(valid) = next) FROM (SELECT valid, lead(lower(valid)) OVER (ORDER BY valid) AS next FROM state) AS x WHERE next IS NOT NULL;
SELECT send('scada', 'a5', 'equipment.state_changed', '2026-01-02T12:00:00Z', '{"equipment": "NONE", "from": "running", "to": "idle"}');

-- Stops: the end, the correction, the beginning.
CREATE TEMP VIEW stop AS SELECT downtime_no, equipment, started_at, ended_at, trim_scale(minutes), reason, reasons, order_no, maintenance_order FROM planthub.downtime_event ORDER BY downtime_no;
SELECT send('mes', 'd2', 'downtime.ended', '2026-01-02T10:40:00Z', '{"downtime": "DT1", "equipment": "WC", "ended_at": "2026-01-02T10:35:00Z"}');
SELECT * FROM stop;
SELECT send('mes', 'd3', 'downtime.reason_corrected', '2026-01-02T15:00:00Z', '{"downtime": "DT1", "reason": "ELECTRICAL", "corrected_by": "s", "change_reason": "root cause"}');
SELECT send('mes', 'd1', 'downtime.started', '2026-01-02T10:01:00Z', '{"downtime": "DT1", "equipment": "WC", "started_at": "2026-01-02T10:00:00Z", "reason": "SENSOR", "order": "4711"}');
SELECT send('eam', 'm1', 'maintenance_order.status_changed', '2026-01-02T10:20:00Z', '{"maintenance_order": "WO1", "version": 2, "status": "COMP"}'),
    send('eam', 'm2', 'maintenance_order.status_changed', '2026-01-02T10:10:00Z', '{"maintenance_order": "WO1", "version": 1, "status": "INPRG"}'),
    send('eam', 'm3', 'maintenance_order.created', '2026-01-02T10:05:00Z', '{"maintenance_order": "WO1", "asset": "A1", "equipment": "WC", "work_type": "CM", "reported_at": "2026-01-02T10:05:00Z", "malfunction_start": "2026-01-02T10:00:00Z", "breakdown": true}'),
    send('eam', 'm4', 'maintenance_order.status_changed', '2026-01-02T10:10:00Z', '{"maintenance_order": "WO1", "version": 3, "status": "PLAN", "planned_start": "2026-02-02T10:10:00Z", "planned_end": "2026-02-01T10:10:00Z"}');
SELECT * FROM stop;
SELECT maintenance_order, version, status, equipment, work_type FROM planthub.maintenance_order;
SELECT * FROM published();

-- They do not overlap and do not end before they begin.
SELECT send('mes', 'd4', 'downtime.started', '2026-01-02T10:31:00Z', '{"downtime": "DT2", "equipment": "WC", "started_at": "2026-01-02T10:30:00Z", "reason": "SENSOR"}');
SELECT send('mes', 'd5', 'downtime.started', '2026-01-02T10:36:00Z', '{"downtime": "DT3", "equipment": "WC", "started_at": "2026-01-02T10:35:00Z", "reason": "SENSOR"}');
SELECT send('mes', 'd6', 'downtime.ended', '2026-01-02T10:37:00Z', '{"downtime": "DT3", "equipment": "WC", "ended_at": "2026-01-02T10:34:00Z"}');
SELECT * FROM stop;

-- Summaries: one for each window and value
SELECT send('historian', 't1', 'telemetry.summary', '2026-01-02T11:00:00Z', '{"equipment": "WC", "tag": "temp", "window_start": "2026-01-02T10:00:00Z", "window_end": "2026-01-02T11:00:00Z", "count": 3600, "min": "20.5", "max": "23.0", "mean": "21.75", "uom": "CEL"}');
SELECT send('historian', 't2', 'telemetry.summary', '2026-01-02T11:00:00Z', '{"equipment": "WC", "tag": "temp", "window_start": "2026-01-02T12:00:00Z", "window_end": "2026-01-02T11:00:00Z", "count": 1, "min": "0.0000001", "uom": "XX"}');
SELECT equipment, tag, window_start, samples, trim_scale(min_value), trim_scale(max_value), trim_scale(mean_value), uom FROM planthub.telemetry_summary;
