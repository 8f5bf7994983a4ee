-- shipment: outbound deliveries of goods, the handling units they take, and how far they are.  Run once.

CREATE TABLE planthub.shipment (
    site         text COLLATE "C" NOT NULL,
    shipment     text COLLATE "C" NOT NULL,
    version      bigint,
    customer     text COLLATE "C",
    sales_order  text COLLATE "C",
    planned_ship timestamptz,
    state        text NOT NULL DEFAULT 'planned' CHECK (state IN ('planned', 'ready', 'departed', 'delivered')),
    ready_at     timestamptz,
    departed_at  timestamptz,
    delivered_at timestamptz,
    carrier      text,
    vehicle      text,
    proof        text,
    message_id   bigint NOT NULL,
    PRIMARY KEY (site, shipment)
);
COMMENT ON TABLE planthub.shipment IS 'Outbound deliveries of goods, under the number of the delivery in the ERP; "delivery" alone is what the hub sends to a target';
COMMENT ON COLUMN planthub.shipment.site IS 'Site';
COMMENT ON COLUMN planthub.shipment.shipment IS 'Number of the delivery';
COMMENT ON COLUMN planthub.shipment.version IS 'Version of the plan that holds; null: only executed facts are known';
COMMENT ON COLUMN planthub.shipment.customer IS 'Party that receives it';
COMMENT ON COLUMN planthub.shipment.sales_order IS 'Sales order';
COMMENT ON COLUMN planthub.shipment.planned_ship IS 'When it is to leave';
COMMENT ON COLUMN planthub.shipment.state IS 'planned, ready, departed or delivered; never goes back';
COMMENT ON COLUMN planthub.shipment.ready_at IS 'When it was ready';
COMMENT ON COLUMN planthub.shipment.departed_at IS 'When it left';
COMMENT ON COLUMN planthub.shipment.delivered_at IS 'When it arrived';
COMMENT ON COLUMN planthub.shipment.carrier IS 'Carrier';
COMMENT ON COLUMN planthub.shipment.vehicle IS 'Vehicle';
COMMENT ON COLUMN planthub.shipment.proof IS 'Proof of delivery';
COMMENT ON COLUMN planthub.shipment.message_id IS 'First message about it';

CREATE TABLE planthub.shipment_line (
    site     text COLLATE "C" NOT NULL,
    shipment text COLLATE "C" NOT NULL,
    line_no  text COLLATE "C" NOT NULL,
    item     text COLLATE "C" NOT NULL,
    lot      text COLLATE "C",
    qty      numeric(18,6) NOT NULL,
    uom      text COLLATE "C" NOT NULL,
    PRIMARY KEY (site, shipment, line_no)
);
COMMENT ON TABLE planthub.shipment_line IS 'Lines of outbound deliveries';
COMMENT ON COLUMN planthub.shipment_line.site IS 'Site';
COMMENT ON COLUMN planthub.shipment_line.shipment IS 'Number of the delivery';
COMMENT ON COLUMN planthub.shipment_line.line_no IS 'Number of the line';
COMMENT ON COLUMN planthub.shipment_line.item IS 'Item';
COMMENT ON COLUMN planthub.shipment_line.lot IS 'Lot the customer asked for';
COMMENT ON COLUMN planthub.shipment_line.qty IS 'How much, in the base unit';
COMMENT ON COLUMN planthub.shipment_line.uom IS 'Base unit of the item';

CREATE TABLE planthub.shipment_unit (
    site        text COLLATE "C" NOT NULL,
    shipment    text COLLATE "C" NOT NULL,
    sscc        text COLLATE "C" NOT NULL,
    assigned_at timestamptz NOT NULL,
    shipped     boolean NOT NULL DEFAULT false,
    message_id  bigint NOT NULL,
    PRIMARY KEY (site, shipment, sscc)
);
COMMENT ON TABLE planthub.shipment_unit IS 'Handling units that belong to an outbound delivery';
COMMENT ON COLUMN planthub.shipment_unit.site IS 'Site';
COMMENT ON COLUMN planthub.shipment_unit.shipment IS 'Number of the delivery';
COMMENT ON COLUMN planthub.shipment_unit.sscc IS 'Handling unit';
COMMENT ON COLUMN planthub.shipment_unit.assigned_at IS 'When it was assigned';
COMMENT ON COLUMN planthub.shipment_unit.shipped IS 'Whether it left with it';
COMMENT ON COLUMN planthub.shipment_unit.message_id IS 'Message that brought it';

CREATE INDEX shipment_unit_sscc ON planthub.shipment_unit (site, sscc);

CREATE TABLE planthub.reserved_lot (
    site        text COLLATE "C" NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('production_order', 'shipment')),
    number      text COLLATE "C" NOT NULL,
    line        text COLLATE "C" NOT NULL,
    item        text COLLATE "C" NOT NULL,
    lot         text COLLATE "C" NOT NULL,
    qty         numeric(18,6) NOT NULL CHECK (qty > 0),
    by          text NOT NULL DEFAULT session_user,
    reserved_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (site, kind, number, line)
);
COMMENT ON TABLE planthub.reserved_lot IS 'Lots that operators have reserved, see planthub.reserve(), for lines whose plan names none';
COMMENT ON COLUMN planthub.reserved_lot.site IS 'Site';
COMMENT ON COLUMN planthub.reserved_lot.kind IS 'production_order or shipment';
COMMENT ON COLUMN planthub.reserved_lot.number IS 'Number of the order or the delivery';
COMMENT ON COLUMN planthub.reserved_lot.line IS 'Line of the component, or of the delivery';
COMMENT ON COLUMN planthub.reserved_lot.item IS 'Item of the line';
COMMENT ON COLUMN planthub.reserved_lot.lot IS 'Lot';
COMMENT ON COLUMN planthub.reserved_lot.qty IS 'How much at most, in the base unit of the item';
COMMENT ON COLUMN planthub.reserved_lot.by IS 'Who: the role that logged in';
COMMENT ON COLUMN planthub.reserved_lot.reserved_at IS 'When';

INSERT INTO planthub.table_class VALUES
    ('shipment', 'wide'),
    ('shipment_line', 'wide'),
    ('shipment_unit', 'wide'),
    ('reserved_lot', 'wide');

INSERT INTO planthub.effect (topic, function, business_key, builtin) VALUES
    ('delivery.created', 'planthub.apply_shipment_plan', '{delivery}', true),
    ('delivery.changed', 'planthub.apply_shipment_plan', '{delivery,version}', true),
    ('shipment.ready', 'planthub.apply_shipment_ready', NULL, true),
    ('shipment.departed', 'planthub.apply_shipment_departed', NULL, true),
    ('shipment.delivered', 'planthub.apply_shipment_delivered', NULL, true);
