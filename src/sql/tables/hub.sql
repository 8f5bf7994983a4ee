-- hub: who this database is, where the logs are written, and which tables are local to it.  Run once.

CREATE SCHEMA planthub;
COMMENT ON SCHEMA planthub IS 'PlantHub: integration hub; message log, delivery and canonical tables';

CREATE TABLE planthub.hub (
    singleton         boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    id                uuid NOT NULL DEFAULT gen_random_uuid(),
    system_identifier bigint NOT NULL,
    database_oid      bigint NOT NULL,
    slot              smallint NOT NULL DEFAULT 0 CHECK (slot BETWEEN 0 AND 7),
    slot_since        timestamptz NOT NULL DEFAULT now(),
    slot_length       interval NOT NULL DEFAULT '7 days' CHECK (slot_length > '0')
);
COMMENT ON TABLE planthub.hub IS 'The one row about this hub: its identity, the server and database it may send from, and the log slot in use';
COMMENT ON COLUMN planthub.hub.singleton IS 'Always true: there is one row';
COMMENT ON COLUMN planthub.hub.id IS 'Identity of the hub; part of every idempotency key and of the CloudEvents source; travels with a dump';
COMMENT ON COLUMN planthub.hub.system_identifier IS 'System identifier of the server that may send; on any other server the workers stay silent until planthub.arm()';
COMMENT ON COLUMN planthub.hub.database_oid IS 'Database that may send; a copy made with CREATE DATABASE ... TEMPLATE has another one';
COMMENT ON COLUMN planthub.hub.slot IS 'Log slot (0-7) that new rows of the log tables go to; the slots form a ring';
COMMENT ON COLUMN planthub.hub.slot_since IS 'When the present slot came into use';
COMMENT ON COLUMN planthub.hub.slot_length IS 'How long one slot is written before planthub.rotate() moves to the next; history kept is seven of these';

-- Hubs grow by adding hubs: what may be shared between them is decided table by table.
CREATE TABLE planthub.table_class (
    name  text COLLATE "C" PRIMARY KEY,
    class text NOT NULL CHECK (class IN ('engine', 'wide', 'reference', 'local'))
);
COMMENT ON TABLE planthub.table_class IS 'Every table of the extension with its class; each piece that creates tables adds their rows';
COMMENT ON COLUMN planthub.table_class.name IS 'Name of the table; leaves of a partitioned table go with it';
COMMENT ON COLUMN planthub.table_class.class IS 'engine: numbers and transactions of this hub, never leaves it; wide: plant facts that the enterprise reads, by site; reference: small, the same for all sites; local: settings and secrets of this hub';

INSERT INTO planthub.table_class VALUES ('hub', 'local'), ('table_class', 'local');
