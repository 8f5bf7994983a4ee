-- handling_unit: packing, unpacking, splitting, moving, and the views that tell what is in a unit.  Re-runnable.

CREATE OR REPLACE VIEW planthub.handling_unit_contents AS
SELECT u.site, u.sscc, u.state, u.location, u.parent, c.item, nullif(c.lot, '') AS lot, c.qty, c.uom
FROM planthub.handling_unit AS u
JOIN LATERAL (SELECT h.item, h.lot, sum(h.qty) AS qty, min(h.uom) AS uom FROM planthub.handling_unit_change AS h
              WHERE h.site = u.site AND h.sscc = u.sscc GROUP BY h.item, h.lot HAVING sum(h.qty) <> 0) AS c ON true;
COMMENT ON VIEW planthub.handling_unit_contents IS 'What is in each handling unit; what a shipped one held stays in it';
COMMENT ON COLUMN planthub.handling_unit_contents.site IS 'Site';
COMMENT ON COLUMN planthub.handling_unit_contents.sscc IS 'Handling unit';
COMMENT ON COLUMN planthub.handling_unit_contents.state IS 'open, shipped or dissolved';
COMMENT ON COLUMN planthub.handling_unit_contents.location IS 'Place it is at, or was at when it was shipped';
COMMENT ON COLUMN planthub.handling_unit_contents.parent IS 'Handling unit it is part of';
COMMENT ON COLUMN planthub.handling_unit_contents.item IS 'Item';
COMMENT ON COLUMN planthub.handling_unit_contents.lot IS 'Lot; null without one';
COMMENT ON COLUMN planthub.handling_unit_contents.qty IS 'How much';
COMMENT ON COLUMN planthub.handling_unit_contents.uom IS 'Base unit of the item';

CREATE OR REPLACE VIEW planthub.handling_unit_content AS
SELECT c.site, c.sscc, c.item, nullif(c.lot, '') AS lot, c.qty, c.uom, c.valid
FROM (SELECT h.site, h.sscc, h.item, h.lot, sum(sum(h.qty)) OVER w AS qty, min(h.uom) AS uom,
             tstzrange(h.event_time, lead(h.event_time) OVER w) AS valid
      FROM planthub.handling_unit_change AS h
      GROUP BY h.site, h.sscc, h.item, h.lot, h.event_time
      WINDOW w AS (PARTITION BY h.site, h.sscc, h.item, h.lot ORDER BY h.event_time)) AS c
WHERE c.qty <> 0;
COMMENT ON VIEW planthub.handling_unit_content IS 'What was in each handling unit when: the contents at an instant are the rows whose valid contains it';
COMMENT ON COLUMN planthub.handling_unit_content.site IS 'Site';
COMMENT ON COLUMN planthub.handling_unit_content.sscc IS 'Handling unit';
COMMENT ON COLUMN planthub.handling_unit_content.item IS 'Item';
COMMENT ON COLUMN planthub.handling_unit_content.lot IS 'Lot; null without one';
COMMENT ON COLUMN planthub.handling_unit_content.qty IS 'How much';
COMMENT ON COLUMN planthub.handling_unit_content.uom IS 'Base unit of the item';
COMMENT ON COLUMN planthub.handling_unit_content.valid IS 'From when to when; open at the end: still';

-- Checks

CREATE OR REPLACE FUNCTION planthub.check_sscc(sscc text, pointer text) RETURNS planthub.violation[]
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE WHEN NOT planthub.is_sscc(sscc) THEN
        planthub.violation('HU_CHECK_DIGIT', pointer, format('The check digit of "%s" is wrong.', sscc)) END;
END
$$;
COMMENT ON FUNCTION planthub.check_sscc(text, text) IS 'Internal: the rule HU_CHECK_DIGIT for one code';

