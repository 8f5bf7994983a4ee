-- What the hub can tell in the evening about the plant's day.
\pset footer off
\echo
\echo 'The day of order 1000123, from planthub.trace(): who was told, and which document SAP made of it.'
SELECT to_char(m.event_time AT TIME ZONE 'Europe/Berlin', 'HH24:MI') AS at, m.topic AS fact,
       coalesce(string_agg(t.endpoint || ' ' || t.state, ', ' ORDER BY t.endpoint) FILTER (WHERE t.what = 'delivery'), 'nobody asked for it') AS told, coalesce(max(p.external_document), '') AS document
FROM planthub.trace('key', 'mo:1000123') AS t JOIN planthub.message AS m ON m.id = t.message_id
LEFT JOIN planthub.posting_status AS p ON p.delivery_id = t.delivery_id
GROUP BY m.id, m.event_time, m.topic ORDER BY m.event_time, m.id;

\echo 'Stock:'
SELECT location, item, coalesce(lot, '') AS lot, trim_scale(qty) AS qty, uom FROM planthub.inventory_balance
WHERE site = 'PLANT-1' AND qty <> 0 ORDER BY location, item, lot;

\echo 'Material used for 98 good pumps, 4 scrapped:'
SELECT item, trim_scale(planned) AS planned, trim_scale(actual) AS used, trim_scale(standard_for_yield) AS "needed for the good ones", trim_scale(usage_variance_vs_yield) AS variance
FROM planthub.order_variance WHERE site = 'PLANT-1' AND order_no = '1000123' ORDER BY line;

\echo 'Seal ring lot S-77 turns out to be too hard.  Where is it, and all that was made of it?'
\set lot S-77
\ir recall.sql

\echo 'What the supplier announced, and what came:'
SELECT asn, supplier, state, trim_scale(announced_qty) AS announced, trim_scale(received_qty) AS received FROM planthub.asn_status WHERE site = 'PLANT-1';

\echo 'Machines that stopped:'
SELECT equipment, to_char(started_at AT TIME ZONE 'Europe/Berlin', 'HH24:MI') AS at, trim_scale(minutes) AS minutes, reason, order_no, maintenance_order
FROM planthub.downtime_event WHERE site = 'PLANT-1';

\echo 'What went wrong on the way in, and what became of it:'
SELECT i.key, i.system, i.topic, CASE WHEN i.outcome LIKE 'applied%' AND i.attempts > 1 THEN 'came too early, waited, ' || i.outcome
                               WHEN i.copies > 0 THEN 'came ' || i.copies + 1 || ' times, counted once' ELSE i.outcome || ' ' || i.code END AS "what became of it",
       coalesce(i.violations #>> '{0,detail}', '') AS why
FROM planthub.inbox AS i WHERE i.key IN ('mo:1000123', 'mo:1000124', 'dlv:80001234') AND (i.outcome <> 'applied' OR i.copies > 0 OR i.attempts > 1) ORDER BY i.id;

\echo 'What went wrong on the way out, and what became of it: one of the orders that the MES was not there for, from planthub.trace().'
SELECT to_char(t.at, 'HH24:MI:SS.MS') AS at, t.what, t.endpoint, t.state, t.detail
FROM planthub.trace('delivery', (SELECT d.delivery_id FROM planthub.delivery_status AS d WHERE d.endpoint = 'mes-orders'
                                 ORDER BY d.attempts DESC, d.delivery_id LIMIT 1)::text) AS t;
