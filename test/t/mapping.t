#!/usr/bin/env python3
"""Mappings that mean harm or are nonsense: the server lives, is not kept busy, and does not grow."""

import json
import os
import random
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'lib'))
from hub import Hub, equal, finish, ok, soon  # noqa: E402

SEED = int(os.environ.get('PH_SEED', '1'))
MAPPINGS = int(os.environ.get('PH_FUZZ', '3000'))

hub = Hub('planthub.enabled = off')
random.seed(SEED)

# ---- random templates on random documents ----

KEYS = ['a', 'b', 'lines', 'q', 'x y', '$k', 'é']
SCALARS = [None, True, False, 0, 1, -7, 12.50, '1e400', 'text', '', '12.5', '=', '==x', '2026-03-02', 'KG', '\U0001f600']
PATHS = ['@', '$', 'a', 'b', 'lines', 'lines[]', 'lines[0]', '"x y"', 'a.b', '$.lines', '$it', '$it.q', '$parent', '$parent.a', '$index', '$count',
         '$x', '$y.a', '$env', '$env.site', 'lines[?q]', 'lines[*].q', '*', '@.*.a', 'nothing']
WHOLE = ['{p} + `1`', '{p} == {r}', 'length({p})', "xref('uom', {p})", "xref('uom', {p}, 'C62')", "xref_back('uom', {p})", 'sort({p})', '!{p}',
         "concat({p}, '-', {r})", 'round(number({p}) / 3, 2)', 'to_array({p})[0]', '{p} || {r}', '{p} && {r}', 'seq(`5`)', '({p}', '{p} | {r}',
         "unit(number({p}), 'KGM', 'GRM')", "unit({p}, 'KGM', 'LTR')", '{{v: {p}, w: {r}}}', '[{p}, {r}]', 'nz({p}, `0`)', "datetime({p}, 'YYYY-MM-DD')",
         'let $v = {p} in [$v, $v]', '&{p}', 'map(&{p}, {r})', 'sum({p})', 'keys({p})', "replace({p}, 'a', 'b')", '{p} ? {r} : `null`', 'sha256({p})']


def expression():
    path = random.choice(PATHS)
    return '=' + (path if random.random() < 0.5 else random.choice(WHOLE).format(p=path, r=random.choice(PATHS)))


def template(depth=0):
    def below():
        return template(depth + 1)

    kind = random.random()
    if depth > 5 or kind < 0.35:
        return expression() if random.random() < 0.8 else random.choice(SCALARS)
    if kind < 0.5:
        return {random.choice(KEYS): below() for _ in range(random.randrange(4))}
    if kind < 0.57:
        return [below() for _ in range(random.randrange(4))]
    directive = random.choice([
        lambda: {'$value': below(), '$default': below(), '$type': random.choice(['string', 'number', 'integer', 'boolean', 'date', 'timestamp'])},
        lambda: {'$value': expression(), '$null': random.choice(['omit', 'keep', 'error']), '$label': 'L'},
        lambda: {'$each': expression(), '$do': below()},
        lambda: {'$each': expression(), '$as': random.choice(['x', 'y', 'it']), '$where': expression(), '$sort': expression(), '$do': below()},
        lambda: {'$map': expression(), '$key': expression(), '$do': below()},
        lambda: {'$if': expression(), '$then': below(), '$else': below()},
        lambda: {'$switch': expression(), '$cases': {'a': below(), '1': below()}, '$else': below()},
        lambda: {'$let': {name: below() for name in random.sample(['x', 'y', 'z', 'it', 'env'], random.randrange(4))}, '$do': below()},
        lambda: {'$merge': [below() for _ in range(random.randrange(4))]},
        lambda: {'$use': random.choice(['part', 'fuzz', 'nobody']), '$with': below()},
        lambda: {'$call': random.choice(['twice', 'nobody']), '$with': below()},
        lambda: {'$fail': expression()}])()
    if random.random() < 0.05:
        directive.pop(random.choice(list(directive)))
    if random.random() < 0.03:
        directive[random.choice(['$do', '$bad', 'plain', '$each'])] = below()
    return directive


