-- trace: the story of one thing, from the logs.  Re-runnable.

CREATE OR REPLACE FUNCTION planthub.trace_messages(kind text, key text) RETURNS bigint[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    CASE kind
        WHEN 'key' THEN
            RETURN ARRAY(SELECT m.id FROM planthub.message AS m WHERE m.key = $2);
        WHEN 'message', 'delivery' THEN
            IF key !~ '^[0-9]{1,18}$' THEN
                RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
                    MESSAGE = format('"%s" is not the number of a %s', key, kind),
                    HINT = 'Numbers are in the view planthub.delivery_status.';
            END IF;
            IF kind = 'message' THEN
                RETURN ARRAY(SELECT m.id FROM planthub.message AS m WHERE m.id = $2::bigint);
            END IF;
            RETURN ARRAY(SELECT d.message_id FROM planthub.delivery AS d WHERE d.id = $2::bigint);
        ELSE
            RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('cannot trace a "%s"', kind),
                HINT = 'Use key, message or delivery.';
    END CASE;
END
$$;
COMMENT ON FUNCTION planthub.trace_messages(text, text) IS 'Internal: the messages that a trace is about';

CREATE OR REPLACE FUNCTION planthub.trace(kind text, key text)
RETURNS TABLE (at timestamptz, what text, site text, system text, endpoint text, state text, detail text,
               message_id bigint, delivery_id bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    messages    bigint[] := planthub.trace_messages(kind, key);
    delivery    bigint := CASE kind WHEN 'delivery' THEN trace.key::bigint END;
BEGIN
    RETURN QUERY
    WITH d AS MATERIALIZED (
        SELECT s.* FROM planthub.delivery_status AS s
        WHERE s.message_id = ANY (messages) AND (delivery IS NULL OR s.delivery_id = delivery)
    ), story AS (
        SELECT m.recorded_at, 1, 'message', m.site, NULL, NULL, 'recorded',
               concat_ws(', ', m.topic || ' version ' || m.version, 'key ' || m.key, 'from ' || m.source,
                         'id ' || m.event_id, 'happened at ' || m.event_time),
               m.id, NULL::bigint
        FROM planthub.message AS m WHERE m.id = ANY (messages)
        UNION ALL
        SELECT d.recorded_at, 2, 'delivery', d.site, d.system, d.endpoint, d.state,
               concat_ws(', ', 'route ' || d.route, 'priority ' || d.priority, 'repeats delivery ' || d.replay_of,
                         'tries: ' || d.attempts),
               d.message_id, d.delivery_id
        FROM d
        UNION ALL
        SELECT a.started_at, 3, 'attempt', d.site, d.system, d.endpoint, a.outcome,
               concat_ws(', ', 'try ' || nullif(a.n, 0), 'status ' || a.status,
                         CASE WHEN a.n > 0 THEN round(a.duration_us / 1000.0, 1) || ' ms' END, a.error),
               d.message_id, d.delivery_id
        FROM d JOIN planthub.attempt AS a ON a.delivery_id = d.delivery_id
        UNION ALL
        SELECT p.at, 4, 'posting', d.site, d.system, d.endpoint, CASE WHEN p.conflict THEN 'conflict' ELSE p.state END,
               concat_ws(', ', 'document ' || p.external_document, CASE WHEN p.late THEN 'late' END, 'due at ' || p.due_at,
                         p.error_code, p.error_text),
               d.message_id, d.delivery_id
        FROM d JOIN planthub.posting AS p ON p.delivery_id = d.delivery_id
        UNION ALL
        SELECT d.held_since, 5, 'held', d.site, d.system, d.endpoint, d.state,
               concat_ws(', ', d.reason, 'next try at ' || d.next_attempt_at,
                         'waits for delivery ' || CASE d.state WHEN 'blocked' THEN (
                             SELECT min(o.delivery_id) FROM planthub.held AS h
                             JOIN planthub.held AS o ON o.lane = h.lane AND o.key = h.key
                             WHERE h.delivery_id = d.delivery_id) END),
               d.message_id, d.delivery_id
        FROM d WHERE d.held_since IS NOT NULL
        UNION ALL
        SELECT o.at, 6, 'operation', NULL, NULL, NULL, o.verb, concat_ws(', ', 'by ' || o.by, o.arguments ->> 'reason'),
               (o.arguments ->> 'message_id')::bigint, (o.arguments ->> 'delivery_id')::bigint
        FROM planthub.operation_log AS o
        WHERE (o.arguments ->> 'message_id')::bigint = ANY (messages)
           OR (o.arguments ->> 'delivery_id')::bigint IN (SELECT x.delivery_id FROM d AS x)
           OR kind = 'key' AND (o.arguments ->> 'key' = $2
                                OR o.arguments ->> 'scope' = 'key' AND o.arguments ->> 'name' = $2)
    )
    SELECT s.at, s.what, s.site, s.system, s.endpoint, s.state, s.detail, s.message_id, s.delivery_id
    FROM story AS s (at, rank, what, site, system, endpoint, state, detail, message_id, delivery_id)
    ORDER BY s.at, s.message_id NULLS LAST, s.rank, s.delivery_id;
END
$$;
COMMENT ON FUNCTION planthub.trace(text, text) IS 'The story of a key, a message or a delivery (kind) in the order of time: messages, deliveries, attempts, what holds them, what operators did';

CREATE OR REPLACE FUNCTION planthub.show(message_id bigint) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT concat_ws(E'\n',
        format('message %s: %s version %s', m.id, m.topic, m.version),
        format('site %s, key %s, recorded %s, happened %s', m.site, coalesce(m.key, 'none'), m.recorded_at, m.event_time),
        'source ' || m.source, 'id ' || m.event_id, 'subject ' || m.subject, 'correlation ' || m.correlation_id,
        'causation ' || m.causation_id, 'attributes ' || m.attributes::text,
        E'\n' || jsonb_pretty(m.data) || E'\n',
        (SELECT string_agg(concat_ws('  ', t.at, rpad(t.what, 9), rpad(coalesce(t.endpoint, ''), 20), t.state, t.detail), E'\n' ORDER BY t.n)
         FROM planthub.trace('message', $1::text) WITH ORDINALITY
              AS t (at, what, site, system, endpoint, state, detail, message_id, delivery_id, n)))
    FROM planthub.message AS m WHERE m.id = $1
$$;
COMMENT ON FUNCTION planthub.show(bigint) IS 'One message as text: its attributes, its data, its story';
