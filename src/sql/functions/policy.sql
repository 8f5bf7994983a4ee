-- policy: who may send, what is decided how; verbs.  Re-runnable.

CREATE OR REPLACE FUNCTION planthub.set_source(uri text, system text, site text DEFAULT '*', enabled boolean DEFAULT true,
    clock_tolerance interval DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.config_require('system', system);
    PERFORM planthub.config_require('site', site);
    DELETE FROM planthub.source AS s WHERE s.uri = set_source.uri;
    PERFORM planthub.config_insert('source', uri, jsonb_build_object('uri', uri, 'system', system, 'site', site, 'enabled', enabled,
        'clock_tolerance', clock_tolerance));
END
$$;
COMMENT ON FUNCTION planthub.set_source(text, text, text, boolean, interval) IS 'Registers a CloudEvents source, or changes one: the system that sends under this name, and its site ("*": the events name it)';

CREATE OR REPLACE FUNCTION planthub.drop_source(uri text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM planthub.source AS s WHERE s.uri = drop_source.uri;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('source "%s" does not exist', uri);
    END IF;
    DELETE FROM planthub.source_mapping AS m WHERE m.uri = drop_source.uri;
    PERFORM planthub.log_operation('drop_source', jsonb_build_object('uri', uri), 1);
END
$$;
COMMENT ON FUNCTION planthub.drop_source(text) IS 'Removes a source: its events are refused from now on';

CREATE OR REPLACE FUNCTION planthub.allow_topic(topic text, sender text, site text DEFAULT '*', allowed boolean DEFAULT true) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.config_require('topic', topic);
    PERFORM planthub.config_require('site', site);
    INSERT INTO planthub.topic_source AS t (topic, sender, site, allowed) VALUES (allow_topic.topic, allow_topic.sender, allow_topic.site, allow_topic.allowed)
    ON CONFLICT ON CONSTRAINT topic_source_pkey DO UPDATE SET allowed = excluded.allowed;
    PERFORM planthub.log_operation('allow_topic', jsonb_build_object('topic', topic, 'sender', sender, 'site', site, 'allowed', allowed), 1);
END
$$;
COMMENT ON FUNCTION planthub.allow_topic(text, text, text, boolean) IS 'Says whether a system, or a kind of systems, may send a topic for a site';

CREATE OR REPLACE FUNCTION planthub.set_policy(site text, name text, value text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known planthub.policy;
BEGIN
    PERFORM planthub.config_require('site', site);
    SELECT * INTO known FROM planthub.policy AS p WHERE p.name = set_policy.name;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = format('policy "%s" does not exist', name),
            HINT = 'See planthub.policy.';
    ELSIF value !~ known.form THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('"%s" is not a value of policy "%s"', value, name),
            DETAIL = format('%s; values match %s.', known.comment, known.form);
    END IF;
    INSERT INTO planthub.site_policy AS p (site, settings)
    VALUES (set_policy.site, CASE WHEN value IS NULL THEN '{}' ELSE jsonb_build_object(name, value) END)
    ON CONFLICT ON CONSTRAINT site_policy_pkey DO UPDATE
        SET settings = CASE WHEN value IS NULL THEN p.settings - set_policy.name ELSE p.settings || excluded.settings END;
    PERFORM planthub.log_operation('set_policy', jsonb_build_object('site', site, 'name', name, 'value', value), 1);
END
$$;
COMMENT ON FUNCTION planthub.set_policy(text, text, text) IS 'Sets a policy of a site; "*" for all sites without one of their own; null: back to the value of the enterprise';

CREATE OR REPLACE FUNCTION planthub.set_effect(topic text, function text, business_key text[] DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.config_require('topic', topic);
    DELETE FROM planthub.effect AS e WHERE e.topic = set_effect.topic AND NOT e.builtin;
    PERFORM planthub.config_insert('effect', topic, jsonb_build_object('topic', topic, 'function', function, 'business_key', business_key));
END
$$;
COMMENT ON FUNCTION planthub.set_effect(text, text, text[]) IS 'Says which function checks and applies a topic, and which members of its data identify the fact';

CREATE OR REPLACE FUNCTION planthub.set_rule(code text, outcome text, comment text, hint text, "position" int DEFAULT 1450,
    policy text DEFAULT NULL, owner text DEFAULT 'integration') RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM planthub.rule AS r WHERE r.code = set_rule.code AND NOT r.builtin;
    PERFORM planthub.config_insert('rule', code, jsonb_build_object('code', code, 'outcome', outcome, 'comment', comment, 'hint', hint,
        'position', "position", 'policy', policy, 'owner', owner));
END
$$;
COMMENT ON FUNCTION planthub.set_rule(text, text, text, text, int, text, text) IS 'Adds a rule of your own, or changes one: its code, what a violation does, and its place in the order of evaluation';

CREATE OR REPLACE FUNCTION planthub.add_check(step text, topic text, function text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.config_insert('rule_check', function, jsonb_build_object('step', step, 'topic', topic, 'function', function));
END
$$;
COMMENT ON FUNCTION planthub.add_check(text, text, text) IS 'Lets effects of these topics (a pattern) run a function at a step: (planthub.inbound, planthub.line[]) returns planthub.violation[]';

CREATE OR REPLACE FUNCTION planthub.drop_check(step text, topic text, function text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM planthub.rule_check AS c WHERE c.step = $1 AND c.topic = $2 AND c.function = $3 AND NOT c.builtin;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('there is no check of your own "%s" at step %s for %s', $3, $1, $2);
    END IF;
    PERFORM planthub.log_operation('drop_check', jsonb_build_object('step', $1, 'topic', $2, 'function', $3), 1);
END
$$;
COMMENT ON FUNCTION planthub.drop_check(text, text, text) IS 'Takes back add_check()';
