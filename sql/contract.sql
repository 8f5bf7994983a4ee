-- Contracts: what publish() refuses, versions and their life, what a new version would break.
SET client_min_messages = warning;
CREATE FUNCTION pg_temp.try(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text; message text; detail text; hint text;
BEGIN
    EXECUTE statement;
    RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n', state || ' ' || message, 'DETAIL ' || nullif(detail, ''), 'HINT ' || nullif(hint, ''));
END
$$;
\pset format unaligned
\pset tuples_only on
SELECT planthub.create_site('P1');
-- Every topic of the extension has its contract, and the envelope; all of them compile.
SELECT count(*), count(t.name), bool_and(c.status = 'active' AND c.version = 1 AND c.builtin AND length(c.sha256) = 64)
FROM planthub.contract AS c LEFT JOIN planthub.topic AS t ON t.name = c.topic;
SELECT name FROM planthub.topic WHERE name NOT IN (SELECT topic FROM planthub.contract);
SELECT count(planthub.check_json_schema(schema)) = count(*), bool_and(schema->>'$id' = format('urn:planthub:schema:%s:%s', topic, version)) FROM planthub.contract;

-- publish() refuses data that do not meet the contract, and tells all of it.
SELECT pg_temp.try($$SELECT planthub.publish('production_order.cancelled', '{"order": "", "version": "1"}', 'mo:1', 'P1')$$);
SELECT pg_temp.try($$SELECT planthub.publish('production.confirmed', '{"yield": {"value": "1,5", "uom": "piece"}, "consumed": [{"item": {"scheme": "sap"}}]}', 'mo:1', 'P1')$$);
SELECT planthub.publish('production_order.cancelled', '{"order": "1", "version": 1, "reason": "test", "further": "members are kept"}', 'mo:1', 'P1') > 0;
SELECT planthub.publish_many('production_order.cancelled', 'P1', ARRAY['a', 'b'], ARRAY['{"order": "1", "version": 1, "reason": "test"}', '{}']::jsonb[]);
SELECT count(*), max(data->>'order') FROM planthub.message;
SELECT planthub.contract_violations('production_order.cancelled', 1, '{"order": "1", "version": 1, "reason": "test"}');
SELECT jsonb_pretty(planthub.contract_violations('production_order.cancelled', 1, '{"order": 1}', prefix => '/data', max_violations => 2));
SELECT pg_temp.try($$SELECT planthub.contract_violations('production_order.cancelled', 2, '{}')$$);
SELECT pg_temp.try($$SELECT planthub.contract_violations('production_order.cancelled', NULL, '{}')$$);
-- Data that are larger than a page are checked like others, and so is what is not an object.
SELECT pg_temp.try($$SELECT planthub.publish('production_order.cancelled', jsonb_build_object('order', '1', 'version', 1, 'reason', repeat('x', 100000)), 'mo:1', 'P1')$$);
SELECT pg_temp.try($$SELECT planthub.publish('production_order.cancelled', '"text"', 'mo:1', 'P1')$$);

-- A topic without contract is free; a contract of its own binds it.
SELECT planthub.create_topic('tool.worn');
SELECT planthub.publish('tool.worn', '"anything"', 'k', 'P1') > 0;
SELECT planthub.publish('tool.worn', '{"tool": "T1", "wear": 0.5}', 'k', 'P1') > 0;
SELECT message_id IS NOT NULL, key, pointer, keyword, message, found FROM planthub.contract_check('tool.worn', '{"type": "object"}'::jsonb);
SELECT count(*) FROM planthub.contract_check('tool.worn', '{"type": "object"}'::jsonb, last_n => 1);
SELECT planthub.register_contract('tool.worn', '{"maxProperties": 0}', draft => true);
SELECT planthub.publish('tool.worn', '{"draft": "binds nobody"}', 'k', 'P1') > 0;
SELECT planthub.register_contract('tool.worn', '{"type": "object", "required": ["tool"], "properties": {"tool": {"type": "string"}}}', version => 1, reason => 'first agreement');
SELECT pg_temp.try($$SELECT planthub.publish('tool.worn', '"anything"', 'k', 'P1')$$);
-- A draft can change and binds nobody; then it takes over, and the old version is deprecated.
SELECT planthub.register_contract('tool.worn', '{"type": "object", "required": ["tool", "wear"]}', draft => true);
SELECT planthub.register_contract('tool.worn', '{"type": "object", "required": ["tool", "wear", "unit"]}', version => 2, draft => true);
SELECT planthub.publish('tool.worn', '{"tool": "T1"}', 'k', 'P1') > 0;
SELECT pg_temp.try($$SELECT planthub.contract_violations('tool.worn', 2, '{}')$$);
SELECT pointer, keyword, expected FROM planthub.contract_check('tool.worn', 2, last_n => 1) ORDER BY expected;
SELECT planthub.activate_contract('tool.worn', 2, reason => 'wear is needed');
SELECT version, status, deprecated_at IS NOT NULL, sunset, author = session_user, reason FROM planthub.contract WHERE topic = 'tool.worn' ORDER BY version;
SELECT version FROM planthub.topic WHERE name = 'tool.worn';
SELECT pg_temp.try($$SELECT planthub.publish('tool.worn', '{"tool": "T1"}', 'k', 'P1')$$);
-- N-1 is accepted until its sunset.
SELECT planthub.contract_violations('tool.worn', 1, '{"tool": "T1"}');
SELECT planthub.deprecate_contract('tool.worn', 1, sunset => now() - interval '1 s', reason => 'end of support');
SELECT pg_temp.try($$SELECT planthub.contract_violations('tool.worn', 1, '{"tool": "T1"}')$$);
SELECT planthub.deprecate_contract('tool.worn', 1, sunset => now() + interval '1 day');
SELECT planthub.contract_violations('tool.worn', 1, '{"tool": "T1"}');
SELECT planthub.register_contract('tool.worn', '{"type": "object"}', reason => 'third');
SELECT version, status FROM planthub.contract WHERE topic = 'tool.worn' ORDER BY version;
SELECT planthub.publish('tool.worn', '{}', 'k', 'P1') > 0;
SELECT topic, version FROM planthub.message ORDER BY id DESC LIMIT 1;
SELECT planthub.retire_contract('tool.worn', 2, 'no sender left');
-- Back to an older one, and refused changes.
SELECT planthub.activate_contract('tool.worn', 1);
SELECT version, status FROM planthub.contract WHERE topic = 'tool.worn' ORDER BY version;
SELECT pg_temp.try($$SELECT planthub.retire_contract('tool.worn', 1)$$);
SELECT pg_temp.try($$SELECT planthub.deprecate_contract('tool.worn', 9)$$);
SELECT pg_temp.try($$SELECT planthub.register_contract('tool.worn', '{"type": "array"}', version => 3)$$);
SELECT pg_temp.try($$UPDATE planthub.contract SET schema = '{}' WHERE topic = 'item.upserted'$$);
SELECT pg_temp.try($$SELECT planthub.register_contract('tool.worn', '{"type": "text"}')$$);
SELECT pg_temp.try($$SELECT planthub.register_contract('tool.worn', '{"$id": "urn:other"}')$$);
SELECT pg_temp.try($$SELECT planthub.register_contract('tool.worn', '[]')$$);
SELECT pg_temp.try($$SELECT planthub.register_contract('tool.worn', NULL)$$);
SELECT pg_temp.try($$SELECT planthub.register_contract('tool.worn', '{}', version => 0)$$);
SELECT pg_temp.try($$SELECT planthub.register_contract('tool.lost', '{}')$$);
-- A change that is rolled back binds nobody.
BEGIN;
SELECT planthub.register_contract('tool.worn', '{"maxProperties": 0}');
SELECT pg_temp.try($$SELECT planthub.publish('tool.worn', '{"tool": "T1"}', 'k', 'P1')$$);
ROLLBACK;
SELECT planthub.publish('tool.worn', '{"tool": "T1"}', 'k', 'P1') > 0;
-- One contract may refer to another.
SELECT planthub.create_topic('tool.replaced');
SELECT planthub.register_contract('tool.replaced', '{"properties": {"worn": {"$ref": "urn:planthub:schema:tool.worn:1"}}}');
SELECT pg_temp.try($$SELECT planthub.publish('tool.replaced', '{"worn": {"tool": 5}}', 'k', 'P1')$$);
-- A topic that goes takes its contracts along.
SELECT planthub.drop_topic('tool.replaced');
SELECT count(*) FROM planthub.contract WHERE topic = 'tool.replaced';
SELECT verb, arguments - 'sha256' FROM planthub.operation_log WHERE verb LIKE '%contract' ORDER BY id LIMIT 4;

-- What a new version refuses that the old one allowed.
SELECT * FROM planthub.contract_compatible('{"properties": {"a": {"type": ["integer", "string"], "maximum": 9}, "b": {"enum": [1, 2, 3]}, "c": {"type": "object"}, "gone": true, "list": {"items": {"type": "number"}, "maxItems": 5}},
        "required": ["a"], "$defs": {"q": {"minLength": 1}}, "additionalProperties": {"$ref": "#/$defs/q"}}',
    '{"properties": {"a": {"type": "integer", "maximum": 8, "minimum": 0}, "b": {"enum": [1, 2]}, "c": {"type": "object", "additionalProperties": false, "required": ["x"]}, "list": {"items": {"type": "integer", "multipleOf": 2}, "maxItems": 4, "uniqueItems": true}},
        "required": ["a", "b"], "additionalProperties": false, "minProperties": 1, "patternProperties": {"^x": false}}');
