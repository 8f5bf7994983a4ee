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
        lines = ['\t'.join(json.dumps(value).replace('\\', '\\\\') for value in row) for row in rows]
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
        other = re_other(draft)
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


def re_other(draft):
    """Folders of remotes for other drafts."""
    return {'draft3', 'draft4', 'draft6', 'draft7', 'draft2019-09', 'draft2020-12', 'v1'} - {draft}


def main():
    db = Cluster()
    try:
        db.sql(HELPERS)
        suite(db)
    finally:
        db.stop()
    print(f'1..{tests}')


main()
