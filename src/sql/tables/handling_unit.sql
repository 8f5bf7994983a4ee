-- handling_unit: pallets, boxes, what is in them and since when.  Run once.

CREATE TABLE planthub.handling_unit (
    site       text COLLATE "C" NOT NULL,
    sscc       text COLLATE "C" NOT NULL,
    state      text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'shipped', 'dissolved')),
    location   text COLLATE "C" NOT NULL,
    located_at timestamptz NOT NULL,
    parent     text COLLATE "C",
    packed_at  timestamptz NOT NULL,
    shipped_at timestamptz,
    message_id bigint NOT NULL,
    PRIMARY KEY (site, sscc)
);
COMMENT ON TABLE planthub.handling_unit IS 'Handling units: pallets and boxes with an SSCC';
COMMENT ON COLUMN planthub.handling_unit.site IS 'Site';
COMMENT ON COLUMN planthub.handling_unit.sscc IS 'Serial shipping container code, 18 digits';
COMMENT ON COLUMN planthub.handling_unit.state IS 'open, shipped or dissolved (unpacked to the last piece)';
COMMENT ON COLUMN planthub.handling_unit.location IS 'Place it is at, or was at when it was shipped';
COMMENT ON COLUMN planthub.handling_unit.located_at IS 'Event time of the fact that tells the place';
COMMENT ON COLUMN planthub.handling_unit.parent IS 'Handling unit it is part of';
COMMENT ON COLUMN planthub.handling_unit.packed_at IS 'Event time of the first packing';
COMMENT ON COLUMN planthub.handling_unit.shipped_at IS 'Event time of the departure';
COMMENT ON COLUMN planthub.handling_unit.message_id IS 'Message that brought it';

-- Facts about contents may arrive in any order, so what is kept is the changes: the contents at an instant are their sum.
CREATE TABLE planthub.handling_unit_change (
    site        text COLLATE "C" NOT NULL,
    sscc        text COLLATE "C" NOT NULL,
    message_id  bigint NOT NULL,
    line_no     int NOT NULL,
    item        text COLLATE "C" NOT NULL,
    lot         text COLLATE "C" NOT NULL DEFAULT '',
    serials     text[],
    qty         numeric(18,6) NOT NULL CHECK (qty <> 0),
    uom         text COLLATE "C" NOT NULL,
    event_time  timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (site, sscc, message_id, line_no)
);
COMMENT ON TABLE planthub.handling_unit_change IS 'What went into and out of handling units: append-only';
COMMENT ON COLUMN planthub.handling_unit_change.site IS 'Site';
COMMENT ON COLUMN planthub.handling_unit_change.sscc IS 'Handling unit';
COMMENT ON COLUMN planthub.handling_unit_change.message_id IS 'Message that brought it';
COMMENT ON COLUMN planthub.handling_unit_change.line_no IS 'Number of the change in the message';
COMMENT ON COLUMN planthub.handling_unit_change.item IS 'Item';
COMMENT ON COLUMN planthub.handling_unit_change.lot IS 'Lot; "" without one';
COMMENT ON COLUMN planthub.handling_unit_change.serials IS 'Serial numbers';
COMMENT ON COLUMN planthub.handling_unit_change.qty IS 'How much went in, in the base unit; negative: went out';
COMMENT ON COLUMN planthub.handling_unit_change.uom IS 'Base unit of the item';
COMMENT ON COLUMN planthub.handling_unit_change.event_time IS 'When it happened';
COMMENT ON COLUMN planthub.handling_unit_change.recorded_at IS 'When the hub learned it';

CREATE INDEX handling_unit_change_lot ON planthub.handling_unit_change (site, item, lot);

INSERT INTO planthub.table_class VALUES
    ('handling_unit', 'wide'),
    ('handling_unit_change', 'wide');

INSERT INTO planthub.effect (topic, function, business_key, builtin) VALUES
    ('handling_unit.packed', 'planthub.apply_handling_unit_packed', NULL, true),
    ('handling_unit.unpacked', 'planthub.apply_handling_unit_unpacked', NULL, true),
    ('handling_unit.split', 'planthub.apply_handling_unit_split', NULL, true),
    ('handling_unit.moved', 'planthub.apply_handling_unit_moved', NULL, true);
