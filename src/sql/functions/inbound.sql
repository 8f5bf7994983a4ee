-- inbound: receive(), the order of its checks, parking and release.  Re-runnable.

CREATE OR REPLACE TRIGGER table_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON planthub.rule_check
    FOR EACH STATEMENT EXECUTE FUNCTION planthub.table_changed();
COMMENT ON TRIGGER table_changed ON planthub.rule_check IS 'Makes a change take effect in every backend';

CREATE OR REPLACE FUNCTION planthub.event_hash(topic text, event_time timestamptz, data jsonb) RETURNS bytea
LANGUAGE c STRICT IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'planthub_event_hash';
COMMENT ON FUNCTION planthub.event_hash(text, timestamptz, jsonb) IS 'SHA-256 of the canonical form of a fact: the same for members in another order, decimals with trailing zeros, and whatever belongs to the transport';

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['source', 'source_mapping', 'topic_source', 'effect', 'policy', 'site_policy'] LOOP
        EXECUTE format('CREATE OR REPLACE TRIGGER table_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE '
            'ON planthub.%I FOR EACH STATEMENT EXECUTE FUNCTION planthub.table_changed()', name);
        EXECUTE format('COMMENT ON TRIGGER table_changed ON planthub.%I IS %L', name, 'Makes a change take effect in every backend');
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION planthub.open_inbound(event jsonb, OUT m planthub.inbound, OUT effect text, OUT business_key text, OUT hash bytea)
LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'planthub_open_inbound';
COMMENT ON FUNCTION planthub.open_inbound(jsonb) IS 'Internal: an event that is new, keeps its contracts and whose sender may send it, ready to be evaluated, with its key locked; all null when it needs a closer look';

CREATE OR REPLACE FUNCTION planthub.close_inbound(m planthub.inbound, event jsonb, outcome text, code text, violations jsonb, business_key text, hash bytea) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'planthub_close_inbound';
COMMENT ON FUNCTION planthub.close_inbound(planthub.inbound, jsonb, text, text, jsonb, text, bytea) IS 'Internal: writes an event that was opened into the inbox; whether events are released, as take_released() says';

CREATE OR REPLACE FUNCTION planthub.bring(kind text, keys text[]) RETURNS boolean
LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'planthub_bring';
COMMENT ON FUNCTION planthub.bring(text, text[]) IS 'Releases the events that wait for things of this kind, and says whether there were any; for effects, after they have written the things';

CREATE OR REPLACE FUNCTION planthub.take_released() RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'planthub_take_released';
COMMENT ON FUNCTION planthub.take_released() IS 'Internal: whether bring() has released events since this was asked last, or others left released ones behind';

CREATE OR REPLACE FUNCTION planthub.quantity_value(value text) RETURNS numeric
LANGUAGE c STRICT IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'planthub_quantity_value';
COMMENT ON FUNCTION planthub.quantity_value(text) IS 'The value of a quantity; null when it does not fit numeric(18,6) exactly';

CREATE OR REPLACE FUNCTION planthub.lock_things(kind text, keys text[]) RETURNS boolean
LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'planthub_lock_things';
COMMENT ON FUNCTION planthub.lock_things(text, text[]) IS 'Internal: locks things that events may wait for until the end of the transaction, in one order';

CREATE OR REPLACE FUNCTION planthub.lock_key(site text, key text, patience int) RETURNS boolean
LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'planthub_lock_key';
COMMENT ON FUNCTION planthub.lock_key(text, text, int) IS 'Internal: locks an ordering key until the end of the transaction; patience: how many milliseconds it waits, negative: as long as it takes';

-- Senders choose ordering keys; what is about one order must not run side by side whatever they chose.  Two keys are
-- locked in one order, for the key of one event may name the order of the other.
CREATE OR REPLACE FUNCTION planthub.lock_event(site text, key text, order_no text, patience int) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF order_no IS NULL OR key = 'mo:' || order_no THEN
        RETURN planthub.lock_key(site, key, patience);
    END IF;
    RETURN planthub.lock_key(site, least(key COLLATE "C", 'mo:' || order_no), patience)
        AND planthub.lock_key(site, greatest(key COLLATE "C", 'mo:' || order_no), patience);
