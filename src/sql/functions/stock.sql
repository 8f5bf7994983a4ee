-- stock: movements and the ledger of each stock key, written together; proofs.  Re-runnable.

-- The ledger day of a fact; period: what is wrong with it.
CREATE OR REPLACE FUNCTION planthub.posting_date(m planthub.inbound, OUT day date, OUT violations planthub.violation[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    first_open date := m.policies->>'open_period_from';
    last_open  date := m.policies->>'open_period_to';
BEGIN
    day := coalesce((m.data->>'posting_date')::date, (m.event_time AT TIME ZONE coalesce(m.timezone, 'UTC'))::date);
    IF day < first_open OR day > last_open THEN
        violations := planthub.violation('PERIOD_CLOSED', '/data/posting_date', format('%s lies in a closed period.', day));
        day := CASE WHEN day < first_open THEN first_open ELSE last_open END;
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.posting_date(planthub.inbound) IS 'Day of the ledger on which a fact is posted: the one it names, else its day at the site, moved into the open periods';

CREATE OR REPLACE FUNCTION planthub.stock_key(site text, location text, item text, lot text, status text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT concat_ws('/', site, location, item, lot, status);
END;
COMMENT ON FUNCTION planthub.stock_key(text, text, text, text, text) IS 'Key under which events wait for stock';

CREATE OR REPLACE FUNCTION planthub.stock_balances(event planthub.inbound, lines planthub.line[], OUT changes planthub.stock_change[], OUT short boolean, OUT is_new boolean)
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'planthub_stock_balances';
COMMENT ON FUNCTION planthub.stock_balances(planthub.inbound, planthub.line[]) IS
'Internal: locks the stock keys of lines and computes the balances after them; short: one becomes negative; is_new: one has no number yet';

CREATE OR REPLACE FUNCTION planthub.append_movements(event planthub.inbound, lines planthub.line[], changes planthub.stock_change[], posting_date date,
    document text, order_no text, operation text, reason text, handling_unit text, reverses bigint, OUT brought text[], OUT serials boolean)
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'planthub_append_movements';
COMMENT ON FUNCTION planthub.append_movements(planthub.inbound, planthub.line[], planthub.stock_change[], date, text, text, text, text, text, bigint) IS
'Internal: writes movements and entries of the stock ledger; brought: keys of the stock that has become more; serials: whether a line has serial numbers';

-- Changes of stock keys that lines mean, with the balance after each.  The keys are locked first, so that the balances
-- hold until the end of the transaction.
CREATE OR REPLACE FUNCTION planthub.stock_changes(m planthub.inbound, lines planthub.line[], OUT changes planthub.stock_change[], OUT violations planthub.violation[])
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found record;
BEGIN
    LOOP
        found := planthub.stock_balances(m, lines);
        changes := found.changes;
        IF found.short AND violations IS NULL THEN
            violations := planthub.stock_violations(m, lines, changes);
            EXIT WHEN planthub.stops(m, violations);
        END IF;
        EXIT WHEN NOT found.is_new;
        INSERT INTO planthub.stock AS k (site, location, item, lot, status, owner, uom)
        SELECT DISTINCT m.site, c.location, c.item, c.lot, c.status, '', l.base_uom
        FROM unnest(changes) AS c JOIN unnest(lines) AS l ON l.item = c.item WHERE c.stock_id IS NULL
        ON CONFLICT ON CONSTRAINT stock_pkey DO NOTHING;
    END LOOP;
END
$$;
COMMENT ON FUNCTION planthub.stock_changes(planthub.inbound, planthub.line[]) IS 'Internal: locks the stock keys of lines and computes the balances after them; violations: those that become negative';

CREATE OR REPLACE FUNCTION planthub.stock_violations(m planthub.inbound, lines planthub.line[], changes planthub.stock_change[]) RETURNS planthub.violation[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- Enough there, but in another status: that is another mistake than too little.
    RETURN (
        SELECT array_agg(ROW(CASE WHEN o.elsewhere >= -c.balance THEN 'STOCK_STATUS_INVALID' ELSE 'NEGATIVE_STOCK' END,
            coalesce((SELECT min(l.pointer) FROM unnest(lines) AS l WHERE l.item = c.item AND l.lot = c.lot AND l.from_location = c.location), '/data'),
            format('%s %s of item "%s"%s at "%s" would leave %s.', trim_scale(-c.delta), c.status, c.item,
                CASE WHEN c.lot <> '' THEN format(' lot "%s"', c.lot) ELSE '' END, c.location, trim_scale(c.balance)),
            'stock', planthub.stock_key(m.site, c.location, c.item, c.lot, c.status))::planthub.violation ORDER BY c.item, c.lot)
        FROM unnest(changes) AS c
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(b.balance), 0) AS elsewhere FROM planthub.stock AS k
            CROSS JOIN LATERAL (SELECT y.balance FROM planthub.stock_ledger AS y WHERE y.site = k.site AND y.stock_id = k.id ORDER BY y.seq DESC LIMIT 1) AS b
            WHERE k.site = m.site AND k.item = c.item AND k.lot = c.lot AND k.location = c.location AND k.status <> c.status) AS o
        WHERE c.delta < 0 AND c.balance < 0);
END
$$;
COMMENT ON FUNCTION planthub.stock_violations(planthub.inbound, planthub.line[], planthub.stock_change[]) IS 'Internal: stock keys that would become negative';

-- Writes movements and ledger; changes: from stock_changes() for the same lines, in this transaction.
CREATE OR REPLACE FUNCTION planthub.write_movements(m planthub.inbound, lines planthub.line[], changes planthub.stock_change[], posting_date date,
    document text, order_no text DEFAULT NULL, operation text DEFAULT NULL, reason text DEFAULT NULL, handling_unit text DEFAULT NULL,
    reverses bigint DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    written  record := planthub.append_movements(m, lines, changes, posting_date, document, order_no, operation, reason, handling_unit, reverses);
    released boolean;
BEGIN
    IF written.brought IS NOT NULL THEN
        released := planthub.bring('stock', written.brought);
    END IF;
    IF written.serials THEN
        PERFORM planthub.write_serials(m, lines);
    END IF;
    RETURN true;
END
$$;
COMMENT ON FUNCTION planthub.write_movements(planthub.inbound, planthub.line[], planthub.stock_change[], date, text, text, text, text, text, bigint) IS
'Writes the movements of lines and the entries of the stock ledger, and releases events that wait for the stock';

CREATE OR REPLACE FUNCTION planthub.write_serials(m planthub.inbound, lines planthub.line[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO planthub.serial_event AS e (site, item, serial, message_id, line, state, lot, location, event_time)
    SELECT m.site, l.item, s, m.id, l.n, CASE l.kind WHEN 'ship' THEN 'shipped' WHEN 'scrap' THEN 'scrapped' WHEN 'sample' THEN 'scrapped'
        WHEN 'issue_to_order' THEN 'installed' ELSE 'active' END, nullif(l.lot, ''), l.to_location, m.event_time
    FROM unnest(lines) AS l CROSS JOIN LATERAL unnest(l.serials) AS s;
END
$$;
COMMENT ON FUNCTION planthub.write_serials(planthub.inbound, planthub.line[]) IS 'Internal: what movements mean for serial numbers';

-- For effects that only move stock: checks and writes, or returns what stops it.
CREATE OR REPLACE FUNCTION planthub.post_movements(m planthub.inbound, lines planthub.line[], document text, order_no text DEFAULT NULL,
    operation text DEFAULT NULL, reason text DEFAULT NULL, handling_unit text DEFAULT NULL, violations planthub.violation[] DEFAULT NULL)
RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    day    record := planthub.posting_date(m);
    change record;
BEGIN
    IF coalesce(cardinality(lines), 0) = 0 THEN
        RETURN violations;
    END IF;
    change := planthub.stock_changes(m, lines);
    violations := violations || day.violations || change.violations || planthub.run_checks('stock', m.topic, m, lines);
    IF violations IS NULL OR NOT planthub.stops(m, violations) THEN
        PERFORM planthub.write_movements(m, lines, change.changes, day.day, document, order_no, operation, reason, handling_unit);
    END IF;
    RETURN violations;
END
$$;
COMMENT ON FUNCTION planthub.post_movements(planthub.inbound, planthub.line[], text, text, text, text, text, planthub.violation[]) IS
'Checks the stock for lines and writes their movements when neither that nor the violations given stops the event; returns all violations';

CREATE OR REPLACE VIEW planthub.inventory_balance AS
SELECT k.site, k.location, k.item, nullif(k.lot, '') AS lot, k.status, b.balance AS qty, k.uom, nullif(k.owner, '') AS owner, b.event_time AS last_event_time,
       b.recorded_at AS last_recorded_at, b.message_id AS last_message_id
FROM planthub.stock AS k
CROSS JOIN LATERAL (SELECT y.* FROM planthub.stock_ledger AS y WHERE y.site = k.site AND y.stock_id = k.id ORDER BY y.seq DESC LIMIT 1) AS b;
COMMENT ON VIEW planthub.inventory_balance IS 'What lies where: the newest balance of every stock key, also those that are empty now';
COMMENT ON COLUMN planthub.inventory_balance.site IS 'Site';
COMMENT ON COLUMN planthub.inventory_balance.location IS 'Location';
COMMENT ON COLUMN planthub.inventory_balance.item IS 'Item';
COMMENT ON COLUMN planthub.inventory_balance.lot IS 'Lot; null for an item without lots';
COMMENT ON COLUMN planthub.inventory_balance.status IS 'Stock status';
COMMENT ON COLUMN planthub.inventory_balance.qty IS 'Quantity';
COMMENT ON COLUMN planthub.inventory_balance.uom IS 'Base unit of the item';
COMMENT ON COLUMN planthub.inventory_balance.owner IS 'Whose stock it is; null: our own';
COMMENT ON COLUMN planthub.inventory_balance.last_event_time IS 'When the last recorded change happened';
COMMENT ON COLUMN planthub.inventory_balance.last_recorded_at IS 'When it was recorded';
COMMENT ON COLUMN planthub.inventory_balance.last_message_id IS 'Message that caused it';

-- Every stock key must end where its movements lead.  No row: proven.
CREATE OR REPLACE FUNCTION planthub.stock_differences(only_site text DEFAULT NULL)
RETURNS TABLE (site text, location text, item text, lot text, status text, balance numeric, movements numeric, entries numeric)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
        WITH moved AS (
            SELECT v.site, x.location, v.item, v.lot, x.status, v.owner, sum(x.sign * v.base_qty) AS qty
            FROM planthub.movement AS v
            CROSS JOIN LATERAL (VALUES (v.from_location, v.from_status, -1), (v.to_location, v.to_status, 1)) AS x (location, status, sign)
            WHERE x.location IS NOT NULL AND ($1 IS NULL OR v.site = $1) GROUP BY 1, 2, 3, 4, 5, 6),
        booked AS (
            SELECT k.site, k.location, k.item, k.lot, k.status, k.owner, e.entries, e.last
            FROM planthub.stock AS k
            CROSS JOIN LATERAL (
                SELECT sum(y.delta) AS entries, (array_agg(y.balance ORDER BY y.seq DESC))[1] AS last
                FROM planthub.stock_ledger AS y WHERE y.site = k.site AND y.stock_id = k.id) AS e
            WHERE $1 IS NULL OR k.site = $1)
        SELECT coalesce(b.site, m.site), coalesce(b.location, m.location), coalesce(b.item, m.item), coalesce(b.lot, m.lot),
               coalesce(b.status, m.status), b.last, m.qty, b.entries
        FROM booked AS b FULL JOIN moved AS m ON (m.site, m.location, m.item, m.lot, m.status, m.owner) = (b.site, b.location, b.item, b.lot, b.status, b.owner)
        WHERE coalesce(b.last, 0) <> coalesce(m.qty, 0) OR coalesce(b.entries, 0) <> coalesce(b.last, 0);
END
$$;
COMMENT ON FUNCTION planthub.stock_differences(text) IS 'Stock keys whose balance is not the sum of their movements, or not that of their entries; no row: the balances are proven';

CREATE OR REPLACE FUNCTION planthub.stock_at(site text, event_time timestamptz DEFAULT NULL, recorded_at timestamptz DEFAULT NULL)
RETURNS TABLE (location text, item text, lot text, status text, qty numeric, uom text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
        SELECT k.location, k.item, nullif(k.lot, ''), k.status, sum(y.delta), k.uom
        FROM planthub.stock AS k JOIN planthub.stock_ledger AS y ON y.site = k.site AND y.stock_id = k.id
        WHERE k.site = $1 AND ($2 IS NULL OR y.event_time <= $2) AND ($3 IS NULL OR y.recorded_at <= $3)
        GROUP BY k.location, k.item, k.lot, k.status, k.uom;
END
$$;
COMMENT ON FUNCTION planthub.stock_at(text, timestamptz, timestamptz) IS 'Stock of a site as it was at a time, as it was known at a time, or both';

-- Effects

CREATE OR REPLACE FUNCTION planthub.apply_inventory_moved(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    r record := planthub.resolve_lines(m, m.data->'lines', '/data/lines', 'transfer', false, false);
    found planthub.violation[] := r.violations || planthub.order_violations(m, m.data->>'order') || planthub.line_checks(m, r.lines, false);
BEGIN
    IF planthub.stops(m, found) THEN
        RETURN found;
    END IF;
    RETURN planthub.post_movements(m, planthub.with_status_changes(r.lines), m.data->>'movement', m.data->>'order', NULL, m.data->>'reason', NULL, found);
END
$$;
COMMENT ON FUNCTION planthub.apply_inventory_moved(planthub.inbound) IS 'Effect of inventory.moved: transfers';

-- A line that stays where it is changes its status.
CREATE OR REPLACE FUNCTION planthub.with_status_changes(lines planthub.line[]) RETURNS planthub.line[]
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    i int;
BEGIN
    FOR i IN 1..coalesce(cardinality(lines), 0) LOOP
        IF lines[i].from_location = lines[i].to_location THEN
            lines[i].kind := 'status_change';
        END IF;
    END LOOP;
    RETURN lines;
END
$$;
COMMENT ON FUNCTION planthub.with_status_changes(planthub.line[]) IS 'Internal: lines whose two sides are one location are changes of status';

CREATE OR REPLACE FUNCTION planthub.apply_pick_confirmed(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    r record := planthub.resolve_lines(m, m.data->'lines', '/data/lines', 'transfer', false, true);
    found planthub.violation[] := r.violations || planthub.order_violations(m, m.data->>'order') || planthub.line_checks(m, r.lines, true);
BEGIN
    IF planthub.stops(m, found) THEN
        RETURN found;
    END IF;
    found := planthub.post_movements(m, r.lines, concat_ws('/', m.data->>'pick', m.data->>'task'), m.data->>'order', NULL, NULL, NULL, found);
    IF NOT planthub.stops(m, found) THEN
        INSERT INTO planthub.pick_task AS p (site, pick, task, message_id, order_no, delivery_no, outcome, complete, event_time)
        VALUES (m.site, m.data->>'pick', m.data->>'task', m.id, m.data->>'order', m.data->>'delivery', 'confirmed',
            coalesce((m.data->>'pick_complete')::boolean, false), m.event_time);
    END IF;
    RETURN found;
END
$$;
COMMENT ON FUNCTION planthub.apply_pick_confirmed(planthub.inbound) IS 'Effect of pick.confirmed: transfers to where the material is needed';

-- Corrections: a difference in either direction.
CREATE OR REPLACE FUNCTION planthub.apply_inventory_adjusted(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    minus boolean := left(m.data#>>'{delta,value}', 1) = '-';
    raw   jsonb := jsonb_build_array(jsonb_build_object('item', m.data->'item', 'lot', m.data->'lot',
        'qty', jsonb_build_object('value', ltrim(m.data#>>'{delta,value}', '-'), 'uom', m.data#>'{delta,uom}'),
        CASE WHEN minus THEN 'from' ELSE 'to' END, m.data->'location', 'status', coalesce(m.data->>'status', 'unrestricted')));
    r     record := planthub.resolve_lines(m, raw, '/data', 'adjust', false, false);
    bad   planthub.violation[] := planthub.point_to(r.violations, '/data/0/qty', '/data/delta', '/data/0', '/data') || planthub.line_checks(m, r.lines, false);
BEGIN
    IF planthub.stops(m, bad) THEN
        RETURN bad;
    END IF;
    RETURN planthub.post_movements(m, r.lines, concat_ws('/', m.data->>'document', m.data->>'line'), reason => m.data->>'reason', violations => bad);
END
$$;
COMMENT ON FUNCTION planthub.apply_inventory_adjusted(planthub.inbound) IS 'Effect of inventory.adjusted: a movement with a reason';

-- Events that are one line have no array; their pointers are made to fit.
CREATE OR REPLACE FUNCTION planthub.point_to(violations planthub.violation[], VARIADIC pairs text[]) RETURNS planthub.violation[]
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    i int;
    j int;
BEGIN
    FOR i IN 1..coalesce(cardinality(violations), 0) LOOP
        FOR j IN 1..cardinality(pairs) BY 2 LOOP
            IF starts_with(violations[i].pointer, pairs[j]) THEN
                violations[i].pointer := pairs[j + 1] || substr(violations[i].pointer, length(pairs[j]) + 1);
                EXIT;
            END IF;
        END LOOP;
    END LOOP;
    RETURN violations;
END
$$;
COMMENT ON FUNCTION planthub.point_to(planthub.violation[], text[]) IS 'Internal: replaces the beginning of pointers: the first pair that fits';

-- What the movements up to a time add up to for one stock key, in whatever order they were recorded: the balance of the
-- last entry before which nothing happened later, and of those after it what happened until then.  Reads what was recorded
-- since about that time, however much there was before.
CREATE OR REPLACE FUNCTION planthub.book_qty(site text, location text, item text, lot text, status text, at timestamptz) RETURNS numeric
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key   bigint;
    e     record;
    since numeric := 0;
BEGIN
    SELECT k.id INTO key FROM planthub.stock AS k
    WHERE k.site = book_qty.site AND k.location = book_qty.location AND k.item = book_qty.item AND k.lot = book_qty.lot AND k.status = book_qty.status AND k.owner = '';
    FOR e IN
        SELECT y.delta, y.balance, y.event_time, y.latest_time FROM planthub.stock_ledger AS y
        WHERE y.site = book_qty.site AND y.stock_id = key ORDER BY y.seq DESC
    LOOP
        IF e.latest_time <= at THEN
            RETURN e.balance + since;
        ELSIF e.event_time <= at THEN
            since := since + e.delta;
        END IF;
    END LOOP;
    RETURN since;
END
$$;
COMMENT ON FUNCTION planthub.book_qty(text, text, text, text, text, timestamptz) IS 'Internal: balance of a stock key at a time';

CREATE OR REPLACE FUNCTION planthub.apply_inventory_counted(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    counted jsonb := m.data->'counted';
    zero    boolean := planthub.quantity_value(counted->>'value') = 0;
    raw     jsonb := jsonb_build_array(jsonb_build_object('item', m.data->'item', 'lot', m.data->'lot', 'to', m.data->'location',
        'qty', CASE WHEN zero THEN jsonb_build_object('value', '1', 'uom', counted->'uom') ELSE counted END));
    r       record := planthub.resolve_lines(m, raw, '/data', 'adjust', false, false);
    lines   planthub.line[] := r.lines;
    bad     planthub.violation[] := planthub.point_to(r.violations, '/data/0/qty', '/data/counted', '/data/0', '/data') || planthub.line_checks(m, r.lines, false);
    at      timestamptz := m.data->>'counted_at';
    found_qty numeric;
    book    numeric;
BEGIN
    IF planthub.stops(m, bad) THEN
        RETURN bad;
    END IF;
    PERFORM planthub.lock_things('stock', ARRAY[planthub.stock_key(m.site, lines[1].to_location, lines[1].item, lines[1].lot, 'unrestricted')]);
    found_qty := CASE WHEN zero THEN 0 ELSE lines[1].base_qty END;
    book := planthub.book_qty(m.site, lines[1].to_location, lines[1].item, lines[1].lot, 'unrestricted', at);
    IF found_qty <> book THEN
        lines[1].base_qty := abs(found_qty - book);
        lines[1].qty := lines[1].base_qty;
        lines[1].uom := lines[1].base_uom;
        IF found_qty < book THEN
            lines[1].from_location := lines[1].to_location;
            lines[1].from_status := lines[1].to_status;
            lines[1].to_location := NULL;
            lines[1].to_status := NULL;
        END IF;
        bad := planthub.post_movements(m, lines, concat_ws('/', m.data->>'count', m.data->>'line'), reason => 'COUNT', violations => bad);
        IF planthub.stops(m, bad) THEN
            RETURN bad;
        END IF;
    END IF;
    INSERT INTO planthub.stock_count AS c (site, message_id, document, line, location, item, lot, counted, book, uom, counted_at)
    VALUES (m.site, m.id, m.data->>'count', coalesce(m.data->>'line', ''), m.data->>'location', lines[1].item, lines[1].lot, found_qty, book, lines[1].base_uom, at);
    RETURN bad;
END
$$;
COMMENT ON FUNCTION planthub.apply_inventory_counted(planthub.inbound) IS 'Effect of inventory.counted: the difference to what the books said at the time of counting';

-- What a system believes may be wrong in every way but its form: only unknown items and units are refused.
CREATE OR REPLACE FUNCTION planthub.apply_inventory_snapshot(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    bad planthub.violation[];
BEGIN
    SELECT array_agg(v) INTO bad
    FROM jsonb_array_elements(m.data->'lines') WITH ORDINALITY AS l (v, n)
    CROSS JOIN LATERAL (SELECT planthub.item_uom(l.v->>'item', m.event_time) AS uom) AS i
    CROSS JOIN LATERAL unnest(CASE WHEN i.uom IS NULL
        THEN planthub.violation('ITEM_UNKNOWN', format('/data/lines/%s/item', l.n - 1), format('Item "%s" does not exist.', l.v->>'item'), 'item', l.v->>'item')
        ELSE (planthub.check_quantity(jsonb_set(l.v->'qty', '{value}', to_jsonb(ltrim(l.v#>>'{qty,value}', '-'))), l.v->>'item', i.uom, format('/data/lines/%s/qty', l.n - 1), m.event_time, false)).violations END) AS v;
    IF bad IS NOT NULL THEN
        RETURN bad;
    END IF;
    INSERT INTO planthub.stock_snapshot AS s (site, system, snapshot, page, line, pages, as_of, location, item, lot, status, qty, uom, base_qty, message_id)
    SELECT m.site, m.system, m.data->>'snapshot_id', (m.data->>'page')::int, l.n, (m.data->>'pages')::int, (m.data->>'as_of')::timestamptz, l.v->>'location', l.v->>'item',
        coalesce(l.v->>'lot', ''), l.v->>'status', (l.v#>>'{qty,value}')::numeric, planthub.unit_code(l.v#>>'{qty,uom}'),
        planthub.base_qty(l.v->>'item', (l.v#>>'{qty,value}')::numeric, l.v#>>'{qty,uom}', planthub.item_uom(l.v->>'item', m.event_time), m.event_time), m.id
    FROM jsonb_array_elements(m.data->'lines') WITH ORDINALITY AS l (v, n);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION planthub.apply_inventory_snapshot(planthub.inbound) IS 'Effect of inventory.snapshot: rows to compare with';

CREATE OR REPLACE FUNCTION planthub.apply_pick_short(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    unit text := planthub.item_uom(m.data->>'item', m.event_time);
    bad  planthub.violation[] := planthub.order_violations(m, m.data->>'order');
BEGIN
    IF unit IS NULL THEN
        bad := bad || planthub.violation('ITEM_UNKNOWN', '/data/item', format('Item "%s" does not exist.', m.data->>'item'), 'item', m.data->>'item');
    ELSE
        bad := bad || (planthub.check_quantity(m.data->'requested', m.data->>'item', unit, '/data/requested', m.event_time, true)).violations
            || (planthub.check_quantity(m.data->'available', m.data->>'item', unit, '/data/available', m.event_time, false)).violations;
    END IF;
    IF planthub.stops(m, bad) THEN
        RETURN bad;
    END IF;
    INSERT INTO planthub.pick_task AS p (site, pick, task, message_id, order_no, outcome, item, requested, available, uom, reason, event_time)
    VALUES (m.site, m.data->>'pick', m.data->>'task', m.id, m.data->>'order', 'short', m.data->>'item', (m.data#>>'{requested,value}')::numeric,
        (planthub.base_qty(m.data->>'item', (m.data#>>'{available,value}')::numeric, m.data#>>'{available,uom}', planthub.unit_code(m.data#>>'{requested,uom}'), m.event_time)),
        planthub.unit_code(m.data#>>'{requested,uom}'), m.data->>'reason', m.event_time);
    RETURN bad;
END
$$;
COMMENT ON FUNCTION planthub.apply_pick_short(planthub.inbound) IS 'Effect of pick.short: what could not be picked, and why';
