#!/usr/bin/env python3
"""Deliveries that take more than one request: sessions, tokens, ETags, looking up what happened.  Answers are those of
demo/scenario/messages_variants.json where it has them, else those of a peer that speaks like SAP."""

import json
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'lib'))
from hub import ROOT, Hub, Peer, equal, eventually, finish, ok, shell, soon, work  # noqa: E402

hub = Hub('log_statement = none')
hub.sql("""SELECT planthub.create_site('P1'), planthub.create_system('erp', 'erp'), planthub.create_topic('test.fact')""")
VARIANTS = {variant['name']: variant for variant in json.loads((ROOT / 'demo/scenario/messages_variants.json').read_text())['outbound']}
CONFIRM = '/sap/opu/odata/sap/API_PROD_ORDER_CONFIRMATION_2_SRV/ProdnOrdConf2'
SESSION = {'session': {'address': '/sap/opu/odata/sap/API_PROD_ORDER_CONFIRMATION_2_SRV/'}}


def variant(name):
    """The answers and what is expected."""
    given = VARIANTS[name]['target_response']
    return given if isinstance(given, list) else [given], VARIANTS[name]['expect']


def sql_value(value):
    return 'NULL' if value is None else str(value) if isinstance(value, bool) else "'" + str(value).replace("'", "''") + "'"


def target(name, path, steps=None, mapping=None, **options):
    """An endpoint with a peer of its own and a route for the key that has its name."""
    peer = Peer()
    options = {'outcome_set': 'sap-odata', 'content_mode': 'plain', 'retry_base': '1 h', 'retry_cap': '1 h',
               'steps': None if steps is None else json.dumps(steps), **options}
    arguments = ''.join(f', {option} => {sql_value(value)}' for option, value in options.items() if value is not None)
    hub.sql(f"SELECT planthub.create_endpoint('{name}', 'erp', {sql_value(peer.url(path))}{arguments})")
    hub.sql(f"SELECT planthub.create_route('{name}', 'test.fact', '{name}', condition => 'starts_with($env.key, ''{name}:'')', "
            f'response_mapping => {sql_value(mapping)})')
    return peer


def publish(name, data=None, key='1'):
    return int(hub.sql(f"SELECT planthub.publish('test.fact', {sql_value(json.dumps(data or {'n': 1}))}, '{name}:{key}', 'P1')"))


def state(message):
    row = hub.row(f'SELECT state, reason FROM planthub.delivery_status WHERE message_id = {message}')
    return f"{row['state']} {row['reason'] or ''}".strip()


def steps(message, n=1):
    """The requests of an attempt: "session 200, send 201"."""
    return hub.sql(f"""SELECT string_agg(concat_ws(' ', s->>'step', s->>'status'), ', ' ORDER BY o) FROM planthub.attempt AS a,
                       jsonb_array_elements(a.steps) WITH ORDINALITY AS e (s, o) WHERE a.message_id = {message} AND a.n = {n}""")


def attempt(message):
    return hub.row(f'SELECT * FROM planthub.attempt WHERE message_id = {message} ORDER BY n DESC LIMIT 1') or {}


def posted(message):
    row = hub.row(f'SELECT state, external_document FROM planthub.posting_status WHERE message_id = {message}')
    return row and f"{row['state']} {row['external_document'] or ''}".strip()


def held_attempts(message):
    return hub.sql(f'SELECT attempts FROM planthub.held WHERE message_id = {message}')


def writes(peer):
    return [line for line in peer.received() if line['method'] != 'GET' and not line['path'].endswith('/oauth/token')]


def reads(peer):
    return [line for line in peer.received() if line['method'] == 'GET']


def confirmation(n):
    return {'OrderID': '000001000123', 'ExternalSystemConfirmation': f'conf-{n}'}


# ---- sessions ----

peer = target('csrf', CONFIRM, SESSION, 'sap-confirmation-response')
peer.control(behaviour='sap', csrf=True)
m = publish('csrf', confirmation(1))
eventually(lambda: posted(m), 'posted 0000004712/00000001', 'a session is fetched before the first write')
equal(steps(m), 'session 200, send 201', 'both requests are told with the attempt')
equal([(line['headers'].get('x-csrf-token'), line['headers'].get('cookie')) for line in peer.received()],
      [('Fetch', None), ('csrf-1-secret', 'sap-session=1')], 'the token and the cookie are those that were given')
