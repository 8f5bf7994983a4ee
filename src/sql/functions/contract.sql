-- contract: JSON Schema in SQL, and the verbs that change contracts.  Re-runnable.

CREATE OR REPLACE FUNCTION planthub.json_schema_errors(schema jsonb, instance jsonb, assert_format boolean DEFAULT false,
    max_errors int DEFAULT 50)
RETURNS TABLE (pointer text, keyword text, message text, keyword_location text, absolute_keyword_location text,
    expected jsonb, found jsonb)
LANGUAGE c STABLE PARALLEL UNSAFE ROWS 5 AS 'MODULE_PATHNAME', 'planthub_json_schema_errors';
COMMENT ON FUNCTION planthub.json_schema_errors(jsonb, jsonb, boolean, int) IS
'What is wrong with a document according to a JSON Schema (draft 2020-12, or draft-07 by "$schema"): no row means valid.  pointer: place in the document; keyword_location: way through the schema.  Refers to other schemas only when they are in planthub.json_schema or planthub.contract';

CREATE OR REPLACE FUNCTION planthub.json_schema_valid(schema jsonb, instance jsonb, assert_format boolean DEFAULT false)
RETURNS boolean
LANGUAGE c STABLE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'planthub_json_schema_valid';
COMMENT ON FUNCTION planthub.json_schema_valid(jsonb, jsonb, boolean) IS 'Whether a document is valid according to a JSON Schema; ends at the first error';

CREATE OR REPLACE FUNCTION planthub.check_json_schema(schema jsonb) RETURNS void
LANGUAGE c STABLE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'planthub_check_json_schema';
COMMENT ON FUNCTION planthub.check_json_schema(jsonb) IS 'Internal: refuses a broken JSON Schema and tells the place';

CREATE OR REPLACE FUNCTION planthub.contract_violations(topic text, version int, data jsonb, max_violations int DEFAULT 50,
    prefix text DEFAULT '') RETURNS jsonb
LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'planthub_contract_violations';
COMMENT ON FUNCTION planthub.contract_violations(text, int, jsonb, int, text) IS
'What is wrong with data according to a version of the contract of a topic: an array of objects with pointer (where something has to be done), instanceLocation, keywordLocation, keyword, error, limit and value; empty: they meet it.  prefix goes before every instanceLocation';

-- Everything compiled is forgotten when a schema changes.
CREATE OR REPLACE TRIGGER table_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON planthub.contract
    FOR EACH STATEMENT EXECUTE FUNCTION planthub.table_changed();
COMMENT ON TRIGGER table_changed ON planthub.contract IS 'Makes a change take effect in every backend';
CREATE OR REPLACE TRIGGER table_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON planthub.json_schema
    FOR EACH STATEMENT EXECUTE FUNCTION planthub.table_changed();
COMMENT ON TRIGGER table_changed ON planthub.json_schema IS 'Makes a change take effect in every backend';

CREATE OR REPLACE FUNCTION planthub.contract_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF OLD.status <> 'draft' AND (NEW.topic, NEW.version, NEW.schema, NEW.sha256) IS DISTINCT FROM
                                 (OLD.topic, OLD.version, OLD.schema, OLD.sha256) THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('version %s of the contract of topic "%s" cannot be changed', OLD.version, OLD.topic),
            DETAIL = format('Its status is %s; only a draft may change.', OLD.status),
            HINT = 'Register a new version with planthub.register_contract().';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION planthub.contract_guard() IS 'Internal: trigger that keeps a contract as it was agreed';

CREATE OR REPLACE TRIGGER contract_guard BEFORE UPDATE ON planthub.contract
    FOR EACH ROW EXECUTE FUNCTION planthub.contract_guard();
COMMENT ON TRIGGER contract_guard ON planthub.contract IS 'Only a draft may change';

-- The topic has the version of its active contract, also after a restore, where the row of a topic that the extension
-- brings is not in the dump.
CREATE OR REPLACE FUNCTION planthub.contract_activated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE planthub.topic AS t SET version = NEW.version WHERE t.name = NEW.topic AND t.version <> NEW.version;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION planthub.contract_activated() IS 'Internal: trigger that gives a topic the version of its active contract';

CREATE OR REPLACE TRIGGER contract_activated AFTER INSERT OR UPDATE OF status ON planthub.contract
    FOR EACH ROW WHEN (NEW.status = 'active') EXECUTE FUNCTION planthub.contract_activated();
COMMENT ON TRIGGER contract_activated ON planthub.contract IS 'The topic follows its active contract';

-- Of the rows that the extension brings only those are dumped whose status was changed.
CREATE OR REPLACE FUNCTION planthub.contract_restore() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE planthub.contract AS c SET status = NEW.status, deprecated_at = NEW.deprecated_at, sunset = NEW.sunset,
        reason = NEW.reason
    WHERE c.topic = NEW.topic AND c.version = NEW.version AND c.builtin AND NEW.builtin AND c.sha256 = NEW.sha256;
    IF FOUND THEN
        RETURN NULL;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION planthub.contract_restore() IS 'Internal: trigger that gives a contract of the extension the status it had in the dump';

