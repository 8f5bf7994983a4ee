"""Cases of our own beside demo/scenario/messages_variants.json, in the same form: what the variants tell of each rule must
hold for other messages of its kind, and every rule must have a case that fires it.

sql: statements before the steps, for what no message can bring about."""

from scenario import load, variant_of

MAIN = {message['id']: message for message in load('messages_main')}
ASN = {message['id']: message for message in load('messages_asn')['messages']}
QUALITY = load('messages_quality')
NCR = {message['id']: message for message in QUALITY['messages']}
SOURCES = {'erp': 'urn:sys:erp:sap-prd-100', 'mes': 'urn:sys:mes:plant1', 'wms': 'urn:sys:wms:saas-eu', 'qms': 'urn:sys:qms:cloud',
           'scada': 'urn:sys:scada:plant1', 'eam': 'urn:sys:eam:maximo'}


def event(id_, topic, time, data, key='case', version=1, **attributes):
    """A message of the system that the id begins with."""
    return {'specversion': '1.0', 'id': id_, 'source': SOURCES[id_.split('-')[0]], 'type': f'planthub.{topic}.v{version}',
            'time': time, 'recordedtime': time, 'datacontenttype': 'application/json',
            'dataschema': f'urn:planthub:schema:{topic}:{version}', 'partitionkey': key, 'correlationid': 'corr-case',
            'data': data, **attributes}


def step(message, result, code=None, **more):
    return {'send': message, 'expect': {'result': {'warned': 'applied_with_warning'}.get(result, result), 'code': code}, **more}


def case(name, given, *steps, policy=None, **more):
    return {'name': name, 'given_main_through': given, 'policy': policy or {}, 'extra_xref': [], 'steps': list(steps), **more}


def unchanged(name, given, *steps, **more):
    return case(name, given, *steps, expect_effects='none', **more)


def pieces(value, uom='C62'):
    return {'value': value, 'uom': uom}


def issue(id_, time, item, lot, qty, **more):
    return event(id_, 'material.issued', time, {'document': f'D-{id_}', 'order': '1000123', 'item': item, 'lot': lot, 'qty': qty,
                                                'from_location': 'PSA-LINE-1', **more}, key='mo:1000123')


def move(id_, time, item, lot, qty, **more):
    line = {'item': item, 'lot': lot, 'qty': qty, 'from': 'RM-WH', 'to': 'PSA-LINE-1', **more}
    return event(id_, 'inventory.moved', time, {'movement': f'MV-{id_}', 'reason': 'staging', 'lines': [line]}, key=f'item:{item}')


def receive(id_, time, item, qty, **more):
    return event(id_, 'receipt.posted', time, {'receipt': f'RC-{id_}', 'line': '1', 'item': item, 'qty': qty, 'location': 'RM-WH',
                                               'stock_status': 'unrestricted', **more}, key=f'item:{item}')


def hold(id_, time, item, lot, qty, **more):
    return event(id_, 'hold.applied', time, {'hold': f'H-{id_}', 'item': item, 'lot': lot, 'qty': qty, 'reason': 'TEST', **more},
                 key=f'lot:{item}:{lot}')


def reverse(id_, time, confirmation, reversal=None):
    return event(id_, 'production.confirmation_reversed', time, {'reversal_id': reversal or f'R-{id_}', 'confirmation_id': confirmation,
                                                                 'reason': 'WRONG_LOT'}, key='mo:1000123')


def change(id_, time, version, qty):
    return event(id_, 'production_order.changed', time, {'order': '1000123', 'version': version, 'qty': pieces(qty)}, key='mo:1000123')


def signed(who):
    return {'meaning': 'approval', 'signed_at': '2026-01-20T09:00:00+01:00', 'signer': who}


def swapped(message):
    """The same with the members of every object in another order."""
    if isinstance(message, dict):
        return {name: swapped(message[name]) for name in reversed(message)}
    return [swapped(entry) for entry in message] if isinstance(message, list) else message


CONFIRMED = MAIN['mes-0003']
FINAL = MAIN['mes-0005']
CONSUMED = CONFIRMED['data']['consumed']
DAY = '2026-01-15'


