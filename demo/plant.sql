-- The plant as the hub knows it: who sends, who gets what, and whose codes mean what.
-- :erp, :mes, :wms, :qms, :eam, :scada and :office are the addresses of the systems; the office is where the supplier sits, the
-- customer, the planner with his label printer, and the supervisor.
\set master `cat demo/scenario/master_data.json`
BEGIN;
SELECT planthub.create_site('PLANT-1', name => 'Pump factory', timezone => 'Europe/Berlin');

SELECT planthub.create_system(code, kind, site => 'PLANT-1'), planthub.set_source(uri, system => code, site => 'PLANT-1')
FROM (VALUES ('sap-prd', 'erp', 'urn:sys:erp:sap-prd-100'), ('mes-p1', 'mes', 'urn:sys:mes:plant1'), ('weigh-1', 'mes', 'urn:sys:mes:weighing'), ('wms-eu', 'wms', 'urn:sys:wms:saas-eu'),
             ('qms-cloud', 'qms', 'urn:sys:qms:cloud'), ('maximo', 'eam', 'urn:sys:eam:maximo'), ('scada-p1', 'scada', 'urn:sys:scada:plant1'),
             ('sup-7', 'supplier', 'urn:sys:supplier:sup-7'), ('planner', 'aps', 'urn:sys:aps:plant1'), ('labels', 'label', 'urn:sys:label:plant1'),
             ('customers', 'tms', 'urn:sys:edi:customers')) AS s (code, kind, uri);

-- Each system that reports has a role of its own, which may call planthub.receive() and nothing else.
SELECT format('CREATE ROLE %I LOGIN', role) FROM unnest('{erp,mes,wms,qms,eam,scada,supplier}'::text[]) AS role
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) \gexec
GRANT USAGE ON SCHEMA planthub TO erp, mes, wms, qms, eam, scada, supplier;
GRANT EXECUTE ON FUNCTION planthub.receive(jsonb) TO erp, mes, wms, qms, eam, scada, supplier;

SELECT planthub.set_policy('PLANT-1', name, value) FROM jsonb_each_text(:'master'::jsonb->'policies') AS p (name, value);

-- What every system calls sites, items, places and units.
SELECT count(planthub.set_xref(x.set, x.code, to_jsonb(x.value), system => s.code, scope => CASE x.set WHEN 'equipment' THEN 'PLANT-1' ELSE '*' END))
FROM (SELECT CASE WHEN t->>'level' = 'Site' THEN 'site' WHEN t ? 'level' THEN 'equipment' ELSE 'item' END, y.kind, y.code, t->>'id'
      FROM jsonb_array_elements((:'master'::jsonb->'equipment') || (:'master'::jsonb->'items')) AS t, jsonb_each_text(t->'xref') AS y (kind, code)
      UNION ALL VALUES ('uom', 'erp', 'EA', 'C62'), ('uom', 'erp', 'KG', 'KGM'), ('uom', 'mes', 'PCE', 'C62'), ('uom', 'mes', 'KGM', 'KGM'),
                       ('uom', 'wms', 'PC', 'C62'), ('uom', 'wms', 'KG', 'KGM')) AS x (set, kind, code, value)
JOIN planthub.system AS s ON s.kind = x.kind;
SELECT planthub.set_xref('item', y.code, t->'id', system => '*', scope => 'party:' || split_part(y.kind, ':', 2))
FROM jsonb_array_elements(:'master'::jsonb->'items') AS t, jsonb_each_text(t->'xref') AS y (kind, code) WHERE y.kind LIKE 'supplier:%';
SELECT planthub.set_xref('supply_area', 'WC-ASM1', '"PSA-LINE-1"', scope => 'PLANT-1');

\ir mappings.sql

-- The ERP may also send orders as SAP has them: they are translated before anything else looks at them.
SELECT planthub.set_source_mapping('urn:sys:erp:sap-prd-100', 'production_order.released', 'sap-order-in', type => 'sap.ProductionOrder.Released.v1');

