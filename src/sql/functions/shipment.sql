-- shipment: outbound deliveries of goods from plan to proof, and whether one can leave.  Re-runnable.

-- What each delivery lacks.  A unit counts when it was assigned to the delivery; what is held does not.
CREATE OR REPLACE VIEW planthub.shipment_readiness AS
SELECT s.site, s.shipment, s.customer, s.planned_ship, s.state, s.state IN ('planned', 'ready') AND m.missing IS NULL AND s.version IS NOT NULL AS ready,
    CASE WHEN s.state IN ('departed', 'delivered') THEN 'has ' || CASE s.state WHEN 'departed' THEN 'departed' ELSE 'been delivered' END
         WHEN s.version IS NULL THEN concat_ws('; ', 'the delivery itself is not known yet', m.missing)
         ELSE m.missing END AS missing
FROM planthub.shipment AS s
LEFT JOIN LATERAL (
    SELECT string_agg(x.what, '; ' ORDER BY x.rank, x.what) AS missing
    FROM (SELECT 1 AS rank, format('%s: %s %s not packed for it', w.item, trim_scale(w.qty - coalesce(p.qty, 0)), w.uom) AS what
          FROM (SELECT l.item, l.lot, sum(l.qty) AS qty, min(l.uom) AS uom FROM planthub.shipment_line AS l
                WHERE l.site = s.site AND l.shipment = s.shipment GROUP BY l.item, l.lot) AS w
          LEFT JOIN LATERAL (SELECT sum(c.qty) AS qty FROM planthub.shipment_unit AS u
                             JOIN planthub.handling_unit_change AS c ON c.site = u.site AND c.sscc = u.sscc
                             WHERE u.site = s.site AND u.shipment = s.shipment AND c.item = w.item
                               AND (w.lot IS NULL OR c.lot = w.lot)) AS p ON true
          WHERE coalesce(p.qty, 0) < w.qty
          UNION ALL
          SELECT DISTINCT 2, format('%s in %s is on hold (%s)', concat_ws(' ', c.item, nullif(c.lot, '')), u.sscc, h.hold)
          FROM planthub.shipment_unit AS u
          JOIN planthub.handling_unit_change AS c ON c.site = u.site AND c.sscc = u.sscc
          JOIN planthub.hold AS h ON h.site = c.site AND h.item = c.item AND h.lot = c.lot AND h.released_at IS NULL
          WHERE u.site = s.site AND u.shipment = s.shipment
          UNION ALL
          SELECT 3, format('%s is %s', u.sscc, coalesce(h.state, 'not known'))
          FROM planthub.shipment_unit AS u LEFT JOIN planthub.handling_unit AS h ON h.site = u.site AND h.sscc = u.sscc
          WHERE u.site = s.site AND u.shipment = s.shipment AND NOT u.shipped AND h.state IS DISTINCT FROM 'open') AS x) AS m ON true;
COMMENT ON VIEW planthub.shipment_readiness IS 'Can a delivery leave, and what is missing: quantity not packed for it, holds, units in a wrong state';
COMMENT ON COLUMN planthub.shipment_readiness.site IS 'Site';
COMMENT ON COLUMN planthub.shipment_readiness.shipment IS 'Number of the delivery';
COMMENT ON COLUMN planthub.shipment_readiness.customer IS 'Party that receives it';
COMMENT ON COLUMN planthub.shipment_readiness.planned_ship IS 'When it is to leave';
COMMENT ON COLUMN planthub.shipment_readiness.state IS 'planned, ready, departed or delivered, as reported';
COMMENT ON COLUMN planthub.shipment_readiness.ready IS 'Whether it can leave';
COMMENT ON COLUMN planthub.shipment_readiness.missing IS 'Why not';

