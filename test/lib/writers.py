"""Writers for the randomized checker: they publish in every shape of transaction and remember what became of it."""

import heapq
import itertools
import random
import threading
import time

from libpq import Connection, SQLError, quote

LOCKED = [f'lock:{n}' for n in range(6)]        # transactions lock the row of the key, which numbers them
SERIAL = [f'serial:{n}' for n in range(4)]      # serialise => true; the numbers of the messages are their order
FREE = [f'free:{n}' for n in range(8)]          # only transactions that do not overlap have an order
TOPICS = ('t.one', 't.two', 't.three')

SETUP = """
    CREATE TABLE fact (key text PRIMARY KEY, n bigint NOT NULL DEFAULT 0);
    INSERT INTO fact (key) SELECT unnest({keys}::text[]);
"""


def setup_sql():
    return SETUP.format(keys=quote('{' + ','.join(LOCKED) + '}'))


class Transaction:
    """began and ended are times of this program's clock that enclose it; committed None: not known yet."""

    __slots__ = ('began', 'ended', 'committed', 'tokens', 'dropped')

    def __init__(self):
        self.began = time.monotonic()
        self.ended = None
        self.committed = None
        self.tokens = []        # of its messages
        self.dropped = []       # of messages rolled back to a savepoint

    def end(self, committed):
        self.committed = committed
        self.ended = time.monotonic()


class Ledger:
    """What the writers know, for the verdict."""

    def __init__(self):
        self.transactions = []
        self.in_doubt = []      # transactions whose COMMIT got no answer
        self.numbers = itertools.count(1)
        self.lock = threading.Lock()
        self.shapes = {}

    def begin(self, shape):
        transaction = Transaction()
        with self.lock:
            self.transactions.append(transaction)
            self.shapes[shape] = self.shapes.get(shape, 0) + 1
        return transaction

    def token(self):
        return f'm{next(self.numbers)}'


def connect(stop=None, limit=120):
    """Waits for the server, which may be recovering."""
    deadline = time.monotonic() + limit
    while True:
        try:
            connection = Connection('dbname=hub')
            connection.rows("SET lock_timeout = '3s'; SET client_min_messages = error")
            return connection
        except SQLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


class Resolver(threading.Thread):
    """Ends prepared transactions some time later."""

    def __init__(self, ledger):
        super().__init__(daemon=True)
        self.ledger = ledger
        self.queue = []
        self.order = itertools.count()
        self.lock = threading.Lock()
        self.stopping = False

    def add(self, delay, gid, commit, transaction):
        with self.lock:
            heapq.heappush(self.queue, (time.monotonic() + delay, next(self.order), gid, commit, transaction))

    def run(self):
        connection = connect()
        while not self.stopping or self.queue:
            with self.lock:
                due = self.queue and (self.stopping or self.queue[0][0] <= time.monotonic())
                job = heapq.heappop(self.queue) if due else None
            if job is None:
                time.sleep(0.01)
                continue
            _, _, gid, commit, transaction = job
            try:
                connection.rows(f"{'COMMIT' if commit else 'ROLLBACK'} PREPARED '{gid}'")
                transaction.end(commit)
            except SQLError as error:
                if error.state == '42704':      # done by a try whose answer was lost, or never prepared
                    transaction.end(commit)
                else:
                    connection.close()
                    connection = connect()
                    self.add(0.05, gid, commit, transaction)
        connection.close()


