-- stock: movements are the only way in which stock changes; every change of a stock key is an entry of its ledger with
-- the balance after it.  Nothing is updated, so a balance costs the same after ten million movements, and while an old
-- transaction is open.  Run once.

CREATE TABLE planthub.movement (
    site           text COLLATE "C" NOT NULL,
    message_id     bigint NOT NULL,
    line           int NOT NULL,
    kind           text COLLATE "C" NOT NULL CHECK (kind IN ('opening', 'receipt_from_supplier', 'issue_to_order', 'return_from_order',
                       'receipt_from_production', 'by_product_receipt', 'transfer', 'status_change', 'scrap', 'sample', 'ship', 'adjust', 'reversal')),
    item           text COLLATE "C" NOT NULL,
    lot            text COLLATE "C" NOT NULL DEFAULT '',
    qty            numeric(18,6) NOT NULL CHECK (qty > 0),
    uom            text COLLATE "C" NOT NULL,
    base_qty       numeric(18,6) NOT NULL CHECK (base_qty > 0),
    base_uom       text COLLATE "C" NOT NULL,
    from_location  text COLLATE "C",
    from_status    text COLLATE "C",
    to_location    text COLLATE "C",
    to_status      text COLLATE "C",
    owner          text COLLATE "C" NOT NULL DEFAULT '',
    order_no       text COLLATE "C",
    operation      text COLLATE "C",
    component_line text COLLATE "C",
    document       text COLLATE "C",
    reason         text,
    handling_unit  text COLLATE "C",
    serials        text[],
    reverses       bigint,
    reversed_line  int,
    event_time     timestamptz NOT NULL,
    event_offset   smallint,
    recorded_at    timestamptz NOT NULL,
    posting_date   date NOT NULL,
    PRIMARY KEY (site, message_id, line),
    CONSTRAINT movement_side_check CHECK (from_location IS NOT NULL OR to_location IS NOT NULL)
);
CREATE INDEX movement_lot ON planthub.movement (site, item, lot, message_id);
COMMENT ON TABLE planthub.movement IS 'Stock movements, append-only: one item and lot, from one side to another; a missing side is outside the walls';
COMMENT ON COLUMN planthub.movement.site IS 'Site';
COMMENT ON COLUMN planthub.movement.message_id IS 'Message that caused it';
COMMENT ON COLUMN planthub.movement.line IS 'Number of the movement within the message';
COMMENT ON COLUMN planthub.movement.kind IS 'opening, receipt_from_supplier, issue_to_order, return_from_order, receipt_from_production, by_product_receipt, transfer, status_change, scrap, sample, ship, adjust or reversal';
COMMENT ON COLUMN planthub.movement.item IS 'Item';
COMMENT ON COLUMN planthub.movement.lot IS 'Lot; empty for an item without lots';
COMMENT ON COLUMN planthub.movement.qty IS 'Quantity in the unit of the sender; positive, the sides give the sign';
COMMENT ON COLUMN planthub.movement.uom IS 'Unit of the sender';
COMMENT ON COLUMN planthub.movement.base_qty IS 'Quantity in the base unit of the item';
COMMENT ON COLUMN planthub.movement.base_uom IS 'Base unit of the item';
COMMENT ON COLUMN planthub.movement.from_location IS 'Where it was taken from; null: from outside';
COMMENT ON COLUMN planthub.movement.from_status IS 'Stock status there';
COMMENT ON COLUMN planthub.movement.to_location IS 'Where it went; null: out';
COMMENT ON COLUMN planthub.movement.to_status IS 'Stock status there';
COMMENT ON COLUMN planthub.movement.owner IS 'Whose stock it is: empty for our own, else a party';
COMMENT ON COLUMN planthub.movement.order_no IS 'Production order';
COMMENT ON COLUMN planthub.movement.operation IS 'Operation';
COMMENT ON COLUMN planthub.movement.component_line IS 'Line of the component';
COMMENT ON COLUMN planthub.movement.document IS 'Document of the sender: confirmation, pick task, receipt, delivery, count, ...';
COMMENT ON COLUMN planthub.movement.reason IS 'Reason code';
COMMENT ON COLUMN planthub.movement.handling_unit IS 'Handling unit';
COMMENT ON COLUMN planthub.movement.serials IS 'Serial numbers';
COMMENT ON COLUMN planthub.movement.reverses IS 'Message whose movement this one takes back';
COMMENT ON COLUMN planthub.movement.reversed_line IS 'Number of that movement';
COMMENT ON COLUMN planthub.movement.event_time IS 'When it happened';
COMMENT ON COLUMN planthub.movement.event_offset IS 'UTC offset of the sender in minutes';
COMMENT ON COLUMN planthub.movement.recorded_at IS 'When the hub recorded it';
COMMENT ON COLUMN planthub.movement.posting_date IS 'Day of the ledger';