-- One endpoint for every service.  Short waits, so that the demo sees the end of an outage soon.
SELECT planthub.create_endpoint(code, system, address, content_mode => mode, max_in_flight => 8, retry_base => '200 ms', retry_cap => '2 s')
FROM (VALUES
    ('sap-confirmations', 'sap-prd', :'erp' || '/sap/opu/odata/sap/API_PROD_ORDER_CONFIRMATION_2_SRV/ProdnOrdConf2', 'plain'),
    ('sap-material-documents', 'sap-prd', :'erp' || '/sap/opu/odata/sap/API_MATERIAL_DOCUMENT_SRV/A_MaterialDocumentHeader', 'plain'),
    ('sap-samples', 'sap-prd', :'erp' || '/sap/opu/odata/sap/API_MATERIAL_DOCUMENT_SRV/A_MaterialDocumentHeader', 'plain'),
    ('sap-goods-issues', 'sap-prd', :'erp' || '/sap/opu/odata/sap/API_OUTBOUND_DELIVERY_SRV;v=0002/PostGoodsIssue', 'plain'),
    ('sap-shipments', 'sap-prd', :'erp' || '/shipments', 'structured'),
    ('sap-inbound-deliveries', 'sap-prd', :'erp' || '/inbound-deliveries', 'structured'),
    ('sap-blocks', 'sap-prd', :'erp' || '/blocks', 'structured'),
    ('sap-capacity', 'sap-prd', :'erp' || '/capacity', 'structured'),
    ('mes-orders', 'mes-p1', :'mes' || '/orders', 'plain'),
    ('mes-materials', 'mes-p1', :'mes' || '/materials', 'structured'),
    ('mes-machines', 'mes-p1', :'mes' || '/machines', 'structured'),
    ('mes-holds', 'mes-p1', :'mes' || '/holds', 'structured'),
    ('wms-tasks', 'wms-eu', :'wms' || '/tasks', 'plain'),
    ('wms-finished', 'wms-eu', :'wms' || '/finished', 'structured'),
    ('wms-deliveries', 'wms-eu', :'wms' || '/deliveries', 'structured'),
    ('wms-expected-receipts', 'wms-eu', :'wms' || '/expected-receipts', 'structured'),
    ('wms-holds', 'wms-eu', :'wms' || '/holds', 'structured'),
    ('qms-plans', 'qms-cloud', :'qms' || '/plans', 'structured'),
    ('qms-inspections', 'qms-cloud', :'qms' || '/inspections', 'plain'),
    ('qms-blocked', 'qms-cloud', :'qms' || '/blocked', 'structured'),
    ('eam-requests', 'maximo', :'eam' || '/requests', 'plain'),
    ('scada-running', 'scada-p1', :'scada' || '/running', 'structured'),
    ('scada-locks', 'scada-p1', :'scada' || '/locks', 'structured'),
    ('supplier-claims', 'sup-7', :'office' || '/claims', 'structured'),
    ('planner-claims', 'planner', :'office' || '/claims', 'structured'),
    ('supervisor-alarms', 'planner', :'office' || '/alarms', 'structured'),
    ('label-jobs', 'labels', :'office' || '/labels', 'structured'),
    ('customer-notices', 'customers', :'office' || '/notices', 'structured')) AS e (code, system, address, mode);

-- The MES of the weighing room takes XML: which elements stand in which order.
SELECT planthub.create_endpoint('weigh-schedules', 'weigh-1', :'mes' || '/b2mml', content_mode => 'plain', xml_profile => '{
    "namespaces": {"": "http://www.wbf.org/xml/B2MML-V0401"},
    "order": {"SyncProductionSchedule": ["ApplicationArea", "DataArea"], "ApplicationArea": ["Sender", "CreationDateTime"],
              "DataArea": ["Sync", "ProductionSchedule"], "ProductionRequest": ["ID", "StartTime", "EndTime", "SegmentRequirement"],
              "SegmentRequirement": ["ID", "ProductionParameter", "MaterialRequirement", "SegmentRequirement"],
              "MaterialRequirement": ["MaterialDefinitionID", "MaterialUse", "Quantity", "MaterialRequirementProperty"],
              "Quantity": ["QuantityString", "DataType", "UnitOfMeasure"], "Parameter": ["ID", "Value"],
              "MaterialRequirementProperty": ["ID", "Value"], "Value": ["ValueString", "DataType"]}}');

-- What the ERP commands goes down, translated into the words of each system; what happens goes up as SAP wants it, and to
-- everybody who has to go on from there.
SELECT planthub.create_route(code, topic, endpoint, site => 'PLANT-1', mapping => mapping, condition => condition, response_mapping => response,
                             acknowledge_within => CASE WHEN endpoint LIKE 'sap%s' AND mapping IS NOT NULL THEN interval '1 h' END)
