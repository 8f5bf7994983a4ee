-- config: triggers that make a change take effect, and the verbs that change sites, systems, endpoints, topics and
-- routes.  The tables may be changed directly as well; the verbs explain better what is wrong.  Re-runnable.

CREATE OR REPLACE FUNCTION planthub.config_changed() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'planthub_config_changed';
COMMENT ON FUNCTION planthub.config_changed() IS 'Internal: trigger that makes a change of the configuration take effect with its commit';

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['hub', 'site', 'system', 'endpoint', 'topic', 'lane', 'route', 'pause', 'outcome_rule'] LOOP
        EXECUTE format('CREATE OR REPLACE TRIGGER config_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE '
            'ON planthub.%I FOR EACH STATEMENT EXECUTE FUNCTION planthub.config_changed()', name);
        EXECUTE format('COMMENT ON TRIGGER config_changed ON planthub.%I IS %L', name,
            'Makes a change take effect in every backend and worker');
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION planthub.table_changed() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'planthub_table_changed';
COMMENT ON FUNCTION planthub.table_changed() IS 'Internal: trigger that makes every backend read the rows of the table again';

CREATE OR REPLACE FUNCTION planthub.check_address(connector text, address text) RETURNS void
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'planthub_check_address';
COMMENT ON FUNCTION planthub.check_address(text, text) IS 'Internal: refuses an address that the connector cannot use';

CREATE OR REPLACE FUNCTION planthub.check_steps(connector text, address text, steps jsonb) RETURNS void
LANGUAGE c AS 'MODULE_PATHNAME', 'planthub_check_steps';
COMMENT ON FUNCTION planthub.check_steps(text, text, jsonb) IS 'Internal: refuses places in the address and steps of an endpoint that cannot be used';

CREATE OR REPLACE FUNCTION planthub.wake(lanes int[]) RETURNS void
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'planthub_wake';
COMMENT ON FUNCTION planthub.wake(int[]) IS 'Internal: tells the workers of these lanes at commit that there is something to do';

CREATE OR REPLACE FUNCTION planthub.wake_jobs(at timestamptz) RETURNS void
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'planthub_wake_jobs';
COMMENT ON FUNCTION planthub.wake_jobs(timestamptz) IS 'Internal: has the jobs looked at, once this transaction is committed, when this time has come';

-- A route always has the lane of its endpoint and priority.  A restore loads the lanes before the routes, because of the
-- foreign key, and finds them here.
CREATE OR REPLACE FUNCTION planthub.route_lane() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    number int;
BEGIN
    SELECT e.id INTO number FROM planthub.endpoint AS e WHERE e.code = NEW.endpoint;
    IF NOT FOUND OR NEW.priority IS NULL OR NEW.priority NOT BETWEEN 0 AND 9 THEN
        NEW.lane := 0;      -- a constraint will complain about the true cause
        RETURN NEW;
    END IF;
    SELECT l.id INTO NEW.lane FROM planthub.lane AS l WHERE l.endpoint = number AND l.priority = NEW.priority;
    IF NOT FOUND THEN
        INSERT INTO planthub.lane (endpoint, priority) VALUES (number, NEW.priority)
        ON CONFLICT (endpoint, priority) DO UPDATE SET priority = excluded.priority
        RETURNING id INTO NEW.lane;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION planthub.route_lane() IS 'Internal: trigger that finds or makes the lane of a route';

CREATE OR REPLACE TRIGGER route_lane BEFORE INSERT OR UPDATE ON planthub.route
    FOR EACH ROW EXECUTE FUNCTION planthub.route_lane();
COMMENT ON TRIGGER route_lane ON planthub.route IS 'Finds or makes the lane of the endpoint and priority';

-- What the verbs have in common.  A row is a JSON object of its columns; columns that are absent keep their value or
-- get their default.  Constraints are explained by their comments.

CREATE OR REPLACE FUNCTION planthub.config_refuse(name text, code text, given jsonb, state text, broken text, missing text)
RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rule    pg_constraint;
    columns text[];
    target  text;
