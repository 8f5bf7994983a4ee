#!/usr/bin/env python3
"""Delivered is not posted, with real workers: what answers mean, document numbers, acknowledgements.  The answers of
demo/scenario/messages_variants.json are given by the peer; those that take more than one request are tried in
handshake.t."""

import json
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'lib'))
from hub import ROOT, Hub, Peer, equal, eventually, finish, ok, soon  # noqa: E402

hub = Hub()
peer = Peer()
hub.sql("""SELECT planthub.create_site('P1'), planthub.create_system('erp', 'erp'), planthub.create_system('mes', 'mes'),
                  planthub.create_topic('test.fact')""")
VARIANTS = {variant['name']: variant for variant in json.loads((ROOT / 'demo/scenario/messages_variants.json').read_text())['outbound']}


def answers(path, responses):
    """What the peer says, one after the other; the last one from then on."""
    for n, response in enumerate(responses):
        order = {'behaviour': 'hang'} if response == 'timeout' else {
            'behaviour': 'status', 'status': response['status'], 'headers': response.get('headers', {}),
            'body': json.dumps(response['body']) if 'body' in response else response.get('text', '')}
        peer.control(**order, match={'path': path}, **({'count': 1} if n < len(responses) - 1 else {}))


def send(name, responses, rules=None, mapping=None, within=None, retry_base='1 h', **endpoint):
    """One message to an endpoint of its own; tells its number."""
    answers(f'/{name}', responses)
    code = name.replace('_', '-')
    more = ''.join(f", {option} => '{value}'" for option, value in {'outcome_set': rules, 'retry_base': retry_base, 'retry_cap': '1 h', 'content_mode': 'plain', **endpoint}.items() if value)
    hub.sql(f"SELECT planthub.create_endpoint('{code}', 'erp', '{peer.url('/' + name)}'{more})")
    options = ''.join(f", {option} => '{value}'" for option, value in {'response_mapping': mapping, 'acknowledge_within': within}.items() if value)
    hub.sql(f"SELECT planthub.create_route('{code}', 'test.fact', '{code}', condition => '$env.key == ''{name}'''{options})")
    return publish(name)


def publish(key):
    return int(hub.sql(f"""SELECT planthub.publish('test.fact', '{{"n": 1}}', '{key}', 'P1')"""))


def state(message):
    row = hub.row(f'SELECT state, reason, attempts FROM planthub.delivery_status WHERE message_id = {message}')
    return f"{row['state']} {row['reason'] or ''}".strip()


def attempts(message):
    return hub.sql(f"SELECT string_agg(concat_ws(' ', status, outcome), ', ' ORDER BY n) FROM planthub.attempt WHERE message_id = {message}")


def posting(message):
    return hub.row(f'SELECT * FROM planthub.posting_status WHERE message_id = {message}') or {}


def posted(message):
    row = posting(message)
    return row and f"{row['state']} {row['external_document'] or ''}".strip()


def delivery(message):
    return hub.sql(f'SELECT delivery_id FROM planthub.delivery_status WHERE message_id = {message}')


def acknowledge(key, *arguments):
    values = ', '.join('NULL' if value is None else f"'{value}'" for value in (key, *arguments))
    return hub.sql(f"SELECT concat_ws(' ', result, code, state) FROM planthub.acknowledge({values})")


# ---- the variants ----

def given(name):
    response = VARIANTS[name]['target_response']
    return response if isinstance(response, list) else [response]


def expected(name):
    return VARIANTS[name]['expect']


m = send('sap_created', given('sap_created'), 'sap-odata', 'sap-confirmation-response')
equal(expected('sap_created')['state'], 'acknowledged', 'sap_created')
eventually(lambda: posted(m), 'posted ' + expected('sap_created')['external_document'], 'the document of the answer is there')
equal(hub.sql(f"SELECT canonical FROM planthub.xref_find('document', '{expected('sap_created')['external_document']}', 'erp', 'P1')"), str(m), 'and in the cross-reference')
equal((posting(m)['document_kind'], posting(m)['late'], posting(m)['conflicts']), ('confirmation', False, 0), 'with its kind')
equal(hub.sql(f"SELECT string_agg(state, ' ') FROM planthub.trace('message', '{m}') WHERE what = 'posting'"), 'posted', 'and in the story of the message')

m = send('unavailable', given('unavailable'), 'sap-odata')
eventually(lambda: state(m), 'retry RETRY', 'unavailable: retry is scheduled')
later = publish('unavailable')
eventually(lambda: state(later), 'blocked KEY_BLOCKED', 'later ones of its key wait')

m = send('sap_locked', given('sap_locked'), 'sap-odata')
eventually(lambda: state(m), 'retry SAP_LOCKED', 'sap_locked: a 400 that is technical in nature is tried again')
equal(attempts(m), '400 transient', 'and told as such')