-- must_exist: a unit that nobody has packed yet is waited for.
CREATE OR REPLACE FUNCTION planthub.check_handling_unit(site text, sscc text, pointer text, must_exist boolean)
RETURNS planthub.violation[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    broken planthub.violation[] := planthub.check_sscc(sscc, pointer);
    unit   planthub.handling_unit;
BEGIN
    IF sscc IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT u.* INTO unit FROM planthub.handling_unit AS u
    WHERE u.site = check_handling_unit.site AND u.sscc = check_handling_unit.sscc;
    IF FOUND AND unit.state <> 'open' THEN
        broken := broken || planthub.violation('HU_STATE_INVALID', pointer, format('Handling unit "%s" is %s.', sscc, unit.state));
    ELSIF NOT FOUND AND must_exist THEN
        broken := broken || planthub.violation('HU_UNKNOWN', pointer, format('Handling unit "%s" is not known.', sscc), 'handling_unit', concat_ws('/', site, sscc));
    END IF;
    RETURN broken;
END
$$;
COMMENT ON FUNCTION planthub.check_handling_unit(text, text, text, boolean) IS 'Internal: the rules HU_CHECK_DIGIT, HU_STATE_INVALID and HU_UNKNOWN for one unit that is to be open';

-- What lines take out of a unit must be in it.
CREATE OR REPLACE FUNCTION planthub.check_contents(site text, sscc text, lines planthub.line[]) RETURNS planthub.violation[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT array_agg(ROW('HU_CONTENT_EXCEEDED', w.pointer, format('Handling unit %s holds %s %s of %s, not %s.', sscc,
                   trim_scale(coalesce(h.qty, 0)), w.base_uom, concat_ws(' ', w.item, nullif(w.lot, '')), trim_scale(w.qty)),
                   NULL, NULL)::planthub.violation ORDER BY w.pointer)
        FROM (SELECT l.item, l.lot AS lot, min(l.base_uom) AS base_uom, sum(l.base_qty) AS qty, min(l.pointer) AS pointer
              FROM unnest(lines) AS l WHERE l.base_qty IS NOT NULL GROUP BY l.item, l.lot) AS w
        LEFT JOIN LATERAL (SELECT sum(c.qty) AS qty FROM planthub.handling_unit_change AS c
                           WHERE c.site = check_contents.site AND c.sscc = check_contents.sscc AND c.item = w.item AND c.lot = w.lot) AS h ON true
        WHERE w.qty > coalesce(h.qty, 0));
END
$$;
COMMENT ON FUNCTION planthub.check_contents(text, text, planthub.line[]) IS 'Internal: the rule HU_CONTENT_EXCEEDED';

-- A pallet goes with the boxes on it.
CREATE OR REPLACE FUNCTION planthub.with_parts(site text, units text[]) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        WITH RECURSIVE whole AS (
            SELECT u COLLATE "C" AS sscc FROM unnest(units) AS u
            UNION
            SELECT p.sscc FROM whole AS w JOIN planthub.handling_unit AS p ON p.site = with_parts.site AND p.parent = w.sscc)
        SELECT coalesce(array_agg(w.sscc ORDER BY array_position(units, w.sscc), w.sscc), '{}') FROM whole AS w);
END
$$;
COMMENT ON FUNCTION planthub.with_parts(text, text[]) IS 'Handling units and all that are part of them, at any depth';

-- Effects

