-- Templates: every form, what it gives and what it refuses, and where it says the fault is.
SET client_min_messages = warning;
\pset format unaligned
\pset tuples_only on

-- Compiles and applies a template, and shows the output, or each error with its places.
CREATE FUNCTION pg_temp.t(template jsonb, document jsonb DEFAULT '{}', options jsonb DEFAULT '{}', env jsonb DEFAULT '{}')
RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    report jsonb;
    detail text;
BEGIN
    report := planthub.map_explain(format('t@%s', planthub.create_mapping('t', template, options => options)), document,
        env => env, xref => '{"uom": {"KG": "KGM", "G": "GRM", "ST": {"code": "H87", "whole": true}}}');
    RETURN NEXT report->>'output';
    RETURN QUERY SELECT concat_ws(' | ', e->>'code', e->>'message', 'at ' || (e->>'at'), 'input ' || (e->>'input'),
        'template ' || (e->>'template'), (e->>'expression') || coalesce(' column ' || (e->>'column'), ''),
        nullif(e->>'retry', 'never'), (e->>'set') || ' ' || (e->>'key'))
        FROM jsonb_array_elements(report->'errors') AS e;
EXCEPTION WHEN invalid_parameter_value THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN QUERY SELECT 'refused: ' || d FROM regexp_split_to_table(detail, E'\n') AS d;
END
$$;

-- Literals; a written null stays; "==" and "$$" are escapes.
SELECT pg_temp.t('{"a": 1.50, "b": "x", "c": true, "d": null, "e": [1, null, {"f": []}], "g": "==a", "$$h": {"$$$i": "$j"}, "": {}}');
SELECT pg_temp.t('"=@"', '12345678901234567890.1234567890');
SELECT pg_temp.t('"=a || `1`"', '{"a": []}');

-- Null is nothing, or null, or an error; literal null is null.
SELECT pg_temp.t('{"a": "=a", "b": {"c": "=c"}, "d": ["=a", "=x", 2], "e": null}', '{"x": 1}');
SELECT pg_temp.t('{"a": "=a", "d": ["=a"]}', '{}', '{"nulls": "keep"}');
SELECT pg_temp.t('{"a": "=a", "d": ["=x", "=a"]}', '{"x": ""}', '{"nulls": "error"}');
SELECT pg_temp.t('{"a": "=a", "b": "=b"}', '{"a": "", "b": " "}', '{"empty_string": "null"}');
SELECT pg_temp.t('{"a": "=a", "b": "=b"}', '{"a": "", "b": " "}', '{"empty_string": "null", "nulls": "keep"}');
SELECT pg_temp.t('"=a"');
SELECT pg_temp.t('{"$if": "=a", "$then": 1}');

-- $value: default before type before null.
SELECT pg_temp.t('{"a": {"$value": "=a", "$default": "9", "$type": "integer"}, "b": {"$value": "=b", "$default": "=c"}, "d": {"$value": "=d", "$null": "keep"}, "e": {"$value": "=e"}}', '{"c": 3}');
SELECT pg_temp.t('{"a": {"$value": "=a", "$null": "error", "$label": "Order number"}, "b": {"$value": {"$each": "=x", "$do": 1}, "$null": "error"}}');
SELECT pg_temp.t('{"a": {"$value": "=a", "$default": 1}, "b": {"$value": "=b", "$null": "omit"}}', '{}', '{"nulls": "error"}');
SELECT pg_temp.t('{"$each": "=@", "$do": {"$value": "=@", "$type": "number"}}', '["12.50", "-0", 7, "1e3", "007"]');
SELECT pg_temp.t('{"$each": "=@", "$do": {"$value": "=@", "$type": "number", "$label": "Quantity"}}', '["12,5", "", " 1", "NaN", true, [], {}, "1e999999"]');
SELECT pg_temp.t('{"$each": "=@", "$do": {"$value": "=@", "$type": "integer"}}', '["5", 5.0, -3]');
SELECT pg_temp.t('{"$each": "=@", "$do": {"$value": "=@", "$type": "integer"}}', '[5.5, "0.1"]');
SELECT pg_temp.t('{"$each": "=@", "$do": {"$value": "=@", "$type": "boolean"}}', '[true, "false", "true"]');
SELECT pg_temp.t('{"$each": "=@", "$do": {"$value": "=@", "$type": "boolean"}}', '["X", 1, "TRUE"]');
SELECT pg_temp.t('{"$each": "=@", "$do": {"$value": "=@", "$type": "string"}}', '["a", 1.50, true]');
SELECT pg_temp.t('{"$each": "=@", "$do": {"$value": "=@", "$type": "string"}}', '[[], {"a": 1}]');
SELECT pg_temp.t('{"$each": "=@", "$do": {"$value": "=@", "$type": "date"}}', '["2026-03-02", "2024-02-29"]');
SELECT pg_temp.t('{"$each": "=@", "$do": {"$value": "=@", "$type": "date"}}', '["2026-02-29", "02.03.2026", "2026-03-02T00:00:00Z", 20260302]');
SELECT pg_temp.t('{"$each": "=@", "$do": {"$value": "=@", "$type": "timestamp"}}', '["2026-03-02T06:00:00Z", "2026-03-02T06:00:00.5+01:00"]');
SELECT pg_temp.t('{"$each": "=@", "$do": {"$value": "=@", "$type": "timestamp"}}', '["2026-03-02", "2026-03-02T06:00:00", "2026-03-02T25:00:00Z"]');