m = publish('csrf', confirmation(2))
eventually(lambda: steps(m), 'send 201', 'the next one needs no other session')
peer.control(end='session')
m = publish('csrf', confirmation(3))
eventually(lambda: state(m), 'delivered', 'when it is over')
equal(steps(m), 'send 403, session 200, send 201', 'another one is fetched, and the request sent again at once')
equal(len({line['headers']['idempotency-key'] for line in writes(peer)[-2:]}), 1, 'with the same key')

# Many at once fetch one session.
peer.control(end='session')
before = len(reads(peer))
hub.sql("SELECT planthub.pause('endpoint', 'csrf')")
many = [publish('csrf', confirmation(f'many-{n}'), key=n) for n in range(20)]
hub.sql("SELECT planthub.resume('endpoint', 'csrf')")
eventually(lambda: {state(n) for n in many}, {'delivered'}, 'many are delivered at once')
equal(len(reads(peer)) - before, 1, 'with one session')

answers, expect = variant('sap_csrf_required_twice')
peer = target('twice', CONFIRM, SESSION)
peer.control(behaviour='sap')
for answer in answers:
    peer.control(behaviour='status', **answer, count=1, match={'method': 'POST'})
m = publish('twice')
eventually(lambda: state(m), 'retry CSRF_REQUIRED', f'sap_csrf_required_twice: {expect["state"]}')
equal((held_attempts(m), steps(m)), ('1', 'session 200, send 403, session 200, send 403'), 'it counts as one attempt, and there is no loop')
equal(hub.sql(f"SELECT status || ' ' || outcome FROM planthub.attempt WHERE message_id = {m}"), '403 transient', 'told as the last answer')

peer = target('forbidden', CONFIRM, SESSION)
peer.control(behaviour='sap')
peer.control(behaviour='status', status=403, match={'method': 'POST'})
m = publish('forbidden')
eventually(lambda: attempt(m).get('outcome'), 'auth', 'a 403 without the field is about rights')
equal(steps(m), 'session 200, send 403', 'and no reason for another session')

peer = target('refused', CONFIRM, SESSION)
for status, outcome in ((503, 'transient'), (404, 'auth'), (200, 'auth')):
    peer.control(behaviour='status', status=status, count=1, match={'method': 'GET'})
    m = publish('refused', key=str(status))
    eventually(lambda: attempt(m).get('outcome'), outcome, f'a session that is refused with {status} is no fault of the message')
    equal((state(m), steps(m)), ('retry SESSION_REFUSED', f'session {status}'), 'it is tried again later')
equal(writes(peer), [], 'nothing is sent without a session')

peer = target('hanging', CONFIRM, SESSION, total_timeout='300 ms', idempotent=False)
peer.control(behaviour='hang', match={'method': 'GET'})
m = publish('hanging')
eventually(lambda: state(m), 'retry SESSION_REFUSED', 'a session that is not answered leaves nothing in doubt')

# ---- who the hub is ----

SECRET = 'client-secret'
hub.sql(f"""SELECT planthub.set_credential('sap-user', 'pass:word', 'basic', '{{"user": "HUB"}}'),
                   planthub.set_credential('key', 'key-1-secret', 'header', '{{"header": "X-API-Key"}}')""")
peer = target('basic', CONFIRM, SESSION, credential='sap-user')
peer.control(behaviour='sap', csrf=True, basic='HUB:pass:word')
m = publish('basic', confirmation(1))
eventually(lambda: steps(m), 'session 200, send 201', 'basic: user and password go with every request')
peer = target('api-key', '/hook', credential='key')
m = publish('api-key')
eventually(lambda: state(m), 'delivered', 'header: a key goes along')
equal(peer.received()[0]['headers'].get('x-api-key'), 'key-1-secret', 'in its field')
hub.sql("SELECT planthub.set_credential('key', 'key-2-secret')")
m = publish('api-key')
eventually(lambda: state(m), 'delivered', 'another secret')
equal(peer.received()[1]['headers'].get('x-api-key'), 'key-2-secret', 'is used from then on')

