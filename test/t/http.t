#!/usr/bin/env python3
"""Delivery over HTTP to targets of every kind: what is recorded of each, and that nobody else is slowed by it."""

import json
import re
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'lib'))
from hub import Hub, Peer, equal, eventually, finish, ok, soon  # noqa: E402

hub = Hub()
good = Peer()
hostile = Peer()
hub.sql("SELECT planthub.create_site('P1'); SELECT planthub.create_system('target', 'mes')")


def literal(value):
    if isinstance(value, bool) or isinstance(value, int):
        return str(value)
    return 'NULL' if value is None else "'" + str(value).replace("'", "''") + "'"


def call(function, *arguments, **options):
    words = [literal(value) for value in arguments] + [f'{name} => {literal(value)}' for name, value in options.items()]
    return hub.sql(f'SELECT planthub.{function}({", ".join(words)})')


def topic(name):
    return 't.' + name.replace('-', '_')


def target(name, url, route=None, **options):
    """A topic with a route to an endpoint of its own, all of one name."""
    call('create_topic', topic(name))
    call('create_endpoint', name, system='target', address=url, **options)
    call('create_route', name, topic(name), endpoint=name, **(route or {}))


def publish(name, key=None, n=1, **options):
    """n messages in one transaction; with n > 1 and a key they are key1, key2, ..."""
    more = ''.join(f', {option} => {literal(value)}' for option, value in options.items())
    key_text = 'NULL' if key is None else literal(key) + (' || i' if n > 1 else '')
    return hub.sql(f"SELECT planthub.publish('{topic(name)}', jsonb_build_object('n', i), key => {key_text}, site => 'P1'{more}) "
                   f"FROM generate_series(1, {n}) AS i")


def states(name):
    """How many deliveries of an endpoint are in which state."""
    return {row['state']: row['n'] for row in hub.json(
        f"SELECT state, count(*) AS n FROM planthub.delivery_status WHERE endpoint = '{name}' GROUP BY state")}


def health(name):
    return hub.row(f"SELECT * FROM planthub.endpoint_health WHERE endpoint = '{name}'")


def delivered(name, n):
    return lambda: states(name) == {'delivered': n}


# ---- what each kind of answer, or none, is taken for ----

closed = Peer()
refused_url = closed.url()
closed.kill()
hole = Peer(black_hole=True)
rules = {                       # path: behaviour
    'drip': dict(behaviour='drip', bytes=200, ms=200), 'hang': dict(behaviour='hang'), 'reset': dict(behaviour='reset'),
    'close': dict(behaviour='close'), 'e500': dict(behaviour='status', status=500, body='stack trace'),
    'e503': dict(behaviour='status', status=503, retry_after=3600), 'e429': dict(behaviour='status', status=429, retry_after=600),
    'e429date': dict(behaviour='status', status=429, retry_after_date=900), 'e429bad': dict(behaviour='status', status=429, retry_after='soon'),
    'e400': dict(behaviour='status', status=400, body='{"error": "no such material"}'), 'e404': dict(behaviour='status', status=404),
    'e401': dict(behaviour='status', status=401), 'redirect': dict(behaviour='redirect', location=good.url('/redirected')),
    'oversized': dict(behaviour='oversized', bytes=5_000_000), 'chunked': dict(behaviour='oversized', bytes=5_000_000, chunked=True),
    'oversized500': dict(behaviour='oversized', bytes=5_000_000, status=500),
    'headers': dict(behaviour='huge_headers', bytes=2_000_000), 'interim': dict(behaviour='interim', bytes=20_000),
    **{kind: dict(behaviour='malformed', kind=kind) for kind in ('status_line', 'chunk', 'length', 'short', 'cut', 'http09', 'no_status')}}
for path, rule in rules.items():
    hostile.control(match={'path': '/' + path}, **rule)

