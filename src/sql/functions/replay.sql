-- replay: sending again, by number or by condition.  Re-runnable.

CREATE OR REPLACE FUNCTION planthub.topic_regex(pattern text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    -- to be matched with the topic and a dot behind it
    SELECT '^' || string_agg(CASE word WHEN '#' THEN '([^.]+[.])*' WHEN '*' THEN '[^.]+[.]'
                             ELSE regexp_replace(word, '([^a-zA-Z0-9_])', '\\\1', 'g') || '[.]' END, '' ORDER BY n) || '$'
    FROM string_to_table(pattern, '.') WITH ORDINALITY AS t (word, n);
END;
COMMENT ON FUNCTION planthub.topic_regex(text) IS 'Internal: regular expression of a topic pattern, for a topic followed by a dot';

-- The deliveries that replay() was asked for, with their present state as action.  Run with known arguments, so that
-- the planner sees which conditions are there.  A condition on held states only starts from planthub.held, which is
-- small, and looks them up one by one until there are enough (OFFSET keeps the planner from joining whole logs).  A
-- finished replay is taken by its own number only: asking twice sends each message once more, not twice.
CREATE OR REPLACE FUNCTION planthub.replay_candidates(delivery_id bigint, message_id bigint, topic text, site text,
    key text, endpoint text, route text, states text[], recorded_from timestamptz, recorded_to timestamptz, count int)
RETURNS SETOF planthub.replayed
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    held_only   constant boolean := coalesce(states <@ '{retry,blocked,scheduled,parked,in_doubt,paused,dead}', false);
BEGIN
    RETURN QUERY EXECUTE
        'SELECT s.delivery_id, NULL::bigint, s.message_id, s.endpoint, s.key,
                CASE WHEN s.topic IS NULL OR s.priority IS NULL THEN ''gone'' ELSE s.state END '
        || CASE WHEN held_only THEN
            'FROM (SELECT h.delivery_id FROM planthub.held AS h
                   WHERE h.state = ANY ($8) AND ($2 IS NULL OR h.message_id = $2) AND ($4 IS NULL OR h.site = $4)
                     AND ($5 IS NULL OR h.key = $5)
                     AND ($6 IS NULL OR h.lane IN (SELECT l.id FROM planthub.lane AS l JOIN planthub.endpoint AS e
                                                   ON e.id = l.endpoint WHERE e.code = $6))
                   ORDER BY h.delivery_id OFFSET 0) AS h
             CROSS JOIN LATERAL (SELECT x.* FROM planthub.delivery_status AS x
                                 WHERE x.delivery_id = h.delivery_id OFFSET 0) AS s '
           ELSE 'FROM planthub.delivery_status AS s ' END
        || 'WHERE ($1 IS NULL OR s.delivery_id = $1) AND ($2 IS NULL OR s.message_id = $2)
              AND ($3 IS NULL OR s.topic || ''.'' ~ $3) AND ($4 IS NULL OR s.site = $4)
              AND ($5 IS NULL OR s.key = $5) AND ($6 IS NULL OR s.endpoint = $6) AND ($7 IS NULL OR s.route = $7)
              AND ($8 IS NULL OR s.state = ANY ($8))
              AND ($1 IS NOT NULL OR s.replay_of IS NULL OR s.state NOT IN (''delivered'', ''expired'', ''discarded''))
              AND ($9 IS NULL OR s.recorded_at >= $9) AND ($10 IS NULL OR s.recorded_at < $10)
         ORDER BY ' || CASE WHEN held_only THEN 'h' ELSE 's' END
        || '.delivery_id LIMIT $11'
        USING delivery_id, message_id, planthub.topic_regex(topic), site, key, endpoint, route, states,
              recorded_from, recorded_to, count;
END
$$;
COMMENT ON FUNCTION planthub.replay_candidates(bigint, bigint, text, text, text, text, text, text[], timestamptz, timestamptz, int) IS 'Internal: deliveries that match the conditions of planthub.replay(), oldest first';

