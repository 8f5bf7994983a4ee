#!/usr/bin/env python3
"""The reference scenario through receive(): main flow, deliveries of suppliers, quality, downtime; every variant of it; any
order and any repetition; several senders at once; a second site.  PH_PERMUTATIONS sets how many orders are tried."""

import os
import random
import sys
import threading
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'lib'))
from cases import CASES, RULES  # noqa: E402
from hub import Hub, equal, finish, ok  # noqa: E402
from libpq import Connection, SQLError, quote  # noqa: E402
from outcomes import after_complaint, after_downtime, after_main, after_quality, after_supplier, figures_after_main  # noqa: E402
from scenario import Plant, State, load, receive, renamed, unbalanced, with_check_digit  # noqa: E402

MAIN = load('messages_main')
VARIANTS = load('messages_variants')
PERMUTATIONS = int(os.environ.get('PH_PERMUTATIONS', '25'))
SEED = int(os.environ.get('PH_SEED', '1'))
SENDERS = 4

hub = Hub('planthub.enabled = off', 'autovacuum = off', database='plant')
fired = {}          # code: topics of messages that fired it
applied = {}        # topic: sets of codes of messages of it that were applied


def connect(database):
    return Connection(f'host={os.environ["PGHOST"]} port={os.environ["PGPORT"]} user=postgres dbname={database}')


def copy_database(name):
    hub.sql(f'CREATE DATABASE {name} TEMPLATE plant', 'postgres')
    return connect(name)


def send(sql, message):
    """Sends, and notes which codes came of it."""
    answer = receive(sql, message)
    topic = message.get('type', '') if isinstance(message, dict) else ''
    for code in answer.codes:
        fired.setdefault(code, set()).add(topic)
    if answer.outcome.startswith('applied'):
        applied.setdefault(topic, []).append(answer.codes)
    return answer


def check(name, outcomes):
    for what, got, expected in outcomes:
        equal(got, expected, f'{name}: {what}')


# -- the flows ------------------------------------------------------------------------------------------------------------

base = connect('plant')
plant = Plant(base)
plant.configure()
plant.fill()
base.close()

main = copy_database('main')
for message in MAIN:
    answer = send(main, message)
    ok(answer.outcome == 'applied', f'main flow: {message["id"]} {message["type"].split(".", 1)[1]}', answer)
state_after_main = State(main)
check('main flow', after_main(state_after_main))
check('main flow', figures_after_main(main))
equal(unbalanced(main), [], 'main flow: every balance is the sum of its movements')

# Can delivery 80001234 ship, and what is missing?  Before, between and after.
ready = copy_database('ready')
readiness = "SELECT ready, missing FROM planthub.shipment_readiness WHERE site = 'PLANT-1' AND shipment = '80001234'"
story = []
for message in MAIN:
    send(ready, message)
    for row in ready.rows(readiness):
        if not story or story[-1] != row:
            story.append(row)
equal(story, [['f', 'FG-100: 90 C62 not packed for it'], ['f', 'FG-100: 57 C62 not packed for it'], ['t', None], ['f', 'has departed']],
      'readiness of the delivery, step by step')

asn = load('messages_asn')
for message in asn['messages']:
    answer = send(main, message)
    ok(answer.outcome == 'applied', f'supplier flow: {message["id"]}', answer)
check('supplier flow', after_supplier(main, State(main)))

quality = load('messages_quality')
for message in quality['preconditions']:
    ok(send(main, message).outcome == 'applied', f'quality flow: {message["id"]}')
for message in quality['messages']:
    answer = send(main, message)
    wanted = ('rejected', 'LOT_ON_HOLD') if message['id'] == 'mes-0201' else ('applied', None)
    equal((answer.outcome, answer.code), wanted, f'quality flow: {message["id"]}')
    if message['id'] == 'qms-0201':
        check('quality flow', after_complaint(main))
check('quality flow', after_quality(main, State(main)))
equal(unbalanced(main), [], 'all flows: every balance is the sum of its movements')

downtime = load('messages_downtime')
stops = {message['id']: message for message in downtime['messages']}
for number, order in enumerate(downtime['delivery_orders_to_test']):
    main.rows('BEGIN')
    for name in order:
        send(main, stops[name])
    check(f'downtime, order {number}', after_downtime(main))
    main.rows('ROLLBACK')

# -- variants -------------------------------------------------------------------------------------------------------------

