-- credential: giving and taking credentials.  Nothing here puts a secret into a text that could be shown.  Re-runnable.

CREATE OR REPLACE FUNCTION planthub.hide_statement(instead text) RETURNS void
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'planthub_hide_statement';
COMMENT ON FUNCTION planthub.hide_statement(text) IS 'Internal: pg_stat_activity and errors show another text instead of the statement under way';

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['credential', 'credential_secret'] LOOP
        EXECUTE format('CREATE OR REPLACE TRIGGER config_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE '
            'ON planthub.%I FOR EACH STATEMENT EXECUTE FUNCTION planthub.config_changed()', name);
        EXECUTE format('COMMENT ON TRIGGER config_changed ON planthub.%I IS %L', name,
            'Makes the workers read the credential again');
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION planthub.check_credential(code text, kind text, settings jsonb) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known   constant text[] := CASE kind WHEN 'basic' THEN '{user}' WHEN 'header' THEN '{header,prefix}'
                                         ELSE '{token_url,client_id,scope,client_auth,parameters}' END;
    member  text;
    problem text;
BEGIN
    IF jsonb_typeof(settings) <> 'object' OR kind NOT IN ('basic', 'header', 'oauth2') THEN
        RETURN;         -- a constraint of the table says so
    END IF;
    FOR member IN SELECT k FROM jsonb_object_keys(settings) AS k LOOP
        IF member <> ALL (known) THEN
            problem := format('There is no setting "%s" for this kind.', member);
        ELSIF member <> 'parameters' AND coalesce(settings->>member, '') = '' AND member <> 'prefix' THEN
            problem := format('The setting "%s" is empty.', member);
        END IF;
    END LOOP;
    problem := CASE
        WHEN problem IS NOT NULL THEN problem
        WHEN kind = 'basic' AND (NOT settings ? 'user' OR strpos(settings->>'user', ':') > 0) THEN
            'The setting "user" is wanted; it has no colon.'
        WHEN kind = 'header' AND settings->>'header' !~ '^[A-Za-z0-9-]{1,64}$' THEN
            'The setting "header" is the name of a header field.'
        WHEN kind = 'oauth2' AND NOT settings ?& '{token_url,client_id}' THEN
            'The settings "token_url" and "client_id" are wanted.'
        WHEN kind = 'oauth2' AND settings->>'client_auth' NOT IN ('basic', 'body') THEN
            'The setting "client_auth" is "basic" or "body".'
        WHEN settings ? 'parameters' AND (jsonb_typeof(settings->'parameters') <> 'object'
             OR jsonb_path_exists(settings, '$.parameters.keyvalue() ? (@.value.type() != "string")')) THEN
            'The setting "parameters" is an object of texts.' END;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('settings of credential "%s" are not valid', code),
            DETAIL = problem,
            HINT = 'See the comment of column "settings" of planthub.credential.';
    END IF;
    IF kind = 'oauth2' THEN
        PERFORM planthub.check_address('http', settings->>'token_url');
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.check_credential(text, text, jsonb) IS 'Internal: refuses settings that the kind of credential cannot use';

CREATE OR REPLACE FUNCTION planthub.set_credential(code text, secret text DEFAULT NULL, kind text DEFAULT NULL, settings jsonb DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    present jsonb;
    given   jsonb;
BEGIN
    PERFORM planthub.hide_statement('SELECT planthub.set_credential(...)');
    IF secret = '' OR secret ~ '[\x01-\x1f\x7f]' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('secret of credential "%s" is not valid', code),
            DETAIL = 'It is empty, or has a control character.',
            HINT = 'Give it without the line end that files and commands put behind it.';
    END IF;
    SELECT to_jsonb(c) INTO present FROM planthub.credential AS c WHERE c.code = set_credential.code;
    IF present IS NULL AND (kind IS NULL OR secret IS NULL) THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = format('credential "%s" does not exist', code),
            HINT = 'Give kind and secret to create it, or look in the table planthub.credential.';
    END IF;
    given := jsonb_build_object('code', code, 'kind', coalesce(kind, present->>'kind'),
        'settings', coalesce(settings, present->'settings', '{}'), 'changed_at', now(), 'changed_by', session_user);
    PERFORM planthub.check_credential(code, given->>'kind', given->'settings');
    IF present IS NULL THEN
        PERFORM planthub.config_insert('credential', code, given);
    ELSE
        PERFORM planthub.config_update('credential', code, given);
    END IF;
    IF secret IS NOT NULL THEN
        INSERT INTO planthub.credential_secret AS s (credential, secret) VALUES (set_credential.code, set_credential.secret)
        ON CONFLICT (credential) DO UPDATE SET secret = excluded.secret;
    END IF;
END
$$;
COMMENT ON FUNCTION planthub.set_credential(text, text, text, jsonb) IS
'Makes a credential or changes it; null arguments keep their value.  Give the secret as a parameter of the statement, not as a part of it: with log_statement the server logs statements before anything could hide them';

CREATE OR REPLACE FUNCTION planthub.drop_credential(code text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM planthub.config_require('credential', code);
    PERFORM planthub.config_require_unused('credential', code, 'endpoints',
        (SELECT string_agg(e.code, ', ' ORDER BY e.code) FROM planthub.endpoint AS e WHERE e.credential = drop_credential.code));
    PERFORM planthub.config_delete('credential', code);
END
$$;
COMMENT ON FUNCTION planthub.drop_credential(text) IS 'Removes a credential that no endpoint uses, with its secret';
