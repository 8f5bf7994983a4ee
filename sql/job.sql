-- What the hub does by itself: the registry, what it refuses, when a job is due, and how it went.  Workers are off: the
-- steps of the process are called by hand; the process itself is in test/t/jobs.t.
SET client_min_messages = warning;
CREATE FUNCTION pg_temp.try(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text; message text; detail text; hint text;
BEGIN
    EXECUTE statement;
    RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n', state || ' ' || message, 'DETAIL ' || nullif(detail, ''), 'HINT ' || nullif(hint, ''));
END
$$;
\pset format unaligned
\pset tuples_only on
SELECT planthub.create_site('P1'), planthub.create_system('mes', 'mes', site => 'P1'), planthub.set_source('urn:mes', 'mes', 'P1');
SELECT planthub.create_topic('legacy.fact'), planthub.allow_topic('legacy.fact', 'mes');
SELECT planthub.create_mapping('legacy', '{"data": "=@"}'), planthub.activate_mapping('legacy', 1);
CREATE TABLE legacy (id int PRIMARY KEY);
SELECT planthub.create_collector('legacy', 'urn:mes', 'legacy.fact', 'legacy', 'legacy');
CREATE ROLE regress_ph_reads;
CREATE ROLE regress_ph_integrates;
SELECT planthub.grant_access('integrator', 'regress_ph_integrates');

-- What is refused
SELECT pg_temp.try($$SELECT planthub.create_job('dance')$$);
SELECT pg_temp.try($$SELECT planthub.create_job('release', 'mine')$$);
SELECT pg_temp.try($$SELECT planthub.create_job(NULL)$$);
SELECT pg_temp.try($$SELECT planthub.create_job('drain', NULL)$$);
SELECT pg_temp.try($$SELECT planthub.create_job('rotate')$$);
SELECT pg_temp.try($$SELECT planthub.create_job('rotate', 'x', every => '1 d')$$);
SELECT pg_temp.try($$SELECT planthub.create_job('rotate', every => '1 ms')$$);
SELECT pg_temp.try($$SELECT planthub.create_job('drain', 'm1', at_most => 0)$$);
SELECT pg_temp.try($$SELECT planthub.create_job('drain', 'm1', at_most => NULL)$$);
SELECT pg_temp.try($$SELECT planthub.create_job('drain', 'm1', time_limit => '2 d')$$);
SELECT pg_temp.try($$SELECT planthub.create_job('drain', 'm1', role => 'regress_ph_reads')$$);
SELECT pg_temp.try($$SELECT planthub.create_job('collect', 'legacy')$$);
SELECT pg_temp.try($$SELECT planthub.create_job('collect', 'none', every => '1 s')$$);
SELECT pg_temp.try($$SELECT planthub.create_job('counts', 'P9')$$);
SELECT pg_temp.try($$SELECT planthub.create_job('collect', 'legacy', every => '1 s')$$) ~ '^22023 a job cannot run as superuser';
SELECT pg_temp.try($$SELECT planthub.create_job('collect', 'legacy', every => '1 s', role => 'regress_ph_missing')$$);
SELECT pg_temp.try($$SELECT planthub.alter_job('release', every => '1 s')$$);
SELECT pg_temp.try($$SELECT planthub.drop_job('release')$$);
SELECT pg_temp.try($$SELECT planthub.drop_job('nothing')$$);
SELECT pg_temp.try($$SELECT planthub.run_job('nothing')$$);
SELECT pg_temp.try($$SELECT planthub.pause('job', 'nothing')$$);

-- A role of one's own only
SET SESSION AUTHORIZATION regress_ph_integrates;
SELECT pg_temp.try($$SELECT planthub.create_job('collect', 'legacy', every => '1 s', role => 'regress_ph_reads')$$);
SELECT planthub.create_job('collect', 'legacy', every => '1 s');
RESET SESSION AUTHORIZATION;
SELECT pg_temp.try($$SELECT planthub.create_job('collect', 'legacy', every => '1 s', role => 'regress_ph_reads')$$);
SELECT planthub.alter_job('collect:legacy', every => '1 h', role => 'regress_ph_reads', at_most => 10);
SELECT planthub.create_job('drain'), planthub.create_job('drain', 'm1', at_most => 2);
SELECT code, kind, name, state, next_at, role, every, at_most, time_limit FROM planthub.job_status ORDER BY code;

-- Whose turn it is: no work, no job; the one that ran longest ago first; one that fails or has found nothing rests
SELECT planthub.pause('job', 'collect:legacy', 'not now');
SELECT code, state, paused_reason FROM planthub.job_status WHERE code = 'collect:legacy';
SELECT pg_temp.try($$SELECT planthub.run_job('collect:legacy')$$);
SELECT * FROM planthub.take_job(false);
INSERT INTO planthub.staging (batch, event) SELECT b, 'x' FROM unnest('{m1,m1,m1,m2,""}'::text[]) AS b;
SELECT code, state FROM planthub.job_status ORDER BY code;
SELECT code, kind, name, role, at_most, limit_ms, next_at FROM planthub.take_job(false);
SELECT code, state FROM planthub.job_status WHERE state = 'running';
SELECT planthub.job_run_drain('', 500);
SELECT planthub.finish_job('drain', 1, NULL, false);
SELECT code FROM planthub.take_job(false);
SELECT planthub.job_run_drain('m1', 2), planthub.finish_job('drain:m1', 2, NULL, false);
SELECT code FROM planthub.take_job(false);   -- there is more
UPDATE planthub.job SET failures = 8 WHERE code = 'drain:m1';
SELECT planthub.finish_job('drain:m1', 0, 'broken', false);
SELECT t.code, t.next_at = j.not_before FROM planthub.take_job(false) AS t, planthub.job AS j WHERE j.code = 'drain:m1';
SELECT code, state, rows, failures, last_error, next_at - failed_at FROM planthub.job_status WHERE code LIKE 'drain%' ORDER BY code;
SELECT planthub.run_job('drain:m1');
SELECT code FROM planthub.take_job(false);
SELECT planthub.recover_jobs(false);
SELECT failures, last_error, next_at - failed_at > '500 s' FROM planthub.job_status WHERE code = 'drain:m1';
SELECT "check", severity, finding FROM planthub.doctor() WHERE "check" = 'failing jobs';
SELECT split_part(planthub.status(), E'\n', 2) LIKE '%jobs: 4, failing: drain:m1';
SELECT planthub.run_job('drain:m1');
SELECT code FROM planthub.take_job(false);
SELECT planthub.finish_job('drain:m1', 0, 'cancelled', true);
SELECT code FROM planthub.take_job(false);
SELECT planthub.job_run_drain('m1', 2), planthub.finish_job('drain:m1', 1, NULL, false);
SELECT code, state, failures FROM planthub.job_status ORDER BY code;
SELECT batch, outcome FROM planthub.staging ORDER BY id;
-- by the clock
SELECT planthub.resume('job', 'collect:legacy');
SELECT code, role FROM planthub.take_job(true);
SELECT planthub.finish_job('collect:legacy', 10, NULL, false);
SELECT code, role FROM planthub.take_job(true);     -- there may be more
SELECT planthub.finish_job('collect:legacy', 9, NULL, false);
SELECT t.code, t.next_at = j.started_at + j.every FROM planthub.take_job(true) AS t, planthub.job AS j WHERE j.code = 'collect:legacy';
SELECT planthub.finish_job('gone', 1, NULL, false);
-- when counts are to be confirmed: at once when some have come, and when time makes something of a shift
SELECT planthub.create_job('counts', 'P1'), planthub.job_due_counts('P1');
INSERT INTO planthub.count_shift (site, order_no, operation, shift_date, shift, starts_at, ends_at, yield, scrap, rework, denominator, settled, retry_at) VALUES
    ('P1', 'O1', '10', '2099-01-01', 'late', '2099-01-01T14:00Z', '2099-01-01T22:00Z', 1, 0, 0, 1, false, NULL),
    ('P1', 'O2', '10', '2099-01-01', 'early', '2099-01-01T06:00Z', '2099-01-01T14:00Z', 1, 0, 0, 1, true, NULL);
SELECT every, state, next_at AT TIME ZONE 'UTC' FROM planthub.job_status WHERE kind = 'counts';
UPDATE planthub.count_shift SET ends_at = now() - interval '1 min';
SELECT state FROM planthub.job_status WHERE kind = 'counts';
UPDATE planthub.job SET started_at = now(), ended_at = now(), rows = 0 WHERE kind = 'counts';
SELECT round(extract(epoch FROM next_at - now()) / 60) FROM planthub.job_status WHERE kind = 'counts';  -- minutes that are left of the grace of an hour
UPDATE planthub.job SET failures = 1 WHERE kind = 'counts';
SELECT round(extract(epoch FROM planthub.job_due_counts('P1') - now()) / 60);
UPDATE planthub.job SET failures = 0, started_at = now() + interval '2 h' WHERE kind = 'counts';
SELECT planthub.job_due_counts('P1');   -- all has been seen
UPDATE planthub.count_shift SET retry_at = now() + interval '3 h';
SELECT round(extract(epoch FROM planthub.job_due_counts('P1') - now()) / 60);
UPDATE planthub.job SET next_at = '2099-01-01T00:00Z' WHERE kind = 'counts';
INSERT INTO planthub.count_change (site, since) VALUES ('P1', now());
SELECT planthub.job_due_counts('P1');
SELECT state, next_at AT TIME ZONE 'UTC' FROM planthub.job_status WHERE kind = 'counts';    -- but not more often than that
SELECT planthub.drop_job('counts:P1');
-- a copy does nothing
UPDATE planthub.hub SET database_oid = 1;
SELECT planthub.run_job('collect:legacy');
SELECT * FROM planthub.take_job(false);

SELECT planthub.drop_collector('legacy'), planthub.drop_job('drain:m1');
SELECT code FROM planthub.job ORDER BY code;
SELECT verb, arguments - 'at_most' - 'time_limit' FROM planthub.operation_log WHERE verb ~ 'job' AND NOT arguments @> '{"kind": "counts"}' AND arguments->>'code' IS DISTINCT FROM 'counts:P1' ORDER BY id;
SELECT * FROM planthub.job_process();
DROP OWNED BY regress_ph_integrates;
DROP ROLE regress_ph_reads, regress_ph_integrates;
