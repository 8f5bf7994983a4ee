-- downtime: what becomes of reported states of equipment, stops, maintenance orders, capacity and measurements.
-- Re-runnable.

CREATE OR REPLACE VIEW planthub.equipment_state AS
SELECT c.site, c.equipment, c.state, tstzrange(c.event_time, lead(c.event_time) OVER w) AS valid, c.alarm, c.source, c.message_id
FROM (SELECT DISTINCT ON (s.site, s.equipment, s.event_time) s.site, s.equipment, s.event_time, s.state, s.alarm, s.source, s.message_id
      FROM planthub.equipment_state_change AS s
      ORDER BY s.site, s.equipment, s.event_time, s.message_id DESC) AS c
WINDOW w AS (PARTITION BY c.site, c.equipment ORDER BY c.event_time)
UNION ALL
(SELECT DISTINCT ON (s.site, s.equipment) s.site, s.equipment, s.from_state, tstzrange(NULL, s.event_time), NULL, s.source, s.message_id
 FROM planthub.equipment_state_change AS s
 ORDER BY s.site, s.equipment, s.event_time, s.message_id DESC);
COMMENT ON VIEW planthub.equipment_state IS 'States of equipment as intervals, without gaps and overlaps; before the first reported change lies the state it came from; a change that arrives late splits the interval it lies in';
COMMENT ON COLUMN planthub.equipment_state.site IS 'Site';
COMMENT ON COLUMN planthub.equipment_state.equipment IS 'Equipment';
COMMENT ON COLUMN planthub.equipment_state.state IS 'State';
COMMENT ON COLUMN planthub.equipment_state.valid IS 'From when to when; open at the end: still';
COMMENT ON COLUMN planthub.equipment_state.alarm IS 'Alarm that came with it';
COMMENT ON COLUMN planthub.equipment_state.source IS 'Signal or CloudEvents source';
COMMENT ON COLUMN planthub.equipment_state.message_id IS 'Message that told it';

CREATE OR REPLACE VIEW planthub.downtime_event AS
SELECT d.site, d.downtime AS downtime_no, d.equipment, d.started_at, d.ended_at,
    round(extract(epoch FROM d.ended_at - d.started_at) / 60, 3) AS minutes,
    r.reason, h.reasons, d.order_no, d.operation, m.maintenance_order, d.message_id
FROM planthub.downtime AS d
LEFT JOIN LATERAL (SELECT s.reason FROM planthub.downtime_reason AS s WHERE s.site = d.site AND s.downtime = d.downtime
                   ORDER BY s.event_time DESC, s.message_id DESC LIMIT 1) AS r ON true
LEFT JOIN LATERAL (SELECT array_agg(s.reason ORDER BY s.event_time, s.message_id) AS reasons
                   FROM (SELECT x.*, lag(x.reason) OVER (ORDER BY x.event_time, x.message_id) AS before
                         FROM planthub.downtime_reason AS x WHERE x.site = d.site AND x.downtime = d.downtime) AS s
                   WHERE s.before IS DISTINCT FROM s.reason) AS h ON true
LEFT JOIN LATERAL (SELECT o.maintenance_order FROM planthub.maintenance_order AS o
                   WHERE o.site = d.site AND o.equipment = d.equipment
                     AND (o.malfunction_start = d.started_at
                          OR o.malfunction_start IS NULL AND o.breakdown AND o.reported_at >= d.started_at
                             AND o.reported_at < coalesce(d.ended_at, 'infinity'))
                   ORDER BY o.reported_at LIMIT 1) AS m ON true;
