-- posting: recording what targets say, and showing it.  Rows are only added: the state is computed from them, so that a
-- worker that records an answer and a session that records an acknowledgement never wait for each other.  Re-runnable.

-- Code and canonical value are both compared: whichever index of the cross-reference a plan takes, it finds few rows.
CREATE OR REPLACE FUNCTION planthub.posting_document(message_id bigint, site text, system text, code text, told_by bigint)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    fact jsonb := (SELECT to_jsonb(coalesce(m.event_id, m.id::text)) FROM planthub.message AS m WHERE m.id = $1);
BEGIN
    INSERT INTO planthub.xref (set, system, scope, code, value, message_id)
    SELECT 'document', $3, $2, $4, fact, coalesce(told_by, $1)
    WHERE fact IS NOT NULL AND NOT EXISTS (
        SELECT FROM planthub.xref AS x
        WHERE x.set = 'document' AND x.system = $3 AND x.scope = $2 AND x.code = $4 AND x.canonical = fact #>> '{}');
    IF FOUND THEN
        PERFORM planthub.release_waiting('xref', ARRAY['document/' || $4, 'document/' || (fact #>> '{}')]);
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.posting_document(bigint, text, text, text, bigint) IS 'Internal: enters a document number of a target into the cross-reference: code of the set document, whose value is the id of the event';

-- A target is asked where it said itself, never elsewhere: what lets the hub in goes along.
CREATE OR REPLACE FUNCTION planthub.follow_address(endpoint text, address text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    origin constant text := (SELECT substring(e.address from '^[a-zA-Z]+://[^/?]+') FROM planthub.endpoint AS e WHERE e.code = $1);
    whole  constant text := CASE WHEN address ~ '^/([^/]|$)' THEN origin || address ELSE address END;
BEGIN
    IF whole ~ '^[!-~]+$' AND length(whole) <= 2048 AND (starts_with(whole, origin || '/') OR starts_with(whole, origin || '?')) THEN
        RETURN whole;
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
        MESSAGE = 'the address to follow is not one of the endpoint',
        DETAIL = format('It is "%s"; the endpoint is at "%s".', left(address, 200), origin),
        HINT = 'Give one that begins with a slash.';
END
$$;
COMMENT ON FUNCTION planthub.follow_address(text, text) IS 'Internal: the whole address to follow; refuses one of another server';

-- follow: {"address", "after": seconds or interval, "for": likewise}.  Returns when the target is asked; null: no more.
CREATE OR REPLACE FUNCTION planthub.follow(delivery_id bigint, endpoint text, follow jsonb, asked boolean) RETURNS timestamptz
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    whole text;
    after interval;
    due   timestamptz;
BEGIN
    IF coalesce(jsonb_typeof(follow), 'null') = 'null' THEN
        IF asked THEN
            DELETE FROM planthub.follow_up AS f WHERE f.delivery_id = $1;
        END IF;
        RETURN NULL;
    END IF;
    whole := planthub.follow_address(endpoint, follow->>'address');
    after := greatest(coalesce(CASE jsonb_typeof(follow->'after') WHEN 'number' THEN make_interval(secs => (follow->>'after')::float8)
                               ELSE (follow->>'after')::interval END, '10 s'), '100 ms');
    INSERT INTO planthub.follow_up AS f (delivery_id, message_id, message_slot, lane, route, site, address, due_at, give_up_at)
    SELECT d.id, d.message_id, d.message_slot, d.lane, d.route, d.site, whole, clock_timestamp() + after,
        clock_timestamp() + coalesce(CASE jsonb_typeof(follow->'for') WHEN 'number' THEN make_interval(secs => (follow->>'for')::float8)
                                     ELSE (follow->>'for')::interval END, '1 day')
    FROM planthub.delivery AS d WHERE d.id = $1
    ON CONFLICT ON CONSTRAINT follow_up_pkey DO UPDATE SET address = excluded.address, due_at = excluded.due_at, tries = f.tries + 1,
        last_status = NULL, last_error = NULL
    RETURNING f.due_at INTO due;
    RETURN due;
END
$$;
COMMENT ON FUNCTION planthub.follow(bigint, text, jsonb, boolean) IS 'Internal: keeps where a target is to be asked for more, or that it is not';

CREATE OR REPLACE FUNCTION planthub.follow_again(delivery_id bigint, status int, error text) RETURNS timestamptz
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    f planthub.follow_up;
BEGIN
    UPDATE planthub.follow_up AS u SET tries = u.tries + 1, last_status = $2, last_error = $3,
        due_at = clock_timestamp() + least(interval '1 s' * 2 ^ least(u.tries, 10), '10 min')
    WHERE u.delivery_id = $1 RETURNING * INTO f;
    IF f.give_up_at > clock_timestamp() THEN
        RETURN f.due_at;
    END IF;
    PERFORM planthub.follow_give_up(f);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION planthub.follow_again(bigint, int, text) IS 'Internal: a target that was asked for more has not answered; returns when it is asked again; null: no more';

CREATE OR REPLACE FUNCTION planthub.follow_give_up(f planthub.follow_up) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO planthub.posting (delivery_id, message_id, at, slot, late, conflict, state, origin, site, endpoint, system, by,
        error_code, error_text)
    SELECT f.delivery_id, f.message_id, clock_timestamp(), h.slot, false, false, 'accepted', 'response', f.site, e.code, e.system,
        session_user, 'FOLLOW_EXHAUSTED', format('%s, asked %s times, has not told the end', f.address, f.tries)
    FROM planthub.hub AS h, planthub.lane AS l JOIN planthub.endpoint AS e ON e.id = l.endpoint WHERE l.id = f.lane;
    DELETE FROM planthub.follow_up AS x WHERE x.delivery_id = f.delivery_id;
    PERFORM planthub.open_case(f.site, 'FOLLOW_EXHAUSTED', 'delivery', f.delivery_id::text,
        format('delivery %s: what became of it could not be learned', f.delivery_id));
END
$$;
COMMENT ON FUNCTION planthub.follow_give_up(planthub.follow_up) IS 'Internal: ends the asking and opens a case';

CREATE OR REPLACE FUNCTION planthub.record_posting(delivery_id bigint, message_id bigint, route int, site text,
    endpoint text, system text, response jsonb, error text, asked boolean DEFAULT false) RETURNS timestamptz
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    document text := nullif(response->>'external_document', '');
    state    text := coalesce(response->>'outcome', CASE WHEN document IS NULL THEN 'accepted' ELSE 'posted' END);
    problem  text := nullif(response #>> '{error,code}', '');
    conflict boolean;
    due      timestamptz;
    entry    jsonb;
BEGIN
    IF jsonb_typeof(response) <> 'object' OR state NOT IN ('accepted', 'posted', 'rejected') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = CASE WHEN jsonb_typeof(response) <> 'object' THEN 'the response mapping gives no object'
                      ELSE format('the response mapping gives the unknown outcome "%s"', state) END,
            HINT = 'See the comment of column "response_mapping" of planthub.route.';
    END IF;
    IF asked OR response ? 'follow' THEN
        due := planthub.follow($1, $5, response->'follow', asked);
        IF asked AND due > (SELECT f.give_up_at FROM planthub.follow_up AS f WHERE f.delivery_id = $1) THEN
            PERFORM planthub.follow_give_up(f) FROM planthub.follow_up AS f WHERE f.delivery_id = $1;
            RETURN NULL;
        ELSIF asked AND due IS NOT NULL AND state = 'accepted' AND problem IS NULL THEN
            RETURN due;         -- nothing new
        END IF;
    END IF;
    conflict := coalesce(state = 'posted' AND EXISTS (
        SELECT FROM planthub.posting AS p
        WHERE p.delivery_id = $1 AND p.state = 'posted' AND NOT p.conflict AND p.external_document <> document), false);
    INSERT INTO planthub.posting (delivery_id, message_id, at, due_at, slot, late, conflict, state, origin, site, endpoint,
        system, by, external_document, document_kind, error_code, error_text)
    SELECT $1, $2, clock_timestamp(), CASE WHEN state = 'accepted' AND NOT asked THEN clock_timestamp() + r.acknowledge_within END, h.slot,
        false, conflict, state, 'response', $4, $5, $6, session_user, document, response->>'kind',
        CASE WHEN $8 IS NOT NULL THEN 'RESPONSE_MAPPING_FAILED' ELSE problem END,
        coalesce($8, response #>> '{error,text}')
    FROM planthub.hub AS h LEFT JOIN planthub.route AS r ON r.id = $3;
    IF document IS NOT NULL AND state = 'posted' AND NOT conflict THEN
        PERFORM planthub.posting_document($2, $4, $6, document, NULL);
    END IF;
    IF problem IS NOT NULL OR state = 'rejected' THEN
        PERFORM planthub.open_case($4, coalesce(problem, 'POSTING_REJECTED'), 'delivery', $1::text,
            format('%s says of delivery %s, which is %s: %s', $6, $1, concat_ws(' ', state, document),
                coalesce(response #>> '{error,text}', problem, 'no reason given')));
    END IF;
    FOR entry IN SELECT e FROM jsonb_array_elements(coalesce(nullif(response->'xref', 'null'), '[]')) AS e LOOP
        INSERT INTO planthub.xref (set, system, scope, code, value, message_id)
        SELECT entry->>'set', coalesce(entry->>'system', $6), coalesce(entry->>'scope', $4), entry->>'code', entry->'value', $2
        WHERE NOT EXISTS (
            SELECT FROM planthub.xref AS x
            WHERE x.set = entry->>'set' AND x.system = coalesce(entry->>'system', $6)
              AND x.scope = coalesce(entry->>'scope', $4) AND x.code = entry->>'code' AND x.canonical = entry->>'value');
        IF FOUND THEN
            PERFORM planthub.release_waiting('xref', ARRAY[concat_ws('/', entry->>'set', entry->>'code'), concat_ws('/', entry->>'set', entry->>'value')]);
        END IF;
    END LOOP;
    RETURN due;
END
$$;
COMMENT ON FUNCTION planthub.record_posting(bigint, bigint, int, text, text, text, jsonb, text, boolean) IS 'Internal: called by a worker for a delivered delivery: records what its response mapping gave, or why it failed; neither: there is no mapping, and the acknowledgement is waited for.  asked: the answer is not that to the message.  Returns when the target is to be asked for more; null: not';

-- The idempotency key of a delivery, see engine/item.c: hub, message and endpoint, or source, event and endpoint.
CREATE OR REPLACE FUNCTION planthub.percent_decode(encoded text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT convert_from(string_agg(CASE WHEN p.part[1] ~ '^%[0-9A-Fa-f]{2}$' THEN decode(substr(p.part[1], 2), 'hex')
                                   ELSE convert_to(p.part[1], getdatabaseencoding()) END, ''::bytea ORDER BY p.n), getdatabaseencoding())
    FROM regexp_matches($1, '%[0-9A-Fa-f]{2}|[^%]+|%', 'g') WITH ORDINALITY AS p (part, n)
$$;
COMMENT ON FUNCTION planthub.percent_decode(text) IS 'Internal: text without its percent-encoding (RFC 3986, 2.1)';

CREATE OR REPLACE FUNCTION planthub.message_of_key(source text, event text) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT max(m.id) FROM planthub.message AS m
            WHERE m.source = planthub.percent_decode(message_of_key.source) AND m.event_id = planthub.percent_decode(event));
EXCEPTION WHEN character_not_in_repertoire OR untranslatable_character THEN
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION planthub.message_of_key(text, text) IS 'Internal: the message that an idempotency key with source and event is about; null: none';

CREATE OR REPLACE FUNCTION planthub.delivery_of_key(key text) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    parts   text[];
    message bigint;
BEGIN
    IF key ~ '^[0-9]{1,18}$' THEN
        RETURN (SELECT d.id FROM planthub.delivery AS d WHERE d.id = key::bigint);
    END IF;
    parts := regexp_match(key, '^' || planthub.hub_id() || '-([0-9]{1,18})-(.+)$');
    IF parts IS NOT NULL THEN
        message := parts[1];
        parts := ARRAY[NULL, NULL, parts[2]];
    ELSE
        parts := regexp_match(key, '^([^#@]+)#([^#@]+)@(.+)$');
        message := planthub.message_of_key(parts[1], parts[2]);
    END IF;
    RETURN (SELECT max(d.id) FROM planthub.delivery AS d
            JOIN planthub.lane AS l ON l.id = d.lane
            JOIN planthub.endpoint AS e ON e.id = l.endpoint
            WHERE d.message_id = message AND e.code = parts[3]);
END
$$;
COMMENT ON FUNCTION planthub.delivery_of_key(text) IS 'Internal: the delivery with a number, or the newest one with an idempotency key; null: there is none';

-- What an acknowledgement is about, as a row of planthub.posting that has no state yet.
CREATE OR REPLACE FUNCTION planthub.posting_of_key(key text) RETURNS planthub.posting
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    subject planthub.posting;
BEGIN
    SELECT d.id, d.message_id, d.site, e.code, e.system
    INTO subject.delivery_id, subject.message_id, subject.site, subject.endpoint, subject.system
    FROM planthub.delivery AS d
    JOIN planthub.lane AS l ON l.id = d.lane
    JOIN planthub.endpoint AS e ON e.id = l.endpoint
    WHERE d.id = planthub.delivery_of_key(key);
    IF NOT FOUND AND key ~ '^[0-9]{1,18}$' THEN     -- its slot has been reused meanwhile
        SELECT p.delivery_id, p.message_id, p.site, p.endpoint, p.system
        INTO subject.delivery_id, subject.message_id, subject.site, subject.endpoint, subject.system
        FROM planthub.posting AS p WHERE p.delivery_id = key::bigint LIMIT 1;
    END IF;
    RETURN subject;
END
$$;
COMMENT ON FUNCTION planthub.posting_of_key(text) IS 'Internal: delivery, message, site, endpoint and system that an acknowledgement is about; nulls: unknown';

CREATE OR REPLACE FUNCTION planthub.acknowledge(delivery text, outcome text, external_document text DEFAULT NULL,
    error_code text DEFAULT NULL, error_text text DEFAULT NULL, system text DEFAULT NULL, message_id bigint DEFAULT NULL)
RETURNS TABLE (result text, code text, delivery_id bigint, state text, late boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    subject  planthub.posting;
    document constant text := nullif($3, '');
    before   record;
BEGIN
    IF $2 IS NULL OR $2 NOT IN ('posted', 'accepted', 'rejected') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('unknown outcome "%s"', $2),
            HINT = 'Use posted, accepted or rejected.';
    END IF;
    IF length(document) > 256 THEN
        RAISE EXCEPTION USING ERRCODE = 'string_data_right_truncation',
            MESSAGE = 'number of the document is longer than 256 characters',
            HINT = 'Give the number only; what else there is to say belongs to the text of the error.';
    END IF;
    subject := planthub.posting_of_key($1);
    IF subject.delivery_id IS NULL OR $6 <> subject.system THEN
        RETURN QUERY VALUES ('unknown', 'ACK_UNKNOWN', NULL::bigint, NULL::text, NULL::boolean);
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('planthub.posting', subject.delivery_id));
    SELECT max(p.due_at) AS due_at, bool_or(p.state = 'posted') AS is_posted,
           (array_agg(p.state ORDER BY p.state = 'posted' DESC, p.origin, p.at DESC))[1] AS state,
           (array_agg(p.external_document) FILTER (WHERE p.state = 'posted' AND p.external_document IS NOT NULL)) AS documents
    INTO before FROM planthub.posting AS p WHERE p.delivery_id = subject.delivery_id AND NOT p.conflict;
    subject.at := clock_timestamp();
    subject.state := $2;
    subject.late := coalesce(subject.at > before.due_at AND NOT before.is_posted, false);
    subject.conflict := coalesce(before.is_posted
        AND ($2 = 'rejected' OR $2 = 'posted' AND document <> ALL (before.documents)), false);
    IF before.state = $2 AND NOT subject.conflict AND (document IS NULL OR document = ANY (before.documents) OR $2 <> 'posted')
       OR before.is_posted AND $2 = 'accepted' THEN
        RETURN QUERY VALUES ('ignored', 'DUPLICATE_IGNORED', subject.delivery_id, before.state, subject.late);
        RETURN;
    END IF;
    INSERT INTO planthub.posting (delivery_id, message_id, at, told_by, slot, late, conflict, state, origin, site, endpoint,
        system, by, external_document, error_code, error_text)
    SELECT subject.delivery_id, subject.message_id, subject.at, $7, h.slot, subject.late, subject.conflict, $2, 'acknowledgement',
        subject.site, subject.endpoint, subject.system, session_user, document, $4, $5
    FROM planthub.hub AS h;
    IF document IS NOT NULL AND $2 = 'posted' AND NOT subject.conflict THEN
        PERFORM planthub.posting_document(subject.message_id, subject.site, subject.system, document, $7);
    END IF;
    RETURN QUERY VALUES (CASE WHEN subject.conflict THEN 'conflict' ELSE 'recorded' END,
        CASE WHEN subject.conflict THEN 'DUPLICATE_CONFLICT' END, subject.delivery_id,
        CASE WHEN subject.conflict THEN before.state ELSE $2 END, subject.late);
END
$$;
COMMENT ON FUNCTION planthub.acknowledge(text, text, text, text, text, text, bigint) IS
'Records what a target says about a delivery that it has taken.  delivery: its number, or the idempotency key it was sent with; outcome: posted, accepted or rejected; error: also of something that went wrong beside a success; system: who says so (null: not checked); message_id: the message that tells it.  result: recorded; ignored (DUPLICATE_IGNORED, nothing new); conflict (DUPLICATE_CONFLICT, recorded but changes nothing: another document than before, or a refusal of what is posted); unknown (ACK_UNKNOWN: no such delivery to that system)';

-- What a target refuses, contradicts, or tells about something it was never sent is for a person to look at.
CREATE OR REPLACE FUNCTION planthub.apply_posting_acknowledged(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    told  record;
    title text;
    code  text;
BEGIN
    IF length(m.data->>'external_document') > 256 THEN
        RETURN planthub.violation('SCHEMA_INVALID', '/data/external_document', 'The number of a document has at most 256 characters.');
    END IF;
    SELECT * INTO told FROM planthub.acknowledge(m.data->>'outbox_id', m.data->>'outcome', m.data->>'external_document',
        m.data #>> '{error,code}', m.data #>> '{error,text}', m.system, m.id);
    code := told.code;
    CASE told.result
        WHEN 'unknown' THEN
            title := format('%s acknowledges "%s", which was never sent to it', m.system, m.data->>'outbox_id');
        WHEN 'conflict' THEN
            title := format('%s says %s of delivery %s, which is %s already', m.system,
                concat_ws(' ', m.data->>'outcome', m.data->>'external_document'), told.delivery_id, told.state);
        WHEN 'ignored' THEN
            RETURN planthub.violation(code, '/data', format('Delivery %s is %s already.', told.delivery_id, told.state));
        ELSE
            IF told.state <> 'rejected' THEN
                RETURN NULL;
            END IF;
            code := coalesce(m.data #>> '{error,code}', 'POSTING_REJECTED');
            title := format('%s refuses delivery %s: %s', m.system, told.delivery_id, coalesce(m.data #>> '{error,text}', 'no reason given'));
    END CASE;
    PERFORM planthub.open_case(m.site, code, 'delivery', coalesce(told.delivery_id::text, m.data->>'outbox_id'), title);
    RETURN CASE WHEN told.result <> 'recorded' THEN planthub.violation(code, '/data/outbox_id', title || '.') END;
END
$$;
COMMENT ON FUNCTION planthub.apply_posting_acknowledged(planthub.inbound) IS 'Internal: effect of posting.acknowledged: the outcome in the target and its document number; refusals, contradictions and what is about no delivery become cases';

CREATE OR REPLACE VIEW planthub.posting_status AS
SELECT p.delivery_id, p.message_id, m.topic, m.key, p.site, p.system, p.endpoint, p.state, p.external_document,
       p.document_kind, p.accepted_at, p.posted_at, p.due_at,
       p.late OR p.state = 'accepted' AND coalesce(p.due_at < now(), false) AS late, p.conflicts,
       p.error_code, p.error_text
FROM (
    SELECT x.delivery_id, x.message_id, max(x.site) AS site, max(x.system) AS system, max(x.endpoint) AS endpoint,
           (array_agg(x.state ORDER BY x.state = 'posted' DESC, x.origin, x.at DESC) FILTER (WHERE NOT x.conflict))[1] AS state,
           (array_agg(x.external_document ORDER BY x.state = 'posted' DESC, x.at) FILTER (WHERE x.state <> 'rejected' AND NOT x.conflict AND x.external_document IS NOT NULL))[1] AS external_document,
           (array_agg(x.document_kind ORDER BY x.at) FILTER (WHERE x.document_kind IS NOT NULL))[1] AS document_kind,
           min(x.at) FILTER (WHERE x.state = 'accepted') AS accepted_at,
           min(x.at) FILTER (WHERE x.state = 'posted' AND NOT x.conflict) AS posted_at,
           max(x.due_at) AS due_at, bool_or(x.late) AS late,
           (count(*) FILTER (WHERE x.conflict) + greatest(count(DISTINCT x.external_document) FILTER (WHERE x.state = 'posted' AND NOT x.conflict) - 1, 0))::int AS conflicts,
           (array_agg(x.error_code ORDER BY x.at DESC))[1] AS error_code,
           (array_agg(x.error_text ORDER BY x.at DESC))[1] AS error_text
    FROM planthub.posting AS x GROUP BY x.delivery_id, x.message_id) AS p
LEFT JOIN planthub.message AS m ON m.id = p.message_id;
COMMENT ON VIEW planthub.posting_status IS 'Delivered is not posted: what became of each delivery in its target, for routes with a response mapping or a deadline and for what was acknowledged';
COMMENT ON COLUMN planthub.posting_status.delivery_id IS 'The delivery';
COMMENT ON COLUMN planthub.posting_status.message_id IS 'Its message';
COMMENT ON COLUMN planthub.posting_status.topic IS 'Topic of the message; null when its log slot has been reused';
COMMENT ON COLUMN planthub.posting_status.key IS 'Ordering key';
COMMENT ON COLUMN planthub.posting_status.site IS 'Site of the message';
COMMENT ON COLUMN planthub.posting_status.system IS 'System of the endpoint';
COMMENT ON COLUMN planthub.posting_status.endpoint IS 'Endpoint it went to';
COMMENT ON COLUMN planthub.posting_status.state IS 'accepted: taken, the acknowledgement is waited for; posted: done; rejected: refused after it was taken';
COMMENT ON COLUMN planthub.posting_status.external_document IS 'Number of the document in the target: the first one it told; while it is only accepted what the target called it, such as a job';
COMMENT ON COLUMN planthub.posting_status.document_kind IS 'Kind of the document';
COMMENT ON COLUMN planthub.posting_status.accepted_at IS 'When the target took it, without posting it yet';
COMMENT ON COLUMN planthub.posting_status.posted_at IS 'When the hub learned that it is posted';
COMMENT ON COLUMN planthub.posting_status.due_at IS 'When the acknowledgement is due at the latest; null: no deadline';
COMMENT ON COLUMN planthub.posting_status.late IS 'Whether it is overdue, or came after the deadline';
COMMENT ON COLUMN planthub.posting_status.conflicts IS 'How often the target contradicted itself: more than one document, or a refusal of what is posted';
COMMENT ON COLUMN planthub.posting_status.error_code IS 'Code of the error that was told last, also beside a success; RESPONSE_MAPPING_FAILED: the answer could not be read';
COMMENT ON COLUMN planthub.posting_status.error_text IS 'What it says';

CREATE OR REPLACE VIEW planthub.posting_overdue AS
SELECT p.delivery_id, p.message_id, m.topic, m.key, p.site, p.system, p.endpoint, p.at AS accepted_at, p.due_at,
       now() - p.due_at AS age, p.error_code, p.error_text
FROM planthub.posting AS p
LEFT JOIN planthub.message AS m ON m.id = p.message_id
WHERE p.state = 'accepted' AND p.due_at < now()
  AND NOT EXISTS (SELECT FROM planthub.posting AS x
                  WHERE x.delivery_id = p.delivery_id AND x.state <> 'accepted' AND NOT x.conflict);
COMMENT ON VIEW planthub.posting_overdue IS 'Deliveries that their target took and has not acknowledged in time';
COMMENT ON COLUMN planthub.posting_overdue.delivery_id IS 'The delivery';
COMMENT ON COLUMN planthub.posting_overdue.message_id IS 'Its message';
COMMENT ON COLUMN planthub.posting_overdue.topic IS 'Topic of the message';
COMMENT ON COLUMN planthub.posting_overdue.key IS 'Ordering key';
COMMENT ON COLUMN planthub.posting_overdue.site IS 'Site of the message';
COMMENT ON COLUMN planthub.posting_overdue.system IS 'System that owes the acknowledgement';
COMMENT ON COLUMN planthub.posting_overdue.endpoint IS 'Endpoint it went to';
COMMENT ON COLUMN planthub.posting_overdue.accepted_at IS 'When the target took it';
COMMENT ON COLUMN planthub.posting_overdue.due_at IS 'When the acknowledgement was due';
COMMENT ON COLUMN planthub.posting_overdue.age IS 'Since when it is overdue';
COMMENT ON COLUMN planthub.posting_overdue.error_code IS 'RESPONSE_MAPPING_FAILED: the answer to the request could not be read';
COMMENT ON COLUMN planthub.posting_overdue.error_text IS 'What it says';

-- The deadlines are rows already: of routes, and policies of sites.
CREATE OR REPLACE VIEW planthub.sla_policy AS
SELECT 'acknowledge' AS kind, r.code AS interface, r.topic_pattern, r.site, r.acknowledge_within AS time_limit, 'planthub.posting_overdue' AS escalation
FROM planthub.route AS r WHERE r.enabled AND r.acknowledge_within IS NOT NULL
UNION ALL
SELECT 'deliver', r.code, r.topic_pattern, r.site, r.expires_after, 'planthub.delivery_status' FROM planthub.route AS r WHERE r.enabled AND r.expires_after IS NOT NULL
UNION ALL
SELECT 'receive', 'receive', '#', s.code, (planthub.policies(s.code)->>'park_ttl_min')::numeric * interval '1 min', 'planthub.case' FROM planthub.site AS s;
COMMENT ON VIEW planthub.sla_policy IS 'How long what may take at an interface, and where it is told when it takes longer';
COMMENT ON COLUMN planthub.sla_policy.kind IS 'acknowledge: a target acknowledges what it has accepted; deliver: a target takes a delivery, which expires after the time; receive: an event waits for what it needs, before it is a case';
COMMENT ON COLUMN planthub.sla_policy.interface IS 'Code of the route; receive: all that comes in';
COMMENT ON COLUMN planthub.sla_policy.topic_pattern IS 'Topics it holds for';
COMMENT ON COLUMN planthub.sla_policy.site IS 'Site it holds for; "*": those that have none of their own';
COMMENT ON COLUMN planthub.sla_policy.time_limit IS 'Time that it may take';
COMMENT ON COLUMN planthub.sla_policy.escalation IS 'Where it is seen when the time is over; the case names who has to act';