# name: (address or path, options, outcome, state, status, attempts that count, text of the error)
TRANSIENT, UNKNOWN = ('transient', 'retry'), ('unknown', 'retry')
kinds = {
    'refused': (refused_url, {}, *TRANSIENT, None, 0, 'refused'),
    'black-hole': (hole.url(), dict(connect_timeout='400 ms'), *TRANSIENT, None, 0, 'no connection within'),
    'no-name': ('http://no-such-host.invalid/', {}, *TRANSIENT, None, 0, 'resolve'),
    'drip': ('drip', dict(low_speed_timeout='1 s'), *UNKNOWN, None, 1, 'no complete answer within'),
    'hang': ('hang', dict(total_timeout='400 ms'), *UNKNOWN, None, 1, 'no complete answer within'),
    'hang-once': ('hang', dict(total_timeout='400 ms', idempotent=False), 'unknown', 'in_doubt', None, 1, 'no complete answer'),
    'reset': ('reset', {}, *UNKNOWN, None, 1, 'reset'),
    'reset-once': ('reset', dict(idempotent=False), 'unknown', 'in_doubt', None, 1, 'reset'),
    'refused-once': (refused_url, dict(idempotent=False), *TRANSIENT, None, 0, 'refused'),
    'close': ('close', {}, *UNKNOWN, None, 1, ''),
    'e500': ('e500', {}, *TRANSIENT, 500, 1, ''),
    'e503': ('e503', {}, 'throttled', 'retry', 503, 1, ''),
    'e429': ('e429', {}, 'throttled', 'retry', 429, 1, ''),
    'e429date': ('e429date', {}, 'throttled', 'retry', 429, 1, ''),
    'e429bad': ('e429bad', {}, 'throttled', 'retry', 429, 1, ''),
    'e400': ('e400', {}, 'business', 'parked', 400, 1, ''),
    'e404': ('e404', {}, 'permanent', 'dead', 404, 1, ''),
    'e401': ('e401', {}, 'auth', 'retry', 401, 1, ''),
    'redirect': ('redirect', {}, 'permanent', 'dead', 302, 1, ''),
    'oversized': ('oversized', {}, 'success', 'delivered', 200, 1, ''),
    'chunked': ('chunked', {}, 'success', 'delivered', 200, 1, ''),
    'oversized500': ('oversized500', {}, *TRANSIENT, 500, 1, 'larger than the limit'),
    'headers': ('headers', {}, 'success', 'delivered', 200, 1, ''),
    'interim': ('interim', {}, 'success', 'delivered', 200, 1, ''),
    **{kind.replace('_', '-'): (kind, {}, *UNKNOWN, None, 1, '')
       for kind in ('status_line', 'chunk', 'length', 'short', 'cut', 'http09', 'no_status')}}
for name, (address, options, *_) in kinds.items():
    target(name, address if '://' in address else hostile.url('/' + address), retry_base='1 h', retry_cap='2 h', **options)
target('healthy', good.url('/healthy'))
hub.sql('; '.join(f"SELECT planthub.publish('{topic(name)}', '{{}}', key => NULL, site => 'P1')" for name in [*kinds, 'healthy']))

attempts = f"""
    SELECT d.endpoint, a.outcome, d.state, a.status, h.attempts, a.error, a.response, d.attempts AS tries, h.reason,
           a.request_digest IS NOT NULL AND length(a.request_digest) = 32 AS digest,
           extract(epoch FROM d.next_attempt_at - a.started_at) AS wait
    FROM planthub.delivery_status AS d JOIN planthub.attempt AS a USING (delivery_id) LEFT JOIN planthub.held AS h USING (delivery_id)"""
soon(lambda: hub.sql('SELECT count(*) FROM planthub.attempt') == str(len(kinds) + 1))
seen = {row['endpoint']: row for row in hub.json(attempts)}
for name, (_, _, outcome, state, status, counted, text) in kinds.items():
    row = seen.get(name)
    good_row = (row and (row['outcome'], row['state'], row['status']) == (outcome, state, status) and row['digest'] and row['tries'] == 1
                and (row['attempts'] == counted or state == 'delivered') and text in (row['error'] or ''))
    ok(good_row, f'{name}: {outcome}, {state}', row)
