-- receipt: from the notice of the supplier to the stock in the warehouse.  Re-runnable.

CREATE OR REPLACE VIEW planthub.asn_status AS
SELECT a.site, a.asn, a.supplier, a.purchase_order, a.eta,
    CASE WHEN a.closed_at IS NOT NULL AND (coalesce(r.received, 0) <> coalesce(l.announced, 0) OR d.reported) THEN 'closed_with_discrepancy'
         WHEN a.closed_at IS NOT NULL OR r.received >= l.announced THEN 'closed'
         WHEN r.received > 0 THEN 'receiving'
         WHEN a.accepted_at IS NOT NULL THEN 'accepted'
         ELSE 'announced' END AS state,
    coalesce(l.announced, 0) AS announced_qty, coalesce(r.received, 0) AS received_qty, a.expected_receipt, a.message_id
FROM planthub.asn AS a
LEFT JOIN LATERAL (SELECT sum(x.qty) AS announced FROM planthub.asn_line AS x WHERE x.site = a.site AND x.asn = a.asn) AS l ON true
LEFT JOIN LATERAL (SELECT sum(x.qty) AS received FROM planthub.receipt_line AS x WHERE x.site = a.site AND x.asn = a.asn) AS r ON true
CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM planthub.receipt_discrepancy AS x WHERE x.site = a.site AND x.asn = a.asn) AS reported) AS d;
COMMENT ON VIEW planthub.asn_status IS 'Announced shipments and how much of each has come';
COMMENT ON COLUMN planthub.asn_status.site IS 'Site';
COMMENT ON COLUMN planthub.asn_status.asn IS 'Number of the notice';
COMMENT ON COLUMN planthub.asn_status.supplier IS 'Party that sends it';
COMMENT ON COLUMN planthub.asn_status.purchase_order IS 'Purchase order';
COMMENT ON COLUMN planthub.asn_status.eta IS 'When it is expected';
COMMENT ON COLUMN planthub.asn_status.state IS 'announced, accepted, receiving, closed or closed_with_discrepancy';
COMMENT ON COLUMN planthub.asn_status.announced_qty IS 'Announced, over all lines';
COMMENT ON COLUMN planthub.asn_status.received_qty IS 'Received, over all lines';
COMMENT ON COLUMN planthub.asn_status.expected_receipt IS 'Number of the receipt in the warehouse';
COMMENT ON COLUMN planthub.asn_status.message_id IS 'First message about it';

-- A receipt may leave out the purchase order and its line: then its notice tells them, if it announces the item for one
-- line only.  A notice that is closed brings nothing more.
CREATE OR REPLACE VIEW planthub.purchase_order_line AS
WITH announced AS (
    SELECT l.site, l.asn, a.purchase_order, l.po_line, l.item, a.supplier, l.uom, sum(l.qty) AS qty, a.closed_at IS NULL AS open
    FROM planthub.asn_line AS l JOIN planthub.asn AS a ON a.site = l.site AND a.asn = l.asn
    GROUP BY l.site, l.asn, a.purchase_order, l.po_line, l.item, a.supplier, l.uom, a.closed_at
), received AS (
    SELECT r.site, r.asn, coalesce(r.purchase_order, n.purchase_order) AS purchase_order, coalesce(r.po_line, n.po_line) AS po_line, r.item, r.uom,
        max(r.supplier) AS supplier, sum(r.qty) AS qty
    FROM planthub.receipt_line AS r
    LEFT JOIN LATERAL (SELECT min(a.purchase_order) AS purchase_order, CASE WHEN count(*) = 1 THEN min(a.po_line) END AS po_line FROM announced AS a
                       WHERE a.site = r.site AND a.asn = r.asn AND a.item = r.item) AS n ON true
    GROUP BY 1, 2, 3, 4, 5, 6
)
SELECT coalesce(a.site, r.site) AS site, coalesce(a.purchase_order, r.purchase_order) AS purchase_order, coalesce(a.po_line, r.po_line) AS po_line,
    coalesce(a.item, r.item) AS item, max(coalesce(a.supplier, r.supplier)) AS supplier, coalesce(sum(a.qty), 0) AS announced_qty,
    coalesce(sum(r.qty), 0) AS received_qty, coalesce(sum(greatest(a.qty - coalesce(r.qty, 0), 0)) FILTER (WHERE a.open), 0) AS open_qty,
    coalesce(a.uom, r.uom) AS uom