peer.control(behaviour='status', status=400, body='x' * 500 + 'key-2-secret' + 'x' * 505 + 'key-2-secret', count=1)
m = publish('api-key', key='echo')
eventually(lambda: attempt(m).get('response'), 'x' * 500 + '***' + 'x' * 505, 'an answer that repeats the secret, or its beginning where it is cut off, is recorded without')

peer = target('oauth', CONFIRM, SESSION, 'sap-confirmation-response')
hub.sql(f"""SELECT planthub.set_credential('oauth', '{SECRET}', 'oauth2', '{{"token_url": "{peer.url('/oauth/token')}", "client_id": "hub"}}');
            SELECT planthub.alter_endpoint('oauth', credential => 'oauth')""")
peer.control(behaviour='sap', csrf=True, oauth=True)
m = publish('oauth', confirmation(1))
eventually(lambda: steps(m), 'token 200, session 200, send 201', 'oauth2: a token is fetched, then a session with it')
m = publish('oauth', confirmation(2))
eventually(lambda: steps(m), 'send 201', 'both are kept')
peer.control(end='token')
m = publish('oauth', confirmation(3))
eventually(lambda: steps(m), 'send 401, token 200, send 201', 'a token that is refused is renewed once')
equal(len({line['headers']['idempotency-key'] for line in writes(peer)[-2:]}), 1, 'and the request sent again with its key')
peer.control(end='token')
peer.control(end='session')
m = publish('oauth', confirmation(4))
eventually(lambda: steps(m), 'send 401, token 200, send 403, session 200, send 201', 'token and session may both be over')

answers, expect = variant('unauthorised_once')
for n, answer in enumerate(answers):
    peer.control(behaviour='status', **answer, match={'method': 'POST', 'path': CONFIRM}, count=1)
m = publish('oauth', confirmation(5))
eventually(lambda: (state(m), steps(m)), ('delivered', 'send 401, token 200, send 201'), f'unauthorised_once: {expect["action"]}')

peer.control(behaviour='status', status=401, match={'method': 'POST', 'path': CONFIRM}, count=2)
m = publish('oauth', confirmation(6), key='2')
eventually(lambda: (attempt(m).get('outcome'), steps(m)), ('auth', 'send 401, token 200, send 401'), 'a second refusal is one, and no loop')

peer.control(behaviour='sap', csrf=True, oauth=True, client='hub:another')
peer.control(end='token')
m = publish('oauth', confirmation(7), key='3')
eventually(lambda: steps(m), 'send 401, token 401', 'when there is no other token')
equal((state(m), held_attempts(m)), ('retry TOKEN_REFUSED', '0'), 'it is tried again later, and has not reached the target')
equal(attempt(m)['error'], 'no token: status 401, invalid_client', 'the code is told, and nothing else of the answer')
eventually(lambda: hub.sql("SELECT state FROM planthub.endpoint_health WHERE endpoint = 'oauth'"), 'closed', 'one refusal does not suspend the endpoint')
for n in range(5):
    publish('oauth', confirmation(8), key=f'more-{n}')
eventually(lambda: hub.sql("SELECT state FROM planthub.endpoint_health WHERE endpoint = 'oauth'"), 'open', 'more of them do')

for n, lives in enumerate((0, 'soon', 10 ** 12)):
    peer = target(f'lives-{n}', CONFIRM)
    hub.sql(f"""SELECT planthub.set_credential('lives-{n}', '{SECRET}', 'oauth2', '{{"token_url": "{peer.url('/oauth/token')}", "client_id": "hub"}}');
                SELECT planthub.alter_endpoint('lives-{n}', credential => 'lives-{n}')""")
    peer.control(behaviour='sap', oauth=True, expires_in=lives)
    m = publish(f'lives-{n}', confirmation(n))
    eventually(lambda: state(m), 'delivered', f'a token that lives {lives} seconds')
    equal(steps(m), 'token 200, send 201', 'is used at once all the same')

