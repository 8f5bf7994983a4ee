#!/usr/bin/env python3
"""The mappings that come with the extension: their vectors, the requests to SAP of the whole scenario with a real
cross-reference, and the B2MML files of others, read as they are meant.  Prints TAP."""

import base64
import json
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'lib'))
from hub import ROOT, Hub, Peer, equal, eventually, finish, ok  # noqa: E402

SCENARIO = ROOT / 'demo/scenario'
B2MML = ROOT.parent / 'shared/domain/external/b2mml'
XSI = 'http://www.w3.org/2001/XMLSchema-instance'
PROFILE = {'nulls': 'nil', 'namespaces': {'xsi': XSI}}


def load(name):
    return json.loads((SCENARIO / f'{name}.json').read_text())


def literal(value):
    return "'" + (value if isinstance(value, str) else json.dumps(value)).replace("'", "''") + "'"


def map_explain(mapping, document, site='*', **env):
    return json.loads(hub.sql(f'SELECT planthub.map_explain({literal(mapping)}, {literal(document)}, {literal(site)}, {literal(env)})'))


hub = Hub()

# ---- all of them ----

for (name,) in [row.values() for row in hub.json("SELECT name FROM planthub.mapping WHERE builtin ORDER BY name")]:
    rows = hub.json(f'SELECT * FROM planthub.mapping_test({literal(name)})')
    ok(rows and all(row['passed'] for row in rows), f'{name} passes its vectors', *[row for row in rows if not row['passed']])
    equal(hub.json(f'SELECT * FROM planthub.mapping_lint({literal(name)})'), [], f'{name} gives no cause for warnings')
equal(hub.json("""SELECT v.mapping, v.name, e->>'instanceLocation' AS at
    FROM planthub.mapping_vector AS v JOIN planthub.mapping AS m ON m.name = v.mapping,
        jsonb_array_elements(planthub.contract_violations(split_part(m.contract_in, '@', 1), split_part(m.contract_in, '@', 2)::int, v.input)) AS e
    WHERE v.builtin AND v.expect IS NOT NULL AND m.contract_in IS NOT NULL"""),
      [], 'inputs meet their contracts')

# ---- SAP, with the cross-reference of the scenario ----

master, messages = load('master_data'), {message['id']: message for message in load('messages_main')}
hub.sql("SELECT planthub.create_site('PLANT-1', timezone => 'Europe/Berlin'), planthub.create_system('erp', 'erp'), "
        "planthub.create_system('mes', 'mes'), planthub.create_system('wms', 'wms'), planthub.create_system('weighing', 'mes')")
xref = [('uom', code, value, system, '*') for system, code, value in (
    ('erp', 'EA', 'C62'), ('erp', 'KG', 'KGM'), ('mes', 'PCE', 'C62'), ('mes', 'KGM', 'KGM'), ('wms', 'PC', 'C62'),
    ('wms', 'KG', 'KGM'), ('weighing', 'KG', 'KGM'))]
for thing in master['equipment'] + master['items']:
    kind = 'item' if 'base_uom' in thing else 'site' if thing['level'] == 'Site' else 'equipment'
    xref += [(kind, code, thing['id'], system, 'PLANT-1' if kind == 'equipment' else '*')
             for system, code in thing.get('xref', {}).items() if system in ('erp', 'mes', 'wms')]
xref.append(('supply_area', 'WC-ASM1', 'PSA-LINE-1', '*', 'PLANT-1'))
hub.sql('\n'.join('SELECT planthub.set_xref({}, {}, to_jsonb({}::text), {}, {});'.format(*map(literal, row)) for row in xref))

peer = Peer()
MAPPING = {'production.confirmed': 'sap-confirmation', 'pick.confirmed': 'sap-transfer', 'inventory.moved': 'sap-transfer',
           'handling_unit.packed': 'sap-receipt', 'shipment.departed': 'sap-goods-issue'}


hub.sql(f"SELECT planthub.create_endpoint('sap', 'erp', '{peer.url('/sap')}', content_mode => 'plain')")
for topic, mapping in MAPPING.items():
    hub.sql(f"SELECT planthub.create_route('{topic}', '{topic}', 'sap', mapping => '{mapping}')")


def with_movements(message):
    """A confirmation as the hub publishes it; its vector has it like that."""
    vector = hub.row(f"SELECT input FROM planthub.mapping_vector WHERE mapping = 'sap-confirmation' AND name = {literal(message['id'])}")
    data = {**message['data'], 'movements': vector['input']['movements']}
    equal(data, vector['input'], f"{message['id']}: the vector is the message of the scenario")
    return data


