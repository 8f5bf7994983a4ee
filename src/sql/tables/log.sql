-- log: message, delivery, lane_window, attempt.  Append-only: no row is ever updated or deleted; slots are truncated as
-- a whole.  Rows are inserted by C through the table access method: no triggers, constraints or defaults are honoured
-- there, so these tables have none.  Each is a ring of eight leaves with their own indexes: fixed leaves are the only
-- partitions that dump and restore completely as members of an extension.  Run once.

CREATE SEQUENCE planthub.message_id_seq AS bigint;
CREATE SEQUENCE planthub.delivery_id_seq AS bigint;
COMMENT ON SEQUENCE planthub.message_id_seq IS 'Numbers of messages';
COMMENT ON SEQUENCE planthub.delivery_id_seq IS 'Numbers of deliveries; they must rise in the order of publishing, so it has no cache';

CREATE TABLE planthub.message (
    id             bigint NOT NULL,
    xid            xid8 NOT NULL,
    recorded_at    timestamptz NOT NULL,
    event_time     timestamptz NOT NULL,
    slot           smallint NOT NULL,
    event_offset   smallint,
    version        int NOT NULL,
    site           text COLLATE "C" NOT NULL,
    topic          text COLLATE "C" NOT NULL,
    key            text COLLATE "C",
    source         text COLLATE "C",
    event_id       text COLLATE "C",
    subject        text,
    correlation_id text COLLATE "C",
    causation_id   text COLLATE "C",
    traceparent    text COLLATE "C",
    attributes     jsonb,
    data           jsonb NOT NULL
) PARTITION BY LIST (slot);
COMMENT ON TABLE planthub.message IS 'Canonical facts, immutable, in the order of their ids';
COMMENT ON COLUMN planthub.message.id IS 'Number of the message in this hub';
COMMENT ON COLUMN planthub.message.xid IS 'Transaction that published it; never leaves this server';
COMMENT ON COLUMN planthub.message.recorded_at IS 'When the hub recorded it: start of the publishing transaction';
COMMENT ON COLUMN planthub.message.event_time IS 'When it happened';
COMMENT ON COLUMN planthub.message.slot IS 'Log slot of the row';
COMMENT ON COLUMN planthub.message.event_offset IS 'UTC offset of the sender in minutes; null when unknown';
COMMENT ON COLUMN planthub.message.version IS 'Version of the contract';
COMMENT ON COLUMN planthub.message.site IS 'Site of the fact';
COMMENT ON COLUMN planthub.message.topic IS 'Topic of the fact';
COMMENT ON COLUMN planthub.message.key IS 'Ordering key (CloudEvents partitionkey); null: no order';
COMMENT ON COLUMN planthub.message.source IS 'CloudEvents source; null: this hub';
COMMENT ON COLUMN planthub.message.event_id IS 'CloudEvents id; null: the number of the message';
COMMENT ON COLUMN planthub.message.subject IS 'CloudEvents subject';
COMMENT ON COLUMN planthub.message.correlation_id IS 'CloudEvents correlationid';
COMMENT ON COLUMN planthub.message.causation_id IS 'CloudEvents causationid';
COMMENT ON COLUMN planthub.message.traceparent IS 'W3C trace context';
COMMENT ON COLUMN planthub.message.attributes IS 'Further CloudEvents attributes, sent as they are';
COMMENT ON COLUMN planthub.message.data IS 'The fact itself';

CREATE TABLE planthub.delivery (
    id           bigint NOT NULL,
    xid          xid8 NOT NULL,
    message_id   bigint NOT NULL,
    replay_of    bigint,
    not_before   timestamptz,
    lane         int NOT NULL,
    route        int NOT NULL,
    slot         smallint NOT NULL,
    message_slot smallint NOT NULL,
    site         text COLLATE "C" NOT NULL
) PARTITION BY LIST (slot);
COMMENT ON TABLE planthub.delivery IS 'One message for one route';
COMMENT ON COLUMN planthub.delivery.id IS 'Number of the delivery; rises in the order of publishing';
COMMENT ON COLUMN planthub.delivery.xid IS 'Transaction that created it; the reading cursor compares it; never leaves this server';
COMMENT ON COLUMN planthub.delivery.message_id IS 'The message';
COMMENT ON COLUMN planthub.delivery.replay_of IS 'Delivery that this one repeats; null for the first one';
COMMENT ON COLUMN planthub.delivery.not_before IS 'Earliest time to send; null: at once; infinity: the condition of its route could not be evaluated, so it is parked';
COMMENT ON COLUMN planthub.delivery.lane IS 'Lane it waits in';
COMMENT ON COLUMN planthub.delivery.route IS 'Number of the route that created it';
COMMENT ON COLUMN planthub.delivery.slot IS 'Log slot of the row';
COMMENT ON COLUMN planthub.delivery.message_slot IS 'Log slot of the message';
COMMENT ON COLUMN planthub.delivery.site IS 'Site of the message';