m = send('d365_queued', given('d365_queued'), 'd365', within='1 h')
eventually(lambda: posted(m), 'accepted', 'd365_queued: queued is not posted')
ok(posting(m)['due_at'] and not posting(m)['late'], 'and the time for the acknowledgement runs', posting(m))
equal(acknowledge(delivery(m), 'posted', 'D-1'), 'recorded posted', 'which ends it')

m = send('netsuite_idempotency', given('netsuite_idempotency'), 'netsuite', 'netsuite-job-response', within='1 h')
eventually(lambda: posted(m), 'accepted ' + given('netsuite_idempotency')[0]['headers']['Location'], 'netsuite_idempotency: sent, and the earlier job is known')
equal(attempts(m), '400 duplicate', 'the refusal is as good as success')

for name, want in (('idoc_51', 'parked IDOC_ERROR'), ('idoc_66', 'delivered')):
    m = send(name, [{'status': 200, 'body': given(name)[0]}], 'sap-idoc', 'sap-idoc-response')
    eventually(lambda: state(m), want, f'{name}: {expected(name)["state"]}')
equal(posted(m), 'accepted', 'it waits for its predecessor in the ERP')

m = send('payload_too_large', given('payload_too_large'), 'sap-odata')
eventually(lambda: state(m), 'dead PERMANENT', 'payload_too_large: nothing that time mends')

equal(acknowledge(given('ack_unknown_outbox')[0]['ack']['outbox_id'], 'posted', '1'), 'unknown ' + expected('ack_unknown_outbox')['code'], 'ack_unknown_outbox')

m = send('ack_twice_other_document', [{'status': 202}], within='1 h')
eventually(lambda: posted(m), 'accepted', 'ack_twice_other_document: sent')
first, second = given('ack_twice_other_document')[0]['acks']
key = peer.received('/ack_twice_other_document')[0]['headers']['idempotency-key'].strip('"')
equal(acknowledge(key, 'posted', first), 'recorded posted', 'acknowledged by the key that the target was given')
equal(acknowledge(key, 'posted', first), 'ignored DUPLICATE_IGNORED posted', 'again')
equal(acknowledge(key, 'posted', second), f"conflict {expected('ack_twice_other_document')['code']} posted", 'with another document')
equal((posting(m)['external_document'], posting(m)['conflicts']), (first, 1), 'the first one stays, the conflict is told')

# Without the steps that handshake.t tries, the rules alone decide.
m = send('sap_csrf_required_twice', given('sap_csrf_required_twice'), 'sap-odata')
eventually(lambda: state(m), 'retry CSRF_REQUIRED', 'sap_csrf_required_twice: retry is scheduled')
equal(hub.sql(f'SELECT attempts FROM planthub.held WHERE message_id = {m}'), '1', 'and it counts as an attempt')

m = send('unauthorised_once', [*given('unauthorised_once')], 'sap-odata', within='1 h', retry_base='1 ms')
eventually(lambda: attempts(m), '401 auth, 201 success', 'unauthorised_once: tried again')

m = send('etag_stale', given('etag_stale'), 'sap-odata')
eventually(lambda: state(m), 'parked ETAG_STALE', 'etag_stale: never overwritten blindly')

HERE = {'sap_created', 'unavailable', 'sap_locked', 'd365_queued', 'netsuite_idempotency', 'idoc_51', 'idoc_66', 'payload_too_large',
        'ack_unknown_outbox', 'ack_twice_other_document'}
ELSEWHERE = (ROOT / 'test/t/handshake.t').read_text()
equal([name for name in VARIANTS if name not in HERE and f"variant('{name}')" not in ELSEWHERE], [], 'every variant is tried here or in handshake.t')

# ---- answers that rules and mappings cannot read ----

hub.sql("""
    SELECT planthub.create_outcome_set('plant');
    SELECT planthub.set_outcome_rule('plant', 10, 'lower(body.state) == ''refused''', 'business', 'REFUSED');
    SELECT planthub.set_outcome_rule('plant', 20, 'body.busy', 'throttled', 'BUSY', retry_after => 'body.busy');
    SELECT planthub.create_mapping('answer', '{"external_document": "=body.number", "kind": "=headers.\\"x-kind\\"",
        "xref": [{"set": "=body.set", "code": "=body.number", "value": "=request.n"}]}', options => '{"nulls": "omit"}');
    SELECT planthub.activate_mapping('answer', version => 1)""")
worker = hub.sql('SELECT pid FROM planthub.workers()')

