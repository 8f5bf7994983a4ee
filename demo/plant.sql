-- One site, three systems, and who gets what.  :mes and :wms are the addresses of the two peers.
SELECT planthub.create_site('PLANT-1', name => 'Pump factory', timezone => 'Europe/Berlin');

SELECT planthub.create_system('sap-prd', 'erp', name => 'SAP, production');
SELECT planthub.create_system('mes-p1', 'mes', site => 'PLANT-1');
SELECT planthub.create_system('wms-p1', 'wms', site => 'PLANT-1');

-- Short waits, so that the demo sees the end of an outage soon.
SELECT planthub.create_endpoint('mes-p1-orders', system => 'mes-p1', address => :'mes', max_in_flight => 8,
                                retry_base => '200 ms', retry_cap => '2 s');
SELECT planthub.create_endpoint('wms-p1-orders', system => 'wms-p1', address => :'wms', max_in_flight => 8,
                                retry_base => '200 ms', retry_cap => '2 s');

SELECT planthub.create_route('orders-to-mes', 'production_order.*', endpoint => 'mes-p1-orders', site => 'PLANT-1');
SELECT planthub.create_route('orders-to-wms', 'production_order.*', endpoint => 'wms-p1-orders', site => 'PLANT-1');
SELECT planthub.create_route('master-to-mes', '*.upserted', endpoint => 'mes-p1-orders', site => 'PLANT-1');
SELECT planthub.create_route('master-to-wms', '*.upserted', endpoint => 'wms-p1-orders', site => 'PLANT-1');
SELECT planthub.create_route('boms-to-mes', 'bom.*', endpoint => 'mes-p1-orders', site => 'PLANT-1');
SELECT planthub.create_route('routings-to-mes', 'routing.*', endpoint => 'mes-p1-orders', site => 'PLANT-1');
