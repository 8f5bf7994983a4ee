-- production_order: orders as planned, with operations, components and outputs.  What was done stands in confirmations
-- and movements.  Run once.

CREATE TABLE planthub.production_order (
    site                text COLLATE "C" NOT NULL,
    order_no            text COLLATE "C" NOT NULL,
    version             bigint NOT NULL,
    order_type          text,
    item                text COLLATE "C" NOT NULL,
    qty                 numeric(18,6) NOT NULL,
    uom                 text COLLATE "C" NOT NULL,
    base_qty            numeric(18,6) NOT NULL,
    base_uom            text COLLATE "C" NOT NULL,
    over_tolerance_pct  numeric,
    under_tolerance_pct numeric,
    bom_version         text,
    routing_version     text,
    planned_start       timestamptz,
    planned_end         timestamptz,
    priority            int,
    sales_order         text COLLATE "C",
    output_lot          text COLLATE "C",
    state               text NOT NULL CHECK (state IN ('created', 'released', 'technically_completed', 'closed', 'cancelled')),
    state_at            timestamptz NOT NULL,
    message_id          bigint NOT NULL,
    recorded_at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (site, order_no)
);
CREATE INDEX production_order_order_no ON planthub.production_order (order_no);
COMMENT ON TABLE planthub.production_order IS 'Production orders: the newest plan, and what the ERP commanded';
COMMENT ON COLUMN planthub.production_order.site IS 'Site that makes it';
COMMENT ON COLUMN planthub.production_order.order_no IS 'Number of the order, unique per site';
COMMENT ON COLUMN planthub.production_order.version IS 'Version of the plan';
COMMENT ON COLUMN planthub.production_order.order_type IS 'Type given by the ERP';
COMMENT ON COLUMN planthub.production_order.item IS 'What is made';
COMMENT ON COLUMN planthub.production_order.qty IS 'How much, in the unit of the order';
COMMENT ON COLUMN planthub.production_order.uom IS 'Unit of the order';
COMMENT ON COLUMN planthub.production_order.base_qty IS 'How much, in the base unit of the item';
COMMENT ON COLUMN planthub.production_order.base_uom IS 'Base unit of the item';
COMMENT ON COLUMN planthub.production_order.over_tolerance_pct IS 'How much more may be confirmed, in percent; null: policy of the site';
COMMENT ON COLUMN planthub.production_order.under_tolerance_pct IS 'How much less is complete, in percent; null: policy of the site';
COMMENT ON COLUMN planthub.production_order.bom_version IS 'Version of the bill of material';
COMMENT ON COLUMN planthub.production_order.routing_version IS 'Version of the routing';
COMMENT ON COLUMN planthub.production_order.planned_start IS 'Planned start';
COMMENT ON COLUMN planthub.production_order.planned_end IS 'Planned end';
COMMENT ON COLUMN planthub.production_order.priority IS 'Priority';
COMMENT ON COLUMN planthub.production_order.sales_order IS 'Sales order it is made for';
COMMENT ON COLUMN planthub.production_order.output_lot IS 'Lot planned for the output';
COMMENT ON COLUMN planthub.production_order.state IS 'What was commanded: created, released, technically_completed, closed or cancelled; see planthub.production_order_status';
COMMENT ON COLUMN planthub.production_order.state_at IS 'Since when';
COMMENT ON COLUMN planthub.production_order.message_id IS 'Message of the plan';
COMMENT ON COLUMN planthub.production_order.recorded_at IS 'When the hub learned of the plan';

