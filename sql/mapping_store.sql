-- Stored mappings: versions, activation, overrides, inclusion, functions, test vectors, lint.
SET client_min_messages = notice;
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
SELECT planthub.create_site('DE');
SELECT planthub.create_site('DE/1010');
SELECT planthub.create_site('FR');
SELECT planthub.create_system('sap', 'erp');

-- Versions: drafts are found by number only; activation replaces the active one.
SELECT planthub.create_mapping('order', '{"no": "=AUFNR", "lines": {"$each": "=lines", "$do": {"item": "=MATNR", "uom": "=xref(''uom'', MEINS)"}}}', contract_in => 'sap_order@1', reason => 'first');
SELECT pg_temp.try($$SELECT planthub.map('order', '{}')$$);
SELECT pg_temp.try($$SELECT planthub.map('nobody', '{}')$$);
SELECT pg_temp.try($$SELECT planthub.map('order@2', '{}')$$);
SELECT pg_temp.try($$SELECT planthub.map('order@1:FR', '{}')$$);
SELECT pg_temp.try($$SELECT planthub.map('order@x', '{}')$$);
SELECT planthub.map('order@1', '{"AUFNR": "1"}');
SELECT planthub.activate_mapping('order', 1, reason => 'go');
SELECT planthub.map('order', '{"AUFNR": "1"}');
SELECT planthub.create_mapping('order', '{"number": "=AUFNR"}');
SELECT planthub.map('order', '{"AUFNR": "1"}'), planthub.map('order@2', '{"AUFNR": "1"}');
SELECT pg_temp.try($$SELECT planthub.create_mapping('Order', '1')$$);
SELECT pg_temp.try($$SELECT planthub.create_mapping('order', '1', site => 'XX')$$);
SELECT pg_temp.try($$SELECT planthub.create_mapping('order', '"=("')$$);
SELECT pg_temp.try($$SELECT planthub.create_mapping('order', '1', options => '{"timezone": "Mars/Olympus"}')$$);
SELECT pg_temp.try($$UPDATE planthub.mapping SET template = '1' WHERE name = 'order'$$);
SELECT pg_temp.try($$UPDATE planthub.mapping SET sha256 = '1' WHERE name = 'order'$$);
SELECT pg_temp.try($$SELECT planthub.activate_mapping('order', 9)$$);
SELECT site, version, status, activated_at IS NOT NULL, contract_in, reason, author = session_user, depends FROM planthub.mapping WHERE NOT builtin ORDER BY 1, 2;

-- Test vectors: activation runs them.
SELECT planthub.create_mapping_vector('order', 'one line', '{"AUFNR": "7", "lines": {"MATNR": "A", "MEINS": "KG"}}', '{"no": "7", "lines": [{"item": "A", "uom": "KGM"}]}', xref => '{"uom": {"KG": "KGM"}}');
SELECT planthub.create_mapping_vector('order', 'unknown unit', '{"AUFNR": "7", "lines": {"MATNR": "A", "MEINS": "XX"}}', expect_error => '{"code": "unmapped-code", "at": "/lines/0/uom"}');
SELECT site, vector, passed FROM planthub.mapping_test('order');
SELECT pg_temp.try($$SELECT planthub.create_mapping_vector('order', 'none', '{}')$$);
SELECT pg_temp.try($$SELECT planthub.create_mapping_vector('order', 'one line', '{}', '{}')$$);
SELECT pg_temp.try($$SELECT planthub.create_mapping_vector('nobody', 'x', '{}', '{}')$$);
SELECT planthub.create_mapping('order', '{"no": "=AUFNR", "lines": {"$each": "=lines", "$do": {"item": "=lower(MATNR)", "uom": "=xref(''uom'', MEINS, ''C62'')", "new": 1}}}');
SELECT * FROM planthub.mapping_test('order@3');
SELECT pg_temp.try($$SELECT planthub.activate_mapping('order', 3)$$);
SELECT version, status FROM planthub.mapping WHERE name = 'order' ORDER BY version;
SELECT planthub.map('order', '{"AUFNR": "1"}');

