-- mapping: applying, explaining and testing mappings, and their verbs.  Re-runnable.

-- Functions called by a mapping run in subtransactions, which a parallel query does not allow.

CREATE OR REPLACE FUNCTION planthub.map(mapping text, document jsonb, site text DEFAULT '*', env jsonb DEFAULT '{}')
RETURNS jsonb
LANGUAGE c STRICT STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'planthub_map';
COMMENT ON FUNCTION planthub.map(text, jsonb, text, jsonb) IS
'Translates a document.  mapping: a name (its active version for the site), name@3 (version 3) or name@3:P1 (version 3 of site P1); env: members of $env, such as system, party, received_at.  Errors of the document are 22000, with one line each in the DETAIL';

CREATE OR REPLACE FUNCTION planthub.map_explain(mapping text, document jsonb, site text DEFAULT '*',
    env jsonb DEFAULT '{}', xref jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE c STRICT STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'planthub_map_explain';
COMMENT ON FUNCTION planthub.map_explain(text, jsonb, text, jsonb, jsonb) IS
'Translates a document and tells how: mapping (the version used), sha256, output or errors, xref (lookups), unread (members of the document that the mapping never reads), unused (parts of the template that had no part), visits (cost).  xref: entries to use instead of the table, {set: {code: value}}';

CREATE OR REPLACE FUNCTION planthub.translate(mapping text, document jsonb, site text, env jsonb, OUT version text, OUT output jsonb, OUT errors jsonb)
LANGUAGE c STRICT STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'planthub_translate';
COMMENT ON FUNCTION planthub.translate(text, jsonb, text, jsonb) IS 'Internal: as map(), but errors of the document are a result; version: the one that was used';

CREATE OR REPLACE FUNCTION planthub.mapping_describe(mapping text, site text DEFAULT '*') RETURNS jsonb
LANGUAGE c STRICT STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'planthub_mapping_describe';
COMMENT ON FUNCTION planthub.mapping_describe(text, text) IS
'Compiles a mapping and tells what is wrong with it (errors, warnings), what decides its output (sha256), and what it reads and relies on (reads, uses, xref, calls)';

CREATE OR REPLACE FUNCTION planthub.mapping_template(mapping text, site text DEFAULT '*') RETURNS jsonb
LANGUAGE c STRICT STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'planthub_mapping_template';
COMMENT ON FUNCTION planthub.mapping_template(text, text) IS 'The template of a mapping with all overrides up to it';

CREATE OR REPLACE FUNCTION planthub.merge_patch(target jsonb, patch jsonb) RETURNS jsonb
LANGUAGE c STRICT IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'planthub_merge_patch';
COMMENT ON FUNCTION planthub.merge_patch(jsonb, jsonb) IS 'JSON Merge Patch (RFC 7396)';

CREATE OR REPLACE FUNCTION planthub.json_differences(expected jsonb, actual jsonb,
    OUT pointer text, OUT expected_value jsonb, OUT actual_value jsonb) RETURNS SETOF record
LANGUAGE c STRICT IMMUTABLE PARALLEL SAFE ROWS 10 AS 'MODULE_PATHNAME', 'planthub_json_differences';
COMMENT ON FUNCTION planthub.json_differences(jsonb, jsonb) IS
'Where two documents differ, as JSON Pointers; null: only the other one has it.  Numbers are equal by value';

-- What is in the tables may be cached by any backend.
CREATE OR REPLACE TRIGGER table_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON planthub.mapping
    FOR EACH STATEMENT EXECUTE FUNCTION planthub.table_changed();
COMMENT ON TRIGGER table_changed ON planthub.mapping IS 'Makes a change take effect in every backend';
CREATE OR REPLACE TRIGGER table_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON planthub.mapping_function
    FOR EACH STATEMENT EXECUTE FUNCTION planthub.table_changed();
COMMENT ON TRIGGER table_changed ON planthub.mapping_function IS 'Makes a change take effect in every backend';

CREATE OR REPLACE FUNCTION planthub.mapping_immutable() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF to_jsonb(OLD) - '{status,activated_at,sha256,depends}'::text[] IS DISTINCT FROM
       to_jsonb(NEW) - '{status,activated_at,sha256,depends}'::text[]
       OR OLD.sha256 <> NEW.sha256 OR OLD.depends <> NEW.depends THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('version %s of mapping "%s" cannot be changed', OLD.version, OLD.name),
            HINT = 'Create a new version with planthub.create_mapping().';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION planthub.mapping_immutable() IS 'Internal: trigger that refuses to change what a version does';

CREATE OR REPLACE TRIGGER mapping_immutable BEFORE UPDATE ON planthub.mapping
    FOR EACH ROW EXECUTE FUNCTION planthub.mapping_immutable();
COMMENT ON TRIGGER mapping_immutable ON planthub.mapping IS 'Versions are immutable but for their status';

-- Tests

CREATE OR REPLACE FUNCTION planthub.mapping_find(id text) RETURNS planthub.mapping
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT m FROM planthub.mapping AS m
    WHERE m.name = split_part(mapping_find.id, '@', 1) AND m.site = coalesce(substring(mapping_find.id, ':(.*)'), '*')
      AND m.version::text = split_part(split_part(mapping_find.id, '@', 2), ':', 1);
END;
COMMENT ON FUNCTION planthub.mapping_find(text) IS 'Internal: the version with an id such as name@3 or name@3:P1';

CREATE OR REPLACE FUNCTION planthub.mapping_provenance(mapping text, site text DEFAULT '*')
RETURNS TABLE (pointer text, version text, value jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    m        planthub.mapping := planthub.mapping_find(planthub.mapping_describe($1, $2)->>'mapping');
    chain    planthub.mapping[] := ARRAY[m];
    template jsonb;
    merged   jsonb;
    rows     jsonb := '[]';
BEGIN
    IF m.name IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('mapping "%s" cannot be compiled', $1),
            HINT = 'See planthub.mapping_lint().';
    END IF;
    WHILE m.base IS NOT NULL LOOP
        m := planthub.mapping_require(m.name, m.base_site, m.base);
        chain := m || chain;
    END LOOP;
    FOREACH m IN ARRAY chain LOOP
        merged := CASE WHEN template IS NULL THEN m.template ELSE planthub.merge_patch(template, m.template) END;
        -- what is changed is no longer of those before
        WITH changed AS (
            SELECT '' AS pointer, m.template AS value WHERE template IS NULL
            UNION ALL SELECT d.pointer, d.actual_value FROM planthub.json_differences(template, merged) AS d WHERE template IS NOT NULL)
        SELECT coalesce(jsonb_agg(r), '[]') INTO rows
        FROM (SELECT o AS r FROM jsonb_array_elements(rows) AS o
              WHERE NOT EXISTS (SELECT FROM changed AS c WHERE o->>'pointer' = c.pointer OR starts_with(o->>'pointer', c.pointer || '/'))
              UNION ALL SELECT jsonb_build_object('pointer', c.pointer, 'value', c.value,
                  'version', concat_ws(':', m.name || '@' || m.version, nullif(m.site, '*'))) FROM changed AS c) AS x;
        template := merged;
    END LOOP;
    RETURN QUERY
        SELECT r->>'pointer', r->>'version', nullif(r->'value', 'null') FROM jsonb_array_elements(rows) AS r ORDER BY r->>'pointer' COLLATE "C";
END
$$;
COMMENT ON FUNCTION planthub.mapping_provenance(text, text) IS
'Which version each part of a template comes from: a part belongs to the row with the longest pointer that leads to it.  value: what that version says there; null: that there is nothing';

CREATE OR REPLACE FUNCTION planthub.mapping_violations(id text, output jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    wanted  constant text := (planthub.mapping_find(id)).contract_out;
    topic   constant text := split_part(wanted, '@', 1);
    version constant int := split_part(wanted, '@', 2);
BEGIN
    IF EXISTS (SELECT FROM planthub.contract AS c WHERE (c.topic, c.version) = (topic, version) AND c.status <> 'retired') THEN
        RETURN planthub.contract_violations(topic, version, output);
    END IF;
    RETURN '[]';
END
$$;
COMMENT ON FUNCTION planthub.mapping_violations(text, jsonb) IS 'Internal: where an output does not meet the contract that the mapping names';

CREATE OR REPLACE FUNCTION planthub.mapping_test(mapping text)
RETURNS TABLE (site text, vector text, passed boolean, pointer text, expected jsonb, actual jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v      planthub.mapping_vector;
    wanted text := CASE WHEN mapping LIKE '%@%' THEN coalesce(nullif(split_part(mapping, ':', 2), ''), '*') END;
    report jsonb;
BEGIN
    FOR v IN
        SELECT x.* FROM planthub.mapping_vector AS x
        WHERE x.mapping = split_part(mapping_test.mapping, '@', 1) AND (wanted IS NULL OR x.site = wanted)
        ORDER BY x.site, x.name
    LOOP
        report := planthub.map_explain(mapping_test.mapping, v.input, v.site, v.env, v.xref);
        IF v.expect_error IS NOT NULL THEN
            RETURN QUERY SELECT v.site, v.name, coalesce(report->'errors' @> jsonb_build_array(v.expect_error), false), NULL,
                v.expect_error, coalesce(report->'errors', report->'output');
            CONTINUE;
        END IF;
        RETURN QUERY
            SELECT v.site, v.name, false, e->>'at', v.expect #> string_to_array(ltrim(e->>'at', '/'), '/'), e
            FROM jsonb_array_elements(report->'errors') AS e
            UNION ALL
            SELECT v.site, v.name, false, d.pointer, d.expected_value, d.actual_value
            FROM planthub.json_differences(v.expect, report->'output') AS d
            UNION ALL
            SELECT v.site, v.name, false, c->>'instanceLocation', c - 'value', c->'value'
            FROM jsonb_array_elements(planthub.mapping_violations(report->>'mapping', report->'output')) AS c
            WHERE report ? 'output';
        IF NOT FOUND THEN
            RETURN QUERY SELECT v.site, v.name, true, NULL, NULL::jsonb, NULL::jsonb;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION planthub.mapping_test(text) IS
'Runs the test vectors of a mapping: one row for a vector that passes, one for each difference of one that fails, and for each violation of the contract of the output.  A name tests the active versions of all sites, name@3:P1 that version with the vectors of its site';

CREATE OR REPLACE FUNCTION planthub.mapping_untested(mapping text) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
        WITH run AS MATERIALIZED (
            SELECT planthub.map_explain(mapping_untested.mapping, v.input, v.site, v.env, v.xref)->'unused' AS unused
            FROM planthub.mapping_vector AS v
            WHERE v.mapping = split_part(mapping_untested.mapping, '@', 1))
        SELECT DISTINCT c FROM run, jsonb_array_elements_text(run.unused) AS c
        WHERE NOT EXISTS (SELECT FROM run AS r WHERE NOT EXISTS (
            SELECT FROM jsonb_array_elements_text(r.unused) AS u WHERE c = u OR starts_with(c, u || '/')))
        ORDER BY c;
END
$$;
COMMENT ON FUNCTION planthub.mapping_untested(text) IS
'Parts of the template, as mapping#pointer, that no test vector of the mapping uses';

CREATE OR REPLACE FUNCTION planthub.mapping_compare(old text, new text, topic text, last_n int DEFAULT 100)
RETURNS TABLE (message_id bigint, site text, pointer text, old_value jsonb, new_value jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
        SELECT m.id, m.site, d.pointer, d.expected_value, d.actual_value
        FROM (SELECT l.id, l.site, l.data, jsonb_build_object('source', l.source, 'event_id', l.event_id, 'key', l.key,
                  'received_at', to_char(l.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) AS env
              FROM planthub.message AS l WHERE l.topic = $3 ORDER BY l.id DESC LIMIT $4) AS m,
            planthub.json_differences(
                planthub.map_explain($1, m.data, m.site, m.env) - '{mapping,sha256,visits,unused,unread,xref}'::text[],
                planthub.map_explain($2, m.data, m.site, m.env) - '{mapping,sha256,visits,unused,unread,xref}'::text[]) AS d
        ORDER BY m.id DESC, d.pointer;
END
$$;
COMMENT ON FUNCTION planthub.mapping_compare(text, text, text, int) IS
'Where two mappings, such as the active version and a draft, give something else for the last messages of a topic: pointers below /output or /errors; no row: nowhere';

-- Verbs

CREATE OR REPLACE FUNCTION planthub.mapping_require(name text, site text, version int) RETURNS planthub.mapping
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    m planthub.mapping;
BEGIN
    SELECT x.* INTO m FROM planthub.mapping AS x WHERE x.name = $1 AND x.site = $2 AND x.version = $3;
    IF m.name IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = format('version %s of mapping "%s" for site "%s" does not exist', $3, $1, $2),
            HINT = 'Look in the table planthub.mapping.';
    END IF;
    RETURN m;
END
$$;
COMMENT ON FUNCTION planthub.mapping_require(text, text, int) IS 'Internal: a version of a mapping; refuses one that does not exist';

CREATE OR REPLACE FUNCTION planthub.mapping_require_own(m planthub.mapping) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF m.builtin THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('mapping "%s" is built in', m.name),
            DETAIL = 'It belongs to the extension, which changes it with its own updates.',
            HINT = 'Create an override for a site, or a mapping with another name that includes it with $use.';
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.mapping_require_own(planthub.mapping) IS 'Internal: refuses to change a mapping that belongs to the extension';

CREATE OR REPLACE FUNCTION planthub.mapping_complete(name text, site text, version int) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    reference constant text := format('%s@%s:%s', $1, $3, $2);
    described constant jsonb := planthub.mapping_describe(reference, $2);
BEGIN
    IF described ? 'errors' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('mapping "%s" is not valid', $1),
            DETAIL = (SELECT string_agg(format('At "%s"%s: %s.', left(e->>'pointer', 200), ', column ' || (e->>'column'), e->>'message'), E'\n')
                      FROM jsonb_array_elements(described->'errors') AS e),
            HINT = coalesce((SELECT string_agg(DISTINCT e->>'hint', ' ') FROM jsonb_array_elements(described->'errors') AS e),
                'The pointers are places in the template.');
    END IF;
    UPDATE planthub.mapping AS m SET sha256 = described->>'sha256', depends = described - '{mapping,sha256,warnings}'::text[]
    WHERE m.name = $1 AND m.site = $2 AND m.version = $3;
    PERFORM planthub.lint_notice(format('%s: %s', w.place, w.message), w.detail, w.hint)
    FROM planthub.mapping_lint(reference, $2) AS w;
END
$$;
COMMENT ON FUNCTION planthub.mapping_complete(text, text, int) IS 'Internal: compiles a new version, refuses what is wrong, notes what it depends on';

CREATE OR REPLACE FUNCTION planthub.create_mapping(name text, template jsonb, site text DEFAULT '*', base int DEFAULT NULL,
    base_site text DEFAULT '*', options jsonb DEFAULT '{}', contract_in text DEFAULT NULL, contract_out text DEFAULT NULL,
    reason text DEFAULT NULL) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    number int;
    below  planthub.mapping;
BEGIN
    PERFORM planthub.mapping_require_own(m) FROM planthub.mapping AS m WHERE m.name = $1 AND m.site = $3 AND m.builtin;
    IF $6 ? 'timezone' THEN
        PERFORM planthub.check_timezone($6->>'timezone');
    END IF;
    IF $4 IS NOT NULL THEN
        below := planthub.mapping_require($1, $5, $4);
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('planthub.mapping ' || $1, 0));
    number := 1 + coalesce((SELECT max(m.version) FROM planthub.mapping AS m WHERE m.name = $1 AND m.site = $3), 0);
    PERFORM planthub.config_insert('mapping', $1, jsonb_build_object('name', $1, 'template', $2, 'site', $3,
        'version', number, 'base', $4, 'base_site', CASE WHEN $4 IS NOT NULL THEN $5 END, 'options', $6,
        'contract_in', coalesce($7, below.contract_in), 'contract_out', coalesce($8, below.contract_out), 'reason', $9, 'author', session_user, 'status', 'draft',
        'created_at', clock_timestamp(), 'builtin', false));
    PERFORM planthub.mapping_complete($1, $3, number);
    RETURN number;
END
$$;
COMMENT ON FUNCTION planthub.create_mapping(text, jsonb, text, int, text, jsonb, text, text, text) IS
'Adds a version of a mapping as a draft and returns its number; warnings come as notices.  With base, the template is a JSON Merge Patch (RFC 7396) of that version of base_site';

CREATE OR REPLACE FUNCTION planthub.mapping_users(name text) RETURNS SETOF planthub.mapping
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT m.* FROM planthub.mapping AS m
    WHERE m.status = 'active' AND (m.name = mapping_users.name OR m.depends->'uses' @> pg_catalog.to_jsonb(mapping_users.name))
    ORDER BY m.name, m.site;
END;
COMMENT ON FUNCTION planthub.mapping_users(text) IS 'Internal: active versions whose output depends on the mapping, its own too';

CREATE OR REPLACE FUNCTION planthub.mapping_verify(name text, what text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    broken text;
    failed text;
    tested bigint;
BEGIN
    SELECT string_agg(format('%s@%s of site "%s": %s', m.name, m.version, m.site, d->'errors'->0->>'message'), E'\n')
    INTO broken
    FROM planthub.mapping_users($1) AS m,
        planthub.mapping_describe(format('%s@%s:%s', m.name, m.version, m.site), m.site) AS d
    WHERE d ? 'errors';
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'dependent_objects_still_exist',
            MESSAGE = format('cannot %s mapping "%s" because others depend on it', $2, $1),
            DETAIL = broken;
    END IF;
    SELECT count(*), string_agg(format('Vector "%s" of %s, site "%s", at "%s": expected %s, got %s.', t.vector, u.name,
        t.site, coalesce(t.pointer, ''), coalesce(t.expected::text, 'nothing'), coalesce(t.actual::text, 'nothing')), E'\n')
        FILTER (WHERE NOT t.passed AND t.number <= 20)
    INTO tested, failed
    FROM (SELECT DISTINCT m.name FROM planthub.mapping_users($1) AS m) AS u,
        LATERAL (SELECT x.*, row_number() OVER (ORDER BY x.passed) AS number FROM planthub.mapping_test(u.name) AS x) AS t;
    IF failed IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('cannot %s mapping "%s" because tests fail', $2, $1),
            DETAIL = failed,
            HINT = 'Correct the template, or change the vectors with planthub.drop_mapping_vector() and planthub.create_mapping_vector().';
    END IF;
    IF tested = 0 AND $2 = 'activate' THEN
        RAISE NOTICE USING MESSAGE = format('mapping "%s" has no test vectors', $1),
            HINT = 'Add some with planthub.create_mapping_vector().';
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.mapping_verify(text, text) IS 'Internal: compiles and tests everything that depends on a mapping, as it stands in this transaction';

CREATE OR REPLACE FUNCTION planthub.activate_mapping(name text, version int, site text DEFAULT '*', reason text DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    m planthub.mapping := planthub.mapping_require($1, $3, $2);
BEGIN
    PERFORM planthub.mapping_require_own(m);
    PERFORM pg_advisory_xact_lock(hashtextextended('planthub.mapping ' || $1, 0));
    UPDATE planthub.mapping AS x SET status = 'retired' WHERE x.name = $1 AND x.site = $3 AND x.status = 'active' AND x.version <> $2;
    UPDATE planthub.mapping AS x SET status = 'active', activated_at = now() WHERE x.name = $1 AND x.site = $3 AND x.version = $2;
    PERFORM planthub.mapping_verify($1, 'activate');
    PERFORM planthub.log_operation('activate_mapping',
        jsonb_build_object('name', $1, 'version', $2, 'site', $3, 'reason', $4), 1);
    PERFORM planthub.release_translated($1);
END
$$;
COMMENT ON FUNCTION planthub.activate_mapping(text, int, text, text) IS
'Makes a version the active one of its site, in place of the one before, when all test vectors pass: its own, those of overrides, and those of mappings that use it.  Events of sources that wait and were translated by it are evaluated again';

-- Whoever names it without a version.
CREATE OR REPLACE FUNCTION planthub.mapping_references(name text, OUT code text, OUT site text) RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT r.code, r.site FROM planthub.route AS r WHERE $1 IN (r.mapping, r.response_mapping);
    RETURN QUERY SELECT m.uri, s.site FROM planthub.source_mapping AS m JOIN planthub.source AS s ON s.uri = m.uri WHERE m.mapping = $1;
    RETURN QUERY SELECT c.code, s.site FROM planthub.collector AS c JOIN planthub.source AS s ON s.uri = c.source WHERE c.mapping = $1;
END
$$;
COMMENT ON FUNCTION planthub.mapping_references(text) IS 'Internal: routes, sources and collectors that use the active version of a mapping, with their sites';

CREATE OR REPLACE FUNCTION planthub.retire_mapping(name text, site text DEFAULT '*', reason text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    m planthub.mapping;
BEGIN
    SELECT x.* INTO m FROM planthub.mapping AS x WHERE x.name = $1 AND x.site = $2 AND x.status = 'active';
    IF m.name IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = format('mapping "%s" has no active version for site "%s"', $1, $2),
            HINT = 'Look in the table planthub.mapping.';
    END IF;
    PERFORM planthub.mapping_require_own(m);
    PERFORM pg_advisory_xact_lock(hashtextextended('planthub.mapping ' || $1, 0));
    UPDATE planthub.mapping AS x SET status = 'retired' WHERE x.name = $1 AND x.site = $2 AND x.status = 'active';
    PERFORM planthub.config_require_unused('mapping', $1, 'routes, sources or collectors',
        (SELECT string_agg(DISTINCT r.code, ', ' ORDER BY r.code) FROM planthub.mapping_references($1) AS r
         WHERE NOT EXISTS (SELECT FROM planthub.mapping AS x WHERE x.name = $1 AND x.status = 'active'
                           AND (x.site IN ('*', r.site) OR starts_with(r.site, x.site || '/')))));
    PERFORM planthub.mapping_verify($1, 'retire');
    PERFORM planthub.log_operation('retire_mapping', jsonb_build_object('name', $1, 'site', $2, 'version', m.version, 'reason', $3), 1);
END
$$;
COMMENT ON FUNCTION planthub.retire_mapping(text, text, text) IS
'Takes the active version of a site out of use: messages of the site use the one above it, if there is one; refused while other mappings, routes, sources or collectors need it';

-- Vectors

CREATE OR REPLACE FUNCTION planthub.create_mapping_vector(mapping text, name text, input jsonb, expect jsonb DEFAULT NULL,
    site text DEFAULT '*', env jsonb DEFAULT '{}', xref jsonb DEFAULT '{}', expect_error jsonb DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM planthub.mapping AS m WHERE m.name = $1) THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = format('mapping "%s" does not exist', $1),
            HINT = 'Create it with planthub.create_mapping(), or look in the table planthub.mapping.';
    END IF;
    PERFORM planthub.config_insert('mapping_vector', $2, jsonb_build_object('mapping', $1, 'name', $2, 'input', $3,
        'site', $5, 'xref', $7, 'builtin', false, 'env', jsonb_build_object('received_at',
            to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')) || $6)
        || CASE WHEN $4 IS NULL THEN '{}' ELSE jsonb_build_object('expect', $4) END
        || CASE WHEN $8 IS NULL THEN '{}' ELSE jsonb_build_object('expect_error', $8) END);
END
$$;
COMMENT ON FUNCTION planthub.create_mapping_vector(text, text, jsonb, jsonb, text, jsonb, jsonb, jsonb) IS
'Adds a test vector to a mapping: what it must give for an input, or members of an error.  env has the present time as received_at unless it says otherwise; xref: entries used instead of the table, {set: {code: value}}';

CREATE OR REPLACE FUNCTION planthub.drop_mapping_vector(mapping text, name text, site text DEFAULT '*') RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    DELETE FROM planthub.mapping_vector AS v WHERE v.mapping = $1 AND v.name = $2 AND v.site = $3 AND NOT v.builtin;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = format('mapping "%s" has no vector "%s" of its own for site "%s"', $1, $2, $3),
            HINT = 'Look in the table planthub.mapping_vector.';
    END IF;
    PERFORM planthub.log_operation('drop_mapping_vector', jsonb_build_object('mapping', $1, 'name', $2, 'site', $3), 1);
END
$$;
COMMENT ON FUNCTION planthub.drop_mapping_vector(text, text, text) IS 'Removes a test vector that the extension did not bring';

-- Functions

CREATE OR REPLACE FUNCTION planthub.create_mapping_function(code text, function regprocedure, comment text DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    p      pg_proc;
    reason text;
BEGIN
    SELECT x.* INTO p FROM pg_proc AS x WHERE x.oid = function;
    reason := CASE
        WHEN p.oid IS NULL THEN 'It does not exist.'
        WHEN p.pronargs <> 1 OR p.proargtypes[0] <> 'jsonb'::regtype OR p.prorettype <> 'jsonb'::regtype OR p.proretset
            OR p.prokind <> 'f' THEN 'It must take one jsonb and return one.'
        WHEN p.provolatile = 'v' THEN 'A mapping must not change anything, and must give the same for a replay: it must be stable or immutable.'
        WHEN NOT EXISTS (SELECT FROM pg_language AS l WHERE l.oid = p.prolang AND l.lanname IN ('plpgsql', 'c', 'internal'))
            THEN 'It must be written in PL/pgSQL or C; a function in SQL is planned anew for every message.'
        WHEN NOT pg_has_role(session_user, p.proowner, 'MEMBER')
            THEN 'It runs with the rights of its owner, so only the owner may register it.' END;
    IF reason IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('function %s cannot be called by mappings', function),
            DETAIL = reason;
    END IF;
    PERFORM planthub.config_insert('mapping_function', code, jsonb_build_object('code', code,
        'schema', (SELECT n.nspname FROM pg_namespace AS n WHERE n.oid = p.pronamespace), 'function', p.proname, 'comment', comment));
END
$$;
COMMENT ON FUNCTION planthub.create_mapping_function(text, regprocedure, text) IS
'Lets templates call a function from jsonb to jsonb with $call.  It must be stable or immutable, written in PL/pgSQL or C, and runs with the rights of its owner, who alone may register it';

CREATE OR REPLACE FUNCTION planthub.drop_mapping_function(code text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.config_require('mapping_function', code);
    PERFORM planthub.config_require_unused('mapping_function', code, 'mappings',
        (SELECT string_agg(DISTINCT m.name, ', ') FROM planthub.mapping AS m
         WHERE m.status = 'active' AND m.depends->'calls' ? drop_mapping_function.code));
    PERFORM planthub.config_delete('mapping_function', code);
END
$$;
COMMENT ON FUNCTION planthub.drop_mapping_function(text) IS 'Forbids templates to call a function; refused while an active mapping does';

-- What comes with the extension: one file per mapping in src/sql/mappings, see the Makefile.

CREATE OR REPLACE FUNCTION planthub.install_mapping(file jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE planthub.mapping AS m SET status = 'retired'
    WHERE m.name = file->>'name' AND m.site = '*' AND m.status = 'active' AND m.version <> (file->>'version')::int;
    INSERT INTO planthub.mapping (name, version, contract_in, contract_out, options, template, status, reason, author,
        created_at, builtin)
    VALUES (file->>'name', (file->>'version')::int, file->>'contract_in', file->>'contract_out',
        coalesce(file->'options', '{}'), file->'template', 'active', file->>'comment', 'planthub', NULL, true)
    ON CONFLICT (name, site, version) DO NOTHING;
    INSERT INTO planthub.mapping_vector (mapping, name, input, env, xref, expect, expect_error, builtin)
    SELECT file->>'name', v->>'name', v->'input',
        coalesce(v->'env', '{}') || CASE WHEN v->'env' ? 'received_at' THEN '{}'
            ELSE '{"received_at": "2026-01-01T00:00:00Z"}' END::jsonb,
        coalesce(v->'xref', '{}'), v->'expect', v->'expect_error', true
    FROM jsonb_array_elements(file->'vectors') AS v
    ON CONFLICT (mapping, site, name) DO UPDATE SET input = excluded.input, env = excluded.env, xref = excluded.xref,
        expect = excluded.expect, expect_error = excluded.expect_error;
END
$$;
COMMENT ON FUNCTION planthub.install_mapping(jsonb) IS 'Internal: adds a mapping that belongs to the extension, from the contents of its file';
