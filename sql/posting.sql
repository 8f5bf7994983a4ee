-- Postings: what routes ask for, what a worker records, acknowledgements and their contradictions, lateness.
\set SHOW_CONTEXT never
\pset null '-'
SELECT planthub.create_site('P1'), planthub.create_system('sap', 'erp'), planthub.create_system('mes', 'mes'), planthub.create_topic('test.posted');
SELECT planthub.create_endpoint('sap-confirm', 'sap', 'http://127.0.0.1:1/');
SELECT planthub.create_mapping('answer', '{"external_document": "=body.number"}');

-- routes
SELECT planthub.create_route('confirm', 'test.posted', 'sap-confirm', response_mapping => 'answer');
SELECT planthub.activate_mapping('answer', version => 1);
SELECT planthub.create_route('confirm', 'test.posted', 'sap-confirm', response_mapping => 'answer', acknowledge_within => '-1 h');
SELECT planthub.create_route('confirm', 'test.posted', 'sap-confirm', response_mapping => 'Not Good');
SELECT planthub.create_route('confirm', 'test.posted', 'sap-confirm', response_mapping => 'answer', acknowledge_within => '1 h');
SELECT planthub.alter_route('confirm', response_mapping => '', acknowledge_within => '0');
SELECT response_mapping, acknowledge_within FROM planthub.route WHERE code = 'confirm';
SELECT planthub.alter_route('confirm', response_mapping => 'answer@1', acknowledge_within => '2 h');
SELECT response_mapping, acknowledge_within FROM planthub.route WHERE code = 'confirm';

-- deliveries: their numbers are d1, d2, ...
SELECT count(planthub.publish('test.posted', '{}', 'k' || n, 'P1', source => 'urn:mes 1', event_id => 'ev#' || n)) FROM generate_series(1, 6) AS n;
SELECT planthub.publish('test.posted', '{}', 'k7', 'P1') AS m7 \gset
SELECT planthub.publish('test.posted', '{}', 'k8', 'P1', event_id => 'own') AS m8 \gset
CREATE TEMP TABLE d AS SELECT row_number() OVER (ORDER BY delivery_id) AS n, delivery_id, message_id, key FROM planthub.delivery_status WHERE topic = 'test.posted';
CREATE FUNCTION pg_temp.record(n int, response jsonb, error text) RETURNS void LANGUAGE sql AS $$
    SELECT planthub.record_posting(d.delivery_id, d.message_id, (SELECT r.id FROM planthub.route AS r WHERE r.code = 'confirm'), 'P1', 'sap-confirm', 'sap', $2, $3)
    FROM d WHERE d.n = $1 $$;