FROM (VALUES
    -- production
    ('orders-to-mes', 'production_order.released', 'mes-orders', 'mes-order', NULL, NULL),
    ('order-changes-to-mes', 'production_order.changed', 'mes-orders', NULL, NULL, NULL),
    ('order-ends-to-mes', 'production_order.technically_completed', 'mes-orders', NULL, NULL, NULL),
    ('picks-to-wms', 'production_order.released', 'wms-tasks', 'wms-pick', NULL, NULL),
    ('order-changes-to-wms', 'production_order.changed', 'wms-tasks', NULL, NULL, NULL),
    ('order-ends-to-wms', 'production_order.technically_completed', 'wms-tasks', NULL, NULL, NULL),
    ('orders-to-qms', 'production_order.released', 'qms-plans', NULL, 'order == ''1000123''', NULL),
    ('orders-to-labels', 'production_order.released', 'label-jobs', NULL, 'order == ''1000123''', NULL),
    ('orders-to-weighing', 'production_order.released', 'weigh-schedules', 'b2mml-schedule', 'order == ''1000123''', NULL),
    ('materials-to-mes', 'pick.confirmed', 'mes-materials', NULL, NULL, NULL),
    ('operations-to-scada', 'operation.started', 'scada-running', NULL, NULL, NULL),
    ('finished-to-wms', 'production.confirmed', 'wms-finished', NULL, 'operation == ''0030'' && kind == ''final''', NULL),
    ('confirmations-to-sap', 'production.confirmed', 'sap-confirmations', 'sap-confirmation', NULL, 'sap-confirmation-response'),
    ('picks-to-sap', 'pick.confirmed', 'sap-material-documents', 'sap-transfer', NULL, 'sap-material-document-response'),
    ('moves-to-sap', 'inventory.moved', 'sap-material-documents', 'sap-transfer', NULL, 'sap-material-document-response'),
    ('receipts-to-sap', 'handling_unit.packed', 'sap-material-documents', 'sap-receipt', 'triggers == ''goods_receipt''', 'sap-material-document-response'),
    -- shipping
    ('deliveries-to-wms', 'delivery.created', 'wms-deliveries', NULL, NULL, NULL),
    ('shipments-to-sap', 'shipment.ready', 'sap-shipments', NULL, NULL, NULL),
    ('goods-issues-to-sap', 'shipment.departed', 'sap-goods-issues', 'sap-goods-issue', NULL, NULL),
    ('departures-to-customer', 'shipment.departed', 'customer-notices', NULL, NULL, NULL),
    -- machines
    ('machines-to-mes', 'equipment.state_changed', 'mes-machines', NULL, NULL, NULL),
    ('downtimes-to-eam', 'downtime.started', 'eam-requests', 'eam-request', NULL, NULL),
    ('downtimes-to-supervisor', 'downtime.started', 'supervisor-alarms', NULL, NULL, NULL),
    ('maintenance-to-scada', 'maintenance_order.created', 'scada-locks', NULL, NULL, NULL),
    ('capacity-to-sap', 'capacity.*', 'sap-capacity', NULL, NULL, NULL),
    -- suppliers
    ('notices-to-wms', 'asn.received', 'wms-expected-receipts', NULL, NULL, NULL),
    ('notices-to-sap', 'asn.received', 'sap-inbound-deliveries', NULL, NULL, NULL),
    ('receipts-to-qms', 'receipt.posted', 'qms-inspections', 'qms-inspection', 'stock_status == ''quality''', NULL),
    ('purchase-receipts-to-sap', 'receipt.posted', 'sap-material-documents', 'sap-purchase-receipt', NULL, 'sap-material-document-response'),
    ('accepted-to-sap', 'inspection.decided', 'sap-material-documents', 'sap-accepted', 'qty_accepted', 'sap-material-document-response'),
    ('samples-to-sap', 'inspection.decided', 'sap-samples', 'sap-sample', 'qty_destroyed_in_test', 'sap-material-document-response'),
    ('availability-to-mes', 'material.availability_changed', 'mes-materials', NULL, NULL, NULL),
    ('discrepancies-to-supplier', 'receipt.discrepancy_reported', 'supplier-claims', NULL, NULL, NULL),
    ('discrepancies-to-planner', 'receipt.discrepancy_reported', 'planner-claims', NULL, NULL, NULL),
    -- quality
    ('nonconformances-to-sap', 'nonconformance.opened', 'sap-blocks', NULL, NULL, NULL),
    ('nonconformances-to-wms', 'nonconformance.opened', 'wms-holds', NULL, NULL, NULL),
    ('nonconformances-to-mes', 'nonconformance.opened', 'mes-holds', NULL, NULL, NULL),
    ('nonconformances-to-supervisor', 'nonconformance.opened', 'supervisor-alarms', NULL, NULL, NULL),
    ('blocked-to-qms', 'inventory.status_change_posted', 'qms-blocked', NULL, NULL, NULL),
    ('holds-to-qms', 'hold.applied', 'qms-blocked', NULL, NULL, NULL)) AS r (code, topic, endpoint, mapping, condition, response);
COMMIT;
