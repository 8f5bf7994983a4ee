-- Lint: what mappings and conditions of routes probably do not mean, beside the contracts of what they read and write.
SET client_min_messages = notice;
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION pg_temp.lint(template jsonb, contract_in text DEFAULT NULL, contract_out text DEFAULT NULL, options jsonb DEFAULT '{}')
RETURNS TABLE (place text, code text, "column" int, message text, detail text, hint text) LANGUAGE plpgsql AS $$
DECLARE
    number int;
BEGIN
    SET LOCAL client_min_messages = warning;
    number := planthub.create_mapping('linted', template, contract_in => contract_in, contract_out => contract_out, options => options);
    RETURN QUERY SELECT substring(l.place, '#.*'), l.code, l."column", l.message, l.detail, l.hint
        FROM planthub.mapping_lint('linted@' || number) AS l;
END
$$;
SELECT planthub.create_topic('lint.in'), planthub.create_topic('lint.out');
SELECT planthub.register_contract('lint.in', '{
    "type": "object", "required": ["no", "qty"],
    "properties": {
        "no": {"type": "string"}, "count": {"type": "integer"}, "price": {"type": "number"}, "open": {"type": "boolean"},
        "qty": {"$ref": "#/$defs/quantity"}, "state": {"enum": ["new", "done"]}, "kind": {"const": "x"},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]}, "any": {}, "a.b": {"type": "number"},
        "lines": {"type": "array", "items": {"type": "object", "properties": {"no": {"type": "integer"}, "qty": {"$ref": "#/$defs/quantity"}, "flag": {"type": "boolean"}}}},
        "tags": {"type": "object", "additionalProperties": {"type": "string"}},
        "party": {"oneOf": [{"type": "object", "properties": {"name": {"type": "string"}}}, {"type": "object", "properties": {"code": {"type": "integer"}}}]}},
    "anyOf": [{"required": ["count"]}, {"required": ["price"]}],
    "$defs": {"quantity": {"type": "object", "properties": {"value": {"type": "string"}, "uom": {"type": "string"}}}}}');
