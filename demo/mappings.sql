-- Mappings of this plant beside those that come with PlantHub, each with a test vector: what one event of the scenario becomes.
-- A mapping is activated only when its vectors pass.
CREATE FUNCTION pg_temp.add_mapping(name text, template jsonb, topic text, input text, env jsonb, expect jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM planthub.create_mapping_vector(name, input, m->'data', expect, site => 'PLANT-1',
        env => env || jsonb_build_object('site', 'PLANT-1', 'source', m->'source', 'id', m->'id', 'time', m->'time'))
    FROM planthub.create_mapping(name, template, site => 'PLANT-1', contract_in => topic || '@1') AS v,
         jsonb_array_elements(current_setting('demo.messages')::jsonb) AS m
    WHERE m->>'id' = input;
    PERFORM planthub.activate_mapping(name, 1, 'PLANT-1');
END
$$;
\set asn `cat demo/scenario/messages_asn.json`
\set downtime `cat demo/scenario/messages_downtime.json`
\set main `cat demo/scenario/messages_main.json`
SELECT set_config('demo.messages', ((:'asn'::jsonb->'messages') || (:'downtime'::jsonb->'messages') || :'main'::jsonb)::text, false) AS messages \gset

-- The EAM is asked to look after a machine.
SELECT pg_temp.add_mapping('eam-request',
    '{"asset": "=xref_back(''equipment'', equipment)", "description": "=reason", "malfunctionStart": "=started_at", "reference": "=downtime"}',
    'downtime.started', 'mes-0301', '{"system": "maximo"}',
    '{"asset": "AS-0077", "description": "UNPLANNED/SENSOR", "malfunctionStart": "2026-01-15T10:12:03+01:00", "reference": "DT-51"}');

-- The QMS is asked to inspect what has come.
SELECT pg_temp.add_mapping('qms-inspection',
    '{"material": "=item", "lot": "=lot", "supplierLot": "=supplier_lot", "quantity": "=number(qty.value)", "unit": "=qty.uom",
      "receipt": "=concat(receipt, ''/'', line)", "last": "=nz(closes_asn, `false`)"}',
    'receipt.posted', 'wms-0103', '{"system": "qms-cloud"}',
    '{"material": "RM-SEAL", "lot": "S-78", "supplierLot": "SB-9931", "quantity": 480, "unit": "C62", "receipt": "RC-9001/2", "last": true}');

-- SAP: receipt for a purchase order, into stock in quality inspection (101).
SELECT pg_temp.add_mapping('sap-purchase-receipt', $json${
    "$let": {"day": "=concat('/Date(', to_epoch(concat(format_datetime($env.time, 'YYYY-MM-DD', $env.timezone), 'T00:00:00Z'), 'ms'), ')/')"},
    "$do": {
      "GoodsMovementCode": "01", "PostingDate": "=$day", "DocumentDate": "=$day", "ReferenceDocument": "=$env.id",
      "to_MaterialDocumentItem": {"results": [{
        "Material": "=xref_back('item', item)", "Plant": "=xref_back('site', $env.site)", "StorageLocation": "=xref_back('equipment', location)",
        "Batch": "=nz(lot, '')", "GoodsMovementType": "101", "GoodsMovementRefDocType": "B", "PurchaseOrder": "=purchase_order",
        "PurchaseOrderItem": "=po_line", "InventoryStockType": {"$if": "=stock_status == 'quality'", "$then": "02", "$else": "01"},
        "EntryUnit": "=xref_back('uom', qty.uom)", "QuantityInEntryUnit": "=qty.value"}]}}}$json$,
    'receipt.posted', 'wms-0103', '{"system": "sap-prd", "timezone": "Europe/Berlin"}', $json${
      "GoodsMovementCode": "01", "PostingDate": "/Date(1768521600000)/", "DocumentDate": "/Date(1768521600000)/", "ReferenceDocument": "wms-0103",
      "to_MaterialDocumentItem": {"results": [{
        "Material": "4712", "Plant": "1010", "StorageLocation": "0001", "Batch": "S-78", "GoodsMovementType": "101", "GoodsMovementRefDocType": "B",
        "PurchaseOrder": "4500000777", "PurchaseOrderItem": "00010", "InventoryStockType": "02", "EntryUnit": "EA", "QuantityInEntryUnit": "480"}]}}$json$);

-- SAP: what the inspection accepted becomes usable (321), what it destroyed is gone (553).  All that is inspected here lies in RM-WH.
SELECT pg_temp.add_mapping(name, format($json${
    "$let": {"day": "=concat('/Date(', to_epoch(concat(format_datetime($env.time, 'YYYY-MM-DD', $env.timezone), 'T00:00:00Z'), 'ms'), ')/')"},
    "$do": {
      "GoodsMovementCode": "%s", "PostingDate": "=$day", "DocumentDate": "=$day", "ReferenceDocument": "=$env.id",
      "to_MaterialDocumentItem": {"results": [{
        "Material": "=xref_back('item', item)", "Plant": "=xref_back('site', $env.site)", "StorageLocation": "=xref_back('equipment', 'RM-WH')",
        "Batch": "=lot", "GoodsMovementType": "%s", "EntryUnit": "=xref_back('uom', %3$s.uom)", "QuantityInEntryUnit": "=%3$s.value"}]}}}$json$,
    code, movement, quantity)::jsonb, 'inspection.decided', 'qms-0101', '{"system": "sap-prd", "timezone": "Europe/Berlin"}', format($json${
      "GoodsMovementCode": "%s", "PostingDate": "/Date(1768521600000)/", "DocumentDate": "/Date(1768521600000)/", "ReferenceDocument": "qms-0101",
      "to_MaterialDocumentItem": {"results": [{
        "Material": "4712", "Plant": "1010", "StorageLocation": "0001", "Batch": "S-78", "GoodsMovementType": "%s", "EntryUnit": "EA",
        "QuantityInEntryUnit": "%s"}]}}$json$, code, movement, expected)::jsonb)
