#!/usr/bin/env python3
"""The randomized checker: many writers, workers and servers killed at random, a target that fails at random.

Afterwards the record of the target, the tables and what the writers know must agree: nothing lost, nothing invented, the
order of keys as promised, every outcome recorded once, and whatever was received again carries the same idempotency key
and was under way when something was killed.

    test/t/checker.t [--seed N] [--kills N] [--writers N] [--giant N]

A seed repeats the choices of every writer and of the killer, not the interleaving of the processes.
"""

import argparse
import os
import random
import sys
import threading
import time
from collections import Counter
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'lib'))
from hub import Hub, Peer, equal, finish, ok, shell, soon, work  # noqa: E402
from libpq import SQLError  # noqa: E402
from verdict import Verdict  # noqa: E402
from writers import Ledger, Resolver, Writer, connect, setup_sql  # noqa: E402

TOTAL_TIMEOUT = 2               # seconds; of a request
REVIEW_AFTER = 4                # seconds until a person looks at what is held in doubt

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument('--seed', type=int, default=int(time.time()) % 1000000)
parser.add_argument('--kills', type=int, default=7)
parser.add_argument('--writers', type=int, default=8)
parser.add_argument('--giant', type=int, default=6000, help='messages of the giant transaction')
parser.add_argument('--drain', type=int, default=90, help='seconds until everything must have arrived')
options = parser.parse_args()
chance = random.Random(options.seed)
print(f'# seed {options.seed}, {options.kills} kills', flush=True)

# Endpoint: its content mode, idempotent, key policy, topics with their priorities.
TARGETS = {
    'mes': ('structured', True, 'block', {'t.one': 5, 't.two': 5}),
    'wms': ('structured', True, 'block', {'t.one': 3, 't.three': 6}),
    'lims': ('batch', True, 'block', {'t.two': 5, 't.three': 5}),
    'scada': ('binary', True, 'skip', {'t.one': 5}),
    'old': ('structured', False, 'block', {'t.three': 5}),      # does not know repetitions
}
ORDERED = {name for name, target in TARGETS.items() if target[2] == 'block'}
BY_TOPIC = {topic: sorted(name for name, target in TARGETS.items() if topic in target[3])
            for topic in ('t.one', 't.two', 't.three')}


def configure(hub, peer):
    script = [setup_sql(), "SELECT planthub.create_site('P1')", "SELECT planthub.create_system('plant', 'mes')"]
    script += [f"SELECT planthub.create_topic('{topic}')" for topic in BY_TOPIC]
    for name, (mode, idempotent, policy, topics) in TARGETS.items():
        script.append(
            f"SELECT planthub.create_endpoint('{name}', 'plant', '{peer.url('/' + name)}', content_mode => '{mode}', "
            f"batch_size => {10 if mode == 'batch' else 1}, idempotent => {idempotent}, max_in_flight => 8, "
            f"total_timeout => '{TOTAL_TIMEOUT} s', retry_base => '20 ms', retry_cap => '400 ms', max_attempts => 8, "
            f'breaker_threshold => {20 if name == "wms" else 1000})')
        script += [f"SELECT planthub.create_route('{name}-{topic}', '{topic}', '{name}', priority => {priority}, "
                   f"key_policy => '{policy}')" for topic, priority in topics.items()]
    hub.sql(';'.join(script))


class Trouble(threading.Thread):
    """The target misbehaves."""

    KINDS = [{'behaviour': 'status', 'status': 503}, {'behaviour': 'status', 'status': 500, 'delay_ms': 50},
             {'behaviour': 'status', 'status': 422}, {'behaviour': 'status', 'status': 404}, {'behaviour': 'status', 'status': 429},
             {'behaviour': 'reset'}, {'behaviour': 'close'}, {'behaviour': 'delay', 'ms': 400}, {'behaviour': 'hang'}]

    def __init__(self, seed):
        super().__init__(daemon=True)
        self.random = random.Random(seed)
        self.stopping = False

    def run(self):
        while not self.stopping:
            order = dict(self.random.choice(self.KINDS), match={'path': '/' + self.random.choice(list(TARGETS))})
            often = order['behaviour'] == 'delay' or order.get('status', 0) >= 500
            peer.control(**order, count=self.random.randint(1, 40 if often else 3))
            time.sleep(self.random.random() * 0.5)


