-- job: what the hub does by itself, when, and what became of it.  Re-runnable.
--
-- A kind of job is a function planthub.job_run_<kind>(name, at_most), which does so many rows at most and tells how many it
-- did, and, unless it is only done from time to time, planthub.job_due_<kind>(name), which tells when there is work: -infinity
-- for now, null for not before something is committed.  Whoever commits it calls planthub.wake_jobs() with the time:
-- nobody looks before.

CREATE OR REPLACE FUNCTION planthub.jobs_changed() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'planthub_jobs_changed';
COMMENT ON FUNCTION planthub.jobs_changed() IS 'Internal: trigger that has the jobs looked at after the commit';

CREATE OR REPLACE TRIGGER config_changed AFTER INSERT OR UPDATE OF kind, name, role, every, at_most, time_limit ON planthub.job
    FOR EACH STATEMENT EXECUTE FUNCTION planthub.config_changed();
COMMENT ON TRIGGER config_changed ON planthub.job IS 'Has all jobs looked at after a change';

CREATE OR REPLACE TRIGGER jobs_changed AFTER INSERT ON planthub.staging
    FOR EACH STATEMENT EXECUTE FUNCTION planthub.jobs_changed();
COMMENT ON TRIGGER jobs_changed ON planthub.staging IS 'Has the batch drained when there is a job for it';

CREATE OR REPLACE FUNCTION planthub.job_process(OUT process text, OUT state text, OUT pid int, OUT started_at timestamptz, OUT looks_at timestamptz) RETURNS SETOF record
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'planthub_job_process';
COMMENT ON FUNCTION planthub.job_process() IS 'The processes that run the jobs of this database: collectors for those of kind collect, whose queries may be long, jobs for all others.  state: running, starting, asleep (no process: nothing to do before looks_at, or before a commit says so) or failed (comes again soon); no row: the database has no workers';

-- Release

CREATE OR REPLACE FUNCTION planthub.job_run_release(name text, at_most int) RETURNS bigint
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    SELECT r.evaluated + r.cases FROM planthub.release_due(at_most) AS r
$$;
COMMENT ON FUNCTION planthub.job_run_release(text, int) IS 'Internal: a run of the job release';

CREATE OR REPLACE FUNCTION planthub.job_due_release(name text) RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN EXISTS (SELECT FROM planthub.parked AS p WHERE p.due) THEN '-infinity'
                ELSE (SELECT min(p.case_at) FROM planthub.parked AS p WHERE p.case_id IS NULL) END
$$;
COMMENT ON FUNCTION planthub.job_due_release(text) IS 'Internal: when a released event or one that waits too long needs the job release';

-- Collect

CREATE OR REPLACE FUNCTION planthub.job_run_collect(name text, at_most int) RETURNS bigint
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    SELECT count(*) FROM planthub.collect(name, at_most)
$$;
COMMENT ON FUNCTION planthub.job_run_collect(text, int) IS 'Internal: a run of a job collect, with the rights of its role';

-- Drain

CREATE OR REPLACE FUNCTION planthub.job_run_drain(name text, at_most int) RETURNS bigint
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    SELECT planthub.drain_staging(name, at_most)::bigint
$$;
COMMENT ON FUNCTION planthub.job_run_drain(text, int) IS 'Internal: a run of a job drain';

CREATE OR REPLACE FUNCTION planthub.job_due_drain(name text) RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT '-infinity'::timestamptz WHERE EXISTS (SELECT FROM planthub.staging AS s WHERE s.batch = name AND s.outcome IS NULL)
$$;
COMMENT ON FUNCTION planthub.job_due_drain(text) IS 'Internal: whether rows of the batch wait';

-- Counts

CREATE OR REPLACE TRIGGER jobs_changed AFTER INSERT ON planthub.count_change
    FOR EACH STATEMENT EXECUTE FUNCTION planthub.jobs_changed();
COMMENT ON TRIGGER jobs_changed ON planthub.count_change IS 'Has the counts of the site confirmed when there is a job for it';