COMMENT ON VIEW planthub.downtime_event IS 'Stops of equipment with their length, reasons and maintenance order';
COMMENT ON COLUMN planthub.downtime_event.site IS 'Site';
COMMENT ON COLUMN planthub.downtime_event.downtime_no IS 'Number of the stop';
COMMENT ON COLUMN planthub.downtime_event.equipment IS 'Equipment';
COMMENT ON COLUMN planthub.downtime_event.started_at IS 'When it stopped';
COMMENT ON COLUMN planthub.downtime_event.ended_at IS 'When it ran again; null: it stands';
COMMENT ON COLUMN planthub.downtime_event.minutes IS 'How long, in minutes';
COMMENT ON COLUMN planthub.downtime_event.reason IS 'Reason that holds';
COMMENT ON COLUMN planthub.downtime_event.reasons IS 'Reasons in the order in which they were given';
COMMENT ON COLUMN planthub.downtime_event.order_no IS 'Production order that was interrupted';
COMMENT ON COLUMN planthub.downtime_event.operation IS 'Its operation';
COMMENT ON COLUMN planthub.downtime_event.maintenance_order IS 'Maintenance order for the malfunction that began with the stop';
COMMENT ON COLUMN planthub.downtime_event.message_id IS 'First message about it';

CREATE OR REPLACE FUNCTION planthub.apply_equipment_state_changed(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    broken planthub.violation[] := planthub.check_equipment(m, 'equipment');
BEGIN
    IF planthub.stops(m, broken) THEN
        RETURN broken;
    END IF;
    INSERT INTO planthub.equipment_state_change (site, equipment, event_time, message_id, state, from_state, alarm, source)
    VALUES (m.site, m.data->>'equipment', m.event_time, m.id, m.data->>'to', m.data->>'from', m.data->>'alarm',
            coalesce(m.data->>'signal_source', m.source));
    RETURN broken;
END
$$;
COMMENT ON FUNCTION planthub.apply_equipment_state_changed(planthub.inbound) IS 'Internal: effect of equipment.state_changed';

-- Stops of one equipment do not overlap, and none ends before it begins.  "own": the stop as it would be.
CREATE OR REPLACE FUNCTION planthub.check_downtime(m planthub.inbound, own planthub.downtime, pointer text) RETURNS planthub.violation[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    other text;
BEGIN
    IF own.started_at > own.ended_at THEN
        RETURN planthub.violation('TIME_RANGE_INVALID', pointer, format('Stop %s would end at %s, before it began at %s.',
            own.downtime, own.ended_at, own.started_at));
    END IF;
    IF m.policies->>'downtime_overlap' IS DISTINCT FROM 'allow' AND own.started_at IS NOT NULL THEN
        SELECT d.downtime INTO other FROM planthub.downtime AS d
        WHERE d.site = own.site AND d.equipment = own.equipment AND d.downtime <> own.downtime AND d.started_at IS NOT NULL
          AND tstzrange(d.started_at, d.ended_at) && tstzrange(own.started_at, own.ended_at)
        ORDER BY d.started_at LIMIT 1;
        IF FOUND THEN
            RETURN planthub.violation('TIME_RANGE_INVALID', pointer, format('%s already stands at that time, in stop %s.',
                own.equipment, other));
        END IF;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION planthub.check_downtime(planthub.inbound, planthub.downtime, text) IS 'Internal: the rule TIME_RANGE_INVALID for stops';

CREATE OR REPLACE FUNCTION planthub.downtime_reason_add(m planthub.inbound, downtime text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO planthub.downtime_reason (site, downtime, event_time, message_id, reason, corrected_by, change_reason)
    SELECT m.site, downtime, m.event_time, m.id, m.data->>'reason', m.data->>'corrected_by', m.data->>'change_reason'
    WHERE m.data->>'reason' IS NOT NULL;
END
$$;
COMMENT ON FUNCTION planthub.downtime_reason_add(planthub.inbound, text) IS 'Internal: adds the reason that an event gives for a stop to its history';

-- Start, end and correction may come in any order: each fills in its part.
CREATE OR REPLACE FUNCTION planthub.apply_downtime(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    own    planthub.downtime;
    broken planthub.violation[];
BEGIN
    SELECT d.* INTO own FROM planthub.downtime AS d WHERE d.site = m.site AND d.downtime = m.data->>'downtime';
    own.site := m.site;
    own.downtime := m.data->>'downtime';
    own.message_id := coalesce(own.message_id, m.id);
    own.correlation_id := coalesce(own.correlation_id, m.correlation_id);
    IF m.topic <> 'downtime.reason_corrected' THEN
        broken := planthub.check_equipment(m, 'equipment');
        own.equipment := coalesce(own.equipment, m.data->>'equipment');
        own.order_no := coalesce(own.order_no, m.data->>'order');
        own.operation := coalesce(own.operation, m.data->>'operation');
        own.started_at := coalesce(own.started_at, (m.data->>'started_at')::timestamptz);
        own.ended_at := coalesce(own.ended_at, (m.data->>'ended_at')::timestamptz);
        broken := broken || planthub.check_downtime(m, own,
            CASE m.topic WHEN 'downtime.ended' THEN '/data/ended_at' ELSE '/data/started_at' END);
    END IF;
    IF planthub.stops(m, broken) THEN
        RETURN broken;
    END IF;
    INSERT INTO planthub.downtime SELECT own.*
    ON CONFLICT (site, downtime) DO UPDATE SET equipment = excluded.equipment, started_at = excluded.started_at,
        ended_at = excluded.ended_at, order_no = excluded.order_no, operation = excluded.operation,
        correlation_id = excluded.correlation_id;
    PERFORM planthub.downtime_reason_add(m, own.downtime);
    PERFORM planthub.capacity_changed(m, own);
    RETURN broken;
END
$$;
COMMENT ON FUNCTION planthub.apply_downtime(planthub.inbound) IS 'Internal: effect of downtime.started, downtime.ended and downtime.reason_corrected';

-- Planning learns of the loss with the start, and of its end with the end.
CREATE OR REPLACE FUNCTION planthub.capacity_changed(m planthub.inbound, own planthub.downtime) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF m.topic = 'downtime.started' THEN
        PERFORM planthub.publish_after(m, 'capacity.reduced', jsonb_build_object('equipment', own.equipment,
            'from', m.data->'started_at', 'to', own.ended_at, 'reason', m.data->'reason'), 'eq:' || own.equipment);
        INSERT INTO planthub.capacity_change (site, message_id, equipment, kind, from_time, to_time, reason)
        VALUES (m.site, m.id, own.equipment, 'reduced', own.started_at, own.ended_at, m.data->>'reason');
    ELSIF m.topic = 'downtime.ended' THEN
        PERFORM planthub.publish_after(m, 'capacity.restored', jsonb_build_object('equipment', own.equipment,
            'from', m.data->'ended_at'), 'eq:' || own.equipment);
        INSERT INTO planthub.capacity_change (site, message_id, equipment, kind, from_time, reason)
        VALUES (m.site, m.id, own.equipment, 'restored', own.ended_at, m.data->>'reason');
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.capacity_changed(planthub.inbound, planthub.downtime) IS 'Internal: tells planning what a stop means for the capacity';

CREATE OR REPLACE FUNCTION planthub.apply_capacity(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    broken planthub.violation[] := planthub.check_equipment(m, 'equipment');
BEGIN
    IF planthub.stops(m, broken) THEN
        RETURN broken;
    END IF;
    INSERT INTO planthub.capacity_change (site, message_id, equipment, kind, from_time, to_time, reason)
    VALUES (m.site, m.id, m.data->>'equipment', split_part(m.topic, '.', 2), (m.data->>'from')::timestamptz,
            (m.data->>'to')::timestamptz, m.data->>'reason');
    RETURN broken;
END
$$;
COMMENT ON FUNCTION planthub.apply_capacity(planthub.inbound) IS 'Internal: effect of capacity.reduced and capacity.restored';

-- The status may come before the order, and statuses in any order: the highest version holds.
CREATE OR REPLACE FUNCTION planthub.apply_maintenance_order(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    broken planthub.violation[];
BEGIN
    IF m.topic = 'maintenance_order.created' THEN
        broken := planthub.check_equipment(m, 'equipment');
    END IF;
    IF (m.data->>'planned_start')::timestamptz > (m.data->>'planned_end')::timestamptz THEN
        broken := broken || planthub.violation('TIME_RANGE_INVALID', '/data/planned_end',
            'The planned end lies before the planned start.');
    END IF;
    IF planthub.stops(m, broken) THEN
        RETURN broken;
    END IF;
    INSERT INTO planthub.maintenance_order AS o (site, maintenance_order, version, asset, equipment, work_type, priority, status,
        reported_at, malfunction_start, breakdown, planned_start, planned_end, correlation_id, message_id)
    VALUES (m.site, m.data->>'maintenance_order', coalesce((m.data->>'version')::bigint, 0), m.data->>'asset',
        m.data->>'equipment', m.data->>'work_type', (m.data->>'priority')::int, coalesce(m.data->>'status', 'created'),
        (m.data->>'reported_at')::timestamptz, (m.data->>'malfunction_start')::timestamptz, (m.data->>'breakdown')::boolean,
        (m.data->>'planned_start')::timestamptz, (m.data->>'planned_end')::timestamptz, m.correlation_id, m.id)
    ON CONFLICT (site, maintenance_order) DO UPDATE SET
        asset = coalesce(o.asset, excluded.asset), equipment = coalesce(o.equipment, excluded.equipment),
        work_type = coalesce(o.work_type, excluded.work_type), priority = coalesce(o.priority, excluded.priority),
        reported_at = coalesce(o.reported_at, excluded.reported_at),
        malfunction_start = coalesce(o.malfunction_start, excluded.malfunction_start),
        breakdown = coalesce(o.breakdown, excluded.breakdown),
        planned_start = CASE WHEN excluded.version >= o.version THEN coalesce(excluded.planned_start, o.planned_start) ELSE o.planned_start END,
        planned_end = CASE WHEN excluded.version >= o.version THEN coalesce(excluded.planned_end, o.planned_end) ELSE o.planned_end END,
        status = CASE WHEN excluded.version > o.version THEN excluded.status ELSE o.status END,
        version = greatest(o.version, excluded.version);
    RETURN broken;
END
$$;
COMMENT ON FUNCTION planthub.apply_maintenance_order(planthub.inbound) IS 'Internal: effect of maintenance_order.created and maintenance_order.status_changed';

CREATE OR REPLACE FUNCTION planthub.apply_telemetry_summary(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    broken planthub.violation[] := planthub.check_equipment(m, 'equipment');
    name   text;
BEGIN
    IF (m.data->>'window_start')::timestamptz > (m.data->>'window_end')::timestamptz THEN
        broken := broken || planthub.violation('TIME_RANGE_INVALID', '/data/window_end', 'The window ends before it begins.');
    END IF;
    FOREACH name IN ARRAY ARRAY['min', 'max', 'mean', 'last'] LOOP
        IF scale((m.data->>name)::numeric) > 6 OR abs((m.data->>name)::numeric) >= 1e12 THEN
            broken := broken || planthub.violation('QTY_PRECISION', '/data/' || name, format('%s has more than 12 digits before or 6 after the point.',
                m.data->>name));
        END IF;
    END LOOP;
    IF m.data->>'uom' IS NOT NULL AND planthub.unit_code(m.data->>'uom') IS NULL THEN
        broken := broken || planthub.violation('UOM_UNKNOWN', '/data/uom', format('%s is no unit of measure.', m.data->>'uom'));
    END IF;
    IF planthub.stops(m, broken) THEN
        RETURN broken;
    END IF;
    INSERT INTO planthub.telemetry_summary (site, equipment, tag, window_start, window_end, samples, min_value, max_value,
        mean_value, last_value, uom, source_ref, message_id)
    VALUES (m.site, m.data->>'equipment', m.data->>'tag', (m.data->>'window_start')::timestamptz,
        (m.data->>'window_end')::timestamptz, (m.data->>'count')::bigint, (m.data->>'min')::numeric, (m.data->>'max')::numeric,
        (m.data->>'mean')::numeric, (m.data->>'last')::numeric, m.data->>'uom', m.data->>'source_ref', m.id)
    ON CONFLICT (site, equipment, tag, window_start) DO NOTHING;
    IF FOUND AND m.data->>'last' IS NOT NULL THEN
        PERFORM planthub.note_total(m.site, m.data->>'equipment', m.data->>'tag', (m.data->>'window_end')::timestamptz);
    END IF;
    RETURN broken;
END
$$;
COMMENT ON FUNCTION planthub.apply_telemetry_summary(planthub.inbound) IS 'Internal: effect of telemetry.summary; the first summary of a window holds';

-- Indicators

CREATE OR REPLACE FUNCTION planthub.equipment_times(site text, equipment text, from_time timestamptz, to_time timestamptz)
RETURNS TABLE (state text, seconds numeric)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT x.state, trim_scale(sum(extract(epoch FROM upper(x.part) - lower(x.part))))
    FROM (SELECT s.state, s.valid * tstzrange(from_time, to_time) AS part FROM planthub.equipment_state AS s
          WHERE s.site = equipment_times.site AND s.equipment = equipment_times.equipment AND s.valid && tstzrange(from_time, to_time)) AS x
    GROUP BY x.state
$$;
COMMENT ON FUNCTION planthub.equipment_times(text, text, timestamptz, timestamptz) IS 'How many seconds of a time equipment was in each state; no row: nothing was reported of it';

-- ISO 22400-2: availability = APT / PBT, setup ratio = AUST / (APT + AUST).  Time in which the equipment is off or maintained is
-- not planned to be busy; time of which nothing is known stays out.
CREATE OR REPLACE FUNCTION planthub.compute_kpi(site text, kpi text, equipment text, from_time timestamptz, to_time timestamptz) RETURNS numeric
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    times jsonb;
    busy  text[];
    found numeric;
BEGIN
    IF num_nulls($1, kpi, $3, from_time, to_time) > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
            MESSAGE = 'site, kpi, equipment, from_time and to_time must not be null',
            HINT = 'Call it as planthub.compute_kpi(''P1'', ''availability'', ''WC-10'', ''2026-01-02T06:00Z'', ''2026-01-02T14:00Z'').';
    ELSIF NOT isfinite(from_time) OR NOT isfinite(to_time) OR from_time >= to_time THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('there is no finite time from %s to %s', from_time, to_time),
            HINT = 'Use two times of which the first is earlier.';
    ELSIF to_time > clock_timestamp() THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('%s has not come yet', to_time),
            HINT = 'Use a time that has ended: the states of equipment in it may still change.';
    END IF;
    PERFORM planthub.config_require('site', $1);
    IF NOT EXISTS (SELECT FROM planthub.equipment AS e WHERE e.equipment = $3 AND e.site = $1) THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = format('equipment "%s" does not exist at site "%s"', $3, $1),
            HINT = 'See planthub.equipment.';
    END IF;
    busy := CASE kpi WHEN 'availability' THEN '{running,setup,idle,down,blocked,starved}' WHEN 'setup_ratio' THEN '{running,setup}' END;
    IF busy IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('unknown indicator "%s"', kpi),
            HINT = 'Use availability or setup_ratio.';
    END IF;
    SELECT coalesce(jsonb_object_agg(t.state, t.seconds), '{}'),
        round(100 * coalesce(sum(t.seconds) FILTER (WHERE t.state = CASE kpi WHEN 'setup_ratio' THEN 'setup' ELSE 'running' END), 0)
              / sum(t.seconds) FILTER (WHERE t.state = ANY (busy)), 6)
    INTO times, found FROM planthub.equipment_times($1, $3, from_time, to_time) AS t;
    INSERT INTO planthub.kpi_value AS v (site, equipment, kpi, from_time, to_time, value, inputs) VALUES ($1, $3, $2, $4, $5, found, times)
    ON CONFLICT ON CONSTRAINT kpi_value_pkey DO UPDATE SET value = excluded.value, inputs = excluded.inputs, computed_at = excluded.computed_at;
    RETURN found;
END
$$;
COMMENT ON FUNCTION planthub.compute_kpi(text, text, text, timestamptz, timestamptz) IS
'Computes an indicator of ISO 22400-2 from the states of equipment, keeps it in planthub.kpi_value and returns it, in percent; again when late states have come.  availability: running, of the time that was neither off nor maintenance nor unknown; setup_ratio: setup, of running and setup.  Null: there was no such time';