class Person(threading.Thread):
    """Deals with what waits for a person: lets it go again, or closes what the target turns out to have received."""

    def __init__(self):
        super().__init__(daemon=True)
        self.stopping = False
        self.decided = Counter()

    def review(self, connection):
        held = connection.rows(
            "SELECT h.delivery_id, h.state, coalesce(h.reason, '?'), m.data->>'t', e.code FROM planthub.held AS h "
            'JOIN planthub.message AS m ON m.id = h.message_id JOIN planthub.lane AS l ON l.id = h.lane '
            "JOIN planthub.endpoint AS e ON e.id = l.endpoint WHERE h.state IN ('parked', 'dead', 'in_doubt') AND h.token IS NULL "
            f"AND h.since < now() - interval '{REVIEW_AFTER} s' ORDER BY h.delivery_id LIMIT 500")
        if not held:
            return
        accepted = {(event['path'].strip('/'), event['data']['t']) for event in peer.received() if event['behaviour'] != 'status'}
        for number, state, reason, token, endpoint in held:
            known = state == 'in_doubt' and (endpoint, token) in accepted
            try:
                connection.rows(f"SELECT planthub.discard({number}, 'the target has it')" if known else f'SELECT planthub.release({number})')
                self.decided[f'{state} {reason}'] += 1
            except SQLError as error:
                if not error.state.startswith('55'):        # it has gone on meanwhile
                    raise

    def run(self):
        connection = connect()
        while not self.stopping:
            try:
                self.review(connection)
            except SQLError:
                connection.close()
                connection = connect()
            time.sleep(1)
        connection.close()


class Killer:
    """Kills processes and changes the number of workers; notes when."""

    def __init__(self):
        self.connection = connect()
        self.crashes = []       # (from, to), wall clock
        self.done = Counter()

    def processes(self, kind):
        return [int(pid) for (pid,) in self.connection.rows(
            f"SELECT pid FROM pg_stat_activity WHERE backend_type LIKE '{kind}%' AND pid <> pg_backend_pid() ORDER BY pid")]

    def restarted(self):
        self.connection.close()
        self.connection = connect()

    def kill(self, kind):
        pids = self.processes(kind)
        if not pids:
            return False
        try:
            os.kill(chance.choice(pids), 9)
        except ProcessLookupError:
            return False
        # The server notices the death and ends all sessions; until then this one may still work.
        if not soon(self.is_cut_off, 30):
            raise RuntimeError('the server does not notice that a process was killed')
        self.restarted()
        return True

    def is_cut_off(self):
        try:
            self.connection.rows('SELECT 1')
            return False
        except SQLError:
            return True

    def postmaster(self):
        shell(f'ph_kill {work}; ph_start {work}')
        self.restarted()
        return True

    def terminate(self):
        pids = self.processes('planthub worker')
        return bool(pids) and self.connection.value(f'SELECT pg_terminate_backend({chance.choice(pids)})') == 't'

    def hand_over(self):
        """Other workers, other owners of the lanes."""
        present = int(self.connection.value('SHOW planthub.workers'))
        self.connection.rows(f'ALTER SYSTEM SET planthub.workers = {3 - present}')
        self.connection.rows('SELECT pg_reload_conf()')
        return True

    def strike(self):
        """One act; whether it was a kill."""
        acts = [('worker', lambda: self.kill('planthub worker'), 12), ('launcher', lambda: self.kill('planthub launcher'), 1),
                ('writer', lambda: self.kill('client backend'), 2), ('postmaster', self.postmaster, 4),
                ('terminated worker', self.terminate, 2), ('hand over', self.hand_over, 2)]
        name, act, _ = chance.choices(acts, [weight for _, _, weight in acts])[0]
        began = time.time()
        if not act():
            return False
        self.crashes.append((began, time.time()))
        self.done[name] += 1
        return name not in ('terminated worker', 'hand over')

    def run(self, kills):
        while kills > 0:
            # Often again while recovery is still at work, and sometimes after a quiet time.
            time.sleep(chance.choice((0.2, 0.5, 1, 2, 3)) * chance.random() + 0.3)
            kills -= self.strike()
            if self.done.total() % 20 == 0:
                print(f'# {dict(self.done)}', flush=True)