peer = target('expiring', CONFIRM)
hub.sql(f"""SELECT planthub.set_credential('oauth-body', '{SECRET}', 'oauth2',
              '{{"token_url": "{peer.url('/oauth/token')}", "client_id": "hub", "client_auth": "body", "scope": "a b", "parameters": {{"resource": "x/y"}}}}');
            SELECT planthub.alter_endpoint('expiring', credential => 'oauth-body')""")
peer.control(behaviour='sap', oauth=True, expires_in=1)
for n in (1, 2):
    m = publish('expiring', confirmation(n))
    eventually(lambda: state(m), 'delivered', 'a token with a short life')
    soon(lambda: hub.sql(f"SELECT clock_timestamp() > started_at + interval '2 s' FROM planthub.attempt WHERE message_id = {m}") == 't')
equal(steps(m), 'token 200, send 201', 'is fetched anew when it has ended')
form = peer.received('/oauth/token')[0]['body']
equal(form, f'grant_type=client_credentials&scope=a%20b&resource=x%2Fy&client_id=hub&client_secret={SECRET}', 'client_auth "body": the form has everything')

# Without its secret, as after a restore, nothing is sent and the reason is told.
peer = target('lost', '/lost', credential='key')
hub.sql("DELETE FROM planthub.credential_secret WHERE credential = 'key'")
m = publish('lost')
eventually(lambda: state(m), 'retry CREDENTIAL_MISSING', 'a credential without secret holds deliveries back')
ok('set_credential' in attempt(m)['error'], 'and says what to do', attempt(m))
equal(peer.received(), [], 'nothing is sent')

# Secrets are nowhere else.
tables = hub.sql("""SELECT string_agg(c.oid::regclass::text, ' ') FROM pg_class AS c
                    WHERE c.relnamespace = 'planthub'::regnamespace AND c.relkind IN ('r', 'v') AND c.relname <> 'credential_secret'""").split()
contents = '\n'.join(hub.sql(f'SELECT t::text FROM {table} AS t') for table in tables)
ok('token 200' not in contents and 'sap-user' in contents, 'tables and views can be searched')
leaks = [secret for secret in (SECRET, 'pass:word', 'token-1-secret', 'csrf-1-secret', 'key-1-secret') if secret in contents]
equal(leaks, [], 'no table or view has a secret')
dump = shell(f'pg_dump -h {work} {hub.database}')
ok('COPY planthub.credential ' in dump and 'sap-user' in dump, 'a dump has the credentials')
equal([secret for secret in (SECRET, 'pass:word', 'key-2-secret') if secret in dump], [], 'without their secrets')
equal([secret for secret in (SECRET, 'pass:word', 'token-1-secret', 'csrf-1-secret') if secret in hub.log()], [], 'nor has the log')
session = hub.session("SELECT planthub.set_credential('shown', 'shown-secret', 'header'), pg_sleep(60);")
eventually(lambda: hub.sql("SELECT query FROM pg_stat_activity WHERE query LIKE '%set_credential%' AND pid <> pg_backend_pid()"),
           'SELECT planthub.set_credential(...)', 'pg_stat_activity does not show the statement')
session.kill()

# ---- changing what has a version ----

ISSUE = "/sap/opu/odata/sap/API_OUTBOUND_DELIVERY_SRV;v=0002/PostGoodsIssue?DeliveryDocument='{request.DeliveryDocument}'"
READ = {'read': {'address': "/sap/opu/odata/sap/API_OUTBOUND_DELIVERY_SRV;v=0002/A_OutbDeliveryHeader('{request.DeliveryDocument}')",
                 'require': "body.d.Status != 'C'"}, **SESSION}
