"""The reference scenario: its plant, its messages, and the canonical state that a database has after them.

Everything that names a table, a view or a verb of PlantHub is in this file; what happens and what must come of it is in
demo/scenario and in cases.py."""

import copy
import json
import re
from decimal import Decimal
from pathlib import Path

from libpq import quote

FOLDER = Path(__file__).resolve().parent.parent.parent / 'demo/scenario'


def load(name):
    return json.loads((FOLDER / f'{name}.json').read_text())


def events():
    """All events of the four flows, by their ids."""
    result = {}
    for name in ('main', 'asn', 'quality', 'downtime'):
        flow = load(f'messages_{name}')
        for event in flow if isinstance(flow, list) else [*flow.get('preconditions', []), *flow['messages']]:
            result[event['id']] = event
    return result


def plain(number):
    """A decimal number as text, without exponent and trailing zeros."""
    text = format(Decimal(number), 'f')
    return text.rstrip('0').rstrip('.') if '.' in text else text


def variant_of(message, **changes):
    """A copy of a message; keys are paths such as data__yield__value, the value None removes nothing but is set."""
    result = copy.deepcopy(message)
    for path, value in changes.items():
        place = result
        *parents, last = path.split('__')
        for name in parents:
            place = place[int(name) if name.isdigit() else name]
        place[int(last) if last.isdigit() else last] = value
    return result


def renamed(value, names):
    """The same document with other identifiers: whole texts, and the parts of keys such as lot:RM-SEAL:S-77."""
    if isinstance(value, dict):
        return {renamed(name, names): renamed(entry, names) for name, entry in value.items()}
    if isinstance(value, list):
        return [renamed(entry, names) for entry in value]
    if isinstance(value, str):
        return names[value] if value in names else ''.join(names.get(part, part) for part in re.split('([:|])', value))
    return value


def with_check_digit(body):
    """A code of GS1 (SSCC, GTIN) from all its digits but the last."""
    return body + str(-sum(int(digit) * (3, 1)[n % 2] for n, digit in enumerate(body)) % 10)


# -- sending --------------------------------------------------------------------------------------------------------------

class Answer:
    """What receive() said."""

    def __init__(self, outcome, code, message_id, violations):
        self.outcome = {'warned': 'applied_with_warning'}.get(outcome, outcome)
        self.code = code
        self.message_id = message_id
        self.violations = json.loads(violations) if violations else []

    @property
    def codes(self):
        return {self.code, *(violation.get('code') for violation in self.violations)} - {None}

    @property
    def pointers(self):
        return [violation.get('pointer', violation.get('instanceLocation', '')) for violation in self.violations]

    def __repr__(self):
        return f'{self.outcome} {self.code or "-"} {json.dumps(self.violations)[:600]}'


def receive(sql, message):
    return Answer(*sql.rows('SELECT outcome, code, message_id, violations FROM planthub.receive('
                            f'{quote(json.dumps(message))}::jsonb)')[0])


# -- the plant ------------------------------------------------------------------------------------------------------------

