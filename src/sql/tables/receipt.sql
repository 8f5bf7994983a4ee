-- receipt: what suppliers announce, and what comes.  Run once.

CREATE TABLE planthub.asn (
    site             text COLLATE "C" NOT NULL,
    asn              text COLLATE "C" NOT NULL,
    supplier         text COLLATE "C" NOT NULL,
    version          bigint NOT NULL,
    purchase_order   text COLLATE "C",
    shipped_at       timestamptz,
    eta              timestamptz,
    accepted_at      timestamptz,
    expected_receipt text COLLATE "C",
    closed_at        timestamptz,
    message_id       bigint NOT NULL,
    PRIMARY KEY (site, asn)
);
COMMENT ON TABLE planthub.asn IS 'Shipments that suppliers have announced';
COMMENT ON COLUMN planthub.asn.site IS 'Site';
COMMENT ON COLUMN planthub.asn.asn IS 'Number of the notice';
COMMENT ON COLUMN planthub.asn.supplier IS 'Party that sends it';
COMMENT ON COLUMN planthub.asn.version IS 'Version of the notice that holds';
COMMENT ON COLUMN planthub.asn.purchase_order IS 'Purchase order';
COMMENT ON COLUMN planthub.asn.shipped_at IS 'When it left the supplier';
COMMENT ON COLUMN planthub.asn.eta IS 'When it is expected';
COMMENT ON COLUMN planthub.asn.accepted_at IS 'When the warehouse accepted the expected receipt';
COMMENT ON COLUMN planthub.asn.expected_receipt IS 'Number of the receipt in the warehouse';
COMMENT ON COLUMN planthub.asn.closed_at IS 'When the warehouse said that nothing more will come';
COMMENT ON COLUMN planthub.asn.message_id IS 'First message about it';

CREATE TABLE planthub.asn_line (
    site          text COLLATE "C" NOT NULL,
    asn           text COLLATE "C" NOT NULL,
    line_no       int NOT NULL,
    sscc          text COLLATE "C" NOT NULL,
    po_line       text COLLATE "C" NOT NULL,
    item          text COLLATE "C" NOT NULL,
    supplier_item text COLLATE "C" NOT NULL,
    supplier_lot  text COLLATE "C",
    expiry        date,
    qty           numeric(18,6) NOT NULL,
    uom           text COLLATE "C" NOT NULL,
    PRIMARY KEY (site, asn, line_no)
);
COMMENT ON TABLE planthub.asn_line IS 'Lines of announced shipments';
COMMENT ON COLUMN planthub.asn_line.site IS 'Site';
COMMENT ON COLUMN planthub.asn_line.asn IS 'Number of the notice';
COMMENT ON COLUMN planthub.asn_line.line_no IS 'Number of the line in the notice';
COMMENT ON COLUMN planthub.asn_line.sscc IS 'Handling unit';
COMMENT ON COLUMN planthub.asn_line.po_line IS 'Line of the purchase order';
COMMENT ON COLUMN planthub.asn_line.item IS 'Item';
COMMENT ON COLUMN planthub.asn_line.supplier_item IS 'Its number at the supplier';
COMMENT ON COLUMN planthub.asn_line.supplier_lot IS 'Lot of the supplier';
COMMENT ON COLUMN planthub.asn_line.expiry IS 'Expiry announced';
COMMENT ON COLUMN planthub.asn_line.qty IS 'How much, in the base unit';
COMMENT ON COLUMN planthub.asn_line.uom IS 'Base unit of the item';

