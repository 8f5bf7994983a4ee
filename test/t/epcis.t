#!/usr/bin/env python3
"""EPCIS documents of a partner through receive(): the scenario as a partner renders it, and what must come of it; what is
refused, what waits, and what an error declaration takes back."""

import copy
import os
import sys
import threading
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'lib'))
from hub import Hub, equal, finish, ok  # noqa: E402
from libpq import Connection, quote  # noqa: E402
from scenario import Plant, load, plain, receive  # noqa: E402

FLOW, WRONG, HALVES, ERROR = (load(f'epcis_{name}') for name in ('main_flow', 'wrong', 'transformation_in_two_events', 'error_declaration'))
EXPECTED = load('epcis_expected')
LOT = 'urn:epc:class:lgtin:4012345.001234.'
ITEMS = ('RM-HOUSING', 'RM-GREASE')     # have no GTIN
sent = 0
lock = threading.Lock()

hub = Hub('planthub.enabled = off', 'autovacuum = off', database='plant')


def connect(database):
    return Connection(f'host={os.environ["PGHOST"]} port={os.environ["PGPORT"]} user=postgres dbname={database}')


def copy_database(name):
    hub.sql(f'CREATE DATABASE {name} TEMPLATE plant', 'postgres')
    return connect(name)


def xref(sql, set_, code, value):
    sql.rows(f"SELECT planthub.set_xref({quote(set_)}, {quote(code)}, to_jsonb({quote(value)}::text), scope => 'PLANT-1')")


def capture(sql, document):
    global sent
    with lock:
        sent += 1
        number = sent
    return receive(sql, {
        'specversion': '1.0', 'id': f'capture-{number}', 'source': 'urn:sys:supplier:sup-7', 'type': 'planthub.epcis.captured.v1',
        'time': document['creationDate'], 'recordedtime': document['creationDate'], 'datacontenttype': 'application/json',
        'dataschema': 'urn:planthub:schema:epcis.captured:1', 'partitionkey': f'epc-{number}', 'correlationid': 'epc', 'data': document})


def document(*events):
    return {**FLOW, 'epcisBody': {'eventList': list(events)}}


def event(template, event_id, **changes):
    return {**copy.deepcopy(template), 'eventID': event_id, **changes}


def edges(sql, standing=True):
    return sorted(tuple(row) for row in sql.rows(
        'SELECT from_item, from_lot, to_item, to_lot, trim_scale(qty), uom, kind, order_no, operation FROM planthub.genealogy_edge'
        f" WHERE reversed_by IS {'' if standing else 'NOT '}NULL"))


def expected_edges(lot=None):
    return sorted((e['from_item'], e['from_lot'], e['to_item'], e['to_lot'], plain(e['qty']), e['uom'], e['type'], e['order'], e['operation'])
                  for e in EXPECTED['main_flow.json']['edges'] if lot in (None, e['to_lot']))


def units(sql):
    return {sscc: (state, {lot: plain(qty)}) for sscc, state, lot, qty in
            sql.rows('SELECT sscc, state, lot, qty FROM planthub.handling_unit_contents')}


def status(sql, item, lot):
    found = sql.rows(f'SELECT status FROM planthub.epcis_lot_status WHERE item = {quote(item)} AND lot = {quote(lot)}')
    return found[0][0] if found else None


def facts(sql):
    return [sql.rows(f'SELECT count(*) FROM planthub.{table}')[0][0]
            for table in ('epcis_event', 'epcis_line', 'edge', 'handling_unit', 'handling_unit_change', 'reversal', 'serial_event', 'lot')]


base = connect('plant')
plant = Plant(base)
plant.configure()
plant.fill()
release = next(m for m in load('messages_main') if m['type'] == 'planthub.production_order.released.v1')
equal(receive(base, release).outcome, 'applied', 'the order is released')
for code, place in (('FGWH', 'FG-WH'), ('RMWH', 'RM-WH'), ('ASM1', 'WC-ASM1'), ('0', 'PLANT-1'), ('GONE', 'GONE')):
    xref(base, 'equipment', f'urn:epc:id:sgln:4012345.00001.{code}', place)
base.close()

# -- what the cross-reference does not know is waited for, then the whole flow takes effect ----------------------------------

main = copy_database('main')
before = facts(main)
answer = capture(main, FLOW)
equal((answer.outcome, answer.code, answer.pointers[0]), ('parked', 'MAPPING_MISSING', '/data/epcisBody/eventList/0/inputQuantityList/0/epcClass'),
      'an item without GTIN that the cross-reference does not know is waited for')
