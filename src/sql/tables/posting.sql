-- posting: what targets say about deliveries after they took them: delivered is not posted.  Run once.

CREATE TABLE planthub.posting (
    delivery_id       bigint NOT NULL,
    message_id        bigint NOT NULL,
    site              text COLLATE "C" NOT NULL,
    system            text COLLATE "C" NOT NULL,
    outcome           text NOT NULL CHECK (outcome IN ('posted', 'accepted', 'rejected')),
    external_document text COLLATE "C",
    error_code        text,
    error_text        text,
    event_time        timestamptz NOT NULL,
    recorded_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (delivery_id, message_id)
);
COMMENT ON TABLE planthub.posting IS 'Acknowledgements of targets: whether a delivery was posted, and under which document number';
COMMENT ON COLUMN planthub.posting.delivery_id IS 'The delivery';
COMMENT ON COLUMN planthub.posting.message_id IS 'Message that told it';
COMMENT ON COLUMN planthub.posting.site IS 'Site of what was delivered';
COMMENT ON COLUMN planthub.posting.system IS 'System that told it';
COMMENT ON COLUMN planthub.posting.outcome IS 'posted, accepted (to be posted later) or rejected';
COMMENT ON COLUMN planthub.posting.external_document IS 'Number of the document in the target';
COMMENT ON COLUMN planthub.posting.error_code IS 'Code of the error there';
COMMENT ON COLUMN planthub.posting.error_text IS 'What it says';
COMMENT ON COLUMN planthub.posting.event_time IS 'When';
COMMENT ON COLUMN planthub.posting.recorded_at IS 'When the hub learned it';

INSERT INTO planthub.table_class VALUES
    ('posting', 'engine');

INSERT INTO planthub.effect (topic, function, business_key, builtin) VALUES
    ('posting.acknowledged', 'planthub.apply_posting_acknowledged', '{outbox_id,outcome}', true);