def wants(expectation):
    return expectation['result'], expectation['code']


def run_variant(plant, variant):
    """In a transaction that is undone."""
    sql, name = plant.sql, variant['name']
    sql.rows('BEGIN')
    try:
        for policy, value in variant['policy'].items():
            plant.policy(policy, value)
        for kind, code, canonical in variant['extra_xref']:
            plant.xref('equipment', kind, code, canonical)
        for statement in variant.get('sql', []):
            sql.rows(statement.format(site=quote(plant.site)))
        before = State(sql, plant.site)
        for step in variant['steps']:
            answer = send(sql, step['send'])
            equal((answer.outcome, answer.code), wants(step['expect']), f'{name}: {answer.outcome}, {answer.code}') or print(f'#   {answer}')
        for pointer in variant.get('violations', []):
            ok(any(said.startswith(pointer) or pointer.startswith(said) and said for said in answer.pointers), f'{name}: {pointer} is blamed', answer)
        after = State(sql, plant.site)
        if variant.get('expect_effects') == 'none':
            lines = after.differences(before, 'parked', *variant.get('ignore', []))
            ok(not lines, f'{name}: nothing happened', *lines)
        if 'expect_after' in variant:
            lines = after.missing(variant['expect_after'])
            ok(not lines, f'{name}: in the end', *lines)
        lines = unbalanced(sql, plant.site)
        ok(not lines, f'{name}: balances are the sums of their movements', *lines)
    finally:
        sql.rows('ROLLBACK')


def run_variants(plant, names, prefix=''):
    """All of them, each where the main flow has come to its "given_main_through"; returns the names of those that ran."""
    waiting, ran = renamed(VARIANTS['inbound'] + CASES, names), []
    for message in [None, *renamed(MAIN, names)]:
        if message:
            receive(plant.sql, message)
        for variant in waiting:
            if variant['given_main_through'] == (message['id'] if message else 'none'):
                try:
                    run_variant(plant, {**variant, 'name': prefix + variant['name']})
                except SQLError as error:
                    ok(False, f'{prefix}{variant["name"]} runs', error)
                ran.append(variant['name'])
    return sorted(ran)


plant.sql = copy_database('staged')
named = sorted(variant['name'] for variant in VARIANTS['inbound'] + CASES)
equal(run_variants(plant, {}), named, f'all {len(VARIANTS["inbound"])} variants of the scenario and {len(CASES)} cases of our own ran')
equal(len(set(named)), len(named), 'and each has a name of its own')
ok(all(variant['steps'] and all(step['expect']['result'] for step in variant['steps']) for variant in VARIANTS['inbound'] + CASES),
   'and an expected result for each of its steps')

# -- any order, any repetition --------------------------------------------------------------------------------------------

def shuffled(chance):
    """The messages in any order, every third time some of them more than once."""
    messages = list(MAIN)
    if chance.random() < 1 / 3:
        messages += chance.choices(MAIN, k=chance.randint(1, 8))
    chance.shuffle(messages)
    return messages


def tolerant(database):
    """A database with the policies under which every order ends the same."""
    sql = copy_database(database)
    plant.sql = sql
    plant.policy('negative_stock', 'park')
    plant.policy('late_event_limit_h', '1000')
    return sql


sql = tolerant('permuted')
wrong = []
for number in range(PERMUTATIONS):
    messages = shuffled(random.Random(SEED + number))
    sql.rows('BEGIN')
    for message in messages:
        receive(sql, message)
    lines = State(sql).differences(state_after_main) + unbalanced(sql)
    if lines:
        wrong += [f'PH_SEED={SEED + number} PH_PERMUTATIONS=1: {" ".join(m["id"] for m in messages)}', *lines[:8]]
    sql.rows('ROLLBACK')
ok(not wrong, f'{PERMUTATIONS} random orders, a third with repeats, end in the same state', *wrong[:60])
sql.close()


# The other flows alone: what comes of them, in one order and in any.
for name, messages in (('supplier', asn['messages']), ('downtime', downtime['messages'])):
    sql, states = tolerant(f'any_{name}'), []
    for number in range(PERMUTATIONS + 1):
        order = list(messages)
        if number:
            order += random.Random(SEED + number).choices(messages, k=number % 3)
            random.Random(SEED + number).shuffle(order)
        sql.rows('BEGIN')
        for message in order:
            receive(sql, message)
        states.append((State(sql), order))
        sql.rows('ROLLBACK')
    wrong = [line for state, order in states[1:] if state.differences(states[0][0])
             for line in (' '.join(message['id'] for message in order), *state.differences(states[0][0]))]
    ok(not wrong, f'{name} flow: {PERMUTATIONS} random orders end in the same state', *wrong[:40])
    sql.close()