m = send('fits', [{'status': 200, 'body': {'state': 'Done', 'number': '77', 'set': 'lot'}, 'headers': {'X-Kind': 'slip'}}], 'plant', 'answer')
eventually(lambda: posted(m), 'posted 77', 'an answer that fits')
equal(posting(m)['document_kind'], 'slip', 'with what its header says')
equal(hub.sql("SELECT canonical FROM planthub.xref_find('lot', '77', 'erp', 'P1')"), '1', 'and an entry of the cross-reference from the request')

m = send('no_rule_fits', [{'status': 200, 'body': {'state': 5, 'number': '78', 'set': 'lot'}}], 'plant', 'answer')
eventually(lambda: posted(m), 'posted 78', 'a rule that cannot be evaluated does not undo a success')
ok('outcome rule 10 of "plant"' in hub.sql(f'SELECT error FROM planthub.attempt WHERE message_id = {m}'), 'and is told')

m = send('refused', [{'status': 200, 'body': {'state': 'REFUSED'}}], 'plant', 'answer')
eventually(lambda: state(m), 'parked REFUSED', 'a success that the body denies')
equal(posting(m), {}, 'is no posting')

m = send('busy', [{'status': 500, 'body': {'busy': 900}}], 'plant', retry_base='1 ms')
eventually(lambda: state(m), 'retry BUSY', 'a rule says when to try again')
ok(hub.sql(f"SELECT next_attempt_at - last_attempt_at BETWEEN '14 min' AND '20 min' FROM planthub.delivery_status WHERE message_id = {m}") == 't', 'no earlier')

for name, text, error in (('no_json', 'created', 'required'), ('empty', '', 'required')):
    m = send(name, [{'status': 201, 'text': text}], 'plant', 'sap-material-document-response')
    eventually(lambda: posted(m), 'accepted', f'{name}: an answer that the mapping cannot read is no posting')
    equal((state(m), posting(m)['error_code']), ('delivered', 'RESPONSE_MAPPING_FAILED'), 'but the delivery stays delivered')
    ok('/external_document' in posting(m)['error_text'], 'with the place of the error', posting(m))
ok('2 within a day' in hub.sql("SELECT finding FROM planthub.doctor() WHERE \"check\" = 'unreadable answers'"), 'doctor() tells them')

m = send('bad_set', [{'status': 200, 'body': {'number': '79', 'set': 'no-such-set'}}], None, 'answer')
eventually(lambda: posted(m), 'accepted', 'an entry that the cross-reference refuses')
equal(hub.sql(f'SELECT count(*) FROM planthub.posting WHERE message_id = {m}'), '1', 'leaves one row, with the error')
ok('xref_set_fkey' in posting(m)['error_text'], 'of the table', posting(m))
equal(hub.sql("SELECT count(*) FROM planthub.xref WHERE code = '79'"), '0', 'and none of what the mapping gave')

hub.sql("UPDATE planthub.mapping SET status = 'retired' WHERE name = 'answer'")
m = publish('fits')
eventually(lambda: posted(m), 'accepted', 'a mapping that is gone')
ok('no active version' in posting(m)['error_text'], 'is told', posting(m))
equal(hub.sql('SELECT pid FROM planthub.workers()'), worker, 'all that by the same worker')

# A function of a mapping that fails whole transactions keeps the worker from nothing else.
hub.sql("""CREATE FUNCTION public.broken(document jsonb) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
           BEGIN RAISE EXCEPTION 'broken' USING ERRCODE = 'internal_error'; END $$;
           SELECT planthub.create_mapping_function('broken', 'public.broken(jsonb)');
           SELECT planthub.create_mapping('calls', '{"external_document": {"$call": "broken", "$with": "=body"}}');
           SELECT planthub.activate_mapping('calls', version => 1)""")
m = send('broken', [{'status': 200}], None, 'calls')
eventually(lambda: posted(m), 'accepted', 'a response mapping that fails the transaction is given up')
ok('server log' in posting(m)['error_text'], 'and says where to look', posting(m))
equal((state(m), len(peer.received('/broken'))), ('delivered', 1), 'the delivery was made once')
equal(hub.sql('SELECT pid FROM planthub.workers()'), worker, 'by the same worker')

# Large answers are read as a whole.
big = {'filler': 'x' * 200000, 'd': {'MaterialDocument': '49', 'MaterialDocumentYear': '2026'}}
m = send('big', [{'status': 201, 'body': big}], None, 'sap-material-document-response')
eventually(lambda: posted(m), 'posted 49/2026', 'a large answer is read to its end')
m = send('too_big', [{'status': 201, 'body': big}], None, 'sap-material-document-response', response_limit=1024)
eventually(lambda: (state(m), posted(m)), ('delivered', 'accepted'), 'one above the limit is not kept, and the delivery is delivered')

