-- expression: JMESPath for people and for SQL.  Re-runnable.

CREATE OR REPLACE FUNCTION planthub.jmespath(expression text, document jsonb) RETURNS jsonb
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'planthub_jmespath';
COMMENT ON FUNCTION planthub.jmespath(text, jsonb) IS
'Value of a JMESPath expression (Community edition, exact numbers, functions of the hub) for a document; what is not there is the JSON null.  The DETAIL of an error is its class: syntax, invalid-arity, unknown-function, undefined-variable, invalid-type, invalid-value, not-a-number, budget';

CREATE OR REPLACE FUNCTION planthub.jmespath_explain(expression text, OUT kind text, OUT name text, OUT "column" integer)
    RETURNS SETOF record
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 10 AS 'MODULE_PATHNAME', 'planthub_jmespath_explain';
COMMENT ON FUNCTION planthub.jmespath_explain(text) IS
'What a JMESPath expression reads, without a document: kind field (from @, $ or a variable; [] stands for every element, .* for every member), variable, function, xref; and kind warning: what it says and probably does not mean.  Errors as in jmespath()';
