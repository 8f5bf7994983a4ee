-- quality: inspections, nonconformances, holds, and who signed.  Run once.

CREATE TABLE planthub.signature (
    site       text COLLATE "C" NOT NULL,
    message_id bigint NOT NULL,
    signer     text NOT NULL,
    meaning    text NOT NULL,
    signed_at  timestamptz NOT NULL,
    digest     bytea NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (site, message_id, signer, meaning)
);
COMMENT ON TABLE planthub.signature IS 'Electronic signatures (21 CFR 11.50): who, when, what it means, and which record it is bound to';
COMMENT ON COLUMN planthub.signature.site IS 'Site';
COMMENT ON COLUMN planthub.signature.message_id IS 'Message that was signed';
COMMENT ON COLUMN planthub.signature.signer IS 'Name or pseudonym of the signer';
COMMENT ON COLUMN planthub.signature.meaning IS 'What the signature means: approval, review, responsibility, authorship';
COMMENT ON COLUMN planthub.signature.signed_at IS 'When it was signed';
COMMENT ON COLUMN planthub.signature.digest IS 'SHA-256 of the data that was signed';
COMMENT ON COLUMN planthub.signature.recorded_at IS 'When the hub learned of it';

CREATE TABLE planthub.inspection_lot (
    site          text COLLATE "C" NOT NULL,
    inspection    text COLLATE "C" NOT NULL,
    item          text COLLATE "C",
    lot           text COLLATE "C",
    qty           numeric(18,6),
    origin        text,
    plan          text COLLATE "C",
    order_no      text COLLATE "C",
    requested_at  timestamptz,
    decision      text,
    decided_at    timestamptz,
    decided_by    text,
    accepted_qty  numeric(18,6),
    rejected_qty  numeric(18,6),
    destroyed_qty numeric(18,6),
    message_id    bigint NOT NULL,
    PRIMARY KEY (site, inspection)
);
COMMENT ON TABLE planthub.inspection_lot IS 'Inspections';
COMMENT ON COLUMN planthub.inspection_lot.site IS 'Site';
COMMENT ON COLUMN planthub.inspection_lot.inspection IS 'Number of the inspection lot';
COMMENT ON COLUMN planthub.inspection_lot.item IS 'Item; null: only results are known';
COMMENT ON COLUMN planthub.inspection_lot.lot IS 'Lot';
COMMENT ON COLUMN planthub.inspection_lot.qty IS 'How much is inspected, in the base unit';
COMMENT ON COLUMN planthub.inspection_lot.origin IS 'goods_receipt, production, delivery, recurring or manual';
COMMENT ON COLUMN planthub.inspection_lot.plan IS 'Inspection plan';
COMMENT ON COLUMN planthub.inspection_lot.order_no IS 'Production order';
COMMENT ON COLUMN planthub.inspection_lot.requested_at IS 'When it was asked for';
COMMENT ON COLUMN planthub.inspection_lot.decision IS 'accept, reject or accept_with_deviation; null: open';
COMMENT ON COLUMN planthub.inspection_lot.decided_at IS 'When it was decided';
COMMENT ON COLUMN planthub.inspection_lot.decided_by IS 'Who decided';
COMMENT ON COLUMN planthub.inspection_lot.accepted_qty IS 'Accepted, in the base unit';
COMMENT ON COLUMN planthub.inspection_lot.rejected_qty IS 'Rejected';
COMMENT ON COLUMN planthub.inspection_lot.destroyed_qty IS 'Destroyed in the test';
COMMENT ON COLUMN planthub.inspection_lot.message_id IS 'First message about it';

CREATE TABLE planthub.inspection_result (
    site           text COLLATE "C" NOT NULL,
    inspection     text COLLATE "C" NOT NULL,
    message_id     bigint NOT NULL,
    line_no        int NOT NULL,
    characteristic text COLLATE "C" NOT NULL,
    sample         text COLLATE "C" NOT NULL DEFAULT '',
    value          text,
    uom            text COLLATE "C",
    lower_limit    text,
    upper_limit    text,
    result         text NOT NULL,
    method         text,
    recorded_by    text,
    event_time     timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (site, inspection, message_id, line_no)
);
COMMENT ON TABLE planthub.inspection_result IS 'Results of inspections: append-only, a later one of a characteristic and sample takes the place of the earlier';
COMMENT ON COLUMN planthub.inspection_result.site IS 'Site';
COMMENT ON COLUMN planthub.inspection_result.inspection IS 'Number of the inspection lot';
COMMENT ON COLUMN planthub.inspection_result.message_id IS 'Message that brought it';
COMMENT ON COLUMN planthub.inspection_result.line_no IS 'Number in the message';
COMMENT ON COLUMN planthub.inspection_result.characteristic IS 'Characteristic';
COMMENT ON COLUMN planthub.inspection_result.sample IS 'Sample; "" without one';
COMMENT ON COLUMN planthub.inspection_result.value IS 'Value as reported';
COMMENT ON COLUMN planthub.inspection_result.uom IS 'Unit';
COMMENT ON COLUMN planthub.inspection_result.lower_limit IS 'Lower limit that held';
COMMENT ON COLUMN planthub.inspection_result.upper_limit IS 'Upper limit that held';
COMMENT ON COLUMN planthub.inspection_result.result IS 'pass, fail or not_evaluated';
COMMENT ON COLUMN planthub.inspection_result.method IS 'Method';
COMMENT ON COLUMN planthub.inspection_result.recorded_by IS 'Who recorded it';
COMMENT ON COLUMN planthub.inspection_result.event_time IS 'When it happened';
COMMENT ON COLUMN planthub.inspection_result.recorded_at IS 'When the hub learned it';