CREATE TABLE planthub.receipt_line (
    site           text COLLATE "C" NOT NULL,
    receipt        text COLLATE "C" NOT NULL,
    line_no        text COLLATE "C" NOT NULL,
    source         text COLLATE "C" NOT NULL,
    asn            text COLLATE "C",
    purchase_order text COLLATE "C",
    po_line        text COLLATE "C",
    sscc           text COLLATE "C",
    item           text COLLATE "C" NOT NULL,
    lot            text COLLATE "C",
    supplier       text COLLATE "C",
    supplier_lot   text COLLATE "C",
    qty            numeric(18,6) NOT NULL,
    uom            text COLLATE "C" NOT NULL,
    condition      text,
    location       text COLLATE "C" NOT NULL,
    status         text NOT NULL,
    event_time     timestamptz NOT NULL,
    message_id     bigint NOT NULL,
    recorded_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (site, receipt, line_no, source)
);
COMMENT ON TABLE planthub.receipt_line IS 'Goods received from suppliers';
COMMENT ON COLUMN planthub.receipt_line.site IS 'Site';
COMMENT ON COLUMN planthub.receipt_line.receipt IS 'Number of the receipt';
COMMENT ON COLUMN planthub.receipt_line.line_no IS 'Number of its line';
COMMENT ON COLUMN planthub.receipt_line.source IS 'CloudEvents source that gave the number';
COMMENT ON COLUMN planthub.receipt_line.asn IS 'Notice it was announced with';
COMMENT ON COLUMN planthub.receipt_line.purchase_order IS 'Purchase order';
COMMENT ON COLUMN planthub.receipt_line.po_line IS 'Line of the purchase order';
COMMENT ON COLUMN planthub.receipt_line.sscc IS 'Handling unit';
COMMENT ON COLUMN planthub.receipt_line.item IS 'Item';
COMMENT ON COLUMN planthub.receipt_line.lot IS 'Own lot';
COMMENT ON COLUMN planthub.receipt_line.supplier IS 'Party it came from, as far as known';
COMMENT ON COLUMN planthub.receipt_line.supplier_lot IS 'Lot of the supplier';
COMMENT ON COLUMN planthub.receipt_line.qty IS 'How much, in the base unit';
COMMENT ON COLUMN planthub.receipt_line.uom IS 'Base unit of the item';
COMMENT ON COLUMN planthub.receipt_line.condition IS 'Condition on arrival';
COMMENT ON COLUMN planthub.receipt_line.location IS 'Place';
COMMENT ON COLUMN planthub.receipt_line.status IS 'Stock status it was posted to';
COMMENT ON COLUMN planthub.receipt_line.event_time IS 'When it happened';
COMMENT ON COLUMN planthub.receipt_line.message_id IS 'Message that brought it';
COMMENT ON COLUMN planthub.receipt_line.recorded_at IS 'When the hub learned of it';

CREATE INDEX receipt_line_asn ON planthub.receipt_line (site, asn);

CREATE TABLE planthub.receipt_discrepancy (
    site         text COLLATE "C" NOT NULL,
    message_id   bigint NOT NULL,
    receipt      text COLLATE "C" NOT NULL,
    line_no      text COLLATE "C",
    asn          text COLLATE "C",
    expected_qty numeric(18,6) NOT NULL,
    received_qty numeric(18,6) NOT NULL,
    damaged_qty  numeric(18,6) NOT NULL DEFAULT 0,
    missing_qty  numeric(18,6) NOT NULL GENERATED ALWAYS AS (expected_qty - received_qty) STORED,
    uom          text COLLATE "C" NOT NULL,
    reason       text NOT NULL,
    event_time   timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (site, message_id)
);
COMMENT ON TABLE planthub.receipt_discrepancy IS 'Differences between what was announced and what came';
COMMENT ON COLUMN planthub.receipt_discrepancy.site IS 'Site';
COMMENT ON COLUMN planthub.receipt_discrepancy.message_id IS 'Message that brought it';
COMMENT ON COLUMN planthub.receipt_discrepancy.receipt IS 'Number of the receipt';
COMMENT ON COLUMN planthub.receipt_discrepancy.line_no IS 'Number of its line';
COMMENT ON COLUMN planthub.receipt_discrepancy.asn IS 'Notice it was announced with';
COMMENT ON COLUMN planthub.receipt_discrepancy.expected_qty IS 'Announced, as reported';
COMMENT ON COLUMN planthub.receipt_discrepancy.received_qty IS 'Came';
COMMENT ON COLUMN planthub.receipt_discrepancy.damaged_qty IS 'Came damaged';
COMMENT ON COLUMN planthub.receipt_discrepancy.missing_qty IS 'Difference; negative: too much';
COMMENT ON COLUMN planthub.receipt_discrepancy.uom IS 'Unit';
COMMENT ON COLUMN planthub.receipt_discrepancy.reason IS 'Reason code';
COMMENT ON COLUMN planthub.receipt_discrepancy.event_time IS 'When it was reported';
COMMENT ON COLUMN planthub.receipt_discrepancy.recorded_at IS 'When the hub learned of it';

INSERT INTO planthub.table_class VALUES
    ('asn', 'wide'),
    ('asn_line', 'wide'),
    ('receipt_line', 'wide'),
    ('receipt_discrepancy', 'wide');

INSERT INTO planthub.effect (topic, function, business_key, builtin) VALUES
    ('asn.received', 'planthub.apply_asn_received', '{supplier,asn,version}', true),
    ('receipt.expected_accepted', 'planthub.apply_receipt_expected_accepted', NULL, true),
    ('receipt.posted', 'planthub.apply_receipt_posted', '{receipt,line}', true),
    ('receipt.discrepancy_reported', 'planthub.apply_receipt_discrepancy_reported', NULL, true);
