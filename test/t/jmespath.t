#!/usr/bin/env python3
"""Expressions against what nobody here wrote: the compliance suites of JMESPath, original and Community, and random
expressions beside Debian's python3-jmespath.  Prints TAP."""

import json
import os
import random
import sys
from decimal import Decimal
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'lib'))
from hub import ROOT, Hub, finish, ok  # noqa: E402

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

def read(text):
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def answers(hub, cases):
    """For each (expression, document) what it gives: {'result': ...} or {'error': class, 'message': ...}."""
    def field(text):
        return text.replace('\\', '\\\\').replace('\t', '\\t').replace('\n', '\\n').replace('\r', '\\r')
    lines = [f'{i}\t{field(expression)}\t{field(json.dumps(document))}\n'
             for i, (expression, document) in enumerate(cases)]
    output = hub.sql('TRUNCATE cases; COPY cases FROM STDIN;\n' + ''.join(lines) + '\\.\n'
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


def run_suite(hub, suite):
    if not (SUITES / suite).is_dir():
        ok(True, f'suite {suite} # SKIP ../shared/suites/{suite} is not there')
        return
    cases = list(suite_cases(suite))
    given_answers = answers(hub, [(case['expression'], given) for _, given, case in cases])
    unused = {key for key in EXCEPTIONS if key[0] == suite}
    faults = []
    for (file, _, case), answer in zip(cases, given_answers):
        fault = wrong(case, answer)
        excuse = {(suite, file, case['expression']), (suite, file, None)} & EXCEPTIONS.keys()
        if fault and excuse:
            unused -= excuse
            print(f'# exception: {file}: {case["expression"]!r}: {EXCEPTIONS[excuse.pop()]}')
        elif fault:
            faults.append(f'{file}: {case["expression"]!r} {fault}')
    faults += [f'exception {key} is not needed' for key in unused]
    ok(not faults, f'suite {suite}, {len(cases)} cases', *faults[:20])


class Random:
    """Random documents, and expressions that make sense for them often enough."""

    NAMES = ['a', 'b', 'c', 'n', 'dd']      # members are made in the order of jsonb, so "*" has the same order in both

    def __init__(self, seed):
        self.random = random.Random(seed)

    def one(self, *choices):
        return self.random.choice(choices)

    def document(self, depth=4):
        kind = self.random.random()
        if depth == 0 or kind < 0.3:
            # 0 and 1 are left out: Python takes them for False and True when lists are compared.
            return self.one(2, 3, -7, 40, 'x', 'yy', '', '12', None, True, False, 123456789012345678)
        if kind < 0.65:
            return {name: self.document(depth - 1) for name in self.NAMES if self.random.random() < 0.7}
        return [self.document(depth - 1) for _ in range(self.random.randrange(4))]

    def literal(self):
        return self.one("'x'", "'yy'", '`2`', '`-7`', '`"12"`', '`[]`', '`[2, 3]`', '`{"a": 2}`', '`null`', '`true`', '`false`')

    def number(self):
        return str(self.random.randrange(-3, 4))

    def slice(self):
        return '[' + ':'.join([self.one('', self.number()), self.one('', self.number())]) + self.one('', ':2', ':-1', ':-2') + ']'

    def path(self, depth):
        text = self.one('@', *self.NAMES, *self.NAMES)
        for _ in range(self.random.randrange(4)):
            text += self.one('.' + self.one(*self.NAMES), '.*', '[*]', '[]', f'[{self.number()}]', self.slice(), '[?', '.')
            if text.endswith('?'):
                text += self.expression(depth - 1) + ']'
            elif text.endswith('.'):
                text += self.select(depth - 1)
        return text

    def select(self, depth):
        if depth <= 0:
            return '[@]'
        if self.random.random() < 0.5:
            return '[' + ', '.join(self.expression(depth - 1) for _ in range(self.random.randrange(1, 3))) + ']'
        return '{' + ', '.join(f'{name}: {self.expression(depth - 1)}' for name in ('a', 'n')) + '}'

    def call(self, depth):
        def sub():
            return self.expression(depth - 1)
        name = self.one('abs', 'ceil', 'floor', 'sum', 'length', 'keys', 'values', 'reverse', 'to_array', 'to_string', 'type',
                        'max', 'min', 'sort', 'not_null', 'contains', 'starts_with', 'ends_with', 'join', 'map', 'sort_by',
                        'max_by', 'min_by', 'to_number')
        if name in ('contains', 'starts_with', 'ends_with', 'join', 'not_null'):
            return f'{name}({sub()}, {sub()})'
        if name == 'map':
            return f'map(&{sub()}, {sub()})'
        if name.endswith('_by'):
            return f'{name}({sub()}, &{sub()})'
        return f'{name}({sub()})'

    def expression(self, depth=3):
        kind = self.random.random()
        if depth <= 0 or kind < 0.4:
            return self.path(depth) if kind < 0.35 else self.literal()
        if kind < 0.6:
            return self.call(depth)
        if kind < 0.7:
            return self.select(depth)
        if kind < 0.8:
            return self.one('!', '') + f'({self.expression(depth - 1)})'
        operator = self.one(' | ', ' || ', ' && ', ' == ', ' != ', ' < ', ' <= ', ' > ', ' >= ')
        return self.expression(depth - 1) + operator + self.expression(depth - 1)


def reference():
    """python3-jmespath, taught what the Community edition does otherwise; None when it is not installed."""
    try:
        from jmespath import ast, exceptions, parser, visitor
    except ImportError:
        return None

    class Parser(parser.Parser):
        def _token_led_dot(self, left):         # everything behind a.* is for each, as behind * and a[*]
            if self._current_token() != 'star':
                return super()._token_led_dot(left)
            self._advance()
            return ast.value_projection(left, self._parse_projection_rhs(self.BINDING_POWER['star']))

        def _token_led_lbracket(self, left):    # a slice behind an index is a projection like every other
            if left['type'] == 'index_expression':
                left = {'type': 'subexpression', 'children': [left]}
            return super()._token_led_lbracket(left)

    class Community(visitor.TreeInterpreter):
        def visit_subexpression(self, node, value):     # stops at null
            for child in node['children']:
                if value is None:
                    return None
                value = self.visit(child, value)
            return value

        def visit_multi_select_list(self, node, value):     # of null too
            return [self.visit(child, value) for child in node['children']]

        def visit_multi_select_dict(self, node, value):
            return {child['value']: self.visit(child, value) for child in node['children']}

        def visit_comparator(self, node, value):        # only numbers have an order
            sides = [self.visit(child, value) for child in node['children']]
            if node['value'] not in ('eq', 'ne') and any(isinstance(side, str) for side in sides):
                return None
            return super().visit_comparator(node, value)

        def visit_slice(self, node, value):     # strings have slices
            return value[slice(*node['children'])] if isinstance(value, (list, str)) else None

        def visit_projection(self, node, value):
            left = node['children'][0]
            if left['type'] == 'index_expression' and left['children'][-1]['type'] == 'slice':
                base = self.visit(left, value)
                if isinstance(base, str):
                    return self.visit(node['children'][1], base)
            return super().visit_projection(node, value)

    classes = ((exceptions.ArityError, 'invalid-arity'), (exceptions.UnknownFunctionError, 'unknown-function'),
               (exceptions.JMESPathTypeError, 'invalid-type'), (exceptions.ParseError, 'syntax'),
               (exceptions.LexerError, 'syntax'))

    def answer(expression, document):
        try:
            return {'result': Community().visit(Parser().parse(expression).parsed, document)}
        except exceptions.JMESPathError as error:
            return {'error': next(name for kind, name in classes if isinstance(error, kind))}
        except (TypeError, AttributeError):
            return None         # a mistake of its own
    return answer


def run_fuzz(hub):
    answer = reference()
    if answer is None:
        ok(True, 'random expressions # SKIP python3-jmespath is not installed')
        return
    make = Random(SEED)
    cases = [(make.expression(), make.document()) for _ in range(ROUNDS)]
    faults, errors, compared = [], 0, 0
    for (expression, document), got in zip(cases, answers(hub, cases)):
        want = answer(expression, document)
        if want is None:
            continue
        compared += 1
        errors += 'error' in want
        if got.get('error') != want.get('error') or ('result' in want and got['result'] != want['result']):
            faults.append(f'{expression}   with {json.dumps(document)}: {got}, python3-jmespath: {want}')
    print(f'# seed {SEED}: {compared} of {ROUNDS} compared, {errors} of them errors')
    ok(not faults, 'random expressions beside python3-jmespath', *faults[:20])
    ok(compared > ROUNDS * 0.9 and errors < ROUNDS * 0.6, 'enough of them could be compared')


def main():
    hub = Hub('planthub.enabled = off')
    hub.sql(TRY)
    for suite in ('jmespath', 'jmespath-community'):
        run_suite(hub, suite)
    run_fuzz(hub)
    finish()


main()
