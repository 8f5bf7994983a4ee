-- posting: what targets say about deliveries after they took them; delivered is not posted.  Append-only, in the same
-- ring of slots as the other logs.  Run once.

CREATE TABLE planthub.posting (
    delivery_id       bigint NOT NULL,
    message_id        bigint,
    at                timestamptz NOT NULL,
    due_at            timestamptz,
    told_by           bigint,
    slot              smallint NOT NULL,
    late              boolean NOT NULL,
    conflict          boolean NOT NULL,
    state             text COLLATE "C" NOT NULL CHECK (state IN ('accepted', 'posted', 'rejected')),
    origin            text COLLATE "C" NOT NULL CHECK (origin IN ('response', 'acknowledgement')),
    site              text COLLATE "C" NOT NULL,
    endpoint          text COLLATE "C" NOT NULL,
    system            text COLLATE "C" NOT NULL,
    by                text NOT NULL,
    external_document text COLLATE "C",
    document_kind     text,
    error_code        text COLLATE "C",
    error_text        text
) PARTITION BY LIST (slot);
COMMENT ON TABLE planthub.posting IS 'What targets say about deliveries that they have taken: one row each time; planthub.posting_status shows the present state';
COMMENT ON COLUMN planthub.posting.delivery_id IS 'The delivery';
COMMENT ON COLUMN planthub.posting.message_id IS 'Its message';
COMMENT ON COLUMN planthub.posting.at IS 'When the hub learned it';
COMMENT ON COLUMN planthub.posting.due_at IS 'When the acknowledgement is due at the latest; null: the route has no deadline';
COMMENT ON COLUMN planthub.posting.told_by IS 'Message that told it; null: the answer to the request, or a person';
COMMENT ON COLUMN planthub.posting.slot IS 'Log slot of the row';
COMMENT ON COLUMN planthub.posting.late IS 'Whether it came after the deadline';
COMMENT ON COLUMN planthub.posting.conflict IS 'Whether it contradicts what the target had said before: another document, or a refusal of what is posted; it changes nothing';
COMMENT ON COLUMN planthub.posting.state IS 'accepted: the target will post it; posted: done, usually with a document; rejected: refused after it was taken';
COMMENT ON COLUMN planthub.posting.origin IS 'response: the answer to the request; acknowledgement: planthub.acknowledge()';
COMMENT ON COLUMN planthub.posting.site IS 'Site of the message';
COMMENT ON COLUMN planthub.posting.endpoint IS 'Endpoint it went to';
COMMENT ON COLUMN planthub.posting.system IS 'System of the endpoint';
COMMENT ON COLUMN planthub.posting.by IS 'Who wrote it: the role that logged in';
COMMENT ON COLUMN planthub.posting.external_document IS 'Number of the document in the target';
COMMENT ON COLUMN planthub.posting.document_kind IS 'Kind of the document, as the response mapping calls it';
COMMENT ON COLUMN planthub.posting.error_code IS 'Code of the error, also of one that the target tells beside a success; RESPONSE_MAPPING_FAILED: the answer could not be read';
COMMENT ON COLUMN planthub.posting.error_text IS 'What it says';

DO $$
DECLARE
    s int;
BEGIN
    FOR s IN 0..7 LOOP
        EXECUTE format('CREATE TABLE planthub.posting_%1$s PARTITION OF planthub.posting FOR VALUES IN (%1$s)', s);
        EXECUTE format('CREATE INDEX posting_%1$s_delivery ON planthub.posting_%1$s (delivery_id)', s);
        EXECUTE format('CREATE INDEX posting_%1$s_document ON planthub.posting_%1$s (external_document)', s);
        EXECUTE format('CREATE INDEX posting_%1$s_bad ON planthub.posting_%1$s (at) WHERE conflict OR state = ''rejected'' OR error_code IS NOT NULL', s);
        EXECUTE format('CREATE INDEX posting_%1$s_due ON planthub.posting_%1$s (due_at) WHERE state = ''accepted''', s);
    END LOOP;
END
$$;

-- Small: a row is there while a target is asked for more.
CREATE TABLE planthub.follow_up (
    delivery_id  bigint PRIMARY KEY,
    message_id   bigint NOT NULL,
    message_slot smallint NOT NULL,
    lane         int NOT NULL,
    route        int NOT NULL,
    site         text COLLATE "C" NOT NULL,
    address      text NOT NULL,
    due_at       timestamptz NOT NULL,
    give_up_at   timestamptz NOT NULL,
    tries        int NOT NULL DEFAULT 0,
    last_status  int,
    last_error   text
);
CREATE INDEX follow_up_due ON planthub.follow_up (lane, due_at);
COMMENT ON TABLE planthub.follow_up IS 'Where targets are asked what became of deliveries that they have taken, as the response mapping said: jobs that run on, details of a document';
COMMENT ON COLUMN planthub.follow_up.delivery_id IS 'The delivery';
COMMENT ON COLUMN planthub.follow_up.message_id IS 'Its message';
COMMENT ON COLUMN planthub.follow_up.message_slot IS 'Log slot of the message';
COMMENT ON COLUMN planthub.follow_up.lane IS 'Lane of the delivery, whose worker asks';
COMMENT ON COLUMN planthub.follow_up.route IS 'Number of its route, whose response mapping reads the answer';
COMMENT ON COLUMN planthub.follow_up.site IS 'Site of the message';
COMMENT ON COLUMN planthub.follow_up.address IS 'Address that is asked; scheme, host and port are those of the endpoint';
COMMENT ON COLUMN planthub.follow_up.due_at IS 'When it is asked next';
COMMENT ON COLUMN planthub.follow_up.give_up_at IS 'When it is no longer asked';
COMMENT ON COLUMN planthub.follow_up.tries IS 'How often it was asked';
COMMENT ON COLUMN planthub.follow_up.last_status IS 'Status code of the last answer that was no success';
COMMENT ON COLUMN planthub.follow_up.last_error IS 'What went wrong then';

INSERT INTO planthub.table_class VALUES ('posting', 'engine'), ('follow_up', 'engine');

-- The effect decides itself what is a repetition, so the event has no business key.
INSERT INTO planthub.effect (topic, function, business_key, builtin) VALUES
    ('posting.acknowledged', 'planthub.apply_posting_acknowledged', NULL, true);
