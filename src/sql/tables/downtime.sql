-- downtime: states of equipment, stops, maintenance, capacity, and summaries of measurements.  Run once.

-- Late states split intervals, so what is kept is the changes: the intervals lie between them, without gap or overlap.
CREATE TABLE planthub.equipment_state_change (
    site        text COLLATE "C" NOT NULL,
    equipment   text COLLATE "C" NOT NULL,
    event_time  timestamptz NOT NULL,
    message_id  bigint NOT NULL,
    state       text NOT NULL,
    from_state  text NOT NULL,
    alarm       text,
    source      text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (site, equipment, event_time, message_id)
);
COMMENT ON TABLE planthub.equipment_state_change IS 'Changes of state that were reported: append-only';
COMMENT ON COLUMN planthub.equipment_state_change.site IS 'Site';
COMMENT ON COLUMN planthub.equipment_state_change.equipment IS 'Equipment';
COMMENT ON COLUMN planthub.equipment_state_change.event_time IS 'When it changed';
COMMENT ON COLUMN planthub.equipment_state_change.message_id IS 'Message that brought it';
COMMENT ON COLUMN planthub.equipment_state_change.state IS 'State from then on';
COMMENT ON COLUMN planthub.equipment_state_change.from_state IS 'State before, as reported';
COMMENT ON COLUMN planthub.equipment_state_change.alarm IS 'Alarm';
COMMENT ON COLUMN planthub.equipment_state_change.source IS 'Signal or CloudEvents source';
COMMENT ON COLUMN planthub.equipment_state_change.recorded_at IS 'When the hub learned it';

CREATE TABLE planthub.downtime (
    site           text COLLATE "C" NOT NULL,
    downtime       text COLLATE "C" NOT NULL,
    equipment      text COLLATE "C",
    started_at     timestamptz,
    ended_at       timestamptz,
    order_no       text COLLATE "C",
    operation      text COLLATE "C",
    correlation_id text COLLATE "C",
    message_id     bigint NOT NULL,
    PRIMARY KEY (site, downtime)
);
COMMENT ON TABLE planthub.downtime IS 'Stops of equipment; one stop is one row, in whatever order its facts arrive';
COMMENT ON COLUMN planthub.downtime.site IS 'Site';
COMMENT ON COLUMN planthub.downtime.downtime IS 'Number of the stop';
COMMENT ON COLUMN planthub.downtime.equipment IS 'Equipment; null: only a corrected reason is known';
COMMENT ON COLUMN planthub.downtime.started_at IS 'When it stopped; null: only the end is known';
COMMENT ON COLUMN planthub.downtime.ended_at IS 'When it ran again; null: it stands';
COMMENT ON COLUMN planthub.downtime.order_no IS 'Production order that was interrupted';
COMMENT ON COLUMN planthub.downtime.operation IS 'Its operation';
COMMENT ON COLUMN planthub.downtime.correlation_id IS 'Thread it belongs to';
COMMENT ON COLUMN planthub.downtime.message_id IS 'First message about it';

CREATE INDEX downtime_equipment ON planthub.downtime (site, equipment, started_at);

CREATE TABLE planthub.downtime_reason (
    site          text COLLATE "C" NOT NULL,
    downtime      text COLLATE "C" NOT NULL,
    event_time    timestamptz NOT NULL,
    message_id    bigint NOT NULL,
    reason        text NOT NULL,
    corrected_by  text,
    change_reason text,
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (site, downtime, event_time, message_id)
);
COMMENT ON TABLE planthub.downtime_reason IS 'Reasons of stops with their history; the latest holds';
COMMENT ON COLUMN planthub.downtime_reason.site IS 'Site';
COMMENT ON COLUMN planthub.downtime_reason.downtime IS 'Number of the stop';
COMMENT ON COLUMN planthub.downtime_reason.event_time IS 'When it was given';
COMMENT ON COLUMN planthub.downtime_reason.message_id IS 'Message that brought it';
COMMENT ON COLUMN planthub.downtime_reason.reason IS 'Reason code';
COMMENT ON COLUMN planthub.downtime_reason.corrected_by IS 'Who corrected it';
COMMENT ON COLUMN planthub.downtime_reason.change_reason IS 'Why';
COMMENT ON COLUMN planthub.downtime_reason.recorded_at IS 'When the hub learned it';

