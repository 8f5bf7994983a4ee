"""What must be so after each flow of the reference scenario, as (what, is, should be); the expectations are those of demo/scenario."""

from scenario import load, plain, renamed

EXPECTED = load('expected_results')
ASN = load('messages_asn')['expected']
QUALITY = load('messages_quality')['expected']
DOWNTIME = load('messages_downtime')['expected']


def units(state):
    """Handling units in the words of expected_results.json."""
    result = {}
    for key, qty in state.handling_units.items():
        sscc, status, _, _, lot = key.split('|')
        unit = result.setdefault(sscc, {'contents': {}, 'status': 'shipped' if status == 'shipped' else 'in_stock'})
        unit['contents'][lot] = qty
    return result


def after_main(state, names=None):
    expected = renamed(EXPECTED, names or {})
    stock = {'|'.join((row['location'], row['item'], row['lot'] or 'None')): plain(row['qty']) for row in expected['stock_after_main']}
    yield 'stock', state.stock, {key: qty for key, qty in stock.items() if qty != '0'}
    yield 'edges', sorted(state.edges), sorted('|'.join((e['from_item'], e['from_lot'], e['to_item'], e['to_lot'], plain(e['qty']), e['uom'],
                                                         e['order'], e['operation'])) for e in expected['genealogy_edges'])
    yield 'handling units', units(state), {unit['sscc']: {'contents': unit['contents'], 'status': unit['status']}
                                           for unit in expected['handling_units_after_main']}
    order = expected['order_1000123']
    number = (names or {}).get('1000123', '1000123')
    totals = {f'{number}|{operation}|{kind}': qty for kind in ('yield', 'scrap')
              for operation, qty in order[f'{kind}_by_operation'].items() if qty != '0'}
    totals[f'{number}|0020|rework'] = order['rework']
    yield 'totals of the order', state.operations, totals
    yield 'state of the order', state.order_states, [f'{number}|{order["status_after_erp-0003"]}']
    yield 'nothing is parked', state.parked, []


def figures_after_main(sql):
    yield 'variances', sql.rows(
        '''SELECT item, trim_scale(planned), trim_scale(actual), trim_scale(standard_for_yield), trim_scale(usage_variance_vs_yield)
           FROM planthub.order_variance WHERE site = 'PLANT-1' AND order_no = '1000123' ORDER BY item'''), sorted(
        [row['item'], row['planned'], row['actual'], row['standard_for_yield'], row['usage_variance_vs_yield']] for row in EXPECTED['order_variance'])
    yield 'mass balance of the lots', sql.rows(
        '''SELECT lot, trim_scale(came_in), trim_scale(consumed), trim_scale(on_hand), trim_scale(unexplained)
           FROM planthub.lot_balance WHERE site = 'PLANT-1' AND lot IN ('H-2201', 'H-2202', 'S-77', 'G-5') ORDER BY lot'''), sorted(
        [row['lot'], row['opening'], row['consumed'], row['on_hand'], row['unexplained']] for row in EXPECTED['lot_mass_balance'])
    # What other systems need beyond the events themselves, the hub publishes by itself.
    yield 'what the hub publishes by itself for order and shipment', sql.rows(
        '''SELECT topic, count(*) FROM planthub.message WHERE source IS NULL AND topic NOT LIKE 'capacity.%' GROUP BY topic ORDER BY topic'''), [
        ['goods.received_from_production', str(EXPECTED['expected_outbox_counts']['to_erp_goods_receipt'])],
        ['pick.requested', str(EXPECTED['expected_outbox_counts']['to_wms_pick_request'])]]
    yield 'shipment', sql.rows("SELECT ready, missing FROM planthub.shipment_readiness WHERE site = 'PLANT-1' AND shipment = '80001234'"), [['f', 'has departed']]


