-- counter: counts of machines become one confirmation for each order, operation and shift.  Re-runnable.
--
-- Totals and events of operations leave a row in planthub.count_change.  planthub.confirm_counts() takes these rows and
-- looks again at the totals that they concern: what each counted since the one before, for which operation and shift
-- (planthub.count_part).  A shift whose sum changed is open (planthub.count_shift) until what is confirmed of it is what
-- was counted, but for the rest that is less than the unit allows, which the next shift of the operation takes over.
-- So the cost is that of what changed, not of what is there; and the end does not depend on the order of arrival.

-- Configuration

CREATE OR REPLACE FUNCTION planthub.set_shift(site text, shift text, starts time, ends time) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.config_require('site', site);
    DELETE FROM planthub.shift AS s WHERE s.site = set_shift.site AND s.shift = set_shift.shift;
    PERFORM planthub.config_insert('shift', shift, jsonb_build_object('site', site, 'shift', shift, 'starts', starts, 'ends', ends));
END
$$;
COMMENT ON FUNCTION planthub.set_shift(text, text, time, time) IS 'Adds a shift of a site, or changes one: when it begins and ends, in the time of the site; counts that were looked at before keep their shift';

CREATE OR REPLACE FUNCTION planthub.drop_shift(site text, shift text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM planthub.shift AS s WHERE s.site = drop_shift.site AND s.shift = drop_shift.shift;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('site "%s" has no shift "%s"', site, shift);
    END IF;
    PERFORM planthub.log_operation('drop_shift', jsonb_build_object('site', site, 'shift', shift), 1);
END
$$;
COMMENT ON FUNCTION planthub.drop_shift(text, text) IS 'Removes a shift of a site';

CREATE OR REPLACE FUNCTION planthub.set_counter(site text, equipment text, tag text, kind text DEFAULT 'yield', work_center text DEFAULT NULL,
    numerator numeric DEFAULT 1, denominator numeric DEFAULT 1) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.config_require('site', site);
    DELETE FROM planthub.counter AS c WHERE c.site = set_counter.site AND c.equipment = set_counter.equipment AND c.tag = set_counter.tag;
    PERFORM planthub.config_insert('counter', tag, jsonb_build_object('site', site, 'equipment', equipment, 'tag', tag, 'kind', kind,
        'work_center', coalesce(work_center, equipment), 'numerator', numerator, 'denominator', denominator));
END
$$;
COMMENT ON FUNCTION planthub.set_counter(text, text, text, text, text, numeric, numeric) IS
'Says that a measured value of an equipment is a total that only rises until it is reset, or changes it: what it counts (yield, scrap or rework), for which work center (the equipment itself unless given), and how much of the base unit of the item one count is, as a fraction.  It holds for totals that come from now on; recount() for others';

CREATE OR REPLACE FUNCTION planthub.drop_counter(site text, equipment text, tag text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM planthub.counter AS c WHERE c.site = drop_counter.site AND c.equipment = drop_counter.equipment AND c.tag = drop_counter.tag;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('"%s" of equipment "%s" at site "%s" is no counter', tag, equipment, site);
    END IF;
    PERFORM planthub.log_operation('drop_counter', jsonb_build_object('site', site, 'equipment', equipment, 'tag', tag), 1);
END
$$;
COMMENT ON FUNCTION planthub.drop_counter(text, text, text) IS 'A measured value is not counted any more; what it counted stays';

CREATE OR REPLACE FUNCTION planthub.recount(site text, equipment text, tag text, since timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM planthub.counter AS c WHERE c.site = $1 AND c.equipment = $2 AND c.tag = $3) THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('"%s" of equipment "%s" at site "%s" is no counter', tag, equipment, site),
            HINT = 'Make it one with planthub.set_counter().';
    ELSIF since IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'argument "since" must not be null';
    END IF;
    INSERT INTO planthub.count_change AS c (site, equipment, tag, since, until) VALUES ($1, $2, $3, $4, 'infinity');
    PERFORM planthub.log_operation('recount', jsonb_build_object('site', site, 'equipment', equipment, 'tag', tag, 'since', since), 1);
END
$$;
COMMENT ON FUNCTION planthub.recount(text, text, text, timestamptz) IS
'Lets the next confirm_counts() look again at all totals of a counter whose windows end then or later, with the shifts and the counter as they are now; what is confirmed is corrected';

-- A day of the calendar of the site ends 23, 24 or 25 hours after it began; so does a night shift.
CREATE OR REPLACE FUNCTION planthub.shift_at(site text, at timestamptz, OUT shift_date date, OUT shift text, OUT starts_at timestamptz, OUT ends_at timestamptz)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    zone text := (SELECT s.timezone FROM planthub.site AS s WHERE s.code = shift_at.site);
    here date := (at AT TIME ZONE zone)::date;
BEGIN
    SELECT x.shift_date, x.shift, x.starts_at, x.ends_at INTO shift_at.shift_date, shift_at.shift, shift_at.starts_at, shift_at.ends_at
    FROM (SELECT d.day AS shift_date, s.shift, (d.day + s.starts) AT TIME ZONE zone AS starts_at,
                 (d.day + (s.ends <= s.starts)::int + s.ends) AT TIME ZONE zone AS ends_at
          FROM planthub.shift AS s CROSS JOIN (VALUES (here - 1), (here)) AS d (day) WHERE s.site = shift_at.site) AS x
    WHERE x.starts_at <= at AND at < x.ends_at ORDER BY x.starts_at, x.shift LIMIT 1;
    IF NOT FOUND THEN
        shift_date := here;
        shift := '';
        starts_at := here::timestamp AT TIME ZONE zone;
        ends_at := (here + 1)::timestamp AT TIME ZONE zone;
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.shift_at(text, timestamptz) IS 'The shift of a site at a time: the day on which it begins, its name (empty: none, it is the day), when it begins and when it ends';

-- What changes, for effects

CREATE OR REPLACE FUNCTION planthub.note_total(site text, equipment text, tag text, window_end timestamptz) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO planthub.count_change AS x (site, equipment, tag, since, until)
    SELECT c.site, c.equipment, c.tag, $4, $4 FROM planthub.counter AS c WHERE c.site = $1 AND c.equipment = $2 AND c.tag = $3;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION planthub.note_total(text, text, text, timestamptz) IS 'Internal: a total has come; remembers it when it is that of a counter';

CREATE OR REPLACE FUNCTION planthub.note_operation(site text, order_no text, operation text, work_center text, at timestamptz) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM planthub.counter AS c WHERE c.site = $1 AND c.work_center = $4) THEN
        RETURN false;
    END IF;
    INSERT INTO planthub.count_change AS x (site, work_center, order_no, operation, since) VALUES ($1, $4, $2, $3, $5);
    RETURN true;
END
$$;
COMMENT ON FUNCTION planthub.note_operation(text, text, text, text, timestamptz) IS 'Internal: an operation was started, paused, resumed or completed; remembers it when its work center has counters';

-- Parts of totals

-- Work on an operation lasts from a start or resumption to the next one at the work center, or to the next event of the
-- operation there.  Of several the longest is taken.
CREATE OR REPLACE FUNCTION planthub.worked_on(site text, work_center text, since timestamptz, until timestamptz,
    OUT order_no text, OUT operation text, OUT worked_from timestamptz, OUT worked_to timestamptz)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT w.order_no, w.operation, greatest(w.event_time, since), least(n.event_time, until) INTO worked_on.order_no, worked_on.operation, worked_from, worked_to
    FROM (
        (SELECT e.* FROM planthub.operation_event AS e
         WHERE e.site = $1 AND e.work_center = $2 AND e.event_time <= since AND e.kind IN ('started', 'resumed')
         ORDER BY e.event_time DESC, e.order_no DESC, e.operation DESC, e.message_id DESC LIMIT 1)
        UNION ALL
        SELECT e.* FROM planthub.operation_event AS e
        WHERE e.site = $1 AND e.work_center = $2 AND e.event_time > since AND e.event_time < until AND e.kind IN ('started', 'resumed')) AS w
    LEFT JOIN LATERAL (
        SELECT n.event_time FROM planthub.operation_event AS n
        WHERE n.site = $1 AND n.work_center = $2 AND (n.event_time, n.order_no, n.operation, n.message_id) > (w.event_time, w.order_no, w.operation, w.message_id)
          AND (n.kind IN ('started', 'resumed') OR n.order_no = w.order_no AND n.operation = w.operation)
        ORDER BY n.event_time, n.order_no, n.operation, n.message_id LIMIT 1) AS n ON true
    WHERE greatest(w.event_time, since) < least(n.event_time, until)
    ORDER BY least(n.event_time, until) - greatest(w.event_time, since) DESC, w.event_time DESC, w.order_no DESC, w.operation DESC, w.message_id DESC LIMIT 1;
    IF NOT FOUND THEN
        worked_from := since;
        worked_to := until;
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.worked_on(text, text, timestamptz, timestamptz) IS 'Internal: the operation that a work center worked on for most of a time, and when';

-- before: since the total before; within: in the window.  A total that is lower than it was has been reset, and has
-- counted from 0 since.  gap: whether some of it may have been counted between the windows.
CREATE OR REPLACE FUNCTION planthub.counted(before_last numeric, before_end timestamptz, window_start timestamptz, least_value numeric, greatest_value numeric, last_value numeric,
    OUT before numeric, OUT within numeric, OUT gap boolean)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    before := 0;
    IF greatest_value > last_value THEN
        within := last_value + CASE WHEN before_last IS NULL THEN 0 WHEN greatest_value >= before_last THEN greatest_value - before_last ELSE greatest_value END;
    ELSIF before_last IS NULL THEN
        within := last_value - least(least_value, last_value);
    ELSIF least_value IS NULL OR window_start < before_end THEN
        within := last_value - CASE WHEN last_value >= before_last THEN before_last ELSE 0 END;
    ELSE
        within := last_value - least(least_value, last_value);
        before := least(least_value, last_value) - CASE WHEN least(least_value, last_value) >= before_last THEN before_last ELSE 0 END;
        IF window_start = before_end THEN
            within := within + before;
            before := 0;
        END IF;
    END IF;
    gap := before_end IS NOT NULL AND before_end < window_start AND (before > 0 OR within > 0 AND (least_value IS NULL OR greatest_value > last_value));
END
$$;
COMMENT ON FUNCTION planthub.counted(numeric, timestamptz, timestamptz, numeric, numeric, numeric) IS
'Internal: what a total has counted, from the last value and the end of the window before, and its own window, least, greatest and last value; from the first total on only what its window shows';

CREATE OR REPLACE FUNCTION planthub.total_parts(c planthub.counter, t planthub.telemetry_summary) RETURNS planthub.count_part[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    earlier record;
    n       record;
BEGIN
    SELECT x.last_value, x.window_end INTO earlier FROM planthub.telemetry_summary AS x
    WHERE x.site = t.site AND x.equipment = t.equipment AND x.tag = t.tag AND x.last_value IS NOT NULL
      AND (x.window_end, x.window_start) < (t.window_end, t.window_start) ORDER BY x.window_end DESC, x.window_start DESC LIMIT 1;
    n := planthub.counted(earlier.last_value, earlier.window_end, t.window_start, t.min_value, t.max_value, t.last_value);
    RETURN ARRAY(
        SELECT ROW(t.site, t.equipment, t.tag, t.window_start, p.before, t.message_id, c.kind, c.work_center, p.counts * c.numerator, c.denominator,
            w.order_no, w.operation, s.shift_date, s.shift, s.starts_at, s.ends_at, w.worked_from, w.worked_to, CASE WHEN n.gap THEN earlier.window_end END)::planthub.count_part
        FROM (VALUES (true, n.before, earlier.window_end, t.window_start),
                     (false, n.within, CASE WHEN t.window_start < t.window_end THEN t.window_start ELSE coalesce(earlier.window_end, t.window_start) END, t.window_end))
            AS p (before, counts, since, until)
        CROSS JOIN LATERAL planthub.worked_on(t.site, c.work_center, p.since, p.until) AS w
        CROSS JOIN LATERAL planthub.shift_at(t.site, w.worked_from) AS s
        WHERE p.counts <> 0 ORDER BY p.before);
END
$$;
COMMENT ON FUNCTION planthub.total_parts(planthub.counter, planthub.telemetry_summary) IS 'Internal: what a total counted, and for which operation and shift: within its window, and between it and the one before';

-- An event of an operation matters from its time to what would have ended the work then, and for totals whose time reaches
-- into that; a total matters for the next one too.
CREATE OR REPLACE FUNCTION planthub.changed_totals(change planthub.count_change) RETURNS SETOF planthub.telemetry_summary
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    until timestamptz := change.until;
    c     record;
    next  timestamptz;
BEGIN
    IF change.work_center IS NOT NULL THEN
        SELECT n.event_time INTO until FROM planthub.operation_event AS n
        WHERE n.site = change.site AND n.work_center = change.work_center AND n.event_time > change.since
          AND (n.kind IN ('started', 'resumed') OR n.order_no = change.order_no AND n.operation = change.operation)
        ORDER BY n.event_time, n.order_no, n.operation, n.message_id LIMIT 1;
    END IF;
    FOR c IN
        SELECT x.equipment, x.tag FROM planthub.counter AS x WHERE x.site = change.site AND x.equipment = change.equipment AND x.tag = change.tag
        UNION ALL
        SELECT x.equipment, x.tag FROM planthub.counter AS x WHERE x.site = change.site AND x.work_center = change.work_center
    LOOP
        SELECT x.window_end INTO next FROM planthub.telemetry_summary AS x
        WHERE x.site = change.site AND x.equipment = c.equipment AND x.tag = c.tag AND x.last_value IS NOT NULL AND x.window_end >= until
          AND (change.work_center IS NOT NULL OR x.window_end > until)
        ORDER BY x.window_end, x.window_start LIMIT 1;
        RETURN QUERY
            SELECT x.* FROM planthub.telemetry_summary AS x
            WHERE x.site = change.site AND x.equipment = c.equipment AND x.tag = c.tag AND x.last_value IS NOT NULL
              AND x.window_end >= change.since AND x.window_end <= coalesce(next, 'infinity');
    END LOOP;
END
$$;
COMMENT ON FUNCTION planthub.changed_totals(planthub.count_change) IS 'Internal: totals that a change concerns';

-- Exact sums of fractions need a common denominator.
CREATE OR REPLACE FUNCTION planthub.common_multiple(denominators numeric[]) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    common numeric := 1;
    i      int;
BEGIN
    FOR i IN 1 .. coalesce(cardinality(denominators), 0) LOOP
        common := lcm(common, denominators[i]);
    END LOOP;
    RETURN common;
END
$$;
COMMENT ON FUNCTION planthub.common_multiple(numeric[]) IS 'Internal: least common multiple; 1 when there is none';

-- Sums of shifts that have got or lost parts; they are open then.
CREATE OR REPLACE FUNCTION planthub.sum_shifts(parts planthub.count_part[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO planthub.count_shift AS s (site, order_no, operation, shift_date, shift, starts_at, ends_at, yield, scrap, rework, denominator)
    SELECT g.site, g.order_no, g.operation, g.shift_date, g.shift, g.starts_at, g.ends_at,
        coalesce(n.yield, 0), coalesce(n.scrap, 0), coalesce(n.rework, 0), d.denominator
    FROM (SELECT p.site, p.order_no, p.operation, p.shift_date, p.shift, min(p.starts_at) AS starts_at, max(p.ends_at) AS ends_at
          FROM unnest(parts) AS p WHERE p.order_no IS NOT NULL GROUP BY 1, 2, 3, 4, 5) AS g
    CROSS JOIN LATERAL (SELECT planthub.common_multiple(array_agg(DISTINCT p.denominator)) AS denominator FROM planthub.count_part AS p
        WHERE p.site = g.site AND p.order_no = g.order_no AND p.operation = g.operation AND p.shift_date = g.shift_date AND p.shift = g.shift) AS d
    CROSS JOIN LATERAL (
        SELECT sum(p.qty * div(d.denominator, p.denominator)) FILTER (WHERE p.kind = 'yield') AS yield,
               sum(p.qty * div(d.denominator, p.denominator)) FILTER (WHERE p.kind = 'scrap') AS scrap,
               sum(p.qty * div(d.denominator, p.denominator)) FILTER (WHERE p.kind = 'rework') AS rework
        FROM planthub.count_part AS p
        WHERE p.site = g.site AND p.order_no = g.order_no AND p.operation = g.operation AND p.shift_date = g.shift_date AND p.shift = g.shift) AS n
    ON CONFLICT ON CONSTRAINT count_shift_pkey DO UPDATE SET starts_at = excluded.starts_at, ends_at = excluded.ends_at, yield = excluded.yield,
        scrap = excluded.scrap, rework = excluded.rework, denominator = excluded.denominator, settled = false, retry_at = NULL;
END
$$;
COMMENT ON FUNCTION planthub.sum_shifts(planthub.count_part[]) IS 'Internal: adds up the shifts to which parts belong, or did';

CREATE OR REPLACE FUNCTION planthub.take_count_changes(site text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    changes planthub.count_change[];
    t       planthub.telemetry_summary;
    was     planthub.count_part[];
    parts   planthub.count_part[];
    touched planthub.count_part[];
BEGIN
    WITH taken AS (DELETE FROM planthub.count_change AS c WHERE c.site = $1 RETURNING c AS change)
    SELECT array_agg(x.change) INTO changes FROM taken AS x;
    FOR t IN SELECT DISTINCT x.* FROM unnest(changes) AS c CROSS JOIN LATERAL planthub.changed_totals(c) AS x LOOP
        parts := (SELECT planthub.total_parts(c, t) FROM planthub.counter AS c WHERE c.site = t.site AND c.equipment = t.equipment AND c.tag = t.tag);
        was := ARRAY(SELECT p FROM planthub.count_part AS p
            WHERE p.site = t.site AND p.equipment = t.equipment AND p.tag = t.tag AND p.window_start = t.window_start ORDER BY p.before);
        CONTINUE WHEN parts = was;
        DELETE FROM planthub.count_part AS p WHERE p.site = t.site AND p.equipment = t.equipment AND p.tag = t.tag AND p.window_start = t.window_start;
        INSERT INTO planthub.count_part SELECT p.* FROM unnest(parts) AS p;
        touched := touched || was || parts;
    END LOOP;
    PERFORM planthub.sum_shifts(touched);
END
$$;
COMMENT ON FUNCTION planthub.take_count_changes(text) IS 'Internal: looks again at the totals of a site that changes concern';

-- Confirmations

-- Until the grace is over, a shift waits for totals that reach over its begin and its end, and for those of gaps in which
-- something was counted.
CREATE OR REPLACE FUNCTION planthub.counts_complete(s planthub.count_shift) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c       record;
    early   timestamptz;
    late    timestamptz;
    gap_end timestamptz;
BEGIN
    FOR c IN
        SELECT k.equipment, k.tag FROM (SELECT DISTINCT p.work_center FROM planthub.count_part AS p
            WHERE p.site = s.site AND p.order_no = s.order_no AND p.operation = s.operation AND p.shift_date = s.shift_date AND p.shift = s.shift) AS w
        JOIN planthub.counter AS k ON k.site = s.site AND k.work_center = w.work_center
    LOOP
        SELECT g.window_start INTO gap_end FROM planthub.count_part AS g
        WHERE g.site = s.site AND g.equipment = c.equipment AND g.tag = c.tag AND g.gap_from < s.ends_at ORDER BY g.gap_from DESC LIMIT 1;
        SELECT t.window_start INTO early FROM planthub.telemetry_summary AS t
        WHERE t.site = s.site AND t.equipment = c.equipment AND t.tag = c.tag AND t.last_value IS NOT NULL AND t.window_start <= s.starts_at
        ORDER BY t.window_start LIMIT 1;
        SELECT t.window_end INTO late FROM planthub.telemetry_summary AS t
        WHERE t.site = s.site AND t.equipment = c.equipment AND t.tag = c.tag AND t.last_value IS NOT NULL AND t.window_end >= s.ends_at
        ORDER BY t.window_end, t.window_start LIMIT 1;
        IF early IS NULL OR late IS NULL OR gap_end > s.starts_at THEN
            RETURN false;
        END IF;
    END LOOP;
    RETURN true;
END
$$;
COMMENT ON FUNCTION planthub.counts_complete(planthub.count_shift) IS 'Internal: whether no total is missing that could still change what was counted in a shift';

CREATE OR REPLACE FUNCTION planthub.event_text(at timestamptz) RETURNS text
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
    SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
END;
COMMENT ON FUNCTION planthub.event_text(timestamptz) IS 'Internal: an instant as RFC 3339 writes it';

-- The id follows from the content: what was refused is the same event when it is tried again.
CREATE OR REPLACE FUNCTION planthub.receive_counts(source text, site text, order_no text, topic text, at timestamptz, data jsonb) RETURNS planthub.verdict
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    verdict planthub.verdict;
    thread  text := (SELECT m.correlation_id FROM planthub.production_order AS o JOIN planthub.message AS m ON m.id = o.message_id
                     WHERE o.site = $2 AND o.order_no = $3);
BEGIN
    SELECT r.* INTO verdict FROM planthub.receive_many(ARRAY[jsonb_build_object('specversion', '1.0',
        'id', 'counts/' || encode(sha256(convert_to(concat_ws(' ', site, topic, data), 'UTF8')), 'hex'), 'source', source, 'site', site,
        'type', format('planthub.%s.v1', topic), 'dataschema', format('urn:planthub:schema:%s:1', topic), 'datacontenttype', 'application/json',
        'time', planthub.event_text(at), 'recordedtime', planthub.event_text(greatest(clock_timestamp(), at)),
        'partitionkey', 'mo:' || order_no, 'correlationid', coalesce(thread, 'mo:' || order_no), 'data', data)]) AS r;
    RETURN verdict;
END
$$;
COMMENT ON FUNCTION planthub.receive_counts(text, text, text, text, timestamptz, jsonb) IS 'Internal: receives an event that follows from counts';

-- qty: yield, scrap and rework; verdict: unchanged when there is nothing to confirm.
CREATE OR REPLACE FUNCTION planthub.confirm_shift(source text, s planthub.count_shift, uom text, qty numeric[], INOUT verdict planthub.verdict)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    made   planthub.count_confirmation;
    worked record;
BEGIN
    IF 0 = ALL (qty) THEN
        RETURN;
    END IF;
    SELECT count(*) + 1 INTO made.revision FROM planthub.count_confirmation AS c
    WHERE c.site = s.site AND c.order_no = s.order_no AND c.operation = s.operation AND c.shift_date = s.shift_date AND c.shift = s.shift;
    made.confirmation_id := concat_ws('/', s.site, s.order_no, s.operation, s.shift_date, coalesce(nullif(s.shift, ''), '-'), made.revision);
    SELECT min(p.work_center) AS center, min(p.worked_from) AS since, max(p.worked_to) AS until INTO worked FROM planthub.count_part AS p
    WHERE p.site = s.site AND p.order_no = s.order_no AND p.operation = s.operation AND p.shift_date = s.shift_date AND p.shift = s.shift;
    verdict := planthub.receive_counts(source, s.site, s.order_no, 'production.confirmed', worked.until, jsonb_build_object('confirmation_id', made.confirmation_id,
        'order', s.order_no, 'operation', s.operation, 'work_center', worked.center, 'kind', 'partial', 'yield', planthub.quantity(qty[1], uom),
        'scrap', planthub.quantity(qty[2], uom), 'rework', planthub.quantity(qty[3], uom),
        'started_at', planthub.event_text(worked.since), 'ended_at', planthub.event_text(worked.until)));
    IF verdict.outcome = 'rejected' THEN
        RETURN;
    END IF;
    INSERT INTO planthub.count_confirmation AS c (site, order_no, operation, shift_date, shift, revision, message_id, confirmation_id, yield, scrap, rework)
    VALUES (s.site, s.order_no, s.operation, s.shift_date, s.shift, made.revision, verdict.message_id, made.confirmation_id, qty[1], qty[2], qty[3]);
END
$$;
COMMENT ON FUNCTION planthub.confirm_shift(text, planthub.count_shift, text, numeric[], planthub.verdict) IS 'Internal: confirms quantities of a shift';

-- What went into confirmations that hold stays there; the newest gets the difference.
CREATE OR REPLACE FUNCTION planthub.link_shift(s planthub.count_shift) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    valid  bigint[] := ARRAY(SELECT c.message_id FROM planthub.count_confirmation AS c WHERE c.site = s.site AND c.order_no = s.order_no AND c.operation = s.operation
                             AND c.shift_date = s.shift_date AND c.shift = s.shift AND c.reversed_by IS NULL ORDER BY c.revision DESC);
    newest bigint := valid[1];
BEGIN
    INSERT INTO planthub.count_source AS c (site, message_id, source_message, kind, denominator, qty, equipment, tag, window_start)
    SELECT s.site, newest, p.message_id, p.kind, p.denominator, sum(p.qty), p.equipment, p.tag, p.window_start
    FROM (SELECT x.message_id, x.kind, x.denominator, x.qty, x.equipment, x.tag, x.window_start FROM planthub.count_part AS x
          WHERE x.site = s.site AND x.order_no = s.order_no AND x.operation = s.operation AND x.shift_date = s.shift_date AND x.shift = s.shift
          UNION ALL
          SELECT o.source_message, o.kind, o.denominator, -o.qty, o.equipment, o.tag, o.window_start FROM unnest(valid) AS v (message_id)
          CROSS JOIN LATERAL (SELECT x.* FROM planthub.count_source AS x WHERE x.site = s.site AND x.message_id = v.message_id OFFSET 0) AS o) AS p
    WHERE newest IS NOT NULL
    GROUP BY p.message_id, p.kind, p.denominator, p.equipment, p.tag, p.window_start HAVING sum(p.qty) <> 0
    ON CONFLICT ON CONSTRAINT count_source_pkey DO UPDATE SET qty = c.qty + excluded.qty;
    DELETE FROM planthub.count_source AS c WHERE c.site = s.site AND c.message_id = newest AND c.qty = 0;
END
$$;
COMMENT ON FUNCTION planthub.link_shift(planthub.count_shift) IS 'Internal: lets what is confirmed of a shift name the totals that it comes from';

-- All confirmations of a shift that hold; false, and the verdict of the one that cannot be taken back, when one cannot.
CREATE OR REPLACE FUNCTION planthub.reverse_shift(source text, s planthub.count_shift, OUT done boolean, OUT verdict planthub.verdict)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c        record;
    taken_by bigint;
BEGIN
    done := true;
    FOR c IN
        SELECT x.*, i.outcome FROM planthub.count_confirmation AS x JOIN planthub.inbox AS i ON i.id = x.message_id
        WHERE x.site = s.site AND x.order_no = s.order_no AND x.operation = s.operation AND x.shift_date = s.shift_date AND x.shift = s.shift
          AND x.reversed_by IS NULL ORDER BY x.revision DESC
    LOOP
        taken_by := c.message_id;
        IF c.outcome = 'parked' THEN
            PERFORM planthub.reject_parked(c.message_id, 'the counts have changed');
        ELSIF c.outcome <> 'rejected' THEN
            verdict := planthub.receive_counts(source, s.site, s.order_no, 'production.confirmation_reversed', clock_timestamp(), jsonb_build_object(
                'reversal_id', c.confirmation_id || '/reversal', 'confirmation_id', c.confirmation_id, 'reason', 'Counts have come that change the shift'));
            taken_by := verdict.message_id;
            done := verdict.outcome IN ('applied', 'applied_with_warning');
            EXIT WHEN NOT done;
        END IF;
        UPDATE planthub.count_confirmation AS x SET reversed_by = taken_by WHERE x.site = c.site AND x.message_id = c.message_id;
    END LOOP;
END
$$;
COMMENT ON FUNCTION planthub.reverse_shift(text, planthub.count_shift) IS 'Internal: takes back what was confirmed of a shift';

CREATE OR REPLACE FUNCTION planthub.shift_confirmed(s planthub.count_shift, OUT qty numeric[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT ARRAY[coalesce(sum(c.yield), 0), coalesce(sum(c.scrap), 0), coalesce(sum(c.rework), 0)] INTO qty FROM planthub.count_confirmation AS c
    WHERE c.site = s.site AND c.order_no = s.order_no AND c.operation = s.operation AND c.shift_date = s.shift_date AND c.shift = s.shift AND c.reversed_by IS NULL;
END
$$;
COMMENT ON FUNCTION planthub.shift_confirmed(planthub.count_shift) IS 'Internal: what is confirmed of a shift: yield, scrap and rework';

-- Reversals are whole: what was confirmed is taken back and confirmed anew, both or neither.  Where that is refused, more
-- can still be confirmed besides; less is made good by the next shift.
CREATE OR REPLACE FUNCTION planthub.correct_shift(source text, s planthub.count_shift, uom text, wanted numeric[], has numeric[], OUT verdict planthub.verdict)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found   record;
    refused boolean := false;
BEGIN
    IF 0 = ALL (has) THEN
        verdict := planthub.confirm_shift(source, s, uom, wanted, NULL);
        RETURN;
    END IF;
    BEGIN
        found := planthub.reverse_shift(source, s);
        verdict := found.verdict;
        IF found.done THEN
            verdict := planthub.confirm_shift(source, s, uom, wanted, verdict);
        END IF;
        refused := NOT found.done OR verdict.outcome = 'rejected';
        IF refused THEN
            RAISE EXCEPTION USING MESSAGE = 'a correction was refused';      -- takes back its first half
        END IF;
    EXCEPTION WHEN raise_exception THEN
        IF NOT refused THEN
            RAISE;
        END IF;
    END;
    IF refused THEN
        verdict.message_id := NULL;
        verdict := planthub.confirm_shift(source, s, uom, ARRAY(SELECT greatest(w - h, 0) FROM unnest(wanted, has) WITH ORDINALITY AS q (w, h, n) ORDER BY n), verdict);
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.correct_shift(text, planthub.count_shift, text, numeric[], numeric[]) IS 'Internal: makes of what is confirmed of a shift what was counted, as far as the rules allow';

-- code: the rule for which it is not confirmed as it was counted; a case says who has to act.
CREATE OR REPLACE FUNCTION planthub.settle_shift(s planthub.count_shift, short boolean, code text, retry_at timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    thing constant text := concat_ws('/', s.site, s.order_no, s.operation, s.shift_date, coalesce(nullif(s.shift, ''), '-'));
BEGIN
    IF s.code IS NOT NULL AND s.code IS DISTINCT FROM settle_shift.code THEN
        PERFORM planthub.close_case(c.id) FROM planthub."case" AS c
        WHERE c.site = s.site AND c.code = s.code AND c.kind = 'counts' AND c.key = thing AND c.closed_at IS NULL;
    END IF;
    IF settle_shift.code IS NOT NULL AND s.code IS DISTINCT FROM settle_shift.code THEN
        PERFORM planthub.open_case(s.site, settle_shift.code, 'counts', thing,
            format('%s: what is confirmed of %s is not what was counted', settle_shift.code, thing));
    END IF;
    UPDATE planthub.count_shift AS x SET settled = NOT short, code = settle_shift.code, retry_at = CASE WHEN short THEN settle_shift.retry_at END
    WHERE x.site = s.site AND x.order_no = s.order_no AND x.operation = s.operation AND x.shift_date = s.shift_date AND x.shift = s.shift;
END
$$;
COMMENT ON FUNCTION planthub.settle_shift(planthub.count_shift, boolean, text, timestamptz) IS 'Internal: notes what became of a shift';

-- The shifts of an operation, one after the other from the first open one on: each is to confirm what was counted until its
-- end, less what the shifts before have confirmed, cut to what the unit allows.
CREATE OR REPLACE FUNCTION planthub.confirm_operation(site text, order_no text, operation text, until timestamptz, policies jsonb,
    OUT shift_date date, OUT shift text, OUT yield numeric, OUT scrap numeric, OUT rework numeric, OUT outcome text, OUT code text, OUT message_id bigint) RETURNS SETOF record
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    uom     text := (SELECT o.base_uom FROM planthub.production_order AS o WHERE o.site = $1 AND o.order_no = $2);
    digits  int := CASE WHEN planthub.is_counted(uom) THEN 0 ELSE 3 END;    -- what an ERP takes
    grace   interval := (policies->>'count_grace_min')::int * interval '1 min';
    common  numeric := (SELECT planthub.common_multiple(array_agg(DISTINCT s.denominator)) FROM planthub.count_shift AS s WHERE s.site = $1 AND s.order_no = $2 AND s.operation = $3);
    made    numeric[] := '{0,0,0}';
    before  numeric[] := '{0,0,0}';
    wanted  numeric[];
    has     numeric[];
    open    boolean := false;
    short   boolean;
    s       planthub.count_shift;
    verdict planthub.verdict;
BEGIN
    FOR s IN
        SELECT x.* FROM planthub.count_shift AS x WHERE x.site = $1 AND x.order_no = $2 AND x.operation = $3 ORDER BY x.ends_at, x.starts_at, x.shift
    LOOP
        EXIT WHEN s.ends_at > until OR NOT s.settled AND until < s.ends_at + grace AND NOT planthub.counts_complete(s);
        made := ARRAY(SELECT m + q * div(common, s.denominator) FROM unnest(made, ARRAY[s.yield, s.scrap, s.rework]) WITH ORDINALITY AS a (m, q, n) ORDER BY n);
        has := planthub.shift_confirmed(s);
        open := open OR NOT s.settled;
        IF open THEN
            wanted := ARRAY(SELECT greatest(trim_scale(div((m - b * common) * 10::numeric ^ digits, common) / 10::numeric ^ digits), 0)
                            FROM unnest(made, before) WITH ORDINALITY AS a (m, b, n) ORDER BY n);
            IF wanted <> has THEN
                verdict := planthub.correct_shift(policies->>'count_source', s, uom, wanted, has);
                has := planthub.shift_confirmed(s);
                SELECT s.shift_date, s.shift, has[1], has[2], has[3], verdict.outcome, verdict.code, verdict.message_id
                INTO shift_date, shift, yield, scrap, rework, outcome, code, message_id;
                RETURN NEXT;
            END IF;
            -- A shift of which something is left to confirm holds up the next ones; too much does not.
            short := EXISTS (SELECT FROM unnest(wanted, has) AS a (w, h) WHERE w > h);
            PERFORM planthub.settle_shift(s, short, CASE WHEN wanted <> has THEN verdict.code END, until + grace);
            EXIT WHEN short;
            IF wanted = has THEN
                PERFORM planthub.link_shift(s);
            END IF;
        END IF;
        before := ARRAY(SELECT b + h FROM unnest(before, has) WITH ORDINALITY AS a (b, h, n) ORDER BY n);
    END LOOP;
END
$$;
COMMENT ON FUNCTION planthub.confirm_operation(text, text, text, timestamptz, jsonb) IS 'Internal: confirms what was counted for an operation; a row for each shift whose confirmation was made, changed or refused';

CREATE OR REPLACE FUNCTION planthub.confirm_counts(site text, until timestamptz DEFAULT now(), OUT order_no text, OUT operation text, OUT shift_date date, OUT shift text,
    OUT yield numeric, OUT scrap numeric, OUT rework numeric, OUT outcome text, OUT code text, OUT message_id bigint) RETURNS SETOF record
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
    SET datestyle = 'ISO' SET timezone = 'UTC' AS $$
#variable_conflict use_column
DECLARE
    policies jsonb;
    o        record;
BEGIN
    IF $1 IS NULL OR until IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = format('argument "%s" must not be null', CASE WHEN $1 IS NULL THEN 'site' ELSE 'until' END);
    END IF;
    PERFORM planthub.config_require('site', $1);
    PERFORM planthub.lock_things('counts', ARRAY[$1]);
    PERFORM planthub.take_count_changes($1);
    policies := planthub.policies($1);
    FOR o IN
        WITH open AS MATERIALIZED (     -- so that only the index of open shifts fits
            SELECT s.order_no, s.operation FROM planthub.count_shift AS s
            WHERE s.site IS NOT DISTINCT FROM $1 AND NOT s.settled AND s.ends_at <= until AND (s.retry_at IS NULL OR s.retry_at <= until))
        SELECT DISTINCT x.order_no, x.operation FROM open AS x ORDER BY 1, 2
    LOOP
        IF policies->>'count_source' IS NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
                MESSAGE = format('site "%s" has no source for confirmations of counts', $1),
                HINT = format('Register one with planthub.set_source() for a system of kind mes or edge, and name it: planthub.set_policy(%L, ''count_source'', ...).', $1);
        END IF;
        RETURN QUERY SELECT o.order_no, o.operation, c.* FROM planthub.confirm_operation($1, o.order_no, o.operation, until, policies) AS c;
    END LOOP;
END
$$;
COMMENT ON FUNCTION planthub.confirm_counts(text, timestamptz) IS
'Confirms what machines have counted: one production.confirmed for each order, operation and shift that has ended and has all its totals, or whose grace (policy count_grace_min) is over; it is received from the source that the policy count_source names.  What comes later reverses and replaces a confirmation; what is less than the unit allows is left for the next shift; what was refused is tried again.  A job calls it when it is time (planthub.create_job()); calls at the same time follow each other.  A row for each shift whose confirmation was made, changed or refused: what is confirmed of it now, and the outcome';

CREATE OR REPLACE VIEW planthub.count_status AS
SELECT s.site, s.order_no, s.operation, s.shift_date, s.shift, s.starts_at, s.ends_at,
    round(s.yield / s.denominator, 6) AS counted_yield, round(s.scrap / s.denominator, 6) AS counted_scrap, round(s.rework / s.denominator, 6) AS counted_rework,
    c.qty[1] AS confirmed_yield, c.qty[2] AS confirmed_scrap, c.qty[3] AS confirmed_rework,
    round(sum(s.yield / s.denominator - c.qty[1]) OVER w, 6) AS rest_yield, round(sum(s.scrap / s.denominator - c.qty[2]) OVER w, 6) AS rest_scrap,
    round(sum(s.rework / s.denominator - c.qty[3]) OVER w, 6) AS rest_rework,
    CASE WHEN s.code IS NOT NULL THEN 'refused' WHEN s.settled THEN 'settled' WHEN s.ends_at > now() THEN 'running' ELSE 'waiting' END AS state, s.code, s.retry_at
FROM planthub.count_shift AS s CROSS JOIN LATERAL planthub.shift_confirmed(s) AS c (qty)
WINDOW w AS (PARTITION BY s.site, s.order_no, s.operation ORDER BY s.ends_at, s.starts_at, s.shift);
COMMENT ON VIEW planthub.count_status IS 'What was counted for each order, operation and shift, what of it is confirmed, and what is left';
COMMENT ON COLUMN planthub.count_status.site IS 'Site';
COMMENT ON COLUMN planthub.count_status.order_no IS 'Order';
COMMENT ON COLUMN planthub.count_status.operation IS 'Operation';
COMMENT ON COLUMN planthub.count_status.shift_date IS 'Day on which the shift begins';
COMMENT ON COLUMN planthub.count_status.shift IS 'Shift; empty: outside of all shifts';
COMMENT ON COLUMN planthub.count_status.starts_at IS 'When it begins';
COMMENT ON COLUMN planthub.count_status.ends_at IS 'When it ends';
COMMENT ON COLUMN planthub.count_status.counted_yield IS 'Good quantity that was counted, in the base unit of the item';
COMMENT ON COLUMN planthub.count_status.counted_scrap IS 'Scrapped quantity that was counted';
COMMENT ON COLUMN planthub.count_status.counted_rework IS 'Quantity to be reworked that was counted';
COMMENT ON COLUMN planthub.count_status.confirmed_yield IS 'Good quantity that is confirmed';
COMMENT ON COLUMN planthub.count_status.confirmed_scrap IS 'Scrapped quantity that is confirmed';
COMMENT ON COLUMN planthub.count_status.confirmed_rework IS 'Quantity to be reworked that is confirmed';
COMMENT ON COLUMN planthub.count_status.rest_yield IS 'Good quantity that is left at the end of the shift, together with the shifts before; negative: too much is confirmed and cannot be taken back';
COMMENT ON COLUMN planthub.count_status.rest_scrap IS 'Scrapped quantity that is left';
COMMENT ON COLUMN planthub.count_status.rest_rework IS 'Quantity to be reworked that is left';
COMMENT ON COLUMN planthub.count_status.state IS 'running; waiting: for totals, or for the next confirm_counts(); settled; refused: see code';
COMMENT ON COLUMN planthub.count_status.code IS 'Rule for which it is not confirmed as it was counted';
COMMENT ON COLUMN planthub.count_status.retry_at IS 'When it is tried again; null: when counts change';

CREATE OR REPLACE VIEW planthub.confirmation_source AS
SELECT c.site, c.order_no, c.operation, c.shift_date, c.shift, c.revision, c.confirmation_id, c.message_id, c.reversed_by, x.kind, round(x.qty / x.denominator, 6) AS qty,
    x.equipment, x.tag, x.window_start, t.window_end, t.last_value, x.source_message
FROM planthub.count_confirmation AS c
JOIN planthub.count_source AS x ON x.site = c.site AND x.message_id = c.message_id
LEFT JOIN planthub.telemetry_summary AS t ON t.site = x.site AND t.equipment = x.equipment AND t.tag = x.tag AND t.window_start = x.window_start;
COMMENT ON VIEW planthub.confirmation_source IS 'Which totals of machines went into which confirmation; look for either message';
COMMENT ON COLUMN planthub.confirmation_source.site IS 'Site';
COMMENT ON COLUMN planthub.confirmation_source.order_no IS 'Order';
COMMENT ON COLUMN planthub.confirmation_source.operation IS 'Operation';
COMMENT ON COLUMN planthub.confirmation_source.shift_date IS 'Day on which the shift begins';
COMMENT ON COLUMN planthub.confirmation_source.shift IS 'Shift; empty: outside of all shifts';
COMMENT ON COLUMN planthub.confirmation_source.revision IS 'Number within the order, operation and shift';
COMMENT ON COLUMN planthub.confirmation_source.confirmation_id IS 'Number of the confirmation in planthub.confirmation';
COMMENT ON COLUMN planthub.confirmation_source.message_id IS 'Message of the confirmation';
COMMENT ON COLUMN planthub.confirmation_source.reversed_by IS 'Message that took it back when counts changed; null: it holds';
COMMENT ON COLUMN planthub.confirmation_source.kind IS 'yield, scrap or rework';
COMMENT ON COLUMN planthub.confirmation_source.qty IS 'What the total counted for it, in the base unit of the item';
COMMENT ON COLUMN planthub.confirmation_source.equipment IS 'Equipment that counted';
COMMENT ON COLUMN planthub.confirmation_source.tag IS 'Measured value';
COMMENT ON COLUMN planthub.confirmation_source.window_start IS 'Begin of the window of the total';
COMMENT ON COLUMN planthub.confirmation_source.window_end IS 'End of the window';
COMMENT ON COLUMN planthub.confirmation_source.last_value IS 'The total';
COMMENT ON COLUMN planthub.confirmation_source.source_message IS 'Message with the total';