-- Overrides: a merge patch of a pinned version; every site sees the nearest one.
SELECT planthub.create_mapping('order', '{"lines": {"$do": {"uom": "=MEINS"}}, "plant": "=$env.site"}', site => 'DE', base => 1);
SELECT planthub.create_mapping('order', '{"no": null, "lines": {"$do": {"extra": "=`null`", "lot": {"$value": "=LOT", "$default": "none"}}}}', site => 'DE/1010', base => 1, base_site => 'DE');
SELECT planthub.mapping_template('order@1:DE/1010');
SELECT * FROM planthub.mapping_provenance('order@1:DE/1010');
SELECT * FROM planthub.mapping_provenance('order@1');
SELECT pg_temp.try($$SELECT * FROM planthub.mapping_provenance('order@9')$$);
SELECT planthub.activate_mapping('order', 1, 'DE');
SELECT planthub.activate_mapping('order', 1, 'DE/1010');
SELECT s, planthub.map('order', '{"AUFNR": "1", "lines": {"MATNR": "A", "MEINS": "KG"}}', s, env => '{"system": "sap"}') FROM unnest(ARRAY['DE', 'DE/1010', 'DE/1010/hall 3']) AS s;
SELECT pg_temp.try($$SELECT planthub.map('order', '{"AUFNR": "1", "lines": {"MATNR": "A", "MEINS": "KG"}}', 'FR')$$);
SELECT planthub.set_xref('uom', 'KG', '"KGM"', 'sap', 'FR') > 0;
SELECT planthub.map('order', '{"AUFNR": "1", "lines": {"MATNR": "A", "MEINS": "KG"}}', 'FR', '{"system": "sap"}');
SELECT pg_temp.try($$SELECT planthub.map('order', '{"lines": {"MEINS": "KG"}}', 'FR')$$) LIKE '22000 mapping "order@1" found 1 error in the document%';
SELECT pg_temp.try($$SELECT planthub.map('order', '{"lines": {"MEINS": "KG"}}', 'FR', '{"system": "sap", "received_at": "yesterday"}')$$);
SELECT pg_temp.try($$SELECT planthub.create_mapping('order', '{}', site => 'FR', base => 1, base_site => 'DE')$$);
SELECT pg_temp.try($$SELECT planthub.create_mapping('order', '{}', site => 'FR', base => 99)$$);
SELECT pg_temp.try($$SELECT planthub.create_mapping('order', '{}', base => 1)$$);
-- a new version of the enterprise does not change what the sites do; lint tells that they stay behind
SELECT planthub.create_mapping('order', '{"no": "=AUFNR", "v": 4, "lines": {"$each": "=lines", "$do": {"item": "=MATNR", "uom": "=xref(''uom'', MEINS)"}}}');
SELECT planthub.drop_mapping_vector('order', 'one line');
SELECT planthub.activate_mapping('order', 4);
SELECT s, planthub.map('order', '{"AUFNR": "1"}', s) FROM unnest(ARRAY['FR', 'DE']) AS s;
SELECT * FROM planthub.mapping_lint('order');
SELECT planthub.retire_mapping('order', 'DE/1010');
SELECT planthub.map('order', '{"AUFNR": "1"}', 'DE/1010');
SELECT pg_temp.try($$SELECT planthub.drop_site('DE/1010')$$);

