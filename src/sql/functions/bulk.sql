-- bulk: many events at once, and events that a migration has loaded.  Re-runnable.

-- Keeps an event that cannot be processed as it arrived.  Nothing is called that the event could make fail again; it
-- does not own its identity, so it is new when it comes again.
CREATE OR REPLACE FUNCTION planthub.reject_failed(event jsonb, state text, message text) RETURNS planthub.verdict
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    m      planthub.inbound;
    result planthub.verdict;
BEGIN
    m.id := nextval('planthub.message_id_seq');
    m.source := left(event->>'source', 256);
    m.event_id := left(event->>'id', 128);
    m.topic := left(split_part(event->>'dataschema', ':', 4), 128);
    m.key := left(event->>'partitionkey', 256);
    m.event_time := planthub.event_instant(event->>'time');
    SELECT s.system, s.site INTO m.system, m.site FROM planthub.source AS s WHERE s.uri = m.source;
    m.site := coalesce(m.site, '*');
    SELECT s.* INTO result FROM planthub.store_event(m, event, NULL, NULL, false,
        planthub.judge(m, planthub.violation('PROCESSING_FAILED', '', format('%s (SQLSTATE %s).', message, state)))) AS s;
    RETURN result;
END
$$;
COMMENT ON FUNCTION planthub.reject_failed(jsonb, text, text) IS 'Internal: keeps an event that failed with a technical error';

-- One subtransaction for all of them; only when one fails are they tried in halves, until it stands alone.  What concerns
-- the transaction (conflicts, resources, intervention by the operator) is no fault of an event and ends the call.
CREATE OR REPLACE FUNCTION planthub.receive_or_halve(events jsonb[]) RETURNS planthub.verdict[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    results planthub.verdict[] := '{}';
    result  planthub.verdict;
    event   jsonb;
    half    int := cardinality(events) / 2;
BEGIN
    FOREACH event IN ARRAY events LOOP
        SELECT r.* INTO result FROM planthub.receive(event) AS r;
        results := array_append(results, result);
    END LOOP;
    RETURN results;
EXCEPTION WHEN OTHERS THEN
    IF SQLSTATE ~ '^(25|40|53|57|58)' OR SQLSTATE = '55P03' THEN
        RAISE;
    ELSIF half = 0 THEN
        RETURN ARRAY[planthub.reject_failed(events[1], SQLSTATE, SQLERRM)];
    END IF;
    RETURN planthub.receive_or_halve(events[:half]) || planthub.receive_or_halve(events[half + 1:]);
END
$$;
COMMENT ON FUNCTION planthub.receive_or_halve(jsonb[]) IS 'Internal: receives events, each of which may fail alone';

CREATE OR REPLACE FUNCTION planthub.receive_many(events jsonb[], OUT outcome text, OUT code text, OUT message_id bigint, OUT violations jsonb)
RETURNS SETOF record
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    at_once constant int := 64;     -- a failure repeats at most twice as many
    flat    jsonb[];
    missing int;
BEGIN
    SELECT array_agg(e.event ORDER BY e.n), min(e.n) FILTER (WHERE e.event IS NULL) INTO flat, missing
    FROM unnest(events) WITH ORDINALITY AS e (event, n);
    IF events IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'argument "events" must not be null';
    ELSIF missing IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'an event must not be null',
            DETAIL = format('It is number %s of the array.', missing);
    END IF;
    FOR i IN 1 .. coalesce(cardinality(flat), 0) BY at_once LOOP
        RETURN QUERY SELECT r.outcome, r.code, r.message_id, r.violations
            FROM unnest(planthub.receive_or_halve(flat[i : i + at_once - 1])) AS r;
    END LOOP;
END
$$;
COMMENT ON FUNCTION planthub.receive_many(jsonb[]) IS
'Takes many CloudEvents, one after the other, and tells what became of each, in their order, as receive() does.  An event that fails with a technical error costs only itself: it is rejected as PROCESSING_FAILED and kept as it arrived.  A conflict between transactions or a lack of resources raises an error; nothing was written then';

-- Staging

-- What is no JSON stays the text that it is: receive() refuses it for its envelope, and the inbox has the evidence.
CREATE OR REPLACE FUNCTION planthub.staged_event(event text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN event::jsonb;
EXCEPTION WHEN data_exception OR program_limit_exceeded OR statement_too_complex THEN
    RETURN to_jsonb(event);
END
$$;
COMMENT ON FUNCTION planthub.staged_event(text) IS 'Internal: a text as JSON; as a JSON string when it is none';

CREATE OR REPLACE FUNCTION planthub.drain_staging(batch text DEFAULT '', at_most int DEFAULT 1000) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ids     bigint[];
    events  jsonb[];
    results planthub.verdict[];
BEGIN
    IF batch IS NULL OR at_most IS NULL OR at_most NOT BETWEEN 1 AND 10000 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = CASE WHEN batch IS NULL THEN 'argument "batch" must not be null' ELSE 'argument "at_most" must be from 1 to 10000' END;
    END IF;
    PERFORM planthub.lock_things('staging', ARRAY[batch]);  -- the rows of a batch keep their order
    SELECT array_agg(s.id ORDER BY s.id), array_agg(planthub.staged_event(s.event) ORDER BY s.id) INTO ids, events
    FROM (SELECT x.id, x.event FROM planthub.staging AS x WHERE x.batch = drain_staging.batch AND x.outcome IS NULL
          ORDER BY x.id LIMIT at_most) AS s;
    IF ids IS NULL THEN
        RETURN 0;
    END IF;
    results := ARRAY(SELECT r::planthub.verdict FROM planthub.receive_many(events) AS r);
    UPDATE planthub.staging AS s SET drained_at = clock_timestamp(), outcome = r.outcome, code = r.code, message_id = r.message_id,
        violations = r.violations
    FROM unnest(ids) WITH ORDINALITY AS i (id, n)
    JOIN unnest(results) WITH ORDINALITY AS r (outcome, code, message_id, violations, n) ON r.n = i.n
    WHERE s.id = i.id;
    RETURN cardinality(ids);
END
$$;
COMMENT ON FUNCTION planthub.drain_staging(text, int) IS
'Receives the next events of a batch of planthub.staging, at most so many, and notes what became of each.  A job does it by itself (planthub.create_job()); by hand, call it with a commit after each call until it returns 0.  The number is that of the events received';

CREATE OR REPLACE FUNCTION planthub.clear_staging(batch text DEFAULT '') RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    n bigint;
BEGIN
    DELETE FROM planthub.staging AS s WHERE s.batch = clear_staging.batch AND s.outcome IS NOT NULL;
    GET DIAGNOSTICS n = ROW_COUNT;
    PERFORM planthub.log_operation('clear_staging', jsonb_build_object('batch', batch), n);
    RETURN n;
END
$$;
COMMENT ON FUNCTION planthub.clear_staging(text) IS 'Removes the rows of a batch that have been received; planthub.inbox keeps the events';
