#!/usr/bin/env python3
"""A corpus of hostile documents (deep, wide, huge numbers, bytes that are no text, NUL, what only looks like JSON) at every
entrance that takes JSON, expressions, templates, schemas or XML: an answer or an error that says what is wrong, soon, in
a server that lives.  Prints TAP."""

import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'lib'))
from hub import Hub, equal, finish, ok  # noqa: E402

# Errors that tell about the document: data, syntax and names in it, limits, constraints, what a template refers to.
TELLING = ('22', '23514', '42', '54', '55000', '0A000')
SECONDS = 30                    # for one document at one entrance, on a loaded machine; all take far less than one


def nest(n, opening, inner, closing):
    return opening * n + inner + closing * n


CORPUS = {
    **{f'arrays {n} deep': nest(n, '[', '1', ']') for n in (64, 400, 2000, 100000)},
    **{f'objects {n} deep': nest(n, '{"a":', '1', '}') for n in (64, 400, 2000, 100000)},
    'both deep': nest(1500, '[{"items":', '[]', '}]'),
    'only opened': '[' * 1000000, 'only opened objects': '{"a":' * 200000,
    'wide array': '[' + ','.join(str(i) for i in range(200000)) + ']',
    'wide object': '{' + ','.join(f'"k{i}":{i}' for i in range(200000)) + '}',
    'same key': '{' + ','.join(f'"k":{i}' for i in range(100000)) + '}',
    'empty objects': '[' + ','.join(['{}'] * 100000) + ']',
    'wide and nested': '[' + ','.join(['[[{"a":[]}]]'] * 30000) + ']',
    'digits': '9' * 100000, 'digits behind the point': '0.' + '3' * 16000, 'more digits than numeric has': '1' * 140000,
    '1e131071': '1e131071', '1e131072': '1e131072', '1e-16383': '1e-16383', '1e-99999': '1e-99999', '1e99999999999': '1e99999999999',
    '-0.0': '-0.0', 'many huge numbers': '[' + ','.join(['1e131000'] * 500) + ']',
    'huge next to tiny': '{"a": 1e131000, "b": 1e-16000, "value": 1e131000, "qty": {"value": "1e131000"}}',
    'long text': '"' + 'x' * 5000000 + '"', 'long key': '{"' + 'k' * 1000000 + '": 1}', 'escapes': '"' + '\\u00e4' * 200000 + '"',
    'odd keys': '{"": 1, "$ref": "#", "$each": "=@", "$$x": 1, "=a": "=a", "a.b": 1, "a/b~c": 1, "__proto__": {}, "\\n\\t": 1, "@x": 1, "#text": "t"}',
    'odd texts': '["=a", "==", "=", "$", "\'", "\\"", "`", "\\\\", "\\u2028\\ufeff", "\\uffff", "\\ud83d\\ude00", "%s%n", "{{x}}", "; DROP TABLE x"]',
    'escaped NUL': '{"a": "x\\u0000y"}', 'escaped NUL as key': '{"\\u0000": 1}', 'lone surrogate': '"\\ud800"', 'surrogates reversed': '"\\ude00\\ud83d"',
    'NUL': b'{"a": "x\0y"}', 'not UTF-8': b'{"a": "\xc3\x28"}', 'overlong': b'{"a": "\xc0\xae"}', 'surrogate in UTF-8': b'{"a": "\xed\xa0\x80"}',
    'cut UTF-8': b'"\xe2\x82"', 'beyond Unicode': b'"\xf5\x80\x80\x80"', 'Latin-1': b'{"a": "\xe4\xf6"}', 'UTF-16': '{"a": 1}'.encode('utf-16'),
    'byte order mark': b'\xef\xbb\xbf{"a": 1}', 'control character': b'"a\x01b"', 'line end in text': b'"a\nb"',
    'nothing': '', 'blanks': ' \n\t ', 'two documents': '{} {}', 'comma at the end': '[1,]', 'no quotes': '{a: 1}', 'single quotes': "{'a': 1}",
    'NaN': 'NaN', 'Infinity': '[Infinity]', 'comment': '/* x */ 1', 'hexadecimal': '0x10', 'leading zero': '01', 'plus': '+1', 'point': '1.', 'cut': '{"a": "x',
    'null': 'null', 'true': 'true', 'text': '"text"', 'empty object': '{}', 'empty array': '[]',
    'parentheses': '(' * 5000, 'not not': '!' * 5000 + 'a', 'pipes': 'a|' * 2000 + 'a', 'filters': 'a[?' * 1000, 'lets': 'let $a = @ in ' * 500 + '$a',
    'operators': '1' + ' + 1' * 5000, 'choices': 'a ? ' * 1000 + 'b', 'calls': 'not_null(' * 2000, 'backticks': '`' * 1001, 'brackets': '[]' * 3000,
    'cartesian': 'map(&map(&map(&length(to_string($)), $), $), $)', 'much text': "join('', map(&to_string($), seq(`10000`)))",
    'schema of itself': '{"$ref": "#"}', 'schema without end': '{"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}]}}, "$ref": "#/$defs/a"}',
    'schema from the network': '{"$ref": "http://127.0.0.1:1/x"}', 'schema from a file': '{"$ref": "file:///etc/passwd"}',
    'evil pattern': '{"pattern": "^(a+)+$", "patternProperties": {"(x+x+)+y": {"pattern": "(.*)*b"}}}', 'huge repetition': '{"pattern": "(a{255}){255}"}',
    'template of everything': '{"$let": {"a": "=$"}, "$do": {"$each": "=$a", "$do": {"$each": "=$a", "$do": "=$a"}}}',
    'template with itself': '{"$use": "corpus"}', 'template that calls': '{"$call": "pg_sleep", "$with": 1000}',
    'entities': '<!DOCTYPE a [<!ENTITY a "x"><!ENTITY b "&a;&a;&a;">]><a>&b;</a>', 'external entity': '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
    'deep XML': nest(100000, '<a>', '', '</a>'), 'wide XML': '<a>' + '<b/>' * 200000 + '</a>', 'attributes': '<a ' + ' '.join(f'x{i}=""' for i in range(50000)) + '/>',
    'XML in UTF-16 by declaration': b'<?xml version="1.0" encoding="UTF-16"?><a/>', 'unknown encoding': '<?xml version="1.0" encoding="x-none"?><a/>',
    'NUL in XML': b'<a>\0</a>', 'character that is none': '<a>&#0;</a>', 'no end': '<a><b><c>' * 1000, 'XInclude': '<a xmlns:x="http://www.w3.org/2001/XInclude"><x:include href="file:///etc/passwd" parse="text"/></a>'}

