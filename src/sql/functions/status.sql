-- status: what is where, and why.  Re-runnable.

CREATE OR REPLACE VIEW planthub.lane_cursor AS
SELECT l.id AS lane, l.endpoint, l.priority, w.batch_no, w.at, w.oldest_open, w.last_id, w.used_up, w.s_old, w.s_new
FROM planthub.lane AS l
LEFT JOIN LATERAL (SELECT x.* FROM planthub.lane_window AS x WHERE x.lane = l.id AND x.origin IS NULL
                   ORDER BY x.batch_no DESC LIMIT 1) AS w ON true;
COMMENT ON VIEW planthub.lane_cursor IS 'How far each lane has come: its newest claim; null columns: none yet';
COMMENT ON COLUMN planthub.lane_cursor.lane IS 'The lane';
COMMENT ON COLUMN planthub.lane_cursor.endpoint IS 'Number of its endpoint';
COMMENT ON COLUMN planthub.lane_cursor.priority IS 'Its priority';
COMMENT ON COLUMN planthub.lane_cursor.batch_no IS 'Number of the newest window';
COMMENT ON COLUMN planthub.lane_cursor.at IS 'When it was claimed';
COMMENT ON COLUMN planthub.lane_cursor.oldest_open IS 'Oldest window that may still have deliveries without an outcome';
COMMENT ON COLUMN planthub.lane_cursor.last_id IS 'Position inside the window';
COMMENT ON COLUMN planthub.lane_cursor.used_up IS 'Whether all of the window has been handed out';
COMMENT ON COLUMN planthub.lane_cursor.s_old IS 'Deliveries visible in this snapshot were handed out before';
COMMENT ON COLUMN planthub.lane_cursor.s_new IS 'Deliveries visible in this one belong to the window';

CREATE OR REPLACE FUNCTION planthub.is_claimed(xid xid8, id bigint, s_old pg_snapshot, s_new pg_snapshot,
                                               last_id bigint, used_up boolean) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(pg_visible_in_snapshot(xid, s_old)
                OR (used_up OR id <= last_id) AND pg_visible_in_snapshot(xid, s_new), false);
COMMENT ON FUNCTION planthub.is_claimed(xid8, bigint, pg_snapshot, pg_snapshot, bigint, boolean) IS 'Internal: whether a delivery has been handed out to a worker, given the cursor of its lane';

CREATE OR REPLACE VIEW planthub.delivery_status AS
SELECT d.id AS delivery_id, d.message_id, m.topic, m.key, d.site, e.code AS endpoint,
       CASE WHEN h.token IS NOT NULL THEN 'in_flight'
            WHEN h.delivery_id IS NOT NULL THEN h.state
            WHEN a.final IN ('success', 'duplicate') THEN 'delivered'
            WHEN a.final IS NOT NULL THEN a.final
            WHEN planthub.is_claimed(d.xid, d.id, c.s_old, c.s_new, c.last_id, c.used_up) THEN 'in_flight'
            ELSE 'queued' END AS state,
       coalesce(h.tries, a.tries, 0) AS attempts,
       coalesce(h.last_status, a.last_status) AS last_status,
       CASE WHEN h.state IN ('retry', 'scheduled') THEN h.due_at END AS next_attempt_at,
       coalesce(h.last_error, a.last_error) AS last_error,
       h.reason, h.since AS held_since, h.expires_at, m.recorded_at, a.last_attempt_at,
       r.code AS route, e.system, c.priority, d.replay_of, m.subject, m.correlation_id, a.mapping
FROM planthub.delivery AS d
LEFT JOIN planthub.message AS m ON m.slot = d.message_slot AND m.id = d.message_id
LEFT JOIN planthub.held AS h ON h.delivery_id = d.id
LEFT JOIN planthub.lane_cursor AS c ON c.lane = d.lane
LEFT JOIN planthub.endpoint AS e ON e.id = c.endpoint
LEFT JOIN planthub.route AS r ON r.id = d.route
LEFT JOIN LATERAL (
    SELECT max(t.n) AS tries, max(t.started_at) AS last_attempt_at,
           max(t.outcome) FILTER (WHERE t.outcome IN ('success', 'duplicate', 'expired', 'discarded')) AS final,
           (array_agg(t.status ORDER BY t.started_at DESC, t.n DESC))[1] AS last_status,
           (array_agg(t.error ORDER BY t.started_at DESC, t.n DESC))[1] AS last_error,
           (array_agg(t.mapping ORDER BY t.started_at DESC, t.n DESC))[1] AS mapping
    FROM planthub.attempt AS t WHERE t.delivery_id = d.id) AS a ON true;
