-- Outcome rules: sets and their verbs, what is refused, what an answer means.
\set SHOW_CONTEXT never
\pset null '-'
\set explain 'SELECT outcome, reason, retry_after, position, error FROM planthub.outcome_explain'

-- by the status alone
:explain(NULL, 200);
:explain(NULL, 429, headers => '{"retry-after": "7"}');
:explain(NULL, 400);
SELECT planthub.outcome_explain(NULL, NULL);
SELECT planthub.outcome_explain(NULL, 200, headers => '[]');
SELECT planthub.outcome_explain('no-set', 200);

-- a set of one's own
SELECT planthub.create_outcome_set('plant', 'answers of our own service');
SELECT planthub.create_outcome_set('plant');
SELECT planthub.create_outcome_set('Not Good');
SELECT planthub.create_outcome_set('copy', copy_of => 'no-set');
SELECT planthub.outcome_explain('plant', 200);
SELECT planthub.set_outcome_rule('plant', 20, 'status == `200` && body.ok == `false`', 'business', 'REFUSED');
SELECT planthub.set_outcome_rule('plant', 10, 'body.busy > `3`', 'throttled', retry_after => 'body.busy * `1.5`');
SELECT planthub.set_outcome_rule('plant', 30, 'headers."x-kind" == ''known''', 'duplicate');
SELECT set, position, condition, outcome, reason, retry_after, builtin FROM planthub.outcome_rule WHERE set = 'plant' ORDER BY position;
:explain('plant', 200, '{"ok": true}');
:explain('plant', 200, '{"ok": false}');
:explain('plant', 503, '{"busy": 5}');
:explain('plant', 503, '{"busy": 5}', '{"Retry-After": "1"}');
:explain('plant', 503, '{"busy": 1e30}');
:explain('plant', 500, '', '{"X-Kind": "known"}');
-- a rule that does not fit the answer is passed over, and told
:explain('plant', 200, '{"busy": "very", "ok": false}');
:explain('plant', 200, 'no JSON');
SELECT planthub.set_outcome_rule('plant', 20, 'lower(body.state) == ''refused''', 'business', 'REFUSED');
:explain('plant', 200, '{"state": 7}');
:explain('plant', 200, '{"state": "REFUSED"}');
SELECT planthub.drop_outcome_rule('plant', 20);
:explain('plant', 200, '{"state": "REFUSED"}');
-- repeated header fields are one, Set-Cookie is none
SELECT planthub.set_outcome_rule('plant', 40, 'headers."set-cookie"', 'permanent', 'SEES_SECRETS');
:explain('plant', 200, headers => '{"Set-Cookie": "secret"}');

-- what is refused
SELECT planthub.set_outcome_rule('plant', 10, 'body.[', 'business');
SELECT planthub.set_outcome_rule('plant', 10, 'code == `1`', 'business');
SELECT planthub.set_outcome_rule('plant', 10, 'body.x == $env.site', 'business');
SELECT planthub.set_outcome_rule('plant', 10, 'xref(''item'', body.item) == ''A''', 'business');
SELECT planthub.set_outcome_rule('plant', 10, 'body', 'fine');
SELECT planthub.set_outcome_rule('plant', 10, 'body', 'business', 'lower case');
SELECT planthub.set_outcome_rule('plant', 0, 'body', 'business');
SELECT planthub.set_outcome_rule('plant', 10, '', 'business');
SELECT planthub.set_outcome_rule('no-set', 10, 'body', 'business');
SELECT planthub.set_outcome_rule('sap-odata', 10, 'body', 'business');
SELECT planthub.drop_outcome_rule('sap-odata', 100);
SELECT planthub.drop_outcome_rule('plant', 99);
SELECT planthub.drop_outcome_set('sap-odata');
-- who writes the table directly gets a rule that is never true, and told
INSERT INTO planthub.outcome_rule VALUES ('plant', 5, 'body.[', 'business');
:explain('plant', 200, '{}');
DELETE FROM planthub.outcome_rule WHERE set = 'plant' AND position = 5;

