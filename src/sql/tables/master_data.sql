-- master_data: equipment, parties, items, units of items, bills of material, routings.  Versions are kept: each holds
-- for a time, and no two for the same time.  Run once.
--
-- The constraints compare a hash of the name as a range of one number, because a GiST index of texts would need another
-- extension.

CREATE TABLE planthub.equipment (
    equipment       text COLLATE "C" NOT NULL CHECK (length(equipment) BETWEEN 1 AND 64),
    valid_from      timestamptz NOT NULL DEFAULT '-infinity',
    valid_to        timestamptz NOT NULL DEFAULT 'infinity',
    version         bigint NOT NULL DEFAULT 1,
    level           text NOT NULL CHECK (level IN ('Enterprise', 'Site', 'Area', 'ProcessCell', 'ProductionLine', 'ProductionUnit',
                        'StorageZone', 'StorageUnit', 'Unit', 'WorkCell', 'WorkCenter', 'WorkUnit')),
    parent          text COLLATE "C",
    site            text COLLATE "C" NOT NULL,
    name            text,
    timezone        text,
    gln             text,
    cost_centre     text,
    asset           text COLLATE "C",
    supply_location text COLLATE "C",
    active          boolean NOT NULL DEFAULT true,
    message_id      bigint,
    PRIMARY KEY (equipment, valid_from),
    CONSTRAINT equipment_valid_check CHECK (valid_from < valid_to),
    CONSTRAINT equipment_valid EXCLUDE USING gist (
        int8range(hashtextextended(equipment, 0), hashtextextended(equipment, 0), '[]') WITH &&, tstzrange(valid_from, valid_to) WITH &&)
);
CREATE INDEX equipment_parent ON planthub.equipment (parent);
COMMENT ON TABLE planthub.equipment IS 'ISA-95 equipment of every level, storage locations included';
COMMENT ON COLUMN planthub.equipment.equipment IS 'Code, unique in the enterprise';
COMMENT ON COLUMN planthub.equipment.valid_from IS 'Time from which this version holds';
COMMENT ON COLUMN planthub.equipment.valid_to IS 'Time from which it no longer holds';
COMMENT ON COLUMN planthub.equipment.version IS 'Version given by the owner';
COMMENT ON COLUMN planthub.equipment.level IS 'ISA-95 level, such as WorkCenter or StorageZone';
COMMENT ON COLUMN planthub.equipment.parent IS 'Equipment that it is part of';
COMMENT ON COLUMN planthub.equipment.site IS 'Site it belongs to; "*" above the sites';
COMMENT ON COLUMN planthub.equipment.name IS 'Name for people';
COMMENT ON COLUMN planthub.equipment.timezone IS 'IANA time zone; null: that of its parent';
COMMENT ON COLUMN planthub.equipment.gln IS 'GS1 global location number';
COMMENT ON COLUMN planthub.equipment.cost_centre IS 'Cost centre';
COMMENT ON COLUMN planthub.equipment.asset IS 'Physical asset that serves it';
COMMENT ON COLUMN planthub.equipment.supply_location IS 'Storage location that material comes from when nobody says so; null: the storage zone of the nearest level above';
COMMENT ON COLUMN planthub.equipment.active IS 'Whether it may be used';
COMMENT ON COLUMN planthub.equipment.message_id IS 'Message that brought this version';
COMMENT ON CONSTRAINT equipment_valid ON planthub.equipment IS 'At every time one version holds';

CREATE TABLE planthub.party (
    party      text COLLATE "C" NOT NULL CHECK (length(party) BETWEEN 1 AND 64),
    valid_from timestamptz NOT NULL DEFAULT '-infinity',
    valid_to   timestamptz NOT NULL DEFAULT 'infinity',
    version    bigint NOT NULL DEFAULT 1,
    role       text NOT NULL,
    name       text,
    gln        text,
    country    text,
    address    jsonb,
    message_id bigint,
    PRIMARY KEY (party, valid_from),
    CONSTRAINT party_valid_check CHECK (valid_from < valid_to),
    CONSTRAINT party_valid EXCLUDE USING gist (
        int8range(hashtextextended(party, 0), hashtextextended(party, 0), '[]') WITH &&, tstzrange(valid_from, valid_to) WITH &&)
);
COMMENT ON TABLE planthub.party IS 'Business partners';
COMMENT ON COLUMN planthub.party.party IS 'Code, unique in the enterprise';
COMMENT ON COLUMN planthub.party.valid_from IS 'Time from which this version holds';
COMMENT ON COLUMN planthub.party.valid_to IS 'Time from which it no longer holds';
COMMENT ON COLUMN planthub.party.version IS 'Version given by the owner';
COMMENT ON COLUMN planthub.party.role IS 'supplier, customer, carrier, ...';
COMMENT ON COLUMN planthub.party.name IS 'Name';
COMMENT ON COLUMN planthub.party.gln IS 'GS1 global location number';
COMMENT ON COLUMN planthub.party.country IS 'ISO 3166 code of the country';
COMMENT ON COLUMN planthub.party.address IS 'Address';
COMMENT ON COLUMN planthub.party.message_id IS 'Message that brought this version';
COMMENT ON CONSTRAINT party_valid ON planthub.party IS 'At every time one version holds';

