-- epcis: EPCIS 2.0 documents of partners: lots that went into others, what is in handling units, status of lots.  Stock is not
-- moved by them.  Re-runnable.

-- Identifiers: GS1 EPC URIs (EPC Tag Data Standard 2.0, clause 6) and GS1 Digital Link URIs.

CREATE OR REPLACE FUNCTION planthub.gs1_code(body text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN body || (SELECT (10 - sum(substr(body, n, 1)::int * CASE WHEN (length(body) - n) % 2 = 0 THEN 3 ELSE 1 END) % 10) % 10
                    FROM generate_series(1, length(body)) AS n);
END
$$;
COMMENT ON FUNCTION planthub.gs1_code(text) IS 'Internal: a GTIN or SSCC of all its digits but the last, with its check digit';

CREATE OR REPLACE FUNCTION planthub.uri_decode(part text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT convert_from(string_agg(CASE WHEN p[1] ~ '^%.' THEN decode(substr(p[1], 2), 'hex') ELSE convert_to(p[1], 'UTF8') END, ''::bytea ORDER BY n), 'UTF8')
            FROM regexp_matches(part, '%[0-9a-fA-F]{2}|[^%]+|%', 'g') WITH ORDINALITY AS x (p, n));
EXCEPTION WHEN character_not_in_repertoire THEN
    RETURN part;
END
$$;
COMMENT ON FUNCTION planthub.uri_decode(text) IS 'Internal: a part of a URI without percent-encoding; as it is when it encodes no text';

-- code: what the cross-reference calls an item when the URI has no GTIN, the last segment is the lot then.
CREATE OR REPLACE FUNCTION planthub.epcis_identifier(uri text, OUT gtin text, OUT lot text, OUT serial text, OUT sscc text, OUT code text)
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    p text[] := regexp_match(uri, '^urn:epc:(?:id|class|idpat):(sgtin|lgtin|sscc):(\d{6,12})\.(\d+)(?:\.(.+))?$');
BEGIN
    IF p[1] = 'sscc' AND length(p[2] || p[3]) = 17 AND p[4] IS NULL THEN
        sscc := planthub.gs1_code(left(p[3], 1) || p[2] || substr(p[3], 2));
    ELSIF p[1] <> 'sscc' AND length(p[2] || p[3]) = 13 AND p[4] IS NOT NULL THEN
        gtin := planthub.gs1_code(left(p[3], 1) || p[2] || substr(p[3], 2));
        lot := CASE WHEN p[1] = 'lgtin' THEN planthub.uri_decode(p[4]) END;
        serial := CASE WHEN p[1] = 'sgtin' AND p[4] <> '*' THEN planthub.uri_decode(p[4]) END;
    ELSIF p IS NULL AND uri ~ '^https?://[^?#]+/00/\d{18}([/?#]|$)' THEN
        sscc := substring(uri, '/00/(\d{18})');
    ELSIF p IS NULL AND uri ~ '^https?://[^?#]+/01/\d{8,14}([/?#]|$)' THEN
        gtin := lpad(substring(uri, '/01/(\d{8,14})'), 14, '0');
        lot := planthub.uri_decode(substring(uri, '/01/\d+(?:/\d+/[^/?#]+)*?/10/([^/?#]+)'));
        serial := planthub.uri_decode(substring(uri, '/01/\d+(?:/\d+/[^/?#]+)*?/21/([^/?#]+)'));
    ELSIF p IS NULL AND uri ~ '^https?://[^/?#]+/[^?#]+/[^/?#]+$' THEN
        code := substring(uri, '^(.+)/[^/]+$');
        lot := planthub.uri_decode(substring(uri, '([^/]+)$'));
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.epcis_identifier(text) IS 'Internal: what an identifier of EPCIS names; all null when it is none that the hub knows';

CREATE OR REPLACE FUNCTION planthub.epcis_items(m planthub.inbound, gtin text, code text) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found text[];
BEGIN
    SELECT array_agg(i.item) INTO found FROM planthub.item AS i
    WHERE lpad(i.gtin, 14, '0') = epcis_items.gtin AND i.valid_from <= m.event_time AND m.event_time < i.valid_to;
    IF found IS NULL THEN
        SELECT array_agg(x.canonical) INTO found
        FROM planthub.xref_find('item', coalesce(epcis_items.gtin, epcis_items.code), m.system, m.site, NULL, m.event_time) AS x;
    END IF;
    RETURN found;
END
$$;
COMMENT ON FUNCTION planthub.epcis_items(planthub.inbound, text, text) IS 'Internal: items that have a GTIN, or that the cross-reference has for it';

-- Lines of the identifiers and of the quantities of an event; handling units among the identifiers come apart.
CREATE OR REPLACE FUNCTION planthub.epcis_lines(m planthub.inbound, place text, epcs text, quantities text, may_create boolean,
    OUT lines planthub.line[], OUT units text[], OUT violations planthub.violation[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    r        record;
    t        record;
    items    text[];
    raw      jsonb := '[]';
    pointers text[];
    name     text;
BEGIN
    FOR r IN
        SELECT concat_ws('/', place, epcs, n - 1) AS pointer, v #>> '{}' AS uri, '1'::text AS qty, NULL::text AS uom, 1 AS list, n
        FROM jsonb_array_elements(m.data->epcs) WITH ORDINALITY AS e (v, n)
        UNION ALL
        SELECT concat_ws('/', place, quantities, n - 1), v->>'epcClass', v->>'quantity', v->>'uom', 2, n
        FROM jsonb_array_elements(m.data->quantities) WITH ORDINALITY AS e (v, n)
        ORDER BY 5, 6
    LOOP
        t := planthub.epcis_identifier(r.uri);
        name := r.pointer || CASE r.list WHEN 2 THEN '/epcClass' ELSE '' END;
        IF t.sscc IS NOT NULL AND r.list = 1 THEN
            units := units || t.sscc;
            violations := violations || planthub.check_sscc(t.sscc, r.pointer);
            CONTINUE;
        ELSIF t.gtin IS NULL AND t.code IS NULL THEN
            violations := violations || planthub.violation('EPCIS_UNSUPPORTED', name, format('"%s" names no lot, serial number or handling unit.', r.uri));
            CONTINUE;
        END IF;
        IF length(t.lot) > 40 THEN
            violations := violations || planthub.violation('SCHEMA_INVALID', name, 'A lot has up to 40 characters.');
            CONTINUE;
        END IF;
        items := planthub.epcis_items(m, t.gtin, t.code);
        IF items IS NULL THEN
            violations := violations || planthub.violation('MAPPING_MISSING', name,
                format('No item has "%s", and the cross-reference has no entry for it.', coalesce(t.gtin, t.code)), 'xref', concat('item/', coalesce(t.gtin, t.code)));
            CONTINUE;
        ELSIF cardinality(items) > 1 THEN
            violations := violations || planthub.violation('MAPPING_AMBIGUOUS', name,
                format('"%s" means %s.', coalesce(t.gtin, t.code), array_to_string(items, ' and ')));
            CONTINUE;
        END IF;
        -- An SGTIN does not tell the lot; whoever made the piece known did.
        IF t.serial IS NOT NULL AND t.lot IS NULL THEN
            SELECT s.lot INTO t.lot FROM planthub.serial_event AS s WHERE s.site = m.site AND s.item = items[1] AND s.serial = t.serial AND s.lot <> ''
            ORDER BY s.event_time DESC, s.message_id DESC LIMIT 1;
        END IF;
        -- Without a unit it is a number of pieces (EPCIS 2.0, 7.3.3.3).
        raw := raw || jsonb_build_array(jsonb_strip_nulls(jsonb_build_object('item', items[1], 'lot', t.lot,
            'qty', planthub.quantity(r.qty::numeric, coalesce(r.uom, 'C62')), 'serials', CASE WHEN t.serial IS NOT NULL THEN jsonb_build_array(t.serial) END)));
        pointers := pointers || r.pointer;
    END LOOP;
    IF pointers IS NULL THEN
        RETURN;
    END IF;
    r := planthub.resolve_lines(m, raw, '', 'transfer', may_create, false);
    lines := r.lines;
    violations := violations || ARRAY(
        SELECT ROW(v.code, pointers[split_part(v.pointer, '/', 2)::int + 1] || CASE WHEN v.pointer LIKE '%/qty/uom' THEN '/uom' WHEN v.pointer LIKE '%/qty%' THEN '/quantity'
                   ELSE '' END, v.detail, v.kind, v.key)::planthub.violation
        FROM unnest(r.violations) AS v);
END
$$;
COMMENT ON FUNCTION planthub.epcis_lines(planthub.inbound, text, text, text, boolean) IS 'Internal: lots and serial numbers that lists of an event name, and handling units';

-- Where it is from then on; else where it was seen.
CREATE OR REPLACE FUNCTION planthub.epcis_place(m planthub.inbound, place text, OUT location text, OUT violations planthub.violation[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    member text := CASE WHEN m.data ? 'bizLocation' THEN 'bizLocation' ELSE 'readPoint' END;
    uri    text := m.data #>> ARRAY[member, 'id'];
    found  text[];
BEGIN
    IF uri IS NULL THEN
        violations := planthub.violation('SCHEMA_INVALID', place, 'The event names neither bizLocation nor readPoint.');
        RETURN;
    END IF;
    SELECT array_agg(x.canonical) INTO found FROM planthub.xref_find('equipment', uri, m.system, m.site, NULL, m.event_time) AS x;
    IF found IS NULL THEN
        violations := planthub.violation('MAPPING_MISSING', concat_ws('/', place, member, 'id'), format('equipment "%s" has no entry in the cross-reference.', uri),
            'xref', 'equipment/' || uri);
    ELSIF cardinality(found) > 1 THEN
        violations := planthub.violation('MAPPING_AMBIGUOUS', concat_ws('/', place, member, 'id'), format('equipment "%s" means %s.', uri, array_to_string(found, ' and ')));
    ELSIF NOT EXISTS (SELECT FROM planthub.equipment AS e WHERE e.equipment = found[1] AND e.site = m.site AND e.active
                      AND e.valid_from <= m.event_time AND m.event_time < e.valid_to) THEN
        violations := planthub.violation('LOCATION_UNKNOWN', concat_ws('/', place, member, 'id'), format('Location "%s" does not exist at site "%s".', found[1], m.site),
            'equipment', found[1]);
    END IF;
    location := found[1];
END
$$;
COMMENT ON FUNCTION planthub.epcis_place(planthub.inbound, text) IS 'Internal: the location that an event names';

CREATE OR REPLACE FUNCTION planthub.epcis_order(m planthub.inbound) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT min(o.order_no) FROM jsonb_array_elements(m.data->'bizTransactionList') AS b
            JOIN planthub.production_order AS o ON o.site = m.site AND o.order_no = regexp_replace(b->>'bizTransaction', '^.*[:/]', '')
            WHERE b->>'type' ~ '(^|[-:/])prodorder$');
END
$$;
COMMENT ON FUNCTION planthub.epcis_order(planthub.inbound) IS 'Internal: the order of this hub among the business transactions of an event';

-- Documents do not tell the operation; the order has one at the work center where it was seen, or it is not known.
CREATE OR REPLACE FUNCTION planthub.epcis_operation(m planthub.inbound, order_no text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT min(o.operation) FROM planthub.xref_find('equipment', m.data #>> '{readPoint,id}', m.system, m.site, NULL, m.event_time) AS x
            JOIN planthub.order_operation AS o ON o.site = m.site AND o.order_no = epcis_operation.order_no AND o.work_center = x.canonical
            HAVING count(*) = 1);
END
$$;
COMMENT ON FUNCTION planthub.epcis_operation(planthub.inbound, text) IS 'Internal: the operation of an order at the work center that an event names';

CREATE OR REPLACE FUNCTION planthub.epcis_expiry(m planthub.inbound) RETURNS date
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (planthub.event_instant(substring(m.data #>> '{ilmd,cbvmda:itemExpirationDate}', '^\d{4}-\d\d-\d\d') || 'T00:00:00Z') AT TIME ZONE 'UTC')::date;
END
$$;
COMMENT ON FUNCTION planthub.epcis_expiry(planthub.inbound) IS 'Internal: when the lots that an event makes known expire';

-- Notes

CREATE OR REPLACE FUNCTION planthub.epcis_note(m planthub.inbound, role text, lines planthub.line[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO planthub.epcis_line AS t (site, message_id, line, role, item, lot, serial, qty, uom, event_time)
    SELECT m.site, m.id, (SELECT count(*) FROM planthub.epcis_line AS x WHERE x.site = m.site AND x.message_id = m.id) + row_number() OVER (ORDER BY l.n),
        epcis_note.role, l.item, nullif(l.lot, ''), l.serials[1], l.base_qty, l.base_uom, m.event_time
    FROM unnest(lines) AS l;
END
$$;
COMMENT ON FUNCTION planthub.epcis_note(planthub.inbound, text, planthub.line[]) IS 'Internal: keeps the quantities that an event names';

CREATE OR REPLACE FUNCTION planthub.epcis_note_change(m planthub.inbound, role text, item text, lot text, sscc text, new_value text, old_value text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO planthub.epcis_line AS t (site, message_id, line, role, item, lot, sscc, new_value, old_value, event_time)
    SELECT m.site, m.id, count(*) + 1, epcis_note_change.role, epcis_note_change.item, epcis_note_change.lot, epcis_note_change.sscc,
        epcis_note_change.new_value, epcis_note_change.old_value, m.event_time
    FROM planthub.epcis_line AS x WHERE x.site = m.site AND x.message_id = m.id;
END
$$;
COMMENT ON FUNCTION planthub.epcis_note_change(planthub.inbound, text, text, text, text, text, text) IS 'Internal: keeps what an event changed, and how it was before';

CREATE OR REPLACE FUNCTION planthub.epcis_unit_state(m planthub.inbound, units text[], state text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.epcis_note_change(m, 'unit', NULL, NULL, u.sscc, epcis_unit_state.state, u.state)
    FROM planthub.handling_unit AS u WHERE u.site = m.site AND u.sscc = ANY (units);
    UPDATE planthub.handling_unit AS u SET state = epcis_unit_state.state,
        shipped_at = CASE WHEN epcis_unit_state.state = 'shipped' THEN m.event_time ELSE u.shipped_at END
    WHERE u.site = m.site AND u.sscc = ANY (units);
END
$$;
COMMENT ON FUNCTION planthub.epcis_unit_state(planthub.inbound, text[], text) IS 'Internal: gives handling units a state';

CREATE OR REPLACE FUNCTION planthub.epcis_unit_parent(m planthub.inbound, units text[], parent text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.epcis_note_change(m, 'child', NULL, NULL, u.sscc, epcis_unit_parent.parent, u.parent)
    FROM planthub.handling_unit AS u WHERE u.site = m.site AND u.sscc = ANY (units);
    UPDATE planthub.handling_unit AS u SET parent = epcis_unit_parent.parent WHERE u.site = m.site AND u.sscc = ANY (units);
END
$$;
COMMENT ON FUNCTION planthub.epcis_unit_parent(planthub.inbound, text[], text) IS 'Internal: makes handling units part of another, or of none';

CREATE OR REPLACE FUNCTION planthub.epcis_serials(m planthub.inbound, lines planthub.line[], state text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO planthub.serial_event AS t (site, item, serial, message_id, line, state, lot, event_time)
    SELECT m.site, l.item, l.serials[1], m.id, l.n, epcis_serials.state, nullif(l.lot, ''), m.event_time FROM unnest(lines) AS l WHERE l.serials IS NOT NULL;
END
$$;
COMMENT ON FUNCTION planthub.epcis_serials(planthub.inbound, planthub.line[], text) IS 'Internal: gives serial numbers a state';

-- A disposition is about the pieces of the event, only the persistent one stays with the lot (CBV 2.0, 7.2).
CREATE OR REPLACE FUNCTION planthub.epcis_status(dispositions jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    given text[] := ARRAY(SELECT regexp_replace(d, '^.*[-:/]', '') FROM jsonb_array_elements_text(dispositions->'set') AS d);
    taken text[] := ARRAY(SELECT regexp_replace(d, '^.*[-:/]', '') FROM jsonb_array_elements_text(dispositions->'unset') AS d);
BEGIN
    RETURN CASE WHEN given && '{non_conformant,recalled,damaged,expired}' THEN 'blocked'
                WHEN given && '{conformant}' OR taken && '{non_conformant,recalled,damaged,expired}' THEN 'unrestricted' END;
END
$$;
COMMENT ON FUNCTION planthub.epcis_status(jsonb) IS 'Internal: status of lots by a persistentDisposition; null when it says nothing of it';

-- Events

CREATE OR REPLACE FUNCTION planthub.epcis_object(m planthub.inbound, place text) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    action  text := m.data->>'action';
    leaves  boolean := m.data->>'bizStep' ~ '(^|[-:/])shipping$' AND action <> 'ADD';
    status  text := planthub.epcis_status(m.data->'persistentDisposition');
    r       record := planthub.epcis_lines(m, place, 'epcList', 'quantityList', action = 'ADD');
    broken  planthub.violation[] := r.violations;
    spot    record;
    location text;
    written boolean;
BEGIN
    PERFORM planthub.lock_units(m, VARIADIC coalesce(r.units, '{}'));
    IF action = 'ADD' AND r.units IS NOT NULL THEN
        spot := planthub.epcis_place(m, place);
        location := spot.location;
        broken := broken || spot.violations;
    END IF;
    SELECT broken || array_agg(x.v) INTO broken FROM unnest(r.units) AS u
    CROSS JOIN LATERAL unnest(planthub.check_handling_unit(m.site, u, place || '/epcList', action <> 'ADD')) AS v (code, pointer, detail, kind, key)
    CROSS JOIN LATERAL (SELECT ROW(v.code, v.pointer, v.detail, v.kind, v.key)::planthub.violation AS v) AS x
    WHERE v.code <> 'HU_STATE_INVALID' OR leaves OR action <> 'OBSERVE';
    IF planthub.stops(m, broken) THEN
        RETURN broken;
    END IF;
    PERFORM planthub.epcis_note(m, 'object', r.lines);
    IF action = 'ADD' THEN
        written := planthub.new_lots(m, r.lines, 'produced', planthub.epcis_order(m), expiry => planthub.epcis_expiry(m));
        PERFORM planthub.epcis_serials(m, r.lines, 'active');
        PERFORM planthub.handling_unit_put(m, u, location) FROM unnest(r.units) AS u;
    ELSIF action = 'DELETE' THEN
        PERFORM planthub.epcis_serials(m, r.lines, 'scrapped');
        PERFORM planthub.epcis_unit_state(m, r.units, 'dissolved');
    ELSIF leaves THEN
        PERFORM planthub.epcis_serials(m, r.lines, 'shipped');
        PERFORM planthub.epcis_unit_state(m, planthub.with_parts(m.site, r.units), 'shipped');
    END IF;
    IF status IS NOT NULL THEN
        PERFORM planthub.epcis_note_change(m, 'status', l.item, l.lot, NULL, status, NULL) FROM (SELECT DISTINCT x.item, x.lot FROM unnest(r.lines) AS x WHERE x.lot <> '') AS l;
    END IF;
    RETURN broken;
END
$$;
COMMENT ON FUNCTION planthub.epcis_object(planthub.inbound, text) IS 'Internal: effect of an ObjectEvent';

CREATE OR REPLACE FUNCTION planthub.epcis_aggregation(m planthub.inbound, place text) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    action text := m.data->>'action';
    unit   text := (planthub.epcis_identifier(m.data->>'parentID')).sscc;
    r      record := planthub.epcis_lines(m, place, 'childEPCs', 'childQuantityList', false);
    broken planthub.violation[] := r.violations;
    spot   record;
BEGIN
    IF unit IS NULL THEN
        RETURN broken || planthub.violation('EPCIS_UNSUPPORTED', place || '/parentID', 'The parent is no handling unit.');
    END IF;
    PERFORM planthub.lock_units(m, VARIADIC unit || coalesce(r.units, '{}'));
    broken := broken || planthub.check_handling_unit(m.site, unit, place || '/parentID', action <> 'ADD');
    IF unit = ANY (planthub.with_parts(m.site, r.units)) THEN
        broken := broken || planthub.violation('HU_STATE_INVALID', place || '/childEPCs', format('Handling unit "%s" would be part of itself.', unit));
    END IF;
    SELECT broken || array_agg(ROW(v.code, v.pointer, v.detail, v.kind, v.key)::planthub.violation) INTO broken
    FROM unnest(r.units) AS u CROSS JOIN LATERAL unnest(planthub.check_handling_unit(m.site, u, place || '/childEPCs', true)) AS v (code, pointer, detail, kind, key);
    IF action = 'ADD' THEN
        spot := planthub.epcis_place(m, place);
        broken := broken || spot.violations;
    END IF;
    IF planthub.stops(m, broken) THEN
        RETURN broken;
    END IF;
    IF action = 'DELETE' AND r.lines IS NULL AND r.units IS NULL THEN   -- all of them
        r.lines := planthub.contents_lines(m, ARRAY[unit], place || '/parentID', 'transfer', NULL, NULL);
        r.units := ARRAY(SELECT u.sscc FROM planthub.handling_unit AS u WHERE u.site = m.site AND u.parent = unit);
    END IF;
    IF action = 'DELETE' THEN
        broken := broken || planthub.check_contents(m.site, unit, r.lines);
        IF planthub.stops(m, broken) THEN
            RETURN broken;
        END IF;
    END IF;
    PERFORM planthub.epcis_note(m, 'content', r.lines);
    IF action = 'ADD' THEN
        PERFORM planthub.handling_unit_put(m, unit, spot.location);
        PERFORM planthub.handling_unit_change_add(m, unit, 1, r.lines, 0);
        PERFORM planthub.epcis_unit_parent(m, r.units, unit);
    ELSIF action = 'DELETE' THEN
        PERFORM planthub.handling_unit_change_add(m, unit, -1, r.lines, 0);
        PERFORM planthub.epcis_unit_parent(m, r.units, NULL);
        PERFORM planthub.epcis_unit_state(m, ARRAY[unit], 'dissolved')
        WHERE NOT EXISTS (SELECT FROM planthub.handling_unit_contents AS c WHERE c.site = m.site AND c.sscc = unit)
          AND NOT EXISTS (SELECT FROM planthub.handling_unit AS u WHERE u.site = m.site AND u.parent = unit);
    END IF;
    RETURN broken;
END
$$;
COMMENT ON FUNCTION planthub.epcis_aggregation(planthub.inbound, text) IS 'Internal: effect of an AggregationEvent';

-- What events of a transformation that stand have named.
CREATE OR REPLACE FUNCTION planthub.epcis_earlier(m planthub.inbound, role text) RETURNS planthub.line[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT array_agg(jsonb_populate_record(NULL::planthub.line, jsonb_build_object('n', t.n, 'pointer', '/data', 'item', t.item, 'lot', coalesce(t.lot, ''),
            'base_qty', t.qty, 'base_uom', t.uom)) ORDER BY t.n)
        FROM (SELECT row_number() OVER (ORDER BY l.message_id, l.line) AS n, l.* FROM planthub.epcis_event AS e
              JOIN planthub.epcis_line AS l ON l.site = e.site AND l.message_id = e.message_id AND l.role = epcis_earlier.role
              WHERE e.site = m.site AND e.source = m.source AND e.transformation_id = m.data->>'transformationID' AND e.message_id <> m.id
                AND NOT EXISTS (SELECT FROM planthub.reversal AS r WHERE r.site = e.site AND r.target = e.message_id)) AS t);
END
$$;
COMMENT ON FUNCTION planthub.epcis_earlier(planthub.inbound, text) IS 'Internal: lines of the earlier events of the same transformation';

-- transformationID joins events that tell what went in and what came out; the edges are written when both are there.
CREATE OR REPLACE FUNCTION planthub.epcis_transformation(m planthub.inbound, place text) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    came    record := planthub.epcis_lines(m, place, 'inputEPCList', 'inputQuantityList', false);
    made    record := planthub.epcis_lines(m, place, 'outputEPCList', 'outputQuantityList', true);
    broken  planthub.violation[] := came.violations || made.violations;
    inputs  planthub.line[] := planthub.epcis_earlier(m, 'input');
    outputs planthub.line[] := planthub.epcis_earlier(m, 'output');
    order_no text := planthub.epcis_order(m);
    no_input constant boolean := coalesce(jsonb_array_length(m.data->'inputQuantityList'), 0) = 0;
    no_output constant boolean := coalesce(jsonb_array_length(m.data->'outputQuantityList'), 0) = 0;
    written boolean;
BEGIN
    IF jsonb_array_length(m.data->'inputEPCList') > 0 OR jsonb_array_length(m.data->'outputEPCList') > 0 THEN
        broken := broken || planthub.violation('EPCIS_UNSUPPORTED', place, 'A transformation of single pieces (inputEPCList, outputEPCList) is not taken.');
    ELSIF (no_input OR no_output) AND (m.data->>'transformationID' IS NULL OR no_input AND no_output) THEN
        broken := broken || planthub.violation('SCHEMA_INVALID', place, 'A transformation has inputs and outputs, or a transformationID that joins the events that tell them.');
    ELSIF NOT no_output AND inputs IS NOT NULL AND outputs IS NOT NULL THEN
        broken := broken || planthub.violation('EPCIS_UNSUPPORTED', place || '/transformationID',
            'The transformation had its inputs and outputs already; take its last event back before an output is added.');
    END IF;
    IF planthub.stops(m, broken) THEN
        RETURN broken;
    END IF;
    IF inputs IS NULL OR outputs IS NULL THEN
        inputs := inputs || came.lines;
        outputs := outputs || made.lines;
    ELSE
        inputs := came.lines;       -- those before have their edges
    END IF;
    IF inputs IS NOT NULL AND outputs IS NOT NULL THEN
        broken := broken || planthub.cycle_violations(m, inputs, outputs);
    END IF;
    IF planthub.stops(m, broken) THEN
        RETURN (SELECT array_agg(ROW(v.code, CASE WHEN v.code = 'GENEALOGY_CYCLE' THEN place ELSE v.pointer END, v.detail, v.kind, v.key)::planthub.violation)
                FROM unnest(broken) AS v);
    END IF;
    PERFORM planthub.epcis_note(m, 'input', came.lines);
    PERFORM planthub.epcis_note(m, 'output', made.lines);
    written := planthub.new_lots(m, made.lines, 'produced', order_no, expiry => planthub.epcis_expiry(m));
    IF inputs IS NOT NULL AND outputs IS NOT NULL THEN
        SELECT array_agg(jsonb_populate_record(i.l, jsonb_build_object('n', i.n)) ORDER BY i.n) INTO inputs
        FROM (SELECT x AS l, row_number() OVER () AS n FROM unnest(inputs) AS x) AS i;
        written := planthub.write_edges(m, 'consumed_to_produced', inputs, outputs, order_no, planthub.epcis_operation(m, order_no));
    END IF;
    RETURN broken;
END
$$;
COMMENT ON FUNCTION planthub.epcis_transformation(planthub.inbound, text) IS 'Internal: effect of a TransformationEvent';

-- Taking back

CREATE OR REPLACE FUNCTION planthub.epcis_blocked(m planthub.inbound, target planthub.epcis_event, place text) RETURNS planthub.violation[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT array_agg(ROW('REVERSAL_BLOCKED', place || '/errorDeclaration', x.detail, NULL, NULL)::planthub.violation)
        FROM (
            SELECT format('Event "%s" of the same transformation came later.', e.event_id) AS detail
            FROM planthub.epcis_event AS e
            WHERE e.site = target.site AND e.source = target.source AND e.transformation_id = target.transformation_id AND e.message_id > target.message_id
              AND NOT EXISTS (SELECT FROM planthub.reversal AS r WHERE r.site = e.site AND r.target = e.message_id)
            UNION ALL
            SELECT format('Lot "%s" of item "%s" is used.', l.lot, l.item)
            FROM planthub.epcis_line AS l
            WHERE l.site = target.site AND l.message_id = target.message_id AND l.lot IS NOT NULL AND (l.role = 'output' OR l.role = 'object' AND target.action = 'ADD')
              AND (EXISTS (SELECT FROM planthub.genealogy_edge AS e WHERE e.site = l.site AND e.from_item = l.item AND e.from_lot = l.lot AND e.reversed_by IS NULL)
                OR EXISTS (SELECT FROM planthub.handling_unit_change AS h WHERE h.site = l.site AND h.item = l.item AND h.lot = l.lot GROUP BY h.sscc HAVING sum(h.qty) <> 0))
            UNION ALL
            SELECT format('Handling unit "%s" is %s.', u.sscc, u.state)
            FROM planthub.epcis_line AS l JOIN planthub.handling_unit AS u ON u.site = l.site AND u.sscc = l.sscc
            WHERE l.site = target.site AND l.message_id = target.message_id
              AND (l.role = 'unit' AND u.state <> l.new_value OR l.role = 'child' AND (u.state <> 'open' OR u.parent IS DISTINCT FROM l.new_value))
            UNION ALL
            SELECT format('Handling unit "%s" is %s, or no longer holds what was packed.', u.sscc, u.state)
            FROM (SELECT h.sscc, h.item, h.lot, sum(h.qty) AS qty FROM planthub.handling_unit_change AS h
                  WHERE h.site = target.site AND h.message_id = target.message_id GROUP BY 1, 2, 3) AS c
            JOIN planthub.handling_unit AS u ON u.site = target.site AND u.sscc = c.sscc
            CROSS JOIN LATERAL (SELECT sum(h.qty) AS qty FROM planthub.handling_unit_change AS h
                                WHERE h.site = u.site AND h.sscc = u.sscc AND h.item = c.item AND h.lot = c.lot) AS s
            WHERE s.qty < c.qty OR u.state = 'shipped' OR u.state = 'dissolved' AND c.qty > 0) AS x);
END
$$;
COMMENT ON FUNCTION planthub.epcis_blocked(planthub.inbound, planthub.epcis_event, text) IS 'Internal: what stands on the facts of an event, so that they cannot be taken back';

CREATE OR REPLACE FUNCTION planthub.epcis_take_back(m planthub.inbound, target planthub.epcis_event) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    l planthub.epcis_line;
BEGIN
    INSERT INTO planthub.reversal (site, target, message_id, reason, event_time)
    VALUES (m.site, target.message_id, m.id, coalesce(m.data #>> '{errorDeclaration,reason}', 'errorDeclaration'),
        (m.data #>> '{errorDeclaration,declarationTime}')::timestamptz);
    INSERT INTO planthub.handling_unit_change (site, sscc, message_id, line_no, item, lot, serials, qty, uom, event_time)
    SELECT h.site, h.sscc, m.id, h.line_no, h.item, h.lot, h.serials, -h.qty, h.uom, h.event_time
    FROM planthub.handling_unit_change AS h WHERE h.site = m.site AND h.message_id = target.message_id;
    INSERT INTO planthub.serial_event (site, item, serial, message_id, line, state, lot, location, event_time)
    SELECT s.site, s.item, s.serial, m.id, s.line, CASE s.state WHEN 'active' THEN 'scrapped' ELSE 'active' END, s.lot, s.location,
        (m.data #>> '{errorDeclaration,declarationTime}')::timestamptz
    FROM planthub.serial_event AS s WHERE s.site = m.site AND s.message_id = target.message_id;
    FOR l IN SELECT * FROM planthub.epcis_line AS x WHERE x.site = m.site AND x.message_id = target.message_id ORDER BY x.line LOOP
        IF l.role = 'unit' THEN
            UPDATE planthub.handling_unit AS u SET state = l.old_value, shipped_at = CASE WHEN l.new_value = 'shipped' THEN NULL ELSE u.shipped_at END
            WHERE u.site = m.site AND u.sscc = l.sscc;
        ELSIF l.role = 'child' THEN
            UPDATE planthub.handling_unit AS u SET parent = l.old_value WHERE u.site = m.site AND u.sscc = l.sscc;
        END IF;
    END LOOP;
    UPDATE planthub.handling_unit AS u SET state = 'dissolved'
    WHERE u.site = m.site AND u.message_id = target.message_id AND u.state = 'open'
      AND NOT EXISTS (SELECT FROM planthub.handling_unit_contents AS c WHERE c.site = m.site AND c.sscc = u.sscc);
END
$$;
COMMENT ON FUNCTION planthub.epcis_take_back(planthub.inbound, planthub.epcis_event) IS 'Internal: takes the facts of an event back';

CREATE OR REPLACE FUNCTION planthub.epcis_declare(m planthub.inbound, target planthub.epcis_event, event_id text, place text,
    OUT taken boolean, OUT violations planthub.violation[])
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF target.message_id IS NULL THEN
        violations := planthub.violation('REVERSAL_TARGET_UNKNOWN', place || '/eventID', format('Event "%s" is not known.', event_id),
            'epcis', concat_ws('/', m.site, m.source, event_id));
        RETURN;
    END IF;
    taken := NOT EXISTS (SELECT FROM planthub.reversal AS r WHERE r.site = m.site AND r.target = target.message_id);
    IF taken THEN
        PERFORM planthub.lock_units(m, VARIADIC ARRAY(
            SELECT x.sscc FROM planthub.epcis_line AS x WHERE x.site = m.site AND x.message_id = target.message_id AND x.sscc IS NOT NULL
            UNION SELECT h.sscc FROM planthub.handling_unit_change AS h WHERE h.site = m.site AND h.message_id = target.message_id));
        violations := planthub.epcis_blocked(m, target, place);
        IF NOT planthub.stops(m, violations) THEN
            PERFORM planthub.epcis_take_back(m, target);
        END IF;
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.epcis_declare(planthub.inbound, planthub.epcis_event, text, text) IS 'Internal: effect of an event with errorDeclaration';

-- One event of a document: a fact of its own, with its own number and time.  taken: it was not known yet.
CREATE OR REPLACE FUNCTION planthub.epcis_capture(m planthub.inbound, event jsonb, place text, OUT taken boolean, OUT violations planthub.violation[])
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    document bigint := m.id;
    content  jsonb := event - 'errorDeclaration';
    hash     bytea;
    id       text;
    known    planthub.epcis_event;
    found    record;
BEGIN
    m.event_time := planthub.event_instant(event->>'eventTime');
    IF m.event_time IS NULL OR event ? 'errorDeclaration' AND planthub.event_instant(event #>> '{errorDeclaration,declarationTime}') IS NULL THEN
        violations := planthub.violation('SCHEMA_INVALID', place, 'There is no such time.');
        RETURN;
    END IF;
    m.data := event;
    hash := planthub.event_hash(m.topic, m.event_time, content);
    id := coalesce(event->>'eventID', 'hash:' || encode(hash, 'hex'));
    PERFORM planthub.lock_things('epcis', ARRAY[concat_ws('/', m.site, m.source, id)]);
    SELECT e.* INTO known FROM planthub.epcis_event AS e WHERE e.site = m.site AND e.source = m.source AND e.event_id = id;
    taken := known.message_id IS NULL;
    IF known.hash <> hash THEN
        violations := planthub.violation('DUPLICATE_CONFLICT', place || '/eventID', format('Event "%s" has another content.', id));
        RETURN;
    END IF;
    m.id := nextval('planthub.message_id_seq');
    IF event ? 'errorDeclaration' THEN
        found := planthub.epcis_declare(m, known, id, place);
        taken := found.taken;
        violations := found.violations;
        RETURN;
    ELSIF NOT taken THEN
        RETURN;
    END IF;
    violations := planthub.window_violations(m, '{EVENT_TOO_OLD}');
    IF violations IS NULL AND event->>'type' NOT IN ('ObjectEvent', 'AggregationEvent', 'TransformationEvent') THEN
        violations := planthub.violation('EPCIS_UNSUPPORTED', place || '/type', format('Events of type %s are not taken.', event->>'type'));
    END IF;
    IF violations IS NOT NULL THEN
        RETURN;
    END IF;
    IF event ? 'transformationID' THEN
        PERFORM planthub.lock_things('epcis', ARRAY[concat_ws('/', m.site, m.source, event->>'transformationID')]);
    END IF;
    INSERT INTO planthub.epcis_event (site, message_id, document_id, source, event_id, hash, type, action, biz_step, disposition, transformation_id, order_no, event_time)
    VALUES (m.site, m.id, document, m.source, id, hash, event->>'type', event->>'action', event->>'bizStep', event->>'disposition', event->>'transformationID',
        planthub.epcis_order(m), m.event_time);
    violations := CASE event->>'type' WHEN 'ObjectEvent' THEN planthub.epcis_object(m, place) WHEN 'AggregationEvent' THEN planthub.epcis_aggregation(m, place)
                       ELSE planthub.epcis_transformation(m, place) END;
    PERFORM planthub.bring('epcis', ARRAY[concat_ws('/', m.site, m.source, id)]);
END
$$;
COMMENT ON FUNCTION planthub.epcis_capture(planthub.inbound, jsonb, text) IS 'Internal: effect of one event of a document';

-- A document is taken as a whole; an event may stand on those before it, so what they wrote is undone when one is stopped.
CREATE OR REPLACE FUNCTION planthub.apply_epcis_captured(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    r      record;
    found  record;
    news   boolean := false;
    broken planthub.violation[];
BEGIN
    BEGIN
        FOR r IN SELECT e.event, e.n FROM jsonb_array_elements(m.data #> '{epcisBody,eventList}') WITH ORDINALITY AS e (event, n) ORDER BY e.n LOOP
            found := planthub.epcis_capture(m, r.event, '/data/epcisBody/eventList/' || r.n - 1);
            news := news OR found.taken;
            broken := broken || found.violations;
            IF planthub.stops(m, broken) THEN
                RAISE EXCEPTION USING ERRCODE = 'PHE01', MESSAGE = 'an event of the document is stopped';
            END IF;
        END LOOP;
    EXCEPTION WHEN SQLSTATE 'PHE01' THEN
        RETURN broken;
    END;
    IF NOT news THEN
        broken := broken || planthub.violation('DUPLICATE_IGNORED', '/data', 'All events of the document are known.');
    END IF;
    RETURN broken;
END
$$;
COMMENT ON FUNCTION planthub.apply_epcis_captured(planthub.inbound) IS 'Internal: effect of epcis.captured: all events of the document, or none';

CREATE OR REPLACE VIEW planthub.epcis_observation AS
SELECT e.site, e.source, e.event_id, e.type, e.action, e.biz_step, e.disposition, e.order_no, l.role, l.item, l.lot, l.serial, l.qty, l.uom, e.event_time,
       e.message_id, e.document_id, r.message_id AS reversed_by
FROM planthub.epcis_event AS e JOIN planthub.epcis_line AS l ON l.site = e.site AND l.message_id = e.message_id AND l.item IS NOT NULL AND l.qty IS NOT NULL
LEFT JOIN planthub.reversal AS r ON r.site = e.site AND r.target = e.message_id;
COMMENT ON VIEW planthub.epcis_observation IS 'Quantities that EPCIS events of partners named, also those that were taken back';
COMMENT ON COLUMN planthub.epcis_observation.site IS 'Site';
COMMENT ON COLUMN planthub.epcis_observation.source IS 'Source of the document';
COMMENT ON COLUMN planthub.epcis_observation.event_id IS 'The eventID';
COMMENT ON COLUMN planthub.epcis_observation.type IS 'ObjectEvent, AggregationEvent or TransformationEvent';
COMMENT ON COLUMN planthub.epcis_observation.action IS 'ADD, OBSERVE or DELETE; null for a transformation';
COMMENT ON COLUMN planthub.epcis_observation.biz_step IS 'Business step';
COMMENT ON COLUMN planthub.epcis_observation.disposition IS 'Disposition';
COMMENT ON COLUMN planthub.epcis_observation.order_no IS 'Order';
COMMENT ON COLUMN planthub.epcis_observation.role IS 'object, input, output or content';
COMMENT ON COLUMN planthub.epcis_observation.item IS 'Item';
COMMENT ON COLUMN planthub.epcis_observation.lot IS 'Lot; null without one';
COMMENT ON COLUMN planthub.epcis_observation.serial IS 'Serial number; null without one';
COMMENT ON COLUMN planthub.epcis_observation.qty IS 'How much';
COMMENT ON COLUMN planthub.epcis_observation.uom IS 'Base unit of the item';
COMMENT ON COLUMN planthub.epcis_observation.event_time IS 'When it happened';
COMMENT ON COLUMN planthub.epcis_observation.message_id IS 'Number of the event';
COMMENT ON COLUMN planthub.epcis_observation.document_id IS 'Message that was its document';
COMMENT ON COLUMN planthub.epcis_observation.reversed_by IS 'Number of the errorDeclaration that took it back; null: it stands';

-- What a partner says of a lot; the status in planthub.lot is for its owner to say.
CREATE OR REPLACE VIEW planthub.epcis_lot_status AS
SELECT DISTINCT ON (l.site, l.item, l.lot) l.site, l.item, l.lot, l.new_value AS status, e.source, e.event_id, l.event_time, l.message_id
FROM planthub.epcis_line AS l JOIN planthub.epcis_event AS e ON e.site = l.site AND e.message_id = l.message_id
WHERE l.role = 'status' AND NOT EXISTS (SELECT FROM planthub.reversal AS r WHERE r.site = l.site AND r.target = l.message_id)
ORDER BY l.site, l.item, l.lot, l.event_time DESC, l.message_id DESC;
COMMENT ON VIEW planthub.epcis_lot_status IS 'Status that partners give lots by persistent dispositions: what the newest event says that was not taken back';
COMMENT ON COLUMN planthub.epcis_lot_status.site IS 'Site';
COMMENT ON COLUMN planthub.epcis_lot_status.item IS 'Item';
COMMENT ON COLUMN planthub.epcis_lot_status.lot IS 'Number of the lot';
COMMENT ON COLUMN planthub.epcis_lot_status.status IS 'unrestricted or blocked';
COMMENT ON COLUMN planthub.epcis_lot_status.source IS 'Source of the document';
COMMENT ON COLUMN planthub.epcis_lot_status.event_id IS 'The eventID';
COMMENT ON COLUMN planthub.epcis_lot_status.event_time IS 'From when it holds';
COMMENT ON COLUMN planthub.epcis_lot_status.message_id IS 'Number of the event';
