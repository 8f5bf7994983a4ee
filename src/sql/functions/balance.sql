-- balance: where the quantities of lots went.
-- Re-runnable.

-- Movements with the kind of what they are or take back, and the sign for what is inside the walls.
CREATE OR REPLACE VIEW planthub.movement_effect AS
SELECT v.site, v.message_id, v.line, coalesce(o.kind, v.kind) AS kind, v.kind = 'reversal' AS is_reversal, v.item, nullif(v.lot, '') AS lot, v.base_qty, v.base_uom,
    v.order_no, v.operation, v.component_line,
    CASE WHEN v.from_location IS NULL THEN v.base_qty WHEN v.to_location IS NULL THEN -v.base_qty ELSE 0 END AS inside_qty
FROM planthub.movement AS v
LEFT JOIN planthub.movement AS o ON o.site = v.site AND o.message_id = v.reverses AND o.line = v.reversed_line;
COMMENT ON VIEW planthub.movement_effect IS 'Movements of stock as changes of what is on hand; a reversal counts as the kind that it takes back';
COMMENT ON COLUMN planthub.movement_effect.site IS 'Site';
COMMENT ON COLUMN planthub.movement_effect.message_id IS 'Message that caused it';
COMMENT ON COLUMN planthub.movement_effect.line IS 'Number of the movement within the message';
COMMENT ON COLUMN planthub.movement_effect.kind IS 'Kind of the movement, or of the one that it takes back';
COMMENT ON COLUMN planthub.movement_effect.is_reversal IS 'Whether it takes another one back';
COMMENT ON COLUMN planthub.movement_effect.item IS 'Item';
COMMENT ON COLUMN planthub.movement_effect.lot IS 'Lot; null for an item without lots';
COMMENT ON COLUMN planthub.movement_effect.base_qty IS 'Quantity in the base unit';
COMMENT ON COLUMN planthub.movement_effect.base_uom IS 'Base unit of the item';
COMMENT ON COLUMN planthub.movement_effect.order_no IS 'Production order';
COMMENT ON COLUMN planthub.movement_effect.operation IS 'Operation';
COMMENT ON COLUMN planthub.movement_effect.component_line IS 'Line of the component';
COMMENT ON COLUMN planthub.movement_effect.inside_qty IS 'What it adds to the stock of the site; 0 for a movement within';

CREATE OR REPLACE VIEW planthub.lot_balance AS
SELECT o.site, o.item, o.lot, e.came_in, e.consumed, e.shipped, e.scrapped, b.on_hand, e.inside - b.on_hand AS unexplained, e.uom
FROM planthub.lot AS o
JOIN LATERAL (
    SELECT coalesce(sum(x.inside_qty) FILTER (WHERE x.kind IN ('opening', 'receipt_from_supplier', 'receipt_from_production', 'by_product_receipt', 'adjust')), 0) AS came_in,
           coalesce(-sum(x.inside_qty) FILTER (WHERE x.kind IN ('issue_to_order', 'return_from_order')), 0) AS consumed,
           coalesce(-sum(x.inside_qty) FILTER (WHERE x.kind = 'ship'), 0) AS shipped,
           coalesce(-sum(x.inside_qty) FILTER (WHERE x.kind IN ('scrap', 'sample')), 0) AS scrapped,
           coalesce(sum(x.inside_qty), 0) AS inside, min(x.base_uom) AS uom
    FROM planthub.movement_effect AS x WHERE x.site = o.site AND x.item = o.item AND x.lot = o.lot) AS e ON true
CROSS JOIN LATERAL (SELECT coalesce(sum(s.qty), 0) AS on_hand FROM planthub.inventory_balance AS s
                    WHERE s.site = o.site AND s.item = o.item AND s.lot = o.lot) AS b;
COMMENT ON VIEW planthub.lot_balance IS 'Mass balance of lots: what came in, where it went, what is left; nothing may be unexplained';
COMMENT ON COLUMN planthub.lot_balance.site IS 'Site';
COMMENT ON COLUMN planthub.lot_balance.item IS 'Item';
COMMENT ON COLUMN planthub.lot_balance.lot IS 'Lot';
COMMENT ON COLUMN planthub.lot_balance.came_in IS 'Opening stock, receipts and corrections';
COMMENT ON COLUMN planthub.lot_balance.consumed IS 'Issued to orders, less what came back';
COMMENT ON COLUMN planthub.lot_balance.shipped IS 'Shipped';
COMMENT ON COLUMN planthub.lot_balance.scrapped IS 'Scrapped, or used up in tests';
COMMENT ON COLUMN planthub.lot_balance.on_hand IS 'On hand, in whatever status';
COMMENT ON COLUMN planthub.lot_balance.unexplained IS 'What the movements add up to, less what is on hand';
COMMENT ON COLUMN planthub.lot_balance.uom IS 'Base unit of the item';