equal([name for name, row in seen.items() if row['state'] == 'retry' and name not in ('e503', 'e429', 'e429date') and not 0 <= row['wait'] <= 3601],
      [], 'a retry waits between nothing and its base')
ok(3600 <= seen['e503']['wait'] < 7300, 'Retry-After of a 503 is obeyed', seen['e503'])
ok(600 <= seen['e429']['wait'] < 3700, 'Retry-After of a 429 is obeyed: seconds', seen['e429'])
ok(890 <= seen['e429date']['wait'] < 3700, 'Retry-After of a 429 is obeyed: date', seen['e429date'])
ok('no such material' in seen['e400']['response'], 'what the target said is kept')
equal(good.received('/redirected'), [], 'a redirect is not followed')
equal(len(good.received('/healthy')), 1, 'a healthy target got its message meanwhile')
equal(hub.sql("SELECT count(*) FROM planthub.endpoint_health WHERE state <> 'closed'"), '0', 'one failure opens no breaker')
equal([row['reason'] for row in (seen['hang-once'], seen['e404'], seen['e400'], seen['e500'])],
      ['NO_ANSWER', 'PERMANENT', 'BUSINESS', 'RETRY'], 'the reason is told')

# ---- retries: until it works, or not ----

target('patient', hostile.url('/patient'), retry_base='30 ms', retry_cap='60 ms')
hostile.control(behaviour='status', status=503, count=2, match={'path': '/patient'})
hostile.control(behaviour='reset', count=1, match={'path': '/patient'})
publish('patient', 'k')
publish('patient', 'k')
eventually(delivered('patient', 2), True, 'what fails a few times is delivered in the end')
requests = hostile.received('/patient')
equal([r['data']['n'] for r in requests], [1, 1, 1, 1, 1], 'each try is sent')
equal([r['id'] for r in requests] == sorted(r['id'] for r in requests) and len({r['id'] for r in requests}), 2,
      'the next of the key goes after it only')
equal(len({r['headers']['idempotency-key'] for r in requests[:4]}), 1, 'every try carries the same key')
equal(len({r['headers']['traceparent'][3:35] for r in requests[:4]}), 1, 'and the same trace')
equal(len({r['headers']['traceparent'][36:52] for r in requests[:4]}), 4, 'with a span of its own')
equal(hub.sql("SELECT string_agg(n || outcome, ',' ORDER BY n) FROM planthub.attempt WHERE delivery_id = "
              "(SELECT min(delivery_id) FROM planthub.delivery_status WHERE endpoint = 'patient')"),
      '1transient,2transient,3unknown,4success', 'each try is recorded')

target('hopeless', hostile.url('/e500'), retry_base='40 ms', retry_cap='80 ms', max_attempts=4, breaker_threshold=1000)
publish('hopeless', 'k', 40)
eventually(lambda: states('hopeless'), {'dead': 40}, 'after max_attempts it is dead')
equal(hub.sql("SELECT DISTINCT attempts, reason FROM planthub.delivery_status WHERE endpoint = 'hopeless'"), '4|ATTEMPTS_EXHAUSTED',
      'no try more, none less')
target('spread', hostile.url('/e500'), retry_base='1 h', retry_cap='2 h', breaker_threshold=1000)
publish('spread', 'k', 40)
eventually(lambda: states('spread'), {'retry': 40}, 'what fails together')
equal(hub.sql("SELECT count(DISTINCT date_trunc('second', d.next_attempt_at - a.started_at)) > 10 FROM planthub.delivery_status AS d "
              "JOIN planthub.attempt AS a USING (delivery_id) WHERE endpoint = 'spread'"), 't', 'is not tried again together: jitter')

# ---- breaker ----

