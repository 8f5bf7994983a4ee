#!/usr/bin/env python3
"""JSON Schema: the official test suite, the scenario's messages under their contracts, another implementation, and
documents made to hurt.  Prints TAP."""

import json
import os
import random
import subprocess
import sys
import tempfile
from decimal import Decimal
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SUITE = ROOT.parent / 'shared/suites/json-schema-test-suite'
SEED = int(os.environ.get('PH_SEED', '20260115'))
ROUNDS = int(os.environ.get('PH_FUZZ_ROUNDS', '400'))
DRAFTS = {'draft2020-12': 'https://json-schema.org/draft/2020-12/schema', 'draft7': 'http://json-schema.org/draft-07/schema#'}

tests = 0
os.chdir(ROOT)


def ok(name, faults):
    global tests
    tests += 1
    faults = list(faults)
    print(f'{"not " if faults else ""}ok {tests} - {name}', flush=True)
    for fault in faults[:20]:
        print(f'#   {fault}')
    if len(faults) > 20:
        print(f'#   and {len(faults) - 20} more')


def skip(name, reason):
    global tests
    tests += 1
    print(f'ok {tests} - {name} # SKIP {reason}', flush=True)


class Cluster:
    """A private server; statements go through psql."""

    def __init__(self):
        self.folder = tempfile.mkdtemp()
        os.chmod(self.folder, 0o755)
        script = (f'. test/lib/cluster.sh; ph_server {self.folder}; ph_cluster {self.folder} "planthub.enabled = off" '
                  '"fsync = off"; psql -Xqc "CREATE DATABASE js"; psql -Xqd js -c "CREATE EXTENSION planthub"; '
                  'echo "$PATH"; echo "$PGPORT"')
        out = subprocess.run(['bash', '-ec', script], check=True, capture_output=True, text=True).stdout.split('\n')
        self.env = dict(os.environ, PATH=out[0], PGPORT=out[1], PGHOST=self.folder, PGUSER='postgres', PGDATABASE='js')

    def sql(self, text):
        done = subprocess.run(['psql', '-XAqt', '-v', 'ON_ERROR_STOP=1', '-f', '-'], input=text, text=True,
                              capture_output=True, env=self.env)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout.strip('\n')

    def json(self, query):
        """The rows of a query as objects."""
        return json.loads(self.sql(f"SELECT coalesce(jsonb_agg(to_jsonb(q)), '[]') FROM ({query}) AS q"), parse_float=Decimal)

    def load(self, table, rows):
        """Rows of JSON values, each as text in a column of its own."""
        lines = ['\t'.join(json.dumps(value, default=encode).replace('\\', '\\\\') for value in row) for row in rows]
        self.sql(f'COPY {table} FROM STDIN;\n' + '\n'.join(lines) + '\n\\.\n')

    def stop(self):
        subprocess.run(['bash', '-c', f'. test/lib/cluster.sh; ph_stop {self.folder} immediate; rm -rf {self.folder}'])


HELPERS = '''
CREATE TABLE cases (id text, name text, schema text, data text, valid text);
CREATE TABLE remotes (uri text, document text);
CREATE FUNCTION result(schema text, data text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    -- Both ways of evaluation must agree.
    IF planthub.json_schema_valid(schema::jsonb, data::jsonb) <>
       NOT EXISTS (SELECT FROM planthub.json_schema_errors(schema::jsonb, data::jsonb)) THEN
        RETURN 'json_schema_valid and json_schema_errors differ';
    END IF;
    RETURN planthub.json_schema_valid(schema::jsonb, data::jsonb);
EXCEPTION WHEN untranslatable_character THEN
    RETURN 'NUL';
WHEN OTHERS THEN
    RETURN sqlerrm || ': ' || coalesce((SELECT d FROM planthub_detail(schema, data) AS d), '');
END
$$;
CREATE FUNCTION planthub_detail(schema text, data text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE d text;
BEGIN
    PERFORM planthub.json_schema_valid(schema::jsonb, data::jsonb);
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS d = PG_EXCEPTION_DETAIL;
    RETURN d;
END
$$;
'''