END
$$;
COMMENT ON FUNCTION planthub.lock_event(text, text, text, int) IS 'Internal: locks the ordering key of an event, and the order that it names';

CREATE OR REPLACE FUNCTION planthub.has_old_snapshot() RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN current_setting('transaction_isolation') IN ('repeatable read', 'serializable');
END
$$;
COMMENT ON FUNCTION planthub.has_old_snapshot() IS 'Internal: whether this transaction sees to its end what was there at its beginning';

CREATE OR REPLACE FUNCTION planthub.call_effect(function text, event planthub.inbound) RETURNS planthub.violation[]
LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'planthub_call_effect';
COMMENT ON FUNCTION planthub.call_effect(text, planthub.inbound) IS 'Internal: calls the function of planthub.effect';

CREATE OR REPLACE FUNCTION planthub.run_checks(step text, topic text, event planthub.inbound, lines planthub.line[]) RETURNS planthub.violation[]
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'planthub_run_checks';
COMMENT ON FUNCTION planthub.run_checks(text, text, planthub.inbound, planthub.line[]) IS 'Internal: what the checks of planthub.rule_check find at a step; null when nothing';

CREATE OR REPLACE FUNCTION planthub.publish_inbound(event planthub.inbound) RETURNS boolean
LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'planthub_publish_inbound';
COMMENT ON FUNCTION planthub.publish_inbound(planthub.inbound) IS 'Internal: publishes what was received, under the number it has';

