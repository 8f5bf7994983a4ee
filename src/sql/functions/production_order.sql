-- production_order: effects of orders and operations.  Re-runnable.

-- What stops a fact that is about an order; null order: nothing.
CREATE OR REPLACE FUNCTION planthub.order_violations(m planthub.inbound, order_no text) RETURNS planthub.violation[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    o record;
BEGIN
    IF order_no IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT p.state, p.state_at INTO o FROM planthub.production_order AS p WHERE p.site = m.site AND p.order_no = order_violations.order_no;
    IF NOT FOUND THEN
        RETURN planthub.violation('ORDER_UNKNOWN', '/data/order', format('Site "%s" has no order "%s".', m.site, order_no), 'order', concat_ws('/', m.site, order_no));
    END IF;
    RETURN planthub.order_state_violations(m, order_no, o.state, o.state_at);
END
$$;
COMMENT ON FUNCTION planthub.order_violations(planthub.inbound, text) IS 'What stops a fact about an order: it is not known, not released, or closed';

CREATE OR REPLACE FUNCTION planthub.order_state_violations(m planthub.inbound, order_no text, state text, state_at timestamptz) RETURNS planthub.violation[]
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF state = 'released' THEN
        RETURN NULL;
    ELSIF state = 'created' THEN
        RETURN planthub.violation('ORDER_NOT_RELEASED', '/data/order', format('Order "%s" is not released.', order_no), 'order', concat_ws('/', m.site, order_no));
    ELSIF state IN ('cancelled', 'closed') OR m.event_time > state_at THEN
        RETURN planthub.violation('ORDER_CLOSED', '/data/order', format('Order "%s" has been %s since %s.', order_no, replace(state, '_', ' '), state_at));
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION planthub.order_state_violations(planthub.inbound, text, text, timestamptz) IS 'Internal: what stops a fact about an order in this state';

-- Storage location that a work center is supplied from: its own, else the first storage zone of the nearest level above.
CREATE OR REPLACE FUNCTION planthub.supply_location(work_center text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    place text := work_center;
    e     record;
    found_zone text;
BEGIN
    FOR i IN 1..12 LOOP
        SELECT x.parent, x.level, x.supply_location INTO e FROM planthub.equipment AS x WHERE x.equipment = place ORDER BY x.valid_from DESC LIMIT 1;
        EXIT WHEN NOT FOUND OR e.level IN ('Site', 'Enterprise');
        IF e.supply_location IS NOT NULL THEN
            RETURN e.supply_location;
        END IF;
        SELECT min(z.equipment) INTO found_zone FROM planthub.equipment AS z
        WHERE z.parent = place AND z.level IN ('StorageZone', 'StorageUnit') AND z.active AND z.valid_to = 'infinity';
        IF found_zone IS NOT NULL THEN
            RETURN found_zone;
        END IF;
        place := e.parent;
    END LOOP;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION planthub.supply_location(text) IS 'Storage location that a work center takes material from when nobody says so';

-- Work centers of operations and items of components that are not known; quantities that are wrong.
CREATE OR REPLACE FUNCTION planthub.order_plan_violations(m planthub.inbound, item text, base_uom text) RETURNS planthub.violation[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    bad planthub.violation[];
BEGIN
    SELECT array_agg(ROW('WORK_CENTER_UNKNOWN', format('/data/operations/%s/work_center', l.n - 1),
        format('Work center "%s" does not exist at site "%s".', l.v->>'work_center', m.site), 'equipment', l.v->>'work_center')::planthub.violation)
    INTO bad FROM jsonb_array_elements(m.data->'operations') WITH ORDINALITY AS l (v, n)
    WHERE NOT planthub.is_work_center(m.site, l.v->>'work_center', m.event_time);
    bad := bad || (
        SELECT array_agg(ROW('ITEM_UNKNOWN', format('/data/components/%s/item', l.n - 1), format('Item "%s" does not exist.', l.v->>'item'), 'item', l.v->>'item')::planthub.violation)
        FROM jsonb_array_elements(m.data->'components') WITH ORDINALITY AS l (v, n)
        WHERE planthub.item_uom(l.v->>'item', m.event_time) IS NULL);
    IF bad IS NOT NULL OR base_uom IS NULL THEN
        RETURN bad;
    END IF;
    bad := (planthub.check_quantity(m.data->'qty', item, base_uom, '/data/qty', m.event_time, true)).violations;
    RETURN bad || (
        SELECT array_agg(v) FROM (
            SELECT unnest((planthub.check_quantity(l.v->'qty', item, base_uom, format('/data/operations/%s/qty', l.n - 1), m.event_time, true)).violations) AS v
            FROM jsonb_array_elements(m.data->'operations') WITH ORDINALITY AS l (v, n)
            UNION ALL
            SELECT unnest((planthub.check_quantity(l.v->'required', l.v->>'item', planthub.item_uom(l.v->>'item', m.event_time),
                format('/data/components/%s/required', l.n - 1), m.event_time, true)).violations)
            FROM jsonb_array_elements(m.data->'components') WITH ORDINALITY AS l (v, n)) AS x);
END
$$;
COMMENT ON FUNCTION planthub.order_plan_violations(planthub.inbound, text, text) IS 'Internal: what is wrong with operations, components and quantities of an order';

CREATE OR REPLACE FUNCTION planthub.item_uom(item text, at timestamptz) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT i.base_uom FROM planthub.item AS i WHERE i.item = item_uom.item AND i.valid_from <= at AND at < i.valid_to AND i.status = 'active');
END
$$;
COMMENT ON FUNCTION planthub.item_uom(text, timestamptz) IS 'Base unit of an item that is active at a time; null when there is none';

CREATE OR REPLACE FUNCTION planthub.is_work_center(site text, code text, at timestamptz) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN EXISTS (SELECT FROM planthub.equipment AS e WHERE e.equipment = code AND e.site = is_work_center.site AND e.valid_from <= at AND at < e.valid_to AND e.active
        AND e.level IN ('WorkCenter', 'WorkUnit', 'WorkCell', 'Unit', 'ProductionLine', 'ProductionUnit', 'ProcessCell'));
END
$$;
COMMENT ON FUNCTION planthub.is_work_center(text, text, timestamptz) IS 'Whether work can be done at this equipment at a time';

CREATE OR REPLACE FUNCTION planthub.write_order_parts(m planthub.inbound, item text, base_uom text, order_qty numeric) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF m.data ? 'operations' THEN
        DELETE FROM planthub.order_operation AS o WHERE o.site = m.site AND o.order_no = m.data->>'order';
        INSERT INTO planthub.order_operation AS o (site, order_no, operation, position, previous, work_center, base_qty, is_milestone, planned_start, planned_end,
            setup_min, machine_min_per_unit, labor_min_per_unit)
        SELECT m.site, m.data->>'order', l.v->>'op', l.n::int, lag(l.v->>'op') OVER (ORDER BY l.n), l.v->>'work_center',
            coalesce((planthub.check_quantity(l.v->'qty', write_order_parts.item, write_order_parts.base_uom, '', m.event_time, true)).base_qty, order_qty),
            coalesce((l.v->>'is_milestone')::boolean, false), (l.v->>'planned_start')::timestamptz, (l.v->>'planned_end')::timestamptz,
            (l.v->>'setup_min')::numeric, (l.v->>'machine_min_per_unit')::numeric, (l.v->>'labor_min_per_unit')::numeric
        FROM jsonb_array_elements(m.data->'operations') WITH ORDINALITY AS l (v, n);
    END IF;
    IF m.data ? 'components' THEN
        DELETE FROM planthub.order_component AS c WHERE c.site = m.site AND c.order_no = m.data->>'order';
        INSERT INTO planthub.order_component AS c (site, order_no, line, item, operation, required, uom, base_required, base_uom, backflush, lot_policy, reserved_lot, from_location)
        SELECT m.site, m.data->>'order', l->>'line', l->>'item', l->>'operation', (l#>>'{required,value}')::numeric, planthub.unit_code(l#>>'{required,uom}'),
            (planthub.check_quantity(l->'required', l->>'item', u.uom, '', m.event_time, true)).base_qty, u.uom,
            coalesce((l->>'backflush')::boolean, false), l->>'lot_policy', l->>'reserved_lot',
            coalesce(l->>'from_location', planthub.supply_location(o.work_center))
        FROM jsonb_array_elements(m.data->'components') AS l
        CROSS JOIN LATERAL (SELECT planthub.item_uom(l->>'item', m.event_time) AS uom) AS u
        LEFT JOIN planthub.order_operation AS o ON o.site = m.site AND o.order_no = m.data->>'order' AND o.operation = l->>'operation';
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.write_order_parts(planthub.inbound, text, text, numeric) IS 'Internal: replaces operations and components of an order by those of the plan';

CREATE OR REPLACE FUNCTION planthub.keep_order_version(m planthub.inbound, applied boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO planthub.production_order_version AS v (site, order_no, message_id, topic, version, applied, event_time, data)
    VALUES (m.site, m.data->>'order', m.id, m.topic, (m.data->>'version')::numeric::bigint, applied, m.event_time, m.data);
END
$$;
COMMENT ON FUNCTION planthub.keep_order_version(planthub.inbound, boolean) IS 'Internal: keeps a plan or command for the history of the order';

CREATE OR REPLACE FUNCTION planthub.apply_order_released(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    product  text := m.data->>'item';
    unit     text := planthub.item_uom(product, m.event_time);
    present  planthub.production_order;
    quantity numeric;
    bad      planthub.violation[];
BEGIN
    SELECT * INTO present FROM planthub.production_order AS o WHERE o.site = m.site AND o.order_no = m.data->>'order';
    IF unit IS NULL THEN
        bad := planthub.violation('ITEM_UNKNOWN', '/data/item', format('Item "%s" does not exist, or was not active at %s.', product, m.event_time), 'item', product);
    END IF;
    bad := bad || planthub.order_plan_violations(m, product, unit);
    IF present.state IN ('cancelled', 'closed', 'technically_completed') THEN
        bad := bad || planthub.violation('ORDER_CLOSED', '/data/order', format('Order "%s" has been %s since %s.', present.order_no, replace(present.state, '_', ' '), present.state_at));
    END IF;
    IF present.version >= (m.data->>'version')::numeric::bigint AND present.state <> 'created' THEN
        bad := bad || planthub.violation('ORDER_VERSION_STALE', '/data/version', format('Version %s of order "%s" is there.', present.version, present.order_no));
    END IF;
    IF bad IS NOT NULL THEN
        IF (planthub.judge(m, bad)).outcome = 'ignored' THEN
            PERFORM planthub.keep_order_version(m, false);
        END IF;
        RETURN bad;
    END IF;
    quantity := (planthub.check_quantity(m.data->'qty', product, unit, '', m.event_time, true)).base_qty;
    INSERT INTO planthub.production_order AS o (site, order_no, version, order_type, item, qty, uom, base_qty, base_uom, over_tolerance_pct, under_tolerance_pct,
        bom_version, routing_version, planned_start, planned_end, priority, sales_order, output_lot, state, state_at, message_id)
    VALUES (m.site, m.data->>'order', (m.data->>'version')::numeric::bigint, m.data->>'order_type', product, (m.data#>>'{qty,value}')::numeric, planthub.unit_code(m.data#>>'{qty,uom}'),
        quantity, unit, (m.data->>'over_tolerance_pct')::numeric, (m.data->>'under_tolerance_pct')::numeric, m.data->>'bom_version', m.data->>'routing_version',
        (m.data->>'planned_start')::timestamptz, (m.data->>'planned_end')::timestamptz, (m.data->>'priority')::int, m.data->>'sales_order', m.data->>'output_lot',
        'released', m.event_time, m.id)
    ON CONFLICT ON CONSTRAINT production_order_pkey DO UPDATE SET version = excluded.version, order_type = excluded.order_type, item = excluded.item,
        qty = excluded.qty, uom = excluded.uom, base_qty = excluded.base_qty, base_uom = excluded.base_uom, over_tolerance_pct = excluded.over_tolerance_pct,
        under_tolerance_pct = excluded.under_tolerance_pct, bom_version = excluded.bom_version, routing_version = excluded.routing_version,
        planned_start = excluded.planned_start, planned_end = excluded.planned_end, priority = excluded.priority, sales_order = excluded.sales_order,
        output_lot = excluded.output_lot, state = 'released', message_id = excluded.message_id, recorded_at = excluded.recorded_at;
    PERFORM planthub.write_order_parts(m, product, unit, quantity);
    PERFORM planthub.keep_order_version(m, true);
    PERFORM planthub.request_pick(m);
    PERFORM planthub.bring('order', ARRAY[concat_ws('/', m.site, m.data->>'order')]);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION planthub.apply_order_released(planthub.inbound) IS 'Effect of production_order.released: the order with its operations and components, and a pick request for what is not taken automatically';

CREATE OR REPLACE FUNCTION planthub.request_pick(m planthub.inbound) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    lines jsonb;
BEGIN
    SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object('line', c.line, 'item', c.item, 'qty', jsonb_build_object('value', trim_scale(c.required)::text, 'uom', c.uom),
               'to', coalesce(c.from_location, o.work_center), 'lot', c.reserved_lot, 'lot_policy', c.lot_policy)) ORDER BY c.line)
    INTO lines
    FROM planthub.order_component AS c LEFT JOIN planthub.order_operation AS o ON o.site = c.site AND o.order_no = c.order_no AND o.operation = c.operation
    WHERE c.site = m.site AND c.order_no = m.data->>'order' AND NOT c.backflush AND coalesce(c.from_location, o.work_center) IS NOT NULL;
    IF lines IS NOT NULL THEN
        PERFORM planthub.publish('pick.requested', jsonb_build_object('pick', concat_ws('-', m.data->>'order', m.data->>'version'), 'order', m.data->>'order',
            'need_by', m.data->>'planned_start', 'lines', lines), m.key, m.site, subject => m.data->>'order', event_time => m.event_time,
            correlation_id => m.correlation_id, causation_id => m.event_id, traceparent => m.traceparent);
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.request_pick(planthub.inbound) IS 'Internal: asks the warehouse for the components of an order';

CREATE OR REPLACE FUNCTION planthub.apply_order_changed(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    present  planthub.production_order;
    quantity numeric;
    bad      planthub.violation[];
BEGIN
    SELECT * INTO present FROM planthub.production_order AS o WHERE o.site = m.site AND o.order_no = m.data->>'order';
    IF NOT FOUND THEN
        RETURN planthub.order_violations(m, m.data->>'order');
    END IF;
    IF present.state IN ('cancelled', 'closed', 'technically_completed') THEN
        bad := planthub.order_state_violations(m, present.order_no, 'closed', present.state_at);
    ELSIF present.version >= (m.data->>'version')::numeric::bigint THEN
        bad := planthub.violation('ORDER_VERSION_STALE', '/data/version', format('Version %s of order "%s" is there.', present.version, present.order_no));
    END IF;
    bad := planthub.order_plan_violations(m, present.item, present.base_uom) || bad;
    IF bad IS NOT NULL THEN
        IF (planthub.judge(m, bad)).outcome = 'ignored' THEN
            PERFORM planthub.keep_order_version(m, false);
        END IF;
        RETURN bad;
    END IF;
    quantity := coalesce((planthub.check_quantity(m.data->'qty', present.item, present.base_uom, '', m.event_time, true)).base_qty, present.base_qty);
    UPDATE planthub.production_order AS o SET version = (m.data->>'version')::numeric::bigint, qty = coalesce((m.data#>>'{qty,value}')::numeric, o.qty),
        uom = coalesce(planthub.unit_code(m.data#>>'{qty,uom}'), o.uom), base_qty = quantity,
        planned_start = coalesce((m.data->>'planned_start')::timestamptz, o.planned_start), planned_end = coalesce((m.data->>'planned_end')::timestamptz, o.planned_end),
        message_id = m.id, recorded_at = now()
    WHERE o.site = m.site AND o.order_no = m.data->>'order';
    IF quantity <> present.base_qty AND NOT m.data ? 'operations' THEN
        UPDATE planthub.order_operation AS o SET base_qty = quantity WHERE o.site = m.site AND o.order_no = m.data->>'order' AND o.base_qty = present.base_qty;
    END IF;
    IF quantity <> present.base_qty AND NOT m.data ? 'components' THEN
        UPDATE planthub.order_component AS c SET required = round(c.required * quantity / present.base_qty, CASE WHEN planthub.is_counted(c.uom) THEN 0 ELSE 6 END),
            base_required = round(c.base_required * quantity / present.base_qty, CASE WHEN planthub.is_counted(c.base_uom) THEN 0 ELSE 6 END)
        WHERE c.site = m.site AND c.order_no = m.data->>'order';
    END IF;
    PERFORM planthub.write_order_parts(m, present.item, present.base_uom, quantity);
    PERFORM planthub.keep_order_version(m, true);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION planthub.apply_order_changed(planthub.inbound) IS 'Effect of production_order.changed: the newest plan, whatever the order of arrival';

-- Cancelled, technically completed, closed.
CREATE OR REPLACE FUNCTION planthub.apply_order_command(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    command text := split_part(m.topic, '.', 2);
    present planthub.production_order;
    bad     planthub.violation[];
BEGIN
    SELECT * INTO present FROM planthub.production_order AS o WHERE o.site = m.site AND o.order_no = m.data->>'order';
    IF NOT FOUND THEN
        RETURN planthub.order_violations(m, m.data->>'order');
    END IF;
    IF present.state IN ('cancelled', 'closed') OR command = 'cancelled' AND present.state = 'technically_completed' THEN
        bad := planthub.order_state_violations(m, present.order_no, 'closed', present.state_at);
    ELSIF command <> 'cancelled' THEN
        bad := planthub.mass_balance_violations(m, present.order_no);
    END IF;
    IF planthub.stops(m, bad) THEN
        RETURN bad;
    END IF;
    UPDATE planthub.production_order AS o SET state = command,
        state_at = CASE WHEN o.state = 'technically_completed' AND command = 'technically_completed' THEN least(o.state_at, m.event_time) ELSE m.event_time END
    WHERE o.site = m.site AND o.order_no = m.data->>'order';
    PERFORM planthub.keep_order_version(m, true);
    RETURN bad;
END
$$;
COMMENT ON FUNCTION planthub.apply_order_command(planthub.inbound) IS 'Effect of production_order.cancelled, technically_completed and closed: the state of the order';

CREATE OR REPLACE FUNCTION planthub.apply_order_acknowledged(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    foreign_no text := m.data->>'mes_order';
BEGIN
    IF NOT EXISTS (SELECT FROM planthub.production_order AS o WHERE o.site = m.site AND o.order_no = m.data->>'order') THEN
        RETURN planthub.order_violations(m, m.data->>'order');
    END IF;
    INSERT INTO planthub.order_acknowledgement AS a (site, order_no, message_id, system, version, accepted, foreign_no, reason, event_time)
    VALUES (m.site, m.data->>'order', m.id, m.system, (m.data->>'version')::numeric::bigint, m.topic = 'production_order.accepted', foreign_no, m.data->>'reason', m.event_time);
    IF foreign_no IS NOT NULL AND NOT EXISTS (SELECT FROM planthub.xref AS x WHERE x.set = 'production_order' AND x.code = foreign_no AND x.system = m.system
        AND x.scope = m.site AND x.canonical = m.data->>'order' AND x.valid_to > now()) THEN
        PERFORM planthub.set_xref('production_order', foreign_no, m.data->'order', m.system, m.site, NULL, m.id);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION planthub.apply_order_acknowledged(planthub.inbound) IS 'Effect of production_order.accepted and rejected: the answer of a system, and its number for the order';

CREATE OR REPLACE FUNCTION planthub.operation_violations(m planthub.inbound, order_no text, operation text, work_center text) RETURNS planthub.violation[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    bad planthub.violation[] := planthub.order_violations(m, order_no);
BEGIN
    IF NOT planthub.is_work_center(m.site, work_center, m.event_time) THEN
        bad := bad || planthub.violation('WORK_CENTER_UNKNOWN', '/data/work_center', format('Work center "%s" does not exist at site "%s".', work_center, m.site), 'equipment', work_center);
    END IF;
    IF (bad IS NULL OR bad[1].code <> 'ORDER_UNKNOWN') AND NOT EXISTS (SELECT FROM planthub.order_operation AS o
        WHERE o.site = m.site AND o.order_no = operation_violations.order_no AND o.operation = operation_violations.operation) THEN
        bad := bad || planthub.violation('OPERATION_UNKNOWN', '/data/operation', format('Order "%s" has no operation "%s".', order_no, operation));
    END IF;
    RETURN bad;
END
$$;
COMMENT ON FUNCTION planthub.operation_violations(planthub.inbound, text, text, text) IS 'What stops a fact about an operation: order, operation or work center';

CREATE OR REPLACE FUNCTION planthub.apply_operation_event(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    bad planthub.violation[] := planthub.operation_violations(m, m.data->>'order', m.data->>'operation', m.data->>'work_center');
    at  timestamptz := coalesce(m.data->>'started_at', m.data->>'at', m.data->>'completed_at', m.data->>'ended_at')::timestamptz;
BEGIN
    IF planthub.stops(m, bad) THEN
        RETURN bad;
    END IF;
    INSERT INTO planthub.operation_event AS e (site, order_no, operation, message_id, kind, work_center, operator, reason, event_time, event_offset)
    VALUES (m.site, m.data->>'order', m.data->>'operation', m.id, split_part(m.topic, '.', 2), m.data->>'work_center', m.data->>'operator', m.data->>'reason',
        coalesce(at, m.event_time), m.event_offset);
    PERFORM planthub.note_operation(m.site, m.data->>'order', m.data->>'operation', m.data->>'work_center', coalesce(at, m.event_time));
    RETURN bad;
END
$$;
COMMENT ON FUNCTION planthub.apply_operation_event(planthub.inbound) IS 'Effect of operation.started, paused, resumed and completed';

CREATE OR REPLACE FUNCTION planthub.mass_balance_violations(m planthub.inbound, order_no text) RETURNS planthub.violation[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    b record;
BEGIN
    SELECT sum(l.total_yield + l.total_scrap) FILTER (WHERE o.position = 1) AS started, sum(l.total_scrap) AS scrapped,
           (array_agg(coalesce(l.total_yield, 0) ORDER BY o.position DESC))[1] AS good
    INTO b
    FROM planthub.order_operation AS o
    LEFT JOIN LATERAL (SELECT c.total_yield, c.total_scrap FROM planthub.confirmation AS c
        WHERE c.site = o.site AND c.order_no = o.order_no AND c.operation = o.operation ORDER BY c.seq DESC LIMIT 1) AS l ON true
    WHERE o.site = m.site AND o.order_no = mass_balance_violations.order_no;
    IF abs(coalesce(b.started, 0) - coalesce(b.good, 0) - coalesce(b.scrapped, 0)) > coalesce(b.started, 0) * (m.policies->>'mass_balance_tolerance_pct')::numeric / 100 THEN
        RETURN planthub.violation('MASS_BALANCE', '/data/order', format('Order "%s": %s started, %s good, %s scrapped.', order_no,
            trim_scale(coalesce(b.started, 0)), trim_scale(coalesce(b.good, 0)), trim_scale(coalesce(b.scrapped, 0))));
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION planthub.mass_balance_violations(planthub.inbound, text) IS 'What is missing when an order is completed: started = good + scrapped';

CREATE OR REPLACE VIEW planthub.operation_status AS
SELECT o.site, o.order_no, o.operation, o.position, o.work_center, o.base_qty AS planned_qty, coalesce(c.total_yield, 0) AS yield_qty, coalesce(c.total_scrap, 0) AS scrap_qty,
       coalesce(c.total_rework, 0) AS rework_qty, p.base_uom AS uom,
       CASE WHEN c.final_at IS NOT NULL THEN 'completed' WHEN e.kind IN ('completed', 'paused') THEN e.kind WHEN c.seq IS NOT NULL OR e.kind IS NOT NULL THEN 'in_progress' ELSE 'planned' END AS state,
       s.started_at, c.final_at AS completed_at
FROM planthub.order_operation AS o
JOIN planthub.production_order AS p ON p.site = o.site AND p.order_no = o.order_no
LEFT JOIN LATERAL (SELECT x.* FROM planthub.confirmation AS x WHERE x.site = o.site AND x.order_no = o.order_no AND x.operation = o.operation ORDER BY x.seq DESC LIMIT 1) AS c ON true
LEFT JOIN LATERAL (SELECT x.kind FROM planthub.operation_event AS x WHERE x.site = o.site AND x.order_no = o.order_no AND x.operation = o.operation ORDER BY x.event_time DESC, x.message_id DESC LIMIT 1) AS e ON true
LEFT JOIN LATERAL (SELECT min(x.event_time) AS started_at FROM planthub.operation_event AS x WHERE x.site = o.site AND x.order_no = o.order_no AND x.operation = o.operation AND x.kind = 'started') AS s ON true;
COMMENT ON VIEW planthub.operation_status IS 'Operations of orders: what was planned, what was confirmed, where it stands';
COMMENT ON COLUMN planthub.operation_status.site IS 'Site';
COMMENT ON COLUMN planthub.operation_status.order_no IS 'Order';
COMMENT ON COLUMN planthub.operation_status.operation IS 'Operation';
COMMENT ON COLUMN planthub.operation_status.position IS 'Place in the sequence';
COMMENT ON COLUMN planthub.operation_status.work_center IS 'Where it is planned';
COMMENT ON COLUMN planthub.operation_status.planned_qty IS 'Planned quantity';
COMMENT ON COLUMN planthub.operation_status.yield_qty IS 'Good quantity';
COMMENT ON COLUMN planthub.operation_status.scrap_qty IS 'Scrapped quantity';
COMMENT ON COLUMN planthub.operation_status.rework_qty IS 'Quantity to be reworked';
COMMENT ON COLUMN planthub.operation_status.uom IS 'Base unit of the item';
COMMENT ON COLUMN planthub.operation_status.state IS 'planned, in_progress, paused or completed';
COMMENT ON COLUMN planthub.operation_status.started_at IS 'When it was started';
COMMENT ON COLUMN planthub.operation_status.completed_at IS 'When it was finally confirmed';

CREATE OR REPLACE VIEW planthub.production_order_status AS
SELECT o.site, o.order_no, o.item, o.version, o.base_qty AS planned_qty, coalesce(l.yield_qty, 0) AS yield_qty, coalesce(a.scrap_qty, 0) AS scrap_qty, coalesce(r.received_qty, 0) AS received_qty, o.base_uom AS uom,
       CASE WHEN o.state <> 'released' THEN o.state WHEN l.state = 'completed' THEN 'completed' WHEN a.begun THEN 'in_progress' ELSE 'released' END AS state, o.planned_start, o.planned_end, a.started_at
FROM planthub.production_order AS o
LEFT JOIN LATERAL (SELECT s.yield_qty, s.state FROM planthub.operation_status AS s WHERE s.site = o.site AND s.order_no = o.order_no ORDER BY s.position DESC LIMIT 1) AS l ON true
LEFT JOIN LATERAL (SELECT sum(s.scrap_qty) AS scrap_qty, bool_or(s.state <> 'planned') AS begun, min(s.started_at) AS started_at FROM planthub.operation_status AS s WHERE s.site = o.site AND s.order_no = o.order_no) AS a ON true
LEFT JOIN LATERAL (SELECT sum(k.delta) AS received_qty FROM planthub.order_ledger AS k WHERE k.site = o.site AND k.order_no = o.order_no AND k.account >= 'received/' AND k.account < 'received0') AS r ON true;
COMMENT ON VIEW planthub.production_order_status IS 'Orders: the state that commands and facts lead to, what was made and received';
COMMENT ON COLUMN planthub.production_order_status.site IS 'Site';
COMMENT ON COLUMN planthub.production_order_status.order_no IS 'Order';
COMMENT ON COLUMN planthub.production_order_status.item IS 'What is made';
COMMENT ON COLUMN planthub.production_order_status.version IS 'Version of the plan';
COMMENT ON COLUMN planthub.production_order_status.planned_qty IS 'Planned quantity';
COMMENT ON COLUMN planthub.production_order_status.yield_qty IS 'Good quantity of the last operation';
COMMENT ON COLUMN planthub.production_order_status.scrap_qty IS 'Scrapped quantity of all operations';
COMMENT ON COLUMN planthub.production_order_status.received_qty IS 'Quantity received into stock';
COMMENT ON COLUMN planthub.production_order_status.uom IS 'Base unit of the item';
COMMENT ON COLUMN planthub.production_order_status.state IS 'created, released, in_progress, completed, technically_completed, closed or cancelled';
COMMENT ON COLUMN planthub.production_order_status.planned_start IS 'Planned start';
COMMENT ON COLUMN planthub.production_order_status.planned_end IS 'Planned end';
COMMENT ON COLUMN planthub.production_order_status.started_at IS 'When the first operation was started';

CREATE OR REPLACE VIEW planthub.order_variance AS
SELECT c.site, c.order_no, c.line, c.item, c.base_required AS planned, coalesce(k.total, 0) AS actual, round(c.base_required * s.yield_qty / nullif(s.planned_qty, 0), 6) AS standard_for_yield,
       coalesce(k.total, 0) - c.base_required AS qty_variance_vs_plan, coalesce(k.total, 0) - round(c.base_required * s.yield_qty / nullif(s.planned_qty, 0), 6) AS usage_variance_vs_yield, c.base_uom AS uom
FROM planthub.order_component AS c
JOIN planthub.production_order_status AS s ON s.site = c.site AND s.order_no = c.order_no
LEFT JOIN LATERAL (SELECT x.total FROM planthub.order_ledger AS x WHERE x.site = c.site AND x.order_no = c.order_no AND x.account = 'issued/' || c.line ORDER BY x.seq DESC LIMIT 1) AS k ON true;
COMMENT ON VIEW planthub.order_variance IS 'Components of orders: planned, used, and what the good quantity would have needed';
COMMENT ON COLUMN planthub.order_variance.site IS 'Site';
COMMENT ON COLUMN planthub.order_variance.order_no IS 'Order';
COMMENT ON COLUMN planthub.order_variance.line IS 'Line of the component';
COMMENT ON COLUMN planthub.order_variance.item IS 'What goes in';
COMMENT ON COLUMN planthub.order_variance.planned IS 'Required for the whole order';
COMMENT ON COLUMN planthub.order_variance.actual IS 'Issued, less what was returned';
COMMENT ON COLUMN planthub.order_variance.standard_for_yield IS 'What the good quantity of the last operation needs by plan';
COMMENT ON COLUMN planthub.order_variance.qty_variance_vs_plan IS 'Actual less planned';
COMMENT ON COLUMN planthub.order_variance.usage_variance_vs_yield IS 'Actual less what the good quantity needs';
COMMENT ON COLUMN planthub.order_variance.uom IS 'Base unit of the item';

-- Plans name the main product only, and confirmations do not tell a by-product from a co-product.
CREATE OR REPLACE VIEW planthub.order_output AS
SELECT s.site, s.order_no, s.item, 'main' AS role, s.planned_qty, s.yield_qty AS made_qty, s.uom
FROM planthub.production_order_status AS s
UNION ALL
SELECT c.site, c.order_no, c.item, 'by_product', NULL, sum(c.qty), c.uom
FROM planthub.confirmation_output AS c JOIN planthub.production_order AS o ON o.site = c.site AND o.order_no = c.order_no AND o.item <> c.item
WHERE c.state = 'finished'
GROUP BY c.site, c.order_no, c.item, c.uom HAVING sum(c.qty) <> 0;
COMMENT ON VIEW planthub.order_output IS 'What orders are to make and have made: the main product, and what else came out';
COMMENT ON COLUMN planthub.order_output.site IS 'Site';
COMMENT ON COLUMN planthub.order_output.order_no IS 'Order';
COMMENT ON COLUMN planthub.order_output.item IS 'Item';
COMMENT ON COLUMN planthub.order_output.role IS 'main, or by_product: anything else that was reported as finished, co-products also';
COMMENT ON COLUMN planthub.order_output.planned_qty IS 'Planned quantity; null: it was not planned';
COMMENT ON COLUMN planthub.order_output.made_qty IS 'Main product: good quantity of the last operation; else what confirmations reported, less what was taken back';
COMMENT ON COLUMN planthub.order_output.uom IS 'Base unit of the item';
