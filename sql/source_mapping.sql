-- Sources whose data a mapping translates before contract and rules.
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
SELECT planthub.create_site('P1', timezone => 'Europe/Berlin'), planthub.create_site('P2');
SELECT planthub.create_system('erp', 'erp'), planthub.create_system('mes', 'mes', site => 'P1');
SELECT planthub.set_source('urn:erp', 'erp'), planthub.set_source('urn:mes', 'mes', 'P1');
SELECT planthub.create_endpoint('mes-in', 'mes', 'http://127.0.0.1/'), planthub.create_route('all', '#', 'mes-in');
SELECT planthub.create_topic('plant_x.read'), planthub.create_topic('plant_x.free'), planthub.allow_topic('plant_x.read', 'mes'), planthub.allow_topic('plant_x.read', 'erp');
SELECT planthub.register_contract('plant_x.read', '{"type": "object", "required": ["meter", "value"], "additionalProperties": false,
    "properties": {"site": {"type": "string"}, "meter": {"type": "string"}, "value": {"type": "number", "minimum": 0}, "by": {"type": "string"}}}', version => 1);
SELECT planthub.activate_contract('plant_x.read', 1);
SELECT planthub.create_xref_set('meter');
SELECT planthub.create_mapping('read-in', $m${"meter": "=xref('meter', Zaehler)", "value": "=number(Wert, ',')", "site": "=Werk", "by": "=$env.system"}$m$, contract_out => 'plant_x.read@1');
SELECT planthub.activate_mapping('read-in', 1);

