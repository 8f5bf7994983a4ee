-- receive: one event after the other, from arrival to outcome; what waits, and what releases it.  Re-runnable.

-- Checks in the order of the rules from the references in the data to the effects; writes only what an applied event
-- writes (and the history that an effect keeps of what it ignored).
CREATE OR REPLACE FUNCTION planthub.evaluate(INOUT m planthub.inbound, waived text[], OUT violations planthub.violation[])
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    effect text;
    found  record;
BEGIN
    IF m.data::text LIKE '%"scheme"%' THEN
        found := planthub.resolve_references(m, m.data, NULL, '/data');
        IF found.violations IS NOT NULL THEN
            violations := found.violations;
            RETURN;
        END IF;
        m.data := found.resolved;
    END IF;
    violations := planthub.window_violations(m, waived);
    IF violations IS NOT NULL THEN
        RETURN;
    END IF;
    SELECT e.function INTO effect FROM planthub.effect AS e WHERE e.topic = m.topic ORDER BY e.builtin LIMIT 1;
    IF effect IS NOT NULL THEN
        violations := planthub.call_effect(effect, m);
        IF violations IS NOT NULL AND planthub.stops(m, violations) THEN
            RETURN;
        END IF;
    END IF;
    IF EXISTS (SELECT FROM planthub.contract AS k WHERE k.topic = m.topic AND k.version = m.version AND k.status = 'deprecated') THEN
        violations := violations || planthub.violation('SCHEMA_VERSION_DEPRECATED', '/dataschema', format('Version %s of topic %s is deprecated.', m.version, m.topic));
    END IF;
    PERFORM planthub.publish_inbound(m);
END
$$;
COMMENT ON FUNCTION planthub.evaluate(planthub.inbound, text[]) IS 'Internal: checks an event and, when nothing stops it, writes its effects and publishes it';

CREATE OR REPLACE FUNCTION planthub.window_violations(m planthub.inbound, waived text[] DEFAULT '{}') RETURNS planthub.violation[]
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF m.event_time > m.sent_at + (m.policies->>'future_event_limit_min')::numeric * interval '1 min' THEN
        RETURN planthub.violation('EVENT_IN_FUTURE', '/time', format('It happened at %s and was recorded at %s.', m.event_time, m.sent_at));
    ELSIF m.event_time < m.sent_at - (m.policies->>'late_event_limit_h')::numeric * interval '1 h' AND 'EVENT_TOO_OLD' <> ALL (waived) THEN
        RETURN planthub.violation('EVENT_TOO_OLD', '/time', format('It happened at %s and was recorded at %s.', m.event_time, m.sent_at), 'decision', m.id::text);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION planthub.window_violations(planthub.inbound, text[]) IS 'Internal: an event that lies too far in the future or in the past';

