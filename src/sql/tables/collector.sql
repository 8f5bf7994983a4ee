-- collector: reading tables that other applications write.  Run once.

CREATE TABLE planthub.collector (
    code              text COLLATE "C" PRIMARY KEY CHECK (code ~ '^[a-z0-9][a-z0-9._-]{0,31}$'),
    source            text COLLATE "C" NOT NULL,
    topic             text COLLATE "C" NOT NULL REFERENCES planthub.topic,
    version           int NOT NULL DEFAULT 1 CHECK (version BETWEEN 1 AND 999999999),
    relation          text NOT NULL,
    key_columns       text[] NOT NULL,
    xid_column        text,
    mapping           text COLLATE "C" NOT NULL,
    collected_at      timestamptz,
    system_identifier bigint,
    s_old             pg_snapshot,
    s_new             pg_snapshot,
    pos               jsonb
);
COMMENT ON TABLE planthub.collector IS 'Tables of other applications in this database whose rows are received as events';
COMMENT ON COLUMN planthub.collector.code IS 'Code of the collector';
COMMENT ON COLUMN planthub.collector.source IS 'CloudEvents source of its events';
COMMENT ON COLUMN planthub.collector.topic IS 'Topic of its events';
COMMENT ON COLUMN planthub.collector.version IS 'Version of the contract that the mapping makes';
COMMENT ON COLUMN planthub.collector.relation IS 'Table or view that is read';
COMMENT ON COLUMN planthub.collector.key_columns IS 'Columns that identify a row';
COMMENT ON COLUMN planthub.collector.xid_column IS 'Column of type xid8 with the transaction that inserted a row: only new rows are read, by snapshots; null: all rows are compared with what was read before';
COMMENT ON COLUMN planthub.collector.mapping IS 'Makes from a row the members of the event that it has: at least time and data';
COMMENT ON COLUMN planthub.collector.collected_at IS 'When it was last read';
COMMENT ON COLUMN planthub.collector.system_identifier IS 'Server that the snapshots belong to; on another one they mean nothing and reading begins anew';
COMMENT ON COLUMN planthub.collector.s_old IS 'Everything visible in this snapshot has been read';
COMMENT ON COLUMN planthub.collector.s_new IS 'Being read is what is visible in this snapshot and not in s_old; null: nothing';
COMMENT ON COLUMN planthub.collector.pos IS 'Key of the last row that was read of that; null: none';
COMMENT ON CONSTRAINT collector_code_check ON planthub.collector IS 'The code of a collector has up to 32 lower-case letters, digits, ".", "_" and "-" and begins with a letter or digit';
COMMENT ON CONSTRAINT collector_version_check ON planthub.collector IS 'Use a number from 1 to 999999999';

CREATE TABLE planthub.collected (
    collector text COLLATE "C" NOT NULL REFERENCES planthub.collector,
    key       text COLLATE "C" NOT NULL,
    version   int NOT NULL,
    hash      bytea NOT NULL,
    PRIMARY KEY (collector, key)
);
COMMENT ON TABLE planthub.collected IS 'Rows that a collector without xid_column has read, to see which are new or have changed';
COMMENT ON COLUMN planthub.collected.collector IS 'The collector';
COMMENT ON COLUMN planthub.collected.key IS 'Key of the row, a JSON array';
COMMENT ON COLUMN planthub.collected.version IS 'How often it was read';
COMMENT ON COLUMN planthub.collected.hash IS 'SHA-256 of the row as it was read last';

INSERT INTO planthub.table_class VALUES ('collector', 'engine'), ('collected', 'engine');
