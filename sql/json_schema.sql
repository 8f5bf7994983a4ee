-- JSON Schema in SQL: what is reported, what is refused.
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION pg_temp.try(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text; detail text; hint text;
BEGIN
    EXECUTE statement;
    RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n', sqlstate || ' ' || message, 'DETAIL ' || nullif(detail, ''), 'HINT ' || nullif(hint, ''));
END
$$;

-- Every keyword that can fail: place, keyword, message, expected, found.
SELECT e.pointer, e.keyword, e.message, e.expected, e.found, e.keyword_location
FROM planthub.json_schema_errors('{
    "properties": {
        "type": {"type": ["string", "null"]}, "integer": {"type": "integer"}, "const": {"const": {"a": 1}}, "enum": {"enum": [1, "two", null]},
        "minimum": {"minimum": 0.1}, "maximum": {"maximum": 0.3}, "xmin": {"exclusiveMinimum": 1}, "xmax": {"exclusiveMaximum": 1},
        "multiple": {"multipleOf": 0.01}, "short": {"minLength": 3}, "long": {"maxLength": 3}, "pattern": {"pattern": "^[A-Z]+$"},
        "few": {"minItems": 2}, "many": {"maxItems": 1}, "unique": {"uniqueItems": true}, "contains": {"contains": {"const": 1}},
        "atleast": {"contains": {"const": 1}, "minContains": 2}, "atmost": {"contains": {"const": 1}, "maxContains": 1},
        "items": {"prefixItems": [{"type": "string"}], "items": {"type": "number"}}, "nomore": {"prefixItems": [true], "items": false},
        "little": {"minProperties": 1}, "much": {"maxProperties": 1}, "closed": {"properties": {"a": true}, "additionalProperties": false},
        "names": {"propertyNames": {"maxLength": 2}}, "patterns": {"patternProperties": {"^n/": {"type": "number"}}},
        "dependent": {"dependentRequired": {"a": ["b", "c"]}, "dependentSchemas": {"a": {"required": ["d"]}}},
        "required": {"required": ["x", "y~/z"]}, "not": {"not": {"type": "string"}}, "all": {"allOf": [{"minimum": 2}, {"maximum": 0}]},
        "one": {"oneOf": [{"type": "number"}, {"minimum": 0}]}, "if": {"if": {"minimum": 10}, "then": {"multipleOf": 5}, "else": {"multipleOf": 3}},
        "ref": {"$ref": "#/$defs/code"}, "uneval": {"properties": {"a": true}, "unevaluatedProperties": false},
        "unevalitems": {"prefixItems": [true], "unevaluatedItems": {"type": "null"}}, "never": false
    },
    "$defs": {"code": {"type": "string", "pattern": "^[0-9]{3}$"}}
}', '{
    "type": 5, "integer": 1.5, "const": {"a": 2}, "enum": "three", "minimum": 0.09999999999999999999, "maximum": 0.30000000000000000001, "xmin": 1, "xmax": 1,
    "multiple": 0.075, "short": "ab", "long": "äöüß", "pattern": "AbC", "few": [1], "many": [1, 2], "unique": [1, {"a": 1.0}, {"a": 1}],
    "contains": [2, 3], "atleast": [1], "atmost": [1, 1.0], "items": [1, "x"], "nomore": [1, 2], "little": {}, "much": {"a": 1, "b": 2},
    "closed": {"a": 1, "b~/": 2}, "names": {"long": 1}, "patterns": {"n/a": "x"}, "dependent": {"a": 1}, "required": {}, "not": "x", "all": 1,
    "one": 1, "if": 11, "ref": "12", "uneval": {"a": 1, "b": 2}, "unevalitems": [1, 2], "never": 0
}') AS e ORDER BY e.pointer, e.keyword;
-- The reference is in the way, and its target has a URI of its own.
SELECT keyword_location, absolute_keyword_location FROM planthub.json_schema_errors(
    '{"$id": "urn:example:order", "properties": {"qty": {"$ref": "#/$defs/qty"}}, "$defs": {"qty": {"minimum": 0}}}', '{"qty": -1}');
-- Exact numbers: doubles would say otherwise.
SELECT planthub.json_schema_valid('{"multipleOf": 0.01}', '19.99'), planthub.json_schema_valid('{"multipleOf": 0.0001}', '0.00751'),
       planthub.json_schema_valid('{"const": 12345678901234567890}', '12345678901234567891'), planthub.json_schema_valid('{"type": "integer"}', '1.0'),
       planthub.json_schema_valid('{"type": "integer"}', '1e30'), planthub.json_schema_valid('{"const": 1}', '1.00'),
       planthub.json_schema_valid('{"maximum": 1e400}', '1e401');
-- Of alternatives, the one that was meant is explained: the discriminator decides, then the number of errors.
SELECT pointer, keyword, message, keyword_location FROM planthub.json_schema_errors(
    '{"oneOf": [{"properties": {"kind": {"const": "a"}, "x": {"type": "number"}}}, {"properties": {"kind": {"const": "b"}, "x": {"type": "string"}, "y": {"type": "string"}}}]}',
    '{"kind": "b", "x": 1, "y": 2}');
SELECT pointer, keyword, message FROM planthub.json_schema_errors(
    '{"anyOf": [{"type": "string"}, {"type": "object", "required": ["scheme", "id"]}]}', '{"scheme": "mes"}');
-- At most so many; values are cut; personal data are not shown.
SELECT count(*) FROM planthub.json_schema_errors('{"items": {"type": "string"}}', (SELECT jsonb_agg(i) FROM generate_series(1, 100) AS i));
SELECT count(*) FROM planthub.json_schema_errors('{"items": {"type": "string"}}', (SELECT jsonb_agg(i) FROM generate_series(1, 100) AS i), max_errors => 7);
SELECT length(found #>> '{}'), right(found #>> '{}', 5) FROM planthub.json_schema_errors('{"maxProperties": 0, "const": 1}', jsonb_build_object('a', repeat('ä', 300)));
SELECT pointer, keyword, found FROM planthub.json_schema_errors(
    '{"properties": {"operator": {"hub:pii": true, "allOf": [{"pattern": "^[0-9]+$"}]}, "shift": {"enum": [1, 2]}}, "maxProperties": 1, "const": 1}',
    '{"operator": "Jane Doe", "shift": 3}') ORDER BY pointer, keyword;
-- "format" is an annotation, unless it is asserted.
SELECT planthub.json_schema_valid('{"format": "date"}', '"2026-02-30"'), planthub.json_schema_valid('{"format": "date"}', '"2026-02-30"', true),
       planthub.json_schema_valid('{"hub:assertFormat": true, "format": "date"}', '"2026-02-30"'), planthub.json_schema_valid('{"format": "date"}', '"2024-02-29"', true);
SELECT f.format, string_agg(v.value::text, ' ' ORDER BY v.n) AS valid
FROM (VALUES ('time', '["12:00:00Z", "23:59:60Z", "22:59:60Z", "24:00:00Z", "12:00:00", "12:00:00.5+14:00"]'::jsonb),
             ('date-time', '["2026-01-15T06:00:00+01:00", "2026-01-15 06:00:00Z", "2026-13-01T00:00:00Z"]'),
             ('duration', '["P1Y2M3DT4H5M6S", "PT1H", "P1W", "P1W2D", "P", "PT", "P1Y1D", "1D"]'),
             ('uuid', '["2eb8aa08-aa98-11ea-b4aa-73b441d16380", "2eb8aa08aa9811eab4aa73b441d16380", "2eb8aa08-aa98-11ea-b4aa-73b441d1638"]'),
             ('uri', '["urn:a:b", "http://x/%41#f", "//x/y", "http://x/%4", "http://x/<>", "http://[::1]/"]'),
             ('uri-reference', '["a/b", "#f", "//x/y", "a b"]'),
             ('email', '["a.b@example.com", "a@[127.0.0.1]", "\"a b\"@x.org", "a..b@x.org", ".a@x.org", "a@-x.org", "a"]'),
             ('hostname', '["example.com", "-a.com", "a-.com", "a_b.com", "1.2"]'),
             ('ipv4', '["127.0.0.1", "256.0.0.1", "1.2.3", "01.2.3.4", "1.2.3.4.5"]'),
             ('ipv6', '["::1", "1::", "::ffff:1.2.3.4", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7", "1::2::3", ":1", "1:2:3:4:5:6:7:", "12345::"]'),
             ('json-pointer', '["", "/a~0~1", "a", "/a~"]'), ('regex', '["^a+$", "(", "\\1"]'), ('unknown', '["anything"]')) AS f (format, examples),
     jsonb_array_elements(f.examples) WITH ORDINALITY AS v (value, n)
WHERE planthub.json_schema_valid(jsonb_build_object('format', f.format), v.value, true) GROUP BY f.format ORDER BY f.format;
-- Patterns are ECMA's: anywhere in the text, ASCII classes, no newline for the dot, long repetitions.
SELECT p.pattern, left(p.text, 20), planthub.json_schema_valid(jsonb_build_object('pattern', p.pattern), to_jsonb(p.text))
FROM (VALUES ('b', 'abc'), ('^b', 'abc'), ('^\d+$', '٣'), ('^\w+$', 'é'), ('^.$', E'\n'), ('^.$', 'é'), ('^[\s\S]$', E'\n'), ('^\p{L}+$', 'Zürich'),
             ('^\p{Lu}', 'zürich'), ('^[^\p{L}]$', '1'), ('^\u00e9$', 'é'), ('^\u{1F600}$', '😀'), ('^\uD83D\uDE00$', '😀'), ('^(?<year>\d{4})$', '2026'), ('^a(?!b)', 'ab'),
             ('\bfoo\b', 'a foo b'), ('^.{0,300}$', repeat('x', 300)), ('^.{0,300}$', repeat('x', 301)), ('^(ab){256,300}$', repeat('ab', 280)),
             ('a$', E'a\n'), ('^[[]$', '['), ('^[a\-z]$', '-'), ('^\/$', '/'), ('^]$', ']'), ('^\@\_\ [\%]$', '@_ %'), ('', 'x')) AS p (pattern, text);
-- References: to other schemas by the URI that they are known by, never to the network; metaschemas are there.
SELECT pg_temp.try($$SELECT planthub.json_schema_valid('{"$ref": "https://example.com/quantity"}', '1')$$);
SELECT planthub.register_json_schema('https://example.com/quantity', '{"type": "object", "required": ["value"], "properties": {"unit": {"$ref": "unit"}}}', 'test');
SELECT planthub.register_json_schema('https://example.com/unit', '{"$defs": {"anchor": {"$anchor": "short", "maxLength": 3}}, "$ref": "#short"}');
SELECT pointer, keyword, absolute_keyword_location FROM planthub.json_schema_errors('{"$ref": "https://example.com/quantity"}', '{"unit": "metre"}') ORDER BY pointer;
-- A change takes effect at once, also on what is compiled.
SELECT planthub.register_json_schema('https://example.com/unit', 'true');
SELECT pointer, keyword FROM planthub.json_schema_errors('{"$ref": "https://example.com/quantity"}', '{"unit": "metre"}') ORDER BY pointer;
SELECT planthub.drop_json_schema('https://example.com/quantity');
SELECT pg_temp.try($$SELECT planthub.json_schema_valid('{"$ref": "https://example.com/quantity"}', '1')$$);
SELECT pg_temp.try($$SELECT planthub.drop_json_schema('https://json-schema.org/draft/2020-12/schema')$$);
SELECT pg_temp.try($$SELECT planthub.register_json_schema('https://json-schema.org/draft/2020-12/schema', 'true')$$);
SELECT pg_temp.try($$SELECT planthub.register_json_schema('relative#fragment', 'true')$$);
SELECT pointer, keyword, message FROM planthub.json_schema_errors('{"$ref": "https://json-schema.org/draft/2020-12/schema"}', '{"properties": {"a": {"minLength": -1, "type": "text"}}}')
ORDER BY pointer, keyword;
SELECT count(*) FROM planthub.json_schema AS s, planthub.json_schema_errors(jsonb_build_object('$ref', s.document->>'$schema'), s.document) WHERE s.builtin;
SELECT c.topic, e.* FROM planthub.contract AS c, planthub.json_schema_errors('{"$ref": "https://json-schema.org/draft/2020-12/schema"}', c.schema) AS e;
-- draft-07
SELECT planthub.json_schema_valid('{"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "number"}], "additionalItems": false}', '[1, 2]'),
       planthub.json_schema_valid('{"items": {"type": "number"}, "additionalItems": false}', '[1, 2]'),
       planthub.json_schema_valid('{"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"a": true}, "$ref": "#/definitions/a", "maximum": 0}', '1');
-- Broken schemas: the place is told.
SELECT s, pg_temp.try(format('SELECT planthub.json_schema_valid(%L, ''1'')', s))
FROM unnest(ARRAY['5', '{"type": "text"}', '{"type": []}', '{"properties": {"a/b": {"minimum": "0"}}}', '{"required": ["a", 1]}', '{"minLength": 1.5}', '{"minLength": -1}',
    '{"multipleOf": 0}', '{"anyOf": []}', '{"items": [true]}', '{"allOf": {"a": 1}}', '{"$ref": "#/$defs/none"}', '{"$ref": "#none"}', '{"$ref": "#/%zz"}', '{"$id": "http://x/y#z"}', '{"$anchor": "1"}',
    '{"pattern": "("}', '{"pattern": "(a)\\1"}', '{"pattern": "a{9999}"}', '{"pattern": "\\p{Greek}"}', '{"patternProperties": {"[": true}}', '{"$schema": "http://json-schema.org/draft-04/schema#"}',
    '{"$schema": "https://example.com/dialect"}', '{"$ref": "#"}', '{"$defs": {"a": {"allOf": [{"$ref": "#/$defs/b"}]}, "b": {"not": {"$ref": "#/$defs/a"}}}, "$ref": "#/$defs/a"}', '{"enum": 1}']) AS s;
SELECT pg_temp.try('SELECT * FROM planthub.json_schema_errors(NULL, ''1'')');
SELECT pg_temp.try('SELECT * FROM planthub.json_schema_errors(''true'', NULL)');
SELECT pg_temp.try('SELECT * FROM planthub.json_schema_errors(''true'', ''1'', max_errors => 0)');
-- Limits: recursion through the dynamic scope, work that multiplies, numbers that would take long to divide.
SELECT pg_temp.try($$SELECT planthub.json_schema_valid('{"$dynamicAnchor": "n", "anyOf": [{"$dynamicRef": "#n"}]}', '1')$$);
SELECT pg_temp.try(format('SELECT planthub.json_schema_valid(%L, %L)', jsonb_build_object('$ref', '#/$defs/d30', '$defs',
    (SELECT jsonb_object_agg('d' || i, CASE i WHEN 0 THEN '{"type": "number"}' ELSE format('{"allOf": [{"$ref": "#/$defs/d%1$s"}, {"$ref": "#/$defs/d%1$s"}]}', i - 1)::jsonb END)
     FROM generate_series(0, 30) AS i)), '1'));
SELECT pg_temp.try($$SELECT planthub.json_schema_valid('{"multipleOf": 1e-1500}', '1e131000')$$);
SELECT pg_temp.try(format('SELECT planthub.json_schema_valid(''{"items": {"$ref": "#"}}'', %L)', repeat('[', 400) || repeat(']', 400)));
SELECT pg_temp.try(format('SELECT planthub.json_schema_valid(''{"items": {"$ref": "#"}}'', %L)', repeat('[', 1500) || repeat(']', 1500)));
-- Nested repetition does not make a pattern slow.
SELECT planthub.json_schema_valid('{"pattern": "^(([a-z])+.)+[A-Z]([a-z])+$"}', to_jsonb(repeat('a', 5000)));
-- In a check constraint.
CREATE TEMP TABLE checked (doc jsonb CHECK (planthub.json_schema_valid('{"required": ["id"]}', doc)));
INSERT INTO checked VALUES ('{"id": 1}'), (NULL);
INSERT INTO checked VALUES ('{}');