def all_quiet(connection):
    """Nothing is on its way or waits."""
    return (connection.value('SELECT count(*) FROM planthub.held') == '0' and
            connection.value('SELECT coalesce(sum(queued), 0) FROM planthub.backlog()') == '0' and
            connection.value("SELECT count(*) FROM planthub.delivery AS d WHERE NOT EXISTS (SELECT FROM planthub.attempt AS a "
                             "WHERE a.delivery_id = d.id AND a.outcome IN ('success', 'duplicate', 'expired', 'discarded'))") == '0')


def judge(connection):
    verdict = Verdict(connection, ledger, peer.received(), killer.crashes, TOTAL_TIMEOUT + 2)
    listed = dict(connection.rows("SELECT delivery_id, 'held' FROM planthub.held WHERE reason IS NOT NULL UNION "
                                  "SELECT delivery_id, outcome FROM planthub.attempt WHERE outcome = 'discarded'"))
    for wrong, name in ((verdict.wrong_messages(), 'the log has what was committed and nothing else'),
                        (verdict.wrong_deliveries(BY_TOPIC), 'each message has one delivery for each target'),
                        (verdict.lost(listed), 'nothing is lost'),
                        (verdict.invented, 'nothing is invented'),
                        (verdict.order_violations(ORDERED), 'each key arrives in order'),
                        (verdict.badly_recorded(), 'each outcome is recorded once'),
                        (verdict.successes_not_received(), 'what is recorded as delivered was received'),
                        (verdict.wrong_idempotency_keys(), 'each delivery has one idempotency key'),
                        (verdict.unexplained_receipts(), 'what was received again was under way when something was killed'),
                        (verdict.repeated_in_doubt('old'), 'nothing uncertain is repeated where repetitions are not known')):
        ok(not wrong, name, f'{len(wrong)} of them:', *wrong[:10])
    return verdict


hub = Hub('planthub.workers = 2', 'autovacuum_naptime = 1s')
peer = Peer()
configure(hub, peer)
ledger = Ledger()
resolver = Resolver(ledger)
writers = [Writer(options.seed * 1000 + n, ledger, resolver, options.giant if n == 0 else 0) for n in range(options.writers)]
trouble, person, killer = Trouble(options.seed), Person(), Killer()
for thread in (resolver, trouble, person, *writers):
    thread.start()
started = time.monotonic()
killer.run(options.kills)
for writer in writers:
    writer.stopping = True
for writer in writers:
    writer.join(60)
resolver.stopping = trouble.stopping = True
resolver.join(60)
trouble.join(60)
ok(not any(thread.is_alive() for thread in (resolver, trouble, *writers)), 'the writers have ended')
equal([writer.failure for writer in writers if writer.failure], [], 'in good order')
peer.control(reset=True)
print(f'# {time.monotonic() - started:.0f} s of trouble: {dict(killer.done)}', flush=True)

connection = connect()
ok(soon(lambda: all_quiet(connection), options.drain), 'then everything comes to rest', hub.sql('SELECT planthub.status()'))
print(f'# at rest after {time.monotonic() - started:.0f} s; a person decided {dict(person.decided)}', flush=True)
person.stopping = True
person.join(60)
verdict = judge(connection)
print(f'# {verdict.figures()}')
signals = [line for line in hub.log().splitlines() if 'terminated by signal' in line and 'signal 9' not in line]
equal([line for line in hub.log().splitlines() if 'PANIC' in line] + signals, [], 'nothing crashed that was not killed')
for line in sorted({line.split('ERROR:')[1].strip() for line in hub.log().splitlines() if 'ERROR:' in line and 'planthub' in line}):
    print(f'# server said: {line}')
print(f'# transactions: {dict(ledger.shapes)}')
finish()
