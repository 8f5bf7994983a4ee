-- line: lines of events resolved against master data, and the checks that every line has to pass.  Re-runnable.

CREATE OR REPLACE FUNCTION planthub.base_qty(item text, qty numeric, uom text, base_uom text, at timestamptz) RETURNS numeric
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    code text := planthub.unit_code(uom);
    c    record;
BEGIN
    IF code IS NULL OR base_uom IS NULL OR qty IS NULL THEN
        RETURN NULL;
    ELSIF code = base_uom THEN
        RETURN qty;
    END IF;
    -- The conversion of the item may lead to another unit of the dimension of its base unit.
    FOR c IN
        SELECT code AS to_uom, 1::numeric AS numerator, 1::numeric AS denominator, 2 AS rank
        UNION ALL
        SELECT x.to_uom, x.numerator, x.denominator, CASE WHEN x.to_uom = base_uom THEN 0 ELSE 1 END
        FROM planthub.uom_conversion AS x
        WHERE x.item = base_qty.item AND x.uom = code AND x.valid_from <= at AND at < x.valid_to
        UNION ALL
        SELECT x.uom, x.denominator, x.numerator, CASE WHEN x.uom = base_uom THEN 0 ELSE 1 END
        FROM planthub.uom_conversion AS x
        WHERE x.item = base_qty.item AND x.to_uom = code AND x.valid_from <= at AND at < x.valid_to
        ORDER BY 4
    LOOP
        IF c.to_uom = base_uom OR EXISTS (SELECT FROM planthub.unit AS a JOIN planthub.unit AS b ON b.dimension = a.dimension
            WHERE a.code = c.to_uom AND b.code = base_uom AND a.numerator IS NOT NULL AND b.numerator IS NOT NULL) THEN
            RETURN round(CASE WHEN c.to_uom = base_uom THEN qty * c.numerator / c.denominator
                ELSE planthub.unit_convert(qty * c.numerator, c.to_uom, base_uom) / c.denominator END, 6);
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION planthub.base_qty(text, numeric, text, text, timestamptz) IS 'A quantity of an item in its base unit, to 6 decimals: by the conversions of the item, then those that hold for all; null when there is none';

CREATE OR REPLACE FUNCTION planthub.is_counted(uom text) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN EXISTS (SELECT FROM planthub.unit AS u WHERE u.code = uom AND u.dimension IN ('count', 'package'));
END
$$;
COMMENT ON FUNCTION planthub.is_counted(text) IS 'Whether a unit is counted, so that quantities are whole numbers';