target('broken', refused_url, retry_base='50 ms', retry_cap='100 ms', breaker_threshold=3, max_in_flight=2)
publish('broken', 'k', 200)
eventually(lambda: health('broken')['state'], 'open', 'failures in a row open the breaker')
row = health('broken')
ok(row['failures'] >= 3 and row['next_probe_at'] and 'refused' in row['last_error'], 'endpoint_health tells why, and when the next probe goes', row)
eventually(lambda: int(hub.sql("SELECT count(*) FROM planthub.attempt AS a JOIN planthub.lane AS l ON l.id = a.lane JOIN planthub.endpoint AS e "
                               "ON e.id = l.endpoint WHERE e.code = 'broken'")), lambda n: 5 <= n <= 20, 'then only single probes go')
equal(hub.log().count('deliveries to endpoint "broken" suspended'), 1, 'the log has one line about it')
again = Peer(port=closed.port)
eventually(delivered('broken', 200), True, 'when it is back all are delivered')
equal(len(again.received()), 200, 'each once')
equal(health('broken')['state'], 'closed', 'and the breaker is closed')
equal(hub.log().count('deliveries to endpoint "broken" suspended'), 1, 'the whole streak is one line')
equal(hub.log().count('deliveries to endpoint "broken" resumed'), 1, 'and one for its end')
again.kill()

# ---- isolation ----

target('held', good.url('/held'), max_in_flight=3)
good.control(behaviour='hold', match={'path': '/held'})
publish('held', 'k', 20)
soon(lambda: good.control()['held'] >= 3)
publish('held', 'k', 20)
began = time.monotonic()
for n in range(30):
    publish('healthy', f'h{n}')
took = time.monotonic() - began
eventually(delivered('healthy', 31), True, 'one target that hangs does not stop another')
ok(took < 20, 'nor a commit', f'{took} s for 30 of them')
equal(good.control()['held'], 3, 'max_in_flight is kept')
equal(states('held'), {'in_flight': 40} if states('held').get('in_flight') == 40 else states('held'), 'the others wait in the worker')
good.control(reset=True, release=True)
eventually(delivered('held', 40), True, 'released, all are delivered')

target('keys', good.url('/keys'))
good.control(behaviour='status', status=422, match={'path': '/keys', 'key': 'bad'})
for key in ('bad', 'fine', 'bad', 'fine'):
    publish('keys', key)
eventually(lambda: states('keys'), {'parked': 1, 'blocked': 1, 'delivered': 2}, 'a refused message holds back its key, and no other')
good.control(reset=True)
call('release', int(hub.sql("SELECT delivery_id FROM planthub.delivery_status WHERE endpoint = 'keys' AND state = 'parked'")))
eventually(delivered('keys', 4), True, 'released, both go')
equal([r['id'] for r in good.received('/keys') if r['partitionkey'] == 'bad'][1:],
      hub.sql("SELECT string_agg(message_id::text, ' ' ORDER BY message_id) FROM planthub.delivery_status WHERE endpoint = 'keys' AND key = 'bad'").split(),
      'in order')

target('skips', good.url('/skips'), route=dict(key_policy='skip'))
good.control(behaviour='status', status=422, count=1, match={'path': '/skips'})
publish('skips', 'k')
soon(lambda: states('skips') == {'parked': 1})
publish('skips', 'k')
eventually(lambda: states('skips'), {'parked': 1, 'delivered': 1}, 'with key policy skip the next one passes')
good.control(reset=True)

target('one', good.url('/one'))
good.control(behaviour='hold', match={'path': '/one'})
hub.sql("SELECT planthub.publish('t.one', jsonb_build_object('n', i), key => 'same', site => 'P1') FROM generate_series(1, 5) AS i; "
        "SELECT planthub.publish('t.one', jsonb_build_object('n', i), key => NULL, site => 'P1') FROM generate_series(6, 10) AS i")
eventually(lambda: good.control()['held'], 6, 'one of a key is under way at a time; without key all go')
good.control(reset=True)
while not delivered('one', 10)():
    good.control(release=True)
equal([r['data']['n'] for r in good.received('/one') if r['partitionkey'] == 'same'], [1, 2, 3, 4, 5], 'those of a key in order')

# ---- fairness ----

