-- grants: nothing for PUBLIC; capabilities for the roles that the administrator made.  Re-runnable.

CREATE OR REPLACE FUNCTION planthub.capability_grants(capability text) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    readers     constant text := '^(descendants|equipment_times|shift_at|shift_confirmed|is_sscc|has_check_digit|with_parts|quantity|stock_at|stock_differences|policies|base_qty|jmespath(_explain)?|route_explain|outcome_explain|status|doctor|trace|show|hub_id|is_armed|is_claimed|backlog|in_flight|workers|job_(process|next|due_.*|has_events)|age_text|xref_find|xref_back|unit_convert|unit_code|xml_to_json|json_to_xml|'
        'map|map_explain|mapping_(describe|template|provenance|require|lint|test|find|violations|untested|compare|trial|outline)|(condition|route)_(lint|outline)|lint_(notice|contract|reads|assumptions|writes|alternatives|required)|json_types|merge_patch|json_differences|'
        'json_schema_errors|json_schema_valid|contract_violations|contract_compatible|contract_check|check_json_schema|'
        'require_contract|schema_(narrowed|narrowed_values|narrowed_members|narrowed_branches|follow|types|step|at|branches|type_names|may_be|values))$';
    operators   constant text := '^(compute_kpi|reserve|release_reservation|confirm_counts|recount|release_parked|reject_parked|release_due|close_case|pause|resume|release|discard|replay|acknowledge|run_job|start|stop)$';
    publishers  constant text := '^(receive(_many)?|publish(_many)?|contract_violations)$';
    integrators constant text := '^(set_source(_mapping)?|drop_source|allow_topic|(drain|clear)_staging|(set|drop)_(shift|counter)|recount|confirm_counts|(create|drop)_collector|collector_(begin|query|take)|collect|job_run_collect|(create|alter|drop)_job|set_policy|(create|alter|drop)_(site|system|endpoint|topic|route|xref_set|unit|mapping|mapping_vector|mapping_function)|(create|drop)_outcome_set|(set|drop)_outcome_rule|(set|drop)_credential|(activate|retire)_mapping|(set|end)_xref|(register|activate|deprecate|retire)_contract|(register|drop)_json_schema)$';
    collectors  constant text := '^(collector_(begin|query|take)|collect|job_run_collect)$';
    admins      constant text := '^(set_effect|set_rule|add_check|drop_check|arm|rotate|grant_access|revoke_access)$';
    wanted      text;
BEGIN
    wanted := CASE capability
        WHEN 'reader' THEN readers
        WHEN 'auditor' THEN readers
        WHEN 'operator' THEN concat_ws('|', readers, operators)
        WHEN 'publisher' THEN publishers
        WHEN 'collector' THEN collectors
        WHEN 'integrator' THEN concat_ws('|', readers, publishers, integrators)
        WHEN 'admin' THEN concat_ws('|', readers, operators, publishers, integrators, admins) END;
    IF wanted IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('unknown capability "%s"', capability),
            HINT = 'Use reader, publisher, collector, operator, integrator, auditor or admin.';
    END IF;
    RETURN NEXT 'USAGE ON SCHEMA planthub';
    RETURN QUERY
        SELECT format('EXECUTE ON FUNCTION %s', p.oid::regprocedure) FROM pg_proc AS p
        WHERE p.pronamespace = 'planthub'::regnamespace AND p.proname ~ wanted ORDER BY p.proname;
    IF capability IN ('integrator', 'admin') THEN
        RETURN NEXT 'INSERT (batch, event) ON planthub.staging';
    END IF;
    IF capability = 'collector' THEN
        RETURN NEXT 'SELECT ON planthub.collected';
    ELSIF capability <> 'publisher' THEN
        RETURN QUERY
            SELECT format('SELECT ON %s', c.oid::regclass) FROM pg_class AS c
            WHERE c.relnamespace = 'planthub'::regnamespace AND c.relkind IN ('r', 'p', 'v')
              AND c.relname <> 'credential_secret'
              AND (c.relname <> 'operation_log' OR capability IN ('auditor', 'admin')) ORDER BY c.relname;
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.capability_grants(text) IS 'Internal: the rights that make up a capability';

CREATE OR REPLACE FUNCTION planthub.require_role(role name) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF role IS NULL OR NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = role) THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = format('role "%s" does not exist', role),
            HINT = 'Create it with CREATE ROLE; PlantHub never creates roles.';
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.require_role(name) IS 'Internal: refuses a role that does not exist';

CREATE OR REPLACE FUNCTION planthub.grant_access(capability text, role name) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    what text;
BEGIN
    PERFORM planthub.require_role(role);
    FOR what IN SELECT planthub.capability_grants(capability) LOOP
        EXECUTE format('GRANT %s TO %I', what, role);
    END LOOP;
    PERFORM planthub.log_operation('grant_access', jsonb_build_object('capability', capability, 'role', role), 1);
END
$$;
COMMENT ON FUNCTION planthub.grant_access(text, name) IS 'Gives an existing role a capability: reader, publisher, collector, operator, integrator, auditor or admin';

CREATE OR REPLACE FUNCTION planthub.revoke_access(role name) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.require_role(role);
    EXECUTE format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA planthub FROM %I', role);
    EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA planthub FROM %I', role);
    EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA planthub FROM %I', role);
    EXECUTE format('REVOKE ALL ON SCHEMA planthub FROM %I', role);
    PERFORM planthub.log_operation('revoke_access', jsonb_build_object('role', role), 1);
END
$$;
COMMENT ON FUNCTION planthub.revoke_access(name) IS 'Takes all capabilities from a role';

DO $$
BEGIN
    REVOKE ALL ON SCHEMA planthub FROM PUBLIC;
    REVOKE ALL ON ALL TABLES IN SCHEMA planthub FROM PUBLIC;
    REVOKE ALL ON ALL SEQUENCES IN SCHEMA planthub FROM PUBLIC;
    REVOKE ALL ON ALL ROUTINES IN SCHEMA planthub FROM PUBLIC;
    REVOKE ALL ON TYPE planthub.replayed, planthub.inbound, planthub.violation, planthub.line, planthub.stock_change, planthub.verdict FROM PUBLIC;
END
$$;
