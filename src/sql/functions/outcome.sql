-- outcome: verbs for outcome rules.  Re-runnable.

CREATE OR REPLACE FUNCTION planthub.check_outcome_expression(expression text) RETURNS void
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'planthub_check_outcome_expression';
COMMENT ON FUNCTION planthub.check_outcome_expression(text) IS 'Internal: refuses an expression of an outcome rule that is no good';

CREATE OR REPLACE FUNCTION planthub.outcome_explain(set text, status int, body text DEFAULT NULL, headers jsonb DEFAULT '{}',
    OUT outcome text, OUT reason text, OUT retry_after int, OUT "position" int, OUT error text)
LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'planthub_outcome_explain';
COMMENT ON FUNCTION planthub.outcome_explain(text, int, text, jsonb) IS 'What an answer means by a set of outcome rules (null or a set without rules: by the status alone): its outcome, the reason and the seconds to wait that the rule gives, the position of the rule that decided (null: none), and the first rule that could not be evaluated';

CREATE OR REPLACE FUNCTION planthub.create_outcome_set(code text, comment text DEFAULT NULL, copy_of text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF copy_of IS NOT NULL THEN
        PERFORM planthub.config_require('outcome_set', copy_of);
    END IF;
    PERFORM planthub.config_insert('outcome_set', code, jsonb_build_object('code', code, 'comment', comment));
    INSERT INTO planthub.outcome_rule (set, position, condition, outcome, reason, retry_after, comment)
    SELECT create_outcome_set.code, r.position, r.condition, r.outcome, r.reason, r.retry_after, r.comment
    FROM planthub.outcome_rule AS r WHERE r.set = copy_of;
END
$$;
COMMENT ON FUNCTION planthub.create_outcome_set(text, text, text) IS 'Adds a set of outcome rules, empty or with the rules of another one';

CREATE OR REPLACE FUNCTION planthub.drop_outcome_set(code text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.require_own('outcome_set', code);
    PERFORM planthub.config_require_unused('outcome_set', code, 'endpoints',
        (SELECT string_agg(e.code, ', ' ORDER BY e.code) FROM planthub.endpoint AS e WHERE e.outcome_set = drop_outcome_set.code));
    PERFORM planthub.config_delete('outcome_set', code);
END
$$;
COMMENT ON FUNCTION planthub.drop_outcome_set(text) IS 'Removes a set of outcome rules that no endpoint uses';

CREATE OR REPLACE FUNCTION planthub.set_outcome_rule(set text, "position" int, condition text, outcome text,
    reason text DEFAULT NULL, retry_after text DEFAULT NULL, comment text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.require_own('outcome_set', set);
    PERFORM planthub.check_outcome_expression(nullif(condition, ''));
    PERFORM planthub.check_outcome_expression(nullif(retry_after, ''));
    DELETE FROM planthub.outcome_rule AS r WHERE r.set = $1 AND r."position" = $2;
    PERFORM planthub.config_insert('outcome_rule', concat(set, ' ', "position"), jsonb_build_object('set', set,
        'position', "position", 'condition', condition, 'outcome', outcome, 'reason', reason, 'retry_after', nullif(retry_after, ''),
        'comment', comment));
END
$$;
COMMENT ON FUNCTION planthub.set_outcome_rule(text, int, text, text, text, text, text) IS 'Puts a rule at a position of a set, in place of the one that is there; try it with planthub.outcome_explain()';

CREATE OR REPLACE FUNCTION planthub.drop_outcome_rule(set text, "position" int) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.require_own('outcome_set', set);
    DELETE FROM planthub.outcome_rule AS r WHERE r.set = $1 AND r."position" = $2;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = format('outcome set "%s" has no rule at position %s', $1, $2),
            HINT = 'Look in the table planthub.outcome_rule.';
    END IF;
    PERFORM planthub.log_operation('drop_outcome_rule', jsonb_build_object('set', $1, 'position', $2), 1);
END
$$;
COMMENT ON FUNCTION planthub.drop_outcome_rule(text, int) IS 'Takes a rule out of a set';