equal(facts(main), before, 'a document that waits has written nothing')
for item in ITEMS:
    xref(main, 'item', f'https://id.example-hub.test/lot/{item}', item)
equal(main.rows(f'SELECT outcome, code FROM planthub.inbox WHERE id = {answer.message_id}'), [['applied', None]], 'its entry releases the document')
equal(edges(main), expected_edges(), 'edges are those of the confirmations')
held = units(main)
for sscc, after in EXPECTED['main_flow.json']['hu_after'].items():
    if isinstance(after, str):
        equal(held[sscc][0], after, f'handling unit {sscc}')
    else:
        equal(held[sscc], ('open', after), f'handling unit {sscc}')
equal(status(main, 'RM-SEAL', 'S-77'), 'unrestricted', 'the persistent disposition of a lot was lifted again')
again = facts(main)
equal(capture(main, FLOW).code, 'DUPLICATE_IGNORED', 'events that are known are left alone, whatever document they come in')
equal(facts(main), again, 'and write nothing')

# -- an error declaration takes back --------------------------------------------------------------------------------------

net = '''SELECT trim_scale(sum(qty)) FROM planthub.epcis_observation WHERE disposition = 'non_conformant' AND biz_step = 'inspecting'
         AND lot = 'F-1001' AND reversed_by IS NULL'''
equal(main.rows(net), [['1']], 'one piece is not conformant')
equal(capture(main, ERROR).outcome, 'applied', 'an error declaration and the corrective event')
equal(main.rows(net), [[EXPECTED['error_declaration.json']['net_non_conformant_units']]], 'the corrective event replaces it')
equal(main.rows('SELECT event_id FROM planthub.epcis_observation WHERE reversed_by IS NOT NULL'), [[ERROR['epcisBody']['eventList'][0]['eventID']]],
      'the event stays visible as reversed')
flow = FLOW['epcisBody']['eventList']


def declared(template):
    return event(template, template['eventID'], errorDeclaration={'declarationTime': '2026-01-20T10:00:00+01:00', 'reason': 'did_not_occur'})


equal(capture(main, document(declared(flow[0]))).code, 'REVERSAL_BLOCKED', 'an output that is packed stays')
equal(capture(main, document(declared(flow[6]))).code, 'REVERSAL_BLOCKED', 'a unit that has left stays packed')
answer = capture(main, document(*(declared(e) for e in (flow[8], flow[6], flow[5]))))
equal(answer.outcome, 'applied', 'from the leaf it can be taken back: shipping, packing, unpacking')
equal(units(main), {'040123450000001013': ('open', {'F-1001': '57'}), '040123450000001020': ('open', {'F-1002': '41'})}, 'and the units are as before')
equal(capture(main, document(declared(flow[3]), declared(flow[0]))).outcome, 'applied', 'then the packing and the transformation')
equal(edges(main), expected_edges('F-1002'), 'edges of what was taken back do not stand')
equal(len(edges(main, False)), 3, 'and stay visible')
equal(capture(main, document(declared(event(flow[0], 'urn:uuid:nobody')))).code, 'REVERSAL_TARGET_UNKNOWN', 'an event that is not known is waited for')
equal(capture(main, document(event(flow[9], flow[9]['eventID'], disposition='damaged'))).code, 'DUPLICATE_CONFLICT', 'one eventID has one content')

# -- persistent disposition -----------------------------------------------------------------------------------------------

holding = event(flow[9], 'urn:uuid:hold', eventTime='2026-01-20T09:30:00+01:00', quantityList=[{'epcClass': 'https://id.gs1.org/01/04012345007770/10/S-77', 'quantity': 1}])
equal(capture(main, document(holding)).outcome, 'applied', 'a lot named by a Digital Link')
equal(status(main, 'RM-SEAL', 'S-77'), 'blocked', 'is blocked')
late = event(flow[10], 'urn:uuid:late', eventTime='2026-01-20T09:10:00+01:00')
equal(capture(main, document(late)).outcome, 'applied', 'an earlier event that comes late')
equal(status(main, 'RM-SEAL', 'S-77'), 'blocked', 'does not change the status')
equal(capture(main, document(declared(holding))).outcome, 'applied', 'when the block is taken back')
equal(status(main, 'RM-SEAL', 'S-77'), 'unrestricted', 'the event before it holds')

equal(capture(main, document(*(declared(e) for e in (late, flow[10], flow[9])))).outcome, 'applied', 'when all of them are taken back')
equal([status(main, 'RM-SEAL', 'S-77'), status(main, 'FG-100', 'F-1002')], [None] * 2, 'partners say nothing of the lots')

# -- a transformation in two events ----------------------------------------------------------------------------------------