CREATE FUNCTION pg_temp.ack(n int, outcome text, document text DEFAULT NULL, error text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', a.result, a.code, a.state, CASE WHEN a.late THEN 'late' END) FROM d, planthub.acknowledge(d.delivery_id::text, $2, $3, $4, system => 'sap') AS a WHERE d.n = $1 $$;
CREATE VIEW pg_temp.postings AS
    SELECT d.n, s.topic, s.key, s.state, s.external_document AS document, s.document_kind AS kind, s.accepted_at IS NOT NULL AS accepted, s.posted_at IS NOT NULL AS posted,
           s.due_at > now() AS due, s.late, s.conflicts, s.error_code, s.error_text
    FROM planthub.posting_status AS s JOIN d USING (delivery_id) ORDER BY d.n;

-- what a worker records
SELECT pg_temp.record(1, '{"external_document": "4900001", "kind": "MaterialDocument", "xref": [{"set": "lot", "code": "0001", "value": "F-1"}, {"set": "item", "system": "*", "scope": "*", "code": "x", "value": "X"}]}', NULL);
SELECT pg_temp.record(2, NULL, NULL);
SELECT pg_temp.record(3, NULL, '[{"code": "required"}]');
SELECT pg_temp.record(4, '{"outcome": "posted", "external_document": "4900004", "error": {"code": "ERP_GOODS_MOVEMENT_PENDING", "text": "COGI"}}', NULL);
SELECT pg_temp.record(5, '{"outcome": "fine"}', NULL);
SELECT pg_temp.record(5, '[]', NULL);
SELECT pg_temp.record(5, '{"external_document": "4900005", "xref": [{"set": "no-set", "code": "1", "value": "1"}]}', NULL);
SELECT * FROM pg_temp.postings;
SELECT set, system, scope, code, canonical FROM planthub.xref WHERE message_id IS NOT NULL ORDER BY id;
SELECT code FROM planthub.xref_back('document', 'ev#1', 'sap', 'P1');

-- acknowledgements: again, with another document, after a refusal
SELECT pg_temp.ack(2, 'accepted'), pg_temp.ack(2, 'posted', '4900002'), pg_temp.ack(2, 'posted', '4900002'), pg_temp.ack(2, 'posted');
SELECT pg_temp.ack(2, 'posted', '4900022'), pg_temp.ack(2, 'rejected'), pg_temp.ack(2, 'accepted');
SELECT pg_temp.ack(3, 'rejected', error => 'M7/053'), pg_temp.ack(3, 'rejected'), pg_temp.ack(3, 'posted', '4900003');
SELECT pg_temp.ack(1, 'posted', '4900011');
-- earlier than the worker records the answer
SELECT pg_temp.ack(6, 'posted', '4900006');
SELECT pg_temp.record(6, NULL, NULL);
-- without a document first
SELECT pg_temp.ack(7, 'posted'), pg_temp.ack(7, 'posted', '4900007'), pg_temp.ack(7, 'posted', '4900077');
-- the answer to the request and an acknowledgement name two documents
SELECT pg_temp.ack(8, 'posted', '4900008');
SELECT pg_temp.record(8, '{"external_document": "4900088"}', NULL);
SELECT * FROM pg_temp.postings;
SELECT n, p.state, p.origin, p.conflict, p.external_document, p.error_code FROM planthub.posting AS p JOIN d USING (delivery_id) ORDER BY p.at;
SELECT code, CASE WHEN canonical = :'m7' THEN 'number of the message' ELSE canonical END FROM planthub.xref WHERE set = 'document' ORDER BY code;

-- by the key it was sent with
SELECT result, code, state, a.delivery_id = d.delivery_id AS found FROM d, planthub.acknowledge('urn:mes%201#ev%235@sap-confirm', 'posted', '4900005') AS a WHERE n = 5;
SELECT result, a.delivery_id = d.delivery_id AS found FROM d, planthub.acknowledge(format('%s-%s-sap-confirm', planthub.hub_id(), :m7), 'posted', '4900007') AS a WHERE n = 7;
SELECT result, a.delivery_id = d.delivery_id AS found FROM d, planthub.acknowledge(format('urn:planthub:%s#own@sap-confirm', planthub.hub_id()), 'posted', '4900008') AS a WHERE n = 8;

-- what is unknown
SELECT result, code, delivery_id FROM unnest('{does-not-exist,0,999999999999999999,9999999999999999999999,a#b@c,urn:mes%201#ev%235@other,%ff#%C3@x,"",urn:mes%201#nothing@sap-confirm}'::text[]) AS key, planthub.acknowledge(key, 'posted', '1');
SELECT result, code FROM planthub.acknowledge(NULL, 'posted', '1');
SELECT result, code FROM d, planthub.acknowledge(d.delivery_id::text, 'posted', '1', system => 'mes') WHERE n = 1;
SELECT planthub.acknowledge('1', 'done');
SELECT planthub.acknowledge('1', NULL);
SELECT planthub.acknowledge('1', 'posted', repeat('9', 257));

-- late: shown while it is open, and afterwards
SELECT count(planthub.publish('test.posted', '{}', k, 'P1')) FROM unnest('{k9,k10}'::text[]) AS k;
INSERT INTO d SELECT row_number() OVER (ORDER BY delivery_id) + 8, delivery_id, message_id, key FROM planthub.delivery_status WHERE key IN ('k9', 'k10');
SELECT planthub.alter_route('confirm', acknowledge_within => '1 us');
SELECT pg_temp.record(9, NULL, NULL), pg_temp.record(10, '{"external_document": "4900010"}', NULL);
SELECT d.n, o.topic, o.key, o.system, o.endpoint, o.age > '0' AS late FROM planthub.posting_overdue AS o JOIN d USING (delivery_id);
SELECT severity, finding, hint FROM planthub.doctor() WHERE "check" IN ('overdue acknowledgements', 'conflicting acknowledgements', 'rejected postings', 'unreadable answers') ORDER BY "check";
SELECT n, state, late FROM pg_temp.postings WHERE n >= 9;
SELECT what, deliveries FROM planthub.slot_open((SELECT h.slot FROM planthub.hub AS h)) WHERE what LIKE 'waiting%';
SELECT pg_temp.ack(9, 'posted', '4900009');
SELECT what, deliveries FROM planthub.slot_open((SELECT h.slot FROM planthub.hub AS h)) WHERE what LIKE 'waiting%';
SELECT n, state, late FROM pg_temp.postings WHERE n >= 9;
SELECT count(*) FROM planthub.posting_overdue;

-- the story of a delivery
SELECT what, state, regexp_replace(detail, 'due at .*', 'due at ...') AS detail FROM planthub.trace('key', 'k2') WHERE what = 'posting';
