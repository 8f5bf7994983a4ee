-- The plant's day: what ERP, MES and WMS report, from the event :first to the event :last of the scenario.  Each is a
-- transaction of its own.  The MES is sometimes early, sends things twice, and once contradicts itself.
\set messages `cat demo/scenario/messages_main.json`
WITH event AS (
    SELECT n::numeric, m, '' AS remark FROM jsonb_array_elements(:'messages'::jsonb) WITH ORDINALITY AS e (m, n)
), mishap AS (
    SELECT CASE m->>'id' WHEN 'mes-0001' THEN 0.5 ELSE n END AS n, m, CASE m->>'id' WHEN 'mes-0001' THEN 'before the order itself' ELSE '' END AS remark FROM event
    UNION ALL SELECT n + 0.1, m, 'sent twice' FROM event WHERE m->>'id' = 'mes-0003'
    UNION ALL SELECT n + 0.2, jsonb_set(m, '{data,yield,value}', '"59"'), 'the same, with another quantity' FROM event WHERE m->>'id' = 'mes-0003'
)
SELECT format('SELECT rpad(%L, 52) || rpad(r.outcome || coalesce('' '' || r.code, ''''), 34) || %L FROM planthub.receive(%L) AS r',
              '   ' || to_char((m->>'time')::timestamptz AT TIME ZONE 'Europe/Berlin', 'HH24:MI  ') || upper(rpad(split_part(m->>'source', ':', 3), 5))
              || regexp_replace(m->>'type', '^planthub[.](.*)[.]v[0-9]+$', '\1'), remark, m)
FROM mishap WHERE n > :first - 1 AND n < :last + 1 ORDER BY n \gexec