target('flood', good.url('/flood'), max_in_flight=4)
target('trickle', good.url('/trickle'), max_in_flight=4)
good.control(behaviour='delay', ms=10, match={'path': '/flood'})
publish('flood', 'k', 4000)
soon(lambda: len(good.received('/flood')) > 10)
publish('trickle', 'k', 50)
eventually(delivered('trickle', 50), True, 'a target with a flood does not keep another waiting')
ok(len(good.received('/flood')) < 3000, 'which was done long before the flood', len(good.received('/flood')))
good.control(reset=True)
eventually(delivered('flood', 4000), True, 'the flood ends, too')

# What is committed while an older window is still being handed out; nothing else wakes the worker afterwards.
target('behind', good.url('/behind'), max_in_flight=8)
good.control(behaviour='hold', match={'path': '/behind'})
publish('behind', 'k', 2500)
soon(lambda: good.control()['held'] == 8)
publish('behind', 'late', 5)
good.control(reset=True, release=True)
eventually(delivered('behind', 2505), True, 'what comes while a backlog is worked off is not forgotten')

# Many targets hang at once, each with more than its share of what a worker keeps in memory and of its connections.
hub.set(claim_size=20, max_connections=64)
hub.sql("SELECT planthub.stop(); SELECT planthub.start()")
for n in range(30):
    target(f'hung{n}', hostile.url('/hang'), max_in_flight=20, total_timeout='1 h')
    publish(f'hung{n}', 'k', 60)
soon(lambda: hostile.control()['hanging'] >= 40)
publish('healthy', 'late', 50)
eventually(delivered('healthy', 81), True, '30 hanging targets do not stop a healthy one', 30)
ok(hostile.control()['hanging'] >= 40, 'they hang still', hostile.control())
for n in range(30):
    call('pause', 'endpoint', f'hung{n}')
hub.set(claim_size=1000, max_connections=256)
hub.sql("SELECT planthub.stop(); SELECT planthub.start()")

# ---- what a target that does not answer costs ----

def worker(field):
    """Memory of its own in MB, or CPU seconds used."""
    pid = hub.sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'planthub worker' AND datname = 'hub'")
    if field == 'cpu':
        return sum(map(int, Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[11:13])) / 100
    return int(re.search(r'RssAnon:\s*(\d+)', Path(f'/proc/{pid}/status').read_text()).group(1)) / 1024


target('probed', hostile.url('/probed'), breaker_threshold=1, retry_base='1 ms', retry_cap='1 ms', total_timeout='1 h')
hostile.control(behaviour='status', status=503, count=3, match={'path': '/probed'})
hostile.control(behaviour='hang', match={'path': '/probed'})
publish('probed', 'k', 3)
soon(lambda: health('probed')['state'] == 'open' and any(r['behaviour'] == 'hang' for r in hostile.received('/probed')))
began, used = time.monotonic(), worker('cpu')
soon(lambda: time.monotonic() - began > 1.5)
used = worker('cpu') - used
ok(used < 0.3, 'waiting for a probe, with others due, costs no CPU', f'{used} s of 1.5 s')
call('pause', 'endpoint', 'probed')

slow = Peer(record=False)
slow.control(behaviour='hold')
target('large', slow.url())
hub.sql("SELECT planthub.publish('t.large', jsonb_build_object('pad', repeat('x', 5000000)), key => 'k' || i, site => 'P1') "
        "FROM generate_series(1, 60) AS i")
soon(lambda: slow.control()['held'] >= 10)
ok(worker('memory') < 250, '60 messages of 5 MB do not fill the memory of the worker', f"{worker('memory')} MB")
slow.control(behaviour='ok', release=True)
eventually(delivered('large', 60), True, 'they are delivered')

# ---- content modes: CloudEvents 1.0, HTTP protocol binding ----

TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
SUBJECT = 'Größe 5% "rot" €'
event = dict(key='mo:1', subject=SUBJECT, source='urn:erp:prd', event_id='E/1 ü', event_time='2026-01-15 06:00:00.25+02', correlation_id='c-1',
             traceparent=TRACE)