class Writer(threading.Thread):
    def __init__(self, seed, ledger, resolver, giant=0):
        super().__init__(daemon=True)
        self.seed = seed
        self.random = random.Random(seed)
        self.ledger = ledger
        self.resolver = resolver
        self.giant = giant      # messages of the one giant transaction
        self.stopping = False
        self.failure = None
        self.count = 0

    def run(self):
        shapes = [(self.single, 6), (self.several, 6), (self.savepoints, 4), (self.prepared, 3), (self.early, 2),
                  (self.many, 1)]
        try:
            self.connection = connect()
            while not self.stopping:
                shape = self.large if self.giant else self.random.choices(*zip(*shapes))[0]
                self.attempt(shape)
                time.sleep(self.random.random() * 0.15)
            self.connection.close()
        except Exception as error:              # a defect of this program must not look like success
            self.failure = repr(error)

    def attempt(self, shape):
        """One transaction; whatever breaks it, it is known afterwards whether it has been committed, or it is in doubt."""
        transaction = self.ledger.begin(shape.__name__)
        self.at_end = False
        try:
            shape(transaction)
        except SQLError as error:
            if error.state and not error.state.startswith(('57', '08')):
                self.connection.rows('ROLLBACK')
                transaction.end(False)
            else:
                self.connection.close()
                self.connection = connect()
                if not self.at_end:
                    transaction.end(False)
                elif transaction.committed is None and self.at_end == 'commit':
                    transaction.ended = time.monotonic()
                    self.ledger.in_doubt.append(transaction)

    # -- pieces -------------------------------------------------------------------------------------------------------

    def rows(self, sql):
        return self.connection.rows(sql)

    def pause(self, longest=0.2):
        time.sleep(self.random.random() * longest)

    def key(self):
        return self.random.choice([*LOCKED, *LOCKED, *SERIAL, *FREE, None])

    def publish(self, transaction, key):
        token, number, more = self.ledger.token(), 'null', ''
        if key in LOCKED:
            number = self.rows(f"UPDATE fact SET n = n + 1 WHERE key = '{key}' RETURNING n")[0][0]
        elif key in SERIAL:
            more = ', serialise => true'
        transaction.tokens.append(token)
        self.rows(f"SELECT planthub.publish('{self.random.choice(TOPICS)}', '{{\"t\": \"{token}\", \"n\": {number}}}', "
                  f"{quote(key)}, 'P1'{more})")

    def keys(self, n):
        """In one order, so that few transactions meet in a deadlock."""
        return sorted((self.key() for _ in range(self.random.randint(1, n))), key=lambda key: key or '')

    def commit(self, transaction):
        self.at_end = 'commit'
        self.rows('COMMIT')
        transaction.end(True)

    def end(self, transaction, rollbacks=0.25):
        if self.random.random() < rollbacks:
            self.rows('ROLLBACK')
            transaction.end(False)
        else:
            self.commit(transaction)

    # -- shapes of transactions ---------------------------------------------------------------------------------------

    def single(self, transaction):
        self.rows('BEGIN')
        self.publish(transaction, self.key())
        self.commit(transaction)

    def several(self, transaction):
        self.rows('BEGIN')
        for key in self.keys(5):
            self.publish(transaction, key)
            self.pause(0.1)
        self.end(transaction)

    def savepoints(self, transaction):
        self.rows('BEGIN')
        for depth, key in enumerate(self.keys(4)):
            kept = len(transaction.tokens)
            self.rows(f'SAVEPOINT s{depth}')
            self.publish(transaction, key)
            self.pause(0.05)
            fate = self.random.random()
            if fate < 0.3:
                self.rows(f'ROLLBACK TO s{depth}')
            elif fate < 0.5:
                try:
                    self.rows('SELECT 1 / 0')
                except SQLError as error:
                    if error.state != '22012':
                        raise
                self.rows(f'ROLLBACK TO s{depth}')
            elif fate < 0.8:
                self.rows(f'RELEASE s{depth}')
            if fate < 0.5:
                transaction.dropped += transaction.tokens[kept:]
                del transaction.tokens[kept:]
        self.end(transaction)

    def prepared(self, transaction):
        self.count += 1
        gid = f'w{self.seed}-{self.count}'
        commit = self.random.random() < 0.7
        self.rows('BEGIN')
        for key in self.keys(2):
            self.publish(transaction, key)
        self.at_end = 'prepare'
        try:
            self.rows(f"PREPARE TRANSACTION '{gid}'")
        except SQLError:
            self.resolver.add(0, gid, False, transaction)
            raise
        self.resolver.add(self.random.random() * 1.5, gid, commit, transaction)

    def early(self, transaction):
        """Has its number long before it writes, so that it commits after many with higher ones."""
        self.rows('BEGIN; SELECT pg_current_xact_id()')
        self.pause(1.5)
        for key in self.keys(3):
            self.publish(transaction, key)
        self.pause(0.5)
        self.end(transaction)

    def publish_many(self, transaction, n, keys):
        tokens = [self.ledger.token() for _ in range(n)]
        transaction.tokens += tokens
        data = ','.join(f"'{{\"t\": \"{token}\"}}'" for token in tokens)
        keys = ','.join(quote(self.random.choice(keys)) for _ in tokens)
        self.rows(f"SELECT count(*) FROM planthub.publish_many('{self.random.choice(TOPICS)}', 'P1', "
                  f'ARRAY[{keys}]::text[], ARRAY[{data}]::jsonb[])')

    def many(self, transaction):
        self.rows('BEGIN')
        self.publish_many(transaction, self.random.randint(20, 100), [*FREE, None, None])
        self.pause()
        self.end(transaction)

    def large(self, transaction):
        """The giant transaction, in pieces, while all others go on; once it is through this writer is one of them."""
        self.rows('BEGIN')
        for _ in range(0, self.giant, 500):
            if self.stopping:
                break
            self.publish_many(transaction, 500, [*FREE, *(f'giant:{n}' for n in range(100)), None])
            self.pause(0.1)
        self.commit(transaction)
        self.giant = 0
