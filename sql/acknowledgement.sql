-- Acknowledgements: what targets say about deliveries that they took.
-- needs test/lib/plant.sql
SET timezone = 'UTC';
\pset format unaligned
\pset tuples_only on

SELECT planthub.create_topic('t.posted'), planthub.create_endpoint('erp-in', 'erp-1', 'http://127.0.0.1:1/'), planthub.create_route('to-erp', 't.#', 'erp-in');
SELECT count(planthub.publish('t.posted', '{}', 'k', 'P1', source => 'urn:mes', event_id => 'conf-' || n)) FROM generate_series(1, 3) AS n;
CREATE FUNCTION pg_temp.acknowledge(id text, n int, outcome text, document text DEFAULT NULL, error jsonb DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
    SELECT regexp_replace(send('erp', id, 'posting.acknowledged', '2026-01-02T08:00:00Z', jsonb_strip_nulls(jsonb_build_object('outcome', outcome, 'external_document', document, 'error', error,
        'outbox_id', coalesce((SELECT d.id FROM planthub.delivery AS d JOIN planthub.message AS m ON m.id = d.message_id WHERE m.event_id = 'conf-' || n), 999999)::text))), '(vent|elivery) \d+', '\1 N')
$$;
SELECT pg_temp.acknowledge('a1', 1, 'accepted');
SELECT pg_temp.acknowledge('a2', 1, 'posted', '4900000001');
-- Once more with the same document, then with another one
SELECT pg_temp.acknowledge('a3', 1, 'posted', '4900000001');
SELECT pg_temp.acknowledge('a4', 1, 'posted', '4900000002');
-- A refusal becomes a case, and so does what was never sent.
SELECT pg_temp.acknowledge('a5', 2, 'rejected', NULL, '{"code": "M7/053", "text": "Posting only possible in period 2026/01"}');
SELECT pg_temp.acknowledge('a6', 9, 'posted', '4900000009');
SELECT pg_temp.acknowledge('a7', 3, 'posted', repeat('9', 257));
SELECT m.event_id, p.site, p.system, p.state, p.conflict, p.external_document, p.error_code, p.error_text FROM planthub.posting AS p JOIN planthub.message AS m ON m.id = p.message_id ORDER BY p.at;
SELECT set, system, scope, code, canonical FROM planthub.xref WHERE set = 'document' ORDER BY id;
SELECT site, code, kind, regexp_replace(title, 'delivery \d+', 'delivery N') FROM planthub."case" ORDER BY id;
