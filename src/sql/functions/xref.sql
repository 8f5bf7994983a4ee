-- xref: lookups, which share their rules and their cache with the mappings, and the verbs.  Re-runnable.

CREATE OR REPLACE FUNCTION planthub.xref_changed() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'planthub_xref_changed';
COMMENT ON FUNCTION planthub.xref_changed() IS 'Internal: trigger that makes every backend forget what it remembered, when the set of the row is cached, and lets deliveries go that waited for the entry';

CREATE OR REPLACE TRIGGER xref_changed AFTER INSERT OR UPDATE OR DELETE ON planthub.xref
    FOR EACH ROW EXECUTE FUNCTION planthub.xref_changed();
COMMENT ON TRIGGER xref_changed ON planthub.xref IS 'Makes a change of a cached set take effect in every backend, and lets deliveries go that waited for the entry';
CREATE OR REPLACE TRIGGER table_changed AFTER TRUNCATE ON planthub.xref
    FOR EACH STATEMENT EXECUTE FUNCTION planthub.table_changed();
COMMENT ON TRIGGER table_changed ON planthub.xref IS 'Makes the change take effect in every backend';
CREATE OR REPLACE TRIGGER table_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON planthub.xref_set
    FOR EACH STATEMENT EXECUTE FUNCTION planthub.table_changed();
COMMENT ON TRIGGER table_changed ON planthub.xref_set IS 'Makes a change take effect in every backend';

CREATE OR REPLACE FUNCTION planthub.xref_find(set text, code text, system text DEFAULT '*', site text DEFAULT '*',
    party text DEFAULT NULL, at timestamptz DEFAULT NULL,
    OUT id bigint, OUT canonical text, OUT value jsonb) RETURNS SETOF record
LANGUAGE c STABLE PARALLEL UNSAFE ROWS 1 AS 'MODULE_PATHNAME', 'planthub_xref_find';
COMMENT ON FUNCTION planthub.xref_find(text, text, text, text, text, timestamptz) IS
'What a code of another system means here.  Entries valid at the time (null: start of the transaction), those of the party before those of the site before those of the enterprise, those of the system before those for all systems; no row: unknown, more than one row: ambiguous';

CREATE OR REPLACE FUNCTION planthub.xref_back(set text, canonical text, system text DEFAULT '*', site text DEFAULT '*',
    party text DEFAULT NULL, at timestamptz DEFAULT NULL,
    OUT id bigint, OUT code text, OUT value jsonb) RETURNS SETOF record
LANGUAGE c STABLE PARALLEL UNSAFE ROWS 1 AS 'MODULE_PATHNAME', 'planthub_xref_back';
COMMENT ON FUNCTION planthub.xref_back(text, text, text, text, text, timestamptz) IS
'What another system calls a thing of ours; same rules as xref_find()';