# ---- the official suite ----

def with_dialect(schema, draft):
    return dict({'$schema': DRAFTS[draft]}, **schema) if isinstance(schema, dict) else schema


def suite(db):
    if not SUITE.is_dir():
        skip('JSON-Schema-Test-Suite', 'the suite is not beside this repository')
        return
    for draft in DRAFTS:
        db.sql('TRUNCATE cases; TRUNCATE remotes; DELETE FROM planthub.json_schema WHERE NOT builtin')
        other = others(draft)
        remotes = [(f'http://localhost:1234/{path.relative_to(SUITE / "remotes")}', json.loads(path.read_text()))
                   for path in sorted((SUITE / 'remotes').glob('**/*.json'))
                   if path.relative_to(SUITE / 'remotes').parts[0] not in other]
        db.load('remotes', remotes)
        db.sql("SELECT planthub.register_json_schema(uri::jsonb #>> '{}', document::jsonb) FROM remotes")
        rows = []
        for path in sorted((SUITE / 'tests' / draft).glob('*.json')):
            for group in json.loads(path.read_text()):
                for test in group['tests']:
                    rows.append((f'{path.stem}', f'{group["description"]}: {test["description"]}',
                                 with_dialect(group['schema'], draft), test['data'], test['valid']))
        db.load('cases', rows)
        wrong = db.json('SELECT id, name, valid, result FROM (SELECT *, result(schema, data) FROM cases OFFSET 0) AS c '
                        'WHERE result <> valid')
        # A NUL cannot be stored in jsonb: neither in a schema nor in a document.
        stored = [row for row in wrong if row['result'] != 'NUL']
        print(f'# {draft}: {len(rows)} cases, {len(rows) - len(wrong)} as expected, {len(wrong) - len(stored)} contain NUL')
        ok(f'JSON-Schema-Test-Suite, {draft}, required part', (f'{row["id"]} {row["name"]}: {row["result"]}' for row in stored))
        ok(f'{draft}: at most 4 cases cannot be stored in jsonb', [] if len(wrong) - len(stored) <= 4 else ['more'])


# ---- the scenario ----

def scenario(db):
    messages, invalid = [], []
    for path in sorted(Path('demo/scenario').glob('messages_*.json')):
        content = json.loads(path.read_text())
        if path.stem == 'messages_variants':
            for variant in content['inbound']:
                for step in variant['steps']:
                    send, expect = step.get('send'), step.get('expect', {})
                    if isinstance(send, dict) and expect.get('code') == 'SCHEMA_INVALID':
                        invalid.append((variant['name'], send, variant.get('violations')))
        else:
            messages += content if isinstance(content, list) else content['messages']
    ok('the scenario has its messages', [] if len(messages) >= 36 and len(invalid) >= 3 else [f'{len(messages)} and {len(invalid)}'])
    db.sql('TRUNCATE cases')
    db.load('cases', [(m['id'], topic_of(m), {}, m, True) for m in messages])
    ok(f'{len(messages)} messages of the scenario meet their contracts',
       [f'{row["id"]}: {row["v"]}' for row in db.json('SELECT id, v FROM (' + VIOLATIONS + ") AS c WHERE v <> '[]'")])
    db.sql('TRUNCATE cases')
    db.load('cases', [(name, topic_of(m), {}, m, False) for name, m, _ in invalid])
    found = {row['id']: {violation['pointer'] for violation in row['v']} for row in db.json(VIOLATIONS)}
    ok(f'{len(invalid)} broken messages fail where they should',
       [f'{name}: {found[name]}, expected {expected}' for name, _, expected in invalid
        if not found[name] or (expected and found[name] != set(expected))])


