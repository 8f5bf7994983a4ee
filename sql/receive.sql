-- receive(): what is stored, in which order it is checked, what waits and what releases it.
SET client_min_messages = warning;

-- Runs a statement and shows its error with all fields.
CREATE FUNCTION pg_temp.try(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text; message text; detail text; hint text;
BEGIN
    EXECUTE statement;
    RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n', state || ' ' || message, 'DETAIL ' || nullif(detail, ''), 'HINT ' || nullif(hint, ''));
END
$$;
\pset format unaligned
\pset tuples_only on
SELECT planthub.create_site('P1', timezone => 'Europe/Berlin');
SELECT planthub.create_system('erp', 'erp'), planthub.create_system('mes', 'mes', site => 'P1'), planthub.create_system('wms', 'wms', site => 'P1');
SELECT planthub.set_source('urn:erp', 'erp', 'P1'), planthub.set_source('urn:mes', 'mes', 'P1'), planthub.set_source('urn:wms', 'wms', 'P1');
SELECT planthub.create_endpoint('wms-in', 'wms', 'http://127.0.0.1/'), planthub.create_route('all', '#', 'wms-in');

CREATE FUNCTION pg_temp.event(system text, id text, topic text, data jsonb, more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('specversion', '1.0', 'id', id, 'source', 'urn:' || system, 'type', 'planthub.' || topic || '.v1',
        'time', '2026-01-15T10:00:00+01:00', 'recordedtime', '2026-01-15T10:00:00+01:00', 'datacontenttype', 'application/json',
        'dataschema', 'urn:planthub:schema:' || topic || ':1', 'partitionkey', 'k', 'correlationid', 'c', 'data', data) || more
$$;
-- outcome, code, and of each violation code, pointer and what it waits for
CREATE FUNCTION pg_temp.send(event jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', r.outcome, coalesce(r.code, '-'), (
        SELECT string_agg(concat_ws(' ', v->>'code', v->>'pointer', v#>>'{waits_for,kind}', v#>>'{waits_for,key}'), '; ' ORDER BY n)
        FROM jsonb_array_elements(r.violations) WITH ORDINALITY AS v (v, n)))
    FROM planthub.receive(event) AS r
$$;
CREATE FUNCTION pg_temp.item(id text, version int DEFAULT 1, more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('item', id, 'version', version, 'description', id, 'base_uom', 'C62', 'lot_controlled', false, 'serial_controlled', false, 'status', 'active') || more
$$;

-- Master data, which is there when it is named
SELECT pg_temp.send(pg_temp.event('erp', 'e' || n, 'equipment.upserted', jsonb_build_object('equipment', code, 'version', 1, 'level', level, 'parent', parent, 'active', true)))
FROM (VALUES (1, 'P1', 'Site', NULL), (2, 'LINE', 'ProductionLine', 'P1'), (3, 'WC', 'WorkCenter', 'LINE'), (4, 'BIN', 'StorageZone', 'LINE'), (5, 'STORE', 'StorageZone', 'P1')) AS x (n, code, level, parent);
SELECT pg_temp.send(pg_temp.event('erp', 'i1', 'item.upserted', pg_temp.item('SCREW')));
SELECT pg_temp.send(pg_temp.event('wms', 's1', 'inventory.adjusted', '{"document": "D", "line": "1", "item": "SCREW", "location": "STORE", "delta": {"value": "10", "uom": "C62"}, "reason": "OPENING"}'));
SELECT site, location, item, lot, status, qty, uom FROM planthub.inventory_balance;
-- The hierarchy of equipment: no circle, no level within a lower one; areas may be in areas
SELECT pg_temp.send(pg_temp.event('erp', 'h' || n, 'equipment.upserted', jsonb_build_object('equipment', code, 'version', n + 1, 'level', level, 'parent', parent, 'active', true)))
FROM (VALUES (1, 'LINE', 'ProductionLine', 'WC'), (2, 'WC', 'WorkCenter', 'WC'), (3, 'P1', 'Site', 'STORE'), (4, 'HALL', 'Area', 'LINE'), (5, 'P2', 'Site', 'P1'),
    (6, 'HALL', 'Area', 'P1'), (7, 'BAY', 'Area', 'HALL'), (8, 'HALL', 'Area', 'BAY'), (9, 'LOOP', 'Unit', 'LOOP')) AS x (n, code, level, parent);

-- The order of the checks
SELECT pg_temp.send('[]');
SELECT pg_temp.send(pg_temp.event('erp', 'x', 'item.upserted', '{}') - 'id' - 'time');
SELECT pg_temp.send(pg_temp.event('erp', 'x', 'item.upserted', '{}', '{"time": "2026-02-30T10:00:00Z"}'));
SELECT pg_temp.send(pg_temp.event('rogue', 'x', 'item.upserted', '{}'));
SELECT pg_temp.send(pg_temp.event('wms', 'x', 'production.confirmed', '{}'));
SELECT pg_temp.send(pg_temp.event('erp', 'x', 'item.upserted', '{}', '{"dataschema": "urn:planthub:schema:item.upserted:99999999999"}'));
SELECT pg_temp.send(pg_temp.event('erp', 'x', 'item.upserted', '{}', '{"type": "planthub.item.upserted.v2"}'));
SELECT pg_temp.send(pg_temp.event('erp', 'x', 'item.upserted', '{"item": 1}'));
-- the same identity: the same fact, written otherwise; another fact; another name for the fact
SELECT pg_temp.send(pg_temp.event('wms', 's1', 'inventory.adjusted', '{"reason": "OPENING", "document": "D", "line": "1", "item": "SCREW", "location": "STORE", "delta": {"value": "10.000", "uom": "C62"}}', '{"recordedtime": "2026-01-15T11:00:00+01:00"}'));
SELECT pg_temp.send(pg_temp.event('wms', 's1', 'inventory.adjusted', '{"document": "D", "line": "1", "item": "SCREW", "location": "STORE", "delta": {"value": "11", "uom": "C62"}, "reason": "OPENING"}'));
SELECT pg_temp.send(pg_temp.event('wms', 's2', 'inventory.adjusted', '{"document": "D", "line": "1", "item": "SCREW", "location": "STORE", "delta": {"value": "10", "uom": "C62"}, "reason": "OPENING"}'));
SELECT pg_temp.send(pg_temp.event('wms', 's3', 'inventory.adjusted', '{"document": "D", "line": "1", "item": "SCREW", "location": "STORE", "delta": {"value": "12", "uom": "C62"}, "reason": "OPENING"}'));
SELECT qty FROM planthub.inventory_balance;

-- References of other systems: missing, found by the commit that enters it, ambiguous
SELECT pg_temp.send(pg_temp.event('wms', 'm1', 'inventory.moved', '{"movement": "M1", "reason": "x", "lines": [{"item": {"scheme": "wms", "id": "4714"}, "qty": {"value": "1", "uom": "EA"}, "from": "STORE", "to": "BIN"}]}'));
SELECT planthub.set_xref('item', '4714', '"SCREW"', 'wms') > 0;
SELECT outcome, code, attempts FROM planthub.inbox WHERE event_id = 'm1';
INSERT INTO planthub.xref (set, system, code, value) VALUES ('item', 'wms', '4714', '"OTHER"');
SELECT pg_temp.send(pg_temp.event('wms', 'm2', 'inventory.moved', '{"movement": "M2", "reason": "x", "lines": [{"item": {"scheme": "wms", "id": "4714"}, "qty": {"value": "1", "uom": "EA"}, "from": "STORE", "to": "BIN"}]}'));

-- Time
SELECT pg_temp.send(pg_temp.event('erp', 't1', 'item.upserted', pg_temp.item('T1'), '{"time": "2026-01-15T10:05:01+01:00"}'));
SELECT pg_temp.send(pg_temp.event('erp', 't2', 'item.upserted', pg_temp.item('T2'), '{"time": "2026-01-15T10:05:00+01:00"}'));
SELECT pg_temp.send(pg_temp.event('erp', 't3', 'item.upserted', pg_temp.item('T3'), '{"time": "2026-01-12T09:59:59+01:00"}'));
SELECT outcome, code FROM planthub.release_parked((SELECT message_id FROM planthub.parked));
SELECT pg_temp.send(pg_temp.event('erp', 't4', 'item.upserted', pg_temp.item('T4'), '{"time": "2026-01-12T09:59:59+01:00"}'));
SELECT planthub.reject_parked((SELECT message_id FROM planthub.parked), 'nobody needs it');
SELECT outcome, code FROM planthub.inbox WHERE event_id = 't4';
SELECT pg_temp.try($$SELECT planthub.release_parked(0)$$);

-- Waiting: one event for two things, one after the other
SELECT pg_temp.send(pg_temp.event('wms', 'w1', 'inventory.moved', '{"movement": "W1", "reason": "x", "lines": [{"item": "NUT", "qty": {"value": "1", "uom": "C62"}, "from": "STORE", "to": "SHELF"}]}'));
SELECT pg_temp.send(pg_temp.event('wms', 'w1', 'inventory.moved', '{"movement": "W1", "reason": "x", "lines": [{"item": "NUT", "qty": {"value": "1", "uom": "C62"}, "from": "STORE", "to": "SHELF"}]}'));
SELECT pg_temp.send(pg_temp.event('erp', 'i2', 'item.upserted', pg_temp.item('NUT')));
SELECT code, kind, key, hint, owner FROM planthub.parked_event;
SELECT planthub.set_policy('P1', 'negative_stock', 'park');
SELECT pg_temp.send(pg_temp.event('erp', 'e6', 'equipment.upserted', '{"equipment": "SHELF", "version": 1, "level": "StorageUnit", "parent": "STORE", "active": true}'));
SELECT code, kind, key FROM planthub.parked_event;
SELECT pg_temp.send(pg_temp.event('wms', 's4', 'inventory.adjusted', '{"document": "D4", "item": "NUT", "location": "STORE", "delta": {"value": "5", "uom": "C62"}, "reason": "FOUND"}'));
SELECT location, item, qty FROM planthub.inventory_balance ORDER BY 1, 2;
SELECT outcome, code, attempts, copies FROM planthub.inbox WHERE event_id = 'w1';
-- too long: a case, closed by what was missing
SELECT planthub.set_policy('P1', 'park_ttl_min', '0');
SELECT pg_temp.send(pg_temp.event('wms', 'w' || n, 'inventory.moved', format('{"movement": "W%s", "reason": "x", "lines": [{"item": "BOLT", "qty": {"value": "1", "uom": "C62"}, "from": "STORE", "to": "SHELF"}]}', n)::jsonb))
FROM generate_series(2, 3) AS n;
SELECT * FROM planthub.release_due();
SELECT site, code, kind, key, title, hint, owner FROM planthub."case";
SELECT count(*) FROM planthub.parked WHERE case_id IS NOT NULL;
SELECT planthub.set_policy('P1', 'negative_stock', 'allow');
SELECT pg_temp.send(pg_temp.event('erp', 'i3', 'item.upserted', pg_temp.item('BOLT')));
SELECT resolution, closed_at IS NOT NULL, (SELECT count(*) FROM planthub.parked) FROM planthub."case";

-- What waits may turn out to be unusable; who released it does not suffer
SELECT pg_temp.send(pg_temp.event('erp', 'o1', 'production_order.released', '{"order": "M1", "version": 1, "site": "P1", "item": "LATE", "qty": {"value": "1", "uom": "C62"}, "bom_version": null,
    "routing_version": null, "planned_start": "2026-02-30T10:00:00Z", "planned_end": "2026-02-30T10:00:00Z", "operations": [], "components": []}'));
SELECT pg_temp.send(pg_temp.event('erp', 'i4', 'item.upserted', pg_temp.item('LATE')));
SELECT outcome, code, violations #>> '{0,detail}' FROM planthub.inbox WHERE event_id = 'o1';
SELECT count(*) FROM planthub.parked;

-- What is rejected may be sent again, corrected or as it was
SELECT planthub.set_policy('P1', 'negative_stock', NULL);
SELECT pg_temp.send(pg_temp.event('wms', 'r1', 'inventory.moved', '{"movement": "R1", "reason": "x", "lines": [{"item": "NUT", "qty": {"value": "6", "uom": "C62"}, "from": "STORE", "to": "SHELF"}]}'));
SELECT pg_temp.send(pg_temp.event('wms', 'r1', 'inventory.moved', '{"movement": "R1", "reason": "x", "lines": [{"item": "NUT", "qty": {"value": "1", "uom": "C62"}, "from": "STORE", "to": "SHELF"}]}'));
SELECT pg_temp.send(pg_temp.event('wms', 'r2', 'inventory.moved', '{"movement": "R1", "reason": "x", "lines": [{"item": "NUT", "qty": {"value": "1", "uom": "C62"}, "from": "STORE", "to": "SHELF"}]}'));
SELECT pg_temp.send(pg_temp.event('wms', 'r3', 'inventory.moved', '{"movement": "R3", "reason": "x", "lines": [{"item": "NUT", "qty": {"value": "4", "uom": "C62"}, "from": "STORE", "to": "SHELF"}]}'));
SELECT pg_temp.send(pg_temp.event('wms', 's5', 'inventory.adjusted', '{"document": "D5", "item": "NUT", "location": "STORE", "delta": {"value": "5", "uom": "C62"}, "reason": "FOUND"}'));
SELECT pg_temp.send(pg_temp.event('wms', 'r3', 'inventory.moved', '{"movement": "R3", "reason": "x", "lines": [{"item": "NUT", "qty": {"value": "4", "uom": "C62"}, "from": "STORE", "to": "SHELF"}]}'));

-- One number for the event and its message; everything is delivered; balances are proven
SELECT count(*) FILTER (WHERE m.id IS NULL), count(*) FILTER (WHERE m.id IS NOT NULL AND d.message_id IS NULL) FROM planthub.inbox AS i
LEFT JOIN planthub.message AS m ON m.id = i.id LEFT JOIN planthub.delivery AS d ON d.message_id = m.id WHERE i.outcome LIKE 'applied%';
SELECT count(*) FROM planthub.inbox AS i JOIN planthub.message AS m ON m.id = i.id WHERE i.outcome NOT LIKE 'applied%';
SELECT * FROM planthub.stock_differences();
SELECT pg_temp.try($$SELECT planthub.receive(NULL)$$);

-- A plant's own topic, effect, rule and check
SELECT planthub.create_topic('plant.noted'), planthub.allow_topic('plant.noted', 'mes');
CREATE TABLE note (text text);
CREATE FUNCTION note(event planthub.inbound) RETURNS planthub.violation[] LANGUAGE plpgsql AS $$
BEGIN
    IF event.data->>'text' = '' THEN
        RETURN planthub.violation('NOTE_EMPTY', '/data/text', 'There is no text.');
    END IF;
    INSERT INTO public.note VALUES (event.data->>'text');
    RETURN NULL;
END
$$;
SELECT planthub.set_effect('plant.noted', 'public.note', '{text}');
SELECT planthub.set_rule('NOTE_EMPTY', 'warn', 'A note has a text', 'Write something');
SELECT pg_temp.send(pg_temp.event('mes', 'n1', 'plant.noted', '{"text": "a"}'));
SELECT pg_temp.send(pg_temp.event('mes', 'n2', 'plant.noted', '{"text": "a"}'));
SELECT pg_temp.send(pg_temp.event('mes', 'n3', 'plant.noted', '{"text": ""}'));
SELECT pg_temp.send(pg_temp.event('wms', 'n4', 'plant.noted', '{"text": "b"}'));
CREATE FUNCTION no_friday(event planthub.inbound, lines planthub.line[]) RETURNS planthub.violation[] LANGUAGE sql AS
    $$SELECT planthub.violation('NO_FRIDAY', lines[1].pointer, 'Not today.') WHERE lines[1].to_location = 'FRIDAY'$$;
SELECT planthub.add_check('lot', 'inventory.*', 'public.no_friday');
SELECT pg_temp.send(pg_temp.event('erp', 'e7', 'equipment.upserted', '{"equipment": "FRIDAY", "version": 1, "level": "StorageUnit", "parent": "STORE", "active": true}'));
SELECT pg_temp.send(pg_temp.event('wms', 'f1', 'inventory.moved', '{"movement": "F1", "reason": "x", "lines": [{"item": "NUT", "qty": {"value": "1", "uom": "C62"}, "from": "STORE", "to": "FRIDAY"}]}'));
SELECT planthub.drop_check('lot', 'inventory.*', 'public.no_friday');
SELECT pg_temp.try($$SELECT planthub.drop_check('lot', 'inventory.*', 'public.no_friday')$$);
SELECT pg_temp.send(pg_temp.event('wms', 'f2', 'inventory.moved', '{"movement": "F1", "reason": "x", "lines": [{"item": "NUT", "qty": {"value": "1", "uom": "C62"}, "from": "STORE", "to": "FRIDAY"}]}'));
SELECT planthub.set_effect('plant.noted', 'public.nothing');
SELECT pg_temp.try($$SELECT pg_temp.send(pg_temp.event('mes', 'n5', 'plant.noted', '{"text": "c"}'))$$);
-- versions of its contract: the one in force, one that will end, one that is over
SELECT planthub.create_topic('plant.weighed'), planthub.allow_topic('plant.weighed', 'mes'),
    planthub.register_contract('plant.weighed', '{"required": ["kg"]}'), planthub.register_contract('plant.weighed', '{"required": ["kg", "scale"]}');
SELECT planthub.activate_contract('plant.weighed', 2);
CREATE FUNCTION pg_temp.weighed(id text, version int, data jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.send(pg_temp.event('mes', id, 'plant.weighed', data, jsonb_build_object('type', 'planthub.plant.weighed.v' || version, 'dataschema', 'urn:planthub:schema:plant.weighed:' || version)))
$$;
SELECT pg_temp.weighed('v1', 2, '{"kg": "1", "scale": "A"}'), pg_temp.weighed('v2', 2, '{"kg": "1"}'), pg_temp.weighed('v3', 1, '{"kg": "1"}'), pg_temp.weighed('v4', 3, '{"kg": "1"}');
SELECT version FROM planthub.message WHERE topic = 'plant.weighed' ORDER BY id;
SELECT planthub.retire_contract('plant.weighed', 1);
SELECT pg_temp.weighed('v5', 1, '{"kg": "1"}');
-- verbs
SELECT pg_temp.try($$SELECT planthub.set_policy('P1', 'negative', 'park')$$);
SELECT pg_temp.try($$SELECT planthub.set_policy('P1', 'negative_stock', 'maybe')$$);
SELECT pg_temp.try($$SELECT planthub.set_source('urn:x', 'none')$$);
SELECT pg_temp.try($$SELECT planthub.drop_source('urn:x')$$);
SELECT planthub.drop_source('urn:mes');
SELECT pg_temp.send(pg_temp.event('mes', 'n6', 'plant.noted', '{"text": "c"}'));

-- What was refused and is sent again after the same fact has come under another id
CREATE FUNCTION pg_temp.adjusted(id text, document text, delta text) RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.send(pg_temp.event('wms', id, 'inventory.adjusted', jsonb_build_object('document', document, 'line', '1', 'item', 'SCREW', 'location', 'BIN',
        'delta', jsonb_build_object('value', delta, 'uom', 'C62'), 'reason', 'x')))
$$;
SELECT pg_temp.adjusted('again 1', 'R', '-1000');
SELECT pg_temp.adjusted('again 2', 'S', '2000'), pg_temp.adjusted('again 3', 'R', '-1000'), pg_temp.adjusted('again 1', 'R', '-1000');
