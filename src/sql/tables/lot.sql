-- lot: lots and serial numbers.  A lot is neither a quantity nor a place: that is stock.  Run once.

CREATE TABLE planthub.lot (
    site          text COLLATE "C" NOT NULL,
    item          text COLLATE "C" NOT NULL,
    lot           text COLLATE "C" NOT NULL CHECK (length(lot) BETWEEN 1 AND 40),
    version       bigint NOT NULL DEFAULT 0,
    origin        text NOT NULL CHECK (origin IN ('master', 'received', 'produced', 'split', 'rework', 'relabel')),
    status        text NOT NULL DEFAULT 'unrestricted' CHECK (status IN ('unrestricted', 'quality', 'restricted', 'blocked')),
    supplier      text COLLATE "C",
    supplier_lot  text COLLATE "C",
    manufactured  date,
    expiry        date,
    country       text,
    order_no      text COLLATE "C",
    properties    jsonb,
    message_id    bigint,
    event_time    timestamptz NOT NULL DEFAULT now(),
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (site, item, lot)
);
CREATE INDEX lot_lot ON planthub.lot (site, lot);
COMMENT ON TABLE planthub.lot IS 'Lots: an amount of an item that shares its history; numbers are unique per item';
COMMENT ON COLUMN planthub.lot.site IS 'Site that knows the lot';
COMMENT ON COLUMN planthub.lot.item IS 'Item';
COMMENT ON COLUMN planthub.lot.lot IS 'Number of the lot';
COMMENT ON COLUMN planthub.lot.version IS 'Version given by the owner of its master data; 0: none yet';
COMMENT ON COLUMN planthub.lot.origin IS 'How it came to be: master, received, produced, split, rework or relabel';
COMMENT ON COLUMN planthub.lot.status IS 'Status of the lot as a whole: unrestricted, quality, restricted or blocked';
COMMENT ON COLUMN planthub.lot.supplier IS 'Supplier';
COMMENT ON COLUMN planthub.lot.supplier_lot IS 'Number that the supplier gave it';
COMMENT ON COLUMN planthub.lot.manufactured IS 'Day of production';
COMMENT ON COLUMN planthub.lot.expiry IS 'Last day on which it may be used, in the time zone of the site';
COMMENT ON COLUMN planthub.lot.country IS 'Country of origin';
COMMENT ON COLUMN planthub.lot.order_no IS 'Production order that made it';
COMMENT ON COLUMN planthub.lot.properties IS 'Properties: array of code, value, unit';
COMMENT ON COLUMN planthub.lot.message_id IS 'Message that created it or changed it last';
COMMENT ON COLUMN planthub.lot.event_time IS 'When it came to be';
COMMENT ON COLUMN planthub.lot.recorded_at IS 'When the hub learned of it';

-- Only versions that hold are here: each is higher than all before it.
CREATE TABLE planthub.lot_version (
    site        text COLLATE "C" NOT NULL,
    item        text COLLATE "C" NOT NULL,
    lot         text COLLATE "C" NOT NULL,
    version     bigint NOT NULL,
    status      text NOT NULL CHECK (status IN ('unrestricted', 'quality', 'restricted', 'blocked')),
    message_id  bigint NOT NULL,
    event_time  timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (site, item, lot, version)
);
COMMENT ON TABLE planthub.lot_version IS 'What the owner of the master data said of the status of a lot, version by version; see planthub.lot_status';
COMMENT ON COLUMN planthub.lot_version.site IS 'Site';
COMMENT ON COLUMN planthub.lot_version.item IS 'Item';
COMMENT ON COLUMN planthub.lot_version.lot IS 'Number of the lot';
COMMENT ON COLUMN planthub.lot_version.version IS 'Version given by the owner';
COMMENT ON COLUMN planthub.lot_version.status IS 'Status of the lot as a whole: unrestricted, quality, restricted or blocked';
COMMENT ON COLUMN planthub.lot_version.message_id IS 'Message that brought it';
COMMENT ON COLUMN planthub.lot_version.event_time IS 'From when it holds';
COMMENT ON COLUMN planthub.lot_version.recorded_at IS 'When the hub learned of it';

-- The newest row of a serial number is its state.
CREATE TABLE planthub.serial_event (
    site       text COLLATE "C" NOT NULL,
    item       text COLLATE "C" NOT NULL,
    serial     text COLLATE "C" NOT NULL,
    message_id bigint NOT NULL,
    line       int NOT NULL,
    state      text NOT NULL CHECK (state IN ('active', 'installed', 'scrapped', 'shipped', 'returned')),
    lot        text COLLATE "C",
    location   text COLLATE "C",
    event_time timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (site, item, serial, message_id, line)
);
COMMENT ON TABLE planthub.serial_event IS 'What happened to serial numbers; the newest row says the state';
COMMENT ON COLUMN planthub.serial_event.site IS 'Site';
COMMENT ON COLUMN planthub.serial_event.item IS 'Item';
COMMENT ON COLUMN planthub.serial_event.serial IS 'Serial number, unique per item';
COMMENT ON COLUMN planthub.serial_event.message_id IS 'Message that told';
COMMENT ON COLUMN planthub.serial_event.line IS 'Line of the message';
COMMENT ON COLUMN planthub.serial_event.state IS 'active, installed, scrapped, shipped or returned';
COMMENT ON COLUMN planthub.serial_event.lot IS 'Lot it belongs to';
COMMENT ON COLUMN planthub.serial_event.location IS 'Where it is';
COMMENT ON COLUMN planthub.serial_event.event_time IS 'When it happened';
COMMENT ON COLUMN planthub.serial_event.recorded_at IS 'When the hub learned of it';

INSERT INTO planthub.table_class VALUES ('lot', 'wide'), ('lot_version', 'wide'), ('serial_event', 'wide');
