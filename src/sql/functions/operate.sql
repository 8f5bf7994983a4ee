-- operate: the verbs of operators.  They change held rows under row locks, never a row that a worker is sending
-- (token set), and wake the lanes at commit; so all of them can be previewed with BEGIN ... ROLLBACK.  Re-runnable.

CREATE OR REPLACE FUNCTION planthub.log_operation(verb text, arguments jsonb, rows bigint) RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    INSERT INTO planthub.operation_log (verb, arguments, rows)
    VALUES (log_operation.verb, pg_catalog.jsonb_strip_nulls(log_operation.arguments), log_operation.rows);
END;
COMMENT ON FUNCTION planthub.log_operation(text, jsonb, bigint) IS 'Internal: records what an operator did';

-- Pauses

CREATE OR REPLACE FUNCTION planthub.check_scope(scope text, name text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found_it boolean;
BEGIN
    IF scope IS NULL OR name IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
            MESSAGE = 'scope and name must not be null',
            HINT = 'Call it as planthub.pause(''endpoint'', ''mes-p1-orders'', ''reason'').';
    END IF;
    CASE scope
        WHEN 'system' THEN found_it := EXISTS (SELECT FROM planthub.system AS s WHERE s.code = check_scope.name);
        WHEN 'endpoint' THEN found_it := EXISTS (SELECT FROM planthub.endpoint AS e WHERE e.code = check_scope.name);
        WHEN 'route' THEN found_it := EXISTS (SELECT FROM planthub.route AS r WHERE r.code = check_scope.name);
        WHEN 'job' THEN found_it := EXISTS (SELECT FROM planthub.job AS j WHERE j.code = check_scope.name);
        WHEN 'key' THEN found_it := true;
        ELSE
            RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('unknown scope "%s"', scope),
                HINT = 'Use system, endpoint, route, key or job.';
    END CASE;
    IF NOT found_it THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = format('%s "%s" does not exist', scope, name),
            HINT = format('Look for its code in the table planthub.%s.', scope);
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.check_scope(text, text) IS 'Internal: refuses what cannot be paused';

CREATE OR REPLACE FUNCTION planthub.pause(scope text, name text, reason text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.check_scope(scope, name);
    INSERT INTO planthub.pause (scope, name, reason) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RAISE NOTICE USING MESSAGE = format('%s "%s" is paused already', scope, name);
        RETURN;
    END IF;
    PERFORM planthub.log_operation('pause', jsonb_build_object('scope', scope, 'name', name, 'reason', reason), 1);
END
$$;
COMMENT ON FUNCTION planthub.pause(text, text, text) IS 'Stops sending for a system, an endpoint, a route or a key: publishing goes on and deliveries wait; or keeps a job from running again, whose run under way goes on to its end';

CREATE OR REPLACE FUNCTION planthub.resume(scope text, name text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    changed bigint := 0;
BEGIN
    PERFORM planthub.check_scope(scope, name);
    DELETE FROM planthub.pause AS p WHERE p.scope = $1 AND p.name = $2;
    IF NOT FOUND THEN
        RAISE NOTICE USING MESSAGE = format('%s "%s" is not paused', scope, name);
        RETURN 0;
    END IF;
    IF scope = 'job' THEN
        UPDATE planthub.job AS j SET not_before = NULL WHERE j.code = $2;   -- who resumes it wants to see it run
    ELSIF scope IN ('route', 'key') THEN
        SELECT count(*) INTO changed FROM planthub.held_release(ARRAY(
            SELECT h.delivery_id
            FROM planthub.held AS h
            WHERE h.state = 'paused' AND h.reason IS DISTINCT FROM 'COPY'
              AND CASE scope WHEN 'key' THEN h.key = $2
                  ELSE h.route = (SELECT r.id FROM planthub.route AS r WHERE r.code = $2) END
              AND NOT planthub.held_is_paused(h.route, h.key)), keep_due => true);
    END IF;
    PERFORM planthub.wake(ARRAY(SELECT l.id FROM planthub.lane AS l));
    PERFORM planthub.log_operation('resume', jsonb_build_object('scope', scope, 'name', name), changed);
    RETURN changed;
END
$$;
COMMENT ON FUNCTION planthub.resume(text, text) IS 'Ends a pause; returns how many deliveries had been set aside by it and go on now, in their order';

-- Held deliveries

CREATE OR REPLACE FUNCTION planthub.held_is_paused(route int, key text) RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT EXISTS (SELECT FROM planthub.pause AS p WHERE p.scope = 'key' AND p.name = held_is_paused.key)
        OR EXISTS (SELECT FROM planthub.pause AS p JOIN planthub.route AS r ON r.code = p.name
                   WHERE p.scope = 'route' AND r.id = held_is_paused.route);
END;
COMMENT ON FUNCTION planthub.held_is_paused(int, text) IS 'Internal: whether the route or the key of a held delivery is paused';

-- When the oldest delivery of a key leaves, the next one goes.  A null key stands for all keys of its lane: a worker and
-- an operator that act on one key at the same moment do not wait for each other, so the worker looks again later: when
-- the operator's verb has been committed, and while some were left because another transaction had them locked.
CREATE OR REPLACE FUNCTION planthub.held_promote(lane int[], key text[]) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    heads   bigint[];
    free    bigint[];
BEGIN
    heads := ARRAY(SELECT oldest.delivery_id
                   FROM unnest($1, $2) AS k (lane, key)
                   CROSS JOIN LATERAL (SELECT o.delivery_id, o.state FROM planthub.held AS o
                                       WHERE o.lane = k.lane AND o.key = k.key
                                       ORDER BY o.delivery_id LIMIT 1) AS oldest
                   WHERE oldest.state = 'blocked');
    IF array_position(key, NULL) IS NOT NULL THEN
        heads := heads || ARRAY(
            SELECT oldest.delivery_id
            FROM (SELECT DISTINCT ON (o.lane, o.key) o.delivery_id, o.state
                  FROM planthub.held AS o
                  WHERE o.key IS NOT NULL
                    AND o.lane IN (SELECT k.lane FROM unnest($1, $2) AS k (lane, key) WHERE k.key IS NULL)
                  ORDER BY o.lane, o.key, o.delivery_id) AS oldest
            WHERE oldest.state = 'blocked');
    END IF;
    IF heads = '{}' THEN
        RETURN 0;
    END IF;
    free := ARRAY(SELECT h.delivery_id FROM planthub.held AS h WHERE h.delivery_id = ANY (heads) FOR UPDATE SKIP LOCKED);
    UPDATE planthub.held AS h
    SET state = 'retry', due_at = now(), reason = NULL
    WHERE h.delivery_id = ANY (free) AND h.state = 'blocked';
    RETURN cardinality(ARRAY(SELECT DISTINCT x FROM unnest(heads) AS x)) - cardinality(free);
END
$$;
COMMENT ON FUNCTION planthub.held_promote(int[], text[]) IS 'Internal: for each lane and key whose oldest held delivery has left, lets the next one go; a null key stands for all keys of the lane.  Returns how many it had to leave because another transaction has them locked';

-- Lets held deliveries go, keeping the order per key: the oldest of its lane and key goes, later ones wait behind it.
-- The head of each key is locked, so that it cannot leave before the ones that now wait behind it are visible; a head
-- that a worker is sending is not locked (its worker must never wait for an operator).
CREATE OR REPLACE FUNCTION planthub.held_release(delivery_ids bigint[], keep_due boolean DEFAULT false,
                                                 per_second numeric DEFAULT NULL)
RETURNS TABLE (delivery_id bigint, state text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM planthub.held AS h
    WHERE h.token IS NULL
      AND h.delivery_id IN (
        SELECT w.delivery_id FROM unnest(delivery_ids) AS w (delivery_id)
        UNION
        SELECT (SELECT min(o.delivery_id) FROM planthub.held AS o WHERE o.lane = w.lane AND o.key = w.key)
        FROM planthub.held AS w WHERE w.delivery_id = ANY (delivery_ids) AND w.key IS NOT NULL)
    ORDER BY h.delivery_id FOR UPDATE;
    RETURN QUERY
        UPDATE planthub.held AS h
        SET state = n.state, attempts = CASE WHEN keep_due THEN h.attempts ELSE 0 END, crashes = 0, reason = NULL,
            due_at = CASE WHEN n.state <> 'blocked' THEN n.due_at END,
            expires_at = CASE WHEN keep_due THEN h.expires_at END       -- who asks for it now wants it late too
        FROM (
            SELECT w.delivery_id,
                   CASE WHEN w.blocks AND EXISTS (SELECT FROM planthub.held AS o WHERE o.lane = w.lane
                                                  AND o.key = w.key AND o.delivery_id < w.delivery_id) THEN 'blocked'
                        WHEN keep_due AND w.tries = 0 AND w.due_at > now() THEN 'scheduled'
                        ELSE 'retry' END AS state,
                   CASE WHEN keep_due THEN greatest(w.due_at, now()) ELSE now() END
                   + coalesce((row_number() OVER (ORDER BY w.delivery_id) - 1) / per_second, 0) * interval '1 s' AS due_at
            FROM planthub.held AS w
            WHERE w.delivery_id = ANY (delivery_ids)) AS n
        WHERE h.delivery_id = n.delivery_id AND h.token IS NULL AND h.state <> 'blocked'
        RETURNING h.delivery_id, h.state::text;
END
$$;
COMMENT ON FUNCTION planthub.held_release(bigint[], boolean, numeric) IS 'Internal: lets held deliveries go in place; returns those it changed with their new state';

CREATE OR REPLACE FUNCTION planthub.held_lock(delivery_id bigint) RETURNS planthub.held
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    h       planthub.held;
    state   text;
BEGIN
    SELECT x.* INTO h FROM planthub.held AS x WHERE x.delivery_id = held_lock.delivery_id FOR UPDATE;
    IF NOT FOUND THEN
        SELECT s.state INTO state FROM planthub.delivery_status AS s WHERE s.delivery_id = held_lock.delivery_id;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'undefined_object',
                MESSAGE = format('delivery %s does not exist', coalesce(delivery_id::text, 'null')),
                HINT = 'Look for its number in the view planthub.delivery_status.';
        END IF;
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('delivery %s is not held', delivery_id),
            DETAIL = format('Its state is %s.', state),
            HINT = CASE WHEN state IN ('queued', 'in_flight') THEN 'Nothing need be done: it is on its way.'
                   ELSE format('To send it again, call planthub.replay(delivery_id => %s).', delivery_id) END;
    END IF;
    IF h.token IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_in_use',
            MESSAGE = format('delivery %s is being sent right now', delivery_id),
            HINT = 'Wait for its outcome in the view planthub.delivery_status.';
    END IF;
    RETURN h;
END
$$;
COMMENT ON FUNCTION planthub.held_lock(bigint) IS 'Internal: locks a held delivery, or says why it cannot be changed';

CREATE OR REPLACE FUNCTION planthub.release(delivery_id bigint) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    h       planthub.held := planthub.held_lock(delivery_id);
    ahead   bigint;
    state   text;
BEGIN
    IF h.state = 'blocked' THEN
        SELECT min(o.delivery_id) INTO ahead FROM planthub.held AS o WHERE o.lane = h.lane AND o.key = h.key;
        RAISE EXCEPTION USING ERRCODE = 'object_in_use',
            MESSAGE = format('delivery %s waits for delivery %s of the same key', h.delivery_id, ahead),
            DETAIL = format('Key "%s" is delivered in order.', h.key),
            HINT = format('Release or discard delivery %s; this one follows by itself.', ahead);
    END IF;
    IF h.state = 'paused' AND planthub.held_is_paused(h.route, h.key) THEN
        RAISE EXCEPTION USING ERRCODE = 'object_in_use',
            MESSAGE = format('the route or key of delivery %s is paused', h.delivery_id),
            HINT = 'Look into planthub.pause and call planthub.resume(); that releases it.';
    END IF;
    SELECT r.state INTO STRICT state FROM planthub.held_release(ARRAY[h.delivery_id]) AS r;
    PERFORM planthub.wake(ARRAY[h.lane]);
    PERFORM planthub.log_operation('release', jsonb_build_object('delivery_id', h.delivery_id), 1);
    RETURN state;
END
$$;
COMMENT ON FUNCTION planthub.release(bigint) IS 'Lets a held delivery go now, with all its attempts before it; returns its new state: retry, or blocked when an earlier one of its key is held too';

CREATE OR REPLACE FUNCTION planthub.discard(delivery_id bigint, reason text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    h   planthub.held;
BEGIN
    IF coalesce(reason, '') = '' THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
            MESSAGE = 'discarding a delivery needs a reason',
            HINT = format('Call planthub.discard(%s, ''why it need not arrive'').', coalesce(delivery_id::text, 'id'));
    END IF;
    h := planthub.held_lock(delivery_id);
    INSERT INTO planthub.attempt (delivery_id, message_id, started_at, duration_us, lane, n, slot, outcome, site, error)
    VALUES (h.delivery_id, h.message_id, clock_timestamp(), 0, h.lane, 0, (SELECT hub.slot FROM planthub.hub),
            'discarded', h.site, $2);
    DELETE FROM planthub.held AS x WHERE x.delivery_id = h.delivery_id;
    IF h.key IS NOT NULL THEN
        PERFORM planthub.held_promote(ARRAY[h.lane], ARRAY[h.key]);
    END IF;
    PERFORM planthub.wake(ARRAY[h.lane]);
    PERFORM planthub.log_operation('discard', jsonb_build_object('delivery_id', h.delivery_id, 'reason', reason), 1);
END
$$;
COMMENT ON FUNCTION planthub.discard(bigint, text) IS 'Closes a held delivery without sending it; the next one of its key goes';