-- endpoints
SELECT planthub.create_system('own', 'erp');
SELECT planthub.create_endpoint('orders', 'own', 'http://127.0.0.1:1/', outcome_set => 'no-set');
SELECT planthub.create_endpoint('orders', 'own', 'http://127.0.0.1:1/', outcome_set => 'plant');
SELECT planthub.drop_outcome_set('plant');
SELECT planthub.alter_endpoint('orders', outcome_set => 'sap-odata');
SELECT outcome_set FROM planthub.endpoint WHERE code = 'orders';
SELECT planthub.alter_endpoint('orders', max_in_flight => 3);
SELECT outcome_set FROM planthub.endpoint WHERE code = 'orders';
SELECT planthub.alter_endpoint('orders', outcome_set => '');
SELECT outcome_set FROM planthub.endpoint WHERE code = 'orders';
SELECT planthub.drop_outcome_set('plant');
SELECT count(*) FROM planthub.outcome_rule WHERE set = 'plant';

-- built in: all of them compile, and a copy can be changed
SELECT r.set, r.position, (SELECT x.error FROM planthub.outcome_explain(r.set, 200, '{}') AS x)
    FROM planthub.outcome_rule AS r WHERE r.builtin AND (SELECT x.error FROM planthub.outcome_explain(r.set, 200, '{}') AS x) IS NOT NULL;
SELECT planthub.create_outcome_set('our-sap', copy_of => 'sap-odata');
SELECT (SELECT count(*) FROM planthub.outcome_rule WHERE set = 'our-sap') = (SELECT count(*) FROM planthub.outcome_rule WHERE set = 'sap-odata') AS same;
SELECT planthub.set_outcome_rule('our-sap', 100, 'status == `403`', 'permanent');
SELECT e.set, e.what, x.outcome, x.reason FROM (VALUES
    ('sap-odata', 'created', 201, '{"d": {}}', '{}'),
    ('sap-odata', 'csrf', 403, '', '{"X-CSRF-Token": "Required"}'),
    ('sap-odata', 'forbidden', 403, '{"error": {"code": "/IWFND/CM_MGW/096"}}', '{}'),
    ('our-sap', 'forbidden', 403, '', '{}'),
    ('sap-odata', 'locked, V2', 400, '{"error": {"code": "RU/xxx", "message": {"value": "order is locked by another user"}}}', '{}'),
    ('sap-odata', 'locked, V4', 400, '{"error": {"code": "CO/1", "message": "Order 1000123 is already being processed by MUELLER"}}', '{}'),
    ('sap-odata', 'blocked stock', 400, '{"error": {"code": "M7/1", "message": {"value": "Batch is blocked by QM"}}}', '{}'),
    ('sap-odata', 'material', 400, '{"error": {"code": "M3/897", "message": {"value": "x"}}}', '{}'),
    ('sap-odata', 'request id', 400, '{"error": {"code": "/IWBEP/CM_COS/005", "message": {"value": "RequestID is outdated"}}}', '{}'),
    ('sap-odata', 'period', 400, '{"error": {"code": "M7/053", "message": {"value": "x"}}}', '{}'),
    ('sap-odata', 'stale', 412, '', '{}'),
    ('sap-odata', 'no etag', 428, '', '{}'),
    ('sap-odata', 'text', 400, 'locked by nobody knows', '{}'),
    ('oracle-fusion', 'good', 201, '{"ErrorsExistFlag": "false"}', '{}'),
    ('oracle-fusion', 'errors', 201, '{"ErrorsExistFlag": "true"}', '{}'),
    ('d365', 'queued', 200, '', '{}'),
    ('d365', 'exists', 400, '{"error": {"innererror": {"message": "The record already exists."}}}', '{}'),
    ('d365', 'conflict', 500, '{"error": {"message": "An update conflict occurred due to another user process"}}', '{}'),
    ('netsuite', 'again', 400, '{"o:errorDetails": [{"o:errorCode": "IDEMPOTENCY_ERROR"}]}', '{"Location": "/job/1"}'),
    ('netsuite', 'limit', 400, '{"error": {"code": "SSS_REQUEST_LIMIT_EXCEEDED"}}', '{}'),
    ('netsuite', 'invalid', 400, '{"o:errorDetails": [{"o:errorCode": "INVALID_CONTENT"}]}', '{}'),
    ('webhook', 'gone', 410, '', '{}'),
    ('webhook', 'load', 502, '', '{}')) AS e (set, what, status, body, headers),
    planthub.outcome_explain(e.set, e.status, e.body, e.headers::jsonb) AS x;
