-- Master data and opening stock of the scenario, as the ERP and the WMS report them.  Each event is a transaction of its own.
\set master `cat demo/scenario/master_data.json`
CREATE TEMPORARY TABLE fact AS
SELECT row_number() OVER () AS n, f.*
FROM (
    SELECT 'erp:sap-prd-100', 'equipment.upserted', jsonb_build_object('equipment', e->'id', 'version', 1, 'level', e->'level', 'parent', e->'parent',
               'tz', e->'tz', 'active', true)
    FROM jsonb_array_elements(:'master'::jsonb->'equipment') AS e
    UNION ALL
    SELECT 'erp:sap-prd-100', 'item.upserted', jsonb_build_object('item', i->'id', 'version', 1, 'description', i->'description', 'base_uom', i->'base_uom',
               'lot_controlled', i->'lot_controlled', 'serial_controlled', i->'serial_controlled', 'status', 'active', 'gtin', i->'gtin')
    FROM jsonb_array_elements(:'master'::jsonb->'items') AS i
    UNION ALL
    SELECT 'erp:sap-prd-100', 'uom_conversion.upserted', jsonb_build_object('item', c->'item', 'from', c->'from', 'to', c->'to', 'numerator', c->'factor', 'denominator', '1')
    FROM jsonb_array_elements(:'master'::jsonb->'uom_conversions') AS c WHERE c->>'scope' = 'item'
    UNION ALL
    SELECT 'erp:sap-prd-100', 'party.upserted', jsonb_build_object('party', p->'id', 'version', 1, 'role', p->'role', 'name', p->'id', 'gln', p->'gln')
    FROM jsonb_array_elements(:'master'::jsonb->'parties') AS p
    UNION ALL
    SELECT 'erp:sap-prd-100', 'lot.upserted', jsonb_build_object('item', l->'item', 'lot', l->'lot', 'version', 1, 'status', 'unrestricted', 'expiry', l->'expiry',
               'supplier', l->'supplier', 'supplier_lot', l->'supplier_lot')
    FROM jsonb_array_elements(:'master'::jsonb->'lots') AS l
    UNION ALL
    SELECT 'erp:sap-prd-100', 'bom.released', (:'master'::jsonb->'bom') || jsonb_build_object('bom', :'master'::jsonb#>'{bom,item}')
    UNION ALL
    SELECT 'erp:sap-prd-100', 'routing.released', (:'master'::jsonb->'routing') || jsonb_build_object('routing', :'master'::jsonb#>'{routing,item}')
    UNION ALL
    SELECT 'wms:saas-eu', 'inventory.adjusted', jsonb_build_object('document', 'OPEN-' || n, 'line', '1', 'item', s->'item', 'lot', s->'lot',
               'location', s->'location', 'delta', s->'qty', 'reason', 'OPENING')
    FROM jsonb_array_elements(:'master'::jsonb->'opening_stock') WITH ORDINALITY AS o (s, n)) AS f (source, topic, data);

CREATE TEMPORARY TABLE answer (n bigint, topic text, outcome text, violations jsonb);
SELECT format('INSERT INTO answer SELECT %s, %L, r.outcome, r.violations FROM planthub.receive(%L) AS r', n, topic, jsonb_build_object(
    'specversion', '1.0', 'id', 'master-' || n, 'source', 'urn:sys:' || source, 'type', format('planthub.%s.v1', topic),
    'time', '2026-01-14T00:00:00+01:00', 'recordedtime', '2026-01-14T00:00:00+01:00', 'datacontenttype', 'application/json',
    'dataschema', format('urn:planthub:schema:%s:1', topic), 'partitionkey', 'master', 'correlationid', 'master', 'data', data))
FROM fact ORDER BY n \gexec
SELECT string_agg(format('%s %s', count, topic), ', ' ORDER BY first)
FROM (SELECT topic, count(*), min(n) AS first FROM answer WHERE outcome = 'applied' GROUP BY topic) AS a;
SELECT 'NOT APPLIED: ' || topic || ' ' || outcome || ' ' || violations FROM answer WHERE outcome <> 'applied';
