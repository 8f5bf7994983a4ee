-- outcome: rules that say what the answer of a target means.  Run once.

CREATE TABLE planthub.outcome_set (
    code    text COLLATE "C" PRIMARY KEY CHECK (code ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    comment text,
    builtin boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE planthub.outcome_set IS 'Sets of outcome rules, usually one for each product that the hub calls';
COMMENT ON COLUMN planthub.outcome_set.code IS 'Code such as sap-odata';
COMMENT ON COLUMN planthub.outcome_set.comment IS 'What the set is for';
COMMENT ON COLUMN planthub.outcome_set.builtin IS 'Whether the extension brought it';
COMMENT ON CONSTRAINT outcome_set_code_check ON planthub.outcome_set IS 'The code of a set has up to 63 lower-case letters, digits and . _ - and begins with a letter or digit';

CREATE TABLE planthub.outcome_rule (
    set         text COLLATE "C" NOT NULL REFERENCES planthub.outcome_set ON DELETE CASCADE,
    position    int NOT NULL CHECK (position BETWEEN 1 AND 9999),
    condition   text NOT NULL CHECK (condition <> ''),
    outcome     text NOT NULL CHECK (outcome IN ('success', 'duplicate', 'transient', 'throttled', 'auth', 'business', 'permanent', 'unknown')),
    reason      text COLLATE "C" CHECK (reason ~ '^[A-Z][A-Z0-9_]{0,62}$'),
    retry_after text CHECK (retry_after <> ''),
    comment     text,
    builtin     boolean NOT NULL DEFAULT false,
    PRIMARY KEY (set, position)
);
COMMENT ON TABLE planthub.outcome_rule IS 'What an answer means: the first rule of the set whose condition is true; without one the status alone decides';
COMMENT ON COLUMN planthub.outcome_rule.set IS 'The set it belongs to';
COMMENT ON COLUMN planthub.outcome_rule.position IS 'Its place in the set: lower ones are asked first';
COMMENT ON COLUMN planthub.outcome_rule.condition IS 'JMESPath expression over {"status", "headers", "body"}: names of header fields are in lower case, the body is what its JSON says, else a string; a rule that cannot be evaluated counts as not true, and the attempt tells it';
COMMENT ON COLUMN planthub.outcome_rule.outcome IS 'success; duplicate: known already, as good as success; transient: try again; throttled: try again, and slow down; auth: the credential is to be mended; business: refused for what it says, parked; permanent: will never work, dead; unknown: may have had its effect';
COMMENT ON COLUMN planthub.outcome_rule.reason IS 'Code that the held delivery gets as its reason; null: that of the outcome';
COMMENT ON COLUMN planthub.outcome_rule.retry_after IS 'JMESPath expression that gives the seconds to wait at least; null, or no number: what the header Retry-After says';
COMMENT ON COLUMN planthub.outcome_rule.comment IS 'Why';
COMMENT ON COLUMN planthub.outcome_rule.builtin IS 'Whether the extension brought it';
COMMENT ON CONSTRAINT outcome_rule_position_check ON planthub.outcome_rule IS 'Use 1 to 9999';
COMMENT ON CONSTRAINT outcome_rule_condition_check ON planthub.outcome_rule IS 'Give an expression; `true` is always true';
COMMENT ON CONSTRAINT outcome_rule_outcome_check ON planthub.outcome_rule IS 'Use success, duplicate, transient, throttled, auth, business, permanent or unknown';
COMMENT ON CONSTRAINT outcome_rule_reason_check ON planthub.outcome_rule IS 'A reason has up to 63 capital letters, digits and _ and begins with a letter';
COMMENT ON CONSTRAINT outcome_rule_retry_after_check ON planthub.outcome_rule IS 'Leave it out when the header Retry-After is enough';

INSERT INTO planthub.table_class VALUES ('outcome_set', 'reference'), ('outcome_rule', 'reference');

INSERT INTO planthub.outcome_set (code, builtin, comment) VALUES
    ('sap-odata', true, 'SAP S/4HANA, OData services'),
    ('sap-idoc', true, 'SAP IDocs, through a gateway that answers with their status as idoc_status'),
    ('oracle-fusion', true, 'Oracle Fusion Cloud, REST services'),
    ('d365', true, 'Microsoft Dynamics 365 Finance and Supply Chain, OData entities'),
    ('netsuite', true, 'NetSuite, REST services and RESTlets'),
    ('webhook', true, 'Receivers that follow the specification Standard Webhooks');

-- Texts of SAP are those of logon language English; message class and number come first where they are known.
INSERT INTO planthub.outcome_rule (builtin, set, position, condition, outcome, reason, retry_after, comment) VALUES
    (true, 'sap-odata', 100, $$status == `403` && headers."x-csrf-token" && lower(headers."x-csrf-token") == 'required'$$, 'transient', 'CSRF_REQUIRED', NULL, 'The session is over; the request was not looked at'),
    (true, 'sap-odata', 200, $$status >= `400` && contains(to_string(body.error.code), 'CM_COS/005')$$, 'duplicate', 'REQUEST_ID_OUTDATED', NULL, 'The RequestID was processed before: the first request had its effect'),
    (true, 'sap-odata', 300, $$status >= `400` && matches(to_string(body.error.code), '^M3/(023|024|897)$')$$, 'transient', 'SAP_LOCKED', NULL, 'Data of the material are locked by a user'),
    (true, 'sap-odata', 310, $$status >= `400` && matches(lower(to_string(body.error)), '(^|[^a-z])(is|are|currently) (being )?(locked|processed) by|already being processed|(^|[^a-z])locked by')$$, 'transient', 'SAP_LOCKED', NULL, 'Somebody else works on the object'),
    (true, 'sap-odata', 400, $$status >= `400` && to_string(body.error.code) == 'M7/053'$$, 'business', 'PERIOD_CLOSED', NULL, 'Postings are possible in open periods only'),
    (true, 'sap-odata', 410, $$status >= `400` && to_string(body.error.code) == 'M7/021'$$, 'business', 'STOCK_DEFICIT', NULL, 'Less is in stock than is to be posted'),
    (true, 'sap-odata', 500, $$status == `412`$$, 'business', 'ETAG_STALE', NULL, 'The object was changed meanwhile: read it again before the message is released'),
    (true, 'sap-odata', 510, $$status == `428`$$, 'permanent', 'ETAG_MISSING', NULL, 'The service wants If-Match for every change'),
    (true, 'sap-idoc', 100, $$contains(['51', '52', '54', '56', '60', '63', '65'], to_string(body.idoc_status))$$, 'business', 'IDOC_ERROR', NULL, 'The application, or the check before it, refuses the document'),
    (true, 'oracle-fusion', 100, $$status < `300` && to_string(body.ErrorsExistFlag) == 'true'$$, 'business', 'ORACLE_ERRORS', NULL, 'A success in which lines have errors'),
    (true, 'oracle-fusion', 200, $$status == `412`$$, 'business', 'ETAG_STALE', NULL, 'The object was changed meanwhile: read it again before the message is released'),
    (true, 'd365', 100, $$status >= `400` && contains(lower(to_string(body.error)), 'already exists')$$, 'business', 'RECORD_EXISTS', NULL, 'The same key: only a comparison tells whether it is the same content'),
    (true, 'd365', 110, $$status >= `400` && (contains(lower(to_string(body.error)), 'another user process') || contains(lower(to_string(body.error)), 'deadlock'))$$, 'transient', 'RECORD_CONFLICT', NULL, 'Somebody else changed the record at the same time'),
    (true, 'd365', 200, $$status == `412`$$, 'business', 'ETAG_STALE', NULL, 'The object was changed meanwhile: read it again before the message is released'),
    (true, 'netsuite', 100, $$status == `400` && contains(to_string(body), 'IDEMPOTENCY_ERROR')$$, 'duplicate', 'IDEMPOTENCY_ERROR', NULL, 'A job with this key is there already; Location tells which'),
    (true, 'netsuite', 110, $$status == `400` && contains(to_string(body), 'SSS_REQUEST_LIMIT_EXCEEDED')$$, 'throttled', 'REQUEST_LIMIT', NULL, 'RESTlets tell the limit of the account so'),
    (true, 'webhook', 100, $$status == `410`$$, 'permanent', 'GONE', NULL, 'The receiver is gone and wants no more'),
    (true, 'webhook', 110, $$status == `502` || status == `504`$$, 'throttled', 'OVERLOADED', NULL, 'The receiver is under load');