-- $each: null is nothing, a single value is an array of one, nothing is dropped; variables; where, then index; sort.
SELECT pg_temp.t('{"a": {"$each": "=a", "$do": "=@"}, "b": {"$each": "=b", "$do": "=@"}, "c": {"$each": "=c", "$do": "=@"}, "d": {"$each": "=d", "$do": {"x": "=x"}}}', '{"b": [], "c": 5, "d": {"x": 1}}');
SELECT pg_temp.t('{"$each": "=@", "$do": "=x"}', '[{"x": 1}, {}, {"x": 3}]');
SELECT pg_temp.t('{"$each": "=l", "$do": ["=$index", "=$count", "=$it.x", "=@.x", "=$parent.k", "=$.k"]}', '{"k": "K", "l": [{"x": 1}, {"x": 2}]}');
SELECT pg_temp.t('{"$each": "=l", "$as": "line", "$where": "=q > `1`", "$sort": "=$line.s", "$do": ["=$index", "=$count", "=$line.q"]}', '{"l": [{"q": 3, "s": "b"}, {"q": 1, "s": "a"}, {"q": 2, "s": "b"}, {"q": 9, "s": "a"}]}');
SELECT pg_temp.t('{"$each": "=@", "$sort": "=@", "$do": "=@"}', '[10, 9.5, -1, 9.50]');
SELECT pg_temp.t('{"$each": "=@", "$sort": "=@", "$do": "=@"}', '[1, "a"]');
SELECT pg_temp.t('{"$each": "=@", "$sort": "=@.x", "$do": "=@"}', '[{"x": 1}, {}]');
SELECT pg_temp.t('{"$each": "=o", "$as": "o", "$do": {"$each": "=c", "$where": "=op == $parent.op", "$do": {"op": "=$parent.op", "of": "=$o.op", "i": "=i"}}}', '{"o": [{"op": 1, "c": [{"op": 1, "i": "a"}, {"op": 2, "i": "b"}]}, {"op": 2, "c": {"op": 2, "i": "c"}}]}');

