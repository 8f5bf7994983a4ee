-- RFC 7396, Appendix A.
SET search_path = public, pg_catalog;
SELECT plan(16);

SELECT is(planthub.merge_patch(original::jsonb, patch::jsonb), result::jsonb, format('%s patched with %s', original, patch))
FROM (VALUES
    ('{"a":"b"}', '{"a":"c"}', '{"a":"c"}'),
    ('{"a":"b"}', '{"b":"c"}', '{"a":"b", "b":"c"}'),
    ('{"a":"b"}', '{"a":null}', '{}'),
    ('{"a":"b", "b":"c"}', '{"a":null}', '{"b":"c"}'),
    ('{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'),
    ('{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'),
    ('{"a": {"b":"c"}}', '{"a": {"b":"d", "c":null}}', '{"a": {"b":"d"}}'),
    ('{"a": [{"b":"c"}]}', '{"a": [1]}', '{"a": [1]}'),
    ('["a","b"]', '["c","d"]', '["c","d"]'),
    ('{"a":"b"}', '["c"]', '["c"]'),
    ('{"a":"foo"}', 'null', 'null'),
    ('{"a":"foo"}', '"bar"', '"bar"'),
    ('{"e":null}', '{"a":1}', '{"e":null, "a":1}'),
    ('[1,2]', '{"a":"b", "c":null}', '{"a":"b"}'),
    ('{}', '{"a": {"bb": {"ccc":null}}}', '{"a": {"bb": {}}}')
) AS t(original, patch, result);
SELECT is(planthub.merge_patch('{}', deep), deep, 'nesting has no limit of its own')
FROM (SELECT (repeat('{"a":', 5000) || '1' || repeat('}', 5000))::jsonb) AS t(deep);

SELECT * FROM finish();
