#!/usr/bin/env python3
"""Deliveries whose mapping lacks an entry of the cross-reference: whoever brings it, by whatever transaction, lets them go,
and nothing else does.  What prepared transactions bring."""

import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'lib'))
from hub import Hub, Peer, equal, eventually, finish, ok, soon  # noqa: E402
from libpq import Connection, SQLError  # noqa: E402

hub = Hub('max_prepared_transactions = 5')
peer = Peer()
hub.sql(f"""
    SELECT planthub.create_site('P1'), planthub.create_system('mes', 'mes'), planthub.create_system('wms', 'wms'),
           planthub.create_topic('test.place'), planthub.create_topic('test.plain'), planthub.create_xref_set('place'),
           planthub.create_xref_set('count', cached => false);
    SELECT planthub.create_mapping('place', $m${{"Place": "=xref('place', place)"}}$m$), planthub.create_mapping('count', $m${{"Place": "=xref_back('count', place)"}}$m$);
    SELECT planthub.activate_mapping('place', version => 1), planthub.activate_mapping('count', version => 1);
    SELECT planthub.create_endpoint(e, 'mes', '{peer.url('/')}' || e) FROM unnest('{{a,b,plain}}'::text[]) AS e;
    SELECT planthub.create_route('place', 'test.place', 'a', mapping => 'place');
    SELECT planthub.create_route('count', 'test.place', 'b', mapping => 'count', condition => 'back');
    SELECT planthub.create_route('plain', 'test.plain', 'plain')""")


def publish(place, key=None, topic='test.place', more=''):
    return int(hub.sql(f"""SELECT planthub.publish('{topic}', '{{"place": "{place}"{more}}}', '{key or place}', 'P1')"""))


def state(message, route='place'):
    return hub.sql(f"SELECT state FROM planthub.delivery_status WHERE message_id = {message} AND route = '{route}'")


def parked(place):
    message = publish(place)
    soon(lambda: state(message) == 'parked')
    return message


def entry(place, system='mes', set='place'):
    return f"SELECT planthub.set_xref('{set}', '{place}', '\"{place}\"', system => '{system}');"


# ---- who brings it ----

message = parked('A')
equal(hub.sql(f'SELECT waits_for FROM planthub.held WHERE message_id = {message}'), '{place/A}', 'a parked delivery tells what it waits for')
hub.sql(entry('A'))
eventually(lambda: state(message), 'delivered', 'the entry lets it go')

for level in ('REPEATABLE READ', 'SERIALIZABLE'):
    place = level[0]
    session = Connection('dbname=hub')
    session.rows(f'BEGIN ISOLATION LEVEL {level}')
    session.rows('SELECT count(*) FROM planthub.held')
    message = parked(place)
    session.rows(entry(place))
    session.rows('COMMIT')
    eventually(lambda: state(message), 'delivered', f'so does one of a transaction that cannot see the delivery ({level})')

message = parked('P')
session = Connection('dbname=hub')
session.rows('BEGIN')
session.rows(entry('P'))
session.rows("PREPARE TRANSACTION 'p'")
ok(not soon(lambda: state(message) != 'parked', 3), 'one that is only prepared does not')
hub.sql("COMMIT PREPARED 'p'")
eventually(lambda: state(message), 'delivered', 'a prepared transaction does when it is committed')

message = parked('I')
session.rows("""INSERT INTO planthub.xref (set, code, value, system) VALUES ('place', 'J', '"I"', 'mes')""")
session.rows("UPDATE planthub.xref SET code = 'I' WHERE code = 'J'")
eventually(lambda: state(message), 'delivered', 'an entry that is corrected does, too')

message = parked('N')
session.rows('BEGIN')
session.rows('SAVEPOINT s')
session.rows(entry('N'))
session.rows('ROLLBACK TO s')
session.rows('COMMIT')
ok(not soon(lambda: state(message) != 'parked', 2), 'one that is rolled back does not')
hub.sql('SELECT planthub.stop()')
soon(lambda: hub.sql('SELECT count(*) FROM planthub.workers()') == '0')
hub.sql(entry('N'))
hub.sql('SELECT planthub.start()')
eventually(lambda: state(message), 'delivered', 'one that came while no worker was there does')

message = publish('B', more=', "back": true')
eventually(lambda: state(message, 'count'), 'parked', 'a mapping that looks backward, in a set that nobody remembers')
hub.sql(entry('B', set='count'))
eventually(lambda: state(message, 'count'), 'delivered', 'goes, too')
equal(state(message), 'parked', 'what waits for the same code of another set does not')

