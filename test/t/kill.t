#!/usr/bin/env python3
"""A worker killed at every step of its work, the postmaster killed, and messages that crash their worker: what the tables
look like in the moment after, and that everything arrives, in order, and is recorded once.

The server does not restart by itself here: it stays down with what was written at the moment of the kill, and comes back
without workers, so that it can be looked at.
"""

import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'lib'))
from hub import Hub, Peer, equal, eventually, finish, ok, shell, soon, work  # noqa: E402

hub = Hub('restart_after_crash = off')
peer = Peer()
hub.sql("SELECT planthub.create_site('P1'); SELECT planthub.create_system('plant', 'mes'); SELECT planthub.create_topic('t.other')")
hub.sql(f"SELECT planthub.create_endpoint('other', 'plant', '{peer.url('/other')}'); SELECT planthub.create_route('other', 't.other', 'other')")


def target(name, **options):
    """An endpoint with a topic of its own."""
    more = ''.join(f', {option} => {value!r}' for option, value in options.items())
    hub.sql(f"SELECT planthub.create_topic('t.{name}')")
    hub.sql(f"SELECT planthub.create_endpoint('{name}', 'plant', '{peer.url('/' + name)}', retry_base => '10 ms', retry_cap => '50 ms'{more})")
    hub.sql(f"SELECT planthub.create_route('{name}', 't.{name}', '{name}')")


def publish(name, *keys):
    """One message for each key, in one transaction; n counts them."""
    hub.sql('BEGIN;' + ''.join(f"SELECT planthub.publish('t.{name}', '{{\"n\": {n}}}', '{key}', 'P1');" for n, key in enumerate(keys)) + 'COMMIT')


def crash(point, act):
    """Lets a worker kill itself at a point that act() leads it to; afterwards the server runs without workers."""
    hub.set(debug_crash=point)
    try:
        act()
    except RuntimeError:
        pass                    # the server may be faster than psql
    if not ok(soon(hub.is_down), f'{point}: the worker is killed'):
        hub.stop('immediate')
    hub.configure(debug_crash='', enabled='off')
    hub.start()


def go_on():
    hub.set(enabled='on')


def deliveries(name):
    return hub.json('SELECT s.key, s.state, s.reason, (SELECT count(*) FROM planthub.held AS h WHERE h.delivery_id = s.delivery_id '
                    f"AND h.token IS NOT NULL) AS marked FROM planthub.delivery_status AS s WHERE endpoint = '{name}' ORDER BY delivery_id")


def states(name):
    """key:state of each delivery in the order of publishing."""
    return ' '.join(f"{row['key']}:{row['state']}" for row in deliveries(name))


def windows(name):
    """batch <- origin: deliveries, crashes, and whether it was handed out, of each window."""
    return [tuple(row.values()) for row in hub.json(
        'SELECT w.batch_no, w.origin, w.deliveries, w.crashes, w.started FROM planthub.lane_window AS w JOIN planthub.lane AS l ON l.id = w.lane '
        f"JOIN planthub.endpoint AS e ON e.id = l.endpoint WHERE e.code = '{name}' ORDER BY w.batch_no")]


def attempts(name):
    """delivery by delivery, what was recorded of each try."""
    return [row['tries'] for row in hub.json(
        "SELECT coalesce(string_agg(a.outcome, ' ' ORDER BY a.n) , '') AS tries FROM planthub.delivery AS d JOIN planthub.route AS r ON r.id = d.route "
        f"LEFT JOIN planthub.attempt AS a ON a.delivery_id = d.id WHERE r.code = '{name}' GROUP BY d.id ORDER BY d.id")]


def received(name):
    return [event['data']['n'] for event in peer.received(f'/{name}')]


def keys_received(name):
    return [(event['data']['n'], event['headers']['idempotency-key']) for event in peer.received(f'/{name}')]


def arrives(name, keys, note):
    """Everything is delivered with one success each; every key in order; repetitions carry the same idempotency key."""
    go_on()
    eventually(lambda: states(name), ' '.join(f'{key}:delivered' for key in keys), f'{note}: everything is delivered')
    outcomes = attempts(name)
    ok(all(tries.split().count('success') == 1 and tries.endswith('success') for tries in outcomes), f'{note}: with one success each', outcomes)
    got = keys_received(name)
    equal(len(set(got)), len(keys), f'{note}: repetitions have the same idempotency key')
    for key in sorted(set(keys)):
        first = list(dict.fromkeys(n for n, _ in got if keys[n] == key))
        equal(first, sorted(first), f'{note}: key {key} arrives in order')


# ---- killed at every step of the first try ----

KEYS = ['A', 'B', 'A', 'C']

