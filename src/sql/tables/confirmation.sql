-- confirmation: what was reported done, one row per report, with the totals of the operation after it; outputs; and
-- the graph of lots.  Append-only: a reversal is a row of its own, with the quantities negated in the totals.  Run once.

CREATE TABLE planthub.confirmation (
    site            text COLLATE "C" NOT NULL,
    order_no        text COLLATE "C" NOT NULL,
    operation       text COLLATE "C" NOT NULL,
    seq             int NOT NULL,
    message_id      bigint NOT NULL,
    source          text COLLATE "C" NOT NULL,
    confirmation_id text COLLATE "C" NOT NULL,
    kind            text COLLATE "C" NOT NULL CHECK (kind IN ('partial', 'final', 'reversal')),
    yield           numeric(18,6) NOT NULL,
    scrap           numeric(18,6) NOT NULL,
    rework          numeric(18,6) NOT NULL,
    uom             text COLLATE "C" NOT NULL,
    total_yield     numeric(18,6) NOT NULL,
    total_scrap     numeric(18,6) NOT NULL,
    total_rework    numeric(18,6) NOT NULL,
    final_at        timestamptz,
    scrap_reason    text,
    work_center     text COLLATE "C" NOT NULL,
    operator        text,
    started_at      timestamptz,
    ended_at        timestamptz,
    setup_min       numeric(18,6),
    machine_min     numeric(18,6),
    labor_min       numeric(18,6),
    rework_of       text COLLATE "C",
    reverses        bigint,
    event_time      timestamptz NOT NULL,
    event_offset    smallint,
    recorded_at     timestamptz NOT NULL,
    posting_date    date NOT NULL,
    PRIMARY KEY (site, order_no, operation, seq)
);
CREATE INDEX confirmation_id ON planthub.confirmation (site, confirmation_id);
COMMENT ON TABLE planthub.confirmation IS 'Confirmations of operations, one row per report, never merged';
COMMENT ON COLUMN planthub.confirmation.site IS 'Site';
COMMENT ON COLUMN planthub.confirmation.order_no IS 'Order';
COMMENT ON COLUMN planthub.confirmation.operation IS 'Operation';
COMMENT ON COLUMN planthub.confirmation.seq IS 'Number within the operation in the order of recording, from 1';
COMMENT ON COLUMN planthub.confirmation.message_id IS 'Message that told';
COMMENT ON COLUMN planthub.confirmation.source IS 'Source that told';
COMMENT ON COLUMN planthub.confirmation.confirmation_id IS 'Number that the sender gave it; of a reversal, that of the reversed one';
COMMENT ON COLUMN planthub.confirmation.kind IS 'partial, final or reversal';
COMMENT ON COLUMN planthub.confirmation.yield IS 'Good quantity, in the base unit of the item; of a reversal, what is taken back';
COMMENT ON COLUMN planthub.confirmation.scrap IS 'Scrapped quantity';
COMMENT ON COLUMN planthub.confirmation.rework IS 'Quantity to be reworked';
COMMENT ON COLUMN planthub.confirmation.uom IS 'Base unit of the item';
COMMENT ON COLUMN planthub.confirmation.total_yield IS 'Good quantity of the operation after this row';
COMMENT ON COLUMN planthub.confirmation.total_scrap IS 'Scrapped quantity of the operation after this row';
COMMENT ON COLUMN planthub.confirmation.total_rework IS 'Quantity of the operation to be reworked after this row';
COMMENT ON COLUMN planthub.confirmation.final_at IS 'Time of the earliest final confirmation that stands after this row; null: not final';
COMMENT ON COLUMN planthub.confirmation.scrap_reason IS 'Reason of the scrap';
COMMENT ON COLUMN planthub.confirmation.work_center IS 'Where it was done';
COMMENT ON COLUMN planthub.confirmation.operator IS 'Key of the operator';
COMMENT ON COLUMN planthub.confirmation.started_at IS 'Start of the work';
COMMENT ON COLUMN planthub.confirmation.ended_at IS 'End of the work';
COMMENT ON COLUMN planthub.confirmation.setup_min IS 'Minutes of setting up';
COMMENT ON COLUMN planthub.confirmation.machine_min IS 'Minutes of machines';
COMMENT ON COLUMN planthub.confirmation.labor_min IS 'Minutes of people';
COMMENT ON COLUMN planthub.confirmation.rework_of IS 'Confirmation whose rework this is';
COMMENT ON COLUMN planthub.confirmation.reverses IS 'Message whose confirmation this one takes back';
COMMENT ON COLUMN planthub.confirmation.event_time IS 'When it happened';
COMMENT ON COLUMN planthub.confirmation.event_offset IS 'UTC offset of the sender in minutes';
COMMENT ON COLUMN planthub.confirmation.recorded_at IS 'When the hub recorded it';
COMMENT ON COLUMN planthub.confirmation.posting_date IS 'Day of the ledger';