-- Two events about one unit may have different ordering keys: the order it came from, the delivery it goes with.
CREATE OR REPLACE FUNCTION planthub.lock_units(m planthub.inbound, VARIADIC units text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.lock_things('handling_unit', ARRAY(SELECT DISTINCT concat_ws('/', m.site, u) FROM unnest(units) AS u WHERE u IS NOT NULL ORDER BY 1));
END
$$;
COMMENT ON FUNCTION planthub.lock_units(planthub.inbound, text[]) IS 'Internal: lets nobody else change these handling units until this transaction ends';

CREATE OR REPLACE FUNCTION planthub.handling_unit_change_add(m planthub.inbound, sscc text, sign int, lines planthub.line[], first int)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO planthub.handling_unit_change (site, sscc, message_id, line_no, item, lot, serials, qty, uom, event_time)
    SELECT m.site, handling_unit_change_add.sscc, m.id, first + l.n, l.item, l.lot, l.serials, sign * l.base_qty, l.base_uom, m.event_time
    FROM unnest(lines) AS l;
END
$$;
COMMENT ON FUNCTION planthub.handling_unit_change_add(planthub.inbound, text, int, planthub.line[], int) IS 'Internal: writes what went into (1) or out of (-1) a handling unit';

CREATE OR REPLACE FUNCTION planthub.handling_unit_put(m planthub.inbound, sscc text, location text, parent text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO planthub.handling_unit AS u (site, sscc, location, located_at, parent, packed_at, message_id)
    VALUES (m.site, handling_unit_put.sscc, handling_unit_put.location, m.event_time, handling_unit_put.parent, m.event_time, m.id)
    ON CONFLICT ON CONSTRAINT handling_unit_pkey DO UPDATE SET
        location = CASE WHEN excluded.located_at >= u.located_at THEN excluded.location ELSE u.location END,
        located_at = greatest(u.located_at, excluded.located_at),
        parent = coalesce(excluded.parent, u.parent), packed_at = least(u.packed_at, excluded.packed_at);
    PERFORM planthub.bring('handling_unit', ARRAY[concat_ws('/', m.site, handling_unit_put.sscc)]);
END
$$;
COMMENT ON FUNCTION planthub.handling_unit_put(planthub.inbound, text, text, text) IS 'Internal: makes a handling unit, or tells where a known one is';

CREATE OR REPLACE FUNCTION planthub.apply_handling_unit_packed(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    unit    text := m.data->>'sscc';
    receipt boolean := m.data->>'triggers' = 'goods_receipt';
    r       record;
    broken  planthub.violation[];
BEGIN
    -- The ledger of the order is written, whatever the ordering key of the event is.
    PERFORM planthub.lock_key(m.site, 'mo:' || (m.data->>'order'), -1);
    PERFORM planthub.lock_units(m, unit, m.data->>'parent_sscc');
    r := planthub.event_lines(m, 'contents', 'receipt_from_production', jsonb_build_object('to_location', m.data->'location'));
    broken := r.violations || planthub.order_violations(m, m.data->>'order');
    broken := broken || planthub.check_handling_unit(m.site, unit, '/data/sscc', false)
        || planthub.check_handling_unit(m.site, m.data->>'parent_sscc', '/data/parent_sscc', true);
    IF receipt AND m.data->>'order' IS NOT NULL THEN
        broken := planthub.post_production_receipt(m, m.data->>'order', r.lines, unit, unit, broken);
    ELSIF receipt THEN
        broken := planthub.post_movements(m, r.lines, unit, handling_unit => unit, violations => broken);
    END IF;
    IF planthub.stops(m, broken) THEN
        RETURN broken;
    END IF;
    PERFORM planthub.handling_unit_put(m, unit, m.data->>'location', m.data->>'parent_sscc');
    PERFORM planthub.handling_unit_change_add(m, unit, 1, r.lines, 0);
    IF receipt THEN
        PERFORM planthub.publish_after(m, 'goods.received_from_production', jsonb_strip_nulls(jsonb_build_object(
            'document', unit, 'line', l.n::text, 'order', m.data->>'order', 'item', l.item, 'lot', nullif(l.lot, ''),
            'qty', planthub.quantity(l.base_qty, l.base_uom), 'to_location', m.data->>'location', 'sscc', unit,
            'serials', to_jsonb(l.serials))), m.key)
        FROM unnest(r.lines) AS l;
    END IF;
    RETURN broken;
END
$$;
COMMENT ON FUNCTION planthub.apply_handling_unit_packed(planthub.inbound) IS 'Internal: effect of handling_unit.packed; packing a finished order is its receipt into stock';

-- What is taken out stays where the unit is, unless the event names another place.
CREATE OR REPLACE FUNCTION planthub.apply_handling_unit_unpacked(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    unit   text := m.data->>'sscc';
    place  text;
    r      record;
    broken planthub.violation[];
BEGIN
    PERFORM planthub.lock_units(m, unit);
    SELECT u.location INTO place FROM planthub.handling_unit AS u WHERE u.site = m.site AND u.sscc = unit;
    r := planthub.event_lines(m, 'contents', 'transfer', jsonb_build_object('from_location', place, 'to_location', m.data->'location'));
    broken := r.violations || planthub.check_handling_unit(m.site, unit, '/data/sscc', true);
    IF NOT planthub.stops(m, broken) THEN
        broken := broken || planthub.check_contents(m.site, unit, r.lines);
    END IF;
    IF NOT planthub.stops(m, broken) AND place <> m.data->>'location' THEN
        broken := planthub.post_movements(m, r.lines, unit, violations => broken);
    END IF;
    IF planthub.stops(m, broken) THEN
        RETURN broken;
    END IF;
    PERFORM planthub.handling_unit_change_add(m, unit, -1, r.lines, 0);
    UPDATE planthub.handling_unit AS u SET state = 'dissolved'
    WHERE u.site = m.site AND u.sscc = unit
      AND NOT EXISTS (SELECT FROM planthub.handling_unit_contents AS c WHERE c.site = m.site AND c.sscc = unit);
    RETURN broken;
END
$$;
COMMENT ON FUNCTION planthub.apply_handling_unit_unpacked(planthub.inbound) IS 'Internal: effect of handling_unit.unpacked; an empty unit is dissolved';

CREATE OR REPLACE FUNCTION planthub.apply_handling_unit_split(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    unit   text := m.data->>'from_sscc';
    part   text := m.data->>'to_sscc';
    r      record := planthub.event_lines(m, 'contents', 'transfer');
    broken planthub.violation[];
    place  text;
BEGIN
    PERFORM planthub.lock_units(m, unit, part);
    broken := r.violations || planthub.check_handling_unit(m.site, unit, '/data/from_sscc', true)
        || planthub.check_handling_unit(m.site, part, '/data/to_sscc', false);
    IF NOT planthub.stops(m, broken) THEN
        broken := broken || planthub.check_contents(m.site, unit, r.lines);
    END IF;
    IF planthub.stops(m, broken) THEN
        RETURN broken;
    END IF;
    SELECT u.location INTO place FROM planthub.handling_unit AS u WHERE u.site = m.site AND u.sscc = unit;
    PERFORM planthub.handling_unit_put(m, part, place);
    PERFORM planthub.handling_unit_change_add(m, unit, -1, r.lines, 0);
    PERFORM planthub.handling_unit_change_add(m, part, 1, r.lines, cardinality(r.lines));
    IF m.data->>'delivery' IS NOT NULL THEN
        PERFORM planthub.shipment_assign(m, m.data->>'delivery', ARRAY[part], false);
    END IF;
    RETURN broken;
END
$$;
COMMENT ON FUNCTION planthub.apply_handling_unit_split(planthub.inbound) IS 'Internal: effect of handling_unit.split; stock stays where it is, the part may be meant for a delivery';

CREATE OR REPLACE FUNCTION planthub.apply_handling_unit_moved(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    unit   text := m.data->>'sscc';
    broken planthub.violation[];
BEGIN
    PERFORM planthub.lock_units(m, unit);
    broken := planthub.check_location(m, 'from') || planthub.check_location(m, 'to') || planthub.check_handling_unit(m.site, unit, '/data/sscc', true);
    IF planthub.stops(m, broken) THEN
        RETURN broken;
    END IF;
    broken := planthub.post_movements(m, planthub.contents_lines(m, planthub.with_parts(m.site, ARRAY[unit]), '/data/sscc', 'transfer', m.data->>'from', m.data->>'to'), unit,
        handling_unit => unit, violations => broken);
    IF planthub.stops(m, broken) THEN
        RETURN broken;
    END IF;
    PERFORM planthub.handling_unit_put(m, u, m.data->>'to') FROM unnest(planthub.with_parts(m.site, ARRAY[unit])) AS u;
    RETURN broken;
END
$$;
COMMENT ON FUNCTION planthub.apply_handling_unit_moved(planthub.inbound) IS 'Internal: effect of handling_unit.moved; everything in the unit moves with it';