COMMENT ON VIEW planthub.delivery_status IS 'Every delivery with its present state: queued, in_flight, delivered, retry, blocked, scheduled, parked, in_doubt, paused, dead, expired or discarded';
COMMENT ON COLUMN planthub.delivery_status.delivery_id IS 'The delivery';
COMMENT ON COLUMN planthub.delivery_status.message_id IS 'Its message';
COMMENT ON COLUMN planthub.delivery_status.topic IS 'Topic of the message';
COMMENT ON COLUMN planthub.delivery_status.key IS 'Ordering key';
COMMENT ON COLUMN planthub.delivery_status.site IS 'Site of the message';
COMMENT ON COLUMN planthub.delivery_status.endpoint IS 'Endpoint it goes to';
COMMENT ON COLUMN planthub.delivery_status.state IS 'queued: not yet taken by a worker; in_flight: taken; delivered: accepted by the target; retry, scheduled: goes at next_attempt_at; blocked: waits behind an earlier one of its key; parked, in_doubt, dead: waits for a person; paused: see planthub.pause; expired, discarded: closed without being sent';
COMMENT ON COLUMN planthub.delivery_status.attempts IS 'Tries so far';
COMMENT ON COLUMN planthub.delivery_status.last_status IS 'Status code of the last answer';
COMMENT ON COLUMN planthub.delivery_status.next_attempt_at IS 'When it goes next; null unless retry or scheduled';
COMMENT ON COLUMN planthub.delivery_status.last_error IS 'What went wrong last; for a discarded one the reason given';
COMMENT ON COLUMN planthub.delivery_status.reason IS 'Code of the reason for which it is held';
COMMENT ON COLUMN planthub.delivery_status.held_since IS 'Since when it is held';
COMMENT ON COLUMN planthub.delivery_status.expires_at IS 'When it is no longer worth sending; known once it is held';
COMMENT ON COLUMN planthub.delivery_status.recorded_at IS 'When the message was recorded';
COMMENT ON COLUMN planthub.delivery_status.last_attempt_at IS 'When the last try began';
COMMENT ON COLUMN planthub.delivery_status.route IS 'Route that created it';
COMMENT ON COLUMN planthub.delivery_status.system IS 'System of the endpoint';
COMMENT ON COLUMN planthub.delivery_status.priority IS 'Priority: 0 goes first';
COMMENT ON COLUMN planthub.delivery_status.replay_of IS 'Delivery that this one repeats';
COMMENT ON COLUMN planthub.delivery_status.subject IS 'CloudEvents subject of the message';
COMMENT ON COLUMN planthub.delivery_status.correlation_id IS 'CloudEvents correlationid of the message';
COMMENT ON COLUMN planthub.delivery_status.mapping IS 'Version of the mapping that made the data of the last try';

CREATE OR REPLACE VIEW planthub.held_status AS
SELECT h.delivery_id, h.message_id, m.topic, h.key, h.site, e.code AS endpoint,
       CASE WHEN h.token IS NOT NULL THEN 'in_flight' ELSE h.state END AS state,
       h.tries AS attempts, h.last_status,
       CASE WHEN h.state IN ('retry', 'scheduled') THEN h.due_at END AS next_attempt_at,
       h.last_error, h.reason, h.since AS held_since, h.expires_at, m.recorded_at, r.code AS route, e.system, l.priority