halves = copy_database('halves')
output, inputs = HALVES['epcisBody']['eventList']
grease = event(inputs, 'urn:uuid:grease', inputQuantityList=inputs['inputQuantityList'][2:])
equal(capture(halves, document(grease)).code, 'MAPPING_MISSING', 'a half waits for the cross-reference')
equal(capture(halves, document(event(output, 'urn:uuid:none', outputQuantityList=[]))).code, 'SCHEMA_INVALID', 'a transformation of nothing')
alone = {k: v for k, v in event(output, 'urn:uuid:alone').items() if k != 'transformationID'}
equal(capture(halves, document(alone)).code, 'SCHEMA_INVALID', 'half a transformation that nothing joins')
halves.close()
halves = copy_database('joined')
for item in ITEMS:
    xref(halves, 'item', f'https://id.example-hub.test/lot/{item}', item)
equal(capture(halves, document(output)).outcome, 'applied', 'what came out')
equal(edges(halves), [], 'has no edges yet')
equal(capture(halves, document(inputs)).outcome, 'applied', 'what went in')
equal(edges(halves), expected_edges('F-1002'), 'the transformationID joins them')
equal(capture(halves, document(declared(output))).code, 'REVERSAL_BLOCKED', 'the half that came last goes first')
equal(capture(halves, document(declared(inputs), declared(output))).outcome, 'applied', 'both can be taken back')
equal(edges(halves), [], 'no edge is left')
equal(capture(halves, document(event(inputs, 'urn:uuid:i2'), event(output, 'urn:uuid:o2'))).outcome, 'applied', 'both in one document, in the other order')
equal(edges(halves), expected_edges('F-1002'), 'the same edges')
equal(capture(halves, document(event(output, 'urn:uuid:o3', outputQuantityList=[{'epcClass': f'{LOT}F-1', 'quantity': 1}]))).code, 'EPCIS_UNSUPPORTED',
      'an output that comes after the edges is refused')

# -- valid and wrong --------------------------------------------------------------------------------------------------------

wrong = copy_database('wrong')
for item in ITEMS:
    xref(wrong, 'item', f'https://id.example-hub.test/lot/{item}', item)
before = facts(wrong)
for e, expected in zip(WRONG['epcisBody']['eventList'], EXPECTED['schema_valid_but_semantically_wrong.json']):
    equal(e['eventID'], expected['eventID'], 'the event that is expected')
    answer = capture(wrong, document(e))
    equal((answer.outcome, answer.code), ('rejected', expected['code']), f'valid by the schema, and wrong: {expected["code"]}')
    answer = capture(wrong, document(*HALVES['epcisBody']['eventList'], event(e, e['eventID'], transformationID='urn:other')))
    equal((answer.outcome, answer.code), ('rejected', expected['code']), 'good events before it do not change that')
answer = capture(wrong, WRONG)
equal(answer.outcome, 'rejected', 'all of them in one document')
equal(facts(wrong), before, 'nothing of a refused document is written')
for name, changes, code in (
        ('a TransactionEvent', {'type': 'TransactionEvent'}, 'EPCIS_UNSUPPORTED'),
        ('an AssociationEvent', {'type': 'AssociationEvent'}, 'EPCIS_UNSUPPORTED'),
        ('an event without action', {'action': None}, 'SCHEMA_INVALID'),
        ('an asset', {'quantityList': [{'epcClass': 'urn:epc:id:grai:4012345.00001.1', 'quantity': 1}]}, 'EPCIS_UNSUPPORTED'),
        ('a lot that is too long', {'quantityList': [{'epcClass': f'{LOT}{"x" * 41}', 'quantity': 1}]}, 'SCHEMA_INVALID'),
        ('a lot that encodes no text', {'quantityList': [{'epcClass': f'{LOT}%FF%00', 'quantity': 1}]}, 'LOT_UNKNOWN'),
        ('a quantity that is too fine', {'quantityList': [{'epcClass': f'{LOT}X', 'quantity': 0.5}]}, 'QTY_PRECISION'),
        ('a GTIN of nobody', {'quantityList': [{'epcClass': 'urn:epc:class:lgtin:4012345.099999.X', 'quantity': 1}]}, 'MAPPING_MISSING'),
        ('a lot that is not known', {'quantityList': [{'epcClass': f'{LOT}NONE', 'quantity': 1}]}, 'LOT_UNKNOWN'),
        ('a unit that is not known', {'quantityList': [], 'epcList': ['urn:epc:id:sscc:4012345.0000000999']}, 'HU_UNKNOWN'),
        ('a day that does not exist', {'eventTime': '2026-02-31T00:00:00Z'}, 'SCHEMA_INVALID'),
        ('an event to come', {'eventTime': '2027-01-01T00:00:00Z'}, 'EVENT_IN_FUTURE')):
    answer = capture(wrong, document({k: v for k, v in event(flow[9], f'urn:uuid:{name}', **changes).items() if v is not None}))
    equal(answer.code, code, name)