-- quantity: {"value", "uom"}; minimum: 0 where nothing is a quantity, too.  For quantities that are no lines.
CREATE OR REPLACE FUNCTION planthub.check_quantity(quantity jsonb, item text, base_uom text, pointer text, at timestamptz,
    positive boolean, OUT base_qty numeric, OUT violations planthub.violation[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    value numeric := planthub.quantity_value(quantity->>'value');
    uom   text := planthub.unit_code(quantity->>'uom');
BEGIN
    IF quantity IS NULL OR jsonb_typeof(quantity) = 'null' THEN
        RETURN;
    END IF;
    base_qty := CASE WHEN uom = base_uom THEN value ELSE planthub.base_qty(item, value, uom, base_uom, at) END;
    IF uom IS NULL THEN
        violations := planthub.violation('UOM_UNKNOWN', pointer || '/uom', format('"%s" is not a unit of measure.', quantity->>'uom'));
    ELSIF value IS NULL THEN
        violations := planthub.violation('QTY_PRECISION', pointer || '/value', 'It does not fit 12 digits before and 6 after the point.');
    ELSIF base_qty IS NULL THEN
        violations := planthub.violation('UOM_NOT_CONVERTIBLE', pointer || '/uom', format('%s cannot be converted to %s for item "%s".', uom, base_uom, item));
    ELSIF value <> trunc(value) AND planthub.is_counted(uom) OR base_qty <> trunc(base_qty) AND planthub.is_counted(base_uom) THEN
        violations := planthub.violation('QTY_PRECISION', pointer || '/value', format('%s %s of item "%s" is not a whole number of pieces.', value, uom, item));
    ELSIF value < 0 OR positive AND value = 0 THEN
        violations := planthub.violation('QTY_NOT_POSITIVE', pointer || '/value', format('The quantity is %s.', value));
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.check_quantity(jsonb, text, text, text, timestamptz, boolean) IS 'A quantity of the data in the base unit of its item, and what is wrong with it';

CREATE OR REPLACE FUNCTION planthub.find_lines(event planthub.inbound, raw jsonb, pointer text, kind text, may_create boolean,
    usable boolean, order_no text, operation text, OUT lines planthub.line[], OUT doubtful boolean)
LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'planthub_find_lines';
COMMENT ON FUNCTION planthub.find_lines(planthub.inbound, jsonb, text, text, boolean, boolean, text, text) IS
'Internal: lines of an event with what the hub knows of them, and whether something may be wrong with one';

-- raw: array of lines as they are in the data, with item, lot, qty, from_location or from, to_location or to, status,
-- from_status, to_status, serials, component_line.  kind: kind of movement.  may_create: lots need not be known.
-- usable: the lots are used (issued, picked, shipped), so they must not have expired or be on hold.  order_no: the lines
-- are for its components; operation null: of whatever operation.  account_total is then what the component requires, -1
-- when it is backflushed.
CREATE OR REPLACE FUNCTION planthub.resolve_lines(m planthub.inbound, raw jsonb, pointer text, kind text, may_create boolean,
    usable boolean, order_no text DEFAULT NULL, operation text DEFAULT NULL, OUT lines planthub.line[], OUT violations planthub.violation[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found record := planthub.find_lines(m, raw, pointer, kind, may_create, usable, order_no, operation);
    i     int;
BEGIN
    lines := found.lines;
    IF found.doubtful THEN
        FOR i IN 1..cardinality(lines) LOOP
            IF lines[i].base_qty IS NULL THEN
                lines[i].base_qty := planthub.base_qty(lines[i].item, lines[i].qty, lines[i].uom, lines[i].base_uom, m.event_time);
            END IF;
            IF raw->(i - 1) ? 'serials' THEN
                lines[i].serials := ARRAY(SELECT jsonb_array_elements_text(raw->(i - 1)->'serials'));
            END IF;
        END LOOP;
        violations := planthub.line_violations(m, lines, raw, may_create, usable);
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.resolve_lines(planthub.inbound, jsonb, text, text, boolean, boolean, text, text) IS 'Lines of an event with what the hub knows about their items, lots and locations, and the rules of these that they do not meet';

CREATE OR REPLACE FUNCTION planthub.line_violations(m planthub.inbound, lines planthub.line[], raw jsonb, may_create boolean, usable boolean)
RETURNS planthub.violation[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    l   planthub.line;
    all_found planthub.violation[];
BEGIN
    FOREACH l IN ARRAY lines LOOP
        all_found := all_found || planthub.line_reference_violations(m, l)
            || planthub.line_quantity_violations(m, l, raw->(l.n - 1)->'qty')
            || CASE WHEN l.base_uom IS NOT NULL THEN planthub.line_lot_violations(m, l, may_create, usable) END;
    END LOOP;
    RETURN all_found;
END
$$;
COMMENT ON FUNCTION planthub.line_violations(planthub.inbound, planthub.line[], jsonb, boolean, boolean) IS 'Internal: what is wrong with lines';

CREATE OR REPLACE FUNCTION planthub.line_reference_violations(m planthub.inbound, l planthub.line) RETURNS planthub.violation[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found planthub.violation[];
BEGIN
    IF l.base_uom IS NULL THEN
        found := planthub.violation('ITEM_UNKNOWN', l.pointer || '/item', format('Item "%s" does not exist, or was not active at %s.', l.item, m.event_time), 'item', l.item);
    END IF;
    IF l.from_location IS NOT NULL AND l.from_known IS NULL THEN
        found := found || planthub.violation('LOCATION_UNKNOWN', l.pointer, format('Location "%s" does not exist at site "%s".', l.from_location, m.site), 'equipment', l.from_location);
    END IF;
    IF l.to_location IS NOT NULL AND l.to_known IS NULL THEN
        found := found || planthub.violation('LOCATION_UNKNOWN', l.pointer, format('Location "%s" does not exist at site "%s".', l.to_location, m.site), 'equipment', l.to_location);
    END IF;
    RETURN found;
END
$$;
COMMENT ON FUNCTION planthub.line_reference_violations(planthub.inbound, planthub.line) IS 'Internal: references of a line that lead nowhere';

CREATE OR REPLACE FUNCTION planthub.line_quantity_violations(m planthub.inbound, l planthub.line, quantity jsonb) RETURNS planthub.violation[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF l.base_uom IS NULL THEN
        RETURN NULL;    -- without the item nothing can be said
    END IF;
    RETURN (planthub.check_quantity(quantity, l.item, l.base_uom, l.pointer || '/qty', m.event_time, true)).violations;
END
$$;
COMMENT ON FUNCTION planthub.line_quantity_violations(planthub.inbound, planthub.line, jsonb) IS 'Internal: what is wrong with the quantity of a line';

CREATE OR REPLACE FUNCTION planthub.line_lot_violations(m planthub.inbound, l planthub.line, may_create boolean, usable boolean) RETURNS planthub.violation[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found planthub.violation[];
    twice text;
BEGIN
    IF l.lot_controlled AND l.lot = '' THEN
        found := planthub.violation('LOT_REQUIRED', l.pointer || '/lot', format('Item "%s" has lots.', l.item));
    ELSIF NOT l.lot_controlled AND l.lot <> '' THEN
        found := planthub.violation('LOT_NOT_ALLOWED', l.pointer || '/lot', format('Item "%s" has no lots.', l.item));
    ELSIF l.lot <> '' AND l.lot_known IS NULL AND NOT may_create THEN
        found := CASE WHEN EXISTS (SELECT FROM planthub.lot AS o WHERE o.site = m.site AND o.lot = l.lot)
            THEN planthub.violation('LOT_ITEM_MISMATCH', l.pointer || '/lot', format('Lot "%s" belongs to another item than "%s".', l.lot, l.item))
            ELSE planthub.violation('LOT_UNKNOWN', l.pointer || '/lot', format('Item "%s" has no lot "%s".', l.item, l.lot), 'lot', concat_ws('/', m.site, l.item, l.lot)) END;
    ELSIF usable AND l.expiry < (m.event_time AT TIME ZONE coalesce(m.timezone, 'UTC'))::date THEN
        found := planthub.violation('LOT_EXPIRED', l.pointer || '/lot', format('Lot "%s" of item "%s" expired on %s.', l.lot, l.item, l.expiry));
    END IF;
    IF l.serial_controlled AND l.serials IS NULL THEN
        found := found || planthub.violation('SERIAL_REQUIRED', l.pointer || '/serials', format('Item "%s" has serial numbers.', l.item));
    ELSIF l.serials IS NOT NULL AND l.serial_controlled THEN
        SELECT s INTO twice FROM unnest(l.serials) AS s GROUP BY s HAVING count(*) > 1 LIMIT 1;
        IF twice IS NOT NULL THEN
            found := found || planthub.violation('SERIAL_DUPLICATE', l.pointer || '/serials', format('Serial number "%s" is named twice.', twice));
        ELSIF cardinality(l.serials) <> l.base_qty THEN
            found := found || planthub.violation('SERIAL_COUNT_MISMATCH', l.pointer || '/serials',
                format('%s serial numbers for %s pieces.', cardinality(l.serials), trim_scale(l.base_qty)));
        ELSIF may_create THEN
            found := found || planthub.serial_violations(m, l);
        END IF;
    END IF;
    RETURN found;
END
$$;
COMMENT ON FUNCTION planthub.line_lot_violations(planthub.inbound, planthub.line, boolean, boolean) IS 'Internal: what is wrong with the lot and the serial numbers of a line';

CREATE OR REPLACE FUNCTION planthub.serial_violations(m planthub.inbound, l planthub.line) RETURNS planthub.violation[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT array_agg(ROW('SERIAL_DUPLICATE', l.pointer || '/serials', format('Serial number "%s" of item "%s" is in use already.', s, l.item), NULL, NULL)::planthub.violation)
        FROM unnest(l.serials) AS s
        CROSS JOIN LATERAL (SELECT e.state FROM planthub.serial_event AS e WHERE e.site = m.site AND e.item = l.item AND e.serial = s
            ORDER BY e.event_time DESC, e.message_id DESC LIMIT 1) AS e
        WHERE e.state IN ('active', 'installed'));
END
$$;
COMMENT ON FUNCTION planthub.serial_violations(planthub.inbound, planthub.line) IS 'Internal: serial numbers that come in although they are there';

-- The checks of others, for effects that have resolved their lines.
CREATE OR REPLACE FUNCTION planthub.line_checks(m planthub.inbound, lines planthub.line[], usable boolean) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN planthub.run_checks('reference', m.topic, m, lines) || planthub.run_checks('quantity', m.topic, m, lines)
        || planthub.run_checks('lot', m.topic, m, lines) || CASE WHEN usable THEN planthub.run_checks('hold', m.topic, m, lines) END;
END
$$;
COMMENT ON FUNCTION planthub.line_checks(planthub.inbound, planthub.line[], boolean) IS 'Internal: what the registered checks find about lines; those of holds only when the lots are used';
