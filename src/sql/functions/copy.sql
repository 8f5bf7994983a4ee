-- copy: a restored or cloned hub is silent until it is told to send.  Re-runnable.

CREATE OR REPLACE FUNCTION planthub.is_armed() RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT h.system_identifier = (SELECT c.system_identifier FROM pg_control_system() AS c)
       AND h.database_oid = (SELECT d.oid::bigint FROM pg_database AS d WHERE d.datname = current_database())
    FROM planthub.hub AS h;
END;
COMMENT ON FUNCTION planthub.is_armed() IS 'Whether this server and database may send; a restored or cloned copy may not until planthub.arm()';

-- One snapshot decides for every delivery: visible in it, and it is set aside here; not visible, and the cursors find
-- it later.  So everything that reads or writes below is one statement.  Transaction numbers of a restored dump come
-- from another server; those that this one has not reached yet would make the cursors find old deliveries again.
CREATE OR REPLACE FUNCTION planthub.arm() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    hub         planthub.hub;
    paused      bigint;
    last_given  bigint;
BEGIN
    SELECT h.* INTO STRICT hub FROM planthub.hub AS h FOR NO KEY UPDATE;
    IF planthub.is_armed() THEN
        RAISE NOTICE 'the hub is armed already';
        RETURN 0;
    END IF;
    SELECT CASE WHEN s.is_called THEN s.last_value ELSE 0 END INTO STRICT last_given FROM planthub.delivery_id_seq AS s;
    WITH renumbered AS (
        UPDATE planthub.delivery AS d SET xid = '3' WHERE NOT pg_visible_in_snapshot(d.xid, pg_current_snapshot())
    ), cursors AS (
        INSERT INTO planthub.lane_window (batch_no, token, at, oldest_open, first_id, last_id, id_floor, id_ceiling,
            next_floor, lane, owner, deliveries, slot, crashes, used_up, started, s_old, s_new)
        SELECT n.batch_no, 0, now(), n.batch_no, 0, 0, 0, last_given, last_given, l.id, pg_backend_pid(), 0, hub.slot, 0,
               true, true, pg_current_snapshot(), pg_current_snapshot()
        FROM planthub.lane AS l
        CROSS JOIN LATERAL (SELECT coalesce(max(w.batch_no), 0) + 1 AS batch_no
                            FROM planthub.lane_window AS w WHERE w.lane = l.id) AS n
    ), stopped AS (
        UPDATE planthub.held AS h SET state = 'paused', reason = 'COPY', token = NULL
        WHERE h.state IN ('retry', 'blocked', 'scheduled') OR h.token IS NOT NULL
        RETURNING h.delivery_id
    ), set_aside AS (
        INSERT INTO planthub.held (delivery_id, message_id, due_at, lane, route, message_slot, blocks, state, site, key,
            reason)
        SELECT d.id, d.message_id, nullif(d.not_before, 'infinity'), d.lane, d.route, d.message_slot,
               coalesce(r.key_policy = 'block', true),
               CASE WHEN d.not_before = 'infinity' THEN 'parked' ELSE 'paused' END, d.site, m.key,
               CASE WHEN d.not_before = 'infinity' THEN 'CONDITION_FAILED' ELSE 'COPY' END
        FROM planthub.delivery AS d
        JOIN planthub.message AS m ON m.slot = d.message_slot AND m.id = d.message_id
        LEFT JOIN planthub.route AS r ON r.id = d.route
        WHERE NOT EXISTS (SELECT FROM planthub.held AS h WHERE h.delivery_id = d.id)
          AND NOT EXISTS (SELECT FROM planthub.attempt AS a WHERE a.delivery_id = d.id
                          AND a.outcome IN ('success', 'duplicate', 'expired', 'discarded'))
        RETURNING delivery_id
    )
    SELECT (SELECT count(*) FROM stopped) + (SELECT count(*) FROM set_aside) INTO paused;
    UPDATE planthub.hub
    SET system_identifier = (SELECT c.system_identifier FROM pg_control_system() AS c),
        database_oid = (SELECT d.oid::bigint FROM pg_database AS d WHERE d.datname = current_database());
    PERFORM planthub.log_operation('arm', jsonb_build_object('from_system', hub.system_identifier,
        'from_database', hub.database_oid), paused);
    IF paused > 0 THEN
        RAISE NOTICE USING MESSAGE = format('%s deliveries of the original are paused', paused),
            HINT = 'To send them from here, call planthub.replay(states => ''{paused}''); to close one, planthub.discard().';
    END IF;
    RETURN paused;
END
$$;
COMMENT ON FUNCTION planthub.arm() IS 'Lets this copy of a hub send: sets aside, as paused, every delivery that the original had not finished, and returns how many';

-- A new hub is armed where it is made; the row of a restored one replaces this one (see hub_restore).
INSERT INTO planthub.hub (system_identifier, database_oid)
SELECT c.system_identifier, d.oid::bigint
FROM pg_catalog.pg_control_system() AS c, pg_catalog.pg_database AS d
WHERE d.datname = pg_catalog.current_database() AND NOT EXISTS (SELECT FROM planthub.hub);

CREATE OR REPLACE FUNCTION planthub.hub_id() RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
RETURN (SELECT h.id FROM planthub.hub AS h);
COMMENT ON FUNCTION planthub.hub_id() IS 'Identity of this hub, as in its idempotency keys and in the CloudEvents source';

ALTER TABLE planthub.lane ALTER COLUMN hub SET DEFAULT planthub.hub_id();
ALTER TABLE planthub.route ALTER COLUMN hub SET DEFAULT planthub.hub_id();