class Plant:
    """Configuration and master data of one site, by verbs and by messages of the systems that own them."""

    SYSTEMS = {     # code: kind, source
        'sap-prd': ('erp', 'urn:sys:erp:sap-prd-100'), 'mes-p1': ('mes', 'urn:sys:mes:plant1'),
        'wms-eu': ('wms', 'urn:sys:wms:saas-eu'), 'qms-cloud': ('qms', 'urn:sys:qms:cloud'),
        'scada-p1': ('scada', 'urn:sys:scada:plant1'), 'maximo': ('eam', 'urn:sys:eam:maximo'),
        'sup-7': ('supplier', 'urn:sys:supplier:sup-7')}
    OPENED = '2026-01-14T00:00:00+01:00'

    def __init__(self, sql, names=None):
        self.names = names or {}
        self.sql = sql
        self.master = renamed(load('master_data'), self.names)
        self.site = self.name('PLANT-1')

    def name(self, text):
        return self.names.get(text, text)

    def fact(self, kind, topic, data):
        """Notes a message of the system of that kind."""
        source = self.name(next(source for of, source in self.SYSTEMS.values() if of == kind))
        self.facts.append((kind, {
            'specversion': '1.0', 'id': f'master-{len(self.facts) + 1}', 'source': source, 'type': f'planthub.{topic}.v1',
            'time': self.OPENED, 'recordedtime': self.OPENED, 'datacontenttype': 'application/json',
            'dataschema': f'urn:planthub:schema:{topic}:1', 'partitionkey': 'master', 'correlationid': 'master', 'data': data}))

    def configure(self, *kinds):
        """Site, systems and their sources, policies, cross-reference: rows of configuration only."""
        sql, q = self.sql.rows, quote
        sql(f"SELECT planthub.create_site({q(self.site)}, timezone => 'Europe/Berlin')")
        for code, (kind, source) in self.SYSTEMS.items():
            sql(f'SELECT planthub.create_system({q(self.name(code))}, {q(kind)}, site => {q(self.site)})')
            sql(f'SELECT planthub.set_source({q(self.name(source))}, system => {q(self.name(code))}, site => {q(self.site)})')
        for policy, value in self.master['policies'].items():
            self.policy(policy, value)
        for set_, objects in (('equipment', self.master['equipment']), ('item', self.master['items'])):
            for thing in objects:
                for kind, code in thing.get('xref', {}).items():
                    self.xref(set_, kind, code, thing['id'])

    def policy(self, name, value):
        self.sql.rows(f'SELECT planthub.set_policy({quote(self.site)}, {quote(name)}, {quote(value)})')

    def xref(self, set_, kind, code, canonical):
        """kind: of the system, or supplier:<party>."""
        system, scope = '*', self.site
        if kind.startswith('supplier:'):
            scope = 'party:' + kind.split(':')[1]
        else:
            system = self.name(next(code_ for code_, (of, _) in self.SYSTEMS.items() if of == kind))
        self.sql.rows(f'INSERT INTO planthub.xref (set, system, scope, code, value) VALUES '
                      f'({quote(set_)}, {quote(system)}, {quote(scope)}, {quote(code)}, to_jsonb({quote(canonical)}::text))')

    def fill(self):
        """Receives what there is; all of it must be applied."""
        for _, event in self.stocktaking():
            answer = receive(self.sql, event)
            if answer.outcome != 'applied':
                raise AssertionError(f'{event}: {answer}')

    def stocktaking(self):
        """Master data and opening stock, as (kind of system, message)."""
        self.facts = []
        for thing in self.master['equipment']:
            self.fact('erp', 'equipment.upserted', {
                'equipment': thing['id'], 'version': 1, 'level': thing['level'], 'parent': thing['parent'], 'tz': thing.get('tz'),
                'active': True})
        for item in self.master['items']:
            self.fact('erp', 'item.upserted', {
                'item': item['id'], 'version': 1, 'description': item['description'], 'base_uom': item['base_uom'],
                'lot_controlled': item['lot_controlled'], 'serial_controlled': item['serial_controlled'], 'status': 'active',
                'gtin': item.get('gtin')})
        for conversion in self.master['uom_conversions']:
            if conversion['scope'] == 'item':
                self.fact('erp', 'uom_conversion.upserted', {
                    'item': conversion['item'], 'from': conversion['from'], 'to': conversion['to'],
                    'numerator': conversion['factor'], 'denominator': '1'})
        for party in self.master['parties']:
            self.fact('erp', 'party.upserted', {'party': party['id'], 'version': 1, 'role': party['role'], 'name': party['id'],
                                                'gln': party.get('gln')})
        for lot in self.master['lots']:
            self.fact('erp', 'lot.upserted', {
                'item': lot['item'], 'lot': lot['lot'], 'version': 1, 'status': 'unrestricted', 'expiry': lot.get('expiry'),
                'supplier': lot['supplier'], 'supplier_lot': lot['supplier_lot']})
        bom, routing = self.master['bom'], self.master['routing']
        self.fact('erp', 'bom.released', {'bom': bom['item'], **bom})
        self.fact('erp', 'routing.released', {'routing': routing['item'], **routing})
        for number, stock in enumerate(self.master['opening_stock']):
            self.fact('wms', 'inventory.adjusted', {
                'document': f'OPEN-{number}', 'line': '1', 'item': stock['item'], 'lot': stock['lot'], 'location': stock['location'],
                'delta': stock['qty'], 'reason': 'OPENING'})
        return self.facts


# -- what is there --------------------------------------------------------------------------------------------------------

