-- mapping: translations of one JSON shape into another.  Run once.

CREATE TABLE planthub.mapping (
    name         text COLLATE "C" NOT NULL CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    site         text COLLATE "C" NOT NULL DEFAULT '*' REFERENCES planthub.site,
    version      int NOT NULL CHECK (version > 0),
    base_site    text COLLATE "C",
    base         int,
    contract_in  text CHECK (contract_in ~ '^[a-z0-9_]+([.][a-z0-9_]+)*@[1-9][0-9]{0,8}$'),
    contract_out text CHECK (contract_out ~ '^[a-z0-9_]+([.][a-z0-9_]+)*@[1-9][0-9]{0,8}$'),
    options      jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(options) = 'object'),
    template     jsonb NOT NULL,
    status       text NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'active', 'retired')),
    sha256       text,
    depends      jsonb,
    author       text NOT NULL DEFAULT session_user,
    reason       text,
    created_at   timestamptz DEFAULT clock_timestamp(),
    activated_at timestamptz,
    builtin      boolean NOT NULL DEFAULT false,
    PRIMARY KEY (name, site, version),
    FOREIGN KEY (name, base_site, base) REFERENCES planthub.mapping,
    CONSTRAINT mapping_base_check CHECK (CASE WHEN base IS NULL THEN base_site IS NULL
        ELSE site <> '*' AND (base_site = '*' OR base_site = site OR starts_with(site, base_site || '/')) END)
);
CREATE UNIQUE INDEX mapping_active ON planthub.mapping (name, site) WHERE status = 'active';
COMMENT ON TABLE planthub.mapping IS 'Versions of mappings: templates that translate one JSON shape into another; only their status ever changes';
COMMENT ON COLUMN planthub.mapping.name IS 'Name, such as sap-order-in';
COMMENT ON COLUMN planthub.mapping.site IS 'Site for whose messages it is used; "*" for all that have none of their own';
COMMENT ON COLUMN planthub.mapping.version IS 'Counts from 1 for each name and site';
COMMENT ON COLUMN planthub.mapping.base_site IS 'Site of the version that this one changes; null when it stands for itself';
COMMENT ON COLUMN planthub.mapping.base IS 'The very version that this one changes';
COMMENT ON COLUMN planthub.mapping.contract_in IS 'Contract of its input, such as production_order.released@1: lint compares what is read with it';
COMMENT ON COLUMN planthub.mapping.contract_out IS 'Contract of its output, which the outputs of test vectors must meet';
COMMENT ON COLUMN planthub.mapping.options IS 'nulls (omit, keep, error), empty_string (keep, null), max_errors, budget, max_output, timezone, extra (what the output has beyond its contract, for lint)';
COMMENT ON COLUMN planthub.mapping.template IS 'Template of planthub.mapping/1; with a base, a JSON Merge Patch (RFC 7396) of its template';
COMMENT ON COLUMN planthub.mapping.status IS 'draft, active (at most one for a name and site) or retired';
COMMENT ON COLUMN planthub.mapping.sha256 IS 'Hash of everything that decided its output when it was created: templates and options, also those of its base and of what it uses';
COMMENT ON COLUMN planthub.mapping.depends IS 'What it reads and relies on: reads (fields of the input), uses (mappings), xref (sets), calls (functions)';
COMMENT ON COLUMN planthub.mapping.author IS 'Who created it: the role that logged in';
COMMENT ON COLUMN planthub.mapping.reason IS 'Why';
COMMENT ON COLUMN planthub.mapping.created_at IS 'When it was created; null when it came with the extension';
COMMENT ON COLUMN planthub.mapping.activated_at IS 'When it was last made the active version; null when it came with the extension and active';
COMMENT ON COLUMN planthub.mapping.builtin IS 'Whether the extension brought it';
COMMENT ON CONSTRAINT mapping_name_check ON planthub.mapping IS 'The name of a mapping has up to 63 lower-case letters, digits and . _ - and begins with a letter or digit';
COMMENT ON CONSTRAINT mapping_contract_in_check ON planthub.mapping IS 'Write a contract as topic@version, such as production_order.released@1';
COMMENT ON CONSTRAINT mapping_contract_out_check ON planthub.mapping IS 'Write a contract as topic@version, such as production_order.released@1';
COMMENT ON CONSTRAINT mapping_base_check ON planthub.mapping IS 'A base belongs to the enterprise, to the site itself, or to a site whose code is the beginning of it up to a "/"; the enterprise has no base';
COMMENT ON CONSTRAINT mapping_name_base_site_base_fkey ON planthub.mapping IS 'The version that it changes must exist';