-- a join of two branches, with $let; bindings in any order, dependent on each other; outer ones are seen
SELECT pg_temp.t('{"$let": {"z": "=components", "a": "=$z[?kind == ''x'']", "m": "=$a[0].op"}, "$do": {"n": "=length($a)", "m": "=$m", "ops": {"$each": "=operations", "$let": 1, "$do": 1}}}');
SELECT pg_temp.t('{"$let": {"z": "=components", "a": "=$z[?kind == ''x'']", "m": "=$a[0].op"}, "$do": {"n": "=length($a)", "m": "=$m", "ops": {"$each": "=operations", "$do": {"op": "=op", "parts": {"$each": "=$z", "$where": "=op == $parent.op", "$do": "=i"}}}}}', '{"components": [{"op": 1, "i": "a", "kind": "x"}, {"op": 2, "i": "b"}], "operations": [{"op": 1}, {"op": 2}, {"op": 3}]}');
SELECT pg_temp.t('{"$let": {"a": "=x", "b": {"$if": "=`false`", "$then": 1}}, "$do": {"$let": {"a": "=$b || ''inner''"}, "$do": "=$a"}}', '{"x": "outer"}');
SELECT pg_temp.t('{"$let": {"a": "=$b", "b": {"c": ["=$c"]}, "c": "=$a"}, "$do": 1}');
SELECT pg_temp.t('{"$let": {"a": "=$a"}, "$do": 1}');
SELECT pg_temp.t('{"$let": {"a": "=length(x)", "b": "=$a + `1`", "c": "=abs(''x'')"}, "$do": [{"$each": "=$b", "$do": "=abs(''not reached'')"}, "=$b", "=abs(''y'')"]}');

-- $map
SELECT pg_temp.t('{"$map": "=@", "$key": "=k", "$do": {"v": "=v", "i": "=$index"}}', '[{"k": "b", "v": 1}, {"k": "a", "v": 2}]');
SELECT pg_temp.t('{"$map": "=@", "$key": "=k", "$do": "=v"}', '[{"k": "b", "v": 1}, {"k": "a"}]');
SELECT pg_temp.t('{"a": {"$map": "=@", "$key": "=k", "$do": "=v"}}', '[{"k": "b", "v": 1}, {"k": 1}, {"v": 1}]');
SELECT pg_temp.t('{"a": {"$map": "=@", "$key": "=k", "$do": "=v"}}', '[{"k": "b", "v": 1}, {"k": "b", "v": 2}]');

-- $if, $switch, $merge, $fail
SELECT pg_temp.t('[{"$if": "=a", "$then": 1, "$else": 2}, {"$if": "=b", "$then": 1, "$else": 2}, {"$if": "=c", "$then": 1}, {"$if": "=z", "$else": 3}]', '{"a": 0, "b": "", "c": []}');
SELECT pg_temp.t('{"$each": "=@", "$do": {"$switch": "=@", "$cases": {"a": "A", "1": "one", "1.5": "one and a half", "true": "yes", "$x": "dollar"}, "$else": "else"}}', '["a", 1, 1.5, true, null, "b", "$x"]');
SELECT pg_temp.t('{"x": {"$switch": "=@", "$cases": {"a": "A"}}, "y": {"$switch": "=a", "$cases": {}}}', '{"a": "b"}');
SELECT pg_temp.t('{"$merge": [{"a": 1, "b": {"x": 1}}, {"$if": "=nothing", "$then": 1}, {"b": {"y": "=a"}}, {"c": "=a"}]}', '{"a": 7}');
SELECT pg_temp.t('{"q": {"$merge": [{"a": 1}, "=a", [1]]}}', '{"a": 7}');
SELECT pg_temp.t('{"$merge": []}');
SELECT pg_temp.t('{"$if": "=qty < `0`", "$then": {"$fail": "=concat(''quantity '', qty, '' is negative'')"}, "$else": "=qty"}', '{"qty": -2}');
SELECT pg_temp.t('{"a": {"$fail": "=`[1]`"}}');

-- All faults at once, each with its places; nothing of the output remains.
SELECT pg_temp.t('{"no": "=AUFNR", "parts": {"$each": "=order.c", "$do": {"q": "=to_number(q) * `1000`", "u": "=xref(''uom'', u)", "n": "=xref(''uom'', n)", "d": "=xref(''uom'', u, ''C62'')"}}, "x": {"$each": "=order.c[?q]", "$do": {"a/b~": "=q + `1`"}}}', '{"order": {"c": [{"q": "1", "u": "KG"}, {"u": "XX"}, {"q": "3", "u": 7}]}}');
SELECT pg_temp.t('{"$each": "=@", "$do": "=abs(@)"}', '["a", 1, "b", "c", 2, "d"]', '{"max_errors": 3}');
SELECT pg_temp.t('{"$let": {"o": "=\"the order\""}, "$do": {"$each": "=$.\"the order\".lines[0].\"x y\"", "$do": "=abs(@)"}}', '{"the order": {"lines": [{"x y": [1, "a"]}]}}');
SELECT pg_temp.t('{"$each": "=a[]", "$as": "x", "$do": {"$each": "=$x.b", "$do": {"$each": "=$parent.c", "$do": "=abs(@)"}}}', '{"a": [{"b": [1, {}], "c": "one"}]}');
SELECT pg_temp.t('{"a": {"u": "=xref(''uom'', ''ST'').code", "back": "=xref_back(''uom'', ''KGM'')", "w": "=unit(`1.5`, ''KGM'', xref(''uom'', ''G''))"}}');
SELECT pg_temp.t('{"a": "=unit(`1`, ''KGM'', ''LTR'')", "b": "=unit(`1`, ''KG'', ''KGM'')", "c": "=xref_back(''uom'', ''nothing'')"}');

