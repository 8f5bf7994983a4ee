-- lint: what in a mapping or in the condition of a route is probably not meant, compared with the contracts.  Like
-- contract_compatible it looks at keywords and proves nothing: what it cannot judge it lets pass.  Re-runnable.

CREATE OR REPLACE FUNCTION planthub.mapping_outline(mapping text, site text DEFAULT '*') RETURNS jsonb
LANGUAGE c STRICT STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'planthub_mapping_outline';
COMMENT ON FUNCTION planthub.mapping_outline(text, text) IS
'Internal: what lint compares with contracts: reads (fields of the input, each place), assumptions (comparisons and arithmetic with them), writes (parts of the output), extra (the option); null: the mapping cannot be compiled';

CREATE OR REPLACE FUNCTION planthub.condition_outline(condition text) RETURNS jsonb
LANGUAGE c STRICT STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'planthub_condition_outline';
COMMENT ON FUNCTION planthub.condition_outline(text) IS
'Internal: the same for the condition of a route, with warnings; errors as in jmespath()';

-- Schemas

-- The schemas of what is behind one step of a path (.member, [], [3], .*).  No row: nothing is allowed or known there;
-- true: anything.  A member that only additionalProperties allows is not known.
CREATE OR REPLACE FUNCTION planthub.schema_step(root jsonb, schema jsonb, step text) RETURNS SETOF jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s      constant jsonb := planthub.schema_follow(root, schema);
    types  constant text[] := planthub.schema_types(s);
    wanted constant text[] := CASE WHEN left(step, 1) = '.' THEN '{object}' ELSE '{array,object}' END;
    named  constant boolean := s ? 'properties';
    branch jsonb;
    plain  boolean := true;
BEGIN
    IF s IS NULL OR s IN ('true', 'false') OR step = '.*' THEN
        RETURN QUERY SELECT 'true'::jsonb WHERE s IS DISTINCT FROM 'false';
        RETURN;
    ELSIF NOT types && wanted THEN
        -- a single value counts as an array of one
        RETURN QUERY SELECT s WHERE step = '[]';
        RETURN;
    ELSIF left(step, 1) = '[' AND (s ? 'prefixItems' OR jsonb_typeof(s->'items') = 'array') THEN
        RETURN NEXT 'true';
        RETURN;
    ELSIF left(step, 1) = '[' AND (s ? 'items' OR named) THEN
        RETURN NEXT coalesce(s->'items', s);
        RETURN;
    ELSIF s->'properties' ? btrim(substr(step, 2), '"') THEN
        RETURN NEXT s->'properties'->btrim(substr(step, 2), '"');
        RETURN;
    ELSIF s ? 'patternProperties' THEN
        RETURN NEXT 'true';
        RETURN;
    ELSIF jsonb_typeof(s->'additionalProperties') = 'object' THEN
        RETURN NEXT s->'additionalProperties';
        RETURN;
    END IF;
    FOR branch IN
        SELECT b FROM unnest(ARRAY['anyOf', 'oneOf', 'allOf']) AS k, jsonb_array_elements(CASE WHEN s ? k THEN s->k ELSE '[]' END) AS b
        UNION ALL SELECT s->k FROM unnest(ARRAY['then', 'else']) AS k WHERE s ? k
    LOOP
        -- beside members that are named, a branch that names none says nothing
        CONTINUE WHEN named AND NOT planthub.schema_follow(root, branch) ?| '{properties,anyOf,oneOf,allOf}';
        plain := false;
        RETURN QUERY SELECT * FROM planthub.schema_step(root, branch, step);
    END LOOP;
    RETURN QUERY SELECT 'true'::jsonb WHERE plain AND NOT named;
END
$$;
COMMENT ON FUNCTION planthub.schema_step(jsonb, jsonb, text) IS 'Internal: the schemas of a member or of the elements; no row: nothing is known there, true: anything may be';

CREATE OR REPLACE FUNCTION planthub.schema_at(root jsonb, schema jsonb, path text) RETURNS SETOF jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    step constant text := substring(path, '^([.]"[^"]*"|[.][^.[]*|[[][^]]*[]])');
BEGIN
    IF step IS NULL THEN
        RETURN NEXT schema;
        RETURN;
    END IF;
    RETURN QUERY
        SELECT b FROM planthub.schema_step(root, schema, step) AS a, planthub.schema_at(root, a, substr(path, 1 + length(step))) AS b;
