-- retention: the logs are a ring of slots; the oldest is reused as a whole.  Re-runnable.

-- Deliveries without an outcome that need rows of this slot; what keeps planthub.rotate() from reusing it.
CREATE OR REPLACE FUNCTION planthub.slot_open(slot int) RETURNS TABLE (what text, deliveries bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'held', count(*) FROM planthub.held AS h
    WHERE h.message_slot = $1
       OR EXISTS (SELECT FROM planthub.delivery AS d WHERE d.slot = $1 AND d.id = h.delivery_id)
    UNION ALL
    SELECT 'queued or in flight', count(*)
    FROM planthub.lane_cursor AS c
    LEFT JOIN LATERAL (SELECT w.batch_no, w.s_old FROM planthub.lane_window AS w
                       WHERE w.lane = c.lane AND w.batch_no = c.oldest_open LIMIT 1) AS o ON true
    CROSS JOIN LATERAL (
        SELECT d.id, d.slot, d.message_slot FROM planthub.delivery AS d
        WHERE o.batch_no IS NOT NULL AND d.lane = c.lane AND d.xid >= pg_snapshot_xmax(o.s_old)
        UNION ALL
        SELECT d.id, d.slot, d.message_slot FROM planthub.delivery AS d
        WHERE o.batch_no IS NOT NULL AND d.lane = c.lane AND d.xid = ANY (ARRAY(SELECT pg_snapshot_xip(o.s_old)))
        UNION ALL
        SELECT d.id, d.slot, d.message_slot FROM planthub.delivery AS d
        WHERE o.batch_no IS NULL AND d.lane = c.lane) AS d
    WHERE (d.slot = $1 OR d.message_slot = $1)
      AND NOT EXISTS (SELECT FROM planthub.held AS h WHERE h.delivery_id = d.id)
      AND NOT EXISTS (SELECT FROM planthub.attempt AS a WHERE a.delivery_id = d.id
                      AND a.outcome IN ('success', 'duplicate', 'expired', 'discarded'))
    UNION ALL
    SELECT 'waiting for an acknowledgement', count(*) FROM planthub.posting AS p
    WHERE p.slot = $1 AND p.state = 'accepted' AND p.due_at IS NOT NULL
      AND NOT EXISTS (SELECT FROM planthub.posting AS x
                      WHERE x.delivery_id = p.delivery_id AND x.state <> 'accepted' AND NOT x.conflict)
$$;
COMMENT ON FUNCTION planthub.slot_open(int) IS 'Internal: how many deliveries still need a log slot';

-- Reuses the oldest slot.  The windows that a lane still starts from are carried over; attempts need not be: they are
-- in the slot of their delivery or a later one.  Never waits long for a lock: behind a waiting TRUNCATE everyone waits.
CREATE OR REPLACE FUNCTION planthub.rotate(force boolean DEFAULT false) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    hub     planthub.hub;
    next    smallint;
    need    record;
BEGIN
    SELECT h.* INTO STRICT hub FROM planthub.hub AS h FOR NO KEY UPDATE;
    next := (hub.slot + 1) % 8;
    IF NOT coalesce(force, false) AND hub.slot_since + hub.slot_length > now() THEN
        RAISE NOTICE USING MESSAGE = format('log slot %s is in use until %s', hub.slot, hub.slot_since + hub.slot_length),
            HINT = 'To move on now, call planthub.rotate(force => true).';
        RETURN false;
    END IF;
    FOR need IN SELECT o.what, o.deliveries FROM planthub.slot_open(next) AS o WHERE o.deliveries > 0 LOOP
        RAISE NOTICE USING MESSAGE = format('log slot %s is still needed by %s deliveries: %s', next, need.deliveries, need.what),
            HINT = 'Release, replay or discard them, or acknowledge what the target has; see planthub.delivery_status, planthub.posting_overdue and planthub.status().';
    END LOOP;
    IF FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO planthub.lane_window (batch_no, token, at, oldest_open, first_id, last_id, id_floor, id_ceiling,
        next_floor, origin, lane, owner, deliveries, slot, crashes, used_up, started, s_old, s_new)
    SELECT w.batch_no, w.token, w.at, w.oldest_open, w.first_id, w.last_id, w.id_floor, w.id_ceiling,
        w.next_floor, w.origin, w.lane, w.owner, w.deliveries, hub.slot, w.crashes, w.used_up, w.started, w.s_old, w.s_new
    FROM planthub.lane_cursor AS c
    JOIN planthub.lane_window AS w ON w.lane = c.lane AND w.batch_no >= least(c.oldest_open, c.batch_no)
    WHERE w.slot = next;
    EXECUTE format('TRUNCATE planthub.message_%1$s, planthub.delivery_%1$s, planthub.attempt_%1$s, planthub.posting_%1$s, planthub.lane_window_%1$s', next);
    UPDATE planthub.hub SET slot = next, slot_since = now();
    PERFORM planthub.log_operation('rotate', jsonb_build_object('slot', next, 'force', force), 1);
    RETURN true;
EXCEPTION WHEN lock_not_available THEN
    RAISE NOTICE USING MESSAGE = 'the logs cannot be rotated now: something else is using them',
        HINT = 'Call planthub.rotate() again when the long transaction that uses it has ended.';
    RETURN false;
END
$$;
COMMENT ON FUNCTION planthub.rotate(boolean) IS 'Moves the logs to their next slot, removing its old rows, when the present one is full of time or when forced; returns false, and says why, when that cannot be done yet';
