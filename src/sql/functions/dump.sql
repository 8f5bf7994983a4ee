-- dump: pg_dump takes the rows of an extension's tables only when they are registered: every table, every leaf, every
-- sequence, except what the install script itself brings, and secrets.  Re-runnable.

-- The row of the hub is there before the dumped one is loaded; the dumped one, the hub's true identity, wins.
CREATE OR REPLACE FUNCTION planthub.hub_restore() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE planthub.hub SET id = NEW.id, system_identifier = NEW.system_identifier, database_oid = NEW.database_oid,
        slot = NEW.slot, slot_since = NEW.slot_since, slot_length = NEW.slot_length;
    IF FOUND THEN
        RETURN NULL;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION planthub.hub_restore() IS 'Internal: trigger that lets a restored row of planthub.hub replace the one made by CREATE EXTENSION';

CREATE OR REPLACE TRIGGER hub_restore BEFORE INSERT ON planthub.hub
    FOR EACH ROW EXECUTE FUNCTION planthub.hub_restore();
COMMENT ON TRIGGER hub_restore ON planthub.hub IS 'A restored row replaces the one made by CREATE EXTENSION';

DO $$
DECLARE
    r record;
BEGIN
    FOR r IN
        SELECT c.oid::regclass AS name, CASE c.relname
            WHEN 'table_class' THEN 'WHERE false'
            WHEN 'site' THEN 'WHERE code <> ''*'''
            WHEN 'topic' THEN 'WHERE NOT builtin'
            WHEN 'contract' THEN 'WHERE NOT builtin OR status <> ''active'''
            WHEN 'json_schema' THEN 'WHERE NOT builtin'
            WHEN 'xref_set' THEN 'WHERE NOT builtin'
            WHEN 'topic_source' THEN 'WHERE NOT builtin'
            WHEN 'attribute_owner' THEN 'WHERE NOT builtin'
            WHEN 'effect' THEN 'WHERE NOT builtin'
            WHEN 'rule' THEN 'WHERE NOT builtin'
            WHEN 'rule_check' THEN 'WHERE NOT builtin'
            WHEN 'policy' THEN 'WHERE NOT builtin'
            WHEN 'job' THEN 'WHERE NOT builtin'
            WHEN 'unit' THEN 'WHERE NOT builtin'
            WHEN 'outcome_set' THEN 'WHERE NOT builtin'
            WHEN 'outcome_rule' THEN 'WHERE NOT builtin'
            WHEN 'mapping' THEN 'WHERE NOT builtin'
            WHEN 'mapping_vector' THEN 'WHERE NOT builtin' ELSE '' END AS filter
        FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = 'planthub'::regnamespace AND c.relkind IN ('r', 'S') AND c.relname <> 'credential_secret'
        ORDER BY c.relname
    LOOP
        PERFORM pg_catalog.pg_extension_config_dump(r.name, r.filter);
    END LOOP;
END
$$;