FROM announced AS a
FULL JOIN received AS r ON r.site = a.site AND r.asn = a.asn AND r.purchase_order = a.purchase_order AND r.po_line = a.po_line AND r.item = a.item
    AND r.uom = a.uom
WHERE coalesce(a.purchase_order, r.purchase_order) IS NOT NULL
GROUP BY 1, 2, 3, 4, coalesce(a.uom, r.uom);
COMMENT ON VIEW planthub.purchase_order_line IS 'Lines of purchase orders as far as notices and receipts name them: what was announced, what has come, what is still on its way';
COMMENT ON COLUMN planthub.purchase_order_line.site IS 'Site';
COMMENT ON COLUMN planthub.purchase_order_line.purchase_order IS 'Purchase order';
COMMENT ON COLUMN planthub.purchase_order_line.po_line IS 'Its line; null: receipts that do not tell';
COMMENT ON COLUMN planthub.purchase_order_line.item IS 'Item';
COMMENT ON COLUMN planthub.purchase_order_line.supplier IS 'Party that delivers; null: no notice has told it';
COMMENT ON COLUMN planthub.purchase_order_line.announced_qty IS 'Announced by all notices';
COMMENT ON COLUMN planthub.purchase_order_line.received_qty IS 'Received, also without a notice';
COMMENT ON COLUMN planthub.purchase_order_line.open_qty IS 'Announced by notices that are not closed, and not received yet';
COMMENT ON COLUMN planthub.purchase_order_line.uom IS 'Base unit of the item';

-- The supplier speaks of its own items: its cross-reference tells ours, else the GTIN does.
CREATE OR REPLACE FUNCTION planthub.supplier_item(m planthub.inbound, supplier text, code text, gtin text) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH known AS MATERIALIZED (
        SELECT x.canonical FROM planthub.xref_find('item', code, m.system, m.site, supplier, m.event_time) AS x)
    SELECT coalesce((SELECT array_agg(k.canonical) FROM known AS k),
                    (SELECT array_agg(t.item) FROM planthub.item AS t
                     WHERE t.gtin = supplier_item.gtin AND m.event_time >= t.valid_from AND m.event_time < t.valid_to), '{}')
$$;
COMMENT ON FUNCTION planthub.supplier_item(planthub.inbound, text, text, text) IS 'Internal: items that a code of a supplier may mean';

CREATE OR REPLACE FUNCTION planthub.asn_entries(m planthub.inbound)
RETURNS TABLE (n int, unit_pointer text, pointer text, sscc text, entry jsonb, items text[])
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT row_number() OVER (ORDER BY u.n, l.n)::int, '/data/handling_units/' || u.n - 1,
        format('/data/handling_units/%s/lines/%s', u.n - 1, l.n - 1), u.value->>'sscc', l.value,
        planthub.supplier_item(m, m.data->>'supplier', l.value->>'item_supplier', l.value->>'gtin')
    FROM jsonb_array_elements(m.data->'handling_units') WITH ORDINALITY AS u (value, n)
    CROSS JOIN jsonb_array_elements(u.value->'lines') WITH ORDINALITY AS l (value, n)
$$;
COMMENT ON FUNCTION planthub.asn_entries(planthub.inbound) IS 'Internal: the lines of a notice with the items they may mean';

CREATE OR REPLACE FUNCTION planthub.check_asn(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT array_agg(v ORDER BY (v).pointer) FROM (
            SELECT ROW('MAPPING_MISSING', e.pointer || '/item_supplier', format('Item %s of supplier %s has no entry in the cross-reference%s.',
                       e.entry->>'item_supplier', m.data->>'supplier', CASE WHEN e.entry->>'gtin' IS NULL THEN '' ELSE ', and its GTIN is unknown' END),
                       'xref', 'item/' || (e.entry->>'item_supplier'))::planthub.violation AS v
            FROM planthub.asn_entries(m) AS e WHERE e.items = '{}'
            UNION ALL
            SELECT ROW('MAPPING_AMBIGUOUS', e.pointer || '/item_supplier', format('Item %s of supplier %s means %s.', e.entry->>'item_supplier',
                       m.data->>'supplier', array_to_string(e.items, ' and ')), NULL, NULL)::planthub.violation
            FROM planthub.asn_entries(m) AS e WHERE cardinality(e.items) > 1
            UNION ALL
            SELECT DISTINCT ROW('HU_CHECK_DIGIT', e.unit_pointer || '/sscc', format('The check digit of %s is wrong.', e.sscc), NULL, NULL)::planthub.violation
            FROM planthub.asn_entries(m) AS e WHERE NOT planthub.is_sscc(e.sscc)) AS x);