def with_consumed(id_, *lines):
    return variant_of(CONFIRMED, id=id_, data__confirmation_id=f'conf-{id_}', data__consumed=[*CONSUMED, *lines])


DUPLICATES = [
    unchanged('dup_later_recorded_time', 'mes-0003',
              step(variant_of(CONFIRMED, recordedtime=f'{DAY}T18:00:00+01:00', traceparent='00-' + 'a' * 32 + '-' + 'b' * 16 + '-01'),
                   'ignored', 'DUPLICATE_IGNORED')),
    unchanged('dup_business_key_changed', 'mes-0003',
              step(variant_of(CONFIRMED, id='mes-0003-again', data__yield__value='57'), 'rejected', 'DUPLICATE_CONFLICT')),
    unchanged('dup_member_order', 'mes-0003', step(swapped(CONFIRMED), 'ignored', 'DUPLICATE_IGNORED')),
    unchanged('dup_pick_new_id', 'wms-0002',
              step(variant_of(MAIN['wms-0002'], id='wms-again'), 'ignored', 'DUPLICATE_IGNORED'),
              step(variant_of(MAIN['wms-0002'], id='wms-again-2', data__lines__1__qty__value='211'), 'rejected', 'DUPLICATE_CONFLICT')),
    unchanged('dup_of_a_rejected_one', 'mes-0002',
              step(variant_of(CONFIRMED, data__operation='0099'), 'rejected', 'OPERATION_UNKNOWN'),
              step(variant_of(CONFIRMED, data__operation='0099'), 'rejected', 'OPERATION_UNKNOWN')),
]

ORDER = [
    case('pick_before_release', 'none', step(MAIN['wms-0001'], 'parked', 'ORDER_UNKNOWN'), step(MAIN['erp-0001'], 'applied'),
         expect_after={'parked': 0, 'stock': {'PSA-LINE-1|RM-HOUSING|H-2201': '60', 'RM-WH|RM-HOUSING|H-2201': '0'}}),
    unchanged('op20_before_op10_reject', 'mes-0002', step(MAIN['mes-0004'], 'rejected', 'OPERATION_SEQUENCE'),
              policy={'operation_sequence': 'reject'}),
    case('order_change_versions_swapped', 'erp-0001', step(change('erp-c3', f'{DAY}T06:03:00+01:00', 3, '120'), 'applied'),
         step(change('erp-c2', f'{DAY}T06:02:00+01:00', 2, '110'), 'ignored', 'ORDER_VERSION_STALE'),
         expect_after={'planned': {'1000123': '120'}}),
    unchanged('confirmation_of_an_order_not_released', 'mes-0002', step(CONFIRMED, 'parked', 'ORDER_NOT_RELEASED'),
              sql=["UPDATE planthub.production_order SET state = 'created' WHERE site = {site}"]),
    unchanged('closed_order_accepts_nothing', 'erp-0003',
              step(event('erp-close', 'production_order.closed', f'{DAY}T20:00:00+01:00', {'order': '1000123', 'version': 3},
                         key='mo:1000123'), 'applied'),
              step(issue('wms-l3', f'{DAY}T16:00:00+01:00', 'RM-SEAL', 'S-77', pieces('1'), from_location='RM-WH'),
                   'rejected', 'ORDER_CLOSED'), ignore=['order_states']),
    case('completion_with_pieces_in_between', 'mes-0005',
         step(variant_of(MAIN['erp-0003'], id='erp-early'), 'warned', 'MASS_BALANCE')),
]

