-- 1,000 orders like the one of the scenario, under numbers of their own; every fourth is changed afterwards, every
-- twentieth a second time.  Ten events in a transaction, as an ERP would send them; whoever gets no answer sends all again.
\set messages `cat demo/scenario/messages_main.json`
SELECT set_config('demo.message', (:'messages'::jsonb->0)::text, false) AS message \gset

CREATE TEMPORARY TABLE answer (outcome text);
DO $$
DECLARE
    m jsonb := current_setting('demo.message');
    n int := 0;
    e record;
BEGIN
    FOR e IN
        SELECT (1000200 + i)::text AS order_no, v FROM generate_series(1, 3) AS v, generate_series(1, 1000) AS i
        WHERE v = 1 OR v = 2 AND i % 4 = 0 OR v = 3 AND i % 20 = 0 ORDER BY v, i
    LOOP
        INSERT INTO answer SELECT r.outcome FROM planthub.receive(m || jsonb_build_object(
            'id', format('order-%s-%s', e.order_no, e.v), 'subject', e.order_no, 'partitionkey', 'mo:' || e.order_no, 'correlationid', 'corr-mo-' || e.order_no) ||
            CASE e.v WHEN 1 THEN jsonb_build_object('data', m->'data' || jsonb_build_object('order', e.order_no))
            ELSE jsonb_build_object('type', 'planthub.production_order.changed.v1', 'dataschema', 'urn:planthub:schema:production_order.changed:1',
                'data', jsonb_build_object('order', e.order_no, 'version', e.v, 'reason', 'customer asked for more',
                                           'qty', jsonb_build_object('value', (100 + e.v)::text, 'uom', 'C62'))) END) AS r;
        n := n + 1;
        IF n % 10 = 0 THEN
            COMMIT;
        END IF;
    END LOOP;
END
$$;
SELECT string_agg(count || ' ' || outcome, ', ' ORDER BY outcome) FROM (SELECT outcome, count(*) FROM answer GROUP BY outcome) AS a;
