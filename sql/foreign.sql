-- Events with the data of SAP (OData) and of B2MML (XML) from their arrival to the canonical order, which is the one that
-- the canonical event makes.
SET client_min_messages = warning;
\pset format unaligned
\pset tuples_only on
SELECT planthub.create_site('PLANT-1', timezone => 'Europe/Berlin'), planthub.create_system('erp', 'erp'), planthub.create_system('weighing', 'plm', site => 'PLANT-1');
SELECT planthub.set_source('urn:erp', 'erp'), planthub.set_source('urn:sap', 'erp'), planthub.set_source('urn:scale', 'weighing', 'PLANT-1'),
    planthub.allow_topic('production_order.released', 'weighing'), planthub.allow_topic('item.upserted', 'weighing');
SELECT planthub.set_policy('*', 'late_event_limit_h', '999999');

-- One event with an envelope of ours, and one as the CloudEvents standard asks for.
CREATE FUNCTION pg_temp.ours(id text, topic text, data jsonb) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('specversion', '1.0', 'id', id, 'source', 'urn:erp', 'type', format('planthub.%s.v1', topic),
        'time', '2026-01-15T06:00:00+01:00', 'recordedtime', '2026-01-15T06:00:00+01:00', 'datacontenttype', 'application/json',
        'dataschema', format('urn:planthub:schema:%s:1', topic), 'partitionkey', 'k', 'correlationid', 'c', 'data', data)