QUANTITIES = [
    case('final_at_under_tolerance', 'mes-0003',
         step(variant_of(FINAL, data__yield__value='37', data__output__0__qty__value='37'), 'applied')),
    unchanged('zero_transfer', 'erp-0001',
              step(variant_of(MAIN['wms-0001'], data__lines__0__qty__value='0'), 'rejected', 'QTY_NOT_POSITIVE')),
    unchanged('exponent_form', 'mes-0002',
              step(variant_of(CONFIRMED, data__yield__value='5.8e1'), 'rejected', 'SCHEMA_INVALID'), violations=['/data/yield/value']),
    unchanged('fractional_count', 'mes-0002',
              step(variant_of(CONFIRMED, data__consumed__0__qty__value='59.5'), 'rejected', 'QTY_PRECISION')),
    case('uom_item_specific', 'none',
         step(move('wms-b1', f'{DAY}T06:00:00+01:00', 'RM-SCREW', None, pieces('2', 'XBX'), **{'from': 'PSA-LINE-1', 'to': 'RM-WH'}), 'applied'),
         expect_after={'stock': {'RM-WH|RM-SCREW|None': '500', 'PSA-LINE-1|RM-SCREW|None': '4500'}}),
    unchanged('uom_item_specific_wrong_item', 'erp-0001',
              step(variant_of(MAIN['wms-0001'], data__lines__0__qty=pieces('1', 'XBX')), 'rejected', 'UOM_NOT_CONVERTIBLE')),
    case('over_issue_warn', 'mes-0002',
         step(issue('wms-o1', f'{DAY}T08:00:00+01:00', 'RM-SEAL', 'S-77', pieces('200')), 'applied'),
         step(issue('wms-o2', f'{DAY}T08:10:00+01:00', 'RM-SEAL', 'S-77', pieces('25'), from_location='RM-WH'), 'warned', 'OVER_ISSUE')),
    case('two_wrong_quantities', 'mes-0002',
         step(variant_of(CONFIRMED, data__consumed__0__qty__value='59.5', data__consumed__1__qty__value='119.5'), 'rejected', 'QTY_PRECISION'),
         violations=['/data/consumed/0/qty', '/data/consumed/1/qty'], expect_effects='none'),
]

MASTER = [
    unchanged('item_versions_swapped', 'none', *[
        step(event(f'erp-i{version}', 'item.upserted', f'{DAY}T06:0{version}:00+01:00', {
            'item': 'RM-LABEL', 'version': version, 'description': f'Type label {version}', 'base_uom': 'C62', 'lot_controlled': False,
            'serial_controlled': False, 'status': 'active'}, key='item:RM-LABEL'), *result)
        for version, result in ((3, ('applied',)), (2, ('ignored', 'MASTER_VERSION_STALE')))]),
]

LOTS = [
    unchanged('consume_held_lot', 'mes-0002', step(hold('wms-h1', f'{DAY}T07:00:30+01:00', 'RM-SEAL', 'S-77', pieces('500')), 'applied'),
              step(CONFIRMED, 'rejected', 'LOT_ON_HOLD'), ignore=['holds_open']),
    unchanged('ship_held_lot', 'wms-0007', step(hold('wms-h2', f'{DAY}T16:00:00+01:00', 'FG-100', 'F-1002', pieces('41')), 'applied'),
              step(MAIN['wms-0008'], 'rejected', 'LOT_ON_HOLD'), ignore=['holds_open', 'shipments']),
    unchanged('hold_at_another_place_does_not_matter', 'mes-0002',
              step(hold('wms-h3', f'{DAY}T07:00:30+01:00', 'RM-SEAL', 'S-77', pieces('290'),
                        locations=[{'location': 'RM-WH', 'qty': pieces('290')}]), 'applied'),
              step(issue('mes-i9', f'{DAY}T08:00:00+01:00', 'RM-SEAL', 'S-77', pieces('2'), from_location='RM-WH'),
                   'rejected', 'LOT_ON_HOLD'), ignore=['holds_open']),
    case('hold_at_another_place_lets_the_line_go_on', 'mes-0002',
         step(hold('wms-h4', f'{DAY}T07:00:30+01:00', 'RM-SEAL', 'S-77', pieces('290'),
                   locations=[{'location': 'RM-WH', 'qty': pieces('290')}]), 'applied'),
         step(CONFIRMED, 'applied')),
    unchanged('pick_expired_lot', 'wms-0001',
              step(variant_of(MAIN['wms-0002'], time='2027-01-01T00:00:00+01:00', recordedtime='2027-01-01T00:00:01+01:00'),
                   'rejected', 'LOT_EXPIRED')),
]

