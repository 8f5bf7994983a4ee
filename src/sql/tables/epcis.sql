-- epcis: events of EPCIS documents, and what each of them named and changed.  Run once.

CREATE TABLE planthub.epcis_event (
    site              text COLLATE "C" NOT NULL,
    message_id        bigint NOT NULL,
    document_id       bigint NOT NULL,
    source            text COLLATE "C" NOT NULL,
    event_id          text COLLATE "C" NOT NULL,
    hash              bytea NOT NULL,
    type              text COLLATE "C" NOT NULL,
    action            text COLLATE "C",
    biz_step          text COLLATE "C",
    disposition       text COLLATE "C",
    transformation_id text COLLATE "C",
    order_no          text COLLATE "C",
    event_time        timestamptz NOT NULL,
    recorded_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (site, message_id)
);
CREATE UNIQUE INDEX epcis_event_identity ON planthub.epcis_event (site, source, event_id);
CREATE INDEX epcis_event_transformation ON planthub.epcis_event (site, source, transformation_id) WHERE transformation_id IS NOT NULL;
COMMENT ON TABLE planthub.epcis_event IS 'Events of EPCIS documents, append-only; each has a number of its own, under which its facts stand and can be taken back';
COMMENT ON COLUMN planthub.epcis_event.site IS 'Site';
COMMENT ON COLUMN planthub.epcis_event.message_id IS 'Number of the event: the message_id of its facts';
COMMENT ON COLUMN planthub.epcis_event.document_id IS 'Message that was its document';
COMMENT ON COLUMN planthub.epcis_event.source IS 'Source of the document';
COMMENT ON COLUMN planthub.epcis_event.event_id IS 'Its eventID; made of its content when it has none';
COMMENT ON COLUMN planthub.epcis_event.hash IS 'SHA-256 of the event without errorDeclaration, in canonical form';
COMMENT ON COLUMN planthub.epcis_event.type IS 'ObjectEvent, AggregationEvent or TransformationEvent';
COMMENT ON COLUMN planthub.epcis_event.action IS 'ADD, OBSERVE or DELETE; null for a transformation';
COMMENT ON COLUMN planthub.epcis_event.biz_step IS 'Business step, such as packing';
COMMENT ON COLUMN planthub.epcis_event.disposition IS 'Disposition, such as in_transit';
COMMENT ON COLUMN planthub.epcis_event.transformation_id IS 'What joins the events of one transformation';
COMMENT ON COLUMN planthub.epcis_event.order_no IS 'Order of this hub that it belongs to';
COMMENT ON COLUMN planthub.epcis_event.event_time IS 'When it happened';
COMMENT ON COLUMN planthub.epcis_event.recorded_at IS 'When the hub recorded it';

CREATE TABLE planthub.epcis_line (
    site        text COLLATE "C" NOT NULL,
    message_id  bigint NOT NULL,
    line        int NOT NULL,
    role        text COLLATE "C" NOT NULL CHECK (role IN ('object', 'input', 'output', 'content', 'unit', 'child', 'status')),
    item        text COLLATE "C",
    lot         text COLLATE "C",
    serial      text COLLATE "C",
    sscc        text COLLATE "C",
    qty         numeric(18,6),
    uom         text COLLATE "C",
    new_value   text COLLATE "C",
    old_value   text COLLATE "C",
    event_time  timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (site, message_id, line)
);
CREATE INDEX epcis_line_status ON planthub.epcis_line (site, item, lot) WHERE role = 'status';
COMMENT ON TABLE planthub.epcis_line IS 'What events of EPCIS documents named and changed, append-only';
COMMENT ON COLUMN planthub.epcis_line.site IS 'Site';
COMMENT ON COLUMN planthub.epcis_line.message_id IS 'Number of the event';
COMMENT ON COLUMN planthub.epcis_line.line IS 'Number of the line within it';
COMMENT ON COLUMN planthub.epcis_line.role IS 'object, input, output or content (a quantity); unit (state of a handling unit), child (handling unit that became part of another, or no longer is), status (of a lot)';
COMMENT ON CONSTRAINT epcis_line_role_check ON planthub.epcis_line IS 'Use object, input, output, content, unit, child or status';
COMMENT ON COLUMN planthub.epcis_line.item IS 'Item';
COMMENT ON COLUMN planthub.epcis_line.lot IS 'Lot; null without one';
COMMENT ON COLUMN planthub.epcis_line.serial IS 'Serial number; null without one';
COMMENT ON COLUMN planthub.epcis_line.sscc IS 'Handling unit';
COMMENT ON COLUMN planthub.epcis_line.qty IS 'How much, in the base unit of the item';
COMMENT ON COLUMN planthub.epcis_line.uom IS 'Base unit of the item';
COMMENT ON COLUMN planthub.epcis_line.new_value IS 'State, parent or status that the event gave';
COMMENT ON COLUMN planthub.epcis_line.old_value IS 'State or parent before';
COMMENT ON COLUMN planthub.epcis_line.event_time IS 'When it happened';
COMMENT ON COLUMN planthub.epcis_line.recorded_at IS 'When the hub recorded it';

INSERT INTO planthub.table_class VALUES ('epcis_event', 'wide'), ('epcis_line', 'wide');

INSERT INTO planthub.rule (builtin, code, position, outcome, policy, owner, comment, hint) VALUES
    (true, 'EPCIS_UNSUPPORTED', 410, 'reject', NULL, 'integration', 'EPCIS event is an object, aggregation or transformation event about lots, serial numbers and handling units', 'Leave the event out, or send the fact as another topic');
INSERT INTO planthub.topic_source (builtin, topic, sender) VALUES
    (true, 'epcis.captured', 'supplier'),
    (true, 'epcis.captured', 'tms');
INSERT INTO planthub.effect (builtin, topic, function, business_key) VALUES
    (true, 'epcis.captured', 'planthub.apply_epcis_captured', NULL);