BEGIN
    SELECT c.* INTO rule FROM pg_constraint AS c
    WHERE c.conrelid = format('planthub.%I', name)::regclass AND c.conname = broken;
    columns := ARRAY(SELECT a.attname::text FROM pg_attribute AS a
                     WHERE a.attrelid = rule.conrelid AND a.attnum = ANY (rule.conkey) ORDER BY a.attnum);
    CASE state
        WHEN '23505' THEN
            RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
                MESSAGE = format('%s "%s" already exists', name, code),
                HINT = format(CASE WHEN EXISTS (SELECT FROM pg_proc AS p WHERE p.pronamespace = 'planthub'::regnamespace
                                                AND p.proname = 'alter_' || name)
                              THEN 'Change it with planthub.alter_%s(), or choose another code.'
                              ELSE 'Drop it first with planthub.drop_%s(), or choose another code.' END, name);
        WHEN '23503' THEN
            target := (SELECT r.relname FROM pg_class AS r WHERE r.oid = rule.confrelid);
            RAISE EXCEPTION USING ERRCODE = 'undefined_object',
                MESSAGE = format('%s "%s" does not exist', target, given->>columns[1]),
                HINT = format('Create it with planthub.%2$s_%1$s(), or look in the table planthub.%1$s.', target,
                    CASE target WHEN 'credential' THEN 'set' ELSE 'create' END);
        WHEN '23502' THEN
            RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
                MESSAGE = format('argument "%s" must not be null', missing);
        ELSE
            RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('%s of %s "%s" is not valid', array_to_string(columns, ' or '), name, code),
                DETAIL = (SELECT coalesce(string_agg(format('The value of %s is "%s".', u.c, given->>u.c), ' '), '')
                          FROM unnest(columns) AS u(c) WHERE given ? u.c),
                HINT = coalesce(obj_description(rule.oid, 'pg_constraint'), broken) || '.';
    END CASE;
END
$$;
COMMENT ON FUNCTION planthub.config_refuse(text, text, jsonb, text, text, text) IS 'Internal: explains why a row of the configuration was refused';

