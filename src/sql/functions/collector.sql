-- collector: reading tables that other applications write, without a gap however their transactions overlap.
-- Re-runnable.
--
-- An id taken from a sequence says nothing about the order of commits: who remembers the last id misses the row with an
-- earlier one that is committed later.  So it is never asked.  A table with a column of type xid8 is read in windows of
-- two snapshots, as lanes are.  Any other is compared with what was read: every poll reads all of it, but nothing is asked of
-- the application, no right to write, no trigger and no column, and changed rows are found, too.
--
-- The source is read with the rights of the caller: a view or a type of somebody else must not run with those of the owner
-- of the extension.

CREATE OR REPLACE FUNCTION planthub.collector_keys(relation regclass) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT array_agg(a.attname::text ORDER BY k.n) FROM pg_index AS i, unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, n), pg_attribute AS a
    WHERE i.indrelid = relation AND i.indisprimary AND a.attrelid = relation AND a.attnum = k.attnum
$$;
COMMENT ON FUNCTION planthub.collector_keys(regclass) IS 'Internal: columns of the primary key';

-- Without them two rows could pass for one, or a row for none.
CREATE OR REPLACE FUNCTION planthub.check_collector(relation regclass, key_columns text[], xid_column text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    missing text;
    kind    "char" := (SELECT c.relkind FROM pg_class AS c WHERE c.oid = relation);
BEGIN
    SELECT string_agg(format('"%s"', w.name), ', ') INTO missing FROM unnest(key_columns || xid_column) AS w (name)
    WHERE w.name IS NOT NULL AND NOT EXISTS (SELECT FROM pg_attribute AS a
        WHERE a.attrelid = relation AND a.attname = w.name AND a.attnum > 0 AND NOT a.attisdropped);
    IF missing IS NOT NULL OR coalesce(cardinality(key_columns), 0) = 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_column',
            MESSAGE = CASE WHEN missing IS NOT NULL THEN format('"%s" has no column %s', relation, missing) ELSE format('"%s" has no primary key', relation) END,
            HINT = 'Name the columns that identify a row.';
    END IF;
    IF kind IN ('r', 'p') AND NOT EXISTS (
        SELECT FROM pg_index AS i WHERE i.indrelid = relation AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
          AND (SELECT array_agg(a.attname::text ORDER BY a.attname) FROM pg_attribute AS a
               WHERE a.attrelid = relation AND a.attnum = ANY ((i.indkey::int2[])[:i.indnkeyatts - 1]) AND a.attnotnull)
              = (SELECT array_agg(k ORDER BY k COLLATE "C") FROM unnest(key_columns) AS k)) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_table_definition',
            MESSAGE = format('the key columns do not identify a row of "%s"', relation),
            DETAIL = 'There is no unique index on just these columns, or one of them may be null.',
            HINT = 'Name the columns of a unique index.';
    END IF;
    IF xid_column IS NOT NULL AND NOT EXISTS (
        SELECT FROM pg_attribute AS a JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid = relation AND a.attname = xid_column AND a.atttypid = 'xid8'::regtype AND a.attnotnull
          AND pg_get_expr(d.adbin, d.adrelid) = 'pg_current_xact_id()') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_table_definition',
            MESSAGE = format('column "%s" does not tell which transaction inserted a row', xid_column),
            HINT = 'Declare it as xid8 NOT NULL DEFAULT pg_current_xact_id(), with an index, or leave it out to have rows compared.';
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.check_collector(regclass, text[], text) IS 'Internal: refuses a source whose rows cannot be told apart';

CREATE OR REPLACE FUNCTION planthub.create_collector(code text, source text, topic text, relation regclass, mapping text,
    key_columns text[] DEFAULT NULL, xid_column text DEFAULT NULL, version int DEFAULT 1) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF relation IS NULL OR mapping IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
            MESSAGE = format('argument "%s" must not be null', CASE WHEN relation IS NULL THEN 'relation' ELSE 'mapping' END);
    END IF;
    IF NOT EXISTS (SELECT FROM planthub.source AS s WHERE s.uri = source) THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('source "%s" does not exist', source),
            HINT = 'Register it with planthub.set_source().';
    END IF;
    key_columns := coalesce(key_columns, planthub.collector_keys(relation));
    PERFORM planthub.check_collector(relation, key_columns, xid_column);
    PERFORM planthub.check_route_mapping(mapping);
    PERFORM planthub.config_insert('collector', code, jsonb_build_object('code', code, 'source', source, 'topic', topic, 'version', version,
        'relation', (SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = relation),
        'key_columns', key_columns, 'xid_column', xid_column, 'mapping', mapping));
END
$$;
COMMENT ON FUNCTION planthub.create_collector(text, text, text, regclass, text, text[], text, int) IS
'Has the rows of a table or view received as events when planthub.collect() is called, by hand or by a job (planthub.create_job()).  mapping: makes from a row, a JSON object of its columns, the members of the event, at least time and data; key_columns: what identifies a row, the primary key unless given (of a view or foreign table you promise that they do); xid_column: a column xid8 NOT NULL DEFAULT pg_current_xact_id(), with which each row is read once, when it is new, without reading the others; without it all rows are compared, and a row that has changed is an event of its own';

CREATE OR REPLACE FUNCTION planthub.drop_collector(code text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.config_require('collector', code);
    DELETE FROM planthub.collected AS c WHERE c.collector = drop_collector.code;
    PERFORM planthub.drop_job(j.code) FROM planthub.job AS j WHERE j.kind = 'collect' AND j.name = drop_collector.code;
    PERFORM planthub.config_delete('collector', code);
END
$$;
COMMENT ON FUNCTION planthub.drop_collector(text) IS 'Removes a collector and its job; the table that it reads stays as it is';

-- The collector, locked, with a window to read from.  next: the present one has been read.
CREATE OR REPLACE FUNCTION planthub.collector_begin(code text, next boolean) RETURNS planthub.collector
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c    planthub.collector;
    here bigint := (SELECT s.system_identifier FROM pg_control_system() AS s);
BEGIN
    PERFORM planthub.config_require('collector', code);
    SELECT * INTO c FROM planthub.collector AS x WHERE x.code = collector_begin.code FOR UPDATE;
    IF c.xid_column IS NOT NULL THEN
        IF c.system_identifier IS DISTINCT FROM here THEN
            c.s_old := NULL;    -- rows that were read are known to receive()
            c.s_new := NULL;
            c.pos := NULL;
        ELSIF next THEN
            c.s_old := c.s_new;
            c.s_new := NULL;
            c.pos := NULL;
        END IF;
        c.s_new := coalesce(c.s_new, pg_current_snapshot());
        c.system_identifier := here;
    END IF;
    UPDATE planthub.collector AS x SET collected_at = clock_timestamp(), system_identifier = c.system_identifier,
        s_old = c.s_old, s_new = c.s_new, pos = c.pos
    WHERE x.code = c.code;
    RETURN c;
END
$$;
COMMENT ON FUNCTION planthub.collector_begin(text, boolean) IS 'Internal: what a collector has to read next';

-- The query for the next rows: $1 code, $2 s_old, $3 s_new, $4 pos, $5 how many at most.
CREATE OR REPLACE FUNCTION planthub.collector_query(c planthub.collector) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    columns text := (SELECT string_agg(format('t.%I', k), ', ' ORDER BY n) FROM unnest(c.key_columns) WITH ORDINALITY AS k (k, n));
    after   text;
BEGIN
    IF c.xid_column IS NULL THEN
        RETURN format('SELECT array_agg(s.key), array_agg(s.value) FROM (SELECT jsonb_build_array(%1$s) AS key, to_jsonb(t) AS value FROM %2$s AS t '
            'LEFT JOIN planthub.collected AS c ON c.collector = $1 AND c.key = jsonb_build_array(%1$s)::text '
            'WHERE c.hash IS DISTINCT FROM sha256(convert_to(to_jsonb(t)::text, ''UTF8'')) ORDER BY %1$s LIMIT $5) AS s', columns, c.relation);
    END IF;
    SELECT string_agg(format('($4->>%s)::%s', k.n - 1, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY k.n) INTO after
    FROM unnest(c.key_columns) WITH ORDINALITY AS k (name, n)
    JOIN pg_attribute AS a ON a.attrelid = to_regclass(c.relation) AND a.attname = k.name;
    RETURN format('SELECT array_agg(s.key), array_agg(s.value) FROM (SELECT jsonb_build_array(%1$s) AS key, to_jsonb(t) AS value FROM %2$s AS t '
        'WHERE ($2 IS NULL OR t.%3$I >= pg_snapshot_xmax($2) OR t.%3$I = ANY (ARRAY(SELECT pg_snapshot_xip($2)))) '
        'AND t.%3$I < pg_snapshot_xmax($3) AND pg_visible_in_snapshot(t.%3$I, $3) AND ($4 IS NULL OR (%1$s) > (%4$s)) '
        'ORDER BY %1$s LIMIT $5) AS s', columns, c.relation, c.xid_column, after);
END
$$;
COMMENT ON FUNCTION planthub.collector_query(planthub.collector) IS 'Internal: the statement that reads the next rows of a source';

CREATE OR REPLACE FUNCTION planthub.collected_event(c planthub.collector, site text, system text, key text, version int, value jsonb,
    OUT event jsonb, OUT state text, OUT message text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    id   text := CASE WHEN length(key) > 64 THEN encode(sha256(convert_to(key, 'UTF8')), 'hex') ELSE key END;
    made jsonb;
    detail text;
BEGIN
    event := jsonb_build_object('specversion', '1.0', 'id', concat_ws(':', c.code, id, version), 'source', c.source,
        'type', format('planthub.%s.v%s', c.topic, c.version), 'dataschema', format('urn:planthub:schema:%s:%s', c.topic, c.version),
        'recordedtime', to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'datacontenttype', 'application/json', 'partitionkey', concat(c.code, ':', key), 'correlationid', concat(c.code, ':', key), 'data', value);
    made := planthub.map(c.mapping, value, site, jsonb_build_object('system', system));
    IF jsonb_typeof(made) <> 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception', MESSAGE = format('mapping "%s" does not make an object', c.mapping);
    END IF;
    event := event || made;
EXCEPTION WHEN data_exception OR program_limit_exceeded OR undefined_object THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    state := SQLSTATE;
    message := concat_ws(': ', SQLERRM, rtrim(nullif(detail, ''), '.'));
END
$$;
COMMENT ON FUNCTION planthub.collected_event(planthub.collector, text, text, text, int, jsonb) IS 'Internal: the event for a row, or why the mapping cannot make one';

CREATE OR REPLACE FUNCTION planthub.collector_take(collector text, keys jsonb[], rows jsonb[],
    OUT key jsonb, OUT outcome text, OUT code text, OUT message_id bigint, OUT violations jsonb) RETURNS SETOF record
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    c       planthub.collector;
    origin  record;
    made    record;
    verdict planthub.verdict;
    version int;
    name    text;
BEGIN
    SELECT * INTO STRICT c FROM planthub.collector AS x WHERE x.code = $1 FOR UPDATE;
    SELECT s.site, s.system INTO origin FROM planthub.source AS s WHERE s.uri = c.source;
    FOR i IN 1 .. cardinality(keys) LOOP
        name := CASE WHEN cardinality(c.key_columns) = 1 THEN keys[i]->>0 ELSE keys[i]::text END;
        IF c.xid_column IS NULL THEN
            INSERT INTO planthub.collected AS d (collector, key, version, hash)
            VALUES (c.code, keys[i]::text, 1, sha256(convert_to(rows[i]::text, 'UTF8')))
            ON CONFLICT ON CONSTRAINT collected_pkey DO UPDATE SET version = d.version + 1, hash = excluded.hash
            RETURNING d.version INTO version;
        END IF;
        made := planthub.collected_event(c, origin.site, origin.system, name, version, rows[i]);
        IF made.state IS NULL THEN
            SELECT r.* INTO verdict FROM planthub.receive_many(ARRAY[made.event]) AS r;
        ELSE
            verdict := planthub.reject_failed(made.event, made.state, made.message);
        END IF;
        key := keys[i];
        outcome := verdict.outcome;
        code := verdict.code;
        message_id := verdict.message_id;
        violations := verdict.violations;
        RETURN NEXT;
    END LOOP;
    UPDATE planthub.collector AS x SET pos = keys[cardinality(keys)] WHERE x.code = c.code AND c.xid_column IS NOT NULL;
END
$$;
COMMENT ON FUNCTION planthub.collector_take(text, jsonb[], jsonb[]) IS 'Internal: receives rows that a collector has read, and notes that they were';

-- The settings decide what a row looks like: it must not seem changed because somebody else reads it.
CREATE OR REPLACE FUNCTION planthub.collect(collector text, at_most int DEFAULT 1000,
    OUT key jsonb, OUT outcome text, OUT code text, OUT message_id bigint, OUT violations jsonb) RETURNS SETOF record
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC' SET datestyle = 'ISO' SET intervalstyle = 'iso_8601' SET bytea_output = 'hex' SET extra_float_digits = 1 AS $$
DECLARE
    c    planthub.collector;
    next boolean;
    keys jsonb[];
    rows jsonb[];
BEGIN
    IF at_most IS NULL OR at_most NOT BETWEEN 1 AND 10000 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'argument "at_most" must be from 1 to 10000';
    END IF;
    FOREACH next IN ARRAY ARRAY[false, true] LOOP   -- what is left of the window, else the next one
        c := planthub.collector_begin(collector, next);
        EXECUTE planthub.collector_query(c) INTO keys, rows USING c.code, c.s_old, c.s_new, c.pos, at_most;
        EXIT WHEN keys IS NOT NULL OR c.xid_column IS NULL;
    END LOOP;
    IF keys IS NOT NULL THEN
        RETURN QUERY SELECT * FROM planthub.collector_take(c.code, keys, rows);
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.collect(text, int) IS
'Reads new rows of the source of a collector, at most so many, and receives their events in this transaction; a row for each with its key and what became of it.  A job does it by itself (planthub.create_job()); by hand, call it with a commit after each call until there is none.  It reads the source with the rights of the caller';