FROM (VALUES ('sap-accepted', '04', '321', 'qty_accepted', '975'), ('sap-sample', '03', '553', 'qty_destroyed_in_test', '5')) AS d (name, code, movement, quantity, expected);

-- The MES of the weighing room speaks B2MML: a ProductionSchedule, which its endpoint writes as XML.
SELECT pg_temp.add_mapping('b2mml-schedule', $json${"SyncProductionSchedule": {
    "ApplicationArea": {"Sender": {"LogicalID": "PLANTHUB"}, "CreationDateTime": "=$env.time"},
    "DataArea": {"Sync": "", "ProductionSchedule": {"ProductionRequest": {
      "$let": {"whole": "=$"},
      "$do": {
        "ID": "=order", "StartTime": "=planned_start", "EndTime": "=planned_end",
        "SegmentRequirement": {"$each": "=operations", "$sort": "=op", "$do": {
          "$let": {"op": "=op", "first": "=$index == `0`"},
          "$do": {
            "ID": "=op",
            "MaterialRequirement": {"$if": "=$first", "$then": {
              "MaterialDefinitionID": "=xref_back('item', $whole.item)", "MaterialUse": "Material Produced",
              "Quantity": {"QuantityString": "=$whole.qty.value", "DataType": "decimal", "UnitOfMeasure": "=xref_back('uom', $whole.qty.uom)"}}},
            "SegmentRequirement": {
              "ProductionParameter": {"Parameter": {"ID": "Center", "Value": {"ValueString": "=xref_back('equipment', work_center)", "DataType": "Text"}}},
              "MaterialRequirement": {"$each": "=$whole.components", "$where": "=operation == $op", "$sort": "=line", "$do": {
                "MaterialDefinitionID": "=xref_back('item', item)", "MaterialUse": "Material Consumed",
                "Quantity": {"QuantityString": "=required.value", "DataType": "decimal", "UnitOfMeasure": "=xref_back('uom', required.uom)"},
                "MaterialRequirementProperty": {"ID": "Indice", "Value": {"ValueString": "=line", "DataType": "integer"}}}}}}}}}}}}}}$json$,
    'production_order.released', 'erp-0001', '{"system": "weigh-1"}', $json${"SyncProductionSchedule": {
    "ApplicationArea": {"Sender": {"LogicalID": "PLANTHUB"}, "CreationDateTime": "2026-01-15T06:00:00+01:00"},
    "DataArea": {"Sync": "", "ProductionSchedule": {"ProductionRequest": {
      "ID": "1000123", "StartTime": "2026-01-15T07:00:00+01:00", "EndTime": "2026-01-15T15:00:00+01:00",
      "SegmentRequirement": [
        {"ID": "0010",
         "MaterialRequirement": {"MaterialDefinitionID": "FG100", "MaterialUse": "Material Produced",
           "Quantity": {"QuantityString": "100", "DataType": "decimal", "UnitOfMeasure": "PCE"}},
         "SegmentRequirement": {
           "ProductionParameter": {"Parameter": {"ID": "Center", "Value": {"ValueString": "L1.ASM", "DataType": "Text"}}},
           "MaterialRequirement": [
             {"MaterialDefinitionID": "HOUSING", "MaterialUse": "Material Consumed",
              "Quantity": {"QuantityString": "100", "DataType": "decimal", "UnitOfMeasure": "PCE"},
              "MaterialRequirementProperty": {"ID": "Indice", "Value": {"ValueString": "0010", "DataType": "integer"}}},
             {"MaterialDefinitionID": "SEAL", "MaterialUse": "Material Consumed",
              "Quantity": {"QuantityString": "200", "DataType": "decimal", "UnitOfMeasure": "PCE"},
              "MaterialRequirementProperty": {"ID": "Indice", "Value": {"ValueString": "0020", "DataType": "integer"}}},
             {"MaterialDefinitionID": "GREASE", "MaterialUse": "Material Consumed",
              "Quantity": {"QuantityString": "1.5", "DataType": "decimal", "UnitOfMeasure": "KGM"},
              "MaterialRequirementProperty": {"ID": "Indice", "Value": {"ValueString": "0030", "DataType": "integer"}}},
             {"MaterialDefinitionID": "SCREW", "MaterialUse": "Material Consumed",
              "Quantity": {"QuantityString": "800", "DataType": "decimal", "UnitOfMeasure": "PCE"},
              "MaterialRequirementProperty": {"ID": "Indice", "Value": {"ValueString": "0040", "DataType": "integer"}}}]}},
        {"ID": "0020", "SegmentRequirement": {
           "ProductionParameter": {"Parameter": {"ID": "Center", "Value": {"ValueString": "L1.TST", "DataType": "Text"}}}, "MaterialRequirement": []}},
        {"ID": "0030", "SegmentRequirement": {
           "ProductionParameter": {"Parameter": {"ID": "Center", "Value": {"ValueString": "L1.PCK", "DataType": "Text"}}}, "MaterialRequirement": []}}]}}}}}$json$);
