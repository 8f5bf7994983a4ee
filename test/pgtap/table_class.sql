-- Every table has a class, and is built as its class demands.
SET search_path = public, pg_catalog;
SELECT plan(9);

CREATE TEMP VIEW classed AS
    SELECT t.name, t.class, c.oid, a.attnum AS site
    FROM planthub.table_class AS t
    LEFT JOIN pg_class AS c ON c.relnamespace = 'planthub'::regnamespace AND c.relname = t.name AND c.relkind IN ('r', 'p')
    LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'site' AND NOT a.attisdropped;

SELECT is_empty($$SELECT format('INSERT INTO planthub.table_class VALUES (%L, ''engine'', ''wide'', ''reference'' or ''local'')', c.relname)
                  FROM pg_class AS c
                  WHERE c.relnamespace = 'planthub'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
                    AND c.relname NOT IN (SELECT name FROM planthub.table_class)$$,
                'every table is classified in planthub.table_class');
SELECT is_empty($$SELECT name FROM classed WHERE oid IS NULL$$, 'every classified table exists');

-- Numbers of transactions and snapshots mean nothing on another server.
SELECT is_empty($$SELECT c.name, a.attname FROM classed AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
                  WHERE c.class <> 'engine' AND a.attnum > 0 AND NOT a.attisdropped
                    AND a.atttypid IN ('xid8'::regtype, 'xid'::regtype, 'pg_snapshot'::regtype, 'pg_lsn'::regtype, 'tid'::regtype)$$,
                'transactions, snapshots and positions are kept in engine tables only');

-- The site of a row: one type and one order everywhere, always known, stored.
SELECT is_empty($$SELECT name FROM classed WHERE class = 'wide' AND site IS NULL$$, 'every wide table has a column site');
SELECT is_empty($$SELECT c.name FROM classed AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = c.site
                  WHERE a.atttypid <> 'text'::regtype OR NOT a.attnotnull OR a.attgenerated <> '' OR a.attcollation <> '"C"'::regcollation$$,
                'every column site is text COLLATE "C" NOT NULL, and stored');
SELECT is_empty($$SELECT i.indexrelid::regclass FROM classed AS c JOIN pg_index AS i ON i.indrelid = c.oid
                  WHERE c.class = 'wide' AND (i.indisunique OR i.indisexclusion) AND c.site <> ALL (i.indkey::int2[])$$,
                'every unique key of a wide table contains site: it is promised per site');
SELECT is_empty($$SELECT c.name FROM classed AS c
                  WHERE c.class = 'wide' AND NOT EXISTS (SELECT FROM pg_index AS i
                      WHERE i.indrelid = c.oid AND i.indisprimary AND i.indkey[0] = c.site)$$,
                'the primary key of a wide table begins with site');

-- References stay inside what can move together.
SELECT is_empty($$SELECT k.conname, a.name, b.name FROM pg_constraint AS k
                  JOIN classed AS a ON a.oid = k.conrelid JOIN classed AS b ON b.oid = k.confrelid
                  WHERE k.contype = 'f' AND (a.class = 'wide' AND b.class NOT IN ('wide', 'reference')
                                             OR a.class = 'reference' AND b.class <> 'reference')$$,
                'wide tables refer to wide and reference tables only, reference tables to reference tables');
SELECT is_empty($$SELECT k.conname, a.name, b.name FROM pg_constraint AS k
                  JOIN classed AS a ON a.oid = k.conrelid JOIN classed AS b ON b.oid = k.confrelid
                  WHERE k.contype = 'f' AND a.class = 'wide' AND b.class = 'wide'
                    AND NOT EXISTS (SELECT FROM unnest(k.conkey, k.confkey) AS u (x, y) WHERE u.x = a.site AND u.y = b.site)$$,
                'a reference between wide tables includes site');

SELECT * FROM finish();
