#!/usr/bin/env python3
"""Routes with real workers: a condition that cannot be evaluated parks the delivery, mappings translate the data on their
way out, and plain mode sends the data alone."""

import json
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'lib'))
from hub import Hub, Peer, equal, eventually, finish, ok, soon  # noqa: E402

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
equal(event['body'], '{"a":"ü","b":[1,2.5]}', 'the body is the data alone')
ok(event['headers']['idempotency-key'].strip('"').endswith(f'-{message}-plain'), 'with an idempotency key', event)
equal(event['headers']['traceparent'][:36], traceparent[:36], 'and the trace')

# ---- mappings ----

hub.sql("""
    SELECT planthub.create_topic('test.mapped'), planthub.create_xref_set('line'), planthub.create_system('mes2', 'mes');
    SELECT planthub.create_mapping('to-mes', $m${"Order": "=order", "Qty": "=round(qty * 1000, 0)", "Line": "=xref('line', line)",
        "Ref": "=concat($env.site, '/', $env.key, '/', $env.system, '/', $env.endpoint)", "Id": "=$env.message_id",
        "Event": "=concat($env.source, '|', $env.id, '|', $env.time[10:11])"}$m$);
    SELECT planthub.activate_mapping('to-mes', version => 1);
    SELECT planthub.create_endpoint('mapped', 'mes2', '%s', content_mode => 'plain');
    SELECT planthub.create_route('mapped', 'test.mapped', 'mapped', mapping => 'to-mes');
    SELECT planthub.set_xref('line', 'L1', '"ASM-1"', system => 'mes2')""" % peer.url('/mapped'))


def body(path, key):
    return next((json.loads(event['body']) for event in reversed(peer.received(path))
                 if json.loads(event['body']).get('Ref', '').split('/')[1:2] == [key]), None)


message = publish('test.mapped', {'order': 'A', 'qty': 1.5, 'line': 'L1'}, key='m1')
eventually(lambda: states(message), 'mapped delivered', 'mapped: delivered')
equal(body('/mapped', 'm1'), {'Order': 'A', 'Qty': 1500, 'Line': 'ASM-1', 'Ref': 'P1/m1/mes2/mapped', 'Id': message,
                              'Event': f"urn:planthub:{hub.sql('SELECT planthub.hub_id()')}|{message}|T"}, 'the target gets what the mapping makes')
equal(hub.sql(f'SELECT mapping FROM planthub.attempt WHERE message_id = {message}'), 'to-mes@1', 'the attempt tells the version')
equal(hub.sql(f'SELECT mapping FROM planthub.delivery_status WHERE message_id = {message}'), 'to-mes@1', 'and so does the delivery')

bad = publish('test.mapped', {'order': 'B', 'qty': 'x', 'line': 'L2'}, key='m2')
behind = publish('test.mapped', {'order': 'C', 'qty': 2, 'line': 'L1'}, key='m2')
eventually(lambda: states(bad), 'mapped parked MAPPING_FAILED', 'what it cannot translate is parked')
eventually(lambda: states(behind), 'mapped blocked KEY_BLOCKED', 'the next one of its key waits')
errors = {error['at']: error for error in json.loads(held(bad)['last_error'])}
equal({at: (error['code'], error['mapping']) for at, error in errors.items()},
      {'/Qty': ('invalid-type', 'to-mes@1'), '/Line': ('unmapped-code', 'to-mes@1')}, 'with every error and its place')
equal(hub.sql(f'SELECT count(*) FROM planthub.attempt WHERE message_id = {bad}'), '0', 'and without an attempt')
hub.sql(f"SELECT planthub.release({held(bad)['delivery_id']})")
eventually(lambda: states(bad), 'mapped parked MAPPING_FAILED', 'released too early it comes back')
hub.sql("""SELECT planthub.set_xref('line', 'L2', '"ASM-2"', system => 'mes2');
           SELECT planthub.create_mapping('to-mes', $m${"Order": "=order", "Qty": "=to_number(qty)", "Line": "=xref('line', line)",
               "Ref": "=concat($env.site, '/', $env.key)"}$m$, options => '{"nulls": "keep"}');
           SELECT planthub.activate_mapping('to-mes', version => 2)""")
hub.sql(f"SELECT planthub.release({held(bad)['delivery_id']})")
eventually(lambda: states(bad), 'mapped delivered', 'after entry and mapping have been mended it is sent')
eventually(lambda: states(behind), 'mapped delivered', 'and the next one')
equal(hub.sql(f'SELECT mapping FROM planthub.attempt WHERE message_id = {bad}'), 'to-mes@2', 'by the new version')

# What no message can be translated by concerns this route only, and the worker lives on.
worker = hub.sql("SELECT pid FROM planthub.workers()")
hub.sql("UPDATE planthub.mapping SET status = 'retired' WHERE name = 'to-mes'")     # the verb refuses: a route names it
bad = publish('test.mapped', {'order': 'D', 'qty': 1, 'line': 'L1'}, key='m3')
eventually(lambda: states(bad), 'mapped parked MAPPING_FAILED', 'without an active version it is parked')
ok('no active version' in held(bad)['last_error'], 'and says so', held(bad))
hub.sql("""CREATE FUNCTION public.lookup(document jsonb) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
           BEGIN RETURN to_jsonb(1 / (document ->> 'qty')::int); END $$;
           SELECT planthub.create_mapping_function('lookup', 'public.lookup(jsonb)');
           SELECT planthub.create_mapping('to-mes', $m${"Order": "=order", "One": {"$call": "lookup", "$with": "=@"}}$m$);
           SELECT planthub.activate_mapping('to-mes', version => 3)""")