CREATE TABLE planthub.maintenance_order (
    site              text COLLATE "C" NOT NULL,
    maintenance_order text COLLATE "C" NOT NULL,
    version           bigint NOT NULL DEFAULT 0,
    asset             text COLLATE "C",
    equipment         text COLLATE "C",
    work_type         text,
    priority          int,
    status            text NOT NULL DEFAULT 'created',
    reported_at       timestamptz,
    malfunction_start timestamptz,
    breakdown         boolean,
    planned_start     timestamptz,
    planned_end       timestamptz,
    correlation_id    text COLLATE "C",
    message_id        bigint NOT NULL,
    PRIMARY KEY (site, maintenance_order)
);
COMMENT ON TABLE planthub.maintenance_order IS 'Maintenance orders';
COMMENT ON COLUMN planthub.maintenance_order.site IS 'Site';
COMMENT ON COLUMN planthub.maintenance_order.maintenance_order IS 'Number';
COMMENT ON COLUMN planthub.maintenance_order.version IS 'Version of the status that holds';
COMMENT ON COLUMN planthub.maintenance_order.asset IS 'Asset';
COMMENT ON COLUMN planthub.maintenance_order.equipment IS 'Equipment';
COMMENT ON COLUMN planthub.maintenance_order.work_type IS 'Kind of work';
COMMENT ON COLUMN planthub.maintenance_order.priority IS 'Priority';
COMMENT ON COLUMN planthub.maintenance_order.status IS 'Status in the maintenance system';
COMMENT ON COLUMN planthub.maintenance_order.reported_at IS 'When it was reported';
COMMENT ON COLUMN planthub.maintenance_order.malfunction_start IS 'When the malfunction began';
COMMENT ON COLUMN planthub.maintenance_order.breakdown IS 'Whether the equipment stands because of it';
COMMENT ON COLUMN planthub.maintenance_order.planned_start IS 'Planned begin';
COMMENT ON COLUMN planthub.maintenance_order.planned_end IS 'Planned end';
COMMENT ON COLUMN planthub.maintenance_order.correlation_id IS 'Thread it belongs to';
COMMENT ON COLUMN planthub.maintenance_order.message_id IS 'First message about it';

CREATE INDEX maintenance_order_equipment ON planthub.maintenance_order (site, equipment);

CREATE TABLE planthub.capacity_change (
    site       text COLLATE "C" NOT NULL,
    message_id bigint NOT NULL,
    equipment  text COLLATE "C" NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('reduced', 'restored')),
    from_time  timestamptz NOT NULL,
    to_time    timestamptz,
    reason     text,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (site, message_id, equipment)
);
COMMENT ON TABLE planthub.capacity_change IS 'Reductions of capacity, and when they end';
COMMENT ON COLUMN planthub.capacity_change.site IS 'Site';
COMMENT ON COLUMN planthub.capacity_change.message_id IS 'Message that brought it';
COMMENT ON COLUMN planthub.capacity_change.equipment IS 'Equipment';
COMMENT ON COLUMN planthub.capacity_change.kind IS 'reduced or restored';
COMMENT ON COLUMN planthub.capacity_change.from_time IS 'From when';
COMMENT ON COLUMN planthub.capacity_change.to_time IS 'Until when; null: not known';
COMMENT ON COLUMN planthub.capacity_change.reason IS 'Reason';
COMMENT ON COLUMN planthub.capacity_change.recorded_at IS 'When the hub learned of it';

