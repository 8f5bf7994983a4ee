#!/usr/bin/env python3
"""What the hub does by itself: released events, cases, collectors, staging; one process, only while there is work."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'lib'))
from hub import Hub, equal, eventually, finish, ok, soon, work  # noqa: E402
from libpq import Connection, SQLError  # noqa: E402

KILLS = 4
WRITERS = 3
ROWS = 60                       # of each writer

hub = Hub('max_worker_processes = 12')
PROCESS = "SELECT string_agg(DISTINCT state, ',') FROM planthub.job_process()"
DSN = f'host={os.environ["PGHOST"]} port={os.environ["PGPORT"]} user=postgres dbname=hub'


def job(code):
    return hub.row(f"SELECT * FROM planthub.job_status WHERE code = '{code}'")


def state(code):
    return lambda: job(code)['state']


hub.sql("""
    SELECT planthub.create_site('P1'), planthub.create_system('mes', 'mes', site => 'P1'), planthub.set_source('urn:mes', 'mes', 'P1');
    SELECT planthub.create_topic('legacy.fact'), planthub.allow_topic('legacy.fact', 'mes');
    SELECT planthub.create_mapping('legacy', '{"time": "=at", "recordedtime": "=at", "data": {"id": "=id"}}'), planthub.activate_mapping('legacy', 1);
    CREATE ROLE regress_ph_reader;
    SELECT planthub.grant_access('collector', 'regress_ph_reader');
    CREATE FUNCTION send(id text, item text, key text) RETURNS text LANGUAGE sql AS $$
        SELECT r.outcome FROM planthub.receive(jsonb_build_object('specversion', '1.0', 'id', id, 'source', 'urn:mes', 'type', 'planthub.legacy.fact.v1',
            'time', now(), 'recordedtime', now(), 'datacontenttype', 'application/json', 'dataschema', 'urn:planthub:schema:legacy.fact:1',
            'partitionkey', key, 'correlationid', 'c', 'data', jsonb_build_object('item', jsonb_build_object('scheme', 'mes', 'id', item)))) AS r
    $$;""".replace("'time', now(), 'recordedtime', now()", """'time', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
            'recordedtime', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"""))
eventually(lambda: hub.sql(PROCESS), 'asleep', 'with nothing to do there is no process')
equal(hub.sql('SELECT bool_and(looks_at IS NULL) FROM planthub.job_process()'), 't', 'and none will come by itself')
equal(state('release')(), 'idle', 'which the view says, too')

# ---- released events ----

holder = Connection(DSN)
equal(hub.sql("SELECT send('e1', 'X1', 'k1')"), 'parked', 'an event waits for an entry of the cross-reference')
equal(hub.sql("SELECT looks_at = (SELECT case_at FROM planthub.parked) FROM planthub.job_process() WHERE process = 'jobs'"), 't', 'the process comes when it has waited too long')
holder.rows("BEGIN; SELECT planthub.lock_event('P1', 'k1', NULL, -1)")
hub.sql("SELECT planthub.set_xref('item', 'X1', '\"ITEM\"', 'mes')")
eventually(lambda: hub.row("SELECT due FROM planthub.parked"), {'due': True}, 'the entry comes while another transaction has the key: it is released and left')
eventually(lambda: (job('release')['started_at'] is not None, job('release')['rows']), (True, 0), 'the job tries it in vain')
holder.close()
eventually(lambda: hub.sql("SELECT outcome FROM planthub.inbox WHERE event_id = 'e1'"), 'applied', 'and evaluates it when the key is free')
equal(hub.sql('SELECT count(*) FROM planthub.parked'), '0', 'nothing waits any more')
eventually(state('release'), 'idle', 'the job has nothing to do')

hub.sql("SELECT send('e2', 'X2', 'k2')")
hub.sql("UPDATE planthub.parked SET case_at = now() + interval '3 s'; SELECT planthub.wake_jobs(now() + interval '3 s')")
equal((hub.sql('SELECT count(*) FROM planthub."case"'), state('release')()), ('0', 'scheduled'), 'an event that waits is no case yet')
eventually(lambda: hub.sql('SELECT string_agg(code || kind || key, \',\') FROM planthub."case" WHERE closed_at IS NULL'), 'MAPPING_MISSINGxrefitem/X2',
           'after its time it is one, by itself')
hub.sql("SELECT planthub.set_xref('item', 'X2', '\"ITEM2\"', 'mes')")
eventually(lambda: hub.sql('SELECT count(*) FROM planthub."case" WHERE closed_at IS NULL'), '0', 'closed by what was missing')
hub.sql("SELECT planthub.set_policy('P1', 'park_ttl_min', '0'); SELECT send('e3', 'X3', 'k3')")
eventually(lambda: hub.sql('SELECT count(*) FROM planthub."case" WHERE closed_at IS NULL'), '1', 'an event that may not wait is a case soon')

# Many events whose key is busy do not keep the job, and the keys that it has locked, for long.
holder = Connection(DSN)
holder.rows("BEGIN; SELECT planthub.lock_event('P1', 'kb', NULL, -1)")
hub.sql("SELECT planthub.pause('job', 'release')")
hub.sql("SELECT send('b' || n, 'B' || n, 'kc') FROM generate_series(1, 50) AS n")
hub.sql("UPDATE planthub.inbox SET key = 'kb' WHERE key = 'kc'")
hub.sql("SELECT planthub.bring('xref', (SELECT array_agg('item/B' || n) FROM generate_series(1, 50) AS n)); SELECT planthub.resume('job', 'release')")
eventually(lambda: hub.sql("SELECT rows = 0 AND ended_at - started_at < '6 s' FROM planthub.job WHERE code = 'release' AND "
                               "started_at > (SELECT max(at) FROM planthub.operation_log WHERE verb = 'resume')"), 't', '50 events whose key is busy are left soon')
holder.close()
eventually(lambda: hub.sql("SELECT count(*) FROM planthub.parked WHERE due"), '0', 'and evaluated when it is free')

# Whoever releases events without evaluating them leaves that to the job.
hub.sql("SELECT send('e4', 'X4', 'k4'); BEGIN; SELECT planthub.bring('xref', '{item/X4}'); ROLLBACK; SELECT planthub.bring('xref', '{item/X4}')")
eventually(lambda: hub.sql("SELECT attempts FROM planthub.inbox WHERE event_id = 'e4'"), '2', 'what a transaction has only released is evaluated')
hub.sql("SELECT planthub.set_policy('P1', 'park_ttl_min', '60')")
hub.sql("SELECT send('r5', 'R5', 'r5'); BEGIN; SELECT planthub.bring('xref', '{item/R5}'); SAVEPOINT s; SELECT planthub.take_released(); ROLLBACK TO s; COMMIT")
eventually(lambda: hub.sql("SELECT attempts FROM planthub.inbox WHERE event_id = 'r5'"), '2', 'also when a part of it took that over and was undone')

# ---- staging ----

COPY = """COPY planthub.staging (batch, event) FROM STDIN;
{}\n\\.\n"""
rows = '\n'.join(f'{batch}\tline {n}' for n in range(700) for batch in ('m1', 'by hand'))
hub.sql("SELECT planthub.create_job('drain', 'm1', at_most => 200)")
hub.sql(COPY.format(rows))
eventually(lambda: hub.sql("SELECT count(*) FROM planthub.staging WHERE batch = 'm1' AND outcome = 'rejected'"), '700', 'a batch with a job is drained when it is committed')
equal(hub.sql("SELECT count(*) FROM planthub.staging WHERE batch <> 'm1' AND outcome IS NOT NULL"), '0', 'another one is not')
hub.sql("BEGIN; INSERT INTO planthub.staging (batch, event) VALUES ('m1', 'prepared'); PREPARE TRANSACTION 'p'")
hub.sql("COMMIT PREPARED 'p'")
eventually(lambda: hub.sql("SELECT outcome FROM planthub.staging WHERE event = 'prepared'"), 'rejected', 'a prepared transaction is noticed, too')
hub.sql("SELECT planthub.pause('job', 'drain:m1', 'to look at it'); INSERT INTO planthub.staging (batch, event) VALUES ('m1', 'later')")
hub.sql("BEGIN; SELECT planthub.resume('job', 'drain:m1'); ROLLBACK")
equal((job('drain:m1')['state'], job('drain:m1')['paused_reason']), ('paused', 'to look at it'), 'a paused job is shown')
hub.sql("SELECT planthub.set_policy('P1', 'park_ttl_min', '0'); SELECT send('e5', 'X5', 'k5')")
eventually(lambda: hub.sql("SELECT case_id IS NOT NULL FROM planthub.parked JOIN planthub.inbox ON id = message_id WHERE event_id = 'e5'"), 't', 'others go on')
equal(hub.sql("SELECT outcome IS NULL FROM planthub.staging WHERE event = 'later'"), 't', 'it does not run')
hub.sql("SELECT planthub.resume('job', 'drain:m1')")
eventually(lambda: hub.sql("SELECT outcome FROM planthub.staging WHERE event = 'later'"), 'rejected', 'until it is resumed')

# ---- counts of machines ----

hub.sql("SELECT planthub.create_job('counts', 'P1', every => '1 s')")
eventually(state('counts:P1'), 'idle', 'there is nothing to count')
hub.sql("INSERT INTO planthub.count_change (site, since) VALUES ('P1', now())")
eventually(lambda: hub.sql('SELECT count(*) FROM planthub.count_change'), '0', 'what has come is looked at')
hub.sql("""INSERT INTO planthub.count_shift (site, order_no, operation, shift_date, shift, starts_at, ends_at, yield, scrap, rework, denominator)
           VALUES ('P1', 'O1', '10', now(), 'x', now() - interval '1 h', now() + interval '3 s', 1, 0, 0, 1);
           SELECT planthub.wake_jobs(now())""")
equal((job('counts:P1')['state'], job('counts:P1')['failures']), ('scheduled', 0), 'a shift waits for its end')
eventually(lambda: 'has no source for confirmations' in (job('counts:P1')['last_error'] or ''), True, 'then it is to be confirmed')
hub.sql("DELETE FROM planthub.count_shift; SELECT planthub.drop_job('counts:P1')")

# ---- a collector, concurrent writers, kill -9 ----

hub.sql("""
    CREATE TABLE legacy (id bigint PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), xid xid8 NOT NULL DEFAULT pg_current_xact_id());
    CREATE INDEX ON legacy (xid);
    CREATE TABLE plain (id bigint PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());
    GRANT SELECT ON legacy, plain TO regress_ph_reader;
    SELECT planthub.create_collector('legacy', 'urn:mes', 'legacy.fact', 'legacy', 'legacy', xid_column => 'xid');
    SELECT planthub.create_collector('plain', 'urn:mes', 'legacy.fact', 'plain', 'legacy');
    SELECT planthub.create_job('collect', 'legacy', every => '1 s', role => 'regress_ph_reader', at_most => 7);
    SELECT planthub.create_job('collect', 'plain', every => '1 s', role => 'regress_ph_reader', at_most => 7);""")


def write(number):
    """Transactions that overlap those of the others, some undone; repeated when the server dies under them."""
    connection = None
    for n in range(ROWS):
        row = number * 1000 + n
        while True:
            try:
                connection = connection or Connection(DSN)
                connection.rows('BEGIN')
                for table in ('legacy', 'plain'):
                    connection.rows(f'INSERT INTO {table} (id) VALUES ({row}) ON CONFLICT DO NOTHING')
                time.sleep(0.02 * (number + 1))
                connection.rows('COMMIT' if n % 7 else 'ROLLBACK')
                break
            except SQLError:
                connection = None
                time.sleep(0.1)
    connection.close()


writers = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
for writer in writers:
    writer.start()


def answer(query):
    """None while the server is down."""
    try:
        return hub.sql(query)
    except RuntimeError:
        return None


killed = 0
while killed < KILLS:
    pid = answer("SELECT pid FROM pg_stat_activity WHERE backend_type = 'planthub collectors' AND query LIKE 'planthub: job collect%' AND state = 'active'")
    if pid:
        os.kill(int(pid), signal.SIGKILL)
        killed += 1
        soon(lambda: answer('SELECT 1') == '1')
        soon(lambda: (answer('SELECT count(*) FROM planthub.inbox') or '0') != '0')
for writer in writers:
    writer.join()
expected = hub.sql('SELECT count(*) FROM legacy')
ok(int(expected) == WRITERS * (ROWS - (ROWS + 6) // 7), 'all writers have come to their end', expected)
for name in ('legacy', 'plain'):
    eventually(lambda: hub.sql(f"SELECT count(*) FROM {name} AS t WHERE NOT EXISTS (SELECT FROM planthub.inbox AS i WHERE i.event->'data'->>'id' = t.id::text "
                               f"AND i.event_id LIKE '{name}:%' AND i.outcome = 'applied')"), '0', f'{name}: every row has arrived, in spite of {KILLS} kills')
    equal(hub.sql(f"SELECT count(*), count(DISTINCT event->'data'->>'id'), count(*) FILTER (WHERE outcome <> 'applied') FROM planthub.inbox WHERE event_id LIKE '{name}:%'"),
          f'{expected}|{expected}|0', f'{name}: and none twice, or one that was undone')
eventually(lambda: job('collect:legacy')['state'], lambda s: s in ('scheduled', 'due', 'running'), 'the collector goes on')

# ---- failure of one ----

marks = hub.log().count('job "collect:legacy" failed')
hub.sql('REVOKE SELECT ON legacy FROM regress_ph_reader')
eventually(lambda: (lambda j: j['failures'] >= 2 and j['state'] == 'failing' and 'permission denied for table legacy' in j['last_error'] and '42501' in j['last_error'])(job('collect:legacy')),
           True, 'a collector that fails says why')
equal(hub.sql("SELECT severity, finding LIKE '1: collect:legacy (permission denied%' FROM planthub.doctor() WHERE \"check\" = 'failing jobs'"), 'warning|t', 'and so does doctor()')
ok('failing: collect:legacy' in hub.sql('SELECT planthub.status()'), 'and status()', hub.sql('SELECT planthub.status()'))
equal(hub.log().count('job "collect:legacy" failed') - marks, 1, 'the log has one line about it')
hub.sql('INSERT INTO plain VALUES (9001); INSERT INTO legacy VALUES (9001)')
eventually(lambda: hub.sql("SELECT outcome FROM planthub.inbox WHERE event_id = 'plain:9001:1'"), 'applied', 'others go on meanwhile')
hub.sql("GRANT SELECT ON legacy TO regress_ph_reader; SELECT planthub.run_job('collect:legacy')")
eventually(lambda: hub.sql("SELECT count(*) FROM planthub.inbox WHERE event_id = 'legacy:9001'"), '1', 'repaired, it goes on at once')
equal(job('collect:legacy')['failures'], 0, 'and counts anew')
hub.sql("SELECT planthub.drop_collector('plain')")
equal(job('collect:plain'), None, 'the job goes with its collector')

# ---- rights ----

hub.sql("""
    CREATE ROLE regress_ph_other;
    SELECT planthub.grant_access('integrator', 'regress_ph_reader');
    CREATE TABLE tried (what text, who name, session name, path text);
    CREATE FUNCTION steal() RETURNS bigint LANGUAGE plpgsql AS $$
    DECLARE
        try text;
    BEGIN
        INSERT INTO public.tried VALUES ('runs', current_user, session_user, current_setting('search_path'));
        FOREACH try IN ARRAY ARRAY['SET ROLE postgres', 'RESET ROLE', 'SET SESSION AUTHORIZATION postgres', 'RESET SESSION AUTHORIZATION',
            'SELECT planthub.create_job(''collect'', ''legacy'', every => ''1 h'', role => ''regress_ph_other'')',
            'SELECT planthub.alter_job(''collect:legacy'', role => ''regress_ph_other'')'] LOOP
            BEGIN
                EXECUTE try;
                INSERT INTO public.tried VALUES (try, current_user);
            EXCEPTION WHEN insufficient_privilege OR invalid_parameter_value THEN
                NULL;
            END;
        END LOOP;
        PERFORM set_config('my.mark', 'left', false), pg_advisory_lock(4711);
        RETURN 1;
    END $$;
    GRANT INSERT ON tried TO regress_ph_reader;
    CREATE VIEW evil AS SELECT steal() AS id, now() AS at;
    GRANT SELECT ON evil TO regress_ph_reader;
    SELECT planthub.create_collector('evil', 'urn:mes', 'legacy.fact', 'evil', 'legacy', key_columns => '{id}');
    SELECT planthub.create_job('collect', 'evil', every => '1 h', role => 'regress_ph_reader');""")
eventually(lambda: hub.sql("SELECT string_agg(DISTINCT what || ' ' || who, ',') FROM tried"), 'runs regress_ph_reader', 'code of the source has the rights of the role, and gets no others')
eventually(state('collect:evil'), 'scheduled', 'it ends')
eventually(lambda: hub.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711"), '0', 'and leaves nothing in the session')
hub.sql("SELECT planthub.drop_collector('evil'); ALTER ROLE regress_ph_reader SUPERUSER; SELECT planthub.run_job('collect:legacy')")
eventually(lambda: 'is a superuser' in (job('collect:legacy')['last_error'] or ''), True, 'a role that became a superuser is refused')
hub.sql("ALTER ROLE regress_ph_reader NOSUPERUSER; SELECT planthub.run_job('collect:legacy')")
eventually(lambda: job('collect:legacy')['failures'], 0, 'until it is none')

# ---- a long query ----

hub.sql("""
    CREATE VIEW slow AS SELECT 1::bigint AS id, now() AS at, pg_sleep(600) IS NULL AS slept;
    GRANT SELECT ON slow TO regress_ph_reader;
    SELECT planthub.create_collector('slow', 'urn:mes', 'legacy.fact', 'slow', 'legacy', key_columns => '{id}');
    SELECT planthub.create_job('collect', 'slow', every => '1 h', role => 'regress_ph_reader', time_limit => '2 s');""")
eventually(lambda: 'statement timeout' in (job('collect:slow')['last_error'] or ''), True, 'a run that takes too long is cancelled')
hub.sql("SELECT planthub.alter_job('collect:slow', time_limit => '1 h')")
SLEEPS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'planthub collectors' AND wait_event = 'PgSleep'"
eventually(lambda: hub.sql(SLEEPS), '1', 'a long query runs')
hub.sql("SELECT send('e6', 'X6', 'k6')")
eventually(lambda: hub.sql("SELECT case_id IS NOT NULL FROM planthub.parked JOIN planthub.inbox ON id = message_id WHERE event_id = 'e6'"), 't', 'what is no collector does not wait for it')
equal(hub.sql(SLEEPS), '1', 'which still runs')
began = time.monotonic()
hub.sql('SELECT planthub.stop()')
ok(time.monotonic() - began < 20, 'stop() does not wait for it', time.monotonic() - began)
equal(hub.sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type IN ('planthub jobs', 'planthub collectors')"), '0', 'it is gone')
equal(job('collect:slow')['failures'], 1, 'which is no failure')
hub.sql('SELECT planthub.start()')
eventually(lambda: hub.sql(SLEEPS), '1', 'it runs again after start()')
pid = int(hub.sql("SELECT pid FROM planthub.job_process() WHERE process = 'collectors'"))
os.kill(pid, signal.SIGTERM)
eventually(lambda: hub.sql(f'SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}'), '0', 'SIGTERM ends it at once')
eventually(lambda: 'process ended' in job('collect:slow')['last_error'], True, 'which is noted')
hub.sql("SELECT planthub.run_job('collect:slow')")
eventually(lambda: hub.sql(SLEEPS), '1', 'it runs again')
hub.sql('CREATE DATABASE copy_of_hub TEMPLATE hub', 'postgres')
ok(True, 'CREATE DATABASE TEMPLATE does not wait for it')
eventually(lambda: hub.sql(SLEEPS), '1', 'it runs again')
hub.sql("SET statement_timeout = '30 s'; DROP EXTENSION planthub")
ok(True, 'DROP EXTENSION does not wait for it')
eventually(lambda: hub.sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'planthub%' AND datname = 'hub'"), '0', 'and all processes leave')
hub.sql('CREATE EXTENSION planthub')
eventually(lambda: hub.sql(PROCESS), 'asleep', 'CREATE EXTENSION again: nothing to do')
hub.sql("SELECT planthub.start(); UPDATE planthub.job SET started_at = NULL, ended_at = NULL, failures = 0; SELECT planthub.run_job('collect:slow')", 'copy_of_hub')
eventually(lambda: hub.sql(PROCESS, 'copy_of_hub'), 'asleep', 'a copy does nothing by itself')
equal(hub.sql("SELECT state, started_at FROM planthub.job_status WHERE code = 'collect:slow'", 'copy_of_hub'), 'due|', 'though it is due')
equal(hub.log().count('was terminated by signal'), hub.log().count('was terminated by signal 9'), 'nothing crashed that was not killed')
finish()
