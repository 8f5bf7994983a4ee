-- inbound: what arrives, who may send it, the rules it must meet, and what becomes of it.  Run once.

-- Types that effects and rules work with

CREATE TYPE planthub.inbound AS (
    id             bigint,
    topic          text,
    version        int,
    site           text,
    system         text,
    kind           text,
    source         text,
    event_id       text,
    subject        text,
    key            text,
    event_time     timestamptz,
    event_offset   smallint,
    sent_at        timestamptz,
    correlation_id text,
    causation_id   text,
    traceparent    text,
    timezone       text,
    policies       jsonb,
    data           jsonb
);
COMMENT ON TYPE planthub.inbound IS 'An event while it is evaluated: envelope, site, sender, policies of the site, and data with every reference resolved';

CREATE TYPE planthub.violation AS (
    code    text,
    pointer text,
    detail  text,
    kind    text,
    key     text
);
COMMENT ON TYPE planthub.violation IS 'A rule that an event does not meet: code, JSON pointer into the event, a sentence, and the kind and key of what it waits for if it can become right';

CREATE TYPE planthub.line AS (
    n              int,
    pointer        text,
    kind           text,
    item           text,
    lot            text,
    serials        text[],
    qty            numeric,
    uom            text,
    base_qty       numeric,
    base_uom       text,
    from_location  text,
    from_status    text,
    to_location    text,
    to_status      text,
    component_line text,
    account        text,
    account_total  numeric,
    lot_controlled boolean,
    serial_controlled boolean,
    lot_known      boolean,
    expiry         date,
    from_known     boolean,
    to_known       boolean
);
COMMENT ON TYPE planthub.line IS 'A line of an event, resolved: what, how much in the unit of the sender and of the item, from where to where';

CREATE TYPE planthub.stock_change AS (
    stock_id bigint,
    seq      bigint,
    delta    numeric,
    balance  numeric,
    latest_time timestamptz,
    location text,
    item     text,
    lot      text,
    status   text
);
COMMENT ON TYPE planthub.stock_change IS 'Change of a stock key: number of its entry in the ledger, difference, balance after it, latest time of all entries until it';

-- Who may send what

CREATE TABLE planthub.source (
    uri             text COLLATE "C" PRIMARY KEY CHECK (length(uri) BETWEEN 1 AND 256),
    system          text COLLATE "C" NOT NULL REFERENCES planthub.system,
    site            text COLLATE "C" NOT NULL DEFAULT '*' REFERENCES planthub.site,
    enabled         boolean NOT NULL DEFAULT true,
    clock_tolerance interval CHECK (clock_tolerance BETWEEN '0' AND '1 day')
);
COMMENT ON TABLE planthub.source IS 'CloudEvents sources that may send: each belongs to a system';
COMMENT ON COLUMN planthub.source.uri IS 'The attribute "source" of its events';
COMMENT ON COLUMN planthub.source.system IS 'System that sends under this name';
COMMENT ON COLUMN planthub.source.site IS 'Site of its events; "*": the event, or the order it speaks of, names the site';
COMMENT ON COLUMN planthub.source.enabled IS 'Whether its events are taken';
COMMENT ON COLUMN planthub.source.clock_tolerance IS 'How far its clock may be ahead; null: policy future_event_limit_min of the site';
COMMENT ON CONSTRAINT source_uri_check ON planthub.source IS 'A source has 1 to 256 characters';
COMMENT ON CONSTRAINT source_clock_tolerance_check ON planthub.source IS 'Use 0 to 1 day';