def document(depth=0):
    kind = random.random()
    if depth > 4 or kind < 0.3:
        return random.choice(SCALARS)
    if kind < 0.7:
        return {random.choice(KEYS): document(depth + 1) for _ in range(random.randrange(6))}
    return [document(depth + 1) for _ in range(random.randrange(5))]


hub.sql(r'''
    CREATE FUNCTION twice(d jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS
        'BEGIN RETURN to_jsonb(2 * (d #>> ''{}'')::numeric); END';
    SELECT planthub.create_mapping_function('twice', 'twice(jsonb)');
    SELECT planthub.create_mapping('part', '{"p": "=@", "q": {"$each": "=@", "$do": "=$it"}}');
    SELECT planthub.activate_mapping('part', 1);
    INSERT INTO planthub.xref (set, code, value) VALUES ('uom', 'KG', '"KGM"'), ('uom', '1', '{"f": 1}'), ('uom', 'text', '[1]');
    -- lint has something to compare them with, as input and as output
    SELECT planthub.create_topic('fuzz');
    SELECT planthub.register_contract('fuzz', '{"type": ["object", "array"], "required": ["a", "lines"], "additionalProperties": {"type": "integer"},
        "properties": {"a": {"type": "number"}, "b": {"anyOf": [{"$ref": "#"}, {"enum": ["text", 1, null]}]}, "x y": {"const": "KG"}, "q": true, "é": false,
            "lines": {"type": "array", "items": {"type": "object", "properties": {"q": {"type": "string"}, "p": {"$ref": "#/properties/b"}}, "oneOf": [{"required": ["q"]}, {"properties": {"a": {}}}]}}}}');
    CREATE TABLE fuzz (number int, template jsonb, document jsonb, outcome text, report jsonb);
    CREATE FUNCTION try(t jsonb, d jsonb, OUT outcome text, OUT report jsonb) LANGUAGE plpgsql AS $$
    DECLARE
        state text; message text;
    BEGIN
        report := planthub.map_explain('fuzz@' || planthub.create_mapping('fuzz', t,
            contract_in => 'fuzz@1', contract_out => 'fuzz@1'), d,
            env => '{"received_at": "2026-03-02T06:00:00Z"}');
        IF report ? 'output' THEN
            outcome := 'output';
        ELSIF jsonb_array_length(report->'errors') BETWEEN 1 AND 20
            AND NOT EXISTS (SELECT FROM jsonb_array_elements(report->'errors') AS e
                            WHERE NOT e ?& '{code,message,at,input,template,mapping,retry}') THEN
            outcome := 'errors';
        ELSE
            outcome := 'odd';
        END IF;
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
        outcome := CASE WHEN state = '22023' THEN 'refused' ELSE concat_ws(' ', 'raised', state, message) END;
    END
    $$;''')
rows = ',\n'.join("({}, $j${}$j$, $j${}$j$)".format(n, json.dumps(template() or 0), json.dumps(document())) for n in range(MAPPINGS))
hub.sql(f'INSERT INTO fuzz VALUES {rows};')
hub.sql('SET client_min_messages = warning; UPDATE fuzz SET (outcome, report) = (SELECT * FROM try(template, document))')
outcomes = {row['outcome']: row['n'] for row in hub.json(
    "SELECT CASE WHEN outcome ~ '^(odd|raised)' THEN 'wrong' ELSE outcome END AS outcome, count(*) AS n FROM fuzz GROUP BY 1")}
wrong = hub.json("SELECT * FROM fuzz WHERE outcome ~ '^(odd|raised)' LIMIT 3")
ok(not wrong and {'output', 'errors', 'refused'} <= set(outcomes), f'random templates give output, errors or a refusal, nothing else (seed {SEED})',
   outcomes, *(json.dumps(row) for row in wrong))
different = hub.json("""SELECT number, template, document, report, again FROM fuzz, planthub.map_explain(report->>'mapping', document,
    env => '{"received_at": "2026-03-02T06:00:00Z"}') AS again WHERE outcome = 'output' AND again <> report LIMIT 3""")
