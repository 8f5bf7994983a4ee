-- Functions of others, which mappings and events call: what they leave behind does not run with the rights of the caller.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE ROLE regress_ph_plant;
CREATE SCHEMA plant AUTHORIZATION regress_ph_plant;
SELECT planthub.grant_access('integrator', 'regress_ph_plant');
GRANT USAGE ON SCHEMA planthub TO regress_ph_plant;
SET ROLE regress_ph_plant;
CREATE TABLE plant.told (who text);
CREATE TABLE plant.noted (who text);
CREATE FUNCTION plant.tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO plant.told VALUES (current_user = 'regress_ph_plant'); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER tell AFTER INSERT ON plant.noted DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION plant.tell();
CREATE FUNCTION plant.note() RETURNS void LANGUAGE plpgsql AS $$ BEGIN INSERT INTO plant.noted VALUES (current_user); END $$;
CREATE FUNCTION plant.later(document jsonb) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$ BEGIN PERFORM plant.note(); RETURN document; END $$;
CREATE FUNCTION plant.path(document jsonb) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$ BEGIN PERFORM set_config('search_path', 'plant, pg_catalog', false); RETURN document; END $$;
CREATE FUNCTION plant.role(document jsonb) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$ BEGIN PERFORM set_config('role', 'none', false); RETURN document; END $$;
SELECT planthub.create_mapping_function(f, format('plant.%s(jsonb)', f)::regprocedure), planthub.create_mapping(f, jsonb_build_object('x', jsonb_build_object('$call', f, '$with', '=@')))
FROM unnest('{later,path,role}'::text[]) AS f;
RESET ROLE;

-- Settings are taken back, and roles stay as they are.
SET search_path = public;
SELECT planthub.map('path@1', '{"a": 1}');
SHOW search_path;
SELECT planthub.map('role@1', '{"a": 1}');
-- Nothing is put off until the commit, where it would run as the session.
SELECT planthub.map('later@1', '{"a": 1}');
SELECT * FROM plant.told;

-- So it is with effects and checks of others.
SELECT planthub.create_site('P1'), planthub.create_system('mes', 'mes', site => 'P1'), planthub.set_source('urn:mes', 'mes', 'P1'),
    planthub.create_topic('plant.noted'), planthub.allow_topic('plant.noted', 'mes');
CREATE FUNCTION plant.effect(m planthub.inbound) RETURNS planthub.violation[] LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM set_config('search_path', 'plant, pg_catalog', false);
    IF m.data ? 'later' THEN
        INSERT INTO plant.noted VALUES (current_user);
    END IF;
    RETURN NULL;
END
$$;
ALTER FUNCTION plant.effect(planthub.inbound) OWNER TO regress_ph_plant;
SELECT planthub.set_effect('plant.noted', 'plant.effect');
CREATE FUNCTION public.noted(id text, data jsonb) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('specversion', '1.0', 'id', id, 'source', 'urn:mes', 'type', 'planthub.plant.noted.v1', 'time', '2026-01-15T10:00:00Z',
        'recordedtime', '2026-01-15T10:00:00Z', 'datacontenttype', 'application/json', 'dataschema', 'urn:planthub:schema:plant.noted:1',
        'partitionkey', 'k', 'correlationid', 'c', 'data', data)
$$;
SELECT outcome FROM planthub.receive(public.noted('1', '{}'));
SHOW search_path;
SELECT outcome FROM planthub.receive(public.noted('2', '{"later": true}'));
SELECT * FROM plant.told;
-- A function of the owner of the extension is trusted.
ALTER FUNCTION plant.effect(planthub.inbound) OWNER TO CURRENT_USER;
SELECT outcome FROM planthub.receive(public.noted('3', '{"later": true}'));
SELECT * FROM plant.told;
RESET search_path;

DROP SCHEMA plant CASCADE;
SELECT planthub.revoke_access('regress_ph_plant');
DROP OWNED BY regress_ph_plant;
DROP ROLE regress_ph_plant;
