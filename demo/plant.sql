-- The plant as the hub knows it: who sends, who gets what, and whose codes mean what.
-- :erp, :mes, :wms and :office are the addresses of the peers; the last one plays QMS, label printer and customer.
\set master `cat demo/scenario/master_data.json`
BEGIN;
SELECT planthub.create_site('PLANT-1', name => 'Pump factory', timezone => 'Europe/Berlin');

SELECT planthub.create_system(code, kind, site => 'PLANT-1'), planthub.set_source(uri, system => code, site => 'PLANT-1')
FROM (VALUES ('sap-prd', 'erp', 'urn:sys:erp:sap-prd-100'), ('mes-p1', 'mes', 'urn:sys:mes:plant1'), ('wms-eu', 'wms', 'urn:sys:wms:saas-eu'),
             ('qms-cloud', 'qms', 'urn:sys:qms:cloud'), ('labels', 'label', 'urn:sys:label:plant1'),
             ('customers', 'tms', 'urn:sys:edi:customers')) AS s (code, kind, uri);

SELECT planthub.set_policy('PLANT-1', name, value) FROM jsonb_each_text(:'master'::jsonb->'policies') AS p (name, value);

-- What every system calls sites, items, places and units.
SELECT count(planthub.set_xref(x.set, x.code, to_jsonb(x.value), system => s.code, scope => CASE x.set WHEN 'equipment' THEN 'PLANT-1' ELSE '*' END))
FROM (SELECT CASE WHEN t->>'level' = 'Site' THEN 'site' WHEN t ? 'level' THEN 'equipment' ELSE 'item' END, y.kind, y.code, t->>'id'
      FROM jsonb_array_elements((:'master'::jsonb->'equipment') || (:'master'::jsonb->'items')) AS t, jsonb_each_text(t->'xref') AS y (kind, code)
      UNION ALL VALUES ('uom', 'erp', 'EA', 'C62'), ('uom', 'erp', 'KG', 'KGM'), ('uom', 'mes', 'PCE', 'C62'), ('uom', 'mes', 'KGM', 'KGM'),
                       ('uom', 'wms', 'PC', 'C62'), ('uom', 'wms', 'KG', 'KGM')) AS x (set, kind, code, value)
JOIN planthub.system AS s ON s.kind = x.kind;
SELECT planthub.set_xref('supply_area', 'WC-ASM1', '"PSA-LINE-1"', scope => 'PLANT-1');

-- One endpoint for every service.  Short waits, so that the demo sees the end of an outage soon.
SELECT planthub.create_endpoint(code, system, address, content_mode => mode, max_in_flight => 8, retry_base => '200 ms', retry_cap => '2 s')
FROM (VALUES
    ('sap-confirmations', 'sap-prd', :'erp' || '/sap/opu/odata/sap/API_PROD_ORDER_CONFIRMATION_2_SRV/ProdnOrdConf2', 'plain'),
    ('sap-material-documents', 'sap-prd', :'erp' || '/sap/opu/odata/sap/API_MATERIAL_DOCUMENT_SRV/A_MaterialDocumentHeader', 'plain'),
    ('sap-goods-issues', 'sap-prd', :'erp' || '/sap/opu/odata/sap/API_OUTBOUND_DELIVERY_SRV;v=0002/PostGoodsIssue', 'plain'),
    ('sap-shipments', 'sap-prd', :'erp' || '/shipments', 'structured'),
    ('mes-orders', 'mes-p1', :'mes' || '/orders', 'plain'),
    ('wms-tasks', 'wms-eu', :'wms' || '/tasks', 'plain'),
    ('wms-deliveries', 'wms-eu', :'wms' || '/deliveries', 'structured'),
    ('qms-plans', 'qms-cloud', :'office' || '/plans', 'structured'),
    ('label-jobs', 'labels', :'office' || '/labels', 'structured'),
    ('customer-notices', 'customers', :'office' || '/notices', 'structured')) AS e (code, system, address, mode);

-- What the ERP commands goes down, translated into the words of each system; what happens goes up as SAP wants it.
SELECT planthub.create_route(code, topic, endpoint, site => 'PLANT-1', mapping => mapping, condition => condition, response_mapping => response,
                             acknowledge_within => CASE WHEN endpoint LIKE 'sap%s' AND mapping IS NOT NULL THEN interval '1 h' END)
FROM (VALUES
    ('orders-to-mes', 'production_order.released', 'mes-orders', 'mes-order', NULL, NULL),
    ('order-changes-to-mes', 'production_order.changed', 'mes-orders', NULL, NULL, NULL),
    ('order-ends-to-mes', 'production_order.technically_completed', 'mes-orders', NULL, NULL, NULL),
    ('picks-to-wms', 'production_order.released', 'wms-tasks', 'wms-pick', NULL, NULL),
    ('order-changes-to-wms', 'production_order.changed', 'wms-tasks', NULL, NULL, NULL),
    ('order-ends-to-wms', 'production_order.technically_completed', 'wms-tasks', NULL, NULL, NULL),
    ('deliveries-to-wms', 'delivery.created', 'wms-deliveries', NULL, NULL, NULL),
    ('orders-to-qms', 'production_order.released', 'qms-plans', NULL, 'order == ''1000123''', NULL),
    ('orders-to-labels', 'production_order.released', 'label-jobs', NULL, 'order == ''1000123''', NULL),
    ('confirmations-to-sap', 'production.confirmed', 'sap-confirmations', 'sap-confirmation', NULL, 'sap-confirmation-response'),
    ('picks-to-sap', 'pick.confirmed', 'sap-material-documents', 'sap-transfer', NULL, 'sap-material-document-response'),
    ('moves-to-sap', 'inventory.moved', 'sap-material-documents', 'sap-transfer', NULL, 'sap-material-document-response'),
    ('receipts-to-sap', 'handling_unit.packed', 'sap-material-documents', 'sap-receipt', 'triggers == ''goods_receipt''', 'sap-material-document-response'),
    ('goods-issues-to-sap', 'shipment.departed', 'sap-goods-issues', 'sap-goods-issue', NULL, NULL),
    ('shipments-to-sap', 'shipment.ready', 'sap-shipments', NULL, NULL, NULL),
    ('departures-to-customer', 'shipment.departed', 'customer-notices', NULL, NULL, NULL)) AS r (code, topic, endpoint, mapping, condition, response);
COMMIT;