def sender(database, messages, failures):
    """One of several systems that send at once; what fails for a technical reason is sent again, as a client does."""
    sql = connect(database)
    for message in messages:
        for attempt in range(20):
            try:
                receive(sql, message)
                break
            except SQLError as error:
                if error.state not in ('40P01', '40001', '55P03'):
                    failures.append(f'{message["id"]}: {error}')
                    break
        else:
            failures.append(f'{message["id"]}: 20 times in vain')
    sql.close()


for number in range(3):
    sql, failures = tolerant(f'crowd{number}'), []
    messages = shuffled(random.Random(SEED + number)) + random.Random(number).choices(MAIN, k=6)
    # A warehouse orders its events by unit, not by the production order behind them.
    messages = [{**m, 'partitionkey': f'hu:{m["data"]["sscc"]}'} if m['type'].startswith('planthub.handling_unit.packed') else m for m in messages]
    threads = [threading.Thread(target=sender, args=(f'crowd{number}', messages[n::SENDERS], failures)) for n in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ok(not failures, f'{SENDERS} senders at once, round {number}: nothing is raised', *failures)
    lines = State(sql).differences(state_after_main) + unbalanced(sql)
    ok(not lines, f'{SENDERS} senders at once, round {number}: the same state', *lines)
    sql.close()

# -- a second site ----------------------------------------------------------------------------------------------------------

def clone_names():
    """Other identifiers for everything of the plant; whoever has the first plant can have this one."""
    master = load('master_data')
    names = {'PLANT-1': 'PLANT-2', '1000123': '2000123', '80001234': '90001234', 'PK-501': 'PK-901', 'MV-88': 'MV-99', 'MO-000777': 'MO-2777'}
    names.update({thing['id']: f'{thing["id"]}-B' for thing in master['equipment'] if thing['level'] != 'Site'})
    names.update({item['id']: f'{item["id"]}-B' for item in master['items']})
    names.update({lot['lot']: f'{lot["lot"]}-B' for lot in master['lots']})
    names.update({lot: f'{lot}-B' for lot in ('F-1001', 'F-1002')})
    names.update({code: f'{code}-b' for code in Plant.SYSTEMS})
    names.update({source: f'{source}:b' for _, source in Plant.SYSTEMS.values()})
    names.update({f'mes-conf-{n}': f'mes2-conf-{n}' for n in range(9001, 9007)})
    names.update({f'04012345000000{n}': with_check_digit(f'04012345000007{n[:3]}') for n in ('1013', '1020', '1037', '1099')})
    names.update({item['gtin']: with_check_digit('1' + item['gtin'][1:13]) for item in master['items'] if 'gtin' in item})
    names.update({party['id']: f'{party["id"]}-B' for party in master['parties']})
    return names


names = clone_names()
objects = "SELECT count(*) FROM pg_depend WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'"
before = State(main), main.value(objects)
other = Plant(main, names)
other.configure()
other.fill()
for message in renamed(MAIN, names):
    answer = send(main, message)
    ok(answer.outcome == 'applied', f'second site: {message["id"]}', answer)
check('second site', after_main(State(main, 'PLANT-2'), names))
lines = State(main).differences(before[0])
ok(not lines, 'second site: the first has not changed', *lines)
equal(main.value(objects), before[1], 'second site: rows of configuration only')
other.sql = copy_database('staged_other')
other.configure()
other.fill()
equal(run_variants(other, names, 'second site, '), named, 'all of them ran at the second site too')

# -- rules ----------------------------------------------------------------------------------------------------------------

shipped = {code for (code,) in main.rows('SELECT code FROM planthub.rule WHERE builtin')}
equal((len(set(RULES)), [code for code in RULES if code not in shipped]), (57, []), 'all 57 rules are there')
for code in sorted({*RULES, *fired}):
    topics = fired.get(code, set())
    ok(topics and code in shipped, f'{code}: some message fires it')
    ok(any(code not in codes for topic in topics for codes in applied.get(topic, [])), f'{code}: a message of the same kind does not')
finish()
