-- 1,000 orders like the one of the scenario, under numbers of their own; every fourth is changed afterwards, every
-- twentieth a second time.  Ten orders in a transaction, as an ERP would release them.
\set messages `cat demo/scenario/messages_main.json`
SELECT set_config('demo.message', (:'messages'::jsonb->0)::text, false) AS message \gset

DO $$
DECLARE
    m     jsonb := current_setting('demo.message');
    "order" text;
BEGIN
    FOR i IN 1..1000 LOOP
        "order" := (1000123 + i)::text;
        PERFORM planthub.publish('production_order.released', jsonb_set(m->'data', '{order}', to_jsonb("order")),
                                 key => 'mo:' || "order", site => 'PLANT-1', subject => "order",
                                 source => m->>'source', event_id => 'released-' || "order",
                                 correlation_id => 'corr-mo-' || "order");
        IF i % 10 = 0 THEN
            COMMIT;
        END IF;
    END LOOP;
    FOR v IN 2..3 LOOP
        FOR i IN 1..1000 LOOP
            CONTINUE WHEN i % CASE v WHEN 2 THEN 4 ELSE 20 END <> 0;
            "order" := (1000123 + i)::text;
            PERFORM planthub.publish('production_order.changed',
                                     jsonb_build_object('order', "order", 'version', v, 'reason', 'customer asked for more',
                                                        'qty', jsonb_build_object('value', (100 + v)::text, 'uom', 'C62')),
                                     key => 'mo:' || "order", site => 'PLANT-1', subject => "order",
                                     source => m->>'source', event_id => format('changed-%s-%s', "order", v),
                                     correlation_id => 'corr-mo-' || "order");
        END LOOP;
        COMMIT;
    END LOOP;
END
$$;
