-- master_data: effects of equipment, parties, items, units of items, lots, bills of material and routings.  Re-runnable.

-- Attributes that the sender would change although others own them.  present: what holds now, null for a new one.
CREATE OR REPLACE FUNCTION planthub.owner_violations(m planthub.inbound, entity text, present jsonb) RETURNS planthub.violation[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT array_agg(ROW('OWNER_VIOLATION', '/data/' || o.attribute, format('"%s" of %s belongs to %s; system "%s" is %s.',
            o.attribute, replace(entity, '_', ' '), o.owners, m.system, m.kind), NULL, NULL)::planthub.violation ORDER BY o.attribute)
        FROM (SELECT a.attribute, string_agg(a.sender, ', ' ORDER BY a.sender) AS owners FROM planthub.attribute_owner AS a
              WHERE a.entity = owner_violations.entity GROUP BY a.attribute
              HAVING bool_and(a.sender NOT IN (m.system, m.kind))) AS o
        WHERE m.data ? o.attribute AND coalesce(m.data->>o.attribute, '') <> coalesce(present->>o.attribute, ''));
END
$$;
COMMENT ON FUNCTION planthub.owner_violations(planthub.inbound, text, jsonb) IS 'Attributes of master data that the event would change although its sender does not own them';

-- Ends the version that holds and returns from when on the new one holds; null: a newer version is there.
CREATE OR REPLACE FUNCTION planthub.new_version(m planthub.inbound, name text, code text, OUT present jsonb, OUT starts timestamptz, OUT ends timestamptz)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    version bigint := (m.data->>'version')::numeric;
BEGIN
    PERFORM planthub.lock_things('master data', ARRAY[concat(name, ' ', code)]);
    EXECUTE format('SELECT to_jsonb(t) FROM planthub.%1$I AS t WHERE t.%1$I = $1 ORDER BY t.valid_from DESC LIMIT 1', name) INTO present USING code;
    ends := 'infinity';
    starts := coalesce((m.data->>'valid_from')::timestamptz, CASE WHEN present IS NULL THEN '-infinity' ELSE m.event_time END);
    IF present IS NOT NULL AND ((present->>'version')::bigint >= version OR (present->>'valid_from')::timestamptz > starts) THEN
        starts := NULL;
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.new_version(planthub.inbound, text, text) IS 'Internal: the newest version of master data, and from when on one more would hold; null when it is older';