CREATE TABLE planthub.lane_window (
    batch_no    bigint NOT NULL,
    token       bigint NOT NULL,
    at          timestamptz NOT NULL,
    oldest_open bigint NOT NULL,
    first_id    bigint NOT NULL,
    last_id     bigint NOT NULL,
    id_floor    bigint NOT NULL,
    id_ceiling  bigint NOT NULL,
    next_floor  bigint NOT NULL,
    origin      bigint,
    lane        int NOT NULL,
    owner       int NOT NULL,
    deliveries  int NOT NULL,
    slot        smallint NOT NULL,
    crashes     smallint NOT NULL,
    used_up     boolean NOT NULL,
    started     boolean NOT NULL,
    s_old       pg_snapshot NOT NULL,
    s_new       pg_snapshot NOT NULL
) PARTITION BY LIST (slot);
COMMENT ON TABLE planthub.lane_window IS 'Claims: the slice of a lane handed out by one claim; the newest one without origin is the lane''s cursor';
COMMENT ON COLUMN planthub.lane_window.batch_no IS 'Number of the window in its lane; the fence: one winner';
COMMENT ON COLUMN planthub.lane_window.token IS 'Token of the owner''s lease; outcomes are recorded only while it is the newest of the lane';
COMMENT ON COLUMN planthub.lane_window.at IS 'When it was claimed';
COMMENT ON COLUMN planthub.lane_window.oldest_open IS 'Oldest window of the lane that may still have deliveries without an outcome';
COMMENT ON COLUMN planthub.lane_window.first_id IS 'The window holds delivery ids from here';
COMMENT ON COLUMN planthub.lane_window.last_id IS '... to here; also the position of the cursor';
COMMENT ON COLUMN planthub.lane_window.id_floor IS 'No delivery between the snapshots that began after s_old has an id up to this';
COMMENT ON COLUMN planthub.lane_window.id_ceiling IS 'No delivery visible in s_new has an id above this';
COMMENT ON COLUMN planthub.lane_window.next_floor IS 'The id_floor that goes with s_new, for the windows after this one';
COMMENT ON COLUMN planthub.lane_window.origin IS 'Window whose leftovers this one runs again after a crash; null for a claim';
COMMENT ON COLUMN planthub.lane_window.lane IS 'The lane';
COMMENT ON COLUMN planthub.lane_window.owner IS 'Process id of the owner';
COMMENT ON COLUMN planthub.lane_window.deliveries IS 'How many deliveries it holds';
COMMENT ON COLUMN planthub.lane_window.slot IS 'Log slot of the row';
COMMENT ON COLUMN planthub.lane_window.crashes IS 'How often its worker crashed while it was under way';
COMMENT ON COLUMN planthub.lane_window.started IS 'Whether it was handed out with this row; false: a recovery that waits for its turn, so a crash is not its doing';
COMMENT ON COLUMN planthub.lane_window.s_old IS 'Deliveries visible in this snapshot were handed out before';
COMMENT ON COLUMN planthub.lane_window.used_up IS 'Whether nothing between the snapshots lies beyond last_id: the next claim starts from s_new';
COMMENT ON COLUMN planthub.lane_window.s_new IS 'Deliveries visible in this one belong to the window';