END
$$;
COMMENT ON FUNCTION planthub.schema_at(jsonb, jsonb, text) IS 'Internal: the schemas of what is at a path such as .lines[].item, as schema_step() gives them';

CREATE OR REPLACE FUNCTION planthub.schema_branches(root jsonb, schema jsonb) RETURNS SETOF jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s constant jsonb := planthub.schema_follow(root, schema);
BEGIN
    IF jsonb_typeof(s) = 'object' AND NOT s ?| '{type,const,enum}' AND s ?| '{anyOf,oneOf}' THEN
        RETURN QUERY
            SELECT c FROM jsonb_array_elements(coalesce(s->'anyOf', s->'oneOf')) AS b, planthub.schema_branches(root, b) AS c;
    ELSE
        RETURN NEXT s;
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.schema_branches(jsonb, jsonb) IS 'Internal: the alternatives of a schema without references; null: another document';

CREATE OR REPLACE FUNCTION planthub.schema_type_names(root jsonb, schemas jsonb[]) RETURNS text[]
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT array_agg(DISTINCT t ORDER BY t)
    FROM unnest(schema_type_names.schemas) AS s, planthub.schema_branches(schema_type_names.root, s) AS b,
        unnest(CASE WHEN b ? 'const' AND NOT b ? 'type' THEN ARRAY[jsonb_typeof(b->'const')]
            WHEN b ? 'enum' AND NOT b ? 'type' THEN ARRAY(SELECT jsonb_typeof(v) FROM jsonb_array_elements(b->'enum') AS v)
            WHEN b = 'false'::jsonb THEN '{}'::text[]
            ELSE planthub.schema_types(b) END) AS t;
END;
COMMENT ON FUNCTION planthub.schema_type_names(jsonb, jsonb[]) IS 'Internal: the types that any of the schemas allows';