for point, sent in (('claimed', 0), ('sent', 1), ('answered', 1), ('recording', 1), ('recorded', 1)):
    name = f'first_{point}'
    target(name, max_in_flight=1)
    crash(point, lambda: publish(name, *KEYS))
    # With one request at a time: only the first one can have an outcome.
    rest = 'B:in_flight A:in_flight C:in_flight'
    equal(states(name), f'A:delivered {rest}' if point == 'recorded' else f'A:in_flight {rest}', f'{point}: what was claimed is on its way')
    equal(attempts(name), ['success' if point == 'recorded' else '', '', '', ''], f'{point}: recorded is all or nothing')
    equal(windows(name), [(1, None, 4, 0, True)], f'{point}: one window is open')
    equal(hub.sql('SELECT count(*) FROM planthub.held'), '0', f'{point}: nothing is held')
    if point != 'sent':         # there the request may be anywhere
        equal(received(name), [0] * sent, f'{point}: the target got what was sent')
    arrives(name, KEYS, point)
    equal([row[1:] for row in windows(name)[1:]], [(1, 3 if point == 'recorded' else 4, 1, False), (2, 3 if point == 'recorded' else 4, 1, True)],
          f'{point}: what was left ran again as it was')
    expected = [0, 1, 3, 2] if point in ('claimed', 'recorded') else [0, 0, 1, 3, 2]
    if point != 'sent':
        equal(sorted(received(name)), sorted(expected), f'{point}: only what was under way was sent again')

# ---- the same for a delivery that is held ----

for point in ('taken', 'sent', 'answered', 'recording', 'recorded'):
    name = f'held_{point}'
    note = f'held, {point}'
    target(name)
    peer.control(behaviour='status', status=503, count=1, match={'path': f'/{name}'})
    # The first attempt is recorded; what must not happen yet is the second.
    hub.sql(f"SELECT planthub.alter_endpoint('{name}', retry_base => '1 day', retry_cap => '1 day')")
    publish(name, 'A', 'A')
    eventually(lambda: states(name), 'A:retry A:blocked', f'{note}: the first try fails')
    crash(point, lambda: hub.sql(f"SELECT planthub.release(min(delivery_id)) FROM planthub.held"))
    if point == 'recorded':
        equal(states(name), 'A:delivered A:retry', f'{note}: the next one of the key may go')
    else:
        equal(states(name), 'A:in_flight A:blocked', f'{note}: it is being sent')
    equal(attempts(name), ['transient success' if point == 'recorded' else 'transient', ''], f'{note}: recorded is all or nothing')
    equal([row['marked'] for row in deliveries(name)], [0, 0] if point == 'recorded' else [1, 0], f'{note}: marked while it is being sent')
    arrives(name, ['A', 'A'], note)
    equal(hub.sql('SELECT count(*) FROM planthub.held'), '0', f'{note}: nothing stays held')

# ---- a target that does not know repetitions ----

target('old', idempotent=False, max_in_flight=1)
crash('answered', lambda: publish('old', 'A', 'B', 'A'))
go_on()
eventually(lambda: states('old'), 'A:in_doubt B:delivered A:blocked', 'in doubt: what may have been sent waits for a person, other keys go on')
equal(deliveries('old')[0]['reason'], 'WORKER_CRASHED', 'in doubt: with the reason')
equal(received('old'), [0, 1], 'in doubt: and is not sent again')
hub.sql("SELECT planthub.discard(min(delivery_id), 'the target has it') FROM planthub.held")
eventually(lambda: states('old'), 'A:discarded B:delivered A:delivered', 'in doubt: once it is closed the next of its key goes')

# ---- the postmaster ----

target('pm')
peer.control(behaviour='hold', match={'path': '/pm'})
publish('pm', *KEYS)
ok(soon(lambda: len(received('pm')) == 3), 'postmaster: requests are under way')
shell(f'ph_kill {work}')
hub.configure(enabled='off')
hub.start()
equal(states('pm'), 'A:in_flight B:in_flight A:in_flight C:in_flight', 'postmaster: they are known to be on their way')
equal(attempts('pm'), ['', '', '', ''], 'postmaster: nothing is recorded')
peer.control(reset=True, release=True)
arrives('pm', KEYS, 'postmaster')

# ---- killed again and again while it takes over ----

target('over')
peer.control(behaviour='hold', match={'path': '/over'})
publish('over', 'A')
ok(soon(lambda: len(received('over')) == 1), 'takeover: a request is under way')
hub.sql("SELECT planthub.publish('t.over', '{\"n\": 1}', 'B', 'P1')")
ok(soon(lambda: len(received('over')) == 2), 'takeover: and another, of another window')
shell(f'ph_kill {work}')
hub.configure(enabled='off')
hub.start()
crash('claimed', go_on)
equal(windows('over'), [(1, None, 1, 0, True), (2, None, 1, 0, True), (3, 1, 1, 1, False), (4, 2, 1, 1, False), (5, 3, 1, 1, True)],
      'takeover: of what was left the first has had its turn')