SELECT * FROM planthub.contract_compatible('{"anyOf": [{"type": "string"}, {"type": "number"}], "pattern": "^a"}', '{"anyOf": [{"type": "string", "maxLength": 5}, {"type": ["number", "null"]}], "allOf": [{"minimum": 0}], "const": 5}');
-- Wider is compatible, and so is a new member that is not required.
SELECT count(*) FROM planthub.contract_compatible('{"type": "integer", "minimum": 1, "enum": [1], "required": ["a"], "additionalProperties": false, "oneOf": [{"maxLength": 5}]}',
    '{"type": ["number", "null"], "minimum": 0, "enum": [1, 2], "properties": {"new": {"type": "string"}}, "oneOf": [{"maxLength": 6}, {"minLength": 9}]}');
SELECT count(*) FROM planthub.contract AS c, planthub.contract_compatible(c.schema, c.schema);
SELECT count(*) FROM planthub.contract AS c, planthub.contract_compatible(c.schema, c.schema || '{"$comment": "other"}');
SELECT * FROM planthub.contract_compatible('{"$defs": {"n": {"properties": {"next": {"$ref": "#/$defs/n"}, "v": {"type": "number"}}}}, "$ref": "#/$defs/n"}', '{"$defs": {"n": {"properties": {"next": {"$ref": "#/$defs/n"}, "v": {"type": "integer"}}}}, "$ref": "#/$defs/n"}');
SELECT pg_temp.try($$SELECT planthub.contract_compatible('{}', '{"type": 1}')$$);

-- Who may: the publisher checks without seeing a table, the integrator registers.
CREATE ROLE planthub_contract_test;
SELECT planthub.grant_access('publisher', 'planthub_contract_test');
SET ROLE planthub_contract_test;
SELECT planthub.publish('tool.worn', '{"tool": "T1"}', 'k', 'P1') > 0;
SELECT planthub.contract_violations('tool.worn', 1, '{"tool": "T1"}');
SELECT pg_temp.try($$SELECT planthub.register_contract('tool.worn', '{}')$$);
RESET ROLE;
SELECT planthub.grant_access('integrator', 'planthub_contract_test');
SET ROLE planthub_contract_test;
SELECT planthub.register_contract('tool.worn', '{}', reason => 'by the integrator');
SELECT count(*) FROM planthub.contract_compatible('{}', '{}');
SELECT count(*) FROM planthub.contract_check('tool.worn', 1, 10);
RESET ROLE;
SELECT planthub.revoke_access('planthub_contract_test');
DROP ROLE planthub_contract_test;