FROM planthub.held AS h
LEFT JOIN planthub.message AS m ON m.slot = h.message_slot AND m.id = h.message_id
LEFT JOIN planthub.lane AS l ON l.id = h.lane
LEFT JOIN planthub.endpoint AS e ON e.id = l.endpoint
LEFT JOIN planthub.route AS r ON r.id = h.route;
COMMENT ON VIEW planthub.held_status IS 'The held deliveries of planthub.delivery_status only: quick to list by state however long the logs are';
COMMENT ON COLUMN planthub.held_status.delivery_id IS 'The delivery';
COMMENT ON COLUMN planthub.held_status.message_id IS 'Its message';
COMMENT ON COLUMN planthub.held_status.topic IS 'Topic of the message';
COMMENT ON COLUMN planthub.held_status.key IS 'Ordering key';
COMMENT ON COLUMN planthub.held_status.site IS 'Site of the message';
COMMENT ON COLUMN planthub.held_status.endpoint IS 'Endpoint it goes to';
COMMENT ON COLUMN planthub.held_status.state IS 'As in planthub.delivery_status';
COMMENT ON COLUMN planthub.held_status.attempts IS 'Tries so far';
COMMENT ON COLUMN planthub.held_status.last_status IS 'Status code of the last answer';
COMMENT ON COLUMN planthub.held_status.next_attempt_at IS 'When it goes next; null unless retry or scheduled';
COMMENT ON COLUMN planthub.held_status.last_error IS 'What went wrong last';
COMMENT ON COLUMN planthub.held_status.reason IS 'Code of the reason for which it is held';
COMMENT ON COLUMN planthub.held_status.held_since IS 'Since when it is held';
COMMENT ON COLUMN planthub.held_status.expires_at IS 'When it is no longer worth sending';
COMMENT ON COLUMN planthub.held_status.recorded_at IS 'When the message was recorded';
COMMENT ON COLUMN planthub.held_status.route IS 'Route that created it';
COMMENT ON COLUMN planthub.held_status.system IS 'System of the endpoint';
COMMENT ON COLUMN planthub.held_status.priority IS 'Priority: 0 goes first';

