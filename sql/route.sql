-- Routes: conditions are checked when they are made, evaluated by publish(), explained; mappings on the way out.
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET client_min_messages = warning;
SELECT planthub.create_site('P1');
SELECT planthub.create_site('P2');
SELECT planthub.create_topic('test.moved');
SELECT planthub.create_topic('test.other');
SELECT planthub.create_system('mes', 'mes');
SELECT planthub.create_endpoint('mes-moves', 'mes', 'http://127.0.0.1:1/');
CREATE VIEW made AS
    SELECT m.id, string_agg(r.code || CASE WHEN d.not_before = 'infinity' THEN ' (parked)' ELSE '' END, ', ' ORDER BY r.id) AS routes
    FROM planthub.message AS m LEFT JOIN planthub.delivery AS d ON d.message_id = m.id LEFT JOIN planthub.route AS r ON r.id = d.route
    GROUP BY m.id;

-- refused, with the place
SELECT planthub.create_route('bad', '#', 'mes-moves', condition => 'qty >');
SELECT planthub.create_route('bad', '#', 'mes-moves', condition => 'bogus(qty)');
SELECT planthub.create_route('bad', '#', 'mes-moves', condition => 'matches(lot, ''('')');
SELECT planthub.create_route('bad', '#', 'mes-moves', condition => '$site == ''P1''');
SELECT planthub.create_route('bad', '#', 'mes-moves', condition => '$env.topc == ''x''');
SELECT planthub.create_route('bad', '#', 'mes-moves', condition => 'xref(''uom'', uom) == ''KGM''');
SELECT planthub.create_route('bad', '#', 'mes-moves', condition => 'unit(qty, uom, ''KGM'') > 1');
SELECT count(*) FROM planthub.route;

SELECT planthub.create_route('all', 'test.#', 'mes-moves');
SELECT planthub.create_route('large', 'test.moved', 'mes-moves', condition => 'qty * 1000 >= 1500.5');
SELECT planthub.create_route('p1', 'test.moved', 'mes-moves', site => 'P1', condition => 'lots[?hold]');
SELECT planthub.create_route('keyed', 'test.*', 'mes-moves',
    condition => 'starts_with($env.key, ''A'') && $env.attributes.line == ''L1'' && $.qty != `0`');
SELECT planthub.create_route('off', 'test.moved', 'mes-moves', enabled => false, condition => 'qty');
SELECT code, condition FROM planthub.route ORDER BY id;

-- true, false, and what is neither
SELECT planthub.publish('test.moved', '{"qty": 1.5005, "lots": [{"hold": true}]}', 'A1', 'P1', attributes => '{"line": "L1"}') AS m \gset
SELECT routes FROM made WHERE id = :m;
SELECT planthub.publish('test.moved', '{"qty": 1.5, "lots": [{"hold": false}]}', 'B1', 'P1') AS m \gset
SELECT routes FROM made WHERE id = :m;
SELECT planthub.publish('test.moved', '{"qty": "many"}', 'B1', 'P2') AS m \gset
SELECT routes FROM made WHERE id = :m;
SELECT planthub.publish('test.moved', '{"qty": null}', NULL, 'P2') AS m \gset
SELECT routes FROM made WHERE id = :m;
SELECT planthub.publish('test.moved', '[]', 'A1', 'P2', not_before => '2100-01-01') AS m \gset
SELECT routes FROM made WHERE id = :m;
SELECT not_before FROM planthub.delivery WHERE message_id = :m ORDER BY id;
-- one by one inside publish_many()
SELECT count(*) FROM planthub.publish_many('test.moved', 'P1', ARRAY['A1', 'A1', 'B1'],
    ARRAY['{"qty": 5}', '{"qty": 1}', '{"qty": true}']::jsonb[], attributes => '{"line": "L1"}');
