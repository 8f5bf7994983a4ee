"""Compares what the systems of the demo wrote down with what the hub says, and says it in plain words."""

import collections
import json

from day import identity

SYSTEMS = {'erp': ['sap-prd'], 'mes': ['mes-p1', 'weigh-1'], 'wms': ['wms-eu'], 'qms': ['qms-cloud'], 'eam': ['maximo'], 'scada': ['scada-p1'],
           'office': ['sup-7', 'planner', 'labels', 'customers']}
IN_FLIGHT = 2.0         # seconds before a kill in which a request can have been under way
IN_SOCKET = 1.0         # seconds after it in which a busy target can still read what had been sent


class Verdicts:
    def __init__(self):
        self.faults = 0

    def __call__(self, good, text, examples=()):
        print(f'     {"yes" if good else "NO "}  {text}')
        if not good:
            self.faults += 1
            for example in list(examples)[:5]:
                print(f'          {example}')


def check_complete(verdict, expected, received):
    got, keys = {identity(request) for request in received}, set(expected)
    verdict(keys == got, f'complete: whatever is meant for it arrived, {len(keys)} in all, and nothing else',
            [f'missing {k}' for k in sorted(keys - got)] + [f'not published {k}' for k in sorted(got - keys)])


def check_order(verdict, received):
    """The version of an order rises from message to message; a repeated one must not come after a later one."""
    last, wrong, several = {}, [], collections.Counter()
    for request in received:
        if request['path'] not in ('/orders', '/tasks'):
            continue
        data = request['data']
        order = data.get('orderNo') or data.get('reference') or data['order']
        version = data.get('version', 1)        # the WMS is told no version with a new order
        if version < last.get(order, 0):
            wrong.append(f'{order}: version {version} after version {last[order]}')
        if version > last.get(order, 0):
            several[order] += 1
        last[order] = max(version, last.get(order, 0))
    changed = sum(1 for count in several.values() if count > 1)
    if several:
        verdict(not wrong, f'in order: {len(several)} orders, {changed} of them with changes, each change after what it changes', wrong)


def check_repeats(verdict, role, expected, received, attempts, kills):
    """A message may come twice only when an attempt at it was under way when something was killed."""
    arrivals = collections.defaultdict(list)
    for request in received:
        arrivals[identity(request)].append((request['time'], request['body']))
    unexplained, other_body = [], [str(name) for name, came in arrivals.items() if any(body != came[0][1] for _, body in came)]
    repeated = {name: came for name, came in arrivals.items() if len(came) > 1 and name in expected}
    for name, came in repeated.items():
        # Arrivals whose answer the hub never got: either it recorded that, or it was killed before it could.
        unanswered = sum(1 for a in attempts[expected[name]['delivery_id']] if a['outcome'] == 'unknown')
        interrupted = sum(1 for time, _ in came[:-1]
                          if any(before - IN_FLIGHT <= time <= after + IN_SOCKET for before, after, victim in kills if victim in ('hub', role)))
        if len(came) - 1 > unanswered + interrupted:
            unexplained.append(f'{name}: {len(came)} times')
    verdict(not unexplained, f'repeated: {len(repeated)}, each only because an attempt was under way when something was killed'
            if repeated else 'repeated: none', unexplained)
    if repeated:
        verdict(not other_body, 'with the same idempotency key and the same body both times', other_body)


def check_recorded(verdict, expected, attempts):
    """Exactly one success per delivery, whatever was killed in between."""
    wrong = [f'{name}: {d["state"]}' for name, d in expected.items()
             if sum(a['outcome'] in ('success', 'duplicate') for a in attempts[d['delivery_id']]) != 1 or d['state'] != 'delivered']
    verdict(not wrong, 'recorded: the hub has one success for each, and lists it as delivered', wrong)


def check_sap(verdict, received, requests):
    """What the scenario says that SAP must be sent; a call of a function has parameters instead of a body."""
    wrong = []
    for request in requests:
        path, _, call = request['path'].partition('?')
        body = request['body'] or dict(part.replace("'", '').split('=') for part in call.split('&'))
        if not any(identity(came)[:2] == tuple(request['idempotency_key'].split('|')) and came['path'] == path and json.loads(came['body']) == body
                   for came in received):
            wrong.append(request['cause'])
    verdict(not wrong, f'as SAP wants it: the {len(requests)} requests of the scenario, service by service and member by member', wrong)


def compare(hub, day, kills, requests):
    """Says for each system whether all is as PlantHub promises; returns the number of faults.  kills: time before, time after and
    victim of every kill -9; requests: what SAP must be sent."""
    number = hub.sql('SELECT planthub.hub_id()')
    deliveries = hub.json('SELECT d.*, m.source, m.event_id FROM planthub.delivery_status AS d JOIN planthub.message AS m ON m.id = d.message_id')
    attempts = collections.defaultdict(list)
    for attempt in hub.json('SELECT delivery_id, outcome FROM planthub.attempt'):
        attempts[attempt['delivery_id']].append(attempt)
    verdict = Verdicts()
    for role, systems in SYSTEMS.items():
        expected = {(d['source'], d['event_id'], d['endpoint']) if d['source'] else ('', '', f'{number}-{d["message_id"]}-{d["endpoint"]}'): d
                    for d in deliveries if d['system'] in systems}
        received = day.systems[role].received()
        print(f'   {role.upper()} received {len(received)} {"message" if len(received) == 1 else "messages"}:')
        check_complete(verdict, expected, received)
        check_order(verdict, received)
        check_repeats(verdict, role, expected, received, attempts, kills)
        check_recorded(verdict, expected, attempts)
        if role == 'erp':
            check_sap(verdict, received, requests)
    return verdict.faults