STOCK = [
    unchanged('negative_stock_park', 'mes-0002',
              step(variant_of(CONFIRMED, data__consumed__0__qty__value='61'), 'parked', 'NEGATIVE_STOCK'),
              policy={'negative_stock': 'park'}),
    unchanged('component_not_on_order_strict', 'mes-0002',
              step(with_consumed('mes-n1', {'item': 'RM-LABEL', 'lot': None, 'qty': pieces('60'), 'from_location': 'PSA-LINE-1'}),
                   'rejected', 'COMPONENT_NOT_ON_ORDER'), policy={'component_not_on_order': 'reject'}),
    unchanged('stock_in_another_status', 'mes-0002',
              step(move('wms-q1', f'{DAY}T08:00:00+01:00', 'RM-SEAL', 'S-77', pieces('5'), from_status='quality'),
                   'rejected', 'STOCK_STATUS_INVALID')),
    case('stock_in_the_stated_status', 'mes-0002',
         step(move('wms-q2', f'{DAY}T08:00:00+01:00', 'RM-SEAL', 'S-77', pieces('5'), from_status='unrestricted'), 'applied'),
         expect_after={'stock': {'PSA-LINE-1|RM-SEAL|S-77': '215'}}),
]

HANDLING_UNITS = [
    unchanged('ship_twice', 'wms-0008', step(variant_of(MAIN['wms-0008'], id='wms-twice'), 'rejected', 'HU_STATE_INVALID')),
    unchanged('pack_into_a_shipped_one', 'wms-0008', step(event('wms-p9', 'handling_unit.packed', f'{DAY}T17:30:00+01:00', {
        'sscc': '040123450000001013', 'location': 'FG-WH',
        'contents': [{'item': 'FG-100', 'lot': 'F-1002', 'qty': pieces('1')}], 'triggers': 'none'}), 'rejected', 'HU_STATE_INVALID')),
    case('unpacked_and_packed_again', 'wms-0004',
         step(event('wms-p1', 'handling_unit.unpacked', f'{DAY}T14:50:00+01:00', {
             'sscc': '040123450000001013', 'location': 'FG-WH', 'contents': [{'item': 'FG-100', 'lot': 'F-1001', 'qty': pieces('7')}]}), 'applied'),
         step(event('wms-p2', 'handling_unit.packed', f'{DAY}T14:55:00+01:00', {
             'sscc': '040123450000001020', 'location': 'FG-WH', 'contents': [{'item': 'FG-100', 'lot': 'F-1001', 'qty': pieces('7')}],
             'triggers': 'none'}), 'applied'),
         expect_after={'stock': {'FG-WH|FG-100|F-1001': '57'},
                       'handling_units': {'040123450000001013|open|FG-WH|FG-100|F-1001': '50', '040123450000001020|open|FG-WH|FG-100|F-1001': '7'}}),
    case('moved_with_everything_in_it', 'wms-0003',
         step(event('wms-p3', 'handling_unit.moved', f'{DAY}T14:50:00+01:00', {
             'sscc': '040123450000001013', 'from': 'FG-WH', 'to': 'RM-WH'}), 'applied'),
         expect_after={'stock': {'RM-WH|FG-100|F-1001': '57', 'FG-WH|FG-100|F-1001': '0'},
                       'handling_units': {'040123450000001013|open|RM-WH|FG-100|F-1001': '57'}}),
]

GENEALOGY = [
    case('rework_into_new_lot', 'erp-0003',
         step(event('erp-rw2', 'production_order.released', '2026-01-16T08:00:00+01:00', {
             'order': '1000131', 'order_type': 'REWORK', 'version': 1, 'site': 'PLANT-1', 'item': 'FG-100', 'qty': pieces('8'),
             'bom_version': None, 'routing_version': None, 'planned_start': '2026-01-16T08:00:00+01:00', 'planned_end': '2026-01-16T12:00:00+01:00',
             'operations': [{'op': '0010', 'work_center': 'WC-ASM1', 'qty': pieces('8')}],
             'components': [{'line': '0010', 'item': 'FG-100', 'required': pieces('8'), 'operation': '0010'}]}, key='mo:1000131'), 'applied'),
         step(event('mes-rw2', 'production.confirmed', '2026-01-16T10:00:00+01:00', {
             'confirmation_id': 'conf-rw2', 'order': '1000131', 'operation': '0010', 'work_center': 'WC-ASM1', 'kind': 'final',
             'yield': pieces('8'), 'scrap': pieces('0'), 'rework': pieces('0'),
             'consumed': [{'item': 'FG-100', 'lot': 'F-1002', 'qty': pieces('8'), 'from_location': 'FG-WH'}],
             'output': [{'item': 'FG-100', 'lot': 'F-1002-R', 'qty': pieces('8'), 'state': 'wip'}]}, key='mo:1000131'), 'applied'),
         expect_after={'edges_include': ['FG-100|F-1002|FG-100|F-1002-R|8|C62']}),
]