CREATE TABLE planthub.nonconformance (
    site           text COLLATE "C" NOT NULL,
    ncr            text COLLATE "C" NOT NULL,
    item           text COLLATE "C" NOT NULL,
    lot            text COLLATE "C",
    qty            numeric(18,6) NOT NULL,
    uom            text COLLATE "C" NOT NULL,
    severity       text NOT NULL,
    defect_code    text NOT NULL,
    origin         text,
    containment    text NOT NULL,
    opened_by      text NOT NULL,
    opened_at      timestamptz NOT NULL,
    closed_by      text,
    closed_at      timestamptz,
    root_cause     text,
    correlation_id text COLLATE "C",
    message_id     bigint NOT NULL,
    PRIMARY KEY (site, ncr)
);
COMMENT ON TABLE planthub.nonconformance IS 'Nonconformances';
COMMENT ON COLUMN planthub.nonconformance.site IS 'Site';
COMMENT ON COLUMN planthub.nonconformance.ncr IS 'Number';
COMMENT ON COLUMN planthub.nonconformance.item IS 'Item';
COMMENT ON COLUMN planthub.nonconformance.lot IS 'Lot';
COMMENT ON COLUMN planthub.nonconformance.qty IS 'How much is affected, in the base unit';
COMMENT ON COLUMN planthub.nonconformance.uom IS 'Base unit of the item';
COMMENT ON COLUMN planthub.nonconformance.severity IS 'minor, major or critical';
COMMENT ON COLUMN planthub.nonconformance.defect_code IS 'Defect';
COMMENT ON COLUMN planthub.nonconformance.origin IS 'Where it was found';
COMMENT ON COLUMN planthub.nonconformance.containment IS 'none, hold_lot or hold_all_descendants';
COMMENT ON COLUMN planthub.nonconformance.opened_by IS 'Who opened it';
COMMENT ON COLUMN planthub.nonconformance.opened_at IS 'When';
COMMENT ON COLUMN planthub.nonconformance.closed_by IS 'Who closed it';
COMMENT ON COLUMN planthub.nonconformance.closed_at IS 'When';
COMMENT ON COLUMN planthub.nonconformance.root_cause IS 'Root cause';
COMMENT ON COLUMN planthub.nonconformance.correlation_id IS 'Thread it belongs to';
COMMENT ON COLUMN planthub.nonconformance.message_id IS 'Message that opened it';

CREATE TABLE planthub.disposition (
    site        text COLLATE "C" NOT NULL,
    message_id  bigint NOT NULL,
    line_no     int NOT NULL,
    ncr         text COLLATE "C" NOT NULL,
    item        text COLLATE "C" NOT NULL,
    lot         text COLLATE "C",
    action      text NOT NULL,
    qty         numeric(18,6) NOT NULL,
    uom         text COLLATE "C" NOT NULL,
    approved_by text[] NOT NULL,
    event_time  timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (site, message_id, line_no)
);
COMMENT ON TABLE planthub.disposition IS 'What is done with nonconforming material';
COMMENT ON COLUMN planthub.disposition.site IS 'Site';
COMMENT ON COLUMN planthub.disposition.message_id IS 'Message that decided it';
COMMENT ON COLUMN planthub.disposition.line_no IS 'Number in the message';
COMMENT ON COLUMN planthub.disposition.ncr IS 'Nonconformance';
COMMENT ON COLUMN planthub.disposition.item IS 'Item';
COMMENT ON COLUMN planthub.disposition.lot IS 'Lot';
COMMENT ON COLUMN planthub.disposition.action IS 'scrap, rework, use_as_is, return_to_supplier or regrade';
COMMENT ON COLUMN planthub.disposition.qty IS 'How much, in the base unit';
COMMENT ON COLUMN planthub.disposition.uom IS 'Base unit of the item';
COMMENT ON COLUMN planthub.disposition.approved_by IS 'Who approved';
COMMENT ON COLUMN planthub.disposition.event_time IS 'When it was decided';
COMMENT ON COLUMN planthub.disposition.recorded_at IS 'When the hub learned of it';

CREATE INDEX disposition_ncr ON planthub.disposition (site, ncr);