peer = target('issue', ISSUE, READ, content_mode='none')
peer.control(behaviour='sap', csrf=True, etag=True)
wanted = [line for line in json.loads((ROOT / 'demo/scenario/sap_outbound_expected.json').read_text()) if 'PostGoodsIssue' in line['path']][0]
m = publish('issue', {'DeliveryDocument': '80001234'})
eventually(lambda: (state(m), steps(m)), ('delivered', 'read 200, session 200, send 204'), 'a goods issue is read before it is posted')
(sent,) = writes(peer)
equal((sent['method'], sent['path'], sent['body']), (wanted['method'], wanted['path'], ''), 'with the parameters in the address and no body')
equal(sent['headers'].get('if-match'), 'W/"1"', 'and the ETag that was read')
ok('content-type' not in sent['headers'], 'nothing is described', sent)
m = publish('issue', {'DeliveryDocument': "8 ü'/&?%{}"})
eventually(lambda: state(m), 'delivered', 'whatever a value has in it')
equal(writes(peer)[-1]['path'], ISSUE.partition("'")[0] + "'8%20%C3%BC%27%27%2F%26%3F%25%7B%7D'", 'it stays one value')
m = publish('issue', {'Delivery': '1'})
eventually(lambda: state(m), 'parked ADDRESS_FAILED', 'a message without the value is parked')
ok('{request.DeliveryDocument}' in hub.sql(f'SELECT last_error FROM planthub.held WHERE message_id = {m}'), 'with the place that has none')
hub.sql(f"SELECT planthub.discard(delivery_id, 'no delivery') FROM planthub.held WHERE message_id = {m}")

answers, expect = variant('etag_stale')
peer.control(behaviour='status', **answers[0], count=1, match={'method': 'POST'})
m = publish('issue', {'DeliveryDocument': '1'})
eventually(lambda: (state(m), steps(m)), ('delivered', 'read 200, send 412, read 200, send 204'), f'etag_stale: {expect["action"]}')
peer.control(behaviour='status', status=412, count=2, match={'method': 'POST'})
m = publish('issue', {'DeliveryDocument': '2'}, key='2')
eventually(lambda: (state(m), steps(m)), ('retry ETAG_STALE', 'read 200, send 412, read 200, send 412'), 'changed again meanwhile: later, and no loop')
peer.control(behaviour='sap', csrf=True, etag=True, object_status='C')
m = publish('issue', {'DeliveryDocument': '3'}, key='3')
eventually(lambda: state(m), 'parked STATE_REFUSED', 'what may not be changed any more is left as it is')
equal(steps(m), 'read 200', 'nothing is sent')
peer.control(behaviour='status', status=404, match={'method': 'GET'})
m = publish('issue', {'DeliveryDocument': '4'}, key='4')
eventually(lambda: state(m), 'parked READ_FAILED', 'what is not there is a case for people')

# ---- what became of a request without an answer ----

LOOKUP = {'lookup': {'address': CONFIRM + "?$filter=ExternalSystemConfirmation%20eq%20'{request.ExternalSystemConfirmation}'",
                     'found': 'body.d.results[0]'}}
answers, expect = variant('timeout_not_committed')
peer = target('timeout', CONFIRM, LOOKUP, 'sap-confirmation-response', idempotent=False, total_timeout='500 ms')
peer.control(behaviour='sap')
peer.control(behaviour='hang', count=1, match={'method': 'POST'})
m = publish('timeout', confirmation(1))
eventually(lambda: posted(m), 'posted 0000004712/00000001', f'timeout_not_committed: {expect["state"]}')
equal(steps(m), 'send, lookup 200, send 201', 'looked up by the external key, and sent again when it is not there')
equal((len(writes(peer)), len({line['headers']['idempotency-key'] for line in writes(peer)})), (expect['posts'], 1), 'with the same key')
peer.control(behaviour='sap', silent=True, count=1, match={'method': 'POST'})
m = publish('timeout', confirmation(2))
eventually(lambda: posted(m), 'posted 0000004713/00000001', 'committed before the timeout: the document is found')
equal((steps(m), attempt(m)['outcome']), ('send, lookup 200', 'duplicate'), 'and nothing is sent again')
peer.control(behaviour='hang', count=2, match={'method': 'POST'})
m = publish('timeout', confirmation(3), key='3')
eventually(lambda: state(m), 'retry NOT_FOUND', 'twice without an answer: later')
equal(steps(m), 'send, lookup 200, send, lookup 200', 'and no loop')
hub.sql(f'SELECT planthub.release(delivery_id) FROM planthub.held WHERE message_id = {m}')
eventually(lambda: posted(m), 'posted 0000004714/00000001', 'then')
equal(steps(m, 2), 'lookup 200, send 201', 'it is looked for before it is sent')
for status, want in ((400, 'in_doubt LOOKUP_FAILED'), (503, 'retry LOOKUP_FAILED')):
    peer.control(behaviour='sap', silent=True, count=1, match={'method': 'POST'})
    peer.control(behaviour='status', status=status, count=1, match={'method': 'GET'})
    m = publish('timeout', confirmation(f'4-{status}'), key=f'4-{status}')
    eventually(lambda: state(m), want, f'a lookup that fails with {status}')
    equal(held_attempts(m), '1', 'the message may have reached the target')
    hub.sql(f'SELECT planthub.release(delivery_id) FROM planthub.held WHERE message_id = {m}')
    eventually(lambda: state(m), 'delivered', 'is repeated')
    equal(steps(m, 2), 'lookup 200', 'and nothing is sent twice')