-- Inclusion: same document or another; changes take effect; no circles.
SELECT planthub.create_mapping('qty', '{"value": {"$value": "=QTY", "$type": "number"}, "uom": "=xref(''uom'', UNIT)", "root": "=$.QTY"}', options => '{"nulls": "error"}');
SELECT planthub.activate_mapping('qty', 1);
SELECT planthub.create_mapping('doc', '{"a": {"$use": "qty"}, "b": {"$each": "=l", "$do": {"$use": "qty", "$with": "=q"}}, "c": {"$use": "qty@1", "$with": {"QTY": "=l[0].q.QTY", "UNIT": "KG"}}}');
SELECT jsonb_pretty(planthub.map_explain('doc@1', '{"QTY": "1", "UNIT": "KG", "l": [{"q": {"QTY": "2", "UNIT": "G", "Z": 1}}, {"q": {"UNIT": "ZZ"}}]}', xref => '{"uom": {"KG": "KGM", "G": "GRM"}}') - 'sha256');
SELECT planthub.map_explain('doc@1', '{"QTY": "1", "UNIT": "KG", "l": [{"q": {"QTY": "2", "UNIT": "G"}}]}', xref => '{"uom": {"KG": "KGM", "G": "GRM"}}')->'output';
SELECT planthub.create_mapping_vector('doc', 'v', '{"QTY": "1", "UNIT": "KG", "l": [{"q": {"QTY": "2", "UNIT": "KG"}}]}', '{"a": {"uom": "KGM", "root": "1", "value": 1}, "b": [{"uom": "KGM", "root": "2", "value": 2}], "c": {"uom": "KGM", "root": "2", "value": 2}}', xref => '{"uom": {"KG": "KGM"}}');
SELECT planthub.activate_mapping('doc', 1);
SELECT pg_temp.try($$SELECT planthub.retire_mapping('qty')$$);
SELECT planthub.create_mapping('qty', '{"value": "=QTY"}');
SELECT pg_temp.try($$SELECT planthub.activate_mapping('qty', 2)$$);
SELECT planthub.create_mapping('qty', '{"$use": "doc"}');
SELECT pg_temp.try($$SELECT planthub.activate_mapping('qty', 3)$$);
SELECT planthub.map('doc', '{"QTY": "1", "UNIT": "KG", "l": [{"q": {"QTY": "2", "UNIT": "KG"}}]}', 'FR', '{"system": "sap"}');
SELECT planthub.create_mapping('self', '1');
SELECT planthub.activate_mapping('self', 1);
SELECT planthub.create_mapping('self', '{"$use": "self@1"}');
SELECT planthub.map('self@2', '{}');
-- the hash covers what is used
BEGIN;
SELECT planthub.map_explain('doc', '{}')->>'sha256' AS before \gset
UPDATE planthub.mapping SET status = 'retired' WHERE name = 'qty' AND version = 1;
UPDATE planthub.mapping SET status = 'active' WHERE name = 'qty' AND version = 2;
SELECT planthub.map_explain('doc', '{}')->>'sha256' <> :'before';
ROLLBACK;
SELECT planthub.map_explain('doc', '{}')->>'sha256' = :'before';