-- A hold is not a status: several may lie on one lot, and it is free when none is open.
CREATE TABLE planthub.hold (
    site                text COLLATE "C" NOT NULL,
    hold                text COLLATE "C" NOT NULL,
    item                text COLLATE "C" NOT NULL,
    lot                 text COLLATE "C" NOT NULL DEFAULT '',
    qty                 numeric(18,6),
    uom                 text COLLATE "C" NOT NULL,
    locations           jsonb,
    released_qty        numeric(18,6) NOT NULL DEFAULT 0,
    reason              text,
    ncr                 text COLLATE "C",
    system              text COLLATE "C" NOT NULL,
    applied_at          timestamptz NOT NULL,
    released_at         timestamptz,
    released_message_id bigint,
    correlation_id      text COLLATE "C",
    message_id          bigint NOT NULL,
    PRIMARY KEY (site, hold)
);
COMMENT ON TABLE planthub.hold IS 'Holds on lots: what they cover must not be used, picked or shipped';
COMMENT ON COLUMN planthub.hold.site IS 'Site';
COMMENT ON COLUMN planthub.hold.hold IS 'Number of the hold';
COMMENT ON COLUMN planthub.hold.item IS 'Item';
COMMENT ON COLUMN planthub.hold.lot IS 'Lot; "" for an item without lots';
COMMENT ON COLUMN planthub.hold.qty IS 'How much is held, in the base unit; null: all of it, whatever there is';
COMMENT ON COLUMN planthub.hold.uom IS 'Base unit of the item';
COMMENT ON COLUMN planthub.hold.locations IS 'Quantity by place, when not the whole lot is held: object of place and quantity';
COMMENT ON COLUMN planthub.hold.released_qty IS 'How much was released again';
COMMENT ON COLUMN planthub.hold.reason IS 'Reason';
COMMENT ON COLUMN planthub.hold.ncr IS 'Nonconformance that it contains';
COMMENT ON COLUMN planthub.hold.system IS 'System that applied it';
COMMENT ON COLUMN planthub.hold.applied_at IS 'When';
COMMENT ON COLUMN planthub.hold.released_at IS 'When the last of it was released; null: it is open';
COMMENT ON COLUMN planthub.hold.released_message_id IS 'Message that released it';
COMMENT ON COLUMN planthub.hold.correlation_id IS 'Thread it belongs to';
COMMENT ON COLUMN planthub.hold.message_id IS 'Message that applied it';

CREATE INDEX hold_open ON planthub.hold (site, item, lot) WHERE released_at IS NULL;
CREATE INDEX hold_ncr ON planthub.hold (site, ncr) WHERE ncr IS NOT NULL;

CREATE TABLE planthub.hold_acknowledgement (
    site       text COLLATE "C" NOT NULL,
    message_id bigint NOT NULL,
    hold       text COLLATE "C" NOT NULL,
    system     text COLLATE "C" NOT NULL,
    state      text NOT NULL CHECK (state IN ('blocked', 'released')),
    document   text COLLATE "C" NOT NULL,
    event_time timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (site, message_id, hold)
);
COMMENT ON TABLE planthub.hold_acknowledgement IS 'Systems that have really blocked, or released, what is on hold';
COMMENT ON COLUMN planthub.hold_acknowledgement.site IS 'Site';
COMMENT ON COLUMN planthub.hold_acknowledgement.message_id IS 'Message that told it';
COMMENT ON COLUMN planthub.hold_acknowledgement.hold IS 'Hold';
COMMENT ON COLUMN planthub.hold_acknowledgement.system IS 'System';
COMMENT ON COLUMN planthub.hold_acknowledgement.state IS 'blocked or released';
COMMENT ON COLUMN planthub.hold_acknowledgement.document IS 'Number of its document';
COMMENT ON COLUMN planthub.hold_acknowledgement.event_time IS 'When it did';
COMMENT ON COLUMN planthub.hold_acknowledgement.recorded_at IS 'When the hub learned of it';

CREATE INDEX hold_acknowledgement_hold ON planthub.hold_acknowledgement (site, hold);

INSERT INTO planthub.table_class VALUES
    ('signature', 'wide'),
    ('inspection_lot', 'wide'),
    ('inspection_result', 'wide'),
    ('nonconformance', 'wide'),
    ('disposition', 'wide'),
    ('hold', 'wide'),
    ('hold_acknowledgement', 'wide');

INSERT INTO planthub.effect (topic, function, business_key, builtin) VALUES
    ('inspection.requested', 'planthub.apply_inspection_requested', '{inspection_lot}', true),
    ('inspection.result_recorded', 'planthub.apply_inspection_result_recorded', '{inspection_lot,seq}', true),
    ('inspection.decided', 'planthub.apply_inspection_decided', '{inspection_lot}', true),
    ('nonconformance.opened', 'planthub.apply_nonconformance_opened', '{ncr}', true),
    ('nonconformance.dispositioned', 'planthub.apply_nonconformance_dispositioned', NULL, true),
    ('nonconformance.closed', 'planthub.apply_nonconformance_closed', '{ncr}', true),
    ('hold.applied', 'planthub.apply_hold_applied', '{hold}', true),
    ('hold.released', 'planthub.apply_hold_released', NULL, true),
    ('inventory.status_change_posted', 'planthub.apply_inventory_status_change_posted', '{document,item,lot}', true);

-- What is on hold is neither used nor picked nor shipped.
INSERT INTO planthub.rule_check (step, topic, function, builtin) VALUES ('hold', '#', 'planthub.check_hold', true);