def topic_of(message):
    return message['type'].removeprefix('planthub.').rpartition('.v')[0]


VIOLATIONS = """
    SELECT c.id::jsonb #>> '{}' AS id, planthub.contract_violations('_envelope', 1, c.data::jsonb) ||
        planthub.contract_violations(c.name::jsonb #>> '{}', 1, c.data::jsonb->'data', prefix => '/data') AS v FROM cases AS c"""


# ---- another implementation ----

class Fuzz:
    """Random schemas, and documents that have something to do with them."""

    NAMES = ['a', 'b', 'ab', 'c~/', 'é']

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.draft = 'draft2020-12'

    def pattern(self, depth=0):
        """What Python and ECMA understand alike, for texts without line ends and digits beyond ASCII."""
        r = self.random
        if depth == 0:
            return r.choice(['', '^']) + self.pattern(1) + r.choice(['', '$'])
        atom = r.choice(['a', 'b', 'c', '.', '[ab]', '[^a]', '[a-c1]', r'\d', r'\D', r'[\d-]', r'[^\d]', '(ab|b)', 'é', r'\.', r'\u0061', '(?=a)a', '(?!b)'])
        if depth < 3 and r.random() < 0.3:
            atom = f'({self.pattern(depth + 1)}|{self.pattern(depth + 1)})'
        if atom != '(?!b)':
            atom += r.choice(['', '', '', '*', '+', '?', '{2}', '{1,3}', '{0,}', '*?'])
        return atom + (self.pattern(depth + 1) if depth < 4 and r.random() < 0.5 else '')

    def scalar(self):
        return self.random.choice([None, True, False, 0, 1, 2, -1, 5, Decimal('0.5'), Decimal('2.25'), 10**20, '', 'a', 'ab', 'abc', 'b', 'é', '12', 'aab', 'bab.', 'a-1'])

    def value(self, depth=0):
        kind = self.random.random()
        if depth > 2 or kind < 0.4:
            return self.scalar()
        if kind < 0.7:
            return [self.value(depth + 1) for _ in range(self.random.randrange(4))]
        return {name: self.value(depth + 1) for name in self.random.sample(self.NAMES, self.random.randrange(4))}

    def schemas(self, depth, low=1):
        return [self.schema(depth + 1) for _ in range(self.random.randrange(low, 4))]

    def members(self, depth):
        return {name: self.schema(depth + 1) for name in self.random.sample(self.NAMES, self.random.randrange(4))}

    def names(self):
        return self.random.sample(self.NAMES, self.random.randrange(3))

    def keyword(self, depth):
        r = self.random
        count = r.randrange(4)
        makers = {
            'type': lambda: r.choice(['null', 'boolean', 'integer', 'number', 'string', 'array', 'object', ['string', 'integer'], ['array', 'object']]),
            'enum': lambda: [self.value(1) for _ in range(count + 1)], 'const': lambda: self.value(1),
            'minimum': lambda: r.choice([0, 1, Decimal('0.5')]), 'maximum': lambda: r.choice([1, 2, Decimal('2.25')]),
            'exclusiveMinimum': lambda: r.choice([0, 1]), 'exclusiveMaximum': lambda: r.choice([1, 5]),
            'multipleOf': lambda: r.choice([1, 2, Decimal('0.25'), 5]), 'minLength': lambda: count, 'maxLength': lambda: count,
            'pattern': self.pattern, 'minItems': lambda: count, 'maxItems': lambda: count,
            'uniqueItems': lambda: r.random() < 0.8, 'minProperties': lambda: count, 'maxProperties': lambda: count,
            'required': self.names, 'dependentRequired': lambda: {name: self.names() for name in self.names()}}
        if depth < 4:
            makers.update({
                'properties': lambda: self.members(depth), 'patternProperties': lambda: {self.pattern(): self.schema(depth + 1)},
                'additionalProperties': lambda: self.schema(depth + 1), 'propertyNames': lambda: self.schema(depth + 1),
                'dependentSchemas': lambda: self.members(depth), 'prefixItems': lambda: self.schemas(depth),
                'items': lambda: self.schema(depth + 1), 'contains': lambda: self.schema(depth + 1),
                'minContains': lambda: count, 'maxContains': lambda: count,
                'allOf': lambda: self.schemas(depth), 'anyOf': lambda: self.schemas(depth), 'oneOf': lambda: self.schemas(depth),
                'not': lambda: self.schema(depth + 1), 'if': lambda: self.schema(depth + 1), 'then': lambda: self.schema(depth + 1),
                'else': lambda: self.schema(depth + 1), '$ref': lambda: '#/$defs/' + r.choice('xy')})
        if depth < 4 and self.draft == 'draft7':
            makers.update({
                'items': lambda: r.choice([self.schema, self.schemas])(depth + 1), 'additionalItems': lambda: self.schema(depth + 1),
                'dependencies': lambda: r.choice([self.members(depth), {name: self.names() for name in self.names()}])})
        name = r.choice(list(makers))
        return name, makers[name]()

    def schema(self, depth=0):
        if depth and self.random.random() < 0.15:
            return self.random.random() < 0.7
        return dict(self.keyword(depth) for _ in range(self.random.randrange(1, 5)))

    def root(self):
        """Definitions do not refer to anything, so there is no recursion without end."""
        schema = self.schema()
        schema['$schema'] = DRAFTS[self.draft]
        schema['$defs'] = {name: self.schema(4) for name in 'xy'}
        return schema


