-- The cross-reference: what is found, what is ambiguous, what is remembered and forgotten again.
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

SELECT code, on_missing, cached, builtin FROM planthub.xref_set ORDER BY code;
SELECT planthub.create_site('P1');
SELECT planthub.create_site('P1/paint');
SELECT planthub.create_system('sap', 'erp');
SELECT planthub.create_system('mes', 'mes');

-- Verbs, and what they refuse.
SELECT planthub.set_xref('item', '4711', '"RM-HOUSING"', 'sap') > 0;
SELECT pg_temp.try($$SELECT planthub.set_xref('colour', '1', '"red"')$$);
SELECT pg_temp.try($$SELECT planthub.set_xref('item', '1', '"A"', system => 'nobody')$$);
SELECT pg_temp.try($$SELECT planthub.set_xref('item', '1', '"A"', scope => 'P9')$$);
SELECT pg_temp.try($$SELECT planthub.set_xref('item', '', '"A"')$$);
SELECT pg_temp.try($$SELECT planthub.set_xref('item', '1', 'null')$$);
SELECT pg_temp.try($$SELECT planthub.set_xref('item', NULL, '"A"')$$);
SELECT planthub.create_xref_set('colour', comment => 'Colours of paint');
SELECT pg_temp.try($$SELECT planthub.create_xref_set('colour')$$);
SELECT pg_temp.try($$SELECT planthub.create_xref_set('shade', on_missing => 'guess')$$);
SELECT pg_temp.try($$SELECT planthub.alter_xref_set('item', cached => false)$$);
SELECT pg_temp.try($$SELECT planthub.drop_xref_set('item')$$);

-- Values meet the schema of their set.
SELECT planthub.create_xref_set('gauge', value_schema => '{"type": "object", "required": ["code"], "properties": {"code": {"type": "string"}, "f": {"type": ["number", "null"]}}}');
SELECT pg_temp.try($$SELECT planthub.set_xref('gauge', '1', '"A"')$$);
SELECT pg_temp.try($$SELECT planthub.set_xref('gauge', '1', '{"f": "2"}')$$);
SELECT planthub.set_xref('gauge', '1', '{"code": "A", "f": null}') > 0;
SELECT value FROM planthub.xref WHERE set = 'gauge';
SELECT pg_temp.try($$SELECT planthub.alter_xref_set('gauge', value_schema => '{"properties": {"code": {"const": "B"}}}')$$);
SELECT pg_temp.try($$SELECT planthub.alter_xref_set('gauge', value_schema => '{"type": "text"}')$$);
SELECT planthub.alter_xref_set('gauge', value_schema => 'true');
SELECT planthub.set_xref('gauge', '2', '5') > 0;
DELETE FROM planthub.xref WHERE set = 'gauge';
SELECT planthub.drop_xref_set('gauge');

-- Found, for the system asked for; unknown codes and sets give nothing, also the second time.
SELECT canonical, value FROM planthub.xref_find('item', '4711', 'sap');
SELECT count(*) FROM planthub.xref_find('item', '4711');
SELECT count(*) FROM planthub.xref_find('item', '4711', 'mes');
SELECT count(*) FROM planthub.xref_find('item', '4712', 'sap');
SELECT count(*) FROM planthub.xref_find('item', '4712', 'sap');
SELECT count(*) FROM planthub.xref_find('nothing', '4712', 'sap');
SELECT count(*) FROM planthub.xref_find('item', repeat('x', 5000), 'sap');
SELECT count(*) FROM planthub.xref_find(NULL, NULL);

-- A change is seen at once, in the same transaction and after its rollback.
BEGIN;
SELECT planthub.set_xref('item', '4712', '"RM-SEAL"', 'sap') > 0;
SELECT canonical FROM planthub.xref_find('item', '4712', 'sap');
SAVEPOINT s;
UPDATE planthub.xref SET value = '"RM-GREASE"' WHERE code = '4712';
SELECT canonical FROM planthub.xref_find('item', '4712', 'sap');
ROLLBACK TO s;
SELECT canonical FROM planthub.xref_find('item', '4712', 'sap');
ROLLBACK;
SELECT count(*) FROM planthub.xref_find('item', '4712', 'sap');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT planthub.set_xref('item', '4713', '"X"', 'sap') > 0;
SELECT canonical FROM planthub.xref_find('item', '4713', 'sap');
COMMIT;
TRUNCATE planthub.xref;
SELECT count(*) FROM planthub.xref_find('item', '4713', 'sap');