-- What orders and deliveries still need, line by line.
CREATE OR REPLACE VIEW planthub.open_line AS
SELECT v.site, 'production_order' AS kind, v.order_no AS number, v.line, v.item, c.reserved_lot AS lot, v.planned - v.actual AS qty, v.uom
FROM planthub.order_component AS c
JOIN planthub.order_variance AS v ON v.site = c.site AND v.order_no = c.order_no AND v.line = c.line
JOIN planthub.production_order_status AS s ON s.site = c.site AND s.order_no = c.order_no
WHERE s.state IN ('released', 'in_progress') AND v.actual < v.planned
UNION ALL
SELECT l.site, 'shipment', l.shipment, l.line_no, l.item, l.lot, l.qty, l.uom
FROM planthub.shipment_line AS l JOIN planthub.shipment AS s ON s.site = l.site AND s.shipment = l.shipment
WHERE s.state IN ('planned', 'ready');
COMMENT ON VIEW planthub.open_line IS 'Components of orders that are not all issued, and lines of deliveries that have not left';
COMMENT ON COLUMN planthub.open_line.site IS 'Site';
COMMENT ON COLUMN planthub.open_line.kind IS 'production_order or shipment';
COMMENT ON COLUMN planthub.open_line.number IS 'Number of the order or the delivery';
COMMENT ON COLUMN planthub.open_line.line IS 'Line of the component, or of the delivery';
COMMENT ON COLUMN planthub.open_line.item IS 'Item';
COMMENT ON COLUMN planthub.open_line.lot IS 'Lot that the plan names; null: any';
COMMENT ON COLUMN planthub.open_line.qty IS 'Required, less what was issued to the component';
COMMENT ON COLUMN planthub.open_line.uom IS 'Base unit of the item';

-- A lot is reserved until the material is taken or has left; stock is not changed by that.  The plan goes before operators.
CREATE OR REPLACE VIEW planthub.reservation AS
SELECT l.site, l.kind, l.number, l.line, l.item, coalesce(l.lot, r.lot) AS lot, CASE WHEN l.lot IS NULL THEN least(l.qty, r.qty) ELSE l.qty END AS qty, l.uom
FROM planthub.open_line AS l
LEFT JOIN planthub.reserved_lot AS r ON r.site = l.site AND r.kind = l.kind AND r.number = l.number AND r.line = l.line AND r.item = l.item
WHERE coalesce(l.lot, r.lot) IS NOT NULL;
COMMENT ON VIEW planthub.reservation IS 'Lots that plans of orders and deliveries name, or operators have reserved for them, and how much of each is still to be taken';
COMMENT ON COLUMN planthub.reservation.site IS 'Site';
COMMENT ON COLUMN planthub.reservation.kind IS 'production_order or shipment';
COMMENT ON COLUMN planthub.reservation.number IS 'Number of the order or the delivery';
COMMENT ON COLUMN planthub.reservation.line IS 'Line of the component, or of the delivery';
COMMENT ON COLUMN planthub.reservation.item IS 'Item';
COMMENT ON COLUMN planthub.reservation.lot IS 'Lot';
COMMENT ON COLUMN planthub.reservation.qty IS 'Required, less what was issued to the component, and no more than the operator has reserved';
COMMENT ON COLUMN planthub.reservation.uom IS 'Base unit of the item';

CREATE OR REPLACE VIEW planthub.free_stock AS
SELECT coalesce(b.site, r.site) AS site, coalesce(b.item, r.item) AS item, coalesce(b.lot, r.lot) AS lot, coalesce(b.qty, 0) AS unrestricted_qty,
    coalesce(r.qty, 0) AS reserved_qty, coalesce(b.qty, 0) - coalesce(r.qty, 0) AS free_qty, coalesce(b.uom, r.uom) AS uom
FROM (SELECT x.site, x.item, x.lot, x.uom, sum(x.qty) AS qty FROM planthub.inventory_balance AS x
      WHERE x.status = 'unrestricted' AND x.owner IS NULL GROUP BY x.site, x.item, x.lot, x.uom) AS b
FULL JOIN (SELECT x.site, x.item, x.lot, x.uom, sum(x.qty) AS qty FROM planthub.reservation AS x GROUP BY x.site, x.item, x.lot, x.uom) AS r
    ON r.site = b.site AND r.item = b.item AND r.lot = b.lot AND r.uom = b.uom;
