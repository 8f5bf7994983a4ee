-- Whatever is null, or no object, in a call: functions in C refuse it or take it, and the server stays.
SET search_path = public, pg_catalog;
SET client_min_messages = warning;
SELECT plan(2);

CREATE TEMP TABLE called (function text, refused boolean);
DO $$
DECLARE
    least   constant jsonb := '{"id": 1, "site": "P1", "topic": "t", "event_time": "2026-01-01T00:00:00Z", "data": {"order": "1", "operation": "1"}}';
    -- read as an object, it has a member "order" of 250 MB
    no_object constant jsonb := '["zzz\u000fz", "xxxorder"]';
    -- nothing; an event and lines of nothing but nulls; the least that an event has; the same with data and policies that are no objects
    events  constant text[] := ARRAY['{}', '{}', least::text, (least || jsonb_build_object('data', no_object, 'policies', no_object))::text];
    f       record;
    variant int;
    actual  text;
BEGIN
    FOR f IN SELECT p.oid, p.proname, p.proargtypes::oid[] AS types FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
             WHERE p.pronamespace = 'planthub'::regnamespace AND l.lanname = 'c' AND p.pronargs > 0 AND p.prorettype <> 'trigger'::regtype LOOP
        FOR variant IN 1..4 LOOP
            SELECT string_agg(CASE
                    WHEN variant = 1 THEN format('NULL::%s', format_type(t.type, NULL))
                    WHEN y.typtype = 'c' THEN format('jsonb_populate_record(NULL::%s, %L)', format_type(t.type, NULL), events[variant])
                    WHEN e.typtype = 'c' THEN format('ARRAY[jsonb_populate_record(NULL::%s, ''{}'')]', format_type(e.oid, NULL))
                    ELSE format('NULL::%s', format_type(t.type, NULL)) END, ', ' ORDER BY t.n) INTO actual
            FROM unnest(f.types) WITH ORDINALITY AS t (type, n) JOIN pg_type AS y ON y.oid = t.type LEFT JOIN pg_type AS e ON e.oid = y.typelem;
            BEGIN
                EXECUTE format('SELECT planthub.%I(%s)', f.proname, actual);
                INSERT INTO called VALUES (f.oid::regprocedure, false);
            EXCEPTION WHEN OTHERS THEN
                INSERT INTO called VALUES (f.oid::regprocedure, true);
            END;
        END LOOP;
    END LOOP;
END
$$;
SELECT cmp_ok(count(DISTINCT function), '>=', 30::bigint, 'functions were called with nulls') FROM called;
SELECT cmp_ok(count(*) FILTER (WHERE refused), '>', 0::bigint, 'some refuse them') FROM called;
SELECT * FROM finish();
