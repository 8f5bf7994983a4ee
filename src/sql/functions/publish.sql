-- publish: messages written in the caller's transaction.  Re-runnable.

CREATE OR REPLACE FUNCTION planthub.publish(topic text, data jsonb, key text, site text, subject text DEFAULT NULL,
    event_time timestamptz DEFAULT NULL, source text DEFAULT NULL, event_id text DEFAULT NULL,
    correlation_id text DEFAULT NULL, causation_id text DEFAULT NULL, traceparent text DEFAULT NULL,
    attributes jsonb DEFAULT NULL, not_before timestamptz DEFAULT NULL, serialise boolean DEFAULT false,
    event_offset interval DEFAULT NULL) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'planthub_publish';
COMMENT ON FUNCTION planthub.publish(text, jsonb, text, text, text, timestamptz, text, text, text, text, text, jsonb, timestamptz, boolean, interval) IS
'Writes one message and its deliveries in this transaction and returns its number.  Messages with one key and site reach every target in the order of their transactions; key null: no order.  source and event_id: identity given by the sender, refused when published before.  serialise: waits for other transactions that publish this key the same way, so that even overlapping ones have an order.  not_before: earliest time to send.  event_offset: UTC offset of the sender''s clock';

CREATE OR REPLACE FUNCTION planthub.publish_many(topic text, site text, keys text[], data jsonb[],
    subjects text[] DEFAULT NULL, event_times timestamptz[] DEFAULT NULL, source text DEFAULT NULL,
    event_ids text[] DEFAULT NULL, correlation_id text DEFAULT NULL, causation_id text DEFAULT NULL,
    traceparent text DEFAULT NULL, attributes jsonb DEFAULT NULL, not_before timestamptz DEFAULT NULL,
    serialise boolean DEFAULT false) RETURNS SETOF bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1000 AS 'MODULE_PATHNAME', 'planthub_publish_many';
COMMENT ON FUNCTION planthub.publish_many(text, text, text[], jsonb[], text[], timestamptz[], text, text[], text, text, text, jsonb, timestamptz, boolean) IS
'Writes many messages of one topic and site at once and returns their numbers in the order of the arrays; otherwise like publish().  keys may be null: no order';

CREATE OR REPLACE FUNCTION planthub.route_explain(topic text, site text, data jsonb, key text DEFAULT NULL,
    subject text DEFAULT NULL, source text DEFAULT NULL, event_id text DEFAULT NULL, correlation_id text DEFAULT NULL,
    attributes jsonb DEFAULT NULL, OUT route text, OUT endpoint text, OUT matches boolean, OUT reason text,
    OUT detail text, OUT value jsonb) RETURNS SETOF record
LANGUAGE c STABLE PARALLEL UNSAFE ROWS 100 AS 'MODULE_PATHNAME', 'planthub_route_explain';
COMMENT ON FUNCTION planthub.route_explain(text, text, jsonb, text, text, text, text, text, jsonb) IS
'Which routes would take a message, and why the others would not, one row for each route.  reason: MATCH; TOPIC, SITE, DISABLED; CONDITION_FALSE with the value of the condition; CONDITION_FAILED with the error: publish() would park that delivery';
