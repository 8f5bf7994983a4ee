-- quality: holds and the rule that respects them, nonconformances, inspections.  Re-runnable.

-- Holds

CREATE OR REPLACE VIEW planthub.hold_status AS
SELECT h.site, h.hold, h.item, nullif(h.lot, '') AS lot, h.qty, h.released_qty, h.uom, coalesce(b.qty, 0) AS on_hand_qty, h.reason, h.ncr,
    h.system, h.applied_at, h.released_at, a.blocked_by
FROM planthub.hold AS h
LEFT JOIN LATERAL (SELECT sum(s.qty) AS qty FROM planthub.inventory_balance AS s
                   WHERE s.site = h.site AND s.item = h.item AND coalesce(s.lot, '') = h.lot) AS b ON true
LEFT JOIN LATERAL (SELECT array_agg(DISTINCT k.system ORDER BY k.system) AS blocked_by FROM planthub.hold_acknowledgement AS k
                   WHERE k.site = h.site AND k.hold = h.hold AND k.state = 'blocked') AS a ON true;
COMMENT ON VIEW planthub.hold_status IS 'Holds with what is on hand of the lot, and the systems that have really blocked it';
COMMENT ON COLUMN planthub.hold_status.site IS 'Site';
COMMENT ON COLUMN planthub.hold_status.hold IS 'Number of the hold';
COMMENT ON COLUMN planthub.hold_status.item IS 'Item';
COMMENT ON COLUMN planthub.hold_status.lot IS 'Lot; null for an item without lots';
COMMENT ON COLUMN planthub.hold_status.qty IS 'How much is held; null: all of it';
COMMENT ON COLUMN planthub.hold_status.released_qty IS 'How much was released again';
COMMENT ON COLUMN planthub.hold_status.uom IS 'Base unit of the item';
COMMENT ON COLUMN planthub.hold_status.on_hand_qty IS 'How much of the lot is on hand, wherever and in whatever status';
COMMENT ON COLUMN planthub.hold_status.reason IS 'Reason';
COMMENT ON COLUMN planthub.hold_status.ncr IS 'Nonconformance that it contains';
COMMENT ON COLUMN planthub.hold_status.system IS 'System that applied it';
COMMENT ON COLUMN planthub.hold_status.applied_at IS 'When';
COMMENT ON COLUMN planthub.hold_status.released_at IS 'When the last of it was released; null: it is open';
COMMENT ON COLUMN planthub.hold_status.blocked_by IS 'Systems that have acknowledged';

-- A hold on a part of a lot leaves the rest free: what is taken must fit into what is not held, at the place when the
-- hold names places, else anywhere.
CREATE OR REPLACE FUNCTION planthub.check_hold(m planthub.inbound, lines planthub.line[]) RETURNS planthub.violation[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM planthub.hold AS x WHERE x.site = m.site AND x.released_at IS NULL) THEN
        RETURN NULL;    -- the usual case
    END IF;
    RETURN (
        SELECT array_agg(ROW('LOT_ON_HOLD', w.pointer, format('%s is on hold (%s).', concat_ws(' ', w.item, nullif(w.lot, '')), h.hold),
                   NULL, NULL)::planthub.violation ORDER BY w.pointer, h.hold)
        FROM (SELECT l.item, l.lot, l.from_location, sum(l.base_qty) AS qty, min(l.pointer) AS pointer
              FROM unnest(lines) AS l GROUP BY l.item, l.lot, l.from_location) AS w
        JOIN LATERAL (
            SELECT x.hold, CASE WHEN x.locations IS NULL THEN x.qty - x.released_qty ELSE (x.locations ->> w.from_location)::numeric END AS held, x.locations
            FROM planthub.hold AS x
            WHERE x.site = m.site AND x.item = w.item AND x.lot = w.lot AND x.released_at IS NULL
              AND (x.locations IS NULL OR x.locations ? w.from_location)) AS h ON true
        CROSS JOIN LATERAL (SELECT coalesce(sum(s.qty), 0) AS qty FROM planthub.inventory_balance AS s
                            WHERE s.site = m.site AND s.item = w.item AND coalesce(s.lot, '') = w.lot
                              AND (h.locations IS NULL OR s.location = w.from_location)) AS b
        WHERE h.held IS NULL OR w.qty > b.qty - h.held)
        || planthub.check_held_ancestors(m, lines);