CREATE TABLE planthub.attempt (
    delivery_id    bigint NOT NULL,
    message_id     bigint NOT NULL,
    started_at     timestamptz NOT NULL,
    batch_no       bigint,
    duration_us    bigint NOT NULL,
    lane           int NOT NULL,
    n              int NOT NULL,
    status         int,
    slot           smallint NOT NULL,
    outcome        text COLLATE "C" NOT NULL,
    site           text COLLATE "C" NOT NULL,
    error          text,
    response       text,
    request_digest bytea,
    mapping        text COLLATE "C",
    steps          jsonb
) PARTITION BY LIST (slot);
COMMENT ON TABLE planthub.attempt IS 'Tries at deliveries and how each ended; also what was closed without a try';
COMMENT ON COLUMN planthub.attempt.delivery_id IS 'The delivery';
COMMENT ON COLUMN planthub.attempt.message_id IS 'Its message';
COMMENT ON COLUMN planthub.attempt.started_at IS 'When the request began';
COMMENT ON COLUMN planthub.attempt.batch_no IS 'Window it was claimed in; null for a later try from held';
COMMENT ON COLUMN planthub.attempt.duration_us IS 'Microseconds from start to answer';
COMMENT ON COLUMN planthub.attempt.lane IS 'The lane';
COMMENT ON COLUMN planthub.attempt.n IS 'First, second, ... try; 0 for a delivery closed without one';
COMMENT ON COLUMN planthub.attempt.status IS 'Status code of the answer, such as the HTTP status; null without answer';
COMMENT ON COLUMN planthub.attempt.slot IS 'Log slot of the row';
COMMENT ON COLUMN planthub.attempt.outcome IS 'success, duplicate, transient, throttled, auth, business, permanent, unknown; without a try: expired, discarded';
COMMENT ON COLUMN planthub.attempt.site IS 'Site of the message';
COMMENT ON COLUMN planthub.attempt.error IS 'What went wrong';
COMMENT ON COLUMN planthub.attempt.response IS 'Beginning of the answer, when it was not a success';
COMMENT ON COLUMN planthub.attempt.request_digest IS 'SHA-256 of the request body';
COMMENT ON COLUMN planthub.attempt.mapping IS 'Version of the mapping that made the data, such as order-to-mes@3; null: the data as it is';
COMMENT ON COLUMN planthub.attempt.steps IS 'The requests that it took, in their order: [{"step": "token", "session", "read", "send" or "lookup", "status", "ms"}]; null: one, as with every endpoint without credential and steps';

DO $$
DECLARE
    s int;
BEGIN
    FOR s IN 0..7 LOOP
        EXECUTE format('CREATE TABLE planthub.message_%1$s PARTITION OF planthub.message FOR VALUES IN (%1$s)', s);
        EXECUTE format('CREATE UNIQUE INDEX message_%1$s_id ON planthub.message_%1$s (id)', s);
        EXECUTE format('CREATE INDEX message_%1$s_key ON planthub.message_%1$s (key, id)', s);
        EXECUTE format('CREATE UNIQUE INDEX message_%1$s_event ON planthub.message_%1$s (source, event_id) WHERE event_id IS NOT NULL', s);
        EXECUTE format('CREATE TABLE planthub.delivery_%1$s PARTITION OF planthub.delivery FOR VALUES IN (%1$s)', s);
        EXECUTE format('CREATE INDEX delivery_%1$s_lane ON planthub.delivery_%1$s (lane, xid, id)', s);
        EXECUTE format('CREATE UNIQUE INDEX delivery_%1$s_id ON planthub.delivery_%1$s (id)', s);
        EXECUTE format('CREATE INDEX delivery_%1$s_message ON planthub.delivery_%1$s (message_id)', s);
        EXECUTE format('CREATE TABLE planthub.lane_window_%1$s PARTITION OF planthub.lane_window FOR VALUES IN (%1$s)', s);
        EXECUTE format('CREATE UNIQUE INDEX lane_window_%1$s_lane ON planthub.lane_window_%1$s (lane, batch_no)', s);
        EXECUTE format('CREATE TABLE planthub.attempt_%1$s PARTITION OF planthub.attempt FOR VALUES IN (%1$s)', s);
        EXECUTE format('CREATE INDEX attempt_%1$s_delivery ON planthub.attempt_%1$s (delivery_id)', s);
    END LOOP;
END
$$;

INSERT INTO planthub.table_class VALUES ('message', 'engine'), ('delivery', 'engine'), ('lane_window', 'engine'), ('attempt', 'engine');