-- $env
SELECT pg_temp.t('["=$env.site", "=$env.timezone", "=$env.message_id", "=$env.received_at"]', '{}', '{"timezone": "Europe/Berlin"}', '{"message_id": 5, "received_at": "2026-03-02T06:00:00Z"}');

-- Limits while it works.
SELECT left(x, 100) FROM pg_temp.t('{"$each": "=@", "$do": {"$each": "=$.a", "$do": {"$each": "=$.a", "$do": 1}}}', jsonb_build_object('a', (SELECT jsonb_agg(i) FROM generate_series(1, 2000) AS i))) AS x;
SELECT left(x, 120) FROM pg_temp.t('{"$let": {"a": "=join('''', map(&''0123456789012345678901234567890123456789'', seq(`10000`)))"}, "$do": {"$each": "=seq(`10000`)", "$do": "=concat($a, ''x'')"}}') AS x;
SELECT pg_temp.t('{"$each": "=@", "$do": "=@"}', '[1, 2, 3, 4]', '{"budget": 5}');
SELECT pg_temp.t('{"a": "=@"}', to_jsonb(repeat('x', 2000)), '{"max_output": 1000}');

-- What is refused when it is compiled, all of it at once.
SELECT pg_temp.t('{"a": "=b +", "c": [1, "=nothing(x)", "=length()", "=$x"], "d": {"$each": "x", "$do": 1}, "e": "="}');
SELECT pg_temp.t('{"a": {"$foo": 1}, "b": {"$each": "=x"}, "c": {"$if": "=x", "$each": "=y", "$do": 1}, "d": {"$value": 1, "x": 1}, "e": {"$": 1}, "f": {"$value": "=x", "$type": "float", "$null": "none", "$label": 1}}');
SELECT pg_temp.t('{"a": {"$let": [], "$do": 1}, "b": {"$let": {"1a": 1}, "$do": 1}, "c": {"$merge": {}}, "d": {"$switch": "=a", "$cases": []}, "e": {"$each": "=a", "$as": "$x", "$do": 1}, "f": {"$fail": "x"}, "g": {"$map": "=a", "$do": 1}}');
SELECT pg_temp.t('{"a": "=$index", "b": {"$each": "=x", "$where": "=$index > `1`", "$do": "=$it"}, "c": {"$each": "=x", "$as": "y", "$do": "=$it"}}');
SELECT pg_temp.t('{"a": {"$use": "nobody"}, "b": {"$use": 5}, "c": {"$call": "nothing", "$with": 1}, "d": {"$call": "x"}}');
SELECT pg_temp.t(to_jsonb('=' || repeat('a', n))) FROM unnest(ARRAY[4096, 4097]) AS n;
SELECT pg_temp.t((repeat('[', 65) || repeat(']', 65))::jsonb);
SELECT pg_temp.t((SELECT jsonb_agg(i) FROM generate_series(1, 5000) AS i));
SELECT count(*) FROM (SELECT pg_temp.t((SELECT jsonb_agg('=('::text) FROM generate_series(1, 100) AS i))) AS x;
SELECT pg_temp.t('1', '{}', '{"nulls": "maybe", "budget": -1, "max_errors": 1.5, "colour": "red", "max_output": "big", "empty_string": 0}');
SELECT length(string_agg(x, '')) < 400 FROM pg_temp.t(jsonb_build_object('$' || repeat('ä', 100000), 1)) AS x;