class State:
    """The canonical state of a site, as values that can be compared; what is zero or reversed is not in it."""

    QUERIES = {
        'stock': '''SELECT concat_ws('|', location, item, coalesce(lot, 'None')) || CASE status WHEN 'unrestricted' THEN '' ELSE '|' || status END, qty
                    FROM planthub.inventory_balance WHERE site = {site} AND qty <> 0''',
        'edges': '''SELECT concat_ws('|', from_item, from_lot, to_item, to_lot, trim_scale(qty), uom, order_no, operation), count(*)
                    FROM planthub.genealogy_edge WHERE site = {site} AND reversed_by IS NULL GROUP BY 1''',
        'operations': '''SELECT concat_ws('|', t.order_no, t.operation, x.what), x.qty
                         FROM (SELECT DISTINCT ON (c.order_no, c.operation) c.* FROM planthub.confirmation AS c WHERE c.site = {site}
                               ORDER BY c.order_no, c.operation, c.seq DESC) AS t
                         CROSS JOIN LATERAL (VALUES ('yield', total_yield), ('scrap', total_scrap), ('rework', total_rework)) AS x (what, qty) WHERE x.qty <> 0''',
        'planned': 'SELECT order_no, qty FROM planthub.production_order WHERE site = {site}',
        'handling_units': '''SELECT concat_ws('|', sscc, state, location, item, lot), qty FROM planthub.handling_unit_contents WHERE site = {site}''',
        'downtime_minutes': '''SELECT downtime_no, coalesce(minutes, -1) FROM planthub.downtime_event WHERE site = {site}''',
    }
    LISTS = {
        'notices': "SELECT concat_ws('|', asn, state, expected_receipt, trim_scale(received_qty)) FROM planthub.asn_status WHERE site = {site}",
        'equipment_states': "SELECT concat_ws('|', equipment, state, valid) FROM planthub.equipment_state WHERE site = {site}",
        'reasons': "SELECT concat_ws('|', downtime_no, reasons) FROM planthub.downtime_event WHERE site = {site}",
        'order_states': "SELECT concat_ws('|', order_no, state) FROM planthub.production_order WHERE site = {site}",
        'shipments': "SELECT concat_ws('|', shipment, state) FROM planthub.shipment WHERE site = {site}",
        'holds_open': "SELECT DISTINCT lot FROM planthub.hold WHERE site = {site} AND released_at IS NULL",
        'parked': "SELECT event_id FROM planthub.parked_event WHERE site = {site}",
    }

    def __init__(self, sql, site='PLANT-1'):
        self.parts = {}
        for name, query in self.QUERIES.items():
            self.parts[name] = {key: plain(value) for key, value in sql.rows(query.format(site=quote(site)))}
        for name, query in self.LISTS.items():
            self.parts[name] = sorted(row[0] for row in sql.rows(query.format(site=quote(site))))

    def __getattr__(self, name):
        try:
            return self.parts[name]
        except KeyError:
            raise AttributeError(name) from None

    def without(self, *names):
        return {name: part for name, part in self.parts.items() if name not in names}

    def differences(self, other, *ignored):
        """What differs from another state, as lines."""
        lines = []
        for name, mine in self.without(*ignored).items():
            theirs = other.parts[name]
            if mine != theirs:
                if isinstance(mine, dict):
                    for key in sorted(mine.keys() | theirs.keys()):
                        if mine.get(key) != theirs.get(key):
                            lines.append(f'{name}: {key}: {theirs.get(key)} -> {mine.get(key)}')
                else:
                    lines.append(f'{name}: {theirs} -> {mine}')
        return lines

    def missing(self, expected):
        """What an "expect_after" of a variant demands and is not so, as lines."""
        lines = []

        def demand(what, got, wanted):
            if got != wanted:
                lines.append(f'{what}: got {got}, expected {wanted}')

        for part, wanted in expected.items():
            if part == 'parked':
                demand('parked', len(self.parked), wanted)
            elif part == 'stock':
                for key, qty in wanted.items():
                    demand(f'stock {key}', self.stock.get(key, '0'), plain(qty))
            elif part == 'edges':
                demand('edges', sorted(self.edges), sorted(wanted))
            elif part == 'edges_include':
                for start in wanted:
                    demand(f'edge {start}', any(edge.startswith(start) for edge in self.edges), True)
            elif part == 'ops':
                for order, operations in wanted.items():
                    for operation, (good, scrap) in operations.items():
                        for kind, qty in (('yield', good), ('scrap', scrap)):
                            demand(f'{kind} of {order}/{operation}', self.operations.get(f'{order}|{operation}|{kind}', '0'), plain(qty))
            elif part in ('holds_open',):
                demand(part, self.holds_open, sorted(wanted))
            elif part in ('downtime_minutes', 'planned', 'handling_units'):
                for key, qty in wanted.items():
                    demand(f'{part} {key}', self.parts[part].get(key), plain(qty))
            else:
                lines.append(f'the test does not know "{part}"')
        return lines


def unbalanced(sql, site='PLANT-1'):
    """Balances that are not the sum of their movements, as lines."""
    return [str(row) for row in sql.rows(f'SELECT * FROM planthub.stock_differences({quote(site)})')]