# Entering documents costs the same however many are there.
hub.sql(f"""
    SELECT planthub.create_mapping('own-number', '{{"external_document": "=to_string(message.id)"}}'); SELECT planthub.activate_mapping('own-number', version => 1);
    SELECT planthub.create_topic('test.many'), planthub.create_endpoint('many', 'erp', '{peer.url('/many')}');
    SELECT planthub.create_route('many', 'test.many', 'many', response_mapping => 'own-number');
    SELECT count(planthub.publish('test.many', '{{}}', NULL, 'P1')) FROM generate_series(1, 1000)""")
eventually(lambda: hub.sql("SELECT count(*) FROM planthub.posting_status WHERE topic = 'test.many' AND state = 'posted'"), '1000', 'many are posted')
READS = "FROM pg_stat_user_indexes WHERE schemaname = 'planthub' AND relname = 'xref'"
# A worker tells its statistics with a later transaction: one more message each time makes it have one.
eventually(lambda: int(hub.sql(f"SELECT planthub.publish('test.many', '{{}}', NULL, 'P1'); SELECT sum(idx_scan) {READS}").split()[-1]) >= 1000, True,
           'the cross-reference is looked at for each')
ok(int(hub.sql(f'SELECT sum(idx_tup_read) {READS}')) < 10000, 'and few entries are read', hub.sql(f'SELECT indexrelname, idx_scan, idx_tup_read {READS}'))

# An answer to a batch is read for none of its messages.
m = send('batch', [{'status': 200, 'body': {'number': 'B-1'}}], None, 'own-number', content_mode='batch')
eventually(lambda: posted(m), f'posted {m}', 'alone in its request')
hub.sql("SELECT planthub.pause('endpoint', 'batch')")
both = [int(hub.sql(f"""SELECT planthub.publish('test.fact', '{{}}', 'batch', 'P1')""")) for _ in range(2)]
hub.sql("SELECT planthub.resume('endpoint', 'batch')")
eventually(lambda: [(posted(n), state(n)) for n in both], [('accepted', 'delivered')] * 2, 'together')
ok('batch' in posting(both[0])['error_text'], 'with the reason', posting(both[0]))

# ---- acknowledged in time, late, never ----

m = send('deadline', [{'status': 202}], within='1 ms')
eventually(lambda: hub.sql(f'SELECT count(*) FROM planthub.posting_overdue WHERE message_id = {m}'), '1', 'what is not acknowledged in time is overdue')
equal(acknowledge(delivery(m), 'posted', 'L-1', None, None, 'mes'), 'unknown ACK_UNKNOWN', 'another system cannot end it')
equal(acknowledge(delivery(m), 'posted', 'L-1', None, None, 'erp'), 'recorded posted', 'the acknowledgement comes')
equal((posting(m)['state'], posting(m)['late'], posting(m)['external_document']), ('posted', True, 'L-1'), 'and stays late')
equal(hub.sql(f'SELECT count(*) FROM planthub.posting_overdue WHERE message_id = {m}'), '0', 'but is not overdue any more')

# An acknowledgement that is open in another session holds up no worker.
m = send('together', [{'status': 200, 'body': {'d': {'ConfirmationGroup': '1', 'ConfirmationCount': '1'}}}], None, 'sap-confirmation-response')
eventually(lambda: posted(m), 'posted 1/1', 'posted by the answer')
session = hub.session(f"BEGIN; SELECT planthub.acknowledge('{delivery(m)}', 'posted', '1/2');")
other = publish('together')
eventually(lambda: posted(other), 'posted 1/1', 'a worker records while an acknowledgement is open')
session.stdin.write('COMMIT;\n')
session.stdin.flush()
eventually(lambda: posting(m)['conflicts'], 1, 'which is a conflict then')

# A crash between the answer and its recording: sent again, one posting.
hub.sql("SELECT planthub.create_mapping('answer2', '{\"external_document\": \"=body.number\"}'); SELECT planthub.activate_mapping('answer2', version => 1)")
hub.sql('ALTER SYSTEM SET restart_after_crash = off')
hub.set(debug_crash='recording')
try:
    send('crash', [{'status': 200, 'body': {'number': 'C-1'}}], None, 'answer2')
except RuntimeError:
    pass                        # the server may be faster than psql
ok(soon(hub.is_down), 'the worker is killed')
equal(len(peer.received('/crash')), 1, 'after the answer')
hub.configure(debug_crash='')
hub.start()
m = int(hub.sql("SELECT id FROM planthub.message WHERE key = 'crash'"))
eventually(lambda: posted(m), 'posted C-1', 'the message is posted after all')
equal(hub.sql(f'SELECT count(*) FROM planthub.posting WHERE message_id = {m}'), '1', 'and recorded once')
finish()
