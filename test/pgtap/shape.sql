-- What holds for every object of the extension, whoever adds one.
SET search_path = public, pg_catalog;
SELECT plan(16);

CREATE TEMP VIEW member AS
    SELECT d.classid, d.objid FROM pg_depend AS d JOIN pg_extension AS x ON x.oid = d.refobjid
    WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND x.extname = 'planthub';
CREATE TEMP VIEW relation AS
    SELECT c.* FROM pg_class AS c JOIN member AS m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid;
CREATE TEMP VIEW routine AS
    SELECT p.*, l.lanname FROM pg_proc AS p JOIN member AS m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
    JOIN pg_language AS l ON l.oid = p.prolang;

SELECT is_empty($$SELECT pg_describe_object(m.classid, m.objid, 0) FROM member AS m
                  CROSS JOIN pg_identify_object(m.classid, m.objid, 0) AS o
                  WHERE o.schema IS DISTINCT FROM 'planthub' AND m.classid <> 'pg_namespace'::regclass
                    AND o.type NOT IN ('trigger', 'default value')$$,
                'everything is in the schema planthub');
SELECT isnt_empty($$SELECT FROM member AS m WHERE m.classid = 'pg_namespace'::regclass AND m.objid = 'planthub'::regnamespace$$,
                  'the schema belongs to the extension');
SELECT is_empty($$SELECT c.oid::regclass FROM pg_class AS c
                  WHERE c.relnamespace = 'planthub'::regnamespace AND c.relkind NOT IN ('i', 'I', 't', 'S')
                    AND c.oid NOT IN (SELECT oid FROM relation) AND NOT EXISTS (SELECT FROM pg_type AS t JOIN member AS m
                        ON m.objid = t.oid AND m.classid = 'pg_type'::regclass WHERE t.typrelid = c.oid)$$,
                'every table and view in the schema belongs to the extension');

-- comments
SELECT is_empty($$SELECT r.oid::regclass FROM relation AS r
                  WHERE NOT r.relispartition AND r.relkind IN ('r', 'p', 'v', 'm') AND obj_description(r.oid, 'pg_class') IS NULL$$,
                'every table and view has a comment');
SELECT is_empty($$SELECT r.oid::regclass, a.attname FROM relation AS r JOIN pg_attribute AS a ON a.attrelid = r.oid
                  WHERE NOT r.relispartition AND r.relkind IN ('r', 'p', 'v', 'm') AND a.attnum > 0 AND NOT a.attisdropped
                    AND col_description(a.attrelid, a.attnum) IS NULL$$,
                'every column has a comment');
SELECT is_empty($$SELECT r.oid::regprocedure FROM routine AS r WHERE obj_description(r.oid, 'pg_proc') IS NULL$$,
                'every function has a comment');
SELECT is_empty($$SELECT t.oid::regtype FROM pg_type AS t JOIN member AS m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
                  JOIN pg_class AS r ON r.oid = t.typrelid WHERE r.relkind = 'c' AND obj_description(t.oid, 'pg_type') IS NULL$$,
                'every type has a comment');
SELECT is_empty($$SELECT r.oid::regclass FROM relation AS r JOIN pg_trigger AS t ON t.tgrelid = r.oid
                  WHERE NOT t.tgisinternal AND obj_description(t.oid, 'pg_trigger') IS NULL$$,
                'every trigger has a comment');

-- search paths
SELECT is_empty($$SELECT r.oid::regprocedure FROM routine AS r
                  WHERE r.lanname <> 'c' AND r.prosqlbody IS NULL
                    AND NOT coalesce(r.proconfig, '{}') @> '{"search_path=pg_catalog, pg_temp"}'$$,
                'every function pins its search path, or is parsed when it is made');
SELECT is_empty($$SELECT r.oid::regprocedure FROM routine AS r
                  WHERE r.prosecdef AND NOT coalesce(r.proconfig, '{}') @> '{"search_path=pg_catalog, pg_temp"}'$$,
                'every function with the rights of its owner pins its search path');

-- rights
SELECT is_empty($$SELECT r.oid::regprocedure FROM routine AS r
                  WHERE EXISTS (SELECT FROM aclexplode(coalesce(r.proacl, acldefault('f', r.proowner))) AS a WHERE a.grantee = 0)$$,
                'PUBLIC may execute nothing');
SELECT is_empty($$SELECT c.oid::regclass FROM pg_class AS c
                  WHERE c.relnamespace = 'planthub'::regnamespace
                    AND EXISTS (SELECT FROM aclexplode(c.relacl) AS a WHERE a.grantee = 0)$$,
                'PUBLIC may read and write nothing');
SELECT is_empty($$SELECT FROM pg_namespace AS n, aclexplode(n.nspacl) AS a WHERE n.nspname = 'planthub' AND a.grantee = 0$$,
                'PUBLIC may not even look into the schema');

-- dump
SELECT is_empty($$SELECT c.oid::regclass FROM pg_class AS c
                  WHERE c.relnamespace = 'planthub'::regnamespace AND c.relkind IN ('r', 'S') AND c.relname <> 'credential_secret'
                    AND NOT EXISTS (SELECT FROM pg_extension AS x WHERE x.extname = 'planthub' AND c.oid = ANY (x.extconfig))$$,
                'every table, leaf and sequence but that of secrets is registered for dumps');

-- secrets
SELECT is_empty($$SELECT FROM pg_extension AS x WHERE x.extname = 'planthub' AND 'planthub.credential_secret'::regclass = ANY (x.extconfig)$$,
                'secrets are in no dump');
SELECT is_empty($$SELECT g FROM unnest('{reader,publisher,operator,integrator,auditor,admin}'::text[]) AS c, planthub.capability_grants(c) AS g
                  WHERE g ~ 'credential_secret'$$,
                'no capability lets anybody read them');

SELECT * FROM finish();