CREATE OR REPLACE FUNCTION planthub.xref_check(set text, code text, system text, scope text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.config_require('xref_set', set);
    IF code IS NULL OR system IS NULL OR scope IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
            MESSAGE = 'code, system and scope must not be null',
            HINT = 'Use "*" for all systems and for the enterprise.';
    END IF;
    IF system <> '*' THEN
        PERFORM planthub.config_require('system', system);
    END IF;
    IF scope NOT LIKE 'party:%' THEN
        PERFORM planthub.config_require('site', scope);
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.xref_check(text, text, text, text) IS 'Internal: refuses an entry of the cross-reference that no lookup would find';

CREATE OR REPLACE FUNCTION planthub.xref_check_value(set text, schema jsonb, value jsonb) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    faults text := (SELECT string_agg(format('At "%s": %s.', e.pointer, e.message), E'\n')
                    FROM planthub.json_schema_errors(schema, value, max_errors => 10) AS e WHERE schema IS NOT NULL AND value IS NOT NULL);
BEGIN
    IF faults IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation',
            MESSAGE = format('value %s is not one of set "%s"', left(value::text, 100), set),
            DETAIL = faults,
            HINT = 'The column value_schema of planthub.xref_set says what values must be.';
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.xref_check_value(text, jsonb, jsonb) IS 'Internal: refuses a value that the schema of its set does not allow';

-- Two entries for one code at one time are possible in the table, but the verbs do not make them.
CREATE OR REPLACE FUNCTION planthub.set_xref(set text, code text, value jsonb, system text DEFAULT '*',
    scope text DEFAULT '*', valid_from timestamptz DEFAULT NULL, message_id bigint DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    latest timestamptz;
    start  timestamptz := $6;
    number bigint;
BEGIN
    PERFORM planthub.xref_check($1, $2, $4, $5);
    PERFORM planthub.xref_check_value(s.code, s.value_schema, $3) FROM planthub.xref_set AS s WHERE s.code = $1 AND s.value_schema IS NOT NULL;
    PERFORM pg_advisory_xact_lock(hashtextextended(format('planthub.xref %s %s %s %s', $1, $2, $4, $5), 0));
    SELECT max(x.valid_from) INTO latest FROM planthub.xref AS x
    WHERE x.set = $1 AND x.code = $2 AND x.system = $4 AND x.scope = $5;
    start := coalesce(start, CASE WHEN latest IS NULL THEN '-infinity' ELSE now() END);
    IF latest >= start THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('code "%s" already has an entry that begins later', $2),
            DETAIL = format('It begins at %s; the new one would begin at %s.', latest, start),
            HINT = 'End it first with planthub.end_xref(), or give a later valid_from.';
    END IF;
    UPDATE planthub.xref AS x SET valid_to = start
    WHERE x.set = $1 AND x.code = $2 AND x.system = $4 AND x.scope = $5 AND x.valid_to > start;
    IF $7 IS NOT NULL THEN      -- no operator's doing: nothing for the operation log
        INSERT INTO planthub.xref (set, code, value, system, scope, valid_from, message_id)
        VALUES ($1, $2, $3, $4, $5, start, $7);
    ELSE
        PERFORM planthub.config_insert('xref', $2, jsonb_build_object('set', $1, 'code', $2, 'value', $3, 'system', $4,
            'scope', $5, 'valid_from', start));
    END IF;
    number := currval('planthub.xref_id_seq');
    PERFORM planthub.bring('xref', ARRAY[concat_ws('/', $1, $2), concat_ws('/', $1, $3 #>> '{}')]);
    PERFORM planthub.retry_due();
    RETURN number;
END
$$;
COMMENT ON FUNCTION planthub.set_xref(text, text, jsonb, text, text, timestamptz, bigint) IS
'Says what a code of another system means here, and returns the number of the entry.  valid_from null: from now on, or always when the code had no entry; the entry before it ends then';

CREATE OR REPLACE FUNCTION planthub.end_xref(set text, code text, system text DEFAULT '*', scope text DEFAULT '*',
    valid_to timestamptz DEFAULT now()) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    removed bigint;
    ended   bigint;
BEGIN
    PERFORM planthub.xref_check($1, $2, $3, $4);
    DELETE FROM planthub.xref AS x
    WHERE x.set = $1 AND x.code = $2 AND x.system = $3 AND x.scope = $4 AND x.valid_from >= $5;
    GET DIAGNOSTICS removed = ROW_COUNT;
    UPDATE planthub.xref AS x SET valid_to = $5
    WHERE x.set = $1 AND x.code = $2 AND x.system = $3 AND x.scope = $4 AND x.valid_to > $5;
    GET DIAGNOSTICS ended = ROW_COUNT;
    PERFORM planthub.log_operation('end_xref', jsonb_build_object('set', $1, 'code', $2, 'system', $3, 'scope', $4,
        'valid_to', $5), removed + ended);
    RETURN removed + ended;
END
$$;
COMMENT ON FUNCTION planthub.end_xref(text, text, text, text, timestamptz) IS
'Ends the entries of a code at a time, removes those that would begin later, and returns how many there were';

-- Sets

CREATE OR REPLACE FUNCTION planthub.create_xref_set(code text, on_missing text DEFAULT 'hold', cached boolean DEFAULT true,
    comment text DEFAULT NULL, value_schema jsonb DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.check_json_schema(value_schema);
    PERFORM planthub.config_insert('xref_set', code, jsonb_build_object('code', code, 'on_missing', on_missing,
        'cached', cached, 'comment', comment, 'value_schema', value_schema));
END
$$;
COMMENT ON FUNCTION planthub.create_xref_set(text, text, boolean, text, jsonb) IS 'Adds a set to the cross-reference: a kind of objects, or a list of codes.  value_schema: JSON Schema that its values must meet';

CREATE OR REPLACE FUNCTION planthub.alter_xref_set(code text, on_missing text DEFAULT NULL, cached boolean DEFAULT NULL,
    comment text DEFAULT NULL, value_schema jsonb DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.require_own('xref_set', code);
    PERFORM planthub.check_json_schema(value_schema);
    PERFORM planthub.xref_check_value(x.set, alter_xref_set.value_schema, x.value) FROM planthub.xref AS x
    WHERE x.set = alter_xref_set.code AND alter_xref_set.value_schema IS NOT NULL;
    PERFORM planthub.config_update('xref_set', code, jsonb_strip_nulls(jsonb_build_object('on_missing', on_missing,
        'cached', cached, 'comment', comment)) ||
        CASE WHEN value_schema IS NULL THEN '{}' ELSE jsonb_build_object('value_schema', value_schema) END);
END
$$;
COMMENT ON FUNCTION planthub.alter_xref_set(text, text, boolean, text, jsonb) IS 'Changes a set of the cross-reference; null arguments keep their value, value_schema true allows any value again.  Entries that are there must meet the schema';

CREATE OR REPLACE FUNCTION planthub.drop_xref_set(code text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.require_own('xref_set', code);
    PERFORM planthub.config_require_unused('xref_set', code, 'entries',
        (SELECT nullif(count(*), 0)::text FROM planthub.xref AS x WHERE x.set = drop_xref_set.code));
    PERFORM planthub.config_delete('xref_set', code);
END
$$;
COMMENT ON FUNCTION planthub.drop_xref_set(text) IS 'Removes an empty set of the cross-reference';