def encode(value):
    if isinstance(value, Decimal):
        return float(value)         # those used here are exact in binary
    raise TypeError(value)


def fuzz(db):
    try:
        from jsonschema import Draft7Validator, Draft202012Validator
    except ImportError:
        skip('differential fuzzing', 'python3-jsonschema 4 or later is not installed')
        return
    made, rows, verdicts = Fuzz(SEED), [], []
    for number in range(ROUNDS):
        made.draft, validator = [('draft2020-12', Draft202012Validator), ('draft7', Draft7Validator)][number % 4 == 0]
        schema = made.root()
        for _ in range(10):
            data = made.value()
            verdict = validator(schema).is_valid(data)
            rows.append((str(number), '', schema, data, verdict))
            verdicts.append(verdict)
    db.sql('TRUNCATE cases')
    db.load('cases', rows)
    wrong = db.json('SELECT schema, data, valid, result FROM (SELECT *, result(schema, data) FROM cases OFFSET 0) AS c WHERE result <> valid')
    ok(f'{len(rows)} random documents (seed {SEED}, {sum(verdicts)} valid): the same verdict as python3-jsonschema',
       [f'{row["valid"]} expected, {row["result"]} found: {row["schema"]}   {row["data"]}' for row in wrong])
    ok('both verdicts are among them', [] if 0.1 < sum(verdicts) / len(verdicts) < 0.9 else [sum(verdicts)])


# ---- documents made to hurt ----