CREATE TABLE planthub.confirmation_output (
    site       text COLLATE "C" NOT NULL,
    item       text COLLATE "C" NOT NULL,
    lot        text COLLATE "C" NOT NULL,
    order_no   text COLLATE "C" NOT NULL,
    operation  text COLLATE "C" NOT NULL,
    message_id bigint NOT NULL,
    line       int NOT NULL,
    qty        numeric(18,6) NOT NULL,
    uom        text COLLATE "C" NOT NULL,
    state      text COLLATE "C" NOT NULL,
    serials    text[],
    PRIMARY KEY (site, item, lot, order_no, operation, message_id, line)
);
COMMENT ON TABLE planthub.confirmation_output IS 'Lots that confirmations name as output; a reversal has a row of its own';
COMMENT ON COLUMN planthub.confirmation_output.site IS 'Site';
COMMENT ON COLUMN planthub.confirmation_output.item IS 'Item';
COMMENT ON COLUMN planthub.confirmation_output.lot IS 'Lot; empty for an item without lots';
COMMENT ON COLUMN planthub.confirmation_output.order_no IS 'Order';
COMMENT ON COLUMN planthub.confirmation_output.operation IS 'Operation';
COMMENT ON COLUMN planthub.confirmation_output.message_id IS 'Message that told';
COMMENT ON COLUMN planthub.confirmation_output.line IS 'Line of the message';
COMMENT ON COLUMN planthub.confirmation_output.qty IS 'Quantity in the base unit; negative in a reversal';
COMMENT ON COLUMN planthub.confirmation_output.uom IS 'Base unit of the item';
COMMENT ON COLUMN planthub.confirmation_output.state IS 'wip, finished, scrap or sample';
COMMENT ON COLUMN planthub.confirmation_output.serials IS 'Serial numbers';

CREATE TABLE planthub.order_ledger (
    site       text COLLATE "C" NOT NULL,
    order_no   text COLLATE "C" NOT NULL,
    account    text COLLATE "C" NOT NULL,
    seq        int NOT NULL,
    message_id bigint NOT NULL,
    delta      numeric(18,6) NOT NULL,
    total      numeric(18,6) NOT NULL,
    PRIMARY KEY (site, order_no, account, seq)
);
COMMENT ON TABLE planthub.order_ledger IS 'What was issued to, put out by and received from an order, in the order of recording, with the total after each entry';
COMMENT ON COLUMN planthub.order_ledger.site IS 'Site';
COMMENT ON COLUMN planthub.order_ledger.order_no IS 'Order';
COMMENT ON COLUMN planthub.order_ledger.account IS 'issued/<component line>, issued//<item> when it is no component, output/<operation>/<item>/<lot>, or received/<item>/<lot>';
COMMENT ON COLUMN planthub.order_ledger.seq IS 'Number of the entry in its account, from 1';
COMMENT ON COLUMN planthub.order_ledger.message_id IS 'Message that caused it';
COMMENT ON COLUMN planthub.order_ledger.delta IS 'Change, in the base unit of the item';
COMMENT ON COLUMN planthub.order_ledger.total IS 'Total after it';

