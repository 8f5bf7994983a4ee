-- The ERP tells the document of the goods issue, by the key (:key) with which it was asked for it.
SELECT outcome FROM planthub.receive(jsonb_build_object(
    'specversion', '1.0', 'id', 'erp-ack-1', 'source', 'urn:sys:erp:sap-prd-100', 'type', 'planthub.posting.acknowledged.v1',
    'time', '2026-01-15T17:10:00+01:00', 'recordedtime', '2026-01-15T17:10:01+01:00', 'datacontenttype', 'application/json',
    'dataschema', 'urn:planthub:schema:posting.acknowledged:1', 'partitionkey', 'dlv:80001234', 'correlationid', 'corr-dlv-80001234',
    'data', jsonb_build_object('outbox_id', :'key', 'outcome', 'posted', 'external_document', '4900009999')));