CREATE FUNCTION pg_temp.send(system text, id text, data jsonb, more jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', r.outcome, coalesce(r.code, '-'), (
        SELECT string_agg(concat_ws(' ', v->>'code', v->>'pointer', v#>>'{waits_for,kind}', v#>>'{waits_for,key}', v->>'detail'), '; ' ORDER BY n)
        FROM jsonb_array_elements(r.violations) WITH ORDINALITY AS v (v, n)))
    FROM planthub.receive(jsonb_build_object('specversion', '1.0', 'id', id, 'source', 'urn:' || system, 'type', 'planthub.plant_x.read.v1',
        'time', '2026-01-15T10:00:00+01:00', 'recordedtime', '2026-01-15T10:00:00+01:00', 'datacontenttype', 'application/json',
        'dataschema', 'urn:planthub:schema:plant_x.read:1', 'partitionkey', 'k', 'correlationid', 'c', 'data', data) || more) AS r
$$;
CREATE VIEW pg_temp.result AS
    SELECT i.event_id, i.outcome, i.code, i.site, i.attempts, i.mapping, m.site AS message_site, m.data FROM planthub.inbox AS i LEFT JOIN planthub.message AS m USING (id) ORDER BY i.id;

-- The verb
SELECT pg_temp.try($$SELECT planthub.set_source_mapping('urn:none', 'plant_x.read', 'read-in')$$);
SELECT pg_temp.try($$SELECT planthub.set_source_mapping('urn:mes', 'plant_x.none', 'read-in')$$);
SELECT pg_temp.try($$SELECT planthub.set_source_mapping('urn:mes', 'plant_x.read', 'none')$$);
-- without a mapping, the data must be as the contract wants them; the sender is remembered now
SELECT pg_temp.send('mes', 'a', '{"meter": "M", "value": 1}');
SELECT planthub.set_source_mapping('urn:mes', 'plant_x.read', 'read-in'), planthub.set_source_mapping('urn:erp', 'plant_x.read', 'read-in');

-- Data that would keep the contract are foreign all the same
SELECT pg_temp.send('mes', 'b', '{"meter": "M", "value": 1}');
-- a code that is not known yet: it waits for it, and what arrives again in between is a copy
SELECT pg_temp.send('mes', 'c', '{"Zaehler": "Z1", "Wert": "1,50"}');
SELECT pg_temp.send('mes', 'c', '{"Zaehler": "Z1", "Wert": "1,50"}');
SELECT pg_temp.send('mes', 'c', '{"Zaehler": "Z1", "Wert": "1,51"}');
SELECT event_id, code, kind, key FROM planthub.parked_event;
SELECT planthub.set_xref('meter', 'Z1', '"M1"', system => 'mes') > 0;
-- what the data lack, or what is not in the language of the mapping; what the contract does not allow
SELECT pg_temp.send('mes', 'd', '{"Zaehler": "Z1", "Wert": "viel"}');
SELECT pg_temp.send('mes', 'e', '{"Zaehler": "Z2", "Wert": "viel"}');
SELECT pg_temp.send('mes', 'f', '{"Zaehler": "Z1", "Wert": "-1"}');
SELECT pg_temp.send('mes', 'f', '{"Zaehler": "Z1", "Wert": "-1"}');
-- the site: of the source, of the data when they are translated; a foreign member of that name means nothing
SELECT pg_temp.send('mes', 'g', '{"Zaehler": "Z1", "Wert": "2", "site": {"x": 1}}');
SELECT pg_temp.send('mes', 'h', '{"Zaehler": "Z1", "Wert": "2", "Werk": "P2"}');
SELECT planthub.set_xref('meter', 'Z9', '"M9"', system => 'erp') > 0;
SELECT pg_temp.send('erp', 'i', '{"Zaehler": "Z9", "Wert": "2", "Werk": "P2"}');
SELECT * FROM pg_temp.result;

-- A new version: an event that was refused is translated anew, one that was applied stays
SELECT planthub.create_mapping('read-in', $m${"meter": "=nz(xref('meter', Zaehler), 'none')", "value": "=abs(number(Wert, ','))"}$m$);
SELECT planthub.activate_mapping('read-in', 2);
SELECT pg_temp.send('mes', 'f', '{"Zaehler": "Z1", "Wert": "-1"}');
SELECT pg_temp.send('mes', 'c', '{"Zaehler": "Z1", "Wert": "1,50"}');
SELECT * FROM pg_temp.result WHERE event_id IN ('c', 'f');
-- the same fact under another name: the business key is in what the mapping gives
INSERT INTO planthub.effect (topic, function, business_key) VALUES ('plant_x.read', 'public.read_effect', '{meter,value}');
CREATE FUNCTION public.read_effect(planthub.inbound) RETURNS planthub.violation[] LANGUAGE sql AS 'SELECT NULL::planthub.violation[]';
SELECT pg_temp.send('mes', 'j', '{"Zaehler": "Z1", "Wert": "7"}');
SELECT pg_temp.send('mes', 'k', '{"Zaehler": "Z1", "Wert": "-7"}');
SELECT event_id, business_key FROM planthub.inbox WHERE event_id IN ('j', 'k') ORDER BY id;
-- What waits, and what lets it go: a unit; an entry for the way back; a mapping that was wrong
SELECT planthub.create_mapping('read-in', $m${"meter": "=xref('meter', Zaehler)", "value": "=unit(number(Wert, ','), Einheit, 'MTR')", "by": "=nz(xref_back('meter', Wer), null)"}$m$);
SELECT planthub.activate_mapping('read-in', 3), planthub.set_policy('P1', 'mapping_failed', 'park');
SELECT pg_temp.send('mes', 'n', '{"Zaehler": "Z1", "Wert": "3", "Einheit": "ELL"}');
SELECT pg_temp.send('mes', 'o', '{"Zaehler": "Z1", "Wert": "4", "Einheit": "MTR", "Wer": "CANON"}');
SELECT pg_temp.send('mes', 'p', '{"Zaehler": "Z1", "Wert": "fünf", "Einheit": "MTR"}');
SELECT pg_temp.send('mes', 'q', '{"Zaehler": "Z7", "Wert": "6", "Einheit": "MTR"}');
SELECT event_id, code, kind, key FROM planthub.parked_event ORDER BY message_id;
SELECT planthub.create_unit('ELL', 'ell', 'length', 1, 2), planthub.set_xref('meter', 'THEIRS', '"CANON"', system => 'mes') > 0;
SELECT * FROM pg_temp.result WHERE event_id >= 'n';
-- a version that is right, through a mapping that it includes
SELECT planthub.create_mapping('read-value', $m$"=number(replace(Wert, 'fünf', '5'))"$m$), planthub.activate_mapping('read-value', 1);
SELECT planthub.create_mapping('read-in', $m${"meter": "=xref('meter', Zaehler, 'M?')", "value": {"$use": "read-value"}}$m$);
SELECT planthub.activate_mapping('read-in', 4);
SELECT * FROM pg_temp.result WHERE event_id >= 'n';
SELECT pg_temp.send('mes', 'r', '{"Zaehler": "Z1", "Wert": "sechs"}');
SELECT pg_temp.try($$SELECT planthub.set_source_mapping('urn:mes', 'plant_x.read', NULL)$$);
SELECT planthub.create_mapping('read-value', $m$"=number(replace(Wert, 'sechs', '66'))"$m$), planthub.activate_mapping('read-value', 2);
SELECT * FROM pg_temp.result WHERE event_id >= 'r';
-- another mapping for the source
SELECT pg_temp.send('mes', 's', '{"Zaehler": "Z1", "Wert": "sieben"}');
SELECT planthub.create_mapping('read-anew', $m${"meter": "M7", "value": "=nz(Nummer, `77`)"}$m$), planthub.activate_mapping('read-anew', 1), planthub.set_source_mapping('urn:mes', 'plant_x.read', 'read-anew');
SELECT * FROM pg_temp.result WHERE event_id >= 's';
-- a decision of people, after which the version of the moment counts
SELECT pg_temp.send('mes', 't', '{"Nummer": 1}', '{"time": "2020-01-15T10:00:00+01:00"}');
SELECT planthub.create_mapping('read-anew', $m${"meter": "M8", "value": "=nz(Nummer, `88`)"}$m$), planthub.activate_mapping('read-anew', 2);
SELECT r.* FROM planthub.inbox AS i, planthub.release_parked(i.id) AS r WHERE event_id = 't';
SELECT event_id, outcome, attempts, mapping FROM planthub.inbox WHERE event_id = 't';

-- it is as old as it was when it arrived, however often it is evaluated
SELECT outcome, code FROM planthub.receive('{"specversion": "1.0", "id": "old", "source": "urn:mes", "type": "planthub.plant_x.read.v1", "time": "2020-01-15T10:00:00Z", "data": {"Nummer": 2}}');
SELECT planthub.create_mapping('read-anew', $m${"meter": "M9", "value": "=nz(Nummer, `99`)"}$m$), planthub.activate_mapping('read-anew', 3);
SELECT event_id, outcome, code, attempts, mapping FROM planthub.inbox WHERE event_id = 'old';
SELECT planthub.reject_parked(id, 'test') FROM planthub.inbox WHERE event_id = 'old';
-- the policy is that of the site that the document is about
SELECT planthub.set_source_mapping('urn:erp', 'plant_x.read', 'read-in', type => 'of-sites', site_expression => 'Werk');
SELECT outcome, code FROM planthub.receive('{"specversion": "1.0", "id": "p1", "source": "urn:erp", "type": "of-sites", "data": {"Werk": "P1", "Wert": "?"}}');
SELECT outcome, code FROM planthub.receive('{"specversion": "1.0", "id": "p2", "source": "urn:erp", "type": "of-sites", "data": {"Werk": "P2", "Wert": "?"}}');
SELECT planthub.reject_parked(id, 'test') FROM planthub.inbox WHERE event_id = 'p1';

-- What is in use is not retired
SELECT pg_temp.try($$SELECT planthub.retire_mapping('read-value')$$);
SELECT pg_temp.try($$SELECT planthub.retire_mapping('read-anew')$$);
SELECT pg_temp.try($$SELECT planthub.retire_mapping('read-in')$$);
SELECT planthub.create_mapping('out', '"=@"'), planthub.activate_mapping('out', 1), planthub.alter_route('all', mapping => 'out', response_mapping => 'out');
SELECT pg_temp.try($$SELECT planthub.retire_mapping('out')$$);
SELECT planthub.alter_route('all', mapping => 'out@1', response_mapping => '');
CREATE TABLE public.rows (id int PRIMARY KEY);
SELECT planthub.create_collector('rows', 'urn:mes', 'plant_x.free', 'public.rows', 'out');
SELECT pg_temp.try($$SELECT planthub.retire_mapping('out')$$);
SELECT planthub.drop_collector('rows'), planthub.retire_mapping('out');
-- a version of the site may go when there is one of the enterprise
SELECT planthub.create_mapping('read-anew', $m${"value": 98}$m$, site => 'P1', base => 3), planthub.activate_mapping('read-anew', 1, 'P1');
SELECT pg_temp.send('mes', 'u', '{}');
SELECT planthub.retire_mapping('read-anew', 'P1');
SELECT pg_temp.send('mes', 'v', '{}', '{"time": "2026-01-15T10:00:01+01:00"}');
SELECT event_id, outcome, mapping FROM planthub.inbox WHERE event_id IN ('u', 'v') ORDER BY id;

-- A verb that is not used well
SET client_min_messages = notice;
SELECT planthub.set_source_mapping('urn:mes', 'plant_x.free', 'sap-order-in', type => 'wrong');
SET client_min_messages = warning;
SELECT pg_temp.try($$SELECT planthub.drop_topic('plant_x.free')$$);
SELECT planthub.set_source_mapping('urn:mes', 'plant_x.free', NULL, type => 'wrong');
SELECT pg_temp.try($$SELECT planthub.set_source_mapping('urn:mes', NULL, 'read-anew')$$);
SELECT pg_temp.try($$SELECT planthub.set_source_mapping('urn:mes', 'plant_x.read', 'read-anew', xml => '{"arrays": 1}')$$);
SELECT pg_temp.try($$SELECT planthub.set_source_mapping('urn:mes', 'plant_x.read', 'read-anew', xml => '1')$$);
SELECT pg_temp.try($$SELECT planthub.set_source_mapping('urn:mes', 'plant_x.read', 'read-anew', site_expression => 'a.')$$);
SELECT pg_temp.try($$SELECT planthub.set_source_mapping('urn:mes', 'plant_x.read', 'read-anew', env => '[]')$$);
SELECT pg_temp.try($$SELECT planthub.set_source_mapping('urn:mes', 'plant_x.read', 'read-anew', version => 0)$$);
SELECT pg_temp.try($$SELECT planthub.set_source_mapping('urn:mes', 'plant_x.free', NULL)$$);

-- The mapping tells topic, time and key; what it told of an event that waited is known when it is evaluated again
SELECT planthub.set_policy('P1', 'mapping_failed', NULL);
SELECT planthub.create_mapping('tells', $m${"topic": "=topic", "time": "=time", "subject": "=s", "partitionkey": "=k", "correlationid": "=c", "site": "=site", "more": 1, "data": {"meter": "=xref('meter', m)", "value": "=v"}}$m$), planthub.activate_mapping('tells', 1);
SELECT planthub.set_source_mapping('urn:mes', NULL, 'tells', type => 'any');
SELECT pg_temp.send('mes', 'w', '{"topic": "plant_x.read", "time": "2026-01-15T09:30:00+01:00", "s": "S", "k": "K", "c": "C", "m": "Z88", "v": 8}', '{"type": "any"}');
SELECT event_id, site, topic, key, event_time FROM planthub.inbox WHERE event_id = 'w';
SELECT planthub.set_xref('meter', 'Z88', '"M88"', system => 'mes') > 0;
SELECT i.event_id, i.outcome, i.site, i.topic, i.key, i.event_time, i.business_key, m.topic, m.version, m.key, m.subject, m.correlation_id, m.event_time, m.data
FROM planthub.inbox AS i JOIN planthub.message AS m USING (id) WHERE i.event_id = 'w';
SELECT pg_temp.send('mes', 'x' || n, data::jsonb, '{"type": "any", "time": "2026-01-15T10:00:00+01:00"}') FROM (VALUES (1, '{"topic": "plant_x.none", "m": "Z88", "v": 1}'), (2, '{"m": "Z88"}'),
    (3, '{"topic": "plant_x.read", "time": "noon", "m": "Z88", "v": 1}'), (4, '{"topic": "plant_x.read", "m": "Z88", "v": "x"}'), (5, '{"topic": "plant_x.free", "m": "Z88"}'),
    (6, '{"topic": "plant_x.read", "m": "Z88", "v": 2, "site": "P2"}')) AS x (n, data);

-- a document number that the target of a delivery has told
SELECT pg_temp.send('mes', 'y', '{"topic": "plant_x.read", "m": "Z88", "v": 11, "d": "4900001"}', '{"type": "any"}');
SELECT planthub.create_mapping('tells', $m${"topic": "=topic", "data": {"meter": "=xref('document', d)", "value": "=v"}}$m$), planthub.activate_mapping('tells', 2);
SELECT pg_temp.send('mes', 'z', '{"topic": "plant_x.read", "v": 12, "d": "4900001"}', '{"type": "any"}');
SELECT pg_temp.send('mes', 'z2', '{"topic": "plant_x.read", "v": 13, "d": "F-1"}', '{"type": "any"}');
BEGIN;      -- or the job has done it already
SELECT planthub.posting_document((SELECT min(id) FROM planthub.message), 'P1', 'mes', '4900001', NULL);
SELECT event_id, due FROM planthub.parked JOIN planthub.inbox AS i ON i.id = message_id ORDER BY 1;
SELECT evaluated FROM planthub.release_due();
COMMIT;
SELECT i.event_id, i.outcome, m.data FROM planthub.inbox AS i LEFT JOIN planthub.message AS m USING (id) WHERE i.event_id >= 'y' ORDER BY 1;
SELECT planthub.reject_parked(message_id, 'test') FROM planthub.parked;

-- no mapping any more; a source that goes takes its mappings with it
SELECT planthub.set_source_mapping('urn:mes', 'plant_x.read', NULL);
SELECT pg_temp.send('mes', 'l', '{"meter": "M", "value": 3}');
SELECT planthub.drop_source('urn:erp');
SELECT count(*) FROM planthub.source_mapping;
