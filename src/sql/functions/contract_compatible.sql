-- contract_compatible: what a new version of a JSON Schema refuses that the old one allowed.  A comparison of keywords,
-- not a proof: what it cannot judge it reports.  Re-runnable.

-- A schema without its local references; null stands for a reference that leads elsewhere or nowhere.
CREATE OR REPLACE FUNCTION planthub.schema_follow(root jsonb, schema jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    path text[];
BEGIN
    FOR i IN 1..20 LOOP
        IF jsonb_typeof(schema) <> 'object' OR NOT schema ? '$ref' THEN
            RETURN schema;
        END IF;
        IF schema->>'$ref' !~ '^#(/|$)' THEN
            RETURN NULL;
        END IF;
        path := string_to_array(substr(schema->>'$ref', 3), '/');
        path := ARRAY(SELECT replace(replace(p, '~1', '/'), '~0', '~') FROM unnest(path) AS p);
        schema := (schema - '$ref') || CASE WHEN jsonb_typeof(root #> path) = 'object' THEN root #> path ELSE '{}' END;
    END LOOP;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION planthub.schema_follow(jsonb, jsonb) IS 'Internal: a schema in place of a local reference to it';

-- The types that a schema allows; "number" includes "integer".
CREATE OR REPLACE FUNCTION planthub.schema_types(schema jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT CASE WHEN 'number' = ANY (t.names) THEN t.names || 'integer'::text ELSE t.names END
    FROM (SELECT CASE jsonb_typeof(schema_types.schema->'type')
            WHEN 'string' THEN ARRAY[schema_types.schema->>'type']
            WHEN 'array' THEN ARRAY(SELECT jsonb_array_elements_text(schema_types.schema->'type'))
            ELSE ARRAY['null', 'boolean', 'number', 'string', 'array', 'object'] END AS names) AS t;
END;
COMMENT ON FUNCTION planthub.schema_types(jsonb) IS 'Internal: the types that a JSON Schema allows';

CREATE OR REPLACE FUNCTION planthub.schema_narrowed_values(pointer text, old jsonb, new jsonb)
RETURNS TABLE (at text, keyword text, message text, was jsonb, becomes jsonb)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    k text;
BEGIN
    IF NOT planthub.schema_types(old) <@ planthub.schema_types(new) THEN
        RETURN QUERY SELECT pointer, 'type', 'type is narrowed', old->'type', new->'type';
    END IF;
    IF new ? 'enum' AND EXISTS (SELECT FROM jsonb_array_elements(CASE WHEN old ? 'const' THEN jsonb_build_array(old->'const')
                                    ELSE coalesce(old->'enum', '[["anything"]]') END) AS v
                                WHERE NOT EXISTS (SELECT FROM jsonb_array_elements(new->'enum') AS n WHERE n = v)) THEN
        RETURN QUERY SELECT pointer, 'enum', 'fewer values are allowed', old->'enum', new->'enum';
    END IF;
    IF new ? 'const' AND NOT coalesce(old->'const' = new->'const' OR old->'enum' = jsonb_build_array(new->'const'), false) THEN
        RETURN QUERY SELECT pointer, 'const', 'only one value is allowed', old->'const', new->'const';
    END IF;
    FOREACH k IN ARRAY ARRAY['minimum', 'exclusiveMinimum', 'minLength', 'minItems', 'minProperties', 'minContains'] LOOP
        IF (new->>k)::numeric > coalesce((old->>k)::numeric, CASE WHEN k IN ('minimum', 'exclusiveMinimum')
                                         THEN numeric '-Infinity' WHEN k = 'minContains' THEN 1 ELSE 0 END) THEN
            RETURN QUERY SELECT pointer, k, 'lower bound is tightened', old->k, new->k;
        END IF;
    END LOOP;
    FOREACH k IN ARRAY ARRAY['maximum', 'exclusiveMaximum', 'maxLength', 'maxItems', 'maxProperties', 'maxContains'] LOOP
        IF (new->>k)::numeric < coalesce((old->>k)::numeric, 'Infinity') THEN
            RETURN QUERY SELECT pointer, k, 'upper bound is tightened', old->k, new->k;
        END IF;
    END LOOP;
    IF new ? 'multipleOf' AND NOT coalesce((old->>'multipleOf')::numeric % (new->>'multipleOf')::numeric = 0, false) THEN
        RETURN QUERY SELECT pointer, 'multipleOf', 'fewer values are allowed', old->'multipleOf', new->'multipleOf';
    END IF;
    IF new->'uniqueItems' = 'true' AND old->'uniqueItems' IS DISTINCT FROM 'true' THEN
        RETURN QUERY SELECT pointer, 'uniqueItems', 'items must now be unique', old->'uniqueItems', new->'uniqueItems';
    END IF;
    FOREACH k IN ARRAY ARRAY['pattern', 'format', 'not', 'if', 'then', 'else', 'contains', 'patternProperties', 'propertyNames',
                             'dependentRequired', 'dependentSchemas', 'dependencies', 'unevaluatedItems',
                             'unevaluatedProperties', '$dynamicRef'] LOOP
        IF new ? k AND new->k IS DISTINCT FROM old->k THEN
            RETURN QUERY SELECT pointer, k, 'is new or different, which may refuse what was allowed', old->k, new->k;
        END IF;
    END LOOP;
    RETURN QUERY
        SELECT pointer, 'required', format('member "%s" is now required', r), NULL::jsonb, to_jsonb(r)
        FROM jsonb_array_elements_text(coalesce(new->'required', '[]')) AS r WHERE NOT coalesce(old->'required' ? r, false);
END
$$;
COMMENT ON FUNCTION planthub.schema_narrowed_values(text, jsonb, jsonb) IS 'Internal: what is narrowed by the keywords of one schema, without its subschemas';

CREATE OR REPLACE FUNCTION planthub.schema_narrowed_branches(old_root jsonb, new_root jsonb, old jsonb, new jsonb, pointer text,
    seen text[])
RETURNS TABLE (at text, keyword text, message text, was jsonb, becomes jsonb)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    k text;
BEGIN
    -- Each old alternative must be allowed by a new one; without alternatives the old schema is the only one.
    FOREACH k IN ARRAY ARRAY['anyOf', 'oneOf'] LOOP
        RETURN QUERY
            SELECT pointer, k, 'an alternative is missing or narrowed', o.schema, new->k
            FROM jsonb_array_elements(coalesce(old->k, jsonb_build_array(old))) AS o(schema)
            WHERE new ? k AND new->k IS DISTINCT FROM old->k AND NOT EXISTS (
                SELECT FROM jsonb_array_elements(new->k) AS n(schema)
                WHERE NOT EXISTS (SELECT FROM planthub.schema_narrowed(old_root, new_root, o.schema, n.schema, '', seen)));
    END LOOP;
    RETURN QUERY
        SELECT pointer || '/allOf/' || n.i - 1, 'allOf', 'is a further condition', NULL::jsonb, n.schema
        FROM jsonb_array_elements(coalesce(new->'allOf', '[]')) WITH ORDINALITY AS n(schema, i)
        WHERE NOT EXISTS (SELECT FROM jsonb_array_elements(coalesce(old->'allOf', '[]')) AS o(schema)
                          WHERE NOT EXISTS (SELECT FROM planthub.schema_narrowed(old_root, new_root, o.schema, n.schema, '', seen)));
END
$$;
COMMENT ON FUNCTION planthub.schema_narrowed_branches(jsonb, jsonb, jsonb, jsonb, text, text[]) IS 'Internal: what is narrowed by anyOf, oneOf and allOf';

CREATE OR REPLACE FUNCTION planthub.schema_narrowed_members(old_root jsonb, new_root jsonb, old jsonb, new jsonb, pointer text,
    seen text[])
RETURNS TABLE (at text, keyword text, message text, was jsonb, becomes jsonb)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old_members jsonb := coalesce(old->'properties', '{}');
    new_members jsonb := coalesce(new->'properties', '{}');
    old_others  jsonb := coalesce(old->'additionalProperties', 'true');
    new_others  jsonb := coalesce(new->'additionalProperties', 'true');
    old_rest    jsonb := coalesce(old->'items', 'true');
    new_rest    jsonb := coalesce(new->'items', 'true');
    name        text;
    i           int;
BEGIN
    -- A member that was not known before is no incompatibility, unless it is required.
    FOR name IN SELECT jsonb_object_keys(old_members) LOOP
        IF new_members ? name THEN
            RETURN QUERY SELECT * FROM planthub.schema_narrowed(old_root, new_root, old_members->name, new_members->name,
                pointer || '/properties/' || replace(replace(name, '~', '~0'), '/', '~1'), seen);
        ELSIF new_others = 'false' THEN
            RETURN QUERY SELECT pointer, 'additionalProperties', format('member "%s" is no longer allowed', name),
                old_members->name, new_others;
        END IF;
    END LOOP;
    IF new_others = 'false' AND old_others <> 'false' THEN
        RETURN QUERY SELECT pointer, 'additionalProperties', 'other members are no longer allowed', old->'additionalProperties', new_others;
    ELSIF new_others <> 'false' THEN
        RETURN QUERY SELECT * FROM planthub.schema_narrowed(old_root, new_root, old_others, new_others,
            pointer || '/additionalProperties', seen);
    END IF;
    IF jsonb_typeof(old_rest) = 'array' OR jsonb_typeof(new_rest) = 'array' THEN
        IF new_rest IS DISTINCT FROM old_rest THEN
            RETURN QUERY SELECT pointer, 'items', 'is different, which may refuse what was allowed', old->'items', new->'items';
        END IF;
    ELSE
        RETURN QUERY SELECT * FROM planthub.schema_narrowed(old_root, new_root, old_rest, new_rest, pointer || '/items', seen);
        FOR i IN 0..jsonb_array_length(coalesce(new->'prefixItems', '[]')) - 1 LOOP
            RETURN QUERY SELECT * FROM planthub.schema_narrowed(old_root, new_root, coalesce(old->'prefixItems'->i, old_rest),
                new->'prefixItems'->i, pointer || '/prefixItems/' || i, seen);
        END LOOP;
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.schema_narrowed_members(jsonb, jsonb, jsonb, jsonb, text, text[]) IS 'Internal: what is narrowed in the members and items of a schema';

CREATE OR REPLACE FUNCTION planthub.schema_narrowed(old_root jsonb, new_root jsonb, old jsonb, new jsonb, pointer text, seen text[])
RETURNS TABLE (at text, keyword text, message text, was jsonb, becomes jsonb)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    pair      text := format('%s %s', old, new);
    old_plain jsonb := planthub.schema_follow(old_root, old);
    new_plain jsonb := planthub.schema_follow(new_root, new);
BEGIN
    IF new_plain IN ('true', '{}') OR old_plain = 'false' OR pair = ANY (seen) OR (old = new AND old_root = new_root) THEN
        RETURN;
    END IF;
    IF old_plain IS NULL OR new_plain IS NULL THEN
        IF old IS DISTINCT FROM new THEN
            RETURN QUERY SELECT pointer, '$ref', 'leads to another document, which is not compared', old, new;
        END IF;
        RETURN;
    END IF;
    IF new_plain = 'false' THEN
        RETURN QUERY SELECT pointer, 'false', 'nothing is allowed here any more', old, new;
        RETURN;
    END IF;
    old_plain := CASE WHEN old_plain = 'true' THEN '{}' ELSE old_plain END;
    RETURN QUERY SELECT * FROM planthub.schema_narrowed_values(pointer, old_plain, new_plain);
    RETURN QUERY SELECT * FROM planthub.schema_narrowed_members(old_root, new_root, old_plain, new_plain, pointer, seen || pair);
    RETURN QUERY SELECT * FROM planthub.schema_narrowed_branches(old_root, new_root, old_plain, new_plain, pointer, seen || pair);
END
$$;
COMMENT ON FUNCTION planthub.schema_narrowed(jsonb, jsonb, jsonb, jsonb, text, text[]) IS 'Internal: what one schema allows and another refuses, with the roots that references start from';

CREATE OR REPLACE FUNCTION planthub.contract_compatible(old jsonb, new jsonb)
RETURNS TABLE (pointer text, keyword text, message text, was jsonb, becomes jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF old IS NULL OR new IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'old and new must not be null';
    END IF;
    PERFORM planthub.check_json_schema(old);
    PERFORM planthub.check_json_schema(new);
    RETURN QUERY SELECT n.at, n.keyword, n.message, n.was, n.becomes
        FROM planthub.schema_narrowed(old, new, old, new, '', '{}') AS n ORDER BY n.at, n.keyword, n.message;
END
$$;
COMMENT ON FUNCTION planthub.contract_compatible(jsonb, jsonb) IS
'What a new version of a JSON Schema may refuse that the old one allowed: members now required, types, values and bounds narrowed, objects closed; pointer: place in the new schema.  No row: compatible.  A comparison of keywords, not a proof; what it cannot judge it reports';