# ---- what comes of it later ----

def following(message):
    return hub.row(f'SELECT f.*, f.due_at > now() AS later FROM planthub.follow_up AS f WHERE f.message_id = {message}') or {}


def cases(message):
    return hub.sql(f"""SELECT string_agg(c.code, ' ' ORDER BY c.code) FROM planthub.delivery_status AS d
                       JOIN planthub."case" AS c ON c.kind = 'delivery' AND c.key = d.delivery_id::text WHERE d.message_id = {message}""")


def job(body, path='/services/rest/async/v1/job/123', **more):
    peer.control(behaviour='status', status=200, body=json.dumps(body), match={'method': 'GET', 'path': path}, **more)


answers, expect = variant('netsuite_idempotency')
JOB = answers[0]['headers']['Location']
peer = target('job', '/record', None, 'netsuite-job-response', outcome_set='netsuite', credential='sap-user')
peer.control(behaviour='status', **{**answers[0], 'body': json.dumps(answers[0]['body'])})
job({'completed': False, 'progress': 'processing'}, headers={'Retry-After': '0'})
m = publish('job')
eventually(lambda: posted(m), f'accepted {JOB}', f'netsuite_idempotency: {expect["state"]}')
eventually(lambda: following(m).get('address'), peer.url(JOB), expect['action'])
hub.sql(f'UPDATE planthub.follow_up SET due_at = now() WHERE message_id = {m}')
later = publish('job')
eventually(lambda: following(m).get('tries', 0) >= 2, True, 'it is asked again and again')
ok(peer.received(JOB)[0]['headers'].get('authorization', '').startswith('Basic '), 'with what lets the hub in')
equal(state(later), 'delivered', 'the next of its key does not wait for it')
equal(hub.sql(f'SELECT count(*) FROM planthub.posting WHERE message_id = {m}'), '1', 'an answer that says nothing new leaves nothing')
peer.control(reset=True)
peer.control(behaviour='status', **{**answers[0], 'body': json.dumps(answers[0]['body'])})
job({'completed': True, 'progress': 'succeeded'})
eventually(lambda: posted(m), f'posted {JOB}', 'when the job is done it is posted')
equal((following(m), hub.sql(f'SELECT count(*) FROM planthub.attempt WHERE message_id = {m}')), ({}, '1'), 'and nobody asks any more')

MAPPING = {'outcome': "=step == 'follow' && (body.done && (body.ok && 'posted' || 'rejected')) || 'accepted'", 'external_document': '=body.number || posting.external_document',
           'error': {'$if': "=step == 'follow' && body.done && !(body.ok)", '$then': {'code': 'REFUSED_LATER', 'text': '=body.why'}},
           'follow': {'$if': "=step == 'send' || !(body.done)", '$then': {'address': '=headers.location || body.next', 'after': '=`0.1`', 'for': '=request.for'}}}