CREATE TABLE planthub.source_mapping (
    uri             text COLLATE "C" NOT NULL CHECK (length(uri) BETWEEN 1 AND 256),
    type            text COLLATE "C" NOT NULL CHECK (length(type) BETWEEN 1 AND 256),
    topic           text COLLATE "C" REFERENCES planthub.topic,
    version         int CHECK (version > 0),
    mapping         text COLLATE "C" NOT NULL CHECK (mapping <> ''),
    xml             jsonb CHECK (jsonb_typeof(xml) = 'object'),
    site_expression text CHECK (site_expression <> ''),
    env             jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(env) = 'object'),
    PRIMARY KEY (uri, type),
    CONSTRAINT source_mapping_topic_version_check CHECK ((topic IS NULL) = (version IS NULL))
);
COMMENT ON TABLE planthub.source_mapping IS 'Sources whose events carry the data of another system: a mapping makes them what the contract wants, before anything else looks at them';
COMMENT ON COLUMN planthub.source_mapping.uri IS 'The attribute "source" of the events';
COMMENT ON COLUMN planthub.source_mapping.type IS 'The attribute "type" of the events, ours or that of the other system';
COMMENT ON COLUMN planthub.source_mapping.topic IS 'The topic that they become; null: the mapping makes members of the event and tells it';
COMMENT ON COLUMN planthub.source_mapping.version IS 'Version of its contract that the mapping makes; null when the mapping tells the topic: the newest';
COMMENT ON COLUMN planthub.source_mapping.mapping IS 'Mapping: a name (its active version for the site), name@3 or name@3:P1';
COMMENT ON COLUMN planthub.source_mapping.xml IS 'The data are XML: options of planthub.xml_to_json(); null: JSON';
COMMENT ON COLUMN planthub.source_mapping.site_expression IS 'JMESPath expression for the site that a document is about, as the system calls it, where the source sends for several; null: the event or what the mapping makes tells it';
COMMENT ON CONSTRAINT source_mapping_uri_check ON planthub.source_mapping IS 'A source has 1 to 256 characters';
COMMENT ON CONSTRAINT source_mapping_type_check ON planthub.source_mapping IS 'A type has 1 to 256 characters';
COMMENT ON CONSTRAINT source_mapping_version_check ON planthub.source_mapping IS 'Versions count from 1';
COMMENT ON CONSTRAINT source_mapping_mapping_check ON planthub.source_mapping IS 'Name a mapping';
COMMENT ON CONSTRAINT source_mapping_xml_check ON planthub.source_mapping IS 'Use an object of options, {} for none';
COMMENT ON COLUMN planthub.source_mapping.env IS 'What the documents do not say: members of $env for the mapping';
COMMENT ON CONSTRAINT source_mapping_env_check ON planthub.source_mapping IS 'Use an object of variables';
COMMENT ON CONSTRAINT source_mapping_topic_version_check ON planthub.source_mapping IS 'A version needs a topic, and a topic a version';
COMMENT ON CONSTRAINT source_mapping_site_expression_check ON planthub.source_mapping IS 'Use an expression, or null';

CREATE TABLE planthub.topic_source (
    topic   text COLLATE "C" NOT NULL REFERENCES planthub.topic,
    sender  text COLLATE "C" NOT NULL,
    site    text COLLATE "C" NOT NULL DEFAULT '*' REFERENCES planthub.site,
    allowed boolean NOT NULL DEFAULT true,
    builtin boolean NOT NULL DEFAULT false,
    PRIMARY KEY (topic, sender, site, builtin)
);
COMMENT ON TABLE planthub.topic_source IS 'Who may send which topic for which site; a row for a system goes before one for its kind, one for a site before one for all, one of your own before one that the extension brought';
COMMENT ON COLUMN planthub.topic_source.topic IS 'The topic';
COMMENT ON COLUMN planthub.topic_source.sender IS 'Code of a system, or a kind of systems such as mes';
COMMENT ON COLUMN planthub.topic_source.site IS 'Site; "*" for all';
COMMENT ON COLUMN planthub.topic_source.allowed IS 'Whether it may';
COMMENT ON COLUMN planthub.topic_source.builtin IS 'Whether the extension brought it';

CREATE TABLE planthub.attribute_owner (
    entity    text COLLATE "C" NOT NULL,
    attribute text COLLATE "C" NOT NULL,
    sender    text COLLATE "C" NOT NULL,
    builtin   boolean NOT NULL DEFAULT false,
    PRIMARY KEY (entity, attribute, sender)
);
COMMENT ON TABLE planthub.attribute_owner IS 'Who may change an attribute of master data; an attribute without owner may be changed by all who may send the topic';
COMMENT ON COLUMN planthub.attribute_owner.entity IS 'item, lot, equipment, party or unit_conversion';
COMMENT ON COLUMN planthub.attribute_owner.attribute IS 'Member of the data of the upserted topic, such as base_uom';
COMMENT ON COLUMN planthub.attribute_owner.sender IS 'Code of a system, or a kind of systems such as erp';
COMMENT ON COLUMN planthub.attribute_owner.builtin IS 'Whether the extension brought it';

-- What is done with it