CREATE TABLE planthub.mapping_vector (
    mapping      text COLLATE "C" NOT NULL,
    site         text COLLATE "C" NOT NULL DEFAULT '*' REFERENCES planthub.site,
    name         text COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    input        jsonb NOT NULL,
    env          jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(env) = 'object'),
    xref         jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(xref) = 'object'),
    expect       jsonb,
    expect_error jsonb CHECK (jsonb_typeof(expect_error) = 'object'),
    builtin      boolean NOT NULL DEFAULT false,
    PRIMARY KEY (mapping, site, name),
    CONSTRAINT mapping_vector_expect_check CHECK ((expect IS NULL) <> (expect_error IS NULL))
);
COMMENT ON TABLE planthub.mapping_vector IS 'Test vectors of mappings: a version is activated only when all of them pass';
COMMENT ON COLUMN planthub.mapping_vector.mapping IS 'Name of the mapping';
COMMENT ON COLUMN planthub.mapping_vector.site IS 'Site for which the mapping is chosen';
COMMENT ON COLUMN planthub.mapping_vector.name IS 'Name of the vector';
COMMENT ON COLUMN planthub.mapping_vector.input IS 'The document';
COMMENT ON COLUMN planthub.mapping_vector.env IS 'Members of $env';
COMMENT ON COLUMN planthub.mapping_vector.xref IS 'Entries used instead of those in planthub.xref: {set: {code: value}}';
COMMENT ON COLUMN planthub.mapping_vector.expect IS 'The output';
COMMENT ON COLUMN planthub.mapping_vector.expect_error IS 'Members of an error that must be among those found, such as {"code": "required", "at": "/qty"}';
COMMENT ON COLUMN planthub.mapping_vector.builtin IS 'Whether the extension brought it';
COMMENT ON CONSTRAINT mapping_vector_name_check ON planthub.mapping_vector IS 'The name of a vector has 1 to 200 characters';
COMMENT ON CONSTRAINT mapping_vector_env_check ON planthub.mapping_vector IS 'Use an object of variables';
COMMENT ON CONSTRAINT mapping_vector_xref_check ON planthub.mapping_vector IS 'Use an object of sets, such as {"uom": {"KG": "KGM"}}';
COMMENT ON CONSTRAINT mapping_vector_expect_error_check ON planthub.mapping_vector IS 'Use an object such as {"code": "required", "at": "/qty"}';
COMMENT ON CONSTRAINT mapping_vector_expect_check ON planthub.mapping_vector IS 'Give either the output that is expected, or an error';

CREATE TABLE planthub.mapping_function (
    code     text COLLATE "C" PRIMARY KEY CHECK (code ~ '^[A-Za-z_][A-Za-z0-9_.-]{0,62}$'),
    schema   text NOT NULL,
    function text NOT NULL,
    comment  text
);
COMMENT ON TABLE planthub.mapping_function IS 'Functions from jsonb to jsonb that mappings may call with $call';
COMMENT ON COLUMN planthub.mapping_function.code IS 'Name in templates';
COMMENT ON COLUMN planthub.mapping_function.schema IS 'Schema of the function';
COMMENT ON COLUMN planthub.mapping_function.function IS 'Name of the function; it runs with the rights of its owner';
COMMENT ON COLUMN planthub.mapping_function.comment IS 'What it does';
COMMENT ON CONSTRAINT mapping_function_code_check ON planthub.mapping_function IS 'The code of a function has up to 63 letters, digits and _ . - and begins with a letter or _';

INSERT INTO planthub.table_class VALUES ('mapping', 'local'), ('mapping_vector', 'local'), ('mapping_function', 'local');