def hostile(db):
    cases = {
        'deep arrays': ("repeat('[', 5000) || repeat(']', 5000)", '{"items": {"$ref": "#"}}'),
        'deep objects': ("repeat('{\"a\":', 3000) || '1' || repeat('}', 3000)", '{"additionalProperties": {"$ref": "#"}}'),
        'many members': ("(SELECT json_object_agg(i, i)::text FROM generate_series(1, 200000) AS i)", '{"unevaluatedProperties": {"type": "number"}, "propertyNames": {"pattern": "^[0-9]+$"}}'),
        'many equal items': ("(SELECT json_agg(1)::text FROM generate_series(1, 200000) AS i)", '{"uniqueItems": true, "contains": {"const": 2}}'),
        'many different items': ("(SELECT json_agg(json_build_object('i', i))::text FROM generate_series(1, 100000) AS i)", '{"uniqueItems": true, "unevaluatedItems": {"type": "object"}}'),
        'items that hash alike': ("(SELECT json_agg(json_build_object('a', json_build_array(i)))::text FROM generate_series(1, 20000) AS i)", '{"uniqueItems": true}'),
        'a huge number': ("'1e131000'", '{"multipleOf": 0.01, "maximum": 5, "type": "integer"}'),
        'a long text': ("to_json(repeat('aé', 2000000))::text", '{"pattern": "^(([a-zé])+.)+[A-Z]$", "minLength": 5000000}'),
        'a pattern with much choice': ("to_json(repeat('a', 20000))::text", '{"pattern": "^(a|a|b|ab|a?)*c$"}'),
        'alternatives that multiply': ("repeat('[', 60) || '1' || repeat(']', 60)", '{"oneOf": [{"items": {"$ref": "#"}}, {"items": {"$ref": "#"}}, {"items": {"$ref": "#"}}]}'),
    }
    faults = []
    for name, (document, schema) in cases.items():
        try:
            result = db.sql(f"""SET statement_timeout = '60s';
                CREATE OR REPLACE FUNCTION pg_temp.hostile() RETURNS text LANGUAGE plpgsql AS $f$
                DECLARE d jsonb := ({document})::jsonb;
                BEGIN
                    RETURN planthub.json_schema_valid('{schema}', d) || '/' || (SELECT count(*) FROM planthub.json_schema_errors('{schema}', d));
                EXCEPTION WHEN program_limit_exceeded THEN RETURN 'limit';
                END $f$;
                SELECT pg_temp.hostile();""")
            print(f'# {name}: {result}')
        except RuntimeError as error:
            faults.append(f'{name}: {error}')
    ok('hostile documents end with a verdict or a limit', faults)
    done = subprocess.run(['psql', '-XAqt', '-v', 'VERBOSITY=sqlstate', '-c', "SET statement_timeout = '200ms'", '-c', """
        SELECT planthub.json_schema_valid(jsonb_build_object('$ref', '#/$defs/d40', '$defs', (SELECT jsonb_object_agg('d' || i,
            CASE i WHEN 0 THEN '{"multipleOf": 3}' ELSE format('{"allOf": [{"$ref": "#/$defs/d%1$s"}, {"$ref": "#/$defs/d%1$s"}]}', i - 1)::jsonb END)
            FROM generate_series(0, 40) AS i)), '3')"""],
                          capture_output=True, text=True, env=db.env)
    ok('a check can be cancelled', [] if '57014' in done.stderr else [done.stdout, done.stderr])
    leak = """SELECT sum(total_bytes) FROM pg_backend_memory_contexts"""
    grown = db.sql(f"""CREATE TEMP TABLE m AS SELECT 0::numeric AS before;
        DO $$ DECLARE d jsonb := '{{"order": 1, "qty": {{"value": "1"}}}}'; v jsonb; BEGIN
            FOR i IN 1..20500 LOOP
                v := planthub.contract_violations('production_order.released', 1, d);
                v := to_jsonb(planthub.json_schema_valid(jsonb_build_object('maximum', i), '5'));
                IF i = 500 THEN UPDATE m SET before = ({leak}); END IF;
            END LOOP;
        END $$;
        SELECT ({leak}) - before FROM m""")
    ok('20,000 checks and 20,000 schemas leave no memory behind', [] if float(grown) < 2e6 else [f'{grown} bytes more'])


def others(draft):
    """Folders of remotes for other drafts."""
    return {'draft3', 'draft4', 'draft6', 'draft7', 'draft2019-09', 'draft2020-12', 'v1'} - {draft}


def main():
    db = Cluster()
    try:
        db.sql(HELPERS)
        suite(db)
        scenario(db)
        fuzz(db)
        hostile(db)
    finally:
        db.stop()
    print(f'1..{tests}')


main()