SELECT planthub.register_contract('lint.out', '{
    "type": "object", "required": ["id", "lines"], "allOf": [{"required": ["kind"]}],
    "properties": {
        "id": {"type": "string"}, "kind": {"enum": ["a", "b"]}, "n": {"type": ["integer", "null"]}, "x/y": {"type": "string"},
        "lines": {"type": "array", "items": {"type": "object", "required": ["no"], "properties": {"no": {"type": "integer"}, "text": {"type": "string"}}}},
        "memo": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "who": {"oneOf": [{"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}, {"type": "string"}]},
        "map": {"type": "object", "additionalProperties": {"type": "number"}}}}');

-- What is read must be known to the contract; each place is told, and not what is below it again.
SELECT * FROM pg_temp.lint('{"a": "=no", "b": "=nos", "c": "=nos.x", "d": ["=qty.value", "=qty.values"], "e": {"$each": "=lines", "$do": "=qty.volume"},
    "f": "=lines[0].no", "g": "=lines.no", "h": "=any.a.b[0]", "i": "=tags.anything", "j": "=party.name", "k": "=party.code", "l": "=party.other",
    "m": "=no.x", "n": "=\"a.b\"", "o": "=\"a.c\"", "p": "=*.x", "q": {"$let": {"z": "=zz"}, "$do": "=$z.y"}, "r": "=no[1:2]", "s": {"$each": "=rows", "$do": 1}}', 'lint.in@1');
-- What is compared must be able to be equal, or less; what is computed with must be a number.
SELECT * FROM pg_temp.lint('{"a": "=count == ''5''", "b": "=''5'' != count", "c": "=no == `5`", "d": "=open == ''true''", "e": "=qty == `1`", "f": "=count == `1.5`",
    "g": "=state == ''gone''", "h": "=kind == ''y''", "i": "=note == `true`", "j": "=no == count", "k": "=qty.value > `5`", "l": "=no < no",
    "m": "=qty.value * 2", "n": "=-no", "o": {"$switch": "=state", "$cases": {"new": 1, "old": 2}}, "p": {"$switch": "=count", "$cases": {"1": 1}},
    "q": {"$each": "=lines[?no == ''10'']", "$where": "=flag == ''x''", "$do": "=no"}, "r": {"$if": "=$.lines[0].no == ''1''", "$then": 1},
    "s": "=let $l = lines[0] in $l.no == ''1''"}', 'lint.in@1');
-- All of this can be.
SELECT * FROM pg_temp.lint('{"a": "=count == `5`", "b": "=count == `null`", "c": "=no != `null`", "d": "=price == `1.5`", "e": "=count == `5.0`", "f": "=note == ''x''",
    "g": "=any == `5`", "h": "=price == count", "i": "=number(qty.value) > `5`", "j": "=state == ''done''", "k": "=lines[*].no == [`1`]", "l": "=count + price",
    "m": "=-count", "n": {"$each": "=lines", "$where": "=no == `1` && flag", "$do": "=no"}, "o": "=no == qty.uom"}', 'lint.in@1');

-- What is written must be known to the contract of the output, and what it requires be written.
SELECT * FROM pg_temp.lint('{"id": "=a", "kinds": "a", "x/y": 1, "lines": {"$each": "=l", "$do": {"text": "=t", "extra": {"deep": 1}}}}', NULL, 'lint.out@1');
SELECT * FROM pg_temp.lint('{"$if": "=a", "$then": {"id": "=a", "kind": "c", "lines": [{"no": 1}, {"no": "2"}, 3]}, "$else": {"$fail": "=a"}}', NULL, 'lint.out@1');
SELECT * FROM pg_temp.lint('{"$merge": [{"id": "=a", "kind": {"$switch": "=k", "$cases": {"1": "a", "2": "z"}, "$else": "b"}}, {"$if": "=b", "$then": {"lines": []}}, {"n": null}]}', NULL, 'lint.out@1');
SELECT * FROM pg_temp.lint('{"$merge": ["=a", {"other": 1}]}', NULL, 'lint.out@1');
SELECT * FROM pg_temp.lint('{"$let": {"l": {"$each": "=l", "$do": {"nr": 1}}}, "$do": {"id": {"$value": "=a", "$type": "number"}, "kind": "a", "lines": "=$l", "n": {"$value": "=n", "$type": "integer"}}}', NULL, 'lint.out@1');
SELECT * FROM pg_temp.lint('{"id": "=a", "kind": "a", "lines": "=l", "who": {"nick": "x"}, "map": {"a": 1, "b": "x"}}', NULL, 'lint.out@1');
SELECT * FROM pg_temp.lint('{"id": "=a", "kind": "a", "lines": "=l", "who": "me", "map": {"$map": "=m", "$key": "=k", "$do": "=v"}, "n": {"$value": "=n", "$default": 0}}', NULL, 'lint.out@1');
SELECT * FROM pg_temp.lint('{"id": "=a", "kind": "a", "lines": {"$each": "=l", "$do": {"no": 1, "colour": "red"}}, "more": {"a": 1}, "mores": 1}', NULL, 'lint.out@1', '{"extra": ["/more", "/lines/*/colour"]}');
SELECT * FROM pg_temp.lint('{"id": "=number(a)", "kind": "=''c''", "lines": "=merge(a, b)", "n": "=a ? ''x'' : ''y''", "x/y": "=[a]", "who": "=a == b", "memo": 5}', NULL, 'lint.out@1');
SELECT * FROM pg_temp.lint('{"id": "=a || ''x''", "kind": "=''a''", "lines": "=l[?x]", "n": "=`null`", "memo": null, "x/y": "=number(a) && b", "who": {"$value": "=a | {name: @}", "$default": "=to_string(a)"}}', NULL, 'lint.out@1');
SELECT * FROM pg_temp.lint('"text"', NULL, 'lint.out@1');
SELECT * FROM pg_temp.lint('{"$fail": "=a"}', NULL, 'lint.out@1');
SELECT planthub.create_mapping('linted', '{}', options => '{"extra": [1]}');
-- in what it uses, too, and an override keeps the option
SELECT planthub.create_mapping('used', '{"nr": 1, "colour": 2}');
SELECT planthub.activate_mapping('used', 1);
SELECT * FROM pg_temp.lint('{"id": "=ids", "kind": "a", "lines": {"$each": "=l", "$do": {"$use": "used", "$with": "=$.lines"}}}', 'lint.in@1', 'lint.out@1');
SELECT planthub.create_site('L1');
SELECT planthub.create_mapping('linted2', '{"id": "=no", "kind": "a", "lines": [], "more": 1}', contract_out => 'lint.out@1', options => '{"extra": ["/more"]}');
SELECT planthub.create_mapping('linted2', '{"more": 2, "most": 3}', site => 'L1', base => 1);

-- The expressions themselves.
SELECT * FROM pg_temp.lint('{"a": "=!b.c", "b": "=''12'' < x", "c": "=`\"12\"` < x", "d": "=line-1", "e": "=a-b", "f": "=a - 1", "g": "=a / b", "h": "=round(a / b, 2)", "i": "=a[*][0]",
    "j": "=to_number(a)", "k": "=null", "l": {"$if": "=length(''a'') == `1`", "$then": 1}, "m": {"$each": "=a", "$where": "=`true`", "$do": 1}, "n": {"$switch": "=''a''", "$cases": {"a": 1}}, "o": "=xref(''nobody'', a)", "p": "=x < `true`",
    "q": "=length(a) == ''3''", "r": "=concat(a, b) + `1`", "s": "=to_string(a) < `5`", "t": "=-keys(a)", "u": "=x[*] != `1`", "v": "=(a ? ''x'' : ''y'') == `1`"}', 'nobody.knows@1');
SELECT * FROM pg_temp.lint('{"a": "=number(a) == `5` && to_string(b) != ''5''", "b": "=type(a) == ''object''", "c": "=x[*] == [`1`]", "d": "=length(a) > `1`", "e": "=nz(a, `0`) + max(b)"}');

-- Conditions of routes: what makes no sense for any of the topics.
SELECT planthub.create_system('lint-mes', 'mes');
SELECT planthub.create_endpoint('lint-mes', 'lint-mes', 'http://127.0.0.1:9/');
SELECT planthub.create_route('lint-1', 'lint.in', 'lint-mes', condition => 'qty.value > `100` && nos == ''1'' && state == ''gone''');
SELECT planthub.alter_route('lint-1', condition => 'number(qty.value) > `100` && no == ''1'' && $env.site != ''x''');
SELECT planthub.alter_route('lint-1', topic_pattern => 'lint.*');
SELECT planthub.alter_route('lint-1', condition => 'nothing == ''1'' || !a.b');
SELECT * FROM planthub.route_lint();
SELECT planthub.create_topic('lint.free');
SELECT * FROM planthub.route_lint('lint-1');
SELECT * FROM planthub.condition_lint('count == ''1''', 'lint.in');
SELECT * FROM planthub.condition_lint('count == ', 'lint.in');
SELECT planthub.alter_route('lint-1', condition => '', mapping => 'mes-order');
SELECT planthub.alter_route('lint-1', topic_pattern => 'production_order.#');
SELECT planthub.alter_route('lint-1', topic_pattern => 'lint.#', mapping => 'mes-order@1');
SELECT code, message FROM planthub.route_lint('lint-1');
