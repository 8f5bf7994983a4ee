-- lane: the engine's claim and settle as SQL functions, for tests and consumers that pull; and the backlog.

CREATE OR REPLACE FUNCTION planthub.backlog(OUT lane int, OUT queued bigint, OUT exact boolean, OUT oldest_id bigint)
RETURNS SETOF record LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'planthub_backlog';
COMMENT ON FUNCTION planthub.backlog() IS 'Deliveries of each lane that no worker has claimed yet; counting stops at 100,000 (exact is false then)';

CREATE OR REPLACE FUNCTION planthub.lane_claim(lane int, max int,
    OUT delivery_id bigint, OUT message_id bigint, OUT batch_no bigint, OUT token bigint)
RETURNS SETOF record LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'planthub_lane_claim';
COMMENT ON FUNCTION planthub.lane_claim(int, int) IS 'Takes the lane for this session and claims its next window of up to max deliveries, as a worker does; not in a subtransaction.  What is not to be sent now (blocked behind an earlier one of its key, paused, expired) is recorded and not returned.  Deliveries whose session ends before their outcome is recorded come again, for whoever takes the lane next';

CREATE OR REPLACE FUNCTION planthub.lane_settle(lane int, token bigint, batch_no bigint, delivery_ids bigint[], outcomes text[])
RETURNS void LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'planthub_lane_settle';
COMMENT ON FUNCTION planthub.lane_settle(int, bigint, bigint, bigint[], text[]) IS 'Records the outcomes of deliveries that this session has claimed, each once; failed ones are held and then sent by a worker';
