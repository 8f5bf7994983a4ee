-- Where a suspect lot (:lot) and all that was made of it is now: on hand, or with whom.
WITH RECURSIVE made (item, lot) AS (
    SELECT item, lot FROM planthub.lot WHERE lot = :'lot'
    UNION
    SELECT e.to_item, e.to_lot FROM made JOIN planthub.genealogy_edge AS e ON (e.from_item, e.from_lot) = (made.item, made.lot) AND e.reversed_by IS NULL
), place (item, lot, rank, what, qty) AS (
    SELECT b.item, b.lot, 1, 'lies here', sum(b.qty) FROM made JOIN planthub.inventory_balance AS b USING (item, lot) GROUP BY b.item, b.lot
    UNION ALL
    SELECT s.item, s.lot, 2, format('at %s, delivery %s', s.customer, s.shipment), sum(s.qty)
    FROM made JOIN planthub.shipped_content AS s USING (item, lot) GROUP BY s.item, s.lot, s.customer, s.shipment
)
SELECT item || ' ' || lot AS "lot", what AS "where", trim_scale(qty) AS qty FROM place WHERE qty <> 0 ORDER BY rank, item DESC, lot;