END
$$;
COMMENT ON FUNCTION planthub.check_hold(planthub.inbound, planthub.line[]) IS 'Internal: the rule LOT_ON_HOLD';

-- Lots that were made of a held one after the hold, or at the same moment, are held with it, unless it was decided about
-- them.
CREATE OR REPLACE FUNCTION planthub.check_held_ancestors(m planthub.inbound, lines planthub.line[]) RETURNS planthub.violation[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM planthub.hold AS x JOIN planthub.nonconformance AS n ON n.site = x.site AND n.ncr = x.ncr
                   WHERE x.site = m.site AND x.released_at IS NULL AND n.containment = 'hold_all_descendants') THEN
        RETURN NULL;
    END IF;
    RETURN (
        WITH RECURSIVE up AS (
            SELECT l.pointer, l.item COLLATE "C" AS of_item, l.lot COLLATE "C" AS of_lot, l.item COLLATE "C" AS item, l.lot COLLATE "C" AS lot
            FROM unnest(lines) AS l WHERE l.lot <> ''
            UNION
            SELECT u.pointer, u.of_item, u.of_lot, e.from_item, e.from_lot FROM up AS u
            JOIN planthub.edge AS e ON e.site = m.site AND e.to_item = u.item AND e.to_lot = u.lot
            WHERE NOT EXISTS (SELECT FROM planthub.reversal AS r WHERE r.site = e.site AND r.target = e.message_id))
        SELECT array_agg(ROW('LOT_ON_HOLD', u.pointer, format('%s was made of %s, which is on hold (%s).', concat_ws(' ', u.of_item, u.of_lot),
                   concat_ws(' ', u.item, u.lot), x.hold), NULL, NULL)::planthub.violation ORDER BY u.pointer, x.hold)
        FROM up AS u
        JOIN planthub.hold AS x ON x.site = m.site AND x.item = u.item AND x.lot = u.lot AND x.released_at IS NULL
        JOIN planthub.nonconformance AS n ON n.site = x.site AND n.ncr = x.ncr AND n.containment = 'hold_all_descendants'
        WHERE NOT EXISTS (SELECT FROM planthub.hold AS o WHERE o.site = m.site AND o.ncr = x.ncr AND o.item = u.of_item AND o.lot = u.of_lot));
END
$$;
COMMENT ON FUNCTION planthub.check_held_ancestors(planthub.inbound, planthub.line[]) IS 'Internal: the rule LOT_ON_HOLD for lots made of held ones that have no hold of their own';

