-- unit: units of measure, UN/ECE Recommendation 20, with the exact definitions of the SI and of the international yard
-- and pound agreement (1959).  Run once.

CREATE TABLE planthub.unit (
    code        text COLLATE "C" PRIMARY KEY CHECK (code ~ '^[A-Z0-9]{1,3}$'),
    name        text NOT NULL,
    dimension   text NOT NULL CHECK (dimension ~ '^[a-z][a-z_]*$'),
    numerator   numeric CHECK (numerator > 0 AND numerator = trunc(numerator) AND numerator < 1e30),
    denominator numeric CHECK (denominator > 0 AND denominator = trunc(denominator) AND denominator < 1e30),
    shift       numeric NOT NULL DEFAULT 0 CHECK (abs(shift) < 1e9 AND scale(shift) <= 30),
    alias_of    text COLLATE "C" REFERENCES planthub.unit,
    builtin     boolean NOT NULL DEFAULT false,
    CONSTRAINT unit_ratio_check CHECK ((numerator IS NULL) = (denominator IS NULL))
);
COMMENT ON TABLE planthub.unit IS 'Units of measure: codes of UN/ECE Recommendation 20 and packages of Recommendation 21.  A value in the reference unit of the dimension is (value + shift) * numerator / denominator';
COMMENT ON COLUMN planthub.unit.code IS 'Code of Recommendation 20, such as KGM';
COMMENT ON COLUMN planthub.unit.name IS 'Name for people';
COMMENT ON COLUMN planthub.unit.dimension IS 'What it measures; units of one dimension can be converted';
COMMENT ON COLUMN planthub.unit.numerator IS 'Of the exact ratio to the reference unit, a whole number; null: it cannot be converted without knowing the item';
COMMENT ON COLUMN planthub.unit.denominator IS 'Of the exact ratio, a whole number';
COMMENT ON COLUMN planthub.unit.shift IS 'Added before the ratio is applied; not 0 for temperatures only';
COMMENT ON COLUMN planthub.unit.alias_of IS 'The code to use instead, when this one means the same';
COMMENT ON COLUMN planthub.unit.builtin IS 'Whether the extension brought it';
COMMENT ON CONSTRAINT unit_code_check ON planthub.unit IS 'The code of a unit has up to 3 upper-case letters and digits';
COMMENT ON CONSTRAINT unit_dimension_check ON planthub.unit IS 'A dimension is a lower-case word, such as mass';
COMMENT ON CONSTRAINT unit_numerator_check ON planthub.unit IS 'Use a whole number of up to 30 digits';
COMMENT ON CONSTRAINT unit_denominator_check ON planthub.unit IS 'Use a whole number of up to 30 digits';
COMMENT ON CONSTRAINT unit_shift_check ON planthub.unit IS 'Use a number below 1000000000 with up to 30 decimals';
COMMENT ON CONSTRAINT unit_ratio_check ON planthub.unit IS 'Give both numerator and denominator, or neither';

INSERT INTO planthub.table_class VALUES ('unit', 'reference');

INSERT INTO planthub.unit (builtin, code, name, dimension, numerator, denominator, shift, alias_of) VALUES
    (true, 'C62', 'one', 'count', 1, 1, 0, NULL),
    (true, 'EA', 'each', 'count', 1, 1, 0, 'C62'),
    (true, 'H87', 'piece', 'count', 1, 1, 0, NULL),
    (true, 'PR', 'pair', 'count', 2, 1, 0, NULL),
    (true, 'DZN', 'dozen', 'count', 12, 1, 0, NULL),
    (true, 'SET', 'set', 'count', NULL, NULL, 0, NULL),
    (true, 'XBX', 'box', 'package', NULL, NULL, 0, NULL),
    (true, 'XPX', 'pallet', 'package', NULL, NULL, 0, NULL),
    (true, 'KGM', 'kilogram', 'mass', 1, 1, 0, NULL),
    (true, 'GRM', 'gram', 'mass', 1, 1000, 0, NULL),
    (true, 'MGM', 'milligram', 'mass', 1, 1000000, 0, NULL),
    (true, 'TNE', 'tonne', 'mass', 1000, 1, 0, NULL),
    (true, 'LBR', 'pound', 'mass', 45359237, 100000000, 0, NULL),
    (true, 'ONZ', 'ounce', 'mass', 28349523125, 1000000000000, 0, NULL),
    (true, 'MTR', 'metre', 'length', 1, 1, 0, NULL),
    (true, 'MMT', 'millimetre', 'length', 1, 1000, 0, NULL),
    (true, 'CMT', 'centimetre', 'length', 1, 100, 0, NULL),
    (true, 'KMT', 'kilometre', 'length', 1000, 1, 0, NULL),
    (true, 'INH', 'inch', 'length', 254, 10000, 0, NULL),
    (true, 'FOT', 'foot', 'length', 3048, 10000, 0, NULL),
    (true, 'MTK', 'square metre', 'area', 1, 1, 0, NULL),
    (true, 'MTQ', 'cubic metre', 'volume', 1, 1, 0, NULL),
    (true, 'LTR', 'litre', 'volume', 1, 1000, 0, NULL),
    (true, 'MLT', 'millilitre', 'volume', 1, 1000000, 0, NULL),
    (true, 'GLL', 'US gallon', 'volume', 3785411784, 1000000000000, 0, NULL),
    (true, 'SEC', 'second', 'time', 1, 1, 0, NULL),
    (true, 'MIN', 'minute', 'time', 60, 1, 0, NULL),
    (true, 'HUR', 'hour', 'time', 3600, 1, 0, NULL),
    (true, 'DAY', 'day', 'time', 86400, 1, 0, NULL),
    (true, 'KEL', 'kelvin', 'temperature', 1, 1, 0, NULL),
    (true, 'CEL', 'degree Celsius', 'temperature', 1, 1, 273.15, NULL),
    (true, 'FAH', 'degree Fahrenheit', 'temperature', 5, 9, 459.67, NULL),
    (true, 'JOU', 'joule', 'energy', 1, 1, 0, NULL),
    (true, 'KWH', 'kilowatt hour', 'energy', 3600000, 1, 0, NULL),
    (true, 'P1', 'percent', 'ratio', 1, 100, 0, NULL);
