#!/usr/bin/env python3
"""Operators against workers: whatever an operator's transaction does to held deliveries, and however long it stays open,
no worker waits for it, nothing overtakes, and nothing waits for ever behind a delivery that is gone."""

import os
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'lib'))
from hub import Hub, Peer, equal, eventually, finish, ok, soon  # noqa: E402
from libpq import Connection  # noqa: E402

hub = Hub()
peer = Peer()
hub.sql("SELECT planthub.create_site('P1'); SELECT planthub.create_system('plant', 'mes')")


def target(name):
    """An endpoint with a topic of its own; nothing is tried again by itself."""
    hub.sql(f"SELECT planthub.create_topic('t.{name}')")
    hub.sql(f"SELECT planthub.create_endpoint('{name}', 'plant', '{peer.url('/' + name)}', retry_base => '1 day', retry_cap => '1 day')")
    hub.sql(f"SELECT planthub.create_route('{name}', 't.{name}', '{name}')")


def publish(name, *keys):
    for key in keys:
        hub.sql(f"SELECT planthub.publish('t.{name}', '{{}}', '{key}', 'P1')")


def states(name):
    return ' '.join(f"{row['key']}:{row['state']}" for row in hub.json(
        f"SELECT key, state FROM planthub.delivery_status WHERE endpoint = '{name}' ORDER BY delivery_id"))


def delivery(name, n):
    """The number of the nth delivery of an endpoint."""
    return hub.sql(f"SELECT delivery_id FROM planthub.delivery_status WHERE endpoint = '{name}' ORDER BY 1 LIMIT 1 OFFSET {n}")


def refuse(name, count=1):
    peer.control(behaviour='status', status=422, count=count, match={'path': f'/{name}'})


def operator(statement):
    """A session with an open transaction that has done this."""
    session = Connection(f'dbname={hub.database}')
    session.rows('BEGIN')
    session.rows(statement)
    return session


# ---- a delivery that comes to wait behind one that is just being closed ----

for end, expected in (('COMMIT', 'A:discarded A:delivered'), ('ROLLBACK', 'A:parked A:blocked')):
    name = end.lower()
    target(name)
    refuse(name)
    publish(name, 'A')
    eventually(lambda: states(name), 'A:parked', f'{end}: the first one is held')
    session = operator(f"SELECT planthub.discard({delivery(name, 0)}, 'entered by hand')")
    publish(name, 'A', 'B')
    eventually(lambda: states(name), 'A:parked A:blocked B:delivered', f'{end}: while it is being closed the next one waits, another key does not')
    session.rows(end)
    eventually(lambda: states(name), f'{expected} B:delivered', f'{end}: afterwards it goes, if there is nothing left to wait for')
    session.close()

# ---- the next of a key is locked when its turn comes ----

target('locked')
peer.control(behaviour='status', status=503, count=1, match={'path': '/locked'})
publish('locked', 'A', 'A')
eventually(lambda: states('locked'), 'A:retry A:blocked', 'locked: two wait')
session = operator(f"SELECT planthub.discard({delivery('locked', 1)}, 'not needed')")
hub.sql(f"SELECT planthub.release({delivery('locked', 0)})")
eventually(lambda: states('locked'), 'A:delivered A:blocked', 'locked: the first is recorded although an operator holds the next')
publish('locked', 'B')
eventually(lambda: states('locked'), 'A:delivered A:blocked B:delivered', 'locked: and so are others')
session.rows('ROLLBACK')
eventually(lambda: states('locked'), 'A:delivered A:delivered B:delivered', 'locked: it goes when the operator has let go of it')
session.close()

# ---- what is due is locked ----

def cpu_of_worker():
    pid = hub.sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'planthub worker'")
    fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


target('due')
peer.control(behaviour='status', status=503, count=1, match={'path': '/due'})
publish('due', 'A')
eventually(lambda: states('due'), 'A:retry', 'due: one waits')
first = delivery('due', 0)
hub.sql(f"UPDATE planthub.held SET due_at = now() + interval '1 s' WHERE delivery_id = {first}")
session = operator(f'SELECT FROM planthub.held WHERE delivery_id = {first} FOR UPDATE')
hub.sql('SELECT planthub.wake(ARRAY(SELECT id FROM planthub.lane))')    # so that the worker knows when
ok(soon(lambda: hub.sql(f'SELECT due_at < now() FROM planthub.held WHERE delivery_id = {first}') == 't'), 'due: its time has come')
before = cpu_of_worker()
time.sleep(2)
used = cpu_of_worker() - before
ok(used < 0.3, 'due: the worker does not try all the time while an operator has it locked', f'{used} s of 2')
publish('due', 'B')
eventually(lambda: states('due'), 'A:retry B:delivered', 'due: others go')
session.rows('COMMIT')
eventually(lambda: states('due'), 'A:delivered B:delivered', 'due: it goes when it is let go of')
session.close()
equal([line for line in hub.log().splitlines() if 'lock timeout' in line], [], 'no worker has waited for a lock')
finish()
