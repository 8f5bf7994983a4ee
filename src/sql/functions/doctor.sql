-- doctor: what is wrong or soon will be, and what to do about it.  Re-runnable.

CREATE OR REPLACE FUNCTION planthub.doctor_server()
RETURNS TABLE ("check" text, severity text, finding text, hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    preloaded   boolean := EXISTS (SELECT FROM string_to_table(current_setting('shared_preload_libraries'), ',') AS l
                                   WHERE trim(l, ' "') IN ('planthub', '$libdir/planthub'));
    enabled     boolean := coalesce(current_setting('planthub.enabled', true), 'on')::boolean;
    wanted      int := coalesce(current_setting('planthub.workers', true), '1');
    jobs        text := (SELECT string_agg(p.process, ', ') FROM planthub.job_process() AS p WHERE p.state = 'failed');
    running     bigint := (SELECT count(*) FROM planthub.workers());
    slots       int := current_setting('max_worker_processes');
    blocker     record;
BEGIN
    RETURN QUERY VALUES
        ('preload', CASE WHEN preloaded THEN 'ok' ELSE 'warning' END,
         format('the library is %s in shared_preload_libraries', CASE WHEN preloaded THEN 'listed' ELSE 'not listed' END),
         CASE WHEN NOT preloaded THEN 'Workers do not come back after a restart until planthub.start(); add planthub to shared_preload_libraries and restart the server.' END),
        ('enabled', CASE WHEN enabled THEN 'ok' ELSE 'warning' END,
         format('planthub.enabled is %s', CASE WHEN enabled THEN 'on' ELSE 'off' END),
         CASE WHEN NOT enabled THEN 'To send, set planthub.enabled = on and reload the configuration.' END),
        ('workers', CASE WHEN running >= wanted THEN 'ok' WHEN running > 0 OR NOT enabled THEN 'warning' ELSE 'error' END,
         format('%s of %s workers are running', running, wanted),
         CASE WHEN running < wanted THEN 'Call planthub.start(), and look into the server log for the reason.' END),
        ('job processes', CASE WHEN jobs IS NOT NULL THEN 'warning' ELSE 'ok' END, coalesce('failed: ' || jobs, 'none has failed'),
         CASE WHEN jobs IS NOT NULL THEN 'It could not be started, or ended unexpectedly; it is tried again. The server log says why.' END),
        ('worker processes', CASE WHEN slots >= wanted + 4 THEN 'ok' ELSE 'warning' END,
         format('max_worker_processes is %s; PlantHub needs 1, and %s for each database', slots, wanted + 2),
         CASE WHEN slots < wanted + 4 THEN 'Raise max_worker_processes and restart the server.' END),
        ('armed', CASE WHEN planthub.is_armed() THEN 'ok' ELSE 'error' END,
         CASE WHEN planthub.is_armed() THEN 'this server and database may send' ELSE 'this is a copy of a hub; it sends nothing' END,
         CASE WHEN NOT planthub.is_armed() THEN 'If it is to send, call planthub.arm(); what the original had not finished stays paused.' END),
        ('durability', CASE WHEN current_setting('fsync')::boolean THEN 'ok' ELSE 'error' END,
         'fsync is ' || current_setting('fsync'),
         CASE WHEN NOT current_setting('fsync')::boolean THEN 'Set fsync = on: without it a crash loses committed messages.' END),
        ('standby', 'ok', CASE WHEN pg_is_in_recovery() THEN 'this is a standby: workers start after promotion' ELSE 'this is a primary' END, NULL);
    RETURN QUERY
        SELECT 'version', CASE WHEN x.extversion = a.default_version THEN 'ok' ELSE 'warning' END,
               format('the extension has version %s, the library %s', x.extversion, a.default_version),
               CASE WHEN x.extversion <> a.default_version THEN 'ALTER EXTENSION planthub UPDATE;' END
        FROM pg_extension AS x JOIN pg_available_extensions AS a ON a.name = x.extname
        WHERE x.extname = 'planthub';
    SELECT b.since, b.what INTO blocker FROM (
        SELECT a.xact_start AS since, format('session %s of user %s in database %s', a.pid, a.usename, a.datname) AS what
        FROM pg_stat_activity AS a WHERE a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL
        UNION ALL
        SELECT p.prepared, format('prepared transaction "%s"', p.gid) FROM pg_prepared_xacts AS p) AS b
    WHERE b.since < now() - interval '1 h' ORDER BY b.since LIMIT 1;
    RETURN QUERY VALUES ('old transactions', CASE WHEN blocker.since IS NULL THEN 'ok' ELSE 'warning' END,
        coalesce(format('%s is open since %s', blocker.what, to_char(blocker.since, 'YYYY-MM-DD HH24:MI')), 'no transaction is older than an hour'),
        CASE WHEN blocker.since IS NOT NULL THEN 'Sending does not suffer, but vacuum cannot clean up behind it: end it.' END);
END
$$;
COMMENT ON FUNCTION planthub.doctor_server() IS 'Internal: the checks of planthub.doctor() on server and processes';

CREATE OR REPLACE FUNCTION planthub.doctor_flow()
RETURNS TABLE ("check" text, severity text, finding text, hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    n       bigint;
    names   text;
    late    interval;
    conflicts bigint;
    rejected bigint;
    unread  bigint;
BEGIN
    SELECT count(*), string_agg(e.code, ', ' ORDER BY e.code) INTO n, names
    FROM planthub.endpoint_state AS s JOIN planthub.endpoint AS e ON e.id = s.endpoint WHERE s.state = 'open';
    RETURN QUERY VALUES ('circuit breakers', CASE WHEN n = 0 THEN 'ok' ELSE 'warning' END,
        format('%s open', n) || coalesce(': ' || names, ''),
        CASE WHEN n > 0 THEN 'See last_error in planthub.endpoint_health; when the target answers again, sending goes on by itself.' END);

    RETURN QUERY
        SELECT t.state || ' deliveries', CASE WHEN count(h.state) = 0 THEN 'ok' ELSE 'warning' END,
               count(h.state) || coalesce(', the oldest since ' || to_char(min(h.since), 'YYYY-MM-DD HH24:MI'), ''),
               CASE WHEN count(h.state) > 0 THEN t.hint END
        FROM (VALUES ('dead', 'Repair the cause named in planthub.held_status, then planthub.replay(states => ''{dead}''), or planthub.discard().'),
                     ('parked', 'Repair the cause named in planthub.held_status, then planthub.release(), or planthub.discard().'),
                     ('in_doubt', 'Ask the target whether it has them, then planthub.discard() or planthub.release().'),
                     ('paused', 'See planthub.pause and planthub.resume(); those with reason COPY go with planthub.replay(states => ''{paused}'').')
             ) AS t (state, hint)
        LEFT JOIN planthub.held AS h ON h.state = t.state
        GROUP BY t.state, t.hint;

    SELECT count(*), string_agg(p.scope || ' ' || p.name, ', ' ORDER BY p.since) INTO n, names
    FROM planthub.pause AS p WHERE p.since < now() - interval '1 day';
    RETURN QUERY VALUES ('old pauses', CASE WHEN n = 0 THEN 'ok' ELSE 'warning' END,
        format('%s older than a day', n) || coalesce(': ' || names, ''),
        CASE WHEN n > 0 THEN 'Call planthub.resume() for those that are not needed any more.' END);

    SELECT count(*), string_agg(format('%s (%s)', j.code, j.last_error), '; ' ORDER BY j.code) INTO n, names
    FROM planthub.job AS j WHERE j.failures > 0;
    RETURN QUERY VALUES ('failing jobs', CASE WHEN n = 0 THEN 'ok' ELSE 'warning' END, n || coalesce(': ' || names, ''),
        CASE WHEN n > 0 THEN 'Repair the cause; see planthub.job_status for when they are tried again, or call planthub.run_job().' END);

    SELECT count(*), string_agg(e.code, ', ' ORDER BY e.code) INTO n, names
    FROM planthub.endpoint AS e
    WHERE NOT EXISTS (SELECT FROM planthub.route AS r WHERE r.endpoint = e.code AND r.enabled);
    RETURN QUERY VALUES ('endpoints without route', CASE WHEN n = 0 THEN 'ok' ELSE 'info' END,
        n || coalesce(': ' || names, ''),
        CASE WHEN n > 0 THEN 'They get nothing: create a route with planthub.create_route(), or drop them.' END);

    SELECT count(*), string_agg(DISTINCT o.system, ', ') INTO n, names FROM planthub.posting_overdue AS o;
    RETURN QUERY VALUES ('overdue acknowledgements', CASE WHEN n = 0 THEN 'ok' ELSE 'warning' END,
        n || coalesce(', owed by ' || names, ''),
        CASE WHEN n > 0 THEN 'See planthub.posting_overdue; ask the target, then tell the outcome with planthub.acknowledge().' END);

    SELECT count(*) FILTER (WHERE p.conflict), count(*) FILTER (WHERE p.state = 'rejected' AND NOT p.conflict),
           count(*) FILTER (WHERE p.error_code = 'RESPONSE_MAPPING_FAILED')
    INTO conflicts, rejected, unread FROM planthub.posting AS p
    WHERE p.at > now() - interval '1 day' AND (p.conflict OR p.state = 'rejected' OR p.error_code IS NOT NULL);
    RETURN QUERY VALUES
        ('conflicting acknowledgements', CASE WHEN conflicts = 0 THEN 'ok' ELSE 'warning' END, conflicts || ' within a day',
         CASE WHEN conflicts > 0 THEN 'A target may have posted twice: see conflicts in planthub.posting_status and its rows in planthub.posting.' END),
        ('rejected postings', CASE WHEN rejected = 0 THEN 'ok' ELSE 'warning' END, rejected || ' within a day',
         CASE WHEN rejected > 0 THEN 'See error_text in planthub.posting_status; when the cause is mended, planthub.replay() sends them again.' END),
        ('unreadable answers', CASE WHEN unread = 0 THEN 'ok' ELSE 'warning' END, unread || ' within a day',
         CASE WHEN unread > 0 THEN 'Mend the response mapping: see error_text in planthub.posting_status; the deliveries themselves are delivered.' END);

    SELECT now() - h.slot_since - h.slot_length INTO late FROM planthub.hub AS h;
    SELECT count(*) INTO n FROM planthub.held AS h, planthub.hub AS b WHERE h.message_slot = (b.slot + 1) % 8;
    RETURN QUERY VALUES
        ('log slots', CASE WHEN late < interval '1 day' THEN 'ok' ELSE 'warning' END,
         CASE WHEN late < interval '0' THEN 'the present log slot has room' ELSE 'it is time to move to the next log slot' END,
         CASE WHEN late > interval '0' THEN 'Call planthub.rotate(); it says what keeps it from moving. planthub.create_job(''rotate'', every => ''1 day'') does it by itself.' END),
        ('open deliveries in the oldest log slot', CASE WHEN n = 0 THEN 'ok' ELSE 'warning' END, n::text,
         CASE WHEN n > 0 THEN 'Replay, release or discard them: the slot is the next to be reused.' END);
END
$$;
COMMENT ON FUNCTION planthub.doctor_flow() IS 'Internal: the checks of planthub.doctor() on endpoints, deliveries and logs';

CREATE OR REPLACE FUNCTION planthub.doctor()
RETURNS TABLE ("check" text, severity text, finding text, hint text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT c."check", c.severity, c.finding, c.hint
    FROM (SELECT s.* FROM planthub.doctor_server() AS s UNION ALL SELECT f.* FROM planthub.doctor_flow() AS f) AS c
    ORDER BY array_position('{error,warning,info,ok}', c.severity), c."check"
$$;
COMMENT ON FUNCTION planthub.doctor() IS 'Checks the hub: what was found, how bad it is (error, warning, info, ok), and what to do; the worst first';