-- Reads only what was claimed since the oldest open window: the transactions that began after its s_old, and those that
-- were running in it.
CREATE OR REPLACE FUNCTION planthub.in_flight() RETURNS TABLE (lane int, in_flight bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.lane, count(d.id) + (SELECT count(*) FROM planthub.held AS h WHERE h.lane = c.lane AND h.token IS NOT NULL)
    FROM planthub.lane_cursor AS c
    LEFT JOIN LATERAL (SELECT o.s_old FROM planthub.lane_window AS o
                       WHERE o.lane = c.lane AND o.batch_no = c.oldest_open LIMIT 1) AS o ON true
    LEFT JOIN LATERAL (
        SELECT x.id FROM (
            SELECT y.id, y.xid FROM planthub.delivery AS y
            WHERE y.lane = c.lane AND y.xid >= pg_snapshot_xmax(o.s_old) AND y.xid < pg_snapshot_xmax(c.s_new)
            UNION ALL
            SELECT y.id, y.xid FROM planthub.delivery AS y
            WHERE y.lane = c.lane AND y.xid = ANY (ARRAY(SELECT pg_snapshot_xip(o.s_old)))) AS x
        WHERE planthub.is_claimed(x.xid, x.id, c.s_old, c.s_new, c.last_id, c.used_up)
          AND NOT EXISTS (SELECT FROM planthub.held AS h WHERE h.delivery_id = x.id)
          AND NOT EXISTS (SELECT FROM planthub.attempt AS a WHERE a.delivery_id = x.id
                          AND a.outcome IN ('success', 'duplicate', 'expired', 'discarded'))) AS d ON true
    GROUP BY c.lane
$$;
COMMENT ON FUNCTION planthub.in_flight() IS 'How many deliveries of each lane a worker has taken and not yet finished';

CREATE OR REPLACE VIEW planthub.endpoint_health AS
SELECT e.code AS endpoint, e.system,
       CASE WHEN p.paused THEN 'paused' WHEN s.state = 'open' THEN 'open' ELSE 'closed' END AS state,
       coalesce(l.queued, 0) AS queued, coalesce(l.in_flight, 0) AS in_flight,
       coalesce(h.retry, 0) AS retry, coalesce(h.blocked, 0) AS blocked, coalesce(h.scheduled, 0) AS scheduled,
       coalesce(h.parked, 0) AS parked, coalesce(h.in_doubt, 0) AS in_doubt, coalesce(h.paused, 0) AS paused,
       coalesce(h.dead, 0) AS dead,
       least(h.oldest_at, l.oldest_at) AS oldest_at,
       coalesce(s.failures, 0) AS failures, s.since, CASE WHEN s.state = 'open' THEN s.retry_at END AS next_probe_at,
       s.last_status, s.last_error, l.last_claim_at
FROM planthub.endpoint AS e
LEFT JOIN planthub.endpoint_state AS s ON s.endpoint = e.id
CROSS JOIN LATERAL (
    SELECT EXISTS (SELECT FROM planthub.pause AS x WHERE x.scope = 'endpoint' AND x.name = e.code
                   OR x.scope = 'system' AND x.name = e.system) AS paused) AS p
LEFT JOIN (
    SELECT c.endpoint, sum(b.queued)::bigint AS queued, sum(f.in_flight)::bigint AS in_flight, max(c.at) AS last_claim_at,
           min((SELECT m.recorded_at FROM planthub.delivery AS d JOIN planthub.message AS m
                ON m.slot = d.message_slot AND m.id = d.message_id WHERE d.id = b.oldest_id)) AS oldest_at
    FROM planthub.lane_cursor AS c
    LEFT JOIN planthub.backlog() AS b ON b.lane = c.lane
    LEFT JOIN planthub.in_flight() AS f ON f.lane = c.lane
    GROUP BY c.endpoint) AS l ON l.endpoint = e.id
LEFT JOIN (
    SELECT n.endpoint, count(*) FILTER (WHERE x.state = 'retry') AS retry,
           count(*) FILTER (WHERE x.state = 'blocked') AS blocked,
           count(*) FILTER (WHERE x.state = 'scheduled') AS scheduled,
           count(*) FILTER (WHERE x.state = 'parked') AS parked,
           count(*) FILTER (WHERE x.state = 'in_doubt') AS in_doubt,
           count(*) FILTER (WHERE x.state = 'paused') AS paused,
           count(*) FILTER (WHERE x.state = 'dead') AS dead,
           min(x.since) FILTER (WHERE x.state <> 'scheduled') AS oldest_at
    FROM planthub.held AS x JOIN planthub.lane AS n ON n.id = x.lane
    WHERE x.token IS NULL
    GROUP BY n.endpoint) AS h ON h.endpoint = e.id
ORDER BY e.code;
COMMENT ON VIEW planthub.endpoint_health IS 'Every endpoint: whether requests flow, and how many deliveries wait for it and why';
COMMENT ON COLUMN planthub.endpoint_health.endpoint IS 'The endpoint';
COMMENT ON COLUMN planthub.endpoint_health.system IS 'Its system';
COMMENT ON COLUMN planthub.endpoint_health.state IS 'closed: requests flow; open: the circuit breaker lets single probes through only; paused: stopped by planthub.pause()';
COMMENT ON COLUMN planthub.endpoint_health.queued IS 'Deliveries that no worker has taken yet';
COMMENT ON COLUMN planthub.endpoint_health.in_flight IS 'Deliveries that a worker has taken and not finished';
COMMENT ON COLUMN planthub.endpoint_health.retry IS 'Deliveries that wait for their next try';
COMMENT ON COLUMN planthub.endpoint_health.blocked IS 'Deliveries that wait behind an earlier one of their key';
COMMENT ON COLUMN planthub.endpoint_health.scheduled IS 'Deliveries that may not go yet';
COMMENT ON COLUMN planthub.endpoint_health.parked IS 'Deliveries that the target refused for a business reason, or that wait for a fact';
COMMENT ON COLUMN planthub.endpoint_health.in_doubt IS 'Deliveries that may have had their effect';
COMMENT ON COLUMN planthub.endpoint_health.paused IS 'Deliveries set aside because their route or key is paused, or because this is a copy';
COMMENT ON COLUMN planthub.endpoint_health.dead IS 'Deliveries that the hub has given up';
COMMENT ON COLUMN planthub.endpoint_health.oldest_at IS 'Since when the oldest of these waits, scheduled ones aside';
COMMENT ON COLUMN planthub.endpoint_health.failures IS 'Failures in a row when the circuit breaker last changed';
COMMENT ON COLUMN planthub.endpoint_health.since IS 'When the circuit breaker last opened or closed';
COMMENT ON COLUMN planthub.endpoint_health.next_probe_at IS 'When an open circuit breaker lets the next probe through';
COMMENT ON COLUMN planthub.endpoint_health.last_status IS 'Status code of the last failure';
COMMENT ON COLUMN planthub.endpoint_health.last_error IS 'Text of the last failure';
COMMENT ON COLUMN planthub.endpoint_health.last_claim_at IS 'When a worker last took deliveries for it';

CREATE OR REPLACE FUNCTION planthub.age_text(since timestamptz) RETURNS text
LANGUAGE sql STABLE
RETURN CASE WHEN since IS NULL THEN '-'
            WHEN now() - since < '2 min' THEN greatest(extract(epoch FROM now() - since), 0)::int || ' s'
            WHEN now() - since < '2 h' THEN (extract(epoch FROM now() - since) / 60)::int || ' min'
            WHEN now() - since < '2 d' THEN (extract(epoch FROM now() - since) / 3600)::int || ' h'
            ELSE (extract(epoch FROM now() - since) / 86400)::int || ' d' END;
COMMENT ON FUNCTION planthub.age_text(timestamptz) IS 'Internal: age in words short enough for planthub.status()';

CREATE OR REPLACE FUNCTION planthub.status() RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    line constant text := E'%s  %s  %s %s %s %s %s %s %s %s %s  %s\n';
    out     text;
    width   int;
    t       record;
BEGIN
    SELECT format(E'PlantHub %s, hub %s\narmed: %s   workers: %s   log slot: %s since %s   pauses: %s   jobs: %s%s\n\n',
                  (SELECT x.extversion FROM pg_extension AS x WHERE x.extname = 'planthub'), h.id,
                  CASE WHEN planthub.is_armed() THEN 'yes' ELSE 'no (a copy; see planthub.arm())' END,
                  (SELECT count(*) FROM planthub.workers()), h.slot, to_char(h.slot_since, 'YYYY-MM-DD'),
                  (SELECT count(*) FROM planthub.pause), (SELECT count(*) FROM planthub.job),
                  (SELECT ', failing: ' || string_agg(j.code, ', ' ORDER BY j.code) FROM planthub.job AS j WHERE j.failures > 0))
    INTO out FROM planthub.hub AS h;
    SELECT greatest(max(length(e.code)), 8) INTO width FROM planthub.endpoint AS e;
    out := out || format(line, rpad('endpoint', width), 'state ', ' queued', 'in flight', '  retry', 'blocked', 'scheduled',
                         ' parked', 'in doubt', ' paused', '   dead', 'oldest');
    FOR t IN
        WITH h AS MATERIALIZED (SELECT e.* FROM planthub.endpoint_health AS e)
        SELECT h.endpoint, h.state, h.queued, h.in_flight, h.retry, h.blocked, h.scheduled, h.parked, h.in_doubt,
               h.paused, h.dead, h.oldest_at
        FROM h
        UNION ALL
        SELECT 'total', count(*) FILTER (WHERE h.state = 'open') || ' open', coalesce(sum(h.queued), 0),
               coalesce(sum(h.in_flight), 0), coalesce(sum(h.retry), 0), coalesce(sum(h.blocked), 0),
               coalesce(sum(h.scheduled), 0), coalesce(sum(h.parked), 0), coalesce(sum(h.in_doubt), 0),
               coalesce(sum(h.paused), 0), coalesce(sum(h.dead), 0), min(h.oldest_at)
        FROM h
    LOOP
        out := out || format(line, rpad(t.endpoint, width), rpad(t.state, 6), lpad(t.queued::text, 7),
            lpad(t.in_flight::text, 9), lpad(t.retry::text, 7), lpad(t.blocked::text, 7), lpad(t.scheduled::text, 9),
            lpad(t.parked::text, 7), lpad(t.in_doubt::text, 8), lpad(t.paused::text, 7), lpad(t.dead::text, 7),
            planthub.age_text(t.oldest_at));
    END LOOP;
    RETURN rtrim(out, E'\n');
END
$$;
COMMENT ON FUNCTION planthub.status() IS 'One screen: whether the hub may send, its workers, and what waits for each endpoint; all zeros when nothing waits';