CREATE SEQUENCE planthub.stock_id_seq AS bigint;
COMMENT ON SEQUENCE planthub.stock_id_seq IS 'Numbers of stock keys';

CREATE TABLE planthub.stock (
    site     text COLLATE "C" NOT NULL,
    location text COLLATE "C" NOT NULL,
    item     text COLLATE "C" NOT NULL,
    lot      text COLLATE "C" NOT NULL,
    status   text COLLATE "C" NOT NULL,
    owner    text COLLATE "C" NOT NULL,
    id       bigint NOT NULL DEFAULT nextval('planthub.stock_id_seq'),
    uom      text COLLATE "C" NOT NULL,
    PRIMARY KEY (site, location, item, lot, status, owner)
);
CREATE INDEX stock_item ON planthub.stock (site, item, lot);
COMMENT ON TABLE planthub.stock IS 'Stock keys: what may lie where in which status; the balance is the newest entry of planthub.stock_ledger';
COMMENT ON COLUMN planthub.stock.site IS 'Site';
COMMENT ON COLUMN planthub.stock.location IS 'Location';
COMMENT ON COLUMN planthub.stock.item IS 'Item';
COMMENT ON COLUMN planthub.stock.lot IS 'Lot; empty for an item without lots';
COMMENT ON COLUMN planthub.stock.status IS 'unrestricted, quality, blocked, returns, ...';
COMMENT ON COLUMN planthub.stock.owner IS 'Whose stock it is: empty for our own, else a party';
COMMENT ON COLUMN planthub.stock.id IS 'Short number used in the ledger';
COMMENT ON COLUMN planthub.stock.uom IS 'Base unit of the item';

CREATE TABLE planthub.stock_ledger (
    site       text COLLATE "C" NOT NULL,
    stock_id   bigint NOT NULL,
    seq        bigint NOT NULL,
    message_id bigint NOT NULL,
    delta      numeric(18,6) NOT NULL,
    balance    numeric(18,6) NOT NULL,
    event_time timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    latest_time timestamptz NOT NULL,
    PRIMARY KEY (site, stock_id, seq)
);
COMMENT ON TABLE planthub.stock_ledger IS 'Changes of each stock key in the order of recording, with the balance after each';
COMMENT ON COLUMN planthub.stock_ledger.site IS 'Site';
COMMENT ON COLUMN planthub.stock_ledger.stock_id IS 'Number of the stock key';
COMMENT ON COLUMN planthub.stock_ledger.seq IS 'Number of the entry, without gaps from 1';
COMMENT ON COLUMN planthub.stock_ledger.message_id IS 'Message that changed it';
COMMENT ON COLUMN planthub.stock_ledger.delta IS 'Change: sum of the movements of the message';
COMMENT ON COLUMN planthub.stock_ledger.balance IS 'Balance after it';
COMMENT ON COLUMN planthub.stock_ledger.event_time IS 'When it happened';
COMMENT ON COLUMN planthub.stock_ledger.recorded_at IS 'When the hub recorded it';
COMMENT ON COLUMN planthub.stock_ledger.latest_time IS 'When the latest of the changes until this entry happened: at that time and after it the books say the balance, but for later entries';

CREATE TABLE planthub.stock_count (
    site        text COLLATE "C" NOT NULL,
    message_id  bigint NOT NULL,
    document    text COLLATE "C" NOT NULL,
    line        text COLLATE "C" NOT NULL,
    location    text COLLATE "C" NOT NULL,
    item        text COLLATE "C" NOT NULL,
    lot         text COLLATE "C" NOT NULL,
    counted     numeric(18,6) NOT NULL,
    book        numeric(18,6) NOT NULL,
    uom         text COLLATE "C" NOT NULL,
    counted_at  timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (site, message_id)
);
COMMENT ON TABLE planthub.stock_count IS 'Counts, with what the books said for the time of counting; the difference is an adjustment';
COMMENT ON COLUMN planthub.stock_count.site IS 'Site';
COMMENT ON COLUMN planthub.stock_count.message_id IS 'Message that told';
COMMENT ON COLUMN planthub.stock_count.document IS 'Number of the count';
COMMENT ON COLUMN planthub.stock_count.line IS 'Line of the count';
COMMENT ON COLUMN planthub.stock_count.location IS 'Location';
COMMENT ON COLUMN planthub.stock_count.item IS 'Item';
COMMENT ON COLUMN planthub.stock_count.lot IS 'Lot; empty for an item without lots';
COMMENT ON COLUMN planthub.stock_count.counted IS 'What was found';
COMMENT ON COLUMN planthub.stock_count.book IS 'What the movements up to that time add up to';
COMMENT ON COLUMN planthub.stock_count.uom IS 'Base unit of the item';
COMMENT ON COLUMN planthub.stock_count.counted_at IS 'When it was counted';
COMMENT ON COLUMN planthub.stock_count.recorded_at IS 'When the hub learned of it';

