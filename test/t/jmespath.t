#!/usr/bin/env python3
"""Expressions against what nobody here wrote: the compliance suites of JMESPath, original and Community, and random
expressions beside Debian's python3-jmespath.  Prints TAP."""

import json
import os
import random
import subprocess
import sys
import tempfile
from decimal import Decimal
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SUITES = ROOT.parent / 'shared/suites'
ROUNDS = int(os.environ.get('PH_FUZZ_ROUNDS', '4000'))
SEED = int(os.environ.get('PH_FUZZ_SEED', '1'))

# Cases that we answer differently on purpose: (suite, file, expression) -> why.  An expression of None: any of the file.
EXCEPTIONS = {
    ('jmespath', 'literal.json', r"'\\'"): 'in a raw string two backslashes are one (Community rule)',
    ('jmespath-community', 'legacy/legacy-literal.json', None):
        'literals are JSON (JEP-12); text that is none is not taken for a string',
}

TRY = '''
CREATE TABLE cases (id int, expression text, document jsonb);
CREATE FUNCTION try(expression text, document jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    class text;
BEGIN
    RETURN jsonb_build_object('result', planthub.jmespath(expression, document));
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS class = PG_EXCEPTION_DETAIL;
    RETURN jsonb_build_object('error', class, 'message', SQLERRM);
END $$;
'''

tests = 0


def check(name, faults):
    global tests
    tests += 1
    print(f'{"not " if faults else ""}ok {tests} - {name}')
    for fault in faults[:20]:
        print(f'#   {fault}')
    sys.stdout.flush()


def read(text):
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


class Server:
    """A private cluster; cluster.sh knows how."""

    def __enter__(self):
        self.folder = tempfile.mkdtemp()
        os.chmod(self.folder, 0o755)
        self.shell('ph_server "$1" && ph_cluster "$1/cluster" "planthub.enabled = off" "fsync = off"')
        self.env = dict(os.environ, PGHOST=f'{self.folder}/cluster', PGPORT='5432', PGUSER='postgres')
        self.sql('CREATE EXTENSION planthub;' + TRY)
        return self

    def __exit__(self, *_):
        self.shell('ph_stop "$1/cluster" immediate; rm -rf "$1"')

    def shell(self, script):
        subprocess.run(['bash', '-ec', f'. test/lib/cluster.sh; {script}', 'shell', self.folder], cwd=ROOT, check=True,
                       env=dict(os.environ, PGPORT='5432'))

    def sql(self, script):
        done = subprocess.run(['psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', 'postgres'], input=script, env=self.env,
                              text=True, capture_output=True)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout

    def answers(self, cases):
        """For each (expression, document) what it gives: {'result': ...} or {'error': class, 'message': ...}."""
        def field(text):
            return text.replace('\\', '\\\\').replace('\t', '\\t').replace('\n', '\\n').replace('\r', '\\r')
        lines = [f'{i}\t{field(expression)}\t{field(json.dumps(document))}\n'
                 for i, (expression, document) in enumerate(cases)]
        output = self.sql('TRUNCATE cases; COPY cases FROM STDIN;\n' + ''.join(lines) + '\\.\n'
                          'SELECT try(expression, document) FROM cases ORDER BY id;')
        return [read(line) for line in output.splitlines()]


def suite_cases(suite):
    folder = SUITES / suite / 'tests'
    for path in sorted(folder.glob('**/*.json')):
        for group in json.loads(path.read_text()):
            for case in group['cases']:
                if 'bench' not in case:
                    yield str(path.relative_to(folder)), group['given'], case


def unordered(value):
    return sorted(value, key=repr) if isinstance(value, list) else value


def wrong(case, answer):
    """What is wrong with an answer; None when it is right.  Objects have no order here, so neither has what is made of one."""
    if 'error' in case:
        return None if answer.get('error') == case['error'] else f'gives {answer}, not the error {case["error"]}'
    if 'error' in answer:
        return f'fails: {answer}'
    want, got = read(json.dumps(case['result'])), answer['result']
    if got == want or ('*' in case['expression'] and unordered(got) == unordered(want)):
        return None
    # The suite's quotients are doubles.
    if isinstance(want, Decimal) and isinstance(got, Decimal) and abs(got - want) < Decimal('1e-15'):
        return None
    return f'gives {got}, not {want}'


def run_suite(server, suite):
    if not (SUITES / suite).is_dir():
        check(f'suite {suite} # SKIP ../shared/suites/{suite} is not there', [])
        return
    cases = list(suite_cases(suite))
    answers = server.answers([(case['expression'], given) for _, given, case in cases])
    unused = {key for key in EXCEPTIONS if key[0] == suite}
    faults = []
    for (file, _, case), answer in zip(cases, answers):
        fault = wrong(case, answer)
        excuse = {(suite, file, case['expression']), (suite, file, None)} & EXCEPTIONS.keys()
        if fault and excuse:
            unused -= excuse
            print(f'# exception: {file}: {case["expression"]!r}: {EXCEPTIONS[excuse.pop()]}')
        elif fault:
            faults.append(f'{file}: {case["expression"]!r} {fault}')
    faults += [f'exception {key} is not needed' for key in unused]
    check(f'suite {suite}, {len(cases)} cases', faults)


def main():
    with Server() as server:
        for suite in ('jmespath', 'jmespath-community'):
            run_suite(server, suite)
    print(f'1..{tests}')


main()