for mode in ('structured', 'binary', 'batch'):
    target(mode, good.url('/' + mode), content_mode=mode, headers='{"X-Plant": "P1"}', batch_size=10)
    publish(mode, **{**event, 'event_id': event['event_id'] + mode}, attributes='{"shift": "früh", "line": 4, "rework": true}')
    eventually(delivered(mode, 1), True, f'{mode}: delivered')

EXPECTED = {'specversion': '1.0', 'source': 'urn:erp:prd', 'type': 'planthub.t.{}.v1', 'subject': SUBJECT, 'time': '2026-01-15T04:00:00.25+00:00',
            'dataschema': 'urn:planthub:schema:t.{}:1', 'partitionkey': 'mo:1', 'correlationid': 'c-1', 'traceparent': TRACE}


def expected(mode):
    return {name: value.format(mode) for name, value in EXPECTED.items()} | {'id': event['event_id'] + mode}


for mode in ('structured', 'batch'):
    request, = good.received('/' + mode)
    body = json.loads(request['body'])
    equal({name: body.get(name) for name in expected(mode)}, expected(mode), f'{mode}: attributes')
    equal((body['data'], body['datacontenttype'], body['shift'], body['line'], body['rework']), ({'n': 1}, 'application/json', 'früh', 4, True),
          f'{mode}: data and further attributes keep their types')
equal(good.received('/structured')[0]['headers']['content-type'], 'application/cloudevents+json', 'structured: content type')
equal(good.received('/batch')[0]['headers']['content-type'], 'application/cloudevents-batch+json', 'batch: content type')

request, = good.received('/binary')
headers = request['headers']
equal(headers['content-type'], 'application/json', 'binary: content type is that of the data')
equal(json.loads(request['body']), {'n': 1}, 'binary: the body is the data')
equal({name for name in headers if name.startswith('ce-')},
      {f'ce-{name}' for name in [*expected('binary'), 'shift', 'line', 'rework', 'recordedtime']}, 'binary: attributes are headers')
equal((headers['ce-subject'], headers['ce-shift'], headers['ce-id'], headers['ce-line'], headers['ce-rework']),
      ('Gr%C3%B6%C3%9Fe%205%25%20%22rot%22%20%E2%82%AC', 'fr%C3%BCh', 'E/1%20%C3%BCbinary', '4', 'true'), 'binary: percent-encoded as section 3.1.3.2 says')
equal(headers['ce-time'], EXPECTED['time'], 'binary: time')
for mode in ('structured', 'binary', 'batch'):
    headers = good.received('/' + mode)[0]['headers']
    equal((headers['traceparent'][:35], headers['traceparent'][36:52] != TRACE[36:52], len(headers['traceparent'])), (TRACE[:35], True, 55),
          f'{mode}: the trace goes on with a span of its own')
    equal(headers['idempotency-key'], f'"urn:erp:prd#E/1%20%C3%BC{mode}@{mode}"', f'{mode}: idempotency key, a quoted string')
    ok('expect' not in headers and headers['user-agent'].startswith('PlantHub/'), f'{mode}: no Expect, and a User-Agent', headers)

# Every character that needs an escape, at every place of a word of the machine.
hub.sql("""SELECT planthub.publish('t.structured', jsonb_build_object('strings', jsonb_agg(repeat('x', i) || c || repeat('y', j)), 'numbers',
           '[1e-7, 12345678901234567890.10, -0.0]'::jsonb, 'empty', '{"": {}, "a": []}'::jsonb), key => 'text', site => 'P1')
           FROM generate_series(0, 9) AS i, generate_series(0, 9) AS j,
                (SELECT chr(n) AS c FROM generate_series(1, 34) AS n UNION ALL SELECT unnest('{\\\\,\\\\u,/,ü,€,𝄞,\x7f}'::text[])) AS c""")
eventually(delivered('structured', 2), True, 'text of every kind: delivered')
sent = json.loads(next(r for r in good.received('/structured') if r['partitionkey'] == 'text')['body'])['data']
equal(sent == hub.json("SELECT data FROM planthub.message WHERE key = 'text'")[0]['data'], True, 'text of every kind: as it was published')

