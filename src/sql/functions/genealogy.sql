-- genealogy: lots that come to be, and which went into which.  Re-runnable.

-- Lots of lines that are not known yet.
CREATE OR REPLACE FUNCTION planthub.new_lots(m planthub.inbound, lines planthub.line[], origin text, order_no text DEFAULT NULL,
    supplier text DEFAULT NULL, supplier_lot text DEFAULT NULL, expiry date DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    brought text[];
    i       int;
BEGIN
    FOR i IN 1..coalesce(cardinality(lines), 0) LOOP
        IF lines[i].lot <> '' AND lines[i].lot_known IS NULL THEN
            brought := brought || concat_ws('/', m.site, lines[i].item, lines[i].lot);
        END IF;
    END LOOP;
    IF brought IS NULL THEN
        RETURN false;
    END IF;
    INSERT INTO planthub.lot AS t (site, item, lot, origin, supplier, supplier_lot, manufactured, expiry, order_no, message_id, event_time)
    SELECT DISTINCT m.site, l.item, l.lot, new_lots.origin, new_lots.supplier, new_lots.supplier_lot,
        CASE WHEN new_lots.origin IN ('produced', 'rework') THEN (m.event_time AT TIME ZONE coalesce(m.timezone, 'UTC'))::date END,
        coalesce(new_lots.expiry, CASE WHEN new_lots.origin IN ('produced', 'rework') THEN (m.event_time AT TIME ZONE coalesce(m.timezone, 'UTC'))::date + i.shelf_life_days END),
        new_lots.order_no, m.id, m.event_time
    FROM unnest(lines) AS l
    LEFT JOIN LATERAL (SELECT x.shelf_life_days FROM planthub.item AS x
        WHERE x.item = l.item AND x.valid_from <= m.event_time AND m.event_time < x.valid_to LIMIT 1) AS i ON true
    WHERE l.lot <> '' AND l.lot_known IS NULL
    ON CONFLICT ON CONSTRAINT lot_pkey DO NOTHING;
    RETURN planthub.bring('lot', brought);
END
$$;
COMMENT ON FUNCTION planthub.new_lots(planthub.inbound, planthub.line[], text, text, text, text, date) IS 'Creates the lots of lines that are not known yet, and releases events that wait for them';

CREATE OR REPLACE FUNCTION planthub.lot_keys(m planthub.inbound, lines planthub.line[]) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    keys text[];
    i    int;
BEGIN
    FOR i IN 1..coalesce(cardinality(lines), 0) LOOP
        keys := keys || concat_ws('/', m.site, lines[i].item, lines[i].lot);
    END LOOP;
    RETURN keys;
END
$$;
COMMENT ON FUNCTION planthub.lot_keys(planthub.inbound, planthub.line[]) IS 'Internal: keys under which events wait for the lots of lines, or their output';

CREATE OR REPLACE FUNCTION planthub.may_close_circle(event planthub.inbound, inputs planthub.line[], outputs planthub.line[]) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'planthub_may_close_circle';
COMMENT ON FUNCTION planthub.may_close_circle(planthub.inbound, planthub.line[], planthub.line[]) IS
'Internal: whether a lot that comes out also goes in, or went into something before; locks the lots';

CREATE OR REPLACE FUNCTION planthub.append_edges(event planthub.inbound, kind text, inputs planthub.line[], goal planthub.line[], order_no text,
    operation text, first_line int) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'planthub_append_edges';
COMMENT ON FUNCTION planthub.append_edges(planthub.inbound, text, planthub.line[], planthub.line[], text, text, int) IS
'Internal: writes that the lots of the inputs went into the one of the goal';

-- Whether one of the lots that come out is, or went into, one of those that go in.
CREATE OR REPLACE FUNCTION planthub.cycle_violations(m planthub.inbound, inputs planthub.line[], outputs planthub.line[]) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    bad planthub.violation[];
BEGIN
    IF NOT planthub.may_close_circle(m, inputs, outputs) THEN
        RETURN NULL;
    END IF;
    WITH RECURSIVE below (item, lot) AS (
        SELECT x.item COLLATE "C", x.lot COLLATE "C" FROM unnest(outputs) AS x WHERE x.lot <> ''
        UNION
        SELECT e.to_item, e.to_lot FROM below AS b JOIN planthub.edge AS e ON e.site = m.site AND e.from_item = b.item AND e.from_lot = b.lot
        WHERE NOT EXISTS (SELECT FROM planthub.reversal AS r WHERE r.site = m.site AND r.target = e.message_id))
    SELECT array_agg(ROW('GENEALOGY_CYCLE', x.pointer || '/lot', format('Lot "%s" of item "%s" came from what is made of it.', x.lot, x.item), NULL, NULL)::planthub.violation ORDER BY x.n)
    INTO bad
    FROM unnest(inputs) AS x JOIN below AS b ON b.item = x.item AND b.lot = x.lot WHERE x.lot <> '';
    RETURN bad;
END
$$;
COMMENT ON FUNCTION planthub.cycle_violations(planthub.inbound, planthub.line[], planthub.line[]) IS 'Lots that would become their own ancestors';

-- inputs x outputs; quantities are known when there is one output.
CREATE OR REPLACE FUNCTION planthub.write_edges(m planthub.inbound, kind text, inputs planthub.line[], outputs planthub.line[], order_no text DEFAULT NULL,
    operation text DEFAULT NULL, first_line int DEFAULT 1) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    goals int;
BEGIN
    IF cardinality(outputs) = 1 AND outputs[1].lot <> '' THEN   -- the usual case
        RETURN planthub.append_edges(m, kind, inputs, outputs, order_no, operation, first_line);
    END IF;
    SELECT count(DISTINCT (o.item, o.lot)) INTO goals FROM unnest(outputs) AS o WHERE o.lot <> '';
    INSERT INTO planthub.edge AS e (site, message_id, line, from_item, from_lot, to_item, to_lot, kind, method, qty, uom, order_no, operation, component_line, event_time, recorded_at)
    SELECT m.site, m.id, first_line - 1 + row_number() OVER (ORDER BY i.n, o.item, o.lot), i.item, i.lot, o.item, o.lot,
        CASE WHEN goals > 1 AND write_edges.kind = 'consumed_to_produced' THEN 'transformation_unspecified' ELSE write_edges.kind END,
        CASE WHEN goals > 1 THEN 'unknown' ELSE 'measured' END, CASE WHEN goals = 1 THEN i.base_qty END, i.base_uom,
        write_edges.order_no, write_edges.operation, i.component_line, m.event_time, now()
    FROM unnest(inputs) AS i CROSS JOIN (SELECT DISTINCT x.item, x.lot FROM unnest(outputs) AS x WHERE x.lot <> '') AS o
    WHERE i.lot <> '';
    RETURN true;
END
$$;
COMMENT ON FUNCTION planthub.write_edges(planthub.inbound, text, planthub.line[], planthub.line[], text, text, int) IS
'Writes that the lots of the inputs went into those of the outputs; with several outputs it is not known how much of which';

-- What was consumed goes into the output of the event, or waits for one; earlier consumption that waits is tied to it.
CREATE OR REPLACE FUNCTION planthub.tie_consumption(m planthub.inbound, order_no text, operation text, consumed planthub.line[], output planthub.line[]) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    waiting planthub.line[];
    written boolean;
BEGIN
    IF output IS NULL THEN
        INSERT INTO planthub.pending_consumption AS p (site, order_no, message_id, line, operation, item, lot, qty, uom, component_line, event_time)
        SELECT m.site, tie_consumption.order_no, m.id, l.n, tie_consumption.operation, l.item, l.lot, l.base_qty, l.base_uom, l.component_line, m.event_time
        FROM unnest(consumed) AS l WHERE l.lot <> '';
        RETURN true;
    END IF;
    IF consumed IS NOT NULL THEN
        written := planthub.write_edges(m, 'consumed_to_produced', consumed, output, order_no, operation);
    END IF;
    IF EXISTS (SELECT FROM planthub.pending_consumption AS p WHERE p.site = m.site AND p.order_no = tie_consumption.order_no AND p.tied_by IS NULL) THEN
        WITH tied AS (
            UPDATE planthub.pending_consumption AS p SET tied_by = m.id
            WHERE p.site = m.site AND p.order_no = tie_consumption.order_no AND p.tied_by IS NULL AND (p.operation IS NULL OR p.operation = tie_consumption.operation) RETURNING p.*)
        SELECT array_agg(jsonb_populate_record(NULL::planthub.line, jsonb_build_object('n', t.n, 'item', t.item, 'lot', t.lot, 'base_qty', t.qty, 'base_uom', t.uom,
            'component_line', t.component_line))) INTO waiting
        FROM (SELECT row_number() OVER (ORDER BY x.message_id, x.line) AS n, x.* FROM tied AS x) AS t;
        IF waiting IS NOT NULL AND planthub.cycle_violations(m, waiting, output) IS NULL THEN
            PERFORM planthub.write_edges(m, 'consumed_to_produced', waiting, output, order_no, operation, coalesce(cardinality(consumed), 0) * cardinality(output) + 1);
        END IF;
    END IF;
    RETURN true;
END
$$;
COMMENT ON FUNCTION planthub.tie_consumption(planthub.inbound, text, text, planthub.line[], planthub.line[]) IS 'Internal: edges from what was consumed to what came out';

CREATE OR REPLACE VIEW planthub.genealogy_edge AS
SELECT e.from_item, e.from_lot, e.to_item, e.to_lot, e.kind, e.qty, e.uom, e.site, e.order_no, e.operation, e.component_line, e.method, e.message_id, e.line,
       e.event_time, e.recorded_at, r.message_id AS reversed_by
FROM planthub.edge AS e LEFT JOIN planthub.reversal AS r ON r.site = e.site AND r.target = e.message_id;
COMMENT ON VIEW planthub.genealogy_edge IS 'Which lots went into which, also what was taken back';
COMMENT ON COLUMN planthub.genealogy_edge.from_item IS 'Item that went in';
COMMENT ON COLUMN planthub.genealogy_edge.from_lot IS 'Lot that went in';
COMMENT ON COLUMN planthub.genealogy_edge.to_item IS 'Item that came out';
COMMENT ON COLUMN planthub.genealogy_edge.to_lot IS 'Lot that came out';
COMMENT ON COLUMN planthub.genealogy_edge.kind IS 'consumed_to_produced, assembled, split, merge, rework, regrade, relabel, supplier, sampled or transformation_unspecified';
COMMENT ON COLUMN planthub.genealogy_edge.qty IS 'How much went in; null: not known';
COMMENT ON COLUMN planthub.genealogy_edge.uom IS 'Base unit of the item that went in';
COMMENT ON COLUMN planthub.genealogy_edge.site IS 'Site';
COMMENT ON COLUMN planthub.genealogy_edge.order_no IS 'Order';
COMMENT ON COLUMN planthub.genealogy_edge.operation IS 'Operation';
COMMENT ON COLUMN planthub.genealogy_edge.component_line IS 'Line of the component';
COMMENT ON COLUMN planthub.genealogy_edge.method IS 'How the quantity is known: measured, proportional, fifo, declared or unknown';
COMMENT ON COLUMN planthub.genealogy_edge.message_id IS 'Message that told';
COMMENT ON COLUMN planthub.genealogy_edge.line IS 'Number of the edge within the message';
COMMENT ON COLUMN planthub.genealogy_edge.event_time IS 'When it happened';
COMMENT ON COLUMN planthub.genealogy_edge.recorded_at IS 'When the hub recorded it';
COMMENT ON COLUMN planthub.genealogy_edge.reversed_by IS 'Message that took it back; null: it stands';
