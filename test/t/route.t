#!/usr/bin/env python3
"""Routes with real workers: a condition that cannot be evaluated parks the delivery, and plain mode sends the data alone."""

import json
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'lib'))
from hub import Hub, Peer, equal, eventually, finish, ok  # noqa: E402

hub = Hub()
peer = Peer()
hub.sql(f"""SELECT planthub.create_site('P1'), planthub.create_system('mes', 'mes'), planthub.create_topic('test.moved'),
                   planthub.create_topic('test.plain');
            SELECT planthub.create_endpoint('moves', 'mes', '{peer.url('/moves')}'),
                   planthub.create_endpoint('plain', 'mes', '{peer.url('/plain')}', content_mode => 'plain', method => 'PUT')""")


def publish(topic, data, key='k', **options):
    more = ''.join(f", {name} => '{value}'" for name, value in options.items())
    return int(hub.sql(f"SELECT planthub.publish('{topic}', '{json.dumps(data)}', '{key}', 'P1'{more})"))


def states(message):
    return hub.sql(f"SELECT string_agg(route || ' ' || state || coalesce(' ' || reason, ''), ', ' ORDER BY route) "
                   f'FROM planthub.delivery_status WHERE message_id = {message}')


def held(message):
    return hub.row(f"SELECT * FROM planthub.held_status WHERE message_id = {message} AND state = 'parked'")


# ---- conditions ----

hub.sql("SELECT planthub.create_route('large', 'test.moved', 'moves', condition => 'qty > `10` && qty * 2 < `1000`')")
small = publish('test.moved', {'qty': 1})
good = publish('test.moved', {'qty': 20})
eventually(lambda: states(good), 'large delivered', 'a message for which the condition is true is sent')
equal(states(small), '', 'one for which it is false has no delivery')

hub.sql("SELECT planthub.alter_route('large', condition => 'qty * 2 > `10`')")
bad = publish('test.moved', {'qty': 'many'})
behind = publish('test.moved', {'qty': 30})
other = publish('test.moved', {'qty': 40}, key='other')
eventually(lambda: states(bad), 'large parked CONDITION_FAILED', 'one for which it cannot be evaluated is parked')
ok('column 1: operand of arithmetic must be a number, not string (invalid-type)' in held(bad)['last_error'], 'and says why', held(bad))
eventually(lambda: states(behind), 'large blocked KEY_BLOCKED', 'a later one of its key waits behind it')
eventually(lambda: states(other), 'large delivered', 'other keys do not')
hub.sql(f"SELECT planthub.release({held(bad)['delivery_id']})")
eventually(lambda: states(bad), 'large delivered', 'released it is sent')
eventually(lambda: states(behind), 'large delivered', 'and those behind it too')
equal([event['data']['qty'] for event in peer.received('/moves') if event['data']['qty'] in ('many', 30)], ['many', 30], 'in their order')

bad = publish('test.moved', {'qty': 'many'}, key='d')
behind = publish('test.moved', {'qty': 50}, key='d')
eventually(lambda: states(behind), 'large blocked KEY_BLOCKED', 'another one')
hub.sql(f"SELECT planthub.discard({held(bad)['delivery_id']}, 'not wanted')")
eventually(lambda: states(behind), 'large delivered', 'discarded it lets those behind it go')
equal(states(bad), 'large discarded', 'and is closed')

# The condition of a paused route counts too, and a delivery made before it changed is still sent.
hub.sql("SELECT planthub.pause('route', 'large', 'test')")
bad = publish('test.moved', {'qty': 'many'}, key='p')
good = publish('test.moved', {'qty': 60}, key='q')
eventually(lambda: states(good), 'large paused ROUTE_PAUSED', 'the route is paused')
eventually(lambda: states(bad), 'large parked CONDITION_FAILED', 'what its condition could not tell is parked all the same')
hub.sql("SELECT planthub.alter_route('large', condition => 'qty > `100`'); SELECT planthub.resume('route', 'large')")
eventually(lambda: states(good), 'large delivered', 'a delivery keeps its place when the condition changes')
equal(states(bad), 'large parked CONDITION_FAILED', 'and the parked one waits for a person')

# ---- plain mode ----

traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
hub.sql("SELECT planthub.create_route('plain', 'test.plain', 'plain')")
message = publish('test.plain', {'b': [1, 2.5], 'a': 'ü'}, traceparent=traceparent)
eventually(lambda: states(message), 'plain delivered', 'plain mode: delivered')
event = peer.received('/plain')[0]
equal((event['method'], event['headers']['content-type']), ('PUT', 'application/json'), 'with method and media type')
equal(event['body'], '{"a": "ü", "b": [1, 2.5]}', 'the body is the data alone')
ok(event['headers']['idempotency-key'].strip('"').endswith(f'-{message}-plain'), 'with an idempotency key', event)
equal(event['headers']['traceparent'][:36], traceparent[:36], 'and the trace')

finish()
