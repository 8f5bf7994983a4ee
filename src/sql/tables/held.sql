-- held: deliveries that cannot go now, and the state of endpoints.  The only hot table with updates; success never
-- enters it.  Run once.

CREATE TABLE planthub.held (
    delivery_id  bigint PRIMARY KEY,
    message_id   bigint NOT NULL,
    token        bigint,
    due_at       timestamptz,
    since        timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    lane         int NOT NULL,
    route        int NOT NULL,
    attempts     int NOT NULL DEFAULT 0,
    tries        int NOT NULL DEFAULT 0,
    last_status  int,
    message_slot smallint NOT NULL,
    crashes      smallint NOT NULL DEFAULT 0,
    blocks       boolean NOT NULL DEFAULT true,
    state        text COLLATE "C" NOT NULL CHECK (state IN ('retry', 'blocked', 'scheduled', 'parked', 'in_doubt', 'paused', 'dead')),
    site         text COLLATE "C" NOT NULL,
    key          text COLLATE "C",
    reason       text COLLATE "C",
    last_error   text,
    waits_for    text[] COLLATE "C"
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX held_due ON planthub.held (lane, due_at) WHERE state IN ('retry', 'scheduled');
CREATE INDEX held_suspect ON planthub.held (lane, due_at) WHERE crashes >= 2;
CREATE INDEX held_key ON planthub.held (lane, key, delivery_id);
CREATE INDEX held_waits ON planthub.held (lane) WHERE waits_for IS NOT NULL;
CREATE INDEX held_message ON planthub.held (message_id);
COMMENT ON TABLE planthub.held IS 'Deliveries that cannot go now, with the reason; what is not here and has no final attempt is on its way';
COMMENT ON COLUMN planthub.held.delivery_id IS 'The delivery';
COMMENT ON COLUMN planthub.held.message_id IS 'Its message';
COMMENT ON COLUMN planthub.held.token IS 'Lease of the worker that is sending it now; null otherwise';
COMMENT ON COLUMN planthub.held.due_at IS 'When it goes next (states retry and scheduled)';
COMMENT ON COLUMN planthub.held.since IS 'When it came here';
COMMENT ON COLUMN planthub.held.expires_at IS 'When it is no longer worth sending';
COMMENT ON COLUMN planthub.held.lane IS 'Its lane';
COMMENT ON COLUMN planthub.held.route IS 'Number of its route';
COMMENT ON COLUMN planthub.held.attempts IS 'Attempts that may have reached the target; this counts against the endpoint''s max_attempts';
COMMENT ON COLUMN planthub.held.tries IS 'All attempts, with those that never reached the target';
COMMENT ON COLUMN planthub.held.last_status IS 'Status code of the last answer';
COMMENT ON COLUMN planthub.held.message_slot IS 'Log slot of the message';
COMMENT ON COLUMN planthub.held.crashes IS 'How often the worker crashed while sending it';
COMMENT ON COLUMN planthub.held.blocks IS 'Whether its route lets it wait behind its key (key policy block)';
COMMENT ON COLUMN planthub.held.state IS 'retry, blocked, scheduled, parked, in_doubt, paused or dead';
COMMENT ON COLUMN planthub.held.site IS 'Site of the message';
COMMENT ON COLUMN planthub.held.key IS 'Ordering key';
COMMENT ON COLUMN planthub.held.reason IS 'Code of the reason';
COMMENT ON COLUMN planthub.held.last_error IS 'What went wrong last';
COMMENT ON COLUMN planthub.held.waits_for IS 'Entries of the cross-reference that its mapping lacked, as set/code, and units, as /code: one of them lets it go when it is parked';

CREATE TABLE planthub.endpoint_state (
    endpoint   int PRIMARY KEY,
    state      text NOT NULL CHECK (state IN ('closed', 'open')),
    since      timestamptz NOT NULL,
    failures   int NOT NULL,
    retry_at   timestamptz,
    last_status int,
    last_error text
);
COMMENT ON TABLE planthub.endpoint_state IS 'Circuit breakers: written when one opens, fails a probe, or closes';
COMMENT ON COLUMN planthub.endpoint_state.endpoint IS 'Number of the endpoint';
COMMENT ON COLUMN planthub.endpoint_state.state IS 'closed: requests flow; open: only single probes, the next at retry_at';
COMMENT ON COLUMN planthub.endpoint_state.since IS 'Since when';
COMMENT ON COLUMN planthub.endpoint_state.failures IS 'Failures in a row';
COMMENT ON COLUMN planthub.endpoint_state.retry_at IS 'When the next probe is due';
COMMENT ON COLUMN planthub.endpoint_state.last_status IS 'Status code of the last failure';
COMMENT ON COLUMN planthub.endpoint_state.last_error IS 'Text of the last failure';

INSERT INTO planthub.table_class VALUES ('held', 'engine'), ('endpoint_state', 'engine');