CREATE OR REPLACE FUNCTION planthub.job_run_counts(name text, at_most int) RETURNS bigint
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    SELECT count(*) FROM planthub.confirm_counts(name)
$$;
COMMENT ON FUNCTION planthub.job_run_counts(text, int) IS 'Internal: a run of a job counts';

-- Besides new counts it is only time that makes something of a shift: its end, the end of its grace, the next try.
CREATE OR REPLACE FUNCTION planthub.job_due_counts(name text) RETURNS timestamptz
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    seen  timestamptz := (SELECT j.started_at FROM planthub.job AS j WHERE j.kind = 'counts' AND j.name = $1 AND j.failures = 0 AND j.rows IS NOT NULL);
    grace interval := (planthub.policies(name)->>'count_grace_min')::int * interval '1 min';
BEGIN
    IF EXISTS (SELECT FROM planthub.count_change AS c WHERE c.site = name) THEN
        RETURN '-infinity';
    END IF;
    RETURN (SELECT min(t.at) FROM planthub.count_shift AS s, unnest(ARRAY[s.ends_at, s.ends_at + grace, greatest(s.ends_at, s.retry_at)]) AS t (at)
            WHERE s.site = name AND NOT s.settled AND (seen IS NULL OR t.at > seen));
END
$$;
COMMENT ON FUNCTION planthub.job_due_counts(text) IS 'Internal: when counts of the site are to be confirmed';

-- Rotate

CREATE OR REPLACE FUNCTION planthub.job_run_rotate(name text, at_most int) RETURNS bigint
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    SELECT planthub.rotate()::int::bigint
$$;
COMMENT ON FUNCTION planthub.job_run_rotate(text, int) IS 'Internal: a run of the job rotate';

-- When, and what became of it