CREATE OR REPLACE FUNCTION planthub.config_insert(name text, code text, given jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    columns text;
    state   text;
    broken  text;
    missing text;
BEGIN
    SELECT string_agg(quote_ident(k), ', ') INTO STRICT columns FROM jsonb_object_keys(given) AS k;
    BEGIN
        EXECUTE format('INSERT INTO planthub.%1$I (%2$s) SELECT %2$s FROM jsonb_populate_record(NULL::planthub.%1$I, $1)',
            name, columns) USING given;
    EXCEPTION WHEN integrity_constraint_violation THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, broken = CONSTRAINT_NAME, missing = COLUMN_NAME;
        PERFORM planthub.config_refuse(name, code, given, state, broken, missing);
    END;
    PERFORM planthub.log_operation('create_' || name, given, 1);
END
$$;
COMMENT ON FUNCTION planthub.config_insert(text, text, jsonb) IS 'Internal: adds a row to the configuration';

CREATE OR REPLACE FUNCTION planthub.config_require(name text, code text) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found_row jsonb;
BEGIN
    IF code IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
            MESSAGE = format('argument "%s" must not be null', CASE name WHEN 'topic' THEN 'name' ELSE 'code' END);
    END IF;
    EXECUTE format('SELECT to_jsonb(t) FROM planthub.%I AS t WHERE t.%I = $1', name,
        CASE name WHEN 'topic' THEN 'name' ELSE 'code' END) INTO found_row USING code;
    IF found_row IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = format('%s "%s" does not exist', name, code),
            HINT = format('Create it with planthub.create_%1$s(), or look in the table planthub.%1$s.', name);
    END IF;
    RETURN found_row;
END
$$;
COMMENT ON FUNCTION planthub.config_require(text, text) IS 'Internal: a row of the configuration; refuses a code that does not exist';

CREATE OR REPLACE FUNCTION planthub.require_own(name text, code text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF (planthub.config_require(name, code)->>'builtin')::boolean THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('%s "%s" is built in', name, code),
            DETAIL = 'It belongs to the extension, which changes it with its own updates.',
            HINT = format('Create one of your own with planthub.create_%s().', name);
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.require_own(text, text) IS 'Internal: refuses to change what belongs to the extension';

CREATE OR REPLACE FUNCTION planthub.config_update(name text, code text, given jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    columns text;
    state   text;
    broken  text;
    missing text;
BEGIN
    PERFORM planthub.config_require(name, code);
    SELECT string_agg(quote_ident(k), ', ') INTO columns FROM jsonb_object_keys(given) AS k;
    IF columns IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('nothing to change in %s "%s"', name, code),
            HINT = 'Give at least one argument besides the code; an argument that is null keeps its value.';
    END IF;
    BEGIN
        EXECUTE format('UPDATE planthub.%1$I SET (%2$s) = '
            '(SELECT %2$s FROM jsonb_populate_record(NULL::planthub.%1$I, $1)) WHERE %3$I = $2', name, columns,
            CASE name WHEN 'topic' THEN 'name' ELSE 'code' END) USING given, code;
    EXCEPTION WHEN integrity_constraint_violation THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, broken = CONSTRAINT_NAME, missing = COLUMN_NAME;
        PERFORM planthub.config_refuse(name, code, given, state, broken, missing);
    END;
    PERFORM planthub.log_operation('alter_' || name, given || jsonb_build_object('code', code), 1);
END
$$;
COMMENT ON FUNCTION planthub.config_update(text, text, jsonb) IS 'Internal: changes a row of the configuration';

CREATE OR REPLACE FUNCTION planthub.config_delete(name text, code text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('DELETE FROM planthub.%I WHERE %I = $1', name, CASE name WHEN 'topic' THEN 'name' ELSE 'code' END)
        USING code;
    DELETE FROM planthub.pause AS p WHERE p.scope = config_delete.name AND p.name = config_delete.code;
    PERFORM planthub.log_operation('drop_' || name, jsonb_build_object('code', code), 1);
END
$$;
COMMENT ON FUNCTION planthub.config_delete(text, text) IS 'Internal: removes a row of the configuration, and its pause';

-- users: codes of what refers to it, or null.
CREATE OR REPLACE FUNCTION planthub.config_require_unused(name text, code text, kind text, users text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF users IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'dependent_objects_still_exist',
            MESSAGE = format('%s "%s" is in use', name, code),
            DETAIL = format('It is used by %s: %s.', kind, users),
            HINT = 'Drop or alter these first.';
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.config_require_unused(text, text, text, text) IS 'Internal: refuses to drop what others refer to';

-- Deliveries of a lane, or of one route in it, that have no final outcome: held, or handed out or not yet since the
-- oldest open claim.
CREATE OR REPLACE FUNCTION planthub.open_deliveries(lane int, route int DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    start   pg_snapshot;
    found_n bigint;
BEGIN
    SELECT o.s_old INTO start
    FROM planthub.lane_cursor AS c JOIN planthub.lane_window AS o ON o.lane = c.lane AND o.batch_no = c.oldest_open
    WHERE c.lane = $1;
    SELECT count(*) INTO found_n FROM (
        SELECT h.delivery_id FROM planthub.held AS h WHERE h.lane = $1 AND ($2 IS NULL OR h.route = $2)
        UNION
        SELECT d.id FROM planthub.delivery AS d
        WHERE d.lane = $1 AND ($2 IS NULL OR d.route = $2)
          AND (start IS NULL OR d.xid >= pg_snapshot_xmin(start) AND NOT pg_visible_in_snapshot(d.xid, start))
          AND NOT EXISTS (SELECT FROM planthub.attempt AS a WHERE a.delivery_id = d.id
                          AND a.outcome IN ('success', 'duplicate', 'expired', 'discarded'))) AS o;
    RETURN found_n;
END
$$;
COMMENT ON FUNCTION planthub.open_deliveries(int, int) IS 'Internal: how many deliveries of a lane, or of one route in it, have no final outcome';

-- Waits for the transactions that are publishing now, and makes others wait until this one ends: what they publish then
-- follows the new configuration.  Not for long, because everyone waits behind it.
CREATE OR REPLACE FUNCTION planthub.config_block_publishing() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
BEGIN
    EXECUTE format('LOCK TABLE planthub.message_%s IN SHARE MODE', (SELECT h.slot FROM planthub.hub AS h));
EXCEPTION WHEN lock_not_available THEN
    RAISE EXCEPTION USING ERRCODE = 'object_in_use',
        MESSAGE = 'another transaction that publishes messages is still open',
        HINT = 'Try again when it has ended; see pg_stat_activity for old transactions.';
END
$$;
COMMENT ON FUNCTION planthub.config_block_publishing() IS 'Internal: lets nobody publish until this transaction ends';

CREATE OR REPLACE FUNCTION planthub.config_require_delivered(name text, code text, open bigint) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF open > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('%s "%s" still has undelivered deliveries', name, code),
            DETAIL = format('Without a final outcome: %s.', open),
            HINT = format('Disable %s and wait, or close them with planthub.discard(); see planthub.delivery_status WHERE %s = %L.',
                CASE name WHEN 'route' THEN 'it' ELSE 'its routes' END, name, code);
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.config_require_delivered(text, text, bigint) IS 'Internal: refuses to drop what still has deliveries without a final outcome';

-- Sites

CREATE OR REPLACE FUNCTION planthub.check_timezone(timezone text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM now() AT TIME ZONE timezone;
EXCEPTION WHEN invalid_parameter_value THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
        MESSAGE = format('time zone "%s" does not exist', timezone),
        HINT = 'Use an IANA name such as Europe/Berlin; see pg_timezone_names.';
END
$$;
COMMENT ON FUNCTION planthub.check_timezone(text) IS 'Internal: refuses an unknown time zone';

CREATE OR REPLACE FUNCTION planthub.create_site(code text, name text DEFAULT NULL, timezone text DEFAULT 'UTC') RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.check_timezone(timezone);
    PERFORM planthub.config_insert('site', code,
        jsonb_build_object('code', code, 'name', coalesce(name, code), 'timezone', timezone));
END
$$;
COMMENT ON FUNCTION planthub.create_site(text, text, text) IS 'Adds a site (plant); without a name its code is shown';

CREATE OR REPLACE FUNCTION planthub.alter_site(code text, name text DEFAULT NULL, timezone text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.check_timezone(timezone);
    PERFORM planthub.config_update('site', code,
        jsonb_strip_nulls(jsonb_build_object('name', name, 'timezone', timezone)));
END
$$;
COMMENT ON FUNCTION planthub.alter_site(text, text, text) IS 'Changes a site; null arguments keep their value';

CREATE OR REPLACE FUNCTION planthub.drop_site(code text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.config_require('site', code);
    IF code = '*' THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'site "*" cannot be dropped',
            DETAIL = 'It stands for the enterprise and belongs to the extension.';
    END IF;
    PERFORM planthub.config_require_unused('site', code, 'systems',
        (SELECT string_agg(s.code, ', ' ORDER BY s.code) FROM planthub.system AS s WHERE s.site = drop_site.code));
    PERFORM planthub.config_require_unused('site', code, 'routes',
        (SELECT string_agg(r.code, ', ' ORDER BY r.code) FROM planthub.route AS r WHERE r.site = drop_site.code));
    PERFORM planthub.config_require_unused('site', code, 'mappings',
        (SELECT string_agg(DISTINCT m.name, ', ') FROM planthub.mapping AS m WHERE m.site = drop_site.code));
    PERFORM planthub.config_require_unused('site', code, 'test vectors of mappings',
        (SELECT string_agg(DISTINCT v.mapping, ', ') FROM planthub.mapping_vector AS v WHERE v.site = drop_site.code));
    PERFORM planthub.config_require_unused('site', code, 'entries of the cross-reference',
        (SELECT nullif(count(*), 0)::text FROM planthub.xref AS x WHERE x.scope = drop_site.code));
    PERFORM planthub.config_delete('site', code);
END
$$;
COMMENT ON FUNCTION planthub.drop_site(text) IS 'Removes a site that nothing refers to; its messages stay';

-- Systems

CREATE OR REPLACE FUNCTION planthub.create_system(code text, kind text, site text DEFAULT '*', name text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.config_insert('system', code,
        jsonb_build_object('code', code, 'kind', kind, 'site', site, 'name', name));
END
$$;
COMMENT ON FUNCTION planthub.create_system(text, text, text, text) IS 'Adds an application instance: its kind (erp, mes, wms, ...) and the site it serves';

CREATE OR REPLACE FUNCTION planthub.alter_system(code text, kind text DEFAULT NULL, site text DEFAULT NULL, name text DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.config_update('system', code,
        jsonb_strip_nulls(jsonb_build_object('kind', kind, 'site', site, 'name', name)));
END
$$;
COMMENT ON FUNCTION planthub.alter_system(text, text, text, text) IS 'Changes a system; null arguments keep their value';

CREATE OR REPLACE FUNCTION planthub.drop_system(code text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.config_require('system', code);
    PERFORM planthub.config_require_unused('system', code, 'endpoints',
        (SELECT string_agg(e.code, ', ' ORDER BY e.code) FROM planthub.endpoint AS e WHERE e.system = drop_system.code));
    PERFORM planthub.config_delete('system', code);
END
$$;
COMMENT ON FUNCTION planthub.drop_system(text) IS 'Removes a system without endpoints';

-- Endpoints

CREATE OR REPLACE FUNCTION planthub.check_xml_profile(profile jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF jsonb_typeof(profile) = 'object' THEN
        PERFORM planthub.json_to_xml('{"x": ""}', profile);
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.check_xml_profile(jsonb) IS 'Internal: refuses a profile that no document can be written with';

CREATE OR REPLACE FUNCTION planthub.create_endpoint(code text, system text, address text, connector text DEFAULT 'http',
    method text DEFAULT NULL, content_mode text DEFAULT NULL, batch_size int DEFAULT NULL, headers jsonb DEFAULT NULL,
    http_version text DEFAULT NULL, max_in_flight int DEFAULT NULL, connect_timeout interval DEFAULT NULL,
    low_speed_timeout interval DEFAULT NULL, total_timeout interval DEFAULT NULL, response_limit int DEFAULT NULL,
    max_attempts int DEFAULT NULL, retry_base interval DEFAULT NULL, retry_cap interval DEFAULT NULL,
    breaker_threshold int DEFAULT NULL, idempotent boolean DEFAULT NULL, xml_profile jsonb DEFAULT NULL, outcome_set text DEFAULT NULL,
    credential text DEFAULT NULL, steps jsonb DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.check_address(connector, address);
    PERFORM planthub.check_steps(connector, address, steps);
    PERFORM planthub.check_xml_profile(xml_profile);
    PERFORM planthub.config_insert('endpoint', code,
        jsonb_build_object('code', code, 'system', system, 'address', address, 'connector', connector) ||
        jsonb_strip_nulls(jsonb_build_object('method', method, 'content_mode', content_mode, 'batch_size', batch_size,
            'http_version', http_version, 'max_in_flight', max_in_flight, 'connect_timeout', connect_timeout,
            'low_speed_timeout', low_speed_timeout, 'total_timeout', total_timeout, 'response_limit', response_limit,
            'max_attempts', max_attempts, 'retry_base', retry_base, 'retry_cap', retry_cap,
            'breaker_threshold', breaker_threshold, 'idempotent', idempotent)) ||
        CASE WHEN headers IS NULL THEN '{}' ELSE jsonb_build_object('headers', headers) END ||
        CASE WHEN xml_profile IS NULL THEN '{}' ELSE jsonb_build_object('xml_profile', xml_profile) END ||
        CASE WHEN outcome_set IS NULL THEN '{}' ELSE jsonb_build_object('outcome_set', nullif(outcome_set, '')) END ||
        CASE WHEN credential IS NULL THEN '{}' ELSE jsonb_build_object('credential', nullif(credential, '')) END ||
        CASE WHEN steps IS NULL THEN '{}' ELSE jsonb_build_object('steps', steps) END);
END
$$;
COMMENT ON FUNCTION planthub.create_endpoint(text, text, text, text, text, text, int, jsonb, text, int, interval, interval, interval, int, int, interval, interval, int, boolean, jsonb, text, text, jsonb) IS 'Adds a service of a system that the hub can send to; null arguments get the default of their column in planthub.endpoint';

CREATE OR REPLACE FUNCTION planthub.alter_endpoint(code text, system text DEFAULT NULL, address text DEFAULT NULL,
    connector text DEFAULT NULL, method text DEFAULT NULL, content_mode text DEFAULT NULL, batch_size int DEFAULT NULL,
    headers jsonb DEFAULT NULL, http_version text DEFAULT NULL, max_in_flight int DEFAULT NULL,
    connect_timeout interval DEFAULT NULL, low_speed_timeout interval DEFAULT NULL, total_timeout interval DEFAULT NULL,
    response_limit int DEFAULT NULL, max_attempts int DEFAULT NULL, retry_base interval DEFAULT NULL,
    retry_cap interval DEFAULT NULL, breaker_threshold int DEFAULT NULL, idempotent boolean DEFAULT NULL,
    xml_profile jsonb DEFAULT NULL, outcome_set text DEFAULT NULL,
    credential text DEFAULT NULL, steps jsonb DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    present jsonb := planthub.config_require('endpoint', code);
BEGIN
    PERFORM planthub.check_address(coalesce(connector, present->>'connector'), coalesce(address, present->>'address'));
    PERFORM planthub.check_steps(coalesce(connector, present->>'connector'), coalesce(address, present->>'address'), steps);
    PERFORM planthub.check_xml_profile(xml_profile);
    PERFORM planthub.config_update('endpoint', code,
        jsonb_strip_nulls(jsonb_build_object('system', system, 'address', address, 'connector', connector,
            'method', method, 'content_mode', content_mode, 'batch_size', batch_size,
            'http_version', http_version, 'max_in_flight', max_in_flight, 'connect_timeout', connect_timeout,
            'low_speed_timeout', low_speed_timeout, 'total_timeout', total_timeout, 'response_limit', response_limit,
            'max_attempts', max_attempts, 'retry_base', retry_base, 'retry_cap', retry_cap,
            'breaker_threshold', breaker_threshold, 'idempotent', idempotent)) ||
        CASE WHEN headers IS NULL THEN '{}' ELSE jsonb_build_object('headers', headers) END ||
        CASE WHEN xml_profile IS NULL THEN '{}' ELSE jsonb_build_object('xml_profile', xml_profile) END ||
        CASE WHEN outcome_set IS NULL THEN '{}' ELSE jsonb_build_object('outcome_set', nullif(outcome_set, '')) END ||
        CASE WHEN credential IS NULL THEN '{}' ELSE jsonb_build_object('credential', nullif(credential, '')) END ||
        CASE WHEN steps IS NULL THEN '{}' ELSE jsonb_build_object('steps', steps) END);
END
$$;
COMMENT ON FUNCTION planthub.alter_endpoint(text, text, text, text, text, text, int, jsonb, text, int, interval, interval, interval, int, int, interval, interval, int, boolean, jsonb, text, text, jsonb) IS 'Changes an endpoint, also for deliveries that are waiting; null arguments keep their value, xml_profile ''null'' means JSON, outcome_set '''' and credential '''' none, steps ''null'' none';

CREATE OR REPLACE FUNCTION planthub.drop_endpoint(code text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    number int := planthub.config_require('endpoint', code)->>'id';
BEGIN
    PERFORM planthub.config_require_unused('endpoint', code, 'routes',
        (SELECT string_agg(r.code, ', ' ORDER BY r.code) FROM planthub.route AS r WHERE r.endpoint = drop_endpoint.code));
    PERFORM planthub.config_block_publishing();
    PERFORM planthub.config_require_delivered('endpoint', code,
        (SELECT sum(planthub.open_deliveries(l.id)) FROM planthub.lane AS l WHERE l.endpoint = number)::bigint);
    DELETE FROM planthub.lane AS l WHERE l.endpoint = number;
    DELETE FROM planthub.endpoint_state AS s WHERE s.endpoint = number;
    PERFORM planthub.config_delete('endpoint', code);
END
$$;
COMMENT ON FUNCTION planthub.drop_endpoint(text) IS 'Removes an endpoint that no route refers to and that has no delivery without a final outcome';

-- Topics

CREATE OR REPLACE FUNCTION planthub.create_topic(name text, version int DEFAULT 1, comment text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.config_insert('topic', name,
        jsonb_build_object('name', name, 'version', version, 'comment', comment));
END
$$;
COMMENT ON FUNCTION planthub.create_topic(text, int, text) IS 'Adds a kind of business fact; version: of its contract';

CREATE OR REPLACE FUNCTION planthub.alter_topic(name text, version int DEFAULT NULL, comment text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.require_own('topic', name);
    PERFORM planthub.config_update('topic', name,
        jsonb_strip_nulls(jsonb_build_object('version', version, 'comment', comment)));
END
$$;
COMMENT ON FUNCTION planthub.alter_topic(text, int, text) IS 'Changes a topic; null arguments keep their value';

CREATE OR REPLACE FUNCTION planthub.drop_topic(name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.require_own('topic', name);
    PERFORM planthub.config_require_unused('topic', name, 'the mappings of sources',
        (SELECT string_agg(DISTINCT s.uri, ', ') FROM planthub.source_mapping AS s WHERE s.topic = drop_topic.name));
    DELETE FROM planthub.contract AS c WHERE c.topic = drop_topic.name;
    PERFORM planthub.config_delete('topic', name);
END
$$;
COMMENT ON FUNCTION planthub.drop_topic(text) IS 'Removes a topic and its contracts: nothing more is published to it; its messages stay and are still delivered';

-- Routes

CREATE OR REPLACE FUNCTION planthub.check_condition(condition text) RETURNS void
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'planthub_check_condition';
COMMENT ON FUNCTION planthub.check_condition(text) IS 'Internal: refuses a condition of a route that is no good expression';

-- A mapping that is there for some site at least; whether it is for that of a message shows when the message comes.
CREATE OR REPLACE FUNCTION planthub.check_route_mapping(mapping text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    parts constant text[] := regexp_match(mapping, '^([^@]*)(?:@([0-9]{1,9})(?::(.*))?)?$');
BEGIN
    IF mapping <> '' AND NOT EXISTS (
        SELECT FROM planthub.mapping AS m
        WHERE m.name = parts[1]
          AND CASE WHEN parts[2] IS NULL THEN m.status = 'active'
              ELSE m.version = parts[2]::int AND m.site = coalesce(parts[3], '*') END) THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = format(CASE WHEN parts[2] IS NULL THEN 'mapping "%s" has no active version' ELSE 'mapping "%s" does not exist' END, mapping),
            HINT = 'Create it with planthub.create_mapping() and planthub.activate_mapping(), or look in the table planthub.mapping.';
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.check_route_mapping(text) IS 'Internal: refuses a mapping that no message could use';

CREATE OR REPLACE FUNCTION planthub.create_route(code text, topic_pattern text, endpoint text, site text DEFAULT '*',
    priority int DEFAULT 5, key_policy text DEFAULT 'block', expires_after interval DEFAULT NULL,
    enabled boolean DEFAULT true, condition text DEFAULT NULL, mapping text DEFAULT NULL,
    response_mapping text DEFAULT NULL, acknowledge_within interval DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.check_condition(nullif(condition, ''));
    PERFORM planthub.check_route_mapping(mapping);
    PERFORM planthub.check_route_mapping(response_mapping);
    PERFORM planthub.config_insert('route', code,
        jsonb_build_object('code', code, 'topic_pattern', topic_pattern, 'endpoint', endpoint, 'site', site,
            'priority', priority, 'key_policy', key_policy, 'expires_after', expires_after, 'enabled', enabled,
            'condition', nullif(condition, ''), 'mapping', nullif(mapping, ''),
            'response_mapping', nullif(response_mapping, ''), 'acknowledge_within', acknowledge_within));
    PERFORM planthub.route_warn(code);
END
$$;
COMMENT ON FUNCTION planthub.create_route(text, text, text, text, int, text, interval, boolean, text, text, text, interval) IS 'Sends messages to an endpoint: those whose topic matches the pattern ("*": one word, "#": any number of words), that come from the site ("*": any), and for which the condition, a JMESPath expression over their data, is true; see planthub.route_explain().  mapping: translates the data on their way out; response_mapping: reads the document number from the answer; acknowledge_within: how long the target may take to acknowledge';

CREATE OR REPLACE FUNCTION planthub.alter_route(code text, topic_pattern text DEFAULT NULL, endpoint text DEFAULT NULL,
    site text DEFAULT NULL, priority int DEFAULT NULL, key_policy text DEFAULT NULL, expires_after interval DEFAULT NULL,
    enabled boolean DEFAULT NULL, condition text DEFAULT NULL, mapping text DEFAULT NULL,
    response_mapping text DEFAULT NULL, acknowledge_within interval DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.check_condition(nullif(condition, ''));
    PERFORM planthub.check_route_mapping(mapping);
    PERFORM planthub.check_route_mapping(response_mapping);
    PERFORM planthub.config_update('route', code,
        jsonb_strip_nulls(jsonb_build_object('topic_pattern', topic_pattern, 'endpoint', endpoint, 'site', site,
            'priority', priority, 'key_policy', key_policy, 'enabled', enabled)) ||
        CASE WHEN expires_after IS NULL THEN '{}'
             ELSE jsonb_build_object('expires_after', nullif(expires_after, interval '0')) END ||
        CASE WHEN condition IS NULL THEN '{}' ELSE jsonb_build_object('condition', nullif(condition, '')) END ||
        CASE WHEN mapping IS NULL THEN '{}' ELSE jsonb_build_object('mapping', nullif(mapping, '')) END ||
        CASE WHEN response_mapping IS NULL THEN '{}' ELSE jsonb_build_object('response_mapping', nullif(response_mapping, '')) END ||
        CASE WHEN acknowledge_within IS NULL THEN '{}'
             ELSE jsonb_build_object('acknowledge_within', nullif(acknowledge_within, interval '0')) END);
    IF condition <> '' OR mapping <> '' OR topic_pattern IS NOT NULL THEN
        PERFORM planthub.route_warn(code);
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.alter_route(text, text, text, text, int, text, interval, boolean, text, text, text, interval) IS 'Changes a route for messages published from now on; null arguments keep their value, expires_after 0 means never, condition '''' means all messages, mapping '''' the data as they are, response_mapping '''' and acknowledge_within 0 none.  Deliveries made before stay where they are: a new endpoint or priority has an order of its own';

CREATE OR REPLACE FUNCTION planthub.drop_route(code text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    number int := planthub.config_require('route', code)->>'id';
BEGIN
    PERFORM planthub.config_block_publishing();
    PERFORM planthub.config_require_delivered('route', code,
        (SELECT sum(planthub.open_deliveries(l.id, number)) FROM planthub.lane AS l)::bigint);
    PERFORM planthub.config_delete('route', code);
END
$$;
COMMENT ON FUNCTION planthub.drop_route(text) IS 'Removes a route that has no delivery without a final outcome; to stop it at once, disable it';