CREATE OR REPLACE FUNCTION planthub.sign(m planthub.inbound, signer text, meaning text, signed_at timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO planthub.signature (site, message_id, signer, meaning, signed_at, digest)
    VALUES (m.site, m.id, sign.signer, sign.meaning, sign.signed_at, sha256(convert_to(m.data::text, 'UTF8')))
    ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION planthub.sign(planthub.inbound, text, text, timestamptz) IS 'Internal: keeps a signature, bound to what was signed';

-- ERP, WMS and MES are told of every hold, with the quantities where they lie.
CREATE OR REPLACE FUNCTION planthub.hold_apply(m planthub.inbound, number text, item text, lot text, qty numeric, uom text, places jsonb, reason text, ncr text)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    on_hand numeric;
    spots   jsonb;
BEGIN
    INSERT INTO planthub.hold (site, hold, item, lot, qty, uom, locations, reason, ncr, system, applied_at, correlation_id, message_id)
    VALUES (m.site, number, hold_apply.item, coalesce(hold_apply.lot, ''), hold_apply.qty, hold_apply.uom, places, hold_apply.reason,
            hold_apply.ncr, m.system, m.event_time, m.correlation_id, m.id);
    IF hold_apply.ncr IS NULL THEN
        RETURN;
    END IF;
    SELECT coalesce(sum(s.qty), 0), jsonb_agg(jsonb_build_object('location', s.location,
               'qty', planthub.quantity(s.qty, hold_apply.uom)) ORDER BY s.location)
    INTO on_hand, spots
    FROM (SELECT b.location, sum(b.qty) AS qty FROM planthub.inventory_balance AS b
          WHERE b.site = m.site AND b.item = hold_apply.item AND b.lot IS NOT DISTINCT FROM hold_apply.lot
          GROUP BY b.location HAVING sum(b.qty) > 0) AS s;
    PERFORM planthub.publish_after(m, 'hold.applied', jsonb_strip_nulls(jsonb_build_object('hold', number, 'item', hold_apply.item,
        'lot', hold_apply.lot, 'qty', planthub.quantity(coalesce(hold_apply.qty, on_hand), hold_apply.uom),
        'locations', spots, 'reason', hold_apply.reason)), m.key);
END
$$;
COMMENT ON FUNCTION planthub.hold_apply(planthub.inbound, text, text, text, numeric, text, jsonb, text, text) IS 'Internal: applies a hold; one that comes of a nonconformance is told to the other systems';

-- A hold that a system reports while another one's on the same lot is open, in the same thread, is its acknowledgement.
CREATE OR REPLACE FUNCTION planthub.acknowledge_hold(m planthub.inbound, item text, lot text, state text, document text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO planthub.hold_acknowledgement (site, message_id, hold, system, state, document, event_time)
    SELECT m.site, m.id, h.hold, m.system, acknowledge_hold.state, acknowledge_hold.document, m.event_time
    FROM planthub.hold AS h
    WHERE h.site = m.site AND h.item = acknowledge_hold.item AND h.lot = coalesce(acknowledge_hold.lot, '') AND h.system <> m.system
      AND h.correlation_id = m.correlation_id AND (h.released_at IS NULL OR acknowledge_hold.state = 'released');
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION planthub.acknowledge_hold(planthub.inbound, text, text, text, text) IS 'Internal: notes that a system has blocked or released what is on hold; false: there is no such hold';

CREATE OR REPLACE FUNCTION planthub.apply_hold_applied(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    r      record := planthub.event_lines(m, '', 'status_change');
    broken planthub.violation[] := r.violations;
    places jsonb;
    own    planthub.line := r.lines[1];
BEGIN
    IF planthub.stops(m, broken) THEN
        RETURN broken;
    END IF;
    IF planthub.acknowledge_hold(m, own.item, own.lot, 'blocked', m.data->>'hold') THEN
        RETURN broken;
    END IF;
    SELECT jsonb_object_agg(p.location, p.qty) INTO places
    FROM (SELECT e->>'location' AS location, sum(planthub.base_qty(own.item, (e #>> '{qty,value}')::numeric, e #>> '{qty,uom}', own.base_uom, m.event_time)) AS qty
          FROM jsonb_array_elements(m.data->'locations') AS e GROUP BY 1) AS p;
    PERFORM planthub.hold_apply(m, m.data->>'hold', own.item, nullif(own.lot, ''), own.base_qty, own.base_uom, places, m.data->>'reason', NULL);
    PERFORM planthub.bring('hold', ARRAY[concat_ws('/', m.site, m.data->>'hold')]);
    RETURN broken;
END
$$;
COMMENT ON FUNCTION planthub.apply_hold_applied(planthub.inbound) IS 'Internal: effect of hold.applied: a new hold, or the acknowledgement of one that another system applied';

-- Releases a quantity of a hold; null: all of it.
CREATE OR REPLACE FUNCTION planthub.hold_release(m planthub.inbound, number text, qty numeric) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE planthub.hold AS h SET
        released_qty = CASE WHEN hold_release.qty IS NULL THEN coalesce(h.qty, h.released_qty) ELSE h.released_qty + hold_release.qty END,
        released_at = CASE WHEN hold_release.qty IS NULL OR h.released_qty + hold_release.qty >= h.qty THEN m.event_time END,
        released_message_id = m.id
    WHERE h.site = m.site AND h.hold = number AND h.released_at IS NULL;
END
$$;
COMMENT ON FUNCTION planthub.hold_release(planthub.inbound, text, numeric) IS 'Internal: releases a hold, or a part of it';

CREATE OR REPLACE FUNCTION planthub.apply_hold_released(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    r      record := planthub.event_lines(m, '', 'status_change');
    line   planthub.line := r.lines[1];
    broken planthub.violation[] := r.violations;
    signer text := nullif(btrim(m.data #>> '{signature,signer}'), '');
    own    planthub.hold;
    opener text;
BEGIN
    SELECT h.* INTO own FROM planthub.hold AS h WHERE h.site = m.site AND h.hold = m.data->>'hold';
    IF NOT FOUND THEN
        IF NOT planthub.stops(m, broken) AND planthub.acknowledge_hold(m, line.item, nullif(line.lot, ''), 'released', m.data->>'hold') THEN
            RETURN broken;
        END IF;
        broken := broken || planthub.violation('MAPPING_MISSING', '/data/hold', format('Hold "%s" is not known.', m.data->>'hold'), 'hold', concat_ws('/', m.site, m.data->>'hold'));
    END IF;
    SELECT n.opened_by INTO opener FROM planthub.nonconformance AS n WHERE n.site = m.site AND n.ncr = own.ncr;
    IF signer IS NULL OR signer = opener THEN
        broken := broken || planthub.violation('HOLD_RELEASE_UNAUTHORISED', '/data/signature', CASE WHEN signer IS NULL THEN 'The release is not signed.'
            ELSE format('%s has opened the nonconformance and cannot release its hold.', signer) END);
    END IF;
    IF planthub.stops(m, broken) THEN
        RETURN broken;
    END IF;
    PERFORM planthub.sign(m, signer, m.data #>> '{signature,meaning}', (m.data #>> '{signature,signed_at}')::timestamptz);
    PERFORM planthub.hold_release(m, own.hold, line.base_qty);
    RETURN broken;
END
$$;
COMMENT ON FUNCTION planthub.apply_hold_released(planthub.inbound) IS 'Internal: effect of hold.released; a release needs the signature of somebody else than who opened the nonconformance';

-- Nonconformances

CREATE OR REPLACE FUNCTION planthub.descendants(site text, item text, lot text) RETURNS TABLE (item text, lot text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE down AS (
        SELECT descendants.item COLLATE "C" AS item, descendants.lot COLLATE "C" AS lot
        UNION
        SELECT e.to_item, e.to_lot FROM down AS d
        JOIN planthub.edge AS e ON e.site = descendants.site AND e.from_item = d.item AND e.from_lot = d.lot
        WHERE NOT EXISTS (SELECT FROM planthub.reversal AS r WHERE r.site = e.site AND r.target = e.message_id))
    SELECT d.item, d.lot FROM down AS d WHERE (d.item, d.lot) <> (descendants.item, descendants.lot)
$$;
COMMENT ON FUNCTION planthub.descendants(text, text, text) IS 'Lots that a lot has gone into, at any distance; set semantics, so that diamonds cost nothing';

CREATE OR REPLACE VIEW planthub.nonconformance_shipped AS
SELECT n.site, n.ncr, c.shipment, c.customer, c.departed_at, c.sscc, c.item, c.lot, c.qty, c.uom
FROM planthub.nonconformance AS n
CROSS JOIN LATERAL (SELECT n.item, n.lot UNION SELECT d.item, d.lot FROM planthub.descendants(n.site, n.item, n.lot) AS d) AS l
JOIN planthub.shipped_content AS c ON c.site = n.site AND c.item = l.item AND c.lot = l.lot;
COMMENT ON VIEW planthub.nonconformance_shipped IS 'Candidates of a recall: what has left of the lots of a nonconformance and of all that was made of them';
COMMENT ON COLUMN planthub.nonconformance_shipped.site IS 'Site';
COMMENT ON COLUMN planthub.nonconformance_shipped.ncr IS 'Nonconformance';
COMMENT ON COLUMN planthub.nonconformance_shipped.shipment IS 'Number of the delivery';
COMMENT ON COLUMN planthub.nonconformance_shipped.customer IS 'Party that received it';
COMMENT ON COLUMN planthub.nonconformance_shipped.departed_at IS 'When it left';
COMMENT ON COLUMN planthub.nonconformance_shipped.sscc IS 'Handling unit';
COMMENT ON COLUMN planthub.nonconformance_shipped.item IS 'Item';
COMMENT ON COLUMN planthub.nonconformance_shipped.lot IS 'Lot';
COMMENT ON COLUMN planthub.nonconformance_shipped.qty IS 'How much';
COMMENT ON COLUMN planthub.nonconformance_shipped.uom IS 'Base unit of the item';

CREATE OR REPLACE FUNCTION planthub.apply_nonconformance_opened(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    number text := m.data->>'ncr';
    r      record := planthub.event_lines(m, '', 'status_change', qty => 'qty_affected');
    broken planthub.violation[] := r.violations;
    own    planthub.line := r.lines[1];
BEGIN
    IF planthub.stops(m, broken) THEN
        RETURN broken;
    END IF;
    INSERT INTO planthub.nonconformance (site, ncr, item, lot, qty, uom, severity, defect_code, origin, containment, opened_by, opened_at, correlation_id, message_id)
    VALUES (m.site, number, own.item, nullif(own.lot, ''), own.base_qty, own.base_uom, m.data->>'severity', m.data->>'defect_code', m.data->>'source',
            m.data->>'containment', m.data->>'opened_by', m.event_time, m.correlation_id, m.id);
    IF m.data->>'containment' <> 'none' THEN
        PERFORM planthub.hold_apply(m, concat_ws('/', number, own.item, nullif(own.lot, '')), own.item, nullif(own.lot, ''), own.base_qty, own.base_uom,
            NULL, m.data->>'defect_code', number);
    END IF;
    IF m.data->>'containment' = 'hold_all_descendants' THEN
        PERFORM planthub.hold_apply(m, concat_ws('/', number, d.item, d.lot), d.item, d.lot, NULL, t.base_uom, NULL, m.data->>'defect_code', number)
        FROM planthub.descendants(m.site, own.item, own.lot) AS d
        JOIN planthub.item AS t ON t.item = d.item AND m.event_time >= t.valid_from AND m.event_time < t.valid_to;
    END IF;
    PERFORM planthub.bring('nonconformance', ARRAY[concat_ws('/', m.site, number)]);
    RETURN broken;
END
$$;
COMMENT ON FUNCTION planthub.apply_nonconformance_opened(planthub.inbound) IS 'Internal: effect of nonconformance.opened: holds on the lot and, when containment says so, on all lots made of it';

CREATE OR REPLACE FUNCTION planthub.check_nonconformance(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE WHEN NOT EXISTS (SELECT FROM planthub.nonconformance AS n WHERE n.site = m.site AND n.ncr = m.data->>'ncr') THEN
        planthub.violation('MAPPING_MISSING', '/data/ncr', format('Nonconformance "%s" is not known.', m.data->>'ncr'),
                           'nonconformance', concat_ws('/', m.site, m.data->>'ncr')) END;
END
$$;
COMMENT ON FUNCTION planthub.check_nonconformance(planthub.inbound) IS 'Internal: waits for a nonconformance that is not known yet';

CREATE OR REPLACE FUNCTION planthub.check_approval(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    approvers text[] := ARRAY(SELECT DISTINCT btrim(a) FROM jsonb_array_elements_text(m.data->'approved_by') AS a WHERE btrim(a) <> '');
    opener    text;
BEGIN
    SELECT n.opened_by INTO opener FROM planthub.nonconformance AS n WHERE n.site = m.site AND n.ncr = m.data->>'ncr';
    IF approvers = '{}' THEN
        RETURN planthub.violation('HOLD_RELEASE_UNAUTHORISED', '/data/approved_by', 'Nobody has approved the disposition.');
    ELSIF array_remove(approvers, opener) = '{}' THEN
        RETURN planthub.violation('HOLD_RELEASE_UNAUTHORISED', '/data/approved_by',
            format('Only %s has approved, who has opened the nonconformance.', opener));
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION planthub.check_approval(planthub.inbound) IS 'Internal: the rule HOLD_RELEASE_UNAUTHORISED for dispositions: somebody else than who opened the nonconformance has to approve';

-- A hold of the nonconformance is released when nothing of its lot is left without a disposition.
CREATE OR REPLACE FUNCTION planthub.release_dispositioned(m planthub.inbound, number text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    UPDATE planthub.hold AS h SET
        released_qty = coalesce(least(d.decided, h.qty), d.decided),
        released_at = CASE WHEN d.open <= 0 THEN m.event_time END, released_message_id = m.id
    FROM (SELECT x.hold, x.decided, coalesce(x.qty, x.decided + x.usable) - x.decided AS open
          FROM (SELECT o.hold, o.qty,
                       (SELECT coalesce(sum(p.qty), 0) FROM planthub.disposition AS p
                        WHERE p.site = o.site AND p.ncr = number AND p.item = o.item AND coalesce(p.lot, '') = o.lot) AS decided,
                       (SELECT coalesce(sum(s.qty), 0) FROM planthub.inventory_balance AS s
                        WHERE s.site = o.site AND s.item = o.item AND coalesce(s.lot, '') = o.lot)
                     - (SELECT coalesce(sum(p.qty), 0) FROM planthub.disposition AS p
                        WHERE p.site = o.site AND p.ncr = number AND p.item = o.item AND coalesce(p.lot, '') = o.lot
                          AND p.action NOT IN ('scrap', 'return_to_supplier')) AS usable
                FROM planthub.hold AS o WHERE o.site = m.site AND o.ncr = number AND o.released_at IS NULL) AS x) AS d
    WHERE h.site = m.site AND h.hold = d.hold AND (d.decided > 0 OR d.open <= 0)
$$;
COMMENT ON FUNCTION planthub.release_dispositioned(planthub.inbound, text) IS 'Internal: releases the holds of a nonconformance as far as it is decided what happens to the material';

CREATE OR REPLACE FUNCTION planthub.apply_nonconformance_dispositioned(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    number text := m.data->>'ncr';
    r      record := planthub.event_lines(m, 'dispositions', 'scrap');
    leaving planthub.line[];
    gone   planthub.line[];
    broken planthub.violation[] := r.violations || planthub.check_nonconformance(m) || planthub.check_approval(m);
BEGIN
    IF planthub.stops(m, broken) THEN
        RETURN broken;
    END IF;
    leaving := ARRAY(SELECT l FROM unnest(r.lines) AS l
        WHERE m.data #>> ARRAY['dispositions', (l.n - 1)::text, 'action'] IN ('scrap', 'return_to_supplier'));
    gone := planthub.allocate(m, leaving, '{unrestricted,quality,blocked,returns}');
    broken := planthub.post_movements(m, gone, number, violations => broken || planthub.check_allocated(m, leaving, gone));
    IF planthub.stops(m, broken) THEN
        RETURN broken;
    END IF;
    INSERT INTO planthub.disposition (site, message_id, line_no, ncr, item, lot, action, qty, uom, approved_by, event_time)
    SELECT m.site, m.id, l.n, number, l.item, nullif(l.lot, ''), m.data #>> ARRAY['dispositions', (l.n - 1)::text, 'action'], l.base_qty, l.base_uom,
        ARRAY(SELECT jsonb_array_elements_text(m.data->'approved_by')), m.event_time
    FROM unnest(r.lines) AS l;
    PERFORM planthub.sign(m, a.who, 'approval', m.event_time) FROM jsonb_array_elements_text(m.data->'approved_by') AS a (who);
    PERFORM planthub.sign(m, s.value->>'signer', s.value->>'meaning', (s.value->>'signed_at')::timestamptz)
    FROM jsonb_array_elements(m.data->'signatures') AS s;
    PERFORM planthub.release_dispositioned(m, number);
    RETURN broken;
END
$$;
COMMENT ON FUNCTION planthub.apply_nonconformance_dispositioned(planthub.inbound) IS 'Internal: effect of nonconformance.dispositioned: what is scrapped or sent back leaves stock, holds are released';

CREATE OR REPLACE FUNCTION planthub.apply_nonconformance_closed(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    broken planthub.violation[] := planthub.check_nonconformance(m);
BEGIN
    IF planthub.stops(m, broken) THEN
        RETURN broken;
    END IF;
    UPDATE planthub.nonconformance AS n SET closed_at = m.event_time, closed_by = m.data->>'closed_by', root_cause = m.data->>'root_cause'
    WHERE n.site = m.site AND n.ncr = m.data->>'ncr' AND n.closed_at IS NULL;
    RETURN broken;
END
$$;
COMMENT ON FUNCTION planthub.apply_nonconformance_closed(planthub.inbound) IS 'Internal: effect of nonconformance.closed; holds that are still open stay open';

-- What the ERP tells of a status: the acknowledgement of a hold, or a change of its own.
CREATE OR REPLACE FUNCTION planthub.apply_inventory_status_change_posted(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    r      record := planthub.event_lines(m, '', 'status_change');
    broken planthub.violation[] := r.violations;
    wanted planthub.line[] := r.lines;
    parts  planthub.line[];
BEGIN
    IF planthub.stops(m, broken) THEN
        RETURN broken;
    END IF;
    IF planthub.acknowledge_hold(m, wanted[1].item, nullif(wanted[1].lot, ''),
            CASE m.data->>'to_status' WHEN 'unrestricted' THEN 'released' ELSE 'blocked' END, m.data->>'document') THEN
        RETURN broken;
    END IF;
    wanted[1].to_status := m.data->>'to_status';
    parts := planthub.allocate(m, wanted, ARRAY[m.data->>'from_status']);
    RETURN planthub.post_movements(m, parts, m.data->>'document', violations => broken || planthub.check_allocated(m, wanted, parts));
END
$$;
COMMENT ON FUNCTION planthub.apply_inventory_status_change_posted(planthub.inbound) IS 'Internal: effect of inventory.status_change_posted';

-- Inspections

CREATE OR REPLACE FUNCTION planthub.inspection_results_add(m planthub.inbound, recorded_by text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO planthub.inspection_lot (site, inspection, message_id) VALUES (m.site, m.data->>'inspection_lot', m.id) ON CONFLICT DO NOTHING;
    INSERT INTO planthub.inspection_result (site, inspection, message_id, line_no, characteristic, sample, value, uom, lower_limit, upper_limit,
        result, method, recorded_by, event_time)
    SELECT m.site, m.data->>'inspection_lot', m.id, c.n, c.value->>'code', coalesce(c.value->>'sample', ''), c.value->>'value', c.value->>'uom',
        c.value->>'lower', c.value->>'upper', c.value->>'result', c.value->>'method', inspection_results_add.recorded_by, m.event_time
    FROM jsonb_array_elements(m.data->'characteristics') WITH ORDINALITY AS c (value, n)
$$;
COMMENT ON FUNCTION planthub.inspection_results_add(planthub.inbound, text) IS 'Internal: writes the results that an event brings';

CREATE OR REPLACE FUNCTION planthub.apply_inspection_requested(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    r      record := planthub.event_lines(m, '', 'status_change');
    own    planthub.line := r.lines[1];
    broken planthub.violation[] := r.violations;
BEGIN
    IF planthub.stops(m, broken) THEN
        RETURN broken;
    END IF;
    INSERT INTO planthub.inspection_lot AS l (site, inspection, item, lot, qty, origin, plan, order_no, requested_at, message_id)
    VALUES (m.site, m.data->>'inspection_lot', own.item, nullif(own.lot, ''), own.base_qty, m.data->>'origin', m.data->>'plan',
            m.data->>'order', m.event_time, m.id)
    ON CONFLICT ON CONSTRAINT inspection_lot_pkey DO UPDATE SET item = excluded.item, lot = excluded.lot, qty = excluded.qty,
        origin = excluded.origin, plan = excluded.plan, order_no = excluded.order_no, requested_at = excluded.requested_at;
    RETURN broken;
END
$$;
COMMENT ON FUNCTION planthub.apply_inspection_requested(planthub.inbound) IS 'Internal: effect of inspection.requested; results and decision may have come before';

CREATE OR REPLACE FUNCTION planthub.apply_inspection_result_recorded(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.inspection_results_add(m, m.data->>'recorded_by');
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION planthub.apply_inspection_result_recorded(planthub.inbound) IS 'Internal: effect of inspection.result_recorded';

-- The decision moves what is in quality status: free, blocked, or gone in the test.  No quantity may be missing but
-- zero is one.
CREATE OR REPLACE FUNCTION planthub.decided_lines(m planthub.inbound, item planthub.item, OUT lines planthub.line[], OUT violations planthub.violation[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    part record;
    qty  record;
BEGIN
    lines := '{}';
    FOR part IN SELECT * FROM (VALUES ('qty_accepted', 'status_change', 'unrestricted'), ('qty_rejected', 'status_change', 'blocked'),
                                      ('qty_destroyed_in_test', 'sample', NULL)) AS p (member, kind, to_status)
                WHERE m.data ? p.member LOOP
        qty := planthub.check_quantity(m.data->part.member, item.item, item.base_uom, '/data/' || part.member, m.event_time, false);
        violations := violations || qty.violations;
        lines := lines || ROW(cardinality(lines) + 1, '/data/' || part.member, part.kind, item.item, coalesce(m.data->>'lot', ''), NULL, qty.base_qty,
            item.base_uom, qty.base_qty, item.base_uom, NULL, NULL, NULL, part.to_status, NULL, NULL, NULL, item.lot_controlled,
            item.serial_controlled, true, NULL, true, true)::planthub.line;
    END LOOP;
END
$$;
COMMENT ON FUNCTION planthub.decided_lines(planthub.inbound, planthub.item) IS 'Internal: quantities of a decision as movements whose place is not known yet';

CREATE OR REPLACE FUNCTION planthub.check_inspected(m planthub.inbound, item planthub.item) RETURNS planthub.violation[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    line planthub.line := ROW(1, '/data', 'status_change', m.data->>'item', coalesce(m.data->>'lot', ''), NULL, 1, item.base_uom, 1, item.base_uom,
        NULL, NULL, NULL, NULL, NULL, NULL, NULL, item.lot_controlled, false, NULL, NULL, NULL, NULL)::planthub.line;
BEGIN
    line.lot_known := (SELECT true FROM planthub.lot AS o WHERE o.site = m.site AND o.item = line.item AND o.lot = line.lot);
    RETURN planthub.line_reference_violations(m, line)
        || CASE WHEN item.base_uom IS NOT NULL THEN planthub.line_lot_violations(m, line, false, false) END
        || CASE WHEN btrim(coalesce(m.data #>> '{signature,signer}', '')) = '' THEN
               planthub.violation('HOLD_RELEASE_UNAUTHORISED', '/data/signature/signer', 'The decision is not signed.') END;
END
$$;
COMMENT ON FUNCTION planthub.check_inspected(planthub.inbound, planthub.item) IS 'Internal: item, lot and signature of a decision';

CREATE OR REPLACE FUNCTION planthub.apply_inspection_decided(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    own    planthub.item;
    r      record;
    parts  planthub.line[];
    broken planthub.violation[];
BEGIN
    SELECT t.* INTO own FROM planthub.item AS t
    WHERE t.item = m.data->>'item' AND m.event_time >= t.valid_from AND m.event_time < t.valid_to AND t.status = 'active';
    r := planthub.decided_lines(m, own);
    broken := planthub.check_inspected(m, own) || CASE WHEN own.item IS NOT NULL THEN r.violations END;
    IF planthub.stops(m, broken) THEN
        RETURN broken;
    END IF;
    parts := planthub.allocate(m, r.lines, '{quality}');
    broken := planthub.post_movements(m, parts, m.data->>'inspection_lot', violations => broken || planthub.check_allocated(m, r.lines, parts));
    IF planthub.stops(m, broken) THEN
        RETURN broken;
    END IF;
    PERFORM planthub.inspection_results_add(m, m.data->>'decided_by');
    UPDATE planthub.inspection_lot AS l SET item = own.item, lot = m.data->>'lot', decision = m.data->>'decision', decided_at = m.event_time,
        decided_by = m.data->>'decided_by', accepted_qty = d.accepted, rejected_qty = d.rejected, destroyed_qty = d.destroyed
    FROM (SELECT sum(x.base_qty) FILTER (WHERE x.to_status = 'unrestricted') AS accepted, sum(x.base_qty) FILTER (WHERE x.to_status = 'blocked') AS rejected,
                 sum(x.base_qty) FILTER (WHERE x.kind = 'sample') AS destroyed FROM unnest(r.lines) AS x) AS d
    WHERE l.site = m.site AND l.inspection = m.data->>'inspection_lot';
    PERFORM planthub.sign(m, m.data #>> '{signature,signer}', m.data #>> '{signature,meaning}', (m.data #>> '{signature,signed_at}')::timestamptz);
    PERFORM planthub.publish_availability(m, x.item, x.lot, x.base_qty, x.base_uom) FROM unnest(r.lines) AS x WHERE x.to_status = 'unrestricted';
    RETURN broken;
END
$$;
COMMENT ON FUNCTION planthub.apply_inspection_decided(planthub.inbound) IS 'Internal: effect of inspection.decided';