CREATE TABLE planthub.item (
    item              text COLLATE "C" NOT NULL CHECK (length(item) BETWEEN 1 AND 64),
    valid_from        timestamptz NOT NULL DEFAULT '-infinity',
    valid_to          timestamptz NOT NULL DEFAULT 'infinity',
    version           bigint NOT NULL DEFAULT 1,
    description       text NOT NULL,
    base_uom          text COLLATE "C" NOT NULL,
    lot_controlled    boolean NOT NULL,
    serial_controlled boolean NOT NULL,
    status            text NOT NULL CHECK (status IN ('active', 'blocked', 'obsolete')),
    shelf_life_days   int,
    gtin              text COLLATE "C",
    message_id        bigint,
    PRIMARY KEY (item, valid_from),
    CONSTRAINT item_valid_check CHECK (valid_from < valid_to),
    CONSTRAINT item_valid EXCLUDE USING gist (
        int8range(hashtextextended(item, 0), hashtextextended(item, 0), '[]') WITH &&, tstzrange(valid_from, valid_to) WITH &&)
);
CREATE INDEX item_gtin ON planthub.item (gtin) WHERE gtin IS NOT NULL;
COMMENT ON TABLE planthub.item IS 'Materials and products (ISA-95 material definitions)';
COMMENT ON COLUMN planthub.item.item IS 'Code, unique in the enterprise';
COMMENT ON COLUMN planthub.item.valid_from IS 'Time from which this version holds';
COMMENT ON COLUMN planthub.item.valid_to IS 'Time from which it no longer holds';
COMMENT ON COLUMN planthub.item.version IS 'Version given by the owner';
COMMENT ON COLUMN planthub.item.description IS 'Text for people';
COMMENT ON COLUMN planthub.item.base_uom IS 'Unit in which its stock is kept';
COMMENT ON COLUMN planthub.item.lot_controlled IS 'Whether every movement names a lot';
COMMENT ON COLUMN planthub.item.serial_controlled IS 'Whether every piece has a serial number';
COMMENT ON COLUMN planthub.item.status IS 'active, blocked or obsolete';
COMMENT ON COLUMN planthub.item.shelf_life_days IS 'Days from production to expiry';
COMMENT ON COLUMN planthub.item.gtin IS 'GS1 global trade item number, 14 digits';
COMMENT ON COLUMN planthub.item.message_id IS 'Message that brought this version';
COMMENT ON CONSTRAINT item_valid ON planthub.item IS 'At every time one version holds';

CREATE TABLE planthub.uom_conversion (
    item        text COLLATE "C" NOT NULL,
    uom         text COLLATE "C" NOT NULL REFERENCES planthub.unit,
    to_uom      text COLLATE "C" NOT NULL REFERENCES planthub.unit,
    valid_from  timestamptz NOT NULL DEFAULT '-infinity',
    valid_to    timestamptz NOT NULL DEFAULT 'infinity',
    numerator   numeric NOT NULL CHECK (numerator > 0),
    denominator numeric NOT NULL CHECK (denominator > 0),
    message_id  bigint,
    PRIMARY KEY (item, uom, to_uom, valid_from),
    CONSTRAINT uom_conversion_valid_check CHECK (valid_from < valid_to),
    CONSTRAINT uom_conversion_valid EXCLUDE USING gist (
        int8range(hashtextextended(item, hashtextextended(uom, hashtextextended(to_uom, 0))),
                  hashtextextended(item, hashtextextended(uom, hashtextextended(to_uom, 0))), '[]') WITH &&, tstzrange(valid_from, valid_to) WITH &&)
);
COMMENT ON TABLE planthub.uom_conversion IS 'Conversions that hold for one item, such as pieces in a box';
COMMENT ON COLUMN planthub.uom_conversion.item IS 'The item';
COMMENT ON COLUMN planthub.uom_conversion.uom IS 'Unit to convert';
COMMENT ON COLUMN planthub.uom_conversion.to_uom IS 'Unit it is converted to';
COMMENT ON COLUMN planthub.uom_conversion.valid_from IS 'Time from which it holds';
COMMENT ON COLUMN planthub.uom_conversion.valid_to IS 'Time from which it no longer holds';
COMMENT ON COLUMN planthub.uom_conversion.numerator IS 'Of the exact ratio';
COMMENT ON COLUMN planthub.uom_conversion.denominator IS 'Of the exact ratio';
COMMENT ON COLUMN planthub.uom_conversion.message_id IS 'Message that brought it';
COMMENT ON CONSTRAINT uom_conversion_valid ON planthub.uom_conversion IS 'At every time one version holds';