hub.sql("""SELECT planthub.create_topic('test.unit'), planthub.create_mapping('unit', $m${"Qty": "=unit(qty, u, 'KGM')"}$m$);
           SELECT planthub.activate_mapping('unit', version => 1); SELECT planthub.create_route('unit', 'test.unit', 'a', mapping => 'unit')""")
message = publish('x', topic='test.unit', more=', "qty": 3, "u": "ZZ9"')
eventually(lambda: hub.sql(f'SELECT state, waits_for FROM planthub.held WHERE message_id = {message}'), 'parked|{/ZZ9}', 'what lacks a unit is parked')
hub.sql("SELECT planthub.create_unit('ZZ9', 'stone', 'mass', 635029318, 100000000)")
eventually(lambda: state(message, 'unit'), 'delivered', 'and goes when there is one')

# ---- what is not meant by it stays as it is ----

message = parked('O')
hub.sql(entry('O', system='wms'))
row = f'SELECT xmin, state, waits_for FROM planthub.held WHERE message_id = {message}'
seen = {}


def still():
    before, began = hub.sql(row), time.monotonic()
    soon(lambda: time.monotonic() - began > 3)
    seen['row'] = hub.sql(row)
    return seen['row'] == before


ok(soon(still) and seen['row'].endswith('|parked|{place/O}'), 'an entry of another system leaves it parked, and is looked at once', seen)
hub.sql("UPDATE planthub.held SET last_error = '[no list' WHERE message_id = %d" % message)
hub.sql(entry('X'))
ok(True, 'whatever stands in last_error, entries can be brought')

# ---- operators ----

message = parked('L')
session.rows('BEGIN')
session.rows(f'SELECT FROM planthub.held WHERE message_id = {message} FOR UPDATE')
hub.sql(entry('L'))
ok(not soon(lambda: state(message) != 'parked', 2), 'while an operator has it locked it stays')
session.rows('ROLLBACK')
eventually(lambda: state(message), 'delivered', 'then it goes')

behind = [publish('K', key='k'), publish('K2', key='k'), publish('A', key='k')]
soon(lambda: state(behind[2]) == 'blocked')
hub.sql(entry('K2'))
equal(state(behind[1]) in ('blocked', 'parked'), True, 'an entry for the second of a key does not make it go before the first')
hub.sql(entry('K'))
eventually(lambda: [state(m) for m in behind], ['delivered'] * 3, 'all go when the entry for the first has come')

# ---- many at once ----

sessions = [Connection('dbname=hub') for _ in range(4)]
messages = []
for n in range(40):
    session = sessions[n % 4]
    session.rows('BEGIN ISOLATION LEVEL REPEATABLE READ')
    session.rows('SELECT count(*) FROM planthub.held')
    session.rows(entry(f'M{n}'))
    messages.append(publish(f'M{n}'))
    if n >= 3:
        sessions[(n + 1) % 4].rows('COMMIT')
for session in sessions:
    try:
        session.rows('COMMIT')
    except SQLError:
        session.rows('ROLLBACK')
eventually(lambda: [n for n, message in enumerate(messages) if state(message) != 'delivered'], [], 'none is forgotten when entries and deliveries come together')

# ---- prepared deliveries ----

lost = []
for n in range(3):
    session = sessions[0]
    session.rows('BEGIN')
    session.rows("SELECT planthub.publish('test.place', '{\"place\": \"A\"}', 'late%d', 'P1')" % n)
    session.rows("PREPARE TRANSACTION 'late'")
    soon(lambda: False, 1.2)
    hub.sql("COMMIT PREPARED 'late'; SELECT planthub.publish('test.plain', '{}', 'k', 'P1')")
    message = int(hub.sql(f"SELECT id FROM planthub.message WHERE key = 'late{n}'"))
    if not soon(lambda: state(message) == 'delivered', 15):
        lost.append(n)
equal(lost, [], 'what a prepared transaction published is not forgotten when another lane is read right after its end')

session.rows('BEGIN')
session.rows("SELECT planthub.create_topic('test.new'), planthub.create_endpoint('new', 'mes', '%s')" % peer.url('/new'))
session.rows("SELECT planthub.create_route('new', 'test.new', 'new')")
session.rows("PREPARE TRANSACTION 'new'")
soon(lambda: False, 1.2)
hub.sql("COMMIT PREPARED 'new'")
message = publish('A', topic='test.new')
eventually(lambda: state(message, 'new'), 'delivered', 'what a prepared transaction configured is in force after its commit')

finish()