requests = load('sap_outbound_expected')
for request in requests:
    message = messages[request['cause']]
    topic = message['type'].removeprefix('planthub.').removesuffix('.v1')
    data = with_movements(message) if topic == 'production.confirmed' else message['data']
    hub.sql(f"""SELECT planthub.publish('{topic}', {literal(data)}, {literal(message['partitionkey'])}, 'PLANT-1', source => {literal(message['source'])},
        event_id => {literal(message['id'])}, event_time => {literal(message['time'])}, event_offset => '{message['time'][-6:]}')""")
equal(len(requests), 12, 'the scenario has twelve requests to SAP')
eventually(lambda: len(peer.received('/sap')), 12, 'all of them are sent')
sent = [json.loads(event['body']) for event in peer.received('/sap')]
for request in requests:
    expected = request['body']
    if expected is None:            # a call of a function: what is sent are its parameters, which belong into the address
        name, _, value = request['path'].partition('?')[2].partition('=')
        expected = {name: value.strip("'")}
    ok(expected in sent, f"{request['cause']}: body for SAP", expected, *sent)

released = messages['erp-0001']['data']
for system, mapping in (('mes', 'mes-order'), ('wms', 'wms-pick')):
    expected = hub.row(f"SELECT expect FROM planthub.mapping_vector WHERE mapping = '{mapping}' AND name = 'erp-0001'")['expect']
    report = map_explain(mapping, released, 'PLANT-1', system=system)
    equal(report.get('output', report), expected, f'{mapping} with codes from the table')

# ---- B2MML ----


def as_json(element):
    """The rule of xml_to_json(), by another parser."""
    children = list(element)
    text = (element.text or '') + ''.join(child.tail or '' for child in children)
    result = {'@' + name.rpartition('}')[2]: value for name, value in element.attrib.items()}
    if not result and not children:
        return text
    if element.attrib == {f'{{{XSI}}}nil': 'true'} and not children and not text:
        return None
    for child in children:
        result.setdefault(child.tag.rpartition('}')[2], []).append(as_json(child))
    for name, value in result.items():
        if isinstance(value, list) and len(value) == 1:
            result[name] = value[0]
    if text.strip(' \t\r\n') if children else text:
        result['#text'] = text
    return result


def xml_to_json(document):
    return json.loads(hub.sql(f"SELECT planthub.xml_to_json(decode('{base64.b64encode(document).decode()}', 'base64'))"))


def differential():
    for path in sorted(B2MML.glob('*.xml')):
        document = path.read_bytes()
        root = ElementTree.fromstring(document)
        got = xml_to_json(document)
        ok(got == {root.tag.rpartition('}')[2]: as_json(root)}, f'{path.name} is read as by another parser')
        back = hub.sql(f'SELECT planthub.json_to_xml({literal(got)}, {literal(PROFILE)})')
        ok(xml_to_json(back.encode()) == got, f'{path.name} written and read again is the same')


def first_word(text):
    return text.split()[0]


def read(name, **env):
    report = map_explain('b2mml-in', xml_to_json((B2MML / name).read_bytes()), 'PLANT-1', system='weighing', **env)
    return report.get('output') or report


def reading(name, expected, output):
    """Both as the same form, which leaves out the remarks in the expected one."""
    data = output['data']
    if name.startswith('MAT'):
        return ([output['sender'], output['time'], data['language'], data['base_uom'], data['item'], data['description'], data['properties']],
                [expected['sender'], expected['created'].replace('Z', '.0Z'), first_word(expected['language']),
                 first_word(expected['base_uom']), expected['item'], expected['description'], expected['properties']])
    if name.startswith('LOT'):
        return ([data['item'], data['lot'], data['status'], data['expiry']],
                [expected['item'], expected['lot'], first_word(expected['status']), expected['expiry'][:10]])
    if name.startswith('INV'):
        return ([output['time'][11:19], data['lines']],
                [expected['message_time'], [{'item': expected['item'], 'lot': expected['lot'], 'handling_unit': expected['handling_unit'],
                                             'status': first_word(expected['status']), 'qty': expected['qty'], 'location': expected['location']}]])
    if name.startswith('PRO'):
        (operation,) = data['operations']
        return ([output['time'].replace('.0Z', 'Z'), data['order'], data['item'], data['qty'], f"{operation['op']} / {operation['description']}",
                 operation['parameters'], data['components'], data['staged_units']],
                [expected['message_time'].split(',')[0], expected['order'], expected['item'], expected['qty'], expected['operation'],
                 expected['work_center_parameter'],
                 [{'line': line['line'], 'item': line['item'], 'required': {'value': line['required'], 'uom': 'KGM'},
                   'operation': operation['op'], 'from_location': line['location']} for line in expected['components']],
                 [{'handling_unit': unit['sscc_like'], 'item': unit['item'], 'lot': unit['lot'], 'qty': {'value': unit['qty'], 'uom': 'KGM'}}
                  for unit in expected['staged_units']]])
    return ([output['time_text'], output['time'], data['document'], data['segment'], data['item'], data['lot'], data['handling_unit'],
             data['qty'], data['component_line'], data['handling_unit_empty'], data['line_complete']],
            [first_word(expected['message_time']), '2012-11-29T11:58:25.314955+01:00', expected['response_id'], expected['segment'],
             expected['item'], expected['lot'], expected['handling_unit'], expected['qty'], expected['component_line'],
             expected['handling_unit_empty'], expected['line_complete']])