def after_supplier(sql, state):
    lot = ASN['lot_S-78']
    yield 'stock', {key: qty for key, qty in state.stock.items() if '|S-78' in key}, {'RM-WH|RM-SEAL|S-78': lot['unrestricted']}
    yield 'the notice is closed', sql.value("SELECT state FROM planthub.asn_status WHERE site = 'PLANT-1' AND asn = 'ASN-5501'"), ASN['asn_status']
    yield 'the discrepancy is known', sql.rows(
        "SELECT trim_scale(missing_qty), reason FROM planthub.receipt_discrepancy WHERE site = 'PLANT-1'"), [[ASN['supplier_discrepancy'], 'WATER_DAMAGE']]
    yield 'movements', sql.rows(
        "SELECT kind, trim_scale(base_qty), from_status, to_status FROM planthub.movement WHERE site = 'PLANT-1' AND lot = 'S-78' ORDER BY message_id, line"), [
        ['receipt_from_supplier', '500', None, 'quality'], ['receipt_from_supplier', '480', None, 'quality'],
        ['status_change', '975', 'quality', 'unrestricted'], ['sample', '5', 'quality', None]]
    yield 'the MES is told', sql.rows(
        '''SELECT data #>> '{item}', data #>> '{qty_delta,value}' FROM planthub.message
           WHERE topic = 'material.availability_changed' AND data ->> 'lot' = 'S-78' '''), [['RM-SEAL', lot['unrestricted']]]
    yield 'the lot of the supplier is linked', sql.rows(
        '''SELECT kind, from_lot, to_lot, trim_scale(qty) FROM planthub.genealogy_edge
           WHERE site = 'PLANT-1' AND kind = 'supplier' AND to_lot = 'S-78' ORDER BY qty'''), [
        ['supplier', 'SB-9931', 'S-78', '480'], ['supplier', 'SB-9931', 'S-78', '500']]


def after_complaint(sql):
    """Between qms-0201 and qms-0202."""
    expected = QUALITY['after_qms-0201']
    held = dict(sql.rows("SELECT lot, trim_scale(sum(on_hand_qty)) FROM planthub.hold_status WHERE site = 'PLANT-1' AND released_at IS NULL GROUP BY lot"))
    yield 'what is held, with descendants', {lot: qty for lot, qty in held.items() if qty != '0'}, {row['lot']: row['qty'] for row in expected['holds']}
    yield 'who has it', sql.rows(
        '''SELECT shipment, customer, lot, trim_scale(qty) FROM planthub.nonconformance_shipped
           WHERE site = 'PLANT-1' AND ncr = 'NCR-2044' ORDER BY lot'''), [
        [row['delivery'], row['customer'], lot, qty] for row in expected['recall_candidates'] for lot, qty in row['lots'].items()]


def after_quality(sql, state):
    expected = QUALITY['after_qms-0202']
    yield 'nothing is held at the end', len(state.holds_open), expected['holds_open']
    yield 'what is left of the lot', sql.rows(
        '''SELECT location, status, trim_scale(qty) FROM planthub.inventory_balance
           WHERE site = 'PLANT-1' AND lot = 'S-77' AND qty <> 0 ORDER BY 1'''), [['PSA-LINE-1', 'unrestricted', '10'], ['RM-WH', 'unrestricted', '186']]
    yield 'which is what was released', sql.value(
        "SELECT trim_scale(sum(qty)) FROM planthub.inventory_balance WHERE site = 'PLANT-1' AND lot = 'S-77'"), expected['S-77']['on_hand']
    yield 'ERP and WMS have really blocked', sql.rows(
        "SELECT system, document FROM planthub.hold_acknowledgement WHERE site = 'PLANT-1' ORDER BY system"), [['sap-prd', '4900005555'], ['wms-eu', 'HLD-1']]


def after_downtime(sql):
    expected = DOWNTIME['downtime']
    yield 'one row', sql.rows(
        "SELECT downtime_no, equipment, trim_scale(minutes), reason, order_no, maintenance_order FROM planthub.downtime_event WHERE site = 'PLANT-1'"), [
        [expected['id'], expected['equipment'], expected['minutes'], expected['reason'], expected['order'], expected['maintenance_order']]]
    yield 'reasons in history', sql.rows(
        f"SELECT unnest(reasons) FROM planthub.downtime_event WHERE site = 'PLANT-1' AND downtime_no = '{expected['id']}'"), [
        [reason] for reason in expected['reason_history']]
    yield 'states without gap', sql.rows(
        '''SELECT state, to_char(lower(valid) AT TIME ZONE 'Europe/Berlin', 'HH24:MI:SS'), to_char(upper(valid) AT TIME ZONE 'Europe/Berlin', 'HH24:MI:SS')
           FROM planthub.equipment_state WHERE site = 'PLANT-1' AND equipment = 'WC-TST1' ORDER BY valid'''), [
        ['running', None, '10:12:03'], ['down', '10:12:03', '10:47:03'], ['running', '10:47:03', None]]
    yield 'planning is told', sql.rows(
        '''SELECT topic, data ->> 'equipment', (data ->> 'from')::timestamptz AT TIME ZONE 'Europe/Berlin' FROM planthub.message
           WHERE topic LIKE 'capacity.%' ORDER BY topic'''), [
        ['capacity.reduced', 'WC-TST1', '2026-01-15 10:12:03'], ['capacity.restored', 'WC-TST1', '2026-01-15 10:47:03']]