CREATE TABLE planthub.stock_snapshot (
    site        text COLLATE "C" NOT NULL,
    system      text COLLATE "C" NOT NULL,
    snapshot    text COLLATE "C" NOT NULL,
    page        int NOT NULL,
    line        int NOT NULL,
    pages       int NOT NULL,
    as_of       timestamptz NOT NULL,
    location    text COLLATE "C" NOT NULL,
    item        text COLLATE "C" NOT NULL,
    lot         text COLLATE "C" NOT NULL,
    status      text COLLATE "C" NOT NULL,
    qty         numeric(18,6) NOT NULL,
    uom         text COLLATE "C" NOT NULL,
    base_qty    numeric(18,6) NOT NULL,
    message_id  bigint NOT NULL,
    PRIMARY KEY (site, system, snapshot, page, line)
);
COMMENT ON TABLE planthub.stock_snapshot IS 'Stock as a system sees it, to be compared';
COMMENT ON COLUMN planthub.stock_snapshot.site IS 'Site';
COMMENT ON COLUMN planthub.stock_snapshot.system IS 'System that told';
COMMENT ON COLUMN planthub.stock_snapshot.snapshot IS 'Number of the snapshot';
COMMENT ON COLUMN planthub.stock_snapshot.page IS 'Page, from 1';
COMMENT ON COLUMN planthub.stock_snapshot.line IS 'Line of the page, from 1';
COMMENT ON COLUMN planthub.stock_snapshot.pages IS 'Number of pages';
COMMENT ON COLUMN planthub.stock_snapshot.as_of IS 'Time that it holds for';
COMMENT ON COLUMN planthub.stock_snapshot.location IS 'Location';
COMMENT ON COLUMN planthub.stock_snapshot.item IS 'Item';
COMMENT ON COLUMN planthub.stock_snapshot.lot IS 'Lot; empty for an item without lots';
COMMENT ON COLUMN planthub.stock_snapshot.status IS 'Stock status';
COMMENT ON COLUMN planthub.stock_snapshot.qty IS 'Quantity in the unit of the system; may be negative';
COMMENT ON COLUMN planthub.stock_snapshot.uom IS 'Unit of the system';
COMMENT ON COLUMN planthub.stock_snapshot.base_qty IS 'Quantity in the base unit of the item';
COMMENT ON COLUMN planthub.stock_snapshot.message_id IS 'Message that brought it';

CREATE TABLE planthub.pick_task (
    site        text COLLATE "C" NOT NULL,
    pick        text COLLATE "C" NOT NULL,
    task        text COLLATE "C" NOT NULL,
    message_id  bigint NOT NULL,
    order_no    text COLLATE "C",
    delivery_no text COLLATE "C",
    outcome     text NOT NULL CHECK (outcome IN ('confirmed', 'short')),
    complete    boolean NOT NULL DEFAULT false,
    item        text COLLATE "C",
    requested   numeric(18,6),
    available   numeric(18,6),
    uom         text COLLATE "C",
    reason      text,
    event_time  timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (site, pick, task, message_id)
);
COMMENT ON TABLE planthub.pick_task IS 'Picks that were done or fell short; what was picked are the movements of the message';
COMMENT ON COLUMN planthub.pick_task.site IS 'Site';
COMMENT ON COLUMN planthub.pick_task.pick IS 'Pick request';
COMMENT ON COLUMN planthub.pick_task.task IS 'Task of the warehouse';
COMMENT ON COLUMN planthub.pick_task.message_id IS 'Message that told';
COMMENT ON COLUMN planthub.pick_task.order_no IS 'Production order it is for';
COMMENT ON COLUMN planthub.pick_task.delivery_no IS 'Delivery it is for';
COMMENT ON COLUMN planthub.pick_task.outcome IS 'confirmed or short';
COMMENT ON COLUMN planthub.pick_task.complete IS 'Whether the whole request is done';
COMMENT ON COLUMN planthub.pick_task.item IS 'Item that fell short';
COMMENT ON COLUMN planthub.pick_task.requested IS 'How much was asked for, in the unit of the sender';
COMMENT ON COLUMN planthub.pick_task.available IS 'How much there was';
COMMENT ON COLUMN planthub.pick_task.uom IS 'Unit of the sender';
COMMENT ON COLUMN planthub.pick_task.reason IS 'Why it fell short';
COMMENT ON COLUMN planthub.pick_task.event_time IS 'When it happened';
COMMENT ON COLUMN planthub.pick_task.recorded_at IS 'When the hub learned of it';

INSERT INTO planthub.table_class VALUES ('movement', 'wide'), ('stock', 'wide'), ('stock_ledger', 'wide'), ('stock_count', 'wide'),
    ('stock_snapshot', 'wide'), ('pick_task', 'wide');