CREATE TABLE planthub.effect (
    topic        text COLLATE "C" NOT NULL REFERENCES planthub.topic,
    function     text COLLATE "C" NOT NULL,
    business_key text[],
    builtin      boolean NOT NULL DEFAULT false,
    PRIMARY KEY (topic, builtin)
);
COMMENT ON TABLE planthub.effect IS 'What receive() does with a topic, a row of your own before one that the extension brought; a topic without a row is published as it is';
COMMENT ON COLUMN planthub.effect.topic IS 'The topic';
COMMENT ON COLUMN planthub.effect.function IS 'Function (planthub.inbound) returns planthub.violation[] that checks the event and, when nothing stops it, writes its effects';
COMMENT ON COLUMN planthub.effect.business_key IS 'Members of the data that identify the fact for its source; null: the id of the event';
COMMENT ON COLUMN planthub.effect.builtin IS 'Whether the extension brought it';

CREATE TABLE planthub.rule (
    code     text COLLATE "C" PRIMARY KEY CHECK (code ~ '^[A-Z][A-Z0-9_]{2,62}$'),
    position int NOT NULL,
    outcome  text NOT NULL CHECK (outcome IN ('reject', 'park', 'warn', 'ignore')),
    policy   text COLLATE "C",
    comment  text NOT NULL,
    hint     text NOT NULL,
    owner    text NOT NULL DEFAULT 'integration',
    builtin  boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE planthub.rule IS 'Business rules';
COMMENT ON COLUMN planthub.rule.code IS 'Code that outcomes name, such as LOT_ON_HOLD';
COMMENT ON COLUMN planthub.rule.position IS 'Place in the order of evaluation; of several violations the lowest gives the code';
COMMENT ON COLUMN planthub.rule.outcome IS 'What a violation does: reject, park, warn or ignore';
COMMENT ON COLUMN planthub.rule.policy IS 'Policy of the site that says it instead, as reject, park, warn or allow';
COMMENT ON COLUMN planthub.rule.comment IS 'What must be true';
COMMENT ON COLUMN planthub.rule.hint IS 'What to do when it is not';
COMMENT ON COLUMN planthub.rule.owner IS 'Who has to act: planning, production, logistics, quality, master data, finance, integration or security';
COMMENT ON COLUMN planthub.rule.builtin IS 'Whether the extension brought it';
COMMENT ON CONSTRAINT rule_code_check ON planthub.rule IS 'The code of a rule has 3 to 63 upper-case letters, digits and _ and begins with a letter';
COMMENT ON CONSTRAINT rule_outcome_check ON planthub.rule IS 'Use reject, park, warn or ignore';

CREATE TABLE planthub.rule_check (
    step     text COLLATE "C" NOT NULL CHECK (step IN ('reference', 'quantity', 'lot', 'hold', 'process', 'stock', 'reversal')),
    topic    text COLLATE "C" NOT NULL CHECK (topic ~ '^([a-z0-9_]+|[*]|#)([.]([a-z0-9_]+|[*]|#))*$'),
    function text COLLATE "C" NOT NULL,
    builtin  boolean NOT NULL DEFAULT false,
    PRIMARY KEY (step, function, topic)
);
COMMENT ON TABLE planthub.rule_check IS 'Further checks that effects run, besides their own';
COMMENT ON COLUMN planthub.rule_check.step IS 'Where in the order of evaluation: reference, quantity, lot, hold, process, stock or reversal';
COMMENT ON COLUMN planthub.rule_check.topic IS 'Topics that are checked: a pattern like that of a route';
COMMENT ON COLUMN planthub.rule_check.function IS 'Function (planthub.inbound, planthub.line[]) returns planthub.violation[]; it must not write';
COMMENT ON COLUMN planthub.rule_check.builtin IS 'Whether the extension brought it';
COMMENT ON CONSTRAINT rule_check_step_check ON planthub.rule_check IS 'Use reference, quantity, lot, hold, process, stock or reversal';
COMMENT ON CONSTRAINT rule_check_topic_check ON planthub.rule_check IS 'A pattern is a topic in which a word may be "*" (any one word) or "#" (any number of words)';

-- Policies

CREATE TABLE planthub.policy (
    name    text COLLATE "C" PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    value   text,
    form    text NOT NULL,
    comment text NOT NULL,
    builtin boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE planthub.policy IS 'Policies that a site can set, with the value of the enterprise';
COMMENT ON COLUMN planthub.policy.name IS 'Name such as negative_stock';
COMMENT ON COLUMN planthub.policy.value IS 'Value for sites that have none of their own';
COMMENT ON COLUMN planthub.policy.form IS 'Regular expression that values must match';
COMMENT ON COLUMN planthub.policy.comment IS 'What it decides';
COMMENT ON COLUMN planthub.policy.builtin IS 'Whether the extension brought it';
COMMENT ON CONSTRAINT policy_name_check ON planthub.policy IS 'The name of a policy has up to 63 lower-case letters, digits and _ and begins with a letter';

CREATE TABLE planthub.site_policy (
    site   text COLLATE "C" PRIMARY KEY REFERENCES planthub.site,
    settings jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE planthub.site_policy IS 'Policies that a site has of its own';
COMMENT ON COLUMN planthub.site_policy.site IS 'The site; "*" for the enterprise';
COMMENT ON COLUMN planthub.site_policy.settings IS 'Object of name and value';

-- What arrived

CREATE TABLE planthub.inbox (
    id           bigint PRIMARY KEY,
    received_at  timestamptz NOT NULL,
    event_time   timestamptz,
    outcome_at   timestamptz NOT NULL,
    copies       int NOT NULL DEFAULT 0,
    attempts     int NOT NULL DEFAULT 1,
    owns         boolean NOT NULL,
    outcome      text COLLATE "C" NOT NULL CHECK (outcome IN ('applied', 'applied_with_warning', 'parked', 'ignored', 'rejected')),
    code         text COLLATE "C",
    site         text COLLATE "C" NOT NULL,
    system       text COLLATE "C",
    topic        text COLLATE "C",
    key          text COLLATE "C",
    source       text COLLATE "C",
    event_id     text COLLATE "C",
    business_key text COLLATE "C",
    hash         bytea,
    violations   jsonb,
    event        jsonb NOT NULL,
    mapping      text COLLATE "C"
) WITH (fillfactor = 90);
CREATE UNIQUE INDEX inbox_identity ON planthub.inbox (source, event_id) WHERE owns;
CREATE UNIQUE INDEX inbox_business_key ON planthub.inbox (source, topic, business_key) WHERE business_key IS NOT NULL;
COMMENT ON TABLE planthub.inbox IS 'Events as they arrived, with what became of each';
COMMENT ON COLUMN planthub.inbox.id IS 'Number of the event; the message that was published for it has the same';
COMMENT ON COLUMN planthub.inbox.received_at IS 'When it arrived';
COMMENT ON COLUMN planthub.inbox.event_time IS 'When it happened, says the sender';
COMMENT ON COLUMN planthub.inbox.outcome_at IS 'When the outcome was decided';
COMMENT ON COLUMN planthub.inbox.copies IS 'How often it arrived again';
COMMENT ON COLUMN planthub.inbox.attempts IS 'How often it was evaluated';
COMMENT ON COLUMN planthub.inbox.owns IS 'Whether this row is the event of its source and id; false: refused before that was established';
COMMENT ON COLUMN planthub.inbox.outcome IS 'applied, applied_with_warning, parked, ignored or rejected';
COMMENT ON COLUMN planthub.inbox.code IS 'First code in the order of evaluation; null: nothing to remark';
COMMENT ON COLUMN planthub.inbox.site IS 'Site of the fact; "*" when it has none or is not known';
COMMENT ON COLUMN planthub.inbox.system IS 'System that sent it; null when the source is not registered';
COMMENT ON COLUMN planthub.inbox.topic IS 'Topic; null when the envelope has none';
COMMENT ON COLUMN planthub.inbox.key IS 'Ordering key';
COMMENT ON COLUMN planthub.inbox.source IS 'CloudEvents source';
COMMENT ON COLUMN planthub.inbox.event_id IS 'CloudEvents id';
COMMENT ON COLUMN planthub.inbox.business_key IS 'Identity of the fact for its source; null when the topic has none, and after a rejection, which leaves it free for the corrected fact';
COMMENT ON COLUMN planthub.inbox.hash IS 'SHA-256 of topic, time and data as they were sent, in canonical form';
COMMENT ON COLUMN planthub.inbox.violations IS 'Rules not met: code, outcome, pointer, detail, hint';
COMMENT ON COLUMN planthub.inbox.event IS 'The event as it arrived';
COMMENT ON COLUMN planthub.inbox.mapping IS 'Mapping that translated its data when it was last evaluated, a version such as name@3; null: they came as the contract wants them';

CREATE TABLE planthub.parked (
    message_id bigint PRIMARY KEY,
    site       text COLLATE "C" NOT NULL,
    kind       text COLLATE "C" NOT NULL,
    key        text COLLATE "C" NOT NULL,
    code       text COLLATE "C" NOT NULL,
    since      timestamptz NOT NULL,
    event_time timestamptz NOT NULL,
    case_at    timestamptz NOT NULL,
    due        boolean NOT NULL DEFAULT false,
    waived     text[] NOT NULL DEFAULT '{}',
    case_id    bigint
);
CREATE INDEX parked_thing ON planthub.parked (kind, key);
CREATE INDEX parked_due ON planthub.parked (event_time, message_id) WHERE due;
CREATE INDEX parked_case_at ON planthub.parked (case_at) WHERE case_id IS NULL;
COMMENT ON TABLE planthub.parked IS 'Events that wait for something; whoever brings it releases them';
COMMENT ON COLUMN planthub.parked.message_id IS 'The event';
COMMENT ON COLUMN planthub.parked.site IS 'Its site';
COMMENT ON COLUMN planthub.parked.kind IS 'Kind of what it waits for: item, lot, equipment, party, order, stock, confirmation, xref, handling_unit, output, decision, ...';
COMMENT ON COLUMN planthub.parked.key IS 'Which one';
COMMENT ON COLUMN planthub.parked.code IS 'Code of the rule that parked it';
COMMENT ON COLUMN planthub.parked.since IS 'When it was parked';
COMMENT ON COLUMN planthub.parked.event_time IS 'When it happened: the order of release';
COMMENT ON COLUMN planthub.parked.case_at IS 'When waiting becomes a case';
COMMENT ON COLUMN planthub.parked.due IS 'Whether it is released and only has to be evaluated again';
COMMENT ON COLUMN planthub.parked.waived IS 'Codes that a person has waived for it';
COMMENT ON COLUMN planthub.parked.case_id IS 'Case that it belongs to';

CREATE TABLE planthub."case" (
    id         bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    site       text COLLATE "C" NOT NULL,
    code       text COLLATE "C" NOT NULL,
    kind       text COLLATE "C",
    key        text COLLATE "C",
    title      text NOT NULL,
    hint       text NOT NULL,
    owner      text NOT NULL,
    opened_at  timestamptz NOT NULL DEFAULT now(),
    closed_at  timestamptz,
    closed_by  text,
    resolution text
);
CREATE UNIQUE INDEX case_open ON planthub."case" (site, code, kind, key) WHERE closed_at IS NULL;
COMMENT ON TABLE planthub."case" IS 'One root cause with owner and suggested action; holds all events that wait for it';
COMMENT ON COLUMN planthub."case".id IS 'Number of the case';
COMMENT ON COLUMN planthub."case".site IS 'Site';
COMMENT ON COLUMN planthub."case".code IS 'Code of the rule';
COMMENT ON COLUMN planthub."case".kind IS 'Kind of what is missing or wrong';
COMMENT ON COLUMN planthub."case".key IS 'Which one';
COMMENT ON COLUMN planthub."case".title IS 'What is wrong';
COMMENT ON COLUMN planthub."case".hint IS 'Suggested action';
COMMENT ON COLUMN planthub."case".owner IS 'Who has to act';
COMMENT ON COLUMN planthub."case".opened_at IS 'When it was opened';
COMMENT ON COLUMN planthub."case".closed_at IS 'When it was closed';
COMMENT ON COLUMN planthub."case".closed_by IS 'Who closed it; null: the fact that was missing arrived';
COMMENT ON COLUMN planthub."case".resolution IS 'How it was resolved';

-- Reversals are whole: everything that a message wrote is reversed by one other message.
CREATE TABLE planthub.reversal (
    site       text COLLATE "C" NOT NULL,
    target     bigint NOT NULL,
    message_id bigint NOT NULL,
    reason     text NOT NULL,
    event_time timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (site, target)
);
COMMENT ON TABLE planthub.reversal IS 'Messages whose facts were taken back; the facts stay visible';
COMMENT ON COLUMN planthub.reversal.site IS 'Site';
COMMENT ON COLUMN planthub.reversal.target IS 'Message whose facts are reversed';
COMMENT ON COLUMN planthub.reversal.message_id IS 'Message that reversed them';
COMMENT ON COLUMN planthub.reversal.reason IS 'Reason given';
COMMENT ON COLUMN planthub.reversal.event_time IS 'When it was reversed, says the sender';
COMMENT ON COLUMN planthub.reversal.recorded_at IS 'When the hub recorded it';

INSERT INTO planthub.table_class VALUES ('source', 'local'), ('source_mapping', 'local'), ('topic_source', 'reference'), ('attribute_owner', 'reference'),
    ('effect', 'local'), ('rule', 'reference'), ('rule_check', 'local'), ('policy', 'reference'), ('site_policy', 'reference'),
    ('inbox', 'engine'), ('parked', 'engine'), ('case', 'engine'), ('reversal', 'wide');