CREATE OR REPLACE FUNCTION planthub.add_movements(message_id bigint, lines planthub.line[], posting_date date DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'planthub_add_movements';
COMMENT ON FUNCTION planthub.add_movements(bigint, planthub.line[], date) IS 'Adds to the message that will be published for an event the movements that it led to, as member "movements", and the day they are posted on when it is another than the event says; for effects';

-- Violations

CREATE OR REPLACE FUNCTION planthub.violation(code text, pointer text, detail text, kind text DEFAULT NULL, key text DEFAULT NULL)
RETURNS planthub.violation[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT ARRAY[ROW(code, pointer, detail, kind, key)::planthub.violation];
END;
COMMENT ON FUNCTION planthub.violation(text, text, text, text, text) IS 'An array of one violation: code, JSON pointer, a sentence, and kind and key of what it waits for';

-- A code without a row in planthub.rule rejects.
CREATE OR REPLACE FUNCTION planthub.judge(event planthub.inbound, violations planthub.violation[],
    OUT outcome text, OUT code text, OUT report jsonb, OUT kind text, OUT key text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    stop text;
BEGIN
    -- "warn" and "allow" let it pass; of those that stop, the first in the order of evaluation gives the outcome.
    -- Only the step of that one is reported: what comes after a failed step may be a consequence.
    SELECT j.report, j.stops[1], j.codes[1], j.kinds[1], j.keys[1], j.passes[1]
    INTO report, stop, judge.code, judge.kind, judge.key, outcome
    FROM (
        SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object('code', v.code, 'outcome', v.outcome, 'pointer', v.pointer,
                   'detail', v.detail, 'hint', v.hint,
                   'waits_for', CASE WHEN v.outcome = 'park' THEN jsonb_build_object('kind', v.kind, 'key', v.key) END))
                   ORDER BY v.position, v.n) AS report,
               array_agg(v.outcome ORDER BY v.position, v.n) FILTER (WHERE v.outcome <> 'warn') AS stops,
               array_agg(v.code ORDER BY v.outcome = 'warn', v.position, v.n) AS codes,
               array_agg(v.kind ORDER BY v.outcome = 'warn', v.position, v.n) AS kinds,
               array_agg(v.key ORDER BY v.outcome = 'warn', v.position, v.n) AS keys,
               array_agg('applied_with_warning'::text) AS passes
        FROM (
            SELECT w.*, min(w.position) FILTER (WHERE w.outcome <> 'warn') OVER () / 100 AS step
            FROM (
                SELECT x.code, x.pointer, x.detail, x.kind, x.key, x.n, coalesce(r.position, 1450) AS position, r.hint,
                       coalesce(event.policies->>r.policy, r.outcome, 'reject') AS outcome
                FROM unnest(violations) WITH ORDINALITY AS x (code, pointer, detail, kind, key, n)
                LEFT JOIN planthub.rule AS r ON r.code = x.code) AS w
            WHERE w.outcome <> 'allow') AS v
        WHERE v.outcome = 'warn' OR v.position / 100 = v.step) AS j;
    outcome := CASE stop WHEN 'reject' THEN 'rejected' WHEN 'park' THEN 'parked' WHEN 'ignore' THEN 'ignored'
                         ELSE coalesce(outcome, 'applied') END;
END
$$;
COMMENT ON FUNCTION planthub.judge(planthub.inbound, planthub.violation[]) IS 'Internal: outcome that violations lead to by the rules and the policies of the site, the code that decides, the report, and what is waited for';

CREATE OR REPLACE FUNCTION planthub.stops(event planthub.inbound, violations planthub.violation[]) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN violations IS NOT NULL AND EXISTS (
        SELECT FROM unnest(violations) AS v LEFT JOIN planthub.rule AS r ON r.code = v.code
        WHERE coalesce(event.policies->>r.policy, r.outcome, 'reject') NOT IN ('warn', 'allow'));
END
$$;
COMMENT ON FUNCTION planthub.stops(planthub.inbound, planthub.violation[]) IS 'Whether one of the violations stops the event, by the rules and the policies of the site; an effect then returns them and writes nothing';

-- References of the form {"scheme": ..., "id": ...}

CREATE OR REPLACE FUNCTION planthub.reference_set(member text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE
        WHEN member IN ('item', 'component', 'item_supplier') THEN 'item'
        WHEN member IN ('site') THEN 'site'
        WHEN member IN ('party', 'supplier', 'customer', 'carrier', 'recipient') THEN 'party'
        WHEN member IN ('order') THEN 'production_order'
        ELSE 'equipment' END;
END;
COMMENT ON FUNCTION planthub.reference_set(text) IS 'Internal: set of the cross-reference in which a member of the data is looked up';

CREATE OR REPLACE FUNCTION planthub.reference_system(scheme text, system text, site text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found text;
BEGIN
    SELECT s.code INTO found FROM planthub.system AS s
    WHERE s.code = scheme OR s.kind = scheme AND (s.code = reference_system.system OR s.site IN (reference_system.site, '*'))
    ORDER BY s.code = scheme DESC, s.code = reference_system.system DESC, s.site <> '*' DESC, s.code LIMIT 1;
    RETURN coalesce(found, scheme);
END
$$;
COMMENT ON FUNCTION planthub.reference_system(text, text, text) IS 'Internal: the system that a scheme means: its code, or its kind, then the sender before others of the site';

-- value: data or a part of it; member: name under which it stands.
CREATE OR REPLACE FUNCTION planthub.resolve_references(event planthub.inbound, value jsonb, member text, pointer text,
    OUT resolved jsonb, OUT violations planthub.violation[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    part  record;
    inner_value record;
    found text[];
    wanted text;
BEGIN
    resolved := value;
    IF jsonb_typeof(value) = 'object' AND value ?& '{scheme,id}' THEN
        wanted := planthub.reference_system(value->>'scheme', event.system, event.site);
        SELECT array_agg(x.canonical) INTO found
        FROM planthub.xref_find(planthub.reference_set(member), value->>'id', wanted, event.site, NULL, event.event_time) AS x;
        IF cardinality(found) = 1 THEN
            resolved := to_jsonb(found[1]);
        ELSIF found IS NULL THEN
            violations := planthub.violation('MAPPING_MISSING', pointer,
                format('%s "%s" of system "%s" has no entry in the cross-reference.', planthub.reference_set(member), value->>'id', wanted),
                'xref', concat_ws('/', planthub.reference_set(member), value->>'id'));
        ELSE
            violations := planthub.violation('MAPPING_AMBIGUOUS', pointer,
                format('%s "%s" of system "%s" means %s.', planthub.reference_set(member), value->>'id', wanted, array_to_string(found, ' and ')));
        END IF;
    ELSIF jsonb_typeof(value) = 'object' THEN
        FOR part IN SELECT e.key, e.value FROM jsonb_each(value) AS e WHERE jsonb_typeof(e.value) IN ('object', 'array') LOOP
            inner_value := planthub.resolve_references(event, part.value, part.key, pointer || '/' || replace(replace(part.key, '~', '~0'), '/', '~1'));
            resolved := jsonb_set(resolved, ARRAY[part.key], inner_value.resolved);
            violations := violations || inner_value.violations;
        END LOOP;
    ELSIF jsonb_typeof(value) = 'array' THEN
        FOR part IN SELECT e.n, e.value FROM jsonb_array_elements(value) WITH ORDINALITY AS e (value, n) WHERE jsonb_typeof(e.value) IN ('object', 'array') LOOP
            inner_value := planthub.resolve_references(event, part.value, member, pointer || '/' || part.n - 1);
            resolved := jsonb_set(resolved, ARRAY[(part.n - 1)::text], inner_value.resolved);
            violations := violations || inner_value.violations;
        END LOOP;
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.resolve_references(planthub.inbound, jsonb, text, text) IS 'Internal: replaces every {"scheme", "id"} in the data by the canonical identifier';

-- Envelope, sender, contract

-- The part of an event that the hub itself needs.  Times have been checked, or are null.
CREATE OR REPLACE FUNCTION planthub.event_instant(text text) RETURNS timestamptz
LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN text::timestamptz;
EXCEPTION WHEN invalid_datetime_format OR datetime_field_overflow OR invalid_time_zone_displacement_value THEN
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION planthub.event_instant(text) IS 'Internal: an instant of RFC 3339, null when there is no such time';

CREATE OR REPLACE FUNCTION planthub.schema_violations(code text, report jsonb) RETURNS planthub.violation[]
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT array_agg(ROW(code, coalesce(v.value->>'pointer', v.value->>'instanceLocation'), v.value->>'error', NULL, NULL)::planthub.violation ORDER BY v.n)
            FROM jsonb_array_elements(report) WITH ORDINALITY AS v (value, n));
END
$$;
COMMENT ON FUNCTION planthub.schema_violations(text, jsonb) IS 'Internal: what a contract found, as violations';

CREATE OR REPLACE FUNCTION planthub.check_envelope(event jsonb, as_sent jsonb DEFAULT NULL) RETURNS planthub.violation[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found jsonb;
BEGIN
    IF jsonb_typeof(event) <> 'object' THEN
        RETURN planthub.violation('ENVELOPE_INVALID', '', 'The event is not a JSON object.');
    END IF;
    IF octet_length(coalesce(as_sent, event)::text) > pg_size_bytes(current_setting('planthub.max_payload_size')) THEN
        RETURN planthub.violation('ENVELOPE_INVALID', '', format('The event is larger than "planthub.max_payload_size" (%s) allows.', current_setting('planthub.max_payload_size')));
    END IF;
    found := planthub.contract_violations('_envelope', 1, event);
    IF found <> '[]' THEN
        RETURN planthub.schema_violations('ENVELOPE_INVALID', found);
    END IF;
    IF planthub.event_instant(event->>'time') IS NULL THEN
        RETURN planthub.violation('ENVELOPE_INVALID', '/time', 'There is no such time.');
    END IF;
    IF planthub.event_instant(event->>'recordedtime') IS NULL THEN
        RETURN planthub.violation('ENVELOPE_INVALID', '/recordedtime', 'There is no such time.');
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION planthub.check_envelope(jsonb, jsonb) IS 'Internal: what is wrong with the envelope of an event; null when nothing';

-- The sender's offset from UTC in minutes.
CREATE OR REPLACE FUNCTION planthub.instant_offset(text text) RETURNS smallint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN right(text, 1) = 'Z' THEN 0
                ELSE (left(right(text, 6), 1) || (left(right(text, 5), 2)::int * 60 + right(text, 2)::int))::int END::smallint;
END;
COMMENT ON FUNCTION planthub.instant_offset(text) IS 'Internal: offset from UTC in minutes of an instant of RFC 3339';

CREATE OR REPLACE FUNCTION planthub.open_event(event jsonb) RETURNS planthub.inbound
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    m      planthub.inbound;
    schema text := event->>'dataschema';
BEGIN
    m.source := event->>'source';
    m.event_id := event->>'id';
    m.topic := split_part(schema, ':', 4);
    m.version := CASE WHEN length(split_part(schema, ':', 5)) <= 9 THEN split_part(schema, ':', 5)::int ELSE 0 END;
    m.subject := event->>'subject';
    m.key := event->>'partitionkey';
    m.event_time := event->>'time';
    m.event_offset := planthub.instant_offset(event->>'time');
    m.sent_at := event->>'recordedtime';
    m.correlation_id := event->>'correlationid';
    m.causation_id := event->>'causationid';
    m.traceparent := event->>'traceparent';
    m.data := event->'data';
    m.site := '*';
    RETURN m;
END
$$;
COMMENT ON FUNCTION planthub.open_event(jsonb) IS 'Internal: the envelope of an event, which has been checked';

-- The site of a fact: what the event says, else what its order says, else that of the source.
CREATE OR REPLACE FUNCTION planthub.event_site(event jsonb, m planthub.inbound, source_site text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    named jsonb := coalesce(event->'site', m.data->'site');
    found text;
BEGIN
    IF jsonb_typeof(named) = 'object' THEN
        SELECT min(x.canonical) INTO found
        FROM planthub.xref_find('site', named->>'id', planthub.reference_system(named->>'scheme', m.system, source_site), '*', NULL, m.event_time) AS x
        HAVING count(*) = 1;
        RETURN coalesce(found, source_site);
    ELSIF jsonb_typeof(named) = 'string' THEN
        RETURN named #>> '{}';
    ELSIF source_site = '*' AND m.data ? 'order' THEN
        SELECT min(o.site) INTO found FROM planthub.production_order AS o WHERE o.order_no = m.data->>'order' HAVING count(*) = 1;
    END IF;
    RETURN coalesce(found, source_site);
END
$$;
COMMENT ON FUNCTION planthub.event_site(jsonb, planthub.inbound, text) IS 'Internal: site of a fact';

CREATE OR REPLACE FUNCTION planthub.policies(site text) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT jsonb_object_agg(d.name, d.value) FROM planthub.policy AS d WHERE d.value IS NOT NULL)
        || coalesce((SELECT p.settings FROM planthub.site_policy AS p WHERE p.site = '*'), '{}')
        || coalesce((SELECT p.settings FROM planthub.site_policy AS p WHERE p.site = policies.site), '{}');
END
$$;
COMMENT ON FUNCTION planthub.policies(text) IS 'Policies that hold for a site, as an object';

-- Who sends, for which site, and whether it may.  untranslated: the data may still tell the site, so what the sender may
-- send there is not asked yet.  is_foreign: a mapping has to make the data.
CREATE OR REPLACE FUNCTION planthub.check_source(event jsonb, INOUT m planthub.inbound, untranslated boolean DEFAULT false,
    OUT violations planthub.violation[], OUT is_foreign boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    sender  record;
    allowed boolean;
BEGIN
    SELECT s.system, s.site, s.enabled, y.kind, s.clock_tolerance, f.uri IS NOT NULL AS is_foreign INTO sender
    FROM planthub.source AS s JOIN planthub.system AS y ON y.code = s.system
    LEFT JOIN planthub.source_mapping AS f ON f.uri = s.uri AND f.type = event->>'type' WHERE s.uri = m.source;
    is_foreign := coalesce(sender.is_foreign, false);
    IF NOT FOUND OR NOT sender.enabled THEN
        violations := planthub.violation('SOURCE_NOT_AUTHORISED', '/source',
            format('Source "%s" is not %s.', m.source, CASE WHEN sender.system IS NULL THEN 'registered' ELSE 'enabled' END));
        RETURN;
    END IF;
    m.system := sender.system;
    m.kind := sender.kind;
    m.site := planthub.event_site(event, m, sender.site);
    SELECT z.timezone INTO m.timezone FROM planthub.site AS z WHERE z.code = m.site;
    IF NOT FOUND OR sender.site NOT IN ('*', m.site) THEN
        violations := planthub.violation('SOURCE_NOT_AUTHORISED', '/source', format('Source "%s" does not send for site "%s".', m.source, m.site));
        m.site := CASE WHEN m.timezone IS NULL THEN '*' ELSE m.site END;
        RETURN;
    END IF;
    m.policies := planthub.policies(m.site);
    IF sender.clock_tolerance IS NOT NULL THEN
        m.policies := m.policies || jsonb_build_object('future_event_limit_min', (extract(epoch FROM sender.clock_tolerance) / 60)::text);
    END IF;
    IF untranslated THEN
        RETURN;
    END IF;
    SELECT t.allowed INTO allowed FROM planthub.topic_source AS t
    WHERE t.topic = m.topic AND t.sender IN (m.system, m.kind) AND t.site IN (m.site, '*')
    ORDER BY t.sender = m.system DESC, t.site <> '*' DESC, t.builtin LIMIT 1;
    IF allowed IS NOT TRUE THEN
        violations := planthub.violation('SOURCE_NOT_AUTHORISED', '/type',
            format('Source "%s" (system "%s", %s) may not send %s for site "%s".', m.source, m.system, m.kind, m.topic, m.site));
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.check_source(jsonb, planthub.inbound, boolean) IS 'Internal: whether the sender is known and may send the topic for the site';

-- A topic without any contract, one of the plant's own, is free.
CREATE OR REPLACE FUNCTION planthub.contract_accepts(topic text, version int) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c record;
BEGIN
    SELECT k.status, k.sunset INTO c FROM planthub.contract AS k WHERE k.topic = $1 AND k.version = $2;
    IF FOUND THEN
        RETURN c.status = 'active' OR c.status = 'deprecated' AND (c.sunset IS NULL OR c.sunset > now());
    END IF;
    RETURN NOT EXISTS (SELECT FROM planthub.contract AS k WHERE k.topic = $1);
END
$$;
COMMENT ON FUNCTION planthub.contract_accepts(text, int) IS 'Whether data of this version of a topic is accepted';

CREATE OR REPLACE FUNCTION planthub.check_contract(event jsonb, m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found jsonb;
BEGIN
    IF event->>'type' IS DISTINCT FROM format('planthub.%s.v%s', m.topic, m.version) OR NOT planthub.contract_accepts(m.topic, m.version) THEN
        RETURN planthub.violation('SCHEMA_VERSION_UNSUPPORTED', '/dataschema',
            format('Version %s of topic %s is not accepted, or is not that of the type.', m.version, m.topic));
    END IF;
    IF NOT EXISTS (SELECT FROM planthub.contract AS k WHERE k.topic = m.topic) THEN
        RETURN NULL;
    END IF;
    found := planthub.contract_violations(m.topic, m.version, m.data, 50, '/data');
    IF found <> '[]' THEN
        RETURN planthub.schema_violations('SCHEMA_INVALID', found);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION planthub.check_contract(jsonb, planthub.inbound) IS 'Internal: whether the data keeps the contract of its version';