CREATE OR REPLACE FUNCTION planthub.job_has_events(kind text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT to_regprocedure(format('planthub.%I(text)', 'job_due_' || kind)) IS NOT NULL
$$;
COMMENT ON FUNCTION planthub.job_has_events(text) IS 'Internal: whether it is known when a job of this kind has work';

CREATE OR REPLACE FUNCTION planthub.job_next(j planthub.job) RETURNS timestamptz
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    at timestamptz;
BEGIN
    IF planthub.job_has_events(j.kind) THEN
        EXECUTE format('SELECT planthub.%I($1)', 'job_due_' || j.kind) INTO at USING j.name;
    ELSE
        at := '-infinity';
    END IF;
    RETURN CASE WHEN at IS NOT NULL THEN greatest(at, CASE WHEN j.every IS NOT NULL THEN j.next_at END, j.not_before) END;
END
$$;
COMMENT ON FUNCTION planthub.job_next(planthub.job) IS 'Internal: when a job is to run, in the past: now; null: when a commit says so';

-- The one that was run longest ago goes first, so none keeps the others from running.  Without any: when there may be one.
CREATE OR REPLACE FUNCTION planthub.take_job(collectors boolean, OUT code text, OUT kind text, OUT name text, OUT role text, OUT at_most int, OUT limit_ms int, OUT next_at timestamptz)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    j  planthub.job;
    at timestamptz;
BEGIN
    IF NOT planthub.is_armed() THEN
        RETURN;     -- a copy; arm() has it looked at again
    END IF;
    FOR j IN SELECT x.* FROM planthub.job AS x
             WHERE (x.kind = 'collect') = collectors AND NOT EXISTS (SELECT FROM planthub.pause AS p WHERE p.scope = 'job' AND p.name = x.code)
             ORDER BY x.started_at NULLS FIRST, x.code LOOP
        at := planthub.job_next(j);
        IF at <= clock_timestamp() THEN
            SELECT x.code, x.kind, x.name, x.role, x.at_most, extract(epoch FROM x.time_limit) * 1000
            INTO code, kind, name, role, at_most, limit_ms
            FROM planthub.job AS x WHERE x.code = j.code FOR UPDATE SKIP LOCKED;
            IF FOUND THEN
                UPDATE planthub.job AS x SET started_at = clock_timestamp(), ended_at = NULL, rows = NULL WHERE x.code = j.code;
                RETURN;
            END IF;
            at := clock_timestamp() + interval '1 s';   -- somebody changes it
        END IF;
        next_at := least(next_at, at);
    END LOOP;
    -- The end of a prepared transaction tells nobody what it brings.
    IF current_setting('max_prepared_transactions')::int > 0
       AND EXISTS (SELECT FROM pg_prepared_xacts AS p WHERE p.database = current_database()) THEN
        next_at := least(next_at, clock_timestamp() + interval '1 s');
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.take_job(boolean) IS 'Internal: begins the next job of a process that is to run now, or tells when there may be one';

CREATE OR REPLACE FUNCTION planthub.job_pause(failures int) RETURNS interval
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT least(interval '1 s' * 2 ^ least(failures, 10), interval '10 min')
$$;
COMMENT ON FUNCTION planthub.job_pause(int) IS 'Internal: how long a job rests after so many failures in a row';

CREATE OR REPLACE FUNCTION planthub.finish_job(code text, rows bigint, error text, interrupted boolean, OUT failures int)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    j     planthub.job;
    ended timestamptz := clock_timestamp();
BEGIN
    SELECT x.* INTO j FROM planthub.job AS x WHERE x.code = $1 FOR UPDATE;
    failures := coalesce(j.failures, 0);
    IF interrupted THEN
        UPDATE planthub.job AS x SET ended_at = ended WHERE x.code = $1;
    ELSIF error IS NOT NULL THEN
        UPDATE planthub.job AS x SET ended_at = ended, failures = j.failures + 1, failed_at = ended, last_error = left(error, 1000),
            not_before = ended + planthub.job_pause(j.failures)
        WHERE x.code = $1;
    ELSE
        UPDATE planthub.job AS x SET ended_at = ended, rows = finish_job.rows, failures = 0,
            worked_at = CASE WHEN finish_job.rows > 0 THEN ended ELSE j.worked_at END,
            empty_runs = CASE WHEN finish_job.rows > 0 THEN 0 ELSE j.empty_runs + 1 END,
            next_at = CASE WHEN finish_job.rows >= j.at_most THEN ended ELSE j.started_at + j.every END,
            not_before = CASE WHEN finish_job.rows < j.at_most AND planthub.job_has_events(j.kind)
                         THEN ended + CASE WHEN finish_job.rows > 0 THEN interval '1 s' ELSE least(planthub.job_pause(j.empty_runs), interval '30 s') END END
        WHERE x.code = $1;
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.finish_job(text, bigint, text, boolean) IS 'Internal: notes how a job went; returns how often it had failed in a row before';

CREATE OR REPLACE FUNCTION planthub.recover_jobs(collectors boolean) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    UPDATE planthub.job AS j SET ended_at = clock_timestamp(), failures = j.failures + 1, failed_at = clock_timestamp(),
        last_error = 'The process ended while the job ran.', not_before = clock_timestamp() + planthub.job_pause(j.failures)
    WHERE (j.kind = 'collect') = collectors AND j.started_at IS NOT NULL AND j.ended_at IS NULL
$$;
COMMENT ON FUNCTION planthub.recover_jobs(boolean) IS 'Internal: counts the job that an earlier process had begun as failed';

-- Verbs

-- The source of a collector is read with the rights of a role: one that the caller has himself.
CREATE OR REPLACE FUNCTION planthub.check_job_role(role text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    superuser boolean := (SELECT r.rolsuper FROM pg_roles AS r WHERE r.rolname = role);
BEGIN
    -- The code of a source that a job reads could make a job with the rights of anyone: its session is nobody's.
    IF EXISTS (SELECT FROM pg_stat_activity AS a WHERE a.pid = pg_backend_pid() AND a.backend_type LIKE 'planthub%') THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = 'a job cannot make or change jobs';
    ELSIF superuser IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('role "%s" does not exist', role),
            HINT = 'Create it with CREATE ROLE; PlantHub never creates roles.';
    ELSIF superuser THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('a job cannot run as superuser "%s"', role),
            DETAIL = 'The table that is read belongs to somebody else, whose code would run with all rights.',
            HINT = 'Name a role that may read the table, and give it the capability with planthub.grant_access(''collector'', role).';
    ELSIF NOT pg_has_role(session_user, role, 'MEMBER') THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = format('you are not a member of role "%s"', role),
            HINT = 'Name a role that you are a member of.';
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.check_job_role(text) IS 'Internal: refuses a role that a job of this caller cannot run as';

CREATE OR REPLACE FUNCTION planthub.check_job(kind text, name text, every interval, role text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF kind IS NULL OR name IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
            MESSAGE = format('argument "%s" must not be null', CASE WHEN kind IS NULL THEN 'kind' ELSE 'name' END);
    ELSIF kind NOT IN ('collect', 'counts', 'drain', 'rotate') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('"%s" is no kind of job that can be created', kind),
            HINT = 'Use collect, counts, drain or rotate.';
    ELSIF every IS NULL AND NOT planthub.job_has_events(kind) THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = format('a job of kind "%s" needs an interval', kind),
            HINT = 'Say how often it is to run, such as every => ''10 s''.';
    ELSIF kind = 'rotate' AND name <> '' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'the job "rotate" has no name';
    ELSIF kind <> 'collect' AND role IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('a job of kind "%s" has no role', kind),
            HINT = 'Only what collectors read is read with the rights of a role.';
    END IF;
    IF kind = 'collect' THEN
        PERFORM planthub.config_require('collector', name);
        PERFORM planthub.check_job_role(role);
    ELSIF kind = 'counts' THEN
        PERFORM planthub.config_require('site', name);
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.check_job(text, text, interval, text) IS 'Internal: refuses a job that cannot run';

CREATE OR REPLACE FUNCTION planthub.create_job(kind text, name text DEFAULT '', every interval DEFAULT NULL, role name DEFAULT NULL,
    at_most int DEFAULT 500, time_limit interval DEFAULT '5 min') RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    runs_as text := coalesce(role, CASE WHEN kind = 'collect' THEN session_user END);
    code    text := kind || CASE name WHEN '' THEN '' ELSE ':' || name END;
BEGIN
    PERFORM planthub.check_job(kind, name, every, runs_as);
    PERFORM planthub.config_insert('job', code, jsonb_build_object('kind', kind, 'name', name, 'every', coalesce(every, CASE WHEN kind = 'counts' THEN interval '1 min' END), 'role', runs_as, 'at_most', at_most,
        'time_limit', time_limit));
    RETURN code;
END
$$;
COMMENT ON FUNCTION planthub.create_job(text, text, interval, name, int, interval) IS
'Has something done by the hub itself; returns the code of the job.  kind and name: collect and the code of a collector; counts and a site; drain and the name of a batch of planthub.staging; rotate.  every: how often it looks for work; for counts and drain, of which commits tell, how often it runs at most (1 min for counts, no limit for drain, unless given); role: whose rights it has to read the source of a collector, a role of the caller, never a superuser; at_most: rows of one transaction; time_limit: longest time of one';

CREATE OR REPLACE FUNCTION planthub.alter_job(code text, every interval DEFAULT NULL, role name DEFAULT NULL, at_most int DEFAULT NULL,
    time_limit interval DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    j planthub.job;
BEGIN
    PERFORM planthub.require_own('job', code);
    SELECT x.* INTO j FROM planthub.job AS x WHERE x.code = alter_job.code;
    PERFORM planthub.check_job(j.kind, j.name, coalesce(every, j.every), coalesce(role::text, j.role));
    PERFORM planthub.config_update('job', code, jsonb_strip_nulls(jsonb_build_object('every', every, 'role', role, 'at_most', at_most, 'time_limit', time_limit)));
    UPDATE planthub.job AS x SET next_at = NULL, not_before = NULL, empty_runs = 0 WHERE x.code = alter_job.code;
END
$$;
COMMENT ON FUNCTION planthub.alter_job(text, interval, name, int, interval) IS 'Changes a job, and has it run soon; null arguments keep their value';

CREATE OR REPLACE FUNCTION planthub.drop_job(code text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.require_own('job', code);
    PERFORM planthub.config_delete('job', code);
END
$$;
COMMENT ON FUNCTION planthub.drop_job(text) IS 'Removes a job; what it was for stays';

CREATE OR REPLACE FUNCTION planthub.run_job(code text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.config_require('job', code);
    IF EXISTS (SELECT FROM planthub.pause AS p WHERE p.scope = 'job' AND p.name = code) THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format('job "%s" is paused', code),
            HINT = format('Call planthub.resume(''job'', %L); it runs then.', code);
    END IF;
    UPDATE planthub.job AS j SET next_at = NULL, not_before = NULL, every = j.every WHERE j.code = run_job.code;    -- the trigger has it looked at
    PERFORM planthub.log_operation('run_job', jsonb_build_object('code', code), 1);
END
$$;
COMMENT ON FUNCTION planthub.run_job(text) IS 'Has a job look for work once this transaction is committed, whenever it was going to, also after failures';

CREATE OR REPLACE VIEW planthub.job_status AS
SELECT j.code, j.kind, j.name,
       CASE WHEN j.started_at IS NOT NULL AND j.ended_at IS NULL THEN 'running'
            WHEN p.name IS NOT NULL THEN 'paused'
            WHEN j.failures > 0 THEN 'failing'
            WHEN n.at <= now() THEN 'due'
            WHEN n.at IS NOT NULL THEN 'scheduled'
            ELSE 'idle' END AS state,
       CASE WHEN p.name IS NULL THEN nullif(n.at, '-infinity') END AS next_at,
       j.started_at, j.ended_at - j.started_at AS duration, j.rows, j.worked_at, j.failures, j.failed_at, j.last_error,
       j.role, j.every, j.at_most, j.time_limit, p.since AS paused_since, p.reason AS paused_reason
FROM planthub.job AS j
LEFT JOIN planthub.pause AS p ON p.scope = 'job' AND p.name = j.code
CROSS JOIN LATERAL (SELECT planthub.job_next(j) AS at) AS n;
COMMENT ON VIEW planthub.job_status IS 'The jobs: what the hub does by itself, how it went last, and when it goes on';
COMMENT ON COLUMN planthub.job_status.code IS 'Code of the job';
COMMENT ON COLUMN planthub.job_status.kind IS 'Kind: release, collect, counts, drain, rotate';
COMMENT ON COLUMN planthub.job_status.name IS 'Which one';
COMMENT ON COLUMN planthub.job_status.state IS 'running; paused by an operator; failing: the last run failed and it is tried again at next_at; due: it is its turn; scheduled for next_at; idle: nothing is known to do';
COMMENT ON COLUMN planthub.job_status.next_at IS 'When it runs again; null: now when it is due, else when a commit brings something';
COMMENT ON COLUMN planthub.job_status.started_at IS 'When the last run began';
COMMENT ON COLUMN planthub.job_status.duration IS 'How long it took; null: it runs, or never ran';
COMMENT ON COLUMN planthub.job_status.rows IS 'How many rows it did';
COMMENT ON COLUMN planthub.job_status.worked_at IS 'When a run last found something to do';
COMMENT ON COLUMN planthub.job_status.failures IS 'Failed runs in a row';
COMMENT ON COLUMN planthub.job_status.failed_at IS 'When a run last failed';
COMMENT ON COLUMN planthub.job_status.last_error IS 'What went wrong then';
COMMENT ON COLUMN planthub.job_status.role IS 'Role that it runs as; null: the owner of the extension';
COMMENT ON COLUMN planthub.job_status.every IS 'How often it looks for work, or runs at most when commits tell of work; null: whenever a commit says so';
COMMENT ON COLUMN planthub.job_status.at_most IS 'Rows of one run';
COMMENT ON COLUMN planthub.job_status.time_limit IS 'Longest time of a run';
COMMENT ON COLUMN planthub.job_status.paused_since IS 'Since when an operator has stopped it';
COMMENT ON COLUMN planthub.job_status.paused_reason IS 'Why';