TIMES = [
    case('same_instant_other_offset', 'mes-0002',
         step(variant_of(CONFIRMED, time=f'{DAY}T09:30:00Z', recordedtime=f'{DAY}T11:30:00+02:00'), 'applied')),
]

ENVELOPES = [
    unchanged('uppercase_attribute', 'none', step({**MAIN['erp-0001'], 'correlationId': 'x'}, 'rejected', 'ENVELOPE_INVALID')),
    unchanged('several_violations', 'mes-0002',
              step(variant_of(CONFIRMED, data__yield__value=58, data__kind='half', data__consumed__1__qty__value='1e2'),
                   'rejected', 'SCHEMA_INVALID'),
              violations=['/data/yield/value', '/data/kind', '/data/consumed/1/qty/value']),
    unchanged('topic_not_owned', 'mes-0002', step({**CONFIRMED, 'source': SOURCES['wms']}, 'rejected', 'SOURCE_NOT_AUTHORISED')),
    unchanged('not_even_an_object', 'none', step([1, 2], 'rejected', 'ENVELOPE_INVALID'), step('text', 'rejected', 'ENVELOPE_INVALID'),
              step(None, 'rejected', 'ENVELOPE_INVALID')),
]

REVERSALS = [
    case('reversal_twice', 'mes-0003', step(reverse('mes-ra', f'{DAY}T10:40:00+01:00', 'mes-conf-9001'), 'applied'),
         step(reverse('mes-rb', f'{DAY}T10:41:00+01:00', 'mes-conf-9001'), 'rejected', 'REVERSAL_ALREADY_DONE'),
         expect_after={'edges': [], 'stock': {'PSA-LINE-1|RM-SEAL|S-77': '210'}}),
    case('reversal_of_final_reopens', 'mes-0005', step(reverse('mes-rc', f'{DAY}T12:50:00+01:00', 'mes-conf-9003'), 'applied'),
         step(variant_of(FINAL, id='mes-0005b', time=f'{DAY}T12:55:00+01:00', recordedtime=f'{DAY}T12:55:00+01:00',
                         data__confirmation_id='mes-conf-9003b'), 'applied'),
         expect_after={'ops': {'1000123': {'0010': ['99', '3']}}}),
    unchanged('reversal_blocked_by_packing', 'wms-0003',
              step(reverse('mes-rd', f'{DAY}T14:40:00+01:00', 'mes-conf-9001'), 'rejected', 'REVERSAL_BLOCKED')),
]


def dispositioned(id_, **changes):
    return variant_of(NCR['qms-0202'], id=id_, **changes)


