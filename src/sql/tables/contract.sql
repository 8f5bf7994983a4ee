-- contract: versions of the JSON Schema of each topic's data, and other schemas known by a URI.  Run once; the rows that
-- the extension brings are made from src/sql/contracts and src/sql/schemas by the Makefile.

CREATE TABLE planthub.contract (
    topic         text COLLATE "C" NOT NULL CHECK (topic ~ '^[a-z0-9_]+([.][a-z0-9_]+)*$' AND length(topic) <= 128),
    version       int NOT NULL CHECK (version > 0),
    status        text NOT NULL DEFAULT 'active' CHECK (status IN ('draft', 'active', 'deprecated', 'retired')),
    schema        jsonb NOT NULL CHECK (jsonb_typeof(schema) = 'object'),
    sha256        text NOT NULL,
    created_at    timestamptz DEFAULT now(),
    deprecated_at timestamptz,
    sunset        timestamptz,
    author        text NOT NULL DEFAULT session_user,
    reason        text,
    builtin       boolean NOT NULL DEFAULT false,
    PRIMARY KEY (topic, version)
);
COMMENT ON TABLE planthub.contract IS 'Versions of the JSON Schema that the data of a topic have to meet; never changed once they are no draft';
COMMENT ON COLUMN planthub.contract.topic IS 'Topic; "_envelope" stands for the event around the data';
COMMENT ON COLUMN planthub.contract.version IS 'Version; that of the topic is the one that publish() checks';
COMMENT ON COLUMN planthub.contract.status IS 'draft: may still change; active: in force; deprecated: accepted until its sunset, with a warning; retired: refused';
COMMENT ON COLUMN planthub.contract.schema IS 'JSON Schema, draft 2020-12 or draft-07; known to others as urn:planthub:schema:, the topic, ":" and the version';
COMMENT ON COLUMN planthub.contract.sha256 IS 'SHA-256 of the text of the schema, in hexadecimal digits';
COMMENT ON COLUMN planthub.contract.created_at IS 'When it was registered; null: the extension brought it';
COMMENT ON COLUMN planthub.contract.deprecated_at IS 'When it was deprecated';
COMMENT ON COLUMN planthub.contract.sunset IS 'From when on a deprecated version is refused; null: not decided';
COMMENT ON COLUMN planthub.contract.author IS 'Who registered it';
COMMENT ON COLUMN planthub.contract.reason IS 'Why it was registered or last changed its status';
COMMENT ON COLUMN planthub.contract.builtin IS 'Whether the extension brought it';

CREATE TABLE planthub.json_schema (
    uri        text COLLATE "C" PRIMARY KEY CHECK (uri ~ '^[A-Za-z][A-Za-z0-9+.-]*:[^#[:space:]]+$' AND length(uri) <= 1024),
    document   jsonb NOT NULL,
    created_at timestamptz DEFAULT now(),
    author     text NOT NULL DEFAULT session_user,
    reason     text,
    builtin    boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE planthub.json_schema IS 'JSON Schemas that contracts may refer to with "$ref", and the meta-schemas; nothing is ever fetched';
COMMENT ON COLUMN planthub.json_schema.uri IS 'Absolute URI that it is known by, without fragment';
COMMENT ON COLUMN planthub.json_schema.document IS 'The schema';
COMMENT ON COLUMN planthub.json_schema.created_at IS 'When it was registered; null: the extension brought it';
COMMENT ON COLUMN planthub.json_schema.author IS 'Who registered it';
COMMENT ON COLUMN planthub.json_schema.reason IS 'Why';
COMMENT ON COLUMN planthub.json_schema.builtin IS 'Whether the extension brought it';

INSERT INTO planthub.table_class VALUES ('contract', 'reference'), ('json_schema', 'reference');
