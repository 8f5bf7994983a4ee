-- Facts are added, never changed or removed, and say when they happened and when the hub learned of them.
SET search_path = public, pg_catalog;
SELECT plan(7);

-- Plans, states and sums: what a newer fact changes.  Whatever else a plant reports is a fact.
CREATE TEMP TABLE state AS SELECT unnest(ARRAY['production_order', 'order_operation', 'order_component', 'pending_consumption', 'stock', 'stock_snapshot',
    'lot', 'handling_unit', 'shipment', 'shipment_line', 'shipment_unit', 'reserved_lot', 'asn', 'asn_line', 'inspection_lot', 'nonconformance', 'hold', 'downtime',
    'maintenance_order', 'telemetry_summary', 'kpi_value', 'shift', 'counter', 'count_change', 'count_part', 'count_shift', 'count_confirmation', 'count_source',
    'bom', 'bom_line', 'routing', 'routing_operation']) AS name;
CREATE TEMP VIEW guarded AS
    SELECT c.oid, c.relname AS name FROM pg_class AS c JOIN pg_trigger AS t ON t.tgrelid = c.oid
    WHERE c.relnamespace = 'planthub'::regnamespace AND t.tgfoid = 'planthub.append_only()'::regprocedure AND t.tgenabled <> 'D';

SELECT is_empty($$SELECT t.name FROM planthub.table_class AS t WHERE t.class = 'wide' AND t.name NOT IN (SELECT name FROM state)
                    AND t.name NOT IN (SELECT name FROM guarded)$$,
                'every wide table that is no plan, state or sum is guarded');
SELECT is_empty($$SELECT name FROM guarded WHERE name IN (SELECT name FROM state)$$, 'and no other is');

CREATE FUNCTION pg_temp.accepts(command text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    what record;
BEGIN
    FOR what IN SELECT g.name, a.attname FROM guarded AS g JOIN pg_attribute AS a ON a.attrelid = g.oid AND a.attnum = 1 LOOP
        BEGIN
            EXECUTE format(command, what.name, what.attname);
            RETURN NEXT what.name;
        EXCEPTION
            WHEN object_not_in_prerequisite_state THEN
                IF SQLERRM <> format('planthub.%s is append-only', what.name) THEN
                    RAISE;
                END IF;
        END;
    END LOOP;
END
$$;
SELECT is_empty($$SELECT * FROM pg_temp.accepts('UPDATE planthub.%1$I SET %2$I = %2$I')$$, 'the owner cannot change a row');
SELECT is_empty($$SELECT * FROM pg_temp.accepts('DELETE FROM planthub.%1$I')$$, 'nor remove one');
SELECT is_empty($$SELECT * FROM pg_temp.accepts('TRUNCATE planthub.%1$I CASCADE')$$, 'nor all');

-- Ledgers and outputs are parts of a movement or a confirmation, which says when.
SELECT is_empty($$SELECT g.name FROM guarded AS g
                  WHERE g.name NOT IN ('operation_log', 'order_ledger', 'confirmation_output')
                    AND (SELECT count(DISTINCT a.attname) FROM pg_attribute AS a
                         WHERE a.attrelid = g.oid AND a.attname IN ('message_id', 'recorded_at') AND a.attnotnull AND a.attnum > 0) < 2$$,
                'every fact names its message, and when the hub learned of it');
SELECT is_empty($$SELECT g.name FROM guarded AS g
                  WHERE g.name NOT IN ('operation_log', 'order_ledger', 'confirmation_output')
                    AND NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = g.oid AND a.attnotnull AND a.attnum > 0
                                    AND a.attname IN ('event_time', 'counted_at', 'signed_at', 'from_time'))$$,
                'and when it happened');

SELECT * FROM finish();