-- The types that a value has; 5 is an integer, too.
CREATE OR REPLACE FUNCTION planthub.json_types(value jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT CASE WHEN jsonb_typeof(json_types.value) = 'number' AND (json_types.value#>>'{}')::numeric % 1 = 0
        THEN '{number,integer}'::text[] ELSE ARRAY[jsonb_typeof(json_types.value)] END;
END;
COMMENT ON FUNCTION planthub.json_types(jsonb) IS 'Internal: the types of JSON Schema that a value has';

CREATE OR REPLACE FUNCTION planthub.schema_may_be(root jsonb, schema jsonb, value jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT EXISTS (
        SELECT FROM planthub.schema_branches(schema_may_be.root, schema_may_be.schema) AS b
        WHERE b IS NULL OR (b <> 'false'::jsonb AND planthub.schema_types(b) && planthub.json_types(schema_may_be.value)
          AND CASE WHEN b ? 'const' THEN b->'const' = schema_may_be.value
              WHEN b ? 'enum' THEN EXISTS (SELECT FROM jsonb_array_elements(b->'enum') AS v WHERE v = schema_may_be.value)
              ELSE true END));
END;
COMMENT ON FUNCTION planthub.schema_may_be(jsonb, jsonb, jsonb) IS 'Internal: whether types, const and enum of a schema allow a value';

CREATE OR REPLACE FUNCTION planthub.schema_values(root jsonb, schemas jsonb[]) RETURNS text
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT CASE WHEN bool_and(b ?| '{const,enum}'::text[]) THEN
        left(string_agg(coalesce((b->'const')::text, btrim((b->'enum')::text, '[]')), ', '), 200) END
    FROM unnest(schema_values.schemas) AS s, planthub.schema_branches(schema_values.root, s) AS b
    WHERE b->'type' IS DISTINCT FROM '"null"';
END;
COMMENT ON FUNCTION planthub.schema_values(jsonb, jsonb[]) IS 'Internal: the only values that the schemas allow, as text; null: they do not list them';

-- Findings.  contract: topic@version, of which the schema is.

CREATE OR REPLACE FUNCTION planthub.lint_notice(message text, detail text, hint text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF detail IS NULL THEN
        RAISE NOTICE USING MESSAGE = message, HINT = hint;
    ELSE
        RAISE NOTICE USING MESSAGE = message, DETAIL = detail, HINT = hint;
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.lint_notice(text, text, text) IS 'Internal: a finding as a notice; detail may be null';

CREATE OR REPLACE FUNCTION planthub.lint_contract(contract text) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT c.schema FROM planthub.contract AS c
    WHERE c.topic = split_part(lint_contract.contract, '@', 1) AND c.version::text = split_part(lint_contract.contract, '@', 2);
END;
COMMENT ON FUNCTION planthub.lint_contract(text) IS 'Internal: the schema of topic@version';

CREATE OR REPLACE FUNCTION planthub.lint_reads(contract text, schema jsonb, outline jsonb)
RETURNS TABLE (code text, place text, "column" int, message text, detail text, hint text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH unknown AS MATERIALIZED (
        SELECT DISTINCT r->>'path' AS path, r->>'place' AS place, (r->>'column')::int AS "column"
        FROM jsonb_array_elements(lint_reads.outline->'reads') AS r
        WHERE NOT EXISTS (SELECT FROM planthub.schema_at(lint_reads.schema, lint_reads.schema, substr(r->>'path', 2))))
    SELECT 'not-in-contract', u.place, u."column", format('"%s" is not in the contract %s', u.path, lint_reads.contract),
        NULL::text, 'Correct the name, or add the member to a new version of the contract.'
    FROM unknown AS u
    WHERE NOT EXISTS (SELECT FROM unknown AS o
                      WHERE u.path <> o.path AND starts_with(u.path, o.path) AND substr(u.path, 1 + length(o.path), 1) IN ('.', '['))
    ORDER BY u.place, u."column", u.path;
END;
COMMENT ON FUNCTION planthub.lint_reads(text, jsonb, jsonb) IS 'Internal: fields that are read and that the contract of the input does not know';

CREATE OR REPLACE FUNCTION planthub.lint_assumptions(contract text, schema jsonb, outline jsonb)
RETURNS TABLE (code text, place text, "column" int, message text, detail text, hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    a       jsonb;
    here    jsonb[];
    there   jsonb[];
    types   text[];
    values_ text;
    literal jsonb;
BEGIN
    FOR a IN SELECT x FROM jsonb_array_elements(outline->'assumptions') AS x LOOP
        here := ARRAY(SELECT planthub.schema_at(schema, schema, substr(a->>'path', 2)));
        there := ARRAY(SELECT planthub.schema_at(schema, schema, substr(a->>'other', 2)));
        CONTINUE WHEN here = '{}' OR (a ? 'other' AND there = '{}');
        types := array_remove(planthub.schema_type_names(schema, here), 'null');
        values_ := planthub.schema_values(schema, here);
        literal := a->'literal';
        place := a->>'place';
        "column" := nullif((a->>'column')::int, 0);
        code := 'never-equal';
        message := NULL;
        detail := format('By the contract %s it is %s.', contract, coalesce('one of ' || values_, array_to_string(types, ' or ')));
        IF a->>'kind' IN ('order', 'number') THEN
            CONTINUE WHEN types && '{number,integer}' OR types = '{}';
            code := CASE a->>'kind' WHEN 'order' THEN 'no-order' ELSE 'no-number' END;
            message := format(CASE a->>'kind' WHEN 'order' THEN '"%s" is no number, so it is never less or greater'
                              ELSE '"%s" is no number, so there is no arithmetic with it' END, a->>'path');
            hint := 'Put number() around it.';
        ELSIF a ? 'other' THEN
            CONTINUE WHEN types && array_remove(planthub.schema_type_names(schema, there), 'null');
            message := format('"%s" is never equal to "%s"', a->>'path', a->>'other');
            detail := format('By the contract %s the one is %s, the other %s.', contract, array_to_string(types, ' or '),
                array_to_string(array_remove(planthub.schema_type_names(schema, there), 'null'), ' or '));
            hint := 'Convert one of them, with number() or to_string().';
        ELSE
            CONTINUE WHEN literal = 'null' OR EXISTS (SELECT FROM unnest(here) AS h WHERE planthub.schema_may_be(schema, h, literal));
            -- a case is compared as text
            CONTINUE WHEN a->>'kind' = 'case' AND types && '{number,integer,boolean}';
            message := format('"%s" is never %s', a->>'path', left(literal::text, 100));
            hint := CASE WHEN types && planthub.json_types(literal) THEN 'Correct the value.'
                ELSE 'Compare it with a value of its type, or convert it with number() or to_string().' END;
        END IF;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION planthub.lint_assumptions(text, jsonb, jsonb) IS 'Internal: comparisons and arithmetic that make no sense by the contract of the input';

-- part: see mapping_outline(); at: its place in the output.
CREATE OR REPLACE FUNCTION planthub.lint_writes(contract text, root jsonb, schema jsonb, part jsonb, at text)
RETURNS TABLE (code text, place text, "column" int, message text, detail text, hint text, found_at text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    types constant text[] := planthub.schema_type_names(root, ARRAY[schema]);
    kind  constant text := CASE WHEN part ? 'members' THEN 'object' WHEN part ? 'items' THEN 'array' ELSE part->>'type' END;
    kinds constant text[] := CASE WHEN kind IN ('number', 'integer') THEN '{number,integer}' ELSE ARRAY[kind] END;
    name  text;
    inner_part jsonb;
BEGIN
    place := part->>'place';
    found_at := at;
    IF part ? 'any' THEN
        RETURN QUERY SELECT f.* FROM jsonb_array_elements(part->'any') AS p, planthub.lint_writes(contract, root, schema, p, at) AS f;
    ELSIF part ? 'value' AND NOT planthub.schema_may_be(root, schema, part->'value') THEN
        code := 'output-value';
        message := format('%s is written to "%s", which the contract %s does not allow', left((part->'value')::text, 100), at, contract);
        detail := format('It allows %s.', coalesce(planthub.schema_values(root, ARRAY[schema]), array_to_string(types, ' or ')));
        hint := 'Write a value of that kind.';
        RETURN NEXT;
    ELSIF kind IS NOT NULL AND NOT types && kinds THEN
        code := 'output-type';
        message := format('a value of type %s is written to "%s", which the contract %s does not allow', kind, at, contract);
        detail := format('It allows %s.', array_to_string(types, ' or '));
        hint := 'Write a value of that kind.';
        RETURN NEXT;
    ELSIF kind = 'array' THEN
        RETURN QUERY SELECT f.* FROM jsonb_array_elements(part->'items') AS p, planthub.lint_alternatives(contract, root,
            ARRAY(SELECT planthub.schema_step(root, schema, '[]')), p, at || '/*') AS f;
    ELSIF kind = 'object' THEN
        RETURN QUERY SELECT f.* FROM planthub.lint_required(contract, root, schema, part, at) AS f;
        FOR name, inner_part IN SELECT e.key, e.value FROM jsonb_each(part->'members') AS e LOOP
            RETURN QUERY SELECT f.* FROM planthub.lint_alternatives(contract, root,
                ARRAY(SELECT planthub.schema_step(root, schema, format('."%s"', name))), inner_part,
                at || '/' || replace(replace(name, '~', '~0'), '/', '~1')) AS f;
        END LOOP;
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.lint_writes(text, jsonb, jsonb, jsonb, text) IS 'Internal: what in a part of an output the contract of the output does not know or allow';

-- One of the schemas must do.
CREATE OR REPLACE FUNCTION planthub.lint_alternatives(contract text, root jsonb, schemas jsonb[], part jsonb, at text)
RETURNS TABLE (code text, place text, "column" int, message text, detail text, hint text, found_at text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    schema jsonb;
    found  jsonb[];
    best   jsonb[];
BEGIN
    IF schemas = '{}' THEN
        RETURN QUERY SELECT 'output-not-in-contract', part->>'place', NULL::int,
            format('"%s" is not in the contract %s', at, contract), NULL::text,
            'Correct the name, add the member to a new version of the contract, or name it in the option "extra".', at;
        RETURN;
    END IF;
    IF part ? 'any' THEN
        RETURN QUERY SELECT f.* FROM jsonb_array_elements(part->'any') AS p, planthub.lint_alternatives(contract, root, schemas, p, at) AS f;
        RETURN;
    END IF;
    FOR schema IN SELECT b FROM unnest(schemas) AS s, planthub.schema_branches(root, s) AS b LOOP
        CONTINUE WHEN schema = '{"type": "null"}' AND part->'value' IS DISTINCT FROM 'null';
        found := ARRAY(SELECT to_jsonb(f) FROM planthub.lint_writes(contract, root, schema, part, at) AS f);
        -- of those that do not, the one of the right type tells most
        IF best IS NULL OR found = '{}' OR best[1]->>'code' = 'output-type' THEN
            best := found;
        END IF;
        EXIT WHEN best = '{}';
    END LOOP;
    RETURN QUERY SELECT f->>'code', f->>'place', NULL::int, f->>'message', f->>'detail', f->>'hint', f->>'found_at' FROM unnest(best) AS f;
END
$$;
COMMENT ON FUNCTION planthub.lint_alternatives(text, jsonb, jsonb[], jsonb, text) IS 'Internal: lint_writes() for a part that may follow any of the schemas';

CREATE OR REPLACE FUNCTION planthub.lint_required(contract text, root jsonb, schema jsonb, part jsonb, at text)
RETURNS TABLE (code text, place text, "column" int, message text, detail text, hint text, found_at text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    s constant jsonb := planthub.schema_follow(root, schema);
BEGIN
    IF part ? 'open' OR s IS NULL OR jsonb_typeof(s) <> 'object' THEN
        RETURN;
    END IF;
    RETURN QUERY
        SELECT 'required-not-written', part->>'place', NULL::int,
            format('"%s" is required by the contract %s and never written', at || '/' || r, contract), NULL::text,
            'Write it, here or with $merge.', at || '/' || r
        FROM jsonb_array_elements_text(CASE WHEN jsonb_typeof(s->'required') = 'array' THEN s->'required' ELSE '[]' END) AS r
        WHERE NOT part->'members' ? r;
    RETURN QUERY
        SELECT f.* FROM jsonb_array_elements(coalesce(s->'allOf', '[]')) AS b, planthub.lint_required(contract, root, b, part, at) AS f;
END
$$;
COMMENT ON FUNCTION planthub.lint_required(text, jsonb, jsonb, jsonb, text) IS 'Internal: members that the contract of the output requires and that are never written';

-- Mappings

CREATE OR REPLACE FUNCTION planthub.mapping_lint(mapping text, site text DEFAULT '*')
RETURNS TABLE (severity text, code text, place text, "column" int, message text, detail text, hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found_in  constant jsonb := planthub.mapping_describe(mapping, site);
    outline   constant jsonb := planthub.mapping_outline(mapping, site);
    m         constant planthub.mapping := planthub.mapping_find(found_in->>'mapping');
    input     constant jsonb := planthub.lint_contract(m.contract_in);
    output    constant jsonb := planthub.lint_contract(m.contract_out);
BEGIN
    RETURN QUERY
        SELECT 'error', e->>'code', concat_ws('#', mapping, e->>'pointer'), (e->>'column')::int, e->>'message', NULL::text, e->>'hint'
        FROM jsonb_array_elements(found_in->'errors') AS e;
    RETURN QUERY
        SELECT 'warning', w->>'code', w->>'pointer', (w->>'column')::int, w->>'message', NULL::text, w->>'hint'
        FROM jsonb_array_elements(found_in->'warnings') AS w;
    RETURN QUERY
        SELECT 'warning', 'unknown-contract', found_in->>'mapping', NULL::int, format('contract %s does not exist', c.name), NULL::text,
            'Nothing is compared with it; add it with planthub.register_contract().'
        FROM (VALUES (m.contract_in, input), (m.contract_out, output)) AS c(name, schema) WHERE c.name IS NOT NULL AND c.schema IS NULL;
    IF input IS NOT NULL THEN
        RETURN QUERY SELECT 'warning', f.* FROM planthub.lint_reads(m.contract_in, input, outline) AS f;
        RETURN QUERY SELECT DISTINCT 'warning', f.* FROM planthub.lint_assumptions(m.contract_in, input, outline) AS f ORDER BY 3, 4;
    END IF;
    IF output IS NOT NULL THEN
        RETURN QUERY
            SELECT DISTINCT 'warning', f.code, f.place, f."column", f.message, f.detail, f.hint
            FROM planthub.lint_writes(m.contract_out, output, output, outline->'writes', '') AS f
            WHERE f.code <> 'output-not-in-contract'
               OR NOT EXISTS (SELECT FROM jsonb_array_elements_text(nullif(outline->'extra', 'null')) AS e
                              WHERE f.found_at = e OR starts_with(f.found_at, e || '/'))
            ORDER BY 3, 5;
    END IF;
    RETURN QUERY
        SELECT 'warning', 'outdated-base', format('%s@%s:%s', o.name, o.version, o.site), NULL::int,
            format('it changes version %s of site "%s", whose active version is %s', o.base, o.base_site, a.version), NULL::text,
            'Create it anew for the active version, test it, and activate it.'
        FROM planthub.mapping AS o
        JOIN planthub.mapping AS a ON a.name = o.name AND a.site = o.base_site AND a.status = 'active'
        WHERE o.status = 'active' AND o.base <> a.version AND o.base_site <> o.site
          AND o.name = split_part(mapping, '@', 1);
END
$$;
COMMENT ON FUNCTION planthub.mapping_lint(text, text) IS
'What is wrong with a mapping, or probably not meant: severity (error, warning), a code, the place as mapping#pointer into its template, the column in the expression there, and what to do.  Reads, comparisons and arithmetic are compared with contract_in, the output with contract_out';

-- Routes

CREATE OR REPLACE FUNCTION planthub.condition_lint(condition text, topic_pattern text)
RETURNS TABLE (severity text, code text, "column" int, message text, detail text, hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    outline jsonb;
    topics  constant text[] := ARRAY(SELECT format('%s@%s', t.name, t.version) FROM planthub.topic AS t
        WHERE t.name || '.' ~ planthub.topic_regex(topic_pattern) ORDER BY t.name);
BEGIN
    outline := planthub.condition_outline(condition);
    RETURN QUERY
        SELECT 'warning', w->>'code', (w->>'column')::int, w->>'message', NULL::text, w->>'hint'
        FROM jsonb_array_elements(outline->'warnings') AS w;
    -- what makes sense for one of the topics does
    RETURN QUERY
        SELECT 'warning', f.code, f."column", min(f.message), min(f.detail), min(f.hint)
        FROM unnest(topics) AS t(name),
            LATERAL (SELECT planthub.lint_contract(t.name) AS schema OFFSET 0) AS c,
            LATERAL (SELECT * FROM planthub.lint_reads(t.name, c.schema, outline)
                     UNION ALL SELECT * FROM planthub.lint_assumptions(t.name, c.schema, outline)) AS f
        WHERE c.schema IS NOT NULL
        GROUP BY f.code, f."column" HAVING count(DISTINCT t.name) = cardinality(topics) ORDER BY f."column", f.code;
END
$$;
COMMENT ON FUNCTION planthub.condition_lint(text, text) IS
'What in a condition for topics like a pattern is probably not meant, also by the contracts of all these topics; column counts in the condition';

CREATE OR REPLACE FUNCTION planthub.route_lint(which text DEFAULT NULL)
RETURNS TABLE (route text, severity text, code text, "column" int, message text, detail text, hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
        SELECT r.code, f.* FROM planthub.route AS r, planthub.condition_lint(r.condition, r.topic_pattern) AS f
        WHERE r.condition IS NOT NULL AND ($1 IS NULL OR r.code = $1) ORDER BY r.code;
    RETURN QUERY
        SELECT DISTINCT r.code, 'warning', 'other-contract', NULL::int,
            format('mapping "%s" is for %s, which is none of its topics', r.mapping, m.contract_in), NULL::text,
            'Use another mapping, or a pattern that matches the topic.'
        FROM planthub.route AS r
        JOIN planthub.mapping AS m ON m.name = split_part(r.mapping, '@', 1)
         AND (r.mapping = format('%s@%s', m.name, m.version) AND m.site = '*' OR r.mapping = format('%s@%s:%s', m.name, m.version, m.site)
              OR r.mapping = m.name AND m.status = 'active')
        WHERE ($1 IS NULL OR r.code = $1)
          AND split_part(m.contract_in, '@', 1) || '.' !~ planthub.topic_regex(r.topic_pattern) ORDER BY 1, 5;
END
$$;
COMMENT ON FUNCTION planthub.route_lint(text) IS 'What in the condition and mapping of a route, or of all, is probably not meant';

CREATE OR REPLACE FUNCTION planthub.route_warn(code text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.lint_notice(concat_ws(': ', format('route "%s"', f.route), 'condition, column ' || f."column", f.message), f.detail, f.hint)
    FROM planthub.route_lint(code) AS f;
END
$$;
COMMENT ON FUNCTION planthub.route_warn(text) IS 'Internal: notices of route_lint()';