CREATE OR REPLACE FUNCTION planthub.end_version(name text, code text, starts timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('DELETE FROM planthub.%1$I AS t WHERE t.%1$I = $1 AND t.valid_from = $2', name) USING code, starts;
    EXECUTE format('UPDATE planthub.%1$I AS t SET valid_to = $2 WHERE t.%1$I = $1 AND t.valid_to > $2', name) USING code, starts;
END
$$;
COMMENT ON FUNCTION planthub.end_version(text, text, timestamptz) IS 'Internal: ends the version of master data that holds at a time';

CREATE OR REPLACE FUNCTION planthub.stale_master(m planthub.inbound, name text, code text, present jsonb) RETURNS planthub.violation[]
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT planthub.violation('MASTER_VERSION_STALE', '/data/version',
        format('Version %s of %s "%s" is there; this is version %s.', present->>'version', name, code, (m).data->>'version'));
END;
COMMENT ON FUNCTION planthub.stale_master(planthub.inbound, text, text, jsonb) IS 'Internal: the version of master data is not newer than what is there';

-- GS1 General Specifications 7.9.1: weights 3 and 1 in turn, 3 next to the check digit.
CREATE OR REPLACE FUNCTION planthub.has_check_digit(code text, digits int) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    total int := 0;
    i     int;
BEGIN
    IF code !~ '^[0-9]+$' OR length(code) <> digits THEN
        RETURN false;
    END IF;
    FOR i IN 1..digits - 1 LOOP
        total := total + substr(code, i, 1)::int * CASE WHEN (digits - i) % 2 = 1 THEN 3 ELSE 1 END;
    END LOOP;
    RETURN (10 - total % 10) % 10 = substr(code, digits, 1)::int;
END
$$;
COMMENT ON FUNCTION planthub.has_check_digit(text, int) IS 'Whether a code has so many digits, the last one the GS1 check digit: 14 for a GTIN';

CREATE OR REPLACE FUNCTION planthub.apply_item(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    code text := m.data->>'item';
    v    record := planthub.new_version(m, 'item', code);
    unit text := planthub.unit_code(m.data->>'base_uom');
    bad  planthub.violation[] := planthub.owner_violations(m, 'item', v.present);
BEGIN
    IF unit IS NULL THEN
        bad := bad || planthub.violation('UOM_UNKNOWN', '/data/base_uom', format('"%s" is not a unit of measure.', m.data->>'base_uom'));
    ELSIF v.present->>'base_uom' <> unit AND EXISTS (SELECT FROM planthub.movement AS x WHERE x.item = code) THEN
        bad := bad || planthub.violation('OWNER_VIOLATION', '/data/base_uom', format('Item "%s" has movements in %s: its base unit cannot change.', code, v.present->>'base_uom'));
    END IF;
    IF bad IS NULL AND v.starts IS NULL THEN
        bad := planthub.stale_master(m, 'item', code, v.present);
    ELSIF NOT planthub.has_check_digit(m.data->>'gtin', 14) THEN
        bad := bad || planthub.violation('GTIN_CHECK_DIGIT', '/data/gtin', format('"%s" is not a GTIN of 14 digits, or its check digit is wrong.', m.data->>'gtin'));
    END IF;
    IF planthub.stops(m, bad) OR v.starts IS NULL OR unit IS NULL THEN
        RETURN bad;
    END IF;
    PERFORM planthub.end_version('item', code, v.starts);
    INSERT INTO planthub.item AS t (item, valid_from, version, description, base_uom, lot_controlled, serial_controlled, status, shelf_life_days, gtin, message_id)
    VALUES (code, v.starts, (m.data->>'version')::numeric::bigint, m.data->>'description', unit, (m.data->>'lot_controlled')::boolean,
        (m.data->>'serial_controlled')::boolean, m.data->>'status', coalesce((m.data->>'shelf_life_days')::int, (v.present->>'shelf_life_days')::int),
        CASE WHEN m.data ? 'gtin' THEN m.data->>'gtin' ELSE v.present->>'gtin' END, m.id);
    PERFORM planthub.bring('item', ARRAY[code]);
    IF m.data->>'gtin' IS NOT NULL THEN
        PERFORM planthub.bring('xref', ARRAY['item/' || lpad(m.data->>'gtin', 14, '0')]);
    END IF;
    RETURN bad;
END
$$;
COMMENT ON FUNCTION planthub.apply_item(planthub.inbound) IS 'Effect of item.upserted: a new version of the item';

-- The site of equipment: itself when it is one, else that of what it is part of.
CREATE OR REPLACE FUNCTION planthub.equipment_site(code text, level text, parent text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found_site text;
BEGIN
    IF level = 'Site' THEN
        RETURN code;
    END IF;
    SELECT e.site INTO found_site FROM planthub.equipment AS e WHERE e.equipment = equipment_site.parent ORDER BY e.valid_from DESC LIMIT 1;
    RETURN coalesce(found_site, '*');
END
$$;
COMMENT ON FUNCTION planthub.equipment_site(text, text, text) IS 'Internal: site that equipment belongs to';

-- Sites are part of an enterprise, areas of a site; below that a level may hold its like, as a line holds work centers.
CREATE OR REPLACE FUNCTION planthub.hierarchy_violations(code text, level text, parent text) RETURNS planthub.violation[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    depth       constant jsonb := '{"Enterprise": 1, "Site": 2, "Area": 3, "Unit": 5, "WorkCell": 5, "WorkUnit": 5, "StorageUnit": 5}';
    own_depth   constant int := coalesce((depth->>level)::int, 4);
    above_level constant text := (SELECT e.level FROM planthub.equipment AS e WHERE e.equipment = hierarchy_violations.parent ORDER BY e.valid_from DESC LIMIT 1);
    above_depth constant int := coalesce((depth->>above_level)::int, 4);
BEGIN
    IF EXISTS (
        WITH RECURSIVE above (equipment) AS (
            SELECT hierarchy_violations.parent COLLATE "C"
            UNION
            SELECT (SELECT e.parent FROM planthub.equipment AS e WHERE e.equipment = a.equipment ORDER BY e.valid_from DESC LIMIT 1) FROM above AS a
        )
        SELECT FROM above AS a WHERE a.equipment = code) THEN
        RETURN planthub.violation('EQUIPMENT_HIERARCHY', '/data/parent', format('Equipment "%s" is part of "%s" already, or is the same.', parent, code));
    ELSIF above_depth > own_depth OR above_depth = own_depth AND own_depth <= 2 THEN
        RETURN planthub.violation('EQUIPMENT_HIERARCHY', '/data/level', format('"%s" is of level %s, which has no %s in it.', parent, above_level, level));
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION planthub.hierarchy_violations(text, text, text) IS 'Internal: what is wrong with a place in the hierarchy of equipment, whose parent exists';

CREATE OR REPLACE FUNCTION planthub.apply_equipment(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    code text := m.data->>'equipment';
    v    record := planthub.new_version(m, 'equipment', code);
    bad  planthub.violation[] := planthub.owner_violations(m, 'equipment', v.present);
    above text := m.data->>'parent';
BEGIN
    IF above <> code AND NOT EXISTS (SELECT FROM planthub.equipment AS e WHERE e.equipment = above) THEN
        bad := bad || planthub.violation('WORK_CENTER_UNKNOWN', '/data/parent', format('Equipment "%s" does not exist.', above), 'equipment', above);
    ELSIF above IS NOT NULL AND v.starts IS NOT NULL THEN
        bad := bad || planthub.hierarchy_violations(code, m.data->>'level', above);
    END IF;
    IF bad IS NULL AND v.starts IS NULL THEN
        bad := planthub.stale_master(m, 'equipment', code, v.present);
    END IF;
    IF bad IS NOT NULL THEN
        RETURN bad;
    END IF;
    PERFORM planthub.end_version('equipment', code, v.starts);
    INSERT INTO planthub.equipment AS t (equipment, valid_from, version, level, parent, site, name, timezone, gln, cost_centre, asset, supply_location, active, message_id)
    VALUES (code, v.starts, (m.data->>'version')::numeric::bigint, m.data->>'level', above, planthub.equipment_site(code, m.data->>'level', above),
        m.data->>'name', m.data->>'tz', m.data->>'gln', m.data->>'cost_centre', m.data->>'asset', v.present->>'supply_location',
        coalesce((m.data->>'active')::boolean, true), m.id);
    PERFORM planthub.bring('equipment', ARRAY[code]);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION planthub.apply_equipment(planthub.inbound) IS 'Effect of equipment.upserted: a new version of the equipment';

CREATE OR REPLACE FUNCTION planthub.apply_party(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    code text := m.data->>'party';
    v    record := planthub.new_version(m, 'party', code);
    bad  planthub.violation[] := planthub.owner_violations(m, 'party', v.present);
BEGIN
    IF bad IS NULL AND v.starts IS NULL THEN
        bad := planthub.stale_master(m, 'party', code, v.present);
    END IF;
    IF bad IS NOT NULL THEN
        RETURN bad;
    END IF;
    PERFORM planthub.end_version('party', code, v.starts);
    INSERT INTO planthub.party AS t (party, valid_from, version, role, name, gln, country, address, message_id)
    VALUES (code, v.starts, (m.data->>'version')::numeric::bigint, m.data->>'role', m.data->>'name', m.data->>'gln', m.data->>'country', m.data->'address', m.id);
    PERFORM planthub.bring('party', ARRAY[code]);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION planthub.apply_party(planthub.inbound) IS 'Effect of party.upserted: a new version of the party';

CREATE OR REPLACE FUNCTION planthub.apply_uom_conversion(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    code   text := m.data->>'item';
    unit   text := planthub.unit_code(m.data->>'from');
    target text := planthub.unit_code(m.data->>'to');
    starts timestamptz := coalesce((m.data->>'valid_from')::timestamptz, '-infinity');
    bad    planthub.violation[] := planthub.owner_violations(m, 'unit_conversion', NULL);
    ends   timestamptz;
BEGIN
    IF unit IS NULL OR target IS NULL THEN
        bad := bad || planthub.violation('UOM_UNKNOWN', CASE WHEN unit IS NULL THEN '/data/from' ELSE '/data/to' END,
            format('"%s" is not a unit of measure.', m.data->>CASE WHEN unit IS NULL THEN 'from' ELSE 'to' END));
    ELSIF (m.data->>'numerator')::numeric <= 0 OR (m.data->>'denominator')::numeric <= 0 THEN
        bad := bad || planthub.violation('QTY_NOT_POSITIVE', '/data/numerator', 'Both parts of the ratio must be positive.');
    ELSIF code IS NULL AND NOT EXISTS (SELECT FROM planthub.unit AS a JOIN planthub.unit AS b ON b.dimension = a.dimension
        WHERE a.code = unit AND b.code = target AND a.numerator * b.denominator * (m.data->>'denominator')::numeric = a.denominator * b.numerator * (m.data->>'numerator')::numeric) THEN
        bad := bad || planthub.violation('UOM_NOT_CONVERTIBLE', '/data/item', 'A conversion for all items must agree with planthub.unit; name the item.');
    ELSIF code IS NOT NULL AND NOT EXISTS (SELECT FROM planthub.item AS i WHERE i.item = code) THEN
        bad := bad || planthub.violation('ITEM_UNKNOWN', '/data/item', format('Item "%s" does not exist.', code), 'item', code);
    END IF;
    IF bad IS NOT NULL OR code IS NULL THEN
        RETURN bad;
    END IF;
    PERFORM planthub.lock_things('master data', ARRAY[concat_ws(' ', 'uom_conversion', code, unit, target)]);
    DELETE FROM planthub.uom_conversion AS c WHERE c.item = code AND c.uom = unit AND c.to_uom = target AND c.valid_from = starts;
    SELECT min(c.valid_from) INTO ends FROM planthub.uom_conversion AS c WHERE c.item = code AND c.uom = unit AND c.to_uom = target AND c.valid_from > starts;
    UPDATE planthub.uom_conversion AS c SET valid_to = starts
    WHERE c.item = code AND c.uom = unit AND c.to_uom = target AND c.valid_from < starts AND c.valid_to > starts;
    INSERT INTO planthub.uom_conversion AS c (item, uom, to_uom, valid_from, valid_to, numerator, denominator, message_id)
    VALUES (code, unit, target, starts, coalesce(ends, 'infinity'), (m.data->>'numerator')::numeric, (m.data->>'denominator')::numeric, m.id);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION planthub.apply_uom_conversion(planthub.inbound) IS 'Effect of uom_conversion.upserted: a conversion of an item; one for all items is only compared with planthub.unit';

CREATE OR REPLACE FUNCTION planthub.apply_lot(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    present jsonb;
    code text := m.data->>'item';
    bad  planthub.violation[];
BEGIN
    PERFORM planthub.lock_things('master data', ARRAY[concat_ws(' ', 'lot', m.site, code, m.data->>'lot')]);
    SELECT to_jsonb(t) INTO present FROM planthub.lot AS t WHERE t.site = m.site AND t.item = code AND t.lot = m.data->>'lot';
    bad := CASE WHEN present IS NOT NULL THEN planthub.owner_violations(m, 'lot', present) END;
    IF NOT EXISTS (SELECT FROM planthub.item AS i WHERE i.item = code AND i.valid_from <= m.event_time AND m.event_time < i.valid_to) THEN
        bad := planthub.violation('ITEM_UNKNOWN', '/data/item', format('Item "%s" does not exist.', code), 'item', code) || bad;
    ELSIF m.data->>'supplier' IS NOT NULL AND NOT EXISTS (SELECT FROM planthub.party AS p WHERE p.party = m.data->>'supplier') THEN
        bad := bad || planthub.violation('PARTY_UNKNOWN', '/data/supplier', format('Party "%s" does not exist.', m.data->>'supplier'), 'party', m.data->>'supplier');
    END IF;
    IF bad IS NULL AND (present->>'version')::bigint >= (m.data->>'version')::numeric::bigint THEN
        bad := planthub.stale_master(m, 'lot', m.data->>'lot', present);
    END IF;
    IF bad IS NOT NULL THEN
        RETURN bad;
    END IF;
    INSERT INTO planthub.lot AS t (site, item, lot, version, origin, status, supplier, supplier_lot, manufactured, expiry, country, properties, message_id, event_time)
    VALUES (m.site, code, m.data->>'lot', (m.data->>'version')::numeric::bigint, 'master', m.data->>'status', m.data->>'supplier', m.data->>'supplier_lot',
        (m.data->>'manufactured')::date, (m.data->>'expiry')::date, m.data->>'origin_country', m.data->'properties', m.id, m.event_time)
    ON CONFLICT ON CONSTRAINT lot_pkey DO UPDATE SET version = excluded.version, status = excluded.status,
        supplier = coalesce(excluded.supplier, t.supplier), supplier_lot = coalesce(excluded.supplier_lot, t.supplier_lot),
        manufactured = coalesce(excluded.manufactured, t.manufactured), expiry = coalesce(excluded.expiry, t.expiry),
        country = coalesce(excluded.country, t.country), properties = coalesce(excluded.properties, t.properties), message_id = excluded.message_id;
    INSERT INTO planthub.lot_version (site, item, lot, version, status, message_id, event_time)
    VALUES (m.site, code, m.data->>'lot', (m.data->>'version')::numeric::bigint, m.data->>'status', m.id, m.event_time);
    PERFORM planthub.bring('lot', ARRAY[concat_ws('/', m.site, code, m.data->>'lot')]);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION planthub.apply_lot(planthub.inbound) IS 'Effect of lot.upserted: the attributes of a lot';

-- A higher version takes the place of lower ones from its event time on, also of one that says it holds from later.  What
-- came to be by a receipt or in production is unrestricted until its owner says otherwise.
CREATE OR REPLACE VIEW planthub.lot_status AS
SELECT x.site, x.item, x.lot, x.status, tstzrange(x.starts, x.ends) AS valid, x.version, x.message_id
FROM (SELECT v.*, min(v.starts) OVER (PARTITION BY v.site, v.item, v.lot ORDER BY v.version NULLS FIRST ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS ends
      FROM (SELECT c.site, c.item, c.lot, c.version, c.status, c.event_time AS starts, c.message_id FROM planthub.lot_version AS c
            UNION ALL
            SELECT o.site, o.item, o.lot, NULL, 'unrestricted', o.event_time, NULL FROM planthub.lot AS o WHERE o.origin <> 'master') AS v) AS x
WHERE x.ends IS NULL OR x.starts < x.ends;
COMMENT ON VIEW planthub.lot_status IS 'Status of lots as intervals without overlap: valid @> an instant is the status then; holds are apart, see planthub.hold';
COMMENT ON COLUMN planthub.lot_status.site IS 'Site';
COMMENT ON COLUMN planthub.lot_status.item IS 'Item';
COMMENT ON COLUMN planthub.lot_status.lot IS 'Number of the lot';
COMMENT ON COLUMN planthub.lot_status.status IS 'Status of the lot as a whole: unrestricted, quality, restricted or blocked';
COMMENT ON COLUMN planthub.lot_status.valid IS 'From when to when; open at the end: still';
COMMENT ON COLUMN planthub.lot_status.version IS 'Version of the master data that says so; null: the owner had said nothing yet';
COMMENT ON COLUMN planthub.lot_status.message_id IS 'Message that told it; null: the owner had said nothing yet';

CREATE OR REPLACE FUNCTION planthub.apply_bom(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    bad planthub.violation[];
BEGIN
    SELECT array_agg(ROW('ITEM_UNKNOWN', x.pointer, format('Item "%s" does not exist.', x.item), 'item', x.item)::planthub.violation)
    INTO bad
    FROM (SELECT '/data/item' AS pointer, m.data->>'item' AS item
          UNION ALL SELECT format('/data/lines/%s/item', l.n - 1), l.v->>'item' FROM jsonb_array_elements(m.data->'lines') WITH ORDINALITY AS l (v, n)) AS x
    WHERE NOT EXISTS (SELECT FROM planthub.item AS i WHERE i.item = x.item);
    IF bad IS NULL THEN
        SELECT array_agg(ROW('UOM_UNKNOWN', format('/data/lines/%s/qty/uom', l.n - 1), format('"%s" is not a unit of measure.', l.v#>>'{qty,uom}'), NULL, NULL)::planthub.violation)
        INTO bad FROM jsonb_array_elements(m.data->'lines') WITH ORDINALITY AS l (v, n) WHERE planthub.unit_code(l.v#>>'{qty,uom}') IS NULL;
    END IF;
    IF bad IS NULL AND EXISTS (SELECT FROM planthub.bom AS b WHERE b.item = m.data->>'item' AND b.bom = m.data->>'bom' AND b.version = m.data->>'version') THEN
        bad := planthub.stale_master(m, 'bom', m.data->>'bom', m.data);
    END IF;
    IF bad IS NOT NULL THEN
        RETURN bad;
    END IF;
    INSERT INTO planthub.bom AS b (item, bom, version, base_qty, uom, valid_from, message_id)
    VALUES (m.data->>'item', m.data->>'bom', m.data->>'version', (m.data#>>'{base_qty,value}')::numeric, planthub.unit_code(m.data#>>'{base_qty,uom}'),
        (m.data->>'valid_from')::date, m.id);
    INSERT INTO planthub.bom_line AS b (item, bom, version, line, component, qty, uom, operation, scrap_pct, backflush, substitutes)
    SELECT m.data->>'item', m.data->>'bom', m.data->>'version', l->>'line', l->>'item', (l#>>'{qty,value}')::numeric, planthub.unit_code(l#>>'{qty,uom}'),
        l->>'operation', (l->>'scrap_pct')::numeric, coalesce((l->>'backflush')::boolean, false),
        CASE WHEN l ? 'substitutes' THEN ARRAY(SELECT jsonb_array_elements_text(l->'substitutes')) END
    FROM jsonb_array_elements(m.data->'lines') AS l;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION planthub.apply_bom(planthub.inbound) IS 'Effect of bom.released: one more version of a bill of material';

CREATE OR REPLACE FUNCTION planthub.apply_routing(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    bad planthub.violation[];
BEGIN
    SELECT array_agg(ROW('WORK_CENTER_UNKNOWN', format('/data/operations/%s/work_center', l.n - 1),
        format('Work center "%s" does not exist.', l.v->>'work_center'), 'equipment', l.v->>'work_center')::planthub.violation)
    INTO bad FROM jsonb_array_elements(m.data->'operations') WITH ORDINALITY AS l (v, n)
    WHERE NOT EXISTS (SELECT FROM planthub.equipment AS e WHERE e.equipment = l.v->>'work_center');
    IF bad IS NULL AND EXISTS (SELECT FROM planthub.routing AS b WHERE b.item = m.data->>'item' AND b.routing = m.data->>'routing' AND b.version = m.data->>'version') THEN
        bad := planthub.stale_master(m, 'routing', m.data->>'routing', m.data);
    END IF;
    IF bad IS NOT NULL THEN
        RETURN bad;
    END IF;
    INSERT INTO planthub.routing AS r (item, routing, version, message_id) VALUES (m.data->>'item', m.data->>'routing', m.data->>'version', m.id);
    INSERT INTO planthub.routing_operation AS r (item, routing, version, operation, work_center, is_milestone, setup_min, machine_min_per_unit, labor_min_per_unit)
    SELECT m.data->>'item', m.data->>'routing', m.data->>'version', l->>'op', l->>'work_center', coalesce((l->>'is_milestone')::boolean, false),
        (l->>'setup_min')::numeric, (l->>'machine_min_per_unit')::numeric, (l->>'labor_min_per_unit')::numeric
    FROM jsonb_array_elements(m.data->'operations') AS l;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION planthub.apply_routing(planthub.inbound) IS 'Effect of routing.released: one more version of a routing';
