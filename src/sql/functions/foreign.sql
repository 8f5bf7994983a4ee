-- foreign: events that carry the data of another system.  A mapping makes them what the contract wants, before anything
-- else looks at them.  Re-runnable.

-- Version of the contract that a mapping makes for a topic: what it says itself, else the newest.
CREATE OR REPLACE FUNCTION planthub.made_version(mapping text, topic text) RETURNS int
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN coalesce(
        (SELECT split_part(m.contract_out, '@', 2)::int FROM planthub.mapping AS m
         WHERE m.name = split_part($1, '@', 1) AND split_part(m.contract_out, '@', 1) = $2
         ORDER BY $1 IN (format('%s@%s', m.name, m.version), format('%s@%s:%s', m.name, m.version, m.site)) DESC, m.status = 'active' DESC, m.version DESC LIMIT 1),
        (SELECT max(k.version) FROM planthub.contract AS k WHERE k.topic = $2 AND k.status = 'active'), 1);
END
$$;
COMMENT ON FUNCTION planthub.made_version(text, text) IS 'Internal: version of the contract of a topic that a mapping makes';

CREATE OR REPLACE FUNCTION planthub.set_source_mapping(uri text, topic text, mapping text, version int DEFAULT NULL, type text DEFAULT NULL,
    xml jsonb DEFAULT NULL, site_expression text DEFAULT NULL, env jsonb DEFAULT '{}') RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    number  int := $4;
    sent_as text := $5;
    waiting text;
BEGIN
    IF NOT EXISTS (SELECT FROM planthub.source AS s WHERE s.uri = $1) THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = format('source "%s" does not exist', $1),
            HINT = 'Register it with planthub.set_source().';
    ELSIF $2 IS NULL AND $5 IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'topic and type must not both be null',
            HINT = 'Name the type under which the source sends, where the mapping tells the topic.';
    ELSIF $2 IS NOT NULL THEN
        PERFORM planthub.config_require('topic', $2);
        IF $3 IS NULL AND $4 IS NULL THEN   -- the one that is there
            SELECT max(m.version) INTO number FROM planthub.source_mapping AS m
            WHERE m.uri = $1 AND m.topic = $2 AND m.type = format('planthub.%s.v%s', m.topic, m.version);
        END IF;
        number := coalesce(number, planthub.made_version($3, $2));
        sent_as := coalesce(sent_as, format('planthub.%s.v%s', $2, number));
    END IF;
    IF $3 IS NOT NULL THEN
        -- retire_mapping() must see this row, or this see what it has done
        PERFORM pg_advisory_xact_lock(hashtextextended('planthub.mapping ' || split_part($3, '@', 1), 0));
        PERFORM planthub.check_route_mapping($3);
        PERFORM planthub.check_condition($7);
        IF $6 IS NOT NULL THEN
            PERFORM planthub.xml_to_json('<x/>', $6);
        END IF;
        PERFORM planthub.lint_notice(format('source "%s": mapping "%s" makes %s, not %s', $1, $3, m.contract_out, $2), NULL, 'Use another mapping, or name the topic that it makes.')
        FROM planthub.mapping AS m
        WHERE split_part(m.contract_out, '@', 1) <> $2
          AND ($3 = m.name AND m.status = 'active' OR $3 IN (format('%s@%s', m.name, m.version), format('%s@%s:%s', m.name, m.version, m.site)));
    ELSE
        SELECT string_agg(p.message_id::text, ', ' ORDER BY p.message_id) INTO waiting
        FROM planthub.parked AS p JOIN planthub.inbox AS i ON i.id = p.message_id
        WHERE i.source = $1 AND i.event->>'type' = sent_as AND i.mapping IS NOT NULL;
        IF waiting IS NOT NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'dependent_objects_still_exist',
                MESSAGE = format('mapping of source "%s" is in use', $1),
                DETAIL = format('Parked events of type %s wait to be translated: %s.', sent_as, left(waiting, 200)),
                HINT = 'Release or reject them first, see planthub.parked_event.';
        END IF;
    END IF;
    DELETE FROM planthub.source_mapping AS m WHERE m.uri = $1 AND m.type = sent_as;
    IF $3 IS NOT NULL THEN
        PERFORM planthub.config_insert('source_mapping', sent_as, jsonb_build_object('uri', $1, 'type', sent_as, 'topic', $2, 'version', number,
            'mapping', $3, 'xml', $6, 'site_expression', $7, 'env', coalesce($8, '{}')));
        UPDATE planthub.parked AS p SET due = true FROM planthub.inbox AS i
        WHERE i.id = p.message_id AND i.source = $1 AND i.event->>'type' = sent_as AND i.mapping IS NOT NULL;
        PERFORM planthub.retry_due();
    ELSIF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = format('source "%s" has no mapping for type "%s"', $1, sent_as),
            HINT = 'Look in the table planthub.source_mapping.';
    ELSE
        PERFORM planthub.log_operation('set_source_mapping', jsonb_build_object('uri', $1, 'type', sent_as, 'mapping', NULL), 1);
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.set_source_mapping(text, text, text, int, text, jsonb, text, jsonb) IS
'Says which mapping translates the data of a source, before anything else looks at them: a name (its active version for the site), name@3 or name@3:P1; null: no mapping any more.  topic: what they become; null: the mapping makes members of the event, topic and data, and time, subject, site, partitionkey, correlationid and causationid if it likes.  version: of the contract, else that of the mapping, else the newest; type: CloudEvents type under which the source sends them, else planthub.<topic>.v<version>; xml: the data are XML, read with these options of planthub.xml_to_json(); site_expression: JMESPath expression for the site that a document is about, as the system calls it, for sources that send for several; env: members of $env that the documents do not say';

