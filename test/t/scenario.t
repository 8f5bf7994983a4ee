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
from scenario import Plant, State, load, plain, receive, renamed, unbalanced, with_check_digit  # noqa: E402

MAIN = load('messages_main')
EXPECTED = load('expected_results')
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


def flat(state):
    """The part of a state that expected_results.json tells about, in its words."""
    units = {}
    for key, qty in state.handling_units.items():
        sscc, status, _, item, lot = key.split('|')
        unit = units.setdefault(sscc, {'contents': {}, 'status': 'shipped' if status == 'shipped' else 'in_stock'})
        unit['contents'][lot] = qty
    return units


def check_main(state, name, names=None):
    """The end of the main flow, part by part."""
    expected = renamed(EXPECTED, names or {})
    stock = {'|'.join((row['location'], row['item'], row['lot'] or 'None')): plain(row['qty']) for row in expected['stock_after_main']}
    equal(state.stock, {key: qty for key, qty in stock.items() if qty != '0'}, f'{name}: stock')
    equal(sorted(state.edges), sorted('|'.join((e['from_item'], e['from_lot'], e['to_item'], e['to_lot'], plain(e['qty']), e['uom'],
                                                e['order'], e['operation'])) for e in expected['genealogy_edges']), f'{name}: edges')
    equal(flat(state), {unit['sscc']: {'contents': unit['contents'], 'status': unit['status']}
                        for unit in expected['handling_units_after_main']}, f'{name}: handling units')
    order = expected['order_1000123']
    number = (names or {}).get('1000123', '1000123')
    totals = {f'{number}|{operation}|{kind}': qty for kind in ('yield', 'scrap')
              for operation, qty in order[f'{kind}_by_operation'].items() if qty != '0'}
    totals[f'{number}|0020|rework'] = order['rework']
    equal(state.operations, totals, f'{name}: totals of the order')
    equal(state.order_states, [f'{number}|{order["status_after_erp-0003"]}'], f'{name}: state of the order')
    equal(state.parked, [], f'{name}: nothing is parked')


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
after_main = State(main)
check_main(after_main, 'main flow')
equal(unbalanced(main), [], 'main flow: every balance is the sum of its movements')

equal(main.rows('''SELECT item, trim_scale(planned), trim_scale(actual), trim_scale(standard_for_yield), trim_scale(usage_variance_vs_yield)
                   FROM planthub.order_variance WHERE site = 'PLANT-1' AND order_no = '1000123' ORDER BY item'''),
      sorted([row['item'], row['planned'], row['actual'], row['standard_for_yield'], row['usage_variance_vs_yield']]
             for row in EXPECTED['order_variance']), 'main flow: variances')
equal(main.rows('''SELECT lot, trim_scale(came_in), trim_scale(consumed), trim_scale(on_hand), trim_scale(unexplained)
                   FROM planthub.lot_balance WHERE site = 'PLANT-1' AND lot IN ('H-2201', 'H-2202', 'S-77', 'G-5') ORDER BY lot'''),
      sorted([row['lot'], row['opening'], row['consumed'], row['on_hand'], row['unexplained']] for row in EXPECTED['lot_mass_balance']),
      'main flow: mass balance of the lots')

# What other systems need beyond the events themselves, the hub publishes by itself.
equal(main.rows('SELECT topic, count(*) FROM planthub.message WHERE source IS NULL GROUP BY topic ORDER BY topic'),
      [['goods.received_from_production', str(EXPECTED['expected_outbox_counts']['to_erp_goods_receipt'])],
       ['pick.requested', str(EXPECTED['expected_outbox_counts']['to_wms_pick_request'])]], 'main flow: what the hub publishes by itself')

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
state = State(main)
equal({key: qty for key, qty in state.stock.items() if '|S-78' in key}, {'RM-WH|RM-SEAL|S-78': '975'}, 'supplier flow: stock')
equal(main.value("SELECT state FROM planthub.asn_status WHERE site = 'PLANT-1' AND asn = 'ASN-5501'"), asn['expected']['asn_status'],
      'supplier flow: the notice is closed')
equal(main.rows("SELECT trim_scale(missing_qty), reason FROM planthub.receipt_discrepancy WHERE site = 'PLANT-1'"),
      [[asn['expected']['supplier_discrepancy'], 'WATER_DAMAGE']], 'supplier flow: the discrepancy is known')
equal(main.rows("SELECT kind, trim_scale(base_qty), from_status, to_status FROM planthub.movement WHERE site = 'PLANT-1' AND lot = 'S-78' ORDER BY message_id, line"),
      [['receipt_from_supplier', '500', None, 'quality'], ['receipt_from_supplier', '480', None, 'quality'],
       ['status_change', '975', 'quality', 'unrestricted'], ['sample', '5', 'quality', None]], 'supplier flow: movements')
equal(main.rows("SELECT data #>> '{item}', data #>> '{qty_delta,value}' FROM planthub.message WHERE topic = 'material.availability_changed' "
                "AND data ->> 'lot' = 'S-78'"), [['RM-SEAL', '975']], 'supplier flow: the MES is told')
equal(main.rows("SELECT kind, from_lot, to_lot, trim_scale(qty) FROM planthub.genealogy_edge WHERE site = 'PLANT-1' AND kind = 'supplier' AND to_lot = 'S-78' ORDER BY qty"),
      [['supplier', 'SB-9931', 'S-78', '480'], ['supplier', 'SB-9931', 'S-78', '500']], 'supplier flow: the lot of the supplier is linked')