CREATE OR REPLACE TRIGGER contract_restore BEFORE INSERT ON planthub.contract
    FOR EACH ROW WHEN (NEW.builtin) EXECUTE FUNCTION planthub.contract_restore();
COMMENT ON TRIGGER contract_restore ON planthub.contract IS 'A restored status replaces that made by CREATE EXTENSION';

-- Verbs

CREATE OR REPLACE FUNCTION planthub.require_contract(topic text, version int) RETURNS planthub.contract
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found_row planthub.contract;
BEGIN
    SELECT c.* INTO found_row FROM planthub.contract AS c
    WHERE c.topic = require_contract.topic AND c.version = require_contract.version;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = format('version %s of the contract of topic "%s" does not exist', version, topic),
            HINT = 'Look in the table planthub.contract, or register it with planthub.register_contract().';
    END IF;
    RETURN found_row;
END
$$;
COMMENT ON FUNCTION planthub.require_contract(text, int) IS 'Internal: a row of planthub.contract; refuses one that does not exist';

CREATE OR REPLACE FUNCTION planthub.register_contract(topic text, schema jsonb, version int DEFAULT NULL,
    reason text DEFAULT NULL, draft boolean DEFAULT false) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    latest int := (SELECT max(c.version) FROM planthub.contract AS c WHERE c.topic = register_contract.topic);
    number int := coalesce(version, latest + 1, (planthub.config_require('topic', topic)->>'version')::int);
    urn    text := format('urn:planthub:schema:%s:%s', topic, number);
    sum    text := encode(sha256(convert_to(schema::text, 'UTF8')), 'hex');
BEGIN
    PERFORM planthub.config_require('topic', topic);
    IF schema IS NULL OR draft IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
            MESSAGE = format('argument "%s" must not be null', CASE WHEN schema IS NULL THEN 'schema' ELSE 'draft' END);
    END IF;
    IF jsonb_typeof(schema) <> 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'the schema of a contract is a JSON object';
    END IF;
    IF schema->>'$id' <> urn THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('the "$id" of the schema is not that of version %s of the contract of topic "%s"', number, topic),
            DETAIL = format('It is "%s".', schema->>'$id'),
            HINT = format('Use "%s", or leave it out.', urn);
    END IF;
    PERFORM planthub.check_json_schema(schema);
    BEGIN
        INSERT INTO planthub.contract AS c (topic, version, status, schema, sha256, reason)
        VALUES (topic, number, 'draft', schema, sum, reason)
        ON CONFLICT ON CONSTRAINT contract_pkey DO UPDATE
            SET schema = excluded.schema, sha256 = excluded.sha256, reason = excluded.reason, author = excluded.author;
    EXCEPTION WHEN check_violation THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'versions count from 1';
    END;
    PERFORM planthub.log_operation('register_contract',
        jsonb_build_object('topic', topic, 'version', number, 'sha256', sum, 'reason', reason), 1);
    IF NOT draft THEN
        PERFORM planthub.activate_contract(topic, number, reason);
    END IF;
    RETURN number;
END
$$;
COMMENT ON FUNCTION planthub.register_contract(text, jsonb, int, text, boolean) IS
'Registers a JSON Schema as a version of the contract of a topic, by default the next one, and returns the version.  It is in force at once, see activate_contract(), unless it is a draft, which can be registered again';

