#!/usr/bin/env python3
"""The day of the reference scenario through real workers and peers, with the plant of the demo: the ERP commands and MES and
WMS report by receive(), each system gets what concerns it in its own words, and the ERP answers with document numbers."""

import json
import os
import sys
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'lib'))
from hub import Hub, Peer, equal, eventually, finish, ok  # noqa: E402
from libpq import Connection  # noqa: E402
from scenario import State, load, plain, receive, unbalanced  # noqa: E402

MAIN = load('messages_main')
EXPECTED = load('expected_results')
REQUESTS = load('sap_outbound_expected')

hub = Hub(database='plant')
peers = {name: Peer() for name in ('erp', 'mes', 'wms', 'office')}
peers['erp'].control(behaviour='sap')
hub.sql('\n'.join([*(rf'\set {name} {peer.url("")}' for name, peer in peers.items()), r'\i demo/plant.sql']))
facts = hub.sql(r'\i demo/facts.sql')
ok('NOT APPLIED' not in facts and 'routing.released' in facts, 'the master data of the demo are all applied', facts)
sql = Connection(f'host={os.environ["PGHOST"]} port={os.environ["PGPORT"]} user=postgres dbname=plant')

OPEN = "SELECT count(*) FROM planthub.delivery_status WHERE state <> 'delivered'"


def arrived(peer, path):
    return [record for record in peers[peer].received() if record['path'].endswith(path)]


def identity(record):
    """Source, id and endpoint of the event that a request is about."""
    fact, _, endpoint = record['headers']['idempotency-key'].strip('"').rpartition('@')
    source, _, event = fact.partition('#')
    return unquote(source), unquote(event), endpoint


for message in MAIN:
    answer = receive(sql, message)
    ok(answer.outcome == 'applied', f'{message["id"]} is applied', answer)
eventually(lambda: sql.value(OPEN), '0', 'everything is delivered')

# -- what each system was sent ---------------------------------------------------------------------------------------------

COUNTS = {      # in the words of expected_results.json
    'to_mes': ('mes', '/orders', 'erp-0001'), 'to_mes_order_completed': ('mes', '/orders', 'erp-0003'),
    'to_wms_pick_request': ('wms', '/tasks', 'erp-0001'), 'to_wms_order_completed': ('wms', '/tasks', 'erp-0003'),
    'to_wms_delivery': ('wms', '/deliveries', None), 'to_erp_confirmation': ('erp', '/ProdnOrdConf2', None),
    'to_erp_goods_issue': ('erp', '/PostGoodsIssue', None), 'to_erp_shipment_ready': ('erp', '/shipments', None),
    'to_qms_inspection_request': ('office', '/plans', None), 'to_label_print': ('office', '/labels', None),
    'to_customer_asn': ('office', '/notices', None)}
for name, (peer, path, cause) in COUNTS.items():
    equal(len([record for record in arrived(peer, path) if cause in (None, identity(record)[1])]), EXPECTED['expected_outbox_counts'][name], name)
documents = Counter('receipt' if json.loads(record['body'])['GoodsMovementCode'] == '02' else 'transfer'
                    for record in arrived('erp', '/A_MaterialDocumentHeader'))
equal(documents, {'receipt': EXPECTED['expected_outbox_counts']['to_erp_goods_receipt'],
                  'transfer': EXPECTED['expected_outbox_counts']['to_erp_transfer']}, 'to_erp_goods_receipt, to_erp_transfer')

for peer, path, mapping in (('mes', '/orders', 'mes-order'), ('wms', '/tasks', 'wms-pick')):
    expected = hub.row(f"SELECT expect FROM planthub.mapping_vector WHERE mapping = '{mapping}' AND name = 'erp-0001'")['expect']
    equal(json.loads(arrived(peer, path)[0]['body']), expected, f'the {peer.upper()} gets the order in its own words')
equal([identity(record)[1] for record in arrived('mes', '/orders')], ['erp-0001', 'erp-0003'], 'the MES is told of the end after the release')

requests = {}
for record in peers['erp'].received():
    requests.setdefault(identity(record)[:2], []).append(record)
for expected in REQUESTS:
    source, cause = expected['idempotency_key'].split('|')
    came = requests.pop((source, cause), [])
    equal([(record['method'], record['path'].partition('?')[0]) for record in came], [(expected['method'], expected['path'].partition('?')[0])],
          f'SAP: {cause} comes once, to its service')
    body = expected['body']
    if body is None:        # a call of a function: its parameters
        name, _, value = expected['path'].partition('?')[2].partition('=')
        body = {name: value.strip("'")}
    equal([json.loads(record['body']) for record in came], [body], f'SAP: body of {cause}')
