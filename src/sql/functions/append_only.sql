-- append_only: facts, and the log of operations, are added and nothing else, not even by a function of a plant that has the
-- rights of the owner.  Re-runnable.

CREATE OR REPLACE FUNCTION planthub.append_only() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
        MESSAGE = format('planthub.%s is append-only', TG_TABLE_NAME),
        HINT = 'Rows are never changed or removed; a fact that is wrong is taken back by another fact.';
END
$$;
COMMENT ON FUNCTION planthub.append_only() IS 'Internal: trigger that refuses to change or remove rows';

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY '{operation_log,movement,stock_ledger,stock_count,pick_task,lot_version,serial_event,handling_unit_change,
        confirmation,confirmation_output,order_ledger,edge,reversal,production_order_version,operation_event,order_acknowledgement,signature,
        inspection_result,disposition,hold_acknowledgement,receipt_line,receipt_discrepancy,equipment_state_change,downtime_reason,
        capacity_change,epcis_event,epcis_line}'::text[] LOOP
        EXECUTE format('CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON planthub.%I '
            'FOR EACH STATEMENT EXECUTE FUNCTION planthub.append_only()', name);
        EXECUTE format('COMMENT ON TRIGGER append_only ON planthub.%I IS ''Refuses to change or remove rows''', name);
    END LOOP;
END
$$;