CREATE TABLE planthub.telemetry_summary (
    site         text COLLATE "C" NOT NULL,
    equipment    text COLLATE "C" NOT NULL,
    tag          text COLLATE "C" NOT NULL,
    window_start timestamptz NOT NULL,
    window_end   timestamptz NOT NULL,
    samples      bigint NOT NULL,
    min_value    numeric,
    max_value    numeric,
    mean_value   numeric,
    last_value   numeric,
    uom          text COLLATE "C",
    source_ref   text,
    message_id   bigint NOT NULL,
    PRIMARY KEY (site, equipment, tag, window_start)
);
COMMENT ON TABLE planthub.telemetry_summary IS 'Measured values of a window, summed up by the historian; the values themselves stay there';
COMMENT ON COLUMN planthub.telemetry_summary.site IS 'Site';
COMMENT ON COLUMN planthub.telemetry_summary.equipment IS 'Equipment';
COMMENT ON COLUMN planthub.telemetry_summary.tag IS 'Measured value';
COMMENT ON COLUMN planthub.telemetry_summary.window_start IS 'Begin of the window';
COMMENT ON COLUMN planthub.telemetry_summary.window_end IS 'End of the window';
COMMENT ON COLUMN planthub.telemetry_summary.samples IS 'How many values';
COMMENT ON COLUMN planthub.telemetry_summary.min_value IS 'Least';
COMMENT ON COLUMN planthub.telemetry_summary.max_value IS 'Greatest';
COMMENT ON COLUMN planthub.telemetry_summary.mean_value IS 'Mean';
COMMENT ON COLUMN planthub.telemetry_summary.last_value IS 'Last';
COMMENT ON COLUMN planthub.telemetry_summary.uom IS 'Unit';
COMMENT ON COLUMN planthub.telemetry_summary.source_ref IS 'Where the values are';
COMMENT ON COLUMN planthub.telemetry_summary.message_id IS 'Message that brought it';

CREATE TABLE planthub.kpi_value (
    site        text COLLATE "C" NOT NULL,
    equipment   text COLLATE "C" NOT NULL,
    kpi         text NOT NULL CHECK (kpi IN ('availability', 'setup_ratio')),
    from_time   timestamptz NOT NULL,
    to_time     timestamptz NOT NULL CHECK (to_time > from_time),
    value       numeric,
    uom         text COLLATE "C" NOT NULL DEFAULT 'P1',
    inputs      jsonb NOT NULL,
    computed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (site, equipment, kpi, from_time, to_time)
);
COMMENT ON TABLE planthub.kpi_value IS 'Key performance indicators (ISO 22400-2) of equipment, as planthub.compute_kpi() has found them';
COMMENT ON COLUMN planthub.kpi_value.site IS 'Site';
COMMENT ON COLUMN planthub.kpi_value.equipment IS 'Equipment';
COMMENT ON COLUMN planthub.kpi_value.kpi IS 'availability or setup_ratio, see planthub.compute_kpi()';
COMMENT ON COLUMN planthub.kpi_value.from_time IS 'Beginning of the time it is about';
COMMENT ON COLUMN planthub.kpi_value.to_time IS 'End of that time';
COMMENT ON COLUMN planthub.kpi_value.value IS 'Value; null: there was no time to divide by';
COMMENT ON COLUMN planthub.kpi_value.uom IS 'Unit: P1, percent';
COMMENT ON COLUMN planthub.kpi_value.inputs IS 'What it was computed from: object of state and seconds';
COMMENT ON COLUMN planthub.kpi_value.computed_at IS 'When it was computed last';

INSERT INTO planthub.table_class VALUES
    ('equipment_state_change', 'wide'),
    ('downtime', 'wide'),
    ('downtime_reason', 'wide'),
    ('maintenance_order', 'wide'),
    ('capacity_change', 'wide'),
    ('telemetry_summary', 'wide'),
    ('kpi_value', 'wide');

INSERT INTO planthub.effect (topic, function, business_key, builtin) VALUES
    ('equipment.state_changed', 'planthub.apply_equipment_state_changed', NULL, true),
    ('downtime.started', 'planthub.apply_downtime', '{downtime}', true),
    ('downtime.ended', 'planthub.apply_downtime', '{downtime}', true),
    ('downtime.reason_corrected', 'planthub.apply_downtime', NULL, true),
    ('maintenance_order.created', 'planthub.apply_maintenance_order', '{maintenance_order}', true),
    ('maintenance_order.status_changed', 'planthub.apply_maintenance_order', '{maintenance_order,version}', true),
    ('capacity.reduced', 'planthub.apply_capacity', NULL, true),
    ('capacity.restored', 'planthub.apply_capacity', NULL, true),
    ('telemetry.summary', 'planthub.apply_telemetry_summary', '{equipment,window_start,tag}', true);
