-- unit: conversion of units of measure, and the verbs.  Re-runnable.

CREATE OR REPLACE TRIGGER table_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON planthub.unit
    FOR EACH STATEMENT EXECUTE FUNCTION planthub.table_changed();
COMMENT ON TRIGGER table_changed ON planthub.unit IS 'Makes a change take effect in every backend';

CREATE OR REPLACE FUNCTION planthub.unit_added() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'planthub_unit_added';
COMMENT ON FUNCTION planthub.unit_added() IS 'Internal: trigger that lets deliveries go that waited for the unit';

CREATE OR REPLACE TRIGGER unit_added AFTER INSERT ON planthub.unit
    FOR EACH ROW EXECUTE FUNCTION planthub.unit_added();
COMMENT ON TRIGGER unit_added ON planthub.unit IS 'Lets deliveries go that waited for the unit';

CREATE OR REPLACE FUNCTION planthub.unit_convert(value numeric, "from" text, "to" text) RETURNS numeric
LANGUAGE c STRICT STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'planthub_unit_convert';
COMMENT ON FUNCTION planthub.unit_convert(numeric, text, text) IS
'Converts a quantity by the exact ratio of two units of one dimension; refuses unknown units (42704), and units of different dimensions or without a ratio (22023)';

CREATE OR REPLACE FUNCTION planthub.unit_code(code text) RETURNS text
LANGUAGE c STRICT STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'planthub_unit_code';
COMMENT ON FUNCTION planthub.unit_code(text) IS 'The code to use for a unit, which differs for aliases; null when the unit is unknown';

CREATE OR REPLACE FUNCTION planthub.create_unit(code text, name text, dimension text, numerator numeric DEFAULT NULL,
    denominator numeric DEFAULT NULL, shift numeric DEFAULT 0, alias_of text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.config_insert('unit', code, jsonb_build_object('code', code, 'name', name, 'dimension', dimension,
        'numerator', numerator, 'denominator', denominator, 'shift', shift, 'alias_of', alias_of));
    PERFORM planthub.bring('unit', ARRAY[code]);
    PERFORM planthub.retry_due();
END
$$;
COMMENT ON FUNCTION planthub.create_unit(text, text, text, numeric, numeric, numeric, text) IS
'Adds a unit of measure: numerator / denominator is its exact ratio to the reference unit of the dimension, null when it cannot be converted without knowing the item';

CREATE OR REPLACE FUNCTION planthub.drop_unit(code text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.require_own('unit', code);
    PERFORM planthub.config_require_unused('unit', code, 'aliases',
        (SELECT string_agg(u.code, ', ' ORDER BY u.code) FROM planthub.unit AS u WHERE u.alias_of = drop_unit.code));
    PERFORM planthub.config_delete('unit', code);
END
$$;
COMMENT ON FUNCTION planthub.drop_unit(text) IS 'Removes a unit of measure that the extension did not bring';