CREATE OR REPLACE FUNCTION planthub.replay_require(delivery_id bigint, message_id bigint) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM planthub.delivery AS d WHERE d.id = $1)
       AND NOT EXISTS (SELECT FROM planthub.delivery AS d WHERE d.message_id = $2)
       AND num_nonnulls(delivery_id, message_id) > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = CASE WHEN delivery_id IS NOT NULL THEN format('delivery %s does not exist', delivery_id)
                      ELSE format('message %s has no deliveries', message_id) END,
            HINT = 'Look for its number in the view planthub.delivery_status.';
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.replay_require(bigint, bigint) IS 'Internal: refuses numbers that do not exist';

-- New deliveries for finished ones, in the same order.  The transaction gets its id before the first number is drawn:
-- the reading cursor relies on it.
CREATE OR REPLACE FUNCTION planthub.replay_repeat(delivery_ids bigint[], per_second numeric)
RETURNS TABLE (old_id bigint, new_id bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    own_xid         constant xid8 := pg_current_xact_id();
    present_slot    smallint;
BEGIN
    SELECT h.slot INTO STRICT present_slot FROM planthub.hub AS h;
    RETURN QUERY
        INSERT INTO planthub.delivery (id, xid, message_id, replay_of, not_before, lane, route, slot, message_slot, site)
        SELECT nextval('planthub.delivery_id_seq'), own_xid, o.message_id, o.id,
               now() + (row_number() OVER () - 1) / per_second * interval '1 s', o.lane, o.route,
               present_slot, o.message_slot, o.site
        FROM (SELECT d.* FROM planthub.delivery AS d
              JOIN planthub.message AS m ON m.slot = d.message_slot AND m.id = d.message_id
              WHERE d.id = ANY (delivery_ids) ORDER BY d.id) AS o
        RETURNING delivery.replay_of, delivery.id;
END
$$;
COMMENT ON FUNCTION planthub.replay_repeat(bigint[], numeric) IS 'Internal: new deliveries for finished ones';

CREATE OR REPLACE FUNCTION planthub.replay(delivery_id bigint DEFAULT NULL, message_id bigint DEFAULT NULL,
    topic text DEFAULT NULL, site text DEFAULT NULL, key text DEFAULT NULL, endpoint text DEFAULT NULL,
    route text DEFAULT NULL, states text[] DEFAULT NULL, recorded_from timestamptz DEFAULT NULL,
    recorded_to timestamptz DEFAULT NULL, max_deliveries int DEFAULT 1000, at_most_per_second numeric DEFAULT NULL,
    reason text DEFAULT NULL)
RETURNS SETOF planthub.replayed
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rows        planthub.replayed[];
    released    jsonb;
    repeated    jsonb;
BEGIN
    PERFORM planthub.replay_check(num_nonnulls(delivery_id, message_id, topic, site, key, endpoint, route, states,
        recorded_from, recorded_to), states, max_deliveries, at_most_per_second);
    PERFORM FROM planthub.hub FOR SHARE;    -- planthub.rotate() must not truncate what is chosen here
    rows := ARRAY(SELECT c FROM planthub.replay_candidates(delivery_id, message_id, topic, site, key, endpoint, route,
        states, recorded_from, recorded_to, least(max_deliveries, 2147483646) + 1) AS c);
    IF cardinality(rows) = 0 THEN
        PERFORM planthub.replay_require(delivery_id, message_id);
    ELSIF cardinality(rows) > max_deliveries THEN
        rows := rows[1:max_deliveries];
        RAISE NOTICE USING MESSAGE = format('more than %s deliveries match; these are the oldest', max_deliveries),
            HINT = 'Call it again for the others, or raise max_deliveries.';
    END IF;
    rows := ARRAY(SELECT (c.delivery_id, NULL, c.message_id, c.endpoint, c.key, CASE
            WHEN c.action = 'paused' AND planthub.held_is_paused(h.route, c.key) THEN 'paused'
            WHEN c.action IN ('retry', 'scheduled', 'parked', 'in_doubt', 'paused', 'dead') THEN 'release'
            WHEN c.action IN ('delivered', 'expired', 'discarded') THEN 'repeat'
            ELSE c.action END)::planthub.replayed
        FROM unnest(rows) AS c LEFT JOIN planthub.held AS h ON h.delivery_id = c.delivery_id);
    SELECT jsonb_object_agg(r.delivery_id, CASE r.state WHEN 'blocked' THEN 'blocked' ELSE 'released' END) INTO released
    FROM planthub.held_release(ARRAY(SELECT c.delivery_id FROM unnest(rows) AS c WHERE c.action = 'release'),
        per_second => at_most_per_second) AS r;
    SELECT jsonb_object_agg(r.old_id, r.new_id) INTO repeated
    FROM planthub.replay_repeat(ARRAY(SELECT c.delivery_id FROM unnest(rows) AS c WHERE c.action = 'repeat'),
        at_most_per_second) AS r;
    PERFORM planthub.wake(ARRAY(SELECT DISTINCT d.lane FROM planthub.delivery AS d
        WHERE d.id IN (SELECT c.delivery_id FROM unnest(rows) AS c WHERE c.action IN ('release', 'repeat'))));
    PERFORM planthub.log_operation('replay', jsonb_build_object('delivery_id', delivery_id, 'message_id', message_id,
        'topic', topic, 'site', site, 'key', key, 'endpoint', endpoint, 'route', route, 'states', states,
        'recorded_from', recorded_from, 'recorded_to', recorded_to, 'max_deliveries', max_deliveries,
        'at_most_per_second', at_most_per_second, 'reason', reason),
        (SELECT count(*) FROM jsonb_object_keys(coalesce(released, '{}') || coalesce(repeated, '{}'))));
    RETURN QUERY
        SELECT c.delivery_id, (repeated ->> c.delivery_id::text)::bigint, c.message_id, c.endpoint, c.key,
               CASE c.action WHEN 'release' THEN coalesce(released ->> c.delivery_id::text, 'in_flight')
                             WHEN 'repeat' THEN CASE WHEN repeated ? c.delivery_id::text THEN 'repeated' ELSE 'gone' END
                             ELSE c.action END
        FROM unnest(rows) AS c ORDER BY c.delivery_id;
END
$$;
COMMENT ON FUNCTION planthub.replay(bigint, bigint, text, text, text, text, text, text[], timestamptz, timestamptz, int, numeric, text) IS 'Sends again: held and dead deliveries in place, finished ones by a new delivery; returns what it did with each, so that BEGIN, replay, ROLLBACK is a preview';

CREATE OR REPLACE FUNCTION planthub.replay_check(conditions int, states text[], max_deliveries int, per_second numeric)
RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known constant text[] := '{queued,in_flight,delivered,retry,blocked,scheduled,parked,in_doubt,paused,dead,expired,discarded}';
BEGIN
    IF conditions = 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'replay needs a condition',
            HINT = 'Name what to send again, such as planthub.replay(endpoint => ''mes-p1-orders'', states => ''{dead}'').';
    END IF;
    IF NOT states <@ known THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('unknown state "%s"', (SELECT s FROM unnest(states) AS s WHERE s IS NULL OR s <> ALL (known) LIMIT 1)),
            HINT = format('Use some of %s.', array_to_string(known, ', '));
    END IF;
    IF max_deliveries IS NULL OR max_deliveries < 1 OR per_second <= 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'max_deliveries and at_most_per_second must be positive',
            HINT = 'Leave at_most_per_second out to send without a limit.';
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.replay_check(int, text[], int, numeric) IS 'Internal: refuses calls of planthub.replay() that cannot be meant';