pieces = event(output, 'urn:uuid:pieces', transformationID='urn:pieces', outputEPCList=['urn:epc:id:sgtin:4012345.001235.1'])
equal(capture(wrong, document(pieces)).code, 'EPCIS_UNSUPPORTED', 'a transformation of single pieces')

packing = next(e for e in FLOW['epcisBody']['eventList'] if e['type'] == 'AggregationEvent')
for name, place, code in (('a place that the cross-reference does not know', 'NONE', 'MAPPING_MISSING'), ('a place that is not there', 'GONE', 'LOCATION_UNKNOWN')):
    nowhere = event(packing, f'urn:uuid:{place}', childQuantityList=[], bizLocation={'id': f'urn:epc:id:sgln:4012345.00001.{place}'})
    equal(capture(wrong, document(nowhere)).code, code, name)

# -- pieces and the tree of units -------------------------------------------------------------------------------------------

tree = copy_database('tree')
piece = 'urn:epc:id:sgtin:4012345.001235.'
made = {'type': 'ObjectEvent', 'eventID': 'urn:uuid:made', 'eventTime': '2026-01-15T10:00:00Z', 'eventTimeZoneOffset': '+00:00', 'action': 'ADD',
        'epcList': [f'{piece}A%2F1', f'{piece}2'], 'bizStep': 'commissioning'}
box = event(flow[3], 'urn:uuid:box', childQuantityList=[], childEPCs=[f'{piece}A%2F1', f'{piece}2'])
pallet = event(flow[3], 'urn:uuid:pallet', parentID='https://id.gs1.org/00/040123450000001020', childQuantityList=[], childEPCs=[flow[3]['parentID']])
loop = event(flow[3], 'urn:uuid:loop', childQuantityList=[], childEPCs=[pallet['parentID']])
answer = capture(tree, document(made, box, pallet))
equal(answer.outcome, 'applied', 'pieces, a box, a pallet')
serials = 'SELECT DISTINCT ON (serial) serial, state FROM planthub.serial_event ORDER BY serial, event_time DESC, message_id DESC'
equal(tree.rows(serials), [['2', 'active'], ['A/1', 'active']], 'serial numbers are active')
parents = 'SELECT sscc, state, parent FROM planthub.handling_unit ORDER BY sscc'
equal(tree.rows(parents), [['040123450000001013', 'open', '040123450000001020'], ['040123450000001020', 'open', None]], 'the box is on the pallet')
equal(capture(tree, document(event(made, 'urn:uuid:twice'))).code, 'SERIAL_DUPLICATE', 'a piece is made once')
equal(capture(tree, document(loop)).code, 'HU_STATE_INVALID', 'a pallet is no part of its box')
shipped = event(flow[8], 'urn:uuid:shipped', epcList=[pallet['parentID']])
equal(capture(tree, document(shipped)).outcome, 'applied', 'the pallet leaves')
equal([row[1] for row in tree.rows(parents)], ['shipped', 'shipped'], 'and the box with it')
equal(capture(tree, document(declared(shipped), event(pallet, 'urn:uuid:off', action='DELETE', childEPCs=[]))).outcome, 'applied',
      'the pallet comes back, and all is taken off it')
equal(tree.rows(parents), [['040123450000001013', 'open', None], ['040123450000001020', 'dissolved', None]], 'it is dissolved, the box is open')
equal(capture(tree, document(declared(box), declared(made))).code, None, 'box and pieces are taken back')
equal(tree.rows(serials), [['2', 'scrapped'], ['A/1', 'scrapped']], 'the serial numbers are free again')

# -- several senders at once --------------------------------------------------------------------------------------------------

race = copy_database('race')
for item in ITEMS:
    xref(race, 'item', f'https://id.example-hub.test/lot/{item}', item)
senders = [connect('race') for _ in range(4)]
answers = [None] * len(senders)


def race_one(n):
    answers[n] = capture(senders[n], FLOW)


threads = [threading.Thread(target=race_one, args=(n,)) for n in range(len(senders))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
equal(sorted(f'{a.outcome} {a.code}' for a in answers), ['applied None'] + ['ignored DUPLICATE_IGNORED'] * 3, 'of copies at the same time one takes effect')
equal(edges(race), expected_edges(), 'once')

for database in (*senders, race, main, halves, wrong, tree):
    database.close()
finish()