-- Functions
CREATE FUNCTION public.twice(d jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF d = '"bad"' THEN
        RAISE EXCEPTION 'cannot double "%"', d;
    ELSIF d = '"none"' THEN
        RETURN NULL;
    ELSIF d = '"cancel"' THEN
        RAISE EXCEPTION USING ERRCODE = 'query_canceled', MESSAGE = 'cancelled';
    END IF;
    RETURN to_jsonb((d#>>'{}')::numeric * 2);
END
$$;
CREATE FUNCTION public.writes(d jsonb) RETURNS jsonb LANGUAGE plpgsql AS 'BEGIN RETURN d; END';
CREATE FUNCTION public.in_sql(d jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS 'SELECT d';
SELECT planthub.create_mapping_function('twice', 'public.twice(jsonb)', 'doubles a number');
SELECT pg_temp.try($$SELECT planthub.create_mapping_function('writes', 'public.writes(jsonb)')$$);
SELECT pg_temp.try($$SELECT planthub.create_mapping_function('in_sql', 'public.in_sql(jsonb)')$$);
SELECT pg_temp.try($$SELECT planthub.create_mapping_function('lower', 'lower(text)')$$);
SELECT pg_temp.try($$SELECT planthub.create_mapping_function('no way', 'public.twice(jsonb)')$$);
SELECT planthub.create_mapping('call', '{"$each": "=@", "$do": {"$call": "twice", "$with": "=@"}}');
SELECT planthub.activate_mapping('call', 1);
SELECT planthub.map('call', '[1, 2.50, "none", "7"]');
-- From 18 on it has a second argument.
SELECT current_setting('server_version_num')::int >= 180000 AS has_option \gset
\if :has_option
CREATE FUNCTION public.strip(document jsonb) RETURNS jsonb LANGUAGE plpgsql STABLE AS 'BEGIN RETURN jsonb_strip_nulls(document); END';
\set strip public.strip(jsonb)
\else
\set strip pg_catalog.jsonb_strip_nulls(jsonb)
\endif
SELECT planthub.create_mapping_function('strip', :'strip', 'written in C');
SELECT planthub.map('strip@' || planthub.create_mapping('strip', '{"$call": "strip", "$with": "=a"}'), '{"a": {"x": null, "y": 1.50}}');
SELECT planthub.drop_mapping_function('strip');
SELECT pg_temp.try($$SELECT planthub.map('call', '[1, "bad", "x"]')$$);
DO $$ BEGIN PERFORM planthub.map('call', '["cancel"]'); EXCEPTION WHEN OTHERS THEN RAISE NOTICE 'caught'; END $$;
SELECT pg_temp.try($$SELECT planthub.drop_mapping_function('twice')$$);
CREATE OR REPLACE FUNCTION public.twice(d jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN d; END';
SELECT planthub.map('call', '[1]');
DROP FUNCTION public.twice(jsonb);
SELECT pg_temp.try($$SELECT planthub.map('call', '[1]')$$);
CREATE FUNCTION public.twice(d jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN to_jsonb(current_user = ''ph_owner''); END';
CREATE ROLE ph_owner;
ALTER FUNCTION public.twice(jsonb) OWNER TO ph_owner;
SELECT planthub.map('call', '[1]'), current_user = 'ph_owner';
DROP FUNCTION public.twice(jsonb);
DROP ROLE ph_owner;
SELECT planthub.retire_mapping('call');
SELECT planthub.drop_mapping_function('twice');

-- Lint, as notices when it is created and on demand.
SELECT planthub.create_mapping('lint', '{"a": {"$if": "=`true`", "$then": 1}, "b": "=xref(''colour'', x)", "c": {"$each": "=l", "$do": {"$let": {"it": "=x", "env": 1}, "$do": "=$it"}}, "d": "=!a.b"}');
SELECT * FROM planthub.mapping_lint('lint@1');
SELECT count(*) FROM planthub.mapping_lint('qty@3');

-- What is read and what is not.
SELECT planthub.create_mapping('reads', '{"a": "=order.a", "w": "=whole", "i": "=list[1].x", "l": {"$each": "=order.lines", "$as": "line", "$where": "=kind == ''x''", "$do": {"q": "=$line.q", "p": "=$parent.top", "sub": {"$map": "=subs", "$key": "=k", "$do": "=$.glob"}}}, "f": "=things[?k==''1''].v | [0]", "s": {"$switch": "=sw", "$cases": {"a": {"x": 1}}, "$else": {"$let": {"z": "=zz"}, "$do": "=$z.y"}}}');
SELECT jsonb_pretty(depends) FROM planthub.mapping WHERE name = 'reads';
SELECT jsonb_pretty(planthub.map_explain('reads@1', '{"order": {"a": 1, "b": 2, "lines": [{"kind": "x", "q": 1, "u": 1, "subs": {"k": "1", "m": 1}}, {"v": 1}]}, "whole": {"p": {"q": 1}}, "list": [{"x": 1, "y": 1}, {"x": 1, "y": 1}], "things": [{"k": "1", "v": 1, "w": {"deep": 1}}], "sw": "a", "zz": {"y": 1, "x~/": 1}, "glob": 1, "top": 1, "other": {"a": 1}}') - 'sha256' - 'visits');

-- What a set of the cross-reference says about codes without an entry, and about those with two.
SELECT planthub.create_xref_set('free', on_missing => 'pass'), planthub.create_xref_set('strict', on_missing => 'error');
SELECT planthub.create_mapping('sets', '{"free": "=xref(''free'', a)", "strict": "=xref(''strict'', a)", "item": "=xref(''item'', a)", "back": "=xref_back(''free'', a)", "null": "=xref(''strict'', nothing)"}');
SELECT e->>'at', e->>'code', e->>'retry', e->>'set', e->>'key' FROM jsonb_array_elements(planthub.map_explain('sets@1', '{"a": "A1"}')->'errors') AS e;
INSERT INTO planthub.xref (set, code, value) VALUES ('strict', 'A1', '1'), ('item', 'A1', '"I"'), ('free', 'x', '"A1"');
SELECT planthub.map('sets@1', '{"a": "A1"}');
INSERT INTO planthub.xref (set, code, value) VALUES ('item', 'A1', '"J"'), ('free', 'y', '"A1"');
SELECT e->>'at', e->>'code', e->>'message', e->>'retry' FROM jsonb_array_elements(planthub.map_explain('sets@1', '{"a": "A1"}')->'errors') AS e;
SELECT pg_temp.try($$SELECT planthub.map('sets@1', '{}', '*', '[1]')$$);

-- Contracts: what is read must be in that of the input, what vectors give must meet that of the output.
SELECT planthub.create_mapping('contract', '{"a": "=order", "b": "=orders", "c": "=item.id", "d": "=item.ids", "e": {"$each": "=operations", "$do": ["=op", "=ops", "=qty.value", "=qty.value.x"]}, "f": "=*.x"}', contract_in => 'production_order.released@1');
SELECT pg_temp.try($$SELECT planthub.create_mapping('closed', '{}', contract_out => 'production_order.released')$$);
SELECT planthub.create_mapping('closed', '{"order": "=ORDER", "version": "=VERSION"}', contract_out => 'production_order.accepted@1');
SELECT planthub.create_mapping_vector('closed', 'text', '{"ORDER": "1", "VERSION": "1"}', '{"order": "1", "version": "1"}');
SELECT vector, passed, pointer, expected->>'keyword', actual FROM planthub.mapping_test('closed@1') ORDER BY pointer;
SELECT planthub.create_mapping('closed', '{"mes_order": "M1", "version": "=to_number(VERSION)"}', site => 'FR', base => 1);
SELECT contract_out FROM planthub.mapping WHERE name = 'closed' AND site = 'FR';

-- What no vector uses, and what a draft would have made of real messages.
SELECT planthub.create_mapping('cover', '{"a": {"$if": "=a", "$then": {"x": "=a", "y": 1}, "$else": {"z": {"q": 2}}}, "b": {"$switch": "=a", "$cases": {"1": 1, "2": 2}, "$else": 3}}');
SELECT planthub.create_mapping_vector('cover', 'one', '{"a": 1}', '{"a": {"x": 1, "y": 1}, "b": 1}'), planthub.create_mapping_vector('cover', 'other', '{"a": 5}', '{"a": {"x": 5, "y": 1}, "b": 3}');
SELECT planthub.mapping_untested('cover@1');
SELECT planthub.create_mapping_vector('cover', 'none', '{}', '{"a": {"z": {"q": 2}}, "b": 3}');
SELECT planthub.mapping_untested('cover@1');
SELECT planthub.create_mapping('cover', '{"a": "=a", "b": {"$if": "=a == `2`", "$then": "=abs(''x'')", "$else": 1}}'), planthub.create_mapping('cover', '{"a": "=a + `0.0`", "b": {"$if": "=a == `1`", "$then": 1, "$else": 2}}');
SELECT planthub.create_topic('compared');
SELECT count(planthub.publish('compared', jsonb_build_object('a', i), 'k', 'FR')) FROM generate_series(1, 3) AS i;
SELECT pointer, old_value->0->>'code' AS old_code, new_value FROM planthub.mapping_compare('cover@2', 'cover@3', 'compared');
SELECT count(*) FROM planthub.mapping_compare('cover@2', 'cover@2', 'compared');

-- Differences and merge patches.
SELECT * FROM planthub.json_differences('{"a": 1.0, "b": [1, 2, {"c": "x"}], "d/~": 1, "e": {}, "f": [1]}', '{"a": 1, "b": [1, 3, {"c": "y"}, 4], "e": [], "f": [], "g": null}');
SELECT * FROM planthub.json_differences('1', '[1]');
SELECT count(*) FROM planthub.json_differences('{"a": [1, {"b": 2}]}', '{"a": [1.00, {"b": 2.0}]}');

-- A reader may apply, explain and test; an integrator may change; a publisher none of it.
CREATE ROLE regress_ph_reader;
CREATE ROLE regress_ph_integrator;
SELECT planthub.grant_access('reader', 'regress_ph_reader'), planthub.grant_access('integrator', 'regress_ph_integrator');
SET ROLE regress_ph_reader;
SELECT planthub.map('order', '{"AUFNR": "1"}'), (SELECT count(*) FROM planthub.mapping_test('closed@1')), (SELECT count(*) FROM planthub.mapping_lint('contract@1'));
SELECT canonical, planthub.unit_convert(1, 'KGM', 'GRM') FROM planthub.xref_find('uom', 'KG', 'sap', 'FR');
SELECT pg_temp.try($$SELECT planthub.create_mapping('x', '1')$$);
SELECT pg_temp.try($$DELETE FROM planthub.mapping$$);
SET ROLE regress_ph_integrator;
SELECT planthub.create_mapping('mine', '{"x": "=x"}'), planthub.create_mapping_vector('mine', 'v', '{"x": 1}', '{"x": 1}'), planthub.set_xref('item', 'mine', '"X"') > 0;
SELECT planthub.activate_mapping('mine', 1), planthub.retire_mapping('mine');
SELECT pg_temp.try($$SELECT planthub.create_mapping_function('pg', 'pg_catalog.jsonb_pretty(jsonb)')$$) LIKE '22023%', pg_temp.try($$SELECT planthub.install_mapping('{}')$$);
RESET ROLE;
SELECT planthub.revoke_access('regress_ph_reader'), planthub.revoke_access('regress_ph_integrator');
DROP ROLE regress_ph_reader, regress_ph_integrator;
SELECT verb, count(*) FROM planthub.operation_log WHERE verb ~ 'mapping|xref' GROUP BY verb ORDER BY verb;