hub.sql(f"""SELECT planthub.create_mapping('async', {sql_value(json.dumps(MAPPING))}); SELECT planthub.activate_mapping('async', version => 1)""")
peer = target('async', '/async', None, 'async', outcome_set=None)
peer.control(behaviour='status', status=202, headers={'Location': '/jobs/1'}, match={'method': 'POST'}, count=1)
job({'done': False, 'next': '/jobs/1b', 'number': 'J-1'}, '/jobs/1')
job({'done': True, 'ok': True, 'number': 'D-1'}, '/jobs/1b')
m = publish('async')
eventually(lambda: posted(m), 'posted D-1', 'a job that leads to another one')
equal(hub.sql("SELECT canonical FROM planthub.xref_find('document', 'D-1', 'erp', 'P1')"), str(m), 'its document is in the cross-reference')
peer.control(behaviour='status', status=202, headers={'Location': '/jobs/2'}, match={'method': 'POST'}, count=1)
job({'done': True, 'ok': False, 'why': 'period closed'}, '/jobs/2')
m = publish('async')
eventually(lambda: (posted(m), cases(m)), ('rejected', 'REFUSED_LATER'), 'a job that ends badly is rejected, and a case')
peer.control(behaviour='status', status=202, headers={'Location': 'http://127.0.0.1:1/jobs/3'}, match={'method': 'POST'}, count=1)
m = publish('async')
eventually(lambda: posted(m), 'accepted', 'a target cannot send the hub elsewhere')
ok('not one of the endpoint' in hub.sql(f'SELECT error_text FROM planthub.posting_status WHERE message_id = {m}'), 'that is told')
equal(following(m), {}, 'and not followed')
peer.control(behaviour='status', status=202, headers={'Location': '/jobs/4'}, match={'method': 'POST'}, count=1)
peer.control(behaviour='status', status=503, match={'path': '/jobs/4'})
m = publish('async', {'for': '1 ms'})
eventually(lambda: hub.sql(f'SELECT error_code FROM planthub.posting_status WHERE message_id = {m}'), 'FOLLOW_EXHAUSTED', 'a target that does not tell is given up')
eventually(lambda: (following(m), cases(m)), ({}, 'FOLLOW_EXHAUSTED'), 'with a case')
peer.control(behaviour='status', status=202, headers={'Location': '/jobs/5'}, match={'method': 'POST'}, count=1)
peer.control(behaviour='status', status=503, match={'path': '/jobs/5'}, count=1)
job({'done': True, 'ok': True, 'number': 'D-5'}, '/jobs/5')
m = publish('async')
eventually(lambda: posted(m), 'posted D-5', 'one that cannot tell now is asked again')

answers, expect = variant('sap_confirmed_but_movement_failed')
DETAIL = {'external_document': {'$if': "=step == 'send'", '$then': "=join('/', [body.d.ConfirmationGroup, body.d.ConfirmationCount])", '$else': '=posting.external_document'},
          'error': {'$if': "=nz(body.goods_movements_failed, 0) > `0`", '$then': {'code': expect['exception'], 'text': '=concat(body.goods_movements_failed, \' movement failed\')'}},
          'follow': {'$if': "=step == 'send'", '$then': {'address': "=concat('/movements/', body.d.ConfirmationGroup)", 'after': '=`0.1`'}}}
hub.sql(f"""SELECT planthub.create_mapping('checked', {sql_value(json.dumps(DETAIL))}); SELECT planthub.activate_mapping('checked', version => 1)""")
peer = target('movements', CONFIRM, SESSION, 'checked')
peer.control(behaviour='sap', csrf=True)
job(answers[0]['then_read'], '/movements/0000004712')
m = publish('movements', confirmation(1))
eventually(lambda: (posted(m), cases(m)), ('posted 0000004712/00000001', expect['exception']), f'sap_confirmed_but_movement_failed: {expect["state"]}')
equal(hub.sql(f'SELECT error_code FROM planthub.posting_status WHERE message_id = {m}'), expect['exception'], 'the confirmation stands, the movement is told')

# ---- telling others ----

hub.sql("SELECT planthub.create_system('mes', 'mes')")
mes = Peer()
erp = target('told', CONFIRM, None, 'sap-confirmation-response')
erp.control(behaviour='sap')
hub.sql(f"""SELECT planthub.create_endpoint('mes', 'mes', {sql_value(mes.url('/mes'))}), planthub.create_route('mes', 'posting.acknowledged', 'mes', response_mapping => 'async'),
                   planthub.create_route('back', 'posting.acknowledged', 'told', response_mapping => 'sap-confirmation-response')""")
m = publish('told', confirmation(1))
eventually(lambda: posted(m), 'posted 0000004712/00000001', 'what is posted')
eventually(lambda: len(mes.received()), 1, 'others are told')
(told,) = mes.received()
equal((told['type'], told['data']['outcome'], told['data']['external_document'], told['partitionkey']),
      ('planthub.posting.acknowledged.v1', 'posted', '0000004712/00000001', 'told:1'), 'with the document, in the order of its key')