quality = load('messages_quality')
for message in quality['preconditions']:
    ok(send(main, message).outcome == 'applied', f'quality flow: {message["id"]}')
for message in quality['messages']:
    answer = send(main, message)
    wanted = ('rejected', 'LOT_ON_HOLD') if message['id'] == 'mes-0201' else ('applied', None)
    equal((answer.outcome, answer.code), wanted, f'quality flow: {message["id"]}')
    if message['id'] == 'qms-0201':
        held = dict(main.rows("SELECT lot, trim_scale(sum(on_hand_qty)) FROM planthub.hold_status WHERE site = 'PLANT-1' AND released_at IS NULL GROUP BY lot"))
        equal({lot: qty for lot, qty in held.items() if qty != '0'}, {'S-77': '296', 'F-1002': '8'}, 'quality flow: what is held, with descendants')
        equal(main.rows("SELECT shipment, customer, lot, trim_scale(qty) FROM planthub.nonconformance_shipped WHERE site = 'PLANT-1' AND ncr = 'NCR-2044' ORDER BY lot"),
              [['80001234', 'CUST-9', 'F-1001', '57'], ['80001234', 'CUST-9', 'F-1002', '33']], 'quality flow: who has it')
equal(State(main).holds_open, [], 'quality flow: nothing is held at the end')
equal(main.rows("SELECT location, status, trim_scale(qty) FROM planthub.inventory_balance WHERE site = 'PLANT-1' AND lot = 'S-77' AND qty <> 0 ORDER BY 1"),
      [['PSA-LINE-1', 'unrestricted', '10'], ['RM-WH', 'unrestricted', '186']], 'quality flow: 196 of 296 are left')
equal(main.rows("SELECT system, document FROM planthub.hold_acknowledgement WHERE site = 'PLANT-1' ORDER BY system"),
      [['sap-prd', '4900005555'], ['wms-eu', 'HLD-1']], 'quality flow: ERP and WMS have really blocked')
equal(unbalanced(main), [], 'all flows: every balance is the sum of its movements')

downtime = load('messages_downtime')
stops = {message['id']: message for message in downtime['messages']}
for number, order in enumerate(downtime['delivery_orders_to_test']):
    main.rows('BEGIN')
    for name in order:
        send(main, stops[name])
    expected = downtime['expected']['downtime']
    equal(main.rows("SELECT downtime_no, equipment, trim_scale(minutes), reason, order_no, maintenance_order "
                   "FROM planthub.downtime_event WHERE site = 'PLANT-1'"),
          [[expected['id'], expected['equipment'], expected['minutes'], expected['reason'], expected['order'], expected['maintenance_order']]],
          f'downtime, order {number}: one row')
    equal(main.rows("SELECT unnest(reasons) FROM planthub.downtime_event WHERE site = 'PLANT-1' AND downtime_no = 'DT-51'"),
          [[reason] for reason in expected['reason_history']], f'downtime, order {number}: reasons in history')
    equal(main.rows("SELECT state, to_char(lower(valid) AT TIME ZONE 'Europe/Berlin', 'HH24:MI:SS'), to_char(upper(valid) AT TIME ZONE 'Europe/Berlin', 'HH24:MI:SS') "
                   "FROM planthub.equipment_state WHERE site = 'PLANT-1' AND equipment = 'WC-TST1' ORDER BY valid"),
          [['running', None, '10:12:03'], ['down', '10:12:03', '10:47:03'], ['running', '10:47:03', None]],
          f'downtime, order {number}: states without gap')
    equal(main.rows("SELECT topic, data ->> 'equipment', (data ->> 'from')::timestamptz AT TIME ZONE 'Europe/Berlin' FROM planthub.message "
                   "WHERE topic LIKE 'capacity.%' ORDER BY topic"),
          [['capacity.reduced', 'WC-TST1', '2026-01-15 10:12:03'], ['capacity.restored', 'WC-TST1', '2026-01-15 10:47:03']],
          f'downtime, order {number}: planning is told')
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
    """All of them, each where the main flow has come to its "given_main_through"."""
    waiting = renamed(VARIANTS['inbound'] + CASES, names)
    for message in [None, *renamed(MAIN, names)]:
        if message:
            receive(plant.sql, message)
        for variant in waiting:
            if variant['given_main_through'] == (message['id'] if message else 'none'):
                try:
                    run_variant(plant, {**variant, 'name': prefix + variant['name']})
                except SQLError as error:
                    ok(False, f'{prefix}{variant["name"]} runs', error)


plant.sql = copy_database('staged')
run_variants(plant, {})

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
    lines = State(sql).differences(after_main) + unbalanced(sql)
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
    lines = State(sql).differences(after_main) + unbalanced(sql)
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
check_main(State(main, 'PLANT-2'), 'second site', names)
lines = State(main).differences(before[0])
ok(not lines, 'second site: the first has not changed', *lines)
equal(main.value(objects), before[1], 'second site: rows of configuration only')
other.sql = copy_database('staged_other')
other.configure()
other.fill()
run_variants(other, names, 'second site, ')

# -- rules ----------------------------------------------------------------------------------------------------------------

shipped = {code for (code,) in main.rows('SELECT code FROM planthub.rule WHERE builtin')}
equal([code for code in RULES if code not in shipped], [], 'all 57 rules are there')
for code in sorted({*RULES, *fired}):
    topics = fired.get(code, set())
    ok(topics and code in shipped, f'{code}: some message fires it')
    ok(any(code not in codes for topic in topics for codes in applied.get(topic, [])), f'{code}: a message of the same kind does not')
finish()