CREATE TABLE planthub.production_order_version (
    site        text COLLATE "C" NOT NULL,
    order_no    text COLLATE "C" NOT NULL,
    message_id  bigint NOT NULL,
    topic       text COLLATE "C" NOT NULL,
    version     bigint NOT NULL,
    applied     boolean NOT NULL,
    event_time  timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    data        jsonb NOT NULL,
    PRIMARY KEY (site, order_no, message_id)
);
COMMENT ON TABLE planthub.production_order_version IS 'Every plan and command received for an order, also those that were overtaken';
COMMENT ON COLUMN planthub.production_order_version.site IS 'Site';
COMMENT ON COLUMN planthub.production_order_version.order_no IS 'Order';
COMMENT ON COLUMN planthub.production_order_version.message_id IS 'The message';
COMMENT ON COLUMN planthub.production_order_version.topic IS 'Its topic';
COMMENT ON COLUMN planthub.production_order_version.version IS 'Version given by the ERP';
COMMENT ON COLUMN planthub.production_order_version.applied IS 'Whether it took effect; false: a newer one was there';
COMMENT ON COLUMN planthub.production_order_version.event_time IS 'When it was decided';
COMMENT ON COLUMN planthub.production_order_version.recorded_at IS 'When the hub learned of it';
COMMENT ON COLUMN planthub.production_order_version.data IS 'The plan or command';

CREATE TABLE planthub.order_operation (
    site                 text COLLATE "C" NOT NULL,
    order_no             text COLLATE "C" NOT NULL,
    operation            text COLLATE "C" NOT NULL,
    position             int NOT NULL,
    previous             text COLLATE "C",
    work_center          text COLLATE "C" NOT NULL,
    base_qty             numeric(18,6) NOT NULL,
    is_milestone         boolean NOT NULL DEFAULT false,
    planned_start        timestamptz,
    planned_end          timestamptz,
    setup_min            numeric,
    machine_min_per_unit numeric,
    labor_min_per_unit   numeric,
    PRIMARY KEY (site, order_no, operation),
    FOREIGN KEY (site, order_no) REFERENCES planthub.production_order
);
COMMENT ON TABLE planthub.order_operation IS 'Operations of orders, as planned';
COMMENT ON COLUMN planthub.order_operation.site IS 'Site';
COMMENT ON COLUMN planthub.order_operation.order_no IS 'Order';
COMMENT ON COLUMN planthub.order_operation.operation IS 'Number of the operation';
COMMENT ON COLUMN planthub.order_operation.position IS 'Place in the sequence, from 1';
COMMENT ON COLUMN planthub.order_operation.previous IS 'Operation before it; null for the first';
COMMENT ON COLUMN planthub.order_operation.work_center IS 'Where it is done';
COMMENT ON COLUMN planthub.order_operation.base_qty IS 'Planned quantity in the base unit of the item';
COMMENT ON COLUMN planthub.order_operation.is_milestone IS 'Whether confirming it confirms those before';
COMMENT ON COLUMN planthub.order_operation.planned_start IS 'Planned start';
COMMENT ON COLUMN planthub.order_operation.planned_end IS 'Planned end';
COMMENT ON COLUMN planthub.order_operation.setup_min IS 'Minutes to set up';
COMMENT ON COLUMN planthub.order_operation.machine_min_per_unit IS 'Machine minutes for one unit';
COMMENT ON COLUMN planthub.order_operation.labor_min_per_unit IS 'Labour minutes for one unit';

CREATE TABLE planthub.order_component (
    site          text COLLATE "C" NOT NULL,
    order_no      text COLLATE "C" NOT NULL,
    line          text COLLATE "C" NOT NULL,
    item          text COLLATE "C" NOT NULL,
    operation     text COLLATE "C" NOT NULL,
    required      numeric(18,6) NOT NULL,
    uom           text COLLATE "C" NOT NULL,
    base_required numeric(18,6) NOT NULL,
    base_uom      text COLLATE "C" NOT NULL,
    backflush     boolean NOT NULL DEFAULT false,
    lot_policy    text,
    reserved_lot  text COLLATE "C",
    from_location text COLLATE "C",
    PRIMARY KEY (site, order_no, line),
    FOREIGN KEY (site, order_no) REFERENCES planthub.production_order
);
COMMENT ON TABLE planthub.order_component IS 'Components of orders, as planned; one item may be on several lines';
COMMENT ON COLUMN planthub.order_component.site IS 'Site';
COMMENT ON COLUMN planthub.order_component.order_no IS 'Order';
COMMENT ON COLUMN planthub.order_component.line IS 'Number of the line: the key of the component';
COMMENT ON COLUMN planthub.order_component.item IS 'What goes in';
COMMENT ON COLUMN planthub.order_component.operation IS 'Operation that uses it';
COMMENT ON COLUMN planthub.order_component.required IS 'How much for the whole order';
COMMENT ON COLUMN planthub.order_component.uom IS 'Unit';
COMMENT ON COLUMN planthub.order_component.base_required IS 'How much, in the base unit of the item';
COMMENT ON COLUMN planthub.order_component.base_uom IS 'Base unit of the item';
COMMENT ON COLUMN planthub.order_component.backflush IS 'Whether consumption is computed from the confirmed quantity';
COMMENT ON COLUMN planthub.order_component.lot_policy IS 'Which lots may be used';
COMMENT ON COLUMN planthub.order_component.reserved_lot IS 'Lot reserved for it';
COMMENT ON COLUMN planthub.order_component.from_location IS 'Where it is taken from when nobody says so';

