-- The master data of the scenario as facts, then its production order, unchanged.  One transaction: all or nothing.
\set master `cat demo/scenario/master_data.json`
\set messages `cat demo/scenario/messages_main.json`
BEGIN;

SELECT count(planthub.publish('item.upserted', data, key => 'item:' || (data->>'item'), site => 'PLANT-1')) AS items
FROM (SELECT jsonb_strip_nulls(jsonb_build_object(
          'item', i->'id', 'version', 1, 'description', i->'description', 'base_uom', i->'base_uom',
          'lot_controlled', i->'lot_controlled', 'serial_controlled', i->'serial_controlled', 'status', 'active',
          'gtin', i->'gtin')) AS data
      FROM jsonb_array_elements(:'master'::jsonb->'items') AS i
      WHERE i ? 'description') AS facts \gset

SELECT count(planthub.publish('uom_conversion.upserted', data, key => 'item:' || coalesce(data->>'item', '*'), site => 'PLANT-1')) AS conversions
FROM (SELECT jsonb_strip_nulls(jsonb_build_object(
          'item', c->'item', 'from', c->'from', 'to', c->'to', 'numerator', c->'factor', 'denominator', '1')) AS data
      FROM jsonb_array_elements(:'master'::jsonb->'uom_conversions') AS c) AS facts \gset

SELECT count(planthub.publish('party.upserted', data, key => 'party:' || (data->>'party'), site => 'PLANT-1')) AS parties
FROM (SELECT jsonb_strip_nulls(jsonb_build_object(
          'party', p->'id', 'version', 1, 'role', p->'role', 'name', p->'id', 'gln', p->'gln')) AS data
      FROM jsonb_array_elements(:'master'::jsonb->'parties') AS p) AS facts \gset

SELECT count(planthub.publish('equipment.upserted', data, key => 'eq:' || (data->>'equipment'), site => 'PLANT-1')) AS equipment
FROM (SELECT jsonb_build_object(
          'equipment', e->'id', 'version', 1, 'level', e->'level', 'parent', e->'parent', 'tz', e->'tz', 'active', true) AS data
      FROM jsonb_array_elements(:'master'::jsonb->'equipment') AS e) AS facts \gset

SELECT count(planthub.publish('lot.upserted', data, key => concat_ws(':', 'lot', data->>'item', data->>'lot'), site => 'PLANT-1')) AS lots
FROM (SELECT jsonb_strip_nulls(jsonb_build_object(
          'item', l->'item', 'lot', l->'lot', 'version', 1, 'supplier', l->'supplier', 'supplier_lot', l->'supplier_lot',
          'status', CASE l->>'status' WHEN 'released' THEN 'unrestricted' ELSE l->>'status' END,
          'expiry', l->'expiry')) AS data
      FROM jsonb_array_elements(:'master'::jsonb->'lots') AS l) AS facts \gset

SELECT planthub.publish('bom.released', bom || jsonb_build_object('bom', bom->'item'),
                        key => 'item:' || (bom->>'item'), site => 'PLANT-1') AS bom
FROM (SELECT :'master'::jsonb->'bom' AS bom) AS fact \gset

SELECT planthub.publish('routing.released', routing || jsonb_build_object('routing', routing->'item'),
                        key => 'item:' || (routing->>'item'), site => 'PLANT-1') AS routing
FROM (SELECT :'master'::jsonb->'routing' AS routing) AS fact \gset

SELECT planthub.publish(
           regexp_replace(m->>'type', '^planthub[.](.*)[.]v[0-9]+$', '\1'), m->'data', key => m->>'partitionkey', site => 'PLANT-1',
           subject => m->>'subject', event_time => (m->>'time')::timestamptz,
           event_offset => right(m->>'time', 6)::interval, source => m->>'source', event_id => m->>'id',
           correlation_id => m->>'correlationid', traceparent => m->>'traceparent',
           attributes => jsonb_build_object('sequence', m->'sequence', 'recordedtime', m->'recordedtime')) AS "order"
FROM (SELECT :'messages'::jsonb->0 AS m) AS message \gset

COMMIT;
SELECT format('%s items, %s unit conversions, %s parties, %s pieces of equipment, %s lots, a bill of materials, a routing',
              :items, :conversions, :parties, :equipment, :lots);