CREATE OR REPLACE FUNCTION planthub.activate_contract(topic text, version int, reason text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    row planthub.contract := planthub.require_contract(topic, version);
BEGIN
    IF row.status = 'active' THEN
        RETURN;
    END IF;
    UPDATE planthub.contract AS c SET status = CASE c.status WHEN 'active' THEN 'deprecated' ELSE 'retired' END,
        deprecated_at = coalesce(c.deprecated_at, now())
    WHERE c.topic = row.topic AND c.version <> row.version AND c.status IN ('active', 'deprecated');
    UPDATE planthub.contract AS c SET status = 'active', deprecated_at = NULL, sunset = NULL,
        reason = coalesce(activate_contract.reason, c.reason)
    WHERE c.topic = row.topic AND c.version = row.version;
    PERFORM planthub.log_operation('activate_contract',
        jsonb_build_object('topic', topic, 'version', version, 'reason', reason), 1);
END
$$;
COMMENT ON FUNCTION planthub.activate_contract(text, int, text) IS 'Puts a version of a contract in force: publish() checks and marks messages with it from now on.  The version that was active is deprecated, one that was deprecated is retired';

CREATE OR REPLACE FUNCTION planthub.contract_set_status(topic text, version int, wanted text, sunset timestamptz, reason text)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    row planthub.contract := planthub.require_contract(topic, version);
BEGIN
    IF row.status = 'active' THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('version %s of the contract of topic "%s" is in force', version, topic),
            HINT = 'Put another version in force with planthub.activate_contract() or planthub.register_contract() first.';
    END IF;
    UPDATE planthub.contract AS c SET status = wanted, sunset = coalesce(contract_set_status.sunset, c.sunset),
        deprecated_at = coalesce(c.deprecated_at, now()), reason = coalesce(contract_set_status.reason, c.reason)
    WHERE c.topic = row.topic AND c.version = row.version;
    PERFORM planthub.log_operation(CASE wanted WHEN 'retired' THEN 'retire_contract' ELSE 'deprecate_contract' END,
        jsonb_build_object('topic', topic, 'version', version, 'sunset', sunset, 'reason', reason), 1);
END
$$;
COMMENT ON FUNCTION planthub.contract_set_status(text, int, text, timestamptz, text) IS 'Internal: deprecates or retires a version of a contract';

CREATE OR REPLACE FUNCTION planthub.deprecate_contract(topic text, version int, sunset timestamptz DEFAULT NULL,
    reason text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.contract_set_status(topic, version, 'deprecated', sunset, reason);
END
$$;
COMMENT ON FUNCTION planthub.deprecate_contract(text, int, timestamptz, text) IS 'Announces the end of a version of a contract: it is accepted with a warning until its sunset';

CREATE OR REPLACE FUNCTION planthub.retire_contract(topic text, version int, reason text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.contract_set_status(topic, version, 'retired', NULL, reason);
END
$$;
COMMENT ON FUNCTION planthub.retire_contract(text, int, text) IS 'Ends a version of a contract: messages that claim it are refused';

CREATE OR REPLACE FUNCTION planthub.register_json_schema(uri text, document jsonb, reason text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF uri IS NULL OR document IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'uri and document must not be null';
    END IF;
    BEGIN
        INSERT INTO planthub.json_schema AS s (uri, document, reason) VALUES (uri, document, reason)
        ON CONFLICT ON CONSTRAINT json_schema_pkey DO UPDATE
            SET document = excluded.document, reason = excluded.reason, author = excluded.author, created_at = now()
            WHERE NOT s.builtin;
    EXCEPTION WHEN check_violation THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('"%s" is not an absolute URI without fragment', uri),
            HINT = 'Use one such as urn:example:address or https://example.com/schemas/address.';
    END;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('schema "%s" belongs to the extension', uri);
    END IF;
    PERFORM planthub.log_operation('register_json_schema', jsonb_build_object('uri', uri, 'reason', reason), 1);
END
$$;
COMMENT ON FUNCTION planthub.register_json_schema(text, jsonb, text) IS 'Makes a JSON Schema known by a URI, for "$ref" and "$schema" in others; registered again, it is replaced.  It is compiled when it is used, so schemas that refer to each other can come in any order';

CREATE OR REPLACE FUNCTION planthub.drop_json_schema(uri text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM planthub.json_schema AS s WHERE s.uri = drop_json_schema.uri AND NOT s.builtin;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = format('schema "%s" does not exist', uri),
            HINT = 'Look in the table planthub.json_schema; those that the extension brought cannot be dropped.';
    END IF;
    PERFORM planthub.log_operation('drop_json_schema', jsonb_build_object('uri', uri), 1);
END
$$;
COMMENT ON FUNCTION planthub.drop_json_schema(text) IS 'Forgets a JSON Schema that was registered; contracts that refer to it fail from then on';

-- Which of the last messages of a topic would be refused by a schema.

CREATE OR REPLACE FUNCTION planthub.contract_check(topic text, schema jsonb, last_n int DEFAULT 1000)
RETURNS TABLE (message_id bigint, recorded_at timestamptz, site text, key text, pointer text, keyword text, message text,
    expected jsonb, found jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.check_json_schema(schema);
    RETURN QUERY
        SELECT m.id, m.recorded_at, m.site, m.key, e.pointer, e.keyword, e.message, e.expected, e.found
        FROM (SELECT * FROM planthub.message AS l WHERE l.topic = contract_check.topic ORDER BY l.id DESC LIMIT last_n) AS m,
             planthub.json_schema_errors(contract_check.schema, m.data) AS e
        ORDER BY m.id DESC, e.pointer, e.keyword;
END
$$;
COMMENT ON FUNCTION planthub.contract_check(text, jsonb, int) IS 'What a schema would refuse of the last messages of a topic; no row: nothing.  To be asked before it is registered';

CREATE OR REPLACE FUNCTION planthub.contract_check(topic text, version int, last_n int DEFAULT 1000)
RETURNS TABLE (message_id bigint, recorded_at timestamptz, site text, key text, pointer text, keyword text, message text,
    expected jsonb, found jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT * FROM planthub.contract_check(topic, (planthub.require_contract(topic, version)).schema, last_n);
END
$$;
COMMENT ON FUNCTION planthub.contract_check(text, int, int) IS 'What a version of the contract of a topic, such as a draft, would refuse of its last messages; no row: nothing';