NCR_OPENED = step(NCR['qms-0201'], 'applied')
QUALITIES = [
    case('release_by_opener_only', 'erp-0003', NCR_OPENED,
         step(dispositioned('qms-x1', data__approved_by=['qe-04']), 'rejected', 'HOLD_RELEASE_UNAUTHORISED'),
         expect_after={'holds_open': ['F-1001', 'F-1002', 'S-77']}),
    case('release_by_the_opener_twice', 'erp-0003', NCR_OPENED,
         step(dispositioned('qms-x2', data__approved_by=['qe-04', 'qe-04']), 'rejected', 'HOLD_RELEASE_UNAUTHORISED')),
    case('ncr_on_the_lot_only', 'erp-0003',
         step(variant_of(NCR['qms-0201'], id='qms-x3', data__containment='hold_lot'), 'applied'), expect_after={'holds_open': ['S-77']}),
    case('ncr_without_containment', 'erp-0003',
         step(variant_of(NCR['qms-0201'], id='qms-x4', data__containment='none'), 'applied'), expect_after={'holds_open': []}),
    case('held_and_released', 'mes-0002',
         step(hold('qms-h7', f'{DAY}T07:00:30+01:00', 'RM-SEAL', 'S-77', pieces('500')), 'applied'),
         step(event('qms-u7', 'hold.released', f'{DAY}T07:30:00+01:00', {
             'hold': 'H-qms-h7', 'item': 'RM-SEAL', 'lot': 'S-77', 'qty': pieces('500'), 'reason': 'OK',
             'signature': signed('Q. Engineer')}, key='lot:RM-SEAL:S-77'), 'applied'),
         step(CONFIRMED, 'applied'), expect_after={'holds_open': []}),
    unchanged('posting_into_a_closed_period', 'mes-0002', step(CONFIRMED, 'rejected', 'PERIOD_CLOSED'),
              policy={'period_closed': 'reject', 'open_period_from': '2026-02-01'}),
    case('posting_moved_to_the_first_open_day', 'mes-0002', step(CONFIRMED, 'warned', 'PERIOD_CLOSED'),
         policy={'period_closed': 'warn', 'open_period_from': '2026-02-01'}),
]

ASNS = [
    case('asn_over_receipt_tolerated', 'erp-0003', step(ASN['sup7-0001'], 'applied'), step(ASN['wms-0102'], 'applied'),
         step(variant_of(ASN['wms-0103'], data__qty__value='501'), 'applied'), policy={'over_receipt_tolerance_pct': '1'},
         expect_after={'stock': {'RM-WH|RM-SEAL|S-78|quality': '1001'}}),
    unchanged('asn_with_a_bad_sscc', 'none',
              step(variant_of(ASN['sup7-0001'], data__handling_units__1__sscc='040123450000090025'), 'rejected', 'HU_CHECK_DIGIT')),
]

CASES = [*DUPLICATES, *ORDER, *QUANTITIES, *MASTER, *LOTS, *STOCK, *HANDLING_UNITS, *GENEALOGY, *TIMES, *ENVELOPES, *REVERSALS, *QUALITIES, *ASNS]

RULES = """ENVELOPE_INVALID SCHEMA_INVALID SCHEMA_VERSION_UNSUPPORTED SOURCE_NOT_AUTHORISED DUPLICATE_IGNORED DUPLICATE_CONFLICT MAPPING_MISSING
    MAPPING_AMBIGUOUS ITEM_UNKNOWN WORK_CENTER_UNKNOWN LOCATION_UNKNOWN PARTY_UNKNOWN ORDER_UNKNOWN OPERATION_UNKNOWN ORDER_NOT_RELEASED
    ORDER_CLOSED ORDER_VERSION_STALE OPERATION_SEQUENCE FINAL_ALREADY_CONFIRMED OVER_CONFIRMATION UNDER_CONFIRMATION_FINAL QTY_NOT_POSITIVE
    QTY_PRECISION UOM_UNKNOWN UOM_NOT_CONVERTIBLE LOT_REQUIRED LOT_NOT_ALLOWED LOT_UNKNOWN LOT_ITEM_MISMATCH LOT_ON_HOLD LOT_EXPIRED
    SERIAL_REQUIRED SERIAL_COUNT_MISMATCH SERIAL_DUPLICATE COMPONENT_NOT_ON_ORDER BACKFLUSH_CONFLICT OVER_ISSUE NEGATIVE_STOCK
    STOCK_STATUS_INVALID PERIOD_CLOSED EVENT_IN_FUTURE EVENT_TOO_OLD TIME_RANGE_INVALID HU_CHECK_DIGIT HU_UNKNOWN RECEIPT_EXCEEDS_OUTPUT
    HU_STATE_INVALID HU_CONTENT_EXCEEDED GENEALOGY_CYCLE MASS_BALANCE REVERSAL_TARGET_UNKNOWN REVERSAL_ALREADY_DONE REVERSAL_BLOCKED
    HOLD_RELEASE_UNAUTHORISED OWNER_VIOLATION ASN_OVER_RECEIPT RECEIPT_WITHOUT_ASN""".split()