-- The earlier event with this identity, if there is one: what receiving it again means.
CREATE OR REPLACE FUNCTION planthub.check_duplicate(m planthub.inbound, business_key text, hash bytea,
    OUT violations planthub.violation[], OUT earlier bigint, OUT again boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    other record;
BEGIN
    SELECT i.id, i.hash, i.outcome, true AS same_id INTO other FROM planthub.inbox AS i
    WHERE i.source = m.source AND i.event_id = m.event_id AND i.owns;
    earlier := other.id;
    again := other.outcome = 'rejected' AND other.hash = hash;  -- nothing came of it: whoever sends it again wants it checked again
    IF earlier IS NULL OR again THEN
        SELECT i.id, i.hash, i.outcome, false AS same_id INTO other FROM planthub.inbox AS i
        WHERE i.source = m.source AND i.topic = m.topic AND i.business_key = check_duplicate.business_key;
        IF NOT FOUND THEN
            RETURN;
        END IF;
        again := false;
        earlier := other.id;
    END IF;
    IF other.hash <> hash THEN
        violations := planthub.violation('DUPLICATE_CONFLICT', CASE WHEN other.same_id THEN '/id' ELSE '/data' END,
            format('Event %s has the same %s and another content.', other.id, CASE WHEN other.same_id THEN 'source and id' ELSE 'business key' END));
    ELSE
        violations := planthub.violation('DUPLICATE_IGNORED', CASE WHEN other.same_id THEN '/id' ELSE '/data' END,
            format('It is event %s, which was %s.', other.id, replace(other.outcome, '_', ' ')));
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.check_duplicate(planthub.inbound, text, bytea) IS 'Internal: whether an event arrived before';

CREATE OR REPLACE FUNCTION planthub.business_key(data jsonb, members text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    member text;
    key    text;
BEGIN
    IF members IS NULL THEN
        RETURN NULL;
    END IF;
    FOREACH member IN ARRAY members LOOP
        key := concat(key || chr(31), data->>member);
    END LOOP;
    RETURN key;
END
$$;
COMMENT ON FUNCTION planthub.business_key(jsonb, text[]) IS 'Internal: what identifies a fact for its source: the values of these members';

CREATE OR REPLACE FUNCTION planthub.business_key_of(m planthub.inbound) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN planthub.business_key(m.data, (SELECT e.business_key FROM planthub.effect AS e WHERE e.topic = m.topic ORDER BY e.builtin LIMIT 1));
END
$$;
COMMENT ON FUNCTION planthub.business_key_of(planthub.inbound) IS 'Internal: the business key of an event';

CREATE OR REPLACE FUNCTION planthub.store_event(m planthub.inbound, event jsonb, business_key text, hash bytea, owns boolean,
    verdict record, mapping text DEFAULT NULL, INOUT outcome text DEFAULT NULL, INOUT code text DEFAULT NULL, INOUT message_id bigint DEFAULT NULL, INOUT violations jsonb DEFAULT NULL)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO planthub.inbox AS i (id, received_at, event_time, outcome_at, owns, outcome, code, site, system, topic, key, source,
        event_id, business_key, hash, violations, event, mapping)
    VALUES (m.id, clock_timestamp(), m.event_time, clock_timestamp(), owns, verdict.outcome, verdict.code, m.site, m.system, m.topic, m.key,
        m.source, m.event_id, CASE WHEN owns AND verdict.outcome <> 'rejected' THEN business_key END, hash, verdict.report, event, mapping);
    outcome := verdict.outcome;
    code := verdict.code;
    message_id := m.id;
    violations := verdict.report;
END
$$;
COMMENT ON FUNCTION planthub.store_event(planthub.inbound, jsonb, text, bytea, boolean, record, text, text, text, bigint, jsonb) IS 'Internal: writes the event into the inbox';

-- A transaction that has its snapshot for good cannot see what came meanwhile; then somebody else looks at once.
CREATE OR REPLACE FUNCTION planthub.park(m planthub.inbound, code text, kind text, key text, waived text[] DEFAULT '{}') RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old_snapshot constant boolean := planthub.has_old_snapshot();
    late_at timestamptz := clock_timestamp() + (m.policies->>'park_ttl_min')::numeric * interval '1 min';
BEGIN
    INSERT INTO planthub.parked AS p (message_id, site, kind, key, code, since, event_time, case_at, due, waived)
    VALUES (m.id, m.site, coalesce(kind, 'decision'), coalesce(key, m.id::text), code, clock_timestamp(), m.event_time,
        late_at, old_snapshot, waived)
    ON CONFLICT ON CONSTRAINT parked_pkey DO UPDATE SET site = excluded.site, kind = excluded.kind, key = excluded.key, code = excluded.code, due = excluded.due;
    PERFORM planthub.wake_jobs(CASE WHEN old_snapshot THEN clock_timestamp() ELSE late_at END);
END
$$;
COMMENT ON FUNCTION planthub.park(planthub.inbound, text, text, text, text[]) IS 'Internal: lets an event wait';

-- What a worker has learned from an answer: it must not wait for who is parking an event at this moment, as bring() does,
-- and evaluates nothing itself.
CREATE OR REPLACE FUNCTION planthub.release_waiting(kind text, keys text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE planthub.parked AS p SET due = true
    WHERE p.message_id = ANY (ARRAY(SELECT x.message_id FROM planthub.parked AS x
                                    WHERE x.kind = $1 AND x.key = ANY ($2) AND NOT x.due FOR UPDATE SKIP LOCKED));
    IF FOUND THEN
        PERFORM planthub.wake_jobs(clock_timestamp());
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.release_waiting(text, text[]) IS 'Internal: has the job release evaluate the events that wait for things of this kind';

-- An event that waits must not miss what arrives at this moment: with the thing locked it is looked at once more.
CREATE OR REPLACE FUNCTION planthub.evaluate_or_park(INOUT m planthub.inbound, waived text[], OUT outcome text, OUT code text, OUT report jsonb)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    start   planthub.inbound := m;
    result  record;
    verdict record;
    locked  text[];
BEGIN
    LOOP
        result := planthub.evaluate(start, waived);
        m := result.m;
        IF result.violations IS NULL THEN
            outcome := 'applied';
            RETURN;
        END IF;
        verdict := planthub.judge(m, result.violations);
        EXIT WHEN verdict.outcome <> 'parked' OR locked @> ARRAY[concat(verdict.kind, ' ', verdict.key)];
        PERFORM planthub.lock_things(verdict.kind, ARRAY[verdict.key]);
        locked := locked || concat(verdict.kind, ' ', verdict.key);
    END LOOP;
    outcome := verdict.outcome;
    code := verdict.code;
    report := verdict.report;
    IF outcome = 'parked' THEN
        PERFORM planthub.park(m, code, verdict.kind, verdict.key, waived);
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.evaluate_or_park(planthub.inbound, text[]) IS 'Internal: evaluates an event and lets it wait when it has to';

-- Evaluates a parked event again.  false: this transaction cannot, because another one is working on its ordering key.
CREATE OR REPLACE FUNCTION planthub.retry_parked(p planthub.parked, patience int) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    i     planthub.inbox;
    m     planthub.inbound;
    s     planthub.source_mapping;
    found record;
    used  text;
    known text;
BEGIN
    SELECT * INTO i FROM planthub.inbox AS x WHERE x.id = p.message_id;
    IF i.id IS NULL THEN
        RETURN false;       -- it arrived after the snapshot of this transaction was taken
    END IF;
    -- Who has the key may be waiting for what this transaction has locked: it is left to that one then, which looks for
    -- released events when it is done.
    IF NOT planthub.lock_event(i.site, i.key, i.event#>>'{data,order}', patience) THEN
        RETURN false;
    END IF;
    -- An effect may release others itself (set_xref() does): they must not find this one again.
    UPDATE planthub.parked AS x SET due = false WHERE x.message_id = p.message_id;
    IF i.mapping IS NULL THEN
        m := planthub.open_event(i.event);
    END IF;
    m.id := i.id;
    m.site := i.site;
    -- What is wrong with this event must not cost the one that released it.
    BEGIN
        IF i.mapping IS NULL THEN
            found := planthub.check_source(i.event, m);
        ELSE
            s := planthub.source_mapping_of(i.event);
            found := planthub.open_foreign(i.event, s, i.received_at);
        END IF;
        m := found.m;
        m.id := i.id;
        IF found.violations IS NULL THEN
            found := planthub.evaluate_event(i.event, m, s, i.hash, p.waived, patience);
            m := found.m;
            used := found.mapping;
            known := found.key;
        ELSE
            found := planthub.judge(m, found.violations);
        END IF;
    EXCEPTION WHEN OTHERS THEN
        IF SQLSTATE ~ '^(25|40|53|57|58)' OR SQLSTATE = '55P03' OR SQLSTATE = '23505' AND planthub.has_old_snapshot() THEN
            RAISE;      -- it is the transaction that failed
        END IF;
        found := planthub.judge(m, planthub.violation(CASE WHEN SQLSTATE ~ '^22' THEN 'SCHEMA_INVALID' ELSE 'PROCESSING_FAILED' END, '/data',
            format('The data cannot be used: %s (%s).', SQLERRM, SQLSTATE)));
    END;
    IF found.outcome IS NULL THEN
        UPDATE planthub.parked AS x SET due = true WHERE x.message_id = p.message_id;
        RETURN false;
    ELSIF found.outcome <> 'parked' THEN
        DELETE FROM planthub.parked AS x WHERE x.message_id = p.message_id;
        PERFORM planthub.close_case(p.case_id);
    END IF;
    IF used IS NOT NULL THEN
        i.site := m.site;
        i.topic := m.topic;
        i.key := m.key;
        i.event_time := m.event_time;
        i.mapping := used;
        i.business_key := known;
    END IF;
    UPDATE planthub.inbox AS x SET outcome = found.outcome, code = found.code, violations = found.report, outcome_at = clock_timestamp(),
        attempts = x.attempts + 1, site = i.site, topic = i.topic, key = i.key, event_time = i.event_time, mapping = i.mapping,
        business_key = CASE WHEN found.outcome <> 'rejected' THEN i.business_key END
    WHERE x.id = p.message_id;
    RETURN true;
END
$$;
COMMENT ON FUNCTION planthub.retry_parked(planthub.parked, int) IS 'Internal: evaluates a parked event again';

-- Released events, the earliest first, so many at most (null: all); applying one may release others.
CREATE OR REPLACE FUNCTION planthub.retry_due(at_most int DEFAULT NULL) RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
    SET datestyle = 'ISO' SET timezone = 'UTC' AS $$
DECLARE
    next planthub.parked;
    busy bigint[] := '{}';
    n    int := 0;
    old_snapshot constant boolean := planthub.has_old_snapshot();
BEGIN
    WHILE at_most IS NULL OR n + cardinality(busy) < at_most LOOP
        SELECT * INTO next FROM planthub.parked AS p WHERE p.due AND p.message_id <> ALL (busy)
        ORDER BY p.event_time, p.message_id LIMIT 1 FOR UPDATE SKIP LOCKED;
        EXIT WHEN NOT FOUND;
        -- A sender waits for one key that is busy, not for each; who comes again need not wait with the keys of others locked.
        IF planthub.retry_parked(next, CASE WHEN at_most IS NULL AND busy = '{}' THEN 200 ELSE 0 END) THEN
            n := n + 1;
            CONTINUE WHEN NOT old_snapshot;
        END IF;
        busy := busy || next.message_id;
    END LOOP;
    IF busy <> '{}' THEN
        PERFORM planthub.wake_jobs(clock_timestamp());  -- they stay due: the job release takes them later
    END IF;
    RETURN n;
END
$$;
COMMENT ON FUNCTION planthub.retry_due(int) IS 'Internal: evaluates the released events';

-- Plans are made once per session, often while the tables are still empty: they must be good for full ones.
CREATE OR REPLACE FUNCTION planthub.receive(event jsonb, OUT outcome text, OUT code text, OUT message_id bigint, OUT violations jsonb)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
    SET datestyle = 'ISO' SET timezone = 'UTC' AS $$
DECLARE
    opened  record;
    found   record;
    m       planthub.inbound;
    broken  planthub.violation[];
    ignored boolean;
BEGIN
    IF event IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'argument "event" must not be null';
    END IF;
    opened := planthub.open_inbound(event);
    IF opened.hash IS NULL THEN
        SELECT r.* INTO outcome, code, message_id, violations FROM planthub.receive_closely(event) AS r;
        RETURN;
    END IF;
    -- The usual case: a good event of a known sender, which was not seen before and breaks no rule.
    m := opened.m;
    message_id := m.id;
    outcome := 'applied';
    IF opened.effect IS NOT NULL THEN
        broken := planthub.call_effect(opened.effect, m);
        IF broken IS NOT NULL THEN
            found := planthub.judge(m, broken);
            outcome := found.outcome;
        END IF;
    END IF;
    IF outcome IN ('applied', 'applied_with_warning') THEN
        ignored := planthub.publish_inbound(m);
    ELSIF outcome = 'parked' THEN
        found := planthub.evaluate_or_park(m, '{}');
        outcome := found.outcome;
    END IF;
    IF broken IS NOT NULL THEN
        code := found.code;
        violations := found.report;
    END IF;
    IF planthub.close_inbound(m, event, outcome, code, violations, CASE WHEN outcome <> 'rejected' THEN opened.business_key END, opened.hash) THEN
        PERFORM planthub.retry_due();
    END IF;
EXCEPTION WHEN data_exception OR program_limit_exceeded OR check_violation OR not_null_violation THEN
    IF event IS NULL THEN
        RAISE;
    END IF;
    SELECT r.* INTO outcome, code, message_id, violations FROM planthub.refuse_event(event, SQLSTATE, SQLERRM) AS r;
WHEN unique_violation THEN
    -- Another sender has written the same at this moment: now it is there to be seen, unless the snapshot is older.
    IF planthub.has_old_snapshot() THEN
        RAISE EXCEPTION USING ERRCODE = 'serialization_failure', MESSAGE = 'could not serialize access due to concurrent events',
            DETAIL = SQLERRM, HINT = 'Send the event again.';
    END IF;
    SELECT r.* INTO outcome, code, message_id, violations FROM planthub.receive_closely(event) AS r;
END
$$;
COMMENT ON FUNCTION planthub.receive(jsonb) IS
'Takes one CloudEvent: stores it, checks it, and writes its effects, its message and its deliveries in this transaction.  outcome: applied, applied_with_warning, parked (waits for something and is evaluated again when it comes), ignored or rejected; code: the first rule in the order of evaluation that it does not meet; violations: all of that step.  Business reasons never raise an error; a technical failure does, and nothing is written then';

-- Data that no rule foresaw and that cannot be used, such as the 30th of February.
CREATE OR REPLACE FUNCTION planthub.refuse_event(event jsonb, state text, message text, OUT outcome text, OUT code text, OUT message_id bigint, OUT violations jsonb)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    m planthub.inbound;
BEGIN
    m.id := nextval('planthub.message_id_seq');
    m.site := '*';
    m.source := left(event->>'source', 256);
    m.event_id := left(event->>'id', 128);
    m.topic := left(substring(event->>'type' FROM '^planthub\.(.*)\.v[0-9]+$'), 128);
    SELECT s.* INTO outcome, code, message_id, violations
    FROM planthub.judge(m, planthub.violation('SCHEMA_INVALID', '/data', format('The data cannot be used: %s (%s).', message, state))) AS j,
         planthub.store_event(m, event, NULL, NULL, false, j) AS s;
END
$$;
COMMENT ON FUNCTION planthub.refuse_event(jsonb, text, text) IS 'Internal: rejects an event whose data led to an error';

-- Everything that may be wrong with an event, one after the other.
CREATE OR REPLACE FUNCTION planthub.receive_closely(event jsonb, OUT outcome text, OUT code text, OUT message_id bigint, OUT violations jsonb)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    opened  record;
    m       planthub.inbound;
    checked record;
    hash    bytea;
    key     text;
BEGIN
    opened := planthub.open_closely(event);
    m := opened.m;
    IF opened.violations IS NOT NULL THEN
        m.id := nextval('planthub.message_id_seq');
        checked := planthub.judge(m, opened.violations);
        SELECT s.* INTO outcome, code, message_id, violations FROM planthub.store_event(m, event, NULL, NULL, false, checked) AS s;
        RETURN;
    ELSIF m.data IS NULL THEN
        hash := planthub.foreign_hash(event);
    ELSE
        hash := planthub.event_hash(m.topic, m.event_time, m.data);
        key := planthub.business_key_of(m);
    END IF;
    PERFORM planthub.lock_event(m.site, m.key, m.data->>'order', -1);
    checked := planthub.check_duplicate(m, key, hash);
    IF checked.violations IS NOT NULL OR checked.again THEN
        SELECT s.* INTO outcome, code, message_id, violations FROM planthub.receive_again(m, event, opened.s, key, hash, checked) AS s;
        RETURN;
    END IF;
    m.id := nextval('planthub.message_id_seq');
    checked := planthub.evaluate_event(event, m, opened.s, hash, '{}', -1);
    IF checked.earlier IS NOT NULL THEN
        SELECT s.* INTO outcome, code, message_id, violations FROM planthub.receive_copy(checked.m, event, hash, checked, checked.earlier, checked.mapping) AS s;
        RETURN;
    END IF;
    SELECT s.* INTO outcome, code, message_id, violations
    FROM planthub.store_event(checked.m, event, coalesce(key, checked.key), hash, true, checked, checked.mapping) AS s;
    IF planthub.take_released() THEN
        PERFORM planthub.retry_due();
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.receive_closely(jsonb) IS 'Internal: receive() for events that need a closer look';

-- An event whose identity is known: a copy, another content, or one more try after a rejection.
CREATE OR REPLACE FUNCTION planthub.receive_again(m planthub.inbound, event jsonb, s planthub.source_mapping, key text, hash bytea, duplicate record,
    OUT outcome text, OUT code text, OUT message_id bigint, OUT violations jsonb)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    verdict record;
BEGIN
    IF duplicate.again THEN
        m.id := duplicate.earlier;
        verdict := planthub.evaluate_event(event, m, s, hash, '{}', -1);
        m := verdict.m;
        UPDATE planthub.inbox AS i SET outcome = verdict.outcome, code = verdict.code, violations = verdict.report, outcome_at = clock_timestamp(),
            attempts = i.attempts + 1, copies = i.copies + 1, site = m.site, topic = m.topic, key = m.key, event_time = m.event_time,
            mapping = verdict.mapping,
            business_key = CASE WHEN verdict.outcome <> 'rejected' THEN coalesce(receive_again.key, verdict.key) END
        WHERE i.id = m.id;
        IF planthub.take_released() THEN
            PERFORM planthub.retry_due();
        END IF;
    ELSE
        verdict := planthub.judge(m, duplicate.violations);
        SELECT c.* INTO outcome, code, message_id, violations FROM planthub.receive_copy(m, event, hash, verdict, duplicate.earlier) AS c;
        RETURN;
    END IF;
    outcome := verdict.outcome;
    code := verdict.code;
    message_id := m.id;
    violations := verdict.report;
END
$$;
COMMENT ON FUNCTION planthub.receive_again(planthub.inbound, jsonb, planthub.source_mapping, text, bytea, record) IS 'Internal: an event whose identity is known already';

-- The first one counts; what says something else under its name is kept beside it.
CREATE OR REPLACE FUNCTION planthub.receive_copy(m planthub.inbound, event jsonb, hash bytea, verdict record, earlier bigint, mapping text DEFAULT NULL,
    OUT outcome text, OUT code text, OUT message_id bigint, OUT violations jsonb)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF verdict.outcome = 'ignored' THEN
        UPDATE planthub.inbox AS i SET copies = i.copies + 1 WHERE i.id = earlier;
        message_id := earlier;
    ELSE
        m.id := coalesce(m.id, nextval('planthub.message_id_seq'));
        message_id := m.id;
        PERFORM planthub.store_event(m, event, NULL, hash, false, verdict, mapping);
    END IF;
    outcome := verdict.outcome;
    code := verdict.code;
    violations := verdict.report;
END
$$;
COMMENT ON FUNCTION planthub.receive_copy(planthub.inbound, jsonb, bytea, record, bigint, text) IS 'Internal: an event that says again, or otherwise, what an earlier one has said';

-- Cases: what waits too long, by root cause.

CREATE OR REPLACE FUNCTION planthub.open_case(site text, code text, kind text, key text, title text, OUT id bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    SELECT c.id INTO id FROM planthub."case" AS c
    WHERE c.site = $1 AND c.code = $2 AND c.kind IS NOT DISTINCT FROM $3 AND c.key IS NOT DISTINCT FROM $4 AND c.closed_at IS NULL;
    IF NOT FOUND THEN
        INSERT INTO planthub."case" AS c (site, code, kind, key, title, hint, owner)
        SELECT $1, $2, $3, $4, $5, coalesce(r.hint, 'See the events of the case'), coalesce(r.owner, 'integration')
        FROM (SELECT) AS one LEFT JOIN planthub.rule AS r ON r.code = $2
        RETURNING c.id INTO id;
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.open_case(text, text, text, text, text) IS 'Number of the open case about a root cause; opens one when there is none';

CREATE OR REPLACE FUNCTION planthub.close_case(id bigint, resolution text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF id IS NULL THEN
        RETURN;
    END IF;
    UPDATE planthub."case" AS c SET closed_at = now(), resolution = coalesce(close_case.resolution, 'What was missing has arrived'),
        closed_by = CASE WHEN close_case.resolution IS NOT NULL THEN session_user END
    WHERE c.id = close_case.id AND c.closed_at IS NULL
      AND (close_case.resolution IS NOT NULL OR NOT EXISTS (SELECT FROM planthub.parked AS p WHERE p.case_id = c.id));
END
$$;
COMMENT ON FUNCTION planthub.close_case(bigint, text) IS 'Closes a case; without a resolution only when no event waits for it any more';

-- A waiting event that somebody is evaluating at this moment is not waited for; it is looked at again.
CREATE OR REPLACE FUNCTION planthub.release_due(at_most int DEFAULT NULL, OUT evaluated int, OUT cases int)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    late record;
BEGIN
    evaluated := planthub.retry_due(at_most);
    cases := 0;
    FOR late IN
        SELECT w.site, w.code, w.kind, w.key, array_agg(w.message_id) AS messages
        FROM (SELECT p.* FROM planthub.parked AS p WHERE p.case_at <= clock_timestamp() AND p.case_id IS NULL
              ORDER BY p.case_at LIMIT at_most FOR UPDATE SKIP LOCKED) AS w
        GROUP BY 1, 2, 3, 4
    LOOP
        UPDATE planthub.parked AS p SET case_id = planthub.open_case(late.site, late.code, late.kind, late.key,
            format('%s: %s "%s" has not arrived', late.code, replace(late.kind, '_', ' '), late.key))
        WHERE p.message_id = ANY (late.messages);
        cases := cases + 1;
    END LOOP;
END
$$;
COMMENT ON FUNCTION planthub.release_due(int) IS 'Evaluates released events that were left because their key was busy, and makes cases of those that wait too long, so many at most of each; the job release does it';

CREATE OR REPLACE FUNCTION planthub.release_parked(message_id bigint, waive text[] DEFAULT NULL, OUT outcome text, OUT code text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    p planthub.parked;
BEGIN
    UPDATE planthub.parked AS x SET due = true, waived = coalesce(waive, ARRAY[x.code]) WHERE x.message_id = $1 RETURNING * INTO p;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found',
            MESSAGE = format('event %s is not parked', coalesce($1::text, 'null')),
            HINT = 'See planthub.parked_event.';
    END IF;
    PERFORM planthub.log_operation('release_parked', jsonb_build_object('message_id', $1, 'waived', p.waived), 1);
    PERFORM planthub.retry_due();
    SELECT i.outcome, i.code INTO outcome, code FROM planthub.inbox AS i WHERE i.id = $1;
END
$$;
COMMENT ON FUNCTION planthub.release_parked(bigint, text[]) IS 'Evaluates a parked event again; waive: codes that a person has decided about (EVENT_TOO_OLD), null: the one that parked it';

CREATE OR REPLACE FUNCTION planthub.reject_parked(message_id bigint, reason text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    p planthub.parked;
BEGIN
    DELETE FROM planthub.parked AS x WHERE x.message_id = $1 RETURNING * INTO p;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found',
            MESSAGE = format('event %s is not parked', coalesce($1::text, 'null')),
            HINT = 'See planthub.parked_event.';
    END IF;
    UPDATE planthub.inbox AS i SET outcome = 'rejected', outcome_at = clock_timestamp(), business_key = NULL WHERE i.id = $1;
    PERFORM planthub.close_case(p.case_id);
    PERFORM planthub.log_operation('reject_parked', jsonb_build_object('message_id', $1, 'reason', reason), 1);
END
$$;
COMMENT ON FUNCTION planthub.reject_parked(bigint, text) IS 'Refuses a parked event for good';

CREATE OR REPLACE VIEW planthub.parked_event AS
SELECT p.message_id, p.site, i.topic, i.source, i.event_id, p.code, p.kind, p.key, p.since, now() - p.since AS age, p.event_time, r.hint, r.owner, p.case_id
FROM planthub.parked AS p JOIN planthub.inbox AS i ON i.id = p.message_id LEFT JOIN planthub.rule AS r ON r.code = p.code;
COMMENT ON VIEW planthub.parked_event IS 'Events that wait: for what, since when, and who can do something about it';
COMMENT ON COLUMN planthub.parked_event.message_id IS 'The event';
COMMENT ON COLUMN planthub.parked_event.site IS 'Its site';
COMMENT ON COLUMN planthub.parked_event.topic IS 'Its topic';
COMMENT ON COLUMN planthub.parked_event.source IS 'CloudEvents source';
COMMENT ON COLUMN planthub.parked_event.event_id IS 'CloudEvents id';
COMMENT ON COLUMN planthub.parked_event.code IS 'Rule that it does not meet';
COMMENT ON COLUMN planthub.parked_event.kind IS 'Kind of what it waits for';
COMMENT ON COLUMN planthub.parked_event.key IS 'Which one';
COMMENT ON COLUMN planthub.parked_event.since IS 'Since when';
COMMENT ON COLUMN planthub.parked_event.age IS 'How long';
COMMENT ON COLUMN planthub.parked_event.event_time IS 'When it happened';
COMMENT ON COLUMN planthub.parked_event.hint IS 'What to do';
COMMENT ON COLUMN planthub.parked_event.owner IS 'Who has to act';
COMMENT ON COLUMN planthub.parked_event.case_id IS 'Case that it belongs to';