SELECT routes FROM made ORDER BY id DESC LIMIT 3;
-- a large one, out of line
SELECT planthub.publish('test.moved', jsonb_build_object('qty', 7, 'text', (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 1000) AS i)), 'B', 'P2') AS m \gset
SELECT routes FROM made WHERE id = :m;

-- explained
SELECT * FROM planthub.route_explain('test.moved', 'P1', '{"qty": 1.5, "lots": [{"hold": true, "no": "L7"}]}', key => 'A');
SELECT * FROM planthub.route_explain('test.other', 'P2', '{"qty": "x"}');
SELECT * FROM planthub.route_explain('test.moved', 'P2', '{"qty": "x"}', key => 'A', attributes => '{"line": "L1"}');
SELECT * FROM planthub.route_explain('test.unknown', 'P2', '{}');
SELECT * FROM planthub.route_explain('test.moved', 'P9', '{}');
SELECT * FROM planthub.route_explain('test.moved', 'P1', NULL);

-- changed, taken away
SELECT planthub.alter_route('large', condition => 'qty > ');
SELECT planthub.alter_route('large', condition => 'qty > `100`');
SELECT planthub.publish('test.moved', '{"qty": 5}', 'B1', 'P2') AS m \gset
SELECT routes FROM made WHERE id = :m;
SELECT planthub.alter_route('large', condition => '');
SELECT planthub.publish('test.moved', '{"qty": 5}', 'B1', 'P2') AS m \gset
SELECT routes FROM made WHERE id = :m;
SELECT planthub.alter_route('large', priority => 4);
SELECT code, condition, priority FROM planthub.route WHERE code = 'large';

-- written past the verbs: nothing is lost either
UPDATE planthub.route SET condition = 'qty >' WHERE code = 'large';
SELECT planthub.publish('test.moved', '{"qty": 5}', 'B1', 'P2') AS m \gset
SELECT routes FROM made WHERE id = :m;
SELECT route, matches, reason, detail FROM planthub.route_explain('test.moved', 'P2', '{}') WHERE route = 'large';
\set VERBOSITY terse
UPDATE planthub.route SET condition = '' WHERE code = 'large';

-- mappings of routes
\set VERBOSITY default
SELECT planthub.create_mapping('to-mes', '{"n": "=qty"}');
SELECT planthub.create_route('mapped', 'test.#', 'mes-moves', mapping => 'to-mes');
SELECT planthub.create_route('mapped', 'test.#', 'mes-moves', mapping => 'to-mes@1');
SELECT planthub.alter_route('mapped', mapping => 'to-mes@2');
SELECT planthub.alter_route('mapped', mapping => 'to-mes@1:P1');
SELECT planthub.alter_route('mapped', mapping => 'To MES');
SELECT planthub.activate_mapping('to-mes', version => 1);
SELECT planthub.alter_route('mapped', mapping => 'to-mes');
SELECT code, mapping FROM planthub.route WHERE code = 'mapped';
SELECT planthub.alter_route('mapped', priority => 3);
SELECT planthub.alter_route('mapped', mapping => '');
SELECT code, mapping, priority FROM planthub.route WHERE code = 'mapped';

-- XML on the way out
SELECT planthub.create_endpoint('xml', 'mes', 'http://127.0.0.1:1/', content_mode => 'plain', xml_profile => '{"rot": "Order"}');
SELECT planthub.create_endpoint('xml', 'mes', 'http://127.0.0.1:1/', xml_profile => '{"root": "Order"}');
SELECT planthub.create_endpoint('xml', 'mes', 'http://127.0.0.1:1/', content_mode => 'plain', xml_profile => '{"root": "Order"}');
SELECT planthub.alter_endpoint('xml', xml_profile => '{"root": "1"}');
SELECT planthub.alter_endpoint('xml', content_mode => 'binary');
SELECT planthub.alter_endpoint('xml', xml_profile => '7');
SELECT planthub.alter_endpoint('xml', xml_profile => 'null');
SELECT content_mode, xml_profile FROM planthub.endpoint WHERE code = 'xml';