# Name, statement: $1 is the document as jsonb, $2 as text, $3 as bytes.  What needs jsonb is left out when there is none.
ENTRANCES = (
    ('jsonb', 'SELECT $1'),
    *((f'jmespath {e}', f'SELECT planthub.jmespath($e${e}$e$, $1)') for e in (
        '@', 'to_string(@)', '*.*', '[][].*', '@ == @', 'keys(@)', 'sort(@)', 'reverse(@)', 'sum(@)', '@ + `1`', 'max(to_array(@))', "join('-', @)",
        "contains(@, 'x')", 'map(&length(to_string(@)), to_array(@))', 'group_by(to_array(@), &type(@))', '@[?@ > `5`] | [0]', '{a: @, b: @, c: [@, @]}',
        'number(to_string(@))', 'round(@, 2)', 'sha256(to_string(@))', 'items(@)', "replace(to_string(@), 'x', 'yy')", "matches(to_string(@)[0:9000], '(x+x+)+y')")),
    ('as expression', 'SELECT planthub.jmespath($2, \'{"a": {"b": [1, 2, {"c": "x"}]}}\')'),
    ('expression explained', 'SELECT count(*) FROM planthub.jmespath_explain($2)'),
    ('as condition', 'SELECT * FROM planthub.condition_lint($2, \'#\')'),
    ('map', 'SELECT planthub.map(\'corpus@1\', $1)'),
    ('map_explain', 'SELECT planthub.map_explain(\'corpus@1\', $1)'),
    ('as template', 'SELECT planthub.map_explain(\'corpus@\' || planthub.create_mapping(\'corpus\', $1), \'[1, {"a": 2}]\')'),
    ('as override', 'SELECT planthub.mapping_template(format(\'corpus@%s:C1\', planthub.create_mapping(\'corpus\', $1, site => \'C1\', base => 1)))'),
    ('as environment', 'SELECT planthub.map(\'corpus@1\', \'{}\', \'*\', $1)'),
    ('as xref overlay', 'SELECT planthub.map_explain(\'corpus@1\', \'{}\', xref => $1)'),
    ('valid by a recursive schema', 'SELECT planthub.json_schema_valid(\'{"anyOf": [{"items": {"$ref": "#"}, "uniqueItems": true}, {"additionalProperties": {"$ref": "#"}}], "multipleOf": 0.01, "pattern": "^(x|xx)+$", "propertyNames": {"maxLength": 9}}\', $1)'),
    ('errors by a recursive schema', 'SELECT count(*) FROM planthub.json_schema_errors(\'{"type": "null", "items": {"$ref": "#"}, "additionalProperties": {"$ref": "#"}, "unevaluatedProperties": false}\', $1)'),
    ('as schema', 'SELECT planthub.json_schema_valid($1, \'{"a": ["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"]}\')'),
    ('compared as schema', 'SELECT count(*) FROM planthub.contract_compatible($1, $1 || \'{"type": "object"}\')'),
    ('registered as contract', 'SELECT planthub.register_contract(\'corpus.bound\', $1, draft => true)'),
    ('contract_violations', 'SELECT planthub.contract_violations(\'production_order.released\', 1, $1)'),
    ('merge_patch', 'SELECT planthub.merge_patch($1, $1)'),
    ('json_differences', 'SELECT count(*) FROM planthub.json_differences($1, \'{"a": [1]}\')'),
    ('json_to_xml', 'SELECT length(planthub.json_to_xml(jsonb_build_object(\'r\', $1)))'),
    ('there and back as XML', 'SELECT planthub.xml_to_json(planthub.json_to_xml($1, \'{"root": "r"}\'))'),
    ('xml_to_json of text', 'SELECT planthub.xml_to_json($2)'),
    ('xml_to_json of bytes', 'SELECT planthub.xml_to_json($3)'),
    ('publish', 'SELECT planthub.publish(\'corpus.free\', $1, \'k\', \'C1\')'),
    ('receive', 'SELECT outcome, code FROM planthub.receive($1)'),
    ('receive as data', 'SELECT outcome, code FROM planthub.receive(jsonb_build_object(\'specversion\', \'1.0\', \'id\', md5($3), \'source\', \'/corpus\', '
     '\'type\', \'planthub.item.upserted.v1\', \'time\', \'2026-01-15T06:00:00Z\', \'dataschema\', \'urn:planthub:schema:item.upserted:1\', \'data\', $1))'))