$$;
CREATE FUNCTION pg_temp.theirs(id text, source text, type text, more jsonb) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('specversion', '1.0', 'id', id, 'source', source, 'type', type, 'time', '2026-01-15T07:00:00+01:00') || more
$$;
CREATE FUNCTION pg_temp.send(event jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', r.outcome, coalesce(r.code, '-'), (
        SELECT string_agg(concat_ws(' ', v->>'code', v->>'pointer', v#>>'{waits_for,kind}', v#>>'{waits_for,key}', v->>'detail'), '; ' ORDER BY n)
        FROM jsonb_array_elements(r.violations) WITH ORDINALITY AS v (v, n)))
    FROM planthub.receive(event) AS r
$$;
-- All of the order but where it came from.
CREATE FUNCTION pg_temp.order_rows() RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_array(
        (SELECT jsonb_agg(to_jsonb(o) - '{message_id,recorded_at,state_at}'::text[]) FROM planthub.production_order AS o),
        (SELECT jsonb_agg(to_jsonb(o) ORDER BY o.operation) FROM planthub.order_operation AS o),
        (SELECT jsonb_agg(to_jsonb(c) ORDER BY c.line) FROM planthub.order_component AS c),
        (SELECT jsonb_agg(jsonb_build_array(m.topic, m.site, m.data)) FROM planthub.message AS m WHERE m.topic = 'production_order.released'))
$$;

-- The codes and the master data of the vectors that come with the mappings
SELECT count(planthub.set_xref(s.key, c.key, c.value, y.system, CASE s.key WHEN 'equipment' THEN 'PLANT-1' ELSE '*' END))
FROM (VALUES ('sap-order-in', 'erp'), ('b2mml-order', 'weighing')) AS y (mapping, system)
JOIN planthub.mapping_vector AS v ON v.mapping = y.mapping AND v.name = 'order 1000123'
CROSS JOIN jsonb_each(v.xref) AS s CROSS JOIN jsonb_each(s.value) AS c WHERE s.key || c.key <> 'item4714';
SELECT count(r.outcome) FROM (VALUES ('PLANT-1', 'Site', NULL), ('LINE', 'ProductionLine', 'PLANT-1'), ('WC-ASM1', 'WorkCenter', 'LINE'), ('WC-TST1', 'WorkCenter', 'LINE'), ('9', 'WorkCenter', 'LINE'),
    ('WC-PCK1', 'WorkCenter', 'LINE'), ('RM-WH', 'StorageZone', 'PLANT-1'), ('PSA-LINE-1', 'StorageZone', 'LINE'), ('FG-WH', 'StorageZone', 'PLANT-1')) AS x (code, level, parent),
    planthub.receive(pg_temp.ours(code, 'equipment.upserted', jsonb_build_object('equipment', code, 'version', 1, 'level', level, 'parent', parent, 'active', true))) AS r;
SELECT count(r.outcome) FROM (VALUES ('FG-100', 'C62'), ('RM-HOUSING', 'C62'), ('RM-SEAL', 'C62'), ('RM-GREASE', 'KGM'), ('RM-SCREW', 'C62'), ('RM-LABEL', 'C62')) AS x (code, uom),
    planthub.receive(pg_temp.ours(code, 'item.upserted', jsonb_build_object('item', code, 'version', 1, 'description', code, 'base_uom', uom, 'lot_controlled', false, 'serial_controlled', false, 'status', 'active'))) AS r;

-- What the canonical event makes
SELECT input AS sap, expect AS canonical FROM planthub.mapping_vector WHERE mapping = 'sap-order-in' AND name = 'order 1000123' \gset
BEGIN;
SELECT pg_temp.send(pg_temp.ours('o', 'production_order.released', :'canonical'));
SELECT pg_temp.order_rows() AS wanted \gset
ROLLBACK;

-- SAP sends for all plants; an entry of the cross-reference is missing at first
SELECT pg_temp.send(pg_temp.theirs('early', 'urn:sap', 'sap.ProductionOrder.Released.v1', jsonb_build_object('data', :'sap'::jsonb)));
SELECT planthub.set_source_mapping('urn:sap', 'production_order.released', 'sap-order-in', type => 'sap.ProductionOrder.Released.v1', site_expression => '(d || @).ProductionPlant');
SELECT pg_temp.send(pg_temp.theirs('1', 'urn:sap', 'sap.ProductionOrder.Released.v1', jsonb_build_object('data', :'sap'::jsonb)));
SELECT p.site, p.kind, p.key, i.topic, i.key, i.mapping, i.event->'data' = :'sap'::jsonb AS kept FROM planthub.parked AS p JOIN planthub.inbox AS i ON i.id = p.message_id;
SELECT planthub.set_xref('item', '4714', '"RM-SCREW"', 'erp') > 0;
SELECT event_id, outcome, code, site, topic, key, attempts, mapping, business_key IS NOT NULL AS identified, event->'data' = :'sap'::jsonb AS kept FROM planthub.inbox WHERE source = 'urn:sap';
SELECT pg_temp.order_rows() = :'wanted'::jsonb AS same, jsonb_array_length(:'wanted'::jsonb->2) AS components;
SELECT m.key, m.correlation_id, m.data->>'planned_start' FROM planthub.message AS m WHERE m.topic = 'production_order.released';
-- again: as it was, under another name, with other content
SELECT pg_temp.send(pg_temp.theirs('1', 'urn:sap', 'sap.ProductionOrder.Released.v1', jsonb_build_object('data', :'sap'::jsonb, 'datacontenttype', 'application/json')));
SELECT pg_temp.send(pg_temp.theirs('2', 'urn:sap', 'sap.ProductionOrder.Released.v1', jsonb_build_object('data_base64', replace(encode(convert_to(:'sap', 'UTF8'), 'base64'), E'\n', ''))));
SELECT pg_temp.send(pg_temp.theirs('2', 'urn:sap', 'sap.ProductionOrder.Released.v1', jsonb_build_object('data', :'sap'::jsonb)));
SELECT pg_temp.send(pg_temp.theirs('1', 'urn:sap', 'sap.ProductionOrder.Released.v1', jsonb_build_object('data', jsonb_set(:'sap', '{d,TotalQuantity}', '"99"'))));
SELECT pg_temp.send(pg_temp.theirs('3', 'urn:sap', 'sap.ProductionOrder.Released.v1', jsonb_build_object('data', jsonb_set(:'sap', '{d,TotalQuantity}', '"99"'))));
-- broken: every place is named, in the data and in the template
SELECT pg_temp.send(pg_temp.theirs('4', 'urn:sap', 'sap.ProductionOrder.Released.v1', jsonb_build_object('data',
    jsonb_set(jsonb_set(:'sap', '{d,TotalQuantity}', '"viel"'), '{d,to_ProductionOrderComponent,results,1,RequiredQuantity}', 'null'))));
SELECT pg_temp.send(pg_temp.theirs('5', 'urn:sap', 'sap.ProductionOrder.Released.v1', jsonb_build_object('data', jsonb_set(:'sap', '{d,OrderIsReleased}', '""'))));
SELECT pg_temp.send(pg_temp.theirs('6', 'urn:sap', 'sap.ProductionOrder.Released.v1', jsonb_build_object('data', jsonb_set(:'sap', '{d,ProductionPlant}', '"9999"'))));
SELECT pg_temp.send(pg_temp.theirs('7', 'urn:sap', 'sap.ProductionOrder.Released.v1', '{"data": 7}'));
SELECT pg_temp.send(pg_temp.theirs('8', 'urn:sap', 'sap.ProductionOrder.Released.v1', '{"data_base64": "bm8="}'));
SELECT pg_temp.send(pg_temp.theirs('9', 'urn:sap', 'sap.ProductionOrder.Released.v1', '{"data_base64": "?"}'));
SELECT pg_temp.send(pg_temp.theirs('10', 'urn:sap', 'sap.ProductionOrder.Released.v1', '{}'));
SELECT pg_temp.send(pg_temp.theirs('11', 'urn:sap', 'sap.ProductionOrder.Released.v1', '{"data": {}, "time": "yesterday"}'));
SELECT pg_temp.send(pg_temp.theirs('12', 'urn:sap', 'sap.ProductionOrder.Changed.v1', '{"data": {}}'));

-- a draft on the events that were received: what would change
SELECT planthub.create_mapping('sap-mine', '{"$merge": [{"$use": "sap-order-in"}, {"order_type": "=concat((d || @).ManufacturingOrderType, `\"!\"`)"}]}') IS NOT NULL;
SELECT planthub.activate_mapping('sap-mine', 1), planthub.set_source_mapping('urn:sap', 'production_order.released', 'sap-mine', type => 'mine', site_expression => '(d || @).ProductionPlant');
SELECT pg_temp.send(pg_temp.theirs('m1', 'urn:sap', 'mine', jsonb_build_object('data', jsonb_set(:'sap', '{d,ManufacturingOrder}', '"7"'))));
SELECT pg_temp.send(pg_temp.theirs('m2', 'urn:sap', 'mine', jsonb_build_object('data', jsonb_set(:'sap', '{d,OrderIsReleased}', '""'))));
SELECT planthub.create_mapping('sap-mine', '{"$merge": [{"$use": "sap-order-in"}, {"order": "=concat(`\"x\"`, (d || @).ManufacturingOrder)", "order_type": {"$if": "=(d || @).OrderIsReleased", "$then": null, "$else": 1}}]}') IS NOT NULL;
SELECT * FROM planthub.mapping_trial('sap-mine@2');
SELECT count(*) FROM planthub.mapping_trial('sap-mine@1');
SELECT count(DISTINCT message_id) FROM planthub.mapping_trial('sap-mine@2', 1);
SELECT planthub.mapping_trial('sap-none');
SELECT planthub.set_source_mapping('urn:sap', 'production_order.released', NULL, type => 'mine');

-- B2MML in XML: as text, as bytes; the mapping tells what it is
SELECT input AS schedule, env AS env FROM planthub.mapping_vector WHERE mapping = 'b2mml-order' AND name = 'order 1000123' \gset
SELECT planthub.json_to_xml(jsonb_set(jsonb_set(:'schedule', '{SyncProductionSchedule,ApplicationArea,CreationDateTime}', '"2026-01-15T05:30:00.0Z"'),
    '{SyncProductionSchedule,DataArea,ProductionSchedule,ProductionRequest,ID}', '"1000124"')) AS schedule \gset
SELECT planthub.json_to_xml(input) AS material FROM planthub.mapping_vector WHERE mapping = 'b2mml-in' AND name = 'item' \gset
SELECT planthub.set_source_mapping('urn:scale', NULL, 'b2mml-in', type => 'org.mesa.b2mml', xml => '{}', env => :'env'::jsonb - 'received_at' || '{"lot_controlled": true, "serial_controlled": false}');
SELECT left(:'schedule', 110);
SELECT pg_temp.send(pg_temp.theirs('1', 'urn:scale', 'org.mesa.b2mml', jsonb_build_object('datacontenttype', 'application/xml', 'data', :'schedule')));
SELECT pg_temp.send(pg_temp.theirs('2', 'urn:scale', 'org.mesa.b2mml', jsonb_build_object('datacontenttype', 'application/xml', 'data_base64', encode(convert_to(E'\uFEFF' || :'material', 'UTF8'), 'base64'))));
SELECT event_id, outcome, code, site, topic, key, mapping, event->>'data' = :'schedule' AS kept FROM planthub.inbox WHERE source = 'urn:scale' ORDER BY id;
SELECT topic, event_time, version, data - '{operations,components,staged_units}'::text[] FROM planthub.message WHERE source = 'urn:scale' ORDER BY id;
-- the canonical event would have done the same
SELECT pg_temp.order_rows() AS made \gset
BEGIN;
DELETE FROM planthub.order_component WHERE order_no = '1000124';
DELETE FROM planthub.order_operation WHERE order_no = '1000124';
DELETE FROM planthub.production_order WHERE order_no = '1000124';
SELECT pg_temp.send(pg_temp.ours('o4', 'production_order.released', (SELECT m.data FROM planthub.message AS m WHERE m.source = 'urn:scale' AND m.topic = 'production_order.released')));
SELECT (pg_temp.order_rows() - 3) = (:'made'::jsonb - 3);
ROLLBACK;
SELECT pg_temp.send(pg_temp.theirs('1', 'urn:scale', 'org.mesa.b2mml', jsonb_build_object('data', :'schedule')));
SELECT pg_temp.send(pg_temp.theirs('3', 'urn:scale', 'org.mesa.b2mml', '{"data": "<a><b></a>"}'));
SELECT pg_temp.send(pg_temp.theirs('4', 'urn:scale', 'org.mesa.b2mml', '{"data": "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>"}'));
SELECT pg_temp.send(pg_temp.theirs('5', 'urn:scale', 'org.mesa.b2mml', '{"data": "<SyncPersonnel/>"}'));
SELECT pg_temp.send(pg_temp.theirs('6', 'urn:scale', 'org.mesa.b2mml', '{"data": {"a": 1}}'));
SELECT count(*) FROM planthub.inbox WHERE source = 'urn:scale' AND outcome = 'rejected' AND event ? 'data' AND owns AND mapping IS NOT NULL;

-- In bulk; without a time of its own the same document is the same fact all the same
SELECT outcome, code FROM planthub.receive_many(ARRAY[
    pg_temp.theirs('20', 'urn:scale', 'org.mesa.b2mml', jsonb_build_object('data', replace(:'schedule', '1000124', '1000125'))) - 'time',
    pg_temp.theirs('20', 'urn:scale', 'org.mesa.b2mml', jsonb_build_object('data', replace(:'schedule', '1000124', '1000125'))) - 'time',
    pg_temp.theirs('21', 'urn:scale', 'org.mesa.b2mml', '{"data": "no"}'),
    pg_temp.theirs('22', 'urn:scale', 'org.mesa.b2mml', jsonb_build_object('data', replace(:'schedule', '1000124', '1000126'))) - 'time']);
INSERT INTO planthub.staging (batch, event) VALUES ('load', pg_temp.theirs('23', 'urn:scale', 'org.mesa.b2mml', jsonb_build_object('data', replace(:'schedule', '1000124', '1000127')))),
    ('load', pg_temp.theirs('23', 'urn:scale', 'org.mesa.b2mml', jsonb_build_object('data', replace(:'schedule', '1000124', '1000127'))));
SELECT * FROM planthub.drain_staging('load', 10);
SELECT order_no, version, base_qty, state FROM planthub.production_order ORDER BY order_no;