def receive(name):
    """The file as an event of a source, as a gateway would have it."""
    event = {'specversion': '1.0', 'id': name, 'source': 'urn:weighing', 'type': 'b2mml', 'datacontenttype': 'application/xml',
             'data_base64': base64.b64encode((B2MML / name).read_bytes()).decode()}
    return hub.row(f'SELECT outcome, code, violations FROM planthub.receive({literal(event)})'), event


def received():
    """What the files become in the tables of the plant."""
    hub.sql("""SELECT planthub.alter_system('weighing', kind => 'plm'), planthub.set_source('urn:weighing', 'weighing', 'PLANT-1'),
        planthub.set_policy('*', 'late_event_limit_h', '999999'), planthub.allow_topic(t, 'weighing') FROM unnest(ARRAY['item.upserted', 'lot.upserted', 'inventory.snapshot']) AS t""")
    hub.sql("""SELECT planthub.set_source_mapping('urn:weighing', NULL, 'b2mml-in', type => 'b2mml', xml => '{}',
        env => '{"lot_controlled": true, "serial_controlled": false}')""")
    lot, item = 'LOT-20121210170718-0001L0001.xml', 'MAT-20121210170256-CRBN0001.xml'
    verdict, event = receive(lot)
    equal([verdict['outcome'], verdict['code']], ['parked', 'ITEM_UNKNOWN'], 'a lot waits for its item')
    verdict, _ = receive(item)
    equal([verdict['outcome'], verdict['violations']], ['applied', None], 'the item comes')
    equal(hub.row("SELECT item, lot, status, expiry::text FROM planthub.lot"),
          {'item': 'CRBN0001', 'lot': 'CRBN0001_LOT01', 'status': 'unrestricted', 'expiry': '2013-12-08'}, 'the lot is there')
    equal(hub.row("SELECT base_uom FROM planthub.item"), {'base_uom': 'KGM'}, 'the item is there')
    equal(hub.json("SELECT event_id AS id, outcome, attempts, mapping FROM planthub.inbox WHERE source = 'urn:weighing' ORDER BY id"),
          [{'id': lot, 'outcome': 'applied', 'attempts': 2, 'mapping': 'b2mml-in@1'},
           {'id': item, 'outcome': 'applied', 'attempts': 1, 'mapping': 'b2mml-in@1'}], 'translated by a version that is known')
    equal(hub.json(f"SELECT event FROM planthub.inbox WHERE event_id = {literal(lot)}")[0]['event'], event, 'and kept as it was sent')
    verdict, _ = receive(lot)
    equal([verdict['outcome'], verdict['code']], ['ignored', 'DUPLICATE_IGNORED'], 'the same file again is nothing new')
    verdict, _ = receive('PES-20121229115825-53107.xml')
    equal([(violation['code'], violation['detail'].partition(' (')[0]) for violation in verdict['violations']],
          [('MAPPING_FAILED', f'required: {missing} is missing, for "/data/{member}"')
           for missing, member in (('ProductionRequestID', 'order'), ('Location', 'from_location'))],
          'what a file does not say is told')


if B2MML.is_dir():
    differential()
    for name, expected in load('b2mml_expected')['files'].items():
        output = read(name, order='258456', location='BOX3')
        if name.startswith('INV'):      # the file does not say where, and nobody helps
            output = read(name)
        equal(output.get('topic'), expected['topic'], f'{name}: topic')
        equal(*reading(name, expected, output), f'{name}: read as it is meant')
    errors = read('PES-20121229115825-53107.xml')['errors']
    equal([(error['code'], error['at']) for error in errors], [('required', '/data/order'), ('required', '/data/from_location')],
          'an issue without order and place says what is missing')
    received()
else:
    ok(True, f'files of others # SKIP {B2MML} is not there')

finish()
