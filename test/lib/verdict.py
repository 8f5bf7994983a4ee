"""Judges what the randomized checker has seen: writers' ledger, the peer's record and the tables against each other."""

from collections import Counter, defaultdict

from writers import LOCKED, SERIAL

SLACK = 0.25            # seconds; between clocks read before and after the same event


class Delivery:
    def __init__(self, row):
        self.id, self.message_id, self.endpoint, self.lane, self.key, self.token, number = row
        self.message_id = int(self.message_id)
        self.number = int(number) if number else None
        self.receipts = []
        self.attempts = []


class Verdict:
    def __init__(self, connection, ledger, received, crashes, in_flight_limit):
        """crashes: (from, to) in wall-clock time, around every kill; in_flight_limit: longest life of a request."""
        self.sql = connection
        self.ledger = ledger
        self.received = received
        self.crashes = crashes
        self.in_flight_limit = in_flight_limit
        self.transaction_of = {token: t for t in ledger.transactions for token in t.tokens}
        self.dropped = {token for t in ledger.transactions for token in t.dropped}
        self.messages = dict(self.sql.rows("SELECT data->>'t', id FROM planthub.message WHERE data ? 't'"))
        self.settle_doubts()
        self.read_deliveries()

    def settle_doubts(self):
        """A COMMIT without an answer: the tables know, all or nothing."""
        self.half = []
        for transaction in self.ledger.in_doubt:
            found = sum(token in self.messages for token in transaction.tokens)
            transaction.committed = found > 0
            if found not in (0, len(transaction.tokens)):
                self.half.append(transaction.tokens)

    def read_deliveries(self):
        self.deliveries = {}
        self.by_target = {}
        for row in self.sql.rows(
                "SELECT d.id, d.message_id, e.code, d.lane, m.key, m.data->>'t', m.data->>'n' FROM planthub.delivery AS d "
                'JOIN planthub.message AS m ON m.id = d.message_id AND m.slot = d.message_slot '
                'JOIN planthub.lane AS l ON l.id = d.lane JOIN planthub.endpoint AS e ON e.id = l.endpoint'):
            delivery = Delivery(row)
            self.deliveries[delivery.id] = delivery
            self.by_target[delivery.endpoint, delivery.token] = delivery
        self.invented = []
        for place, event in enumerate(self.received):
            token = (event['data'] or {}).get('t')
            delivery = self.by_target.get((event['path'].strip('/'), token))
            if delivery is None or str(delivery.message_id) != event['id']:
                self.invented.append((event['path'], event['id'], token))
            else:
                delivery.receipts.append((place, event))
        for row in self.sql.rows('SELECT delivery_id, n, outcome, extract(epoch FROM started_at), duration_us FROM planthub.attempt'):
            self.deliveries[row[0]].attempts.append((int(row[1]), row[2], float(row[3]), int(row[4]) / 1e6))

    # -- every function returns what is wrong -------------------------------------------------------------------------

    def wrong_messages(self):
        """Tables against writers: committed is there, rolled back is not, and nothing halfway."""
        wrong = [('half a transaction', tokens) for tokens in self.half]
        for token, transaction in self.transaction_of.items():
            if transaction.committed is None:
                wrong.append(('never ended', token))
            elif transaction.committed != (token in self.messages):
                wrong.append(('committed, but no message' if transaction.committed else 'rolled back, but a message', token))
        return wrong + [('rolled back to a savepoint, but a message', token) for token in self.dropped if token in self.messages]

    def wrong_deliveries(self, targets):
        """publish() has made one delivery for each target of the topic."""
        found = defaultdict(list)
        for delivery in self.deliveries.values():
            found[delivery.token].append(delivery.endpoint)
        topics = dict(self.sql.rows("SELECT data->>'t', topic FROM planthub.message WHERE data ? 't'"))
        return [(token, sorted(found[token]), targets[topic]) for token, topic in topics.items()
                if sorted(found[token]) != targets[topic]]

    def lost(self, listed):
        """Neither accepted by its target nor listed with a reason; listed: delivery id -> state."""
        return [(d.id, d.endpoint, d.token) for d in self.deliveries.values() if d.id not in listed and
                not any(event['behaviour'] in ('ok', 'delay', 'hold') for _, event in d.receipts)]

    def badly_recorded(self):
        """One final outcome for each delivery, and no try twice."""
        wrong = []
        for delivery in self.deliveries.values():
            finals = [outcome for _, outcome, _, _ in delivery.attempts if outcome in ('success', 'duplicate', 'expired', 'discarded')]
            tries = Counter(n for n, _, _, _ in delivery.attempts if n > 0)
            if len(finals) > 1 or any(count > 1 for count in tries.values()):
                wrong.append((delivery.id, delivery.token, sorted(delivery.attempts)))
        return wrong

    def order_violations(self, targets):
        """First receipts of the lanes whose routes promise an order."""
        chains = defaultdict(list)
        for delivery in self.deliveries.values():
            if delivery.endpoint in targets and delivery.key is not None and delivery.receipts:
                chains[delivery.lane, delivery.key].append(delivery)
        wrong = []
        for (lane, key), chain in chains.items():
            chain.sort(key=lambda delivery: delivery.receipts[0][0])
            wrong += self.chain_violations(lane, key, chain)
        return wrong

    def chain_violations(self, lane, key, chain):
        wrong = []
        latest = None           # of those received so far the one whose transaction began last
        highest = {}            # and the highest message of each transaction
        for before, delivery in zip([None, *chain], chain):
            transaction = self.transaction_of[delivery.token]
            if latest is not None and transaction.ended < latest[0]:
                wrong.append((lane, key, f'{delivery.token} was committed before {latest[1]} began, and came after it'))
            if latest is None or transaction.began > latest[0]:
                latest = transaction.began, delivery.token
            if highest.get(id(transaction), 0) > delivery.message_id:
                wrong.append((lane, key, f'{delivery.token} came after a later one of its transaction'))
            highest[id(transaction)] = max(highest.get(id(transaction), 0), delivery.message_id)
            if before is None:
                continue
            if key in LOCKED and before.number > delivery.number:
                wrong.append((lane, key, f'{delivery.token} is number {delivery.number} and came after number {before.number}'))
            if key in SERIAL and before.message_id > delivery.message_id:
                wrong.append((lane, key, f'message {delivery.message_id} came after message {before.message_id}'))
        return wrong

    def wrong_idempotency_keys(self):
        """The same over all receipts of a delivery, and of no other."""
        wrong, owner = [], {}
        for delivery in self.deliveries.values():
            for _, event in delivery.receipts:
                key = event['headers'].get('idempotency-key')
                if key is not None and owner.setdefault(key, delivery) is not delivery:
                    wrong.append((delivery.id, delivery.token, key, 'also', owner[key].id))
            keys = {event['headers'].get('idempotency-key') for _, event in delivery.receipts}
            if len(keys - {None}) > 1:
                wrong.append((delivery.id, delivery.token, sorted(keys - {None})))
        return wrong

    def unexplained_receipts(self):
        """Received without a recorded attempt, and nothing was killed while the request can have been under way."""
        wrong, self.explained_by_crash = [], 0
        for delivery in self.deliveries.values():
            # Each receipt, in turn, to the attempt that ended first among those it can belong to.
            attempts = sorted((started + duration, started) for n, _, started, duration in delivery.attempts if n > 0)
            for _, event in delivery.receipts:
                at = event['time']
                match = next((a for a in attempts if a[1] - SLACK <= at <= a[0] + SLACK), None)
                if match is not None:
                    attempts.remove(match)
                elif any(since - self.in_flight_limit <= at <= until + SLACK for since, until in self.crashes):
                    self.explained_by_crash += 1
                else:
                    wrong.append((delivery.id, delivery.token, at, delivery.attempts))
        return wrong

    def successes_not_received(self):
        """A recorded success was answered by the target."""
        return [(d.id, d.token) for d in self.deliveries.values()
                if any(outcome == 'success' for _, outcome, _, _ in d.attempts) and
                not any(event['behaviour'] in ('ok', 'delay', 'hold') for _, event in d.receipts)]

    def repeated_in_doubt(self, target):
        """A target that does not know repetitions gets nothing again unless it has refused it."""
        return [(d.id, d.token, [event['behaviour'] for _, event in d.receipts]) for d in self.deliveries.values()
                if d.endpoint == target and sum(event['behaviour'] != 'status' for _, event in d.receipts) > 1]

    # -- figures ------------------------------------------------------------------------------------------------------

    def figures(self):
        ended = Counter(t.committed for t in self.ledger.transactions)
        repeated = sum(len(d.receipts) > 1 for d in self.deliveries.values())
        return (f'{len(self.ledger.transactions)} transactions, {ended[True]} committed, '
                f'{len(self.ledger.in_doubt)} with a lost answer to COMMIT; '
                f'{len(self.messages)} messages, {len(self.deliveries)} deliveries, {len(self.received)} received, '
                f'{repeated} more than once, {self.explained_by_crash} receipts whose outcome a kill took; '
                f'{sum(len(d.attempts) for d in self.deliveries.values())} attempts recorded')