END
$$;
COMMENT ON FUNCTION planthub.check_asn(planthub.inbound) IS 'Internal: the rules about items and handling units of a notice';

CREATE OR REPLACE FUNCTION planthub.apply_asn_received(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    number  text := m.data->>'asn';
    version bigint := coalesce((m.data->>'version')::bigint, 1);
    broken  planthub.violation[] := planthub.check_party(m, 'supplier') || planthub.check_asn(m);
    known   bigint;
    r       record;
BEGIN
    SELECT a.version INTO known FROM planthub.asn AS a WHERE a.site = m.site AND a.asn = number;
    IF known >= version THEN
        broken := broken || planthub.violation('ORDER_VERSION_STALE', '/data/version', format('Version %s of notice %s is known already.', known, number));
    END IF;
    IF planthub.stops(m, broken) THEN
        RETURN broken;
    END IF;
    r := planthub.resolve_lines(m, (SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object('item', e.items[1], 'lot', e.entry->'supplier_lot',
                                          'qty', e.entry->'qty', 'serials', e.entry->'serials')) ORDER BY e.n) FROM planthub.asn_entries(m) AS e),
        '/data/handling_units/lines', 'receipt_from_supplier', true, false);
    broken := broken || ARRAY(SELECT ROW(v.code, regexp_replace(v.pointer, '^/data/handling_units/lines/\d+', e.pointer), v.detail, v.kind, v.key)::planthub.violation
                              FROM unnest(planthub.without_lots(r.violations)) AS v JOIN planthub.asn_entries(m) AS e ON e.n = split_part(v.pointer, '/', 5)::int + 1);
    IF planthub.stops(m, broken) THEN
        RETURN broken;
    END IF;
    INSERT INTO planthub.asn AS a (site, asn, supplier, version, purchase_order, shipped_at, eta, message_id)
    VALUES (m.site, number, m.data->>'supplier', version, m.data->>'purchase_order', (m.data->>'ship_date')::timestamptz, (m.data->>'eta')::timestamptz, m.id)
    ON CONFLICT ON CONSTRAINT asn_pkey DO UPDATE SET supplier = excluded.supplier, version = excluded.version,
        purchase_order = excluded.purchase_order, shipped_at = excluded.shipped_at, eta = excluded.eta;
    DELETE FROM planthub.asn_line AS l WHERE l.site = m.site AND l.asn = number;
    INSERT INTO planthub.asn_line (site, asn, line_no, sscc, po_line, item, supplier_item, supplier_lot, expiry, qty, uom)
    SELECT m.site, number, e.n, e.sscc, e.entry->>'po_line', l.item, e.entry->>'item_supplier', e.entry->>'supplier_lot', (e.entry->>'expiry')::date,
        l.base_qty, l.base_uom
    FROM planthub.asn_entries(m) AS e JOIN unnest(r.lines) AS l ON l.n = e.n;
    PERFORM planthub.bring('asn', ARRAY[concat_ws('/', m.site, number)]);
    RETURN broken;
END
$$;
COMMENT ON FUNCTION planthub.apply_asn_received(planthub.inbound) IS 'Internal: effect of asn.received; the highest version holds';

