-- Rights: nothing without a grant, and each capability what it says.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE ROLE regress_ph_nobody;
CREATE ROLE regress_ph_reader;
CREATE ROLE regress_ph_publisher;
CREATE ROLE regress_ph_operator;
CREATE ROLE regress_ph_integrator;
CREATE ROLE regress_ph_auditor;
CREATE ROLE regress_ph_admin;

SELECT planthub.grant_access('boss', 'regress_ph_reader');
SELECT planthub.grant_access('reader', 'regress_ph_missing');
SELECT planthub.grant_access(c, ('regress_ph_' || c)::name)
FROM unnest('{reader,publisher,operator,integrator,auditor,admin}'::text[]) AS c;

-- who may call what, verbs by verb
SELECT p.proname AS verb, string_agg(right(r.rolname, -11), ' ' ORDER BY r.rolname) AS roles
FROM pg_proc AS p LEFT JOIN pg_roles AS r ON r.rolname ~ '^regress_ph_' AND has_function_privilege(r.oid, p.oid, 'EXECUTE')
WHERE p.pronamespace = 'planthub'::regnamespace
  AND p.proname IN ('status', 'doctor', 'trace', 'publish', 'pause', 'resume', 'release', 'discard', 'replay', 'arm', 'rotate',
                    'grant_access', 'revoke_access', 'create_endpoint', 'held_release', 'held_promote', 'log_operation', 'wake', 'lane_claim')
GROUP BY p.oid, p.proname ORDER BY p.proname;
SELECT r.rolname, count(*) FILTER (WHERE has_table_privilege(r.oid, c.oid, 'SELECT')) > 0 AS reads,
       has_table_privilege(r.oid, 'planthub.operation_log', 'SELECT') AS reads_operations,
       count(*) FILTER (WHERE has_table_privilege(r.oid, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')) AS writes
FROM pg_roles AS r, pg_class AS c
WHERE r.rolname ~ '^regress_ph_' AND c.relnamespace = 'planthub'::regnamespace AND c.relkind IN ('r', 'p', 'v')
GROUP BY r.oid, r.rolname ORDER BY r.rolname;

-- and it is true at run time
SET ROLE regress_ph_nobody;
SELECT planthub.status();
SET ROLE regress_ph_reader;
SELECT planthub.status() ~ '^PlantHub' AS works;
SELECT count(*) > 0 AS works FROM planthub.doctor();
SELECT count(*) FROM planthub.delivery_status;
SELECT count(*) FROM planthub.endpoint_health;
SELECT count(*) FROM planthub.trace('key', 'x');
-- every view, with the functions that it calls
DO $$
DECLARE
    name regclass;
BEGIN
    FOR name IN SELECT c.oid FROM pg_class AS c WHERE c.relnamespace = 'planthub'::regnamespace AND c.relkind = 'v' LOOP
        EXECUTE format('SELECT * FROM %s LIMIT 0', name);
    END LOOP;
END
$$;
SELECT planthub.pause('key', 'x');
SELECT count(*) FROM planthub.operation_log;
DELETE FROM planthub.held;
SET ROLE regress_ph_operator;
SELECT planthub.pause('key', 'x', 'test');
SELECT planthub.resume('key', 'x');
SELECT count(*) FROM planthub.replay(states => '{dead}');
SELECT planthub.arm();
SELECT planthub.held_release('{1}');
SET ROLE regress_ph_integrator;
SELECT planthub.create_site('P1', 'Plant 1');
SELECT planthub.create_topic('plant_x.made_up');
INSERT INTO planthub.site (code, name) VALUES ('P2', 'Plant 2');
SET ROLE regress_ph_publisher;
SELECT planthub.publish('plant_x.made_up', '{"n": 1}', 'K1', 'P1') > 0 AS works;
SELECT count(*) FROM planthub.publish_many('plant_x.made_up', 'P1', '{K1,K2}', ARRAY['{}', '{}']::jsonb[]);
SELECT * FROM planthub.message;
SELECT planthub.create_site('P3');
SET ROLE regress_ph_auditor;
SELECT verb, arguments FROM planthub.operation_log WHERE verb IN ('pause', 'resume') ORDER BY id;
SET ROLE regress_ph_admin;
SELECT planthub.arm();
SELECT planthub.grant_access('operator', 'regress_ph_nobody');
RESET ROLE;
SELECT has_function_privilege('regress_ph_nobody', 'planthub.pause(text, text, text)', 'EXECUTE');
SELECT planthub.revoke_access('regress_ph_nobody');
SELECT has_function_privilege('regress_ph_nobody', 'planthub.pause(text, text, text)', 'EXECUTE'),
       has_schema_privilege('regress_ph_nobody', 'planthub', 'USAGE');

SELECT planthub.revoke_access(r.rolname) FROM pg_roles AS r WHERE r.rolname ~ '^regress_ph_';
DROP ROLE regress_ph_nobody, regress_ph_reader, regress_ph_publisher, regress_ph_operator, regress_ph_integrator, regress_ph_auditor, regress_ph_admin;