CREATE TABLE planthub.operation_event (
    site        text COLLATE "C" NOT NULL,
    order_no    text COLLATE "C" NOT NULL,
    operation   text COLLATE "C" NOT NULL,
    message_id  bigint NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('started', 'paused', 'resumed', 'completed')),
    work_center text COLLATE "C" NOT NULL,
    operator    text,
    reason      text,
    event_time  timestamptz NOT NULL,
    event_offset smallint,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (site, order_no, operation, message_id)
);
COMMENT ON TABLE planthub.operation_event IS 'Starts, pauses, resumptions and ends of operations';
COMMENT ON COLUMN planthub.operation_event.site IS 'Site';
COMMENT ON COLUMN planthub.operation_event.order_no IS 'Order';
COMMENT ON COLUMN planthub.operation_event.operation IS 'Operation';
COMMENT ON COLUMN planthub.operation_event.message_id IS 'Message that told';
COMMENT ON COLUMN planthub.operation_event.kind IS 'started, paused, resumed or completed';
COMMENT ON COLUMN planthub.operation_event.work_center IS 'Where';
COMMENT ON COLUMN planthub.operation_event.operator IS 'Key of the operator';
COMMENT ON COLUMN planthub.operation_event.reason IS 'Reason of a pause';
COMMENT ON COLUMN planthub.operation_event.event_time IS 'When it happened';
COMMENT ON COLUMN planthub.operation_event.event_offset IS 'UTC offset of the sender in minutes';
COMMENT ON COLUMN planthub.operation_event.recorded_at IS 'When the hub learned of it';

CREATE TABLE planthub.order_acknowledgement (
    site        text COLLATE "C" NOT NULL,
    order_no    text COLLATE "C" NOT NULL,
    message_id  bigint NOT NULL,
    system      text COLLATE "C" NOT NULL,
    version     bigint NOT NULL,
    accepted    boolean NOT NULL,
    foreign_no  text COLLATE "C",
    reason      text,
    event_time  timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (site, order_no, message_id)
);
COMMENT ON TABLE planthub.order_acknowledgement IS 'Systems that accepted or refused an order';
COMMENT ON COLUMN planthub.order_acknowledgement.site IS 'Site';
COMMENT ON COLUMN planthub.order_acknowledgement.order_no IS 'Order';
COMMENT ON COLUMN planthub.order_acknowledgement.message_id IS 'Message that told';
COMMENT ON COLUMN planthub.order_acknowledgement.system IS 'System that answered';
COMMENT ON COLUMN planthub.order_acknowledgement.version IS 'Version it answered to';
COMMENT ON COLUMN planthub.order_acknowledgement.accepted IS 'Whether it accepted';
COMMENT ON COLUMN planthub.order_acknowledgement.foreign_no IS 'Its own number of the order';
COMMENT ON COLUMN planthub.order_acknowledgement.reason IS 'Why it refused';
COMMENT ON COLUMN planthub.order_acknowledgement.event_time IS 'When it answered';
COMMENT ON COLUMN planthub.order_acknowledgement.recorded_at IS 'When the hub learned of it';

INSERT INTO planthub.table_class VALUES ('production_order', 'wide'), ('production_order_version', 'wide'), ('order_operation', 'wide'),
    ('order_component', 'wide'), ('operation_event', 'wide'), ('order_acknowledgement', 'wide');
