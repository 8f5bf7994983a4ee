-- confirmation: effects of production: confirmations and their reversal, issues, returns, scrap, receipts.  Re-runnable.

CREATE OR REPLACE FUNCTION planthub.operation_now(event planthub.inbound, OUT state text, OUT state_at timestamptz, OUT item text, OUT uom text,
    OUT order_qty numeric, OUT over_pct numeric, OUT under_pct numeric, OUT planned numeric, OUT previous text, OUT seq int, OUT total_yield numeric,
    OUT total_scrap numeric, OUT total_rework numeric, OUT final_at timestamptz, OUT previous_yield numeric, OUT work_center_known boolean)
LANGUAGE c STRICT STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'planthub_operation_now';
COMMENT ON FUNCTION planthub.operation_now(planthub.inbound) IS 'Internal: order, operation and what was confirmed so far, for the order and operation that an event names';

-- A quantity that is no line: exact and whole in the usual case, otherwise looked at closely.
CREATE OR REPLACE FUNCTION planthub.confirmed_quantity(m planthub.inbound, member text, item text, uom text, OUT base_qty numeric, OUT violations planthub.violation[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF m.data->member->>'uom' = uom THEN
        base_qty := planthub.quantity_value(m.data->member->>'value');
        IF base_qty >= 0 AND base_qty = trunc(base_qty) THEN
            RETURN;
        END IF;
    END IF;
    SELECT q.base_qty, q.violations INTO confirmed_quantity.base_qty, confirmed_quantity.violations
    FROM planthub.check_quantity(m.data->member, item, uom, '/data/' || member, m.event_time, false) AS q;
END
$$;
COMMENT ON FUNCTION planthub.confirmed_quantity(planthub.inbound, text, text, text) IS 'Internal: a quantity of a confirmation in the base unit';

-- Minutes of a duration; null when there is none, or its unit is none of time.
CREATE OR REPLACE FUNCTION planthub.confirmed_minutes(duration jsonb) RETURNS numeric
LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF duration->>'uom' = 'MIN' THEN
        RETURN planthub.quantity_value(duration->>'value');
    ELSIF NOT EXISTS (SELECT FROM planthub.unit AS u WHERE u.code = duration->>'uom' AND u.dimension = 'time') THEN
        RETURN NULL;
    END IF;
    RETURN round(planthub.unit_convert(planthub.quantity_value(duration->>'value'), duration->>'uom', 'MIN'), 6);
END
$$;
COMMENT ON FUNCTION planthub.confirmed_minutes(jsonb) IS 'Internal: a duration of a confirmation in minutes';

CREATE OR REPLACE FUNCTION planthub.time_violations(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    member text;
    bad    planthub.violation[];
BEGIN
    IF (m.data->>'started_at')::timestamptz > (m.data->>'ended_at')::timestamptz THEN
        bad := planthub.violation('TIME_RANGE_INVALID', '/data/ended_at', format('It ended at %s, before it started at %s.', m.data->>'ended_at', m.data->>'started_at'));
    END IF;
    FOREACH member IN ARRAY '{setup_time,machine_time,labor_time}'::text[] LOOP
        CONTINUE WHEN NOT m.data ? member OR m.data->member->>'uom' = 'MIN' AND planthub.quantity_value(m.data->member->>'value') >= 0;
        IF planthub.confirmed_minutes(m.data->member) IS NULL THEN
            bad := bad || planthub.violation('UOM_NOT_CONVERTIBLE', format('/data/%s/uom', member), format('"%s" is not a unit of time.', m.data->member->>'uom'));
        ELSIF left(m.data->member->>'value', 1) = '-' THEN
            bad := bad || planthub.violation('QTY_NOT_POSITIVE', format('/data/%s/value', member), 'A duration is not negative.');
        END IF;
    END LOOP;
    RETURN bad;
END
$$;
COMMENT ON FUNCTION planthub.time_violations(planthub.inbound) IS 'Internal: times of a confirmation that cannot be';

-- What the quantities of a confirmation mean for its operation; totals are those after it.
CREATE OR REPLACE FUNCTION planthub.tolerance_violations(m planthub.inbound, o record, total_yield numeric, total_scrap numeric) RETURNS planthub.violation[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    bad planthub.violation[];
BEGIN
    IF m.event_time > o.final_at THEN
        bad := planthub.violation('FINAL_ALREADY_CONFIRMED', '/data/operation', format('Operation "%s" was finally confirmed at %s.', m.data->>'operation', o.final_at));
    END IF;
    IF total_yield + total_scrap > o.planned * (1 + o.over_pct / 100) THEN
        bad := bad || planthub.violation('OVER_CONFIRMATION', '/data/yield', format('%s of %s planned, %s %% more allowed.',
            trim_scale(total_yield + total_scrap), trim_scale(o.planned), trim_scale(o.over_pct)));
    END IF;
    IF m.data->>'kind' = 'final' AND total_yield < o.planned * (1 - o.under_pct / 100) THEN
        bad := bad || planthub.violation('UNDER_CONFIRMATION_FINAL', '/data/yield', format('%s of %s planned.', trim_scale(total_yield), trim_scale(o.planned)));
    END IF;
    IF o.previous IS NOT NULL AND total_yield + total_scrap > o.previous_yield THEN
        bad := bad || planthub.violation('OPERATION_SEQUENCE', '/data/operation', format('%s confirmed, %s came from operation "%s".',
            trim_scale(total_yield + total_scrap), trim_scale(o.previous_yield), o.previous));
    END IF;
    RETURN bad;
END
$$;
COMMENT ON FUNCTION planthub.tolerance_violations(planthub.inbound, record, numeric, numeric) IS 'Internal: final, tolerance and sequence of a confirmation';

-- A substitute that the bill of material allows counts for the component that it replaces.
CREATE OR REPLACE FUNCTION planthub.assign_substitutes(m planthub.inbound, order_no text, operation text, lines planthub.line[]) RETURNS planthub.line[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    i int;
    c record;
BEGIN
    FOR i IN 1..coalesce(cardinality(lines), 0) LOOP
        CONTINUE WHEN lines[i].account NOT LIKE 'issued//%';
        SELECT x.line, x.backflush, x.base_required INTO c
        FROM planthub.order_component AS x
        JOIN planthub.production_order AS o ON o.site = x.site AND o.order_no = x.order_no
        JOIN planthub.bom_line AS b ON b.item = o.item AND b.version = o.bom_version AND b.line = x.line AND b.component = x.item
        WHERE x.site = m.site AND x.order_no = assign_substitutes.order_no AND (assign_substitutes.operation IS NULL OR x.operation = assign_substitutes.operation)
          AND (lines[i].component_line IS NULL OR x.line = lines[i].component_line) AND lines[i].item = ANY (b.substitutes) ORDER BY x.line LIMIT 1;
        IF FOUND THEN
            lines[i].component_line := c.line;
            lines[i].account := 'issued/' || c.line;
            lines[i].account_total := CASE WHEN c.backflush THEN -1 ELSE c.base_required END;
        END IF;
    END LOOP;
    RETURN lines;
END
$$;
COMMENT ON FUNCTION planthub.assign_substitutes(planthub.inbound, text, text, planthub.line[]) IS 'Internal: components that lines with another item are for';

-- units: quantity of the operation after this event.
CREATE OR REPLACE FUNCTION planthub.backflush_lines(event planthub.inbound, units numeric, order_qty numeric, lines planthub.line[]) RETURNS planthub.line[]
LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'planthub_backflush_lines';
COMMENT ON FUNCTION planthub.backflush_lines(planthub.inbound, numeric, numeric, planthub.line[]) IS 'Internal: lines for the backflushed components of an operation: what the quantity confirmed until now requires, less what was issued';

CREATE OR REPLACE FUNCTION planthub.order_entries(event planthub.inbound, order_no text, lines planthub.line[], sign int DEFAULT 1,
    OUT entries planthub.order_ledger[], OUT doubtful boolean)
LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'planthub_order_entries';
COMMENT ON FUNCTION planthub.order_entries(planthub.inbound, text, planthub.line[], int) IS
'Internal: entries of the ledger of an order for lines that have an account; sign -1: taken back; doubtful: components have to be looked at, see component_violations()';

CREATE OR REPLACE FUNCTION planthub.write_order_entries(entries planthub.order_ledger[]) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'planthub_write_order_entries';
COMMENT ON FUNCTION planthub.write_order_entries(planthub.order_ledger[]) IS 'Internal: writes entries of the ledger of an order';

-- lines: for components; entries: from order_entries() for them.
CREATE OR REPLACE FUNCTION planthub.component_violations(m planthub.inbound, lines planthub.line[], entries planthub.order_ledger[]) RETURNS planthub.violation[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    l   planthub.line;
    bad planthub.violation[];
    total numeric;
BEGIN
    FOREACH l IN ARRAY lines LOOP
        IF l.pointer = '/data/yield' THEN       -- a backflushed line of ours
            IF l.lot_controlled THEN
                bad := bad || planthub.violation('LOT_REQUIRED', l.pointer, format('Component "%s" is backflushed, but item "%s" has lots.', l.component_line, l.item));
            ELSIF l.from_location IS NULL THEN
                bad := bad || planthub.violation('LOCATION_UNKNOWN', l.pointer, format('Nobody says where backflushed component "%s" comes from.', l.component_line), 'order', concat_ws('/', m.site, m.data->>'order'));
            END IF;
        ELSIF l.account LIKE 'issued//%' THEN
            bad := bad || planthub.violation('COMPONENT_NOT_ON_ORDER', l.pointer || '/item', format('Item "%s" is no component of the operation.', l.item));
        ELSIF l.account_total < 0 THEN
            bad := bad || planthub.violation('BACKFLUSH_CONFLICT', l.pointer, format('Component "%s" is backflushed.', l.component_line));
        END IF;
        SELECT e.total INTO total FROM unnest(entries) AS e WHERE e.account = l.account;
        IF l.account_total >= 0 AND total > l.account_total * (1 + (m.policies->>'over_issue_tolerance_pct')::numeric / 100) THEN
            bad := bad || planthub.violation('OVER_ISSUE', l.pointer || '/qty', format('%s of %s %s required for component "%s".', trim_scale(total), trim_scale(l.account_total), l.base_uom, l.component_line));
        END IF;
    END LOOP;
    RETURN bad;
END
$$;
COMMENT ON FUNCTION planthub.component_violations(planthub.inbound, planthub.line[], planthub.order_ledger[]) IS 'Internal: backflush, components and cumulated issues';

-- Lines of output get the account of their lot at the operation.
CREATE OR REPLACE FUNCTION planthub.output_accounts(lines planthub.line[], prefix text) RETURNS planthub.line[]
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    i int;
BEGIN
    FOR i IN 1..coalesce(cardinality(lines), 0) LOOP
        lines[i].account := concat_ws('/', prefix, lines[i].item, lines[i].lot);
    END LOOP;
    RETURN lines;
END
$$;
COMMENT ON FUNCTION planthub.output_accounts(planthub.line[], text) IS 'Internal: names the accounts of the order ledger that lines of output belong to';

CREATE OR REPLACE FUNCTION planthub.apply_confirmation(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    o        record := planthub.operation_now(m);
    yield    record;
    scrap    record;
    rework   record;
    used     record;
    made     record;
    consumed planthub.line[];
    output   planthub.line[];
    bad      planthub.violation[];
BEGIN
    IF o.state IS DISTINCT FROM 'released' THEN
        bad := planthub.order_violations(m, m.data->>'order');
    END IF;
    IF o.state IS NOT NULL AND o.planned IS NULL THEN
        bad := bad || planthub.violation('OPERATION_UNKNOWN', '/data/operation', format('Order "%s" has no operation "%s".', m.data->>'order', m.data->>'operation'));
    END IF;
    IF o.work_center_known IS NULL THEN
        bad := bad || planthub.violation('WORK_CENTER_UNKNOWN', '/data/work_center', format('Work center "%s" does not exist at site "%s".', m.data->>'work_center', m.site),
            'equipment', m.data->>'work_center');
    END IF;
    bad := bad || planthub.time_violations(m);
    IF o.state IS NOT NULL THEN
        yield := planthub.confirmed_quantity(m, 'yield', o.item, o.uom);
        scrap := planthub.confirmed_quantity(m, 'scrap', o.item, o.uom);
        rework := planthub.confirmed_quantity(m, 'rework', o.item, o.uom);
        bad := bad || yield.violations || scrap.violations || rework.violations;
    END IF;
    IF jsonb_array_length(m.data->'consumed') > 0 THEN
        used := planthub.resolve_lines(m, m.data->'consumed', '/data/consumed', 'issue_to_order', false, true, m.data->>'order', m.data->>'operation');
        consumed := used.lines;
        bad := bad || used.violations || planthub.line_checks(m, consumed, true);
    END IF;
    IF jsonb_array_length(m.data->'output') > 0 THEN
        made := planthub.resolve_lines(m, m.data->'output', '/data/output', 'receipt_from_production', true, false);
        output := planthub.output_accounts(made.lines, 'output/' || (m.data->>'operation'));
        bad := bad || made.violations;
    END IF;
    IF bad IS NOT NULL AND planthub.stops(m, bad) THEN
        RETURN bad;
    END IF;
    RETURN planthub.post_confirmation(m, o, yield.base_qty, scrap.base_qty, rework.base_qty, consumed, output, bad);
END
$$;
COMMENT ON FUNCTION planthub.apply_confirmation(planthub.inbound) IS 'Effect of production.confirmed: the confirmation, its movements and its edges, or nothing';

-- The second half: process rules, genealogy and stock; then everything is written.
CREATE OR REPLACE FUNCTION planthub.post_confirmation(m planthub.inbound, o record, yield numeric, scrap numeric, rework numeric,
    consumed planthub.line[], output planthub.line[], bad planthub.violation[]) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    lines   planthub.line[] := consumed;
    ledger  record;
    day     record := planthub.posting_date(m);
    change  record;
    written boolean;
BEGIN
    bad := bad || day.violations || planthub.tolerance_violations(m, o, o.total_yield + yield, o.total_scrap + scrap);
    IF yield + scrap > 0 THEN
        lines := lines || planthub.backflush_lines(m, o.total_yield + yield + o.total_scrap + scrap, o.order_qty, lines);
    END IF;
    ledger := planthub.order_entries(m, m.data->>'order', lines || output);
    IF ledger.doubtful THEN
        lines := planthub.assign_substitutes(m, m.data->>'order', m.data->>'operation', lines);
        ledger := planthub.order_entries(m, m.data->>'order', lines || output);
        bad := bad || planthub.component_violations(m, lines, ledger.entries);
    END IF;
    bad := bad || planthub.run_checks('process', m.topic, m, lines || output);
    IF consumed IS NOT NULL AND output IS NOT NULL THEN
        bad := bad || planthub.cycle_violations(m, consumed, output);
    END IF;
    IF lines IS NOT NULL THEN
        change := planthub.stock_changes(m, lines);
        bad := bad || change.violations || planthub.run_checks('stock', m.topic, m, lines);
    END IF;
    IF bad IS NOT NULL AND planthub.stops(m, bad) THEN
        RETURN bad;
    END IF;
    IF lines IS NOT NULL THEN
        written := planthub.write_movements(m, lines, change.changes, day.day, m.data->>'confirmation_id', m.data->>'order', m.data->>'operation');
    END IF;
    written := planthub.add_movements(m.id, lines, CASE WHEN day.violations IS NOT NULL THEN day.day END);
    written := planthub.write_confirmation(m, o, yield, scrap, rework, day.day, consumed, output, ledger.entries);
    RETURN bad;
END
$$;
COMMENT ON FUNCTION planthub.post_confirmation(planthub.inbound, record, numeric, numeric, numeric, planthub.line[], planthub.line[], planthub.violation[]) IS
'Internal: the process rules, genealogy and stock of a confirmation; writes it when nothing stops it';

CREATE OR REPLACE FUNCTION planthub.write_confirmation(m planthub.inbound, o record, yield numeric, scrap numeric, rework numeric, day date,
    consumed planthub.line[], output planthub.line[], entries planthub.order_ledger[]) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    done boolean := planthub.write_order_entries(entries);
BEGIN
    WITH made AS (
        INSERT INTO planthub.confirmation_output AS c (site, item, lot, order_no, operation, message_id, line, qty, uom, state, serials)
        SELECT m.site, l.item, l.lot, m.data->>'order', m.data->>'operation', m.id, l.n, l.base_qty, l.base_uom,
            coalesce(m.data->'output'->(l.n - 1)->>'state', 'finished'), l.serials
        FROM unnest(output) AS l)
    INSERT INTO planthub.confirmation AS c (site, order_no, operation, seq, message_id, source, confirmation_id, kind, yield, scrap, rework, uom,
        total_yield, total_scrap, total_rework, final_at, scrap_reason, work_center, operator, started_at, ended_at, setup_min, machine_min, labor_min,
        rework_of, event_time, event_offset, recorded_at, posting_date)
    VALUES (m.site, m.data->>'order', m.data->>'operation', o.seq + 1, m.id, m.source, m.data->>'confirmation_id', m.data->>'kind', yield, scrap, rework, o.uom,
        o.total_yield + yield, o.total_scrap + scrap, o.total_rework + rework,
        CASE WHEN m.data->>'kind' = 'final' THEN least(o.final_at, m.event_time) ELSE o.final_at END, m.data->>'scrap_reason', m.data->>'work_center',
        m.data->>'operator', (m.data->>'started_at')::timestamptz, (m.data->>'ended_at')::timestamptz, planthub.confirmed_minutes(m.data->'setup_time'),
        planthub.confirmed_minutes(m.data->'machine_time'), planthub.confirmed_minutes(m.data->'labor_time'), m.data->>'rework_of', m.event_time, m.event_offset, now(), day);
    IF output IS NOT NULL THEN
        done := planthub.new_lots(m, output, CASE WHEN m.data ? 'rework_of' THEN 'rework' ELSE 'produced' END, m.data->>'order');
        done := planthub.bring('output', planthub.lot_keys(m, output));
    END IF;
    IF consumed IS NOT NULL OR output IS NOT NULL THEN
        done := planthub.tie_consumption(m, m.data->>'order', m.data->>'operation', consumed, output);
    END IF;
    RETURN planthub.bring('confirmation', ARRAY[concat_ws('/', m.site, m.data->>'confirmation_id')]);
END
$$;
COMMENT ON FUNCTION planthub.write_confirmation(planthub.inbound, record, numeric, numeric, numeric, date, planthub.line[], planthub.line[], planthub.order_ledger[]) IS
'Internal: writes a confirmation with its outputs, lots and edges, and releases what waits for them';

-- Issues, returns, scrap and receipts of one line

CREATE OR REPLACE FUNCTION planthub.one_line(m planthub.inbound, kind text, may_create boolean, usable boolean, order_no text DEFAULT NULL, operation text DEFAULT NULL,
    OUT lines planthub.line[], OUT violations planthub.violation[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT r.lines, planthub.point_to(r.violations, '/data/0', '/data') INTO one_line.lines, one_line.violations
    FROM planthub.resolve_lines(m, jsonb_build_array(m.data), '/data', kind, may_create, usable, order_no, operation) AS r;
    lines[1].pointer := '/data';
END
$$;
COMMENT ON FUNCTION planthub.one_line(planthub.inbound, text, boolean, boolean, text, text) IS 'resolve_lines() for an event that is one line itself';

CREATE OR REPLACE FUNCTION planthub.apply_material_issued(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    r       record := planthub.one_line(m, 'issue_to_order', false, true, m.data->>'order', m.data->>'operation');
    lines   planthub.line[] := r.lines;
    ledger  record;
    goal    planthub.line[];
    bad     planthub.violation[] := r.violations || planthub.order_violations(m, m.data->>'order') || planthub.line_checks(m, r.lines, true);
BEGIN
    IF planthub.stops(m, bad) THEN
        RETURN bad;
    END IF;
    lines := planthub.assign_substitutes(m, m.data->>'order', m.data->>'operation', lines);
    ledger := planthub.order_entries(m, m.data->>'order', lines);
    bad := bad || planthub.component_violations(m, lines, ledger.entries);
    IF m.data->>'output_lot' IS NOT NULL THEN
        goal := planthub.order_lot(m, m.data->>'order', m.data->>'output_lot');
        bad := bad || CASE WHEN goal IS NULL THEN planthub.violation('LOT_UNKNOWN', '/data/output_lot', format('Order "%s" has no lot "%s".', m.data->>'order', m.data->>'output_lot'),
            'lot', concat_ws('/', m.site, (SELECT o.item FROM planthub.production_order AS o WHERE o.site = m.site AND o.order_no = m.data->>'order'), m.data->>'output_lot'))
            ELSE planthub.cycle_violations(m, lines, goal) END;
    END IF;
    bad := planthub.post_movements(m, lines, concat_ws('/', m.data->>'document', m.data->>'line'), m.data->>'order', m.data->>'operation', violations => bad);
    IF planthub.stops(m, bad) THEN
        RETURN bad;
    END IF;
    PERFORM planthub.write_order_entries(ledger.entries);
    PERFORM planthub.tie_consumption(m, m.data->>'order', m.data->>'operation', lines, goal);
    RETURN bad;
END
$$;
COMMENT ON FUNCTION planthub.apply_material_issued(planthub.inbound) IS 'Effect of material.issued: an issue to the order; its edge when the output lot is known, else it waits for the output';

-- The lot of an order as a line that edges lead to; null when there is none.
CREATE OR REPLACE FUNCTION planthub.order_lot(m planthub.inbound, order_no text, lot text) RETURNS planthub.line[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT ARRAY[jsonb_populate_record(NULL::planthub.line, jsonb_build_object('n', 1, 'item', o.item, 'lot', l.lot, 'base_qty', 1, 'pointer', '/data/output_lot'))]
        FROM planthub.production_order AS o JOIN planthub.lot AS l ON l.site = o.site AND l.item = o.item AND l.lot = order_lot.lot
        WHERE o.site = m.site AND o.order_no = order_lot.order_no);
END
$$;
COMMENT ON FUNCTION planthub.order_lot(planthub.inbound, text, text) IS 'Internal: a lot of the item of an order, as a line';

CREATE OR REPLACE FUNCTION planthub.apply_material_returned(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    r       record := planthub.one_line(m, 'return_from_order', false, false, m.data->>'order');
    lines   planthub.line[] := r.lines;
    bad     planthub.violation[] := r.violations || planthub.order_violations(m, m.data->>'order') || planthub.line_checks(m, r.lines, false);
    issued  numeric;
BEGIN
    IF planthub.stops(m, bad) THEN
        RETURN bad;
    END IF;
    SELECT sum(CASE v.kind WHEN 'issue_to_order' THEN v.base_qty WHEN 'return_from_order' THEN -v.base_qty END) INTO issued
    FROM (SELECT DISTINCT k.message_id FROM planthub.order_ledger AS k WHERE k.site = m.site AND k.order_no = m.data->>'order') AS k
    JOIN planthub.movement AS v ON v.site = m.site AND v.message_id = k.message_id
    WHERE v.item = lines[1].item AND v.lot = lines[1].lot
      AND NOT EXISTS (SELECT FROM planthub.reversal AS x WHERE x.site = v.site AND x.target = v.message_id);
    IF coalesce(issued, 0) < lines[1].base_qty THEN
        RETURN bad || planthub.violation('REVERSAL_BLOCKED', '/data/qty', format('%s were issued to order "%s".', trim_scale(coalesce(issued, 0)), m.data->>'order'));
    END IF;
    lines := planthub.assign_substitutes(m, m.data->>'order', NULL, lines);
    bad := planthub.post_movements(m, lines, concat_ws('/', m.data->>'document', m.data->>'line'), m.data->>'order', violations => bad);
    IF NOT planthub.stops(m, bad) THEN
        PERFORM planthub.write_order_entries((planthub.order_entries(m, m.data->>'order', lines, -1)).entries);
    END IF;
    RETURN bad;
END
$$;
COMMENT ON FUNCTION planthub.apply_material_returned(planthub.inbound) IS 'Effect of material.returned: back to stock, at most what was issued';

CREATE OR REPLACE FUNCTION planthub.apply_material_scrapped(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    r   record := planthub.one_line(m, 'scrap', false, false);
    bad planthub.violation[] := r.violations || planthub.order_violations(m, m.data->>'order') || planthub.line_checks(m, r.lines, false);
BEGIN
    IF planthub.stops(m, bad) THEN
        RETURN bad;
    END IF;
    RETURN planthub.post_movements(m, r.lines, concat_ws('/', m.data->>'document', m.data->>'line'), m.data->>'order', reason => m.data->>'reason', violations => bad);
END
$$;
COMMENT ON FUNCTION planthub.apply_material_scrapped(planthub.inbound) IS 'Effect of material.scrapped: out of stock, with the reason';

-- What may be received of a lot: its output at the last operation that confirmed it, less what was received.
CREATE OR REPLACE FUNCTION planthub.production_receipt_violations(m planthub.inbound, order_no text, lines planthub.line[]) RETURNS planthub.violation[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT array_agg(ROW('RECEIPT_EXCEEDS_OUTPUT', r.pointer || '/qty', format('%s received, %s confirmed of item "%s"%s.', trim_scale(r.received + r.qty), trim_scale(coalesce(r.made, 0)),
            r.item, CASE WHEN r.lot <> '' THEN format(' lot "%s"', r.lot) ELSE '' END), 'output', concat_ws('/', m.site, r.item, r.lot))::planthub.violation ORDER BY r.item, r.lot)
        FROM (
            SELECT l.item, l.lot, l.qty, l.pointer, coalesce(g.total, 0) AS received, coalesce(b.total, CASE WHEN l.lot = '' THEN y.total END) AS made
            FROM (SELECT x.item, x.lot, sum(x.base_qty) AS qty, min(x.pointer) AS pointer FROM unnest(lines) AS x GROUP BY x.item, x.lot) AS l
            LEFT JOIN LATERAL (SELECT k.total FROM planthub.order_ledger AS k
                WHERE k.site = m.site AND k.order_no = production_receipt_violations.order_no AND k.account = concat_ws('/', 'received', l.item, l.lot) ORDER BY k.seq DESC LIMIT 1) AS g ON true
            LEFT JOIN LATERAL (
                SELECT e.total FROM planthub.order_operation AS p
                CROSS JOIN LATERAL (SELECT k.total FROM planthub.order_ledger AS k
                    WHERE k.site = p.site AND k.order_no = p.order_no AND k.account = concat_ws('/', 'output', p.operation, l.item, l.lot) ORDER BY k.seq DESC LIMIT 1) AS e
                WHERE p.site = m.site AND p.order_no = production_receipt_violations.order_no AND e.total > 0 ORDER BY p.position DESC LIMIT 1) AS b ON true
            LEFT JOIN LATERAL (
                SELECT c.total_yield AS total FROM planthub.order_operation AS p
                CROSS JOIN LATERAL (SELECT k.total_yield FROM planthub.confirmation AS k
                    WHERE k.site = p.site AND k.order_no = p.order_no AND k.operation = p.operation ORDER BY k.seq DESC LIMIT 1) AS c
                WHERE p.site = m.site AND p.order_no = production_receipt_violations.order_no AND c.total_yield > 0 ORDER BY p.position DESC LIMIT 1) AS y ON true) AS r
        WHERE r.received + r.qty > coalesce(r.made, 0));
END
$$;
COMMENT ON FUNCTION planthub.production_receipt_violations(planthub.inbound, text, planthub.line[]) IS 'Lots of which more would be received than was confirmed';

-- lines: of kind receipt_from_production, with their destination.
CREATE OR REPLACE FUNCTION planthub.post_production_receipt(m planthub.inbound, order_no text, lines planthub.line[], document text,
    handling_unit text DEFAULT NULL, violations planthub.violation[] DEFAULT NULL) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    lines := planthub.output_accounts(lines, 'received');
    violations := violations || planthub.production_receipt_violations(m, order_no, lines);
    IF violations IS NOT NULL AND planthub.stops(m, violations) THEN
        RETURN violations;
    END IF;
    violations := planthub.post_movements(m, lines, document, order_no, handling_unit => handling_unit, violations => violations);
    IF violations IS NULL OR NOT planthub.stops(m, violations) THEN
        PERFORM planthub.write_order_entries((planthub.order_entries(m, order_no, lines)).entries);
    END IF;
    RETURN violations;
END
$$;
COMMENT ON FUNCTION planthub.post_production_receipt(planthub.inbound, text, planthub.line[], text, text, planthub.violation[]) IS
'Receives finished lots of an order into stock, unless more than was confirmed; returns all violations';

CREATE OR REPLACE FUNCTION planthub.apply_goods_received(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    r   record := planthub.one_line(m, 'receipt_from_production', true, false);
    bad planthub.violation[] := r.violations || planthub.order_violations(m, m.data->>'order') || planthub.line_checks(m, r.lines, false);
BEGIN
    IF m.data->>'sscc' IS NOT NULL AND NOT planthub.is_sscc(m.data->>'sscc') THEN
        bad := bad || planthub.violation('HU_CHECK_DIGIT', '/data/sscc', format('"%s" is not an SSCC.', m.data->>'sscc'));
    END IF;
    IF planthub.stops(m, bad) THEN
        RETURN bad;
    END IF;
    bad := planthub.post_production_receipt(m, m.data->>'order', r.lines, concat_ws('/', m.data->>'document', m.data->>'line'), m.data->>'sscc', bad);
    IF NOT planthub.stops(m, bad) THEN
        PERFORM planthub.new_lots(m, r.lines, 'produced', m.data->>'order');
    END IF;
    RETURN bad;
END
$$;
COMMENT ON FUNCTION planthub.apply_goods_received(planthub.inbound) IS 'Effect of goods.received_from_production: finished goods into stock';

-- Serial Shipping Container Code: 18 digits, GS1 check digit.
CREATE OR REPLACE FUNCTION planthub.is_sscc(code text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN planthub.has_check_digit(code, 18);
END
$$;
COMMENT ON FUNCTION planthub.is_sscc(text) IS 'Whether a code is an SSCC: 18 digits, the last one the GS1 check digit';

-- Reversal: a whole confirmation, with everything that it wrote.

CREATE OR REPLACE FUNCTION planthub.apply_confirmation_reversed(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c      planthub.confirmation;
    lines  planthub.line[];
    change record;
    day    record := planthub.posting_date(m);
    bad    planthub.violation[];
BEGIN
    SELECT * INTO c FROM planthub.confirmation AS x WHERE x.site = m.site AND x.confirmation_id = m.data->>'confirmation_id' AND x.kind <> 'reversal'
    ORDER BY x.source = m.source DESC LIMIT 1;
    IF NOT FOUND THEN
        RETURN planthub.violation('REVERSAL_TARGET_UNKNOWN', '/data/confirmation_id', format('Site "%s" has no confirmation "%s".', m.site, m.data->>'confirmation_id'),
            'confirmation', concat_ws('/', m.site, m.data->>'confirmation_id'));
    END IF;
    IF EXISTS (SELECT FROM planthub.reversal AS r WHERE r.site = m.site AND r.target = c.message_id) THEN
        RETURN planthub.violation('REVERSAL_ALREADY_DONE', '/data/confirmation_id', format('Confirmation "%s" is reversed.', c.confirmation_id));
    END IF;
    -- Another order than the key of the event says: its facts must not change meanwhile either.
    PERFORM planthub.lock_key(m.site, 'mo:' || c.order_no, -1);
    lines := planthub.reversed_lines(m, c.message_id);
    bad := planthub.output_in_use(m, c) || planthub.run_checks('reversal', m.topic, m, lines) || day.violations;
    IF lines IS NOT NULL THEN
        change := planthub.stock_changes(m, lines);
        bad := bad || (SELECT array_agg(ROW('REVERSAL_BLOCKED', '/data/confirmation_id', v.detail, NULL, NULL)::planthub.violation) FROM unnest(change.violations) AS v);
    END IF;
    IF bad IS NOT NULL AND planthub.stops(m, bad) THEN
        RETURN bad;
    END IF;
    IF lines IS NOT NULL THEN
        PERFORM planthub.write_movements(m, lines, change.changes, day.day, m.data->>'reversal_id', c.order_no, c.operation, m.data->>'reason',
            reverses => c.message_id);
    END IF;
    PERFORM planthub.write_reversal(m, c, day.day);
    RETURN bad;
END
$$;
COMMENT ON FUNCTION planthub.apply_confirmation_reversed(planthub.inbound) IS 'Effect of production.confirmation_reversed: opposite movements, totals and edges taken back; both documents stay';

CREATE OR REPLACE FUNCTION planthub.reversed_lines(m planthub.inbound, target bigint) RETURNS planthub.line[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT array_agg(ROW(v.line, '/data', 'reversal', v.item, v.lot, v.serials, v.qty, v.uom, v.base_qty, v.base_uom, v.to_location, v.to_status, v.from_location, v.from_status,
            v.component_line, NULL, NULL, v.lot <> '', v.serials IS NOT NULL, true, NULL, true, true)::planthub.line ORDER BY v.line)
        FROM planthub.movement AS v WHERE v.site = m.site AND v.message_id = target);
END
$$;
COMMENT ON FUNCTION planthub.reversed_lines(planthub.inbound, bigint) IS 'Internal: lines that take back the movements of a message';

-- Lots of the confirmation of which more was received than would be left.
CREATE OR REPLACE FUNCTION planthub.output_in_use(m planthub.inbound, c planthub.confirmation) RETURNS planthub.violation[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT array_agg(ROW('REVERSAL_BLOCKED', '/data/confirmation_id', format('%s of item "%s"%s were received into stock.', trim_scale(g.total), o.item,
            CASE WHEN o.lot <> '' THEN format(' lot "%s"', o.lot) ELSE '' END), NULL, NULL)::planthub.violation)
        FROM (SELECT x.item, x.lot, sum(x.qty) AS qty FROM planthub.confirmation_output AS x
              WHERE x.site = c.site AND x.order_no = c.order_no AND x.operation = c.operation AND x.message_id = c.message_id GROUP BY 1, 2) AS o
        CROSS JOIN LATERAL (SELECT k.total FROM planthub.order_ledger AS k
            WHERE k.site = c.site AND k.order_no = c.order_no AND k.account = concat_ws('/', 'received', o.item, o.lot) ORDER BY k.seq DESC LIMIT 1) AS g
        CROSS JOIN LATERAL (SELECT k.total FROM planthub.order_ledger AS k
            WHERE k.site = c.site AND k.order_no = c.order_no AND k.account = concat_ws('/', 'output', c.operation, o.item, o.lot) ORDER BY k.seq DESC LIMIT 1) AS b
        WHERE g.total > b.total - o.qty);
END
$$;
COMMENT ON FUNCTION planthub.output_in_use(planthub.inbound, planthub.confirmation) IS 'Internal: output of a confirmation that has been received into stock';

CREATE OR REPLACE FUNCTION planthub.write_reversal(m planthub.inbound, c planthub.confirmation, day date) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO planthub.reversal AS r (site, target, message_id, reason, event_time) VALUES (m.site, c.message_id, m.id, m.data->>'reason', m.event_time);
    INSERT INTO planthub.confirmation AS x (site, order_no, operation, seq, message_id, source, confirmation_id, kind, yield, scrap, rework, uom, total_yield, total_scrap,
        total_rework, final_at, work_center, reverses, event_time, event_offset, recorded_at, posting_date)
    SELECT l.site, l.order_no, l.operation, l.seq + 1, m.id, m.source, c.confirmation_id, 'reversal', c.yield, c.scrap, c.rework, c.uom, l.total_yield - c.yield,
        l.total_scrap - c.scrap, l.total_rework - c.rework,
        (SELECT min(f.event_time) FROM planthub.confirmation AS f WHERE f.site = c.site AND f.order_no = c.order_no AND f.operation = c.operation AND f.kind = 'final'
            AND NOT EXISTS (SELECT FROM planthub.reversal AS r WHERE r.site = f.site AND r.target = f.message_id)),
        c.work_center, c.message_id, m.event_time, m.event_offset, now(), day
    FROM planthub.confirmation AS l WHERE l.site = c.site AND l.order_no = c.order_no AND l.operation = c.operation ORDER BY l.seq DESC LIMIT 1;
    INSERT INTO planthub.confirmation_output AS x (site, item, lot, order_no, operation, message_id, line, qty, uom, state, serials)
    SELECT o.site, o.item, o.lot, o.order_no, o.operation, m.id, o.line, -o.qty, o.uom, o.state, o.serials FROM planthub.confirmation_output AS o
    WHERE o.site = c.site AND o.order_no = c.order_no AND o.operation = c.operation AND o.message_id = c.message_id;
    INSERT INTO planthub.order_ledger AS y (site, order_no, account, seq, message_id, delta, total)
    SELECT e.site, e.order_no, e.account, n.seq + 1, m.id, -e.delta, n.total - e.delta FROM planthub.order_ledger AS e
    CROSS JOIN LATERAL (SELECT k.seq, k.total FROM planthub.order_ledger AS k
        WHERE k.site = e.site AND k.order_no = e.order_no AND k.account = e.account ORDER BY k.seq DESC LIMIT 1) AS n
    WHERE e.site = c.site AND e.order_no = c.order_no AND e.message_id = c.message_id;
    UPDATE planthub.pending_consumption AS p SET tied_by = m.id WHERE p.site = c.site AND p.order_no = c.order_no AND p.message_id = c.message_id AND p.tied_by IS NULL;
    UPDATE planthub.pending_consumption AS p SET tied_by = NULL WHERE p.site = c.site AND p.order_no = c.order_no AND p.tied_by = c.message_id;
END
$$;
COMMENT ON FUNCTION planthub.write_reversal(planthub.inbound, planthub.confirmation, date) IS 'Internal: takes back totals, outputs and accounts of a confirmation';