-- Party before site before enterprise, then the system before all systems.
SELECT count(planthub.set_xref('colour', '7', to_jsonb(s || ' ' || c), s, c)) FROM unnest(ARRAY['*', 'sap']) AS s, unnest(ARRAY['*', 'P1', 'P1/paint', 'party:SUP-7']) AS c;
SELECT system, site, party, canonical
FROM (VALUES ('sap', '*', NULL), ('mes', '*', NULL), ('sap', 'P1', NULL), ('mes', 'P1', NULL), ('sap', 'P1/paint', NULL),
    ('mes', 'P1/paint/booth', NULL), ('sap', 'P2', NULL), ('mes', 'P1', 'SUP-7'), ('sap', 'P1', 'SUP-8')) AS q(system, site, party),
    planthub.xref_find('colour', '7', q.system, q.site, q.party);

-- Two rows of the same rank are ambiguous.
INSERT INTO planthub.xref (set, code, value, system) VALUES ('item', '9', '"A"', 'sap'), ('item', '9', '"B"', 'sap'), ('item', '9', '"C"', '*');
SELECT canonical FROM planthub.xref_find('item', '9', 'sap') ORDER BY 1;
SELECT canonical FROM planthub.xref_find('item', '9', 'mes') ORDER BY 1;

-- Backward.
SELECT code FROM planthub.xref_back('item', 'A', 'sap');
SELECT count(*) FROM planthub.xref_back('item', 'A', 'mes');
INSERT INTO planthub.xref (set, code, value) VALUES ('uom', 'KG', '{"code": "KGM", "factor": 1}'), ('uom', '5', '5.0');
SELECT code, value FROM planthub.xref_back('uom', '5.0');
SELECT canonical, value FROM planthub.xref_find('uom', 'KG');

-- Dated: the lower end belongs to the entry, the upper one does not.
SELECT planthub.set_xref('equipment', 'L1', '"LINE-1"', 'mes', 'P1') > 0;
SELECT planthub.set_xref('equipment', 'L1', '"LINE-2"', 'mes', 'P1', '2026-03-01 00:00Z') > 0;
SELECT pg_temp.try($$SELECT planthub.set_xref('equipment', 'L1', '"LINE-3"', 'mes', 'P1', '2026-02-01 00:00Z')$$) LIKE '55000 code "L1" already has an entry that begins later%';
SELECT at, canonical FROM unnest(ARRAY['2020-01-01 00:00Z', '2026-02-28 23:59:59.999999Z', '2026-03-01 00:00Z', '2026-03-02 00:00Z']::timestamptz[]) AS at,
    planthub.xref_find('equipment', 'L1', 'mes', 'P1', NULL, at);
SELECT planthub.end_xref('equipment', 'L1', 'mes', 'P1', '2026-03-05 00:00Z');
SELECT canonical FROM planthub.xref_find('equipment', 'L1', 'mes', 'P1', NULL, '2026-03-04 00:00Z');
SELECT count(*) FROM planthub.xref_find('equipment', 'L1', 'mes', 'P1', NULL, '2026-03-05 00:00Z');
SELECT planthub.end_xref('equipment', 'L1', 'mes', 'P1', '-infinity');
SELECT pg_temp.try($$INSERT INTO planthub.xref (set, code, value, valid_from, valid_to) VALUES ('item', 'z', '"z"', 'today', 'today')$$) LIKE '23514%xref_valid_check%';

-- Sets that are not cached.
SELECT planthub.set_xref('document', '4900000001', '"MV-1"', 'sap') > 0;
SELECT canonical FROM planthub.xref_find('document', '4900000001', 'sap');
UPDATE planthub.xref SET value = '"MV-2"' WHERE set = 'document';
SELECT planthub.set_xref('document', '4900000002', '"MV-3"', 'sap', message_id => 7) > 0;
SELECT code, message_id FROM planthub.xref_find('document', '4900000002', 'sap') JOIN planthub.xref USING (id);
SELECT canonical FROM planthub.xref_find('document', '4900000001', 'sap');
SELECT pg_temp.try($$SELECT planthub.drop_xref_set('colour')$$);
DELETE FROM planthub.xref WHERE set = 'colour';
SELECT planthub.drop_xref_set('colour');

