-- posting: acknowledgements of targets.  Re-runnable.

CREATE OR REPLACE FUNCTION planthub.apply_posting_acknowledged(m planthub.inbound) RETURNS planthub.violation[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    number bigint := CASE WHEN m.data->>'outbox_id' ~ '^[0-9]{1,18}$' THEN (m.data->>'outbox_id')::bigint END;
    cause  planthub.message;
BEGIN
    SELECT o.* INTO cause FROM planthub.delivery AS d JOIN planthub.message AS o ON o.id = d.message_id WHERE d.id = number;
    IF NOT FOUND THEN
        RETURN planthub.violation('MAPPING_MISSING', '/data/outbox_id', format('There is no delivery %s.', m.data->>'outbox_id'),
            'delivery', m.data->>'outbox_id');
    END IF;
    INSERT INTO planthub.posting (delivery_id, message_id, site, system, outcome, external_document, error_code, error_text, event_time)
    VALUES (number, m.id, cause.site, m.system, m.data->>'outcome', m.data->>'external_document', m.data #>> '{error,code}', m.data #>> '{error,text}', m.event_time);
    INSERT INTO planthub.xref (set, system, scope, code, value, message_id)
    SELECT 'document', m.system, cause.site, m.data->>'external_document', to_jsonb(coalesce(cause.event_id, cause.id::text)), m.id
    WHERE m.data->>'external_document' IS NOT NULL
      AND NOT EXISTS (SELECT FROM planthub.xref_find('document', m.data->>'external_document', m.system, cause.site));
    IF m.data->>'outcome' = 'rejected' THEN
        PERFORM planthub.open_case(cause.site, coalesce(m.data #>> '{error,code}', 'POSTING_REJECTED'), 'delivery', number::text,
            format('%s refuses %s %s: %s', m.system, cause.topic, coalesce(cause.event_id, cause.id::text), coalesce(m.data #>> '{error,text}', 'no reason given')));
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION planthub.apply_posting_acknowledged(planthub.inbound) IS 'Internal: effect of posting.acknowledged: the outcome in the target and its document number; a refusal becomes a case';
