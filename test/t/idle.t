#!/usr/bin/env python3
"""A hub that has nothing to do runs no statement, whatever it waits for."""

import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'lib'))
from hub import Hub, Peer, equal, eventually, finish, ok, soon  # noqa: E402

PERIOD = 5                      # seconds: longer than any period in a worker
CALM_BY = 60                    # seconds until work that was begun must have ended

hub = Hub("shared_preload_libraries = 'planthub, pg_stat_statements'", "pg_stat_statements.track = 'all'",
          "pg_stat_statements.track_utility = 'on'", 'planthub.workers = 2', 'autovacuum = off', 'max_prepared_transactions = 5')
hub.sql('CREATE EXTENSION pg_stat_statements')
peer = Peer()

WORKERS = "pg_stat_activity WHERE backend_type = 'planthub worker' AND datname = 'hub'"


def look():
    """What statements would change."""
    return hub.row(f"""
        SELECT (SELECT json_agg(query) FROM pg_stat_statements AS s JOIN pg_database AS d ON d.oid = s.dbid
                WHERE d.datname = 'hub' AND query NOT LIKE '%pg_stat_statements%') AS statements,
               (SELECT json_agg(json_build_array(pid, query_start, state_change, state) ORDER BY pid) FROM {WORKERS}) AS workers,
               pg_current_wal_insert_lsn() AS wal, pg_snapshot_xmax(pg_current_snapshot()) AS next_transaction,
               (SELECT sum(seq_scan + coalesce(idx_scan, 0)) FROM pg_stat_user_tables WHERE schemaname = 'planthub') AS scans""")


def quiet(what):
    """Two tests: there comes a period in which nothing happens, and the workers are alive in it."""
    def period():
        hub.sql('SELECT pg_stat_statements_reset()')
        before, began = look(), time.monotonic()
        soon(lambda: time.monotonic() - began > PERIOD)
        seen.update(before=before, after=look())
        return seen['before'] == seen['after'] and seen['after']['statements'] is None

    seen = {}
    ok(soon(period, CALM_BY), f'{what}: no statement, no transaction, no WAL', seen.get('before'), seen.get('after'))
    workers = seen['after']['workers'] or []
    equal([state for *_, state in workers], ['idle', 'idle'], f'{what}: both workers are alive')
    eventually(lambda: hub.sql('SELECT process, state, pid FROM planthub.job_process() ORDER BY 1'), 'collectors|asleep|\njobs|asleep|', f'{what}: no process waits for jobs')


hub.sql(f"""SELECT planthub.create_site('P1'); SELECT planthub.create_system('target', 'mes');
            SELECT planthub.create_topic(t) FROM unnest('{{t.good,t.bad,t.paused}}'::text[]) AS t;
            SELECT planthub.create_endpoint('good', system => 'target', address => '{peer.url('/good')}');
            SELECT planthub.create_endpoint('bad', system => 'target', address => '{peer.url('/bad')}', retry_base => '1 h', retry_cap => '1 h');
            SELECT planthub.create_endpoint('paused', system => 'target', address => '{peer.url('/paused')}');
            SELECT planthub.create_route(e, 't.' || e, endpoint => e) FROM unnest('{{good,bad,paused}}'::text[]) AS e;""")
quiet('with endpoints and nothing published')

hub.sql("SELECT planthub.publish('t.good', '{}', key => 'k' || i, site => 'P1') FROM generate_series(1, 500) AS i")
eventually(lambda: len(peer.received('/good')), 500, 'it is awake when there is something')
ok(look()['statements'], 'which is seen in the statistics')
quiet('after deliveries')

peer.control(behaviour='status', status=404, match={'path': '/bad', 'key': 'dead'})
peer.control(behaviour='status', status=422, match={'path': '/bad', 'key': 'parked'})
peer.control(behaviour='status', status=429, retry_after=7200, match={'path': '/bad', 'key': 'retry'})
hub.sql("SELECT planthub.pause('endpoint', 'paused'); SELECT planthub.pause('key', 'stopped')")
for key in ('dead', 'parked', 'stopped', 'dead', 'retry', 'retry'):
    hub.sql(f"SELECT planthub.publish('t.bad', '{{}}', key => '{key}', site => 'P1')")
hub.sql("SELECT planthub.publish('t.good', '{}', key => 'later', site => 'P1', not_before => now() + interval '1 h')")
hub.sql("SELECT planthub.publish('t.paused', '{}', key => 'k' || i, site => 'P1') FROM generate_series(1, 500) AS i")
hub.sql("""SELECT planthub.create_xref_set('place'), planthub.create_mapping('place', $m${"p": "=xref('place', p)"}$m$);
           SELECT planthub.activate_mapping('place', version => 1), planthub.create_topic('t.mapped');
           SELECT planthub.create_route('mapped', 't.mapped', 'good', mapping => 'place'); SELECT planthub.publish('t.mapped', '{"p": "A"}', 'k', 'P1')""")
eventually(lambda: hub.sql('SELECT count(*) FROM planthub.held WHERE waits_for IS NOT NULL'), '1', 'one waits for an entry')
eventually(lambda: hub.sql('SELECT string_agg(DISTINCT state, \',\' ORDER BY state) FROM planthub.held'), 'blocked,dead,parked,paused,retry,scheduled',
           'deliveries are held in every way')
quiet('with held deliveries and a paused backlog')

hub.sql("""SELECT planthub.set_source('urn:t', 'target', 'P1'), planthub.allow_topic('t.good', 'target');
           SELECT planthub.create_job('drain', 'm1'), planthub.create_job('rotate', every => '1 day');
           SELECT planthub.create_job('drain', 'm2'), planthub.pause('job', 'drain:m2');
           INSERT INTO planthub.staging (batch, event) SELECT b, jsonb_build_object('specversion', '1.0', 'id', 'waits', 'source', 'urn:t', 'type', 'planthub.t.good.v1',
               'time', w.at, 'recordedtime', w.at, 'datacontenttype', 'application/json', 'dataschema', 'urn:planthub:schema:t.good:1', 'partitionkey', 'waits',
               'correlationid', 'c', 'data', jsonb_build_object('item', jsonb_build_object('scheme', 'target', 'id', 'unknown')))
           FROM unnest('{m1,m2,m3}'::text[]) AS b, to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS w (at)""")
eventually(lambda: hub.sql('SELECT code FROM planthub.parked_event'), 'MAPPING_MISSING', 'a staged event is received and waits')
eventually(lambda: hub.sql("SELECT rows FROM planthub.job WHERE kind = 'rotate'"), '0', 'a job of every day has run')
quiet('with a waiting event, staged ones that nobody wants, and jobs')
equal(hub.sql('SELECT looks_at = (SELECT case_at FROM planthub.parked) FROM planthub.job_process() WHERE process = \'jobs\''), 't', 'the process comes when the event has waited too long')

writer = hub.session("BEGIN; SELECT planthub.publish('t.good', '{}', key => 'open', site => 'P1');")
soon(lambda: hub.sql("SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'") == '1')
quiet('beside an open transaction that has published')
writer.stdin.write('COMMIT;\n')
writer.stdin.close()
eventually(lambda: len(peer.received('/good')), 501, 'its commit wakes the worker')
finish()