hub.sql(f"SELECT planthub.release({held(bad)['delivery_id']})")
eventually(lambda: states(bad), 'mapped delivered', 'a mapping that calls a function')
bad = publish('test.mapped', {'order': 'E', 'qty': 0}, key='m4')
eventually(lambda: states(bad), 'mapped parked MAPPING_FAILED', 'a function that fails')
ok('division by zero' in held(bad)['last_error'], 'is told', held(bad))
equal(hub.sql("SELECT pid FROM planthub.workers()"), worker, 'by the same worker as before')

# In a CloudEvent the data are the mapped ones, and no contract is claimed for them.
hub.sql("SELECT planthub.create_endpoint('event', 'mes2', '%s'); SELECT planthub.create_route('event', 'test.mapped', 'event', mapping => 'to-mes@2')" % peer.url('/event'))
message = publish('test.mapped', {'order': 'F', 'qty': 3, 'line': 'L1'}, key='m5')
eventually(lambda: states(message), lambda got: 'event delivered' in got, 'a CloudEvent with mapped data')
event = json.loads(peer.received('/event')[0]['body'])
equal((event['type'], event['data']['Qty'], 'dataschema' in event), ('planthub.test.mapped.v1', 3, False), 'of its type, without schema')

# ---- what waits for an entry goes when it comes ----

hub.sql("SELECT planthub.create_xref_set('place')")
hub.sql("""SELECT planthub.create_mapping('place', $m${"Ref": "=concat('x/', $env.key)", "Place": "=xref_back('place', place)",
               "Event": "=[$env.source, $env.id, $env.time]"}$m$);
           SELECT planthub.activate_mapping('place', version => 1);
           SELECT planthub.create_topic('test.place'); SELECT planthub.create_route('place', 'test.place', 'mapped', mapping => 'place')""")
waiting = publish('test.place', {'place': 'A1'}, key='w1', source='urn:x', event_id='e1', event_time='2026-01-02T03:04:05Z', event_offset='+02:00')
other = publish('test.place', {'place': 'A2'}, key='w2')
eventually(lambda: (states(waiting), states(other)), ('place parked MAPPING_FAILED',) * 2, 'two wait for an entry of the cross-reference')
hub.sql("""SELECT planthub.set_xref('place', 'MES-A1', '"A1"', system => 'mes2')""")
eventually(lambda: states(waiting), 'place delivered', 'the one whose entry comes is sent')
equal(body('/mapped', 'w1'), {'Ref': 'x/w1', 'Place': 'MES-A1', 'Event': ['urn:x', 'e1', '2026-01-02T05:04:05+02:00']}, 'with it, and with what the CloudEvent says')
equal(states(other), 'place parked MAPPING_FAILED', 'the other one waits')

# The entry is there before the delivery is parked, and seen by the worker after it only.
session = hub.session("""BEGIN; SELECT planthub.set_xref('place', 'MES-A3', '"A3"', system => 'mes2');""")
eventually(lambda: hub.sql("SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND query LIKE '%MES-A3%'"), '1', 'an entry is brought by a long transaction')
late = publish('test.place', {'place': 'A3'}, key='w3')
eventually(lambda: hub.sql(f"SELECT held.state FROM planthub.held WHERE message_id = {late} AND due_at IS NULL"), 'parked', 'a delivery is parked meanwhile')
session.stdin.write('COMMIT;\n')
session.stdin.flush()
eventually(lambda: states(late), 'place delivered', 'the end of the transaction lets it go')

# The worker that is woken must not look with what it had cached before the entry came; 24 of 60 were lost by that.
lost = []
for n in range(20):
    message = publish('test.place', {'place': f'B{n}'}, key=f'b{n}')
    soon(lambda: states(message) == 'place parked MAPPING_FAILED')
    hub.sql(f"SELECT planthub.set_xref('place', 'MES-B{n}', '\"B{n}\"', system => 'mes2')")
    if not soon(lambda: states(message) == 'place delivered', 10):
        lost.append(n)
equal(lost, [], 'so it is with twenty others, each released by its entry')

# ---- XML ----

hub.sql("""SELECT planthub.create_topic('test.xml');
           SELECT planthub.create_endpoint('xml', 'mes', '%s', content_mode => 'plain', xml_profile => '{"root": "Order", "order": {"Order": ["Id", "Line"]}}');
           SELECT planthub.create_route('xml', 'test.xml', 'xml')""" % peer.url('/xml'))
message = publish('test.xml', {'Line': [{'Qty': '1'}, {'Qty': '2'}], 'Id': 'A<B'})
eventually(lambda: states(message), 'xml delivered', 'XML: delivered')
event = peer.received('/xml')[0]
equal(event['headers']['content-type'], 'application/xml', 'with its media type')
equal(event['body'].split('\n', 1)[1].strip(), '<Order><Id>A&lt;B</Id><Line><Qty>1</Qty></Line><Line><Qty>2</Qty></Line></Order>', 'in the order of the profile')
message = publish('test.xml', {'not a name': 1}, key='x2')
eventually(lambda: states(message), 'xml parked XML_FAILED', 'what cannot be XML is parked')
ok('"not a name" is no name in XML' in held(message)['last_error'], 'and says where', held(message))

finish()