call('pause', 'endpoint', 'batch')
publish('batch', 'k', 25)
call('resume', 'endpoint', 'batch')
eventually(delivered('batch', 26), True, 'batch: many')
requests = good.received('/batch')[1:]
ok(len({r['request'] for r in requests}) <= 5 and max(r['n'] for r in requests) == 9, 'batch: up to batch_size in a request',
   [(r['request'], r['n']) for r in requests])
equal(hub.sql("SELECT count(DISTINCT delivery_id) FROM planthub.attempt JOIN planthub.delivery_status USING (delivery_id) WHERE endpoint = 'batch'"),
      '26', 'batch: an attempt for each message')
good.control(behaviour='status', status=400, match={'path': '/batch', 'key': 'k13'})
call('pause', 'endpoint', 'batch')
publish('batch', 'k', 20)
call('resume', 'endpoint', 'batch')
eventually(lambda: states('batch'), {'delivered': 45, 'parked': 1}, 'batch: one that is refused is found, the others are delivered')
good.control(reset=True)

# ---- pause and resume ----

target('sys', good.url('/paused'), breaker_threshold=3)
for scope, name in (('system', 'target'), ('endpoint', 'sys'), ('route', 'sys'), ('key', 'p')):
    before = len(good.received('/paused'))
    call('pause', scope, name, 'maintenance')
    publish('sys', 'p')
    publish('sys', 'q')
    others = {'system': 0, 'endpoint': 0, 'route': 0, 'key': 1}[scope]
    soon(lambda: len(good.received('/paused')) >= before + others and (scope not in ('route', 'key') or states('sys').get('paused')))
    publish('healthy', f'{scope}1')
    if scope != 'system':
        soon(lambda: good.received('/healthy')[-1]['partitionkey'] == f'{scope}1')
    equal(len(good.received('/paused')), before + others, f'pause {scope}: what it stops waits')
    call('resume', scope, name)
    eventually(lambda: len(good.received('/paused')), before + 2, f'resume {scope}: it goes')

# ---- expiry ----

target('stale', good.url('/stale'), route=dict(expires_after='300 ms'))
call('pause', 'endpoint', 'stale')
publish('stale', 'k')
soon(lambda: hub.sql("SELECT recorded_at + interval '300 ms' < clock_timestamp() FROM planthub.delivery_status WHERE endpoint = 'stale'") == 't')
publish('stale', 'k2')
call('resume', 'endpoint', 'stale')
eventually(lambda: states('stale').get('expired', 0) >= 1, True, 'too old is closed as expired')
equal([r for r in good.received('/stale') if r['partitionkey'] == 'k'], [], 'and not sent')

# ---- replay ----

before = len(good.received('/structured'))
hub.sql("BEGIN; SELECT planthub.replay(endpoint => 'structured', key => 'mo:1', reason => 'preview'); ROLLBACK")
preview = hub.sql("BEGIN; SELECT action FROM planthub.replay(endpoint => 'structured', key => 'mo:1', reason => 'preview'); ROLLBACK")
equal(preview, 'repeated', 'a preview tells what would be done')
equal(hub.sql("SELECT count(*) FROM planthub.delivery_status WHERE endpoint = 'structured'"), '2', 'rolled back, nothing is left of it')
hub.sql("SELECT planthub.replay(endpoint => 'structured', key => 'mo:1', reason => 'ticket 1')")
eventually(lambda: len(good.received('/structured')), before + 1, 'committed, it is sent again')
equal(len({r['headers']['idempotency-key'] for r in good.received('/structured') if r['partitionkey'] == 'mo:1'}), 1, 'with the same idempotency key')
equal(hub.sql("SELECT arguments ->> 'reason' FROM planthub.operation_log WHERE verb = 'replay'"), 'ticket 1', 'and is noted')

equal([line for line in hub.log().splitlines() if 'PANIC' in line or 'was terminated by signal' in line], [], 'nothing crashed')
finish()