equal([cause for _, cause in requests], ['wms-0007'], 'SAP gets nothing else but that the delivery is ready')

# -- delivered is not posted -----------------------------------------------------------------------------------------------

eventually(lambda: sql.value("SELECT count(*) FROM planthub.posting_status WHERE state = 'posted'"), '11', 'eleven answers bring the numbers of documents')
equal(sql.rows("SELECT m.event_id, p.state FROM planthub.posting_status AS p JOIN planthub.message AS m ON m.id = p.message_id WHERE p.state <> 'posted'"),
      [['wms-0008', 'accepted']], 'the goods issue is accepted, no more')
(issue,) = arrived('erp', '/PostGoodsIssue')
key = issue['headers']['idempotency-key'].strip('"')
equal(hub.sql(f'\\set key {key}\n\\i demo/acknowledge.sql'), 'applied', 'the ERP acknowledges it later')
equal(sql.rows("""SELECT x.state, x.external_document, f.canonical
                  FROM planthub.posting_status AS x, LATERAL planthub.xref_find('document', x.external_document, 'sap-prd', 'PLANT-1') AS f
                  WHERE x.endpoint = 'sap-goods-issues'"""), [['posted', '4900009999', 'wms-0008']], 'with a number that leads back to the departure')
equal(sql.value("SELECT count(DISTINCT external_document) FROM planthub.posting_status WHERE state = 'posted'"), '12', 'each of the twelve has its own document')

# -- where everything is in the evening ------------------------------------------------------------------------------------

state = State(sql)
stock = {'|'.join((row['location'], row['item'], row['lot'] or 'None')): plain(row['qty']) for row in EXPECTED['stock_after_main']}
equal(state.stock, {key: qty for key, qty in stock.items() if qty != '0'}, 'stock')
equal(sorted(state.edges), sorted('|'.join((e['from_item'], e['from_lot'], e['to_item'], e['to_lot'], plain(e['qty']), e['uom'],
                                            e['order'], e['operation'])) for e in EXPECTED['genealogy_edges']), 'genealogy')
units = {}
for key, qty in state.handling_units.items():
    sscc, status, _, _, lot = key.split('|')
    units.setdefault(sscc, {'status': 'shipped' if status == 'shipped' else 'in_stock', 'contents': {}})['contents'][lot] = qty
equal(units, {unit['sscc']: {'status': unit['status'], 'contents': unit['contents']} for unit in EXPECTED['handling_units_after_main']}, 'handling units')
equal(sql.rows('''SELECT item, trim_scale(planned), trim_scale(actual), trim_scale(standard_for_yield), trim_scale(usage_variance_vs_yield)
                  FROM planthub.order_variance WHERE site = 'PLANT-1' AND order_no = '1000123' ORDER BY item'''),
      sorted([row['item'], row['planned'], row['actual'], row['standard_for_yield'], row['usage_variance_vs_yield']]
             for row in EXPECTED['order_variance']), 'variance of the order')
equal(sql.rows("SELECT shipment, missing FROM planthub.shipment_readiness WHERE site = 'PLANT-1'"), [['80001234', 'has departed']], 'the delivery is gone')
equal(state.order_states, [f"1000123|{EXPECTED['order_1000123']['status_after_erp-0003']}"], 'the order is completed')
equal(unbalanced(sql), [], 'every balance is the sum of its movements')

# The recall of the demo finds what the scenario says.
recall = EXPECTED['trace']['recall_S-77']
equal(hub.sql('\\set lot S-77\n\\i demo/recall.sql').splitlines(),
      [f"RM-SEAL S-77|lies here|{recall['raw_on_hand']}", f"FG-100 F-1002|lies here|{recall['finished_on_hand']}",
       "FG-100 F-1001|at CUST-9, delivery 80001234|57", "FG-100 F-1002|at CUST-9, delivery 80001234|33"], 'recall')

# -- the whole day a second time -------------------------------------------------------------------------------------------

before = sql.value('SELECT count(*) FROM planthub.delivery_status')
answers = Counter((answer.outcome, answer.code) for answer in (receive(sql, message) for message in MAIN))
equal(answers, {('ignored', 'DUPLICATE_IGNORED'): len(MAIN)}, 'sent again, every event is known')
equal(sql.value('SELECT count(*) FROM planthub.delivery_status'), before, 'and nobody is told twice')
ok(not State(sql).differences(state), 'and nothing has changed')
finish()