-- Units: exact ratios.
SELECT planthub.unit_convert(12.5, 'KGM', 'GRM'), planthub.unit_convert(12500, 'GRM', 'KGM'), planthub.unit_convert(1, 'MGM', 'TNE'),
    planthub.unit_convert(12345678901234567890.123, 'GRM', 'KGM'), planthub.unit_convert(0, 'FOT', 'INH'), planthub.unit_convert(1, 'FOT', 'INH');
SELECT planthub.unit_convert(1, 'LBR', 'GRM'), planthub.unit_convert(16, 'ONZ', 'LBR'), planthub.unit_convert(1, 'GLL', 'MLT'), planthub.unit_convert(3, 'DZN', 'PR');
SELECT planthub.unit_convert(-40, 'CEL', 'FAH'), planthub.unit_convert(100, 'CEL', 'FAH'), planthub.unit_convert(32, 'FAH', 'KEL'), planthub.unit_convert(98.6, 'FAH', 'CEL');
SELECT round(planthub.unit_convert(200, 'MIN', 'HUR'), 12), planthub.unit_convert(198, 'MIN', 'HUR');
SELECT planthub.unit_convert(5, 'EA', 'C62'), planthub.unit_convert(5, 'XBX', 'XBX'), planthub.unit_convert(NULL, 'KGM', 'GRM');
SELECT planthub.unit_code('EA'), planthub.unit_code('KGM'), planthub.unit_code('kg') IS NULL, planthub.unit_code('much too long') IS NULL;
-- there and back again, for every pair of a dimension whose ratio is finite
SELECT count(*) FILTER (WHERE planthub.unit_convert(planthub.unit_convert(7.125, a.code, b.code), b.code, a.code) = 7.125), count(*)
FROM planthub.unit AS a JOIN planthub.unit AS b ON b.dimension = a.dimension
WHERE a.numerator IS NOT NULL AND b.numerator IS NOT NULL AND a.dimension IN ('mass', 'volume', 'area', 'count') AND b.code NOT IN ('DZN', 'LBR', 'ONZ', 'GLL');
SELECT pg_temp.try($$SELECT planthub.unit_convert(1, 'KGM', 'LTR')$$);
SELECT pg_temp.try($$SELECT planthub.unit_convert(1, 'XBX', 'C62')$$);
SELECT pg_temp.try($$SELECT planthub.unit_convert(1, 'SET', 'C62')$$);
SELECT pg_temp.try($$SELECT planthub.unit_convert(1, 'KG', 'KGM')$$);
SELECT pg_temp.try($$SELECT planthub.unit_convert(1, 'KGM', 'kilogram and more')$$);
SELECT pg_temp.try($$SELECT planthub.unit_convert('NaN', 'KGM', 'GRM')$$);
SELECT pg_temp.try($$SELECT planthub.unit_convert('9e131071', 'KGM', 'MGM')$$);
SELECT planthub.create_unit('SMI', 'mile', 'length', 1609344, 1000);
SELECT planthub.unit_convert(2, 'SMI', 'KMT');
SELECT pg_temp.try($$SELECT planthub.create_unit('X', 'x', 'length', 1)$$);
SELECT pg_temp.try($$SELECT planthub.create_unit('X', 'x', 'length', 1.5, 1)$$);
SELECT pg_temp.try($$SELECT planthub.drop_unit('KGM')$$);
SELECT planthub.drop_unit('SMI');
SELECT pg_temp.try($$SELECT planthub.unit_convert(2, 'SMI', 'KMT')$$);

-- A parallel query has no snapshot newer than its own: what reads with the newest one keeps it from being parallel.
SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
CREATE TABLE big AS SELECT i FROM generate_series(1, 10000) AS i;
ANALYZE big;
\c
\pset format unaligned
\pset tuples_only on
SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
SELECT sum(planthub.unit_convert(i, 'KGM', 'GRM')), count(planthub.unit_code('EA')) FROM big;
SELECT count(*) FROM big WHERE EXISTS (SELECT FROM planthub.xref_find('item', '9', 'sap')) AND i < 10;
DROP TABLE big;