CREATE TABLE planthub.edge (
    site           text COLLATE "C" NOT NULL,
    message_id     bigint NOT NULL,
    line           int NOT NULL,
    from_item      text COLLATE "C" NOT NULL,
    from_lot       text COLLATE "C" NOT NULL,
    to_item        text COLLATE "C" NOT NULL,
    to_lot         text COLLATE "C" NOT NULL,
    kind           text COLLATE "C" NOT NULL CHECK (kind IN ('consumed_to_produced', 'assembled', 'split', 'merge', 'rework', 'regrade', 'relabel',
                       'supplier', 'sampled', 'transformation_unspecified')),
    method         text COLLATE "C" NOT NULL DEFAULT 'measured' CHECK (method IN ('measured', 'proportional', 'fifo', 'declared', 'unknown')),
    qty            numeric(18,6),
    uom            text COLLATE "C" NOT NULL,
    order_no       text COLLATE "C",
    operation      text COLLATE "C",
    component_line text COLLATE "C",
    event_time     timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL,
    PRIMARY KEY (site, message_id, line)
);
CREATE INDEX edge_from ON planthub.edge (site, from_item, from_lot, to_item, to_lot, message_id);
CREATE INDEX edge_to ON planthub.edge (site, to_item, to_lot, from_item, from_lot, message_id);
COMMENT ON TABLE planthub.edge IS 'Which lots went into which, append-only; planthub.genealogy_edge says which edges were taken back';
COMMENT ON COLUMN planthub.edge.site IS 'Site';
COMMENT ON COLUMN planthub.edge.message_id IS 'Message that told';
COMMENT ON COLUMN planthub.edge.line IS 'Number of the edge within the message';
COMMENT ON COLUMN planthub.edge.from_item IS 'Item that went in';
COMMENT ON COLUMN planthub.edge.from_lot IS 'Lot that went in';
COMMENT ON COLUMN planthub.edge.to_item IS 'Item that came out';
COMMENT ON COLUMN planthub.edge.to_lot IS 'Lot that came out';
COMMENT ON COLUMN planthub.edge.kind IS 'consumed_to_produced, assembled, split, merge, rework, regrade, relabel, supplier, sampled or transformation_unspecified';
COMMENT ON COLUMN planthub.edge.method IS 'How the quantity is known: measured, proportional, fifo, declared or unknown';
COMMENT ON COLUMN planthub.edge.qty IS 'How much went in, in the base unit of its item; null: not known';
COMMENT ON COLUMN planthub.edge.uom IS 'Base unit of the item that went in';
COMMENT ON COLUMN planthub.edge.order_no IS 'Order';
COMMENT ON COLUMN planthub.edge.operation IS 'Operation';
COMMENT ON COLUMN planthub.edge.component_line IS 'Line of the component';
COMMENT ON COLUMN planthub.edge.event_time IS 'When it happened';
COMMENT ON COLUMN planthub.edge.recorded_at IS 'When the hub recorded it';

CREATE TABLE planthub.pending_consumption (
    site       text COLLATE "C" NOT NULL,
    order_no   text COLLATE "C" NOT NULL,
    message_id bigint NOT NULL,
    line       int NOT NULL,
    operation  text COLLATE "C",
    item       text COLLATE "C" NOT NULL,
    lot        text COLLATE "C" NOT NULL,
    qty        numeric(18,6) NOT NULL,
    uom        text COLLATE "C" NOT NULL,
    component_line text COLLATE "C",
    event_time timestamptz NOT NULL,
    tied_by    bigint,
    PRIMARY KEY (site, order_no, message_id, line)
);
CREATE INDEX pending_consumption_open ON planthub.pending_consumption (site, order_no) WHERE tied_by IS NULL;
COMMENT ON TABLE planthub.pending_consumption IS 'Lots issued to an order before its output lot was known; the next output ties them';
COMMENT ON COLUMN planthub.pending_consumption.site IS 'Site';
COMMENT ON COLUMN planthub.pending_consumption.order_no IS 'Order';
COMMENT ON COLUMN planthub.pending_consumption.message_id IS 'Message of the issue';
COMMENT ON COLUMN planthub.pending_consumption.line IS 'Line of the message';
COMMENT ON COLUMN planthub.pending_consumption.operation IS 'Operation; null: not said';
COMMENT ON COLUMN planthub.pending_consumption.item IS 'Item that went in';
COMMENT ON COLUMN planthub.pending_consumption.lot IS 'Lot that went in';
COMMENT ON COLUMN planthub.pending_consumption.qty IS 'How much, in the base unit of the item';
COMMENT ON COLUMN planthub.pending_consumption.uom IS 'Base unit of the item';
COMMENT ON COLUMN planthub.pending_consumption.component_line IS 'Line of the component';
COMMENT ON COLUMN planthub.pending_consumption.event_time IS 'When it was issued';
COMMENT ON COLUMN planthub.pending_consumption.tied_by IS 'Message whose output it was tied to; null: still open';

INSERT INTO planthub.table_class VALUES ('confirmation', 'wide'), ('confirmation_output', 'wide'), ('order_ledger', 'wide'), ('edge', 'wide'), ('pending_consumption', 'wide');
