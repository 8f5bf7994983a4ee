-- event: what effects of many topics share: lines of their data, references, stock that is looked for, messages that
-- follow.  Re-runnable.

-- The lines of an array of the data, or with member '' the data itself as the only one; more: members that all of them
-- have, such as the place that the event names once.
CREATE OR REPLACE FUNCTION planthub.event_lines(m planthub.inbound, member text, kind text, more jsonb DEFAULT '{}',
    may_create boolean DEFAULT false, usable boolean DEFAULT false, qty text DEFAULT 'qty',
    OUT lines planthub.line[], OUT violations planthub.violation[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    raw   jsonb;
    found record;
BEGIN
    IF member <> '' THEN
        SELECT jsonb_agg(e.value || more ORDER BY e.n) INTO raw FROM jsonb_array_elements(m.data->member) WITH ORDINALITY AS e (value, n);
        found := planthub.resolve_lines(m, raw, '/data/' || member, kind, may_create, usable);
    ELSIF m.data ? qty THEN
        raw := jsonb_build_array(m.data || more || jsonb_build_object('qty', m.data->qty));
        found := planthub.resolve_lines(m, raw, '/data', kind, may_create, usable);
    ELSE
        RETURN;
    END IF;
    lines := coalesce(found.lines, '{}');
    violations := found.violations || planthub.line_checks(m, lines, usable);
    IF member = '' THEN
        lines[1].pointer := '/data';
        violations := planthub.point_to(violations, '/data/0/qty', '/data/' || qty, '/data/0', '/data');
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.event_lines(planthub.inbound, text, text, jsonb, boolean, boolean, text) IS 'Internal: lines of an event as movements of a kind, and what is wrong with them';

-- A plan or a notice need not name lots and serial numbers yet.
CREATE OR REPLACE FUNCTION planthub.without_lots(violations planthub.violation[]) RETURNS planthub.violation[]
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT array_agg(ROW(v.code, v.pointer, v.detail, v.kind, v.key)::planthub.violation ORDER BY v.n)
        FROM unnest(violations) WITH ORDINALITY AS v (code, pointer, detail, kind, key, n) WHERE v.code !~ '^(LOT|SERIAL)_');
END
$$;
COMMENT ON FUNCTION planthub.without_lots(planthub.violation[]) IS 'Internal: violations without those about lots and serial numbers';

-- References that are no part of a line

CREATE OR REPLACE FUNCTION planthub.check_equipment(m planthub.inbound, member text) RETURNS planthub.violation[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE WHEN NOT planthub.is_work_center(m.site, m.data->>member, m.event_time)
        THEN planthub.violation('WORK_CENTER_UNKNOWN', '/data/' || member,
            format('Equipment "%s" does not exist at site "%s", or cannot do work.', m.data->>member, m.site), 'equipment', m.data->>member) END;
END
$$;
COMMENT ON FUNCTION planthub.check_equipment(planthub.inbound, text) IS 'Internal: the rule WORK_CENTER_UNKNOWN for a member of the data';

CREATE OR REPLACE FUNCTION planthub.check_location(m planthub.inbound, member text) RETURNS planthub.violation[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE WHEN NOT EXISTS (SELECT FROM planthub.equipment AS e WHERE e.equipment = m.data->>member AND e.site = m.site
                                 AND m.event_time >= e.valid_from AND m.event_time < e.valid_to AND e.active)
        THEN planthub.violation('LOCATION_UNKNOWN', '/data/' || member,
            format('Location "%s" does not exist at site "%s".', m.data->>member, m.site), 'equipment', m.data->>member) END;
END
$$;
COMMENT ON FUNCTION planthub.check_location(planthub.inbound, text) IS 'Internal: the rule LOCATION_UNKNOWN for a member of the data';

CREATE OR REPLACE FUNCTION planthub.check_party(m planthub.inbound, member text) RETURNS planthub.violation[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE WHEN NOT EXISTS (SELECT FROM planthub.party AS p WHERE p.party = m.data->>member
                                 AND m.event_time >= p.valid_from AND m.event_time < p.valid_to)
        THEN planthub.violation('PARTY_UNKNOWN', '/data/' || member, format('Party "%s" does not exist.', m.data->>member), 'party', m.data->>member) END;
END
$$;
COMMENT ON FUNCTION planthub.check_party(planthub.inbound, text) IS 'Internal: the rule PARTY_UNKNOWN for a member of the data';

-- Stock that an event does not say where it lies

-- Takes quantities from wherever they lie, held or not, from the largest stock first; several wanted lines of one lot
-- take one after the other.
CREATE OR REPLACE FUNCTION planthub.allocate(m planthub.inbound, wanted planthub.line[], statuses text[]) RETURNS planthub.line[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT coalesce(array_agg(ROW(a.n, a.pointer, a.kind, a.item, a.lot, NULL, a.part, a.base_uom, a.part, a.base_uom, a.location, a.status,
                   CASE WHEN a.to_status IS NOT NULL THEN a.location END, a.to_status, NULL, NULL, NULL, a.lot <> '', false, true, NULL, true, true)::planthub.line
                   ORDER BY a.n), '{}')
        FROM (SELECT row_number() OVER (ORDER BY w.place, b.start, b.location, b.status)::int AS n, w.pointer, w.kind, w.item, w.lot, w.base_uom, w.to_status,
                     b.location, b.status, least(w.finish, b.finish) - greatest(w.start, b.start) AS part
              FROM (SELECT x.place, (x.l).pointer, (x.l).kind, (x.l).item, (x.l).lot, (x.l).base_uom, (x.l).to_status,
                           sum((x.l).base_qty) OVER o - (x.l).base_qty AS start, sum((x.l).base_qty) OVER o AS finish
                    FROM (SELECT wanted[g] AS l, g AS place FROM generate_subscripts(wanted, 1) AS g) AS x
                    WHERE (x.l).base_qty > 0
                    WINDOW o AS (PARTITION BY (x.l).item, (x.l).lot ORDER BY x.place)) AS w
              JOIN LATERAL (SELECT s.location, s.status, sum(s.qty) OVER o - s.qty AS start, sum(s.qty) OVER o AS finish
                            FROM planthub.inventory_balance AS s
                            WHERE s.site = m.site AND s.item = w.item AND coalesce(s.lot, '') = w.lot AND s.status = ANY (statuses) AND s.qty > 0
                            WINDOW o AS (ORDER BY s.qty DESC, s.location, s.status)) AS b ON b.start < w.finish AND b.finish > w.start) AS a);
END
$$;
COMMENT ON FUNCTION planthub.allocate(planthub.inbound, planthub.line[], text[]) IS 'Internal: where the stock lies from which quantities of lots are to be taken';

-- What could not be taken: when it is there in another status, the status is wrong, else there is too little.
CREATE OR REPLACE FUNCTION planthub.check_allocated(m planthub.inbound, wanted planthub.line[], taken planthub.line[]) RETURNS planthub.violation[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT array_agg(ROW(CASE WHEN b.qty >= w.qty THEN 'STOCK_STATUS_INVALID' ELSE 'NEGATIVE_STOCK' END, w.pointer,
                   format('%s %s of item "%s"%s are wanted; %s are there%s.', trim_scale(w.qty), w.base_uom, w.item,
                          CASE WHEN w.lot <> '' THEN format(' lot "%s"', w.lot) ELSE '' END, trim_scale(coalesce(t.qty, 0)),
                          CASE WHEN b.qty >= w.qty THEN ' in that status' ELSE '' END),
                   'lot_stock', concat_ws('/', m.site, w.item, w.lot))::planthub.violation ORDER BY w.pointer)
        FROM (SELECT l.item, l.lot, min(l.base_uom) AS base_uom, sum(l.base_qty) AS qty, min(l.pointer) AS pointer
              FROM unnest(wanted) AS l WHERE l.base_qty > 0 GROUP BY l.item, l.lot) AS w
        LEFT JOIN LATERAL (SELECT sum(l.base_qty) AS qty FROM unnest(taken) AS l WHERE l.item = w.item AND l.lot = w.lot) AS t ON true
        CROSS JOIN LATERAL (SELECT coalesce(sum(s.qty), 0) AS qty FROM planthub.inventory_balance AS s
                            WHERE s.site = m.site AND s.item = w.item AND coalesce(s.lot, '') = w.lot) AS b
        WHERE coalesce(t.qty, 0) < w.qty);
END
$$;
COMMENT ON FUNCTION planthub.check_allocated(planthub.inbound, planthub.line[], planthub.line[]) IS 'Internal: the rules STOCK_STATUS_INVALID and NEGATIVE_STOCK for quantities that name no place';

-- Messages that follow from an event

CREATE OR REPLACE FUNCTION planthub.publish_after(m planthub.inbound, topic text, data jsonb, key text) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT planthub.publish(publish_after.topic, publish_after.data, publish_after.key, m.site, event_time => m.event_time,
            correlation_id => m.correlation_id, causation_id => m.event_id, traceparent => m.traceparent,
            event_offset => make_interval(mins => m.event_offset)));
END
$$;
COMMENT ON FUNCTION planthub.publish_after(planthub.inbound, text, jsonb, text) IS 'Internal: publishes a message that an event has led to, in its transaction and thread';

CREATE OR REPLACE FUNCTION planthub.quantity(value numeric, uom text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT jsonb_build_object('value', trim_scale(value)::text, 'uom', uom));
END
$$;
COMMENT ON FUNCTION planthub.quantity(numeric, text) IS 'A quantity as it stands in messages: decimal text and unit';

-- Planning and MES learn what became available, or short.
CREATE OR REPLACE FUNCTION planthub.publish_availability(m planthub.inbound, item text, lot text, delta numeric, uom text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.publish_after(m, 'material.availability_changed', jsonb_strip_nulls(jsonb_build_object('item', publish_availability.item,
        'lot', nullif(publish_availability.lot, ''), 'site', m.site, 'qty_delta', planthub.quantity(delta, publish_availability.uom))),
        'item:' || publish_availability.item)
    WHERE delta <> 0;
END
$$;
COMMENT ON FUNCTION planthub.publish_availability(planthub.inbound, text, text, numeric, text) IS 'Internal: a hint for planning, never a posting';