NEVER_RAISES = ('receive', 'receive as data')

hub = Hub('planthub.enabled = off')
hub.sql(r'''
    CREATE TABLE corpus (name text PRIMARY KEY, bytes bytea);
    CREATE TABLE entrance (number int PRIMARY KEY, name text, statement text);
    CREATE TABLE answer (document text, entrance text, state text, message text, seconds numeric);
    SELECT planthub.create_site('C1'), planthub.create_topic('corpus.free'), planthub.create_topic('corpus.bound');
    SELECT planthub.create_mapping('corpus', '{"all": "=@", "each": {"$each": "=@", "$sort": "=type(@)", "$do": {"n": "=$index", "v": "=$it"}},
        "map": {"$map": "=to_array(@)", "$key": "=concat(''k'', $index)", "$do": "=a.b[0]"}, "merged": {"$merge": [{"a": "=a"}, {"b": "=$.a"}]},
        "sum": {"$value": "=qty.value", "$type": "number"}, "code": "=xref(''uom'', a, ''none'')", "env": "=$env", "next": {"$switch": "=a", "$cases": {"1": 1}}}');
    -- One document at every entrance; each in a subtransaction that is rolled back.
    CREATE FUNCTION try_all(which text) RETURNS void LANGUAGE plpgsql AS $$
    DECLARE
        b bytea := (SELECT bytes FROM corpus WHERE name = which);
        t text; d jsonb; e entrance; began timestamptz; s text; m text;
    BEGIN
        BEGIN
            t := convert_from(b, 'UTF8');
            d := t::jsonb;
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS s = RETURNED_SQLSTATE, m = MESSAGE_TEXT;
            INSERT INTO answer VALUES (which, 'jsonb', s, m, 0);
        END;
        FOR e IN SELECT * FROM entrance ORDER BY number LOOP
            CONTINUE WHEN (d IS NULL AND e.statement ~ '[$]1') OR (t IS NULL AND e.statement ~ '[$]2');
            began := clock_timestamp();
            s := '00000';
            m := NULL;
            BEGIN
                EXECUTE e.statement USING d, t, b;
                RAISE EXCEPTION USING ERRCODE = 'PH000', MESSAGE = 'undo';
            EXCEPTION WHEN OTHERS THEN
                GET STACKED DIAGNOSTICS s = RETURNED_SQLSTATE, m = MESSAGE_TEXT;
            END;
            INSERT INTO answer VALUES (which, e.name, nullif(s, 'PH000'), m, extract(epoch FROM clock_timestamp() - began));
        END LOOP;
    END
    $$;''')