COMMENT ON VIEW planthub.free_stock IS 'Own unrestricted stock by lot, over all places, less what is reserved; holds are apart, see planthub.hold_status';
COMMENT ON COLUMN planthub.free_stock.site IS 'Site';
COMMENT ON COLUMN planthub.free_stock.item IS 'Item';
COMMENT ON COLUMN planthub.free_stock.lot IS 'Lot; null for an item without lots';
COMMENT ON COLUMN planthub.free_stock.unrestricted_qty IS 'Own stock in status unrestricted';
COMMENT ON COLUMN planthub.free_stock.reserved_qty IS 'Reserved, see planthub.reservation';
COMMENT ON COLUMN planthub.free_stock.free_qty IS 'What is left; less than zero: more is reserved than there is';
COMMENT ON COLUMN planthub.free_stock.uom IS 'Base unit of the item';

CREATE OR REPLACE FUNCTION planthub.reserve(site text, kind text, number text, line text, lot text, qty numeric DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    own planthub.open_line;
BEGIN
    IF num_nulls($1, $2, $3, $4, $5) > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
            MESSAGE = 'site, kind, number, line and lot must not be null',
            HINT = 'Call it as planthub.reserve(''P1'', ''production_order'', ''1000123'', ''0010'', ''L-77'').';
    END IF;
    SELECT l.* INTO own FROM planthub.open_line AS l WHERE l.site = $1 AND l.kind = $2 AND l.number = $3 AND l.line = $4;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = format('%s "%s" of site "%s" has no open line "%s"', $2, $3, $1, $4),
            HINT = 'Look for it in the view planthub.open_line.';
    ELSIF own.lot IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('the plan of line "%s" names lot "%s"', $4, own.lot),
            HINT = 'Change it in the system that plans.';
    ELSIF NOT EXISTS (SELECT FROM planthub.lot AS t WHERE t.site = $1 AND t.item = own.item AND t.lot = $5) THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = format('item "%s" has no lot "%s" at site "%s"', own.item, $5, $1),
            HINT = 'See planthub.lot.';
    ELSIF qty <= 0 OR round(qty, 6) <> qty OR qty > own.qty THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('%s cannot be reserved', qty),
            DETAIL = format('Line "%s" needs %s %s.', $4, trim_scale(own.qty), own.uom),
            HINT = 'Use a quantity above zero, in the base unit, with 6 decimals at most; null for all that is needed.';
    END IF;
    INSERT INTO planthub.reserved_lot AS r (site, kind, number, line, item, lot, qty) VALUES ($1, $2, $3, $4, own.item, $5, coalesce($6, own.qty))
    ON CONFLICT ON CONSTRAINT reserved_lot_pkey DO UPDATE SET item = excluded.item, lot = excluded.lot, qty = excluded.qty, by = excluded.by,
        reserved_at = excluded.reserved_at;
    PERFORM planthub.log_operation('reserve', jsonb_build_object('site', $1, 'kind', $2, 'number', $3, 'line', $4, 'lot', $5, 'qty', coalesce($6, own.qty)), 1);
END
$$;
COMMENT ON FUNCTION planthub.reserve(text, text, text, text, text, numeric) IS
'Reserves a lot for a component of a production_order or a line of a shipment whose plan names none, in place of the one reserved before; qty: in the base unit, null for all that is needed.  Stock is not changed; see planthub.reservation and planthub.free_stock';

CREATE OR REPLACE FUNCTION planthub.release_reservation(site text, kind text, number text, line text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM planthub.reserved_lot AS r WHERE r.site = $1 AND r.kind = $2 AND r.number = $3 AND r.line = $4;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = format('no lot is reserved for line "%s" of %s "%s" of site "%s"', $4, $2, $3, $1),
            HINT = 'Look for it in the table planthub.reserved_lot; what a plan names is changed in the system that plans.';
    END IF;
    PERFORM planthub.log_operation('release_reservation', jsonb_build_object('site', $1, 'kind', $2, 'number', $3, 'line', $4), 1);
END
$$;
COMMENT ON FUNCTION planthub.release_reservation(text, text, text, text) IS 'Takes back what planthub.reserve() has reserved for a line';

-- Contents as of departure: 21 CFR 1.1340 wants them for every shipment, recalls need them.
CREATE OR REPLACE VIEW planthub.shipped_content AS
SELECT s.site, s.shipment, s.customer, s.departed_at, s.carrier, u.sscc, c.item, nullif(c.lot, '') AS lot, c.qty, c.uom
FROM planthub.shipment AS s JOIN planthub.shipment_unit AS u ON u.site = s.site AND u.shipment = s.shipment AND u.shipped
JOIN LATERAL (SELECT h.item, h.lot, sum(h.qty) AS qty, min(h.uom) AS uom FROM planthub.handling_unit_change AS h
              WHERE h.site = u.site AND h.sscc = u.sscc AND h.event_time <= s.departed_at
              GROUP BY h.item, h.lot HAVING sum(h.qty) <> 0) AS c ON true;
COMMENT ON VIEW planthub.shipped_content IS 'What left with which delivery, to whom, in which unit: contents as of departure';
COMMENT ON COLUMN planthub.shipped_content.site IS 'Site';
COMMENT ON COLUMN planthub.shipped_content.shipment IS 'Number of the delivery';
COMMENT ON COLUMN planthub.shipped_content.customer IS 'Party that receives it';
COMMENT ON COLUMN planthub.shipped_content.departed_at IS 'When it left';
COMMENT ON COLUMN planthub.shipped_content.carrier IS 'Carrier';
COMMENT ON COLUMN planthub.shipped_content.sscc IS 'Handling unit';
COMMENT ON COLUMN planthub.shipped_content.item IS 'Item';
COMMENT ON COLUMN planthub.shipped_content.lot IS 'Lot; null without one';
COMMENT ON COLUMN planthub.shipped_content.qty IS 'How much';
COMMENT ON COLUMN planthub.shipped_content.uom IS 'Base unit of the item';

-- Facts about a delivery may come before the delivery itself: then its head is empty until it comes.
CREATE OR REPLACE FUNCTION planthub.shipment_assign(m planthub.inbound, shipment text, units text[], shipped boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO planthub.shipment (site, shipment, message_id) VALUES (m.site, shipment_assign.shipment, m.id) ON CONFLICT DO NOTHING;
    INSERT INTO planthub.shipment_unit AS u (site, shipment, sscc, assigned_at, shipped, message_id)
    SELECT DISTINCT m.site, shipment_assign.shipment, s, m.event_time, shipment_assign.shipped, m.id FROM unnest(units) AS s
    ON CONFLICT ON CONSTRAINT shipment_unit_pkey DO UPDATE SET shipped = u.shipped OR excluded.shipped,
        assigned_at = least(u.assigned_at, excluded.assigned_at);
END
$$;
COMMENT ON FUNCTION planthub.shipment_assign(planthub.inbound, text, text[], boolean) IS 'Internal: handling units that belong to a delivery';

CREATE OR REPLACE FUNCTION planthub.apply_shipment_plan(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    number   text := m.data->>'delivery';
    version  bigint := coalesce((m.data->>'version')::bigint, 0);
    r        record := planthub.event_lines(m, 'lines', 'ship', may_create => true);
    broken   planthub.violation[] := planthub.without_lots(r.violations);
    present  bigint;
BEGIN
    IF m.topic = 'delivery.created' THEN
        broken := planthub.check_party(m, 'customer') || broken;
    END IF;
    SELECT s.version INTO present FROM planthub.shipment AS s WHERE s.site = m.site AND s.shipment = number;
    IF m.topic = 'delivery.changed' AND present >= version THEN
        broken := broken || planthub.violation('ORDER_VERSION_STALE', '/data/version', format('Version %s of delivery "%s" is known already.', present, number));
    END IF;
    IF planthub.stops(m, broken) THEN
        RETURN broken;
    END IF;
    INSERT INTO planthub.shipment AS s (site, shipment, version, customer, sales_order, planned_ship, message_id)
    VALUES (m.site, number, version, m.data->>'customer', m.data->>'sales_order', (m.data->>'planned_ship')::timestamptz, m.id)
    ON CONFLICT ON CONSTRAINT shipment_pkey DO UPDATE SET version = greatest(s.version, excluded.version),
        customer = coalesce(s.customer, excluded.customer), sales_order = coalesce(s.sales_order, excluded.sales_order),
        planned_ship = coalesce(excluded.planned_ship, s.planned_ship);
    IF present IS NULL OR present < version THEN
        DELETE FROM planthub.shipment_line AS l WHERE l.site = m.site AND l.shipment = number;
        INSERT INTO planthub.shipment_line (site, shipment, line_no, item, lot, qty, uom)
        SELECT m.site, number, m.data #>> ARRAY['lines', (l.n - 1)::text, 'line'], l.item, nullif(l.lot, ''), l.base_qty, l.base_uom
        FROM unnest(r.lines) AS l;
    END IF;
    RETURN broken;
END
$$;
COMMENT ON FUNCTION planthub.apply_shipment_plan(planthub.inbound) IS 'Internal: effect of delivery.created and delivery.changed; the highest version holds';

-- Units of a shipment: known, and open or gone with this very shipment when "late" says that this is no fault.
CREATE OR REPLACE FUNCTION planthub.check_shipment_units(m planthub.inbound, late boolean) RETURNS planthub.violation[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    broken planthub.violation[];
    unit   record;
BEGIN
    FOR unit IN SELECT s.sscc, '/data/handling_units/' || s.n - 1 AS pointer FROM jsonb_array_elements_text(m.data->'handling_units') WITH ORDINALITY AS s (sscc, n) LOOP
        CONTINUE WHEN late AND EXISTS (SELECT FROM planthub.shipment_unit AS u
            WHERE u.site = m.site AND u.shipment = m.data->>'delivery' AND u.sscc = unit.sscc AND u.shipped);
        broken := broken || planthub.check_handling_unit(m.site, unit.sscc, unit.pointer, true);
    END LOOP;
    RETURN broken;
END
$$;
COMMENT ON FUNCTION planthub.check_shipment_units(planthub.inbound, boolean) IS 'Internal: the rules about the handling units of a shipment';

-- What is in units that are to leave or to move, as lines from where they are.
CREATE OR REPLACE FUNCTION planthub.contents_lines(m planthub.inbound, units text[], pointer text, kind text, from_location text DEFAULT NULL, to_location text DEFAULT NULL)
RETURNS planthub.line[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT coalesce(array_agg(ROW(c.n, CASE WHEN contents_lines.pointer LIKE '%/' THEN contents_lines.pointer || c.place - 1 ELSE contents_lines.pointer END, contents_lines.kind, c.item, c.lot, NULL, c.qty, c.uom, c.qty, c.uom,
                   coalesce(contents_lines.from_location, c.location), 'unrestricted', contents_lines.to_location,
                   CASE WHEN contents_lines.to_location IS NOT NULL THEN 'unrestricted' END, NULL,
                   NULL, NULL, c.lot <> '', false, true, NULL, true, true)::planthub.line ORDER BY c.n), '{}')
        FROM (SELECT row_number() OVER (ORDER BY w.place, h.item, h.lot)::int AS n, w.place, u.location, h.item, h.lot, h.qty, h.uom
              FROM unnest(units) WITH ORDINALITY AS w (sscc, place)
              JOIN planthub.handling_unit AS u ON u.site = m.site AND u.sscc = w.sscc
              CROSS JOIN LATERAL (SELECT x.item, x.lot, sum(x.qty) AS qty, min(x.uom) AS uom FROM planthub.handling_unit_change AS x
                                  WHERE x.site = m.site AND x.sscc = w.sscc GROUP BY x.item, x.lot HAVING sum(x.qty) > 0) AS h) AS c);
END
$$;
COMMENT ON FUNCTION planthub.contents_lines(planthub.inbound, text[], text, text, text, text) IS 'Internal: the contents of handling units as lines';

CREATE OR REPLACE FUNCTION planthub.apply_shipment_ready(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    number text := m.data->>'delivery';
    units  text[] := planthub.with_parts(m.site, ARRAY(SELECT jsonb_array_elements_text(m.data->'handling_units')));
    broken planthub.violation[];
BEGIN
    PERFORM planthub.lock_units(m, VARIADIC units);
    broken := planthub.check_shipment_units(m, true);
    broken := broken || planthub.line_checks(m, planthub.contents_lines(m, units, '/data/handling_units/', 'ship'), true);
    IF planthub.stops(m, broken) THEN
        RETURN broken;
    END IF;
    PERFORM planthub.shipment_assign(m, number, units, false);
    UPDATE planthub.shipment AS s SET ready_at = coalesce(s.ready_at, m.event_time),
        state = CASE WHEN s.state = 'planned' THEN 'ready' ELSE s.state END
    WHERE s.site = m.site AND s.shipment = number;
    RETURN broken;
END
$$;
COMMENT ON FUNCTION planthub.apply_shipment_ready(planthub.inbound) IS 'Internal: effect of shipment.ready; what has left stays departed';

CREATE OR REPLACE FUNCTION planthub.apply_shipment_departed(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    number text := m.data->>'delivery';
    units  text[] := planthub.with_parts(m.site, ARRAY(SELECT jsonb_array_elements_text(m.data->'handling_units')));
    broken planthub.violation[];
    lines  planthub.line[];
BEGIN
    PERFORM planthub.lock_units(m, VARIADIC units);
    broken := planthub.check_shipment_units(m, false);
    IF planthub.stops(m, broken) THEN
        RETURN broken;
    END IF;
    lines := planthub.contents_lines(m, units, '/data/handling_units/', 'ship');
    broken := planthub.post_movements(m, lines, number, violations => broken || planthub.line_checks(m, lines, true));
    IF planthub.stops(m, broken) THEN
        RETURN broken;
    END IF;
    PERFORM planthub.shipment_assign(m, number, units, true);
    UPDATE planthub.handling_unit AS u SET state = 'shipped', shipped_at = (m.data->>'departed_at')::timestamptz
    WHERE u.site = m.site AND u.sscc = ANY (units);
    INSERT INTO planthub.serial_event (site, item, serial, message_id, line, state, lot, event_time)
    SELECT m.site, c.item, c.serial, m.id, row_number() OVER (ORDER BY c.item, c.serial), 'shipped', nullif(c.lot, ''), m.event_time
    FROM (SELECT h.item, h.lot, s AS serial FROM planthub.handling_unit_change AS h CROSS JOIN unnest(h.serials) AS s
          WHERE h.site = m.site AND h.sscc = ANY (units) GROUP BY h.item, h.lot, s HAVING sum(sign(h.qty)) > 0) AS c;
    UPDATE planthub.shipment AS s SET departed_at = (m.data->>'departed_at')::timestamptz,
        carrier = m.data->>'carrier', vehicle = m.data->>'vehicle',
        state = CASE WHEN s.state IN ('planned', 'ready') THEN 'departed' ELSE s.state END
    WHERE s.site = m.site AND s.shipment = number;
    RETURN broken;
END
$$;
COMMENT ON FUNCTION planthub.apply_shipment_departed(planthub.inbound) IS 'Internal: effect of shipment.departed: the units leave stock, once';

CREATE OR REPLACE FUNCTION planthub.apply_shipment_delivered(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.shipment_assign(m, m.data->>'delivery', '{}', true);
    UPDATE planthub.shipment AS s SET state = 'delivered', delivered_at = (m.data->>'delivered_at')::timestamptz, proof = m.data->>'proof'
    WHERE s.site = m.site AND s.shipment = m.data->>'delivery';
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION planthub.apply_shipment_delivered(planthub.inbound) IS 'Internal: effect of shipment.delivered';