CREATE TABLE planthub.bom (
    item       text COLLATE "C" NOT NULL,
    bom        text COLLATE "C" NOT NULL,
    version    text COLLATE "C" NOT NULL,
    base_qty   numeric(18,6) NOT NULL CHECK (base_qty > 0),
    uom        text COLLATE "C" NOT NULL,
    valid_from date,
    message_id bigint,
    PRIMARY KEY (item, bom, version)
);
COMMENT ON TABLE planthub.bom IS 'Released bills of material; a version never changes';
COMMENT ON COLUMN planthub.bom.item IS 'What is made';
COMMENT ON COLUMN planthub.bom.bom IS 'Code of the bill';
COMMENT ON COLUMN planthub.bom.version IS 'Version';
COMMENT ON COLUMN planthub.bom.base_qty IS 'Quantity that the lines are for';
COMMENT ON COLUMN planthub.bom.uom IS 'Unit of that quantity';
COMMENT ON COLUMN planthub.bom.valid_from IS 'Day from which it may be used';
COMMENT ON COLUMN planthub.bom.message_id IS 'Message that brought it';

CREATE TABLE planthub.bom_line (
    item        text COLLATE "C" NOT NULL,
    bom         text COLLATE "C" NOT NULL,
    version     text COLLATE "C" NOT NULL,
    line        text COLLATE "C" NOT NULL,
    component   text COLLATE "C" NOT NULL,
    qty         numeric(18,6) NOT NULL,
    uom         text COLLATE "C" NOT NULL,
    operation   text COLLATE "C",
    scrap_pct   numeric,
    backflush   boolean NOT NULL DEFAULT false,
    substitutes text[],
    PRIMARY KEY (item, bom, version, line),
    FOREIGN KEY (item, bom, version) REFERENCES planthub.bom
);
COMMENT ON TABLE planthub.bom_line IS 'Lines of bills of material; one item may be on several';
COMMENT ON COLUMN planthub.bom_line.item IS 'What is made';
COMMENT ON COLUMN planthub.bom_line.bom IS 'Code of the bill';
COMMENT ON COLUMN planthub.bom_line.version IS 'Version';
COMMENT ON COLUMN planthub.bom_line.line IS 'Number of the line';
COMMENT ON COLUMN planthub.bom_line.component IS 'What goes in';
COMMENT ON COLUMN planthub.bom_line.qty IS 'How much for the quantity of the bill';
COMMENT ON COLUMN planthub.bom_line.uom IS 'Unit';
COMMENT ON COLUMN planthub.bom_line.operation IS 'Operation that uses it';
COMMENT ON COLUMN planthub.bom_line.scrap_pct IS 'Planned loss in percent';
COMMENT ON COLUMN planthub.bom_line.backflush IS 'Whether consumption is computed from the confirmed quantity';
COMMENT ON COLUMN planthub.bom_line.substitutes IS 'Items that may be used instead';

CREATE TABLE planthub.routing (
    item       text COLLATE "C" NOT NULL,
    routing    text COLLATE "C" NOT NULL,
    version    text COLLATE "C" NOT NULL,
    message_id bigint,
    PRIMARY KEY (item, routing, version)
);
COMMENT ON TABLE planthub.routing IS 'Released routings; a version never changes';
COMMENT ON COLUMN planthub.routing.item IS 'What is made';
COMMENT ON COLUMN planthub.routing.routing IS 'Code of the routing';
COMMENT ON COLUMN planthub.routing.version IS 'Version';
COMMENT ON COLUMN planthub.routing.message_id IS 'Message that brought it';

CREATE TABLE planthub.routing_operation (
    item                 text COLLATE "C" NOT NULL,
    routing              text COLLATE "C" NOT NULL,
    version              text COLLATE "C" NOT NULL,
    operation            text COLLATE "C" NOT NULL,
    work_center          text COLLATE "C" NOT NULL,
    is_milestone         boolean NOT NULL DEFAULT false,
    setup_min            numeric,
    machine_min_per_unit numeric,
    labor_min_per_unit   numeric,
    PRIMARY KEY (item, routing, version, operation),
    FOREIGN KEY (item, routing, version) REFERENCES planthub.routing
);
COMMENT ON TABLE planthub.routing_operation IS 'Operations of routings';
COMMENT ON COLUMN planthub.routing_operation.item IS 'What is made';
COMMENT ON COLUMN planthub.routing_operation.routing IS 'Code of the routing';
COMMENT ON COLUMN planthub.routing_operation.version IS 'Version';
COMMENT ON COLUMN planthub.routing_operation.operation IS 'Number of the operation';
COMMENT ON COLUMN planthub.routing_operation.work_center IS 'Where it is done';
COMMENT ON COLUMN planthub.routing_operation.is_milestone IS 'Whether confirming it confirms those before';
COMMENT ON COLUMN planthub.routing_operation.setup_min IS 'Minutes to set up';
COMMENT ON COLUMN planthub.routing_operation.machine_min_per_unit IS 'Machine minutes for one unit';
COMMENT ON COLUMN planthub.routing_operation.labor_min_per_unit IS 'Labour minutes for one unit';

INSERT INTO planthub.table_class VALUES ('equipment', 'reference'), ('party', 'reference'), ('item', 'reference'), ('uom_conversion', 'reference'),
    ('bom', 'reference'), ('bom_line', 'reference'), ('routing', 'reference'), ('routing_operation', 'reference');