CREATE OR REPLACE FUNCTION planthub.apply_receipt_expected_accepted(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    broken planthub.violation[] := planthub.check_notice(m);
BEGIN
    IF planthub.stops(m, broken) THEN
        RETURN broken;
    END IF;
    UPDATE planthub.asn AS a SET accepted_at = m.event_time, expected_receipt = m.data->>'wms_receipt'
    WHERE a.site = m.site AND a.asn = m.data->>'asn';
    INSERT INTO planthub.xref (set, system, scope, code, value, message_id)
    SELECT 'document', m.system, m.site, m.data->>'wms_receipt', m.data->'asn', m.id
    WHERE NOT EXISTS (SELECT FROM planthub.xref_find('document', m.data->>'wms_receipt', m.system, m.site));
    RETURN broken;
END
$$;
COMMENT ON FUNCTION planthub.apply_receipt_expected_accepted(planthub.inbound) IS 'Internal: effect of receipt.expected_accepted';

CREATE OR REPLACE FUNCTION planthub.check_notice(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE WHEN NOT EXISTS (SELECT FROM planthub.asn AS a WHERE a.site = m.site AND a.asn = m.data->>'asn') THEN
        planthub.violation('MAPPING_MISSING', '/data/asn', format('Notice "%s" is not known.', m.data->>'asn'), 'asn', concat_ws('/', m.site, m.data->>'asn')) END;
END
$$;
COMMENT ON FUNCTION planthub.check_notice(planthub.inbound) IS 'Internal: waits for a notice that is not known yet';

-- Received may be what is announced for the line of the purchase order, and the tolerance of the site.
CREATE OR REPLACE FUNCTION planthub.check_receipt(m planthub.inbound, own planthub.line) RETURNS planthub.violation[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    announced numeric;
    received  numeric;
BEGIN
    IF m.data->>'asn' IS NULL THEN
        RETURN CASE WHEN m.data->>'purchase_order' IS NULL THEN
            planthub.violation('RECEIPT_WITHOUT_ASN', '/data', 'The receipt names neither a notice nor a purchase order.') END;
    END IF;
    SELECT sum(l.qty) INTO announced FROM planthub.asn_line AS l
    WHERE l.site = m.site AND l.asn = m.data->>'asn' AND l.item = own.item AND (m.data->>'po_line' IS NULL OR l.po_line = m.data->>'po_line');
    IF announced IS NULL THEN
        IF EXISTS (SELECT FROM planthub.asn AS a WHERE a.site = m.site AND a.asn = m.data->>'asn') THEN
            RETURN planthub.violation('ASN_OVER_RECEIPT', '/data/item', format('Notice "%s" does not announce %s.', m.data->>'asn', own.item));
        END IF;
        RETURN planthub.check_notice(m);
    END IF;
    SELECT coalesce(sum(r.qty), 0) INTO received FROM planthub.receipt_line AS r
    WHERE r.site = m.site AND r.asn = m.data->>'asn' AND r.item = own.item AND (m.data->>'po_line' IS NULL OR r.po_line = m.data->>'po_line');
    IF received + own.base_qty > announced * (1 + coalesce((m.policies->>'over_receipt_tolerance_pct')::numeric, 0) / 100) THEN
        RETURN planthub.violation('ASN_OVER_RECEIPT', '/data/qty', format('%s %s would be received of %s announced.',
            trim_scale(received + own.base_qty), own.base_uom, trim_scale(announced)));
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION planthub.check_receipt(planthub.inbound, planthub.line) IS 'Internal: the rules ASN_OVER_RECEIPT and RECEIPT_WITHOUT_ASN';

CREATE OR REPLACE FUNCTION planthub.apply_receipt_posted(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    r        record := planthub.event_lines(m, '', 'receipt_from_supplier', jsonb_build_object('to_location', m.data->'location',
                                            'to_status', m.data->'stock_status'), may_create => true);
    own      planthub.line := r.lines[1];
    broken   planthub.violation[] := r.violations || planthub.check_sscc(m.data->>'sscc', '/data/sscc');
    supplier text := (SELECT a.supplier FROM planthub.asn AS a WHERE a.site = m.site AND a.asn = m.data->>'asn');
BEGIN
    IF own.base_qty IS NOT NULL THEN
        broken := broken || planthub.check_receipt(m, own);
    END IF;
    IF planthub.stops(m, broken) THEN
        RETURN broken;
    END IF;
    broken := planthub.post_movements(m, r.lines, concat_ws('/', m.data->>'receipt', m.data->>'line'), violations => broken);
    IF planthub.stops(m, broken) THEN
        RETURN broken;
    END IF;
    PERFORM planthub.receipt_lot(m, own, supplier);
    INSERT INTO planthub.receipt_line (site, receipt, line_no, source, asn, purchase_order, po_line, sscc, item, lot, supplier, supplier_lot, qty, uom,
        condition, location, status, event_time, message_id)
    VALUES (m.site, m.data->>'receipt', m.data->>'line', m.source, m.data->>'asn', m.data->>'purchase_order', m.data->>'po_line', m.data->>'sscc',
        own.item, nullif(own.lot, ''), supplier, m.data->>'supplier_lot', own.base_qty, own.base_uom, m.data->>'condition', own.to_location, own.to_status,
        m.event_time, m.id);
    IF (m.data->>'closes_asn')::boolean THEN
        UPDATE planthub.asn AS a SET closed_at = coalesce(a.closed_at, m.event_time) WHERE a.site = m.site AND a.asn = m.data->>'asn';
    END IF;
    IF own.to_status = 'unrestricted' THEN
        PERFORM planthub.publish_availability(m, own.item, own.lot, own.base_qty, own.base_uom);
    END IF;
    RETURN broken;
END
$$;
COMMENT ON FUNCTION planthub.apply_receipt_posted(planthub.inbound) IS 'Internal: effect of receipt.posted: stock, the own lot and its link to the lot of the supplier';

-- The lot of the supplier is not ours, and may have the number of one of ours: it stands in the graph under the supplier.
CREATE OR REPLACE FUNCTION planthub.receipt_lot(m planthub.inbound, own planthub.line, supplier text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF own.lot <> '' THEN
        INSERT INTO planthub.lot AS o (site, item, lot, origin, supplier, supplier_lot, expiry, message_id, event_time)
        VALUES (m.site, own.item, own.lot, 'received', receipt_lot.supplier, m.data->>'supplier_lot', (m.data->>'expiry')::date, m.id, m.event_time)
        ON CONFLICT ON CONSTRAINT lot_pkey DO UPDATE SET supplier = coalesce(o.supplier, excluded.supplier),
            supplier_lot = coalesce(o.supplier_lot, excluded.supplier_lot), expiry = coalesce(o.expiry, excluded.expiry);
        PERFORM planthub.bring('lot', ARRAY[concat_ws('/', m.site, own.item, own.lot)]);
        INSERT INTO planthub.edge (site, message_id, line, from_item, from_lot, to_item, to_lot, kind, qty, uom, event_time, recorded_at)
        SELECT m.site, m.id, 1, concat(receipt_lot.supplier, '/', own.item), m.data->>'supplier_lot', own.item, own.lot, 'supplier',
            own.base_qty, own.base_uom, m.event_time, now()
        WHERE m.data->>'supplier_lot' IS NOT NULL;
    END IF;
    PERFORM planthub.bring('lot_stock', ARRAY[concat_ws('/', m.site, own.item, own.lot)]);
END
$$;
COMMENT ON FUNCTION planthub.receipt_lot(planthub.inbound, planthub.line, text) IS 'Internal: the own lot of a receipt, and its edge from the lot of the supplier';

-- A case for the buyer; the planner learns of what is missing at once; the message itself goes to ERP and supplier.
CREATE OR REPLACE FUNCTION planthub.apply_receipt_discrepancy_reported(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    item     text := (SELECT r.item FROM planthub.receipt_line AS r
                      WHERE r.site = m.site AND r.receipt = m.data->>'receipt' AND r.line_no = m.data->>'line' LIMIT 1);
    uom      text := planthub.unit_code(m.data #>> '{expected,uom}');
    expected record := planthub.check_quantity(m.data->'expected', item, uom, '/data/expected', m.event_time, false);
    received record := planthub.check_quantity(m.data->'received', item, uom, '/data/received', m.event_time, false);
    damaged  record := planthub.check_quantity(m.data->'damaged', item, uom, '/data/damaged', m.event_time, false);
    broken   planthub.violation[] := expected.violations || received.violations || damaged.violations;
BEGIN
    IF planthub.stops(m, broken) THEN
        RETURN broken;
    END IF;
    INSERT INTO planthub.receipt_discrepancy (site, message_id, receipt, line_no, asn, expected_qty, received_qty, damaged_qty, uom, reason, event_time)
    VALUES (m.site, m.id, m.data->>'receipt', m.data->>'line', m.data->>'asn', expected.base_qty, received.base_qty, coalesce(damaged.base_qty, 0),
        uom, m.data->>'reason', m.event_time);
    PERFORM planthub.open_case(m.site, 'RECEIPT_DISCREPANCY', 'receipt', concat_ws('/', m.data->>'receipt', m.data->>'line'),
        format('%s of %s %s received, %s damaged: %s', trim_scale(received.base_qty), trim_scale(expected.base_qty), uom,
            trim_scale(coalesce(damaged.base_qty, 0)), m.data->>'reason'));
    IF item IS NOT NULL AND received.base_qty < expected.base_qty THEN
        PERFORM planthub.publish_availability(m, item, NULL, received.base_qty - expected.base_qty, uom);
    END IF;
    RETURN broken;
END
$$;
COMMENT ON FUNCTION planthub.apply_receipt_discrepancy_reported(planthub.inbound) IS 'Internal: effect of receipt.discrepancy_reported';