hub.sql('COPY corpus FROM STDIN;\n' + ''.join(f'{name}\t\\\\x{(text.encode() if isinstance(text, str) else text).hex()}\n' for name, text in CORPUS.items()) + '\\.\n')
hub.sql('COPY entrance FROM STDIN;\n' + ''.join(f'{i}\t{name}\t{statement}\n' for i, (name, statement) in enumerate(
    (name, statement.replace('\\', '\\\\')) for name, statement in ENTRANCES)) + '\\.\n')
started = hub.sql('SELECT pg_postmaster_start_time()')
for name in CORPUS:
    quoted = name.replace("'", "''")
    try:
        hub.sql(f"SET client_min_messages = error; SET statement_timeout = '{10 * SECONDS}s'; SELECT try_all('{quoted}')")
    except RuntimeError as error:
        ok(False, f'{name} at every entrance', error)
answers = hub.json('SELECT * FROM answer')
equal(len({answer['document'] for answer in answers}), len(CORPUS), 'every document was tried')
ok(len(answers) > 1500, 'at many entrances', len(answers))
odd = [a for a in answers if a['state'] and not a['state'].startswith(TELLING)]
ok(not odd, 'an answer, or an error about the document', *[f'{a["document"]} at {a["entrance"]}: {a["state"]} {a["message"]}' for a in odd[:40]])
raised = [a for a in answers if a['state'] and a['entrance'] in NEVER_RAISES]
ok(not raised, 'receive() never raises for what is in an event', *[f'{a["document"]}: {a["state"]} {a["message"]}' for a in raised[:20]])
long = [a for a in answers if a['message'] and len(a['message']) > 2000]
ok(not long, 'no message repeats the document', *[f'{a["document"]} at {a["entrance"]}: {len(a["message"])}' for a in long[:20]])
slow = sorted(answers, key=lambda a: -float(a['seconds']))
print(*[f'# {float(a["seconds"]):.2f} s {a["document"]} at {a["entrance"]}: {a["state"]}' for a in slow[:10]], sep='\n')
ok(float(slow[0]['seconds']) < SECONDS, f'none takes {SECONDS} s', f'{slow[0]}')
equal(hub.sql('SELECT pg_postmaster_start_time()'), started, 'the server is the one that was started')
equal(hub.sql("SELECT count(*) FROM planthub.message") + hub.sql('SELECT count(*) FROM planthub.inbox'), '00', 'and nothing is left of it')

# What is no text or no JSON stops at the door.
states = {a['document']: a['state'] for a in answers if a['entrance'] == 'jsonb'}
for name, state in (('NUL', '22021'), ('not UTF-8', '22021'), ('overlong', '22021'), ('surrogate in UTF-8', '22021'), ('escaped NUL', '22P05'),
                    ('lone surrogate', '22P02'), ('arrays 100000 deep', '54001'), ('only opened', '54001'), ('NaN', '22P02')):
    equal(states[name], state, f'{name} is refused as {state}')
finish()