ok(not different, 'and the same again in another session', *(json.dumps(row) for row in different))



def fits(part, value):
    """Whether a value is what the outline of the mapping says there can be; null can be where nothing is."""
    if value is None or part is None:
        return True
    if 'any' in part:
        return any(fits(choice, value) for choice in part['any'])
    if 'members' in part:
        return isinstance(value, dict) and all(part.get('open') if name not in part['members'] else fits(part['members'][name], inner)
                                               for name, inner in value.items())
    if 'items' in part:
        return isinstance(value, list) and all(inner is None or any(fits(item, inner) for item in part['items']) for inner in value)
    if 'value' in part:
        return value == part['value']
    kinds = {'string': str, 'number': (int, float), 'integer': int, 'boolean': bool, 'array': list, 'object': dict}
    return 'type' not in part or (isinstance(value, kinds[part['type']]) and isinstance(value, bool) == (part['type'] == 'boolean'))


outlines = hub.json("SELECT number, template, report->'output' AS output, planthub.mapping_outline(report->>'mapping')->'writes' AS writes FROM fuzz WHERE outcome = 'output'")
misfits = [row for row in outlines if not fits(row['writes'], row['output'])]
ok(len(outlines) > 100 and not misfits, f'what lint thinks they write is what they write ({len(outlines)} outputs)', *(json.dumps(row) for row in misfits[:5]))
findings = {row['code']: row['n'] for row in hub.json(
    "SELECT l.code, count(*) AS n FROM fuzz, planthub.mapping_lint(report->>'mapping') AS l WHERE number < 1000 AND report ? 'mapping' GROUP BY 1")}
ok(len(findings) >= 5, 'lint finds something of many kinds in them', findings)

# ---- busy ----

hub.sql("""SELECT planthub.create_mapping('busy', '{"$each": "=@", "$do": {"$each": "=$", "$do": {"$each": "=$", "$do": {"$if": "=$it.x", "$then": 1}}}}',
    options => '{"budget": 100000000}')""")
began = time.monotonic()
error = ''
try:
    hub.sql("SET statement_timeout = '300ms'; SELECT planthub.map('busy@1', (SELECT jsonb_agg(i) FROM generate_series(1, 1000) AS i))")
except RuntimeError as caught:
    error = str(caught)
ok('57014' in error and time.monotonic() - began < 10, 'a mapping that works for long can be cancelled', error, time.monotonic() - began)

# ---- memory ----

hub.sql(r'''
    SELECT planthub.create_mapping('plain', '{"a": {"$each": "=@", "$do": {"v": "=$it", "u": "=xref(''uom'', ''KG'')", "t": {"$use": "part", "$with": "=$it"}}}}');
    SELECT planthub.create_mapping('faulty', '{"$each": "=@", "$do": {"v": "=abs($it)", "c": {"$call": "twice", "$with": "=$it"}}}');
    CREATE FUNCTION used() RETURNS bigint LANGUAGE sql AS 'SELECT sum(total_bytes)::bigint FROM pg_backend_memory_contexts';
    CREATE PROCEDURE work(n int) LANGUAGE plpgsql AS $$
    BEGIN
        FOR i IN 1 .. n LOOP
            PERFORM planthub.map('plain@1', '[1, "x", {"deep": [1, 2, 3]}]');
            BEGIN
                PERFORM planthub.map('faulty@1', '["x", "y"]');
            EXCEPTION WHEN data_exception THEN
            END;
            IF i % 50 = 0 THEN      -- everything is read and compiled again
                UPDATE planthub.mapping SET status = status WHERE name = 'part';
                UPDATE planthub.xref SET code = code;
                COMMIT;
            END IF;
        END LOOP;
    END
    $$;''')
grown = int(hub.sql('CALL work(500); SELECT used() AS before \\gset\nCALL work(5000); SELECT used() - :before'))
ok(grown < 256 * 1024, 'a session that maps, fails and compiles again does not grow', f'{grown} bytes')

finish()