crash('recovered', go_on)
equal(windows('over')[5:], [(6, 5, 1, 2, False), (7, 4, 1, 1, False)], 'takeover: the second is still waiting, and not to blame')
crash('recovered', go_on)
peer.control(reset=True, release=True)
arrives('over', ['A', 'B'], 'takeover')

# ---- messages that crash their worker ----

def patient(get):
    """The same while the server may be recovering: None then."""
    try:
        return get()
    except RuntimeError:
        return None


def crashes():
    return hub.log().count('was terminated by signal 9')


def poison(name, note, act):
    """What crashes its worker is parked in the end, and all others are delivered; returns how many crashes it took."""
    before = crashes()
    hub.set(debug_crash='key=poison')
    patient(act)
    expected = ' '.join(f'{key}:{"parked" if key == "poison" else "delivered"}' for key in keys)
    eventually(lambda: patient(lambda: states(name)), expected, f'{note}: it is parked, all others are delivered', limit=120)
    return crashes() - before


hub.sql('ALTER SYSTEM SET restart_after_crash = on')
target('poison')
keys = [f'k{n}' for n in range(20)]
keys[13] = 'poison'
count = poison('poison', 'poison', lambda: publish('poison', *keys))
ok(3 <= count <= 9, 'poison: found by halving', f'{count} crashes')
row = hub.row("SELECT state, reason, last_error, attempts FROM planthub.delivery_status WHERE endpoint = 'poison' AND key = 'poison'")
equal((row['state'], row['reason']), ('parked', 'WORKER_CRASHED'), 'poison: the reason is told')
ok('crashed' in row['last_error'] and 'delivery' in row['last_error'], 'poison: in words', row)
equal(len(set(received('poison'))), 19, 'poison: each other message has arrived')
equal([n for n in attempts('poison') if n.split().count('success') > 1], [], 'poison: and is recorded once')
publish('poison', 'poison', 'k1')
eventually(lambda: states('poison').split()[20:], ['poison:blocked', 'k1:delivered'], 'poison: later ones of its key wait, others do not')
hub.set(debug_crash='')
hub.sql("SELECT planthub.release(delivery_id) FROM planthub.held WHERE state = 'parked'")
eventually(lambda: states('poison').split()[20:], ['poison:delivered', 'k1:delivered'], 'poison: once released they go')

target('again', breaker_threshold=1000)
peer.control(behaviour='status', status=503, count=20, match={'path': '/again'})
hub.sql("SELECT planthub.alter_endpoint('again', retry_base => '1 day', retry_cap => '1 day')")
publish('again', *keys)
eventually(lambda: {row['state'] for row in deliveries('again')}, {'retry'}, 'poison in held: all have failed once')
count = poison('again', 'poison in held', lambda: hub.sql('SELECT planthub.release(delivery_id) FROM planthub.held'))
equal(count, 3, 'poison in held: after three crashes')
row = hub.row("SELECT reason, last_error FROM planthub.delivery_status WHERE endpoint = 'again' AND key = 'poison'")
equal(row['reason'], 'WORKER_CRASHED', 'poison in held: the reason is told')
equal([n for n in attempts('again') if n.split().count('success') > 1], [], 'poison in held: the others are recorded once')

# ---- an endpoint that is down, and what has crashed twice ----

hub.set(debug_crash='')
closed = Peer()
target('up1')
target('down')
hub.sql(f"SELECT planthub.alter_endpoint('down', address => '{closed.url()}', retry_base => '1 day', retry_cap => '1 day')")
closed.kill()
target('up2')
hub.set(enabled='off')
eventually(lambda: hub.sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'planthub worker'"), '0', 'outage: no worker runs')
publish('down', *(f'd{n}' for n in range(300)))
for name in ('up1', 'up2'):
    publish(name, 'slow', 'B')
    peer.control(behaviour='hang', match={'path': f'/{name}', 'key': 'slow'})
for n in range(2):
    go_on()
    ok(soon(lambda: peer.control()['hanging'] == 2 and hub.sql("SELECT state FROM planthub.endpoint_health WHERE endpoint = 'down'") == 'open'),
       f'outage: kill {n + 1} meets requests under way and deliveries that cannot go')
    shell(f'ph_kill {work}')
    hub.configure(enabled='off')
    hub.start()
    hub.sql('DELETE FROM planthub.endpoint_state')
peer.control(reset=True)
go_on()
for name in ('up1', 'up2'):
    eventually(lambda: states(name), 'slow:delivered B:delivered', f'outage: what crashed twice does not wait for the end of the outage ({name})', limit=20)
publish('other', 'Z')
ok(soon(lambda: len(received('other')) >= 1), 'outage: and neither does anything else')
equal(sum(row['state'] in ('parked', 'dead') for row in deliveries('down')), 0, 'outage: what cannot go is not blamed')
finish()