-- Opening

CREATE OR REPLACE FUNCTION planthub.source_mapping_of(event jsonb) RETURNS planthub.source_mapping
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found planthub.source_mapping;
BEGIN
    SELECT * INTO found FROM planthub.source_mapping AS s WHERE s.uri = event->>'source' AND s.type = event->>'type';
    RETURN found;
END
$$;
COMMENT ON FUNCTION planthub.source_mapping_of(jsonb) IS 'Internal: the mapping for an event, all null when its data come as the contract wants them';

-- CloudEvents asks for id, source and type only.  What follows from the data is not known yet.
CREATE OR REPLACE FUNCTION planthub.foreign_envelope(event jsonb, s planthub.source_mapping, arrived timestamptz) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    moment constant text := to_char(arrived AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
BEGIN
    RETURN jsonb_build_object('time', coalesce(event->>'recordedtime', moment), 'recordedtime', moment, 'partitionkey', concat('id:', event->>'id'), 'correlationid', concat('id:', event->>'id'))
        || (event - '{data_base64,datacontenttype}'::text[])
        || jsonb_build_object('type', format('planthub.%s.v%s', coalesce(s.topic, 'not.known'), coalesce(s.version, 0)),
            'dataschema', format('urn:planthub:schema:%s:%s', coalesce(s.topic, 'not.known'), coalesce(s.version, 0)), 'data', '{}'::jsonb);
END
$$;
COMMENT ON FUNCTION planthub.foreign_envelope(jsonb, planthub.source_mapping, timestamptz) IS 'Internal: envelope of an event with the data of another system, with what the hub needs';

-- What comes before the identity of an event is established.  Without violations, m.data is null when a mapping has to
-- make them; s is that mapping then.
CREATE OR REPLACE FUNCTION planthub.open_closely(event jsonb, OUT m planthub.inbound, OUT s planthub.source_mapping, OUT violations planthub.violation[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    checked record;
BEGIN
    violations := planthub.check_envelope(event);
    IF violations IS NULL THEN
        m := planthub.open_event(event);
        checked := planthub.check_source(event, m);
        m := checked.m;
        IF NOT checked.is_foreign THEN
            violations := coalesce(checked.violations, planthub.check_contract(event, m));
            RETURN;
        END IF;
    END IF;
    s := planthub.source_mapping_of(event);
    IF s.uri IS NULL THEN
        m.site := '*';
        m.source := left(event->>'source', 256);
        m.event_id := left(event->>'id', 128);
        RETURN;
    END IF;
    checked := planthub.open_foreign(event, s, clock_timestamp());
    m := checked.m;
    violations := checked.violations;
END
$$;
COMMENT ON FUNCTION planthub.open_closely(jsonb) IS 'Internal: envelope, sender and contract of an event, and the mapping that its data need';

CREATE OR REPLACE FUNCTION planthub.open_foreign(event jsonb, s planthub.source_mapping, arrived timestamptz, OUT m planthub.inbound, OUT violations planthub.violation[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    envelope constant jsonb := planthub.foreign_envelope(event, s, arrived);
    checked  record;
BEGIN
    violations := CASE WHEN s.uri IS NULL THEN planthub.violation('SOURCE_NOT_AUTHORISED', '/type',
                           format('Source "%s" has no mapping for type "%s" any more.', event->>'source', event->>'type'))
                       ELSE planthub.check_envelope(envelope, event) END;
    IF violations IS NOT NULL THEN
        m.site := '*';
        m.source := left(event->>'source', 256);
        m.event_id := left(event->>'id', 128);
        RETURN;
    END IF;
    m := planthub.open_event(envelope);
    m.topic := s.topic;
    m.data := NULL;
    checked := planthub.check_source(envelope, m, true);
    m := checked.m;
    violations := checked.violations;
END
$$;
COMMENT ON FUNCTION planthub.open_foreign(jsonb, planthub.source_mapping, timestamptz) IS 'Internal: envelope and sender of an event with the data of another system';

-- The hash is of what was sent: the sender knows nothing else, and what a mapping makes of it changes with its versions.
CREATE OR REPLACE FUNCTION planthub.foreign_hash(event jsonb) RETURNS bytea
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT planthub.event_hash(event->>'type', coalesce(planthub.event_instant(event->>'time'), 'epoch'),
        pg_catalog.jsonb_build_object('data', event->'data', 'data_base64', event->'data_base64'));
END;
COMMENT ON FUNCTION planthub.foreign_hash(jsonb) IS 'Internal: SHA-256 of an event with the data of another system, as they were sent';

-- Translating

CREATE OR REPLACE FUNCTION planthub.mapping_violations_in(errors jsonb) RETURNS planthub.violation[]
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT array_agg(ROW(
                CASE WHEN e.value->>'retry' = 'after-data-fix' THEN 'MAPPING_MISSING'
                     WHEN e.value->>'code' = 'ambiguous-code' THEN 'MAPPING_AMBIGUOUS' ELSE 'MAPPING_FAILED' END,
                '/data' || coalesce(e.value->>'input', ''),
                format('%s: %s, for "%s" (%s#%s%s).', e.value->>'code', e.value->>'message', e.value->>'at', e.value->>'mapping',
                    e.value->>'template', ', column ' || (e.value->>'column')),
                CASE WHEN e.value->>'retry' <> 'after-data-fix' THEN 'mapping' WHEN e.value ? 'set' THEN 'xref' ELSE 'unit' END,
                CASE WHEN e.value->>'retry' <> 'after-data-fix' THEN split_part(e.value->>'mapping', '@', 1)
                     ELSE concat_ws('/', e.value->>'set', e.value->>'key') END)::planthub.violation ORDER BY e.n)
            FROM jsonb_array_elements(errors) WITH ORDINALITY AS e (value, n));
END
$$;
COMMENT ON FUNCTION planthub.mapping_violations_in(jsonb) IS 'Internal: what a mapping found in the data of an event, as violations';

CREATE OR REPLACE FUNCTION planthub.foreign_document(event jsonb, s planthub.source_mapping) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT event ?| '{data,data_base64}' THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception', MESSAGE = 'the event has no data';
    ELSIF s.xml IS NULL THEN
        RETURN CASE WHEN event ? 'data_base64' THEN convert_from(decode(event->>'data_base64', 'base64'), 'UTF8')::jsonb ELSE event->'data' END;
    ELSIF event ? 'data_base64' THEN
        RETURN planthub.xml_to_json(decode(event->>'data_base64', 'base64'), s.xml);
    ELSIF jsonb_typeof(event->'data') <> 'string' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_xml_document', MESSAGE = 'the data are not a string with a document in XML';
    END IF;
    RETURN planthub.xml_to_json(event->>'data', s.xml);
END
$$;
COMMENT ON FUNCTION planthub.foreign_document(jsonb, planthub.source_mapping) IS 'Internal: the data of an event as JSON, what a mapping reads';

-- The site that a document is about: a code of the cross-reference, or a site.
CREATE OR REPLACE FUNCTION planthub.foreign_site(document jsonb, s planthub.source_mapping, m planthub.inbound, OUT site text, OUT violations planthub.violation[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wanted constant text := planthub.jmespath(s.site_expression, document) #>> '{}';
    n      bigint;
BEGIN
    SELECT min(x.canonical), count(*) INTO site, n FROM planthub.xref_find('site', wanted, m.system, '*', NULL, m.event_time) AS x;
    IF n > 1 THEN
        violations := planthub.violation('MAPPING_AMBIGUOUS', '/data', format('Site "%s" of system "%s" has several entries in the cross-reference.', wanted, m.system));
    ELSIF n = 0 THEN
        SELECT x.code INTO site FROM planthub.site AS x WHERE x.code = wanted;
        IF NOT FOUND THEN
            violations := CASE WHEN wanted IS NULL THEN planthub.violation('MAPPING_FAILED', '/data', format('%s finds no site in the document.', s.site_expression),
                    'mapping', split_part(s.mapping, '@', 1))
                ELSE planthub.violation('MAPPING_MISSING', '/data', format('Site "%s" of system "%s" has no entry in the cross-reference.', wanted, m.system),
                    'xref', 'site/' || wanted) END;
        END IF;
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.foreign_site(jsonb, planthub.source_mapping, planthub.inbound) IS 'Internal: site that a document of another system is about';

-- $env.received_at is the date of codes: like references in canonical data they hold at the time of the event.  What
-- fails here is kept with the event: the sender did nothing wrong when a version of a mapping is gone.
CREATE OR REPLACE FUNCTION planthub.translate_event(event jsonb, s planthub.source_mapping, INOUT m planthub.inbound, OUT mapping text, OUT violations planthub.violation[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    document jsonb;
    place    record;
    done     record;
    detail   text;
BEGIN
    mapping := s.mapping;
    document := planthub.foreign_document(event, s);
    IF s.site_expression IS NOT NULL AND m.site = '*' THEN
        place := planthub.foreign_site(document, s, m);
        violations := place.violations;
        IF violations IS NOT NULL THEN
            RETURN;
        END IF;
        m.site := place.site;
        m.policies := m.policies || planthub.policies(m.site);
        SELECT z.timezone INTO m.timezone FROM planthub.site AS z WHERE z.code = m.site;
    END IF;
    done := planthub.translate(s.mapping, document, m.site, s.env || jsonb_build_object('received_at', to_jsonb(m.event_time), 'time', coalesce(event->'time', to_jsonb(m.event_time)),
        'system', m.system, 'site', m.site, 'topic', m.topic, 'type', s.type, 'source', m.source, 'id', m.event_id, 'subject', m.subject, 'key', m.key,
        'timezone', m.timezone));
    mapping := done.version;
    m.data := done.output;
    violations := planthub.mapping_violations_in(done.errors);
EXCEPTION WHEN data_exception OR program_limit_exceeded OR feature_not_supported OR undefined_object OR object_not_in_prerequisite_state THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    violations := planthub.violation('MAPPING_FAILED', CASE WHEN event ? 'data_base64' THEN '/data_base64' ELSE '/data' END,
        format('%s (SQLSTATE %s).', concat_ws(': ', SQLERRM, rtrim(nullif(detail, ''), '.')), SQLSTATE), 'mapping', split_part(s.mapping, '@', 1));
END
$$;
COMMENT ON FUNCTION planthub.translate_event(jsonb, planthub.source_mapping, planthub.inbound) IS 'Internal: applies the mapping of its source to the data of an event';

-- What is about one order has the key of the order, whatever system sends it, unless the sender says otherwise.
CREATE OR REPLACE FUNCTION planthub.finish_foreign(event jsonb, s planthub.source_mapping, INOUT m planthub.inbound, OUT violations planthub.violation[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    id      constant bigint := m.id;
    made    jsonb := jsonb_build_object('data', m.data);
    checked record;
BEGIN
    IF s.topic IS NULL THEN
        made := m.data;
        s.topic := made->>'topic';
        s.version := planthub.made_version(s.mapping, s.topic);
        IF NOT coalesce(made ?& '{topic,data}', false) OR NOT EXISTS (SELECT FROM planthub.topic AS t WHERE t.name = s.topic) THEN
            violations := planthub.violation('MAPPING_FAILED', '/data', CASE WHEN made ?& '{topic,data}' THEN format('The mapping makes the topic "%s", which does not exist.', s.topic)
                ELSE 'The mapping does not make an object with the members topic and data.' END, 'mapping', split_part(s.mapping, '@', 1));
            RETURN;
        END IF;
        SELECT jsonb_object_agg(e.key, e.value) INTO made FROM jsonb_each(made) AS e
        WHERE e.key IN ('data', 'time', 'subject', 'site', 'partitionkey', 'correlationid', 'causationid');
    END IF;
    IF s.site_expression IS NOT NULL AND NOT event ? 'site' AND NOT made ? 'site' AND NOT made->'data' ? 'site' THEN
        made := made || jsonb_build_object('site', m.site);
    END IF;
    made := jsonb_build_object('partitionkey', coalesce(event->>'partitionkey', 'mo:' || (made#>>'{data,order}'), 'dlv:' || (made#>>'{data,delivery}'),
        event->>'subject', m.key)) || made;
    made := jsonb_build_object('correlationid', coalesce(event->>'correlationid', made->>'partitionkey')) || made;
    made := planthub.foreign_envelope(event, s, m.sent_at) || made;
    violations := planthub.check_envelope(made);
    IF violations IS NOT NULL THEN
        violations := (SELECT array_agg(ROW('MAPPING_FAILED', '/data', format('The mapping makes an event that is not good: at "%s", %s.', v.pointer, rtrim(v.detail, '.')),
            'mapping', split_part(s.mapping, '@', 1))::planthub.violation) FROM unnest(violations) AS v);
        RETURN;
    END IF;
    m := planthub.open_event(made);
    m.id := id;
    checked := planthub.check_source(made, m);
    m := checked.m;
    violations := coalesce(checked.violations, planthub.check_contract(made, m));
END
$$;
COMMENT ON FUNCTION planthub.finish_foreign(jsonb, planthub.source_mapping, planthub.inbound) IS 'Internal: the event that a mapping has made, and whether its sender may send it and it keeps its contract';

-- Evaluating

-- A source that sends for several sites: only what a mapping makes may tell the site, whose version of the mapping, codes
-- and time zone count then.
CREATE OR REPLACE FUNCTION planthub.make_canonical(event jsonb, s planthub.source_mapping, INOUT m planthub.inbound, OUT mapping text, OUT violations planthub.violation[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    start constant planthub.inbound := m;
    done  record;
    made  record;
BEGIN
    FOR pass IN 1 .. 2 LOOP
        done := planthub.translate_event(event, s, m);
        m := done.m;
        mapping := done.mapping;
        violations := done.violations;
        EXIT WHEN violations IS NOT NULL;
        made := planthub.finish_foreign(event, s, m);
        violations := made.violations;
        EXIT WHEN (made.m).site = m.site OR violations IS NOT NULL OR pass = 2;
        m := start;
        m.site := (made.m).site;
        m.timezone := (made.m).timezone;
    END LOOP;
    IF done.violations IS NULL THEN
        m := made.m;
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.make_canonical(jsonb, planthub.source_mapping, planthub.inbound) IS 'Internal: makes the data of another system what the contract of the topic wants';

-- An event that waits must not miss an entry that is made at this moment, see evaluate_or_park(), nor another version of
-- its mapping.  outcome null: another transaction is working on its ordering key.  earlier: an event that has told the same
-- fact.
CREATE OR REPLACE FUNCTION planthub.evaluate_event(event jsonb, INOUT m planthub.inbound, s planthub.source_mapping, hash bytea, waived text[], patience int,
    OUT outcome text, OUT code text, OUT report jsonb, OUT mapping text, OUT key text, OUT earlier bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    start   constant planthub.inbound := m;
    made    record;
    found   planthub.violation[];
    verdict record;
    same    boolean;
    locked  text[];
BEGIN
    WHILE s.uri IS NOT NULL LOOP
        made := planthub.make_canonical(event, s, start);
        m := made.m;
        mapping := made.mapping;
        found := made.violations;
        EXIT WHEN found IS NULL;
        verdict := planthub.judge(m, found);
        EXIT WHEN verdict.outcome <> 'parked' OR locked @> ARRAY[concat(verdict.kind, ' ', verdict.key)];
        PERFORM planthub.lock_things(verdict.kind, ARRAY[verdict.key]);
        PERFORM pg_advisory_xact_lock_shared(planthub.mapping_lock(s.mapping));
        locked := locked || concat(verdict.kind, ' ', verdict.key);
    END LOOP;
    IF s.uri IS NOT NULL AND found IS NULL THEN
        IF NOT planthub.lock_event(m.site, m.key, m.data->>'order', patience) THEN
            RETURN;
        END IF;
        key := planthub.business_key_of(m);
        SELECT i.id, i.hash = hash INTO earlier, same FROM planthub.inbox AS i
        WHERE i.source = m.source AND i.topic = m.topic AND i.business_key = key AND i.id <> m.id;
        IF earlier IS NOT NULL THEN
            key := NULL;
            found := planthub.violation(CASE WHEN same THEN 'DUPLICATE_IGNORED' ELSE 'DUPLICATE_CONFLICT' END, '/data',
                format('Event %s has the same business key and %s content.', earlier, CASE WHEN same THEN 'the same' ELSE 'another' END));
            verdict := planthub.judge(m, found);
        END IF;
    END IF;
    IF found IS NULL THEN
        verdict := planthub.evaluate_or_park(m, waived);
        m := verdict.m;
    ELSIF verdict.outcome = 'parked' THEN
        PERFORM planthub.park(m, verdict.code, verdict.kind, verdict.key, waived);
    END IF;
    outcome := verdict.outcome;
    code := verdict.code;
    report := verdict.report;
END
$$;
COMMENT ON FUNCTION planthub.evaluate_event(jsonb, planthub.inbound, planthub.source_mapping, bytea, text[], int) IS 'Internal: makes the data of an event what the contract wants where its source has a mapping, then evaluates it or lets it wait';

CREATE OR REPLACE FUNCTION planthub.mapping_lock(mapping text) RETURNS bigint
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT pg_catalog.hashtextextended('planthub.mapping waits ' || pg_catalog.split_part(mapping, '@', 1), 0);
END;
COMMENT ON FUNCTION planthub.mapping_lock(text) IS 'Internal: advisory lock that events take shared when they wait for what a mapping lacks, and who activates a version of it alone';

-- Another version may make of waiting events what they should have been, so it decides about all of them.  Events that park
-- lock the mapping, too: either they see its new version, or they are seen here.
CREATE OR REPLACE FUNCTION planthub.release_translated(mapping text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    names constant text[] := ARRAY(SELECT DISTINCT u.name FROM planthub.mapping_users(mapping) AS u ORDER BY 1);
BEGIN
    PERFORM pg_advisory_xact_lock(planthub.mapping_lock(n)) FROM unnest(names) AS n;
    UPDATE planthub.parked AS p SET due = true FROM planthub.inbox AS i
    WHERE i.id = p.message_id AND split_part(i.mapping, '@', 1) = ANY (names);
    IF FOUND THEN
        PERFORM planthub.retry_due();
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.release_translated(text) IS 'Internal: evaluates waiting events whose data depend on a mapping';

-- Trying

CREATE OR REPLACE FUNCTION planthub.made_event(i planthub.inbox, mapping text) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s    planthub.source_mapping := planthub.source_mapping_of(i.event);
    m    planthub.inbound;
    made record;
BEGIN
    s.mapping := mapping;
    made := planthub.open_foreign(i.event, s, i.received_at);
    m := made.m;
    IF made.violations IS NULL THEN
        made := planthub.make_canonical(i.event, s, m);
        m := made.m;
    END IF;
    RETURN jsonb_strip_nulls(jsonb_build_object('topic', m.topic, 'version', m.version, 'site', m.site, 'key', m.key, 'subject', m.subject, 'time', m.event_time))
        || CASE WHEN m.data IS NULL THEN '{}' ELSE jsonb_build_object('data', m.data) END
        || CASE WHEN made.violations IS NULL THEN '{}' ELSE jsonb_build_object('violations',
               (SELECT jsonb_agg(jsonb_build_object('code', v.code, 'pointer', v.pointer, 'detail', v.detail)) FROM unnest(made.violations) AS v)) END;
END
$$;
COMMENT ON FUNCTION planthub.made_event(planthub.inbox, text) IS 'Internal: what a version of a mapping makes of an event that was received';

CREATE OR REPLACE FUNCTION planthub.mapping_trial(mapping text, last_n int DEFAULT 100)
RETURNS TABLE (message_id bigint, site text, outcome text, pointer text, old_value jsonb, new_value jsonb)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO' SET timezone = 'UTC' AS $$
#variable_conflict use_column
BEGIN
    PERFORM planthub.mapping_describe($1);      -- refuses one that is not there
    RETURN QUERY
        SELECT (t.i).id, (t.i).site, (t.i).outcome, d.pointer, d.expected_value, d.actual_value
        FROM (SELECT x AS i FROM planthub.inbox AS x
              WHERE x.owns AND split_part(x.mapping, '@', 1) = split_part($1, '@', 1) ORDER BY x.id DESC LIMIT $2) AS t
        CROSS JOIN LATERAL planthub.json_differences(planthub.made_event(t.i, (t.i).mapping), planthub.made_event(t.i, $1)) AS d
        ORDER BY (t.i).id DESC, d.pointer;
END
$$;
COMMENT ON FUNCTION planthub.mapping_trial(text, int) IS
'Translates the last events of sources that a mapping has translated once more, by the version that is given (name@3, also a draft, or name@3:P1; a name: the active one) and by the one that was used, and tells where what they make differs: in the data and in what follows from them, or in why they cannot be used.  Nothing is received';