equal(hub.sql(f"SELECT result FROM planthub.acknowledge('{told['data']['outbox_id']}', 'posted', '0000004712/00000001')"), 'ignored', 'by the key that the target was given')
erp.control(behaviour='status', status=200, body='{"d": {}}')
m = publish('told', confirmation(2))
eventually(lambda: posted(m), 'accepted', 'what cannot be read')
mes.control(behaviour='status', status=200, body='{"number": "M-1"}')
erp.control(behaviour='sap')
m = publish('told', confirmation(3))
eventually(lambda: posted(m), lambda text: (text or '').startswith('posted'), 'and another one')
eventually(lambda: len(mes.received()), 2, 'of what is posted only')
equal(hub.sql("SELECT count(*) FROM planthub.message WHERE topic = 'posting.acknowledged'"), '2', 'nobody is told about being told')
equal(len(writes(erp)), 3, 'nor the one who said it')
equal(hub.sql("SELECT count(*) FROM planthub.inbox WHERE topic = 'posting.acknowledged'"), '0', 'nothing of it is inbound')
hub.sql("SELECT planthub.alter_route('mes', enabled => false), planthub.alter_route('back', enabled => false)")

# ---- killed in every step ----

ALL = {**SESSION, 'lookup': LOOKUP['lookup'], 'read': {'address': CONFIRM + "('x')"}}
peer = target('kill', CONFIRM, ALL, 'sap-confirmation-response', idempotent=False, total_timeout='500 ms')
hub.sql(f"""SELECT planthub.set_credential('kill', '{SECRET}', 'oauth2', '{{"token_url": "{peer.url('/oauth/token')}", "client_id": "hub"}}');
            SELECT planthub.alter_endpoint('kill', credential => 'kill');
            ALTER SYSTEM SET restart_after_crash = off""")
for step in ('token', 'read', 'session', 'send', 'lookup'):
    peer.control(reset=True)
    peer.control(behaviour='sap', csrf=True, etag=True, oauth=True)
    peer.control(end='session')
    peer.control(end='token')
    if step == 'lookup':
        peer.control(behaviour='sap', silent=True, csrf=True, etag=True, oauth=True, count=2, match={'method': 'POST', 'path': CONFIRM})
    hub.set(debug_crash=f'step={step}')
    try:
        publish('kill', confirmation(f'kill-{step}'))
    except RuntimeError:
        pass                        # the server may be faster than psql
    ok(soon(hub.is_down), f'killed in {step}')
    hub.configure(debug_crash='')
    hub.start()
    m = int(hub.sql("SELECT max(id) FROM planthub.message WHERE key = 'kill:1'"))
    eventually(lambda: (state(m), (posted(m) or '').split(' ')[0]), ('delivered', 'posted'), 'the message is posted after all')
    equal(peer.control()['effects'].get(f'conf-kill-{step}'), 1, f'once: {steps(m, 1) or steps(m, 2)}')

# Killed while it asks what became of something: it is asked again.
peer = target('asked', '/async', None, 'async', outcome_set=None)
peer.control(behaviour='status', status=202, headers={'Location': '/jobs/6'}, match={'method': 'POST'})
job({'done': True, 'ok': True, 'number': 'D-6'}, '/jobs/6')
hub.set(debug_crash='step=follow')
try:
    publish('asked')
except RuntimeError:
    pass
ok(soon(hub.is_down), 'killed in follow')
hub.configure(debug_crash='')
hub.start()
m = int(hub.sql("SELECT max(id) FROM planthub.message WHERE key = 'asked:1'"))
equal(following(m).get('later'), True, 'what was asked is kept')
hub.sql(f'UPDATE planthub.follow_up SET due_at = now() WHERE message_id = {m}')
publish('asked')
eventually(lambda: posted(m), 'posted D-6', 'and asked again')
equal(hub.sql(f'SELECT count(*) FROM planthub.attempt WHERE message_id = {m}'), '1', 'the message is not sent again')
finish()
